"""`lambda-layers schema`: the manifest's JSON Schema."""

from typing import TYPE_CHECKING

from entrypoint.commands.command import Command, Result
from entrypoint.manifest.schema import DEFAULT_PATH, MANIFEST

if TYPE_CHECKING:
    from entrypoint.commands.context import Context


SCHEMA_URL = (
    "https://raw.githubusercontent.com/lambda-layer-pipeline/lambda-layer-pipeline/main"
    "/docs/reference/lambda-layers.schema.json"
)
_HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": SCHEMA_URL,
    "title": DEFAULT_PATH,
}


def run(_: "Context") -> Result:
    """Print the schema."""
    import json  # noqa: PLC0415 - slow to import

    return Result(text=json.dumps(_HEAD | MANIFEST.schema(), indent=2))


COMMAND = Command(
    (),
    run,
)
