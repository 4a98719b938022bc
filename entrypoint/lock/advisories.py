"""Known vulnerabilities of locked packages: pins and advisories go in, problems come out. Pure.

Advisories are records of OSV, https://ossf.github.io/osv-schema/. Several databases tell of the same
vulnerability under ids of their own; they name each other as aliases.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from entrypoint.errors import Diagnostic
from entrypoint.index.pin import Pin
from entrypoint.manifest.model import Audit
from entrypoint.manifest.schema import SEVERITIES

RULE = "vulnerability"
_ECOSYSTEM = "PyPI"
_SUMMARY = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Advisory:
    """One vulnerability by all of its names, the one that most tools use first."""

    ids: tuple[str, ...]
    summary: str
    #: The worst that any database says; None where none does.
    severity: str | None
    #: Versions of the package that are without it.
    fixed: tuple[str, ...]

    def counts(self, audit: Audit) -> bool:
        """Return whether it is as severe as the manifest asks; what nobody has rated counts."""
        return self.severity is None or SEVERITIES.index(self.severity) >= SEVERITIES.index(audit.severity)


def read_advisories(name: str, records: Iterable[Mapping[str, object]]) -> tuple[Advisory, ...]:
    """Return what OSV's records say of a package; records of the same vulnerability become one.

    Raises:
        KeyError, TypeError, AttributeError: a record is none.
    """
    found: tuple[Advisory, ...] = ()
    for record in records:
        if not record.get("withdrawn"):
            found = _merged(found, _advisory(name, record))
    return tuple(sorted(found, key=lambda advisory: advisory.ids))


def vulnerable(
    pins: Mapping[Pin, Sequence[Pin]], advisories: Mapping[tuple[str, str], Sequence[Advisory]], audit: Audit
) -> Iterator[tuple[Advisory, Diagnostic]]:
    """Yield each vulnerability that is not ignored; `pins` have one of each version, and all like it."""
    for pin, alike in pins.items():
        for advisory in advisories.get((pin.name, pin.version), ()):
            if not audit.ignored & set(advisory.ids):
                yield advisory, _problem(pin, len({each.location.file for each in alike}), advisory)


def _problem(pin: Pin, locks: int, advisory: Advisory) -> Diagnostic:
    rated = advisory.severity or "of no known severity"
    others = f", as {locks - 1} other lock{'s have' if locks > 2 else ' has'} it" if locks > 1 else ""  # noqa: PLR2004
    message = f"{pin} has {advisory.ids[0]}, {rated}{others}: {advisory.summary}"
    newer = [version for version in advisory.fixed if _is_newer(version, pin.version)]
    if newer:
        first = min(newer, key=Version)
        pinned = f"{pin.name}=={first}"
        hint = f"pin {pinned} or newer; in a lock of ours: lambda-layers lock --upgrade-package '{pinned}'"
    else:
        hint = (
            "no version is known to be without it; give a reason under 'audit: {ignore: ...}', or replace it"
        )
    return Diagnostic(message, hint, pin.location, RULE)


def _advisory(name: str, record: Mapping[str, object]) -> Advisory:
    ids = [str(record["id"]), *_listed(record, "aliases")]
    specific = record.get("database_specific")
    rated = str(specific.get("severity", "")).lower() if isinstance(specific, Mapping) else ""
    told = f"{record.get('summary') or ''}\n{record.get('details') or ''}\nno summary"
    line = next(line for line in told.splitlines() if line.strip()).strip()
    summary = "".join(letter if letter.isprintable() else " " for letter in line)
    return Advisory(
        ids=tuple(sorted(ids, key=_known_first)),
        summary=summary if len(summary) <= _SUMMARY else f"{summary[:_SUMMARY].rstrip()}…",
        severity=rated if rated in SEVERITIES else None,
        fixed=tuple(_fixed(name, record)),
    )


def _fixed(name: str, record: Mapping[str, object]) -> Iterator[str]:
    for affected in _listed(record, "affected"):
        package = affected.get("package", {})
        if package.get("ecosystem") == _ECOSYSTEM and canonicalize_name(package.get("name", "")) == name:
            ranges = (each for each in affected.get("ranges", ()) if each.get("type") == "ECOSYSTEM")
            yield from (
                event["fixed"] for each in ranges for event in each.get("events", ()) if "fixed" in event
            )


def _listed(record: Mapping[str, object], key: str) -> list:  # type: ignore[type-arg]  # as JSON has it
    found = record.get(key)
    return found if isinstance(found, list) else []


def _merged(found: tuple[Advisory, ...], advisory: Advisory) -> tuple[Advisory, ...]:
    """Put an advisory with those that share an id with it."""
    same = [each for each in found if set(each.ids) & set(advisory.ids)]
    every = [*same, advisory]
    rated = [each.severity for each in every if each.severity]
    whole = Advisory(
        ids=tuple(sorted({name for each in every for name in each.ids}, key=_known_first)),
        summary=min(every, key=lambda each: _known_first(each.ids[0])).summary,
        severity=max(rated, key=SEVERITIES.index) if rated else None,
        fixed=tuple(dict.fromkeys(version for each in every for version in each.fixed)),
    )
    return (*(each for each in found if each not in same), whole)


def _known_first(name: str) -> tuple[int, str]:
    order = ("GHSA-", "CVE-", "PYSEC-")
    return next(
        (location for location, start in enumerate(order) if name.startswith(start)), len(order)
    ), name


def _is_newer(version: str, other: str) -> bool:
    try:
        return Version(version) > Version(other)
    except InvalidVersion:
        return False
