"""Reads and examines the VPCs and roles of functions: completely, or for a plan what AWS checks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from entrypoint.aws.model import AbsentError, Function
from entrypoint.aws.network_model import Denial
from entrypoint.errors import Diagnostic
from entrypoint.manifest.arn import Arn
from entrypoint.manifest.model import Vpc
from entrypoint.parallel import for_each
from entrypoint.release.attachments import examine_attachments
from entrypoint.release.endpoints import examine_endpoints
from entrypoint.release.findings import error, info, named
from entrypoint.release.network import INTERFACES_PER_VPC, Attachment, Network
from entrypoint.release.reading import Reading
from entrypoint.release.roles import Simulation, examine_role, simulations
from entrypoint.release.routes import examine_routes

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

Attached = Sequence[tuple[Vpc, Function]]
"""Functions, and where they are or will be attached."""
_ROLES_AT_ONCE = 4


def examine_vpcs(
    aws: "Aws", reading: Reading, attached: Attached, reserved: Mapping[str, int | None]
) -> list[Diagnostic]:
    """Return all findings about functions in VPCs; `reserved` are their reservations by name."""
    if not attached:
        return []
    attachments = _attachments(attached, reserved)
    network = _with_routes(aws, reading, _attachable(aws, reading, attached))
    return [
        *examine_attachments(attachments, network),
        *examine_routes(attachments, network),
        *examine_endpoints(attachments, network),
        *_examine_roles(aws, reading, attached, network),
    ]


def foresee_vpcs(aws: "Aws", reading: Reading, attached: Attached) -> list[Diagnostic]:
    """Return what AWS would refuse, or soon will, of functions that are about to be attached."""
    if not attached:
        return []
    network = _attachable(aws, reading, attached)
    attachments = _attachments(attached, {})
    return [
        *examine_attachments(attachments, network),
        *_examine_roles(aws, reading, attached, network),
    ]


def _attachments(attached: Attached, reserved: Mapping[str, int | None]) -> list[Attachment]:
    grouped: dict[Vpc, list[str]] = {}
    for vpc, function in attached:
        grouped.setdefault(vpc, []).append(function.name)
    return [
        Attachment(vpc=vpc, functions=tuple(names), reserved=sum(reserved.get(name) or 0 for name in names))
        for vpc, names in grouped.items()
    ]


def _attachable(aws: "Aws", reading: Reading, attached: Attached) -> Network:
    """Read what Lambda needs to attach functions."""
    names = sorted({name for vpc, _ in attached for name in vpc.subnets})
    groups = sorted({name for vpc, _ in attached for name in vpc.security_groups})
    subnets = reading(lambda: aws.network.subnets(names))
    vpcs = sorted({subnet.vpc for subnet in (subnets or {}).values()})
    return Network(
        account=Arn.parse(attached[0][1].arn).account,
        subnets=subnets,
        security_groups=reading(lambda: aws.network.security_groups(groups)),
        tenancies=reading(lambda: aws.network.tenancies(vpcs)) if vpcs else None,
    )


def _with_routes(aws: "Aws", reading: Reading, network: Network) -> Network:
    """Read how functions reach the internet and AWS."""
    subnets = network.subnets or {}
    vpcs = sorted({subnet.vpc for subnet in subnets.values()})
    if not vpcs:
        return network
    quota = reading(aws.network.interface_quota, kind=info)
    endpoints = reading(lambda: aws.network.endpoints(vpcs))
    groups = sorted({group for endpoint in endpoints or () for group in endpoint.groups})
    own = network.security_groups or {}
    more = [group for group in groups if group not in own]
    found = reading(lambda: aws.network.security_groups(more)) if more else {}
    return replace(
        network,
        route_tables=reading(lambda: aws.network.route_tables(vpcs)),
        network_acls=reading(lambda: aws.network.network_acls(sorted(subnets))),
        nat_gateways=reading(lambda: aws.network.nat_gateways(vpcs)),
        endpoints=endpoints,
        endpoint_groups={**own, **(found or {})},
        interfaces=reading(lambda: aws.network.interfaces(vpcs)),
        interface_quota=INTERFACES_PER_VPC if quota is None else quota,
    )


def _examine_roles(
    aws: "Aws", reading: Reading, attached: Attached, network: Network
) -> Iterator[Diagnostic]:
    by_role: dict[str, list[tuple[Vpc, Function]]] = {}
    for vpc, function in attached:
        if function.role:
            by_role.setdefault(function.role, []).append((vpc, function))

    def denials_of(role: str, wanted: Sequence[Simulation]) -> list[Denial] | None:
        """Return None for a role that does not exist."""
        try:
            return [
                denial
                for each in wanted
                for denial in aws.account.denied(role, each.actions, each.resources, each.context)
            ]
        except AbsentError:
            return None

    def examine(item: tuple[str, list[tuple[Vpc, Function]]]) -> list[Diagnostic]:
        role, users = item
        subnets = network.subnets or {}
        vpcs = {subnets[name].vpc for vpc, _ in users for name in vpc.subnets if name in subnets}
        arn = Arn.parse(users[0][1].arn)
        wanted = simulations(arn, [vpc for vpc, _ in users], vpcs.pop() if len(vpcs) == 1 else None)
        who = named(tuple(function.name for _, function in users))
        answer = reading(lambda: (denials_of(role, wanted),), kind=info)
        if answer == (None,):
            message = f"the role of {who}, {role}, does not exist"
            return [error(message, "create it again, or give the functions another role")]
        return list(examine_role(role, who, (answer and answer[0]) or ()))

    for found in for_each(sorted(by_role.items()), examine, at_once=_ROLES_AT_ONCE):
        yield from found
