"""Bytecode for a layer: made once for each wheel and Python, kept, and copied like everything else.

/opt is read-only, so a layer without valid bytecode is compiled anew at every cold start. The
bytecode depends on the wheel and the Python's minor version alone, and is kept in the cache under both.
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
from entrypoint.layer.layout import Part, copied, identity
from entrypoint.manifest.runtimes import Runtime
from entrypoint.wheels.source_builds import Builder
from entrypoint.wheels.wheel import member_facts, members_of, read_members

_FORMAT = 1
"""Raised whenever the bytecode comes out differently, so that what was kept is not believed."""
_KIND = f"bytecode/{_FORMAT}"
_COMPILER = Path(__file__).with_name("bytecode_compiler.py")


class Interpreter(Protocol):
    """A CPython of a runtime's minor version."""

    @property
    def version(self) -> tuple[int, int]:
        """Its minor version, which decides what its bytecode is."""
        ...

    def compile(self, modules: Path) -> bytes:
        """Return a zip file of the bytecode of a zip file's modules.

        Raises:
            CompileError: where it fails.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledInterpreter:
    """One that this machine has."""

    version: tuple[int, int]
    executable: Path

    def compile(self, modules: Path) -> bytes:
        """Run the compiler in a process of its own."""
        with tempfile.TemporaryDirectory(prefix="lambda-layers-bytecode-") as folder:
            output = Path(folder) / "bytecode.zip"
            command = [str(path) for path in (self.executable, "-I", _COMPILER, modules, output)]
            try:
                subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - found by us
            except (OSError, subprocess.CalledProcessError) as error:
                said = getattr(error, "stderr", "") or str(error)
                raise _failure(str(self.executable), said) from None
            return output.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInterpreter:
    """One in a runtime's image, started when it is first needed; any machine's bytecode is the same."""

    version: tuple[int, int]
    start: Callable[[], Builder]

    def compile(self, modules: Path) -> bytes:
        """Run the compiler in a container."""
        builder = self.start()
        files = {"modules.zip": modules.read_bytes(), _COMPILER.name: _COMPILER.read_bytes()}
        command = [builder.python, "-I", _COMPILER.name, "modules.zip", "out/bytecode.zip"]
        outcome = builder.run(files, command, said=lambda _: None)
        if outcome.code or "bytecode.zip" not in outcome.files:
            raise _failure(builder.name, outcome.output)
        return outcome.files["bytecode.zip"]


def _failure(interpreter: str, said: str) -> CompileError:
    last = (said.strip().splitlines() or ["it says nothing"])[-1]
    hint = "write 'bytecode: false', or mend that interpreter"
    return CompileError.of(f"{interpreter} could not compile the modules: {last}", hint)


def find_interpreter(runtime: Runtime, candidates: Sequence[Path]) -> InstalledInterpreter | None:
    """Return the first candidate that is a released CPython of the runtime's minor version and runs."""
    for executable in candidates:
        if runtime.python_version and _version(executable) == runtime.python_version:
            return InstalledInterpreter(version=runtime.python_version, executable=executable)
    return None


def _version(executable: Path) -> tuple[int, int] | None:
    code = "import sys, zlib; print(sys.implementation.name, sys.version_info[3], *sys.version_info[:2])"
    command = [str(executable), "-I", "-c", code]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
        name, level, major, minor = told.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return (int(major), int(minor)) if (name, level) == ("cpython", "final") else None


class Bytecode:
    """The bytecode of wheels and modules, made once each and kept. Threads may share it."""

    def __init__(self, cache: Path, compiled: Callable[[], None]) -> None:
        """`compiled` is called for each package or place that was not in the cache."""
        self._compiled = compiled
        self._cache = Cache(cache)

    def added(self, part: Part, interpreter: Interpreter) -> Part:
        """Return the part with the bytecode of its modules; a .pyc of its own is replaced.

        Raises:
            CompileError: where the interpreter fails.
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

        entry = self._cache.get_or_make(_KIND, f"{version}/{identity(part, modules)}", compile_in)
        made = {member.path: copied(member.path, member, entry.file) for member in members_of(entry.facts)}
        own = tuple(entry for entry in part.entries if entry.path not in made)
        return replace(part, entries=(*own, *made.values()))
