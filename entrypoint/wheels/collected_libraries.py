"""What the collection of libraries leaves, read with care: its container has what packages installed.

In: the files of `collect_libraries.py` and their index. Out: the checked index, and a zip file of the files.
"""

import json
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from entrypoint.errors import CompileError
from entrypoint.lock.header import LIBRARY_ENTRY
from entrypoint.printable import has_controls
from entrypoint.wheels.build_environment import BuildResult

_LARGEST_INDEX = 1 << 20
_LONGEST_LICENSE = 512
_DATE = (1980, 1, 1, 0, 0, 0)
_SONAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*\.so(?:\.[A-Za-z0-9._+-]+)?")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_SYSTEM = re.compile(r"(?:rpm|deb)/[a-z0-9][a-z0-9._-]*")
_HINT = "check that builder_image is an image of the runtime"


def read_index(result: BuildResult, names: Collection[str]) -> list[dict[str, Any]]:
    """Return the packages of the index, sorted; its numbers are keys of `result.files`.

    Raises:
        CompileError: if it is not what the script writes.
    """
    try:
        return _packages(json.loads(_index(result)), names, result.files)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        message = f"the list of the libraries of {', '.join(names)} is not valid: {error!r:.200}"
        raise CompileError.of(message, _HINT) from None


def write_archive(path: Path, packages: Iterable[Mapping[str, Any]], result: BuildResult) -> None:
    """Write the files of the packages into a zip file; the same files give the same bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, number in sorted(_members(packages)):
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = 0o100644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, result.files[number].read_bytes(), compresslevel=9)


def member_of(package: str, soname: str) -> str:
    """Return the path of a library in the zip file."""
    return f"{package}/{soname}"


def license_member_of(package: str, name: str) -> str:
    """Return the path of a license file in the zip file."""
    return f"{package}/licenses/{name}"


def _members(packages: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for each in packages:
        for soname, number in each["libraries"].items():
            yield member_of(each["name"], soname), number
        for name, number in each["licenses"].items():
            yield license_member_of(each["name"], name), number


def _index(result: BuildResult) -> bytes:
    path = result.files["index.json"]
    if (size := path.stat().st_size) > _LARGEST_INDEX:
        raise ValueError(f"it has {size:,} bytes")
    return path.read_bytes()


def _packages(index: Any, names: Collection[str], files: Collection[str]) -> list[dict[str, Any]]:  # noqa: ANN401 - untrusted JSON
    found = {str(each["name"]): _package(each, str(index["system"]), files) for each in index["packages"]}
    asked = {str(name) for each in index["packages"] for name in each["names"]}
    if asked != set(names) or len(found) < len(index["packages"]):
        raise ValueError(f"it is of {sorted(asked)}")
    return [found[name] for name in sorted(found)]


def _package(each: Mapping[str, Any], system: str, files: Collection[str]) -> dict[str, Any]:
    name, version, license_ = str(each["name"]), str(each["version"]), str(each["license"])
    if not LIBRARY_ENTRY.fullmatch(f"#   {name} {version}") or not _SYSTEM.fullmatch(system):
        raise ValueError(f"{system}: {name} {version}")
    libraries = {_checked(soname, _SONAME): str(number) for soname, number in each["libraries"].items()}
    licenses: dict[str, str] = {}
    for file, number in each["licenses"]:
        checked = _checked(file, _FILE_NAME)
        licenses[checked if checked not in licenses else f"{checked}.{number}"] = str(number)
    if missing := {*libraries.values(), *licenses.values()} - set(files):
        raise ValueError(f"no file {missing}")
    return {
        "name": name,
        "version": version,
        "system": system,
        "license": license_[:_LONGEST_LICENSE] if license_ and not has_controls(license_) else None,
        "is_named": bool(each["names"]),
        "libraries": libraries,
        "licenses": licenses,
    }


def _checked(text: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(repr(text))
    return text
