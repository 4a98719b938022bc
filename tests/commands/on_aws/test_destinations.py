"""`rollout: {destinations: ...}`: regions and accounts in order, stopping at the first that fails."""

import json

import boto3
import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main
from entrypoint.manifest.model import Destination
from entrypoint.release.stages import stages

REGIONS = ("eu-west-1", "us-east-1", "ap-south-1")


@pytest.fixture
def manifest(aws, project):
    for region in REGIONS[1:]:
        aws.declare_function("api", region=region)
        aws.declare_function("report-daily", runtime="python3.12", region=region)

    def write(destinations):
        text = MANIFEST.replace("[eu-west-1]", f"[{', '.join(REGIONS)}]")
        (project / "lambda-layers.yml").write_text(text + f"rollout: {{destinations: {destinations}}}\n")

    return write


@pytest.fixture
def layers():
    """What AWS has in a region: the layers of `api`, and how many versions of a layer."""

    def look(region):
        client = boto3.client("lambda", region_name=region)
        found = client.get_function_configuration(FunctionName="api").get("Layers", [])
        number = len(client.list_layer_versions(LayerName="tools")["LayerVersions"])
        client.close()
        return [each["Arn"].partition(":layer:")[2] for each in found], number

    return look


DONE = (["web-python313-x86_64:1", "tools:1"], 1)
NOT_BEGUN = ([], 0)


def order(aws):
    """The regions in the order of their first and their last change."""
    changed = [call.scope.region for call in aws.call_log if not call.reads_only]
    assert changed == sorted(changed, key=list(dict.fromkeys(changed)).index)  # one after another
    return list(dict.fromkeys(changed))


def test_they_are_deployed_one_after_another(aws, manifest, layers):
    manifest("[us-east-1, ap-south-1, eu-west-1]")
    assert main(["deploy"]) == 0
    assert order(aws) == ["us-east-1", "ap-south-1", "eu-west-1"]
    assert [layers(region) for region in REGIONS] == [DONE] * 3


def test_the_first_that_fails_stops_the_others(aws, manifest, layers, capsys):
    manifest("[us-east-1, ap-south-1, eu-west-1]")
    aws.fail_next_update("api", region="ap-south-1", reason_code="InternalError")
    assert main(["deploy", "--json"]) == 12
    captured = capsys.readouterr()
    assert "error: eu-west-1: not begun, because ap-south-1 failed; fix that, and run again" in captured.err
    regions = {region["region"]: region for region in json.loads(captured.out)["regions"]}
    assert {each["status"] for each in regions["eu-west-1"]["functions"]} == {"not begun"}
    assert {each["status"] for each in regions["us-east-1"]["functions"]} == {"updated"}
    assert layers("us-east-1") == DONE
    assert layers("eu-west-1") == NOT_BEGUN
    assert main(["deploy"]) == 0
    assert [layers(region) for region in REGIONS] == [DONE] * 3


def test_one_that_cannot_be_read_has_failed(faults, manifest, layers, capsys):
    manifest("[us-east-1, ap-south-1, eu-west-1]")
    faults.refuse_region("us-east-1", fault.error(403, "AccessDeniedException", "not here"))
    assert main(["deploy"]) == 12
    faults.stop()
    said = capsys.readouterr().err
    assert "ap-south-1, eu-west-1: not begun, because us-east-1 failed" in said
    assert [layers(region) for region in REGIONS] == [NOT_BEGUN] * 3


def test_those_of_an_inner_list_do_not_stop_each_other_and_the_rest_is_last(aws, manifest, layers):
    manifest("[[us-east-1, ap-south-1]]")
    aws.fail_next_update("api", region="us-east-1", reason_code="InternalError")
    assert main(["deploy"]) == 12
    assert layers("ap-south-1") == DONE
    assert layers("eu-west-1") == NOT_BEGUN


def test_a_rollback_has_the_same_order_unless_it_is_urgent(aws, manifest, layers, pin):
    manifest("[us-east-1, ap-south-1, eu-west-1]")
    for version in ("3.0", "4.0"):
        pin("tools.txt", "attrs", version)
        assert main(["deploy"]) == 0
    aws.fail_next_update("api", region="us-east-1", reason_code="InternalError")
    back = ["rollback", "--layer", "tools", "--to", "1"]
    assert main(back) == 12
    assert layers("eu-west-1")[0] == ["web-python313-x86_64:1", "tools:2"]
    aws.fail_next_update("api", region="us-east-1", reason_code="InternalError")
    assert main([*back, "--now"]) == 12
    assert layers("eu-west-1")[0] == DONE[0]


def test_destinations_that_the_manifest_does_not_have(manifest, capsys):
    manifest("[us-east-1, [eu-west-9, 123456789012/us-east-1]]")
    assert main(["plan"]) == 5
    said = capsys.readouterr().err
    assert "eu-west-9 is not in 'regions'; add it there, or correct it" in said
    assert "123456789012 is not in 'accounts'" in said


def test_accounts_regions_and_both_select():
    roles = [f"arn:aws:iam::{account * 12}:role/layers" for account in "12"]
    every = [Destination(region, role) for role in roles for region in ("eu-west-1", "us-east-1")]
    found = stages([["111111111111/us-east-1"], ["eu-west-1", "222222222222"]], every)
    assert [[str(each) for each in stage] for stage in found] == [
        ["111111111111/us-east-1"],
        ["111111111111/eu-west-1", "222222222222/eu-west-1", "222222222222/us-east-1"],
    ]
    assert [len(stage) for stage in stages([], every)] == [4]
