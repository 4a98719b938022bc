"""Whether functions can stand in their VPCs, and get out of them: facts in, findings out. Pure.

What Lambda asks of a VPC: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from entrypoint.manifest.model import Vpc
from entrypoint.release.findings import Finding, error, info, named, warning

INTERFACES_PER_VPC = 500
"""The quota before it was raised: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
_NEAR = 0.8
"""The share of the interface quota from which one is warned."""
_SPARE_ADDRESSES = 8
"""How many addresses should be free in any subnet: others take some too, and interfaces change hands."""
_EXECUTIONS_PER_INTERFACE = 1_000
"""An interface carries 65,000 connections; so many executions have 65 each."""
_ZONES = 2
"""As Security Hub's control Lambda.5 asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """Subnets and security groups, and the functions that stand, or are to stand, there."""

    vpc: Vpc
    functions: tuple[str, ...]
    #: What these functions have reserved, in all.
    reserved: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet, as DescribeSubnets tells of it."""

    id: str
    vpc: str
    zone: str
    state: str
    #: Of IPv4.
    free_addresses: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group; `has_egress` where it lets anything out at all."""

    id: str
    vpc: str
    has_egress: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table: `default` is what 0.0.0.0/0 leads to, such as nat-1; None where it leads nowhere.

    `ipv6` is what ::/0 leads to, likewise.
    """

    vpc: str
    subnets: frozenset[str]
    is_main: bool
    default: str | None
    #: Whether what the route leads to is still there.
    is_active: bool = True
    ipv6: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A VPC endpoint: the last part of its service's name, such as s3, and its type."""

    vpc: str
    service: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What stands of what functions are attached to; None for what may not be read."""

    subnets: Mapping[str, Subnet] | None
    security_groups: Mapping[str, SecurityGroup] | None = None
    #: Tenancies by VPC.
    tenancies: Mapping[str, str] | None = None
    route_tables: tuple[RouteTable, ...] | None = None
    #: States of NAT gateways by id.
    nat_gateways: Mapping[str, str] | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    #: How many of Lambda's interfaces there are, by VPC, and how many there may be.
    interfaces: Mapping[str, int] | None = None
    interface_quota: int = INTERFACES_PER_VPC


def examine_network(attachments: Iterable[Attachment], network: Network) -> Iterator[Finding]:
    """Yield what is wrong, or good to know, with where functions stand."""
    attachments = tuple(attachments)
    for attachment in attachments:
        yield from _attachment(attachment, network)
    for name, users in _by_subnet(attachments).items():
        subnet = (network.subnets or {}).get(name)
        if network.subnets is not None and subnet is None:
            hint = "name another in 'vpc:', or create it"
            yield error(f"there is no subnet {name}, for {_functions(users)}", hint)
        if subnet:
            yield from _subnet(subnet, users)
            yield from _way_out(subnet, users, network)
    for vpc, tenancy in (network.tenancies or {}).items():
        if tenancy == "dedicated":
            message = f"{vpc} has dedicated tenancy, and Lambda attaches functions to no such VPC"
            yield error(message, "use a VPC of default tenancy, peered with this one")
    for vpc, count in (network.interfaces or {}).items():
        if count >= _NEAR * network.interface_quota:
            message = f"{vpc} has {count} of Lambda's network interfaces, of {network.interface_quota}"
            hint = (
                "let functions share subnets and security groups: each pair has its own interfaces; "
                "or raise 'Elastic network interfaces per VPC' in Service Quotas"
            )
            yield warning(message, hint)


def _attachment(attachment: Attachment, network: Network) -> Iterator[Finding]:
    who = named(attachment.functions)
    subnets = network.subnets or {}
    known = [subnets[name] for name in attachment.vpc.subnets if name in subnets]
    vpcs = sorted({subnet.vpc for subnet in known})
    if len(vpcs) > 1:
        yield error(f"the subnets of {who} are in several VPCs: {', '.join(vpcs)}", "take those of one VPC")
    zones = sorted({subnet.zone for subnet in known})
    if len(known) == len(attachment.vpc.subnets) and len(zones) < _ZONES:
        message = f"{who}: all subnets are in one zone, {zones[0]}"
        yield warning(message, "add a subnet of another zone to 'vpc:', or a failing zone stops the function")
    if network.security_groups is None:
        return
    for name in attachment.vpc.security_groups:
        group = network.security_groups.get(name)
        if group is None:
            yield error(f"there is no security group {name}, for {who}", "name another in 'vpc:'")
        elif vpcs and group.vpc not in vpcs:
            message = f"{who}: the security group {name} is in {group.vpc}, the subnets are in {vpcs[0]}"
            yield error(message, "take a group of the subnets' VPC")
    groups = [network.security_groups.get(name) for name in attachment.vpc.security_groups]
    if groups and all(group and not group.has_egress for group in groups):
        message = f"{who}: no security group lets anything out"
        yield warning(message, "give one of them a rule for outbound traffic, or the functions reach nothing")


def _subnet(subnet: Subnet, users: tuple[Attachment, ...]) -> Iterator[Finding]:
    who = _functions(users)
    if subnet.state != "available":
        yield error(f"the subnet {subnet.id} of {who} is {subnet.state}", "wait for it, or name another")
    reserved = sum(user.reserved for user in users)
    wanted = max(_SPARE_ADDRESSES, ceil(reserved / _EXECUTIONS_PER_INTERFACE))
    if subnet.free_addresses < wanted:
        for_what = f", for {reserved:,} concurrent executions" if wanted > _SPARE_ADDRESSES else ""
        message = (
            f"the subnet {subnet.id} of {who} has {subnet.free_addresses} free addresses; "
            f"{wanted} are wanted{for_what}"
        )
        hint = "free addresses there, or name a larger subnet in 'vpc:'"
        yield (warning if subnet.free_addresses else error)(message, hint)


def _way_out(subnet: Subnet, users: tuple[Attachment, ...], network: Network) -> Iterator[Finding]:
    if network.route_tables is None:
        return
    who = f"the subnet {subnet.id} of {_functions(users)}"
    tables = [table for table in network.route_tables if table.vpc == subnet.vpc]
    own = next((table for table in tables if subnet.id in table.subnets), None)
    table = own or next((table for table in tables if table.is_main), None)
    target = table.default if table else None
    if table and target is None and table.ipv6:
        message = f"{who} has a way to the internet by IPv6 alone, {table.ipv6}"
        yield info(
            message, "see that the functions have Ipv6AllowedForDualStack, and what they call has IPv6"
        )
    elif table is None or target is None:
        yield info(f"{who} has no way to the internet, only {_endpoints(subnet.vpc, network)}")
    elif not table.is_active:
        yield error(f"the default route of {who} leads to {target}, which is gone", "mend the route")
    elif target.startswith("igw-"):
        message = (
            f"{who} is public, and gives functions no internet: Lambda's interfaces get no public address"
        )
        hint = "name private subnets in 'vpc:', whose default route leads to a NAT gateway"
        yield warning(message, hint)
    elif target.startswith("nat-") and network.nat_gateways is not None:
        state = network.nat_gateways.get(target, "gone")
        if state != "available":
            message = f"the default route of {who} leads to {target}, which is {state}"
            yield error(message, "mend the NAT gateway, or lead the route to another")


def _endpoints(vpc: str, network: Network) -> str:
    if network.endpoints is None:
        return "what its VPC endpoints reach"
    found = sorted(f"{each.service} ({each.kind})" for each in network.endpoints if each.vpc == vpc)
    return f"these VPC endpoints: {', '.join(found)}" if found else "what is in its VPC: it has no endpoints"


def _by_subnet(attachments: tuple[Attachment, ...]) -> dict[str, tuple[Attachment, ...]]:
    names = sorted({name for attachment in attachments for name in attachment.vpc.subnets})
    return {name: tuple(each for each in attachments if name in each.vpc.subnets) for name in names}


def _functions(users: tuple[Attachment, ...]) -> str:
    return named(tuple(dict.fromkeys(name for user in users for name in user.functions)))
