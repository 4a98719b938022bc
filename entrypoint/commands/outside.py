"""Opens the outside world for one run: package indexes, pip-compile, builders, AWS real or embedded."""

import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import cache as remember
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.commands.run import FindInterpreter, Run
from entrypoint.index.options import IndexOptions
from entrypoint.index.package_index import PackageIndex
from entrypoint.layer.bytecode import ImageInterpreter, Interpreter, find_interpreter
from entrypoint.layer.runtime_image import runtime_image
from entrypoint.lock.osv import Osv
from entrypoint.lock.pip_compile import PipCompile
from entrypoint.lock.project import Project
from entrypoint.lock.resolve import Compile
from entrypoint.lock.uv import UvCompile
from entrypoint.manifest.model import Destination
from entrypoint.manifest.runtimes import Architecture, Platform, Runtime
from entrypoint.report.console import Console
from entrypoint.wheels.builders import SystemBuilders
from entrypoint.wheels.source_builds import Builders, Compiler

if TYPE_CHECKING:
    from entrypoint.aws import Access, AwsRegion


@contextmanager
def open_run(
    project: Project,
    console: Console,
    *,
    environment: Mapping[str, str],
    cache: str | None,
    locked: bool,
    local: bool,
    verbose: bool = False,
    engine: str = "pip-compile",
) -> Iterator[Run]:
    """Give a command what it works with, and close it behind it.

    Nothing is reached before it is asked for. `local` takes the embedded AWS instead of the real one;
    `verbose` has each call to AWS told of; `engine`, "pip-compile" or "uv", is who finds versions.

    Raises:
        UsageError: where there is no such engine on this machine.
    """
    environment = environment if cache else _with_cache_home(environment, project)
    with ExitStack() as stack:

        @remember
        def index(options: IndexOptions) -> PackageIndex:
            return stack.enter_context(PackageIndex(options, environment=environment))

        reaching = threading.Lock()
        reached: dict[Destination, AwsRegion] = {}

        @remember
        def access() -> "Access":
            from entrypoint.aws import Access  # noqa: PLC0415 - hooks that lock have no boto3

            found = stack.enter_context(_local_aws(project)) if local else Access()
            return replace(found, told=console.say) if verbose else found

        def aws(destination: Destination) -> "AwsRegion":
            from entrypoint.aws import AwsRegion  # noqa: PLC0415 - likewise

            with reaching:  # one for each destination, whoever asks first: it holds the pace of all calls
                if destination not in reached:
                    opened = AwsRegion(destination, access=access(), bucket=project.manifest.bucket)
                    reached[destination] = stack.enter_context(closing(opened))
                return reached[destination]

        wheels = _cache_folder(cache, environment)
        builders = stack.enter_context(closing(SystemBuilders(environment=environment, say=console.say)))
        yield Run(
            project=project,
            console=console,
            index=index,
            advisories=lambda url: Osv(url, environment=environment).advisories,
            compile=_engine(engine, environment),
            builders=builders,
            compiler=Compiler(builders, cache=wheels, say=console.say),
            aws=aws,
            default_region=lambda: access().default_region(),
            cache=wheels,
            interpreter=_finder(builders, environment),
            locked=locked,
        )


@contextmanager
def open_aws() -> Iterator["AwsRegion"]:
    """Open the account and region of the credentials, where there is no manifest yet that names others."""
    from entrypoint.aws import Access, AwsRegion  # noqa: PLC0415 - likewise

    access = Access()
    with closing(AwsRegion(Destination(access.default_region()), access=access)) as aws:
        yield aws


def _engine(name: str, environment: Mapping[str, str]) -> Compile:
    return UvCompile(environment=environment) if name == "uv" else PipCompile(environment=environment)


@contextmanager
def _local_aws(project: Project) -> Iterator["Access"]:
    """Start the embedded AWS with the manifest's functions; it remembers what an earlier run left there."""
    from entrypoint.aws import Access  # noqa: PLC0415 - likewise
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


def _finder(builders: Builders, environment: Mapping[str, str]) -> FindInterpreter:
    """Look for interpreters in this process, on PATH, and in the runtime's image where it is here already."""

    @remember
    def find(runtime: Runtime, *, insist: bool) -> Interpreter | None:
        own = [Path(sys.executable)] if runtime.python_version == sys.version_info[:2] else []
        folders = (Path(folder) for folder in environment.get("PATH", "").split(os.pathsep))
        on_path = [folder / str(runtime) for folder in folders if (folder / str(runtime)).is_file()]
        if installed := find_interpreter(runtime, [*own, *on_path]):
            return installed
        # Bytecode is the same on every machine: the engine's own architecture is the quickest.
        machine = platform.machine().lower()
        native = Architecture.ARM64 if machine in {"aarch64", "arm64"} else Architecture.X86_64
        image = runtime_image(Platform(runtime, native))
        if not (insist or builders.identity(image)) or runtime.python_version is None:
            return None
        start = remember(lambda: builders.open(image, IndexOptions()))
        return ImageInterpreter(version=runtime.python_version, start=start)

    return find


def _cache_folder(chosen: str | None, environment: Mapping[str, str]) -> Path:
    return Path(chosen) if chosen else _cache_home(environment) / "lambda-layers"


def _cache_home(environment: Mapping[str, str]) -> Path:
    if chosen := environment.get("XDG_CACHE_HOME"):
        return Path(chosen)
    return Path(environment.get("HOME") or os.path.expanduser("~")) / ".cache"  # noqa: PTH111 - never fails


def _with_cache_home(environment: Mapping[str, str], project: Project) -> Mapping[str, str]:
    """Let caches lie beside the manifest where there is no home to write to; pip's and uv's go there too.

    So it is in a container that runs as a user of the host, or whose file system cannot be written to.
    """
    folder = _cache_home(environment)
    standing = next(parent for parent in (folder, *folder.parents) if os.path.exists(parent))  # noqa: PTH110 - below what may not be looked into
    if environment.get("XDG_CACHE_HOME") or (folder.is_absolute() and os.access(standing, os.W_OK | os.X_OK)):
        return environment
    is_ours = os.access(project.folder, os.W_OK | os.X_OK)
    home = project.by_products() / "cache" if is_ours else Path(tempfile.gettempdir()) / "lambda-layers-cache"
    return {**environment, "XDG_CACHE_HOME": str(home)}
