"""The archives here and what stands in AWS -> an overview; what cannot be had is told of, no more."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, LayersError
from entrypoint.layer.archives import Files, files_of
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.describe import read_described
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.locks import locks_of
from entrypoint.lock.project import BY_PRODUCTS
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release.archive_contents import Inventory, contents_of
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.diagnose import Diagnoses, diagnose_everywhere
from entrypoint.release.observe import Statuses, statuses_everywhere
from entrypoint.release.overview import Overview, duplicates
from entrypoint.release.status import RegionStatus

_NOTHING = Statuses(regions=())


def gather(run: Run) -> Overview:
    """Find out all that the report tells; nothing is changed, here or in AWS."""
    missing: list[Diagnostic] = []
    targets = run.project.targets
    locks: Mapping[Target, Lock] = {}
    files: Files = {}
    statuses, diagnosed = _NOTHING, Diagnoses((), ())
    try:
        locks, files = locks_of(run, targets), files_of(targets)
        statuses = statuses_everywhere(run, locks, files)
        missing += [problem for failure in statuses.failures for problem in failure.problems]
        if statuses.regions:
            diagnosed = diagnose_everywhere(run)
    except LayersError as error:
        missing += error.problems

    def look(layer: AwsLayer) -> Inventory | Diagnostic:
        try:
            return _inventory(run, layer, locks, files, statuses.regions)
        except LayersError as error:
            return error.problems[0]

    found = for_each(run.project.layers, look)
    inventories = tuple(each for each in found if isinstance(each, Inventory))
    missing += [each for each in found if isinstance(each, Diagnostic)]
    known = {inventory.layer: inventory for inventory in inventories}
    return Overview(
        project=run.project.folder.resolve().name,
        made=datetime.now(tz=UTC),
        missing=tuple(dict.fromkeys(missing)),
        inventories=inventories,
        duplicates=duplicates(_users(run, statuses.regions), known),
        regions=statuses.regions,
        diagnoses=diagnosed.diagnoses,
    )


def _inventory(
    run: Run,
    layer: AwsLayer,
    locks: Mapping[Target, Lock],
    files: Files,
    regions: Sequence[RegionStatus],
) -> Inventory | Diagnostic:
    """Read the archive that was built here, or else the one that AWS has."""
    target = layer.targets[0]
    built = run.project.folder / BY_PRODUCTS / "build" / f"{target}.zip"
    if built.is_file():
        return _built_here(
            layer, built, dependency_hash(target, locks[target], files[target]) if locks else None
        )
    for region in regions:
        for change in region.layers:
            version = change.version or change.latest
            if change.layer is layer and version:
                where = f"{layer.name}:{version.version}"
                with closing(run.aws(region.destination).archive(layer.name, version.version)) as file:
                    archive = ArchivePackages(file, name=where)
                    return _read(layer, archive, f"{where} in {region.destination}", file.seek(0, 2))
    message = f"the archive of {layer.name} is {'neither here nor in AWS' if regions else 'not here'}"
    return Diagnostic(message, f"build it: lambda-layers build --target {target}")


def _built_here(layer: AwsLayer, path: Path, wanted: str | None) -> Inventory:
    with path.open("rb", buffering=0) as file:
        archive = ArchivePackages(file, name=path.name)
        inventory = _read(layer, archive, "built here", path.stat().st_size)
    if wanted is None:
        return inventory
    try:
        built = read_described(path.parent, layer.targets[0], wanted)
    except LayersError as error:
        return replace(inventory, note=str(error).replace(f"{path.parent}/", ""))  # the page goes to others
    return replace(inventory, findings=built.findings)


def _read(layer: AwsLayer, archive: ArchivePackages, origin: str, zipped: int) -> Inventory:
    return Inventory(
        layer=layer.name,
        origin=origin,
        zipped=zipped,
        contents=contents_of(archive),
        paths=frozenset(member.path for member in archive.members if not member.path.endswith("/")),
    )


def _users(run: Run, regions: Sequence[RegionStatus]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield functions with the layers they are to have; the manifest's entries where AWS was not asked."""
    for region in regions:
        for change in region.functions:
            names = [each.reference.name for each in change.wanted if isinstance(each.reference, AwsLayer)]
            yield change.function.name, tuple(names)
    if regions:
        return
    for entry in run.project.manifest.functions:
        platforms = dict.fromkeys(target.platform for target in run.project.targets)
        for platform in platforms:
            fitting = {
                target.layer.name: layer.name
                for layer in run.project.layers
                for target in layer.targets
                if target.platform == platform
            }
            yield (
                f"{entry.pattern} on {platform}",
                tuple(fitting[name] for name in entry.layers if name in fitting),
            )
