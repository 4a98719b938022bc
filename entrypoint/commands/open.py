"""Opens the outside world for one run: package indexes, engines, builders, AWS real or embedded."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import cache as remember
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.aws.accounts import Accounts
from entrypoint.errors import UsageError
from entrypoint.git import tracked
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.layer.interpreters import Interpreters
from entrypoint.layer.stage import Archives
from entrypoint.lock.engine import Engine
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.stage import Locks
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.model import Destination
from entrypoint.manifest.project import Project
from entrypoint.pipeline import Pipeline
from entrypoint.release.promotion import Promotion
from entrypoint.report.console import Console
from entrypoint.wheels.build_plan import BuildRequirements
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.libraries import SystemLibraries
from entrypoint.wheels.source_builds import Compiler
from entrypoint.wheels.stage import Wheels

if TYPE_CHECKING:
    from entrypoint.aws.access import Access
    from entrypoint.aws.client import Aws


def open_pipeline(
    project: Project,
    console: Console,
    stack: ExitStack,
    *,
    source: Project | None,
    environment: Mapping[str, str],
    variables: Mapping[str, str],
    cache: str | None,
    locked: bool,
    local: bool,
    verbose: bool,
    engine: str,
) -> Pipeline:
    """Return the stages of a project; `stack` closes what they open, which is nothing before it is used.

    Layers to publish are built, or taken from the deployment of `source`.
    With `local`, the embedded AWS takes the place of the real one; with `verbose`, each call to AWS is
    reported; `engine` is "pip-compile" or "uv"; `variables` are the values for `${NAME}`.

    Raises:
        UsageError: the engine is not installed.
    """
    environment = environment if cache else _with_cache_home(environment, project)
    wheel_cache = Path(cache) if cache else _cache_home(environment) / "lambda-layers"
    _refuse_committed(wheel_cache, project)

    @remember
    def index(options: IndexOptions) -> PackageIndex:
        return stack.enter_context(PackageIndex(options, environment=environment, variables=variables))

    builders = stack.enter_context(closing(Builders(environment=environment, say=console.say)))
    resolver = _engine(engine, environment, variables)
    requirements = BuildRequirements(index=index, engine=resolver, cache=wheel_cache)
    compiler = Compiler(builders, requirements, cache=wheel_cache, say=console.say, warn=console.warn)
    wheels = Wheels(
        index=index,
        builds=compiler,
        system=SystemLibraries(builders, cache=wheel_cache, say=console.say),
        cache=wheel_cache,
        progress=console,
    )
    locks = Locks(
        project=project,
        index=index,
        engine=resolver,
        describe=wheels.metadata,
        pin_builds=wheels.pin_builds,
        pin_libraries=wheels.pin_libraries,
        progress=console,
        locked=locked,
    )
    archives = Archives(
        project=project,
        cache=wheel_cache,
        interpreters=Interpreters(builders, environment),
        builders=builders,
        progress=console,
    )
    access = _access(project, console, stack, environment=environment, local=local, verbose=verbose)
    return Pipeline(
        project=project,
        console=console,
        locks=locks,
        wheels=wheels,
        archives=archives,
        accounts=stack.enter_context(Accounts(project.manifest, access)),
        promotion=Promotion(
            source=source,
            accounts=stack.enter_context(Accounts(source.manifest, access)),
            folder=project.folder,
            say=console.say,
        )
        if source
        else None,
    )


def _origin(project: Project, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return what an audit needs to find this run: the commit, and the run of the workflow."""
    from entrypoint.release.ancestry import head  # noqa: PLC0415 - hooks have no boto3

    commit, run = head(project.folder), environment.get("GITHUB_RUN_ID", "")
    return (*([f"git/{commit}"] if commit else ()), *([f"run/{run}"] if run.isdecimal() else ()))


def _access(
    project: Project,
    console: Console,
    stack: ExitStack,
    *,
    environment: Mapping[str, str],
    local: bool,
    verbose: bool,
) -> Callable[[], "Access"]:
    """Return what gives access to AWS, and starts the embedded one at its first use."""

    @remember
    def access() -> "Access":
        from entrypoint.aws.access import Access  # noqa: PLC0415 - hooks that lock have no boto3

        found = stack.enter_context(_local_aws(project)) if local else Access()
        return replace(found, origin=_origin(project, environment), trace=console.say if verbose else None)

    return access


@contextmanager
def open_default_account() -> Iterator["Aws"]:
    """Open the account and region of the credentials, where there is no manifest yet that names others."""
    from entrypoint.aws.access import Access  # noqa: PLC0415 - see above
    from entrypoint.aws.client import Aws  # noqa: PLC0415

    access = Access()
    with closing(Aws(Destination(access.default_region()), access=access)) as aws:
        yield aws


def _engine(name: str, environment: Mapping[str, str], variables: Mapping[str, str]) -> Engine:
    engine = UvCompile if name == "uv" else PipCompile
    return engine(environment=environment, variables=variables)


def _refuse_committed(cache: Path, project: Project) -> None:
    """Refuse a cache that a pull request brought: its entries are checked, but nobody means to commit one.

    Raises:
        UsageError: git tracks a file of the cache.
    """
    folder = cache.resolve()
    is_inside = folder.is_relative_to(project.root.resolve())
    if is_inside and folder.is_dir() and (name := tracked(folder, project.folder)):
        raise UsageError.of(f"git tracks {name}, a file of the cache", "remove it from the repository")


@contextmanager
def _local_aws(project: Project) -> Iterator["Access"]:
    """Start the embedded AWS with the manifest's functions, and the state that an earlier run left."""
    from entrypoint.aws.access import Access  # noqa: PLC0415 - see above
    from entrypoint.local_aws.seed import seed  # noqa: PLC0415 - moto is an extra of its own
    from entrypoint.local_aws.server import LocalAws  # noqa: PLC0415

    with LocalAws(state_file=project.output_folder() / "local-aws.json") as aws:
        seed(aws, project)
        keys = aws.environment()
        yield Access(
            endpoint_url=keys["AWS_ENDPOINT_URL"],
            access_key=keys["AWS_ACCESS_KEY_ID"],
            secret_key=keys["AWS_SECRET_ACCESS_KEY"],
            region=keys["AWS_REGION"],
        )


def _cache_home(environment: Mapping[str, str]) -> Path:
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen)
    return Path(environment.get("HOME") or os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - never fails


def _with_cache_home(environment: Mapping[str, str], project: Project) -> Mapping[str, str]:
    """Put caches beside the manifest where the home is not writable; pip's and uv's go there too.

    That is the case in a container that runs as a user of the host, or with a read-only file system.
    """
    folder = _cache_home(environment)
    existing = next(parent for parent in (folder, *folder.parents) if os.path.exists(parent))  # noqa: PTH110 - Path.exists raises for unreadable parents
    if environment.get("XDG_CACHE_HOME") or (folder.is_absolute() and os.access(existing, os.W_OK | os.X_OK)):
        return environment
    is_ours = os.access(project.folder, os.W_OK | os.X_OK)
    home = (
        project.output_folder() / "cache" if is_ours else Path(tempfile.gettempdir()) / "lambda-layers-cache"
    )
    return {**environment, "XDG_CACHE_HOME": str(home)}
