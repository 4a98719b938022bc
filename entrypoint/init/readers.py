"""Which files of a folder init reads: the first of a Serverless, SAM, CloudFormation or Terraform project.

Without such a file, or if it has no layers, the folder's requirements are read.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from entrypoint.errors import Location, ManifestError
from entrypoint.init.cloudformation.reader import draft_of_cloudformation
from entrypoint.init.cloudformation.samconfig import read_samconfig
from entrypoint.init.draft import Draft, Note, fill_in, left_out
from entrypoint.init.folder import found_in_folder
from entrypoint.init.located import Table, read_file, table
from entrypoint.init.placeholders import names_in
from entrypoint.init.repository import Repository, start_of
from entrypoint.init.serverless.reader import draft_of_serverless
from entrypoint.init.terraform.reader import draft_of_terraform, terraform_folder

_SERVERLESS = ("serverless.yml", "serverless.yaml", "serverless.json")
_SAM = ("template.yaml", "template.yml", "template.json")
_PROGRAMS = {
    "serverless.ts": "a program: run `serverless print > serverless.yml`, then init",
    "serverless.js": "a program: run `serverless print > serverless.yml`, then init",
    "serverless-compose.yml": "its services have manifests of their own: run init in the folder of each",
    "cdk.json": "CDK apps are programs: run `cdk synth > template.yaml`, then init",
}
_SKIPPED = {"node_modules", "site-packages", "cdk.out", "build", "dist", "venv"}
_SUFFIXES = {".yaml", ".yml", ".json", ".template"}
_LAYER_TYPES = ("::LayerVersion", "::Serverless::Function", "::Lambda::Function")


def draft_of(folder: Path) -> Draft:
    """Return a draft for a folder, from a template of another tool or from its requirements files.

    Raises:
        ManifestError: if a template is not valid YAML or JSON.
    """
    repository = Repository.of(folder)
    notes = list(_programs(repository.folder))
    paths: list[Path] = []
    try:
        found = _first(repository, notes, paths) or found_in_folder(repository)
    except RecursionError:
        message = "its values refer to each other too often in a row"
        raise ManifestError.of(
            message, "move it while init runs", Location(repository.shown(paths[-1] if paths else folder))
        ) from None
    notes += _elsewhere(repository, paths)
    return _with_variables(replace(found, notes=(*notes, *found.notes)))


def _first(repository: Repository, notes: list[Note], paths: list[Path]) -> Draft | None:
    """Return the draft of the first template with layers; add all paths, and notes on the other templates."""
    chosen: Draft | None = None
    for path, read in _templates(repository, notes):
        paths.append(path)
        location = Location(repository.shown(path))
        if chosen:
            notes.append(left_out("init reads one template; move the other one to read this one", location))
        elif (chosen := read()) is None:
            notes.append(left_out("it has no layers, and no function with layers", location))
    return chosen


def _templates(
    repository: Repository, notes: list[Note]
) -> Iterator[tuple[Path, Callable[[], Draft | None]]]:
    """Yield the templates of a folder, each with what reads it."""
    folder = repository.folder
    for name in _SERVERLESS:
        if (folder / name).is_file() and repository.contains(folder / name):
            content = read_file(folder / name, name)
            if isinstance(content, Table):
                yield folder / name, partial(draft_of_serverless, repository, folder / name, content)
    config = read_samconfig(repository)
    named = [folder / config.template] if config.template else []
    for path in dict.fromkeys((*named, *_candidates(folder))):
        template = _resources(repository, path, notes)
        if template is not None:
            yield path, partial(draft_of_cloudformation, repository, path, template, config)
    if terraform := terraform_folder(repository):
        yield terraform, partial(_terraform, repository, terraform, notes)


def _resources(repository: Repository, path: Path, notes: list[Note]) -> Table | None:
    """Return the content of a template; None for a file that is none."""
    if not path.is_file() or not repository.contains(path):
        return None
    try:
        content = read_file(path, repository.shown(path))
    except ManifestError as error:
        if path.name in _SAM:
            raise
        notes.append(left_out(str(error), Location(repository.shown(path))))
        return None
    is_template = isinstance(content, Table) and isinstance(content.get("Resources"), Table)
    return table(content) if is_template else None


def _terraform(repository: Repository, folder: Path, notes: list[Note]) -> Draft | None:
    try:
        return draft_of_terraform(repository, folder)
    except ModuleNotFoundError:
        text = "its .tf files: to read them, install lambda-layer-pipeline[terraform]"
        notes.append(left_out(text, Location(repository.shown(folder))))
        return None


def _elsewhere(repository: Repository, known: list[Path]) -> Iterator[Note]:
    """Yield a note on each other template in the folders below, which have manifests of their own."""
    for pattern in ("*/", "*/*/"):
        for folder in sorted(repository.folder.glob(pattern)):
            parts = folder.relative_to(repository.folder).parts
            if any(part.startswith(".") or part in _SKIPPED for part in parts):
                continue
            for name in (*_SERVERLESS, *_SAM):
                path = folder / name
                if path not in known and path.is_file() and (name in _SERVERLESS or _is_template(path)):
                    command = f"lambda-layers init --manifest {repository.shown(folder)}/lambda-layers.yml"
                    yield left_out(f"to read it, run: {command}", Location(repository.shown(path)))


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the templates of a folder: those that SAM reads, then others that have layers or functions."""
    yield from (folder / name for name in _SAM)
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.name not in (*_SERVERLESS, *_SAM) and _is_template(path):
            yield path


def _is_template(path: Path) -> bool:
    content = start_of(path)
    return "Resources" in content and any(kind in content for kind in _LAYER_TYPES)


def _programs(folder: Path) -> Iterator[Note]:
    yield from (left_out(why, Location(name)) for name, why in _PROGRAMS.items() if (folder / name).is_file())


def _with_variables(draft: Draft) -> Draft:
    """Return the draft with a note on each variable that its manifest needs."""
    texts = [
        text
        for layer in draft.layers
        for text in (layer.aws_name, layer.settings.description, layer.settings.license)
    ]
    for function in draft.functions:
        texts += [function.name, *function.layers, *(value for _, value in function.tag)]
    notes = tuple(
        fill_in(f"replace ${{{name}}}, or add --set {name}=VALUE to every command")
        for name in names_in(texts)
    )
    return replace(draft, notes=(*draft.notes, *notes))
