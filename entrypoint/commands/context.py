"""What a command works with: arguments, environment, project, and the stages of its pipeline."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.errors import Diagnostic, Terminated, UsageError
from entrypoint.manifest.project import Project, load_project
from entrypoint.manifest.targets import AwsLayer, Target, aging
from entrypoint.variables import given

if TYPE_CHECKING:
    from entrypoint.pipeline import Pipeline
    from entrypoint.report.console import Console


class Context:
    """One run of a command; nothing is read or opened before it is used.

    Args:
        arguments: the parsed command line.
        environment: the process's environment variables.
        main: runs another command line, for the demo.
        stack: closes what was opened.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        environment: Mapping[str, str],
        *,
        main: Callable[[Sequence[str]], int],
        stack: ExitStack,
    ) -> None:
        self.arguments = arguments
        self.environment = environment
        self.main = main
        self._stack = stack
        #: What was warned of so far.
        self.warnings: list[Diagnostic] = []

    @property
    def has_summary(self) -> bool:
        """Whether a workflow shows a summary: it is worth more calls to explain the changes there."""
        return "GITHUB_STEP_SUMMARY" in self.environment

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The values of `${NAME}` in the manifest and in requirements files: those of `--set`.

        Raises:
            UsageError: a `--set` is not valid.
        """
        return given(self.arguments.set, self.environment)

    @cached_property
    def project(self) -> Project:
        """The project of `--manifest`.

        Raises:
            ManifestError: with everything that is wrong with the manifest.
        """
        return self.load(Path.cwd(), Path(self.arguments.manifest))

    @cached_property
    def source(self) -> Project | None:
        """The same project with the variables of `--from`; None if there are none.

        Raises:
            UsageError: a `--from` is not valid.
            ManifestError: with everything that is wrong with the manifest.
        """
        pairs = vars(self.arguments).get("from")
        if not pairs:
            return None
        variables = {**self.variables, **given(pairs, self.environment, option="--from")}
        return self._load(Path.cwd(), Path(self.arguments.manifest), variables)

    def load(self, root: Path, manifest: Path) -> Project:
        """Load a project with the variables of this run."""
        return self._load(root, manifest, self.variables)

    def _load(self, root: Path, manifest: Path, variables: Mapping[str, str]) -> Project:
        outside = tuple(map(Path, self.arguments.allow_outside))
        return load_project(manifest, root=root, variables=variables, outside=outside)

    @cached_property
    def console(self) -> "Console":
        """Where progress, warnings and tables are printed."""
        from entrypoint.report.console import Console  # noqa: PLC0415 - rich is slow to import
        from entrypoint.report.github import without_commands  # noqa: PLC0415

        arguments = vars(self.arguments)
        return Console(
            quiet=arguments.get("quiet", False),
            results=not arguments.get("json", False),
            warnings=self.warnings,
            disarm=without_commands if self.environment.get("GITHUB_ACTIONS") == "true" else None,
        )

    @cached_property
    def pipeline(self) -> "Pipeline":
        """The stages of the project, opened when they are first used."""
        from entrypoint.commands.open import open_pipeline  # noqa: PLC0415 - imports every stage

        self._interrupt_on_sigterm()
        self.console.warn(aging(self.project.manifest, datetime.now(tz=UTC).date()))
        arguments = vars(self.arguments)
        return open_pipeline(
            self.project,
            self.console,
            self._stack,
            source=self.source,
            environment=self.environment,
            variables=self.variables,
            cache=arguments.get("cache"),
            locked=arguments.get("locked", False),
            local=arguments.get("aws") == "local",
            verbose=arguments.get("verbose", False),
            engine=arguments.get("engine", "pip-compile"),
        )

    def _interrupt_on_sigterm(self) -> None:
        """Handle SIGTERM like Ctrl-C; as the first process of a container, Python ignores it otherwise."""
        import signal  # noqa: PLC0415 - slow to import, and only work that takes long is interrupted
        import threading  # noqa: PLC0415

        def terminate(*_: object) -> None:
            raise Terminated

        if threading.current_thread() is threading.main_thread():
            self._stack.callback(signal.signal, signal.SIGTERM, signal.signal(signal.SIGTERM, terminate))

    def targets(self, names: Sequence[str]) -> tuple[Target, ...]:
        """Return the targets with these names; all where none is given.

        Raises:
            UsageError: there is no such target.
        """
        by_name = {str(target): target for target in self.project.targets}
        unknown = [name for name in names if name not in by_name]
        if unknown:
            from difflib import get_close_matches  # noqa: PLC0415 - slow to import

            close = get_close_matches(unknown[0], by_name, n=1)
            hint = f"did you mean {close[0]}?" if close else f"choose from {', '.join(by_name)}"
            raise UsageError.of(f"no target {', '.join(unknown)}", hint)
        return tuple(by_name[name] for name in names) or self.project.targets

    def layers(self, names: Sequence[str]) -> tuple[AwsLayer, ...]:
        """Return the layers with these names, in AWS or in the manifest; all where none is given.

        Raises:
            UsageError: there is no such layer.
        """
        layers = self.project.layers
        known = {layer.name for layer in layers} | set(self.project.manifest.layers)
        if unknown := sorted(set(names) - known):
            raise UsageError.of(f"no layer {', '.join(unknown)}", f"choose from {', '.join(sorted(known))}")
        return tuple(
            layer
            for layer in layers
            if not names or layer.name in names or layer.targets[0].layer.name in names
        )
