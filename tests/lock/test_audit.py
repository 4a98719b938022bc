"""Known vulnerabilities of locked packages; a test server replaces OSV over HTTP."""

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
    """Audit a lock of requests 2.19.0 and idna; return the exit code and the output."""
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


def test_a_vulnerability_is_reported_once_with_the_line_of_the_lock_and_the_fixed_version(audit):
    code, said = audit()
    assert code == 15
    assert said == (
        "error: web.txt:2: requests==2.19.0 has GHSA-x84v-xcm2-53pg, high: it leaks; pin requests==2.20.0 or newer; "
        "for a generated lock, run: lambda-layers lock --upgrade-package 'requests==2.20.0'\n"
    )


def test_no_known_vulnerability(audit, osv):
    osv.records.clear()
    assert audit() == (0, "2 package versions checked, no known vulnerability at or above the threshold\n")


@pytest.mark.parametrize("name", ["GHSA-x84v-xcm2-53pg", "CVE-2018-18074", "PYSEC-2018-28"])
def test_a_vulnerability_is_ignored_by_any_of_its_ids(audit, name):
    assert audit(f"  ignore: {{{name}: we send no redirects}}\n")[0] == 0


def test_a_vulnerability_below_the_threshold_is_a_warning(audit):
    code, said = audit("  severity: critical\n")
    assert code == 0
    assert "warning: web.txt:2: requests==2.19.0 has GHSA-x84v-xcm2-53pg, high" in said


def test_an_unrated_vulnerability_is_above_every_threshold(audit, osv):
    osv.records = {"PYSEC-1": record("PYSEC-1", "idna", "3.11")}
    code, said = audit("  severity: critical\n")
    assert code == 15
    assert "idna==3.11 has PYSEC-1, unknown severity" in said
    assert "no fixed version is known" in said


def test_a_blank_summary_and_control_characters(audit, osv):
    blank = record("GHSA-1", "idna", "3.11", severity="LOW", summary="  \n ", details="\x1b[2Jthe rest")
    osv.records = {"GHSA-1": blank}
    code, said = audit()
    assert code == 15
    assert "GHSA-1, low:  [2Jthe rest" in said


def test_a_withdrawn_record_is_skipped(audit, osv):
    osv.records = {"PYSEC-1": record("PYSEC-1", "idna", "3.11", withdrawn="2026-01-01T00:00:00Z")}
    assert audit()[0] == 0


@pytest.mark.parametrize("url", ["https://user:s3c/r3t@osv.invalid", "http://127.0.0.1:9/?token=s3cr3t"])
def test_credentials_in_the_url_are_not_shown(audit, url):
    code, said = audit(url=url)
    assert code == 7
    assert "s3c" not in said
    assert "r3t" not in said


def test_pages_without_an_end(audit, osv):
    osv.answer = {"results": [{"next_page_token": "1"}] * 2}
    code, said = audit()
    assert code == 7
    assert "it has pages without an end" in said


def test_several_pages_and_each_record_read_once(audit, osv):
    osv.records = {
        f"GHSA-{number}": record(f"GHSA-{number}", "idna", "3.11", severity="LOW") for number in range(5)
    }
    code, said = audit()
    assert (code, said.count("error: ")) == (15, 5)
    assert len([path for path in osv.requests if path.startswith("/v1/vulns/")]) == 5
    assert osv.requests.count("/v1/querybatch") == 3


def test_for_code_scanning(audit, tmp_path):
    assert audit("", "--sarif", "audit.sarif")[0] == 15
    (result,) = json.loads((tmp_path / "audit.sarif").read_text())["runs"][0]["results"]
    assert (result["ruleId"], result["level"]) == ("vulnerability", "error")


@pytest.mark.parametrize("answer", [{}, [], {"results": []}, {"results": [{}, {"vulns": [{"name": "x"}]}]}])
def test_an_invalid_response(audit, osv, answer):
    osv.answer = answer
    code, said = audit()
    assert code == 7
    assert f"{osv.url} is not a valid OSV API" in said
    assert "Traceback" not in said


def test_an_unreachable_database_writes_no_sarif(audit, tmp_path):
    code, said = audit("", "--sarif", "audit.sarif", url="http://me:secret@127.0.0.1:9")
    assert not (tmp_path / "audit.sarif").exists()
    assert code == 7
    assert "check the network, or set a mirror under 'audit: {url: ...}'" in said
    assert "secret" not in said


def test_an_invalid_severity_in_the_manifest(audit):
    code, said = audit("  severity: awful\n  ignore: {GHSA-1: ''}\n")
    assert code == 5
    assert "low, moderate, high" in said
