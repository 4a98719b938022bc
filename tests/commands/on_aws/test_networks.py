"""`doctor` about VPCs in moto: a sound one, and the same one with exactly one fault."""

import contextlib
import json

import boto3
import faults as fault
import pytest
from deploying import MANIFEST
from simulating import EVERYTHING, MANAGED, Simulated
from vpcs import MadeVpc

from entrypoint.cli import main

ALL_PORTS = [(0, 65_535, "allow")]
OTHER = "210987654321"


@pytest.fixture
def made(aws):
    with contextlib.closing(boto3.client("ec2")) as client:
        yield MadeVpc(client)


@pytest.fixture
def roles(faults):
    """Say what the policies of every role are."""

    def have(**simulated):
        faults.script("SimulatePrincipalPolicy", *[Simulated(**simulated)] * 9)

    have()
    return have


@pytest.fixture
def doctor(project, made, roles, capsys):
    """Return what doctor finds about the VPC of the manifest, as severity and text."""

    def examine(entry=None):
        text = MANIFEST.replace("layers: [web, tools]}", f"layers: [web, tools], {entry or made.manifest}}}")
        (project / "lambda-layers.yml").write_text(text)
        capsys.readouterr()
        code = main(["doctor", "--json"])
        (region,) = json.loads(capsys.readouterr().out)["regions"]
        found = [(each["severity"], each["message"]) for each in region["findings"]]
        assert code == (11 if any(severity == "error" for severity, _ in found) else 0)
        skipped = ("concurrent executions,", "GetServiceQuota")
        return [each for each in found if not any(part in each[1] for part in skipped)]

    return examine


def test_nothing_is_found_about_a_sound_vpc(doctor):
    assert doctor() == []


FAULTS = {}


def breaking(*expected):
    """Register a fault: it breaks a VPC, and what is found about it begins with these texts."""

    def register(function):
        FAULTS[function.__name__] = (function, expected)
        return function

    return register


@breaking(("error", "the default route of the subnet {0} of api has the target {nat0}, which is deleted"))
def nat_deleted(made):
    made.ec2.delete_nat_gateway(NatGatewayId=made.nats[0])


@breaking(
    (
        "info",
        "the default route of the subnet {0} of api has the target {more}, which is not visible to this run",
    )
)
def nat_not_visible(made):
    """It is in another VPC: moto shows it, but not among those of this one."""
    nat = MadeVpc(made.ec2).nats[0]
    made.reroute(0, NatGatewayId=nat)
    return nat


@breaking(
    ("info", "the default route of the subnet {0} of api has the target {more}, a private NAT gateway"),
)
def nat_private(made):
    nat = made.nat(made.public[0], ConnectivityType="private")
    made.reroute(0, NatGatewayId=nat)
    return nat


@breaking(
    (
        "error",
        "the default route of the subnet {0} of api has the target {more}, whose own subnet {1} has no route to an internet gateway",
    )
)
def nat_in_a_private_subnet(made):
    nat = made.nat(made.private[1])
    made.reroute(0, NatGatewayId=nat)
    return nat


@breaking(("warning", "api: {nat0} alone serves the subnets of 2 zones"))
def one_nat(made):
    made.reroute(1, NatGatewayId=made.nats[0])


@breaking(
    ("warning", "the default route of the subnet {0} of api has the target {internet}: in a public subnet")
)
def public(made):
    made.reroute(0, GatewayId=made.internet)


@breaking(
    ("warning", "no way to s3 from the subnet {0} of api: {s3} is not in the route table {more}"),
    (
        "info",
        "no route to the internet from the subnet {0} of api: functions reach only these VPC endpoints: s3 (gateway)",
    ),
)
def no_route_and_an_endpoint_elsewhere(made):
    made.ec2.modify_vpc_endpoint(VpcEndpointId=made.s3, RemoveRouteTableIds=[made.tables[0]])
    made.reroute(0)
    return made.tables[0]


