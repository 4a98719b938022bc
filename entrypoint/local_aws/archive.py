"""Lambda's checks of an uploaded zip: its validity, unzipped size and hash."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from entrypoint.local_aws.arns import Scope
from entrypoint.local_aws.refusals import Refusal, invalid_parameter, too_large

ZIPPED_LIMIT = 52_428_800  # direct upload; docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_LIMIT = 262_144_000  # the same page; for one archive, and for a function with all its layers

# (scope, bucket, key, object version) -> bytes; raises LookupError(code, message) if it is missing.
ReadObject = Callable[[Scope, str, str, str | None], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerArchive:
    """The stored properties of an uploaded zip; `sha256` is base64, sizes are bytes."""

    sha256: str
    size: int
    unzipped_size: int

    @classmethod
    def of(cls, content: bytes) -> LayerArchive:
        """Check the zip; raise the refusal of Lambda if it cannot be unpacked."""
        return cls(
            sha256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            size=len(content),
            unzipped_size=_unzipped_size(content),
        )

    @classmethod
    def declared(cls, *, name: str, size: int, unzipped_size: int) -> LayerArchive:
        """Return the archive of a declared function or layer, which is never uploaded."""
        digest = hashlib.sha256(f"{name} {size} {unzipped_size}".encode()).digest()
        return cls(sha256=base64.b64encode(digest).decode(), size=size, unzipped_size=unzipped_size)


def _unzipped_size(content: bytes) -> int:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            total = sum(member.file_size for member in archive.infolist())
            if total > UNZIPPED_LIMIT:
                raise invalid_parameter(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")
            broken = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError) as error:
        raise invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from error
    if broken is not None:
        raise invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        )
    if total == 0:
        raise invalid_parameter("Uploaded file must be a non-empty zip")
    return total


def uploaded(scope: Scope, content: dict[str, Any], read_object: ReadObject, operation: str) -> bytes:
    """Return the zip of a request: `ZipFile`, or the object at `S3Bucket` and `S3Key`."""
    if "ZipFile" in content:
        if len(content["ZipFile"]) > ZIPPED_LIMIT:
            raise too_large(ZIPPED_LIMIT, operation)
        if content.get("S3ObjectStorageMode") == "REFERENCE":
            raise invalid_parameter("S3ObjectStorageMode REFERENCE requires S3Bucket and S3Key.")
        zipped: bytes = content["ZipFile"]
        return zipped
    if "S3Bucket" not in content or "S3Key" not in content:
        raise invalid_parameter("Please provide a source for the code: ZipFile, or S3Bucket with S3Key.")
    try:
        return read_object(scope, content["S3Bucket"], content["S3Key"], content.get("S3ObjectVersion"))
    except LookupError as missing:
        raise unreadable_object(missing) from missing


def unreadable_object(missing: LookupError) -> Refusal:
    """Return the refusal of an object of S3 that is missing or may not be read."""
    return invalid_parameter(
        f"Error occurred while GetObject. S3 Error Code: {missing.args[0]}. "
        f"S3 Error Message: {missing.args[1]}"
    )
