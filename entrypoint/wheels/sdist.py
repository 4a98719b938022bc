"""Metadata of source archives, read without running any of their code.

In: an sdist. Out: its static metadata (PEP 643) and its build system (PEP 517, PEP 518). The METADATA of
wheels is read here too, because it has the same format:
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
#: Fields that determine the requirements of a package; other fields may be dynamic.
_DECISIVE = frozenset({"requires-dist", "requires-python", "provides-extra"})
_LARGEST = 16 << 20
_PIN_ANOTHER = "pin another version, or report the problem to its maintainers"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """The table [build-system] of pyproject.toml."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...] = ()


#: The default of PEP 517 and PEP 518.
_LEGACY = BuildSystem(requires=("setuptools>=40.8.0",), backend="setuptools.build_meta:__legacy__")


def build_system(sdist: Path) -> BuildSystem:
    """Read the build system of an sdist.

    Raises:
        CompileError: if the archive or its pyproject.toml is damaged.
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
        message = f"cannot read pyproject.toml of {sdist.name}: {error}"
        raise CompileError.of(message, _PIN_ANOTHER) from None


def static_metadata(sdist: Path) -> bytes | None:
    """Return an sdist's PKG-INFO if it is static, so that its wheels have the same metadata; else None."""
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
        raise CompileError.of(f"cannot read METADATA of {wheel.name}: {error}", _PIN_ANOTHER) from None


def _read(sdist: Path, name: str) -> bytes | None:
    """Return a file of the archive's top folder; None if it is missing or implausibly large."""
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
        raise CompileError.of(f"{sdist.name} is not a valid archive: {error}", _PIN_ANOTHER) from None
    return None


def _is_on_top(path: str, name: str) -> bool:
    folder, _, file = path.removeprefix("./").partition("/")
    return bool(folder) and file == name
