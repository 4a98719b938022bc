"""The command line as a user meets it: a process, a folder, an index; bad input and what is said of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import command
import pytest
import yaml
from layers import shared_object, unzipped
from package_index import IndexServer, make_sdist, make_wheel, pip_environment

from entrypoint.lock.header import DIGEST, lock_digest

DATA = Path(__file__).parents[1] / "data"
COMMAND = Path(sys.executable).with_name("lambda-layers")
MANIFEST = """\
version: 1
layers:
  web:
    requirements: web.in
    runtimes: [python3.12, python3.13]
    architectures: [x86_64, arm64]
"""


@pytest.fixture
def index(tmp_path):
    packages = tmp_path / "packages"
    make_wheel(packages, "app", "1.0", requires=("speedup", "only-arm; platform_machine == 'aarch64'"))
    make_wheel(packages, "only-arm", "1.0")
    for python in ("cp312", "cp313"):
        for machine in ("x86_64", "aarch64"):
            make_wheel(packages, "speedup", "2.0", tag=f"{python}-{python}-manylinux_2_17_{machine}")
    make_wheel(packages, "speedup", "3.0", tag="cp314-cp314-manylinux_2_17_x86_64")
    make_sdist(packages, "source-only", "1.0")
    with IndexServer(packages) as server:
        yield server


@pytest.fixture
def project(tmp_path, index):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "lambda-layers.yml").write_text(MANIFEST)
    (folder / "web.in").write_text("app\n")
    return folder


@pytest.fixture
def run(tmp_path, project, index):
    def run(*arguments, folder=project, as_process=False, **variables):
        environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
        environment |= {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": ""}
        environment |= {"DOCKER_HOST": command.NO_ENGINE} | variables
        if not as_process:
            return command.run(arguments, folder=folder, environment=environment)
        streams = {"capture_output": True, "text": True}
        return subprocess.run(
            [COMMAND, *arguments], cwd=folder, env=environment, timeout=120, check=False, **streams
        )

    return run


LOCKS = {}


@pytest.fixture
def lock(run, project):
    """Write the locks of the project's inputs: those that `lock` made for the same inputs before."""

    def lock():
        inputs = ((project / "lambda-layers.yml").read_text(), (project / "web.in").read_text())
        if inputs not in LOCKS:
            expect(run("lock"), 0)
            LOCKS[inputs] = {path.name: path.read_bytes() for path in project.glob("web-*.txt")}
        for name, content in LOCKS[inputs].items():
            (project / name).write_bytes(content)

    return lock


def expect(result, code, *texts):
    said = result.stdout + result.stderr
    assert result.returncode == code, said
    assert "Traceback" not in said
    for text in texts:
        assert text in said
    return said


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_lock_check_and_build(run, project):
    """Each as a process of its own, as a shell starts it."""
    said = "locked web-python3.13-arm64: 3 packages in web-python3.13-arm64.txt"
    expect(run("lock", as_process=True), 0, said)
    assert "only-arm" not in (project / "web-python3.13-x86_64.txt").read_text()
    expect(run("check", as_process=True), 0, "4 targets, all locks in sync")
    expect(run("build", as_process=True), 0, "built web-python3.12-x86_64: 2 packages")
    built = project / ".lambda-layers" / "build"
    content = unzipped(built / "web-python3.13-arm64.zip")
    assert {"python/app.py", "python/only_arm.py", "python/speedup.py"} <= set(content)
    told = json.loads((built / "web-python3.13-arm64.json").read_text())
    assert [package["name"] for package in told["packages"]] == ["app", "only-arm", "speedup"]
    assert told["zip"]["bytes"] == (built / "web-python3.13-arm64.zip").stat().st_size
    assert told["dependencyHash"].startswith("sha256:")
    before = {path.name: path.read_bytes() for path in built.iterdir()}
    expect(run("build"), 0)
    assert {path.name: path.read_bytes() for path in built.iterdir()} == before


