"""Locks -> whether the index has a compatible wheel for each locked package."""

from collections.abc import Mapping

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import choose
from entrypoint.index.incompatible import no_compatible_file
from entrypoint.lock.lock_file import Lock, Pin
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each


def check_wheels(run: Run, locks: Mapping[Target, Lock]) -> None:
    """Check that every pin has a compatible wheel or is listed in `from_source`; downloads no files.

    Raises:
        FetchError: with every pin that has neither.
    """

    def check(item: tuple[Target, Lock, Pin]) -> None:
        if problem := _problem(run, *item):
            raise FetchError(problem)

    for_each([(target, lock, pin) for target, lock in locks.items() for pin in lock.pins], check)


def _problem(run: Run, target: Target, lock: Lock, pin: Pin) -> Diagnostic | None:
    if pin.name in target.layer.from_source or lock.options.wants_source(pin.name):
        return None
    if pin.from_source:
        message = f"{pin} has no compatible wheel for {target.platform} and would be compiled"
        return Diagnostic(message, f"add {pin.name} to 'from_source' to allow this", pin.location)
    files = run.index(lock.options).files(pin.name)
    return None if choose(pin, files, target.platform) else no_compatible_file(pin, files, target.platform)
