"""The archives on disk and what is in AWS -> an overview for the report; what cannot be read is listed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.aws.accounts import Accounts, Results
from entrypoint.errors import Diagnostic, LayersError
from entrypoint.layer.dependency_hash import dependency_hash, layer_hashes
from entrypoint.layer.describe import read_described
from entrypoint.layer.stage import Files
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.project import OUTPUT_FOLDER, Project
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release.archive_contents import Inventory, contents_of
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.findings import Diagnosis
from entrypoint.release.overview import Overview, duplicates
from entrypoint.release.stage import Release
from entrypoint.release.status import RegionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """Reads everything that the report shows; changes nothing."""

    project: Project
    accounts: Accounts
    release: Release
    inputs: Callable[[], tuple[Mapping[Target, Lock], Files]]

    def overview(self) -> Overview:
        """Return the overview."""
        missing: list[Diagnostic] = []
        locks: Mapping[Target, Lock] = {}
        files: Files = {}
        statuses: Results[RegionStatus] = Results(values=())
        diagnoses: Results[Diagnosis] = Results(values=())
        try:
            locks, files = self.inputs()
            statuses = self.release.status(layer_hashes(self.project.layers, locks, files))
            missing += statuses.diagnostics
            if statuses.values:
                diagnoses = self.release.doctor()
        except LayersError as error:
            missing += error.problems

        def look(layer: AwsLayer) -> Inventory | Diagnostic:
            try:
                return self._inventory(layer, locks, files, statuses.values)
            except LayersError as error:
                return error.problems[0]

        found = for_each(self.project.layers, look)
        inventories = tuple(each for each in found if isinstance(each, Inventory))
        missing += [each for each in found if isinstance(each, Diagnostic)]
        known = {inventory.layer: inventory for inventory in inventories}
        return Overview(
            project=self.project.folder.resolve().name,
            made=datetime.now(tz=UTC),
            missing=tuple(dict.fromkeys(missing)),
            inventories=inventories,
            duplicates=duplicates(_users(self.project, statuses.values), known),
            regions=statuses.values,
            diagnoses=diagnoses.values,
        )

    def _inventory(
        self,
        layer: AwsLayer,
        locks: Mapping[Target, Lock],
        files: Files,
        regions: Sequence[RegionStatus],
    ) -> Inventory | Diagnostic:
        """Read the archive that was built here, or else the one in AWS."""
        target = layer.targets[0]
        built = self.project.folder / OUTPUT_FOLDER / "build" / f"{target}.zip"
        if built.is_file():
            wanted = dependency_hash(target, locks[target], files[target]) if locks else None
            return _built_here(layer, built, wanted)
        for region in regions:
            for change in region.layers:
                version = change.version or change.latest
                if change.layer is layer and version:
                    name = f"{layer.name}:{version.version}"
                    aws = self.accounts.client(region.destination)
                    with closing(aws.layers.archive(layer.name, version.version)) as file:
                        archive = ArchivePackages(file, name=name)
                        return _read(layer, archive, f"{name} in {region.destination}", file.seek(0, 2))
        message = f"the archive of {layer.name} is {'neither here nor in AWS' if regions else 'not here'}"
        return Diagnostic(message, f"build it: lambda-layers build --target {target}")


def _built_here(layer: AwsLayer, path: Path, wanted: str | None) -> Inventory:
    with path.open("rb", buffering=0) as file:
        archive = ArchivePackages(file, name=path.name)
        inventory = _read(layer, archive, "built here", path.stat().st_size)
    if wanted is None:
        return inventory
    try:
        built = read_described(path.with_suffix(".json"), layer.targets[0], wanted)
    except LayersError as error:  # without this machine's paths, as the page is shared
        return replace(inventory, note=str(error).replace(f"{path.parent}/", ""))
    return replace(inventory, findings=built.findings)


def _read(layer: AwsLayer, archive: ArchivePackages, origin: str, zipped: int) -> Inventory:
    return Inventory(
        layer=layer.name,
        origin=origin,
        zipped=zipped,
        contents=contents_of(archive),
        paths=frozenset(member.path for member in archive.members if not member.path.endswith("/")),
    )


def _users(project: Project, regions: Sequence[RegionStatus]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield functions with the layers they are to have; the manifest's entries where AWS was not read."""
    for region in regions:
        for change in region.functions:
            names = [each.reference.name for each in change.wanted if isinstance(each.reference, AwsLayer)]
            yield change.function.name, tuple(names)
    if regions:
        return
    for entry in project.manifest.functions:
        platforms = dict.fromkeys(target.platform for target in project.targets)
        for platform in platforms:
            fitting = {
                target.layer.name: layer.name
                for layer in project.layers
                for target in layer.targets
                if target.platform == platform
            }
            yield (
                f"{entry.pattern} on {platform}",
                tuple(fitting[name] for name in entry.layers if name in fitting),
            )
