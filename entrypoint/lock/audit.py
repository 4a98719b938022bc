"""Locks -> what is known against their packages."""

from collections import defaultdict
from collections.abc import Mapping

from entrypoint.commands.run import Run
from entrypoint.errors import AuditError
from entrypoint.lock.advisories import vulnerable
from entrypoint.lock.lock_file import Lock, Pin
from entrypoint.manifest.model import Audit
from entrypoint.manifest.targets import Target


def audit(run: Run, locks: Mapping[Target, Lock]) -> int:
    """Ask for known vulnerabilities of all that is locked; return how many packages were asked about.

    Raises:
        AuditError: with those that are as severe as the manifest asks; the others are warned of.
        FetchError: where the database cannot be asked.
    """
    settings = run.project.manifest.audit or Audit()
    alike: dict[tuple[str, str], list[Pin]] = defaultdict(list)
    for lock in locks.values():
        for pin in lock.pins:
            alike[pin.name, pin.version].append(pin)
    advisories = run.advisories(settings.url)(tuple(alike))
    found = list(vulnerable({pins[0]: pins for pins in alike.values()}, advisories, settings))
    run.console.warn(problem for advisory, problem in found if not advisory.counts(settings))
    if counting := [problem for advisory, problem in found if advisory.counts(settings)]:
        raise AuditError(*counting)
    return len(alike)
