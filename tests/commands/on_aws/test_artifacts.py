"""Plan in one job, build in others, release in a last one: the flow of the reusable workflow, by hand."""

import base64
import hashlib
import io
import json
import os
import shutil
import subprocess
import urllib.request
import zipfile
from pathlib import Path

import pytest
import yaml
from compiling import BUILDER, open_builder
from deploying import layers_of
from package_index import sha256
from sources import make_source

from entrypoint.cli import main
from entrypoint.local_aws.calls import ACCOUNT

ROOT = Path(__file__).parents[3]
WEB, TOOLS = "web-python3.13-x86_64", "tools-python3.13-x86_64"


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """The outputs of the steps so far."""
    path = tmp_path / "outputs"
    monkeypatch.setenv("GITHUB_OUTPUT", str(path))

    def read():
        found, lines = {}, iter(path.read_text("utf-8").splitlines())
        for line in lines:
            name, _, delimiter = line.partition("<<")
            found[name] = "\n".join(iter(lambda: next(lines), delimiter))
        return found

    return read


@pytest.fixture
def artifacts(tmp_path, project, outputs):
    """Plan, then build each target of the matrix in a clean checkout; where a release job finds them."""
    assert main(["plan"]) == 0
    matrix = json.loads(outputs()["matrix"])["include"]
    for job in matrix:
        assert main(["build", "--target", job["target"]]) == 0
        shutil.move(project / ".lambda-layers" / "build", tmp_path / "artifacts" / job["target"])
    return tmp_path / "artifacts"


def test_what_other_jobs_built_is_released(aws, artifacts, project, outputs, monkeypatch, tmp_path, capsys):
    matrix = json.loads(outputs()["matrix"])["include"]
    assert matrix == [
        {"target": "web-python3.12-x86_64", "runner": "ubuntu-latest"},
        {"target": "web-python3.13-x86_64", "runner": "ubuntu-latest"},
        {"target": "tools-python3.13-x86_64", "runner": "ubuntu-latest"},
    ]
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    capsys.readouterr()
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    assert "as it was built here" not in capsys.readouterr().err  # the jobs built the same bytes
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]
    assert main(["plan"]) == 0
    assert json.loads(outputs()["matrix"]) == {"include": []}


def test_archives_of_something_else_are_refused(artifacts, pin, capsys, written):
    pin("tools.txt", "attrs", "4.0")  # the lock of another commit
    zipped = artifacts / "web-python3.13-x86_64" / "web-python3.13-x86_64.zip"
    zipped.write_bytes(zipped.read_bytes() + b"more")
    (artifacts / "web-python3.12-x86_64" / "web-python3.12-x86_64.json").write_text("[]")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    told = capsys.readouterr().err
    assert "web-python3.13-x86_64.zip does not match its description in web-python3.13-x86_64.json" in told
    assert "web-python3.12-x86_64.json is not a valid description of an archive" in told
    assert "tools-python3.13-x86_64.zip was built from other packages, files or options" in told
    assert "build it from this commit: lambda-layers build --target tools-python3.13-x86_64" in told
    assert written() == []


@pytest.mark.parametrize(
    "values",
    [
        {"packages": ["six"]},
        {"packages": [None]},
        {"packages": [{"name": "six", "bytes": float("inf"), "unzippedBytes": 1}]},
        {"zip": {"sha256": "", "bytes": float("inf")}},
        {"findings": [[]]},
        {"files": " " * (17 << 20)},
    ],
)
def test_descriptions_with_other_values_are_refused(artifacts, values, capsys, written):
    described = artifacts / TOOLS / f"{TOOLS}.json"
    described.write_text(json.dumps(json.loads(described.read_text()) | values))
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert f"{TOOLS}.json is not a valid description of an archive" in capsys.readouterr().err
    assert written() == []


@pytest.mark.parametrize("suffix", [".json", ".zip"])
def test_a_pipe_in_an_artifact_does_not_block(artifacts, suffix, capsys, written):
    path = artifacts / TOOLS / f"{TOOLS}{suffix}"
    path.unlink()
    os.mkfifo(path)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert f"{TOOLS}{suffix} is not a regular file" in capsys.readouterr().err
    assert written() == []


def test_a_committed_description_does_not_stop_a_plan(project, capsys):
    assert main(["plan"]) == 0
    assert main(["build"]) == 0
    (project / ".lambda-layers" / "build" / f"{TOOLS}.json").write_text("[" * 100_000)
    assert main(["plan"]) == 0


