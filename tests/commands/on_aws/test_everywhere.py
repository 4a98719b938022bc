"""Many accounts and regions at once, each with its own result."""

import faults as fault
import pytest
from deploying import MANIFEST, UPDATE, layers_of

from entrypoint.cli import main

OTHER = "210987654321"
ROLES = f"accounts: ['arn:aws:iam::123456789012:role/layers', 'arn:aws:iam::{OTHER}:role/layers']\n"


@pytest.fixture
def two_regions(aws, project):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]"))
    aws.declare_function("api", region="us-east-1")


def test_a_warning_names_its_regions(aws, project, capsys):
    text = MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]") + "  'none-*': {layers: [web]}\n"
    (project / "lambda-layers.yml").write_text(text.replace("  api: {layers: [web, tools]}\n", ""))
    assert main(["plan"]) == 0
    said = capsys.readouterr().err
    assert "eu-west-1, us-east-1: no function matches 'none-*'" in said
    assert "us-east-1: no function matches 'report-*'" in said


def test_a_region_that_fails_stops_no_other(aws, two_regions, faults, capsys, written):
    refused = fault.error(403, "AccessDeniedException", "no")
    faults.script("PublishLayerVersion", *[refused] * 3, about="/layers/tools/")
    assert main(["deploy"]) in {10, 12}
    faults.stop()
    told = capsys.readouterr().err
    assert "allow lambda:PublishLayerVersion" in told
    updated = [layers_of(aws, "api", region) for region in ("eu-west-1", "us-east-1")]
    assert updated == [[], []]  # in both the same layer was refused, so neither was updated
    written()
    assert main(["deploy"]) == 0
    assert (
        layers_of(aws, "api") == layers_of(aws, "api", "us-east-1") == ["web-python313-x86_64:1", "tools:1"]
    )
    assert written().count("PublishLayerVersion") == 2


def test_only_what_is_left_is_done_again(aws, two_regions, faults, capsys, written):
    aws.fail_next_update("api", region="us-east-1", reason_code="InternalError")
    assert main(["deploy"]) == 12
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    written()
    assert main(["deploy"]) == 0
    assert written() == [UPDATE]


def test_a_region_that_cannot_be_read_is_told_of_and_the_others_go_on(aws, two_regions, faults, capsys):
    refused = fault.error(403, "AccessDeniedException", "not here")
    faults.refuse_region("us-east-1", refused)
    assert main(["deploy"]) == 12
    told = capsys.readouterr()
    assert "not here" in told.err
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    faults.stop()
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api", "us-east-1") == ["web-python313-x86_64:1", "tools:1"]


def test_a_role_without_credentials_to_assume_it_with(aws, project, monkeypatch, capsys):
    (project / "lambda-layers.yml").write_text(MANIFEST + ROLES)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert main(["plan"]) == 10
    assert "there are no AWS credentials; set AWS_PROFILE" in capsys.readouterr().err


def test_a_role_that_may_not_be_assumed(aws, project, faults, capsys):
    (project / "lambda-layers.yml").write_text(MANIFEST + ROLES)
    role = f"arn:aws:iam::{OTHER}:role/layers"
    text = f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: sts:AssumeRole on resource: {role}"
    faults.script("AssumeRole", *[fault.answer(403, fault.sts_error("AccessDenied", text))] * 9)
    assert main(["plan"]) == 10
    assert f"allow sts:AssumeRole to the role of this run, on {role}" in capsys.readouterr().err


def test_a_proxy_that_answers_in_place_of_aws(project, faults, capsys):
    (project / "lambda-layers.yml").write_text(MANIFEST + ROLES)
    faults.script("AssumeRole", *[fault.answer(200, b"<html>who are you?<html>")] * 999)
    assert main(["plan"]) == 10
    assert "AWS cannot be reached: the answer is not from AWS; check the proxy" in capsys.readouterr().err


def test_accounts_through_their_roles(aws, project, capsys):
    (project / "lambda-layers.yml").write_text(MANIFEST + ROLES)
    for name, runtime in (("api", "python3.13"), ("report-x", "python3.12")):
        aws.declare_function(name, runtime=runtime, account=OTHER)
    assert main(["deploy"]) == 0
    assert f"{OTHER}/eu-west-1" in capsys.readouterr().out
    held = {scope.account: region for scope, region in aws.cloud.regions.items() if region.functions}
    for account in ("123456789012", OTHER):
        arns = [layer.arn for layer in held[account].functions["api"].latest.layers]
        assert all(f":{account}:layer:" in arn for arn in arns)
        assert len(arns) == 2
    assert main(["plan", "--detailed-exitcode"]) == 0
