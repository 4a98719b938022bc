"""`lambda-layers init`: the manifests made from files of other tools are valid, whatever those contain."""

import contextlib
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrypoint.cli import main
from entrypoint.errors import ManifestError
from entrypoint.init import draft_of, write_draft
from entrypoint.init.draft import Draft, DraftFunction, DraftLayer, layer_name
from entrypoint.manifest.project import load_project

ARN = "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:7"
SERVERLESS = f"""\
service: shop
provider:
  name: aws
  runtime: python3.12
  region: eu-west-1
  stage: ${{opt:stage, 'dev'}}
plugins: [serverless-python-requirements]
custom:
  pythonRequirements: {{layer: true, fileName: requirements/run.txt}}
layers:
  my-tools:
    path: tools
    compatibleRuntimes: [python3.13]
    compatibleArchitectures: [arm64]
  missing: {{path: nowhere}}
functions:
  api:
    handler: a.b
    layers: [!Ref PythonRequirementsLambdaLayer, {{Ref: MyDashtoolsLambdaLayer}}, "{ARN}", !Ref MissingLambdaLayer]
  fixed: {{name: fixed-name, runtime: python3.13, architecture: arm64, layers: [!Ref MyDashtoolsLambdaLayer]}}
  page: {{handler: c.d, runtime: nodejs22.x, layers: [{{Ref: MyDashtoolsLambdaLayer}}]}}
  none: {{handler: e.f}}
"""
SAM = f"""\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Runtime: {{Type: String, Default: python3.13}}
Globals:
  Function:
    Runtime: !Ref Runtime
    Architectures: [arm64]
    Layers: [!Ref Shared]
Resources:
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {{LayerName: !Sub "${{AWS::StackName}}-shared", ContentUri: layers/shared, CompatibleRuntimes: [!Ref Runtime]}}
    Metadata: {{BuildMethod: python3.13}}
  Tools:
    Type: AWS::Lambda::LayerVersion
    Properties: {{Content: {{S3Bucket: b, S3Key: !GetAtt X.Y}}}}
  Api:
    Type: AWS::Serverless::Function
    Properties: {{FunctionName: !Sub "${{AWS::StackName}}-api", Layers: ["{ARN}", !GetAtt [Tools, LayerVersionArn]]}}
  Worker: {{Type: AWS::Serverless::Function, Properties: {{Timeout: !If [a, 1, 2]}}}}
  Plain: {{Type: AWS::Lambda::Function, Properties: {{Runtime: python3.13}}}}
  Table: {{Type: AWS::DynamoDB::Table, Condition: !Condition c}}
Outputs: {{X: {{Value: !Join ["", [!Ref Api, !Transform {{Name: y}}]]}}}}
"""


