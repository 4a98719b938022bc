"""Functions: their configuration, tags and invocation."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import (
    MOST_EXECUTIONS,
    PUBLISHED,
    SETTINGS,
    SETTINGS_WITH_DEFAULTS,
    CustomRuntime,
    Function,
    StaleRevisionError,
    StillUpdatingError,
)
from entrypoint.aws.reasons import hint_for
from entrypoint.errors import RolloutError
from entrypoint.manifest.arn import Arn, is_arn
from entrypoint.manifest.model import Vpc

_LONGEST_UPDATE = 900.0
"""Seconds; an update that attaches a VPC takes minutes."""
_POLL, _LATER_POLL = 1.0, 5.0
"""Seconds between two looks at an update, in its first minute and later."""
_SHORT_UPDATE = 60.0
_TENANT = "lambda-layers"
"""The tenant of health checks. https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html"""
_COLD_START = 60
"""Seconds to wait for a response beyond the timeout of a function."""
_STREAMS = {"kinesis", "dynamodb", "rds"}
"""The services of event sources with an iterator; DocumentDB's clusters have rds in their ARNs."""


class Functions:
    """Reads, updates and invokes functions."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def all(self) -> Iterator[Function]:
        """Yield every function of the account and region."""
        for page in self._connection.pages("list_functions"):
            for item in page["Functions"]:
                yield function_of(item)

    def get(self, name: str) -> Function:
        """Return a function, once no update of it is in progress."""
        return function_of(self._settled(name))

    def described(self, name: str) -> tuple[Function, int | None] | None:
        """Return a function and its reserved concurrent executions; None if it does not exist."""
        answer = self._connection.call.if_present("get_function", FunctionName=name)
        if answer is None:
            return None
        reserved = answer.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        return function_of(answer["Configuration"]), reserved

    def published(self, name: str) -> Function | None:
        """Return what callers of a function on managed instances reach; None if nothing is published."""
        answer = self._connection.call.if_present("get_function", FunctionName=name, Qualifier=PUBLISHED)
        return function_of(answer["Configuration"]) if answer else None

    def running_executions(self, function: Function) -> int:
        """Return how many executions of a durable function an update affects, if they are not too many.

        Those that began on a numbered version go on with that.
        """
        which = {"FunctionName": function.name, "Qualifier": PUBLISHED if function.is_managed else "$LATEST"}
        found = 0
        marker: dict[str, str] = {}
        while found < MOST_EXECUTIONS:
            page = self._connection.call(
                "list_durable_executions_by_function",
                Statuses=["RUNNING", "PAUSING", "PAUSED"],
                MaxItems=MOST_EXECUTIONS,
                **which,
                **marker,
            )
            found += len(page["DurableExecutions"])
            if not page.get("NextMarker"):
                break
            marker = {"Marker": page["NextMarker"]}
        return found

    def versions(self, name: str) -> tuple[Function, ...]:
        """Return the published versions of a function, newest first."""
        pages = self._connection.pages("list_versions_by_function", FunctionName=name)
        found = [function_of(item) for page in pages for item in page["Versions"]]
        return tuple(version for version in reversed(found) if version.version.isdecimal())

    def layers_in_use(self, *, without: Collection[str] = ()) -> frozenset[str]:
        """Return the ARNs of the layer versions that functions or published versions use.

        `without` are published versions that do not count, as NAME:VERSION.
        """
        pages = self._connection.pages("list_functions", FunctionVersion="ALL")
        items = [item for page in pages for item in page["Functions"]]
        listed = (
            arn
            for item in items
            if f"{item['FunctionName']}:{item.get('Version')}" not in without
            for arn in layers_of(item)
        )
        # AWS does not document whether the list contains $LATEST.PUBLISHED.
        managed = {item["FunctionName"] for item in items if "CapacityProviderConfig" in item}
        published = (self.published(name) for name in sorted(managed))
        return frozenset(listed).union(*(each.layers for each in published if each))

    def delete_version(self, name: str, version: str) -> None:
        """Delete a published version; does nothing where it is deleted already.

        Raises:
            ConflictError: an alias uses it.
        """
        self._connection.call.if_present("delete_function", FunctionName=name, Qualifier=version)

    def with_streams(self) -> frozenset[str]:
        """Return the names of the functions that read a stream: Kinesis, DynamoDB or DocumentDB."""
        return frozenset(
            Arn.parse(mapping["FunctionArn"]).name
            for page in self._connection.pages("list_event_source_mappings")
            for mapping in page["EventSourceMappings"]
            if _service_of(mapping.get("EventSourceArn", "")) in _STREAMS
        )

    def tags(self) -> Mapping[str, Mapping[str, str]]:
        """Return the tags of the functions that have any, by ARN."""
        pages = self._connection.paginate(
            "resourcegroupstaggingapi", "get_resources", ResourceTypeFilters=["lambda:function"]
        )
        return {
            item["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]}
            for page in pages
            for item in page["ResourceTagMappingList"]
        }

    def update(self, function: Function, layers: tuple[str, ...], vpc: Vpc | None = None) -> Function:
        """Set a function's layers, and its VPC where one is given; return it once the update has succeeded.

        Raises:
            UpdateInProgressError, StaleRevisionError: the function has to be read again first.
            RolloutError: AWS accepted the update and could not carry it out, or refuses it.
        """
        if not function.revision_id:  # as lists may leave it out
            raise StaleRevisionError(function.name)
        self._connection.call(
            "update_function_configuration",
            FunctionName=function.name,
            Layers=list(layers),
            RevisionId=function.revision_id,
            **({"VpcConfig": _vpc_config(vpc)} if vpc else {}),
        )
        configuration = self._settled(function.name)
        if configuration.get("LastUpdateStatus") == "Failed":
            reason = configuration.get("LastUpdateStatusReason", "AWS gives no reason")
            code = configuration.get("LastUpdateStatusReasonCode", "no code")
            message = f"the update of {function.name} failed: {reason} ({code})"
            raise RolloutError.of(message, f"it keeps its previous configuration; {hint_for(code)}")
        return function_of(configuration)

    def invoke(self, name: str, qualifier: str | None, payload: bytes) -> bytes:
        """Invoke a function once, for at most its own timeout, and return its response.

        Only throttled invocations are repeated, for at most a minute: others may have done something.

        Raises:
            RolloutError: it fails, or AWS refuses to invoke it.
            AwsError: there is no answer.
        """
        which = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
        configuration = self._connection.call("get_function", **which)["Configuration"]
        if "DurableConfig" in configuration and not qualifier:  # AWS requires one
            which["Qualifier"] = PUBLISHED if "CapacityProviderConfig" in configuration else "$LATEST"
        timeout = configuration.get("Timeout", 0)
        # A function with an environment for each tenant refuses invocations that name none.
        tenant = {"TenantId": _TENANT} if "TenancyConfig" in configuration else {}
        content, is_error = self._connection.invoke(timeout + _COLD_START, Payload=payload, **which, **tenant)
        if is_error:
            about = f"{name}:{qualifier}" if qualifier else name
            message = f"the invocation of {about} failed: {content.decode('utf-8', 'replace')[:300]}"
            raise RolloutError.of(message, "fix the function and run again")
        return content

    def _settled(self, name: str) -> dict[str, Any]:
        """Return a function's configuration once it is neither being created nor being updated."""
        clock = self._connection.clock
        start = clock()
        deadline = start + _LONGEST_UPDATE
        while clock() < deadline:
            answer = self._connection.call("get_function", FunctionName=name)
            configuration: dict[str, Any] = answer["Configuration"]
            is_new = configuration.get("State") == "Pending"
            if not is_new and configuration.get("LastUpdateStatus") != "InProgress":
                return configuration
            self._connection.sleep(_POLL if clock() < start + _SHORT_UPDATE else _LATER_POLL)
        message = f"the update of {name} was still in progress after {_LONGEST_UPDATE:.0f} s"
        raise StillUpdatingError.of(message, "check the function in AWS, then run again")


