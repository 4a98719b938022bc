"""Published versions and aliases."""

import pytest

REFUSED = "InvalidParameterValueException"


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def change(awslambda, memory):
    awslambda.update_function_configuration(FunctionName="api", MemorySize=memory)


def publish_version(awslambda, **more):
    return awslambda.publish_version(FunctionName="api", **more)


def test_a_version_is_a_copy_of_latest(awslambda, function, publish):
    first, second = publish(), publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[first])
    made = publish_version(awslambda, Description="release")
    awslambda.update_function_configuration(FunctionName=function, Layers=[second])

    version = awslambda.get_function_configuration(FunctionName=function, Qualifier="1")

    assert (made["Version"], made["FunctionArn"]) == ("1", function + ":1")
    assert [layer["Arn"] for layer in version["Layers"]] == [first]
    assert (version["State"], version["Description"]) == ("Active", "release")


@pytest.mark.usefixtures("function")
def test_no_new_version_when_nothing_changed(awslambda):
    assert publish_version(awslambda)["Version"] == "1"
    assert publish_version(awslambda, Description="only the description")["Version"] == "1"
    change(awslambda, 256)
    assert publish_version(awslambda)["Version"] == "2"


def test_numbers_are_not_reused(awslambda, function):
    publish_version(awslambda)
    awslambda.delete_function(FunctionName=function, Qualifier="1")
    assert publish_version(awslambda)["Version"] == "2"


@pytest.mark.usefixtures("function")
def test_a_version_is_pending_at_first(aws, clock, awslambda):
    aws.cloud.update_seconds = 30.0
    assert publish_version(awslambda)["State"] == "Pending"
    clock.pass_seconds(30)
    assert awslambda.get_function_configuration(FunctionName="api:1")["State"] == "Active"


def test_publishing_can_require_a_code_hash(awslambda, function, refused):
    current = awslambda.get_function_configuration(FunctionName=function)
    with refused(400, REFUSED, "CodeSHA256"):
        publish_version(awslambda, CodeSha256="other")
    made = publish_version(awslambda, CodeSha256=current["CodeSha256"], RevisionId=current["RevisionId"])
    assert made["Version"] == "1"


def test_versions_are_listed_with_latest_first(awslambda, function):
    publish_version(awslambda)
    change(awslambda, 256)
    publish_version(awslambda)

    listed = awslambda.list_functions(FunctionVersion="ALL")["Functions"]

    assert [each["Version"] for each in listed] == ["$LATEST", "1", "2"]
    assert [each["FunctionArn"] for each in listed] == [function + ":" + v for v in ("$LATEST", "1", "2")]
    assert len(awslambda.list_functions()["Functions"]) == 1


def test_an_alias_moves_and_carries_weights(awslambda, function):
    publish_version(awslambda)
    change(awslambda, 256)
    publish_version(awslambda)

    made = awslambda.create_alias(FunctionName=function, Name="live", FunctionVersion="1", Description="d")
    assert (made["AliasArn"], made["FunctionVersion"]) == (function + ":live", "1")
    through = awslambda.get_function_configuration(FunctionName=function, Qualifier="live")
    assert (through["Version"], through["FunctionArn"]) == ("1", function + ":live")

    weighted = awslambda.update_alias(
        FunctionName=function,
        Name="live",
        RevisionId=made["RevisionId"],
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )
    assert weighted["RoutingConfig"] == {"AdditionalVersionWeights": {"2": 0.1}}
    moved = awslambda.update_alias(
        FunctionName=function,
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    assert (moved["FunctionVersion"], moved["Description"], "RoutingConfig" in moved) == ("2", "d", False)
    read = awslambda.get_alias(FunctionName=function, Name="live")
    assert read["RevisionId"] == moved["RevisionId"] != weighted["RevisionId"]


def test_an_alias_of_latest(awslambda, function):
    awslambda.create_alias(FunctionName=function, Name="dev", FunctionVersion="$LATEST")
    assert awslambda.get_function_configuration(FunctionName="api:dev")["Version"] == "$LATEST"


def test_invalid_aliases_are_refused(awslambda, function, refused):
    publish_version(awslambda)
    change(awslambda, 256)
    publish_version(awslambda)
    change(awslambda, 512)
    publish_version(awslambda)
    awslambda.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    live = {"FunctionName": function, "Name": "live"}

    with refused(409, "ResourceConflictException", "already exists"):
        awslambda.create_alias(**live, FunctionVersion="1")
    with refused(404, "ResourceNotFoundException", "api:9"):
        awslambda.create_alias(FunctionName=function, Name="next", FunctionVersion="9")
    with refused(404, "ResourceNotFoundException", "api:9"):
        awslambda.update_alias(**live, FunctionVersion="9")
    with refused(404, "ResourceNotFoundException", "next"):
        awslambda.get_alias(FunctionName=function, Name="next")
    with refused(412, "PreconditionFailedException"):
        awslambda.update_alias(**live, FunctionVersion="2", RevisionId="stale")
    with refused(400, "ValidationException", "name"):
        awslambda.create_alias(FunctionName=function, Name="123", FunctionVersion="1")
    for weights, code in [
        ({"2": 0.1, "3": 0.1}, REFUSED),
        ({"$LATEST": 0.1}, "ValidationException"),
        ({"1": 0.1}, REFUSED),
        ({"2": 1.5}, "ValidationException"),
    ]:
        with refused(400, code):
            awslambda.update_alias(**live, RoutingConfig={"AdditionalVersionWeights": weights})


def test_a_version_in_use_by_an_alias_cannot_be_deleted(awslambda, function, refused):
    publish_version(awslambda)
    change(awslambda, 256)
    publish_version(awslambda)
    awslambda.create_alias(
        FunctionName=function,
        Name="live",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}},
    )
    for number in ("1", "2"):
        with refused(409, "ResourceConflictException", "live"):
            awslambda.delete_function(FunctionName=function, Qualifier=number)
    awslambda.update_alias(
        FunctionName=function,
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {}},
    )
    awslambda.delete_function(FunctionName=function, Qualifier="1")
    listed = awslambda.list_functions(FunctionVersion="ALL")["Functions"]
    assert [each["Version"] for each in listed] == ["$LATEST", "2"]
