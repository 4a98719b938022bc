"""Targets: layer x runtime x architecture, the identifier in every log line, folder, lock and error.

In: the manifest. Out: its targets, grouped by their layer in AWS.
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
    """One layer for one platform; it is built as one archive."""

    layer: Layer
    platform: Platform

    def __str__(self) -> str:
        return f"{self.layer.name}-{self.platform}"


class AwsLayer(NamedTuple):
    """A layer in AWS: its name, and the targets that are published to it, usually one."""

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
    """Return the layers in AWS for the layers and platforms of a manifest.

    Raises:
        ManifestError: if a name is too long for AWS, or two layers have the same name.
    """
    problems: list[Diagnostic] = []
    grouped: dict[str, list[Target]] = {}
    for layer in manifest.layers.values():
        for platform in layer.platforms:
            name = _aws_name(layer, platform)
            if len(name) > LAYER_NAME_CHARACTERS:
                message = (
                    f"layer name {name} has {len(name)} characters, the limit is {LAYER_NAME_CHARACTERS}"
                )
                problems.append(Diagnostic(message, "set a shorter 'name'", layer.location))
            others = grouped.setdefault(name, [])
            if others and others[0].layer is not layer:
                first = others[0].layer.name
                message = f"layers {first!r} and {layer.name!r} have the same name in AWS: {name}"
                problems.append(Diagnostic(message, "change the 'name' of one of them", layer.location))
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
    """Yield a warning for each runtime of the manifest that is deprecated or a preview."""
    for layer in manifest.layers.values():
        for runtime in dict.fromkeys(platform.runtime for platform in layer.platforms):
            if runtime.preview:
                message = f"{runtime} is a preview runtime: AWS may change it, and it has no SLA"
                yield Diagnostic(message, "use a released runtime in production", layer.location)
            elif runtime.deprecated and runtime.updates_blocked and runtime.deprecated <= today:
                message = f"{runtime} has been deprecated since {runtime.deprecated}"
                hint = (
                    f"migrate its functions before {runtime.updates_blocked}, when AWS blocks their updates"
                )
                yield Diagnostic(message, hint, layer.location)
