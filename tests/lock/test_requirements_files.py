from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from entrypoint.errors import Location, ManifestError
from entrypoint.index.tags import marker_environment
from entrypoint.lock.requirement_lines import logical_lines
from entrypoint.lock.requirements import read_requirements, read_requirements_file
from entrypoint.manifest.model import Requirements
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64


def read(tmp_path, text, name="requirements.in"):
    (tmp_path / name).write_text(text, "utf-8")
    return read_requirements_file(tmp_path / name, root=tmp_path)


def problems_of(tmp_path, text):
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, text)
    return [str(problem) for problem in caught.value.problems]


def test_requirements_have_locations(tmp_path):
    text = (
        "# what the web layer needs\n\n"
        "Requests[socks,Security] >= 2 , <3 ; python_version > '3.8'  # why\n"
        "six==1.16 \\\n"
        f"    --hash={DIGEST} \\\n"
        f"    --hash {OTHER_DIGEST.upper().replace('SHA', 'sha')}\n"
        "    # via something\n"
        "idna\n"
    )
    found = read(tmp_path, text).requirements
    assert [(str(line), str(line.location)) for line in found] == [
        ('requests[security,socks]<3,>=2 ; python_version > "3.8"', "requirements.in:3"),
        ("six==1.16", "requirements.in:4"),
        ("idna", "requirements.in:8"),
    ]
    assert found[1].hashes == {DIGEST, OTHER_DIGEST}


def test_included_files_are_relative_to_the_file_that_includes_them(tmp_path):
    (tmp_path / "shared" / "deep").mkdir(parents=True)
    (tmp_path / "shared" / "base.in").write_text("-r deep/more.in\nidna\n", "utf-8")
    (tmp_path / "shared" / "deep" / "more.in").write_text("six\n", "utf-8")
    (tmp_path / "constraints.txt").write_text("urllib3<3\n-r shared/deep/more.in\n", "utf-8")
    found = read(tmp_path, "-r shared/base.in\n--constraint=constraints.txt\nrequests\n")
    assert [str(line.location) for line in found.requirements] == [
        "shared/deep/more.in:1",
        "shared/base.in:2",
        "requirements.in:3",
    ]
    assert [str(line) for line in found.constraints] == ["urllib3<3", "six"]


def test_a_file_that_is_included_twice_is_read_once(tmp_path):
    (tmp_path / "base.in").write_text("six\n", "utf-8")
    found = read(tmp_path, "-r base.in\n-rbase.in\n")
    assert [str(line) for line in found.requirements] == ["six"]


def test_files_that_include_each_other_are_a_problem_at_the_line_that_closes_the_loop(tmp_path):
    (tmp_path / "other.in").write_text("six\n-r requirements.in\n", "utf-8")
    assert problems_of(tmp_path, "-r other.in\n") == [
        "other.in:2: requirements.in includes itself; remove this line"
    ]


def test_options_are_kept(tmp_path):
    found = read(
        tmp_path,
        "--index-url https://first.example/simple\n"
        "-i https://user:secret@second.example/simple --extra-index-url=https://${TOKEN}@extra.example\n"
        "--find-links wheels\n-f https://files.example/\n"
        "--trusted-host plain.example\n--pre\n--prefer-binary\n--no-index\n"
        "--no-binary lxml\n--only-binary=:all:\n--require-hashes\n",
    )
    assert found.options.index_url == "https://user:secret@second.example/simple"
    assert found.options.extra_index_urls == ("https://${TOKEN}@extra.example",)
    assert found.options.find_links == (str(tmp_path / "wheels"), "https://files.example/")
    assert found.options.trusted_hosts == ("plain.example",)
    assert (found.options.pre, found.options.prefer_binary, found.options.no_index) == (True, True, True)
    assert (found.options.no_binary, found.options.only_binary) == (("lxml",), (":all:",))
    assert not any("secret" in line or "TOKEN" in line for line in found.lines.option_lines)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-e .", ". is not a folder with a pyproject.toml"),
        ("--editable=git+https://user:secret@host/x", "is not a folder of the repository"),
        ("./local", "local is not a folder with a pyproject.toml"),
        ("../local/thing-1-py3-none-any.whl", "is a file or a repository"),
        ("thing-1-py3-none-any.whl", "is a file or a repository"),
        ("thing @ https://user:secret@host/thing-1.whl", "has a user name or a password"),
        ("https://user:secret@host/thing-1.tar.gz", "is a file or a repository"),
        ("git+ssh://git@host/thing", "is a file or a repository"),
        ("thing =! 1", "invalid requirement"),
        ("thing --hash=md5:123", "is not a SHA-256 hash"),
        ("thing --config-settings a=b", "unsupported option `--config-settings` after a requirement"),
        ("--frobnicate", "unsupported option `--frobnicate`"),
        ("--pre=yes", "option `--pre` does not accept a value"),
        ("--index-url", "option `--index-url` requires a value"),
        ("-r", "option `--requirement` requires a value"),
        ("-r nul\0byte", "invalid path"),
        ("-r missing.in", "cannot read missing.in: No such file"),
        ("-r https://user:secret@host/more.in", "from the network"),
        ('--index-url "unclosed', "cannot parse"),
    ],
)
def test_an_unsupported_line_is_a_problem_with_its_location(tmp_path, line, message):
    (problem,) = problems_of(tmp_path, f"six\n{line}\n")
    assert problem.startswith("requirements.in:2: ")
    assert message in problem
    assert "; " in problem  # the hint
    assert "secret" not in problem


