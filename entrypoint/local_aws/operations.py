"""The supported Lambda operations, by their names in the service model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from entrypoint.local_aws import account_operations as account
from entrypoint.local_aws import custom_runtimes as runtimes
from entrypoint.local_aws import durable_executions
from entrypoint.local_aws import function_operations as functions
from entrypoint.local_aws import layer_operations as layers
from entrypoint.local_aws import version_operations as versions
from entrypoint.local_aws.arns import Scope
from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]
Operation = Callable[[Cloud, Scope, Json], Json | None]

OPERATIONS: Mapping[str, Operation] = {
    "AddLayerVersionPermission": layers.add_layer_version_permission,
    "CreateAlias": versions.create_alias,
    "CreateFunction": functions.create_function,
    "DeleteFunction": functions.delete_function,
    "DeleteFunctionConcurrency": account.delete_function_concurrency,
    "DeleteLayerVersion": layers.delete_layer_version,
    "DeleteProvisionedConcurrencyConfig": account.delete_provisioned_concurrency_config,
    "GetAccountSettings": account.get_account_settings,
    "GetAlias": versions.get_alias,
    "GetFunction": functions.get_function,
    "GetFunctionConcurrency": account.get_function_concurrency,
    "GetFunctionConfiguration": functions.get_function_configuration,
    "GetFunctionEventInvokeConfig": account.get_function_event_invoke_config,
    "GetLayerVersion": layers.get_layer_version,
    "GetLayerVersionByArn": layers.get_layer_version_by_arn,
    "GetLayerVersionPolicy": layers.get_layer_version_policy,
    "GetProvisionedConcurrencyConfig": account.get_provisioned_concurrency_config,
    "GetRuntimeAlias": runtimes.get_runtime_alias,
    "ListAliases": versions.list_aliases,
    "ListDurableExecutionsByFunction": durable_executions.list_durable_executions_by_function,
    "ListEventSourceMappings": account.list_event_source_mappings,
    "ListFunctions": functions.list_functions,
    "ListLayerVersions": layers.list_layer_versions,
    "ListProvisionedConcurrencyConfigs": account.list_provisioned_concurrency_configs,
    "ListVersionsByFunction": functions.list_versions_by_function,
    "PublishLayerVersion": layers.publish_layer_version,
    "PublishVersion": versions.publish_version,
    "PutFunctionConcurrency": account.put_function_concurrency,
    "PutFunctionEventInvokeConfig": account.put_function_event_invoke_config,
    "PutProvisionedConcurrencyConfig": account.put_provisioned_concurrency_config,
    "RemoveLayerVersionPermission": layers.remove_layer_version_permission,
    "UpdateAlias": versions.update_alias,
    "UpdateFunctionCode": functions.update_function_code,
    "UpdateFunctionConfiguration": functions.update_function_configuration,
}
