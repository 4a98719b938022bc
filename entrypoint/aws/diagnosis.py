"""What a diagnosis asks: EC2 about networks, IAM about roles, CloudWatch about the last week."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from entrypoint.aws.health import Health
from entrypoint.release.doctor import Metric
from entrypoint.release.network import Endpoint, RouteTable, SecurityGroup, Subnet
from entrypoint.release.throttling import Account, Series

_VALUES_OF_A_FILTER = 200
_METRICS_AT_ONCE = 500
_HOUR = 3_600
_INTERFACES_PER_VPC = "L-9FEE3D26"
"""Lambda's quota 'Elastic network interfaces per VPC' has this code in Service Quotas."""
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
"""What a default route may lead to, by its key in DescribeRouteTables."""


class Diagnosis(Health):
    """The calls to EC2, IAM, Service Quotas and CloudWatch; none changes anything."""

    def subnets(self, ids: Sequence[str]) -> Mapping[str, Subnet]:
        """Return those of these subnets that exist."""
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
        """Return those of these security groups that exist."""
        return {
            item["GroupId"]: SecurityGroup(
                id=item["GroupId"], vpc=item["VpcId"], has_egress=bool(item["IpPermissionsEgress"])
            )
            for item in self._described("describe_security_groups", "SecurityGroups", "group-id", ids)
        }

    def tenancies(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the tenancy of instances in each VPC."""
        found = self._described("describe_vpcs", "Vpcs", "vpc-id", vpcs)
        return {item["VpcId"]: item["InstanceTenancy"] for item in found}

    def route_tables(self, vpcs: Sequence[str]) -> tuple[RouteTable, ...]:
        """Return all route tables of these VPCs."""
        return tuple(
            map(_route_table, self._described("describe_route_tables", "RouteTables", "vpc-id", vpcs))
        )

    def nat_gateways(self, vpcs: Sequence[str]) -> Mapping[str, str]:
        """Return the state of each NAT gateway of these VPCs."""
        found = self._described("describe_nat_gateways", "NatGateways", "vpc-id", vpcs, parameter="Filter")
        return {item["NatGatewayId"]: item["State"] for item in found}

    def endpoints(self, vpcs: Sequence[str]) -> tuple[Endpoint, ...]:
        """Return the VPC endpoints that are available."""
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
        """Return how many network interfaces Lambda has in each VPC."""
        found = self._described(
            "describe_network_interfaces",
            "NetworkInterfaces",
            "vpc-id",
            vpcs,
            more=({"Name": "interface-type", "Values": ["lambda"]},),
        )
        return Counter(item["VpcId"] for item in found)

    def interface_quota(self) -> int:
        """Return how many network interfaces Lambda may have in a VPC."""
        answer = self._ask(
            "service-quotas", "get_service_quota", ServiceCode="lambda", QuotaCode=_INTERFACES_PER_VPC
        )
        return int(answer["Quota"]["Value"])

    def denied(self, role: str, actions: Sequence[str]) -> tuple[str, ...]:
        """Return those actions that a role is not allowed."""
        answer = self._ask(
            "iam", "simulate_principal_policy", PolicySourceArn=role, ActionNames=list(actions)
        )
        results = answer["EvaluationResults"]
        return tuple(each["EvalActionName"] for each in results if each["EvalDecision"] != "allowed")

    def account(self) -> Account:
        """Return the limits of the account and region; what was claimed is not among it."""
        answer = self._call("get_account_settings")
        limit = answer["AccountLimit"]
        return Account(
            concurrency=limit["ConcurrentExecutions"],
            unreserved=limit["UnreservedConcurrentExecutions"],
            code_used=answer["AccountUsage"]["TotalCodeSize"],
            code_limit=limit["TotalCodeSize"],
            claimed={},
        )

    def metrics(self, wanted: Sequence[Metric], since: datetime, until: datetime) -> tuple[Series, ...]:
        """Return a series, hour by hour, for each metric."""
        series: list[dict[datetime, float]] = [{} for _ in wanted]
        for start in range(0, len(wanted), _METRICS_AT_ONCE):
            queries = [
                _query(number, metric)
                for number, metric in enumerate(wanted[start : start + _METRICS_AT_ONCE], start)
            ]
            token: dict[str, str] = {}
            while True:
                answer = self._ask(
                    "cloudwatch",
                    "get_metric_data",
                    MetricDataQueries=queries,
                    StartTime=since,
                    EndTime=until,
                    **token,
                )
                for result in answer["MetricDataResults"]:
                    hours = (time.astimezone(UTC) for time in result["Timestamps"])
                    series[int(result["Id"][1:])].update(zip(hours, result["Values"], strict=True))
                if not answer.get("NextToken"):
                    break
                token = {"NextToken": answer["NextToken"]}
        return tuple(series)

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
        """Yield what EC2 says of these; ids in a filter may name what is not there."""
        for start in range(0, len(values), _VALUES_OF_A_FILTER):
            filters = [{"Name": by, "Values": list(values[start : start + _VALUES_OF_A_FILTER])}, *more]
            token: dict[str, str] = {}
            while True:
                answer = self._ask("ec2", operation, **{parameter: filters}, **token)
                yield from answer[key]
                if not answer.get("NextToken"):
                    break
                token = {"NextToken": answer["NextToken"]}


def _route_table(item: Mapping[str, Any]) -> RouteTable:
    associations, routes = item["Associations"], item["Routes"]
    default = next((each for each in routes if each.get("DestinationCidrBlock") == "0.0.0.0/0"), None)
    ipv6 = next((each for each in routes if each.get("DestinationIpv6CidrBlock") == "::/0"), None)
    return RouteTable(
        vpc=item["VpcId"],
        subnets=frozenset(each["SubnetId"] for each in associations if "SubnetId" in each),
        is_main=any(each.get("Main") for each in associations),
        default=_led_to(default) if default else None,
        is_active=default is None or default.get("State") != "blackhole",
        ipv6=_led_to(ipv6) if ipv6 and ipv6.get("State") != "blackhole" else None,
    )


def _led_to(route: Mapping[str, Any]) -> str:
    return next((str(route[key]) for key in _TARGETS if route.get(key)), "what is unknown")


def _query(number: int, metric: Metric) -> dict[str, Any]:
    dimensions = [{"Name": "FunctionName", "Value": metric.function}] if metric.function else []
    named = {"Namespace": "AWS/Lambda", "MetricName": metric.name, "Dimensions": dimensions}
    return {"Id": f"m{number}", "MetricStat": {"Metric": named, "Period": _HOUR, "Stat": metric.statistic}}
