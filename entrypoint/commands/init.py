"""`lambda-layers init`: a first manifest."""

from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, switch

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Write the manifest, unless there is one."""
    from entrypoint.init import draft_of, refuse_existing, write_draft  # noqa: PLC0415 - slow to import
    from entrypoint.init.summary import summary  # noqa: PLC0415

    path = Path(context.arguments.manifest)
    refuse_existing(path)
    if context.arguments.from_aws:
        from entrypoint.commands.open import open_default_account  # noqa: PLC0415 - imports boto3
        from entrypoint.init.account import found_in_account  # noqa: PLC0415

        with open_default_account() as aws:
            draft = found_in_account(aws, aws.destination.region)
    else:
        draft = draft_of(path.parent)
    write_draft(path, draft)
    report = summary(draft, path.parent)
    return Result(text=f"{report}\nwrote {path}; next, run: lambda-layers lock".lstrip("\n"))


COMMAND = Command(
    (
        switch("--from-aws", "from the layers that functions in AWS use"),
        options.MANIFEST,
    ),
    run,
)
