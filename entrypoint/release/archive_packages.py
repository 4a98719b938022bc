"""Which packages a layer's archive holds, from its directory alone: the archive may be far away.

Names and versions are those of the `.dist-info` folders. A package's size is that of the members that its
RECORD lists, as they are in the archive; so one small member is read for each package asked about.
"""

import csv
import io
import posixpath
import re
import zipfile
from collections.abc import Mapping

from packaging.utils import canonicalize_name

from entrypoint.errors import AwsError

_DIST_INFO = re.compile(
    r"(?P<root>python/(?:lib/python3\.\d+/site-packages/)?)(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info/RECORD"
)
_HEADERS = 30 + 46
"""Bytes of a member's two headers, without its name, which stands in both (APPNOTE.TXT 4.3.7 and 4.3.12)."""


class ArchivePackages:
    """The packages of an archive, which stays open for as long as sizes are asked for.

    Raises:
        AwsError: where it is no zip.
    """

    def __init__(self, file: io.RawIOBase, *, name: str) -> None:
        try:
            self._archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise AwsError.of(f"{name} is no layer's archive: {error}", "publish it anew") from error
        self._records = {
            canonicalize_name(found["name"]): found
            for member in self._archive.namelist()
            if (found := _DIST_INFO.fullmatch(member))
        }

    @property
    def versions(self) -> Mapping[str, str]:
        """The packages' versions by canonical name."""
        return {name: found["version"] for name, found in self._records.items()}

    def size(self, name: str) -> int | None:
        """Return a package's zipped bytes, without the bytecode that was added: RECORD does not list that."""
        found = self._records[canonicalize_name(name)]
        text = self._archive.read(found[0]).decode("utf-8", "replace")
        paths = {posixpath.normpath(found["root"] + row[0]) for row in csv.reader(text.splitlines()) if row}
        return sum(
            member.compress_size + _HEADERS + 2 * len(member.filename.encode())
            for member in self._archive.infolist()
            if member.filename in paths
        )
