"""Loading a manifest: values for its variables, as `--set` gives them, and what `check` says of it."""

from entrypoint.errors import ManifestError
from entrypoint.manifest.project import load_project


class AnyValue(dict):
    """A value for each variable that a manifest asks for."""

    def get(self, key, _=None):
        return "123456789012" if key == "ACCOUNT_ID" else "given"


def problems_of(folder):
    """What `check` says of the manifest itself."""
    try:
        load_project(folder / "lambda-layers.yml", root=folder, variables={})
    except ManifestError as error:
        return str(error)
    return ""
