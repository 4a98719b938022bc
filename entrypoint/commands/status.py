"""`lambda-layers status`: where AWS differs from the manifest."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed
from entrypoint.errors import AwsError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


_DRIFT = 2


def run(context: "Context") -> Result:
    """Compare AWS with the manifest."""
    from entrypoint.release.status import drift_diagnostics  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import statuses_as_json  # noqa: PLC0415
    from entrypoint.report.summary import status_summary  # noqa: PLC0415

    statuses = context.pipeline.status()
    return Result(
        show=lambda console: console.statuses(statuses.values),
        data=statuses_as_json(statuses),
        summary=status_summary(statuses.values) if statuses.values else "",
        is_comment=False,
        findings=drift_diagnostics(statuses.values),
        error=failed(AwsError, statuses.diagnostics),
        exit_code=_DRIFT if any(status.drift for status in statuses.values) else 0,
    )


COMMAND = Command(
    (
        *options.ON_AWS,
        options.CACHE,
        options.SARIF,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
