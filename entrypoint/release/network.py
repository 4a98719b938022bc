"""Whether functions can run in their VPCs, and reach the internet: facts in, findings out. Pure.

What Lambda requires of a VPC: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from entrypoint.aws.model import Endpoint, RouteTable, SecurityGroup, Subnet
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import Vpc
from entrypoint.release.findings import error, info, named, warning

INTERFACES_PER_VPC = 500
"""The quota before it was raised: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_NEAR = 0.8
"""The share of the interface quota from which there is a warning."""
_SPARE_ADDRESSES = 8
"""How many addresses should be free in any subnet: others use some too, and interfaces are replaced."""
_EXECUTIONS_PER_INTERFACE = 1_000
"""An interface has 65,000 connections, which are 65 for each of this many executions."""
_ZONES = 2
"""As Security Hub's control Lambda.5 requires."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Subnets and security groups, and the functions that are, or will be, attached to them."""

    vpc: Vpc
    functions: tuple[str, ...]
    #: The sum of these functions' reserved concurrency.
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What exists of what functions are attached to; None for what cannot be read."""

    subnets: Mapping[str, Subnet] | None
    security_groups: Mapping[str, SecurityGroup] | None = None
    #: Tenancies by VPC.
    tenancies: Mapping[str, str] | None = None
    route_tables: tuple[RouteTable, ...] | None = None
    #: States of NAT gateways by id.
    nat_gateways: Mapping[str, str] | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    #: The number of Lambda's interfaces by VPC, and its maximum.
    interfaces: Mapping[str, int] | None = None
    interface_quota: int = INTERFACES_PER_VPC


def examine_network(attachments: Iterable[Attachment], network: Network) -> Iterator[Diagnostic]:
    """Yield the findings about the VPCs of functions."""
    attachments = tuple(attachments)
    for attachment in attachments:
        yield from _attachment(attachment, network)
    for name, users in _by_subnet(attachments).items():
        subnet = (network.subnets or {}).get(name)
        if network.subnets is not None and subnet is None:
            hint = "use another one in 'vpc:', or create it"
            yield error(f"the subnet {name} of {_functions(users)} does not exist", hint)
        if subnet:
            yield from _subnet(subnet, users)
            yield from _way_out(subnet, users, network)
    for vpc, tenancy in (network.tenancies or {}).items():
        if tenancy == "dedicated":
            message = f"{vpc} has dedicated tenancy, which Lambda does not support"
            yield error(message, "use a VPC with default tenancy, peered with this one")
    for vpc, count in (network.interfaces or {}).items():
        if count >= _NEAR * network.interface_quota:
            message = f"{vpc} has {count} of at most {network.interface_quota} Lambda network interfaces"
            hint = (
                "share subnets and security groups between functions, as each pair has its own interfaces; "
                "or raise 'Elastic network interfaces per VPC' in Service Quotas"
            )
            yield warning(message, hint)


def _attachment(attachment: Attachment, network: Network) -> Iterator[Diagnostic]:
    who = named(attachment.functions)
    subnets = network.subnets or {}
    known = [subnets[name] for name in attachment.vpc.subnets if name in subnets]
    vpcs = sorted({subnet.vpc for subnet in known})
    if len(vpcs) > 1:
        yield error(f"the subnets of {who} are in several VPCs: {', '.join(vpcs)}", "use subnets of one VPC")
    zones = sorted({subnet.zone for subnet in known})
    if len(known) == len(attachment.vpc.subnets) and len(zones) < _ZONES:
        message = f"{who}: all subnets are in one zone, {zones[0]}"
        yield warning(message, "add a subnet of another zone to 'vpc:', as a failing zone stops the function")
    if network.security_groups is None:
        return
    for name in attachment.vpc.security_groups:
        group = network.security_groups.get(name)
        if group is None:
            yield error(f"the security group {name} of {who} does not exist", "use another one in 'vpc:'")
        elif vpcs and group.vpc not in vpcs:
            message = f"{who}: the security group {name} is in {group.vpc}, the subnets are in {vpcs[0]}"
            yield error(message, "use a security group of the subnets' VPC")
    groups = [network.security_groups.get(name) for name in attachment.vpc.security_groups]
    if groups and all(group and not group.has_egress for group in groups):
        message = f"{who}: no security group has an outbound rule"
        yield warning(message, "add an outbound rule, or the functions reach nothing")


def _subnet(subnet: Subnet, users: tuple[Attachment, ...]) -> Iterator[Diagnostic]:
    who = _functions(users)
    if subnet.state != "available":
        yield error(f"the subnet {subnet.id} of {who} is {subnet.state}", "wait, or use another subnet")
    reserved = sum(user.reserved for user in users)
    wanted = max(_SPARE_ADDRESSES, ceil(reserved / _EXECUTIONS_PER_INTERFACE))
    if subnet.free_addresses < wanted:
        for_what = f", for {reserved:,} concurrent executions" if wanted > _SPARE_ADDRESSES else ""
        message = (
            f"the subnet {subnet.id} of {who} has {subnet.free_addresses} free addresses; "
            f"{wanted} are recommended{for_what}"
        )
        hint = "free addresses there, or use a larger subnet in 'vpc:'"
        yield (warning if subnet.free_addresses else error)(message, hint)


def _way_out(subnet: Subnet, users: tuple[Attachment, ...], network: Network) -> Iterator[Diagnostic]:
    if network.route_tables is None:
        return
    who = f"the subnet {subnet.id} of {_functions(users)}"
    tables = [table for table in network.route_tables if table.vpc == subnet.vpc]
    own = next((table for table in tables if subnet.id in table.subnets), None)
    table = own or next((table for table in tables if table.is_main), None)
    target = table.default if table else None
    if table and target is None and table.ipv6:
        message = f"{who} reaches the internet only by IPv6, through {table.ipv6}"
        yield info(
            message, "check that the functions have Ipv6AllowedForDualStack, and that what they call has IPv6"
        )
    elif table is None or target is None:
        yield info(f"{who} does not reach the internet, only {_endpoints(subnet.vpc, network)}")
    elif not table.is_active:
        yield error(f"the default route of {who} has the target {target}, which is gone", "fix the route")
    elif target.startswith("igw-"):
        message = (
            f"{who} is public, where functions have no internet: Lambda's interfaces get no public address"
        )
        hint = "use private subnets in 'vpc:', with a default route to a NAT gateway"
        yield warning(message, hint)
    elif target.startswith("nat-") and network.nat_gateways is not None:
        state = network.nat_gateways.get(target, "gone")
        if state != "available":
            message = f"the default route of {who} has the target {target}, which is {state}"
            yield error(message, "fix the NAT gateway, or route to another")


def _endpoints(vpc: str, network: Network) -> str:
    if network.endpoints is None:
        return "its VPC endpoints"
    found = sorted(f"{each.service} ({each.kind})" for each in network.endpoints if each.vpc == vpc)
    return f"these VPC endpoints: {', '.join(found)}" if found else "its own VPC: there are no endpoints"


def _by_subnet(attachments: tuple[Attachment, ...]) -> dict[str, tuple[Attachment, ...]]:
    names = sorted({name for attachment in attachments for name in attachment.vpc.subnets})
    return {name: tuple(each for each in attachments if name in each.vpc.subnets) for name in names}


def _functions(users: tuple[Attachment, ...]) -> str:
    return named(tuple(dict.fromkeys(name for user in users for name in user.functions)))
