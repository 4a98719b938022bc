"""Two states of a project -> what changed in each target: revisions, the working tree, what AWS has."""

import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

from entrypoint.aws.model import LayerVersion
from entrypoint.commands.git import Repository
from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, FetchError, LayersError
from entrypoint.index.candidates import choose
from entrypoint.lock.lock_file import Lock, Pin
from entrypoint.lock.project import Project
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.difference import Difference, Side, compare
from entrypoint.release.plan import RegionPlan

_HERE = "the working tree"
Sides = Mapping[str, Side]
_Places = list[tuple[Destination, LayerVersion | None]]
Load = Callable[[Path, Path], Project]
"""Reads a manifest: given the folder from which paths are shown, and its path from there."""


def compare_revisions(run: Run, before: str, after: str | None, load: Load) -> tuple[Difference, ...]:
    """Compare the locks of a git revision with those of another, or of the working tree.

    Raises:
        UsageError: where there is no such revision, or no repository.
        ManifestError, LockError: where what stands in a revision cannot be read.
    """
    wheels = _WheelSizes(run)
    repository, name = Repository(run.project.folder), run.project.manifest.path.name

    def at(revision: str) -> Sides:
        return _at_revision(repository, revision, name, load, wheels)

    old, new = at(before), at(after) if after else _of_locks(run.project, _HERE, wheels)
    names = list(dict.fromkeys([*new, *old]))
    return for_each(
        names, lambda name: compare(name, old.get(name) or _nothing(before), new.get(name) or _nothing(after))
    )


def compare_with_aws(run: Run, layers: Collection[AwsLayer] | None = None) -> tuple[Difference, ...]:
    """Compare the latest versions of the layers in AWS, or of these alone, with the working tree's locks.

    Accounts and regions whose latest versions are of the same dependencies are compared once.

    Raises:
        AwsError: where AWS cannot be asked.
        LockError: where a lock cannot be read.
    """
    here = _of_locks(run.project, _HERE, _WheelSizes(run))
    destinations = run.project.manifest.destinations(run.default_region)

    def of_layer(layer: AwsLayer) -> list[Difference]:
        found = []
        for places in _latest(run, layer, destinations):
            with ExitStack() as stack:
                side = _in_aws(run, layer, places, stack)
                found += [compare(str(target), side, here[str(target)]) for target in layer.targets]
        return found

    chosen = [layer for layer in run.project.layers if layers is None or layer in layers]
    return tuple(difference for found in for_each(chosen, of_layer) for difference in found)


def explain(run: Run, plans: Iterable[RegionPlan]) -> tuple[Difference, ...]:
    """Tell what changes in the packages of layers to be published; nothing where it cannot be told."""
    newer = {change.layer.name: change.layer for plan in plans for change in plan.to_publish if change.latest}
    try:
        return compare_with_aws(run, newer.values()) if newer else ()
    except LayersError as error:
        run.console.say(f"what changes in the packages is not shown: {error}")
        return ()


def _latest(run: Run, layer: AwsLayer, destinations: tuple[Destination, ...]) -> list[_Places]:
    """Return a layer's latest versions everywhere; those of the same dependencies together."""
    grouped: dict[str | None, _Places] = {}
    for destination in destinations:
        version = next(run.aws(destination).layer_versions(layer.name), None)
        same = (version.dependency_hash or version.arn) if version else None
        grouped.setdefault(same, []).append((destination, version))
    return list(grouped.values())


def _in_aws(run: Run, layer: AwsLayer, places: _Places, stack: ExitStack) -> Side:
    destination, version = places[0]
    if version is None:
        where = ", ".join(str(place) for place, _ in places)
        return replace(_nothing(where), note=f"there is no layer {layer.name} in {where} yet")
    file = stack.enter_context(closing(run.aws(destination).archive(layer.name, version.version)))
    packages = ArchivePackages(file, name=f"{layer.name}:{version.version}")
    named: dict[str, list[str]] = {}
    for place, here in places:
        named.setdefault(f"{layer.name}:{here.version if here else ''}", []).append(str(place))
    origin = ", ".join(f"{name} in {', '.join(where)}" for name, where in named.items())
    return Side(origin=origin, versions=packages.versions, sizes=packages.size)


def _at_revision(
    repository: Repository, revision: str, name: str, load: Load, wheels: "_WheelSizes"
) -> Sides:
    """Read what stands in a revision; problems are told as git names files: REVISION:PATH."""
    with tempfile.TemporaryDirectory(prefix="lambda-layers-") as folder:
        top = Path(folder).resolve()
        repository.unpack(revision, top)
        try:
            return _of_locks(load(top, repository.below_top / name), revision, wheels)
        except LayersError as error:
            raise type(error)(*(_in_revision(problem, revision) for problem in error.problems)) from None


def _in_revision(problem: Diagnostic, revision: str) -> Diagnostic:
    if problem.location is None:
        return problem
    return problem._replace(location=problem.location._replace(file=f"{revision}:{problem.location.file}"))


def _of_locks(project: Project, origin: str, wheels: "_WheelSizes") -> Sides:
    return {str(target): _of_lock(project, target, origin, wheels) for target in project.targets}


def _of_lock(project: Project, target: Target, origin: str, wheels: "_WheelSizes") -> Side:
    lock = project.standing_lock(target, in_step=False)
    if lock is None:
        return replace(_nothing(origin), note=f"{target} has no lock in {origin}")
    if not target.layer.own_locks:
        asked = read_requirements(
            target.layer.requirements, root=project.root, from_source=target.layer.from_source
        )
        lock = replace(lock, options=asked.options)
    pins = {pin.name: pin for pin in lock.pins}
    return Side(
        origin=origin,
        versions={name: pin.version for name, pin in pins.items()},
        sizes=lambda name: wheels(pins[name], lock),
    )


def _nothing(origin: str | None) -> Side:
    return Side(origin=origin or _HERE, versions={}, sizes=lambda _: None)


class _WheelSizes:
    """Asks the index for the sizes of wheels; after the first failure nobody is asked any more."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._gave_up = threading.Event()

    def __call__(self, pin: Pin, lock: Lock) -> int | None:
        if self._gave_up.is_set():
            return None
        try:
            wheel = choose(pin, self._run.index(lock.options).files(pin.name), lock.platform)
        except FetchError as error:
            if not self._gave_up.is_set():
                self._gave_up.set()
                self._run.console.say(f"sizes are not shown: {error}")
            return None
        return wheel.size if wheel else None
