"""The image as GitHub's runner, and a desk, run it: a real engine, the real Dockerfile, AWS over the network.

https://docs.github.com/en/actions/reference/workflows-and-actions/dockerfile-support
"""

import json
from urllib.parse import quote

import pytest
import shared
from github_runner import ROOT, Runner
from iam import Judge
from layers import unzipped
from package_index import IndexServer, make_wheel, sha256

from entrypoint.local_aws.calls import ACCOUNT
from entrypoint.local_aws.server import LocalAws

TAG = "lambda-layer-pipeline:test"
MANIFEST = """\
version: 1
regions: [eu-west-1]
layers:
  web:
    requirements: [speedup]
    lock: requirements.txt
    verify: static
    runtimes: [python3.13]
    architectures: [x86_64, arm64]
functions:
  api: {layers: [web]}
  report: {layers: [web]}
"""

pytestmark = [pytest.mark.engine, pytest.mark.network]


@pytest.fixture(scope="module")
def image(engine, tmp_path_factory):
    shared.folder(
        tmp_path_factory,
        "image",
        lambda _: engine.images.build(path=str(ROOT), tag=TAG, rm=True, forcerm=True),
    )
    return engine.images.get(TAG)


PASSWORD = "p@ss/w0rd"
TOKENS = {"AWS_SESSION_TOKEN": "session-t0ken", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "oidc-t0ken"}


@pytest.fixture
def index(tmp_path):
    """An index that asks for a password, with a wheel for each architecture."""
    packages = tmp_path / "packages"
    for machine in ("x86_64", "aarch64"):
        make_wheel(packages, "speedup", "2.0", tag=f"cp313-cp313-manylinux_2_17_{machine}")
    with IndexServer(packages, credentials=f"ci:{PASSWORD}") as server:
        yield server


@pytest.fixture
def variables(index, aws):
    """Where AWS and the index are."""
    index_url = index.url_with(f"ci:{quote(PASSWORD, safe='')}")
    return {"PIP_INDEX_URL": index_url, **aws.environment(), **TOKENS}


@pytest.fixture
def judge():
    return Judge()


@pytest.fixture
def aws(judge):
    with LocalAws(middleware=judge) as server:
        server.declare_function("api", architecture="arm64")
        server.declare_function("report")
        yield server


@pytest.fixture
def fill(index):
    """Lay a manifest and its lock into a folder."""

    def fill(folder):
        (folder / "lambda-layers.yml").write_text(MANIFEST)
        hashes = " ".join(f"--hash=sha256:{sha256(wheel)}" for wheel in sorted(index.folder.iterdir()))
        (folder / "requirements.txt").write_text(f"speedup==2.0 {hashes}\n")

    return fill


@pytest.fixture
def runner(engine, image, tmp_path, variables, fill):
    runner = Runner(engine, image, tmp_path, variables)
    fill(runner.workspace)
    yield runner
    for step in runner.steps:
        for secret in (PASSWORD, quote(PASSWORD, safe=""), "t0ken", "extra-p"):
            assert secret not in step.everything()


@pytest.fixture
def workspace(runner):
    return runner.workspace


@pytest.fixture
def desk(engine, image, tmp_path, variables, fill):
    """Run the image as somebody does at a desk, in a folder that anybody may write to."""
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)
    fill(folder)

    def run(*arguments, volumes=(), env=variables, **settings):
        mounts = {
            str(path): {"bind": location, "mode": "rw"} for path, location in [(folder, "/work"), *volumes]
        }
        settings = {"working_dir": "/work", "volumes": mounts, "network_mode": "host"} | settings
        container = engine.containers.create(image, list(arguments), environment=env, **settings)
        try:
            container.start()
            code = container.wait(timeout=300)["StatusCode"]
            out = container.logs(stdout=True, stderr=False).decode()
            return code, out, container.logs(stdout=False).decode()
        finally:
            container.remove(force=True)

    return run


