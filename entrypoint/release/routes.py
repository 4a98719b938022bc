"""Whether functions reach the internet from their subnets: facts in, findings out. Pure.

Functions have no public address, so that they need a NAT gateway:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc-internet.html. In a shared VPC, its owner's NAT
gateways cannot be read: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-sharing.html.
"""

from collections.abc import Iterator, Sequence

from entrypoint.aws.network_model import HALVES, NatGateway, Subnet
from entrypoint.errors import Diagnostic
from entrypoint.release.findings import error, info, named, warning
from entrypoint.release.network import Attachment, Fault, Found, Network, in_one_finding, used_subnets

_NOT_EXAMINED = {
    "tgw-": "a transit gateway",
    "vgw-": "a virtual private gateway",
    "pcx-": "a peering connection",
    "eni-": "a network interface",
    "i-": "an instance",
    "lgw-": "a local gateway",
    "cagw-": "a carrier gateway",
    "vpce-": "a firewall or load balancer endpoint",
    "arn:": "a core network",
}
"""What may lead anywhere, by the beginning of its ids."""
_HTTPS = 443
_EPHEMERAL = (1_024, 32_768, 65_535)
"""Ports of answers; Lambda uses 1024 to 65535:
https://docs.aws.amazon.com/vpc/latest/userguide/custom-network-acl.html#nacl-ephemeral-ports"""


def examine_routes(attachments: Sequence[Attachment], network: Network) -> Iterator[Diagnostic]:
    """Yield what functions do not reach from their subnets."""
    subnets = used_subnets(attachments, network)
    if network.route_tables is not None:
        wanted = {name for each in attachments if each.vpc.ipv6 for name in each.vpc.subnets}
        found = [
            each for subnet in subnets for each in _way_out(subnet, network, uses_ipv6=subnet.id in wanted)
        ]
        yield from in_one_finding(found, attachments)
        for attachment in attachments:
            yield from _one_nat_for_zones(attachment, network)
    found = [each for subnet in subnets for each in _filtered(subnet, network)]
    yield from in_one_finding(found, attachments)


def reaches_internet(subnet: Subnet, network: Network) -> bool:
    """Whether a subnet has a default route that functions can use, as far as that is known."""
    table = network.route_table(subnet)
    targets = [route.target for route in table.default] if table else []
    return bool(targets) and not any(target.startswith("igw-") for target in targets)


def _way_out(subnet: Subnet, network: Network, *, uses_ipv6: bool) -> Iterator[Found]:
    table = network.route_table(subnet)
    if table is None and network.is_foreign(subnet):
        hint = "ask the owner of the VPC, or run doctor there"
        yield subnet, Fault(info, f"the routes of {{}} are not visible: {subnet.owner} owns the VPC", hint)
        return
    if table is None or not table.default:
        yield from ((subnet, fault) for fault in _no_ipv4(subnet, network, uses_ipv6=uses_ipv6))
        return
    for route in {route.target: route for route in table.default}.values():
        part = f" ({route.destination})" if route.destination != "0.0.0.0/0" else ""
        leads = f"the default route{part} of {{}} has the target {route.target}"
        if not route.is_active:
            yield subnet, Fault(error, f"{leads}, which is gone: the route is a blackhole", "fix the route")
        elif route.target.startswith("nat-"):
            yield from ((subnet, fault) for fault in _nat(route.target, leads, subnet, network))
        elif route.target.startswith("igw-"):
            message = f"{leads}: in a public subnet functions have no internet, as they get no public address"
            hint = "use private subnets in 'vpc:', with a default route to a NAT gateway"
            yield subnet, Fault(warning, message, hint)
        else:
            what = next((text for start, text in _NOT_EXAMINED.items() if route.target.startswith(start)), "")
            message = f"{leads}{what and ', '}{what}: what it leads to is not examined"
            yield (
                subnet,
                Fault(info, message, "check that it leads to the internet, where functions need that"),
            )


