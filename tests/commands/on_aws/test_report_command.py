"""`lambda-layers report`: one page of what is here and in AWS, and of what could not be found out."""

import shutil

import pytest
from deploying import MANIFEST
from package_index import make_wheel

from entrypoint.cli import main


@pytest.fixture
def report(project, capsys):
    def run(*arguments, code=0):
        capsys.readouterr()
        assert main(["report", *arguments]) == code
        return (project / "lambda-layers.html").read_text()

    return run


def test_after_a_deployment(report, written, capsys):
    assert main(["deploy"]) == 0
    written()
    text = report()
    assert capsys.readouterr().out == "wrote lambda-layers.html\n"
    assert written() == []
    assert "Up to date." in text
    assert "built here" in text
    assert "What is missing here" not in text
    for told in ("tools", "web-python312-x86_64", "report-daily", "six 1.0", "attrs 3.0"):
        assert told in text


def test_archives_that_are_only_in_aws(report, project):
    main(["deploy"])
    shutil.rmtree(project / ".lambda-layers")
    text = report()
    assert "tools:1 in eu-west-1" in text
    assert "attrs 3.0" in text
    assert not (project / ".lambda-layers").exists()


def test_without_credentials_the_archives_here_are_shown(report, monkeypatch, capsys):
    assert main(["build"]) == 0
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    text = report()
    assert "there are no AWS credentials" in text
    assert "there are no AWS credentials" in capsys.readouterr().err
    assert "AWS was not read." in text
    assert "six 1.0" in text


def test_with_nothing_at_all(report, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    text = report()
    assert "the archive of tools is not here" in text
    assert "No archive is available" in text


def test_an_archive_of_another_lock_is_said_to_be_one(report, pin, project):
    main(["build"])
    pin("tools.txt", "attrs", "4.0")
    text = report()
    assert "tools-python3.13-x86_64.zip was built from other packages, files or options" in text
    assert str(project) not in text


def test_an_archive_that_is_no_zip(report, project):
    main(["build"])
    (project / ".lambda-layers" / "build" / "tools-python3.13-x86_64.zip").write_text("broken")
    text = report()
    assert "tools-python3.13-x86_64.zip is not a layer archive" in text
    assert "six 1.0" in text


def test_what_two_layers_of_a_function_both_bring(report, pin, monkeypatch, tmp_path, project):
    make_wheel(tmp_path / "wheels", "six", "2.0")
    (project / "lambda-layers.yml").write_text(
        MANIFEST.replace("tools: {requirements: [six]", "tools: {requirements: [six]")
    )
    pin("tools.txt", "six", "2.0")
    main(["deploy"])
    text = report()
    assert "web-python313-x86_64 and tools" in text
    assert "different version" in text
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    assert "Together on api on python3.13-x86_64." in report()


def test_what_the_rules_warned_of(report, pin, tmp_path):
    make_wheel(tmp_path / "wheels", "urllib3", "2.0")
    pin("tools.txt", "urllib3", "2.0")
    assert main(["build"]) == 0
    text = report()
    assert "Warnings of the rules when tools was built" in text
    assert "runtime-sdk" in text


def test_another_place_for_the_page(report, project, capsys):
    report()
    (project / "lambda-layers.html").unlink()
    assert main(["report", "--output", "out/page.html"]) == 0
    assert (project / "out" / "page.html").is_file()
