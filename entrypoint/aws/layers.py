"""Layer versions: published, listed, read, shared, deleted."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from entrypoint.aws.calls import DeniedError
from entrypoint.aws.connection import Connection
from entrypoint.aws.grants import Grant, grants_of, to_revoke
from entrypoint.aws.model import AbsentError, ConflictError, LayerVersion, S3Object
from entrypoint.aws.reasons import enable_versioning
from entrypoint.aws.storage import Storage
from entrypoint.errors import AwsError
from entrypoint.index.ranged_file import RangedFile
from entrypoint.manifest.arn import Arn, is_arn
from entrypoint.manifest.model import Share


class Layers:
    """Publishes and reads layer versions."""

    def __init__(self, connection: Connection, storage: Storage) -> None:
        self._connection = connection
        self._storage = storage

    def versions(self, name: str) -> Iterator[LayerVersion]:
        """Yield a layer's versions, newest first; nothing where the layer does not exist."""
        for page in self._connection.pages("list_layer_versions", LayerName=name):
            for item in page["LayerVersions"]:
                yield _layer_version(item)

    def archive(self, name: str, version: int) -> RangedFile:
        """Open a layer version's archive; only what is read is downloaded. The caller closes it."""
        content = self._connection.call("get_layer_version", LayerName=name, VersionNumber=version)["Content"]
        shown = f"{name}:{version}"
        if stored := _stored(content):
            return self._storage.open(stored, shown)
        return RangedFile(content["Location"], name=shown, direct=self._connection.has_own_endpoint)

    def stored(self, name: str, version: int) -> S3Object | None:
        """Return the object in S3 that a version refers to; None if Lambda has a copy, or there is none."""
        answer = self._connection.call.if_present("get_layer_version", LayerName=name, VersionNumber=version)
        return _stored(answer["Content"]) if answer else None

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

        With `storage: reference`, the version refers to the object in S3.

        Raises:
            UnclearAnswerError: the version may or may not have been published.
        """
        content, stored = self._content(name, archive)
        answer = self._connection.call(
            "publish_layer_version",
            LayerName=name,
            Description=description,
            Content=content,
            CompatibleRuntimes=list(runtimes),
            CompatibleArchitectures=list(architectures),
            **({"LicenseInfo": license} if license else {}),
        )
        if stored:
            self._remove_copied(stored)
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

    def _content(self, name: str, archive: Path) -> tuple[dict[str, object], S3Object | None]:
        """Return an archive as the API takes it, and the object where it was uploaded."""
        if not self._storage.takes(archive):
            return {"ZipFile": archive.read_bytes()}, None
        stored = self._storage.upload(name, archive)
        content: dict[str, object] = {"S3Bucket": stored.bucket, "S3Key": stored.key}
        if stored.version:
            content["S3ObjectVersion"] = stored.version
        if not self._storage.is_referenced:
            return content, stored
        if not stored.version:
            message = f"the bucket {stored.bucket} keeps no versions, which 'storage: reference' needs"
            raise AwsError.of(message, enable_versioning(stored.bucket))
        return {**content, "S3ObjectStorageMode": "REFERENCE"}, stored

    def _remove_copied(self, stored: S3Object) -> None:
        """Remove what was uploaded only to be copied.

        Not where the bucket keeps no versions: another run may be publishing the same object.
        """
        if stored.version and not self._storage.is_referenced:
            with suppress(AwsError):  # the layer is published; roles of earlier versions may not delete
                self._storage.delete(stored)


def _grant(statement: Mapping[str, Any]) -> Grant:
    """Return the value of a statement; the principal of an account is its root user."""
    principal = statement["Principal"]
    if isinstance(principal, dict):
        principal = principal["AWS"]
    if isinstance(principal, str) and is_arn(principal):
        principal = Arn.parse(principal).account
    conditions = statement.get("Condition", {}).get("StringEquals", {})
    return Grant(str(statement["Sid"]), str(principal), conditions.get("aws:PrincipalOrgID"))


def _stored(content: Mapping[str, Any]) -> S3Object | None:
    found = content.get("ResolvedS3Object")
    return S3Object(found["S3Bucket"], found["S3Key"], found.get("S3ObjectVersion")) if found else None


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