def _no_ipv4(subnet: Subnet, network: Network, *, uses_ipv6: bool) -> Iterator[Fault]:
    table = network.route_table(subnet)
    route = next(iter(table.default_ipv6), None) if table else None
    only = f"functions reach only {_endpoints(subnet.vpc, network)}"
    half = next((each for each in table.routes if each.destination in HALVES), None) if table else None
    if half:
        message = f"{{}}: a route to one half of the internet only, {half.destination} to {half.target}"
        yield Fault(warning, message, "add a route for the other half, or for 0.0.0.0/0")
    elif route is None:
        yield Fault(info, f"no route to the internet from {{}}: {only}")
    elif not subnet.ipv6:
        message = f"a route for IPv6 only, to {route.target}, and no IPv6 block: {{}}; {only}"
        yield Fault(
            info, message, "add an IPv6 block to each subnet and set 'ipv6: true', or use a NAT gateway"
        )
    elif not uses_ipv6:
        message = f"a way to the internet by IPv6 only, to {route.target}, from {{}}: IPv6 is switched off"
        yield Fault(info, message, "set 'ipv6: true' in 'vpc:', if they need the internet")
    elif not route.is_active:
        yield Fault(
            error, f"the route for IPv6 of {{}} has the target {route.target}, which is gone", "fix it"
        )
    else:
        message = f"a way to the internet by IPv6 only, to {route.target}, from {{}}"
        yield Fault(info, message, "check that what the functions call has IPv6")


def _nat(name: str, leads: str, subnet: Subnet, network: Network) -> Iterator[Fault]:
    if network.nat_gateways is None:
        return
    nat = network.nat_gateways.get(name)
    if nat is None:
        owner = f": {subnet.owner} owns the VPC" if network.is_foreign(subnet) else " to this run"
        yield Fault(info, f"{leads}, which is not visible{owner}", "check it in the account that owns it")
    elif nat.state in {"failed", "deleted", "deleting"}:
        yield Fault(error, f"{leads}, which is {nat.state}", "fix the NAT gateway, or route to another")
    elif nat.state != "available":
        yield Fault(warning, f"{leads}, which is {nat.state}", "wait until it is available")
    elif not nat.is_public:
        message = f"{leads}, a private NAT gateway, which does not lead to the internet by itself"
        yield Fault(info, message, "check that what is behind it leads where the functions need to go")
    elif not _is_in_public_subnet(nat, subnet.vpc, network):
        message = f"{leads}, whose own subnet {nat.subnet} has no route to an internet gateway"
        yield Fault(error, message, "route that subnet to an internet gateway, or move the NAT gateway")


def _is_in_public_subnet(nat: NatGateway, vpc: str, network: Network) -> bool:
    table = network.route_table_of(nat.subnet, vpc) if nat.subnet else None
    if table is None:
        return True  # a regional one, or not visible
    return any(route.target.startswith("igw-") and route.is_active for route in table.default)


def _one_nat_for_zones(attachment: Attachment, network: Network) -> Iterator[Diagnostic]:
    subnets = [subnet for name in attachment.vpc.subnets if (subnet := (network.subnets or {}).get(name))]
    zones = {subnet.zone for subnet in subnets}
    tables = [network.route_table(subnet) for subnet in subnets]
    targets = {route.target for table in tables if table for route in table.default}
    everywhere = all(table and table.default for table in tables)
    if len(zones) == 1 or len(targets) != 1 or not everywhere:
        return
    nat = (network.nat_gateways or {}).get(targets.pop())
    if nat and nat.subnet and nat.state == "available":
        message = f"{named(attachment.functions)}: {nat.id} alone serves the subnets of {len(zones)} zones"
        hint = "add a NAT gateway in each zone: if its zone fails, no subnet reaches the internet"
        yield warning(message, hint)


def _filtered(subnet: Subnet, network: Network) -> Iterator[Found]:
    acl = next((each for each in network.network_acls or () if subnet.id in each.subnets), None)
    if acl is None or not reaches_internet(subnet, network):
        return
    hint = "allow outbound TCP 443 and inbound TCP 1024-65535, as network ACLs keep no state"
    if not acl.allows(_HTTPS, is_egress=True):
        message = f"the network ACL {acl.id} of {{}} does not allow outbound TCP 443 to all addresses"
        yield subnet, Fault(warning, message, hint)
    if not all(acl.allows(port, is_egress=False) for port in _EPHEMERAL):
        message = f"the network ACL {acl.id} of {{}} does not allow inbound TCP 1024-65535, and so no answers"
        yield subnet, Fault(warning, message, hint)


def _endpoints(vpc: str, network: Network) -> str:
    if network.endpoints is None:
        return "the VPC's endpoints"
    found = sorted(f"{each.service} ({each.kind})" for each in network.endpoints if each.vpc == vpc)
    return f"these VPC endpoints: {', '.join(found)}" if found else "the VPC: there are no endpoints"