def test_plan_deploy_and_nothing_to_do(runner, aws):
    plan = runner.run(command="plan")
    assert plan.exit_code == 0, plan.err
    assert "to publish: 2 layers, to update: 2 functions" in plan.out
    assert plan.outputs["changed"] == "true"
    region = json.loads(plan.outputs["plan"])["regions"][0]
    assert region["functions"][0]["after"] == ["web-python313-arm64:new"]
    assert [job["runner"] for job in json.loads(plan.outputs["matrix"])["include"]] == [
        "ubuntu-latest",
        "ubuntu-24.04-arm",
    ]
    assert plan.job_outputs(ACCOUNT) == plan.outputs
    assert "## Lambda layers: 2 to publish, 2 functions to update" in plan.summary
    assert plan.outputs["comment"].startswith("<!-- lambda-layers -->\n")
    assert all(call.reads_only for call in aws.call_log)

    deployed = runner.run()  # deploy is what happens where nothing is said
    assert deployed.exit_code == 0, deployed.err
    assert "published 2 layer versions, updated 2 functions" in deployed.out
    assert json.loads(deployed.outputs["functions"]) == {"eu-west-1": ["api", "report"]}
    target = "web-python3.13-arm64"
    assert json.loads(deployed.outputs["layers"])[target] == {
        "eu-west-1": {"name": "web-python313-arm64", "version": 1}
    }
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:layer:web-python313-arm64:1"
    assert json.loads(deployed.outputs["arns"])[target] == {"eu-west-1": arn}
    assert deployed.outputs.keys() - deployed.job_outputs(ACCOUNT).keys() == {"arns"}
    about = json.loads(deployed.outputs["archives"])[target]
    archive = runner.workspace / about["file"]
    assert sha256(archive) == about["sha256"]
    assert "python/speedup.py" in unzipped(archive)

    again = runner.run()
    assert again.exit_code == 0, again.err
    assert "nothing to do: AWS matches the manifest" in again.out
    assert again.outputs["changed"] == "false"
    assert again.settings == deployed.settings == ""


def test_the_action_compiles_in_a_container_beside_its_own(runner, workspace):
    text = MANIFEST.replace("[speedup]", "[markupsafe==3.0.3]").replace("x86_64, arm64", "x86_64")
    text = text.replace("lock: requirements.txt", "from_source: [markupsafe]")
    (workspace / "lambda-layers.yml").write_text(text)
    step = runner.run(command="build", target="web-python3.13-x86_64\n", env={"PIP_INDEX_URL": ""})
    assert step.exit_code == 0, step.out + step.err
    assert (
        "compiling markupsafe 3.0.3 for web-python3.13-x86_64 in public.ecr.aws/sam/build-python3.13"
        in step.err
    )
    content = unzipped(workspace / ".lambda-layers" / "build" / "web-python3.13-x86_64.zip")
    assert "python/markupsafe/_speedups.cpython-313-x86_64-linux-gnu.so" in content


def test_other_runtimes_get_bytecode_without_an_engine(runner, workspace):
    (workspace / "own.py").write_bytes("# coding: shift_jis\nanswer = 'ア'\n".encode("shift_jis"))
    layer = {"include": ["own.py"], "runtimes": ["python3.11", "python3.12", "python3.13"], "bytecode": True}
    (workspace / "lambda-layers.yml").write_text(json.dumps({"version": 1, "layers": {"web": layer}}))
    step = runner.run(command="build", env={"DOCKER_HOST": "unix:///nowhere.sock"})
    assert step.exit_code == 0, step.out + step.err
    for minor in (11, 12, 13):
        content = unzipped(workspace / ".lambda-layers" / "build" / f"web-python3.{minor}-x86_64.zip")
        assert f"python/__pycache__/own.cpython-3{minor}.pyc" in content


def test_problems_become_annotations(runner, workspace):
    (workspace / "services").mkdir()
    (workspace / "services" / "lambda-layers.yml").write_text("version: 1\nlayer: {}\n")
    step = runner.run(manifest="services/lambda-layers.yml")
    assert step.exit_code == 5
    assert "error: services/lambda-layers.yml:2:1: unknown key 'layer'" in step.err
    annotation = next(each for each in step.annotations if "unknown key 'layer'" in each.message)
    assert (annotation.kind, annotation.file, annotation.line) == ("error", "services/lambda-layers.yml", 2)
    assert step.outputs == {}


def test_wrong_inputs_are_told_at_once(runner):
    step = runner.run(command="plan", locked="maybe", lockd="true", target="web")
    assert step.exit_code == 4
    assert [annotation.message for annotation in step.annotations] == [
        "unknown input 'lockd'; did you mean 'locked'?",
        "the input 'locked' is 'maybe'; set it to 'true' or 'false'",
        "the command 'plan' does not use the input 'target'; remove it; it is for lock, build",
    ]


def test_args_are_the_whole_command_line(runner, workspace):
    (workspace / "requirements.txt").unlink()
    step = runner.run(args="check --quiet --manifest lambda-layers.yml")
    assert step.exit_code == 5, step.err
    assert "requirements.txt" in step.annotations[0].message


def test_a_refused_password_of_the_index_is_nowhere(runner, workspace, index):
    index.credentials = "ci:another"
    fetched = runner.run(command="build")
    (workspace / "lambda-layers.yml").write_text(MANIFEST.replace("    lock: requirements.txt\n", ""))
    resolved = runner.run(command="lock")
    for step in (fetched, resolved):
        assert step.exit_code in {6, 7}
        assert "401" in step.err
        assert step.annotations
    index.credentials = None  # the extra index is not there: its address is told, its password is not
    elsewhere = {"PIP_EXTRA_INDEX_URL": "http://ci:extra-p%40ss@127.0.0.1:9/simple/", "PIP_RETRIES": "0"}
    unreachable = runner.run(command="build", env=elsewhere)
    assert unreachable.exit_code == 7
    assert "127.0.0.1" in unreachable.annotations[0].message


