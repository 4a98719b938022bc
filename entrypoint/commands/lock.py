"""`lambda-layers lock`: pins and hashes the packages of every target."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Option, Result, repeated, switch
from entrypoint.errors import UsageError

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(context: "Context") -> Result:
    """Write the locks, or compare them."""
    arguments = context.arguments
    context.pipeline.lock(
        context.targets(arguments.target),
        upgrade=arguments.upgrade,
        packages=_requirements(arguments.upgrade_package),
        check=arguments.check,
    )
    if not arguments.target:
        context.pipeline.pin_layers(upgrade=arguments.upgrade, check=arguments.check)
    return Result()


def _requirements(texts: Sequence[str]) -> Sequence[str]:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - slow to import

    for text in texts:
        try:
            Requirement(text)
        except InvalidRequirement:
            message = f"--upgrade-package {text!r} is not a package"
            raise UsageError.of(message, "write NAME or NAME==VERSION") from None
    return texts


COMMAND = Command(
    (
        switch("--upgrade", "upgrade all packages to the newest allowed versions"),
        repeated("--upgrade-package", "NAME", "upgrade only this package"),
        switch("--check", "write nothing; fail if any lock would change"),
        Option(
            "--engine",
            "the resolver; default: %(default)s",
            {"choices": ["pip-compile", "uv"], "default": "pip-compile"},
        ),
        options.TARGETS,
        *options.COMMON,
        options.CACHE,
    ),
    run,
)
