"""`lambda-layers init`: a first manifest, from what stands in the folder or in AWS.

`draft` is the manifest before it is written. It comes from a serverless.yml (`serverless`), from a SAM or
CloudFormation template (`sam`), from requirements files (`folder`), or from what functions use (`account`).
"""

from pathlib import Path

from entrypoint.errors import Location, ManifestError
from entrypoint.files import write_text
from entrypoint.init.draft import Draft, written
from entrypoint.init.folder import found_in_folder
from entrypoint.init.sam import found_in_template
from entrypoint.init.serverless import found_in_serverless

_READERS = {
    "serverless.yml": found_in_serverless,
    "serverless.yaml": found_in_serverless,
    "template.yaml": found_in_template,
    "template.yml": found_in_template,
}


def write_starter(path: Path, draft: Draft) -> None:
    """Write a manifest.

    Raises:
        ManifestError: where there is one already.
    """
    refuse_standing(path)
    write_text(path, written(draft))


def refuse_standing(path: Path) -> None:
    """Raise a ManifestError where there is a manifest already."""
    if path.exists():
        raise ManifestError.of("it exists already", "edit it, or move it away first", Location(str(path)))


def draft_of(folder: Path) -> Draft:
    """Return what fits a folder: what a template of another tool says, else the requirements files.

    Raises:
        ManifestError: where a template is no YAML.
    """
    for name, read in _READERS.items():
        if (folder / name).is_file() and (draft := read(folder / name)):
            return draft
    return found_in_folder(folder)
