"""`export:`: the ARNs of the layer versions, left for tools that own functions."""

import contextlib
import json

import boto3
import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main

LAYERS = MANIFEST.partition("functions:")[0]
BOTH = 'export: {ssm: "/layers/{target}", file: out/layers.auto.tfvars.json}\n'
WEB12, WEB13, TOOLS = "web-python3.12-x86_64", "web-python3.13-x86_64", "tools-python3.13-x86_64"
BASE = "arn:aws:lambda:eu-west-1:123456789012:layer:"
FIRST = {
    TOOLS: f"{BASE}tools:1",
    WEB12: f"{BASE}web-python312-x86_64:1",
    WEB13: f"{BASE}web-python313-x86_64:1",
}


@pytest.fixture
def manifest(project):
    def write(text):
        (project / "lambda-layers.yml").write_text(text)

    return write


@pytest.fixture
def parameters(aws):
    def read(region="eu-west-1", account="123456789012"):
        with contextlib.closing(
            boto3.client("ssm", region_name=region, aws_access_key_id=account, aws_secret_access_key="local")
        ) as ssm:
            pages = ssm.get_paginator("describe_parameters").paginate()
            found = [parameter for page in pages for parameter in page["Parameters"]]
            assert {parameter["Type"] for parameter in found} <= {"String"}
            names = [parameter["Name"] for parameter in found]
            return {name: ssm.get_parameter(Name=name)["Parameter"]["Value"] for name in names}

    return read


@pytest.fixture
def exported(project):
    return lambda name="out/layers.auto.tfvars.json": json.loads((project / name).read_text())[
        "lambda_layers"
    ]


def test_without_functions_of_its_own(manifest, parameters, exported, written):
    manifest(LAYERS + BOTH)
    assert main(["deploy"]) == 0
    assert written() == ["PublishLayerVersion"] * 3 + ["PutParameter"] * 3
    assert parameters() == {f"/layers/{target}": arn for target, arn in FIRST.items()}
    assert exported() == FIRST


def test_only_what_differs_is_written(manifest, project, pin, parameters, exported, written):
    manifest(MANIFEST + BOTH)
    main(["deploy"])
    stood = (project / "out/layers.auto.tfvars.json").stat()
    written()
    assert main(["deploy"]) == 0
    assert written() == []
    assert (project / "out/layers.auto.tfvars.json").stat().st_ino == stood.st_ino
    pin("tools.txt", "attrs", "4.0")
    assert main(["deploy"]) == 0
    assert written() == ["PublishLayerVersion", "PutParameter", "UpdateFunctionConfiguration"]
    assert exported() == FIRST | {TOOLS: f"{BASE}tools:2"}
    assert parameters()[f"/layers/{TOOLS}"] == f"{BASE}tools:2"


def test_what_was_lost_is_written_again(manifest, project, parameters, exported):
    manifest(LAYERS + BOTH)
    main(["deploy"])
    (project / "out/layers.auto.tfvars.json").write_text("not JSON")
    with contextlib.closing(boto3.client("ssm")) as ssm:
        ssm.delete_parameter(Name=f"/layers/{WEB12}")
        ssm.put_parameter(Name=f"/layers/{WEB13}", Value="somebody else", Type="String", Overwrite=True)
    assert main(["deploy"]) == 0
    assert exported() == FIRST
    assert parameters() == {f"/layers/{target}": arn for target, arn in FIRST.items()}


def test_more_targets_than_one_call_takes(manifest, parameters):
    runtimes = ", ".join(f"python3.{minor}" for minor in (11, 12, 13))
    layers = "".join(
        f"  web{number}: {{requirements: [six], lock: web.txt, runtimes: [{runtimes}]}}\n"
        for number in range(4)
    )
    manifest(f"version: 1\nregions: [eu-west-1]\nlayers:\n{layers}{BOTH}")
    assert main(["deploy"]) == 0
    assert len(parameters()) == 12


