"""Two states of a project -> what changed in each target: git revisions, the working tree, or AWS."""

import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

from entrypoint.aws.accounts import Accounts
from entrypoint.aws.model import LayerVersion
from entrypoint.errors import Diagnostic, FetchError, LayersError
from entrypoint.index.candidates import choose
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.lock.current import current_lock
from entrypoint.lock.lock_file import Lock
from entrypoint.lock.requirements import read_requirements
from entrypoint.manifest.model import Destination
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.release.archive_packages import ArchivePackages
from entrypoint.release.difference import Difference, Side, compare
from entrypoint.release.git import Repository, end_search

_WORKING_TREE = "the working tree"
Sides = Mapping[str, Side]
_Latest = list[tuple[Destination, LayerVersion | None]]
Load = Callable[[Path, Path], Project]
"""Loads a project: given the folder that messages show paths relative to, and the manifest's path in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Compares the packages of each target in two states."""

    project: Project
    accounts: Accounts
    index: Callable[[IndexOptions], PackageIndex]
    say: Callable[[str], None]

    def of_revisions(self, before: str, after: str | None, load: Load) -> tuple[Difference, ...]:
        """Compare the locks of a git revision with those of another, or of the working tree.

        Raises:
            UsageError: there is no such revision, or no repository.
            ManifestError, LockError: the files of a revision cannot be read.
        """
        sizes = _WheelSizes(self.index, self.say)
        repository, name = Repository(self.project.folder), self.project.manifest.path.name

        def at(revision: str) -> Sides:
            return _at_revision(repository, revision, name, load, sizes)

        old, new = at(before), at(after) if after else _of_locks(self.project, _WORKING_TREE, sizes)
        return for_each(
            list(dict.fromkeys([*new, *old])),
            lambda name: compare(name, old.get(name) or _nothing(before), new.get(name) or _nothing(after)),
        )

    def with_aws(self, layers: Collection[AwsLayer] | None = None) -> tuple[Difference, ...]:
        """Compare the latest versions of all layers in AWS, or of these, with the working tree's locks.

        Accounts and regions whose latest versions have the same dependency hash are compared once.

        Raises:
            AwsError: AWS cannot be read.
            LockError: a lock cannot be read.
        """
        here = _of_locks(self.project, _WORKING_TREE, _WheelSizes(self.index, self.say))

        def of_layer(layer: AwsLayer) -> list[Difference]:
            found = []
            for latest in self._latest(layer):
                with ExitStack() as stack:
                    side = self._in_aws(layer, latest, stack)
                    found += [compare(str(target), side, here[str(target)]) for target in layer.targets]
            return found

        chosen = [layer for layer in self.project.layers if layers is None or layer in layers]
        return tuple(difference for found in for_each(chosen, of_layer) for difference in found)

    def _latest(self, layer: AwsLayer) -> list[_Latest]:
        """Return a layer's latest versions everywhere, grouped by dependency hash."""
        grouped: dict[str | None, _Latest] = {}
        for destination in self.accounts.destinations:
            aws = self.accounts.client(destination)
            version = next(aws.layers.versions(layer.name), None)
            same = (version.dependency_hash or version.arn) if version else None
            grouped.setdefault(same, []).append((destination, version))
        return list(grouped.values())

    def _in_aws(self, layer: AwsLayer, latest: _Latest, stack: ExitStack) -> Side:
        destination, version = latest[0]
        if version is None:
            where = ", ".join(str(each) for each, _ in latest)
            return replace(_nothing(where), note=f"the layer {layer.name} does not exist in {where} yet")
        aws = self.accounts.client(destination)
        file = stack.enter_context(closing(aws.layers.archive(layer.name, version.version)))
        packages = ArchivePackages(file, name=f"{layer.name}:{version.version}")
        named: dict[str, list[str]] = {}
        for each, here in latest:
            named.setdefault(f"{layer.name}:{here.version if here else ''}", []).append(str(each))
        origin = ", ".join(f"{name} in {', '.join(where)}" for name, where in named.items())
        return Side(origin=origin, versions=packages.versions, sizes=packages.size)


def _at_revision(repository: Repository, revision: str, name: str, load: Load, sizes: "_WheelSizes") -> Sides:
    """Read a revision; problems name files as git does: REVISION:PATH."""
    with tempfile.TemporaryDirectory(prefix="lambda-layers-") as folder:
        top = Path(folder).resolve()
        repository.unpack(revision, top)
        end_search(top)
        try:
            return _of_locks(load(top, repository.below_top / name), revision, sizes)
        except LayersError as error:
            raise type(error)(*(_in_revision(problem, revision) for problem in error.problems)) from None


def _in_revision(problem: Diagnostic, revision: str) -> Diagnostic:
    if problem.location is None:
        return problem
    file = f"{revision}:{problem.location.file}"
    return problem._replace(location=problem.location._replace(file=file))


def _of_locks(project: Project, origin: str, sizes: "_WheelSizes") -> Sides:
    return {str(target): _of_lock(project, target, origin, sizes) for target in project.targets}


def _of_lock(project: Project, target: Target, origin: str, sizes: "_WheelSizes") -> Side:
    lock = current_lock(project, target, in_sync=False)
    if lock is None:
        return replace(_nothing(origin), note=f"{target} has no lock in {origin}")
    layer = target.layer
    if not layer.own_locks:
        inputs = read_requirements(layer.requirements, root=project.root, from_source=layer.from_source)
        lock = replace(lock, options=inputs.options)
    pins = {pin.name: pin for pin in lock.pins}
    return Side(
        origin=origin,
        versions={name: pin.version for name, pin in pins.items()},
        sizes=lambda name: sizes(pins[name], lock),
    )


def _nothing(origin: str | None) -> Side:
    return Side(origin=origin or _WORKING_TREE, versions={}, sizes=lambda _: None)


class _WheelSizes:
    """Asks the index for the sizes of wheels; after the first failure it is not asked again."""

    def __init__(self, index: Callable[[IndexOptions], PackageIndex], say: Callable[[str], None]) -> None:
        self._index = index
        self._say = say
        self._failed = threading.Event()

    def __call__(self, pin: Pin, lock: Lock) -> int | None:
        if self._failed.is_set():
            return None
        try:
            wheel = choose(pin, self._index(lock.options).files(pin.name), lock.platform)
        except FetchError as error:
            if not self._failed.is_set():
                self._failed.set()
                self._say(f"sizes are not shown: {error}")
            return None
        return wheel.size if wheel else None
