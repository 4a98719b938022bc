"""A manifest, functions and layer versions in a line or two each, for tests of the release stages."""

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from entrypoint.aws.model import Details, Function, LayerVersion
from entrypoint.manifest import reader as manifest_file
from entrypoint.manifest.model import Destination, Manifest, Vpc
from entrypoint.manifest.targets import AwsLayer, expand
from entrypoint.release.plan import RegionPlan, make_plan
from entrypoint.release.publish import describe
from entrypoint.release.selection import select
from entrypoint.release.state import LayerState, RegionState

ACCOUNT = "123456789012"
REGION = "eu-west-1"
HASH = hashlib.sha256(b"what the manifest asks for").hexdigest()


def read(text: str) -> tuple[Manifest, tuple[AwsLayer, ...]]:
    """Read a manifest; the lines that every manifest has may be left out."""
    head = "" if "version:" in text else "version: 1\n"
    path = Path("/project/lambda-layers.yml")
    manifest = manifest_file.load(path, text=head + text, shown=path.name, variables={})
    return manifest, expand(manifest)


def layer(name: str, *runtimes: str, more: str = "") -> str:
    """A layer's entry in a manifest; `more` is written among its keys."""
    listed = ", ".join(runtimes or ("python3.13",))
    return f"  {name}: {{requirements: [six], runtimes: [{listed}]{more}}}\n"


def arn(name: str, version: int = 1, *, account: str = ACCOUNT, region: str = REGION) -> str:
    return f"arn:aws:lambda:{region}:{account}:layer:{name}:{version}"


def function(
    name: str,
    *layers: str,
    runtime: str = "python3.13",
    architecture: str = "x86_64",
    region: str = REGION,
    package_type: str = "Zip",
    vpc: Vpc | None = None,
    code_sha256: str = "code",
) -> Function:
    return Function(
        name=name,
        arn=f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}",
        runtime=runtime,
        architecture=architecture,
        layers=layers,
        revision_id="1",
        package_type=package_type,
        vpc=vpc,
        code_sha256=code_sha256,
    )


def version(name: str, number: int, dependency_hash: str = HASH) -> LayerVersion:
    return LayerVersion(arn=arn(name, number), version=number, description=describe(name, dependency_hash))


def plan_of(
    text: str,
    state: RegionState,
    details: Mapping[str, Details] | None = None,
    hashes: Mapping[str, str] | None = None,
    today: date = date(2026, 11, 23),
) -> RegionPlan:
    """Plan a manifest for what stands."""
    manifest, layers = read(text)
    selection = select(manifest, layers, state.functions, state.tags, state.destination)
    hashes = hashes or {each.name: HASH for each in layers}
    return make_plan(layers, hashes, state, selection, details or {}, today=today)


def planned(
    text: str,
    *functions: Function,
    region: str = REGION,
    tags: Mapping[str, Mapping[str, str]] | None = None,
    details: Mapping[str, Details] | None = None,
    today: date = date(2026, 11, 23),
    **standing: LayerState,
) -> RegionPlan:
    """Plan a manifest; `standing` are layers of AWS by name with `-` as `_`, version 7 of all by default."""
    _, layers = read(text)
    stands = {
        each.name: standing.get(each.name.replace("-", "_"))
        or LayerState(latest=version(each.name, 7), current=version(each.name, 7))
        for each in layers
    }
    state = RegionState(destination=Destination(region), layers=stands, functions=functions, tags=tags or {})
    return plan_of(text, state, details, today=today)


def after(plan: RegionPlan, name: str) -> tuple[str, ...]:
    """The layers that a function is to have, when all layers have their versions."""
    (change,) = (change for change in plan.functions if change.function.name == name)
    return change.layers_after(change.function.layers, plan.versions)