def rewrite(folder, target, change):
    """Replace an archive, as a hostile job would: its description fits. `change` gets path -> content."""
    path, described = folder / f"{target}.zip", folder / f"{target}.json"
    with zipfile.ZipFile(path) as archive:
        files = {info: archive.read(info) for info in archive.infolist()}
    contents = {info.filename: content for info, content in files.items()}
    change(contents)
    known = {info.filename: info for info in files}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(contents):
            archive.writestr(known.get(name, name), contents[name])
    description = json.loads(described.read_text())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    description["zip"] |= {"sha256": digest, "bytes": path.stat().st_size}
    described.write_text(json.dumps(description))


def published(client, layer):
    """The files of a layer's latest version, as AWS has them."""
    (version, *_) = client.list_layer_versions(LayerName=layer)["LayerVersions"]
    location = client.get_layer_version(LayerName=layer, VersionNumber=version["Version"])["Content"]
    with urllib.request.urlopen(location["Location"]) as response:
        archive = zipfile.ZipFile(io.BytesIO(response.read()))
    return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({"python/evil.py": b"import os"}),
        lambda files: files.update({"python/six.py": b"import os"}),
        lambda files: files.pop("python/six.py"),
        lambda files: files.update({"extensions/evil": b"#!/bin/sh"}),
    ],
)
def test_files_that_no_lock_allows(artifacts, change, capsys, written):
    """The dependency hash is that of the commit, the digest fits, and the files are the job's own."""
    rewrite(artifacts / WEB, WEB, change)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    said = capsys.readouterr().err
    assert (
        "the archive of web-python3.13-x86_64 from its build job has other files than the lock gives: "
        in said
    )
    assert "evil" in said or "python/six.py" in said
    assert written() == []


def test_the_same_in_the_folder_of_build(project, capsys, written):
    assert main(["build"]) == 0
    rewrite(project / ".lambda-layers" / "build", TOOLS, lambda files: files.update({"python/evil.py": b""}))
    assert main(["deploy", "--artifacts", ".lambda-layers/build"]) == 9
    assert "has other files than the lock gives: python/evil.py" in capsys.readouterr().err
    assert written() == []


def test_bytecode_of_a_job_is_not_published(artifacts, client, capsys):
    def change(files):
        (name,) = (name for name in files if name.endswith(".pyc"))
        files[name] = files[name][:16] + b"evil"

    rewrite(artifacts / TOOLS, TOOLS, change)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    assert "tools-python3.13-x86_64 is published as it was built here, not by its build job" in (
        capsys.readouterr().err
    )
    (bytecode,) = (data for name, data in published(client, "tools").items() if name.endswith(".pyc"))
    assert b"evil" not in bytecode


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The cache of build jobs: the package is compiled once."""
    return str(tmp_path_factory.mktemp("compiled"))


@pytest.fixture
def compiling(project, tmp_path, engine, tmp_path_factory, compiled, monkeypatch):
    """The layer tools has a package that is compiled."""
    monkeypatch.setenv("XDG_CACHE_HOME", compiled)
    open_builder(engine, tmp_path_factory)
    sdist = make_source(tmp_path / "wheels", "tiny", "1.0")
    with (project / "tools.txt").open("a") as lock:
        lock.write(f"tiny==1.0 --hash=sha256:{sha256(sdist)}\n")
    manifest = (project / "lambda-layers.yml").read_text()
    tools = f"tools: {{from_source: [tiny], builder_image: {BUILDER}, "
    (project / "lambda-layers.yml").write_text(manifest.replace("tools: {", tools, 1))


@pytest.fixture
def replaced(compiling, artifacts):
    """The job of tools leaves another wheel, another archive, and a description of both."""
    artifact = artifacts / "tools-python3.13-x86_64"
    (wheel,) = artifact.glob("*.wheels/tiny-1.0-*.whl")
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("job.py", b"")
    described = artifact / "tools-python3.13-x86_64.json"
    text = described.read_text()
    (before,) = {each["sha256"] for each in json.loads(text)["packages"] if "builtFrom" in each}
    described.write_text(text.replace(before, sha256(wheel)))
    rewrite(artifact, TOOLS, lambda files: files.update({"python/job.py": b""}))
    return artifacts


def test_compiled_packages_are_compiled_again(replaced, client, capsys, monkeypatch, tmp_path, written):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    assert main(["deploy", "--artifacts", str(replaced)]) == 9
    said = capsys.readouterr().err
    assert "compiling tiny 1.0 for tools-python3.13-x86_64" in said
    assert "has other files than the lock gives: python/job.py" in said
    assert written() == []
    rewrite(replaced / TOOLS, TOOLS, lambda files: files.pop("python/job.py"))
    assert main(["deploy", "--artifacts", str(replaced)]) == 0
    assert any(name.startswith("python/tiny.cpython") for name in published(client, "tools"))


def test_compiled_packages_of_trusted_jobs(replaced, client, capsys, monkeypatch, tmp_path, written):
    """No engine is needed then; what is not compiled still comes from the lock."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another machine"))
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert main(["deploy", "--artifacts", str(replaced)]) == 14
    hint = "or use the wheels that its build job compiled: --trust build-jobs"
    assert hint in capsys.readouterr().err
    assert main(["deploy", "--artifacts", str(replaced), "--trust", "build-jobs"]) == 0
    files = published(client, "tools")
    assert files["python/job.py"] == b""
    assert b"job.py" not in files["python/attrs.py"]


