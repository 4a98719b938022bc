"""Problems as SARIF 2.1.0, for code scanning: findings at their lines, kept from run to run.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; of that, what GitHub reads:
https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from entrypoint import __version__
from entrypoint.errors import AuditError, Diagnostic, LayersError, Location
from entrypoint.layer.verify import SUMMARIES
from entrypoint.lock.advisories import RULE as VULNERABILITY

_HOME = "https://github.com/lambda-layer-pipeline/lambda-layer-pipeline"
_NOTICE = "notice"


def sarif(error: LayersError | None, warnings: Sequence[Diagnostic], *, manifest: str) -> str:
    """Return what went wrong in a run, and what it warned of; what has no place is shown at the manifest."""
    kind = _kind(type(error)) if error else ""
    told = [(_rule(problem, kind), "error", problem) for problem in (error.problems if error else ())]
    told += [(_rule(problem, _NOTICE), "warning", problem) for problem in warnings]
    results = [_result(*each, manifest) for each in told]
    driver = {
        "name": "lambda-layers",
        "version": __version__,
        "informationUri": _HOME,
        "rules": list(_rules({rule for rule, _, _ in told})),
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(rule: str, level: str, problem: Diagnostic, manifest: str) -> dict[str, Any]:
    text = f"{problem.message}; {problem.hint}" if problem.hint else problem.message
    location = problem.location or Location(manifest)
    lasting = f"{rule} {location.file} {problem.message}"  # its line may move
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": _location(location)}],
        "partialFingerprints": {"problem/v1": hashlib.sha256(lasting.encode()).hexdigest()},
    }


def _location(location: Location) -> dict[str, Any]:
    path = Path(location.file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    region = {"startLine": location.line or 1} | ({"startColumn": location.column} if location.column else {})
    return {"artifactLocation": {"uri": quote(path.as_posix())}, "region": region}


def _rules(used: set[str]) -> Iterator[dict[str, Any]]:
    kinds = {_kind(kind): kind.__doc__ or "" for kind in LayersError.__subclasses__()}
    told = kinds | SUMMARIES | {_NOTICE: "Something to know of.", VULNERABILITY: AuditError.__doc__ or ""}
    for rule in sorted(used):
        text = told[rule].partition("\n")[0]
        page = f"{_HOME}/blob/main/docs/rules.md#{rule}" if rule in SUMMARIES else f"{_HOME}#on-a-desk"
        yield {"id": rule, "shortDescription": {"text": text}, "helpUri": page}


def _rule(problem: Diagnostic, otherwise: str) -> str:
    return problem.rule or otherwise


def _kind(error: type[LayersError]) -> str:
    family = next(kind for kind in error.__mro__ if LayersError in kind.__bases__)
    return family.__name__.removesuffix("Error").lower()
