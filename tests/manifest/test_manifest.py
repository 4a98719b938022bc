import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from entrypoint.errors import LayersError, Location, ManifestError
from entrypoint.manifest.fields import ListOf, WordOr
from entrypoint.manifest.model import NO_VPC, Concurrency, Vpc
from entrypoint.manifest.reader import load
from entrypoint.manifest.record import MapOf, Record
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
s3: {bucket: "artifacts-{account}-{region}", prefix: layers/, storage: reference}
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
    assert manifest.bucket.is_referenced
    assert manifest.bucket.name_in("eu-west-1", "123456789012") == "artifacts-123456789012-eu-west-1"


def test_all_problems_are_reported_each_at_its_line():
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
            "2:1: unknown key 'region'; did you mean 'regions'?",
            "5:19: file missing.in not found; create it or correct the path",
            f"6:16: 'python3.7' is not a supported runtime; choose one of {', '.join(RUNTIMES)}",
            "6:39: 'python3.13' is listed twice; remove one of them",
            "7:20: expected a list, found text; write [a, b] or one '- ' line per item",
            "8:18: expected a description, found a number; write a description in quotes",
            "9:3: 'b d' is not a valid layer name; it must match [a-zA-Z0-9_-]{1,100}",
            "9:10: missing key 'runtimes'; add 'runtimes:' (Lambda runtimes to build for)",
            "9:10: none of requirements, lock, include, content is set; add at least one of them",
            "11:18: layer 'wub' is not defined in this manifest; choose one of web, b d",
            "12:3: 6 layers exceed the limit of 5 per function; merge some of them",
            *[
                f"12:{21 + 3 * index}: layer '{name}' is not defined in this manifest; choose one of web, b d"
                for index, name in enumerate("abcdef")
            ],
        ]
    ]


def with_function(entry):
    return f"{SMALL}functions: {{api: {{layers: [web], {entry}}}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: }", "lambda-layers.yml:2:2: invalid YAML"),
        ("", "lambda-layers.yml:1:1: the file is empty; create a manifest with: lambda-layers init"),
        ("[]", "lambda-layers.yml:1:1: expected a mapping, found a list"),
        ("version: 1\n? [a]\n: 1", "lambda-layers.yml:2:3: expected a name, found a list"),
        ("version: 1\nversion: 1", "lambda-layers.yml:1:1: duplicate key 'version'; remove all but one"),
        ("a: &a [*a]", "lambda-layers.yml:1:4: an alias refers to a value that contains it"),
        ("version: 1\x07", "lambda-layers.yml: invalid YAML"),
        ("- a\n---\n- b", "lambda-layers.yml:2:1: invalid YAML"),
        ("<<: 1", "lambda-layers.yml:1:1: expected a mapping or list of mappings for merging"),
        (SMALL + "    lock: own.txt", "lambda-layers.yml:6:11: file own.txt not found"),
        (
            SMALL.replace("[requests]", "pylock.toml"),
            "pylock.toml is not a supported requirements file; use a pyproject.toml",
        ),
        (SMALL + "    lock: sub/uv.lock", "lambda-layers.yml:6:11: file sub/uv.lock not found"),
        (SMALL.replace("[requests]", "pyproject.toml"), "file pyproject.toml not found"),
        (SMALL + "    content: nowhere", "lambda-layers.yml:6:14: folder nowhere not found"),
        (SMALL + "    include: nowhere.py", "lambda-layers.yml:6:14: file or folder nowhere.py not found"),
        (SMALL + "    size_budget: 80", "expected a size with a unit (kB, MB, GB), found a number"),
        (SMALL + "    bytecode: often", "lambda-layers.yml:6:15: expected true or false, found text"),
        (SMALL + "    ignore: {everything: because}", "'everything' is not a rule"),
        (
            SMALL.replace("python3.13", "provided.al2023"),
            "provided.al2023 has no Python and does not support requirements",
        ),
        (SMALL + "    name: 'a b'", "'a b' is not a template of a layer's name"),
        (SMALL + "functions: {'*': {layers: [web]}, api: {layers: [web]}}", "'api' has no effect: '*' above"),
        (SMALL.replace("web", "w" * 101), "is not a valid layer name"),
        (with_function("vpc: nowhere"), "expected a mapping, found text"),
        (
            with_function("concurrency: {reserved: nothing}"),
            "expected a number of concurrent executions, found nothing",
        ),
        (with_function("concurrency: {provisioned: 2}"), "provisioned concurrency requires an alias"),
        (
            with_function("aliases: [live], concurrency: {reserved: 9, provisioned: 10}"),
            "provisioned concurrency (10) exceeds the reserved concurrency of 9; reserve at least 10",
        ),
        (
            with_function("aliases: [live, beta], concurrency: {reserved: 9, provisioned: 5}"),
            "provisioned concurrency (5 for each of 2 aliases) exceeds the reserved concurrency of 9; reserve at least 10",
        ),
        (
            with_function(
                f"vpc: {{subnets: [{', '.join(f'subnet-{n}' for n in range(17))}], security_groups: [sg-1]}}"
            ),
            "17 subnets exceed the limit of 16 per function",
        ),
        (
            with_function(
                f"vpc: {{subnets: [subnet-1], security_groups: [{', '.join(f'sg-{n}' for n in range(6))}]}}"
            ),
            "6 security groups exceed the limit of 5 per function",
        ),
    ],
)
def test_one_problem(text, message):
    assert any(message in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    ("entry", "vpc", "concurrency"),
    [
        ("", None, Concurrency()),
        ("vpc: none", NO_VPC, Concurrency()),
        (
            "vpc: {subnets: [subnet-2, subnet-1], security_groups: [sg-1], ipv6: true}",
            Vpc(("subnet-1", "subnet-2"), ("sg-1",), ipv6=True),
            Concurrency(),
        ),
        ("concurrency: {reserved: 0}", None, Concurrency(reserved=0)),
        ("concurrency: {reserved: none}", None, Concurrency(releases=True)),
        (
            "aliases: [a, b], concurrency: {reserved: 10, provisioned: 5}",
            None,
            Concurrency(reserved=10, provisioned=5),
        ),
        ("aliases: [a], concurrency: {provisioned: none}", None, Concurrency(provisioned=0)),
    ],
)
def test_vpc_and_concurrency_and_the_word_that_removes_them(entry, vpc, concurrency):
    (function,) = parse(with_function(entry)).functions
    assert (function.vpc, function.concurrency) == (vpc, concurrency)


