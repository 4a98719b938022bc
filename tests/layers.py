"""What tests of the build stages start from: platforms, wheels that are there, archives of them."""

import hashlib
import io
import shutil
import struct
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from entrypoint.errors import Location
from entrypoint.layer.assemble import Archive, assemble
from entrypoint.layer.inspect import Contents, inspect
from entrypoint.layer.layout import Part, lay_out
from entrypoint.manifest.model import Layer, Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform
from entrypoint.manifest.targets import Target
from entrypoint.wheels.fetch import Wheel

PYTHON313 = Platform(RUNTIMES["python3.13"], Architecture.X86_64)


def target(platform: Platform = PYTHON313, libraries: tuple[str, ...] = (), **options: Any) -> Target:
    location = Location("lambda-layers.yml", 4, 3)
    return Target(
        Layer(
            name="web",
            location=location,
            requirements=Requirements(location=location, libraries=libraries),
            platforms=(platform,),
            name_template="{layer}",
            own_locks={},
            **options,
        ),
        platform,
    )


def fetched(path: Path) -> Wheel:
    """The wheel at a path, as `fetch` would hand it on."""
    name, version, *_ = path.name.split("-")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Wheel(name=name, version=version, filename=path.name, sha256=digest, path=path)


def inspected(path: Path, cache: Path) -> Contents:
    return inspect(fetched(path), cache)


def laid_out(wheel: Path, cache: Path, platform: Platform = PYTHON313) -> Part:
    return lay_out(inspected(wheel, cache), platform.runtime)


def assembled(folder: Path, *wheels: Path, platform: Platform = PYTHON313) -> Archive:
    parts = [laid_out(wheel, folder / "cache", platform) for wheel in wheels]
    return assemble(sorted(parts, key=lambda part: part.name), folder / "layer.zip")


def raw_wheel(path: Path, members: dict[str, bytes], **options: object) -> Path:
    """A zip file under a wheel's name, with what zipfile is willing to write into it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data, **options)
    return path


def shared_object(
    folder: Path, *, source: str = "int answer(void) { return 42; }", flags: tuple[str, ...] = ()
) -> bytes:
    """A real shared object, made by this machine's compiler."""
    (folder / "code.c").write_text(source)
    compiler = shutil.which("cc")
    assert compiler, "these tests need a C compiler"
    command = [compiler, "-shared", "-fPIC", "-o", "code.so", "code.c", *flags]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return (folder / "code.so").read_bytes()


def for_machine(elf: bytes, machine: int) -> bytes:
    """The same ELF file, said to be for another machine (e_machine, at byte 18)."""
    return elf[:18] + struct.pack("<H", machine) + elf[20:]


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}
