"""Rules about what Lambda starts of `content`: a custom runtime, extensions, and scripts in bin/.

What Lambda starts, and how: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html and
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html. It starts every file directly in
extensions/; if one cannot be started, no function with the layer can.
"""

import zlib
from collections.abc import Iterator, Mapping
from posixpath import dirname, join, normpath

from entrypoint.errors import Diagnostic
from entrypoint.layer.assemble import Archive
from entrypoint.layer.layout import ArchiveEntry
from entrypoint.manifest.targets import Target

_FIRST_LINE = 4_096
"""How much of a file is read; Linux itself reads 256 bytes of a script's first line."""
_SHEBANG = b"#!"
_LINKS = 10
"""The most links that are followed."""
_LINE_ENDS = "convert it to LF line ends, and add 'PATH text eol=lf' to .gitattributes"


def bootstrap(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find a custom runtime that cannot be started; runtimes with a Python do not start `bootstrap`."""
    files = _own_files(archive)
    if target.platform.runtime.python is None and "bootstrap" in files:
        for problem, hint in _obstacle("bootstrap", files, archive):
            yield Diagnostic(f"bootstrap {problem}, so that no function can start with it", hint)


def extension(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find files in extensions/ that cannot be started; Lambda does not look into folders there."""
    files = _own_files(archive)
    for path in files:
        if dirname(path) == "extensions":
            for problem, hint in _obstacle(path, files, archive):
                message = f"{path} {problem}; Lambda starts every file in extensions/, or no function at all"
                yield Diagnostic(message, f"{hint}; or move what is no extension to another folder")


def line_ends(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find scripts in bin/ with Windows line ends, which Linux takes for a part of the interpreter's name."""
    files = _own_files(archive)
    for path, entry in files.items():
        if path.startswith("bin/") and entry.executable and (line := _shebang(entry)).endswith(b"\r"):
            yield Diagnostic(f"{path} {_with_windows_line_ends(line)}", _LINE_ENDS)


def _own_files(archive: Archive) -> Mapping[str, ArchiveEntry]:
    """Return the files of the repository, by path in the layer."""
    own = {entry.path for part in archive.parts if part.contents is None for entry in part.entries}
    return {entry.path: entry for entry in archive.entries if entry.path in own}


def _obstacle(path: str, files: Mapping[str, ArchiveEntry], archive: Archive) -> Iterator[tuple[str, str]]:
    """Yield why Linux cannot start a file, if it cannot, and what to do."""
    entry = files[path]
    for _ in range(_LINKS):
        if not entry.is_link:
            break
        path = normpath(join(dirname(path), entry.data.decode("utf-8", "replace")))
        if any(other.startswith(f"{path}/") for other in files):
            yield f"is a link to the folder {path}", "link to a file"
            return
        if path not in files:  # through a link to a folder
            return
        entry = files[path]
    if not entry.executable:
        yield "is not executable", "run chmod +x on it; on Windows: git update-index --chmod=+x PATH"
        if not _shebang(entry):
            return
    if any(path in {**part.elf, **part.damaged, **part.foreign} for part in archive.parts):
        return  # other rules examine those
    line = _shebang(entry)
    if not line:
        hint = "begin it with #! and the path of its interpreter, such as #!/bin/sh"
        yield "is neither a program for Linux nor a script: it does not begin with #!", hint
    elif line.endswith(b"\r"):
        yield _with_windows_line_ends(line), _LINE_ENDS


def _shebang(entry: ArchiveEntry) -> bytes:
    """Return the first line of a script; empty for other files."""
    start = zlib.decompressobj(-zlib.MAX_WBITS).decompress(entry.data, _FIRST_LINE) if entry.data else b""
    return start.partition(b"\n")[0] if start.startswith(_SHEBANG) else b""


def _with_windows_line_ends(line: bytes) -> str:
    read = line.decode("utf-8", "replace").rstrip()
    return f"has Windows line ends (CRLF): Linux reads its first line as '{read}\\r'"
