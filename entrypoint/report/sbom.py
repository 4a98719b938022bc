"""The contents of a layer as a CycloneDX bill of materials: the only importer of that library.

The same archive has the same SBOM: its serial number comes from the archive's digest, and it has no date.
https://cyclonedx.org/docs/1.6/json/
"""

import uuid
from collections.abc import Iterable, Iterator

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import NormalizedName, canonicalize_name

from entrypoint.index.tags import marker_environment
from entrypoint.layer.assemble import Archive
from entrypoint.layer.layout import Part
from entrypoint.layer.verify.packages import required_by
from entrypoint.manifest.runtimes import Architecture
from entrypoint.manifest.targets import Target
from entrypoint.wheels.libraries import LibraryPackage

_DEB_NAMES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/lambda-layer-pipeline/lambda-layer-pipeline")


def sbom(archive: Archive, target: Target) -> str:
    """Return the bill of materials of a target's archive, as JSON."""
    digest = archive.sha256.hex()
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, digest))
    bom.metadata.timestamp = None  # type: ignore[assignment]  # optional in the standard
    bom.metadata.component = layer = Component(
        type=ComponentType.APPLICATION,
        name=str(target),
        bom_ref=str(target),
        hashes=[_sha256(digest)],
        properties=[
            Property(name="aws:lambda:runtime", value=str(target.platform.runtime)),
            Property(name="aws:lambda:architecture", value=target.platform.architecture),
        ],
    )
    components = [_component(part, target) for part in archive.parts]
    bom.components.update(components)
    bom.register_dependency(layer, components)
    packages = {
        canonicalize_name(each.name): each for each in components if each.purl and each.purl.type == "pypi"
    }
    for part, component in zip(archive.parts, components, strict=True):
        needed = [packages[name] for name in _needs(part, target) if name in packages]
        bom.register_dependency(component, needed)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _component(part: Part, target: Target) -> Component:
    if part.system_package:
        return _library(part.system_package, target)
    if part.contents is None:
        return Component(type=ComponentType.APPLICATION, name=part.name, bom_ref=part.origin)
    wheel = part.contents.wheel
    address = PackageURL("pypi", None, canonicalize_name(wheel.name), wheel.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=wheel.name,
        version=wheel.version,
        purl=address,
        bom_ref=address.to_string(),
        hashes=[_sha256(wheel.sha256)],
        licenses=[LicenseFactory().make_from_string(part.contents.license)] if part.contents.license else [],
        properties=list(_properties(part)),
    )


def _library(found: LibraryPackage, target: Target) -> Component:
    name, version = found.package
    kind, _, distribution = found.system.partition("/")
    architecture, text = target.platform.architecture, version
    qualifiers = {"arch": _DEB_NAMES[architecture] if kind == "deb" else architecture.machine}
    if kind == "rpm" and ":" in version:
        qualifiers["epoch"], _, text = version.partition(":")
    address = PackageURL(kind, distribution, name, text, qualifiers)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=address,
        bom_ref=address.to_string(),
        licenses=[LicenseFactory().make_from_string(found.license)] if found.license else [],
    )


def _properties(part: Part) -> Iterator[Property]:
    """Name the file, as other files of the same version have other content."""
    yield Property(name="python:wheel", value=part.origin)
    for key, value in (part.contents.wheel.built_from or {}).items() if part.contents else ():
        yield Property(name=f"python:built-from:{key}", value=str(value))


def _needs(part: Part, target: Target) -> Iterable[NormalizedName]:
    if part.contents is None:
        return ()
    environment = marker_environment(target.platform)
    return (canonicalize_name(each.name) for each in required_by(part.contents, environment))


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)
