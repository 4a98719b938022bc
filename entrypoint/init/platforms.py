"""Which runtimes and architectures a layer is built for, and what AWS still allows for old runtimes.

Dates: https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Location
from entrypoint.init.draft import Note, fill_in, left_out, taken
from entrypoint.init.python_project import requires_python
from entrypoint.manifest.runtimes import RUNTIMES, Architecture

_PYTHON = re.compile(r"python[23]\.\d{1,2}")
_RETIRED = {"python3.8": date(2024, 10, 14), "python3.7": date(2023, 12, 4)}
_CREATES_BLOCKED, _UPDATES_BLOCKED = date(2027, 2, 1), date(2027, 3, 3)


class Platforms(NamedTuple):
    """The runtimes and architectures of a layer, and notes on them."""

    runtimes: tuple[str, ...]
    architectures: tuple[str, ...]
    notes: tuple[Note, ...] = ()


def is_python(runtime: str) -> bool:
    """Whether a runtime is one of Python's, supported or not."""
    return _PYTHON.fullmatch(runtime) is not None


def platforms(
    folder: Path,
    *,
    declared: Iterable[str],
    used: Iterable[str],
    architectures: Iterable[str],
    python: bool,
    at: Location,
) -> Platforms:
    """Return the platforms of a layer.

    Args:
        folder: the folder whose project says which versions of Python it supports.
        declared: the runtimes that the layer says it is for.
        used: the runtimes of its functions.
        architectures: those of the layer and its functions.
        python: whether its content needs Python.
        at: where the layer is.
    """
    needed = [each for each in dict.fromkeys(used) if _is_usable(each, python=python)]
    named = dict.fromkeys((*declared, *needed))
    kept = [
        each for each in named if each in needed or (each in RUNTIMES and _is_usable(each, python=python))
    ]
    notes = [*_dropped([each for each in named if each not in kept], at), *_old(kept, at)]
    if not kept and (retired := [each for each in named if is_python(each)]):
        kept, notes = retired, list(_old(retired, at))
    if not kept:
        kept = [default_runtime(folder)]
        notes.append(fill_in(f"the runtime is not known: {kept[0]} is a guess", at))
    given = [each for each in dict.fromkeys(architectures) if each]
    known = tuple(each for each in given if each in set(Architecture))
    for each in (each for each in given if each not in known):
        notes.append(fill_in(f"architecture {each} is not known; add it to `architectures`", at))
    return Platforms(tuple(kept), known or (Architecture.X86_64,), tuple(notes))


def default_runtime(folder: Path) -> str:
    """Return the newest released runtime that `requires-python` allows; without it, the second newest."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - slow to import

    released = [runtime for runtime in RUNTIMES.values() if not runtime.preview and runtime.python]
    try:
        specifier = SpecifierSet(requires_python(folder) or "<3.14")
    except InvalidSpecifier:
        specifier = SpecifierSet("<3.14")
    compatible = [runtime for runtime in released if str(runtime.python) in specifier]
    return str(compatible[-1] if compatible else released[-1])


def _is_usable(runtime: str, *, python: bool) -> bool:
    """Whether a layer can be for a runtime; also true for versions of Python that are not supported."""
    return is_python(runtime) or (not python and runtime in RUNTIMES)


def _dropped(runtimes: list[str], at: Location) -> Iterator[Note]:
    for runtime in runtimes:
        if is_python(runtime) and runtime not in RUNTIMES:
            yield left_out(f"{runtime}: {_lifecycle(runtime)}; no function of the template uses it", at)
        elif runtime:
            yield left_out(f"runtime {runtime}: it is not one that this layer can be built for", at)


def _old(runtimes: Iterable[str], at: Location) -> Iterator[Note]:
    for name in runtimes:
        runtime = RUNTIMES.get(name)
        if runtime is None and is_python(name):
            text = f"{name} is not supported here: {_lifecycle(name)}. Move its functions to a newer runtime"
            yield fill_in(text, at)
        elif (
            runtime
            and runtime.deprecated
            and runtime.updates_blocked
            and runtime.deprecated <= datetime.now(tz=UTC).date()
        ):
            blocked = f"AWS blocks updates of its functions from {runtime.updates_blocked}"
            yield taken(f"{name}: deprecated since {runtime.deprecated}; {blocked}", at)


def _lifecycle(runtime: str) -> str:
    if runtime not in _RETIRED:
        return "it is not in AWS's list of runtimes"
    return (
        f"AWS deprecated it on {_RETIRED[runtime]}, blocks new functions from {_CREATES_BLOCKED} and updates "
        f"from {_UPDATES_BLOCKED}"
    )
