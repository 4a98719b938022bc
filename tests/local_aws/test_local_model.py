"""Calls every operation, and validates each response against botocore's model of Lambda.

The fixture `wiretap` does the same in every other test here; this one covers every operation.
"""

import pytest

from entrypoint.local_aws.operations import OPERATIONS

READ = "lambda:GetLayerVersion"


def tour(awslambda, make_zip):
    """Call every operation, in an order in which all succeed."""
    layers(awslambda, make_zip)
    functions(awslambda, make_zip)
    versions(awslambda)
    the_rest(awslambda)


def layers(awslambda, make_zip):
    version = {"LayerName": "web", "VersionNumber": 1}
    awslambda.publish_layer_version(
        LayerName="web",
        Content={"ZipFile": make_zip({"python/a.py": b"a"})},
        Description="d",
        LicenseInfo="MIT",
        CompatibleRuntimes=["python3.13"],
        CompatibleArchitectures=["x86_64"],
    )
    read = awslambda.get_layer_version(**version)
    awslambda.get_layer_version_by_arn(Arn=read["LayerVersionArn"])
    awslambda.list_layer_versions(LayerName="web")
    awslambda.add_layer_version_permission(**version, StatementId="s", Action=READ, Principal="*")
    awslambda.get_layer_version_policy(**version)
    awslambda.remove_layer_version_permission(**version, StatementId="s")


def functions(awslambda, make_zip):
    code = make_zip({"app.py": b"a"})
    awslambda.create_function(
        FunctionName="api",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::123456789012:role/api",
        Code={"ZipFile": code},
        Layers=["arn:aws:lambda:eu-west-1:123456789012:layer:web:1"],
        VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        Environment={"Variables": {"MODE": "b"}},
        SnapStart={"ApplyOn": "PublishedVersions"},
        LoggingConfig={"LogFormat": "JSON"},
        Tags={"a": "b"},
    )
    awslambda.update_function_configuration(FunctionName="api", MemorySize=256)
    awslambda.update_function_code(FunctionName="api", ZipFile=code)
    awslambda.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=5)
    awslambda.get_function(FunctionName="api")
    awslambda.get_function_configuration(FunctionName="api")
    awslambda.list_functions(FunctionVersion="ALL")


def versions(awslambda):
    first = {"FunctionName": "api", "Qualifier": "1"}
    awslambda.publish_version(FunctionName="api")
    awslambda.update_function_configuration(FunctionName="api", MemorySize=512)
    awslambda.get_function(FunctionName="api")
    awslambda.publish_version(FunctionName="api")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    awslambda.create_alias(FunctionName="api", Name="live", FunctionVersion="1", RoutingConfig=weights)
    awslambda.get_alias(FunctionName="api", Name="live")
    awslambda.list_versions_by_function(FunctionName="api")
    awslambda.update_alias(FunctionName="api", Name="live", FunctionVersion="1")
    awslambda.put_provisioned_concurrency_config(**first, ProvisionedConcurrentExecutions=1)
    awslambda.get_provisioned_concurrency_config(**first)
    awslambda.list_provisioned_concurrency_configs(FunctionName="api")
    awslambda.list_aliases(FunctionName="api")
    awslambda.delete_provisioned_concurrency_config(**first)


def the_rest(awslambda):
    awslambda.list_event_source_mappings()
    awslambda.list_durable_executions_by_function(FunctionName="api")
    awslambda.get_function_concurrency(FunctionName="api")
    awslambda.delete_function_concurrency(FunctionName="api")
    awslambda.get_account_settings()
    awslambda.put_function_event_invoke_config(FunctionName="api", MaximumRetryAttempts=1)
    awslambda.get_function_event_invoke_config(FunctionName="api")
    awslambda.delete_layer_version(LayerName="web", VersionNumber=1)
    awslambda.delete_function(FunctionName="api")


def test_every_operation_answers_as_modelled(aws, client, awslambda, make_zip, wiretap):
    tour(awslambda, make_zip)
    aws.declare_runtime("company-python", "stable")
    client("lambda-core").get_runtime_alias(RuntimeName="company-python", Name="stable")
    assert {exchange.operation for exchange in wiretap.exchanges if exchange.error is None} == set(OPERATIONS)
    assert [exchange for exchange in wiretap.exchanges if exchange.error is not None] == []


FUNCTION = {"FunctionName": "nobody"}
MISSING = {
    "create_alias": {**FUNCTION, "Name": "live", "FunctionVersion": "1"},
    "delete_function": FUNCTION,
    "delete_function_concurrency": FUNCTION,
    "delete_provisioned_concurrency_config": {**FUNCTION, "Qualifier": "1"},
    "get_alias": {**FUNCTION, "Name": "live"},
    "get_function": FUNCTION,
    "get_function_concurrency": FUNCTION,
    "get_function_configuration": FUNCTION,
    "get_function_event_invoke_config": FUNCTION,
    "put_function_event_invoke_config": FUNCTION,
    "get_layer_version": {"LayerName": "nobody", "VersionNumber": 1},
    "get_layer_version_by_arn": {"Arn": "arn:aws:lambda:eu-west-1:123456789012:layer:nobody:1"},
    "get_layer_version_policy": {"LayerName": "nobody", "VersionNumber": 1},
    "get_provisioned_concurrency_config": {**FUNCTION, "Qualifier": "1"},
    "list_aliases": FUNCTION,
    "list_provisioned_concurrency_configs": FUNCTION,
    "list_versions_by_function": FUNCTION,
    "publish_version": FUNCTION,
    "put_function_concurrency": {**FUNCTION, "ReservedConcurrentExecutions": 1},
    "put_provisioned_concurrency_config": {
        **FUNCTION,
        "Qualifier": "1",
        "ProvisionedConcurrentExecutions": 1,
    },
    "remove_layer_version_permission": {
        "LayerName": "nobody",
        "VersionNumber": 1,
        "StatementId": "s",
    },
    "update_alias": {**FUNCTION, "Name": "live"},
    "update_function_code": {**FUNCTION, "ZipFile": b"x"},
    "update_function_configuration": FUNCTION,
}


@pytest.mark.parametrize("operation", sorted(MISSING))
def test_missing_resources_are_not_found(awslambda, refused, operation):
    with refused(404, "ResourceNotFoundException", "nobody" if "Function" in str(MISSING[operation]) else ""):
        getattr(awslambda, operation)(**MISSING[operation])
