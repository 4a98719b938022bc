"""Fills the embedded AWS with what a manifest requires: functions, a bucket, layers of other accounts."""

import re
from itertools import cycle
from typing import TYPE_CHECKING

from entrypoint.local_aws.calls import ACCOUNT
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import FunctionEntry
from entrypoint.manifest.project import Project
from entrypoint.manifest.runtimes import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator


def seed(aws: LocalAws, project: Project) -> None:
    """Declare the resources in the manifest that do not exist, with one function for each glob.

    Functions rotate through the platforms that all their layers are built for.
    """
    manifest = project.manifest
    rotations: dict[tuple[Platform, ...], Iterator[Platform]] = {}
    for destination in manifest.destinations(lambda: aws.region):
        region, account = destination.region, destination.account or ACCOUNT
        if manifest.bucket:
            name = manifest.bucket.name_in(region, account)
            aws.declare_bucket(name, region=region, account=account, referenced=manifest.bucket.is_referenced)
        for entry in manifest.functions:
            platforms = _common_platforms(project, entry)
            platform = next(rotations.setdefault(platforms, cycle(platforms)), None)
            name = _matching_name(entry.pattern.rpartition(":")[2])
            aws.declare_function(
                name,
                runtime=str(platform.runtime) if platform else "python3.13",
                architecture=str(platform.architecture) if platform else "x86_64",
                tags=dict(entry.tag),
                region=region,
                account=account,
            )
            for alias in entry.aliases:
                aws.declare_alias(name, alias, region=region, account=account)
            for layer in entry.layers:
                if layer.startswith("arn:"):
                    _declare_layer_of_another_account(aws, layer.replace("{region}", region))


def _matching_name(glob: str) -> str:
    return re.sub(r"[*?]|\[!.*?\]", "1", re.sub(r"\[([^!]).*?\]", r"\1", glob))


def _common_platforms(project: Project, entry: FunctionEntry) -> tuple[Platform, ...]:
    layers = [project.manifest.layers[name] for name in entry.layers if name in project.manifest.layers]
    every = dict.fromkeys(platform for layer in layers for platform in layer.platforms)
    return tuple(platform for platform in every if all(platform in layer.platforms for layer in layers))


def _declare_layer_of_another_account(aws: LocalAws, arn: str) -> None:
    *_, region, account, _, name, version = arn.split(":")
    aws.declare_layer_version(name, account=account, version=int(version), region=region)
