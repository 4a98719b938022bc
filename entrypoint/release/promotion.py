"""Layer versions of another deployment of the same manifest, such as stage's -> archives to publish here.

Nothing is built: a version is found by the dependency hash that this commit leads to; its archive is
downloaded, compared with the digest that AWS has of it, and published unchanged.
"""

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.aws.accounts import Accounts
from entrypoint.errors import AwsError, Diagnostic, PlanError
from entrypoint.files import atomic_write
from entrypoint.layer.describe import BuiltArchive
from entrypoint.manifest.project import OUTPUT_FOLDER, Project
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.plan import LayerAction, LayerChange, Origin, RegionPlan
from entrypoint.release.state import read_layer

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_CHUNK = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """Takes archives from the accounts and regions of another deployment of the same manifest."""

    source: Project
    accounts: Accounts
    #: The folder of the manifest, below which archives are downloaded.
    folder: Path
    say: Callable[[str], None]

    def of(self, plans: Collection[RegionPlan]) -> tuple[RegionPlan, ...]:
        """Return plans that say where each layer to publish is taken from.

        Raises:
            PlanError: a layer was not published there with the same dependency hash.
            AwsError: an account or region of the source cannot be read.
        """
        wanted = {change.layer.name: change for plan in plans for change in plan.to_publish}
        origins = self._origins(wanted.values()) if wanted else {}
        if missing := [self._missing(change) for name, change in wanted.items() if name not in origins]:
            raise PlanError(*missing)
        return tuple(_taken(plan, origins) for plan in plans)

    def archives(self, plans: Iterable[RegionPlan]) -> dict[Target, BuiltArchive]:
        """Download the archives of the layers to publish.

        Raises:
            AwsError: an archive cannot be read, or is not the one that AWS has the digest of.
        """
        changes = {change.layer.name: change for plan in plans for change in plan.to_publish}

        def download(change: LayerChange) -> BuiltArchive:
            path = self.folder / OUTPUT_FOLDER / "promoted" / f"{change.layer.targets[0]}.zip"
            origin = change.origin
            assert origin is not None  # noqa: S101 - `of` has set it
            found = _download(self.accounts.client(origin.destination), origin, path)
            self.say(f"downloaded {origin}")
            return found

        chosen = tuple(changes.values())
        found = for_each(chosen, download)
        return {change.layer.targets[0]: each for change, each in zip(chosen, found, strict=True)}

    def _origins(self, changes: Collection[LayerChange]) -> Mapping[str, Origin]:
        """Return where each layer was found, by its name here: the same for all accounts and regions."""
        layers = {change.layer.name: self._same(change.layer) for change in changes}
        hashes = {change.layer.name: change.dependency_hash for change in changes}

        def look(aws: "Aws") -> Mapping[str, Origin]:
            used = aws.functions.layers_in_use()
            found = {
                name: read_layer(aws, layer.name, hashes[name]).current
                for name, layer in layers.items()
                if layer
            }
            return {
                name: Origin(destination=aws.destination, version=version, is_used=version.arn in used)
                for name, version in found.items()
                if version
            }

        results = self.accounts.in_each(look)
        if results.failures:
            raise AwsError(*results.diagnostics)
        return {
            name: max(found, key=lambda origin: origin.is_used)
            for name in layers
            if (found := [each[name] for each in results.values if name in each])
        }

    def _same(self, layer: AwsLayer) -> AwsLayer | None:
        """Return the source's layer for the same targets, which may have another name in AWS."""
        targets = list(map(str, layer.targets))
        return next((each for each in self.source.layers if list(map(str, each.targets)) == targets), None)

    def _missing(self, change: LayerChange) -> Diagnostic:
        same = self._same(change.layer)
        where = ", ".join(map(str, self.accounts.destinations))
        name = same.name if same else f"for {', '.join(map(str, change.layer.targets))}"
        message = f"the layer {name} in {where} has no version with the dependency hash of this commit"
        hint = "deploy this commit there first, or deploy here without --from to build it"
        return Diagnostic(message, hint, change.layer.targets[0].layer.location)


def _taken(plan: RegionPlan, origins: Mapping[str, Origin]) -> RegionPlan:
    """Return a plan with the origins of its layers, and a warning for those that nothing uses there."""
    layers = tuple(
        replace(change, origin=origins[change.layer.name]) if change.action is LayerAction.PUBLISH else change
        for change in plan.layers
    )
    warnings = (_unused(change) for change in layers if change.origin and not change.origin.is_used)
    return replace(plan, layers=layers, warnings=(*plan.warnings, *warnings))


def _unused(change: LayerChange) -> Diagnostic:
    message = f"no function uses {change.origin}, which is published as {change.layer.name}"
    hint = "check that it was deployed there and not rolled back"
    return Diagnostic(message, hint, change.layer.targets[0].layer.location).as_warning()


def _download(aws: "Aws", origin: Origin, path: Path) -> BuiltArchive:
    """Download an archive, and compare it with its digest.

    Raises:
        AwsError: it cannot be read, or has another digest.
    """
    name, number = origin.name, origin.version.version
    expected = aws.layers.code_sha256(name, number)
    digest = hashlib.sha256()
    with closing(aws.layers.archive(name, number)) as remote, atomic_write(path) as file:
        while chunk := remote.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
        if base64.b64encode(digest.digest()).decode() != expected:
            message = f"the archive of {origin} is not the one that was published: its digest differs"
            raise AwsError.of(message, "publish the layer there again")
    with path.open("rb", buffering=0) as file:
        members = ArchivePackages(file, name=str(origin)).members
    return BuiltArchive(
        path=path,
        sha256=digest.hexdigest(),
        compressed_size=path.stat().st_size,
        unzipped_size=sum(member.size for member in members),
        packages=(),
    )
