"""The image of a runtime: what Lambda itself runs, as far as AWS gives it away."""

from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.source_builds import BuildEnvironment

_IMAGE = "public.ecr.aws/lambda/python:{version}-{architecture}"


def runtime_image(platform: Platform) -> BuildEnvironment:
    """Return the place where code runs most as it would in Lambda."""
    version = ".".join(map(str, platform.runtime.python_version or ()))
    image = _IMAGE.format(version=version, architecture=platform.architecture)
    return BuildEnvironment(platform=platform, image=image, chosen=True)
