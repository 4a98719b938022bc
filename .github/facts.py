"""Compare this project's facts with the service model of the installed botocore; fail where they differ.

`make facts` installs the newest botocore for it, in an environment of its own.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import botocore
from botocore.loaders import create_loader
from botocore.model import ServiceModel

sys.path.insert(0, str(Path(__file__).parents[1]))

from entrypoint import limits
from entrypoint.manifest.runtimes import RUNTIMES, Architecture

# AWS blocks updates of functions on these, or builds no layers for them here.
_OLDER = {"python2.7", "python3.6", "python3.7", "python3.8", "provided"}
_LAYER_OPERATIONS = {
    *("AddLayerVersionPermission", "DeleteLayerVersion", "GetLayerVersion", "GetLayerVersionByArn"),
    *("GetLayerVersionPolicy", "ListLayerVersions", "ListLayers", "PublishLayerVersion"),
    "RemoveLayerVersionPermission",
}


def differences(model: ServiceModel) -> Iterator[str]:
    """Yield what the service model has that this project does not know."""
    runtimes = set(model.shape_for("Runtime").enum)
    known = {name for name in runtimes if name.startswith(("python", "provided"))}
    yield from (f"unknown runtime {name}" for name in sorted(known - _OLDER - RUNTIMES.keys()))
    yield from (f"botocore has no runtime {name}" for name in sorted(RUNTIMES.keys() - runtimes))
    architectures = set(model.shape_for("Architecture").enum)
    yield from (f"unknown architecture {name}" for name in sorted(architectures - set(Architecture)))
    operations = {name for name in model.operation_names if "Layer" in name}
    yield from (f"unknown operation {name}" for name in sorted(operations - _LAYER_OPERATIONS))
    for shape, limit in (
        ("Description", limits.DESCRIPTION_CHARACTERS),
        ("LayerName", limits.LAYER_NAME_CHARACTERS),
    ):
        most = model.shape_for(shape).metadata["max"]
        if most != limit:
            yield f"{shape} may have {most} characters, not {limit}"


def main() -> int:
    """Print the differences; return the exit code."""
    described = create_loader().load_service_model("lambda", "service-2")
    found = list(differences(ServiceModel(described, "lambda")))
    lines = [*found, f"botocore {botocore.__version__}: {len(found)} differences"]
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
