"""Concurrency, tags, account settings, and what this service does not know."""

import pytest

REFUSED = "InvalidParameterValueException"


@pytest.fixture
def function(aws):
    return aws.declare_function("api")


def test_reserved_concurrency_comes_and_goes(awslambda, function):
    assert "ReservedConcurrentExecutions" not in awslambda.get_function_concurrency(FunctionName=function)
    awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=50)
    read = awslambda.get_function_concurrency(FunctionName=function)
    assert read["ReservedConcurrentExecutions"] == 50
    assert awslambda.get_function(FunctionName=function)["Concurrency"] == {
        "ReservedConcurrentExecutions": 50
    }
    limits = awslambda.get_account_settings()["AccountLimit"]
    assert (limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]) == (1000, 950)
    awslambda.delete_function_concurrency(FunctionName=function)
    assert "Concurrency" not in awslambda.get_function(FunctionName=function)


def test_a_hundred_must_stay_unreserved(aws, awslambda, function, refused):
    other = aws.declare_function("other")
    awslambda.put_function_concurrency(FunctionName=other, ReservedConcurrentExecutions=500)
    awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=400)
    with refused(400, REFUSED, "minimum value of [100]"):
        awslambda.put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=401)


def test_provisioned_concurrency_gets_ready(aws, clock, awslambda, function, refused):
    aws.cloud.update_seconds = 30.0
    awslambda.publish_version(FunctionName=function)
    asked = {"FunctionName": function, "Qualifier": "1"}
    with refused(404, "ProvisionedConcurrencyConfigNotFoundException"):
        awslambda.get_provisioned_concurrency_config(**asked)

    answer = awslambda.put_provisioned_concurrency_config(**asked, ProvisionedConcurrentExecutions=5)
    assert (answer["Status"], answer["AvailableProvisionedConcurrentExecutions"]) == ("IN_PROGRESS", 0)
    clock.pass_seconds(30)
    read = awslambda.get_provisioned_concurrency_config(**asked)
    assert (read["Status"], read["AvailableProvisionedConcurrentExecutions"]) == ("READY", 5)
    awslambda.delete_provisioned_concurrency_config(**asked)
    with refused(404, "ProvisionedConcurrencyConfigNotFoundException"):
        awslambda.get_provisioned_concurrency_config(**asked)


def test_provisioned_concurrency_has_its_rules(awslambda, function, refused):
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


def test_tags_are_added_and_taken_away(awslambda, function, refused):
    awslambda.tag_resource(Resource=function, Tags={"team": "web", "stage": "dev"})
    awslambda.untag_resource(Resource=function, TagKeys=["team", "never-there"])
    assert awslambda.list_tags(Resource=function)["Tags"] == {"stage": "dev"}
    with refused(404, "ResourceNotFoundException"):
        awslambda.list_tags(Resource=function + "-other")
    with refused(400, "ValidationException"):
        awslambda.list_tags(Resource="arn:aws:lambda:eu-west-1:123456789012:layer:web")


@pytest.mark.usefixtures("function")
def test_the_account_counts_what_it_stores(awslambda, publish):
    before = awslambda.get_account_settings()["AccountUsage"]
    publish()
    after = awslambda.get_account_settings()["AccountUsage"]
    assert before["FunctionCount"] == after["FunctionCount"] == 1
    assert after["TotalCodeSize"] > before["TotalCodeSize"]
    assert awslambda.get_account_settings()["AccountLimit"]["CodeSizeUnzipped"] == 262_144_000


def test_an_operation_that_is_not_there_is_named(awslambda, refused):
    with refused(501, "NotImplementedException", "GetRuntimeManagementConfig"):
        awslambda.get_runtime_management_config(FunctionName="api")
