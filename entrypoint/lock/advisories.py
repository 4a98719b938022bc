"""Known vulnerabilities of locked packages: pins and advisories -> problems. Pure.

Advisories are OSV records, https://ossf.github.io/osv-schema/. Several databases report the same
vulnerability under different ids, and list each other's ids as aliases.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entrypoint.errors import Diagnostic
from entrypoint.figures import count
from entrypoint.index.pin import Pin
from entrypoint.manifest.model import Audit
from entrypoint.manifest.schema import SEVERITIES

RULE = "vulnerability"
_ECOSYSTEM = "PyPI"
_SUMMARY = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One vulnerability, with all its ids; the one that most tools use comes first."""

    ids: tuple[str, ...]
    summary: str
    #: The highest severity in any database; None if no database rates it.
    severity: str | None
    #: Versions of the package that fix it.
    fixed: tuple[str, ...]

    def meets_threshold(self, audit: Audit) -> bool:
        """Whether its severity is at or above the manifest's; an unrated vulnerability always is."""
        return self.severity is None or SEVERITIES.index(self.severity) >= SEVERITIES.index(audit.severity)


def read_advisories(name: str, records: Iterable[Mapping[str, object]]) -> tuple[Advisory, ...]:
    """Read the OSV records of a package; records of the same vulnerability are merged.

    Raises:
        KeyError, TypeError, AttributeError: a record does not follow the schema.
    """
    found: tuple[Advisory, ...] = ()
    for record in records:
        if not record.get("withdrawn"):
            found = _merged(found, _advisory(name, record))
    return tuple(sorted(found, key=lambda advisory: advisory.ids))


def vulnerable(
    pins: Mapping[Pin, Sequence[Pin]], advisories: Mapping[tuple[str, str], Sequence[Advisory]], audit: Audit
) -> Iterator[tuple[Advisory, Diagnostic]]:
    """Yield each vulnerability that is not ignored; `pins` maps a pin to all pins of the same version."""
    for pin, same in pins.items():
        for advisory in advisories.get((pin.name, pin.version), ()):
            if not audit.ignored & set(advisory.ids):
                yield advisory, _problem(pin, len({each.location.file for each in same}), advisory)


def _problem(pin: Pin, locks: int, advisory: Advisory) -> Diagnostic:
    severity = advisory.severity or "unknown severity"
    others = f", also in {count(locks - 1, 'other lock')}" if locks > 1 else ""
    message = f"{pin} has {advisory.ids[0]}, {severity}{others}: {advisory.summary}"
    newer = [version for version in advisory.fixed if _is_newer(version, pin.version)]
    if newer:
        first = min(newer, key=Version)
        pinned = f"{pin.name}=={first}"
        command = f"lambda-layers lock --upgrade-package '{pinned}'"
        hint = f"pin {pinned} or newer; for a generated lock, run: {command}"
    else:
        exception = "ignore it with a reason under 'audit: {ignore: ...}'"
        hint = f"no fixed version is known; replace the package, or {exception}"
    return Diagnostic(message, hint, pin.location, RULE)


def _advisory(name: str, record: Mapping[str, object]) -> Advisory:
    ids = [str(record["id"]), *_list(record, "aliases")]
    specific = record.get("database_specific")
    rated = str(specific.get("severity", "")).lower() if isinstance(specific, Mapping) else ""
    text = f"{record.get('summary') or ''}\n{record.get('details') or ''}\nno summary"
    line = next(line for line in text.splitlines() if line.strip()).strip()
    summary = "".join(letter if letter.isprintable() else " " for letter in line)
    return Advisory(
        ids=tuple(sorted(ids, key=_by_database)),
        summary=summary if len(summary) <= _SUMMARY else f"{summary[:_SUMMARY].rstrip()}…",
        severity=rated if rated in SEVERITIES else None,
        fixed=tuple(_fixed(name, record)),
    )


def _fixed(name: str, record: Mapping[str, object]) -> Iterator[str]:
    for affected in _list(record, "affected"):
        package = affected.get("package", {})
        if package.get("ecosystem") == _ECOSYSTEM and canonicalize_name(package.get("name", "")) == name:
            ranges = (each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
            yield from (
                event["fixed"] for each in ranges for event in each.get("events", ()) if "fixed" in event
            )


def _list(record: Mapping[str, object], key: str) -> list:  # type: ignore[type-arg]  # any JSON
    found = record.get(key)
    return found if isinstance(found, list) else []


def _merged(found: tuple[Advisory, ...], advisory: Advisory) -> tuple[Advisory, ...]:
    """Add an advisory; merge it with those that share an id with it."""
    related = [each for each in found if set(each.ids) & set(advisory.ids)]
    every = [*related, advisory]
    rated = [each.severity for each in every if each.severity]
    merged = Advisory(
        ids=tuple(sorted({name for each in every for name in each.ids}, key=_by_database)),
        summary=min(every, key=lambda each: _by_database(each.ids[0])).summary,
        severity=max(rated, key=SEVERITIES.index) if rated else None,
        fixed=tuple(dict.fromkeys(version for each in every for version in each.fixed)),
    )
    return (*(each for each in found if each not in related), merged)


def _by_database(name: str) -> tuple[int, str]:
    order = ("GHSA-", "CVE-", "PYSEC-")
    rank = next((index for index, prefix in enumerate(order) if name.startswith(prefix)), len(order))
    return rank, name


def _is_newer(version: str, other: str) -> bool:
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False
