"""lambda-layers.lock: the versions of layers of other accounts that the manifest leaves open.

    arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:28

In the manifest, the ARN ends with `:latest` or `:>=7`. The file has the ARN of a version for each of them and
each region, so that nothing moves until `lambda-layers lock --upgrade`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Diagnostic, Location, LockError, ManifestError
from entrypoint.manifest.arn import without_version
from entrypoint.manifest.model import FunctionEntry, Manifest
from entrypoint.manifest.yaml_limits import check_size

_OPEN = re.compile(r"(?P<layer>arn:.+:layer:[^:]+):(?:latest|>=(?P<least>[0-9]+))")
_PIN = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[a-zA-Z0-9_-]+:[0-9]{1,9}")
_HEADER = "# Written by lambda-layers lock: versions of layers of other accounts. Do not edit.\n"
_HINT = "run: lambda-layers lock"


class OpenVersion(NamedTuple):
    """A layer of another account whose version the manifest leaves open."""

    #: The ARN without version; it may contain {region}.
    layer: str
    #: The lowest version that is allowed.
    least: int
    location: Location

    def in_region(self, region: str) -> str | None:
        """Return the ARN without version in a region; None if it is in another one."""
        arn = self.layer.replace("{region}", region)
        return arn if arn.split(":")[3] == region else None


def open_versions(manifest: Manifest) -> tuple[OpenVersion, ...]:
    """Return the layers whose version the manifest leaves open, each once."""
    found: dict[str, OpenVersion] = {}
    for entry in manifest.functions:
        for reference in entry.layers:
            if match := _OPEN.fullmatch(reference):
                layer, least = match["layer"], int(match["least"] or 1)
                known = found.get(layer)
                least = max(least, known.least if known else 1)
                found[layer] = OpenVersion(layer, least, known.location if known else entry.location)
    return tuple(found.values())


def pins_path(manifest: Path) -> Path:
    """Return the path of the file: beside the manifest, with its name."""
    return manifest.with_suffix(".lock")


def read_pins(path: Path, shown: str) -> Mapping[str, int]:
    """Read the file: ARNs without version -> versions; empty if it does not exist.

    Raises:
        ManifestError: it is too large, or has lines that are not ARNs.
    """
    try:
        check_size(path.stat().st_size, shown)
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError.of(f"cannot be read: {error}", _HINT, Location(shown)) from None
    lines = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if wrong := [number for number, line in lines if not _PIN.fullmatch(line)]:
        message = "is not the ARN of a layer version"
        raise ManifestError(*(Diagnostic(message, _HINT, Location(shown, number)) for number in wrong))
    return {without_version(line): int(line.rpartition(":")[2]) for _, line in lines}


def pins_text(pins: Mapping[str, int]) -> str:
    """Return the content of the file."""
    return _HEADER + "".join(f"{layer}:{version}\n" for layer, version in sorted(pins.items()))


def needed(layers: Iterable[OpenVersion], regions: Iterable[str]) -> dict[str, OpenVersion]:
    """Return the ARNs without version, in these regions, that need a version."""
    places = ((region, layer) for region in regions for layer in layers)
    return {arn: layer for region, layer in places if (arn := layer.in_region(region))}


def pins_of_any_region(manifest: Manifest) -> dict[str, int]:
    """Return the versions that stay where the manifest names no regions: a run knows only one of them."""
    if manifest.regions:
        return {}
    pins = manifest.layer_pins
    wanted = needed(open_versions(manifest), {arn.split(":")[3] for arn in pins})
    return {arn: pins[arn] for arn, layer in wanted.items() if pins.get(arn, 0) >= layer.least}


def pin_problems(manifest: Manifest) -> Iterator[Diagnostic]:
    """Yield what is missing in the file, and what it should not have. Offline."""
    layers, pins = open_versions(manifest), manifest.layer_pins
    # Without regions, those of the run's credentials are meant: any region may be in the file.
    regions = manifest.regions or sorted({arn.split(":")[3] for arn in pins})
    wanted = needed(layers, regions)
    for arn, layer in wanted.items():
        version = pins.get(arn)
        if version is None or version < layer.least:
            what = "has no version" if version is None else f"has version {version}, below {layer.least},"
            message = f"{pins_path(manifest.path).name} {what} of {arn}"
            yield Diagnostic(message, _HINT, layer.location)
    if layers and not wanted:
        message = f"{pins_path(manifest.path).name} has no versions of the layers of other accounts"
        yield Diagnostic(message, _HINT, layers[0].location)
    for arn in pins:
        if arn not in wanted:
            location = Location(pins_path(manifest.path).name)
            yield Diagnostic(f"{arn} is not in the manifest", _HINT, location)


def refuse_unpinned(manifest: Manifest) -> None:
    """Make sure that the file has the versions that the manifest leaves open, and no others.

    Raises:
        LockError: with everything that is missing or too much.
    """
    if problems := tuple(pin_problems(manifest)):
        raise LockError(*problems)


def pinned(entry: FunctionEntry, region: str, manifest: Manifest) -> FunctionEntry:
    """Return an entry in a region: with the region in the ARNs of layers, and the versions of the file.

    Raises:
        LockError: the file has no version of a layer in this region.
    """
    layers = tuple(type(each)(_pinned(each, region, manifest, entry.location)) for each in entry.layers)
    return entry._replace(layers=layers)


def _pinned(reference: str, region: str, manifest: Manifest, location: Location) -> str:
    text = reference.replace("{region}", region)
    match = _OPEN.fullmatch(text)
    if not match:
        return text
    version = manifest.layer_pins.get(match["layer"])
    if version is None:
        message = f"{pins_path(manifest.path).name} has no version of {match['layer']}"
        raise LockError.of(message, f"set AWS_REGION={region}, and {_HINT}", location)
    return f"{match['layer']}:{version}"
