"""The JSON description beside a verified archive, for people, scanners, and later jobs.

One job may build an archive and another publish it. The later job compares the archive that it builds with
the one of the description (`artifacts.py`).
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entrypoint.errors import Diagnostic, Severity, VerifyError
from entrypoint.files import write_text
from entrypoint.layer.assemble import Archive
from entrypoint.layer.dependency_hash import combined
from entrypoint.layer.layout import Part
from entrypoint.manifest.targets import AwsLayer, Target

_LARGEST = 16 << 20
_NAMED = 3
"""The most files that a message names."""
#: What reading a description raises that has unexpected values, or is no file.
_INVALID = (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPackage:
    """A package, a system package, or a path of the repository, in an archive; sizes in bytes."""

    name: str
    #: The wheel's file name, the system package with its version, or the path again.
    origin: str
    compressed_size: int
    size: int
    #: The wheel's SHA-256 in hex; None for a path.
    sha256: str | None = None
    #: Whether it is a system package, whose libraries the layer has.
    is_system: bool = False
    #: What a compiled wheel was built from and with, in JSON's types.
    built_from: Mapping[str, Any] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltArchive:
    """An archive that was verified, by this job or an earlier one; sizes in bytes, `sha256` is hex."""

    path: Path
    sha256: str
    compressed_size: int
    unzipped_size: int
    packages: tuple[BuiltPackage, ...]
    #: Warnings of the rules.
    findings: tuple[Diagnostic, ...] = ()


def describe(
    archive: Archive, target: Target, dependency_hash: str, findings: Sequence[Diagnostic] = ()
) -> BuiltArchive:
    """Write `<archive>.json` beside the archive, atomically; return its content."""
    description = {
        "target": str(target),
        "layer": target.layer.name,
        "runtime": str(target.platform.runtime),
        "architecture": target.platform.architecture,
        "dependencyHash": f"sha256:{dependency_hash}",
        "zip": {
            "file": archive.path.name,
            "bytes": archive.compressed_size,
            "sha256": archive.sha256.hex(),
            "codeSha256": archive.code_sha256,
        },
        "unzippedBytes": archive.unzipped_size,
        "files": len(archive.entries),
        "packages": [_package(part) for part in archive.parts],
        "findings": [
            {"rule": finding.rule, "message": finding.message, "hint": finding.hint} for finding in findings
        ],
    }
    path = archive.path.with_suffix(".json")
    write_text(path, json.dumps(description, indent=2) + "\n")
    return _built(path, description)


def recorded_code_sha256(folder: Path, layer: AwsLayer, dependency_hash: str) -> str | None:
    """Return the CodeSha256 of the archive that was built for a layer's hash; None if none is known."""
    try:
        texts = [_text(folder / f"{target}.json") for target in layer.targets]
        descriptions = [json.loads(text) for text in texts]
        hashes = [each["dependencyHash"].removeprefix("sha256:") for each in descriptions]
        (code_sha256,) = {str(each["zip"]["codeSha256"]) for each in descriptions}
    except _INVALID:
        return None
    return code_sha256 if combined(hashes) == dependency_hash else None


def read_described(path: Path, target: Target, dependency_hash: str) -> BuiltArchive:
    """Return the archive of a target, checked against the description at `path`.

    Raises:
        VerifyError: if it does not match its description or the dependency hash.
    """
    hint = f"build it from this commit: lambda-layers build --target {target}"
    try:
        description = json.loads(_text(path))
        built = _built(path, description)
        made_for = (description["target"], description["dependencyHash"])
        _refuse_special(built.path)
        with built.path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except _INVALID as error:
        raise VerifyError(
            Diagnostic(f"{path} is not a valid description of an archive: {error}", hint)
        ) from None
    if made_for != (str(target), f"sha256:{dependency_hash}"):
        raise VerifyError.of(f"{built.path} was built from other packages, files or options", hint)
    if sha256 != built.sha256:
        raise VerifyError.of(f"{built.path} does not match its description in {path.name}", hint)
    return built


def _text(path: Path) -> str:
    _refuse_special(path)
    if (size := path.stat().st_size) > _LARGEST:
        raise ValueError(f"it has {size:,} bytes; at most {_LARGEST:,} are allowed")
    return path.read_text("utf-8")


def _refuse_special(path: Path) -> None:
    """Refuse a pipe, which would block, and a device."""
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a regular file")


def _built(path: Path, description: dict[str, object]) -> BuiltArchive:
    file, packages, findings = description["zip"], description["packages"], description.get("findings", [])
    if not isinstance(file, dict) or not isinstance(packages, list) or not isinstance(findings, list):
        raise TypeError("unexpected structure")
    return BuiltArchive(
        path=path.with_suffix(".zip"),
        sha256=str(file["sha256"]),
        compressed_size=int(file["bytes"]),
        unzipped_size=int(str(description["unzippedBytes"])),
        packages=tuple(
            BuiltPackage(
                name=str(each.get("name") or each["path"]),
                origin=str(each.get("wheel") or each.get("systemPackage") or each["path"]),
                compressed_size=int(each["bytes"]),
                size=int(each["unzippedBytes"]),
                sha256=str(each["sha256"]) if "sha256" in each else None,
                is_system="systemPackage" in each,
                built_from=dict(each["builtFrom"]) if "builtFrom" in each else None,
            )
            for each in packages
        ),
        findings=tuple(
            Diagnostic(
                str(each["message"]), str(each["hint"]), rule=str(each["rule"]), severity=Severity.WARNING
            )
            for each in findings
        ),
    )


def _package(part: Part) -> dict[str, object]:
    sizes: dict[str, object] = {"bytes": part.compressed_size, "unzippedBytes": part.size}
    if part.system_package:
        name, version = part.system_package.package
        return {"name": name, "version": version, "systemPackage": part.origin, **sizes}
    if part.contents is None:
        return {"path": part.origin, **sizes}
    wheel = part.contents.wheel
    return {
        "name": wheel.name,
        "version": wheel.version,
        "wheel": wheel.filename,
        "sha256": wheel.sha256,
        **({"builtFrom": wheel.built_from} if wheel.built_from else {}),
        **sizes,
    }


def refuse_differences(layers: Iterable[AwsLayer], archives: Mapping[Target, BuiltArchive]) -> None:
    """Refuse targets that share a layer name in AWS but not their bytes."""
    problems = []
    for layer in layers:
        built = {target: archives[target] for target in layer.targets if target in archives}
        if len({archive.sha256 for archive in built.values()}) > 1:
            sets = [{package.origin for package in archive.packages} for archive in built.values()]
            different = sorted(set[str]().union(*sets) - sets[0].intersection(*sets[1:]))
            names = ", ".join(map(str, built))
            what = ", ".join(different) or _different_files(built.values())
            message = f"{names} share the layer name {layer.name} but differ in {what}"
            hint = "add {runtime} and {architecture} to the layer's 'name'"
            hint += ", or remove 'bytecode'" if ".pyc" in what else ""
            problems.append(Diagnostic(message, hint, layer.targets[0].layer.location))
    if problems:
        raise VerifyError(*problems)


def _different_files(archives: Iterable[BuiltArchive]) -> str:
    """Return the first few files that are not the same in all archives, such as scripts and bytecode."""
    found = []
    for archive in archives:
        with zipfile.ZipFile(archive.path) as opened:
            found.append({(info.filename, info.CRC) for info in opened.infolist()})
    names = sorted({name for name, _ in set[tuple[str, int]]().union(*found) - found[0].intersection(*found)})
    more = f" and {len(names) - _NAMED} more files" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
