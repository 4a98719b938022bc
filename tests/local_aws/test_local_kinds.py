"""Functions on managed instances, durable ones, and those on customer-managed runtimes, as AWS treats them."""

import pytest

REFUSED = "InvalidParameterValueException"
PUBLISHED = "$LATEST.PUBLISHED"
PROVIDER = "arn:aws:lambda:eu-west-1:123456789012:capacity-provider:fleet"
MANAGED = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER}
    }
}
CUSTOM = {
    "RuntimeArn": "arn:aws:lambda:eu-west-1:123456789012:runtime/company-python",
    "RuntimeAlias": "stable",
}


@pytest.fixture
def create(awslambda, make_zip):
    def create_function(**more):
        given = {
            "FunctionName": "api",
            "Role": "arn:aws:iam::123456789012:role/api",
            "Runtime": "python3.13",
            "Handler": "a.b",
            "Code": {"ZipFile": make_zip({"a.py": b"b = None"})},
        }
        return awslambda.create_function(**given | more)

    return create_function


def publish(awslambda, **more):
    return awslambda.publish_version(FunctionName="api", PublishTo="LATEST_PUBLISHED", **more)


def configuration(awslambda, qualifier):
    return awslambda.get_function(FunctionName="api", Qualifier=qualifier)["Configuration"]


class TestManagedInstances:
    def test_latest_cannot_be_invoked(self, awslambda, create, refused):
        assert create(**MANAGED)["State"] == "ActiveNonInvocable"
        with refused(409, "ResourceConflictException", "ActiveNonInvocable"):
            awslambda.invoke(FunctionName="api", Qualifier="$LATEST")

    def test_callers_reach_what_was_published_last(self, awslambda, create, refused):
        create(**MANAGED)
        with refused(400, "NoPublishedVersionException"):
            awslambda.invoke(FunctionName="api")
        made = publish(awslambda)
        assert (made["Version"], made["FunctionArn"].endswith(":api:" + PUBLISHED)) == (PUBLISHED, True)
        assert awslambda.invoke(FunctionName="api")["ExecutedVersion"] == PUBLISHED
        awslambda.update_function_configuration(FunctionName="api", MemorySize=4096)
        assert configuration(awslambda, PUBLISHED)["MemorySize"] == 128
        publish(awslambda)
        assert configuration(awslambda, PUBLISHED)["MemorySize"] == 4096

    def test_it_is_pending_while_instances_start(self, aws, clock, awslambda, create, refused):
        create(**MANAGED)
        aws.cloud.update_seconds = 120.0
        assert publish(awslambda)["State"] == "Pending"
        with refused(409, "ResourceConflictException", "Pending"):
            awslambda.invoke(FunctionName="api")
        clock.pass_seconds(120)
        assert configuration(awslambda, PUBLISHED)["State"] == "Active"

    def test_instances_that_do_not_start(self, aws, awslambda, create, refused):
        create(**MANAGED)
        aws.fail_next_start("api")
        assert publish(awslambda)["StateReasonCode"] == "InsufficientCapacity"
        assert configuration(awslambda, PUBLISHED)["State"] == "Failed"
        with refused(409, "ResourceConflictException", "Failed"):
            awslambda.invoke(FunctionName="api")

    def test_what_is_refused(self, awslambda, create, refused):
        with refused(400, REFUSED, "not supported with a capacity provider"):
            create(Runtime="python3.12", **MANAGED)
        create()
        with refused(400, REFUSED, "PublishTo"):
            publish(awslambda)
        with refused(404, "ResourceNotFoundException"):
            configuration(awslambda, PUBLISHED)
        with refused(400, REFUSED, "only be set when the function is created"):
            awslambda.update_function_configuration(FunctionName="api", **MANAGED)

    def test_there_is_no_concurrency_to_reserve(self, awslambda, create, refused):
        create(**MANAGED)
        with refused(400, REFUSED, "concurrency"):
            awslambda.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=5)


def test_a_durable_function_is_invoked_with_a_qualifier(awslambda, create, refused):
    create(DurableConfig={"ExecutionTimeout": 3600})
    with refused(400, REFUSED, "unqualified"):
        awslambda.invoke(FunctionName="api")
    assert awslambda.invoke(FunctionName="api", Qualifier="$LATEST")["ExecutedVersion"] == "$LATEST"


def test_the_executions_of_a_durable_function(aws, awslambda, create):
    create(DurableConfig={"ExecutionTimeout": 3600})
    awslambda.publish_version(FunctionName="api")
    aws.declare_executions("api", "RUNNING", "a", "b")
    aws.declare_executions("api", "PAUSED", "c", version="1")
    aws.declare_executions("api", "SUCCEEDED", "d")

    def names(**which):
        found = awslambda.list_durable_executions_by_function(FunctionName="api", **which)
        return [each["DurableExecutionName"] for each in found["DurableExecutions"]]

    assert names() == ["a", "b", "c", "d"]
    assert names(Qualifier="$LATEST", Statuses=["RUNNING", "PAUSED"]) == ["a", "b"]
    assert names(Qualifier="1") == ["c"]


def test_a_custom_runtime_is_given_with_its_configuration(awslambda, create, refused):
    with refused(400, REFUSED, "RuntimeConfig"):
        create(Runtime="custom")
    with refused(400, REFUSED, "RuntimeConfig"):
        create(RuntimeConfig=CUSTOM)
    create(Runtime="custom", RuntimeConfig=CUSTOM)
    (listed,) = awslambda.list_functions()["Functions"]
    assert (listed["Runtime"], listed["RuntimeConfig"]) == ("custom", CUSTOM)


def test_the_owner_of_a_runtime_blocks_updates(aws, clock, client, awslambda, create, refused):
    clock.now = 1_796_000_000.0  # 2026-11-29
    arn = aws.declare_runtime("company-python", "stable", {"FunctionUpdateBlockDate": "2026-12-01"})
    create(Runtime="custom", RuntimeConfig=CUSTOM)
    core = client("lambda-core")
    for name in (arn, "company-python"):
        found = core.get_runtime_alias(RuntimeName=name, Name="stable")
        assert found["ReleaseLifecycle"] == {"FunctionUpdateBlockDate": "2026-12-01"}
    with refused(404, "ResourceNotFoundException"):
        core.get_runtime_alias(RuntimeName=arn, Name="beta")
    awslambda.update_function_configuration(FunctionName="api", MemorySize=256)
    clock.pass_seconds(3 * 86_400)
    with refused(400, REFUSED, "no longer supports updates"):
        awslambda.update_function_configuration(FunctionName="api", MemorySize=512)
