"""Sdists -> wheels, each in the place that its layer asks for."""

from collections.abc import Mapping
from contextlib import nullcontext

from entrypoint.commands.run import Run
from entrypoint.index.incompatible import why_no_wheel
from entrypoint.index.options import IndexOptions
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.model import DEFAULT_BUILDER
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.wheels.fetch import Sdist, Wheel
from entrypoint.wheels.source_builds import BuildEnvironment


def compiled(
    run: Run, locks: Mapping[Target, Lock], fetched: Mapping[Target, tuple[Wheel | Sdist, ...]]
) -> dict[Target, tuple[Wheel, ...]]:
    """Return the wheels of each target, with those that had to be compiled among them.

    Raises:
        CompileError: with all that could not be compiled.
    """
    sdists = [
        (target, file) for target, files in fetched.items() for file in files if isinstance(file, Sdist)
    ]
    with run.console.group("compiling from source") if sdists else nullcontext():
        built = for_each(sdists, lambda item: compile_for(run, *item, locks[item[0]].options))
    wheels = dict(zip(sdists, built, strict=True))
    return {
        target: tuple(file if isinstance(file, Wheel) else wheels[target, file] for file in files)
        for target, files in fetched.items()
    }


def compile_for(run: Run, target: Target, sdist: Sdist, options: IndexOptions) -> Wheel:
    """Compile an sdist for a target; `options` say where its build requirements come from."""
    platform = target.platform
    return run.compiler.wheel(
        sdist,
        build_environment_of(target),
        options=options,
        wanted_by=str(target),
        why=lambda: why_no_wheel(sdist.name, sdist.version, run.index(options).files(sdist.name), platform),
    )


def build_environment_of(target: Target) -> BuildEnvironment:
    """Say where the packages of a target are compiled."""
    layer, platform = target.layer, target.platform
    image = layer.builder_image.replace("{runtime}", str(platform.runtime))
    return BuildEnvironment(
        platform=platform,
        image=image.replace("{architecture}", platform.architecture),
        system_packages=layer.system_packages,
        chosen=layer.builder_image != DEFAULT_BUILDER,
    )
