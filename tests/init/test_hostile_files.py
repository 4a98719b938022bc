"""Files of strangers: init reads them in little time and memory, whatever they refer to."""

import subprocess
import sys
from pathlib import Path

import pytest

LAYER = "  Deps: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: deps/, Description: %s}}\n"
FUNCTION = "  Api: {Type: AWS::Lambda::Function, Condition: c0, Properties: {Layers: [!Ref Deps]}}\n"
LONG = "a" * 500_000
COMMAND = """\
import resource
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from entrypoint.cli import main
raise SystemExit(main(["init"]))
"""


def template(head, description="packages"):
    return {
        "template.yaml": f"{head}Resources:\n{LAYER % description}{FUNCTION}",
        "deps/requirements.txt": "idna\n",
    }


def conditions(count, pattern):
    chain = "".join(f"  c{number}: {pattern.replace('NEXT', f'c{number + 1}')}\n" for number in range(count))
    return template(f"Conditions:\n{chain}  c{count}: !Equals [a, a]\n")


def serverless(name):
    service = "service: a\nprovider: {name: aws, runtime: python3.13}\n"
    return {
        "serverless.yml": f"{service}custom: {{x: {LONG}}}\nlayers: {{deps: {{path: deps, name: '{name}'}}}}\n",
        "deps/requirements.txt": "idna\n",
    }


MULTIPLIED = {
    "conditions in conditions": conditions(40, "!And [{Condition: NEXT}, {Condition: NEXT}]"),
    "conditions in a row": conditions(5000, "!Or [{Condition: NEXT}]"),
    "Fn::Sub": template(
        f"Parameters: {{X: {{Type: String, Default: {LONG}}}}}\n", f"!Sub '{'${X}' * 100_000}'"
    ),
    "Ref": template(f"Parameters: {{X: {{Type: String, Default: {LONG}}}}}\n", f"[{'!Ref X, ' * 20_000}]"),
    "variables": serverless("${self:custom.x}" * 20_000),
    "a variable": serverless("${self:custom.x}${self:custom.x}"),
}


def init(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(content) if isinstance(content, Path) else path.write_text(content)
    (folder / ".git").mkdir()
    return subprocess.run(
        [sys.executable, "-c", COMMAND], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("files", MULTIPLIED.values(), ids=MULTIPLIED)
def test_references_amount_to_little(tmp_path, files):
    done = init(tmp_path, files)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "lambda-layers.yml").stat().st_size < 10_000


def test_references_of_terraform_amount_to_little(tmp_path):
    pytest.importorskip("hcl2")
    layer = 'resource "aws_lambda_layer_version" "deps" {{\n  layer_name = "{}"\n}}\n'
    main = f'locals {{\n  x = "{"a" * 9000}"\n}}\n' + layer.format("${local.x}" * 900)
    done = init(tmp_path, {"main.tf": main})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("endless", ["/dev/zero", "/proc/self/pagemap"])
@pytest.mark.parametrize(
    "name",
    ["main.tf", "pyproject.toml", "stack.yaml", "template.yaml", "requirements/a.txt", "samconfig.toml"],
)
def test_a_link_to_what_has_no_end(tmp_path, name, endless):
    if not Path(endless).exists():
        pytest.skip(f"no {endless} here")
    done = init(tmp_path, {name: Path(endless), "requirements/b.txt": "-r a.txt\nidna\n"})
    assert done.returncode == 0, done.stderr
