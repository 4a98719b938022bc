"""Invocations: a handler of the test answers for the function."""

import json

import pytest


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def test_without_a_handler_the_answer_is_null(awslambda, function):
    answer = awslambda.invoke(FunctionName=function, Payload=b'{"ping": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (200, b"null")
    assert (answer["ExecutedVersion"], "FunctionError" in answer) == ("$LATEST", False)


def test_a_handler_sees_the_version_and_its_layers(aws, awslambda, function, publish):
    first, second = publish(), publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[first])
    awslambda.get_function(FunctionName=function)
    awslambda.publish_version(FunctionName=function)
    awslambda.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
    awslambda.update_function_configuration(FunctionName=function, Layers=[second])
    aws.answer_invocations("api", lambda seen: json.dumps([seen.version, seen.layers]).encode())

    through_alias = awslambda.invoke(FunctionName=function, Qualifier="live")
    assert json.loads(through_alias["Payload"].read()) == ["1", [first]]
    assert through_alias["ExecutedVersion"] == "1"
    latest = awslambda.invoke(FunctionName=function)
    assert json.loads(latest["Payload"].read()) == ["$LATEST", [second]]


def test_the_previous_layers_are_used_while_an_update_is_in_progress(
    aws, clock, awslambda, function, publish
):
    aws.cloud.update_seconds = 30.0
    aws.answer_invocations("api", lambda seen: json.dumps(seen.layers).encode())
    arn = publish()
    awslambda.update_function_configuration(FunctionName=function, Layers=[arn])
    assert json.loads(awslambda.invoke(FunctionName=function)["Payload"].read()) == []
    clock.pass_seconds(30)
    assert json.loads(awslambda.invoke(FunctionName=function)["Payload"].read()) == [arn]


def test_an_exception_of_a_handler_is_a_function_error(aws, awslambda, function):
    def broken(_invocation):
        raise ImportError("No module named 'numpy'")

    aws.answer_invocations("api", broken)
    answer = awslambda.invoke(FunctionName=function)
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read()) == {
        "errorMessage": "No module named 'numpy'",
        "errorType": "ImportError",
    }
    assert awslambda.invoke(FunctionName=function, InvocationType="Event")["StatusCode"] == 202
    assert awslambda.invoke(FunctionName=function, InvocationType="DryRun")["StatusCode"] == 204


def test_a_missing_or_pending_function_cannot_be_invoked(aws, awslambda, function, refused):
    with refused(404, "ResourceNotFoundException"):
        awslambda.invoke(FunctionName="nobody")
    aws.cloud.update_seconds = 30.0
    awslambda.publish_version(FunctionName=function)
    with refused(409, "ResourceConflictException", "Pending"):
        awslambda.invoke(FunctionName=function, Qualifier="1")