def test_each_region_and_account_has_its_own(manifest, parameters, exported):
    roles = [f"arn:aws:iam::{account}:role/layers" for account in ("111111111111", "222222222222")]
    manifest(
        LAYERS.replace("[eu-west-1]", "[eu-west-1, us-east-1]")
        + f"accounts: {json.dumps(roles)}\n"
        + 'export: {ssm: "/layers/{region}/{account}/{target}", file: "{account}/{region}.json"}\n'
    )
    assert main(["deploy"]) == 0
    for account in ("111111111111", "222222222222"):
        for region in ("eu-west-1", "us-east-1"):
            arn = f"arn:aws:lambda:{region}:{account}:layer:tools:1"
            assert parameters(region, account)[f"/layers/{region}/{account}/{TOOLS}"] == arn
            assert len(parameters(region, account)) == 3
            assert exported(f"{account}/{region}.json")[TOOLS] == arn


def test_targets_of_one_layer_have_its_one_arn(manifest, exported):
    both = "runtimes: [python3.12, python3.13], name: web"
    text = LAYERS.replace("runtimes: [python3.12, python3.13]", f"{both}, bytecode: false")
    manifest(text + "export: {file: out/layers.auto.tfvars.json}\n")
    assert main(["deploy"]) == 0
    assert exported()[WEB12] == exported()[WEB13] == f"{BASE}web:1"


def test_a_rollback_exports_what_it_went_back_to_and_keeps_the_rest(manifest, pin, exported, parameters):
    manifest(MANIFEST + BOTH)
    main(["deploy"])
    pin("tools.txt", "attrs", "4.0")
    main(["deploy"])
    assert main(["rollback", "--layer", "tools", "--to", "1"]) == 0
    assert exported() == FIRST
    assert parameters() == {f"/layers/{target}": arn for target, arn in FIRST.items()}


def test_nothing_is_exported_where_a_function_could_not_be_updated(manifest, project, faults, parameters):
    manifest(MANIFEST + BOTH)
    faults.script("UpdateFunctionConfiguration", fault.DENIED, about="/api/")
    assert main(["deploy"]) == 12
    assert parameters() == {}
    assert not (project / "out").exists()
    assert main(["deploy"]) == 0
    assert len(parameters()) == 3


def test_a_refused_parameter_is_told_and_healed_by_the_next_run(manifest, faults, capsys, parameters):
    manifest(LAYERS + BOTH)
    faults.script("PutParameter", fault.DENIED)
    assert main(["deploy"]) == 12
    assert "AWS refuses PutParameter" in capsys.readouterr().err
    assert main(["deploy"]) == 0
    assert len(parameters()) == 3


@pytest.mark.parametrize(
    ("export", "told"),
    [
        (
            "{ssm: /layers}",
            "7:15: all 3 targets would be exported to the same parameter /layers; add {target} to its name",
        ),
        (
            "{file: a.json}",
            "7:16: 2 regions would be exported to the same file a.json; add {region} to its name",
        ),
        (
            "{file: a.json}",
            "7:16: 2 accounts would be exported to the same file a.json; add {account} to its name",
        ),
        ("{ssm: 'a/{target}'}", "7:15: "),
        ("{ssm: '/aws/{target}'}", "7:15: "),
        ("{ssm: '/a/{layer}'}", "7:15: "),
        ("{file: '{target}.json'}", "7:16: "),
        ("{file: layers.tfvars}", "7:16: "),
        ("{}", "7:9: "),
    ],
)
def test_templates_that_cannot_be(manifest, capsys, export, told):
    roles = json.dumps(
        [f"arn:aws:iam::{account}:role/layers" for account in ("111111111111", "222222222222")]
    )
    head = LAYERS.replace("[eu-west-1]", "[eu-west-1, us-east-1]")
    manifest(f"{head}accounts: {roles}\nexport: {export}\n")
    assert main(["check"]) == 5
    assert f"lambda-layers.yml:{told}" in capsys.readouterr().err


def test_a_link_that_appears_after_the_manifest_was_checked(manifest, project, faults, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()

    def lead_out():
        (project / "out").symlink_to(tmp_path / "elsewhere")

    manifest(LAYERS + BOTH)
    faults.script("PublishLayerVersion", fault.after(lead_out))
    assert main(["deploy"]) == 12
    assert "out/layers.auto.tfvars.json of 'export' is outside the repository" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []
