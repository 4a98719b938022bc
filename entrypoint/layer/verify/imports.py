"""Import every top-level module of a layer in the image of its runtime, if asked to or if it costs little.

This shows that the packages work together. The static rules are closer to Lambda itself, because the
libraries of the image are not exactly those of the real environment.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from pathlib import Path

from entrypoint.cache import Cache, CacheEntry
from entrypoint.errors import CompileError, Diagnostic, Severity
from entrypoint.layer.assemble import Archive
from entrypoint.layer.runtime_image import native_architecture, runtime_image
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target
from entrypoint.wheels.builders import Builders

RULE = "import"
IMPORT_SUMMARY = "A module of the layer cannot be imported in the image of its runtime."
_SCRIPT = "import_modules.py"
_KIND = "imports/1"
_LARGEST_ANSWER = 1 << 20
_LONGEST_REASON = 1000


def check_imports(archive: Archive, target: Target, builders: Builders) -> tuple[Diagnostic, ...]:
    """Return an error for each module that cannot be imported; a single warning if the check cannot run."""
    try:
        failures = _failures(archive, target, builders)
    except (CompileError, KeyError, ValueError) as error:
        reason = error.problems[0].message if isinstance(error, CompileError) else "the check itself failed"
        message = f"the imports could not be checked: {reason}"
        hint = "start Docker, or run the check in CI"
        return (Diagnostic(message, hint, target.layer.location, RULE, Severity.WARNING),)
    return tuple(_described(failures, target))


def warn_of_imports(
    archive: Archive, target: Target, builders: Builders, cache: Cache
) -> tuple[Diagnostic, ...]:
    """Return a warning for each module that cannot be imported, if the check costs little.

    The image has to be on this machine, and to run without emulation. An archive is checked once.
    """
    image = runtime_image(target.platform)
    key = f"{image.image}/{archive.sha256.hex()}"
    entry = cache.get(_KIND, key)
    if entry is None:
        if target.platform.architecture != native_architecture() or not builders.identity(image):
            return ()
        try:
            entry = cache.put(_KIND, key, CacheEntry(facts=_failures(archive, target, builders)))
        except (CompileError, KeyError, ValueError):
            return ()
    return tuple(each.as_warning() for each in _described(entry.facts, target))


def _described(failures: Mapping[str, str], target: Target) -> Iterator[Diagnostic]:
    image, location = runtime_image(target.platform).image, target.layer.location
    hint = "add the missing package or library, or fix the module"
    for module, reason in failures.items():
        yield Diagnostic(f"{module} cannot be imported in {image}: {reason}", hint, location, RULE)


def _failures(archive: Archive, target: Target, builders: Builders) -> dict[str, str]:
    """Return why modules cannot be imported, by name; the modules are not trusted to report it."""
    modules = top_level_modules(archive)
    files: dict[str, bytes | Path] = {
        "layer.zip": archive.path,
        "modules.json": json.dumps(modules).encode(),
        _SCRIPT: (resources("entrypoint.layer") / _SCRIPT).read_bytes(),
    }
    builder = builders.open(runtime_image(target.platform))
    with tempfile.TemporaryDirectory(prefix="lambda-layers-imports-") as folder:
        command = [builder.python, "-I", _SCRIPT]
        result = builder.run(files, command, results=Path(folder), on_output=lambda _: None)
        return _answer(result.files["failures.json"], modules)


def _answer(path: Path, modules: list[str]) -> dict[str, str]:
    """Read the reasons, by module; a module may have written anything, so an answer never ends the run.

    Raises:
        ValueError: it is not an answer.
    """
    if path.stat().st_size > _LARGEST_ANSWER:
        raise ValueError(path)
    try:
        found = json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError(path) from None
    if not isinstance(found, dict):
        raise ValueError(path)  # noqa: TRY004 - as for any other answer
    reasons = ((module, found.get(module)) for module in modules)
    return {module: reason[:_LONGEST_REASON] for module, reason in reasons if isinstance(reason, str)}


def top_level_modules(archive: Archive) -> list[str]:
    """Return the public modules and packages directly under python/, sorted."""
    return sorted(set(_modules(archive)))


def _modules(archive: Archive) -> Iterator[str]:
    for entry in archive.entries:
        name, _, rest = entry.path.removeprefix(ROOT).partition("/")
        if not entry.path.startswith(ROOT):
            continue
        stem = name.partition(".")[0]
        is_module = not rest and name.endswith((".py", ".so"))
        if stem.isidentifier() and not stem.startswith("_") and (is_module or rest == "__init__.py"):
            yield stem
