"""Who needs a package: a target's lock and the lines it was made from go in, a small tree of text comes out.

Offline, and light: what the hooks have installed is enough.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from entrypoint.errors import LockError, UsageError
from entrypoint.index.pin import Pin
from entrypoint.index.tags import marker_environment
from entrypoint.lock.current import current_lock
from entrypoint.lock.header import LOCK_HINT
from entrypoint.lock.requirements import RequirementLine, read_requirements
from entrypoint.manifest.project import Project
from entrypoint.manifest.targets import Target


def why(project: Project, target: Target, package: str) -> str:
    """Write a tree for each line that leads to the package: the line, what it asks for, and so on down to it.

    Who needs whom stands in the lock's `# via` comments. What was shown is not unfolded a second time.

    Raises:
        UsageError: where the lock has no such package.
        LockError: where there is no lock, or it does not say who needs the package.
    """
    lock = current_lock(project, target)
    if lock is None:
        message = f"the layer {target.layer.name!r} has no lock for {target.platform}"
        raise LockError.of(message, LOCK_HINT, target.layer.location)
    pins = {pin.name: pin for pin in lock.pins}
    name = canonicalize_name(package)
    if name not in pins:
        close = get_close_matches(name, pins, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"it has {', '.join(pins) or 'none'}"
        raise UsageError.of(f"the lock of {target} has no package {package!r}", hint)
    if not pins[name].via:
        message = f"there is no `# via` comment at {pins[name]}, so the lock does not say who needs it"
        raise LockError.of(message, f"export it with such comments, or {LOCK_HINT}", pins[name].location)
    environment = marker_environment(lock.platform)
    asked = read_requirements(target.layer.requirements, root=project.root)
    tree = _Tree(
        pins,
        name,
        requirements=[line for line in asked.requirements if line.applies(environment)],
        constraints=[line for line in asked.constraints if line.applies(environment)],
    )
    return "\n".join(tree.lines())


class _Tree:
    """The packages through which one is needed, and how they are written down."""

    def __init__(
        self,
        pins: Mapping[str, Pin],
        name: str,
        *,
        requirements: Iterable[RequirementLine],
        constraints: Iterable[RequirementLine],
    ) -> None:
        self._pins = pins
        self._name = name
        self._requirements = requirements
        self._constraints = constraints
        #: What each package on the way needs, as far as it leads to the one that is asked about.
        self._needs: dict[str, list[str]] = {name: []}
        #: What is no package: the input files, or whatever else a lock names.
        self._sources: list[tuple[str, str]] = []
        self._shown: set[str] = set()
        self._climb()

    def _climb(self) -> None:
        below = [self._name]
        for name in below:  # it grows
            for source in self._pins[name].via:
                parent = _package(source)
                if parent not in self._pins:
                    self._sources.append((source, name))
                elif parent not in self._needs:
                    self._needs[parent] = [name]
                    below.append(parent)
                elif parent != self._name:
                    self._needs[parent].append(name)

    def lines(self) -> Iterator[str]:
        """Write it, two spaces for each step."""
        asked: dict[str, str] = {}
        for source, name in self._sources:
            lines = [f"{line.location}: {line}" for line in self._requirements if line.name == name]
            if not source.startswith("-c "):
                asked |= dict.fromkeys(lines or [source.removeprefix("-r ")], name)
        for line, name in sorted(asked.items()):
            yield line
            yield from self._below(name, depth=1)

    def _below(self, name: str, *, depth: int) -> Iterator[str]:
        again = name in self._shown and self._needs[name]
        bounds = [f"{line.location}: {line}" for line in self._constraints if line.name == name]
        notes = "; ".join([*(f"constraint {bound}" for bound in bounds), *(["see above"] if again else [])])
        pin = self._pins[name]
        yield f"{'  ' * depth}{pin.name} {pin.version}{f' ({notes})' if notes else ''}"
        if not again:
            self._shown.add(name)
            for needed in sorted(self._needs[name]):
                yield from self._below(needed, depth=depth + 1)


def _package(source: str) -> str:
    """Read the name of a package from a `# via` comment, extras left out; empty where it names none."""
    try:
        return canonicalize_name(Requirement(source).name)
    except InvalidRequirement:
        return ""
