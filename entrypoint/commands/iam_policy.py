"""`lambda-layers iam-policy`: the IAM policy that a deployment needs."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, valued

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Print the policy."""
    import json  # noqa: PLC0415 - slow to import

    from entrypoint.release.iam_policy import iam_policy  # noqa: PLC0415

    project = context.project
    regions = project.manifest.regions or (context.environment.get("AWS_REGION") or "*",)
    account = context.arguments.account
    policy = iam_policy(project.manifest, project.layers, regions=regions, account=account)
    return Result(text=json.dumps(policy, indent=2))


COMMAND = Command(
    (
        valued("--account", "NUMBER", "the account; default: any", default="*"),
        options.MANIFEST,
        options.SET,
        options.OUTSIDE,
    ),
    run,
)
