"""What Lambda starts of a layer's own files: judged here, and in `test_starting` by Lambda's emulator."""

import pytest
from layers import PYTHON313, for_machine, shared_object, target

from entrypoint.errors import Severity
from entrypoint.layer.assemble import assemble
from entrypoint.layer.repository_files import repository_files
from entrypoint.layer.repository_part import repository_part
from entrypoint.layer.verify import verify
from entrypoint.manifest.runtimes import RUNTIMES, Architecture, Platform

PROVIDED = Platform(RUNTIMES["provided.al2023"], Architecture.X86_64)
SCRIPT = b"#!/bin/sh\nexit 0\n"
WINDOWS = SCRIPT.replace(b"\n", b"\r\n")


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    return shared_object(tmp_path_factory.mktemp("elf"))


def write(folder, name, content, mode=0o755):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def findings(content, platform=PROVIDED, **options):
    made = target(platform, content=content, **options)
    part = repository_part(made.layer, repository_files(made.layer))
    archive = assemble([part], content.parent / "layer.zip")
    found = verify(archive, made)
    assert all(each.severity is Severity.ERROR for each in found)
    return [(each.rule, f"{each.message}; {each.hint}") for each in found]


@pytest.fixture
def content(tmp_path):
    folder = tmp_path / "content"
    folder.mkdir()
    return folder


def test_a_layer_that_starts_has_no_findings(content, elf):
    write(content, "bootstrap", SCRIPT)
    write(content, "extensions/monitor", elf)
    write(content, "extensions/script", b"#!/usr/bin/env bash\n: text\r\n")
    write(content, "extensions/lib/readme.md", b"text", 0o644)
    (content / "extensions/linked").symlink_to("../bin/again")
    write(content, "bin/tool", SCRIPT)
    (content / "bin/again").symlink_to("tool")
    write(content, "bin/windows.py", b"import sys\r\n")
    write(content, "bin/data", WINDOWS, 0o644)
    assert findings(content) == []


@pytest.mark.parametrize(
    ("written", "mode", "said"),
    [
        (SCRIPT, 0o644, "is not executable"),
        (b"exit 0\n", 0o755, "does not begin with #!"),
        (b"\xef\xbb\xbf" + SCRIPT, 0o755, "does not begin with #!"),
        (b"", 0o755, "does not begin with #!"),
        (WINDOWS, 0o755, r"has Windows line ends (CRLF): Linux reads its first line as '#!/bin/sh\r'"),
    ],
)
@pytest.mark.parametrize(("name", "rule"), [("bootstrap", "bootstrap"), ("extensions/monitor", "extension")])
def test_what_cannot_be_started(content, written, mode, said, name, rule):
    write(content, name, written, mode)
    ((found, text),) = findings(content)
    assert found == rule
    assert f"{name} " in text
    assert said in text
    assert findings(content, ignored_rules=frozenset({rule})) == []


def test_two_faults_of_one_program_are_two_findings(content):
    write(content, "bootstrap", WINDOWS, 0o644)
    said = [text for _, text in findings(content)]
    assert ["is not executable" in each or "Windows line ends" in each for each in said] == [True, True]


def test_a_readme_beside_extensions(content):
    write(content, "extensions/monitor", SCRIPT)
    write(content, "extensions/README.md", b"text", 0o644)
    ((rule, text),) = findings(content, PYTHON313)
    assert rule == "extension"
    assert "extensions/README.md is not executable; Lambda starts every file in extensions/" in text
    assert "move what is no extension to another folder" in text


def test_links_are_judged_by_what_they_lead_to(content):
    write(content, "programs/readme", b"text", 0o644)
    write(content, "programs/good", SCRIPT)
    (content / "extensions").mkdir()
    (content / "extensions/folder").symlink_to("../programs")
    (content / "extensions/good").symlink_to("../programs/good")
    (content / "extensions/readme").symlink_to("../programs/readme")
    told = dict.fromkeys(text.partition(";")[0] for _, text in findings(content))
    assert list(told) == [
        "extensions/folder is a link to the folder programs",
        "extensions/readme is not executable",
    ]


def test_no_managed_runtime_starts_a_bootstrap(content):
    write(content, "bootstrap", SCRIPT, 0o644)
    assert findings(content, PYTHON313) == []
    assert [rule for rule, _ in findings(content)] == ["bootstrap"]


def test_scripts_in_bin_with_the_line_ends_of_windows(content):
    write(content, "bin/tool", WINDOWS)
    write(content, "share/tool", WINDOWS)
    ((rule, text),) = findings(content, PYTHON313)
    assert rule == "line-ends"
    assert text.startswith("bin/tool has Windows line ends (CRLF)")


@pytest.mark.parametrize("name", ["bootstrap", "extensions/monitor", "bin/tool", "share/tool"])
def test_a_program_for_another_architecture_is_an_error_once(content, elf, name):
    write(content, name, for_machine(elf, 183))
    ((rule, text),) = findings(content)
    assert rule == "elf-machine"
    assert f"{name} of content is built for aarch64, not for x86_64" in text


def test_damaged_programs_and_those_of_other_systems_are_named_once(content, elf):
    write(content, "bootstrap", elf[:100])
    write(content, "extensions/monitor", b"MZ" + bytes(100))
    assert [rule for rule, _ in findings(content)] == ["foreign-binary", "damaged-elf"]
