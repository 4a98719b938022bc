"""`verify: import`: import every top-level module of a layer in the image of its runtime.

This shows that the packages work together. The static rules are closer to Lambda itself, because the
libraries of the image are not exactly those of the real environment.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources import files as resources
from pathlib import Path

from entrypoint.errors import CompileError, Diagnostic, Severity
from entrypoint.layer.assemble import Archive
from entrypoint.layer.runtime_image import runtime_image
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target
from entrypoint.wheels.build_environment import Builder
from entrypoint.wheels.builders import Builders

RULE = "import"
IMPORT_SUMMARY = "A module of the layer cannot be imported in the image of its runtime."
_SCRIPT = "import_modules.py"
_LARGEST_ANSWER = 1 << 20


def check_imports(archive: Archive, target: Target, builders: Builders) -> tuple[Diagnostic, ...]:
    """Return an error for each module that cannot be imported; a single warning if the check cannot run."""
    modules, location = top_level_modules(archive), target.layer.location
    build_environment = runtime_image(target.platform)
    files: dict[str, bytes | Path] = {
        "layer.zip": archive.path,
        "modules.json": json.dumps(modules).encode(),
        _SCRIPT: (resources("entrypoint.layer") / _SCRIPT).read_bytes(),
    }
    try:
        failures = _failures(files, builders.open(build_environment))
    except (CompileError, KeyError, ValueError) as error:
        reason = error.problems[0].message if isinstance(error, CompileError) else "the check itself failed"
        message = f"the imports could not be checked: {reason}"
        hint = "start Docker, or run the check in CI"
        return (Diagnostic(message, hint, location, RULE, Severity.WARNING),)
    hint = "add the missing package or library, or fix the module"
    return tuple(
        Diagnostic(
            f"{module} cannot be imported in {build_environment.image}: {reason}", hint, location, RULE
        )
        for module, reason in failures.items()
    )


def _failures(files: Mapping[str, bytes | Path], builder: Builder) -> dict[str, str]:
    """Return why modules cannot be imported, by name; the modules are not trusted to report it."""
    command = [builder.python, "-I", _SCRIPT]
    with tempfile.TemporaryDirectory(prefix="lambda-layers-imports-") as folder:
        result = builder.run(files, command, results=Path(folder), on_output=lambda _: None)
        path = result.files["failures.json"]
        if path.stat().st_size > _LARGEST_ANSWER:
            raise ValueError(path)
        return {str(module): str(reason) for module, reason in dict(json.loads(path.read_bytes())).items()}


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
