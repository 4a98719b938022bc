"""The public image of a runtime."""

import platform as machine

from entrypoint.manifest.runtimes import Architecture, Platform
from entrypoint.wheels.build_environment import BuildEnvironment

_IMAGE = "public.ecr.aws/lambda/python:{version}-{architecture}"


def runtime_image(platform: Platform) -> BuildEnvironment:
    """Return the build environment that is most similar to Lambda."""
    version = ".".join(map(str, platform.runtime.python_version or ()))
    image = _IMAGE.format(version=version, architecture=platform.architecture)
    return BuildEnvironment(platform=platform, image=image, chosen=True)


def native_architecture() -> Architecture:
    """Return the architecture whose images run here without emulation."""
    return Architecture.ARM64 if machine.machine().lower() in {"aarch64", "arm64"} else Architecture.X86_64
