"""EC2's answers about the VPCs of functions; nothing is changed."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import Endpoint, RouteTable, SecurityGroup, Subnet

_VALUES_OF_A_FILTER = 200
_INTERFACES_PER_VPC = "L-9FEE3D26"
"""The code of Lambda's quota 'Elastic network interfaces per VPC' in Service Quotas."""
_TARGETS = (
    "NatGatewayId",
    "EgressOnlyInternetGatewayId",
    "TransitGatewayId",
    "GatewayId",
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
        return {
            item["SubnetId"]: Subnet(
                id=item["SubnetId"],
                vpc=item["VpcId"],
                zone=item["AvailabilityZone"],
                state=item["State"],
                free_addresses=item["AvailableIpAddressCount"],
            )
            for item in self._described("describe_subnets", "Subnets", "subnet-id", ids)
        }

    def security_groups(self, ids: Sequence[str]) -> Mapping[str, SecurityGroup]:
        """Return the security groups with these ids that exist."""
        return {
            item["GroupId"]: SecurityGroup(
                id=item["GroupId"], vpc=item["VpcId"], has_egress=bool(item["IpPermissionsEgress"])
            )
            for item in self._described("describe_security_groups", "SecurityGroups", "group-id", ids)
        }

    def tenancies(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the instance tenancy of each VPC."""
        found = self._described("describe_vpcs", "Vpcs", "vpc-id", vpcs)
        return {item["VpcId"]: item["InstanceTenancy"] for item in found}

    def route_tables(self, vpcs: Sequence[str]) -> tuple[RouteTable, ...]:
        """Return all route tables of these VPCs."""
        found = self._described("describe_route_tables", "RouteTables", "vpc-id", vpcs)
        return tuple(map(_route_table, found))

    def nat_gateways(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the state of each NAT gateway of these VPCs."""
        found = self._described("describe_nat_gateways", "NatGateways", "vpc-id", vpcs, parameter="Filter")
        return {item["NatGatewayId"]: item["State"] for item in found}

    def endpoints(self, vpcs: Sequence[str]) -> tuple[Endpoint, ...]:
        """Return the available VPC endpoints."""
        return tuple(
            Endpoint(
                vpc=item["VpcId"],
                service=item["ServiceName"].rpartition(".")[2],
                kind=item["VpcEndpointType"].lower(),
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


def _route_table(item: Mapping[str, Any]) -> RouteTable:
    associations, routes = item["Associations"], item["Routes"]
    default = next((each for each in routes if each.get("DestinationCidrBlock") == "0.0.0.0/0"), None)
    ipv6 = next((each for each in routes if each.get("DestinationIpv6CidrBlock") == "::/0"), None)
    return RouteTable(
        vpc=item["VpcId"],
        subnets=frozenset(each["SubnetId"] for each in associations if "SubnetId" in each),
        is_main=any(each.get("Main") for each in associations),
        default=_target(default) if default else None,
        is_active=default is None or default.get("State") != "blackhole",
        ipv6=_target(ipv6) if ipv6 and ipv6.get("State") != "blackhole" else None,
    )


def _target(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in _TARGETS if route.get(key)), "an unknown target")
