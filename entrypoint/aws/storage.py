"""The archives of layers in the manifest's bucket, and the bucket's settings.

With `storage: reference`, an account and region has a folder of its own for each layer. So no layer version
of another account or region refers to an archive in it.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import CancelledError

from entrypoint.aws.calls import answered
from entrypoint.aws.connection import Connection, explained
from entrypoint.aws.model import AbsentError, S3Object
from entrypoint.errors import AwsError
from entrypoint.index.ranged_file import RangedFile
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.manifest.model import Bucket

if TYPE_CHECKING:
    from s3transfer.futures import TransferFuture

_THROUGH_S3 = DIRECT_UPLOAD_BYTES - 2**20
"""Archives near the limit go through S3 too, if there is a bucket: as base64 JSON the request is larger."""
_ARCHIVE = re.compile(r"[0-9a-f]{64}\.zip")
_SECONDS = 600
"""How long a URL is valid, as long as those that Lambda makes."""


class Storage:
    """The manifest's bucket in one account and region; `bucket` is None where the manifest has none."""

    def __init__(self, connection: Connection, bucket: Bucket | None) -> None:
        self._connection = connection
        self._bucket = bucket
        self._uploads: set[TransferFuture] = set()

    @property
    def is_referenced(self) -> bool:
        """Whether layer versions refer to the objects in the bucket."""
        return self._bucket is not None and self._bucket.is_referenced

    def takes(self, archive: Path) -> bool:
        """Return whether an archive is uploaded to the bucket before it is published."""
        is_large = self._bucket is not None and archive.stat().st_size > _THROUGH_S3
        return self.is_referenced or is_large

    @cached_property
    def account(self) -> str:
        """The account of the credentials, which is asked for only if the bucket or its keys depend on it."""
        account = self._connection.destination.account
        return account or str(self._connection.ask("sts", "get_caller_identity")["Account"])

    @cached_property
    def name(self) -> str:
        """The bucket's name in this account and region."""
        bucket = self._used
        account = self.account if "{account}" in bucket.bucket else ""
        return bucket.name_in(self._connection.destination.region, account)

    def folder_of(self, layer: str) -> str:
        """Return how the keys of a layer's archives begin that are referred to."""
        return self._used.folder_of(layer, self._connection.destination.region, self.account)

    def upload(self, layer: str, archive: Path) -> S3Object:
        """Upload an archive; if that fails or is cancelled, no parts of it are left in the bucket."""
        with archive.open("rb") as file:
            name = f"{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"
        folder = self.folder_of(layer) if self.is_referenced else f"{self._used.prefix}{layer}/"
        try:
            return self._upload(archive, folder + name)
        except (BotoCoreError, ClientError, Boto3Error, CancelledError) as error:
            message = f"{archive.name} cannot be uploaded to the bucket {self.name}: {error}"
            where = "exists" if self.is_referenced else f"is in {self._connection.destination.region}"
            hint = f"check that the bucket {where} and that s3:PutObject is allowed"
            raise AwsError.of(message, hint) from None

    def _upload(self, archive: Path, key: str) -> S3Object:
        answer: dict[str, Any] = {}

        def note(parsed: dict[str, Any], **_: object) -> None:
            answer.update(parsed)  # of PutObject, or last of CompleteMultipartUpload

        with (
            closing(self._connection.client("s3")) as s3,
            create_transfer_manager(s3, TransferConfig()) as manager,
        ):
            s3.meta.events.register("after-call.s3", note)
            upload = manager.upload(str(archive), self.name, key)
            self._uploads.add(upload)
            try:
                upload.result()
            finally:
                self._uploads.discard(upload)
        version = answer.get("VersionId")
        return S3Object(self.name, key, None if version == "null" else version)

    def close(self) -> None:
        """Cancel uploads that an interrupted run left in other threads, which then delete their parts."""
        for upload in tuple(self._uploads):
            upload.cancel()

    def open(self, stored: S3Object, name: str) -> RangedFile:
        """Open an archive to which a layer version refers; only what is read is downloaded.

        Raises:
            AwsError: it may not be read, or does not exist.
        """
        try:  # a signed URL does not say why it is refused
            region = self._region_of(stored)
        except AbsentError:
            message = f"the archive of {name} in S3 does not exist: {stored}"
            raise AwsError.of(message, "restore it, or publish the layer again") from None
        with closing(self._connection.client("s3", region)) as s3:
            url = s3.generate_presigned_url("get_object", Params=stored.parameters, ExpiresIn=_SECONDS)
        return RangedFile(url, name=name, direct=self._connection.has_own_endpoint)

    def _region_of(self, stored: S3Object) -> str:
        """Return the region of an object's bucket, which a signed URL has to name: S3 redirects other calls.

        Raises:
            AbsentError: the object does not exist.
        """
        regions: list[str] = []

        def note(context: dict[str, Any], **_: object) -> None:
            regions.append(context["signing"]["region"])

        with explained("s3"), closing(self._connection.client("s3")) as s3:
            s3.meta.events.register("after-call.s3", note)
            answered(s3.head_object, stored.parameters)
        return regions[-1]

    def archives_of(self, layer: str) -> Iterator[tuple[S3Object, datetime]]:
        """Yield all versions of a layer's archives that are referred to, with the times of their upload."""
        folder = self.folder_of(layer)
        for page in self._connection.paginate("s3", "list_object_versions", Bucket=self.name, Prefix=folder):
            for item in page.get("Versions", ()):
                if _ARCHIVE.fullmatch(item["Key"].removeprefix(folder)):
                    yield S3Object(self.name, item["Key"], item["VersionId"]), item["LastModified"]

    def delete(self, stored: S3Object) -> None:
        """Delete a version of an object for good; does nothing where it is deleted already."""
        self._connection.ask("s3", "delete_object", **stored.parameters)

    def is_versioned(self) -> bool | None:
        """Return whether the bucket keeps the versions of its objects; None if it does not exist."""
        try:
            answer = self._connection.ask("s3", "get_bucket_versioning", Bucket=self.name)
        except AbsentError:
            return None
        return bool(answer.get("Status") == "Enabled")

    def policy(self) -> dict[str, Any]:
        """Return the bucket's policy; empty if it has none."""
        try:
            answer = self._connection.ask("s3", "get_bucket_policy", Bucket=self.name)
        except AbsentError:
            return {}
        policy: dict[str, Any] = json.loads(answer["Policy"])
        return policy

    @property
    def _used(self) -> Bucket:
        if self._bucket is None:
            message = "the manifest has no bucket"
            raise RuntimeError(message)
        return self._bucket
