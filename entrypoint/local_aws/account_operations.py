"""Lambda's operations on concurrency, event sources and the account. Same form as those on functions."""

from __future__ import annotations

from typing import Any

from entrypoint.local_aws import function_kinds as kinds
from entrypoint.local_aws import function_rules as rules
from entrypoint.local_aws.archive import UNZIPPED_LIMIT, ZIPPED_LIMIT
from entrypoint.local_aws.arns import LATEST, Scope
from entrypoint.local_aws.paging import page
from entrypoint.local_aws.refusals import Refusal, invalid_parameter
from entrypoint.local_aws.state import Cloud, ProvisionedConcurrency, StoredFunction, StoredRegion

Json = dict[str, Any]

CONCURRENCY = 1_000  # the default for an account in a region
UNRESERVED_MINIMUM = 100  # docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
CODE_STORAGE = 80_530_636_800  # the service model's own example of GetAccountSettings


def get_account_settings(cloud: Cloud, caller: Scope, _given: Json) -> Json:
    """Return the limits and their usage."""
    region = cloud.region(caller)
    return {
        "AccountLimit": {
            "TotalCodeSize": CODE_STORAGE,
            "CodeSizeUnzipped": UNZIPPED_LIMIT,
            "CodeSizeZipped": ZIPPED_LIMIT,
            "ConcurrentExecutions": CONCURRENCY,
            "UnreservedConcurrentExecutions": CONCURRENCY - _reserved(region),
        },
        "AccountUsage": {"TotalCodeSize": _stored(region), "FunctionCount": len(region.functions)},
    }


def _reserved(region: StoredRegion) -> int:
    return sum(function.reserved or 0 for function in region.functions.values())


def _stored(region: StoredRegion) -> int:
    versions = (version for layer in region.layers.values() for version in layer.versions.values())
    layers = sum(version.archive.size for version in versions if version.object is None)
    code = sum(v.code.size for f in region.functions.values() for v in (f.latest, *f.versions.values()))
    return layers + code


def put_function_concurrency(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Reserve concurrency; 0 stops all invocations."""
    function = rules.find_unqualified(cloud, caller, given)
    kinds.refuse_concurrency(function.latest)
    requested: int = given["ReservedConcurrentExecutions"]
    others = _reserved(cloud.region(caller)) - (function.reserved or 0)
    if CONCURRENCY - others - requested < UNRESERVED_MINIMUM:
        raise invalid_parameter(
            "Specified ReservedConcurrentExecutions for function decreases account's "
            f"UnreservedConcurrentExecution below its minimum value of [{UNRESERVED_MINIMUM}]."
        )
    if sum(each.requested for each in function.provisioned.values()) > requested:
        raise invalid_parameter(
            "ReservedConcurrentExecutions should not be lower than the provisioned concurrency"
        )
    function.reserved = requested
    return {"ReservedConcurrentExecutions": requested}


def delete_function_concurrency(cloud: Cloud, caller: Scope, given: Json) -> None:
    """Remove the reservation."""
    rules.find_unqualified(cloud, caller, given).reserved = None


def get_function_concurrency(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return the reserved concurrency; an empty answer if there is none."""
    reserved = rules.find_unqualified(cloud, caller, given).reserved
    return {} if reserved is None else {"ReservedConcurrentExecutions": reserved}


def put_provisioned_concurrency_config(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Request provisioned concurrency for a version or alias; it is READY after `update_seconds`."""
    function, qualifier = _version_or_alias(cloud, caller, given)
    kinds.refuse_concurrency(function.latest)
    requested: int = given["ProvisionedConcurrentExecutions"]
    if qualifier in function.aliases and function.aliases[qualifier].weights:
        raise invalid_parameter("Alias with weights can not be used with Provisioned Concurrency")
    others = sum(each.requested for name, each in function.provisioned.items() if name != qualifier)
    if function.reserved is not None and others + requested > function.reserved:
        raise invalid_parameter(
            "Requested Provisioned Concurrency should not be greater than the "
            "reservedConcurrentExecution for function"
        )
    config = ProvisionedConcurrency(
        requested=requested, ready_from=cloud.clock() + cloud.update_seconds, last_modified=cloud.now()
    )
    function.provisioned[qualifier] = config
    return {**_progress(config, ready=False), "LastModified": config.last_modified}


def get_provisioned_concurrency_config(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return the status of the provisioned concurrency."""
    function, qualifier = _version_or_alias(cloud, caller, given)
    config = function.provisioned.get(qualifier)
    if config is None:
        raise Refusal(
            404,
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
    ready = cloud.clock() >= config.ready_from
    return {**_progress(config, ready=ready), "LastModified": config.last_modified}


def delete_provisioned_concurrency_config(cloud: Cloud, caller: Scope, given: Json) -> None:
    """Remove the provisioned concurrency of a version or alias."""
    function, qualifier = _version_or_alias(cloud, caller, given)
    function.provisioned.pop(qualifier, None)


def list_provisioned_concurrency_configs(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List the provisioned concurrency of all versions and aliases of a function."""
    function = rules.find_unqualified(cloud, caller, given)
    items = [
        {
            "FunctionArn": caller.arn("function", function.name, qualifier),
            **_progress(config, ready=cloud.clock() >= config.ready_from),
            "LastModified": config.last_modified,
        }
        for qualifier, config in function.provisioned.items()
    ]
    shown, rest = page(items, given)
    return {"ProvisionedConcurrencyConfigs": shown, **rest}


def _progress(config: ProvisionedConcurrency, *, ready: bool) -> Json:
    available = config.requested if ready else 0
    return {
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AvailableProvisionedConcurrentExecutions": available,
        "AllocatedProvisionedConcurrentExecutions": available,
        "Status": "READY" if ready else "IN_PROGRESS",
    }


def _version_or_alias(cloud: Cloud, caller: Scope, given: Json) -> tuple[StoredFunction, str]:
    function, qualifier = rules.find_function(cloud, caller, given)
    if qualifier in {None, LATEST}:
        raise invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions."
        )
    rules.find_version_of(caller, function, qualifier)
    return function, str(qualifier)


def put_function_event_invoke_config(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Set how asynchronous events are retried, and where failed ones go."""
    function, _ = rules.find_function(cloud, caller, given)
    kept = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
    function.event_invoke = {key: given[key] for key in kept if key in given}
    function.event_invoke["LastModified"] = cloud.clock()
    return get_function_event_invoke_config(cloud, caller, given)


def get_function_event_invoke_config(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """Return the same; not found where it was never set."""
    function, _ = rules.find_function(cloud, caller, given)
    arn = caller.arn("function", function.name, LATEST)
    if not function.event_invoke:
        message = f"The function {arn} doesn't have an EventInvokeConfig"
        raise Refusal(404, "ResourceNotFoundException", message)
    return {**function.event_invoke, "FunctionArn": arn}


def list_event_source_mappings(cloud: Cloud, caller: Scope, given: Json) -> Json:
    """List the event sources of one function, or of all."""
    only = rules.find_unqualified(cloud, caller, given) if "FunctionName" in given else None
    items = [
        {"FunctionArn": caller.arn("function", function.name), "EventSourceArn": source, "State": "Enabled"}
        for function in cloud.region(caller).functions.values()
        for source in function.sources
        if only is None or only is function
    ]
    shown, rest = page(items, given)
    return {"EventSourceMappings": shown, **rest}
