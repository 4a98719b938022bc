"""What stands in AWS, and how few calls it takes to know."""

import pytest
from planning import HASH, REGION, arn, layer, read

from entrypoint.aws.model import LayerVersion
from entrypoint.manifest.model import Destination
from entrypoint.release.publish import describe
from entrypoint.release.state import read_layer, read_state

HERE = Destination(REGION)
ENTRIES = read("layers:\n" + layer("web") + 'functions: {"*": {layers: [web]}}')[0].functions


OTHER = "0" * 64


@pytest.fixture
def declare(aws):
    """Say that versions of a layer exist; the given ones carry the hash that is asked for."""

    def versions(name: str, count: int, *same: int) -> None:
        for number in range(1, count + 1):
            text = describe(name, HASH if number in same else OTHER)
            aws.declare_layer_version(name, account="123456789012", version=number, description=text)

    return versions


def test_a_layer_that_does_not_exist_has_no_state(edge):
    state = read_layer(edge, "web", HASH)
    assert (state.latest, state.current) == (None, None)


def test_one_call_answers_whether_a_layer_changed(edge, declare, calls):
    declare("web", 50, 49, 50)
    state = read_layer(edge, "web", HASH)
    assert (state.latest.version, state.current.version) == (50, 49)
    assert calls("ListLayerVersions") == 1


def test_of_equal_versions_on_a_page_the_lowest_number_is_taken(edge, declare):
    declare("web", 9, 3, 5, 8)
    assert read_layer(edge, "web", HASH).current.version == 3


def test_an_older_version_is_found_on_the_second_page(edge, declare, calls):
    declare("web", 101, 1, 20)
    state = read_layer(edge, "web", HASH)
    assert (state.latest.version, state.current.version) == (101, 20)
    assert calls("ListLayerVersions") == 2


def test_all_pages_are_read_before_a_layer_is_taken_for_new(edge, declare, calls):
    declare("web", 101)
    assert read_layer(edge, "web", HASH).current is None
    assert calls("ListLayerVersions") == 3


def test_versions_that_others_published_have_no_hash(edge, aws):
    aws.declare_layer_version("web", account="123456789012", version=1, description=f"sha256:{HASH}")
    aws.declare_layer_version("web", account="123456789012", version=2, description=None)
    state = read_layer(edge, "web", HASH)
    assert state.latest.dependency_hash is None
    assert state.current is None


def test_twenty_unchanged_targets_cost_two_calls_each_and_the_pages_of_functions(edge, aws, declare):
    layers = {f"layer{number}": HASH for number in range(20)}
    for name in layers:
        declare(name, 3, 3)
    for number in range(120):
        aws.declare_function(f"function{number}")
    state = read_state(edge, layers, ENTRIES)
    assert all(layer.current for layer in state.layers.values())
    assert len({each.name for each in state.functions}) == 120
    assert (
        sorted(call.operation for call in aws.call_log)
        == ["GetLayerVersionPolicy"] * 20 + ["ListFunctions"] * 3 + ["ListLayerVersions"] * 20
    )


def test_without_functions_in_the_manifest_none_are_listed(edge, declare, calls):
    declare("web", 1, 1)
    assert read_state(edge, {"web": HASH}, ()).functions == ()
    assert calls("ListFunctions") == 0


def test_a_function_is_read_with_all_that_the_plan_needs(edge, aws):
    shared = aws.declare_layer_version("Powertools", account="210987654321")
    aws.declare_layer_version("web", account="123456789012", version=4)
    aws.declare_function("api", runtime="python3.12", architecture="arm64", layers=[shared, arn("web", 4)])
    aws.declare_function("picture", package_type="Image")
    state = read_state(edge, {}, ENTRIES)
    api, picture = state.functions
    assert api.arn == "arn:aws:lambda:eu-west-1:123456789012:function:api"
    assert (api.runtime, api.architecture, api.package_type) == ("python3.12", "arm64", "Zip")
    assert api.layers == (shared, arn("web", 4))
    assert (picture.package_type, picture.layers) == ("Image", ())


def test_a_description_is_read_back_however_long_the_text_before_it():
    for text in ("", "é" * 500, "deps:sha256:abc", "x" * 256):
        written = describe(text, HASH)
        assert len(written) <= 256
        assert LayerVersion(arn=arn("web"), version=1, description=written).dependency_hash == HASH