def test_results_as_json(run, lock, project):
    def answer(*arguments, code=0):
        result = run(*arguments, "--json")
        assert result.returncode == code, result.stderr
        return json.loads(result.stdout)

    missing = answer("check", code=6)["diagnostics"]
    assert {each["message"] for each in missing} >= {"the layer 'web' has no lock for python3.12-arm64"}
    assert missing[0]["file"] == "lambda-layers.yml"
    lock()
    checked = answer("check")
    assert (len(checked["targets"]), checked["wheels"], checked["diagnostics"]) == (4, False, [])
    assert answer("check", "--wheels")["wheels"] is True
    tree = answer("why", "web-python3.13-arm64", "speedup")["tree"]
    assert any("app" in line for line in tree)
    built = answer("build", "--target", "web-python3.13-arm64")["archives"]["web-python3.13-arm64"]
    assert (project / built["file"]).stat().st_size == built["bytes"]


def test_by_products_hide_from_git(run, lock, project):
    lock()
    expect(run("build"), 0)
    subprocess.run(["git", "init", "-q", project], check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=project, capture_output=True, text=True, check=True
    )
    assert ".lambda-layers" not in status.stdout


def test_without_a_lock_it_says_so_and_locked_refuses(run, project):
    expect(run("build"), 0, "web-python3.12-x86_64 has no lock, resolving it now")
    said = expect(
        run("build", "--locked"),
        6,
        "lambda-layers.yml:3:3: the layer 'web' has no lock for python3.12-x86_64",
    )
    assert said.count("error: ") == 4


def test_one_target_only(run, lock, project):
    lock()
    expect(run("build", "--target", "web-python3.13-arm64"), 0)
    assert [path.name for path in project.glob(".lambda-layers/build/*.zip")] == ["web-python3.13-arm64.zip"]
    expect(run("build", "--target", "web"), 4, "no target web; choose from web-python3.12-x86_64, ")


def test_a_lock_out_of_step(run, lock, project):
    lock()
    (project / "web.in").write_text("app\nspeedup\n")
    message = "web-python3.13-arm64.txt: this lock is out of sync with web.in; run: lambda-layers lock"
    expect(run("check"), 6, message)
    expect(run("build"), 6, message)
    (project / "web.in").write_text("# only a comment changed\napp   \n")
    expect(run("check"), 0)


def test_a_broken_manifest(run, project):
    (project / "lambda-layers.yml").write_text("version: 1\nlayers: [\n")
    expect(run("build"), 5, "error: lambda-layers.yml:3:1: invalid YAML")
    (project / "lambda-layers.yml").write_text(MANIFEST + "layer: {}\n")
    expect(run("plan"), 5, "error: lambda-layers.yml:7:1: unknown key 'layer'; did you mean 'layers'?")
    (project / "web.in").unlink()
    expect(run("check"), 5, "lambda-layers.yml:4:19: file web.in not found; create it or correct the path")
    (project / "lambda-layers.yml").unlink()
    expect(run("deploy"), 5, "lambda-layers.yml: file not found; create it with: lambda-layers init")


def test_a_package_without_a_wheel(run, project):
    (project / "web.in").write_text("app\nsource-only\nspeedup>=3\n")
    said = expect(run("build"), 6, "web.in:2: ", "web.in:3: ")
    assert "source-only 1.0 must be compiled" in said
    assert "has no wheels), but no Docker engine is available: " in said
    assert "cp314" in said
    assert files(project) == ["lambda-layers.yml", "web.in"]


def test_a_wrong_hash_in_the_lock(run, lock, project):
    lock()
    lock = project / "web-python3.13-arm64.txt"
    lines = [
        f"    --hash=sha256:{'0' * 64}" if "--hash" in line else line
        for line in lock.read_text().splitlines()
    ]
    text = "\n".join(lines) + "\n"
    lock.write_text(text.replace(DIGEST.search(text)[1], lock_digest(text)))  # as an attacker would
    said = expect(run("build"), 7, "web-python3.13-arm64.txt:")
    assert said.count("error: ") == 3
    assert not list(project.glob(".lambda-layers/build/*"))


