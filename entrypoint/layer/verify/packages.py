"""Rules about packages: that those they need are there, that they run on this Python, what they hide."""

from collections.abc import Iterator, Mapping

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from entrypoint.index.tags import marker_environment
from entrypoint.layer.assemble import Archive
from entrypoint.layer.inspect import Contents
from entrypoint.layer.verify.findings import Claim, Severity
from entrypoint.manifest.targets import Target

RUNTIME_SDK = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
"""What Lambda's Python runtimes carry; https://docs.aws.amazon.com/lambda/latest/dg/python-package.html."""
_SDK = ("boto3", "botocore", "s3transfer", "urllib3")


def required_by(contents: Contents, environment: Mapping[str, str]) -> Iterator[Requirement]:
    """Yield what a package requires where these markers hold, without any of its extras."""
    for text in contents.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # pip could not read it either, and installed the package all the same
        if requirement.marker is None or requirement.marker.evaluate(dict(environment) | {"extra": ""}):
            yield requirement


def missing_dependency(archive: Archive, target: Target) -> Iterator[Claim]:
    """A package needs another one that is not there, or not in a version that serves."""
    wheels = [part.contents for part in archive.parts if part.contents]
    if not wheels:
        return  # such as what goes into a runtime without a Python, which has no environment for markers
    environment = marker_environment(target.platform)
    versions = {canonicalize_name(contents.wheel.name): contents.wheel.version for contents in wheels}
    for contents in wheels:
        for requirement in required_by(contents, environment):
            name = canonicalize_name(requirement.name)
            needs = f"{contents.wheel.name} {contents.wheel.version} requires {requirement.name}"
            needs += str(requirement.specifier)
            if name not in versions and name not in RUNTIME_SDK:
                hint = f"add {name} to the lock; 'lambda-layers lock' finds all that is needed"
                yield Claim(Severity.ERROR, f"{needs}, which is not in the layer", hint)
            elif name in versions and not requirement.specifier.contains(versions[name], prereleases=True):
                message = f"{needs}, and the layer has {versions[name]}"
                yield Claim(Severity.ERROR, message, "lock versions that go together")


def requires_python(archive: Archive, target: Target) -> Iterator[Claim]:
    """A package does not run on the runtime's Python."""
    version = target.platform.runtime.python
    for part in archive.parts:
        if part.contents and version and (asked := part.contents.requires_python):
            try:
                fits = SpecifierSet(asked).contains(version, prereleases=True)
            except InvalidSpecifier:
                continue
            if not fits:
                message = f"{part.name} requires Python {asked}, and {target.platform.runtime} is {version}"
                yield Claim(Severity.ERROR, message, "lock a version of it for this Python")


def runtime_sdk(archive: Archive, _: Target) -> Iterator[Claim]:
    """The layer takes the place of some of boto3's parts in the runtime, and not of the others."""
    names = {canonicalize_name(part.name) for part in archive.parts}
    hidden = [name for name in _SDK if name in names]
    if hidden and len(hidden) < len(_SDK):
        rest = ", ".join(name for name in _SDK if name not in names)
        message = f"it hides the runtime's own {', '.join(hidden)}, while {rest} stay the runtime's"
        yield Claim(
            Severity.WARNING, message, f"bring {rest} too, so that they go together, or leave all out"
        )
