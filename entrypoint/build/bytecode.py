"""Bytecode for a layer: made once for each wheel and Python, kept, and copied like everything else.

/opt is read-only, so a layer without valid bytecode is compiled anew at every cold start. The
bytecode depends on the wheel and the Python's minor version alone, and is kept in the cache under both.
"""

import hashlib
import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from entrypoint.atomic import written_whole
from entrypoint.build.assemble import assemble
from entrypoint.build.layout import Entry, Part, copied
from entrypoint.build.wheel import read_members
from entrypoint.errors import CompileError
from entrypoint.runtimes import Runtime

_FORMAT = 1
"""Raised whenever the bytecode comes out differently, so that what was kept is not believed."""
_COMPILER = Path(__file__).with_name("bytecode_compiler.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A CPython at hand: its minor version and where it is."""

    version: tuple[int, int]
    executable: Path


def find_interpreter(runtime: Runtime, candidates: Sequence[Path]) -> Interpreter | None:
    """Return the first candidate that is a released CPython of the runtime's minor version and runs."""
    for executable in candidates:
        if runtime.python_version and _version(executable) == runtime.python_version:
            return Interpreter(version=runtime.python_version, executable=executable)
    return None


def _version(executable: Path) -> tuple[int, int] | None:
    code = "import sys; print(sys.implementation.name, sys.version_info[3], *sys.version_info[:2])"
    command = [str(executable), "-I", "-c", code]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)  # noqa: S603
        name, level, major, minor = told.stdout.split()
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    return (int(major), int(minor)) if (name, level) == ("cpython", "final") else None


def with_bytecode(part: Part, interpreter: Interpreter, cache: Path) -> Part:
    """Return the part with the bytecode of its modules; a .pyc of its own is replaced.

    Raises:
        CompileError: where the interpreter fails.
    """
    modules = tuple(entry for entry in part.entries if entry.path.endswith(".py"))
    if not modules:
        return part
    version = ".".join(map(str, interpreter.version))
    kept = cache / "bytecode" / str(_FORMAT) / version / f"{_key(part, modules)}.zip"
    if not kept.is_file():
        _compile(replace(part, entries=modules), interpreter, kept)
    made = {member.path: copied(member.path, member, kept) for member in read_members(kept)}
    own = tuple(entry for entry in part.entries if entry.path not in made)
    return replace(part, entries=(*own, *made.values()))


def _key(part: Part, modules: tuple[Entry, ...]) -> str:
    """Identify what is compiled: a wheel and the paths of its modules, or the repository's own bytes."""
    origin = part.contents.wheel.sha256 if part.contents else ""
    known = [[entry.path, "" if origin else hashlib.sha256(entry.data).hexdigest()] for entry in modules]
    return hashlib.sha256(json.dumps([origin, known]).encode()).hexdigest()


def _compile(modules: Part, interpreter: Interpreter, kept: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="lambda-layers-bytecode-") as folder:
        output = Path(folder) / "bytecode.zip"
        archive = assemble([modules], Path(folder) / "modules.zip").path
        command = [str(path) for path in (interpreter.executable, "-I", _COMPILER, archive, output)]
        try:
            subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - found by us
        except (OSError, subprocess.CalledProcessError) as error:
            last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
            message = f"{interpreter.executable} could not compile {modules.origin}: {last}"
            raise CompileError.of(message, "write 'bytecode: false', or mend that interpreter") from None
        with written_whole(kept) as file:
            file.write(output.read_bytes())
