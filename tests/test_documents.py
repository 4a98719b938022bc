"""README, action.yml, the hooks file and the command line say the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from snippets import snippets

from entrypoint import errors
from entrypoint.aws.reasons import HINTS
from entrypoint.commands import options_by_command
from entrypoint.commands.action_inputs import DEFAULTS
from entrypoint.errors import LayersError
from entrypoint.manifest.reader import load
from entrypoint.manifest.schema import MANIFEST
from entrypoint.manifest.targets import expand
from entrypoint.report.summary import MARKER

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
WORKFLOWS_PAGE = (ROOT / "docs" / "workflows.md").read_text()
ROLLOUT = (ROOT / "docs" / "rollout.md").read_text()
EXPORT = (ROOT / "docs" / "export.md").read_text()
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
WORKFLOW = {
    "audit",
    "status",
    "deploy",
    "plan",
    "build",
    "check",
    "lock",
    "diff",
    "rollback",
    "prune",
    "doctor",
}
"""Commands that make sense as a step."""
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LayersError)]


def block(mark, text=README):
    """The fenced block or table behind a mark of a page."""
    return re.search(rf"<!-- {mark} -->\n(?:```\w+\n(.*?)```|((?:\|[^\n]*\n)+))", text, re.DOTALL)


def table(mark, text=README):
    rows = block(mark, text)[2].strip().splitlines()[2:]
    return [[cell.strip().strip("`") for cell in row.strip("|").split("|")] for row in rows]


def test_the_table_of_keys_is_that_of_the_schema():
    layer = MANIFEST.fields["layers"].shape.item
    assert table("layer keys") == [[key, field.description] for key, field in layer.fields.items()]


def test_the_tables_of_the_pages_are_those_of_the_schema():
    function, rollout = MANIFEST.fields["functions"].shape.item, MANIFEST.fields["rollout"].shape
    export = MANIFEST.fields["export"].shape
    for mark, record, page in (
        ("function keys", function, ROLLOUT),
        ("rollout keys", rollout, ROLLOUT),
        ("export keys", export, EXPORT),
    ):
        assert table(mark, page) == [[key, field.description] for key, field in record.fields.items()]


def test_the_targets_of_the_how_to_are_those_of_its_example(tmp_path):
    text = block("example", EXPORT)[1]
    manifest = load(tmp_path / "lambda-layers.yml", text=text, shown="export.md", variables={})
    exported = {f"/lambda-layers/{target}" for layer in expand(manifest) for target in layer.targets}
    assert set(re.findall(r"/lambda-layers/web[\w.-]+", EXPORT)) == exported
    assert manifest.export.ssm == "/lambda-layers/{target}"


def test_the_reason_codes_of_vpcs_are_told_as_they_are_documented():
    shown = table("reason codes", (ROOT / "docs" / "vpc.md").read_text())
    assert shown == [[code, HINTS[code]] for code, _ in shown]


def test_the_table_of_inputs_is_that_of_the_action():
    expected = [
        [name, value["description"], value.get("default", "")] for name, value in ACTION["inputs"].items()
    ]
    assert table("inputs") == expected


def test_the_action_has_the_inputs_that_are_read():
    assert {name: value.get("default", "") for name, value in ACTION["inputs"].items()} == DEFAULTS


def test_inputs_are_named_like_the_options_that_they_stand_for():
    options = options_by_command()
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in ACTION["inputs"])
    for name, value in ACTION["inputs"].items():
        readers = re.search(r"\(command: ([\w, -]+)\)", value["description"])
        if readers:
            named = set(re.split(", | or ", readers[1]))
            assert (
                named
                == {
                    command
                    for command in options
                    if (name if name == "revision" else f"--{name}") in options[command]
                }
                & WORKFLOW
            )
        elif name != "command":
            assert any(f"--{name}" in taken for taken in options.values())


def test_the_commands_that_the_action_names_are_there():
    named = re.split(", | or ", ACTION["inputs"]["command"]["description"].partition(": ")[2])
    assert set(named) == WORKFLOW <= set(options_by_command())


def test_the_table_of_outputs_is_that_of_the_action():
    assert table("outputs") == [[name, value["description"]] for name, value in ACTION["outputs"].items()]


def test_the_comment_is_found_again_by_its_marker():
    assert f"startsWith('{MARKER}')" in WORKFLOWS_PAGE


def workflow_inputs(name):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text())
    return workflow[True]["workflow_call"]["inputs"]  # YAML 1.1 reads the key `on` as true


def test_the_matrix_by_hand_is_that_of_the_reusable_workflow():
    shown = (snippet.text for snippet in snippets(ROOT / "docs" / "workflows.md"))
    (by_hand,) = (yaml.safe_load(text)["jobs"] for text in shown if "fromJSON(needs" in text)
    reusable = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text())["jobs"]
    (build,) = yaml.safe_load((ROOT / ".github" / "workflows" / "build.yml").read_text())["jobs"].values()
    for name, job in {**reusable, "build": build}.items():
        for key in ("runs-on", "timeout-minutes"):
            assert by_hand[name].get(key) == job.get(key)
    assert by_hand["release"]["if"] == reusable["release"]["if"]
    assert by_hand["build"]["strategy"]["matrix"] == "${{ fromJSON(needs.plan.outputs.matrix) }}"
    assert build["strategy"]["matrix"] == "${{ fromJSON(inputs.matrix) }}"
    assert set(reusable["build"]["with"]) == set(workflow_inputs("build.yml"))


def test_the_reusable_workflow_and_its_example_agree_with_the_action():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text())
    asked = workflow[True]["workflow_call"]["inputs"]  # YAML 1.1 reads the key `on` as true
    (example,) = yaml.safe_load(block("reusable workflow")[1])["jobs"].values()
    assert (
        {name for name, value in asked.items() if value.get("required")} <= set(example["with"]) <= set(asked)
    )
    builds = yaml.safe_load((ROOT / ".github" / "workflows" / "build.yml").read_text())["jobs"]
    for job in ({**workflow["jobs"], **builds}).values():
        (step,) = (step for step in job["steps"] if step.get("uses") == "$/")
        assert set(step["with"]) <= set(ACTION["inputs"])
        assert step["with"]["command"] in {"plan", "build", "deploy"}
        assert set(job.get("outputs", {})) <= set(ACTION["outputs"]) - {"arns"}
    told = re.search(r"its outputs are\n(.*)\.\n", README)[1]
    assert re.findall(r"`(\w+)`", told) == list(workflow[True]["workflow_call"]["outputs"])
    for output in workflow[True]["workflow_call"]["outputs"].values():
        _, job, _, name = output["value"].strip("${} ").split(".")
        assert name in workflow["jobs"][job]["outputs"]


def test_who_calls_the_reusable_workflow_permits_what_its_jobs_ask_for():
    """GitHub does not even start a workflow whose nested jobs ask for more."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text())
    permitted = yaml.safe_load(block("reusable workflow")[1])["permissions"]
    for job in workflow["jobs"].values():
        assert job["permissions"].items() <= permitted.items()


