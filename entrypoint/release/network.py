"""What functions are attached to, and findings about it: one for all subnets with the same fault."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from entrypoint.aws.network_model import (
    Endpoint,
    NatGateway,
    NetworkAcl,
    RouteTable,
    SecurityGroup,
    Subnet,
)
from entrypoint.errors import Diagnostic
from entrypoint.manifest.model import Vpc
from entrypoint.release.findings import named

INTERFACES_PER_VPC = 500
"""The quota before it was raised: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


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

    #: The account that was read.
    account: str = ""
    subnets: Mapping[str, Subnet] | None
    security_groups: Mapping[str, SecurityGroup] | None = None
    #: Tenancies by VPC.
    tenancies: Mapping[str, str] | None = None
    route_tables: tuple[RouteTable, ...] | None = None
    network_acls: tuple[NetworkAcl, ...] | None = None
    nat_gateways: Mapping[str, NatGateway] | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    #: The security groups of interface endpoints.
    endpoint_groups: Mapping[str, SecurityGroup] | None = None
    #: The number of Lambda's interfaces by VPC, and its maximum.
    interfaces: Mapping[str, int] | None = None
    interface_quota: int = INTERFACES_PER_VPC

    def is_foreign(self, subnet: Subnet) -> bool:
        """Whether a subnet belongs to another account, which shares it with this one."""
        return bool(self.account and subnet.owner) and subnet.owner != self.account

    def route_table(self, subnet: Subnet) -> RouteTable | None:
        """Return the route table of a subnet: its own, or the main one of its VPC."""
        return self.route_table_of(subnet.id, subnet.vpc)

    def route_table_of(self, subnet: str, vpc: str) -> RouteTable | None:
        """Return the same by ids."""
        tables = [table for table in self.route_tables or () if table.vpc == vpc]
        own = next((table for table in tables if subnet in table.subnets), None)
        return own or next((table for table in tables if table.is_main), None)


class Fault(NamedTuple):
    """A fault of a subnet; in the message, {} is replaced by the subnets that have it."""

    kind: Callable[[str, str], Diagnostic]
    message: str
    hint: str = ""


Found = tuple[Subnet, Fault]


def used_subnets(attachments: Iterable[Attachment], network: Network) -> list[Subnet]:
    """Return the subnets that exist of what functions are attached to, by id."""
    names = sorted({name for attachment in attachments for name in attachment.vpc.subnets})
    return [subnet for name in names if (subnet := (network.subnets or {}).get(name))]


def in_one_finding(found: Iterable[Found], attachments: Iterable[Attachment]) -> Iterator[Diagnostic]:
    """Yield one finding for all subnets that have the same fault."""
    by_fault: dict[Fault, list[str]] = {}
    for subnet, fault in found:
        by_fault.setdefault(fault, []).append(subnet.id)
    attachments = tuple(attachments)
    for fault, subnets in by_fault.items():
        yield fault.kind(fault.message.replace("{}", subject(subnets, attachments)), fault.hint)


def subject(subnets: Iterable[str], attachments: Iterable[Attachment]) -> str:
    """Return subnets and the functions that use them, for a message."""
    names = tuple(dict.fromkeys(subnets))
    users = users_of(names, attachments)
    return f"the subnet{'s' if len(names) > 1 else ''} {named(names)} of {named(users)}"


def users_of(subnets: Iterable[str], attachments: Iterable[Attachment]) -> tuple[str, ...]:
    """Return the functions that use any of these subnets."""
    wanted = set(subnets)
    users = (each for each in attachments if wanted & set(each.vpc.subnets))
    return tuple(dict.fromkeys(name for each in users for name in each.functions))
