"""`alarms:` of a function entry: what stands in CloudWatch after `deploy`."""

import contextlib
import json

import boto3
import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main

TOPIC = "arn:aws:sns:{region}:123456789012:ops"
PER_FUNCTION = ("ConcurrentExecutions", "Duration", "Errors", "Throttles")


@pytest.fixture
def watch(aws):
    with contextlib.closing(boto3.client("cloudwatch")) as client:
        yield client


@pytest.fixture(autouse=True)
def _asked(project):
    text = MANIFEST.replace(
        "layers: [web, tools]}", f"layers: [web, tools], alarms: {{actions: ['{TOPIC}']}}}}"
    )
    (project / "lambda-layers.yml").write_text(text)


def standing(watch):
    found = watch.describe_alarms()["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix("lambda-layers-"): alarm for alarm in found}


def test_the_alarms_are_those_that_aws_recommends(watch, client):
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=50)
    assert main(["deploy"]) == 0
    found = standing(watch)
    assert set(found) == {"ClaimedAccountConcurrency", *(f"api-{metric}" for metric in PER_FUNCTION)}
    assert {alarm["Period"] for alarm in found.values()} == {60}
    assert {alarm["Namespace"] for alarm in found.values()} == {"AWS/Lambda"}
    assert {tuple(alarm["AlarmActions"]) for alarm in found.values()} == {
        ("arn:aws:sns:eu-west-1:123456789012:ops",)
    }
    told = {
        name: (
            alarm.get("Statistic") or alarm["ExtendedStatistic"],
            alarm["ComparisonOperator"],
            alarm["Threshold"],
            alarm["DatapointsToAlarm"],
            alarm["EvaluationPeriods"],
            alarm["TreatMissingData"],
        )
        for name, alarm in found.items()
    }
    above = "GreaterThanThreshold"
    assert told == {
        "ClaimedAccountConcurrency": ("Maximum", above, 900.0, 10, 10, "notBreaching"),
        "api-ConcurrentExecutions": ("Maximum", above, 45.0, 10, 10, "missing"),
        "api-Duration": ("p90", above, 2700.0, 15, 15, "missing"),
        "api-Errors": ("Sum", above, 0.0, 3, 3, "missing"),
        "api-Throttles": ("Sum", "GreaterThanOrEqualToThreshold", 1.0, 5, 5, "missing"),
    }
    assert found["ClaimedAccountConcurrency"]["Dimensions"] == []
    assert found["api-Errors"]["Dimensions"] == [{"Name": "FunctionName", "Value": "api"}]


def test_a_function_that_falls_behind_its_stream(aws, watch):
    aws.declare_function("queue")
    aws.declare_sources("api", ["arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"])
    aws.declare_sources("queue", ["arn:aws:sqs:eu-west-1:123456789012:orders"])
    assert main(["deploy"]) == 0
    alarm = standing(watch)["api-IteratorAge"]
    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Maximum", 60_000.0, 10)
    assert len(standing(watch)) == 6
    assert main(["plan", "--detailed-exitcode"]) == 0


def test_only_what_differs_is_put(watch, client, written, capsys):
    assert main(["plan", "--detailed-exitcode"]) == 2
    assert "alarm    put      lambda-layers-api-Errors" in capsys.readouterr().out
    assert main(["deploy"]) == 0
    assert written().count("PutMetricAlarm") == 5
    assert main(["deploy"]) == 0
    assert written() == []
    assert main(["plan", "--detailed-exitcode"]) == 0

    ours = watch.describe_alarms(AlarmNames=["lambda-layers-api-Errors"])["MetricAlarms"][0]
    kept = {key: ours[key] for key in ("AlarmName", "Namespace", "MetricName", "Dimensions", "Statistic")}
    watch.put_metric_alarm(
        **kept,
        Period=300,
        EvaluationPeriods=3,
        DatapointsToAlarm=3,
        Threshold=0.0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="missing",
        AlarmActions=ours["AlarmActions"],
    )
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=10)
    written()
    capsys.readouterr()
    assert main(["plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    names = ["lambda-layers-api-ConcurrentExecutions", "lambda-layers-api-Errors"]
    assert plan["changed"]
    assert plan["regions"][0]["alarms"] == names
    assert [each["threshold"] for each in plan["regions"][0]["alarmSettings"].values()] == [9.0, 0.0]
    assert main(["deploy"]) == 0
    assert written() == ["PutMetricAlarm"] * 2
    assert standing(watch)["api-Errors"]["Period"] == 60


def entry(project, settings, more=""):
    """Write the entry of `api` with these settings, and perhaps another entry."""
    text = MANIFEST.replace("layers: [web, tools]}", f"layers: [web, tools], {settings}}}{more}")
    (project / "lambda-layers.yml").write_text(text)


def test_a_difference_says_what_differs(watch, client, capsys):
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=50)
    assert main(["deploy"]) == 0
    client.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=100)
    watch.disable_alarm_actions(AlarmNames=["lambda-layers-api-Errors"])
    capsys.readouterr()
    assert main(["plan"]) == 0
    told = capsys.readouterr().out
    assert "lambda-layers-api-ConcurrentExecutions\n             threshold: 45 instead of 90" in told
    assert "lambda-layers-api-Errors\n             actions enabled: false instead of true" in told
    assert main(["status"]) == 2
    assert "threshold: 45 instead of 90" in capsys.readouterr().out
    assert main(["deploy"]) == 0
    assert standing(watch)["api-Errors"]["ActionsEnabled"] is True
    assert main(["status"]) == 0


