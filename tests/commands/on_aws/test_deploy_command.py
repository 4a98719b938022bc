"""The commands `plan` and `deploy`, from the command line down to HTTP: what they do to AWS, and what not."""

import json
import re
import signal
import subprocess
import sys
from collections import Counter

import faults as fault
import pytest
from deploying import COMMAND, MANIFEST, UPDATE, layers_of

from entrypoint.cli import main


def test_a_plan_reads_and_no_more(aws, capsys, project):
    assert main(["plan"]) == 0
    operations = Counter(call.operation for call in aws.call_log)
    assert operations == {"ListLayerVersions": 3, "ListFunctions": 1, "GetFunction": 2, "GetResources": 1}
    assert all(call.reads_only for call in aws.call_log)
    assert not (project / ".lambda-layers").exists()
    assert "to publish: 3 layers, to update: 2 functions" in capsys.readouterr().out


def test_a_plan_as_json_and_its_exit_code(aws, capsys):
    assert main(["plan", "--json", "--detailed-exitcode"]) == 2
    plan = json.loads(capsys.readouterr().out)
    (region,) = plan["regions"]
    assert plan["changed"]
    assert [layer["action"] for layer in region["layers"]] == ["publish"] * 3
    assert {function["name"]: function["after"] for function in region["functions"]} == {
        "api": ["web-python313-x86_64:new", "tools:new"],
        "report-daily": ["web-python312-x86_64:new"],
    }
    assert main(["deploy"]) == 0
    capsys.readouterr()
    assert main(["plan", "--json", "--detailed-exitcode"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert not plan["changed"]
    assert all(function["before"] == function["after"] for function in plan["regions"][0]["functions"])


def test_a_deployment_publishes_and_updates_and_the_next_has_nothing_to_do(aws, capsys, written):
    assert main(["deploy"]) == 0
    assert written() == ["PublishLayerVersion"] * 3 + [UPDATE] * 2
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]
    assert "published 3 layer versions, updated 2 functions" in capsys.readouterr().out
    assert main(["deploy"]) == 0
    assert written() == []
    assert "nothing to do" in capsys.readouterr().out


def test_only_what_changed_is_published_and_only_its_functions_move(aws, pin, written):
    main(["deploy"])
    written()
    pin("tools.txt", "attrs", "4.0")
    assert main(["deploy"]) == 0
    assert written() == ["PublishLayerVersion", UPDATE]
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:2"]


def test_a_pin_that_is_taken_back_brings_back_the_older_version(aws, pin, written, capsys):
    for version in ("3.0", "4.0"):
        pin("tools.txt", "attrs", version)
        main(["deploy"])
    written()
    pin("tools.txt", "attrs", "3.0")
    capsys.readouterr()
    assert main(["deploy"]) == 0
    assert written() == [UPDATE]
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert "reuse    tools  version 2 -> version 1" in capsys.readouterr().out
    assert main(["plan", "--detailed-exitcode"]) == 0


def test_a_function_that_could_not_be_updated_is_healed_by_the_next_run(aws, faults, capsys, written):
    faults.script(UPDATE, fault.DENIED, about="/api/")
    assert main(["deploy"]) == 12
    assert "AWS refuses UpdateFunctionConfiguration for api" in capsys.readouterr().err
    assert layers_of(aws, "api") == []
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]
    written()
    assert main(["deploy"]) == 0
    assert written() == [UPDATE]
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


@pytest.mark.parametrize("operation", ["PublishLayerVersion", UPDATE])
def test_a_run_that_was_killed_is_healed_by_the_next_one(aws, faults, operation):
    running = subprocess.Popen([sys.executable, "-c", COMMAND, "deploy"], stderr=subprocess.DEVNULL)
    killed = fault.after(lambda: running.send_signal(signal.SIGKILL))
    faults.script(operation, None, killed, fault.reset_before)
    assert running.wait(60) == -signal.SIGKILL
    faults.stop()
    assert main(["deploy"]) == 0
    (held,) = (region for region in aws.cloud.regions.values() if region.layers)
    assert [len(layer.versions) for layer in held.layers.values()] == [1, 1, 1]
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]


