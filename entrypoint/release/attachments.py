"""Whether Lambda can attach functions to their subnets and security groups: facts in, findings out. Pure.

What Lambda requires of a VPC: https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
"""

from collections.abc import Iterator, Sequence
from math import ceil

from entrypoint.aws.network_model import Subnet
from entrypoint.errors import Diagnostic
from entrypoint.limits import SECURITY_GROUPS_PER_FUNCTION, SUBNETS_PER_FUNCTION
from entrypoint.release.findings import error, named, warning
from entrypoint.release.network import (
    Attachment,
    Fault,
    Found,
    Network,
    in_one_finding,
    subject,
    used_subnets,
)

_NEAR = 0.8
"""The share of the interface quota from which there is a warning."""
_SPARE_ADDRESSES = 8
"""How many addresses should be free in any subnet: others use some too, and interfaces are replaced."""
_EXECUTIONS_PER_INTERFACE = 1_000
"""An interface has 65,000 connections, which are 65 for each of this many executions."""
_ZONES = 2
"""As Security Hub's control Lambda.5 requires."""


def examine_attachments(attachments: Sequence[Attachment], network: Network) -> Iterator[Diagnostic]:
    """Yield what keeps functions from being attached, or will before long."""
    for attachment in attachments:
        yield from _limits(attachment)
        yield from _subnets(attachment, network)
        yield from _groups(attachment, network)
    if network.subnets is not None:
        used = {name for attachment in attachments for name in attachment.vpc.subnets}
        if missing := sorted(used - network.subnets.keys()):
            verb = "do" if len(missing) > 1 else "does"
            message = f"{subject(missing, attachments)} {verb} not exist, or not in a VPC of this account"
            yield error(message, "use others in 'vpc:', create them, or have them shared with this account")
    found = (each for subnet in used_subnets(attachments, network) for each in _subnet(subnet, attachments))
    yield from in_one_finding(found, attachments)
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


def _limits(attachment: Attachment) -> Iterator[Diagnostic]:
    for what, ids, most in (
        ("subnets", attachment.vpc.subnets, SUBNETS_PER_FUNCTION),
        ("security groups", attachment.vpc.security_groups, SECURITY_GROUPS_PER_FUNCTION),
    ):
        if len(ids) > most:
            message = f"{named(attachment.functions)}: {len(ids)} {what} exceed the limit of {most}"
            yield error(message, "use fewer in 'vpc:'")


def _subnets(attachment: Attachment, network: Network) -> Iterator[Diagnostic]:
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
    without = [subnet.id for subnet in known if not subnet.ipv6]
    if attachment.vpc.ipv6 and without:
        message = f"{who} may use IPv6, but {subject(without, [attachment])} has no IPv6 block"
        hint = "add an IPv6 block to each subnet, or remove 'ipv6: true'"
        yield error(message.replace(" has no", " have no") if len(without) > 1 else message, hint)


def _groups(attachment: Attachment, network: Network) -> Iterator[Diagnostic]:
    if network.security_groups is None:
        return
    who, found = named(attachment.functions), network.security_groups
    subnets = (network.subnets or {}).get
    vpcs = sorted({subnet.vpc for name in attachment.vpc.subnets if (subnet := subnets(name))})
    names = attachment.vpc.security_groups
    if missing := tuple(name for name in names if name not in found):
        verb, plural = ("do", "s") if len(missing) > 1 else ("does", "")
        message = f"the security group{plural} {named(missing)} of {who} {verb} not exist"
        yield error(message, "use others in 'vpc:', or create them")
    for name in names:
        if name in found and vpcs and found[name].vpc not in vpcs:
            message = (
                f"{who}: the security group {name} is in {found[name].vpc}, the subnets are in {vpcs[0]}"
            )
            yield error(message, "use a security group of the subnets' VPC")
    if names and not missing and not any(found[name].has_egress for name in names):
        message = f"{who}: no security group has an outbound rule"
        yield warning(message, "add an outbound rule, or the functions reach nothing")


def _subnet(subnet: Subnet, attachments: Sequence[Attachment]) -> Iterator[Found]:
    if subnet.state != "available":
        yield subnet, Fault(error, f"{{}}: state {subnet.state}", "wait, or use another subnet")
    reserved = sum(each.reserved for each in attachments if subnet.id in each.vpc.subnets)
    wanted = max(_SPARE_ADDRESSES, ceil(reserved / _EXECUTIONS_PER_INTERFACE))
    if subnet.free_addresses < wanted:
        for_what = f", for {reserved:,} concurrent executions" if wanted > _SPARE_ADDRESSES else ""
        message = f"{{}}: {subnet.free_addresses} free addresses; {wanted} are recommended{for_what}"
        hint = "free addresses there, or use a larger subnet in 'vpc:'"
        yield subnet, Fault(warning if subnet.free_addresses else error, message, hint)
