"""What stands in AWS beside what the manifest asks for, in every account and region; changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from entrypoint.aws.model import Details
from entrypoint.commands.run import Run
from entrypoint.errors import LayersError
from entrypoint.layer.archives import Files
from entrypoint.layer.dependency_hash import layer_hashes
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.model import Destination
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.release.alarms import alarms_to_put
from entrypoint.release.result import RegionResult
from entrypoint.release.selection import Selection, select
from entrypoint.release.state import RegionState, read_details, read_state
from entrypoint.release.status import RegionStatus, status_of

_DESTINATIONS_AT_ONCE = 64


class Observed(NamedTuple):
    """What plans and the status are made from."""

    state: RegionState
    #: The functions that the manifest means, and more about those whose entries speak of it.
    selection: Selection
    details: Mapping[str, Details]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """How AWS stands everywhere, and where it could not be asked."""

    regions: tuple[RegionStatus, ...]
    failures: tuple[RegionResult, ...] = ()


def observe(
    run: Run, destination: Destination, hashes: Mapping[str, str], *, every_version: bool = False
) -> Observed:
    """Read an account and region; `hashes` are the dependency hashes of the layers that matter, by name."""
    project, aws = run.project, run.aws(destination)
    state = read_state(aws, destination, hashes, project.manifest.functions, every_version=every_version)
    selection = select(project.manifest, project.layers, state.functions, state.tags, destination)
    return Observed(state, selection, read_details(aws, selection.functions))


def statuses_everywhere(run: Run, locks: Mapping[Target, Lock], files: Files) -> Statuses:
    """Compare AWS with the manifest; a place where AWS cannot be asked stops no other."""
    layers = run.project.layers
    hashes = layer_hashes(layers, locks, files)

    def look(destination: Destination) -> RegionStatus | RegionResult:
        try:
            state, selection, details = observe(run, destination, hashes, every_version=True)
            aws = run.aws(destination)
            alarms = alarms_to_put(aws, selection.functions, details, destination.region)
        except LayersError as error:
            return RegionResult(destination=destination, error=error)
        today = datetime.now(tz=UTC).date()
        return status_of(layers, hashes, state, selection, details, alarms=alarms, today=today)

    destinations = run.project.manifest.destinations(run.default_region)
    found = for_each(destinations, look, at_once=_DESTINATIONS_AT_ONCE)
    return Statuses(
        regions=tuple(each for each in found if isinstance(each, RegionStatus)),
        failures=tuple(each for each in found if isinstance(each, RegionResult)),
    )