@breaking(
    (
        "info",
        "no route to the internet from the subnets {0}, {1} of api: functions reach only these VPC endpoints: s3 (gateway)",
    ),
)
def no_routes(made):
    made.reroute(0)
    made.reroute(1)


@breaking(("info", "traffic to s3 from the subnet {0} of api does not use the gateway endpoint {s3}"))
def gateway_endpoint_on_another_table(made):
    made.ec2.modify_vpc_endpoint(VpcEndpointId=made.s3, RemoveRouteTableIds=[made.tables[0]])


@breaking(("warning", "the subnet {0} of api: a route to one half of the internet only, 0.0.0.0/1"))
def half_a_route(made):
    made.reroute(0, to="0.0.0.0/1", NatGatewayId=made.nats[0])


@breaking(
    (
        "error",
        "the default route (128.0.0.0/1) of the subnet {0} of api has the target {more}, which is deleted",
    )
)
def the_other_half_leads_nowhere(made):
    made.reroute(0, to="0.0.0.0/1", NatGatewayId=made.nats[0])
    nat = made.nat(made.public[0])
    made.route(made.tables[0], "128.0.0.0/1", NatGatewayId=nat)
    made.ec2.delete_nat_gateway(NatGatewayId=nat)
    return nat


@breaking(
    (
        "info",
        "the default route of the subnet {0} of api has the target {more}, a transit gateway: what it leads to is not examined",
    )
)
def transit_gateway(made):
    gateway = made.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    made.reroute(0, TransitGatewayId=gateway)
    return gateway


@breaking(
    ("warning", "the network ACL {more} of the subnets {0}, {1} of api does not allow outbound TCP 443")
)
def acl_without_https(made):
    return made.acl(
        *made.private, outbound=[(80, 80, "allow"), (443, 443, "deny"), *ALL_PORTS], inbound=ALL_PORTS
    )


@breaking(
    ("warning", "the network ACL {more} of the subnet {0} of api does not allow inbound TCP 1024-65535")
)
def acl_without_answers(made):
    return made.acl(
        made.private[0], outbound=ALL_PORTS, inbound=[(443, 443, "allow"), (32_768, 65_535, "allow")]
    )


@breaking(("warning", "api: the endpoint {more} for logs does not admit them"))
def endpoint_whose_group_admits_others(made):
    group = made.new_group("endpoint")
    made.admit(group, IpRanges=[{"CidrIp": "10.0.1.0/24"}])  # one of both subnets
    return made.interface_endpoint("logs", group)


@breaking(
    ("warning", "api: the endpoint {more} for logs has no private DNS names"),
    (
        "info",
        "no route to the internet from the subnets {0}, {1} of api: functions reach only these VPC endpoints: logs (interface), s3",
    ),
)
def endpoint_without_private_dns(made):
    no_routes(made)
    group = made.new_group("endpoint")
    made.admit(group, UserIdGroupPairs=[{"GroupId": made.group}])
    return made.interface_endpoint("logs", group, private_dns=False)


@breaking(("warning", "api: no security group has an outbound rule"))
def silent_group(made):
    everything = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    made.ec2.revoke_security_group_egress(GroupId=made.group, IpPermissions=[everything])


@pytest.mark.parametrize("name", FAULTS)
def test_one_fault_is_one_finding(doctor, made, name):
    break_it, expected = FAULTS[name]
    more = break_it(made)
    found = doctor()
    names = {"nat0": made.nats[0], "internet": made.internet, "s3": made.s3, "more": more}
    wanted = [(severity, text.format(*made.private, **names)) for severity, text in expected]
    assert [
        (severity, text[: len(start)]) for (severity, text), (_, start) in zip(found, wanted, strict=True)
    ] == wanted


