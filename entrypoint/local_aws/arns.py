"""ARNs of Lambda resources, and the account and region of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from entrypoint.local_aws.refusals import access_denied, invalid_parameter, not_found
from entrypoint.partitions import partition_of

LATEST = "$LATEST"
PUBLISHED = "$LATEST.PUBLISHED"
"""What callers of a function on managed instances reach."""

_LAYER_VERSION = re.compile(
    r"arn:(?P<partition>[a-z-]+):lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12})"
    r":layer:(?P<name>[\w-]+):(?P<version>\d+)"
)
_LAYER = re.compile(r"arn:[a-z-]+:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[\w-]+)")
_FUNCTION = re.compile(
    r"(arn:[a-z-]+:lambda:)?(((?P<region>[a-z0-9-]+-\d):)?(?P<account>\d{12}):)?(function:)?"
    r"(?P<name>[\w-]+)(:(?P<qualifier>\$LATEST\.PUBLISHED|[$\w-]+))?"
)


@dataclass(frozen=True, slots=True)
class Scope:
    """One account in one region; Lambda's resources are separate for each."""

    account: str
    region: str

    @property
    def partition(self) -> str:
        """The partition of every ARN in this region."""
        return partition_of(self.region)

    def arn(self, kind: str, name: str, *qualifier: object) -> str:
        """Return `arn:aws:lambda:eu-west-1:123456789012:layer:web:3` for ("layer", "web", 3)."""
        parts = ("arn", self.partition, "lambda", self.region, self.account, kind, name, *qualifier)
        return ":".join(str(part) for part in parts)


@dataclass(frozen=True, slots=True)
class LayerVersionName:
    """The parts of a layer version's ARN."""

    scope: Scope
    name: str
    version: int

    @classmethod
    def from_arn(cls, arn: str) -> Self:
        """Parse an ARN; the `awslayer` form has no version and is refused."""
        found = _LAYER_VERSION.fullmatch(arn)
        if found is None:
            raise invalid_parameter(f"Invalid layer version ARN: {arn}")
        return cls(Scope(found["account"], found["region"]), found["name"], int(found["version"]))

    @property
    def arn(self) -> str:
        """The ARN."""
        return self.scope.arn("layer", self.name, self.version)

    @property
    def layer_arn(self) -> str:
        """The ARN of the layer, without the version."""
        return self.scope.arn("layer", self.name)


def layer_name(caller: Scope, name_or_arn: str) -> tuple[Scope, str]:
    """Return the scope and name of a LayerName parameter: a name of the caller's scope, or an ARN."""
    found = _LAYER.fullmatch(name_or_arn)
    if found is None:
        return caller, name_or_arn
    return Scope(found["account"], found["region"]), found["name"]


def function_name(caller: Scope, name_or_arn: str) -> tuple[str, str | None]:
    """Return name and qualifier of a FunctionName parameter: a name, a partial ARN or a full ARN."""
    found = _FUNCTION.fullmatch(name_or_arn)
    if found is None:
        raise invalid_parameter(f"Invalid function name: {name_or_arn}")
    region, account = found["region"] or caller.region, found["account"] or caller.account
    if region != caller.region:
        raise not_found(f"Functions from '{region}' are not reachable in this region ('{caller.region}')")
    if account != caller.account:
        raise access_denied(account=caller.account, action="lambda:GetFunction", arn=name_or_arn)
    return found["name"], found["qualifier"]
