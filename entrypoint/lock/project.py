"""A manifest with all that belongs to it on disk: its targets, locks, cache and by-products.

Light on purpose: a hook that checks needs no more than this. What it imports is made of named tuples,
as defining a dataclass takes ten times as long.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from entrypoint.errors import ArchiveError, Diagnostic, Location, LockError, ManifestError, VerifyError
from entrypoint.files import write_text
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.lock.header import lock_path, stands
from entrypoint.manifest import reader as manifest_file
from entrypoint.manifest.model import Layer, Manifest
from entrypoint.manifest.targets import AwsLayer, Target, expand

if TYPE_CHECKING:
    from entrypoint.lock.lock_file import Lock

BY_PRODUCTS = ".lambda-layers"
"""The folder beside the manifest for built archives and the local AWS; it ignores itself in git."""

_HOW_TO_FILL = (
    "in a workflow, check the repository out before this step (actions/checkout); in a container, mount it: "
    'docker run --rm -v "$PWD:/work" -w /work ...'
)


class Project(NamedTuple):
    """A manifest, its layers in AWS, and where its files are."""

    manifest: Manifest
    layers: tuple[AwsLayer, ...]
    #: Paths are shown relative to this folder.
    root: Path

    @property
    def folder(self) -> Path:
        """The manifest's folder; the manifest's paths start there."""
        return self.manifest.path.parent

    @property
    def targets(self) -> tuple[Target, ...]:
        """All targets, in the manifest's order."""
        return tuple(target for layer in self.layers for target in layer.targets)

    @property
    def lockable(self) -> tuple[Target, ...]:
        """The targets whose lock is ours to make."""
        return tuple(
            target
            for target in self.targets
            if target.platform not in target.layer.own_locks and any(target.layer.requirements.asked)
        )

    def by_products(self) -> Path:
        """Return the folder for what a run leaves beside the manifest; it hides itself from git."""
        folder = self.folder / BY_PRODUCTS
        if not folder.is_dir():
            write_text(folder / ".gitignore", "*\n")
        return folder

    def lock_path(self, target: Target) -> Path:
        """Return where our lock of a target stands, or would stand."""
        layer = target.layer
        return lock_path(layer.requirements, target.platform, layer.name, self.folder)

    def standing_lock(self, target: Target, *, in_step: bool = True) -> "Lock | None":
        """Return the target's lock, the user's own or ours; None where there is none.

        One that may be out of step comes without the index options of its inputs.

        Raises:
            LockError: where the lock is out of step with its inputs, or not a lock.
        """
        from entrypoint.lock.lock_file import Lock, read_lock, read_pinned  # noqa: PLC0415 - see _stands

        own = target.layer.own_locks.get(target.platform)
        if own is not None:
            return read_pinned(own, target.platform, from_source=target.layer.from_source, root=self.root)
        if not any(target.layer.requirements.asked):
            return Lock(platform=target.platform, pins=())
        path = self.lock_path(target)
        if not path.is_file():
            return None
        return read_lock(
            path,
            target.platform,
            requirements=target.layer.requirements if in_step else None,
            from_source=target.layer.from_source,
            root=self.root,
        )


def load_project(path: Path, *, root: Path, variables: Mapping[str, str]) -> Project:
    """Read the manifest at `path` and spread its layers over their platforms.

    Raises:
        ManifestError: with every problem of the manifest, each at its line.
    """
    path = root / path
    shown = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        hint = "write one with: lambda-layers init, or name it with --manifest"
        if not any(root.iterdir()):
            hint += f"; the folder is empty: {_HOW_TO_FILL}"
        raise ManifestError.of("there is no such file", hint, Location(shown)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError.of(
            f"cannot be read: {error}", "make it a readable UTF-8 file", Location(shown)
        ) from None
    manifest = manifest_file.load(path, text=text, shown=shown, variables=variables)
    project = Project(manifest=manifest, layers=expand(manifest), root=root)
    _refuse_shared_locks(project)
    return project


def _refuse_shared_locks(project: Project) -> None:
    """Refuse layers whose locks would be one file though their requirements are not the same."""
    problems = []
    first: dict[Path, Target] = {}
    for target in project.lockable:
        other = first.setdefault(project.lock_path(target), target).layer
        if _asked(other) != _asked(target.layer):
            message = f"the layers {other.name!r} and {target.layer.name!r} would share their locks"
            hint = "let their lists of requirements begin with different files"
            problems.append(Diagnostic(message, hint, target.layer.requirements.location))
    if problems:
        raise ManifestError(*dict.fromkeys(problems))


def _asked(layer: Layer) -> object:
    return layer.requirements.asked, layer.from_source


def check_project(project: Project) -> None:
    """Make sure that every lock is in step and the repository's files fit into their layers; offline.

    Raises:
        LockError: with every lock that is missing or out of step, and all else that is wrong.
        VerifyError: where the locks are right, and the repository's files are too large for a layer.
    """
    locks = [problem for target in project.targets for problem in _problems_of_lock(project, target)]
    files = [problem for layer in project.manifest.layers.values() for problem in _problems_of_files(layer)]
    if locks:
        raise LockError(*dict.fromkeys([*locks, *files]))
    if files:
        raise VerifyError(*files)


def _problems_of_lock(project: Project, target: Target) -> Sequence[Diagnostic]:
    try:
        if _stands(project, target) or project.standing_lock(target):
            return ()
    except LockError as error:
        return error.problems
    message = f"the layer {target.layer.name!r} has no lock for {target.platform}"
    return (Diagnostic(message, "run: lambda-layers lock", target.layer.location),)


def out_of_step(project: Project) -> tuple[Target, ...]:
    """Return the targets whose lock is ours to make, and is not there or not in step; one for each lock."""
    by_path = {project.lock_path(target): target for target in project.lockable}
    return tuple(target for target in by_path.values() if not _stands(project, target))


def _stands(project: Project, target: Target) -> bool:
    """Tell of a lock of ours whether a quick look is enough; most hooks run on locks that are in step."""
    layer = target.layer
    if target.platform in layer.own_locks or not any(layer.requirements.asked):
        return False
    return stands(
        project.lock_path(target),
        target.platform,
        requirements=layer.requirements,
        from_source=layer.from_source,
        root=project.root,
    )


def _problems_of_files(layer: Layer) -> Sequence[Diagnostic]:
    if not layer.include and not layer.content:
        return ()
    from entrypoint.layer.repository_files import repository_files  # noqa: PLC0415 - slow, and rarely needed

    try:
        size = sum(file.source.stat().st_size for file in repository_files(layer))
    except ArchiveError as error:
        return error.problems
    most = min(layer.size_budget or UNZIPPED_BYTES, UNZIPPED_BYTES)
    if size <= most:
        return ()
    message = f"the repository's files alone take {size:,} of the {most:,} bytes that the layer may have"
    hint = "take some of them out, with 'exclude' say" + ("" if most == UNZIPPED_BYTES else ", or raise it")
    return (Diagnostic(message, hint, layer.location),)
