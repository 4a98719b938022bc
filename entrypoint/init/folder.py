"""The requirements files and project files of a folder -> a draft with a layer for each."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.draft import Draft, DraftLayer, Note, fill_in, free_name, layer_name, left_out, taken
from entrypoint.init.layer_folder import requirements_file
from entrypoint.init.platforms import default_runtime
from entrypoint.init.python_project import Found, found_in_project
from entrypoint.init.repository import Repository, files_below, is_development_file, start_of
from entrypoint.manifest.runtimes import Architecture

_LOCK = re.compile(r"-(?:python3\.\d+)-(?:x86_64|arm64)\.txt$")
"""The names of the locks that `lambda-layers lock` writes."""
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement)[ =]?\s*(\S+)", re.MULTILINE)
_PLAIN_NAMES = {"requirements", "layers", "src", "app", ""}
_FOREIGN = {
    "environment.yml": "Conda's packages are not those of Python's package index",
    "setup.py": "its requirements are only known when it runs",
}


def found_in_folder(repository: Repository) -> Draft:
    """Return a layer for each requirements file, or else for the project file of the folder."""
    layers: dict[str, DraftLayer] = {}
    notes: list[Note] = []
    runtime = default_runtime(repository.folder)
    for name, found in _found(repository, notes):
        if not found.content:
            notes += found.notes
            continue
        free = free_name(name, layers)
        layers[free] = DraftLayer(
            name=free,
            content=found.content,
            runtimes=(runtime,),
            architectures=(Architecture.X86_64,),
            notes=found.notes,
        )
    if layers:
        notes.append(fill_in(f"runtimes and architectures: {runtime} and x86_64 are guesses"))
    else:
        notes.append(fill_in("no requirements were found: add a layer with the packages that you need"))
    return Draft(layers=tuple(layers.values()), notes=tuple(notes))


def _found(repository: Repository, notes: list[Note]) -> Iterator[tuple[str, Found]]:
    """Yield a layer's name and content for each input file; a .in file precedes its .txt."""
    files = list(files_below(repository.folder))
    inputs = list(_requirements_files(repository, files, notes))
    for path in inputs:
        at = Location(repository.shown(path))
        yield _layer_name(path.relative_to(repository.folder)), requirements_file(repository, path, at)
    for folder in _project_folders(repository.folder, files):
        found = found_in_project(repository, folder)
        if not any(path.parent == folder for path in inputs):
            yield "shared" if folder == repository.folder else layer_name(folder.name), found
        elif found.content and not (found.content.requirements[0].endswith("requirements.txt")):
            at = Location(found.content.requirements[0])
            notes.append(left_out("the requirements files beside it are read", at))
    for name, why in _FOREIGN.items():
        if (repository.folder / name).is_file() and not inputs:
            notes.append(left_out(why, Location(name)))


def _project_folders(folder: Path, files: Sequence[Path]) -> list[Path]:
    """Return the folders with a project file, those for development excepted."""
    named = [path for path in files if path.name in {"pyproject.toml", "Pipfile"}]
    return sorted({path.parent for path in named if not is_development_file(path.relative_to(folder))})


def _requirements_files(repository: Repository, files: Sequence[Path], notes: list[Note]) -> Iterator[Path]:
    """Yield the requirements files that layers are made from; add notes on those for development."""
    folder = repository.folder
    own = sorted(filter(_is_requirements_file, files), key=lambda path: (path.suffix != ".in", path))
    development = [path for path in own if is_development_file(path.relative_to(folder))]
    notes.extend(left_out("it is for development", Location(repository.shown(path))) for path in development)
    kept = [path for path in own if path not in development]
    for path in _included_by_others(kept):
        notes.append(taken("another file includes it", Location(repository.shown(path))))
        kept.remove(path)
    stems: set[Path] = set()
    for path in kept:
        if path.with_suffix("") in stems:
            notes.append(
                taken(f"{path.with_suffix('.in').name} is its input", Location(repository.shown(path)))
            )
        else:
            stems.add(path.with_suffix(""))
            yield path


def _included_by_others(paths: Sequence[Path]) -> list[Path]:
    """Return the files of folders named requirements that another file beside them includes with -r."""
    included = {(path.parent / name).resolve() for path in paths for name in _INCLUDE.findall(start_of(path))}
    return [path for path in paths if path.parent.name == "requirements" and path.resolve() in included]


def _is_requirements_file(path: Path) -> bool:
    """Whether a file has requirements by its name or that of its folder, and is not one of our locks."""
    is_named = "requirements" in path.stem or path.parent.name == "requirements"
    return is_named and path.suffix in {".in", ".txt"} and not _LOCK.search(path.name)


def _layer_name(path: Path) -> str:
    """Return a layer's name from the file's name without `requirements`, or from its folder."""
    own = re.sub(r"^requirements[-_.]?|[-_.]?requirements$", "", path.stem)
    name = own or (path.parent.name if path.parent.name not in _PLAIN_NAMES else "")
    return layer_name(name)
