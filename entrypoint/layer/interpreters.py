"""Pythons of a runtime's minor version, which make its bytecode: this process, on PATH, or in an image."""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

from entrypoint.errors import CompileError
from entrypoint.layer.runtime_image import native_architecture, runtime_image
from entrypoint.manifest.runtimes import Platform, Runtime
from entrypoint.wheels.build_environment import Builder
from entrypoint.wheels.builders import Builders

_COMPILER = Path(__file__).with_name("bytecode_compiler.py")


class Interpreter(Protocol):
    """A CPython of a runtime's minor version."""

    @property
    def version(self) -> tuple[int, int]:
        """Its major and minor version, which determine the bytecode."""
        ...

    def compile(self, modules: Path) -> bytes:
        """Return a zip file with the bytecode of the modules in a zip file.

        Raises:
            CompileError: if the interpreter fails.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledInterpreter:
    """An interpreter that is installed on this machine."""

    version: tuple[int, int]
    executable: Path

    def compile(self, modules: Path) -> bytes:
        """Run the compiler in a separate process."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-bytecode-") as folder:
            bytecode = Path(folder) / "bytecode.zip"
            command = [str(path) for path in (self.executable, "-I", _COMPILER, modules, bytecode)]
            try:
                subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - of `find_interpreter`
            except (OSError, subprocess.CalledProcessError) as error:
                output = getattr(error, "stderr", "") or str(error)
                raise _failure(str(self.executable), output) from None
            return bytecode.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInterpreter:
    """An interpreter in a runtime's image, of any architecture: bytecode does not depend on it."""

    version: tuple[int, int]
    start: Callable[[], Builder]

    def compile(self, modules: Path) -> bytes:
        """Run the compiler in a container."""
        builder = self.start()
        files: dict[str, bytes | Path] = {"modules.zip": modules, _COMPILER.name: _COMPILER}
        command = [builder.python, "-I", _COMPILER.name, "modules.zip", "out/bytecode.zip"]
        with tempfile.TemporaryDirectory(prefix="lambda-layers-bytecode-") as folder:
            result = builder.run(files, command, results=Path(folder), on_output=lambda _: None)
            if result.code or "bytecode.zip" not in result.files:
                raise _failure(builder.name, result.output)
            return result.files["bytecode.zip"].read_bytes()


def _failure(interpreter: str, output: str) -> CompileError:
    last = (output.strip().splitlines() or ["no output"])[-1]
    hint = "fix that Python installation, or set 'bytecode: false'"
    return CompileError.of(f"{interpreter} cannot compile the modules: {last}", hint)


def find_interpreter(runtime: Runtime, candidates: Sequence[Path]) -> InstalledInterpreter | None:
    """Return the first candidate that runs and is a CPython release of the runtime's minor version."""
    for executable in candidates:
        if runtime.python_version and _version(executable) == runtime.python_version:
            return InstalledInterpreter(version=runtime.python_version, executable=executable)
    return None


def _version(executable: Path) -> tuple[int, int] | None:
    code = "import sys, zlib; print(sys.implementation.name, sys.version_info[3], *sys.version_info[:2])"
    command = [str(executable), "-I", "-c", code]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
        name, level, major, minor = result.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return (int(major), int(minor)) if (name, level) == ("cpython", "final") else None


class Interpreters:
    """Finds interpreters, each once.

    Args:
        builders: start the runtimes' images.
        environment: the process's environment variables, for PATH.
    """

    def __init__(self, builders: Builders, environment: Mapping[str, str]) -> None:
        self._builders = builders
        self._path = environment.get("PATH", "").split(os.pathsep)
        self._found: dict[tuple[Runtime, bool], Interpreter | None] = {}

    def find(self, runtime: Runtime, *, required: bool) -> Interpreter | None:
        """Return an available interpreter; where it is required and missing, pull an image that has it."""
        key = (runtime, required)
        if key not in self._found:
            self._found[key] = self._find(runtime, required=required)
        return self._found[key]

    def _find(self, runtime: Runtime, *, required: bool) -> Interpreter | None:
        own = [Path(sys.executable)] if runtime.python_version == sys.version_info[:2] else []
        on_path = [Path(folder) / str(runtime) for folder in self._path]
        if installed := find_interpreter(runtime, [*own, *filter(Path.is_file, on_path)]):
            return installed
        # Bytecode is the same on every machine, and the engine's own architecture is the fastest.
        image = runtime_image(Platform(runtime, native_architecture()))
        if not (required or self._builders.identity(image)) or runtime.python_version is None:
            return None
        # One container for all modules, which are compiled and not run.
        guard, start = threading.Lock(), cache(lambda: self._builders.open_shared(image))

        def started() -> Builder:
            with guard:  # `cache` alone would start one for each thread
                return start()

        return ImageInterpreter(version=runtime.python_version, start=started)