def test_jobs_that_compile_cannot_sign_and_have_no_role():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "layers.yml").read_text())
    builds = yaml.safe_load((ROOT / ".github" / "workflows" / "build.yml").read_text())["jobs"]
    for job in (workflow["jobs"]["build"], *builds.values()):
        assert job["permissions"] == {"contents": "read"}
    assert workflow["jobs"]["build"]["uses"] == "$/.github/workflows/build.yml"


def test_hooks_are_console_scripts_and_documented():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    shown = yaml.safe_load(block("pre-commit")[1])["repos"][0]["hooks"]
    assert [hook["id"] for hook in shown] == [hook["id"] for hook in HOOKS]
    assert all(hook["entry"] in scripts and hook["id"] in README for hook in HOOKS)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("lambda-layers.yml", True),
        ("services/a/lambda-layers.yml", True),
        ("layers/requirements.in", True),
        ("layers/web-python3.13-arm64.txt", True),
        ("requirements-dev.txt", True),
        ("README.md", False),
        ("src/app.py", False),
        ("my-lambda-layers.yml.bak", False),
    ],
)
def test_the_hooks_run_for_the_right_files(path, wanted):
    assert {bool(re.search(hook["files"], path)) for hook in HOOKS} == {wanted}


def test_what_the_hooks_install_is_what_the_project_names():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    of_no_use = {
        "boto3",
        "cyclonedx-python-lib",
        "docker",
        "jinja2",
        "squarify",
    }  # hooks neither build nor release
    named = {
        name for name in project["optional-dependencies"]["all"] if name.partition(">")[0] not in of_no_use
    }
    assert all(set(hook.get("additional_dependencies", named)) == named for hook in HOOKS)


def test_exit_codes_are_unique_and_documented():
    codes = {kind.exit_code: kind.summary for kind in ERRORS if kind is not LayersError}
    assert len(codes) == len(ERRORS) - 1
    shown = {int(code): meaning for code, meaning in table("exit codes")}
    assert {code: shown.get(code, "").casefold() for code in codes} == {
        code: meaning.casefold() for code, meaning in codes.items()
    }
    assert set(shown) - set(codes) == {0, 1, 2, 130, 143}


def test_the_listing_of_the_architecture_is_that_of_the_code():
    (listing,) = (each.text for each in snippets(ARCHITECTURE) if "listing" in (each.excuse or ""))
    shown = [line.split()[0].rstrip("/") for line in listing.splitlines()]
    package = ROOT / "entrypoint"
    modules = (path for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
    assert sorted(shown) == sorted(path.name for path in modules if path.name != "__init__.py")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (floors,) = (each["layers"] for each in contracts if each["type"] == "layers")
    floor = {
        module.removeprefix("entrypoint."): number
        for number, modules in enumerate(floors)
        for module in modules.split(" | ")
    }
    assert [floor[name.removesuffix(".py")] for name in shown] == sorted(floor.values())[1:]


def test_the_files_that_the_pages_of_the_code_name_are_there():
    pages = [
        ARCHITECTURE,
        *ARCHITECTURE.parent.glob("adding-*.md"),
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
    ]
    for page in pages:
        for name in re.findall(r"`((?:[\w.-]+/)+[\w.-]*)`", page.read_text()):
            assert (ROOT / name).exists() or (ROOT / "entrypoint" / name).exists(), f"{page.name}: {name}"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_relative_links_of_the_pages_at_the_root_lead_somewhere(page):
    """mkdocs checks those of the pages in docs/."""
    for link in re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text()):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = ROOT / (path or page)
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, (
                link
            )
