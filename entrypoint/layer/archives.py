"""Locks -> verified archives: fetch, compile, inspect, lay out, assemble, verify, for all targets."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from entrypoint.commands.run import Run
from entrypoint.errors import Diagnostic, Severity, VerifyError
from entrypoint.files import write_text
from entrypoint.layer.assemble import Archive, assemble
from entrypoint.layer.bytecode import Bytecode, Interpreter
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.describe import BuiltArchive, describe, read_described
from entrypoint.layer.exclude import Exclusion
from entrypoint.layer.inspect import Contents, inspect
from entrypoint.layer.layout import Part, lay_out
from entrypoint.layer.repository_files import RepositoryFile, repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.strip import Strip
from entrypoint.layer.verify import is_error, labelled, verify
from entrypoint.layer.verify.imports import RULE, check_imports
from entrypoint.limits import UNZIPPED_BYTES
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.runtimes import Runtime
from entrypoint.manifest.targets import AwsLayer, Target
from entrypoint.parallel import for_each
from entrypoint.wheels.compiled import compiled
from entrypoint.wheels.fetch import Sdist, Wheel, fetch

Files = Mapping[Target, tuple[RepositoryFile, ...]]


def files_of(targets: Sequence[Target]) -> Files:
    """Return the repository's files that each target holds; they are the same for all of a layer."""
    layers = {target.layer.name: target.layer for target in targets}
    found = {name: repository_files(layer) for name, layer in layers.items()}
    return {target: found[target.layer.name] for target in targets}


def build_archives(run: Run, locks: Mapping[Target, Lock], files: Files) -> dict[Target, BuiltArchive]:
    """Build the archive of each target, verify all, and describe them beside where they stand.

    Raises:
        LayersError: of the first stage that fails, with the problems of all targets; no archive that
            would fail in its runtime is left behind.
    """
    fetched = {target: _fetch(run, target, lock) for target, lock in locks.items()}
    wheels = compiled(run, locks, fetched)
    contents = _inspect(run, wheels)
    archives = _assemble(
        run, {target: [contents[wheel.sha256] for wheel in wheels[target]] for target in locks}, files
    )
    warned = _verify(run, archives)
    built = _describe(run, archives, locks, files, warned)
    _same_bytes(run.project.layers, built)
    return built


def read_archives(
    run: Run, locks: Mapping[Target, Lock], files: Files, folder: Path
) -> dict[Target, BuiltArchive]:
    """Return the archives that jobs before this one built and verified, from the folder that they lie in.

    Raises:
        VerifyError: with every archive that is missing, damaged, or not what is asked for now.
    """

    def read(target: Target) -> BuiltArchive:
        return read_described(folder, target, dependency_hash(target, locks[target], files[target]))

    built = dict(zip(locks, for_each(tuple(locks), read), strict=True))
    _same_bytes(run.project.layers, built)
    return built


def _fetch(run: Run, target: Target, lock: Lock) -> tuple[Wheel | Sdist, ...]:
    with run.console.downloads(target) as progress:
        index = run.index(lock.options)
        return fetch(lock, target.platform, index=index, cache=run.cache, progress=progress)


def _inspect(run: Run, wheels: Mapping[Target, tuple[Wheel, ...]]) -> dict[str, Contents]:
    """Inspect each wheel once, however many targets share it."""
    unique = {wheel.sha256: wheel for found in wheels.values() for wheel in found}
    with run.console.counting("inspecting", len(unique), "wheel") as count:

        def read(wheel: Wheel) -> Contents:
            contents = inspect(wheel, run.cache)
            count()
            return contents

        inspected = for_each(tuple(unique.values()), read)
    return dict(zip(unique, inspected, strict=True))


def _assemble(run: Run, contents: Mapping[Target, Sequence[Contents]], files: Files) -> dict[Target, Archive]:
    targets = tuple(contents)
    interpreters = _interpreters(run, targets)
    folder, strip = run.project.by_products() / "build", Strip(run.cache)

    def assembled(target: Target) -> Archive:
        parts = _parts(target, contents[target], files[target])
        if target.layer.strip:
            parts = [_stripped(run, strip, part) for part in parts]
        path = folder / f"{target}.zip"
        if target not in interpreters:
            return assemble(parts, path)
        archive = assemble([bytecode.added(part, interpreters[target]) for part in parts], path)
        if archive.unzipped_size <= UNZIPPED_BYTES or target.layer.bytecode:
            return archive
        run.console.say(f"no bytecode in {target}: with it, it would be larger than Lambda takes")
        return assemble(parts, path)

    done = "compiled {} to bytecode"
    with run.console.counting("compiling to bytecode", None, "package", done=done) as count:
        bytecode = Bytecode(run.cache, count)
        return dict(zip(targets, for_each(targets, assembled), strict=True))


