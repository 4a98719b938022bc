"""The initial state of `--aws local`: every resource that the manifest requires."""

from pathlib import Path

import pytest
from planning import layer, read

from entrypoint.local_aws.seed import seed
from entrypoint.manifest.project import Project

POWERTOOLS = "arn:aws:lambda:eu-west-1:017000801446:layer:Powertools:7"
LAYERS = "layers:\n" + layer("web", "python3.12", "python3.13", more=", architectures: [x86_64, arm64]")


@pytest.fixture
def seeded(aws, awslambda):
    """Seed from a manifest; return the functions by name."""

    def by(text):
        manifest, layers = read(LAYERS + text)
        seed(aws, Project(manifest=manifest, layers=layers, root=Path("/project")))
        return {each["FunctionName"]: each for each in awslambda.list_functions()["Functions"]}

    return by


def test_every_function_of_the_manifest_exists_and_one_for_each_glob(seeded):
    globs = ("report-*", "x?[ab]", "y[!a-z]")
    entries = ", ".join(f'"{pattern}": {{layers: [web]}}' for pattern in ("api", *globs))
    assert set(seeded(f"functions: {{{entries}}}")) == {"api", "report-1", "x1a", "y1"}


def test_functions_rotate_through_compatible_platforms(seeded):
    entries = ", ".join(f"f{number}: {{layers: [web]}}" for number in range(4))
    functions = seeded(f"functions: {{{entries}}}")
    platforms = {(each["Runtime"], *each["Architectures"]) for each in functions.values()}
    runtimes, architectures = ("python3.12", "python3.13"), ("x86_64", "arm64")
    assert platforms == {(runtime, machine) for runtime in runtimes for machine in architectures}


def test_a_function_named_by_its_arn(seeded):
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:api"
    assert seeded(f'functions: {{"{arn}": {{layers: [web]}}}}')["api"]["FunctionArn"] == arn


def test_aliases_and_tags(seeded, awslambda):
    entries = "api: {layers: [web], aliases: [live]}, payments: {tag: {team: pay}, layers: [web]}"
    seeded(f"functions: {{{entries}}}")
    assert awslambda.get_alias(FunctionName="api", Name="live")["FunctionVersion"] == "1"
    assert awslambda.get_function(FunctionName="payments")["Tags"] == {"team": "pay"}


def test_layers_of_other_accounts_can_be_attached(seeded, awslambda):
    seeded(f'functions: {{api: {{layers: ["{POWERTOOLS}"]}}}}')
    awslambda.update_function_configuration(FunctionName="api", Layers=[POWERTOOLS])


def test_the_bucket_exists_in_every_region(seeded, client):
    seeded('s3: {bucket: "layers-{region}"}\nregions: [eu-west-1, us-east-1]\n')
    buckets = {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]}
    assert buckets == {"layers-eu-west-1", "layers-us-east-1"}


def test_existing_resources_are_unchanged(seeded, awslambda):
    text = "functions: {api: {layers: [web]}}"
    seeded(text)
    awslambda.update_function_configuration(FunctionName="api", MemorySize=512)
    assert seeded(text)["api"]["MemorySize"] == 512
