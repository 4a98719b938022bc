"""Locks -> what the index has of them: each package a wheel for its target, or compiled on purpose."""

from collections.abc import Mapping

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import choose
from entrypoint.index.incompatible import nothing_fits
from entrypoint.lock.lock_file import Lock, Pin
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each


def check_wheels(run: Run, locks: Mapping[Target, Lock]) -> None:
    """Make sure, without fetching any, that every pin has a wheel that fits, or is named in `from_source`.

    Raises:
        FetchError: with every pin that has none.
    """

    def check(item: tuple[Target, Lock, Pin]) -> None:
        if problem := _problem(run, *item):
            raise FetchError(problem)

    for_each([(target, lock, pin) for target, lock in locks.items() for pin in lock.pins], check)


def _problem(run: Run, target: Target, lock: Lock, pin: Pin) -> Diagnostic | None:
    if pin.name in target.layer.from_source or lock.options.wants_source(pin.name):
        return None
    if pin.from_source:
        message = f"{pin} has no wheel for {target.platform}, and would be compiled"
        return Diagnostic(message, f"name {pin.name} under 'from_source' if it is to be", pin.location)
    files = run.index(lock.options).files(pin.name)
    fits = choose(pin, files, target.platform)
    return None if fits else nothing_fits(pin, files, target.platform)