def test_more_than_github_takes(runner, workspace, aws):
    others = [
        aws.declare_layer_version(f"{number}-" + "of-another-account-" * 7, account="210987654321")
        for number in range(4)
    ]
    for number in range(800):
        name = f"a-function-with-quite-a-long-name-as-people-have-them-{number:04}"
        aws.declare_function(name, layers=others)
    with (workspace / "lambda-layers.yml").open("a") as file:
        file.write('  "a-function-*": {layers: [web]}\n')
    step = runner.run(command="plan")
    assert step.exit_code == 0, step.err
    assert "to update: 802 functions" in step.out
    assert step.outputs.keys() == {"changed", "matrix", "matrices", "comment"}
    assert [(each.kind, each.message[:32]) for each in step.annotations] == [
        ("warning", "the output 'plan' is left out: i")
    ]
    assert len(step.outputs["comment"].encode()) <= 65_536
    assert len(step.summary.encode()) <= 2**20


def test_no_credentials(runner):
    step = runner.run(env={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""})
    assert step.exit_code == 10
    assert "there are no AWS credentials" in step.err
    assert "there are no AWS credentials" in step.annotations[0].message
    assert step.outputs == {}


def test_a_role_that_only_reads_can_plan_and_not_deploy(runner, judge, aws):
    page = (ROOT / "docs" / "workflows.md").read_text()
    judge.policy = json.loads(
        page.partition("<!-- policy that only reads -->\n```json\n")[2].partition("```")[0]
    )
    plan = runner.run(command="plan")
    assert plan.exit_code == 0, (judge.asked, plan.err)
    step = runner.run(command="deploy")
    assert step.exit_code == 12, step.err
    assert "lambda:PublishLayerVersion" in step.annotations[0].message
    assert json.loads(step.outputs["changed"]) is False


def test_the_checkout_shadows_nothing(runner, workspace):
    for name in ("entrypoint", "boto3", "yaml", "sitecustomize"):
        (workspace / name).mkdir()
        (workspace / name / "__init__.py").write_text("raise SystemExit('the checkout was imported')\n")
    step = runner.run(command="build")
    assert step.exit_code == 0, step.out + step.err


def test_an_empty_workspace(runner, workspace):
    for path in workspace.iterdir():
        path.unlink()
    step = runner.run()
    assert step.exit_code == 5
    assert "run actions/checkout before this step" in step.annotations[0].message


def test_a_desk_gets_help(desk):
    assert "deploy" in desk("--help")[1]
    code, _, err = desk("plan", working_dir=None)
    assert code == 5
    assert 'docker run --rm -v "$PWD:/work" -w /work' in err


@pytest.mark.parametrize(
    "settings",
    [{"user": "1234:1234"}, {"user": "1234:1234", "read_only": True}, {"read_only": True}],
    ids=["a user of the host", "of whom nothing can be written", "a root that can write nothing"],
)
def test_a_desk_with_nothing_to_write_to_but_the_mount(desk, tmp_path, settings):
    code, out, err = desk("deploy", **settings)
    assert code == 0, (out, err)
    assert (tmp_path / "work" / ".lambda-layers" / "cache" / "lambda-layers").is_dir()
    left = {path.name for path in (tmp_path / "work").iterdir()}
    assert left == {"lambda-layers.yml", "requirements.txt", ".lambda-layers"}


def test_a_desk_locks_as_any_user_without_a_home(desk, tmp_path, variables):
    (tmp_path / "work" / "lambda-layers.yml").write_text(MANIFEST.replace("    lock: requirements.txt\n", ""))
    code, out, err = desk("lock", user="1234:1234", env={**variables, "HOME": ""})
    assert code == 0, (out, err)
    assert (tmp_path / "work" / "web-python3.13-arm64.txt").is_file()


def test_a_desk_with_a_profile(desk, tmp_path, variables):
    keys = {name: variables[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    lines = "".join(f"{name.lower()} = {value}\n" for name, value in keys.items())
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "credentials").write_text(f"[dev]\n{lines}")
    env = {name: value for name, value in variables.items() if name not in keys} | {"AWS_PROFILE": "dev"}
    code, out, err = desk(
        "plan", user="1234:1234", volumes=[(tmp_path / "aws", "/.aws")], env={**env, "HOME": "/"}
    )
    assert code == 0, err
    assert "to publish: 2 layers" in out