def test_a_layer_that_would_fail_is_not_built(run, project, index, tmp_path):
    library = shared_object(tmp_path)
    make_wheel(index.folder, "app", "1.1", files={"app.py": "", "native.so": library})
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("[x86_64, arm64]", "[arm64]"))
    said = expect(
        run("build"), 9, "native.so of app-1.1-py3-none-any.whl is built for x86_64, not for aarch64"
    )
    assert "[elf-machine]; use a wheel for aarch64" in said
    assert not list(project.glob(".lambda-layers/build/*.zip"))


def test_targets_that_share_a_name_must_be_equal(run, project):
    (project / "lambda-layers.yml").write_text(MANIFEST + "    name: '{layer}'\n")
    expect(
        run("build"),
        9,
        "share the layer name web but differ in only_arm-1.0-py3-none-any.whl, speedup-2.0-cp312",
    )
    (project / "web.in").write_text("only-arm\n")
    expect(run("build"), 0, "no bytecode for web: several versions of Python share it")
    assert "share it" not in expect(run("check"), 6)
    content = unzipped(project / ".lambda-layers" / "build" / "web-python3.13-arm64.zip")
    assert [path for path in content if "only_arm.py" in path] == ["python/only_arm.py"]


def test_files_that_differ_between_targets_of_one_name_are_named(run, project, index):
    script = {"tool.py": "", "tool-1.0.data/scripts/tool": "#!python\nimport tool\n"}
    make_wheel(index.folder, "tool", "1.0", files=script)
    (project / "web.in").write_text("tool\n")
    text = MANIFEST.replace("[x86_64, arm64]", "[x86_64]")
    (project / "lambda-layers.yml").write_text(text + "    name: '{layer}'\n")
    said = expect(run("build"), 9, "share the layer name web but differ in python/bin/tool, python/tool-1.0")
    assert "remove 'bytecode'" not in said


def test_the_command_line_itself(run, project):
    expect(run("--help"), 0, "init", "deploy")
    expect(run("--version"), 0, "lambda-layers 0.")
    expect(run(), 4, "error: the following arguments are required: COMMAND; see: lambda-layers --help")
    expect(run("plan", "--nonsense"), 4, "unrecognized arguments: --nonsense")
    expect(run("check", "--set", "no-name"), 4, "--set no-name is not NAME or NAME=VALUE; write it as --set")


def test_variables_come_from_set_alone(run, project):
    (project / "lambda-layers.yml").write_text(MANIFEST + "    description: ${STAGE}\n")
    expect(
        run("lock", STAGE="prod"), 5, "variable STAGE is not set; add --set STAGE=VALUE, or --set STAGE to"
    )
    expect(run("lock", "--set", "STAGE=prod"), 0)
    expect(run("lock", "--set", "STAGE", STAGE="prod"), 0)
    expect(run("lock", "--set", "STAGE"), 4, "--set STAGE: the environment has no STAGE; set it, or write")
    message = "--set STAGE: its value contains ${; write the text itself"
    expect(run("lock", "--set", "STAGE", STAGE="x${MY_SECRET}", MY_SECRET="s3cret"), 4, message)