def test_a_deployment_goes_through_trouble_everywhere(aws, faults, written):
    faults.script("ListFunctions", fault.throttled(0.1), fault.reset_before)
    faults.script("ListLayerVersions", fault.BROKEN, fault.reset_after)
    faults.script("PublishLayerVersion", fault.reset_after, fault.throttled(0.1))
    faults.script(UPDATE, fault.reset_after, fault.IN_PROGRESS, fault.STALE)
    faults.script("GetFunction", fault.UNAVAILABLE)
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]
    written()
    assert main(["deploy"]) == 0
    assert written() == []


def test_functions_that_are_listed_without_revisions(aws, faults, client):
    def without(answer):
        for function in answer["Functions"]:
            function.pop("RevisionId", None)

    faults.script("ListFunctions", *[fault.changed(without)] * 4)
    assert main(["deploy"]) == 0
    layers = client.get_function_configuration(FunctionName="api")["Layers"]
    assert [each["Arn"].rpartition("layer:")[2] for each in layers] == ["web-python313-x86_64:1", "tools:1"]
    assert main(["status"]) == 0
    assert layers_of(aws, "report-daily") == ["web-python312-x86_64:1"]


def test_a_deployment_in_two_regions(aws, project, written):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("[eu-west-1]", "[eu-west-1, us-east-1]"))
    aws.declare_function("api", region="us-east-1")
    assert main(["deploy"]) == 0
    assert written() == ["PublishLayerVersion"] * 6 + [UPDATE] * 3
    assert layers_of(aws, "api", "us-east-1") == ["web-python313-x86_64:1", "tools:1"]


def test_a_function_that_does_not_exist_stops_all_before_anything_is_published(project, capsys, written):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("  api:", "  apis:"))
    assert main(["deploy"]) == 11
    assert written() == []
    message = "lambda-layers.yml:7:3: eu-west-1: the function 'apis' does not exist; did you mean 'api'?"
    assert message in capsys.readouterr().err
    assert not (project / ".lambda-layers").exists()


def test_without_credentials_nothing_is_built(monkeypatch, capsys, project, aws):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert main(["deploy"]) == 10
    assert "error: eu-west-1: there are no AWS credentials; set AWS_PROFILE" in capsys.readouterr().err
    assert aws.call_log == ()
    assert not (project / ".lambda-layers").exists()


def test_without_a_region_it_says_where_to_write_one(monkeypatch, capsys, project):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("regions: [eu-west-1]\n", ""))
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert main(["plan"]) == 10
    assert "no AWS region is set" in capsys.readouterr().err
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert main(["plan"]) == 0


def test_a_failed_update_names_the_function_and_the_reason(aws, capsys):
    aws.fail_next_update("api", reason_code="EniLimitExceeded", reason="Too many interfaces.")
    assert main(["deploy"]) == 12
    told = capsys.readouterr().err
    assert "error: eu-west-1: the update of api failed: Too many interfaces. (EniLimitExceeded)" in told


def test_the_embedded_aws_holds_what_the_manifest_takes_for_granted(project, capsys):
    manifest = MANIFEST + '  shop: {layers: ["arn:aws:lambda:eu-west-1:017000801446:layer:Powertools:7"]}\n'
    (project / "lambda-layers.yml").write_text(manifest + 's3: {bucket: "layers-{region}"}\n')
    assert main(["deploy", "--aws", "local"]) == 0
    assert "published 3 layer versions, updated 3 functions" in capsys.readouterr().out
    assert main(["plan", "--aws", "local", "--detailed-exitcode"]) == 0


