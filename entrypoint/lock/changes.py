"""The differences between two locks of one platform: a current and a new one -> short texts."""

from collections.abc import Iterator

from entrypoint.index.pin import Pin
from entrypoint.lock.lock_file import Lock


def changes(current: Lock, new: Lock) -> tuple[str, ...]:
    """Describe each package that differs, sorted by name: `numpy 2.4.0 -> 2.5.5`, `six 1.17.0 added`."""
    before = {pin.name: pin for pin in current.pins}
    after = {pin.name: pin for pin in new.pins}
    packages = tuple(
        change for name in sorted(before | after) for change in _changes(before.get(name), after.get(name))
    )
    return (*packages, *_build_changes(current, new), *_library_changes(current, new))


def _build_changes(current: Lock, new: Lock) -> Iterator[str]:
    """Describe the differences in the build requirements of packages that both locks build from source."""
    for built in sorted(new.builds):
        before = {pin.name: pin for pin in current.builds.get(built, ())}
        after = {pin.name: pin for pin in new.builds[built]}
        for name in sorted(before | after):
            for change in _changes(before.get(name), after.get(name)):
                yield f"{change} (to build {built})"


def _library_changes(current: Lock, new: Lock) -> Iterator[str]:
    before, after = (dict(lock.libraries.packages if lock.libraries else ()) for lock in (current, new))
    for name in sorted(before | after):
        old, latest = before.get(name), after.get(name)
        if old is None or latest is None:
            how = "added" if old is None else "removed"
            yield f"{name} {old or latest} {how} (system package)"
        elif old != latest:
            yield f"{name} {old} -> {latest} (system package)"


def _changes(before: Pin | None, after: Pin | None) -> Iterator[str]:
    if before is None or after is None:
        yield from (
            f"{pin.name} {pin.version} {how}" for pin, how in ((before, "removed"), (after, "added")) if pin
        )
    elif before.version != after.version:
        yield f"{after.name} {before.version} -> {after.version}"
    elif before.from_source != after.from_source:
        yield f"{after} {'is now built from source' if after.from_source else 'now has a wheel'}"
    elif before.hashes != after.hashes and not after.is_folder:
        yield f"{after} has different hashes"
