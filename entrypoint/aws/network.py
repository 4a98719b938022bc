"""EC2's answers about the VPCs of functions; nothing is changed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.network_model import (
    AclEntry,
    Endpoint,
    Ingress,
    NatGateway,
    NetworkAcl,
    Route,
    RouteTable,
    SecurityGroup,
    Subnet,
)

_VALUES_OF_A_FILTER = 200
_INTERFACES_PER_VPC = "L-9FEE3D26"
"""The code of Lambda's quota 'Elastic network interfaces per VPC' in Service Quotas."""
_UNUSABLE = {"disassociated", "disassociating", "failed", "failing"}
"""States of an IPv6 block that has no effect."""
_LAST_PORT = 65_535
_TARGETS = (
    "NatGatewayId",
    "EgressOnlyInternetGatewayId",
    "TransitGatewayId",
    "GatewayId",
    "CarrierGatewayId",
    "InstanceId",
    "NetworkInterfaceId",
    "VpcPeeringConnectionId",
    "CoreNetworkArn",
    "LocalGatewayId",
)
"""The possible targets of a default route, by their keys in DescribeRouteTables."""


class Networks:
    """Calls to EC2, and the quota of network interfaces. Each raises AwsError where it is not allowed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def subnets(self, ids: Sequence[str]) -> Mapping[str, Subnet]:
        """Return the subnets with these ids that exist."""
        found = self._described("describe_subnets", "Subnets", "subnet-id", ids)
        return {item["SubnetId"]: _subnet(item) for item in found}

    def security_groups(self, ids: Sequence[str]) -> Mapping[str, SecurityGroup]:
        """Return the security groups with these ids that exist."""
        found = self._described("describe_security_groups", "SecurityGroups", "group-id", ids)
        return {item["GroupId"]: _security_group(item) for item in found}

    def tenancies(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the instance tenancy of each VPC."""
        found = self._described("describe_vpcs", "Vpcs", "vpc-id", vpcs)
        return {item["VpcId"]: item["InstanceTenancy"] for item in found}

    def route_tables(self, vpcs: Sequence[str]) -> tuple[RouteTable, ...]:
        """Return all route tables of these VPCs."""
        found = self._described("describe_route_tables", "RouteTables", "vpc-id", vpcs)
        return tuple(map(_route_table, found))

    def network_acls(self, subnets: Sequence[str]) -> tuple[NetworkAcl, ...]:
        """Return the network ACLs of these subnets."""
        by = "association.subnet-id"
        found = self._described("describe_network_acls", "NetworkAcls", by, subnets)
        return tuple(map(_network_acl, found))

    def nat_gateways(self, vpcs: Sequence[str]) -> Mapping[str, NatGateway]:
        """Return the NAT gateways of these VPCs, by id; other accounts cannot see those of a shared VPC."""
        found = self._described("describe_nat_gateways", "NatGateways", "vpc-id", vpcs, parameter="Filter")
        return {
            item["NatGatewayId"]: NatGateway(
                id=item["NatGatewayId"],
                state=item["State"],
                subnet=item.get("SubnetId", ""),
                is_public=item.get("ConnectivityType", "public") == "public",
            )
            for item in found
        }

    def endpoints(self, vpcs: Sequence[str]) -> tuple[Endpoint, ...]:
        """Return the available VPC endpoints."""
        return tuple(
            Endpoint(
                vpc=item["VpcId"],
                service=item["ServiceName"].rpartition(".")[2],
                kind=item["VpcEndpointType"].lower(),
                id=item["VpcEndpointId"],
                route_tables=frozenset(item.get("RouteTableIds", ())),
                groups=frozenset(group["GroupId"] for group in item.get("Groups", ())),
                has_private_dns=item.get("PrivateDnsEnabled", False),
            )
            for item in self._described("describe_vpc_endpoints", "VpcEndpoints", "vpc-id", vpcs)
            if item["State"].lower() == "available"
        )

    def interfaces(self, vpcs: Sequence[str]) -> Mapping[str, int]:
        """Return the number of Lambda's network interfaces in each VPC."""
        found = self._described(
            "describe_network_interfaces",
            "NetworkInterfaces",
            "vpc-id",
            vpcs,
            more=({"Name": "interface-type", "Values": ["lambda"]},),
        )
        return Counter(item["VpcId"] for item in found)

    def interface_quota(self) -> int:
        """Return the maximum number of Lambda's network interfaces in a VPC."""
        answer = self._connection.ask(
            "service-quotas", "get_service_quota", ServiceCode="lambda", QuotaCode=_INTERFACES_PER_VPC
        )
        return int(answer["Quota"]["Value"])

    def _described(
        self,
        operation: str,
        key: str,
        by: str,
        values: Sequence[str],
        *,
        parameter: str = "Filters",
        more: Sequence[Mapping[str, object]] = (),
    ) -> Iterator[dict[str, Any]]:
        """Yield EC2's descriptions; unlike a parameter, a filter may have ids that do not exist."""
        for start in range(0, len(values), _VALUES_OF_A_FILTER):
            filters = [{"Name": by, "Values": list(values[start : start + _VALUES_OF_A_FILTER])}, *more]
            for page in self._connection.paginate("ec2", operation, **{parameter: filters}):
                yield from page[key]


