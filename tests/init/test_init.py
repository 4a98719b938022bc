"""`lambda-layers init`: the manifests made from files of other tools are valid, whatever those contain."""

import contextlib
import json
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from loading import AnyValue

from entrypoint.errors import ManifestError
from entrypoint.init import draft_of, write_draft
from entrypoint.init.draft import Content, Draft, DraftFunction, DraftLayer, layer_name, taken
from entrypoint.init.summary import summary
from entrypoint.manifest.project import load_project

ARN = "arn:aws:lambda:eu-west-1:017000801446:layer:AWSLambdaPowertoolsPythonV3-python313-x86_64:7"


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
    draft = draft_of(folder)
    write_draft(path, draft)
    load_project(path, root=folder, variables=AnyValue())
    assert not re.search("[\ue000\ue001]", path.read_text() + summary(draft))
    return path.read_text(), yaml.safe_load(path.read_text())


def test_a_template_without_layers_is_ignored(folder):
    (folder / "template.yaml").write_text("Resources: {Table: {Type: AWS::DynamoDB::Table}}\n")
    text, read = started(folder)
    assert set(read["layers"]) == {"shared", "run"}
    assert "no requirements" not in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("service: [\n", "serverless.yml:2:1: invalid YAML: "),
        ("a: &a [*a]", "serverless.yml:1:4: an alias refers to a value that contains it"),
        ("x: " + "[" * 5000 + "]" * 5000, "values are nested more than 100 levels deep"),
        ("a: " + "x" * (1 << 20), "the file has 1,048,579 bytes"),
    ],
)
def test_an_unreadable_file_is_reported(init, text, message):
    assert message in init({"serverless.yml": text}, code=5).error


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
    assert read["layers"] == {}
    assert text.count("is outside the repository") == 3


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
    notes = tuple(map(taken, notes))
    layer = DraftLayer(
        name=layer_name(name),
        content=Content(requirements=tuple(requirements)),
        runtimes=("python3.13",),
        architectures=("x86_64",),
        notes=notes,
    )
    function = DraftFunction(name="*-api", layers=(layer.name,))
    path = folder / "lambda-layers.yml"
    path.unlink(missing_ok=True)
    write_draft(path, Draft(layers=(layer,), functions=(function,), notes=notes))
    manifest = load_project(path, root=folder, variables={}).manifest
    (read,) = manifest.layers.values()
    assert [str(line) for line, _ in read.requirements.lines] == requirements
    assert [entry.layers for entry in manifest.functions] == [(read.name,)]


@ANY_FILE
@given(st.text(alphabet="!&*[]{}:-a?,<>|'\"\n #%@`$", max_size=30))
def test_any_text_is_read_or_rejected(folder, text):
    (folder / "serverless.yml").write_text(text)
    with contextlib.suppress(ManifestError):
        started(folder)
