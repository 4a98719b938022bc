"""Updates of functions: the optimistic lock, one update at a time, and how an update ends."""

import pytest

BUSY = "ResourceConflictException"


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


@pytest.fixture
def slow(aws):
    """Updates take 30 seconds of the test's clock."""
    aws.cloud.update_seconds = 30.0
    return aws


def status(awslambda, name="api"):
    return awslambda.get_function(FunctionName=name)["Configuration"]["LastUpdateStatus"]


@pytest.mark.usefixtures("slow")
def test_an_update_is_in_progress_until_its_end(clock, awslambda, function):
    answer = awslambda.update_function_configuration(FunctionName=function, MemorySize=256)
    assert (answer["State"], answer["LastUpdateStatus"]) == ("Active", "InProgress")
    clock.pass_seconds(29)
    assert status(awslambda) == "InProgress"
    clock.pass_seconds(1)
    assert status(awslambda) == "Successful"
    assert awslambda.get_function_configuration(FunctionName=function)["MemorySize"] == 256


def test_an_instant_update_is_in_progress_first(awslambda, function):
    answer = awslambda.update_function_configuration(FunctionName=function, MemorySize=256)
    assert answer["LastUpdateStatus"] == "InProgress"
    assert status(awslambda) == "Successful"


@pytest.mark.usefixtures("slow")
def test_while_an_update_is_in_progress_others_are_refused(clock, awslambda, function, make_zip, refused):
    code = make_zip({"app.py": b"x"})
    awslambda.update_function_configuration(FunctionName=function, MemorySize=256)
    for attempt in (
        lambda: awslambda.update_function_configuration(FunctionName=function, MemorySize=512),
        lambda: awslambda.update_function_code(FunctionName=function, ZipFile=code),
        lambda: awslambda.publish_version(FunctionName=function),
    ):
        with refused(409, BUSY, f"An update is in progress for resource: {function}"):
            attempt()
    clock.pass_seconds(30)
    awslambda.update_function_configuration(FunctionName=function, MemorySize=512)


@pytest.mark.usefixtures("slow")
def test_while_a_function_is_being_created_it_cannot_be_changed(clock, awslambda, make_zip, refused):
    made = awslambda.create_function(
        FunctionName="new",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/new",
        Code={"ZipFile": make_zip({"app.py": b"x"})},
    )
    assert (made["State"], made["StateReasonCode"]) == ("Pending", "Creating")
    with refused(409, BUSY, "Pending"):
        awslambda.update_function_configuration(FunctionName="new", MemorySize=256)
    clock.pass_seconds(30)
    awslambda.update_function_configuration(FunctionName="new", MemorySize=256)


def test_a_stale_revision_is_refused(awslambda, function, make_zip, refused):
    stale = awslambda.get_function_configuration(FunctionName=function)["RevisionId"]
    awslambda.update_function_configuration(FunctionName=function, RevisionId=stale, MemorySize=256)
    code = make_zip({"app.py": b"x"})
    for attempt in (
        lambda: awslambda.update_function_configuration(
            FunctionName=function, RevisionId=stale, MemorySize=512
        ),
        lambda: awslambda.update_function_code(FunctionName=function, RevisionId=stale, ZipFile=code),
        lambda: awslambda.publish_version(FunctionName=function, RevisionId=stale),
    ):
        with refused(412, "PreconditionFailedException", "Revision Id"):
            attempt()
    assert awslambda.get_function_configuration(FunctionName=function)["MemorySize"] == 256


def test_the_revision_changes_once_more_when_the_update_ends(awslambda, function):
    started = awslambda.update_function_configuration(FunctionName=function, MemorySize=256)["RevisionId"]
    ended = awslambda.get_function_configuration(FunctionName=function)["RevisionId"]
    assert started != ended
    assert awslambda.get_function_configuration(FunctionName=function)["RevisionId"] == ended


def test_a_failed_update_keeps_the_previous_configuration(slow, clock, awslambda, function, publish):
    first, second = publish(), publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[first])
    clock.pass_seconds(30)
    slow.fail_next_update("api", reason_code="EniLimitExceeded", reason="No more interfaces.")

    awslambda.update_function_configuration(FunctionName=function, Layers=[second])
    assert status(awslambda) == "InProgress"
    clock.pass_seconds(30)

    shown = awslambda.get_function_configuration(FunctionName=function)
    assert (shown["State"], shown["LastUpdateStatus"]) == ("Active", "Failed")
    assert shown["LastUpdateStatusReasonCode"] == "EniLimitExceeded"
    assert shown["LastUpdateStatusReason"] == "No more interfaces."
    assert [layer["Arn"] for layer in shown["Layers"]] == [first]
    awslambda.update_function_configuration(FunctionName=function, Layers=[second])
    clock.pass_seconds(30)
    assert status(awslambda) == "Successful"


def test_only_the_unpublished_version_can_be_changed(awslambda, function, refused):
    awslambda.publish_version(FunctionName=function)
    awslambda.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    for name in ("api:1", "api:live"):
        with refused(400, "InvalidParameterValueException", "unqualified function ARN"):
            awslambda.update_function_configuration(FunctionName=name, MemorySize=256)
    awslambda.update_function_configuration(FunctionName="api:$LATEST", MemorySize=256)


def test_new_code_keeps_the_layers_and_a_dry_run_changes_nothing(
    awslambda, function, publish, make_zip, refused
):
    arn = publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    before = awslambda.get_function_configuration(FunctionName=function)["CodeSha256"]
    code = make_zip({"app.py": b"new"})

    awslambda.update_function_code(FunctionName=function, ZipFile=code, DryRun=True)
    assert awslambda.get_function_configuration(FunctionName=function)["CodeSha256"] == before
    answer = awslambda.update_function_code(
        FunctionName=function, ZipFile=code, Architectures=["arm64"], Publish=True
    )
    assert answer["CodeSha256"] != before
    assert (answer["Version"], answer["Architectures"]) == ("1", ["arm64"])
    assert [layer["Arn"] for layer in answer["Layers"]] == [arn]
    with refused(400, "InvalidParameterValueException", "source for the code"):
        awslambda.update_function_code(FunctionName=function)


def test_a_vpc_is_kept_detached_and_replaced(awslambda, function):
    def vpc():
        return awslambda.get_function_configuration(FunctionName=function).get("VpcConfig")

    assert vpc() is None
    awslambda.update_function_configuration(
        FunctionName=function, VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    )
    awslambda.update_function_configuration(FunctionName=function, MemorySize=256)
    assert vpc()["SubnetIds"] == ["subnet-1"]
    awslambda.update_function_configuration(
        FunctionName=function, VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
    )
    assert vpc() == {"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""}


def test_boto3_waits_for_the_end_of_an_update(awslambda, function):
    awslambda.update_function_configuration(FunctionName=function, MemorySize=256)
    awslambda.get_waiter("function_updated_v2").wait(FunctionName=function)
    assert status(awslambda) == "Successful"
