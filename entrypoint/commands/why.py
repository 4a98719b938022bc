"""`lambda-layers why`: what requires a package, from a target's lock; offline."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, valued

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Print a tree of requirements."""
    from entrypoint.lock.why import why  # noqa: PLC0415 - slow to import

    arguments = context.arguments
    (target,) = context.targets([arguments.target])
    tree = why(context.project, target, arguments.package)
    return Result(
        text=tree, data={"target": str(target), "package": arguments.package, "tree": tree.splitlines()}
    )


COMMAND = Command(
    (
        valued("target", "TARGET", "such as web-python3.13-arm64"),
        valued("package", "PACKAGE", "the package's name"),
        options.MANIFEST,
        options.SET,
        options.OUTSIDE,
        options.JSON,
    ),
    run,
)