def test_wheels_that_do_not_match_their_description(replaced, capsys, tmp_path, written):
    trusting = ["deploy", "--artifacts", str(replaced), "--trust", "build-jobs"]
    (wheel,) = replaced.glob("*/*.wheels/tiny-1.0-*.whl")
    folder = wheel.parent.rename(tmp_path / "elsewhere")
    wheel.parent.symlink_to(folder)
    assert main(trusting) == 9
    assert f"{wheel} is missing, or does not match the description" in capsys.readouterr().err
    wheel.parent.unlink()
    folder.rename(wheel.parent)
    wheel.write_bytes(wheel.read_bytes() + b"more")
    assert main(trusting) == 9
    assert f"{wheel} is missing, or does not match the description" in capsys.readouterr().err
    wheel.unlink()
    assert main(trusting) == 9
    described = replaced / "tools-python3.13-x86_64" / "tools-python3.13-x86_64.json"
    for name, problem in {
        f"six{wheel.name.removeprefix('tiny')}": "another package",
        "tiny-1.0-cp313-cp313-linux_x86_64.any/../../x.whl": "tiny-1.0",
        "../../tiny-1.0-py3-none-any.whl": "tiny-1.0",
    }.items():
        described.write_text(described.read_text().replace(wheel.name, name))
        assert main(trusting) != 0
        assert problem in capsys.readouterr().err
        described.write_text(described.read_text().replace(name, wheel.name))
    assert written() == []


def test_the_reusable_workflow_signs_what_was_published(artifacts, project, outputs, client, tmp_path):
    rewrite(artifacts / TOOLS, TOOLS, lambda files: files.update({"python/__pycache__/six.pyc": b"evil"}))
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text())
    (step,) = (step for step in workflow["jobs"]["release"]["steps"] if step.get("id") == "published")
    variables = {
        "ARCHIVES": outputs()["archives"],
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "any"),
        "PATH": os.environ["PATH"],
    }
    subprocess.run(["bash", "-e", "-c", step["run"]], cwd=project, env=variables, check=True)
    assert (tmp_path / "any").read_text() == "any=true\n"
    signed = dict(line.split()[::-1] for line in (tmp_path / "published").read_text().splitlines())
    assert len(signed) == 6
    (version,) = client.list_layer_versions(LayerName="tools")["LayerVersions"]
    content = client.get_layer_version(LayerName="tools", VersionNumber=version["Version"])["Content"]
    digest = base64.b64decode(content["CodeSha256"]).hex()
    assert signed[f".lambda-layers/build/{TOOLS}.zip"] == digest
    subprocess.run(
        ["bash", "-e", "-c", step["run"]], cwd=project, env=variables | {"ARCHIVES": "{}"}, check=True
    )
    assert (tmp_path / "published").read_text() == ""


def test_trust_without_artifacts(capsys):
    assert main(["deploy", "--trust", "build-jobs"]) == 4
    assert "--trust has no effect without --artifacts; add --artifacts FOLDER" in capsys.readouterr().err


def test_an_archive_that_is_missing(artifacts, capsys, written):
    shutil.rmtree(artifacts / "tools-python3.13-x86_64")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "no archive of tools-python3.13-x86_64 found in" in capsys.readouterr().err
    assert written() == []


def test_what_was_built_here_is_released(aws, project, capsys):
    assert main(["build"]) == 0
    assert main(["deploy", "--artifacts", ".lambda-layers/build"]) == 0
    assert layers_of(aws, "api") == ["web-python313-x86_64:1", "tools:1"]


