import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoint.errors import LayersError, ManifestError
from entrypoint.manifest.reader import load
from entrypoint.manifest.runtimes import RUNTIMES
from entrypoint.manifest.schema import MANIFEST
from entrypoint.manifest.targets import expand

SMALL = """\
version: 1
layers:
  web:
    requirements: [requests]
    runtimes: [python3.13]
"""


def parse(text, folder=Path("/nowhere"), **variables):
    return load(folder / "lambda-layers.yml", text=text, shown="lambda-layers.yml", variables=variables)


def problems(text, folder=Path("/nowhere"), **variables):
    with pytest.raises(ManifestError) as caught:
        parse(text, folder, **variables)
    return str(caught.value).splitlines()


def help_of(key):
    return MANIFEST.schema()["properties"]["layers"]["additionalProperties"]["properties"][key]["description"]


def test_a_small_manifest():
    manifest = parse(SMALL)
    (layer,) = expand(manifest)
    assert layer.name == "web"
    assert [str(target) for target in layer.targets] == ["web-python3.13-x86_64"]
    assert manifest.layers["web"].requirements.lines[0][0] == "requests"


def test_every_key(tmp_path):
    (tmp_path / "layers").mkdir()
    (tmp_path / "layers" / "web.in").write_text("requests\n")
    (tmp_path / "src" / "common").mkdir(parents=True)
    (tmp_path / "one.py").write_text("")
    (tmp_path / "python3.13.txt").write_text("requests==2.32.5\n")
    manifest = parse(
        """\
version: 1
regions: [eu-west-1, us-gov-west-1]
x-both: &both
  architectures: [x86_64, arm64]
layers:
  web:
    <<: *both
    requirements: [layers/web.in, "urllib3>=2"]
    lock: "{runtime}.txt"
    runtimes: [python3.13]
    name: "acme-{layer}-{architecture}"
    description: What the web needs
    license: MIT
    include: [src/common, one.py]
    exclude: [tests, "*.bin"]
    bytecode: false
    size_budget: 1.5 MB
    ignore: {runtime-sdk: it is meant}
  tools: {content: src, runtimes: [provided.al2023], name: tools}
functions:
  api: {layers: [web], exclusive: true}
  "report-*":
    layers: [web, "arn:aws:lambda:eu-west-1:017000801446:layer:Powertools:7"]
  "arn:aws:lambda:eu-west-1:123456789012:function:one": {layers: [web]}
s3: {bucket: "artifacts-{region}", prefix: layers/}
""",
        tmp_path,
    )
    layer = manifest.layers["web"]
    assert [aws.name for aws in expand(manifest)] == ["acme-web-x86_64", "acme-web-arm64", "tools"]
    assert layer.include == (tmp_path / "src" / "common", tmp_path / "one.py")
    assert (layer.exclude, layer.bytecode, layer.size_budget) == (("tests", "*.bin"), False, 1_500_000)
    assert layer.ignored_rules == {"runtime-sdk"}
    assert manifest.layers["tools"].content == tmp_path / "src"
    assert layer.requirements.files == (tmp_path / "layers" / "web.in",)
    assert set(layer.own_locks.values()) == {tmp_path / "python3.13.txt"}
    assert [entry.exclusive for entry in manifest.functions] == [True, False, False]
    assert manifest.bucket
    assert manifest.bucket.name_in("eu-west-1") == "artifacts-eu-west-1"


def test_all_problems_at_once_each_at_its_line():
    assert problems(
        """\
version: 2
region: [eu-west-1]
layers:
  web:
    requirements: missing.in
    runtimes: [python3.7, python3.13, python3.13]
    architectures: x86_64
    description: 3
  "b d": {}
functions:
  api: {layers: [wub]}
  worker: {layers: [a, b, c, d, e, f]}
"""
    ) == [
        f"lambda-layers.yml:{line}"
        for line in [
            "1:10: expected 1, found '2'; write 1",
            "2:1: the key 'region' is unknown; did you mean 'regions'?",
            "5:19: there is no file missing.in; create it, or mend its name",
            f"6:16: runtime 'python3.7' is unknown; choose one of {', '.join(RUNTIMES)}",
            "6:39: 'python3.13' stands here twice; leave one of them out",
            "7:20: expected a list, found text; write [a, b] or one '- ' line for each",
            "8:18: expected a description, found a number; write a description in quotes",
            "9:3: 'b d' is not a name that AWS takes for a layer; it has to match [a-zA-Z0-9_-]{1,100}",
            f"9:10: the key 'runtimes' is missing; write 'runtimes:' ({help_of('runtimes')})",
            "9:10: there is nothing in it; write one of requirements, include, content",
            "11:18: there is no layer 'wub' in this manifest; choose one of web, b d",
            "12:3: 6 layers are too many for a function; AWS takes at most 5; merge some of them",
            *[
                f"12:{21 + 3 * index}: there is no layer '{name}' in this manifest; choose one of web, b d"
                for index, name in enumerate("abcdef")
            ],
        ]
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: }", "lambda-layers.yml:2:2: this is not YAML"),
        ("", "lambda-layers.yml:1:1: the file is empty; write one with: lambda-layers init"),
        ("[]", "lambda-layers.yml:1:1: expected a mapping, found a list"),
        ("version: 1\n? [a]\n: 1", "lambda-layers.yml:2:3: expected a name, found a list"),
        ("version: 1\nversion: 1", "lambda-layers.yml:1:1: the key 'version' stands here more than once"),
        ("a: &a [*a]", "lambda-layers.yml:1:1: the key 'a' is unknown"),
        ("version: 1\x07", "lambda-layers.yml: this is not YAML"),
        ("- a\n---\n- b", "lambda-layers.yml:2:1: this is not YAML"),
        ("<<: 1", "lambda-layers.yml:1:1: expected a mapping or list of mappings for merging"),
        (SMALL + "    lock: own.txt", "lambda-layers.yml:6:11: there is no file own.txt"),
        (SMALL.replace("[requests]", "pylock.toml"), "pylock.toml is no input; name a pyproject.toml"),
        (
            SMALL + "    lock: sub/uv.lock",
            "sub/uv.lock is in a format of its tool's own; export it (uv export --format pylock.toml",
        ),
        (SMALL.replace("[requests]", "pyproject.toml"), "there is no file pyproject.toml"),
        (SMALL + "    content: nowhere", "lambda-layers.yml:6:14: there is no folder nowhere"),
        (SMALL + "    include: nowhere.py", "lambda-layers.yml:6:14: there is no file or folder nowhere.py"),
        (SMALL + "    size_budget: 80", "expected a size, found a number"),
        (SMALL + "    bytecode: often", "lambda-layers.yml:6:15: expected true or false, found text"),
        (SMALL + "    ignore: {everything: because}", "'everything' is not a rule"),
        (SMALL.replace("python3.13", "provided.al2023"), "provided.al2023 has no Python for requirements"),
        (SMALL + "    name: 'a b'", "'a b' is not a template of a layer's name"),
        (SMALL + "functions: {'*': {layers: [web]}, api: {layers: [web]}}", "'api' never counts: '*' above"),
        (SMALL.replace("web", "w" * 101), "is not a name that AWS takes for a layer"),
    ],
)
def test_one_problem(text, message):
    assert any(message in problem for problem in problems(text)), problems(text)


