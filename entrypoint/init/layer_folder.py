"""The folder that a template names for a layer -> its requirements, the modules beside them, or its files.

SAM installs requirements.txt to python/ if the layer has a `BuildMethod` of Python, and copies the other
files of the folder there. Without one, and in the Serverless Framework, the folder is packed as it is.
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/building-layers.html
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.draft import Content, Note, fill_in, left_out, taken
from entrypoint.init.python_project import Found, found_in_project
from entrypoint.init.repository import Repository, is_development_file, is_development_folder

_NOT_PACKED = re.compile(
    r"\..*|__pycache__|.*\.pyc|.*\.egg-info|venv|env|htmlcov|node_modules|requirements.*\.(?:txt|in)"
    r"|pyproject\.toml|(?:uv|poetry|pdm)\.lock|pylock.*\.toml|Pipfile(?:\.lock)?",
)
"""Files of tools. aws-lambda-builders leaves out most of them too, in its workflow python_pip."""
_FOR_PEOPLE = re.compile(
    r"(?:README|LICENSE|CHANGELOG|NOTICE)(?:\..*)?|Makefile|setup\.(?:py|cfg)", re.IGNORECASE
)


def found_in_layer_folder(repository: Repository, path: Path, at: Location, *, installs: bool) -> Found:
    """Return what a template's layer has; with `installs`, the tool installs its requirements to python/."""
    if (problem := _problem(repository, path)) is not None:
        return Found(Content(), (left_out(problem, at),))
    if path.is_file():
        return requirements_file(repository, path, at)
    return _built(repository, path, at) if installs else _packed(repository, path, at)


def requirements_file(repository: Repository, path: Path, at: Location) -> Found:
    """Return a requirements file; nothing if it names no packages."""
    shown = repository.shown(path)
    if not repository.contains(path):
        return Found(Content(), (left_out(f"{shown} is outside the repository", at),))
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        return Found(Content(), (left_out(f"{shown} cannot be read: {error}", at),))
    if not any(line.strip() and not line.strip().startswith("#") for line in lines):
        return Found(Content(), (left_out(f"{shown} names no packages", at),))
    return Found(Content(requirements=(shown,)), (taken(f"the packages of {shown}", at),))


def _problem(repository: Repository, path: Path) -> str | None:
    shown = repository.shown(path) if "\0" not in str(path) else "its path"
    try:
        if not repository.contains(path):
            return f"{shown} is outside the repository"
        if not path.exists():
            return f"{shown} not found"
        if path.is_file() and path.suffix not in {".in", ".txt"}:
            return f"{shown} is an archive; init needs the folder or the requirements that it is made from"
    except (OSError, ValueError) as error:
        return f"{shown} cannot be read: {error}"
    return None


def _built(repository: Repository, folder: Path, at: Location) -> Found:
    """Return the requirements of a folder, and everything else in it for python/."""
    found = _requirements(repository, folder, at)
    own, notes = own_files(repository, folder, at)
    content = replace(found.content, include=own)
    if not content:
        notes = (left_out(f"{repository.shown(folder)} has no packages and no modules", at),)
    return Found(content, (*found.notes, *notes))


def _packed(repository: Repository, folder: Path, at: Location) -> Found:
    """Return a folder as it is, or the requirements that a script installs to it before it is packed."""
    python = folder / "python"
    found = next(
        (
            made
            for each in (folder, python)
            if each.is_dir() and (made := _requirements(repository, each, at)).content
        ),
        None,
    )
    shown = repository.shown(folder)
    if not found or next(python.rglob("*.dist-info"), None):
        if folder.resolve() == repository.folder:
            return Found(
                Content(), (left_out("its folder is that of the manifest; name a folder inside it", at),)
            )
        if not any(folder.iterdir()):
            return Found(Content(), (left_out(f"{shown} is empty", at),))
        return Found(Content(content=shown), (taken(f"the files of {shown}", at),))
    own, notes = own_files(repository, python, at) if python.is_dir() else ((), ())
    others = sorted(each.name for each in folder.iterdir() if each != python and not _is_of_tools(each.name))
    if others:
        text = f"{shown} has {', '.join(others)}; move what is for /opt to its own folder, named as `content`"
        notes = (*notes, fill_in(text, at))
    note = fill_in("nothing installs these packages in the template; remove the script that does", at)
    return Found(replace(found.content, include=own), (*found.notes, *notes, note))


def _requirements(repository: Repository, folder: Path, at: Location) -> Found:
    for name in ("requirements.txt", "requirements.in"):
        if (folder / name).is_file():
            return requirements_file(repository, folder / name, at)
    return found_in_project(repository, folder)


def own_files(repository: Repository, folder: Path, at: Location) -> tuple[tuple[str, ...], tuple[Note, ...]]:
    """Return what `include` has to name for the files of a folder to be in python/, and notes."""
    names = sorted(each.name for each in folder.iterdir() if not _is_of_tools(each.name))
    if folder.resolve() == repository.folder:
        text = "its folder is that of the manifest: add the modules that it needs as `include`"
        return (), (fill_in(text, at),) if names else ()
    skipped = [name for name in names if _is_skipped(folder, name)]
    kept = [name for name in names if name not in skipped and repository.contains(folder / name)]
    shown = tuple(f"{repository.shown(folder)}/{name}" for name in kept)
    return shown, tuple(_own_notes(shown, skipped, at))


def _own_notes(shown: tuple[str, ...], skipped: list[str], at: Location) -> Iterator[Note]:
    if shown:
        yield taken(f"{', '.join(shown)} to python/; add files that the folder gets later to `include`", at)
    if skipped:
        yield left_out(f"{', '.join(skipped)}: for development", at)


def _is_of_tools(name: str) -> bool:
    return _NOT_PACKED.fullmatch(name) is not None


def _is_skipped(folder: Path, name: str) -> bool:
    if (folder / name).is_dir():
        return is_development_folder(name)
    return _FOR_PEOPLE.fullmatch(name) is not None or (
        name.endswith(".txt") and is_development_file(Path(name))
    )
