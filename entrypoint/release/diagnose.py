"""The manifest's functions -> findings, in every account and region at once; changes nothing."""

from datetime import UTC, datetime
from typing import NamedTuple

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, LayersError
from entrypoint.manifest.model import Destination
from entrypoint.parallel import for_each
from entrypoint.release.doctor import examine
from entrypoint.release.findings import Diagnosis, error, warning
from entrypoint.release.selection import select
from entrypoint.release.state import read_state

_DESTINATIONS_AT_ONCE = 64


class Diagnoses(NamedTuple):
    """What was found everywhere, and why AWS could not be asked somewhere."""

    diagnoses: tuple[Diagnosis, ...]
    problems: tuple[Diagnostic, ...]


def diagnose_everywhere(run: Run) -> Diagnoses:
    """Examine what the functions need; a place where AWS cannot be asked stops no other."""

    def attempt(destination: Destination) -> Diagnosis | LayersError:
        try:
            return _diagnose(run, destination)
        except LayersError as failure:
            return failure

    manifest = run.project.manifest
    found = for_each(manifest.destinations(run.default_region), attempt, at_once=_DESTINATIONS_AT_ONCE)
    failures = [each for each in found if isinstance(each, LayersError)]
    return Diagnoses(
        diagnoses=tuple(each for each in found if isinstance(each, Diagnosis)),
        problems=tuple(dict.fromkeys(problem for failure in failures for problem in failure.problems)),
    )


def _diagnose(run: Run, destination: Destination) -> Diagnosis:
    project, aws = run.project, run.aws(destination)
    state = read_state(aws, destination, {}, project.manifest.functions)
    selected = select(project.manifest, project.layers, state.functions, state.tags, destination)
    missing = [error(problem.message, problem.hint) for problem in selected.problems]
    odd = [warning(problem.message, problem.hint) for problem in selected.warnings]
    found = examine(aws, selected.functions, datetime.now(tz=UTC))
    return Diagnosis.of(destination, [*missing, *odd, *found])
