"""`verify: import`: every top-level module of a layer is imported in the image of its runtime.

The static rules prove more of what Lambda has (the image's libraries are not quite those of the real
environment); this proves that the packages themselves agree with each other.
"""

import json
from collections.abc import Iterator
from importlib.resources import files as resources

from entrypoint.errors import CompileError
from entrypoint.index.options import IndexOptions
from entrypoint.layer.assemble import Archive
from entrypoint.layer.runtime_image import runtime_image
from entrypoint.layer.verify.findings import Finding, Severity
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target
from entrypoint.wheels.source_builds import Builders

RULE = "import"
_SCRIPT = "import_modules.py"


def check_imports(archive: Archive, target: Target, builders: Builders) -> tuple[Finding, ...]:
    """Return a finding for each module that cannot be imported; a warning alone where nothing can be run."""
    modules = top_level_modules(archive)
    build_environment = runtime_image(target.platform)
    files = {
        "layer.zip": archive.path.read_bytes(),
        "modules.json": json.dumps(modules).encode(),
        _SCRIPT: (resources("entrypoint.layer") / _SCRIPT).read_bytes(),
    }
    try:
        builder = builders.open(build_environment, IndexOptions())
        outcome = builder.run(files, [builder.python, "-I", _SCRIPT], said=lambda _: None)
        failures = json.loads(outcome.files["failures.json"])
    except (CompileError, KeyError) as error:
        reason = error.problems[0].message if isinstance(error, CompileError) else "the check itself failed"
        return (_finding(target, Severity.WARNING, f"its imports could not be tried: {reason}"),)
    return tuple(
        _finding(
            target, Severity.ERROR, f"{module} cannot be imported in {build_environment.image}: {reason}"
        )
        for module, reason in failures.items()
    )


def _finding(target: Target, severity: Severity, message: str) -> Finding:
    return Finding(
        rule=RULE,
        severity=severity,
        target=target,
        message=message,
        hint="mend what it lacks" if severity is Severity.ERROR else "start Docker, or leave the check to CI",
        location=target.layer.location,
    )


def top_level_modules(archive: Archive) -> list[str]:
    """Return the modules and packages right under python/, sorted; private ones are imported by others."""
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