def _describe(
    run: Run,
    archives: Mapping[Target, Archive],
    locks: Mapping[Target, Lock],
    files: Files,
    warned: Mapping[Target, Sequence[Diagnostic]],
) -> dict[Target, BuiltArchive]:
    """Write what each archive is, and what is warned of, beside it."""
    from entrypoint.report.sbom import sbom  # noqa: PLC0415 - most runs find nothing to build

    built = {}
    for target, archive in archives.items():
        digest = dependency_hash(target, locks[target], files[target])
        built[target] = describe(archive, target, digest, warned[target])
        write_text(archive.path.with_suffix(".cdx.json"), sbom(archive, target))
        run.console.built(target, built[target])
    return built


def _parts(target: Target, contents: Iterable[Contents], files: tuple[RepositoryFile, ...]) -> list[Part]:
    """Lay out the wheels by name and, after them, the repository's own files."""
    excluded = Exclusion(target.layer.exclude)
    parts = [excluded.applied(lay_out(wheel, target.platform.runtime)) for wheel in contents]
    parts.sort(key=lambda part: part.name)
    return [*parts, repository_part(target.layer, files)] if files else parts


def _stripped(run: Run, strip: Strip, part: Part) -> Part:
    smaller, refused = strip.applied(part)
    for path, reason in refused.items():
        run.console.say(f"{path} of {part.origin} keeps its symbols: {reason}")
    return smaller


def _interpreters(run: Run, targets: Sequence[Target]) -> dict[Target, Interpreter]:
    """Find the Python that makes each target's bytecode; left out is what is to have none, or cannot."""
    found: dict[Target, Interpreter] = {}
    missing: set[Runtime] = set()
    for target in targets:
        runtime = target.platform.runtime
        if target.layer.bytecode is False or runtime.python is None:
            continue
        if interpreter := run.interpreter(runtime, insist=target.layer.bytecode is True):
            found[target] = interpreter
        else:
            missing.add(runtime)
    for runtime in sorted(missing, key=str):
        run.console.say(f"no bytecode for {runtime}, which is not at hand; cold starts will be slower")
    return found


def _verify(run: Run, archives: Mapping[Target, Archive]) -> dict[Target, tuple[Diagnostic, ...]]:
    """Return the warnings of the rules for each target.

    Raises:
        VerifyError: with the errors of all targets, whose archives are removed.
    """
    findings = {target: verify(archive, target) for target, archive in archives.items()}
    for target, found in _check_imports(run, archives, findings).items():
        findings[target] += found
    warnings = {
        target: tuple(each for each in found if each.severity is Severity.WARNING)
        for target, found in findings.items()
    }
    run.console.warn(labelled(each, target) for target, found in warnings.items() for each in found)
    errors = {target: [each for each in found if is_error(each)] for target, found in findings.items()}
    for target in (target for target, found in errors.items() if found):
        archives[target].path.unlink(missing_ok=True)
    if any(errors.values()):
        raise VerifyError(*(labelled(each, target) for target, found in errors.items() for each in found))
    return warnings


def _check_imports(
    run: Run, archives: Mapping[Target, Archive], findings: Mapping[Target, Sequence[Diagnostic]]
) -> dict[Target, tuple[Diagnostic, ...]]:
    """Import the modules of the layers that ask for it, unless the static rules found an error."""
    failed = {target for target, found in findings.items() if any(map(is_error, found))}
    asking = [
        target
        for target in archives
        if target.layer.import_modules and target not in failed and RULE not in target.layer.ignored_rules
    ]
    for target in asking:
        run.console.say(f"importing the modules of {target} in its runtime's image")
    found = for_each(asking, lambda target: check_imports(archives[target], target, run.builders))
    return dict(zip(asking, found, strict=True))


def _same_bytes(layers: Iterable[AwsLayer], archives: Mapping[Target, BuiltArchive]) -> None:
    """Refuse targets that share a layer's name in AWS and not the bytes."""
    problems = []
    for layer in layers:
        built = {target: archives[target] for target in layer.targets if target in archives}
        if len({archive.sha256 for archive in built.values()}) > 1:
            sets = [{package.origin for package in archive.packages} for archive in built.values()]
            different = sorted(set[str]().union(*sets) - sets[0].intersection(*sets[1:]))
            names = ", ".join(map(str, built))
            message = f"{names} share the name {layer.name} and differ in {', '.join(different)}"
            hint = "put {runtime} and {architecture} into the layer's 'name'"
            problems.append(Diagnostic(message, hint, layer.targets[0].layer.location))
    if problems:
        raise VerifyError(*problems)
