"""Where a wheel's files go inside a layer.

A layer is unpacked to /opt, and Lambda puts /opt/python on sys.path:
https://docs.aws.amazon.com/lambda/latest/dg/packaging-layers.html. A wheel's root goes under
`python/` as it is; its `.data` schemes (PEP 427) go where `pip install --target` would put them, but
for C headers, whose place there depends on the machine. Whatever moves is told to RECORD.
"""

import base64
import csv
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import ArchiveError
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.inspect import Contents
from entrypoint.manifest.runtimes import ROOT, Runtime
from entrypoint.wheels.wheel import RAW_METHODS, Member, read_content

_SCHEMES = {"purelib": "", "platlib": "", "data": "", "scripts": "bin/", "headers": "include/"}
_SHEBANG = b"#!python"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file of the layer: its path, and its compressed bytes in `source` or, where made anew, in `data`."""

    path: str
    executable: bool
    size: int
    compressed_size: int
    crc: int
    method: int
    source: Path | None = None
    offset: int = 0
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one wheel, or one place in the user's repository, brings into a layer."""

    #: The project's name, or the place as the manifest names it.
    name: str
    #: The wheel's file name, or the place again.
    origin: str
    entries: tuple[Entry, ...]
    #: The facts of its ELF files by their path in the layer, and those that could not be understood.
    elf: Mapping[str, ElfFacts]
    damaged: Mapping[str, str]
    #: None for a place in the repository.
    contents: Contents | None = None

    @property
    def size(self) -> int:
        """Bytes once unzipped."""
        return sum(entry.size for entry in self.entries)

    @property
    def compressed_size(self) -> int:
        """Bytes in the archive, without the headers."""
        return sum(entry.compressed_size for entry in self.entries)


def lay_out(contents: Contents, runtime: Runtime) -> Part:
    """Return what the wheel brings into a layer for the runtime.

    Raises:
        ArchiveError: where the wheel has no metadata, or a `.data` scheme that does not exist.
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
        contents=contents,
    )


def compressed(path: str, content: bytes, *, executable: bool, level: int = 9) -> Entry:
    """Return an entry for bytes that stand in no wheel as they are."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    data = deflater.compress(content) + deflater.flush()
    return Entry(
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
        message = f"{contents.wheel.filename} has {len(roots)} .dist-info/RECORD files, where a wheel has one"
        raise ArchiveError.of(message, "get another build of it, or report it to its maintainers")
    return roots[0]


def _moved(contents: Contents) -> Iterator[tuple[str, str]]:
    """Yield each file of a `.data` scheme and its path under the layer's `python/`."""
    for member in contents.members:
        folder, _, rest = member.path.partition("/")
        if not folder.endswith(".data") or not rest:
            continue
        scheme, _, name = rest.partition("/")
        if scheme not in _SCHEMES or not name:
            message = f"{contents.wheel.filename}: {member.path} names the scheme {scheme!r}, "
            message += "which no installer knows"
            hint = f"a wheel may hold {', '.join(_SCHEMES)} there; report it to its maintainers"
            raise ArchiveError.of(message, hint)
        package = folder.partition("-")[0] + "/" if scheme == "headers" else ""
        yield member.path, _SCHEMES[scheme] + package + name


def _rewritten(contents: Contents, moved: Mapping[str, str], runtime: Runtime) -> Iterator[tuple[str, bytes]]:
    """Yield the files whose bytes cannot be copied: scripts for `#!python`, and rare compression methods."""
    odd = [
        member
        for member in contents.members
        if member.method not in RAW_METHODS or (member.path in moved and "/scripts/" in member.path)
    ]
    for member, file in read_content(contents.wheel.path, odd):
        content = file.read()
        if content.startswith(_SHEBANG) and member.path in moved:
            interpreter = f"#!/var/lang/bin/{runtime}".encode()
            yield member.path, interpreter + content.removeprefix(_SHEBANG)
        elif member.method not in RAW_METHODS:
            yield member.path, content


def record_hash(sha256: bytes, size: int) -> tuple[str, str]:
    """Return what RECORD says of a file with this digest and size."""
    return f"sha256={base64.urlsafe_b64encode(sha256).rstrip(b'=').decode()}", str(size)


def new_record(
    record: bytes, moved: Mapping[str, str], hashes: Mapping[str, tuple[str, str]], *, origin: str
) -> bytes:
    """Return RECORD with the new paths, and new hashes where content changed.

    Raises:
        ArchiveError: where it is none.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    try:
        rows = list(csv.reader(io.StringIO(record.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        message = f"{origin}: its RECORD cannot be read: {error}"
        raise ArchiveError.of(message, "get another build of it, or report it to its maintainers") from None
    for path, *told in filter(None, rows):
        is_changed = path in hashes and any(told)
        writer.writerow([moved.get(path, path), *(hashes[path] if is_changed else told)])
    return out.getvalue().encode()


def identity(part: Part, entries: Sequence[Entry]) -> str:
    """Identify some of a part's files: by the wheel and their paths, or by the repository's own bytes."""
    origin = part.contents.wheel.sha256 if part.contents else ""
    known = [[entry.path, "" if origin else hashlib.sha256(entry.data).hexdigest()] for entry in entries]
    return hashlib.sha256(json.dumps([origin, known]).encode()).hexdigest()


def copied(path: str, member: Member, archive: Path) -> Entry:
    """Return an entry for a member of an archive whose compressed bytes are copied."""
    return Entry(
        path=path,
        executable=member.executable,
        size=member.size,
        compressed_size=member.compressed_size,
        crc=member.crc,
        method=member.method,
        source=archive,
        offset=member.offset,
    )
