"""The step's summary: what a pull request or a workflow's page shows of a plan and of a deployment."""

import re

import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main
from entrypoint.manifest.model import Destination
from entrypoint.release.outcome import Outcome, Status
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.report.summary import deployment_summary

CONSOLE = "https://eu-west-1.console.aws.amazon.com/lambda/home?region=eu-west-1#/"


@pytest.fixture
def summary(tmp_path, monkeypatch):
    """What a step wrote since one last looked."""
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))

    def read():
        text = path.read_text("utf-8")
        path.unlink()
        return text

    return read


def rows(text, table):
    """The cells of the table whose head begins with a word."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {table} "))
    found = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def test_a_plan(summary):
    assert main(["plan"]) == 0
    text = summary()
    assert text.startswith(
        "<!-- lambda-layers -->\n\n## Lambda layers: 3 to publish, 2 functions to update\n"
    )
    assert rows(text, "layer")[0] == ["`web-python312-x86_64`", "**new**", "eu-west-1"]
    assert rows(text, "function")[0] == [
        "`api`",
        "`web-python313-x86_64` **new**<br>`tools` **new**",
        f"[eu-west-1]({CONSOLE}functions/api)",
    ]


def test_a_deployment_and_the_next(summary, pin, capsys):
    assert main(["deploy"]) == 0
    text = summary()
    assert "## Lambda layers: 3 published, 2 functions updated" in text
    name, version, where, zipped, unzipped, share = rows(text, "layer")[2]
    assert (name, version, share) == ("`tools`", "**1**", "0%")
    assert where == f"[eu-west-1]({CONSOLE}layers/tools/versions/1)"
    assert re.fullmatch(r"\d\.\d MB", zipped)
    assert re.fullmatch(r"\d\.\d MB", unzipped)
    assert rows(text, "function")[1][:3] == ["`report-daily`", "✅ updated", "`web-python312-x86_64` 1"]
    assert re.search(r'pie showData title kB by package\n  "attrs" : 0\.[1-9]\d+\n', text)
    pin("tools.txt", "attrs", "4.0")
    assert main(["plan"]) == 0
    text = summary()
    (package,) = rows(text, "package")
    assert package == ["`attrs`", "3.0 → 4.0", "`tools-python3.13-x86_64`"]
    assert rows(text, "function") == [
        ["`api`", "`tools` 1 → **new**", f"[eu-west-1]({CONSOLE}functions/api)"]
    ]
    assert main(["deploy"]) == 0
    text = summary()
    assert [row[:2] for row in rows(text, "layer")] == [["`tools`", "1 → **2**"]]
    assert "2 layers unchanged: `web-python312-x86_64`, `web-python313-x86_64`" in text
    assert rows(text, "package") == [package]
    assert main(["plan"]) == 0
    assert summary().endswith("## Lambda layers: nothing to do\n\nAWS matches the manifest.\n")


def test_packages_that_cannot_be_compared_stop_nothing(summary, aws, pin, faults, capsys):
    assert main(["deploy"]) == 0
    summary()
    pin("tools.txt", "attrs", "4.0")
    faults.script("GetLayerVersion", *[fault.DENIED] * 3)  # the layers that are kept are compared too
    assert main(["deploy"]) == 0
    assert "| package |" not in summary()
    assert "package changes are not shown: AWS refuses GetLayerVersion" in capsys.readouterr().err


def test_alarms_alone_are_something_to_do(summary, project):
    assert main(["deploy"]) == 0
    summary()
    alarms = "alarms: {actions: ['arn:aws:sns:eu-west-1:123456789012:told']}"
    watched = MANIFEST.replace("api: {layers: [web, tools]}", f"api: {{layers: [web, tools], {alarms}}}")
    (project / "lambda-layers.yml").write_text(watched)
    assert main(["plan"]) == 0
    text = summary()
    assert "nothing to do" not in text
    assert "alarms to create or update: `" in text
    assert main(["deploy"]) == 0
    assert "alarms created or updated: `" in summary()


def test_a_failure_says_what_stands_where(summary, aws, project):
    (project / "lambda-layers.yml").write_text(MANIFEST + "rollout: {waves: [1]}\n")
    aws.fail_next_update("report-daily", reason="a | b")
    assert main(["deploy"]) == 12
    text = summary()
    assert [row[1] for row in rows(text, "function")] == ["↩️ rolled back", "❌ failed"]
    assert "### Problems" in text
    assert "the update of report-daily failed: a | b" in text


def test_ten_thousand_functions_stay_far_under_what_github_shows():
    outcomes = tuple(
        Outcome(
            function=f"function-with-a-long-name-{number:05}",
            before=(),
            layers=("arn:aws:lambda:eu-west-1:123456789012:layer:web:1",) * 5,
            status=Status.FAILED,
            error=None,
        )
        for number in range(10_000)
    )
    region = RegionResult(destination=Destination("eu-west-1"), functions=outcomes)
    text = deployment_summary(Deployment(regions=(region,)))
    assert len(text.encode()) < 100_000
    assert "|  |" not in text
    assert "and 9,800 more; see the log of this step" in text


def test_what_is_the_same_in_many_regions_has_one_row():
    function = "api"
    regions = [
        RegionResult(
            destination=Destination(region),
            functions=(Outcome(function=function, before=(), layers=(), status=Status.UPDATED),),
        )
        for region in ("eu-west-1", "us-east-1", "cn-north-1")
    ]
    ((name, state, where),) = rows(deployment_summary(Deployment(regions=tuple(regions))), "function")
    assert (name, state) == ("`api`", "✅ updated")
    first, second, third = where.split(", ")
    assert first == f"[eu-west-1]({CONSOLE}functions/api)"
    assert second == f"[us-east-1]({CONSOLE.replace('eu-west-1', 'us-east-1')}functions/api)"
    assert third == "cn-north-1"
