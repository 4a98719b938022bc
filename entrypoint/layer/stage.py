"""Wheels -> verified archives: inspect, lay out, assemble, verify, describe, for all targets."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrypoint.cache import Cache
from entrypoint.errors import Diagnostic, Severity, VerifyError
from entrypoint.figures import count
from entrypoint.layer.artifacts import Artifact, difference, leave_compiled, read_artifact, refuse_committed
from entrypoint.layer.assemble import Archive, assemble
from entrypoint.layer.bytecode import Bytecode
from entrypoint.layer.dependency_hash import dependency_hash
from entrypoint.layer.describe import BuiltArchive, describe, refuse_differences
from entrypoint.layer.exclude import Exclusion
from entrypoint.layer.inspect import Contents, inspect
from entrypoint.layer.interpreters import Interpreter, Interpreters
from entrypoint.layer.layout import Part, lay_out
from entrypoint.layer.libraries import library_parts, unused_packages
from entrypoint.layer.module_imports import needed
from entrypoint.layer.presets import imports_of
from entrypoint.layer.repository_files import RepositoryFile, repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.strip import Strip
from entrypoint.layer.verify import is_error, labelled, verify
from entrypoint.layer.verify.imports import RULE, check_imports, warn_of_imports
from entrypoint.limits import DIRECT_UPLOAD_BYTES, UNZIPPED_BYTES
from entrypoint.lock.lock_file import Lock
from entrypoint.manifest.project import OUTPUT_FOLDER, Project
from entrypoint.manifest.runtimes import Runtime
from entrypoint.manifest.targets import Target
from entrypoint.parallel import for_each
from entrypoint.progress import Progress
from entrypoint.wheels.builders import Builders
from entrypoint.wheels.fetch import Wheel
from entrypoint.wheels.libraries import Libraries

Files = Mapping[Target, tuple[RepositoryFile, ...]]


def files_of(targets: Sequence[Target]) -> Files:
    """Return the repository's files in each target; they are the same for all targets of a layer."""
    layers = {target.layer.name: target.layer for target in targets}
    found = {name: repository_files(layer) for name, layer in layers.items()}
    return {target: found[target.layer.name] for target in targets}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archives:
    """Builds the archives of a project, and compares them with those that other jobs built."""

    project: Project
    cache: Path
    interpreters: Interpreters
    #: Environments in which code runs as in a runtime.
    builders: Builders
    progress: Progress

    def build(
        self,
        locks: Mapping[Target, Lock],
        wheels: Mapping[Target, tuple[Wheel, ...]],
        files: Files,
        *,
        libraries: Mapping[Target, Libraries],
        artifacts: Mapping[Target, Artifact],
        finished: Callable[[Target, Archive, BuiltArchive], None],
    ) -> dict[Target, BuiltArchive]:
        """Build the archive of each target, verify all, and write a description beside each.

        Archives are compared with their `artifacts`, if other jobs built them too. `finished` is called
        with each archive that passed.

        Raises:
            LayersError: of the first step that fails, with the problems of all targets; archives that
                would fail in their runtime are deleted.
        """
        contents = self._inspect(wheels)
        archives = self._assemble(
            {target: [contents[wheel.sha256] for wheel in wheels[target]] for target in locks},
            files,
            libraries,
        )
        self._compare(archives, artifacts)
        warnings = self._verify(archives, imported=artifacts)
        built = {}
        for target, archive in archives.items():
            leave_compiled(archive)
            digest = dependency_hash(target, locks[target], files[target])
            built[target] = describe(archive, target, digest, warnings[target])
            finished(target, archive, built[target])
        refuse_differences(self.project.layers, built)
        return built

    def artifacts(self, locks: Mapping[Target, Lock], files: Files, folder: Path) -> dict[Target, Artifact]:
        """Return what build jobs left of these targets, from the folder that holds it.

        Raises:
            VerifyError: with every archive that is missing, damaged, another job's, or of other inputs.
        """

        def read(target: Target) -> Artifact:
            digest = dependency_hash(target, locks[target], files[target])
            return read_artifact(folder, target, digest, own=own)

        own = folder.resolve() == (self.project.folder / OUTPUT_FOLDER / "build").resolve()
        refuse_committed(folder, self.project.folder)
        return dict(zip(locks, for_each(tuple(locks), read), strict=True))

    def _compare(self, archives: Mapping[Target, Archive], artifacts: Mapping[Target, Artifact]) -> None:
        """Refuse archives with other files than those that other jobs built, after deleting them."""
        problems = []
        for target, artifact in artifacts.items():
            differs, problem = difference(archives[target], artifact)
            if problem:
                archives[target].path.unlink(missing_ok=True)
                problems.append(problem)
            elif differs:
                self.progress.say(f"{target} is published as it was built here, not by its build job")
        if problems:
            raise VerifyError(*problems)

    def _inspect(self, wheels: Mapping[Target, tuple[Wheel, ...]]) -> dict[str, Contents]:
        """Inspect each wheel once, however many targets share it."""
        unique = {wheel.sha256: wheel for found in wheels.values() for wheel in found}
        with self.progress.counting("inspecting", len(unique), "wheel") as count:

            def read(wheel: Wheel) -> Contents:
                contents = inspect(wheel, self.cache)
                count()
                return contents

            inspected = for_each(tuple(unique.values()), read)
        return dict(zip(unique, inspected, strict=True))

    def _assemble(
        self,
        contents: Mapping[Target, Sequence[Contents]],
        files: Files,
        libraries: Mapping[Target, Libraries],
    ) -> dict[Target, Archive]:
        targets = tuple(contents)
        interpreters = self._interpreters(targets)
        folder, strip = self.project.output_folder() / "build", Strip(self.cache)

        def assembled(target: Target) -> Archive:
            excluded = Exclusion(target.layer.exclude)
            parts = _laid_out(target, contents[target], files[target])
            kept = self._kept(target, excluded, parts)
            remaining = [excluded.applied(part, kept) for part in parts]
            added: list[Part] = []
            if target in libraries:
                added = library_parts(target, remaining, libraries[target])
                self.progress.warn(unused_packages(target, added, libraries[target]))
            self.progress.warn(_unused(target, [*parts, *added]))
            parts = [*remaining, *(excluded.applied(part) for part in added)]
            if target.layer.strip:
                parts = [self._stripped(strip, part) for part in parts]
            path = folder / f"{target}.zip"
            # Compiling takes minutes, in vain if the layer is too large without bytecode.
            if target not in interpreters or _unzipped_size(parts) > UNZIPPED_BYTES:
                return assemble(parts, path)
            archive = assemble([bytecode.added(part, interpreters[target]) for part in parts], path)
            if target.layer.bytecode or not (reason := self._too_large(archive)):
                return archive
            self.progress.say(f"{target} has no bytecode: with it, {reason}")
            return assemble(parts, path)

        done = "compiled {} to bytecode"
        with self.progress.counting("compiling to bytecode", None, "package", done=done) as count:
            bytecode = Bytecode(self.cache, count)
            return dict(zip(targets, for_each(targets, assembled), strict=True))

    def _kept(self, target: Target, excluded: Exclusion, parts: Sequence[Part]) -> frozenset[str]:
        """Return what presets name and the remaining code imports; report what they save."""
        if not excluded.has_presets:
            return frozenset()
        imports = for_each(parts, lambda part: imports_of(part, self.cache))
        kept = needed((entry.path for part in parts for entry in part.entries), excluded, imports)
        kept = frozenset(path for path in kept if excluded.presets_of(path))
        saved: dict[str, int] = {}
        for entry in (entry for part in parts for entry in part.entries if entry.path not in kept):
            for preset in excluded.presets_of(entry.path)[:1] if excluded(entry.path) else ():
                saved[preset] = saved.get(preset, 0) + entry.size
        sizes = (
            ", ".join(f"{preset} {size / 1e6:.1f} MB" for preset, size in sorted(saved.items())) or "nothing"
        )
        also = f", without {count(len(kept), 'file')} that other modules import" if kept else ""
        self.progress.say(f"{target} leaves out {sizes}{also}")
        return kept

    def _too_large(self, archive: Archive) -> str | None:
        """Return why AWS would refuse an archive, which is perhaps smaller without bytecode."""
        if archive.unzipped_size > UNZIPPED_BYTES:
            return "the layer would exceed Lambda's limit"
        if archive.compressed_size > DIRECT_UPLOAD_BYTES and self.project.manifest.bucket is None:
            return f"the archive would exceed {DIRECT_UPLOAD_BYTES:,} bytes, and the manifest has no 's3:'"
        return None

    def _stripped(self, strip: Strip, part: Part) -> Part:
        smaller, refused = strip.applied(part)
        for path, reason in refused.items():
            self.progress.say(f"{path} of {part.origin} keeps its symbols: {reason}")
        return smaller

    def _interpreters(self, targets: Sequence[Target]) -> dict[Target, Interpreter]:
        """Find the Python that makes each target's bytecode; none for targets without bytecode."""
        found: dict[Target, Interpreter] = {}
        missing: set[Runtime] = set()
        shared = self._shared_by_pythons(targets)
        for target in targets:
            runtime = target.platform.runtime
            if target.layer.bytecode is False or runtime.python is None:
                continue
            if target in shared and target.layer.bytecode is None:
                continue
            if interpreter := self.interpreters.find(runtime, required=target.layer.bytecode is True):
                found[target] = interpreter
            else:
                missing.add(runtime)
        for runtime in sorted(missing, key=str):
            self.progress.say(
                f"no bytecode for {runtime}: its Python is not available; cold starts are slower"
            )
        return found

    def _shared_by_pythons(self, targets: Sequence[Target]) -> frozenset[Target]:
        """Return the targets of layers for several versions of Python, each of which has its own bytecode."""
        layers = [
            layer
            for layer in self.project.layers
            if len({target.platform.runtime.python for target in layer.targets}) > 1
            and not set(layer.targets).isdisjoint(targets)
        ]
        for layer in layers:
            if layer.targets[0].layer.bytecode is None:
                self.progress.say(f"no bytecode for {layer.name}: several versions of Python share it")
        return frozenset(target for layer in layers for target in layer.targets)

    def _verify(
        self, archives: Mapping[Target, Archive], *, imported: Collection[Target]
    ) -> dict[Target, tuple[Diagnostic, ...]]:
        """Return the warnings for each target; raise the errors, after deleting their archives.

        The build jobs of the targets in `imported` imported their modules.
        """
        findings = {target: verify(archive, target) for target, archive in archives.items()}
        to_import = {target: archive for target, archive in archives.items() if target not in imported}
        for target, found in self._check_imports(to_import, findings).items():
            findings[target] += found
        warnings = {
            target: tuple(each for each in found if each.severity is Severity.WARNING)
            for target, found in findings.items()
        }
        self.progress.warn(labelled(each, target) for target, found in warnings.items() for each in found)
        errors = {target: tuple(filter(is_error, found)) for target, found in findings.items()}
        for target in (target for target, found in errors.items() if found):
            archives[target].path.unlink(missing_ok=True)
        if any(errors.values()):
            raise VerifyError(*(labelled(each, target) for target, found in errors.items() for each in found))
        return warnings

    def _check_imports(
        self, archives: Mapping[Target, Archive], findings: Mapping[Target, Sequence[Diagnostic]]
    ) -> dict[Target, tuple[Diagnostic, ...]]:
        """Import the modules of layers, unless the static rules found an error."""
        failed = {target for target, found in findings.items() if any(map(is_error, found))}
        asking = [
            target
            for target in archives
            if target.layer.import_modules is not False
            and target not in failed
            and RULE not in target.layer.ignored_rules
        ]
        cache = Cache(self.cache)

        def check(target: Target) -> tuple[Diagnostic, ...]:
            if not target.layer.import_modules:
                return warn_of_imports(archives[target], target, self.builders, cache)
            self.progress.say(f"importing the modules of {target} in its runtime's image")
            return check_imports(archives[target], target, self.builders)

        return dict(zip(asking, for_each(asking, check), strict=True))


def _laid_out(target: Target, contents: Iterable[Contents], files: tuple[RepositoryFile, ...]) -> list[Part]:
    """Lay out the wheels, sorted by name, and then the repository's own files."""
    parts = [lay_out(wheel, target.platform.runtime) for wheel in contents]
    parts.sort(key=lambda part: part.name)
    return [*parts, repository_part(target.layer, files)] if files else parts


def _unused(target: Target, parts: Sequence[Part]) -> list[Diagnostic]:
    """Describe the patterns of `exclude` that match no file."""
    layer = target.layer
    if not layer.exclude:
        return []
    own = (file.path for file in repository_files(layer._replace(exclude=())))
    paths = [*(entry.path for part in parts for entry in part.entries), *own]
    hint = "correct it, or remove it; to leave out a package, use 'exclude_packages'"
    return [
        Diagnostic(f"{target}: {pattern!r} in exclude matches no file", hint, layer.location)
        for pattern in Exclusion(layer.exclude).unused(paths)
    ]


def _unzipped_size(parts: Sequence[Part]) -> int:
    """Return the size of the archive of these parts, of which later files replace earlier ones."""
    return sum({entry.path: entry.size for part in parts for entry in part.entries}.values())
