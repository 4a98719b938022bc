"""Lambda's state as a JSON file, so that `--aws local` keeps its resources between runs."""

from __future__ import annotations

import dataclasses
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from entrypoint.errors import Location, MachineError
from entrypoint.files import write_text
from entrypoint.local_aws.arns import Scope
from entrypoint.local_aws.state import StoredRegion

SCHEMA = 1


def load(path: Path) -> dict[Scope, StoredRegion]:
    """Read the state that `save` wrote; empty if there is no file.

    Raises:
        MachineError: the file is damaged, or of another version.
    """
    if not path.exists():
        return {}
    try:
        written = json.loads(path.read_text("utf-8"))
        if written["schema"] != SCHEMA:
            raise ValueError("unsupported version")  # noqa: TRY301 - handled like any other error
        return {
            Scope(entry["account"], entry["region"]): _restore(StoredRegion, entry["holds"])
            for entry in written["regions"]
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        message = f"cannot read the state of the embedded AWS: {error}"
        raise MachineError.of(message, "delete the file to reset the state", Location(str(path))) from None


def save(path: Path, regions: Mapping[Scope, StoredRegion]) -> None:
    """Write the state atomically."""
    content = {
        "schema": SCHEMA,
        "regions": [
            {"account": scope.account, "region": scope.region, "holds": dataclasses.asdict(region)}
            for scope, region in regions.items()
        ],
    }
    write_text(path, json.dumps(content, indent=1))


def _restore(kind: Any, value: Any) -> Any:  # noqa: ANN401 - any type, any JSON
    """Return a value of the annotated type from its JSON, the inverse of `dataclasses.asdict`."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return kind(**{name: _restore(hints[name], item) for name, item in value.items()})
    arguments = get_args(kind)
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        (present,) = (each for each in arguments if each is not types.NoneType)
        return None if value is None else _restore(present, value)
    if origin is tuple:
        return tuple(_restore(arguments[0], item) for item in value)
    if origin in {dict, Mapping}:
        key, item_kind = arguments
        return {key(name): _restore(item_kind, item) for name, item in value.items()}
    return value
