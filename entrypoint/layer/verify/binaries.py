"""Rules about compiled code: architecture, required symbols and libraries, Python version."""

import re
from collections.abc import Iterator, Mapping, Sequence
from posixpath import basename, dirname, normpath

from entrypoint.errors import Diagnostic, Severity
from entrypoint.layer.assemble import Archive
from entrypoint.layer.elf import ElfFacts
from entrypoint.layer.layout import Part
from entrypoint.layer.verify.system_packages import packages_of
from entrypoint.manifest.libraries import COMPLETE, libraries_of
from entrypoint.manifest.model import DEFAULT_BUILDER
from entrypoint.manifest.runtimes import ROOT
from entrypoint.manifest.targets import Target

_SHARED_OBJECT = re.compile(r"\.so(\.[0-9]+)*$")
_CPYTHON_SUFFIX = re.compile(r"^(?P<module>.+)\.cpython-3(?P<minor>[0-9]+)t?-[^/]*\.so$")
_FOREIGN_SUFFIX = re.compile(r"(?P<module>.+?)(?:\.[^/]*-darwin\.so|(?:\.[^/]*)?\.pyd)$")
_SHOWN = 3
"""Names in a finding."""
_VERSION = re.compile(r"(?P<prefix>[A-Z]+)_(?P<version>[0-9]+(?:\.[0-9]+)+)$")
_ORIGIN = re.compile(r"\$ORIGIN\b|\$\{ORIGIN\}")


