"""`lambda-layers plan`: what a deployment would do."""

from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed, switch, valued
from entrypoint.errors import AwsError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


_SOMETHING_TO_DO = 2


def run(context: "Context") -> Result:
    """Compare the manifest with AWS."""
    from entrypoint.report.outputs import plan_outputs  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import plans_as_json  # noqa: PLC0415
    from entrypoint.report.summary import plan_summary  # noqa: PLC0415

    plans = context.pipeline.plan()
    if context.arguments.out:
        from entrypoint.report.reviewed import write_plan  # noqa: PLC0415 - most runs write none

        write_plan(Path(context.arguments.out), plans)
    explained = context.pipeline.explain(plans) if context.has_summary else ()
    is_empty = all(plan.is_empty for plan in plans.values)
    return Result(
        show=lambda console: console.plans(plans.values),
        data=plans_as_json(plans),
        outputs=plan_outputs(plans),
        summary=plan_summary(plans, explained),
        error=failed(AwsError, plans.diagnostics),
        exit_code=_SOMETHING_TO_DO if context.arguments.detailed_exitcode and not is_empty else 0,
    )


COMMAND = Command(
    (
        switch("--detailed-exitcode", "exit with 2 if there is anything to do"),
        valued("--out", "FILE", "also write the plan to this file, for 'deploy --plan'"),
        options.FROM,
        *options.ON_AWS,
        options.CACHE,
        options.LOCKED,
        options.JSON,
    ),
    run,
)
