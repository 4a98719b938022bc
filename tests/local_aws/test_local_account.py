"""Concurrency, account settings, and unsupported operations."""

import pytest

REFUSED = "InvalidParameterValueException"


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def test_reserved_concurrency(awslambda, function):
    assert "ReservedConcurrentExecutions" not in awslambda.get_function_concurrency(FunctionName=function)
    assert "Concurrency" not in awslambda.get_function(FunctionName=function)
    awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=50)
    read = awslambda.get_function_concurrency(FunctionName=function)
    assert read["ReservedConcurrentExecutions"] == 50
    assert awslambda.get_function(FunctionName=function)["Concurrency"] == {
        "ReservedConcurrentExecutions": 50
    }
    limits = awslambda.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 950)


def test_a_hundred_must_stay_unreserved(aws, awslambda, function, refused):
    other = aws.declare_function("other")
    awslambda.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=500)
    awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=400)
    with refused(400, REFUSED, "minimum value of [100]"):
        awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=401)


def test_provisioned_concurrency_becomes_ready(aws, clock, awslambda, function, refused):
    aws.cloud.update_seconds = 30.0
    awslambda.publish_version(FunctionName=function)
    version = {"FunctionName": function, "Qualifier": "1"}
    with refused(404, "ProvisionedConcurrencyConfigNotFoundException"):
        awslambda.get_provisioned_concurrency_config(**version)

    answer = awslambda.put_provisioned_concurrency_config(**version, ProvisionedConcurrentExecutions=5)
    assert (answer["Status"], answer["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    clock.pass_seconds(30)
    read = awslambda.get_provisioned_concurrency_config(**version)
    assert (read["Status"], read["AvailableProvisionedConcurrentExecutions"]) == ("READY", 5)


def test_invalid_provisioned_concurrency_is_refused(awslambda, function, refused):
    awslambda.publish_version(FunctionName=function)
    awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=5)
    for qualifier, amount, status, code in [
        ("$LATEST", 5, 400, REFUSED),
        ("1", 6, 400, REFUSED),
        ("9", 5, 404, "ResourceNotFoundException"),
    ]:
        with refused(status, code):
            awslambda.put_provisioned_concurrency_config(
                FunctionName=function, Qualifier=qualifier, ProvisionedConcurrentExecutions=amount
            )


@pytest.mark.usefixtures("function")
def test_account_usage(awslambda, publish):
    before = awslambda.get_account_settings()["AccountUsage"]
    publish()
    after = awslambda.get_account_settings()["AccountUsage"]
    assert before["FunctionCount"] == after["FunctionCount"] == 1
    assert after["TotalCodeSize"] > before["TotalCodeSize"]
    assert awslambda.get_account_settings()["AccountLimit"]["CodeSizeUnzipped"] == 262_144_000


def test_an_unsupported_operation_is_named(awslambda, function, refused):
    with refused(501, "NotImplementedException", "GetRuntimeManagementConfig"):
        awslambda.get_runtime_management_config(FunctionName="api")
    with refused(501, "NotImplementedException", "ListTags"):
        awslambda.list_tags(Resource=function)
