"""Executions of durable functions that an update changes while they run.

An execution replays on the version that it began on. One that began on $LATEST, or on $LATEST.PUBLISHED of a
function on managed instances, goes on with what that has then, for up to a year.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from entrypoint.aws.model import MOST_EXECUTIONS
from entrypoint.errors import Diagnostic
from entrypoint.release.function_change import Aspect, FunctionChange
from entrypoint.release.reading import Reading

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_CHANGED = {Aspect.LAYERS, Aspect.VPC, Aspect.PUBLISHED}


def running_executions(
    aws: "Aws", changes: Iterable[FunctionChange], versions: Mapping[str, str]
) -> Iterator[Diagnostic]:
    """Yield a warning for each function with executions that would go on with other layers."""
    reading = Reading()
    for change in changes:
        function = change.function
        if not function.is_durable or not _CHANGED.intersection(change.aspects(versions)):
            continue
        if running := reading(partial(aws.functions.running_executions, function)):
            number = f"at least {running:,}" if running >= MOST_EXECUTIONS else f"{running}"
            noun = "execution" if running == 1 else "executions"
            message = f"{number} running {noun} of {function.name} would go on with its new layers"
            hint = "wait until they have ended, or start executions by an alias or a version"
            yield Diagnostic(message, hint, change.location)
    yield from reading.refused