def test_each_call_is_told_of_with_its_id(capsys):
    assert main(["plan", "--verbose"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " lambda " in line]
    assert len(lines) == 6  # three layers, a page of functions, and each of them
    assert all(
        re.fullmatch(r"eu-west-1 lambda (?:List|Get)\w+: 200 [\w-]{36}, \d+ ms", line) for line in lines
    )


def test_a_call_without_an_answer_is_told_of_and_made_again(faults, capsys):
    faults.script("ListFunctions", fault.reset_before)
    assert main(["plan", "--verbose"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "ListFunctions" in line]
    assert len(told) == 2
    assert "Connection was closed" in told[0] or "reset" in told[0]


@pytest.mark.parametrize("body", [b"", b"<html>who are you?</html>", b"[]"])
@pytest.mark.parametrize("status", [200, 403])
def test_what_is_no_answer_of_aws(faults, capsys, status, body):
    faults.script("ListFunctions", *[fault.answer(status, body)] * 99)
    assert main(["plan"]) == 10
    assert "AWS cannot be reached: the answer is not from AWS; check the proxy" in capsys.readouterr().err


def test_a_reader_who_has_had_enough_stops_nothing(aws):
    running = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "deploy"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    running.stdout.close()
    assert running.wait(60) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_interrupted_it_says_what_is_done_and_the_next_run_does_the_rest(aws, faults):
    running = subprocess.Popen([sys.executable, "-c", COMMAND, "deploy"], stderr=subprocess.PIPE, text=True)
    faults.script(UPDATE, fault.after(lambda: running.send_signal(signal.SIGINT)), fault.delayed(1))
    said = running.communicate(timeout=60)[1]
    assert running.returncode == 130
    assert "completed before the interruption: built 3 archives, published 3 layer versions" in said
    assert "interrupted: no file is incomplete; run the same command again to finish" in said
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_tags_that_cannot_be_read_stop_nothing(aws, faults):
    faults.script("GetResources", *[fault.DENIED] * 9)
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_one_layer_for_several_pythons(aws, project, client):
    text = MANIFEST.replace("lock: web.txt,", "lock: web.txt, name: '{layer}',")
    (project / "lambda-layers.yml").write_text(text)
    assert main(["deploy"]) == 0
    assert layers_of(aws, "api") == ["web:1", "tools:1"]
    assert layers_of(aws, "report-daily") == ["web:1"]  # on another Python
    published = client.get_layer_version(LayerName="web", VersionNumber=1)
    assert sorted(published["CompatibleRuntimes"]) == ["python3.12", "python3.13"]
    assert main(["plan", "--detailed-exitcode"]) == 0


WITHOUT_FUNCTIONS = MANIFEST.partition("functions:")[0]


def test_a_first_run_without_functions_says_how_to_go_on(aws, project, capsys):
    for name in ("mail", "shop"):
        aws.declare_function(name, runtime="python3.12")
    aws.declare_function("other", runtime="python3.9")
    (project / "lambda-layers.yml").write_text(WITHOUT_FUNCTIONS)
    assert main(["plan"]) == 0
    told = capsys.readouterr()
    assert "warning: lambda-layers.yml: the manifest has no 'functions': layers are published" in told.err
    assert "such as api, mail, report-daily and 1 more of this account" in told.err
    assert main(["deploy"]) == 0
    capsys.readouterr()
    seen = len(aws.call_log)
    assert main(["plan"]) == 0
    assert "has no 'functions'" not in capsys.readouterr().err
    assert "ListFunctions" not in {call.operation for call in aws.call_log[seen:]}


def test_a_first_run_that_may_not_list_functions(project, faults, capsys):
    faults.script("ListFunctions", fault.DENIED)
    (project / "lambda-layers.yml").write_text(WITHOUT_FUNCTIONS)
    assert main(["deploy"]) == 0
    assert "list the functions that should have them; or ignore this" in capsys.readouterr().err


def test_functions_that_other_tools_update_are_not_missed(aws, project, capsys):
    (project / "lambda-layers.yml").write_text(WITHOUT_FUNCTIONS + "export: {file: arns.json}\n")
    assert main(["plan"]) == 0
    assert "has no 'functions'" not in capsys.readouterr().err
    assert "ListFunctions" not in {call.operation for call in aws.call_log}
