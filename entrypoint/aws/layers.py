"""Layer versions: published, listed, read, shared, deleted."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import BotoCoreError, ClientError
from s3transfer.exceptions import CancelledError

from entrypoint.aws.calls import DeniedError
from entrypoint.aws.connection import Connection
from entrypoint.aws.grants import Grant, grants_of, to_revoke
from entrypoint.aws.model import AbsentError, ConflictError, LayerVersion
from entrypoint.errors import AwsError
from entrypoint.index.ranged_file import RangedFile
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.manifest.arn import Arn, is_arn
from entrypoint.manifest.model import Bucket, Share

if TYPE_CHECKING:
    from s3transfer.futures import TransferFuture

_THROUGH_S3 = DIRECT_UPLOAD_BYTES - 2**20
"""Archives near the limit go through S3 too, if there is a bucket: as base64 JSON the request is larger."""


class Layers:
    """Publishes and reads layer versions."""

    def __init__(self, connection: Connection, bucket: Bucket | None) -> None:
        self._connection = connection
        self._bucket = bucket
        self._uploads: set[TransferFuture] = set()

    def versions(self, name: str) -> Iterator[LayerVersion]:
        """Yield a layer's versions, newest first; nothing where the layer does not exist."""
        for page in self._connection.pages("list_layer_versions", LayerName=name):
            for item in page["LayerVersions"]:
                yield _layer_version(item)

    def archive(self, name: str, version: int) -> RangedFile:
        """Open a layer version's archive; only what is read is downloaded. The caller closes it."""
        answer = self._connection.call("get_layer_version", LayerName=name, VersionNumber=version)
        return RangedFile(
            answer["Content"]["Location"], name=f"{name}:{version}", direct=self._connection.has_own_endpoint
        )

    def code_sha256(self, name: str, version: int) -> str:
        """Return the digest of a layer version's archive, in base64."""
        answer = self._connection.call("get_layer_version", LayerName=name, VersionNumber=version)
        return str(answer["Content"]["CodeSha256"])

    def described(self, arn: str) -> LayerVersion | None:
        """Return a layer version of any account; None where it does not exist, or may not be read."""
        try:
            return _layer_version(self._connection.call("get_layer_version_by_arn", Arn=arn))
        except (AbsentError, DeniedError):
            return None

    def publish(
        self,
        *,
        name: str,
        description: str,
        archive: Path,
        runtimes: tuple[str, ...],
        architectures: tuple[str, ...],
        license: str | None,  # noqa: A002 - the API's own word
    ) -> LayerVersion:
        """Publish an archive as the layer's next version, through S3 where it is too large for a request.

        Raises:
            UnclearAnswerError: the version may or may not have been published.
        """
        answer = self._connection.call(
            "publish_layer_version",
            LayerName=name,
            Description=description,
            Content=self._content(name, archive),
            CompatibleRuntimes=list(runtimes),
            CompatibleArchitectures=list(architectures),
            **({"LicenseInfo": license} if license else {}),
        )
        return _layer_version(answer)

    def grants(self, name: str, version: int) -> frozenset[Grant]:
        """Return who may use a version besides its own account."""
        answer = self._connection.call.if_present(
            "get_layer_version_policy", LayerName=name, VersionNumber=version
        )
        policy = json.loads(answer["Policy"]) if answer else {"Statement": []}
        return frozenset(_grant(statement) for statement in policy["Statement"])

    def share(self, name: str, version: int, share: Share | None) -> None:
        """Grant what is missing, and revoke what this tool granted and is not wanted."""
        which: dict[str, object] = {"LayerName": name, "VersionNumber": version}
        found = self.grants(name, version)
        existing = {grant.statement for grant in found}
        for statement, principal, organization in grants_of(share):
            if statement in existing:
                continue
            with suppress(ConflictError):  # another run granted it in the meantime
                self._connection.call(
                    "add_layer_version_permission",
                    **which,
                    StatementId=statement,
                    Action="lambda:GetLayerVersion",
                    Principal=principal,
                    **({"OrganizationId": organization} if organization else {}),
                )
        for grant in to_revoke(share, found):
            with suppress(AbsentError):  # another run revoked it in the meantime
                self._connection.call("remove_layer_version_permission", **which, StatementId=grant.statement)

    def delete(self, name: str, version: int) -> None:
        """Delete a version; does nothing where it is deleted already."""
        self._connection.call("delete_layer_version", LayerName=name, VersionNumber=version)

    def _content(self, name: str, archive: Path) -> dict[str, object]:
        if self._bucket is None or archive.stat().st_size <= _THROUGH_S3:
            return {"ZipFile": archive.read_bytes()}
        region = self._connection.destination.region
        bucket = self._bucket.name_in(region)
        with archive.open("rb") as file:
            key = f"{self._bucket.prefix}{name}/{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"
        try:
            self._upload(archive, bucket, key)
        except (BotoCoreError, ClientError, Boto3Error, CancelledError) as error:
            message = f"{archive.name} cannot be uploaded to the bucket {bucket}: {error}"
            hint = f"check that the bucket is in {region} and that s3:PutObject is allowed"
            raise AwsError.of(message, hint) from None
        return {"S3Bucket": bucket, "S3Key": key}

    def _upload(self, archive: Path, bucket: str, key: str) -> None:
        """Upload a file; if that fails or is cancelled, no parts of it are left in the bucket."""
        with (
            closing(self._connection.client("s3")) as s3,
            create_transfer_manager(s3, TransferConfig()) as manager,
        ):
            upload = manager.upload(str(archive), bucket, key)
            self._uploads.add(upload)
            try:
                upload.result()
            finally:
                self._uploads.discard(upload)

    def close(self) -> None:
        """Cancel uploads that an interrupted run left in other threads, which then delete their parts."""
        for upload in tuple(self._uploads):
            upload.cancel()


def _grant(statement: Mapping[str, Any]) -> Grant:
    """Return the value of a statement; the principal of an account is its root user."""
    principal = statement["Principal"]
    if isinstance(principal, dict):
        principal = principal["AWS"]
    if isinstance(principal, str) and is_arn(principal):
        principal = Arn.parse(principal).account
    conditions = statement.get("Condition", {}).get("StringEquals", {})
    return Grant(str(statement["Sid"]), str(principal), conditions.get("aws:PrincipalOrgID"))


def _layer_version(item: Mapping[str, Any]) -> LayerVersion:
    created = item.get("CreatedDate")
    return LayerVersion(
        arn=item["LayerVersionArn"],
        version=item["Version"],
        description=item.get("Description", ""),
        runtimes=frozenset(item.get("CompatibleRuntimes", ())),
        architectures=frozenset(item.get("CompatibleArchitectures", ())),
        created=datetime.fromisoformat(created) if created else None,
        size=item.get("Content", {}).get("CodeSize", 0),
    )
