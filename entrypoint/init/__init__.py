"""`lambda-layers init`: a first manifest, from the files of a folder or from AWS.

A reader returns a `Draft`: `serverless`, `cloudformation` and `folder` read files, `account` reads the layers
that functions use. Everything that they find is in the draft, or in a note that says why not. `manifest_file`
writes the draft, with the notes as comments; `summary` prints the notes.
"""

from pathlib import Path

from entrypoint.errors import Location, ManifestError
from entrypoint.files import write_text
from entrypoint.init.draft import Draft
from entrypoint.init.manifest_file import to_yaml
from entrypoint.init.readers import draft_of

__all__ = ["Draft", "draft_of", "refuse_existing", "write_draft"]


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
