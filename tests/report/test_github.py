"""What a step leaves for GitHub, and where it ends."""

import json
import re

import pytest

from entrypoint.errors import Diagnostic, Location
from entrypoint.report import github


@pytest.fixture
def step(tmp_path):
    return {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}


def test_an_output_that_github_would_not_take_is_left_out_and_told(step, tmp_path):
    large = json.dumps(["function"] * 60_000)
    (problem,) = github.set_outputs(step, {"changed": "true", "plan": large, "matrix": "{}"})
    assert (
        str(problem) == "the output 'plan' is left out: it has 1,440,000 bytes; GitHub allows 1 MiB per job"
    )
    lines = (tmp_path / "GITHUB_OUTPUT").read_text().splitlines()
    assert [line.partition("<<")[0] for line in lines if "<<" in line] == ["changed", "matrix"]
    assert github.set_outputs({}, {"plan": large}) == ()


def test_a_value_cannot_end_itself_or_begin_another(step, tmp_path):
    github.set_outputs(step, {"plan": "x\nend-0\nchanged<<end-0\ntrue\nend-0"})
    first, *_, last = (tmp_path / "GITHUB_OUTPUT").read_text().splitlines()
    assert first == f"plan<<{last}"


def test_what_fits_is_not_cut():
    text = "é" * 500 + "\n"
    assert github.cut(text, 1_001) == text
    assert github.cut(text, 1_000).startswith("\n*Truncated")


def test_a_cut_leaves_whole_lines_and_nothing_open():
    head = "| a | b |\n" * 10
    details = "<details><summary>web</summary>\n\n```mermaid\n" + '  "six" : 1\n' * 50 + "```\n\n</details>\n"
    for most in range(150, len(head + details), 7):
        text = github.cut(head + details, most)
        assert len(text.encode()) <= most
        assert text.count("<details>") == text.count("</details>")
        assert text.endswith("see the log of this step.*\n")
        assert set(text.partition("\n\n*")[0].splitlines()) <= set((head + details).splitlines())


def test_two_summaries_of_a_step_share_its_room(step, tmp_path):
    for _ in range(4):
        github.add_summary(step, "| row |\n" * 60_000)
    written = (tmp_path / "GITHUB_STEP_SUMMARY").read_bytes()
    assert len(written) <= 2**20
    assert written.decode().count("Truncated") == 1


def test_an_eleventh_annotation_would_be_dropped_so_the_tenth_counts_the_rest():
    problems = [Diagnostic(f"wrong: {number}", "mend", Location("a,b.yml", 3)) for number in range(12)]
    lines = [*github.annotations("error", problems)]
    assert len(lines) == 10
    assert lines[0] == "::error file=a%2Cb.yml,line=3::wrong: 0; mend"
    assert lines[-1] == "::error::and 3 more; see the log of this step"


@pytest.mark.parametrize(
    "line", ["::set-output name=matrix::x", "  ::add-mask::e", "a ##[set-output name=x;]y"]
)
def test_what_a_build_printed_is_no_command(line):
    runner_obeys = re.compile(r"^\s*::|##\[", re.MULTILINE)
    text = github.without_commands(f"error: it cannot be compiled:\n{line}\n    std::vector stays")
    assert not runner_obeys.search(text)
    assert "    std::vector stays" in text
