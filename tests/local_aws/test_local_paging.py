"""Lists come in pages of 50 at most, and boto3's paginators read them all."""

import pytest

COUNT = 53


def whole(client, operation, key, **given):
    pages = list(client.get_paginator(operation).paginate(**given))
    assert all(len(each[key]) <= 50 for each in pages)
    return len(pages), [item for each in pages for item in each[key]]


def test_functions(aws, awslambda):
    names = [f"f{number:02}" for number in range(COUNT)]
    for name in reversed(names):
        aws.declare_function(name)
    count, functions = whole(awslambda, "list_functions", "Functions")
    assert count == 2
    assert [each["FunctionName"] for each in functions] == names
    first = awslambda.list_functions(MaxItems=10000)
    assert len(first["Functions"]) == 50
    small = awslambda.list_functions(MaxItems=2, Marker=awslambda.list_functions(MaxItems=2)["NextMarker"])
    assert [each["FunctionName"] for each in small["Functions"]] == names[2:4]


def test_layer_versions(aws, awslambda):
    for number in range(COUNT):
        aws.declare_layer_version("many", account="123456789012", version=number + 1)
    count, versions = whole(awslambda, "list_layer_versions", "LayerVersions", LayerName="many")
    assert count == 2
    assert [each["Version"] for each in versions] == list(range(COUNT, 0, -1))


def test_published_versions(aws, awslambda):
    aws.declare_function("api")
    for number in range(COUNT):
        awslambda.update_function_configuration(FunctionName="api", MemorySize=128 + number)
        awslambda.publish_version(FunctionName="api")
    count, versions = whole(awslambda, "list_functions", "Functions", FunctionVersion="ALL")
    assert count == 2
    assert [each["Version"] for each in versions] == ["$LATEST", *map(str, range(1, COUNT + 1))]


@pytest.mark.parametrize("marker", ["nonsense", "YmFkIG1hcmtlcg=="])
def test_an_invalid_marker_is_refused(awslambda, refused, marker):
    with refused(400, "InvalidParameterValueException", "marker"):
        awslambda.list_functions(Marker=marker)


def test_a_page_of_layer_versions_has_50_at_most(awslambda, refused):
    with refused(400, "ValidationException", "maxItems"):
        awslambda.list_layer_versions(LayerName="web", MaxItems=51)
