"""Layer versions: answers of boto3 go in, values come out."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from entrypoint.aws.calls import ConflictError
from entrypoint.aws.client import Region
from entrypoint.aws.model import LayerVersion
from entrypoint.errors import AwsError
from entrypoint.index.ranged_file import RangedFile
from entrypoint.limits import DIRECT_UPLOAD_BYTES
from entrypoint.manifest.model import Share

_THROUGH_S3 = DIRECT_UPLOAD_BYTES - 2**20
"""With a bucket at hand, what is near the limit goes there too: the request as base64 JSON is the larger."""


class Layers(Region):
    """The calls about layers."""

    def layer_versions(self, name: str) -> Iterator[LayerVersion]:
        """Yield a layer's versions, newest first."""
        for page in self._pages("list_layer_versions", LayerName=name):
            for item in page["LayerVersions"]:
                yield _layer_version(item)

    def archive(self, name: str, version: int) -> RangedFile:
        """Open a layer version's archive where it is; only what is read of it is fetched."""
        answer = self._call("get_layer_version", LayerName=name, VersionNumber=version)
        near = self._access.endpoint_url is not None
        return RangedFile(answer["Content"]["Location"], name=f"{name}:{version}", direct=near)

    def publish_layer_version(
        self,
        *,
        name: str,
        description: str,
        archive: Path,
        runtimes: tuple[str, ...],
        architectures: tuple[str, ...],
        license: str | None,  # noqa: A002 - the API's own word
    ) -> LayerVersion:
        """Publish an archive as the layer's next version, through S3 where it is too large to be sent."""
        answer = self._call(
            "publish_layer_version",
            LayerName=name,
            Description=description,
            Content=self._content(name, archive),
            CompatibleRuntimes=list(runtimes),
            CompatibleArchitectures=list(architectures),
            **({"LicenseInfo": license} if license else {}),
        )
        return _layer_version(answer)

    def share(self, name: str, version: int, share: Share) -> None:
        """Let others use a version; statements that stand already are left as they are."""
        standing = self._statements(name, version)
        for statement, principal, organization in _grants(share):
            if statement in standing:
                continue
            with suppress(ConflictError):  # another run granted it meanwhile
                self._call(
                    "add_layer_version_permission",
                    LayerName=name,
                    VersionNumber=version,
                    StatementId=statement,
                    Action="lambda:GetLayerVersion",
                    Principal=principal,
                    **({"OrganizationId": organization} if organization else {}),
                )

    def delete_layer_version(self, name: str, version: int) -> None:
        """Delete a version; one that is gone already is fine."""
        self._call("delete_layer_version", LayerName=name, VersionNumber=version)

    def _statements(self, name: str, version: int) -> frozenset[str]:
        answer = self._call.if_present("get_layer_version_policy", LayerName=name, VersionNumber=version)
        policy = json.loads(answer["Policy"]) if answer else {"Statement": []}
        return frozenset(statement["Sid"] for statement in policy["Statement"])

    def _content(self, name: str, archive: Path) -> dict[str, object]:
        if self._bucket is None or archive.stat().st_size <= _THROUGH_S3:
            return {"ZipFile": archive.read_bytes()}
        bucket = self._bucket.name_in(self.destination.region)
        with archive.open("rb") as file:
            key = f"{self._bucket.prefix}{name}/{hashlib.file_digest(file, 'sha256').hexdigest()}.zip"
        try:
            with closing(self._client("s3")) as s3:
                s3.upload_file(str(archive), bucket, key)
        except (BotoCoreError, ClientError, Boto3Error) as error:
            message = f"{archive.name} could not be put into the bucket {bucket}: {error}"
            hint = f"see that it stands in {self.destination.region}, and that s3:PutObject is allowed"
            raise AwsError.of(message, hint) from None
        return {"S3Bucket": bucket, "S3Key": key}


def _grants(share: Share) -> Iterator[tuple[str, str, str | None]]:
    """Yield the statements of a version's policy, as (id, principal, organization)."""
    for account in share.accounts:
        yield f"lambda-layers-{account}", account, None
    if share.organization:
        yield f"lambda-layers-{share.organization}", "*", share.organization
    if share.public:
        yield "lambda-layers-public", "*", None


def _layer_version(item: Mapping[str, Any]) -> LayerVersion:
    created = item.get("CreatedDate")
    return LayerVersion(
        arn=item["LayerVersionArn"],
        version=item["Version"],
        description=item.get("Description", ""),
        runtimes=frozenset(item.get("CompatibleRuntimes", ())),
        architectures=frozenset(item.get("CompatibleArchitectures", ())),
        created=datetime.fromisoformat(created) if created else None,
    )