@pytest.mark.parametrize(
    "name", ["AWS_SECRET_ACCESS_KEY", "ACTIONS_RUNTIME_TOKEN", "GH_TOKEN", "INDEX_PASSWORD", "MY_SECRETS"]
)
def test_no_credential_gets_into_a_text(run, lock, project, index, name):
    """Neither a pull request nor --set puts one into the plan, or sends it to a host."""
    values = {name: "the-value", "PATH": os.pathsep.join([str(COMMAND.parent), os.environ["PATH"]])}
    message = f"{name}: a variable of this name may hold a credential"
    expect(run("check", "--set", name, **values), 4, message)
    (project / "lambda-layers.yml").write_text(MANIFEST + f"    name: 'l-${{{name}}}'\n")
    expect(run("build", **values), 5, f"variable {name} is not set; a variable of this name may hold a cred")
    (project / "lambda-layers.yml").write_text(MANIFEST)
    (project / "web.in").write_text("app\n")
    lock()
    before = len(index.requests)
    url = index.url.replace("/simple/", f"/${{{name}}}/simple/")
    (project / "web.in").write_text(f"--index-url {url}\napp\n")
    for engine in ("pip-compile", "uv"):
        expect(run("lock", "--engine", engine, **values), 7, f"variable {name} of http://127.0.0.1:")
    expect(run("build", **values), 6, "out of sync")
    assert not any("the-value" in request for request in index.requests[before:])


def test_a_variable_in_the_address_of_an_index(run, project, index):
    (project / "web.in").write_text(f"--index-url {index.url.replace('simple', '${FOLDER}')}\napp\n")
    expect(run("lock", FOLDER="simple"), 7, "variable FOLDER of http://127.0.0.1:", "add --set FOLDER=VALUE")
    expect(run("lock", "--set", "FOLDER", FOLDER="simple"), 0)
    expect(run("build", "--set", "FOLDER=simple"), 0)


def test_the_schema_is_one(run):
    import jsonschema  # noqa: PLC0415 - it takes a second

    schema = json.loads(expect(run("schema"), 0))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(MANIFEST), schema)


def test_init_writes_a_manifest_that_works(run, project):
    (project / "lambda-layers.yml").unlink()
    (project / "requirements-data.txt").write_text("speedup\n")
    (project / "requirements-dev.txt").write_text("pytest\n")
    (project / "services" / "web").mkdir(parents=True)
    (project / "services" / "web" / "requirements.in").write_text("app\n")
    expect(run("init"), 0, "wrote lambda-layers.yml; next, run: lambda-layers lock")
    manifest = yaml.safe_load((project / "lambda-layers.yml").read_text())
    assert {name: layer["requirements"] for name, layer in manifest["layers"].items()} == {
        "web": "services/web/requirements.in",
        "data": "requirements-data.txt",
    }
    expect(run("build"), 0)
    expect(run("init"), 5, "the manifest already exists; edit or move it")


def test_init_reads_a_project_file(run, project):
    for path in project.iterdir():
        path.unlink()
    text = "[project]\nname = 'x'\nrequires-python = '<3.13'\ndependencies = ['app', 'speedup<3']\n"
    (project / "pyproject.toml").write_text(text)
    expect(run("init"), 0)
    layer = yaml.safe_load((project / "lambda-layers.yml").read_text())["layers"]["shared"]
    assert (layer["requirements"], layer["runtimes"]) == ("pyproject.toml", ["python3.12"])


