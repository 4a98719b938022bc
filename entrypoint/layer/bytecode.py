"""Bytecode for a layer: compiled once for each wheel and Python version, and cached.

/opt is read-only, so Python compiles the modules of a layer without valid bytecode at every cold start.
Bytecode depends only on the wheel and on the minor version of Python.
"""

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from entrypoint.cache import Cache, Made
from entrypoint.errors import CompileError
from entrypoint.layer.assemble import assemble
from entrypoint.layer.layout import Part, cache_key, copied
from entrypoint.manifest.runtimes import Runtime
from entrypoint.wheels.source_builds import Builder
from entrypoint.wheels.wheel import member_facts, members_of, read_members

_FORMAT = 1
"""Increment when the bytecode changes, so that existing entries are not reused."""
_KIND = f"bytecode/{_FORMAT}"
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
        files = {"modules.zip": modules.read_bytes(), _COMPILER.name: _COMPILER.read_bytes()}
        command = [builder.python, "-I", _COMPILER.name, "modules.zip", "out/bytecode.zip"]
        outcome = builder.run(files, command, on_output=lambda _: None)
        if outcome.code or "bytecode.zip" not in outcome.files:
            raise _failure(builder.name, outcome.output)
        return outcome.files["bytecode.zip"]


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


class Bytecode:
    """Adds bytecode to parts, from the cache if possible. Threads may share it."""

    def __init__(self, cache: Path, compiled: Callable[[], None]) -> None:
        """`compiled` is called for each part whose bytecode is not in the cache."""
        self._compiled = compiled
        self._cache = Cache(cache)

    def added(self, part: Part, interpreter: Interpreter) -> Part:
        """Return the part with the bytecode of its modules, which replaces the part's own .pyc files.

        Raises:
            CompileError: if the interpreter fails.
        """
        modules = tuple(entry for entry in part.entries if entry.path.endswith(".py"))
        if not modules:
            return part
        version = ".".join(map(str, interpreter.version))

        def compile_in(folder: Path) -> Made:
            archive = assemble([replace(part, entries=modules)], folder / "modules.zip").path
            bytecode = folder / "bytecode.zip"
            bytecode.write_bytes(interpreter.compile(archive))
            self._compiled()
            return Made(facts=member_facts(read_members(bytecode)), file=bytecode)

        entry = self._cache.get_or_make(_KIND, f"{version}/{cache_key(part, modules)}", compile_in)
        made = {member.path: copied(member.path, member, entry.file) for member in members_of(entry.facts)}
        own = tuple(entry for entry in part.entries if entry.path not in made)
        return replace(part, entries=(*own, *made.values()))
