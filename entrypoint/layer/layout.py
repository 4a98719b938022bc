"""The paths of a wheel's files in a layer.

A layer is unpacked to /opt, and Lambda puts /opt/python on sys.path:
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html. A wheel's root becomes `python/`. The
`.data` schemes (PEP 427) go where `pip install --target` puts them, except for C headers, whose path in
pip depends on the machine. RECORD is updated for moved files.
"""

import base64
import csv
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.errors import ArchiveError
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.inspect import Contents
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.manifest.runtimes import ROOT, Runtime
from entrypoint.wheels.libraries import LibraryPackage
from entrypoint.wheels.wheel import RAW_METHODS, Member, read_content

_SCHEMES = {"purelib": "", "platlib": "", "data": "", "scripts": "bin/", "headers": "include/"}
_SHEBANG = b"#!python"
_USE_ANOTHER = "use another build of the package, or report the problem to its maintainers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """A file of the layer; its compressed bytes are in the file `source` at `offset`, or in `data`."""

    path: str
    executable: bool
    size: int
    compressed_size: int
    crc: int
    method: int
    source: Path | None = None
    offset: int = 0
    data: bytes = b""
    #: Whether it is a symbolic link, whose content is what it points to.
    is_link: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The files of one wheel, of a system package, or of the user's repository, in a layer."""

    #: The project's or package's name, or the path as in the manifest.
    name: str
    #: The wheel's file name, the package with its version, or the path again.
    origin: str
    entries: tuple[ArchiveEntry, ...]
    #: The facts of its ELF files, and the reasons why others cannot be read, by path in the layer.
    elf: Mapping[str, ElfFacts]
    damaged: Mapping[str, str]
    #: Its files for macOS and Windows, with the name of the system.
    foreign: Mapping[str, str] = field(default_factory=dict)
    #: The wheel; None for files of the repository and of a system package.
    contents: Contents | None = None
    system_package: LibraryPackage | None = None

    @property
    def size(self) -> int:
        """Unzipped size in bytes."""
        return sum(entry.size for entry in self.entries)

    @property
    def compressed_size(self) -> int:
        """Size in the archive in bytes, without headers."""
        return sum(entry.compressed_size for entry in self.entries)


def lay_out(contents: Contents, runtime: Runtime) -> Part:
    """Return the wheel's part of a layer for the runtime.

    Raises:
        ArchiveError: if the wheel has no RECORD, or an unknown `.data` scheme.
    """
    wheel = contents.wheel
    members = {member.path: member for member in contents.members}
    record = _record_path(contents)
    moved = dict(_moved(contents))
    rewritten = dict(_rewritten(contents, moved, runtime))
    if moved:
        [old] = [content.read() for _, content in read_content(wheel.path, (members[record],))]
        hashes = {
            path: record_hash(hashlib.sha256(content).digest(), len(content))
            for path, content in rewritten.items()
        }
        rewritten[record] = new_record(old, moved, hashes, origin=wheel.filename)
    return Part(
        name=wheel.name,
        origin=wheel.filename,
        entries=tuple(
            compressed(
                ROOT + moved.get(path, path),
                rewritten[path],
                executable=member.executable or moved.get(path, path).startswith("bin/"),
            )
            if path in rewritten
            else copied(ROOT + moved.get(path, path), member, wheel.path)
            for path, member in members.items()
        ),
        elf={ROOT + moved.get(path, path): facts for path, facts in contents.elf.items()},
        damaged={ROOT + moved.get(path, path): reason for path, reason in contents.damaged.items()},
        foreign={ROOT + moved.get(path, path): system for path, system in contents.foreign.items()},
        contents=contents,
    )