def test_what_is_sound_in_another_way(doctor, made):
    """Endpoints that admit the functions, a network ACL with all that is needed, and both halves of a route."""
    made.reroute(0, to="0.0.0.0/1", NatGatewayId=made.nats[0])
    made.route(made.tables[0], "128.0.0.0/1", NatGatewayId=made.nats[0])
    for service, source in (
        ("logs", {"UserIdGroupPairs": [{"GroupId": made.group}]}),
        ("sts", {"IpRanges": [{"CidrIp": "10.0.0.0/16"}]}),
    ):
        group = made.new_group(service)
        made.admit(group, **source)
        made.interface_endpoint(service, group)
    made.acl(*made.private, outbound=[(443, 443, "allow")], inbound=[(1_024, 65_535, "allow")])
    assert doctor() == []


def test_a_network_acl_may_be_narrow_where_there_is_no_internet(doctor, made):
    no_routes(made)
    made.acl(*made.private)
    ((severity, text),) = doctor()
    assert severity == "info"
    assert text.startswith("no route to the internet")


def test_missing_subnets_and_groups_are_one_finding_each(doctor, made):
    entry = f"vpc: {{subnets: [subnet-0, subnet-00, {made.private[0]}], security_groups: [sg-0, sg-00]}}"
    (_, groups), (_, subnets) = (each for each in doctor(entry) if each[0] == "error")
    assert groups == "the security groups sg-0, sg-00 of api do not exist"
    assert subnets == "the subnets subnet-0, subnet-00 of api do not exist, or not in a VPC of this account"


class TestIPv6:
    @pytest.fixture
    def dual(self, made):
        """The same VPC with a way out for IPv6, and an IPv6 block in the first private subnet."""
        made.ec2.associate_vpc_cidr_block(VpcId=made.id, AmazonProvidedIpv6CidrBlock=True)
        (vpc,) = made.ec2.describe_vpcs(VpcIds=[made.id])["Vpcs"]
        block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"].replace("::/56", "::/64")
        made.ec2.associate_subnet_cidr_block(SubnetId=made.private[0], Ipv6CidrBlock=block)
        out = made.ec2.create_egress_only_internet_gateway(VpcId=made.id)["EgressOnlyInternetGateway"]
        made.out = out["EgressOnlyInternetGatewayId"]
        for number in range(2):
            made.reroute(number)
            made.ec2.create_route(
                RouteTableId=made.tables[number],
                DestinationIpv6CidrBlock="::/0",
                EgressOnlyInternetGatewayId=made.out,
            )
        return made

    def test_a_route_helps_only_where_the_subnet_has_a_block(self, doctor, dual):
        (_, first), (_, second) = doctor()
        assert first == (
            f"a way to the internet by IPv6 only, to {dual.out}, from the subnet {dual.private[0]} of api: IPv6 is switched off"
        )
        assert second.startswith(
            f"a route for IPv6 only, to {dual.out}, and no IPv6 block: the subnet {dual.private[1]} of api"
        )

    def test_ipv6_needs_a_block_in_every_subnet(self, doctor, dual):
        entry = dual.manifest.replace("vpc: {", "vpc: {ipv6: true, ")
        found = dict(doctor(entry))
        assert (
            found["error"] == f"api may use IPv6, but the subnet {dual.private[1]} of api has no IPv6 block"
        )


class TestSharedVpcs:
    """What another account shares: only some of it can be read."""

    @pytest.fixture
    def shared(self, made, faults):
        """As the owner's account shows its subnets to others, which see no NAT gateways."""

        def owned(inner):
            def application(environ, start_response):
                body = b"".join(inner(environ, start_response))
                return [body.replace(b"<ownerId>123456789012<", f"<ownerId>{OTHER}<".encode())]

            return application

        empty = b'<DescribeNatGatewaysResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><natGatewaySet/></DescribeNatGatewaysResponse>'
        faults.script("DescribeSubnets", *[owned] * 3)
        faults.script("DescribeNatGateways", *[fault.answer(200, empty)] * 3)
        return made

    def test_nat_gateways_are_not_visible_and_never_gone(self, doctor, shared):
        found = doctor()
        assert {severity for severity, _ in found} == {"info"}
        assert [text for _, text in found] == [
            f"the default route of the subnet {subnet} of api has the target {nat}, which is not visible: {OTHER} owns the VPC"
            for subnet, nat in zip(shared.private, shared.nats, strict=True)
        ]

    def test_route_tables_may_not_be_visible_either(self, doctor, shared, faults):
        empty = b'<DescribeRouteTablesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><routeTableSet/></DescribeRouteTablesResponse>'
        faults.script("DescribeRouteTables", fault.answer(200, empty))
        ((severity, text),) = doctor()
        assert severity == "info"
        assert (
            text
            == f"the routes of the subnets {', '.join(shared.private)} of api are not visible: {OTHER} owns the VPC"
        )