def function_of(item: Mapping[str, Any]) -> Function:
    """Return the value of a function configuration: of $LATEST, or of a published version."""
    return Function(
        name=item["FunctionName"],
        arn=item["FunctionArn"],
        runtime=item.get("Runtime", ""),
        architecture=item.get("Architectures", ["x86_64"])[0],
        layers=layers_of(item),
        revision_id=item.get("RevisionId", ""),
        package_type=item.get("PackageType", "Zip"),
        custom_runtime=_custom_runtime(item),
        is_replica="MasterArn" in item,
        is_managed="CapacityProviderConfig" in item,
        is_durable="DurableConfig" in item,
        code_sha256=item.get("CodeSha256", ""),
        vpc=vpc_of(item),
        code_size=item.get("CodeSize", 0),
        layer_sizes=tuple(layer.get("CodeSize", 0) for layer in item.get("Layers", [])),
        role=item.get("Role", ""),
        timeout=item.get("Timeout", 0),
        memory=item.get("MemorySize", 0),
        version=item.get("Version", "$LATEST"),
        description=item.get("Description", ""),
        settings={name: _digest(value) for name, value in _settings(item) if value is not None},
        failure=_failure(item),
    )


def _custom_runtime(item: Mapping[str, Any]) -> CustomRuntime | None:
    given = item.get("RuntimeConfig")
    return CustomRuntime(given["RuntimeArn"], given["RuntimeAlias"]) if given else None


def _settings(item: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name in (*SETTINGS, *SETTINGS_WITH_DEFAULTS):
        value = item.get(name)
        yield name, value.get("ApplyOn") if name == "SnapStart" and value else value


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _failure(item: Mapping[str, Any]) -> str | None:
    if item.get("State") == "Failed" and item.get("Version", "$LATEST") != "$LATEST":
        reason = item.get("StateReason", "AWS gives no reason")
        return f"{reason} ({item.get('StateReasonCode', 'no code')})"
    if item.get("LastUpdateStatus") != "Failed":
        return None
    reason = item.get("LastUpdateStatusReason", "AWS gives no reason")
    return f"{reason} ({item.get('LastUpdateStatusReasonCode', 'no code')})"


def layers_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the layer version ARNs of a function configuration, in order."""
    return tuple(layer["Arn"] for layer in item.get("Layers", []))


def vpc_of(item: Mapping[str, Any]) -> Vpc | None:
    """Return the VPC settings of a function configuration."""
    given = item.get("VpcConfig", {})
    subnets, groups = sorted(given.get("SubnetIds", ())), sorted(given.get("SecurityGroupIds", ()))
    ipv6 = given.get("Ipv6AllowedForDualStack", False)
    return Vpc(tuple(subnets), tuple(groups), ipv6) if subnets else None


def _vpc_config(vpc: Vpc) -> dict[str, object]:
    """Return a complete VpcConfig, as the model does not say what AWS takes for what is left out."""
    return {
        "SubnetIds": list(vpc.subnets),
        "SecurityGroupIds": list(vpc.security_groups),
        "Ipv6AllowedForDualStack": vpc.ipv6,
    }


def _service_of(arn: str) -> str:
    return Arn.parse(arn).service if is_arn(arn) else ""
