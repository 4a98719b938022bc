"""Subnets, routes, gateways and endpoints, as EC2 describes them, and what a role is allowed."""

from dataclasses import dataclass
from ipaddress import ip_network

EVERYWHERE = "0.0.0.0/0"
HALVES = ("0.0.0.0/1", "128.0.0.0/1")
_EVERYWHERE_IPV6 = "::/0"
_HALVES_IPV6 = ("::/1", "8000::/1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet, as DescribeSubnets returns it."""

    id: str
    vpc: str
    zone: str
    state: str
    #: IPv4 addresses.
    free_addresses: int
    cidr: str = "10.0.0.0/24"
    #: The account that it belongs to; others may use it where it is shared.
    owner: str = ""
    #: Whether it has an IPv6 block.
    ipv6: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingress:
    """A rule of a security group for incoming traffic; sources are CIDRs, groups or prefix lists."""

    protocol: str
    first_port: int
    last_port: int
    sources: frozenset[str]

    def admits(self, port: int, groups: frozenset[str], cidrs: frozenset[str]) -> bool:
        """Whether it allows TCP traffic to a port from these groups, or from all of these networks."""
        if self.protocol not in {"-1", "tcp", "6"}:
            return False
        if self.protocol != "-1" and not self.first_port <= port <= self.last_port:
            return False
        if any(source.startswith("pl-") for source in self.sources):
            return True  # what a prefix list contains is not read
        networks = [ip_network(source) for source in self.sources if "/" in source]
        covered = all(any(_is_within(cidr, str(network)) for network in networks) for cidr in cidrs)
        return bool(groups & self.sources) or (bool(cidrs) and covered)


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A security group; `has_egress` where it has any outbound rule."""

    id: str
    vpc: str
    has_egress: bool
    ingress: tuple[Ingress, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route: its destination, its target, such as nat-1, and whether the target still exists."""

    destination: str
    target: str
    is_active: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table, and the subnets that are associated with it; the main one is for all others."""

    id: str
    vpc: str
    subnets: frozenset[str]
    is_main: bool
    routes: tuple[Route, ...] = ()

    @property
    def default(self) -> tuple[Route, ...]:
        """The routes to the internet: one, or one for each half of all addresses; none for a part."""
        return self._covering(EVERYWHERE, HALVES)

    @property
    def default_ipv6(self) -> tuple[Route, ...]:
        """The same for IPv6."""
        return self._covering(_EVERYWHERE_IPV6, _HALVES_IPV6)

    def _covering(self, everywhere: str, halves: tuple[str, ...]) -> tuple[Route, ...]:
        by_destination = {route.destination: route for route in self.routes}
        whole = by_destination.get(everywhere)
        parts = [by_destination.get(half, whole) for half in halves]
        return tuple(dict.fromkeys(part for part in parts if part)) if all(parts) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NatGateway:
    """A NAT gateway; a regional one has no subnet."""

    id: str
    state: str
    subnet: str = ""
    is_public: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AclEntry:
    """A rule of a network ACL for TCP: the lowest number that matches decides."""

    number: int
    is_egress: bool
    allows: bool
    cidr: str
    first_port: int = 0
    last_port: int = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAcl:
    """A network ACL and the subnets that it filters; `entries` are those that concern TCP and IPv4."""

    id: str
    subnets: frozenset[str]
    entries: tuple[AclEntry, ...]

    def allows(self, port: int, *, is_egress: bool) -> bool:
        """Whether traffic to or from any address may have this destination port."""
        for entry in sorted(self.entries, key=lambda entry: entry.number):
            concerns = entry.is_egress == is_egress and entry.first_port <= port <= entry.last_port
            if concerns and entry.cidr == EVERYWHERE:
                return entry.allows
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An available VPC endpoint: the last part of its service name, such as s3, and its type."""

    vpc: str
    service: str
    kind: str
    id: str = ""
    #: Of a gateway endpoint.
    route_tables: frozenset[str] = frozenset()
    #: Of an interface endpoint.
    groups: frozenset[str] = frozenset()
    has_private_dns: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """An action that a role is not allowed, as IAM's simulation explains it."""

    action: str
    is_explicit: bool = False
    by_boundary: bool = False
    by_organization: bool = False
    #: Condition keys whose values the simulation did not have.
    missing_keys: frozenset[str] = frozenset()


def _is_within(cidr: str, network: str) -> bool:
    inner, outer = ip_network(cidr), ip_network(network)
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
