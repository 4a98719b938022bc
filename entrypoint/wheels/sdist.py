"""Metadata of source archives, read without running any of their code.

In: an sdist. Out: its static metadata (PEP 643) and its build system (PEP 517, PEP 518). The METADATA of
wheels is read here too, because it has the same format:
https://packaging.python.org/specifications/core-metadata/
"""

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from pathlib import Path
from typing import IO

from packaging.version import InvalidVersion, Version

from entrypoint.errors import CompileError
from entrypoint.limits import METADATA_BYTES, SDIST_BYTES, WHEEL_MEMBERS
from entrypoint.toml import load_toml
from entrypoint.wheels.bounded_file import BoundedFile
from entrypoint.wheels.wheel import RAW_METHODS

_STATIC_SINCE = Version("2.2")
#: Fields that determine the requirements of a package; other fields may be dynamic.
_DECISIVE = frozenset({"requires-dist", "requires-python", "provides-extra"})
#: What zipfile, tarfile and gzip raise for damaged archives; RuntimeError: an encrypted file.
_DAMAGES = (
    *(tarfile.TarError, zipfile.BadZipFile, NotImplementedError, EOFError, OSError),
    *(ValueError, zlib.error, RuntimeError),
)
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
        table = load_toml(text.decode()).get("build-system", {})
        return BuildSystem(
            requires=tuple(map(str, table.get("requires", _LEGACY.requires))),
            backend=str(table.get("build-backend", _LEGACY.backend)),
            backend_path=tuple(map(str, table.get("backend-path", ()))),
        )
    except RecursionError:
        raise CompileError.of(f"pyproject.toml of {sdist.name} is nested too deeply", _PIN_ANOTHER) from None
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
    """Read the METADATA of a wheel.

    Raises:
        CompileError: if the wheel is damaged, or its METADATA is missing or implausibly large.
    """
    try:
        with wheel.open("rb") as file:
            content = _read_zip(file, lambda path: path.endswith(".dist-info/METADATA"))
        if content is None:
            raise ValueError("it has none")
        if len(content) > METADATA_BYTES:
            raise ValueError(f"it unpacks to more than {METADATA_BYTES:,} bytes")
    except _DAMAGES as error:
        raise CompileError.of(f"cannot read METADATA of {wheel.name}: {error}", _PIN_ANOTHER) from None
    return content


def _read(sdist: Path, name: str) -> bytes | None:
    """Return a file of the archive's top folder; None if it is missing or implausibly large."""

    def is_it(path: str) -> bool:
        folder, _, file = path.removeprefix("./").partition("/")
        return bool(folder) and file == name

    try:
        with sdist.open("rb") as file:
            content = _read_zip(file, is_it) if sdist.suffix == ".zip" else _read_tar(file, is_it)
    except _DAMAGES as error:
        raise CompileError.of(f"{sdist.name} is not a valid archive: {error}", _PIN_ANOTHER) from None
    return content if content is None or len(content) <= METADATA_BYTES else None


def _read_zip(file: IO[bytes], is_it: Callable[[str], bool]) -> bytes | None:
    with zipfile.ZipFile(BoundedFile(file)) as archive:
        infos = (info for info in archive.infolist() if is_it(info.filename))
        found = min(infos, key=lambda info: info.filename, default=None)
        if found is None:
            return None
        if found.compress_type not in RAW_METHODS:  # zipfile unpacks the others without a limit
            raise ValueError(f"compression method {found.compress_type} is not supported")
        with archive.open(found) as member:
            return member.read(METADATA_BYTES + 1)


def _read_tar(file: IO[bytes], is_it: Callable[[str], bool]) -> bytes | None:
    with gzip.open(file) as unpacked, tarfile.open(fileobj=BoundedFile(unpacked, total=SDIST_BYTES)) as tar:
        for number, member in enumerate(tar):
            if number > WHEEL_MEMBERS:
                raise ValueError(f"it has more than {WHEEL_MEMBERS:,} files")
            if is_it(member.name) and member.isfile():
                content = tar.extractfile(member)
                return content.read(METADATA_BYTES + 1) if content else None
    return None