def test_variables():
    text = (
        SMALL
        + "    description: ${STAGE} of ${TEAM:-nobody} for $$5\nfunctions: {'api-${STAGE}': {layers: [web]}}"
    )
    manifest = parse(text, STAGE="prod")
    assert manifest.layers["web"].description == "prod of nobody for $5"
    assert manifest.functions[0].pattern == "api-prod"
    message = "variable STAGE is not set; add --set STAGE=VALUE, or --set STAGE to use the environment"
    assert [problem for problem in problems(text) if message in problem]
    assert "'${' starts a variable" in problems(SMALL + "    description: ${")[0]


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
        ManifestError, match=r"lambda-layers.yml:6:3: layers 'web' and 'api' have the same name in AWS: web"
    ):
        names_of(SMALL + other)


def test_a_layer_name_that_is_too_long():
    with pytest.raises(ManifestError, match="has 141 characters, the limit is 140; set a shorter"):
        names_of(SMALL + f"    name: {'n' * 141}")


def fields(record):
    """Every field of a record and of the records in it."""
    for name, field in record.fields.items():
        yield (name,), field
        shape = field.shape
        while isinstance(shape, ListOf | MapOf | WordOr):
            shape = shape.other if isinstance(shape, WordOr) else shape.item
        if isinstance(shape, Record):
            yield from (((name, *names), inner) for names, inner in fields(shape))


DEFAULTS = {names: field.default for names, field in fields(MANIFEST) if field.default is not None}
BARE = """\
version: 1
layers: {web: {requirements: [requests], runtimes: [python3.13], share: {organization: o-a123456789}}}
functions: {web: {layers: [web], vpc: {subnets: [subnet-1], security_groups: [sg-1]}}}
rollout: {check: {alarms: [a]}}
audit: {}
s3: {bucket: layers}
"""


@pytest.mark.parametrize("names", DEFAULTS, ids=".".join)
def test_writing_a_default_changes_nothing(names):
    document = yaml.safe_load(BARE)
    *above, name = names
    node = document
    for key in above:
        node = node[key]
        node = node.get("web", node)
    assert name not in node
    node[name] = DEFAULTS[names]
    bare, written = parse(yaml.safe_dump(yaml.safe_load(BARE))), parse(yaml.safe_dump(document))
    assert without_locations(written) == without_locations(bare)


def without_locations(value):
    if isinstance(value, Location):
        return None
    if isinstance(value, dict):
        return {key: without_locations(each) for key, each in value.items()}
    return tuple(map(without_locations, value)) if isinstance(value, tuple) else value


# The parser and the schema for editors come from one declaration; here they check the same documents.

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
    """Manifests that are almost valid: a valid one with a few subtrees replaced."""
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
    r"is not defined in this manifest|^(file|folder) .* not found|has no effect|variable|exceed the limit of 5 per function"
)


@settings(max_examples=5 * settings.default.max_examples, deadline=None)
@given(documents())
def test_the_schema_agrees_with_the_parser(document):
    import jsonschema  # noqa: PLC0415 - it takes a second

    schema = jsonschema.Draft202012Validator(MANIFEST.schema())
    try:
        parse(yaml.safe_dump(document), X="value")
        complaints = []
    except ManifestError as error:
        # A schema cannot know which files and layers exist.
        complaints = [problem for problem in error.problems if not REFERENCES.search(problem.message)]
    refused = [error.message for error in schema.iter_errors(document)]
    if not any("${" in text for text in json.dumps(document).split('"')):
        assert bool(refused) == bool(complaints), (document, refused, complaints)


@settings(max_examples=3 * settings.default.max_examples, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_rejected_without_a_crash(text):
    with pytest.raises(LayersError):
        parse(text)