def compressed(path: str, content: bytes, *, executable: bool, level: int = 9) -> ArchiveEntry:
    """Return an entry for content that is not copied from an archive."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflater.compress(content) + deflater.flush()
    return ArchiveEntry(
        path=path,
        executable=executable,
        size=len(content),
        compressed_size=len(data),
        crc=zlib.crc32(content),
        method=zlib.DEFLATED,
        data=data,
    )


def _record_path(contents: Contents) -> str:
    records = {member.path for member in contents.members if member.path.endswith(".dist-info/RECORD")}
    roots = [path for path in records if path.count("/") == 1]
    if len(roots) != 1:
        message = f"{contents.wheel.filename} has {len(roots)} .dist-info/RECORD files, expected one"
        raise ArchiveError.of(message, _USE_ANOTHER)
    return roots[0]


def _moved(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield each file of a `.data` scheme and its path under the layer's `python/`."""
    for member in contents.members:
        folder, _, rest = member.path.partition("/")
        if not folder.endswith(".data") or not rest:
            continue
        scheme, _, name = rest.partition("/")
        if scheme not in _SCHEMES or not name:
            message = f"{contents.wheel.filename}: {member.path} is in the unknown scheme {scheme!r}"
            hint = f"the schemes are {', '.join(_SCHEMES)}; report the problem to the package's maintainers"
            raise ArchiveError.of(message, hint)
        package = folder.partition("-")[0] + "/" if scheme == "headers" else ""
        yield member.path, _SCHEMES[scheme] + package + name


def _rewritten(contents: Contents, moved: Mapping[str, str], runtime: Runtime) -> Iterator[tuple[str, bytes]]:
    """Yield the files that cannot be copied: scripts with `#!python`, and rare compression methods."""
    odd = [
        member
        for member in contents.members
        if member.method not in RAW_METHODS or (member.path in moved and "/scripts/" in member.path)
    ]
    size = sum(member.size for member in odd)
    if size > UNZIPPED_BYTES:  # they are held in memory
        message = f"{contents.wheel.filename}: files that have to be compressed again have {size:,} bytes"
        raise ArchiveError.of(f"{message}; Lambda allows {UNZIPPED_BYTES:,} for a layer", _USE_ANOTHER)
    for member, file in read_content(contents.wheel.path, odd):
        content = file.read()
        if content.startswith(_SHEBANG) and member.path in moved:
            interpreter = f"#!/var/lang/bin/{runtime}".encode()
            yield member.path, interpreter + content.removeprefix(_SHEBANG)
        elif member.method not in RAW_METHODS:
            yield member.path, content


def record_hash(sha256: bytes, size: int) -> tuple[str, str]:
    """Return the fields of RECORD for a file with this digest and size."""
    return f"sha256={base64.urlsafe_b64encode(sha256).rstrip(b'=').decode()}", str(size)


def new_record(
    record: bytes, moved: Mapping[str, str], hashes: Mapping[str, tuple[str, str]], *, origin: str
) -> bytes:
    """Return RECORD with the new paths, and with new hashes for changed files.

    Raises:
        ArchiveError: if RECORD cannot be read.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    try:
        rows = list(csv.reader(io.StringIO(record.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{origin}: cannot read RECORD: {error}"
        raise ArchiveError.of(message, _USE_ANOTHER) from None
    for path, *fields in filter(None, rows):
        is_changed = path in hashes and any(fields)
        writer.writerow([moved.get(path, path), *(hashes[path] if is_changed else fields)])
    return out.getvalue().encode()


def cache_key(part: Part, entries: Sequence[ArchiveEntry]) -> str:
    """Return a cache key for files of a part: by wheel and paths, or by content for repository files."""
    origin = part.contents.wheel.sha256 if part.contents else ""
    known = [[entry.path, "" if origin else hashlib.sha256(entry.data).hexdigest()] for entry in entries]
    return hashlib.sha256(json.dumps([origin, known]).encode()).hexdigest()


def copied(path: str, member: Member, archive: Path) -> ArchiveEntry:
    """Return an entry whose compressed bytes are copied from a member of an archive."""
    return ArchiveEntry(
        path=path,
        executable=member.executable,
        size=member.size,
        compressed_size=member.compressed_size,
        crc=member.crc,
        method=member.method,
        source=archive,
        offset=member.offset,
    )
