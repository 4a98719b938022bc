"""Source archives: what one says about itself, read without running any of its code.

In: an sdist. Out: its static METADATA (PEP 643) and how it wants to be built (PEP 517, PEP 518). A
wheel's METADATA is read here too, as both have the format of the core metadata specification:
https://packaging.python.org/specifications/core-metadata/
"""

import tarfile
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.version import InvalidVersion, Version

from entrypoint.errors import CompileError

_STATIC_SINCE = Version("2.2")
#: Fields that decide what a package needs; a static sdist may leave others to its build.
_DECISIVE = frozenset({"requires-dist", "requires-python", "provides-extra"})
_LARGEST = 16 << 20
_GET_ANOTHER = "pin another version, or report it to its maintainers"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """The table [build-system] of pyproject.toml."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...] = ()


#: What PEP 517 and PEP 518 prescribe where pyproject.toml says nothing.
_LEGACY = BuildSystem(requires=("setuptools>=40.8.0",), backend="setuptools.build_meta:__legacy__")


def build_system(sdist: Path) -> BuildSystem:
    """Read how an sdist is to be built.

    Raises:
        CompileError: where the archive or its pyproject.toml is damaged.
    """
    text = _read(sdist, "pyproject.toml")
    if text is None:
        return _LEGACY
    try:
        table = tomllib.loads(text.decode()).get("build-system", {})
        return BuildSystem(
            requires=tuple(map(str, table.get("requires", _LEGACY.requires))),
            backend=str(table.get("build-backend", _LEGACY.backend)),
            backend_path=tuple(map(str, table.get("backend-path", ()))),
        )
    except (ValueError, AttributeError, TypeError) as error:  # both decoding errors are ValueErrors
        message = f"the pyproject.toml of {sdist.name} cannot be read: {error}"
        raise CompileError.of(message, _GET_ANOTHER) from None


def static_metadata(sdist: Path) -> bytes | None:
    """Read an sdist's PKG-INFO where it promises to be what its wheels will say; else None (PEP 643)."""
    text = _read(sdist, "PKG-INFO")
    if text is None:
        return None
    fields = BytesHeaderParser().parsebytes(text)
    try:
        version = Version(str(fields.get("Metadata-Version", "0")))
    except InvalidVersion:
        return None
    dynamic = {str(name).lower() for name in fields.get_all("Dynamic", [])}
    return text if version >= _STATIC_SINCE and not dynamic & _DECISIVE else None


def wheel_metadata(wheel: Path) -> bytes:
    """Read the METADATA of a wheel."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = min(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            return archive.read(name)
    except (zipfile.BadZipFile, ValueError, OSError, zlib.error) as error:
        raise CompileError.of(f"{wheel.name} has no readable METADATA: {error}", _GET_ANOTHER) from None


def _read(sdist: Path, name: str) -> bytes | None:
    """Read a file of the archive's one top folder; None where it is missing, or too large to be honest."""
    try:
        if sdist.suffix == ".zip":
            with zipfile.ZipFile(sdist) as archive:
                found = [info for info in archive.infolist() if _is_on_top(info.filename, name)]
                return archive.read(found[0]) if found and found[0].file_size < _LARGEST else None
        with tarfile.open(sdist) as tar:
            for member in tar:
                if _is_on_top(member.name, name) and member.isfile() and member.size < _LARGEST:
                    file = tar.extractfile(member)
                    return file.read() if file else None
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, zlib.error) as error:
        raise CompileError.of(f"{sdist.name} is no sound archive: {error}", _GET_ANOTHER) from None
    return None


def _is_on_top(path: str, name: str) -> bool:
    folder, _, file = path.removeprefix("./").partition("/")
    return bool(folder) and file == name