def test_an_archive_in_the_artifact_of_another_job(artifacts, capsys, written):
    """A package that is compiled in the job of web leaves an archive of tools, its own or a second one."""
    own, other = artifacts / "tools-python3.13-x86_64", artifacts / "web-python3.13-x86_64" / "deep"
    shutil.copytree(own, other)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "several archives of tools-python3.13-x86_64 found: " in capsys.readouterr().err
    shutil.rmtree(own)
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "tools-python3.13-x86_64.json is not in an artifact of tools-python3.13-x86_64" in (
        capsys.readouterr().err
    )
    other.rename(artifacts / "lambda-layers-tools-python3.13-x86_64")
    (artifacts / "lambda-layers-tools-python3.13-x86_64" / "tools-python3.13-x86_64.zip").rename(
        artifacts / "x.zip"
    )
    (artifacts / "lambda-layers-tools-python3.13-x86_64" / "tools-python3.13-x86_64.zip").symlink_to(
        artifacts / "x.zip"
    )
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "or its archive is a link" in capsys.readouterr().err
    assert written() == []


def test_a_folder_that_a_pull_request_committed(artifacts, project, capsys, written):
    shutil.copytree(artifacts, project / ".artifacts")
    for arguments in (["init", "-q"], ["add", "-f", ".artifacts"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    assert main(["deploy", "--artifacts", ".artifacts"]) == 9
    assert ".json is a file of the repository, not of a build job" in capsys.readouterr().err
    assert written() == []


def test_no_repository_in_an_artifact_is_obeyed(artifacts, project, tmp_path, written):
    """Its configuration names a program for git to run, and the release job has AWS credentials."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/obeyed\n")
    program.chmod(0o755)
    for repository in (artifacts, project):
        subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
        settings = ["config", "core.fsmonitor", str(program)]
        subprocess.run(["git", *settings], cwd=repository, check=True)
    subprocess.run(["git", "ls-files"], cwd=artifacts, check=True)
    assert (tmp_path / "obeyed").exists()  # git itself does
    (tmp_path / "obeyed").unlink()
    assert main(["deploy", "--artifacts", str(artifacts)]) == 0
    assert not (tmp_path / "obeyed").exists()


def test_an_artifact_of_a_target_whose_name_ends_the_same(artifacts, capsys, written):
    own = artifacts / "tools-python3.13-x86_64"
    own.rename(artifacts / "lambda-layers-other-tools-python3.13-x86_64")
    assert main(["deploy", "--artifacts", str(artifacts)]) == 9
    assert "is not in an artifact of tools-python3.13-x86_64" in capsys.readouterr().err
    assert written() == []


def test_outputs_survive_a_masked_account(aws, outputs, project, capsys):
    """GitHub drops a job's output with a secret in it, and the account's number may be one."""
    for command in (["plan"], ["deploy"], ["plan"], ["rollback"]):
        main(command)
        holding = {name for name, value in outputs().items() if ACCOUNT in value}
        assert holding <= {"arns"}
    assert json.loads(outputs()["layers"])["tools-python3.13-x86_64"]["eu-west-1"]["name"] == "tools"
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:tools:1"
    assert json.loads(outputs()["arns"])["tools-python3.13-x86_64"] == {"eu-west-1": arn}


def test_a_build_tells_the_digest_of_each_archive(outputs, project):
    assert main(["build", "--target", "tools-python3.13-x86_64"]) == 0
    (about,) = json.loads(outputs()["archives"]).values()
    archive = project / about["file"]
    assert about["file"] == ".lambda-layers/build/tools-python3.13-x86_64.zip"
    assert about == {
        "file": about["file"],
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "bytes": archive.stat().st_size,
    }


def test_more_targets_than_a_matrix_may_have(project, outputs):
    every = "runtimes: [python3.10, python3.11, python3.12, python3.13, python3.14], architectures: [x86_64, arm64]"
    layers = "".join(f"  layer{number}: {{content: files, {every}}}\n" for number in range(26))
    (project / "lambda-layers.yml").write_text(f"version: 1\nregions: [eu-west-1]\nlayers:\n{layers}")
    (project / "files").mkdir()
    (project / "files" / "tool.txt").touch()
    assert main(["plan"]) == 0
    jobs = json.loads(outputs()["matrix"])["include"]
    parts = [part["include"] for part in json.loads(outputs()["matrices"])]
    assert [len(part) for part in parts] == [256, 4]
    assert parts[0] + parts[1] == jobs
    assert len({job["target"] for job in jobs}) == 260
