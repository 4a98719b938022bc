"""`lambda-layers init`: a first manifest, from the files of a folder or from AWS.

`draft` is the manifest before it is written. It comes from a serverless.yml (`serverless`), a SAM or
CloudFormation template (`sam`), requirements files (`folder`), or the layers that functions use (`account`).
"""

from pathlib import Path

from entrypoint.errors import Location, ManifestError
from entrypoint.files import write_text
from entrypoint.init.draft import Draft, to_yaml
from entrypoint.init.folder import found_in_folder
from entrypoint.init.sam import found_in_template
from entrypoint.init.serverless import found_in_serverless

_READERS = {
    "serverless.yml": found_in_serverless,
    "serverless.yaml": found_in_serverless,
    "template.yaml": found_in_template,
    "template.yml": found_in_template,
}


def write_draft(path: Path, draft: Draft) -> None:
    """Write a draft as a manifest.

    Raises:
        ManifestError: if the file exists.
    """
    refuse_existing(path)
    write_text(path, to_yaml(draft))


def refuse_existing(path: Path) -> None:
    """Raise a ManifestError if the file exists."""
    if path.exists():
        raise ManifestError.of("the manifest already exists", "edit or move it", Location(str(path)))


def draft_of(folder: Path) -> Draft:
    """Return a draft for a folder, from a template of another tool or from its requirements files.

    Raises:
        ManifestError: if a template is not valid YAML.
    """
    for name, read in _READERS.items():
        if (folder / name).is_file() and (draft := read(folder / name)):
            return draft
    return found_in_folder(folder)