def test_actions_for_both_ways_with_the_account(watch, project):
    topic = "arn:aws:sns:{region}:{account}:"
    entry(project, f"alarms: {{actions: ['{topic}bad'], ok_actions: ['{topic}good']}}")
    assert main(["deploy"]) == 0
    for alarm in standing(watch).values():
        assert alarm["AlarmActions"] == ["arn:aws:sns:eu-west-1:123456789012:bad"]
        assert alarm["OKActions"] == ["arn:aws:sns:eu-west-1:123456789012:good"]
    assert main(["plan", "--detailed-exitcode"]) == 0


def test_the_alarm_of_the_account_is_shared_by_manifests(watch, project, written):
    """Each adds its actions, and leaves those of others."""
    for name in ("ops", "shop", "ops", "shop"):
        entry(project, f"alarms: {{actions: ['arn:aws:sns:eu-west-1:123456789012:{name}']}}")
        assert main(["deploy"]) == 0
    actions = standing(watch)["ClaimedAccountConcurrency"]["AlarmActions"]
    assert sorted(actions) == [f"arn:aws:sns:eu-west-1:123456789012:{name}" for name in ("ops", "shop")]
    written()
    assert main(["deploy"]) == 0
    assert written() == []


def test_alarms_where_they_apply(aws, watch, project, client):
    aws.declare_alias("api", "live")
    queue = {"TargetArn": "arn:aws:sqs:eu-west-1:123456789012:failed"}
    client.update_function_configuration(FunctionName="report-daily", DeadLetterConfig=queue)
    client.get_function(FunctionName="report-daily")
    alarms = f"alarms: {{actions: ['{TOPIC}']}}"
    entry(project, f"aliases: [live], concurrency: {{provisioned: 2}}, {alarms}")
    text = (project / "lambda-layers.yml").read_text()
    (project / "lambda-layers.yml").write_text(
        text.replace("{layers: [web]}", f"{{layers: [web], {alarms}}}")
    )
    client.publish_version(FunctionName="api")
    assert main(["deploy"]) == 0
    found = standing(watch)
    assert found["api-ProvisionedConcurrencySpilloverInvocations"]["Threshold"] == 0.0
    lost = ("AsyncEventsDropped", "DeadLetterErrors")
    assert {f"report-daily-{metric}" for metric in lost} < set(found)
    assert not {f"api-{metric}" for metric in lost} & set(found)
    assert "report-daily-ProvisionedConcurrencySpilloverInvocations" not in found


def test_alarms_of_removed_entries_are_pruned_and_no_others(aws, watch, project, written, capsys):
    alarms = f"alarms: {{actions: ['{TOPIC}']}}"
    entry(project, alarms)
    text = (project / "lambda-layers.yml").read_text()
    (project / "lambda-layers.yml").write_text(
        text.replace("{layers: [web]}", f"{{layers: [web], {alarms}}}")
    )
    assert main(["deploy"]) == 0
    existing = standing(watch)["api-Errors"]
    other = {
        key: existing[key]
        for key in (
            "Namespace",
            "MetricName",
            "Dimensions",
            "Statistic",
            "Period",
            "EvaluationPeriods",
            "Threshold",
            "ComparisonOperator",
        )
    }
    watch.put_metric_alarm(
        AlarmName="lambda-layers-shop-Errors",
        AlarmDescription="By lambda-layers, for the layers: shop",
        **other,
    )
    watch.put_metric_alarm(AlarmName="lambda-layers-mine", **other)
    entry(project, alarms)
    gone = [f"lambda-layers-report-daily-{metric}" for metric in PER_FUNCTION]
    written()
    capsys.readouterr()
    assert main(["prune"]) == 0
    assert main(["prune", "--alarms", "--dry-run"]) == 0
    assert f"to delete in eu-west-1, alarms: {', '.join(gone)}" in capsys.readouterr().out
    assert written() == []
    assert main(["prune", "--alarms", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["regions"][0]["deletedAlarms"] == gone
    kept = {"ClaimedAccountConcurrency", "shop-Errors", "mine", *(f"api-{metric}" for metric in PER_FUNCTION)}
    assert set(standing(watch)) == kept
    (project / "lambda-layers.yml").write_text(MANIFEST)
    assert main(["prune", "--alarms"]) == 0
    assert set(standing(watch)) == {"ClaimedAccountConcurrency", "shop-Errors", "mine"}


def test_a_manifest_without_them_asks_for_nothing(aws, project):
    (project / "lambda-layers.yml").write_text(MANIFEST)
    assert main(["deploy"]) == 0
    services = {call.service for call in aws.call_log}
    assert "monitoring" not in services
    assert "GetAccountSettings" not in {call.operation for call in aws.call_log}


def test_a_refusal_is_told_and_what_was_deployed_stays(aws, faults, capsys):
    faults.script("PutMetricAlarm", fault.DENIED)
    assert main(["deploy"]) == 12
    told = capsys.readouterr()
    assert "allow cloudwatch:PutMetricAlarm to the role of this run" in told.err
    assert "updated 2 functions" in told.out
    assert main(["deploy"]) == 0


def test_what_is_told_has_to_be_an_arn(project, capsys):
    path = project / "lambda-layers.yml"
    path.write_text(path.read_text().replace(TOPIC, "ops"))
    assert main(["check"]) == 5
    assert "lambda-layers.yml:7" in capsys.readouterr().err
