"""Known vulnerabilities of what is locked; the database is a stand-in for OSV, asked over HTTP."""

import json
import os

import pytest
from osv import OsvServer, record

from entrypoint.cli import main

MANIFEST = """\
version: 1
layers:
  web: {{requirements: [requests], lock: web.txt, runtimes: [python3.12, python3.13]}}
audit:
  url: {url}
"""
GHSA = record(
    "GHSA-x84v-xcm2-53pg", "requests", "2.19.0", fixed="2.20.0", severity="HIGH", aliases=["CVE-2018-18074"]
)
PYSEC = record(
    "PYSEC-2018-28", "requests", "2.19.0", fixed="2.20.1", aliases=["CVE-2018-18074", "GHSA-x84v-xcm2-53pg"]
)


@pytest.fixture
def osv():
    with OsvServer(GHSA, PYSEC) as server:
        yield server


@pytest.fixture
def audit(tmp_path, monkeypatch, osv, capsys):
    """Audit a lock of requests 2.19.0 and idna; return the exit code and what was said."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.chdir(tmp_path)
    pins = [f"{pin} --hash=sha256:{'0' * 64}" for pin in ("idna==3.11", "requests==2.19.0")]
    (tmp_path / "web.txt").write_text("\n".join(pins) + "\n")

    def run(settings="", *arguments, url=None):
        (tmp_path / "lambda-layers.yml").write_text(MANIFEST.format(url=url or osv.url) + settings)
        code = main(["audit", *arguments])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run


def test_a_vulnerability_is_told_once_at_the_locks_line_with_the_version_without_it(audit):
    code, said = audit()
    assert code == 15
    assert said == (
        "error: web.txt:2: requests==2.19.0 has GHSA-x84v-xcm2-53pg, high: it leaks; pin requests==2.20.0 or newer; "
        "in a lock of ours: lambda-layers lock --upgrade-package 'requests==2.20.0'\n"
    )


def test_nothing_known(audit, osv):
    osv.records.clear()
    assert audit() == (0, "2 package versions checked, no known vulnerability at or above the threshold\n")


@pytest.mark.parametrize("name", ["GHSA-x84v-xcm2-53pg", "CVE-2018-18074", "PYSEC-2018-28"])
def test_by_any_of_its_names_it_can_be_ignored(audit, name):
    assert audit(f"  ignore: {{{name}: we send no redirects}}\n")[0] == 0


def test_what_is_less_severe_is_warned_of(audit):
    code, said = audit("  severity: critical\n")
    assert code == 0
    assert "warning: web.txt:2: requests==2.19.0 has GHSA-x84v-xcm2-53pg, high" in said


def test_what_nobody_has_rated_counts(audit, osv):
    osv.records = {"PYSEC-1": record("PYSEC-1", "idna", "3.11")}
    code, said = audit("  severity: critical\n")
    assert code == 15
    assert "idna==3.11 has PYSEC-1, of no known severity" in said
    assert "no version is known to be without it" in said


def test_a_summary_that_says_nothing_or_more_than_text(audit, osv):
    blank = record("GHSA-1", "idna", "3.11", severity="LOW", summary="  \n ", details="\x1b[2Jthe rest")
    osv.records = {"GHSA-1": blank}
    code, said = audit()
    assert code == 15
    assert "GHSA-1, low:  [2Jthe rest" in said


def test_what_was_withdrawn_does_not_count(audit, osv):
    osv.records = {"PYSEC-1": record("PYSEC-1", "idna", "3.11", withdrawn="2026-01-01T00:00:00Z")}
    assert audit()[0] == 0


def test_answers_of_several_pages_and_each_record_read_once(audit, osv):
    osv.records = {
        f"GHSA-{number}": record(f"GHSA-{number}", "idna", "3.11", severity="LOW") for number in range(5)
    }
    code, said = audit()
    assert (code, said.count("error: ")) == (15, 5)
    assert len([path for path in osv.asked if path.startswith("/v1/vulns/")]) == 5
    assert osv.asked.count("/v1/querybatch") == 3


def test_for_code_scanning(audit, tmp_path):
    assert audit("", "--sarif", "audit.sarif")[0] == 15
    (result,) = json.loads((tmp_path / "audit.sarif").read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("vulnerability", "error")


@pytest.mark.parametrize("answer", [{}, [], {"results": []}, {"results": [{}, {"vulns": [{"name": "x"}]}]}])
def test_an_answer_that_is_none(audit, osv, answer):
    osv.answer = answer
    code, said = audit()
    assert code == 7
    assert f"{osv.url} does not answer as OSV does" in said
    assert "Traceback" not in said


def test_a_database_that_cannot_be_reached_leaves_what_code_scanning_knows(audit, tmp_path):
    code, said = audit("", "--sarif", "audit.sarif", url="http://me:secret@127.0.0.1:9")
    assert not (tmp_path / "audit.sarif").exists()
    assert code == 7
    assert "check the network, or name a mirror under 'audit: {url: ...}'" in said
    assert "secret" not in said


def test_a_manifest_that_asks_for_what_cannot_be(audit):
    code, said = audit("  severity: awful\n  ignore: {GHSA-1: ''}\n")
    assert code == 5
    assert "low, moderate, high" in said
