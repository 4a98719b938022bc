"""The step's summary: what a pull request or a workflow's page shows of a plan and of a deployment."""

import re

import faults as fault
import pytest
from deploying import MANIFEST

from entrypoint.cli import main
from entrypoint.manifest import Destination
from entrypoint.release.result import Deployment, RegionResult
from entrypoint.release.update import Outcome, Status
from entrypoint.report.summary import deployment_summary


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
    assert rows(text, "layer")[0] == ["`web-python312-x86_64`", "eu-west-1", "**new**"]
    assert rows(text, "function")[0] == [
        "`api`",
        "eu-west-1",
        "+ `web-python313-x86_64:new`<br>+ `tools:new`",
    ]


def test_a_deployment_and_the_next(summary, pin, capsys):
    assert main(["deploy"]) == 0
    text = summary()
    assert "## Lambda layers: 3 published, 2 functions updated" in text
    name, region, version, zipped, unzipped, share = rows(text, "layer")[2]
    assert (name, region, version, share) == ("`tools`", "eu-west-1", "**1**", "0%")
    assert re.fullmatch(r"\d\.\d MB", zipped)
    assert re.fullmatch(r"\d\.\d MB", unzipped)
    assert rows(text, "function")[1] == [
        "`report-daily`",
        "eu-west-1",
        "✅ updated",
        "`web-python312-x86_64:1`",
    ]
    assert 'pie showData title MB by package\n  "attrs" : 0.00' in text
    pin("tools.txt", "attrs", "4.0")
    assert main(["plan"]) == 0
    assert rows(summary(), "target")[0][:3] == ["`tools-python3.13-x86_64`", "`attrs`", "3.0 → 4.0"]
    assert main(["deploy"]) == 0
    text = summary()
    assert [row[2] for row in rows(text, "layer")] == ["1", "1", "1 → **2**"]
    assert rows(text, "target")[0][:3] == ["`tools-python3.13-x86_64`", "`attrs`", "3.0 → 4.0"]
    assert main(["plan"]) == 0
    assert summary().endswith("## Lambda layers: nothing to do\n\nAWS agrees with the manifest.\n")


def test_packages_that_cannot_be_compared_stop_nothing(summary, aws, pin, faults, capsys):
    assert main(["deploy"]) == 0
    summary()
    pin("tools.txt", "attrs", "4.0")
    faults.script("GetLayerVersion", fault.DENIED)
    assert main(["deploy"]) == 0
    assert "| target |" not in summary()
    assert "what changes in the packages is not shown: AWS refuses GetLayerVersion" in capsys.readouterr().err


def test_a_failure_says_what_stands_where(summary, aws, project):
    (project / "lambda-layers.yml").write_text(MANIFEST + "rollout: {waves: [1]}\n")
    aws.fail_next_update("report-daily", reason="a | b")
    assert main(["deploy"]) == 12
    text = summary()
    assert [row[2] for row in rows(text, "function")] == ["↩️ put back", "❌ failed"]
    assert "### Problems" in text
    assert "the update of report-daily failed: a | b" in text


def test_ten_thousand_functions_stay_far_under_what_github_shows():
    outcomes = tuple(
        Outcome(
            function=f"function-with-a-long-name-{number:05}",
            layers=("arn:aws:lambda:eu-west-1:123456789012:layer:web:1",) * 5,
            status=Status.FAILED,
            error=None,
        )
        for number in range(10_000)
    )
    region = RegionResult(destination=Destination("eu-west-1"), functions=outcomes)
    text = deployment_summary(Deployment(regions=(region,)))
    assert len(text.encode()) < 100_000
    assert "and 9,800 more; the log of this step has them all" in text