DENY = {"Effect": "Deny", "Action": "ec2:CreateNetworkInterface", "Resource": "*"}


class TestRoles:
    def test_no_policy_at_all(self, doctor, roles):
        roles(policies=[])
        ((severity, text),) = doctor()
        assert severity == "error"
        assert text.startswith(
            "the role of api, arn:aws:iam::123456789012:role/api, is not allowed ec2:AssignPrivateIp"
        )
        assert text.count("ec2:") == 6

    @pytest.mark.parametrize(
        ("simulated", "reason"),
        [
            ({"policies": [MANAGED, DENY]}, "ec2:CreateNetworkInterface: a policy denies it explicitly"),
            (
                {
                    "boundary": [
                        {**MANAGED, "Action": ["ec2:Describe*", "ec2:Assign*", "ec2:Un*", "ec2:Delete*"]}
                    ]
                },
                "ec2:CreateNetworkInterface: its permissions boundary does not allow it",
            ),
            (
                {"organization": [EVERYTHING, DENY]},
                "ec2:CreateNetworkInterface: a service control policy of the organization denies it",
            ),
        ],
    )
    def test_what_attaching_a_policy_does_not_help_against(self, doctor, roles, simulated, reason):
        roles(**simulated)
        ((severity, text),) = doctor()
        assert severity == "error"
        assert text.endswith(reason)

    def test_policies_for_just_what_lambda_does_are_enough(self, doctor, roles, made):
        there = {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}
        arn = "arn:aws:ec2:eu-west-1:123456789012:"
        inside = {"ArnEquals": {"ec2:Vpc": f"{arn}vpc/{made.id}"}}
        allowed = [
            f"{arn}network-interface/*",
            *(f"{arn}subnet/{name}" for name in made.private),
            f"{arn}security-group/{made.group}",
        ]
        create = {
            "Effect": "Allow",
            "Action": "ec2:CreateNetworkInterface",
            "Resource": allowed,
            "Condition": inside,
        }
        others = [name for name in MANAGED["Action"] if "Create" not in name and "Describe" not in name]
        manage = {
            "Effect": "Allow",
            "Action": others,
            "Resource": f"{arn}network-interface/*",
            "Condition": there,
        }
        describe = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
        own_code = {
            "Effect": "Deny",
            "Action": "ec2:*",
            "Resource": "*",
            "Condition": {"ArnEquals": {"lambda:SourceFunctionArn": "arn:aws:lambda:*"}},
        }
        roles(policies=[create, manage, describe, own_code])
        assert doctor() == []
        create["Resource"] = allowed[:2]
        ((_, text),) = doctor()
        assert text.endswith("is not allowed ec2:CreateNetworkInterface")

    def test_a_role_that_was_deleted(self, doctor, faults):
        gone = b"<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>no</Message></Error></ErrorResponse>"
        faults.script("SimulatePrincipalPolicy", fault.answer(404, gone))
        ((severity, text),) = doctor()
        assert (severity, text) == (
            "error",
            "the role of api, arn:aws:iam::123456789012:role/api, does not exist",
        )

    def test_conditions_that_cannot_be_known_are_named(self, doctor, roles):
        roles(policies=[{**MANAGED, "Condition": {"StringEquals": {"aws:PrincipalTag/team": "web"}}}])
        (error, _), (info, more) = doctor()
        assert (error, info) == ("error", "info")
        assert "depend on aws:PrincipalTag/team, which the simulation does not know" in more
