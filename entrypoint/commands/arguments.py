"""What a command's arguments mean: the project, its targets and layers, and the run."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.errors import UsageError
from entrypoint.lock.project import Project, load_project
from entrypoint.manifest.targets import AwsLayer, Target, aging

if TYPE_CHECKING:
    from entrypoint.commands.run import Run


@contextmanager
def started(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Iterator["Run"]:
    """Read the manifest and open the outside world, for the commands that do the work."""
    from entrypoint.commands.outside import open_run  # noqa: PLC0415
    from entrypoint.report.console import Console  # noqa: PLC0415
    from entrypoint.report.github import without_commands  # noqa: PLC0415

    disarm = without_commands if environment.get("GITHUB_ACTIONS") == "true" else None
    console = Console(quiet=arguments.quiet, warnings=arguments.warnings, disarm=disarm)
    project = project_of(arguments, environment)
    console.warn(aging(project.manifest, datetime.now(tz=UTC).date()))
    with open_run(
        project,
        console,
        environment=environment,
        cache=getattr(arguments, "cache", None),
        locked=getattr(arguments, "locked", False),
        local=getattr(arguments, "aws", None) == "local",
        verbose=getattr(arguments, "verbose", False),
        engine=getattr(arguments, "engine", "pip-compile"),
    ) as run:
        try:
            yield run
        except KeyboardInterrupt:
            console.finished()
            raise


def project_of(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Project:
    """Read the manifest that is named.

    Raises:
        ManifestError: with everything that is wrong with it.
        UsageError: a `--set` that sets nothing.
    """
    variables = variables_of(arguments, environment)
    return load_project(Path(arguments.manifest), root=Path.cwd(), variables=variables)


def variables_of(arguments: argparse.Namespace, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return what `${NAME}` in the manifest may stand for: the environment and each `--set`."""
    variables = dict(environment)
    for pair in arguments.set:
        name, equals, value = pair.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError.of(f"--set {pair} is no NAME=VALUE", "write it as --set STAGE=prod")
        variables[name] = value
    return variables


def targets_named(project: Project, names: Sequence[str]) -> tuple[Target, ...]:
    """Return the targets that are named; all where none is.

    Raises:
        UsageError: there is no such target.
    """
    by_name = {str(target): target for target in project.targets}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        from difflib import get_close_matches  # noqa: PLC0415

        close = get_close_matches(unknown[0], by_name, n=1)
        hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(by_name)}"
        raise UsageError.of(f"there is no target {', '.join(unknown)}", hint)
    return tuple(by_name[name] for name in names) or project.targets


def layers_named(project: Project, names: Sequence[str]) -> tuple[AwsLayer, ...]:
    """Return the layers of AWS that are meant: by their name there, or by the manifest's.

    Raises:
        UsageError: there is no such layer.
    """
    known = {layer.name for layer in project.layers} | set(project.manifest.layers)
    if unknown := sorted(set(names) - known):
        hint = f"choose from {', '.join(sorted(known))}"
        raise UsageError.of(f"there is no layer {', '.join(unknown)}", hint)
    return tuple(
        layer
        for layer in project.layers
        if not names or layer.name in names or layer.targets[0].layer.name in names
    )
