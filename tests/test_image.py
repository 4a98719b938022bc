"""The image as GitHub's runner, and a desk, run it: a real engine, the real Dockerfile, AWS over the network.

https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support
"""

import json
from pathlib import Path

import pytest
from layers import unzipped

from entrypoint.local_aws.server import LocalAws

ROOT = Path(__file__).parent.parent
TAG = "lambda-layer-pipeline:test"

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def image(engine):
    built, _ = engine.images.build(path=str(ROOT), tag=TAG, rm=True)
    return built


@pytest.fixture
def aws():
    with LocalAws() as server:
        server.declare_function("api", architecture="arm64")
        server.declare_function("report")
        yield server


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "lambda-layers.yml").write_text(
        """\
version: 1
regions: [eu-west-1]
layers:
  web:
    requirements: [orjson==3.11.4]
    runtimes: [python3.13]
    architectures: [x86_64, arm64]
functions:
  api: {layers: [web]}
  report: {layers: [web]}
"""
    )
    return tmp_path


@pytest.fixture
def run(engine, image, workspace, aws):
    def run(*arguments, **variables):
        """Run the image as the runner does; returns exit code, standard output and error, and the outputs."""
        outputs = workspace / ".outputs"
        outputs.write_text("")
        container = engine.containers.create(
            image,
            list(arguments),
            working_dir="/github/workspace",
            network_mode="host",  # the embedded AWS is on this machine's loopback
            environment={
                "CI": "true",
                "GITHUB_ACTIONS": "true",
                "GITHUB_WORKSPACE": "/github/workspace",
                "GITHUB_OUTPUT": "/github/workspace/.outputs",
                "HOME": "/github/home",
                **aws.environment(),
                **variables,
            },
            volumes={
                str(workspace): {"bind": "/github/workspace", "mode": "rw"},
                str(workspace / ".home"): {"bind": "/github/home", "mode": "rw"},
                "/var/run/docker.sock": {"bind": "/var/run/docker.sock", "mode": "rw"},
            },
        )
        try:
            container.start()
            code = container.wait(timeout=300)["StatusCode"]
            said = container.logs(stdout=True, stderr=False).decode(), container.logs(stdout=False).decode()
        finally:
            container.remove(force=True)
        return code, *said, read_outputs(outputs.read_text())

    return run


def read_outputs(text):
    """What GitHub reads: name<<delimiter, value, delimiter."""
    values = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        values[name] = "\n".join(iter(lambda: next(lines), delimiter))
    return values


def test_plan_deploy_and_nothing_to_do(run, aws, workspace):
    code, out, err, outputs = run(INPUT_COMMAND="plan")
    assert code == 0, err
    assert "to publish: 2 layers, to update: 2 functions" in out
    assert outputs["changed"] == "true"
    assert json.loads(outputs["plan"])["regions"][0]["functions"][0]["after"] == ["web-python313-arm64:new"]
    assert all(call.reads_only for call in aws.call_log)

    code, out, err, outputs = run(INPUT_COMMAND="")  # deploy is what happens where nothing is said
    assert code == 0, err
    assert "published 2 layer versions, updated 2 functions" in out
    assert json.loads(outputs["functions"]) == {"eu-west-1": ["api", "report"]}
    layer = json.loads(outputs["layers"])["web-python3.13-arm64"]["eu-west-1"]
    assert (layer["name"], layer["version"]) == ("web-python313-arm64", 1)
    content = unzipped(workspace / ".lambda-layers" / "build" / "web-python3.13-arm64.zip")
    assert "python/orjson/orjson.cpython-313-aarch64-linux-gnu.so" in content

    code, out, err, outputs = run()
    assert code == 0, err
    assert "nothing to do: AWS agrees with the manifest" in out
    assert outputs["changed"] == "false"


def test_the_action_compiles_in_a_container_beside_its_own(run, workspace):
    manifest = workspace / "lambda-layers.yml"
    text = (
        manifest.read_text().replace("orjson==3.11.4", "markupsafe==3.0.3").replace("x86_64, arm64", "x86_64")
    )
    manifest.write_text(text.replace("    runtimes", "    from_source: [markupsafe]\n    runtimes"))
    code, out, err, _ = run(INPUT_COMMAND="build")
    assert code == 0, out + err
    assert (
        "compiling markupsafe 3.0.3 for web-python3.13-x86_64 in public.ecr.aws/sam/build-python3.13" in err
    )
    content = unzipped(workspace / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip")
    assert "python/markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so" in content


def test_other_runtimes_get_bytecode_without_an_engine(run, workspace):
    (workspace / "own.py").write_bytes("# coding: shift_jis\nanswer = 'ア'\n".encode("shift_jis"))
    layer = {"include": ["own.py"], "runtimes": ["python3.11", "python3.12", "python3.13"], "bytecode": True}
    (workspace / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
    code, out, err, _ = run(INPUT_COMMAND="build", DOCKER_HOST="unix:///nowhere.sock")
    assert code == 0, out + err
    for minor in (11, 12, 13):
        content = unzipped(workspace / ".lambda-layers" / "build" / f"web-python3.{minor}-x86_64.zip")
        assert f"python/__pycache__/own.cpython-3{minor}.pyc" in content


def test_problems_become_annotations(run, workspace):
    (workspace / "lambda-layers.yml").write_text("version: 1\nlayer: {}\n")
    code, out, err, _ = run()
    assert code == 5
    assert "error: lambda-layers.yml:2:1: the key 'layer' is unknown" in err
    assert "::error file=lambda-layers.yml,line=2,col=1::the key 'layer' is unknown" in out


def test_no_credentials(run):
    code, _, err, _ = run(AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert code == 10
    assert "there are no AWS credentials" in err


def test_the_checkout_shadows_nothing(run, workspace):
    for name in ("entrypoint", "boto3", "yaml"):
        (workspace / name).mkdir()
        (workspace / name / "__init__.py").write_text("raise SystemExit('the checkout was imported')\n")
    code, out, err, _ = run(INPUT_COMMAND="build")
    assert code == 0, out + err


def test_a_desk_gets_help(engine, image):
    said = engine.containers.run(image, ["--help"], remove=True).decode()
    assert "deploy" in said
