"""The public image of a runtime."""

from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.build_environment import BuildEnvironment

_IMAGE = "public.ecr.aws/lambda/python:{version}-{architecture}"


def runtime_image(platform: Platform) -> BuildEnvironment:
    """Return the build environment that is most similar to Lambda."""
    version = ".".join(map(str, platform.runtime.python_version or ()))
    image = _IMAGE.format(version=version, architecture=platform.architecture)
    return BuildEnvironment(platform=platform, image=image, chosen=True)
