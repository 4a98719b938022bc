"""What a package needs that has to be compiled, found out without running its code on this machine.

In: a name and a version. Out: its METADATA, from the first that has it: the pyproject.toml of a folder or a
commit; a wheel of the same version, whatever platform it is for (PEP 658); the sdist, where it promises that
no build will change it (PEP 643); a wheel that has to be fetched whole; and last the build itself, in the
place where it will be built for the layer too, so that nothing is done twice.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import FetchError, Location
from entrypoint.index.candidates import IndexFile, choose_sdist, is_wheel_of
from entrypoint.index.incompatible import distance, no_compatible_file
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.manifest.runtimes import Platform
from entrypoint.wheels.fetch import Sdist, Wheel, fetch_sdist
from entrypoint.wheels.sdist import static_metadata, wheel_metadata


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Describes packages of an index for a platform; `compile` is the last resort."""

    index: PackageIndex
    platform: Platform
    cache: Path
    compile: Callable[[Sdist], Wheel]

    def __call__(self, name: str, version: str, location: Location) -> bytes:
        """Return the METADATA of a version; problems get the location of the requirement."""
        files = self.index.files(name)
        wheels = sorted(
            (file for file in files if is_wheel_of(file.filename, version)),
            key=lambda file: (distance(file, self.platform), file.size or 0, file.filename),
        )
        for wheel in wheels:
            if wheel.has_metadata:
                return self.index.metadata(wheel)
        pin = Pin(name=name, version=version, from_source=True, location=location)
        file = choose_sdist(pin, files, self.platform)
        if file is None:
            raise FetchError(no_compatible_file(pin, files, self.platform))
        if stated := self.index.stated_metadata(file):
            return stated
        sdist = fetch_sdist(pin, file, platform=self.platform, index=self.index, cache=self.cache)
        if metadata := static_metadata(sdist.path):
            return metadata
        return self._of_wheel(wheels[0]) if wheels else wheel_metadata(self.compile(sdist).path)

    def _of_wheel(self, wheel: IndexFile) -> bytes:
        with tempfile.TemporaryDirectory(prefix="lambda-layers-metadata-") as folder:
            path = Path(folder) / wheel.filename
            self.index.download(wheel, path)
            return wheel_metadata(path)