def elf_machine(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find compiled code for another architecture."""
    machine = target.platform.architecture.machine
    for part, path, facts in _elf_files(archive):
        if facts.machine != machine:
            message = f"{path} of {part.origin} is built for {facts.machine}, not for {machine}"
            if part.contents is None and not path.startswith(ROOT):
                yield Diagnostic(message, f"use a build for {machine}, in a layer and folder of its own")
            elif _SHARED_OBJECT.search(path):
                yield Diagnostic(message, f"use a wheel for {machine}")
            else:
                yield Diagnostic(
                    message,
                    "the program cannot run in Lambda; check that nothing needs it",
                    severity=Severity.WARNING,
                )


def foreign_binary(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find libraries that Python would load, and the repository's own files, for macOS or Windows."""
    for part in archive.parts:
        for path, system in part.foreign.items():
            would_load = _SHARED_OBJECT.search(path) and not _FOREIGN_SUFFIX.match(path)
            if part.contents is None or would_load:
                message = f"{path} of {part.origin} is built for {system}"
                yield Diagnostic(message, f"use a build for Linux on {target.platform.architecture}")


def foreign_module(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find extension modules whose suffix is that of another system, where Linux has no such module."""
    paths = {entry.path for entry in archive.entries}
    for part in archive.parts:
        for entry in part.entries:
            match = _FOREIGN_SUFFIX.match(entry.path)
            if not match or (part.contents is None and entry.path in part.foreign):
                continue
            module = match["module"]
            ends = (".py", ".so", ".abi3.so", "/__init__.py")
            linux = re.compile(rf"{re.escape(module)}\.cpython-[^/]*-linux-[^/]*\.so")
            if paths.isdisjoint(module + end for end in ends) and not any(map(linux.fullmatch, paths)):
                message = f"{entry.path} of {part.origin} is an extension module for another system"
                hint = f"check that nothing imports {module.rpartition('/')[2]}, or use a wheel for Linux"
                yield Diagnostic(message, hint, severity=Severity.WARNING)


def damaged_elf(archive: Archive, _: Target) -> Iterator[Diagnostic]:
    """Find ELF files that cannot be read."""
    for part in archive.parts:
        for path, reason in part.damaged.items():
            message = f"{path} of {part.origin} is a damaged ELF file: {reason}"
            yield Diagnostic(message, "use another build of the package")


def symbol_version(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find compiled code that needs newer symbols of the C or C++ library."""
    have = dict(target.platform.runtime.system.symbols)
    bundled = {facts.soname for _, _, facts in _elf_files(archive)}
    for part, path, facts in _native(archive, target):
        newest: dict[str, tuple[int, ...]] = {}
        for library, _, text in (version.partition(" ") for version in facts.versions):
            match = _VERSION.search(text)
            if match and library not in bundled:
                version = tuple(map(int, match["version"].split(".")))
                newest[match["prefix"]] = max(version, newest.get(match["prefix"], ()))
        for prefix, need in newest.items():
            if prefix in have and need > have[prefix]:
                message = f"{path} of {part.origin} needs {prefix}_{_dotted(need)}; "
                message += f"{target.platform.runtime} has {_dotted(have[prefix])}"
                hint = "use a version of the package with a wheel for an older system"
                if part.system_package:
                    hint = "use a builder_image with the runtime's own distribution"
                yield Diagnostic(message, hint)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def needed_library(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find compiled code that is linked to a missing library.

    It is an error where Python can import an extension module that needs the library, itself or through
    others. Plugins and programs, which nothing links to, may never be used.
    """
    provided = libraries_of(target.platform.runtime)
    paths = {entry.path for entry in archive.entries}
    own = {facts.soname or basename(path) for _, path, facts in _elf_files(archive)}
    names = own | {path.rpartition("/")[2] for path in paths}
    found = list(_native(archive, target))
    loaded = _loaded({path: facts for _, path, facts in found})
    missing: dict[tuple[str, bool, tuple[str, ...]], list[str]] = {}
    for part, path, facts in found:
        absent = tuple(
            library
            for library in facts.needed
            if not (library in provided or library in names or _is_found(library, path, facts, paths))
        )
        if absent:
            missing.setdefault((part.origin, path in loaded, absent), []).append(path)
    for (origin, is_loaded, libraries), files in missing.items():
        yield _missing(target, origin, files, libraries, is_loaded=is_loaded)


def _missing(
    target: Target, origin: str, files: Sequence[str], libraries: Sequence[str], *, is_loaded: bool
) -> Diagnostic:
    runtime = target.platform.runtime
    verb, neither = ("is", "which is") if len(files) == 1 else ("are", "which is")
    neither = neither if len(libraries) == 1 else "which are"
    message = f"{_some(files)} of {origin} {verb} linked to {_some(libraries)}, "
    message += f"{neither} neither in the layer nor in {runtime}"
    if runtime.system not in COMPLETE:
        message += "; the list of libraries of this runtime is incomplete"
        hint = f"test the layer in the runtime; if it fails there, {_how_to_add(target, libraries)}"
        return Diagnostic(message, hint, severity=Severity.WARNING)
    if is_loaded:
        return Diagnostic(
            message, f"use a wheel that bundles the library, or {_how_to_add(target, libraries)}"
        )
    hint = "no extension module needs this; check that the function does not use it, or exclude it"
    return Diagnostic(message, hint, severity=Severity.WARNING)


def _how_to_add(target: Target, libraries: Sequence[str]) -> str:
    """Return how to add libraries to a layer; their packages are known for Amazon Linux only."""
    layer = target.layer
    is_amazon = layer.builder_image == DEFAULT_BUILDER
    names = packages_of(libraries, target.platform.runtime.system) if is_amazon else None
    if names is None or set(names) <= set(layer.requirements.libraries):
        return "name the system package that has it under 'libraries'"
    return f"add 'libraries: [{', '.join(sorted({*layer.requirements.libraries, *names}))}]' to the layer"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _loaded(files: Mapping[str, ElfFacts]) -> set[str]:
    """Return the extension modules, and the files of the layer that they are linked to, at any depth."""
    providers: dict[str, list[str]] = {}
    for path, facts in files.items():
        for name in {facts.soname or basename(path), basename(path)}:
            providers.setdefault(name, []).append(path)
    loaded: set[str] = set()
    queue = [path for path, facts in files.items() if facts.is_module]
    while queue:
        path = queue.pop()
        if path not in loaded:
            loaded.add(path)
            queue += [other for library in files[path].needed for other in providers.get(library, ())]
    return loaded


def _is_found(library: str, path: str, facts: ElfFacts, paths: set[str]) -> bool:
    """Whether the loader finds the library in the layer: in the file's search path, or in lib/."""
    folder = f"/opt/{dirname(path)}"
    search = [_ORIGIN.sub(lambda _: folder, location) for location in facts.search_path] + ["/opt/lib"]
    return any(normpath(f"{location}/{library}").removeprefix("/opt/") in paths for location in search)


def cpython_suffix(archive: Archive, target: Target) -> Iterator[Diagnostic]:
    """Find extension modules that are compiled only for other versions of Python."""
    wanted = target.platform.runtime.python_version
    paths = {entry.path for entry in archive.entries}
    for part in archive.parts:
        minors: dict[str, set[int]] = {}
        for entry in part.entries:
            if entry.path.endswith(".so") and (match := _CPYTHON_SUFFIX.match(entry.path)):
                minors.setdefault(match["module"], set()).add(int(match["minor"]))
        for module, found in minors.items():
            compatible = {f"{module}.abi3.so", f"{module}.so", f"{module}.py"} & paths
            if wanted and wanted[1] not in found and not compatible:
                others = ", ".join(f"3.{minor}" for minor in sorted(found))
                message = f"{module} of {part.origin} is compiled for Python {others} only"
                yield Diagnostic(message, f"use a wheel for {target.platform.runtime}")


def _elf_files(archive: Archive) -> Iterator[tuple[Part, str, ElfFacts]]:
    for part in archive.parts:
        for path, facts in part.elf.items():
            yield part, path, facts


def _native(archive: Archive, target: Target) -> Iterator[tuple[Part, str, ElfFacts]]:
    """Yield the ELF files for the target's architecture."""
    machine = target.platform.architecture.machine
    return ((part, path, facts) for part, path, facts in _elf_files(archive) if facts.machine == machine)