@pytest.fixture
def folder(tmp_path):
    for name in ("requirements/run.txt", "layers/shared/requirements.txt", "tools/bin/tool"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("six\n")
    return tmp_path


def started(folder):
    """The manifest that init writes, as text and as data."""
    path = folder / "lambda-layers.yml"
    path.unlink(missing_ok=True)
    write_draft(path, draft_of(folder))
    load_project(path, root=folder, variables={})
    return path.read_text(), yaml.safe_load(path.read_text())


def test_a_serverless_file(folder):
    (folder / "serverless.yml").write_text(SERVERLESS)
    text, read = started(folder)
    assert read["regions"] == ["eu-west-1"]
    assert read["layers"] == {
        "my-tools": {
            "content": "tools",
            "runtimes": ["python3.13", "python3.12"],
            "architectures": ["arm64"],
        },
        "python-requirements": {
            "requirements": "requirements/run.txt",
            "runtimes": ["python3.12"],
            "architectures": ["x86_64"],
        },
    }
    assert read["functions"] == {
        "fixed-name": {"layers": ["my-tools"]},
        "shop-*-api": {"layers": ["python-requirements", "my-tools", ARN]},
    }
    assert "# Left out: layer missing, nowhere not found." in text
    assert "# Generated from serverless.yml." in text


def test_a_sam_template(folder):
    (folder / "template.yaml").write_text(SAM)
    text, read = started(folder)
    assert read["layers"] == {
        "shared": {
            "requirements": "layers/shared/requirements.txt",
            "runtimes": ["python3.13"],
            "architectures": ["arm64"],
        }
    }
    assert read["functions"] == {
        "*-api": {"layers": ["shared", ARN]},
        "*-Worker-*": {"layers": ["shared"]},
    }
    assert "Left out: layer Tools" in text


def test_a_template_without_layers_is_ignored(folder):
    (folder / "template.yaml").write_text("Resources: {Table: {Type: AWS::DynamoDB::Table}}\n")
    assert "layers" in started(folder)[1]
    assert "Generated from" not in started(folder)[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service: [", "serverless.yml:1:11: invalid YAML: "),
        ("? [a]: b", "serverless.yml:1:3: invalid YAML: found unhashable key"),
        ("a: 2026-13-99", "serverless.yml: cannot read the file: month must be in 1..12"),
        (
            "a: !!python/object:os.system x",
            "serverless.yml:1:4: invalid YAML: could not determine a constr",
        ),
    ],
)
def test_an_unreadable_file_is_reported(folder, text, message, monkeypatch, capsys):
    (folder / "serverless.yml").write_text(text)
    monkeypatch.chdir(folder)
    assert main(["init"]) == 5
    assert message in capsys.readouterr().err
    assert not (folder / "lambda-layers.yml").exists()


def test_folders_outside_the_project_are_left_out(folder):
    inside = folder / "project"
    inside.mkdir()
    (inside / "link").symlink_to(folder / "tools")
    layers = {
        "a": {"path": "../tools"},
        "b": {"path": str(folder / "tools")},
        "c": {"path": "link"},
        "d": {"path": "."},
    }
    (inside / "serverless.yml").write_text(
        json.dumps({"layers": layers, "functions": {"f": {"layers": [ARN]}}})
    )
    text, read = started(inside)
    assert list(read["layers"]) == ["shared"]
    assert text.count("Left out: layer") == 4


def _logical(key):
    """What the Serverless Framework makes of a layer's key, for the keys below."""
    return {"A-b_c": "ADashbUnderscorec", "y.z": "Yz", "${a}": "A"}.get(key, key[:1].upper() + key[1:])


NASTY = st.sampled_from(
    ["", "tools", "layers/shared", "on", "1", "a b", "${a}", "${A:-b}", "$", "*", "a: b", "# c", "'", '"', "\n", "\x85", "x" * 300, ARN]
) | st.text(max_size=20)  # fmt: skip
VALUE = st.recursive(
    NASTY
    | st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["python3.12", "python3.13", "nodejs22.x", "arm64"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Ref", "Fn::Sub", "Fn::GetAtt", "path", "layer"]) | NASTY, inner, max_size=3
        )
    ),
    max_leaves=6,
)


def mappings(*keys):
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, VALUE))


def named(inner):
    return st.dictionaries(NASTY, inner | VALUE, max_size=3)