def test_variables():
    text = (
        SMALL
        + "    description: ${STAGE} of ${TEAM:-nobody} for $$5\nfunctions: {'api-${STAGE}': {layers: [web]}}"
    )
    manifest = parse(text, STAGE="prod")
    assert manifest.layers["web"].description == "prod of nobody for $5"
    assert manifest.functions[0].pattern == "api-prod"
    message = "the variable STAGE is not set; give it with --set STAGE=value or in the environment"
    assert [problem for problem in problems(text) if message in problem]
    assert "'${' begins a variable" in problems(SMALL + "    description: ${")[0]


def names_of(text):
    return [layer.name for layer in expand(parse(text))]


def test_names_in_aws():
    two = SMALL.replace("[python3.13]", "[python3.12, python3.13]")
    assert names_of(two) == ["web-python312-x86_64", "web-python313-x86_64"]
    assert names_of(two + "    name: '{layer}'") == ["web"]
    assert [str(t) for t in expand(parse(two + "    name: '{layer}'"))[0].targets] == [
        "web-python3.12-x86_64",
        "web-python3.13-x86_64",
    ]


def test_two_layers_cannot_share_a_name():
    other = "  api: {requirements: [six], runtimes: [python3.13], name: web}\n"
    with pytest.raises(
        ManifestError, match=r"lambda-layers.yml:6:3: the layers 'web' and 'api' would both be named web"
    ):
        names_of(SMALL + other)


def test_a_name_that_is_too_long_for_aws():
    with pytest.raises(ManifestError, match="has 141 characters; AWS takes at most 140"):
        names_of(SMALL + f"    name: {'n' * 141}")


# The schema that editors use and the parser come from one declaration; here they judge the same documents.

words = st.sampled_from(
    [
        "web",
        "requests",
        "python3.13",
        "python3.7",
        "x86_64",
        "arm64",
        "eu-west-1",
        "",
        "a b",
        "${X}",
        "{layer}",
        "9" * 200,
    ]
)
leaves = st.one_of(words, st.integers(0, 2), st.booleans(), st.none())
KEYS = """version regions layers functions s3 requirements runtimes architectures name web description
exclusive bucket prefix x-mine a*b license lock include content exclude size_budget ignore from_source"""
keys = st.sampled_from(KEYS.split())
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def documents(draw):
    """Manifests that are nearly right: a right one with a few subtrees put in the place of others."""
    document = yaml.safe_load(
        SMALL + "regions: [eu-west-1]\ns3: {bucket: abc}\nfunctions: {f: {layers: [web]}}"
    )
    for _ in range(draw(st.integers(0, 2))):
        node = document
        while isinstance(node, dict) and node and draw(st.booleans()):
            key = draw(st.sampled_from(sorted(node)))
            if not isinstance(node[key], dict):
                node[key] = draw(trees)
                break
            node = node[key]
        else:
            if isinstance(node, dict):
                node[draw(keys)] = draw(trees)
    return document


REFERENCES = re.compile(
    r"there is no (layer|file)|never counts|variable|too many for a function|no requirements file"
)


@settings(max_examples=500, deadline=None)
@given(documents())
def test_the_schema_agrees_with_the_parser(document):
    schema = jsonschema.Draft202012Validator(MANIFEST.schema())
    try:
        parse(yaml.safe_dump(document), X="value")
        complaints = []
    except ManifestError as error:
        # Which files and layers there are is beyond a schema.
        complaints = [problem for problem in error.problems if not REFERENCES.search(problem.message)]
    refused = [error.message for error in schema.iter_errors(document)]
    if not any("${" in text for text in json.dumps(document).split('"')):
        assert bool(refused) == bool(complaints), (document, refused, complaints)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_no_text_makes_it_crash(text):
    with pytest.raises(LayersError):
        parse(text)