def _subnet(item: Mapping[str, Any]) -> Subnet:
    blocks = item.get("Ipv6CidrBlockAssociationSet", ())
    return Subnet(
        id=item["SubnetId"],
        vpc=item["VpcId"],
        zone=item["AvailabilityZone"],
        state=item["State"],
        free_addresses=item["AvailableIpAddressCount"],
        cidr=item["CidrBlock"],
        owner=item.get("OwnerId", ""),
        ipv6=any(each.get("Ipv6CidrBlockState", {}).get("State") not in _UNUSABLE for each in blocks),
    )


def _security_group(item: Mapping[str, Any]) -> SecurityGroup:
    return SecurityGroup(
        id=item["GroupId"],
        vpc=item["VpcId"],
        has_egress=bool(item["IpPermissionsEgress"]),
        ingress=tuple(
            Ingress(
                protocol=rule["IpProtocol"],
                first_port=rule.get("FromPort", 0),
                last_port=rule.get("ToPort", _LAST_PORT),
                sources=frozenset(_sources(rule)),
            )
            for rule in item.get("IpPermissions", ())
        ),
    )


def _sources(rule: Mapping[str, Any]) -> Iterator[str]:
    for key, name in (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("UserIdGroupPairs", "GroupId"),
        ("PrefixListIds", "PrefixListId"),
    ):
        yield from (each[name] for each in rule.get(key, ()) if name in each)


def _route_table(item: Mapping[str, Any]) -> RouteTable:
    associations = item["Associations"]
    return RouteTable(
        id=item["RouteTableId"],
        vpc=item["VpcId"],
        subnets=frozenset(each["SubnetId"] for each in associations if "SubnetId" in each),
        is_main=any(each.get("Main") for each in associations),
        routes=tuple(
            Route(
                destination=each.get("DestinationCidrBlock") or each.get("DestinationIpv6CidrBlock") or "",
                target=next((str(each[key]) for key in _TARGETS if each.get(key)), "an unknown target"),
                is_active=each.get("State") != "blackhole",
            )
            for each in item["Routes"]
        ),
    )


def _network_acl(item: Mapping[str, Any]) -> NetworkAcl:
    return NetworkAcl(
        id=item["NetworkAclId"],
        subnets=frozenset(each["SubnetId"] for each in item.get("Associations", ())),
        entries=tuple(
            AclEntry(
                number=each["RuleNumber"],
                is_egress=each["Egress"],
                allows=each["RuleAction"] == "allow",
                cidr=each["CidrBlock"],
                first_port=each.get("PortRange", {}).get("From", 0),
                last_port=each.get("PortRange", {}).get("To", _LAST_PORT),
            )
            for each in item.get("Entries", ())
            if "CidrBlock" in each and str(each["Protocol"]) in {"-1", "6"}
        ),
    )
