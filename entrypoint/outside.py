"""Opens the outside world for one run: package indexes, pip-compile, builders, AWS real or embedded."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache as remember
from pathlib import Path

from entrypoint.build.compile import Compiler
from entrypoint.build.requirement_options import IndexOptions
from entrypoint.edges.aws import Access, AwsRegion
from entrypoint.edges.builders import SystemBuilders
from entrypoint.edges.index import PackageIndex
from entrypoint.edges.pip_compile import PipCompile
from entrypoint.project import Project
from entrypoint.report.console import Console
from entrypoint.run import Run
from entrypoint.runtimes import Runtime


@contextmanager
def open_run(
    project: Project,
    console: Console,
    *,
    environment: Mapping[str, str],
    cache: str | None,
    locked: bool,
    local: bool,
) -> Iterator[Run]:
    """Give a command what it works with, and close it behind it.

    Nothing is reached before it is asked for. `local` takes the embedded AWS instead of the real one.
    """
    with ExitStack() as stack:

        @remember
        def index(options: IndexOptions) -> PackageIndex:
            return stack.enter_context(PackageIndex(options, environment=environment))

        access = stack.enter_context(_local_aws(project)) if local else Access()

        @remember
        def aws(region: str) -> AwsRegion:
            bucket = project.manifest.bucket
            return stack.enter_context(closing(AwsRegion(region, access=access, bucket=bucket)))

        wheels = _cache_folder(cache, environment)
        builders = stack.enter_context(closing(SystemBuilders(environment=environment, say=console.say)))
        yield Run(
            project=project,
            console=console,
            index=index,
            compile=PipCompile(environment=environment),
            builders=builders,
            compiler=Compiler(builders, cache=wheels, say=console.say),
            aws=aws,
            default_region=access.default_region,
            cache=wheels,
            interpreters=lambda runtime: _interpreters(runtime, environment),
            locked=locked,
        )


@contextmanager
def _local_aws(project: Project) -> Iterator[Access]:
    """Start the embedded AWS with the manifest's functions; it remembers what an earlier run left there."""
    from entrypoint.local_aws.seed import seed  # noqa: PLC0415 - moto is an extra of its own
    from entrypoint.local_aws.server import LocalAws  # noqa: PLC0415

    with LocalAws(state_file=project.by_products() / "local-aws.json") as aws:
        seed(aws, project)
        keys = aws.environment()
        yield Access(
            endpoint_url=keys["AWS_ENDPOINT_URL"],
            access_key=keys["AWS_ACCESS_KEY_ID"],
            secret_key=keys["AWS_SECRET_ACCESS_KEY"],
            region=keys["AWS_REGION"],
        )


def _interpreters(runtime: Runtime, environment: Mapping[str, str]) -> Sequence[Path]:
    """Name where a CPython of the runtime's version may be: in this process, and on PATH."""
    own = [Path(sys.executable)] if runtime.python_version == sys.version_info[:2] else []
    folders = (Path(folder) for folder in environment.get("PATH", "").split(os.pathsep))
    return [*own, *(folder / str(runtime) for folder in folders if (folder / str(runtime)).is_file())]


def _cache_folder(chosen: str | None, environment: Mapping[str, str]) -> Path:
    if folder := chosen or environment.get("LAMBDA_LAYERS_CACHE"):
        return Path(folder)
    base = environment.get("XDG_CACHE_HOME") or Path(environment.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "lambda-layers"
