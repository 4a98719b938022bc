"""Diagnostics as SARIF 2.1.0, for code scanning.

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
from entrypoint.errors import AuditError, Diagnostic, LayersError, Location, Severity
from entrypoint.layer.verify import SUMMARIES
from entrypoint.lock.advisories import RULE as VULNERABILITY
from entrypoint.release.findings import RULE as DOCTOR
from entrypoint.release.status import RULE as DRIFT

_HOME = "https://github.com/lambda-layer-pipeline/lambda-layer-pipeline"
_NOTICE = "notice"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(error: LayersError | None, found: Sequence[Diagnostic], *, manifest: str) -> str:
    """Return a run's error and findings; those without a location are shown at the manifest."""
    kind = _kind(type(error)) if error else ""
    by_rule = [(problem.rule or kind, problem) for problem in (error.problems if error else ())]
    by_rule += [(diagnostic.rule or _NOTICE, diagnostic) for diagnostic in found]
    results = [_result(*each, manifest) for each in dict.fromkeys(by_rule)]
    driver = {
        "name": "lambda-layers",
        "version": __version__,
        "informationUri": _HOME,
        "rules": list(_rules({rule for rule, _ in by_rule})),
    }
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return json.dumps({"$schema": schema, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _result(rule: str, problem: Diagnostic, manifest: str) -> dict[str, Any]:
    location = problem.location or Location(manifest)
    stable = f"{rule} {location.file} {problem.message}"  # without its line, which may change
    return {
        "ruleId": rule,
        "level": _LEVELS[problem.severity],
        "message": {"text": problem.text},
        "locations": [{"physicalLocation": _location(location)}],
        "partialFingerprints": {"problem/v1": hashlib.sha256(stable.encode()).hexdigest()},
    }


def _location(location: Location) -> dict[str, Any]:
    path = Path(location.file)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    region = {"startLine": location.line or 1} | ({"startColumn": location.column} if location.column else {})
    return {"artifactLocation": {"uri": quote(path.as_posix())}, "region": region}


def _rules(used: set[str]) -> Iterator[dict[str, Any]]:
    texts = {_kind(kind): kind.summary for kind in LayersError.__subclasses__()}
    texts |= SUMMARIES
    texts |= {
        _NOTICE: "A warning.",
        VULNERABILITY: AuditError.summary,
        DRIFT: "AWS differs from the manifest.",
        DOCTOR: "A function's network, role or concurrency has a problem.",
    }
    for rule in sorted(used):
        page = (
            f"{_HOME}/blob/main/docs/rules.md#{rule}" if rule in SUMMARIES else f"{_HOME}#locally-with-docker"
        )
        yield {"id": rule, "shortDescription": {"text": texts[rule]}, "helpUri": page}


def _kind(error: type[LayersError]) -> str:
    family = next(kind for kind in error.__mro__ if LayersError in kind.__bases__)
    return family.__name__.removesuffix("Error").lower()