KEYS = st.sampled_from(["tools", "on", "A-b_c", "x" * 120, "y.z", "${a}"])
PLACES = st.sampled_from(["tools", "layers/shared", "requirements/run.txt"]) | VALUE
NAMES = st.sampled_from(["api", "shop-dev-api", "${stage}-api", "*", "yes", "123"]) | VALUE
RUNTIME = st.sampled_from(["python3.12", "python3.13", "provided.al2023", "nodejs22.x"]) | VALUE
USED = st.lists(
    st.builds(lambda key: {"Ref": f"{_logical(key)}LambdaLayer"}, KEYS)
    | st.builds(lambda key: {"Fn::GetAtt": f"{key}.Arn"}, KEYS)
    | st.builds(lambda key: {"Ref": key}, KEYS)
    | st.builds("{}:{}".format, st.just(ARN.rpartition(":")[0]), st.integers(1, 9))
    | VALUE,
    max_size=6,
)
SERVERLESS_FILES = st.fixed_dictionaries(
    {
        "layers": st.dictionaries(
            KEYS, st.fixed_dictionaries({"path": PLACES}, optional={"compatibleRuntimes": RUNTIME})
        ),
        "functions": st.dictionaries(
            KEYS | NASTY,
            st.fixed_dictionaries({"layers": USED}, optional={"name": NAMES, "runtime": RUNTIME}),
        ),
    },
    optional={
        "service": VALUE,
        "provider": mappings("runtime", "architecture", "region", "layers") | VALUE,
        "plugins": VALUE,
        "custom": st.fixed_dictionaries({"pythonRequirements": mappings("layer", "fileName")}) | VALUE,
    },
)
LAYER = st.fixed_dictionaries(
    {
        "Type": st.just("AWS::Serverless::LayerVersion"),
        "Properties": st.fixed_dictionaries(
            {"ContentUri": PLACES}, optional={"LayerName": NAMES, "CompatibleRuntimes": RUNTIME}
        ),
    }
)
FUNCTION = st.fixed_dictionaries(
    {
        "Type": st.just("AWS::Serverless::Function"),
        "Properties": st.fixed_dictionaries(
            {"Layers": USED}, optional={"FunctionName": NAMES, "Runtime": RUNTIME}
        ),
    }
)
TEMPLATES = st.fixed_dictionaries(
    {"Resources": st.dictionaries(KEYS | NASTY, LAYER | FUNCTION | VALUE)},
    optional={"Globals": mappings("Function"), "Parameters": named(mappings("Default"))},
)
ANY_FILE = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY_FILE
@given(SERVERLESS_FILES | VALUE)
def test_the_manifest_for_any_serverless_file_is_valid(folder, found):
    (folder / "serverless.yml").write_text(yaml.safe_dump(found))
    started(folder)


@ANY_FILE
@given(TEMPLATES | VALUE)
def test_the_manifest_for_any_template_is_valid(folder, found):
    (folder / "template.yaml").write_text(yaml.safe_dump(found))
    started(folder)


@ANY_FILE
@given(
    st.lists(
        st.sampled_from(["${x}", "$$"]) | st.text(min_size=1), min_size=1, max_size=5, unique_by=str.strip
    ),
    st.lists(st.text(), max_size=3),
    NASTY,
)
def test_any_texts_are_unchanged_after_loading(folder, requirements, notes, name):
    requirements = [f"{each.strip()} # x" for each in requirements]  # no names of files
    layer = DraftLayer(
        name=layer_name(name), requirements=tuple(requirements), runtimes=("python3.13",), notes=tuple(notes)
    )
    function = DraftFunction(name="*-api", layers=(layer.name,))
    path = folder / "lambda-layers.yml"
    path.unlink(missing_ok=True)
    write_draft(path, Draft(layers=(layer,), functions=(function,), notes=tuple(notes)))
    manifest = load_project(path, root=folder, variables={}).manifest
    (read,) = manifest.layers.values()
    assert [str(line) for line, _ in read.requirements.lines] == requirements
    assert [entry.layers for entry in manifest.functions] == [(read.name,)]


def test_a_name_precedes_the_globs_that_match_it(folder):
    functions = {"api": {"layers": [ARN]}, "other": {"name": "s-x-api", "layers": [ARN]}}
    (folder / "serverless.yml").write_text(json.dumps({"service": "s", "functions": functions}))
    assert list(started(folder)[1]["functions"]) == ["s-x-api", "s-*-api"]


@ANY_FILE
@given(st.text(alphabet="!&*[]{}:-a?,<>|'\"\n #%@`$", max_size=30))
def test_any_text_is_read_or_rejected(folder, text):
    (folder / "serverless.yml").write_text(text)
    with contextlib.suppress(ManifestError):
        started(folder)
