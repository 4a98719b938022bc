"""Bytecode for a layer: compiled once for each wheel and Python version, and cached.

/opt is read-only, so Python compiles the modules of a layer without valid bytecode at every cold start.
Bytecode depends only on the wheel and on the minor version of Python.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from entrypoint.cache import Cache, Made
from entrypoint.layer.assemble import assemble
from entrypoint.layer.interpreters import Interpreter
from entrypoint.layer.layout import Part, cache_key, copied
from entrypoint.wheels.wheel import member_facts, members_of, read_members

_FORMAT = 1
"""Increment when the bytecode changes, so that existing entries are not reused."""
_KIND = f"bytecode/{_FORMAT}"


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
        modules = tuple(entry for entry in part.entries if entry.path.endswith(".py") and not entry.is_link)
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
