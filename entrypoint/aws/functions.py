"""Functions as they are configured: answers of boto3 go in, values come out."""

from collections.abc import Iterator, Mapping
from typing import Any

from entrypoint.aws.client import Region
from entrypoint.aws.model import Function
from entrypoint.aws.reasons import hint_for
from entrypoint.errors import RolloutError
from entrypoint.manifest.model import Vpc

_LONGEST_UPDATE = 900.0
"""Seconds; an update that attaches a VPC takes minutes."""
_POLL = 1.0


class Functions(Region):
    """The calls about functions' configuration."""

    def functions(self) -> Iterator[Function]:
        """Yield every function of the region."""
        for page in self._pages("list_functions"):
            for item in page["Functions"]:
                yield function_of(item)

    def layers_in_use(self) -> frozenset[str]:
        """Return the ARNs of the layer versions that any function or published version has."""
        pages = self._pages("list_functions", FunctionVersion="ALL")
        return frozenset(arn for page in pages for item in page["Functions"] for arn in layers_of(item))

    def function(self, name: str) -> Function:
        """Return a function when no update of it is in progress."""
        return function_of(self._settled(name))

    def update(self, function: Function, layers: tuple[str, ...], vpc: Vpc | None = None) -> None:
        """Set a function's layers, and its VPC where one is given; wait until the update has succeeded."""
        self._call(
            "update_function_configuration",
            FunctionName=function.name,
            Layers=list(layers),
            RevisionId=function.revision_id,
            **({"VpcConfig": _vpc_config(vpc, uses_ipv6=function.uses_ipv6)} if vpc else {}),
        )
        configuration = self._settled(function.name)
        if configuration.get("LastUpdateStatus") == "Failed":
            reason = configuration.get("LastUpdateStatusReason", "AWS gives no reason")
            code = configuration.get("LastUpdateStatusReasonCode", "no code")
            message = f"the update of {function.name} failed: {reason} ({code})"
            raise RolloutError.of(message, f"it goes on as it was before; {hint_for(code)}")

    def _settled(self, name: str, qualifier: str | None = None) -> dict[str, Any]:
        """Return a function's configuration when it is neither being created nor being updated."""
        deadline = self._clock() + _LONGEST_UPDATE
        which = {"FunctionName": name} | ({"Qualifier": qualifier} if qualifier else {})
        while self._clock() < deadline:
            configuration: dict[str, Any] = self._call("get_function", **which)["Configuration"]
            is_new = configuration.get("State") == "Pending"
            if not is_new and configuration.get("LastUpdateStatus") != "InProgress":
                return configuration
            self._sleep(_POLL)
        message = f"the update of {name} was still in progress after {_LONGEST_UPDATE:.0f} s"
        raise RolloutError.of(message, "look at the function in AWS, then run again")


def function_of(item: Mapping[str, Any]) -> Function:
    """Return the function that a configuration tells of."""
    return Function(
        name=item["FunctionName"],
        arn=item["FunctionArn"],
        runtime=item.get("Runtime", ""),
        architecture=item.get("Architectures", ["x86_64"])[0],
        layers=layers_of(item),
        revision_id=item["RevisionId"],
        package_type=item.get("PackageType", "Zip"),
        code_sha256=item.get("CodeSha256", ""),
        vpc=vpc_of(item),
        uses_ipv6=item.get("VpcConfig", {}).get("Ipv6AllowedForDualStack", False),
        code_size=item.get("CodeSize", 0),
        layer_sizes=tuple(layer.get("CodeSize", 0) for layer in item.get("Layers", [])),
        role=item.get("Role", ""),
        timeout=item.get("Timeout", 0),
    )


def layers_of(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the layer version ARNs of a configuration, in their order."""
    return tuple(layer["Arn"] for layer in item.get("Layers", []))


def vpc_of(item: Mapping[str, Any]) -> Vpc | None:
    """Return where in a network a configuration stands."""
    given = item.get("VpcConfig", {})
    subnets, groups = sorted(given.get("SubnetIds", ())), sorted(given.get("SecurityGroupIds", ()))
    return Vpc(tuple(subnets), tuple(groups)) if subnets else None


def _vpc_config(vpc: Vpc, *, uses_ipv6: bool) -> dict[str, object]:
    """Return a VpcConfig whole: what it leaves out may be taken for switched off."""
    config: dict[str, object] = {
        "SubnetIds": list(vpc.subnets),
        "SecurityGroupIds": list(vpc.security_groups),
    }
    return config | ({"Ipv6AllowedForDualStack": True} if uses_ipv6 and vpc.subnets else {})
