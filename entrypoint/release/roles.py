"""Whether roles may manage network interfaces, and if not, what denies it. The decisions are pure.

What a role needs: the managed policy AWSLambdaVPCAccessExecutionRole, version 3. Lambda calls EC2 itself with
the role, on network interfaces, subnets and security groups. Those calls do not have the condition key
lambda:SourceFunctionArn, so that denials of what a function's own code may call do not matter:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-best-practice-security
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from entrypoint.aws.network_model import Denial
from entrypoint.errors import Diagnostic
from entrypoint.manifest.arn import Arn
from entrypoint.manifest.model import Vpc
from entrypoint.release.findings import error, info

_DESCRIBE = ("ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
_CREATE = ("ec2:CreateNetworkInterface",)
_MANAGE = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
)
_ABSENT = {"lambda:SourceFunctionArn"}
"""Condition keys that Lambda's own calls do not have."""
_INTERFACE = "network-interface/eni-0123456789abcdef0"
"""Any interface: one that does not exist yet has no id."""


class Simulation(NamedTuple):
    """Actions to simulate on resources, with values of condition keys."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    context: Mapping[str, str]


def simulations(function: Arn, attached: Iterable[Vpc], vpc: str | None) -> tuple[Simulation, ...]:
    """Return what to simulate for functions like this one, as Lambda calls EC2 for them."""
    region = function.region

    def arn(resource: str) -> str:
        return str(function._replace(service="ec2", resource=resource))

    where = {"aws:RequestedRegion": region, "ec2:Region": region}
    if vpc:
        where["ec2:Vpc"] = arn(f"vpc/{vpc}")
    vpcs = tuple(attached)
    subnets = {f"subnet/{name}" for each in vpcs for name in each.subnets}
    groups = {f"security-group/{name}" for each in vpcs for name in each.security_groups}
    created = (_INTERFACE, *sorted(subnets), *sorted(groups))
    return (
        Simulation(_DESCRIBE, ("*",), where),
        Simulation(_MANAGE, (arn(_INTERFACE),), where),
        Simulation(_CREATE, tuple(map(arn, created)), where),
    )


def examine_role(role: str, who: str, denials: Sequence[Denial]) -> Iterator[Diagnostic]:
    """Yield why a role may not manage interfaces, each reason with all of its actions."""
    by_reason: dict[tuple[str, str], list[Denial]] = {}
    for denial in denials:
        by_reason.setdefault(_reason(denial), []).append(denial)
    for (reason, hint), found in by_reason.items():
        actions = ", ".join(sorted({denial.action for denial in found}))
        yield error(f"the role of {who}, {role}, is not allowed {actions}{reason}", hint)
    if keys := sorted({key for denial in denials for key in denial.missing_keys} - _ABSENT):
        message = f"policies of {role} depend on {', '.join(keys)}, which the simulation does not know"
        yield info(message, "check these conditions: the role may be allowed in fact")


def _reason(denial: Denial) -> tuple[str, str]:
    """Return the reason and the hint; what no policy of the role can change comes first."""
    if denial.by_organization:
        hint = "ask who manages the organization's policies: policies of the role do not help"
        return ": a service control policy of the organization denies it", hint
    if denial.by_boundary:
        hint = "allow it in the permissions boundary too: policies of the role alone do not help"
        return ": its permissions boundary does not allow it", hint
    if denial.is_explicit:
        hint = "remove the Deny statement, or exclude these actions: allowing them as well does not help"
        return ": a policy denies it explicitly", hint
    return "", "attach the managed policy AWSLambdaVPCAccessExecutionRole to it"
