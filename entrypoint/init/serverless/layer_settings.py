"""The settings of a layer in serverless.yml -> those of the manifest.

https://www.serverless.com/framework/docs/providers/aws/guide/layers
"""

import re

from entrypoint.init.draft import Note, Settings, fill_in, left_out, taken
from entrypoint.init.located import Table, is_true, text, texts

_LONGEST_DESCRIPTION = 150


def layer_settings(layer: Table) -> tuple[Settings, tuple[Note, ...]]:
    """Return the settings of a layer, with notes on those that the manifest has in another way."""
    notes: list[Note] = []
    description = text(layer.get("description"))
    if len(description) > _LONGEST_DESCRIPTION:
        notes.append(
            left_out(f"a description of more than {_LONGEST_DESCRIPTION} characters", layer.at("description"))
        )
        description = ""
    if "retain" in layer and not is_true(layer["retain"]):
        notes.append(
            left_out("retain: old versions are kept, unless `keep: N` says how many", layer.at("retain"))
        )
    elif "retain" in layer:
        notes.append(taken("retain: no version is deleted", layer.at("retain")))
    share, others = _share(texts(layer.get("allowedAccounts")))
    at = layer.at("allowedAccounts")
    notes.extend(fill_in(f"allowedAccounts {each}: not the ID of an account", at) for each in others)
    license_ = text(layer.get("licenseInfo"))
    return Settings(description=description, license=license_, share=share or None), tuple(notes)


def _share(accounts: tuple[str, ...]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the keys of `share` for the accounts, and those that are not IDs."""
    known = [each for each in accounts if re.fullmatch(r"\d{12}", each)]
    others = tuple(each for each in accounts if each not in known and each != "*")
    if "*" in accounts:
        return {"public": True}, others
    return {"accounts": known} if known else {}, others
