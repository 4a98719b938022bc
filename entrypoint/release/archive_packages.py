"""The packages of a layer's archive, from its central directory: the archive may be remote.

Names and versions are those of the `.dist-info` folders. A package's size is that of the members in its
RECORD, so one small member is read for each package whose size is needed.
"""

import csv
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from packaging.utils import canonicalize_name

from entrypoint.errors import AwsError
from entrypoint.limits import RECORD_BYTES
from entrypoint.wheels.bounded_file import BoundedFile
from entrypoint.wheels.wheel import RAW_METHODS

_DIST_INFO = re.compile(
    r"(?P<root>python/(?:lib/python3\.\d+/site-packages/)?)(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info/RECORD"
)
_HEADERS = 30 + 46
"""Bytes of a member's two headers without its name, which is in both (APPNOTE.TXT 4.3.7 and 4.3.12)."""


class ArchiveMember(NamedTuple):
    """A file of an archive; sizes in bytes, the zipped one with its headers."""

    path: str
    size: int
    zipped: int


class ArchivePackages:
    """The packages of an archive, which stays open while sizes are read.

    Raises:
        AwsError: it is not a zip file.
    """

    def __init__(self, file: io.RawIOBase, *, name: str) -> None:
        self._name = name
        try:
            self._archive = zipfile.ZipFile(BoundedFile(file))
        except (zipfile.BadZipFile, ValueError) as error:
            raise AwsError.of(f"{name} is not a layer archive: {error}", "publish it again") from error
        self._records = {
            canonicalize_name(found["name"]): found
            for member in self._archive.namelist()
            if (found := _DIST_INFO.fullmatch(member))
        }

    @property
    def versions(self) -> Mapping[str, str]:
        """The packages' versions by canonical name."""
        return {name: found["version"] for name, found in self._records.items()}

    @property
    def members(self) -> tuple[ArchiveMember, ...]:
        """Every member of the archive."""
        return tuple(
            ArchiveMember(
                path=member.filename,
                size=member.file_size,
                zipped=member.compress_size + _HEADERS + 2 * len(member.filename.encode()),
            )
            for member in self._archive.infolist()
        )

    def listed(self, name: str) -> frozenset[str]:
        """Return the paths in a package's RECORD; some may be missing in the archive.

        Raises:
            AwsError: it cannot be read.
        """
        found = self._records[canonicalize_name(name)]
        try:
            text = self._record(found[0]).decode("utf-8", "replace")
            rows = [row for row in csv.reader(text.splitlines()) if row]
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, csv.Error) as error:
            message = f"{found[0]} of {self._name} cannot be read: {error}"
            raise AwsError.of(message, "publish the layer again") from None
        return frozenset(posixpath.normpath(found["root"] + row[0]) for row in rows)

    def _record(self, path: str) -> bytes:
        """Return a RECORD.

        Raises:
            ValueError: it is too large, or in a method that zipfile unpacks without a limit.
        """
        info = self._archive.getinfo(path)
        if info.compress_type not in RAW_METHODS:
            raise ValueError(f"compression method {info.compress_type} is not supported")
        with self._archive.open(info) as file:
            content = file.read(RECORD_BYTES + 1)
        if len(content) > RECORD_BYTES:
            raise ValueError(f"it unpacks to more than {RECORD_BYTES:,} bytes")
        return content

    def size(self, name: str) -> int | None:
        """Return a package's zipped bytes, without added bytecode, which is not in its RECORD."""
        paths = self.listed(name)
        return sum(member.zipped for member in self.members if member.path in paths)
