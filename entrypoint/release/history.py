"""git revisions of a project -> the dependency hashes that they lead to, newest first.

What a revision asks for is found in AWS by these hashes, so going back needs neither a build nor a record of
what was deployed when.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import LayersError, LockError, UsageError
from entrypoint.layer.dependency_hash import layer_hashes
from entrypoint.layer.stage import files_of
from entrypoint.lock.current import current_lock, no_lock
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.layer_pins import pins_path
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target
from entrypoint.release.git import Commit, Repository, end_search

Load = Callable[[Path, Path], Project]
"""Loads a project: given the folder that messages show paths relative to, and the manifest's path in it."""
_MOST_REVISIONS = 100
WORKING_TREE = Commit("", "", "the working tree")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """The project at a git revision, and the dependency hashes of its layers by their names in AWS."""

    commit: Commit
    project: Project
    hashes: Mapping[str, str]


class History:
    """The revisions of a project. Their files are in a temporary folder until it is closed.

    Raises:
        UsageError: the project is in no git repository.
    """

    def __init__(self, project: Project, load: Load) -> None:
        self._project = project
        self._load = load
        self._repository = Repository(project.folder)
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lambda-layers-"))
        self._folder = Path(folder).resolve()
        end_search(self._folder)

    def close(self) -> None:
        """Delete the files of all revisions."""
        self._stack.close()

    def revision(self, name: str) -> Revision:
        """Return a revision by any name that git knows.

        Raises:
            UsageError: there is no such revision.
            ManifestError, LockError: its files cannot be read.
        """
        return self._read(self._repository.commit(name))

    def revisions(self) -> Iterator[Revision]:
        """Yield the working tree, and the commits of this branch that changed the project's files.

        Commits whose files cannot be read are left out.
        """
        with suppress(LayersError):
            yield _revision(WORKING_TREE, self._project)
        for commit in self._repository.log(self._paths(), _MOST_REVISIONS):
            try:
                yield self._read(commit)
            except LayersError:
                continue
            shutil.rmtree(self._folder / commit.sha, ignore_errors=True)  # the next is asked for: not chosen

    def _read(self, commit: Commit) -> Revision:
        top = self._folder / commit.sha
        top.mkdir(exist_ok=True)
        self._repository.unpack(commit.sha, top)
        name = self._project.manifest.path.name
        return _revision(commit, self._load(top, self._repository.below_top / name))

    def _paths(self) -> Sequence[Path]:
        """Return the files and folders that the hashes are made from."""
        project = self._project
        paths = {
            project.manifest.path,
            pins_path(project.manifest.path),
            *map(project.lock_path, project.lockable),
        }
        for layer in {target.layer.name: target.layer for target in project.targets}.values():
            paths |= {*layer.requirements.files, *layer.own_locks.values(), *layer.include}
            paths |= {layer.content} if layer.content else set()
        return sorted(paths)


def previous(
    revisions: Iterable[Revision],
    used: Mapping[str, Collection[str | None]],
    available: Sequence[Mapping[str, Collection[str]]],
) -> tuple[Revision, tuple[Commit, ...]]:
    """Return the revision before the newest one that functions use, and the commits that were skipped.

    Args:
        revisions: newest first.
        used: the dependency hashes of the layer versions that functions use, by the layers' names.
        available: the hashes that AWS has, in the same form, for each account and region.

    A revision is in use if a function has something that it changed. Earlier ones are skipped if AWS does not
    have all that they ask for: they were never deployed here, or their versions were deleted.

    Raises:
        UsageError: no revision asks for what the functions use, or none before it is in AWS.
    """
    now: dict[str, str] = {}
    newer: dict[str, str] = {}
    skipped: list[Commit] = []
    for revision in revisions:
        wanted = {name: digest for name, digest in revision.hashes.items() if used.get(name)}
        if not now and _is_used(
            {name: each for name, each in newer.items() if wanted.get(name) != each}, used
        ):
            now = newer
        newer = wanted
        if any(wanted.get(name) != digest for name, digest in now.items()):
            if all(digest in found.get(name, ()) for found in available for name, digest in wanted.items()):
                return revision, tuple(skipped)
            skipped.append(revision.commit)
    message = "no commit of this branch asks for the layer versions that the functions use"
    if now or _is_used(newer, used):
        message = "AWS has the layer versions of no earlier commit of this branch"
    hint = "name a revision, or a version: lambda-layers rollback --layer NAME --to VERSION"
    raise UsageError.of(message, f"a workflow's checkout needs `fetch-depth: 0`; {hint}")


def _is_used(wanted: Mapping[str, str], used: Mapping[str, Collection[str | None]]) -> bool:
    return any(digest in used[name] for name, digest in wanted.items())


def _revision(commit: Commit, project: Project) -> Revision:
    targets = project.targets
    locks = {target: _lock(project, target) for target in targets}
    return Revision(
        commit=commit, project=project, hashes=layer_hashes(project.layers, locks, files_of(targets))
    )


def _lock(project: Project, target: Target) -> Lock:
    lock = current_lock(project, target, in_sync=False)
    if lock is None:
        raise LockError(no_lock(target))
    return lock
