"""`lambda-layers schema`: the manifest's JSON Schema."""

from typing import TYPE_CHECKING

from entrypoint.commands.command import Command, Result
from entrypoint.manifest.schema import DEFAULT_PATH, MANIFEST

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


def run(_: "Context") -> Result:
    """Print the schema."""
    import json  # noqa: PLC0415 - slow to import

    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": DEFAULT_PATH}
    return Result(text=json.dumps(draft | MANIFEST.schema(), indent=2))


COMMAND = Command(
    (),
    run,
)