def test_init_in_an_empty_folder(run, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    expect(run("init", folder=folder), 0)
    assert yaml.safe_load((folder / "lambda-layers.yml").read_text())["layers"] == {}
    expect(run("check", folder=folder), 0)


def test_deprecated_and_preview_runtimes_are_warned_of(run, project):
    (project / "lambda-layers.yml").write_text(
        MANIFEST.replace("[python3.12, python3.13]", "[python3.9, python3.15]")
    )
    (project / "web.in").write_text("only-arm\n")
    said = expect(
        run("build"), 0, "warning: lambda-layers.yml:3:3: python3.9 has been deprecated since 2025-12-15; "
    )
    assert "python3.15 is a preview" in said


def test_a_users_repository_shadows_nothing(run, project):
    """The run holds credentials; what stands in the checkout must never be imported."""
    for name in ("entrypoint", "hooks", "pip", "yaml", "piptools", "packaging"):
        (project / name).mkdir()
        (project / name / "__init__.py").write_text(
            "raise SystemExit('the user\\'s own code was imported')\n"
        )
    expect(run("lock", as_process=True), 0)
    expect(run("build", as_process=True), 0)


def test_a_workflow_gets_annotations_and_reads_its_inputs(run, project):
    variables = {"GITHUB_ACTIONS": "true", "INPUT_COMMAND": "build", "INPUT_LOCKED": "true"}
    said = expect(
        run(**variables), 6, "::error file=lambda-layers.yml,line=3,col=3::the layer 'web' has no lock"
    )
    assert said.count("::error") == 4
    expect(
        run(**variables | {"INPUT_LOCKED": "false", "INPUT_MANIFEST": "other.yml"}),
        5,
        "other.yml: file not found",
    )


def test_a_cache_that_cannot_be_written(run, project):
    expect(run("build", "--cache", "/proc/nowhere"), 13, "error: /proc/nowhere")


def test_two_layers_that_would_share_their_locks(run, project):
    other = "  api: {requirements: [web.in, speedup], runtimes: [python3.13]}\n"
    (project / "lambda-layers.yml").write_text(MANIFEST + other)
    expect(
        run("lock"),
        5,
        "lambda-layers.yml:7:9: the layers 'web' and 'api' would share their locks; start their",
    )
    (project / "lambda-layers.yml").write_text(MANIFEST + other.replace(", speedup", ""))
    expect(run("lock"), 0)


def test_a_lock_is_the_same_from_wherever_it_is_made(run, project, tmp_path):
    expect(run("lock"), 0)
    locks = {path.name: path.read_bytes() for path in project.glob("*.txt")}
    assert b"-r web.in" in locks["web-python3.13-arm64.txt"]
    for path in project.glob("*.txt"):
        path.unlink()
    expect(run("lock", "--manifest", "project/lambda-layers.yml", folder=tmp_path), 0)
    assert {path.name: path.read_bytes() for path in project.glob("*.txt")} == locks


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"]
)
def test_an_interrupt_leaves_nothing_half_done(tmp_path, project, index, sent, code):
    index.stall("app")
    environment = pip_environment(tmp_path / "home", PIP_INDEX_URL=index.url)
    process = subprocess.Popen(
        [COMMAND, "build"],
        cwd=project,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not index.requests:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "interrupted: no file is incomplete" in said
    assert "Traceback" not in said
    assert files(project) == ["lambda-layers.yml", "web.in"]


def sarif(path):
    """The results of a SARIF file that is one by its schema: level, rule, place, message."""
    import jsonschema  # noqa: PLC0415 - it takes a second

    document = json.loads(path.read_text())
    jsonschema.validate(document, json.loads((DATA / "sarif-2.1.0.json").read_text()))
    (found,) = document["runs"]
    pages = {rule["helpUri"].count("https://") for rule in found["tool"]["driver"]["rules"]}
    assert pages <= {1}
    rules = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    assert sorted({result["ruleId"] for result in found["results"]}) == rules
    fingerprints = [result["partialFingerprints"]["problem/v1"] for result in found["results"]]
    assert len(set(fingerprints)) == len(fingerprints)
    for result in found["results"]:
        location = result["locations"][0]["physicalLocation"]
        where = (location["artifactLocation"]["uri"], location["region"]["startLine"])
        yield result["level"], result["ruleId"], *where, result["message"]["text"]


def test_findings_for_code_scanning(run, project, index, tmp_path):
    make_wheel(index.folder, "app", "1.1", files={"app.py": "", "native.so": shared_object(tmp_path)})
    (project / "lambda-layers.yml").write_text(
        MANIFEST.replace("[python3.12, python3.13]", "[python3.12, python3.9]").replace("x86_64, ", "")
    )
    expect(run("build", "--sarif", "problems.sarif"), 9)
    *errors, warning = sorted(sarif(project / "problems.sarif"))
    assert [error[:4] for error in errors] == [("error", "elf-machine", "lambda-layers.yml", 3)] * 2
    assert "native.so of app-1.1-py3-none-any.whl is built for x86_64" in errors[0][4]
    assert warning[:4] == ("warning", "notice", "lambda-layers.yml", 3)
    assert "python3.9 has been deprecated" in warning[4]


def test_problems_of_the_manifest_for_code_scanning(run, project):
    (project / "lambda-layers.yml").write_text(MANIFEST + "layer: {}\n")
    expect(run("check", "--sarif", "out/problems.sarif"), 5)
    ((level, rule, *where, text),) = sarif(project / "out" / "problems.sarif")
    assert (level, rule, where) == ("error", "manifest", ["lambda-layers.yml", 7])
    assert text == "unknown key 'layer'; did you mean 'layers'?"


def test_nothing_for_code_scanning_closes_what_was_there(run, lock, project):
    lock()
    expect(run("build", "--sarif", "problems.sarif"), 0)
    assert list(sarif(project / "problems.sarif")) == []


def test_a_sarif_file_that_cannot_be_written(run, lock, project):
    lock()
    expect(run("check", "--sarif", "/proc/nowhere/problems.sarif"), 13, "error: /proc/nowhere")


def test_outputs_that_cannot_be_written_hide_no_error(run, lock, project, tmp_path):
    variables = {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(tmp_path / "nowhere" / "outputs")}
    lock()
    (project / "web.in").write_text("app\nspeedup\n")
    said = expect(run("check", "--sarif", "problems.sarif", **variables), 6, "nowhere/outputs: No such file")
    assert said.count("this lock is out of sync with web.in") >= 8  # four lines, four annotations
    assert len(list(sarif(project / "problems.sarif"))) == 4


def test_what_cannot_be_closed_is_an_error_and_no_traceback(run, project, monkeypatch):
    """The embedded AWS saves its state at the end, here into a folder that became a file."""
    (project / "lambda-layers.yml").write_text(MANIFEST + "regions: [eu-west-1]\n")
    expect(run("lock"), 0)
    (project / ".lambda-layers").mkdir()
    (project / ".lambda-layers" / ".gitignore").write_text("*\n")
    (project / ".lambda-layers" / "local-aws.json").mkdir()
    expect(run("deploy", "--aws", "local", AWS_REGION="eu-west-1"), 13, "local-aws.json")


def test_check_needs_only_the_base_installation(run, lock, project, tmp_path):
    """Without the extras, in a workflow and with --json."""
    lock()
    for name in ("boto3", "docker", "elftools", "rich", "unearth", "httpx2", "jinja2"):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "__init__.py").write_text(f"raise ModuleNotFoundError(name={name!r})\n")
    variables = {"PYTHONPATH": str(tmp_path / "none"), "GITHUB_OUTPUT": str(tmp_path / "outputs")}
    expect(run("check", as_process=True, **variables), 0, "4 targets, all locks in sync")
    assert json.loads(expect(run("check", "--json", as_process=True, **variables), 0))["diagnostics"] == []


def test_a_workflow_gets_warnings_at_their_lines_too(run, project):
    (project / "lambda-layers.yml").write_text(MANIFEST.replace("python3.12, python3.13", "python3.15"))
    (project / "web.in").write_text("only-arm\n")
    variables = {"GITHUB_ACTIONS": "true", "INPUT_COMMAND": "build"}
    expect(run(**variables), 0, "::warning file=lambda-layers.yml,line=3,col=3::python3.15 is a preview")


def test_a_cache_that_a_pull_request_committed(run, project, lock):
    lock()
    folder = project / "cache" / "wheels"
    folder.mkdir(parents=True)
    (folder / "evil.whl").write_bytes(b"")
    run("build", "--cache", "cache")
    for arguments in (["init", "-q"], ["add", "-f", "cache/wheels/evil.whl"]):
        subprocess.run(["git", *arguments], cwd=project, check=True)
    said = expect(run("build", "--cache", "cache"), 4)
    assert "git tracks cache/wheels/evil.whl, a file of the cache; remove it from the repository" in said
