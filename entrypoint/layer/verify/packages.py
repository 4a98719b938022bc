"""Rules about packages: their dependencies, their Python version, and the SDK of the runtime."""

import re
from collections.abc import Iterator, Mapping

from packaging.markers import UndefinedComparison
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from entrypoint.errors import Diagnostic, Severity
from entrypoint.index.requirement import read_requirement
from entrypoint.index.tags import marker_environment
from entrypoint.layer.assemble import Archive
from entrypoint.layer.inspect import Contents
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target

RUNTIME_SDK = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
"""Packages that Lambda's Python runtimes include: https://docs.aws.amazon.com/lambda/latest/dg/python-package.html."""
_PATH_FILE = re.compile(rf"{ROOT}[^/]+\.pth")
_SDK = ("boto3", "botocore", "s3transfer", "urllib3")


def required_by(contents: Contents, environment: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield the requirements of a package in an environment of markers, without extras."""
    for text in contents.requires:
        try:
            requirement = read_requirement(text)
            marker = requirement.marker
            applies = marker is None or marker.evaluate(dict(environment) | {"extra": ""})
        except (InvalidRequirement, UndefinedComparison):
            continue  # pip cannot read it either, and installs the package anyway
        if applies:
            yield requirement


def missing_dependency(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find requirements that are missing or have an incompatible version."""
    wheels = [part.contents for part in archive.parts if part.contents]
    if not wheels:
        return  # a runtime without Python has no environment for markers
    environment = marker_environment(target.platform)
    versions = {canonicalize_name(contents.wheel.name): contents.wheel.version for contents in wheels}
    for contents in wheels:
        for requirement in required_by(contents, environment):
            name = canonicalize_name(requirement.name)
            needs = f"{contents.wheel.name} {contents.wheel.version} requires {requirement.name}"
            needs += str(requirement.specifier)
            if name in target.layer.exclude_packages:
                continue
            if name not in versions and name not in RUNTIME_SDK:
                hint = f"add {name} to the lock; 'lambda-layers lock' resolves all dependencies"
                yield Diagnostic(f"{needs}, which is not in the layer", hint)
            elif name in versions and not requirement.specifier.contains(versions[name], prereleases=True):
                message = f"{needs}; the layer has {versions[name]}"
                yield Diagnostic(message, "lock compatible versions")


def requires_python(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find packages that do not support the runtime's Python."""
    version = target.platform.runtime.python
    for part in archive.parts:
        if part.contents and version and (required := part.contents.requires_python):
            try:
                fits = SpecifierSet(required).contains(version, prereleases=True)
            except InvalidSpecifier:
                continue
            if not fits:
                message = f"{part.name} requires Python {required}; {target.platform.runtime} is {version}"
                yield Diagnostic(message, "lock a version that supports this Python")


def path_file(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find .pth files, which Python reads only in site-packages, not in /opt/python."""
    for part in archive.parts:
        names = [entry.path for entry in part.entries if _PATH_FILE.fullmatch(entry.path)]
        if names:
            message = f"{part.origin} relies on {', '.join(names)}, which Python does not read in a layer"
            hint = "test the package in the runtime; what the file sets up has to be done in the function"
            yield Diagnostic(message, hint, severity=Severity.WARNING)


def runtime_sdk(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find layers with some of the SDK's packages, whose versions then mix with the runtime's."""
    files = (entry.path.removeprefix(ROOT) for entry in archive.entries if entry.path.endswith(".py"))
    modules = {path.partition("/")[0].removesuffix(".py") for path in files}
    replaced = [name for name in _SDK if name in modules]
    if replaced and len(replaced) < len(_SDK):
        rest = ", ".join(name for name in _SDK if name not in modules)
        message = f"the layer replaces the runtime's {', '.join(replaced)}, but not {rest}"
        hint = f"add {rest} so that the versions match, or remove {', '.join(replaced)}"
        yield Diagnostic(message, hint, severity=Severity.WARNING)
