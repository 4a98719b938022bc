"""A plan in a file: written for a review, and compared with what a deployment would do later.

The file only says what may be done. It is never carried out, so nothing in it has to be trusted.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from entrypoint.aws.accounts import Results
from entrypoint.errors import Diagnostic, PlanError, UsageError
from entrypoint.files import write_text
from entrypoint.release.plan import RegionPlan
from entrypoint.report.results import plans_as_json

_HINT = "review a new plan: lambda-layers plan --out FILE"
_LARGEST = 64 << 20


def write_plan(path: Path, plans: Results[RegionPlan]) -> None:
    """Write plans as `plan --json` prints them."""
    write_text(path, json.dumps(plans_as_json(plans), indent=2) + "\n")


def refuse_other(path: Path, plans: Results[RegionPlan]) -> None:
    """Refuse plans that differ from those in a file.

    Raises:
        UsageError: the file is not a plan.
        PlanError: with every layer, function and alarm that would be treated in another way.
    """
    try:
        with path.open("rb") as file:  # what is cut off is not JSON
            reviewed = _things(json.loads(file.read(_LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError.of(f"{path} is not a plan: {error}", _HINT) from None
    now = _things(json.loads(json.dumps(plans_as_json(plans))))
    if different := [name for name in sorted(reviewed | now) if reviewed.get(name) != now.get(name)]:
        raise PlanError(*(_difference(name, reviewed.get(name), now.get(name)) for name in different))


def _difference(name: str, reviewed: dict[str, Any] | None, now: dict[str, Any] | None) -> Diagnostic:
    if reviewed is None or now is None:
        what = "is not in the plan that was reviewed" if reviewed is None else "was in it, and is not now"
        return Diagnostic(f"{name} {what}", _HINT)
    keys = [key for key in now if now[key] != reviewed.get(key)]
    return Diagnostic(f"{name} is not as it was when the plan was reviewed: {', '.join(keys)}", _HINT)


def _things(plan: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return everything that a plan decides about, by its name."""
    return dict(_named(plan))


def _named(plan: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for region in plan["regions"]:
        where = f"{region.get('account', '')} {region['region']}".strip()
        # What is deleted at the end depends on how many versions are kept.
        yield where, {key: region.get(key) for key in ("problems", "keep", "keepVersions")}
        for kind in ("layers", "functions"):
            for each in region.get(kind, ()):
                yield f"{where}: {kind.removesuffix('s')} {each['name']}", dict(each)
        for name, settings in region.get("alarmSettings", {}).items():
            yield f"{where}: alarm {name}", dict(settings)
