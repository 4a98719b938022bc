"""Which files of a folder init reads: the first of a Serverless, SAM, CloudFormation or Terraform project.

Without such a file, or if it has no layers, the folder's requirements are read.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.cloudformation.reader import draft_of_cloudformation
from entrypoint.init.cloudformation.samconfig import read_samconfig
from entrypoint.init.draft import Draft, Note, fill_in, left_out
from entrypoint.init.folder import found_in_folder
from entrypoint.init.located import Table, read_file
from entrypoint.init.placeholders import names_in
from entrypoint.init.repository import Repository
from entrypoint.init.serverless.reader import draft_of_serverless
from entrypoint.init.terraform.reader import draft_of_terraform, terraform_folder
from entrypoint.manifest.yaml_limits import BYTES

_SERVERLESS = ("serverless.yml", "serverless.yaml", "serverless.json")
_SAM = ("template.yaml", "template.yml", "template.json")
_PROGRAMS = {
    "serverless.ts": "a program: run `serverless print > serverless.yml`, then init",
    "serverless.js": "a program: run `serverless print > serverless.yml`, then init",
    "cdk.json": "CDK apps are programs: run `cdk synth > template.yaml`, then init",
}
_SUFFIXES = {".yaml", ".yml", ".json", ".template"}
_LAYER_TYPES = ("::LayerVersion", "::Serverless::Function", "::Lambda::Function")


def draft_of(folder: Path) -> Draft:
    """Return a draft for a folder, from a template of another tool or from its requirements files.

    Raises:
        ManifestError: if a template is not valid YAML or JSON.
    """
    repository = Repository.of(folder)
    notes = list(_programs(repository.folder))
    found = next((draft for draft in _templates(repository, notes) if draft), None)
    if found is None:
        found = found_in_folder(repository)
    return _with_variables(replace(found, notes=(*notes, *found.notes)))


def _templates(repository: Repository, notes: list[Note]) -> Iterator[Draft | None]:
    folder = repository.folder
    for name in _SERVERLESS:
        if (folder / name).is_file() and isinstance(content := read_file(folder / name, name), Table):
            yield draft_of_serverless(repository, folder / name, content)
    config = read_samconfig(repository)
    for path in dict.fromkeys(
        (*([folder / config.template] if config.template else []), *_candidates(folder))
    ):
        if path.is_file() and repository.contains(path):
            content = read_file(path, repository.shown(path))
            if isinstance(content, Table) and isinstance(content.get("Resources"), Table):
                yield draft_of_cloudformation(repository, path, content, config)
    if terraform := terraform_folder(folder):
        try:
            yield draft_of_terraform(repository, terraform)
        except ModuleNotFoundError:
            location = Location(repository.shown(terraform))
            notes.append(
                left_out("its .tf files: to read them, install lambda-layer-pipeline[terraform]", location)
            )


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield the templates of a folder: those that SAM reads, then others that have layers or functions."""
    yield from (folder / name for name in _SAM)
    for path in sorted(folder.iterdir()):
        if path.suffix in _SUFFIXES and path.name not in (*_SERVERLESS, *_SAM) and _is_template(path):
            yield path


def _is_template(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > BYTES:
            return False
        content = path.read_text("utf-8", "replace")
    except OSError:
        return False
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
