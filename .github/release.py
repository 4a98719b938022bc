"""The parts of a release that are text: cuts its notes out of CHANGELOG.md, and pins the action's image.

python3 -I .github/release.py notes v1.2.3      print the notes
python3 -I .github/release.py pin IMAGE@DIGEST  let action.yml run just that
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ACTION = ROOT / "action.yml"
_IMAGE = re.compile(r"[\w./-]+@sha256:[0-9a-f]{64}")


def main(arguments: list[str]) -> None:
    """Do what the first argument says; an exit with a message is what is wrong."""
    match arguments:
        case ["notes", tag]:
            sys.stdout.write(notes(tag))
        case ["pin", image]:
            pin(image)
        case _:
            sys.exit(__doc__)


def notes(tag: str) -> str:
    """Return what CHANGELOG.md says of a version; the package must be of that version too."""
    version = tag.removeprefix("v")
    if f'__version__ = "{version}"' not in (ROOT / "entrypoint" / "__init__.py").read_text("utf-8"):
        sys.exit(f"entrypoint/__init__.py is not of version {version}; set __version__, and tag that commit")
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    found = re.search(
        rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    if not found or not found[1].strip():
        sys.exit(f"CHANGELOG.md says nothing of {version}; give what is Unreleased that heading")
    return f"{found[1].strip()}\n"


def pin(image: str) -> None:
    """Let the action run this image, by its digest, where it would build one."""
    if not _IMAGE.fullmatch(image):
        sys.exit(f"{image} is no image with its digest")
    text, line = ACTION.read_text("utf-8"), "  image: Dockerfile\n"
    if text.count(line) != 1:
        sys.exit(f"action.yml has {line.strip()!r} {text.count(line)} times, not once")
    ACTION.write_text(text.replace(line, f"  image: docker://{image}\n"), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
