"""Targets: layer x runtime x architecture, the key of every choice, log line, folder, lock and error.

In: the manifest. Out: its targets, and the layers that they become in AWS.
"""

import re
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from entrypoint.errors import Diagnostic, ManifestError
from entrypoint.limits import LAYER_NAME_CHARACTERS
from entrypoint.manifest.model import Layer, Manifest
from entrypoint.manifest.runtimes import Platform


class Target(NamedTuple):
    """One layer for one platform; becomes one archive."""

    layer: Layer
    platform: Platform

    def __str__(self) -> str:
        return f"{self.layer.name}-{self.platform}"


class AwsLayer(NamedTuple):
    """A layer as AWS knows it: one name and the targets, mostly one, whose archive it holds."""

    name: str
    targets: tuple[Target, ...]

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtimes it is compatible with."""
        return tuple(dict.fromkeys(str(target.platform.runtime) for target in self.targets))

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures it is compatible with."""
        return tuple(dict.fromkeys(str(target.platform.architecture) for target in self.targets))


def expand(manifest: Manifest) -> tuple[AwsLayer, ...]:
    """Spread the manifest's layers over their platforms and give them their names in AWS.

    Raises:
        ManifestError: where a name is too long for AWS, or two layers would share one.
    """
    problems: list[Diagnostic] = []
    grouped: dict[str, list[Target]] = {}
    for layer in manifest.layers.values():
        for platform in layer.platforms:
            name = _aws_name(layer, platform)
            if len(name) > LAYER_NAME_CHARACTERS:
                message = f"the layer name {name} has {len(name)} characters"
                problems.append(
                    Diagnostic(message, f"AWS takes at most {LAYER_NAME_CHARACTERS}", layer.location)
                )
            others = grouped.setdefault(name, [])
            if others and others[0].layer is not layer:
                first = others[0].layer.name
                message = f"the layers {first!r} and {layer.name!r} would both be named {name} in AWS"
                problems.append(Diagnostic(message, "give one of them another 'name'", layer.location))
            others.append(Target(layer, platform))
    if problems:
        raise ManifestError(*dict.fromkeys(problems))
    return tuple(AwsLayer(name, tuple(targets)) for name, targets in grouped.items())


def _aws_name(layer: Layer, platform: Platform) -> str:
    values = {
        "layer": layer.name,
        "runtime": str(platform.runtime).replace(".", ""),
        "architecture": str(platform.architecture),
    }
    return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], layer.name_template)


def aging(manifest: Manifest, today: date) -> Iterator[Diagnostic]:
    """Yield a warning for each runtime of the manifest that AWS is phasing out or has not released."""
    for layer in manifest.layers.values():
        for runtime in dict.fromkeys(platform.runtime for platform in layer.platforms):
            if runtime.preview:
                message = f"{runtime} is a preview: AWS may change it, and functions on it have no SLA"
                yield Diagnostic(message, "keep production functions on a released runtime", layer.location)
            elif runtime.deprecated and runtime.updates_blocked and runtime.deprecated <= today:
                message = f"{runtime} is deprecated since {runtime.deprecated}"
                hint = (
                    f"move its functions on before {runtime.updates_blocked}, when AWS blocks updates to them"
                )
                yield Diagnostic(message, hint, layer.location)