def test_all_problems_of_all_files_are_reported_at_once(tmp_path):
    (tmp_path / "more.in").write_text("-e .\n", "utf-8")
    found = problems_of(tmp_path, "./here\n-r more.in\nbad =! 1\n")
    assert [text.split(" ")[0] for text in found] == [
        "more.in:1:",
        "requirements.in:1:",
        "requirements.in:3:",
    ]


def test_text_in_another_encoding_is_a_problem(tmp_path):
    (tmp_path / "latin.in").write_bytes(b"six # caf\xe9\n")
    with pytest.raises(ManifestError, match=r"latin\.in is not UTF-8"):
        read_requirements_file(tmp_path / "latin.in", root=tmp_path)


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path):
    (tmp_path / "windows.in").write_bytes(b"\xef\xbb\xbfsix \\\r\n  ==1.16\r\nidna\r\n")
    found = read_requirements_file(tmp_path / "windows.in").requirements
    assert [str(line) for line in found] == ["six==1.16", "idna"]


def test_lines_of_the_manifest_keep_their_locations():
    location = Location("lambda-layers.yml", 7)
    found = read_requirements(Requirements(lines=(("six >= 1", location),), location=location))
    assert [(str(line), line.location) for line in found.requirements] == [("six>=1", location)]


def test_the_dependencies_of_a_pyproject(tmp_path):
    text = '[project]\nname = "app"\ndependencies = [\n  "six>=1",\n  "idna; sys_platform == \'linux\'",\n]\n'
    found = read(tmp_path, text, "pyproject.toml").requirements
    assert [str(line.location) for line in found] == ["pyproject.toml:4", "pyproject.toml:5"]


@pytest.mark.parametrize(
    "text", ["[project]\ndynamic = ['dependencies']\n", "[build-system]\n", "not toml", "project = 1"]
)
def test_a_pyproject_without_a_static_list(tmp_path, text):
    with pytest.raises(ManifestError, match=r"no static list|invalid TOML"):
        read(tmp_path, text, "pyproject.toml")


def test_markers_are_evaluated_for_the_requested_platform(tmp_path):
    found = read(tmp_path, "a; platform_machine == 'aarch64'\nb; python_version < '3.10'\nc\n").requirements

    def names(runtime, architecture):
        environment = marker_environment(Platform(RUNTIMES[runtime], architecture))
        return [line.name for line in found if line.applies(environment)]

    assert names("python3.13", Architecture.ARM64) == ["a", "c"]
    assert names("python3.9", Architecture.X86_64) == ["b", "c"]


def test_a_comment_line_ends_a_continuation():
    assert list(logical_lines("a \\\n# comment\nb\\")) == [("a  ", 1), ("b ", 3)]


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,2}", fullmatch=True)
MARKERS = st.sampled_from(["", "python_version < '3.12'", "platform_machine == 'x86_64' or os_name == 'nt'"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["==", ">=", "~=", "!="]), VERSIONS, MARKERS), max_size=8))
def test_requirements_survive_a_round_trip(tmp_path_factory, items):
    folder = tmp_path_factory.mktemp("round")
    lines = [
        f"{name}{operator}{version + '.0'}{' ; ' + marker if marker else ''}"
        for name, operator, version, marker in items
    ]
    once = read(folder, "\n".join(lines)).requirements
    again = read(folder, "\n".join(f"  {line}  # {number}" for number, line in enumerate(once))).requirements
    assert [str(line) for line in once] == [str(line) for line in again]
    assert len(once) == len(items)
    for line, (_, _, _, marker) in zip(once, items, strict=True):
        assert line.requirement.marker == (Marker(marker) if marker else None)


PIECES = st.sampled_from(
    [
        "-r ",
        "-c",
        "--hash=",
        "--index-url",
        "-e",
        "a==1",
        ";",
        "'",
        '"',
        "\\",
        "\n",
        "#",
        " ",
        "@",
        "://",
        "[",
        "]",
    ]
)


@given(st.one_of(st.text(), st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join)))
def test_any_text_raises_nothing_but_problems(tmp_path_factory, text):
    folder = Path(tmp_path_factory.mktemp("any"))
    (folder / "any.in").write_text(text.encode("utf-8", "replace").decode("utf-8"), "utf-8")
    with suppress(ManifestError):
        found = read_requirements_file(folder / "any.in", root=folder)
        assert all(line.location.line for line in found.requirements)
