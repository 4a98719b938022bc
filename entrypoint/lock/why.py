"""Why a package is locked: a target's lock and its inputs -> a tree of the packages that require it, as text.

Offline, and needs no packages beyond those of the hooks.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from entrypoint.errors import LockError, UsageError
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment
from entrypoint.lock.current import current_lock, no_lock
from entrypoint.lock.header import LOCK_HINT
from entrypoint.lock.requirements import LocatedRequirement, read_requirements
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target


def why(project: Project, target: Target, package: str) -> str:
    """Return a tree for each input line that requires the package, directly or through other packages.

    The dependencies come from the lock's `# via` comments. A repeated subtree is shown only once.

    Raises:
        UsageError: the lock does not have the package.
        LockError: there is no lock, or it has no `# via` comments for the package.
    """
    lock = current_lock(project, target)
    if lock is None:
        raise LockError(no_lock(target))
    pins = {pin.name: pin for pin in lock.pins}
    name = canonicalize_name(package)
    if name not in pins:
        close = get_close_matches(name, pins, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"its packages are: {', '.join(pins) or 'none'}"
        raise UsageError.of(f"the lock of {target} has no package {package!r}", hint)
    if not pins[name].via:
        message = f"{pins[name]} has no `# via` comment, so the lock does not say what requires it"
        raise LockError.of(
            message, f"export the lock with `# via` comments, or {LOCK_HINT}", pins[name].location
        )
    environment = marker_environment(lock.platform)
    parsed = read_requirements(target.layer.requirements, root=project.root)
    tree = _Tree(
        pins,
        name,
        requirements=[line for line in parsed.requirements if line.applies(environment)],
        constraints=[line for line in parsed.constraints if line.applies(environment)],
    )
    return "\n".join(tree.lines())


class _Tree:
    """The packages that require one package, directly or not, and how to print them."""

    def __init__(
        self,
        pins: Mapping[str, Pin],
        name: str,
        *,
        requirements: Iterable[LocatedRequirement],
        constraints: Iterable[LocatedRequirement],
    ) -> None:
        self._pins = pins
        self._name = name
        self._requirements = requirements
        self._constraints = constraints
        #: For each package that requires `name`: its dependencies on the way to `name`.
        self._requires: dict[str, list[str]] = {name: []}
        #: Each `# via` source that is not a package, such as an input file, and what it requires.
        self._sources: list[tuple[str, str]] = []
        self._shown: set[str] = set()
        self._find_paths()

    def _find_paths(self) -> None:
        queue = [self._name]
        for name in queue:  # grows during the loop
            for source in self._pins[name].via:
                parent = _package(source)
                if parent not in self._pins:
                    self._sources.append((source, name))
                elif parent not in self._requires:
                    self._requires[parent] = [name]
                    queue.append(parent)
                elif parent != self._name:
                    self._requires[parent].append(name)

    def lines(self) -> Iterator[str]:
        """Yield the lines of the tree, indented by two spaces per level."""
        roots: dict[str, str] = {}
        for source, name in self._sources:
            lines = [f"{line.location}: {line}" for line in self._requirements if line.name == name]
            if not source.startswith("-c "):
                roots |= dict.fromkeys(lines or [source.removeprefix("-r ")], name)
        for line, name in sorted(roots.items()):
            yield line
            yield from self._subtree(name, depth=1)

    def _subtree(self, name: str, *, depth: int) -> Iterator[str]:
        repeated = name in self._shown and self._requires[name]
        constraints = [
            f"constraint {line.location}: {line}" for line in self._constraints if line.name == name
        ]
        notes = "; ".join([*constraints, *(["see above"] if repeated else [])])
        pin = self._pins[name]
        yield f"{'  ' * depth}{pin.name} {pin.version}{f' ({notes})' if notes else ''}"
        if not repeated:
            self._shown.add(name)
            for required in sorted(self._requires[name]):
                yield from self._subtree(required, depth=depth + 1)


def _package(source: str) -> str:
    """Return the package name in a `# via` comment, without extras; empty if it is not a package."""
    try:
        return canonicalize_name(Requirement(source).name)
    except InvalidRequirement:
        return ""
