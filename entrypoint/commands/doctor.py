"""`lambda-layers doctor`: the functions' VPCs, roles and throttles."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, failed
from entrypoint.errors import AwsError, PlanError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Examine what functions need in AWS."""
    from entrypoint.aws.accounts import located  # noqa: PLC0415 - slow to import
    from entrypoint.report.results import diagnoses_as_json  # noqa: PLC0415

    diagnoses = context.pipeline.doctor()
    is_sound = all(diagnosis.is_sound for diagnosis in diagnoses.values)
    return Result(
        show=lambda console: console.diagnoses(diagnoses.values),
        data=diagnoses_as_json(diagnoses),
        findings=located((each.destination, each.findings) for each in diagnoses.values),
        error=failed(AwsError, diagnoses.diagnostics),
        exit_code=0 if is_sound else PlanError.exit_code,
    )


COMMAND = Command(
    (
        *options.ON_AWS,
        options.SARIF,
        options.JSON,
    ),
    run,
)
