"""`lambda-layers audit`: known vulnerabilities of the locked packages."""

from collections import defaultdict
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed
from entrypoint.errors import AuditError
from entrypoint.index.pin import Pin
from entrypoint.manifest.model import Audit

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Ask the vulnerability database about every locked package.

    Raises:
        FetchError: the database cannot be reached.
    """
    from entrypoint.lock.advisories import vulnerable  # noqa: PLC0415 - slow to import
    from entrypoint.lock.osv import Osv  # noqa: PLC0415

    project = context.project
    settings = project.manifest.audit or Audit()
    locks = context.pipeline.locks.of(project.targets)
    same: dict[tuple[str, str], list[Pin]] = defaultdict(list)
    for lock in locks.values():
        for pin in lock.pins:
            if not pin.is_folder:  # which has the name of another package, if of any
                same[pin.name, pin.version].append(pin)
    advisories = Osv(settings.url, environment=context.environment).advisories(tuple(same))
    found = tuple(vulnerable({pins[0]: pins for pins in same.values()}, advisories, settings))
    context.console.warn(problem for advisory, problem in found if not advisory.meets_threshold(settings))
    error = failed(AuditError, [problem for advisory, problem in found if advisory.meets_threshold(settings)])
    text = f"{len(same)} package versions checked, no known vulnerability at or above the threshold"
    return Result(
        text="" if error or context.arguments.quiet else text,
        data={"packages": len(same), "vulnerabilities": len(found)},
        error=error,
    )


COMMAND = Command(
    (
        *options.COMMON,
        options.SARIF,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
