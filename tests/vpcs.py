"""A sound VPC in moto, which tests break in one place each."""

REGION = "eu-west-1"


class MadeVpc:
    """Two zones, each with a public subnet, a NAT gateway in it, and a private subnet that leads there."""

    def __init__(self, ec2):
        self.ec2 = ec2
        self.id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(VpcId=self.id, InternetGatewayId=gateway)
        self.internet = gateway
        self.public_table = self.table()
        ec2.create_route(RouteTableId=self.public_table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.public = [self.subnet(number, zone) for number, zone in ((101, "a"), (102, "b"))]
        for name in self.public:
            ec2.associate_route_table(RouteTableId=self.public_table, SubnetId=name)
        self.nats = [self.nat(name) for name in self.public]
        self.private = sorted(self.subnet(number, zone) for number, zone in ((1, "a"), (2, "b")))
        self.tables = [self.table(name) for name in self.private]
        for table, nat in zip(self.tables, self.nats, strict=True):
            self.route(table, NatGatewayId=nat)
        self.group = self.new_group("functions")
        self.s3 = ec2.create_vpc_endpoint(
            VpcId=self.id,
            ServiceName=f"com.amazonaws.{REGION}.s3",
            VpcEndpointType="Gateway",
            RouteTableIds=self.tables,
        )["VpcEndpoint"]["VpcEndpointId"]

    def subnet(self, number, zone="a", size=24, **more):
        made = self.ec2.create_subnet(
            VpcId=self.id, CidrBlock=f"10.0.{number}.0/{size}", AvailabilityZone=f"{REGION}{zone}", **more
        )
        return made["Subnet"]["SubnetId"]

    def new_group(self, name):
        return self.ec2.create_security_group(VpcId=self.id, GroupName=name, Description=name)["GroupId"]

    def nat(self, subnet, **kind):
        if not kind:
            kind = {"AllocationId": self.ec2.allocate_address(Domain="vpc")["AllocationId"]}
        return self.ec2.create_nat_gateway(SubnetId=subnet, **kind)["NatGateway"]["NatGatewayId"]

    def table(self, subnet=None):
        table = self.ec2.create_route_table(VpcId=self.id)["RouteTable"]["RouteTableId"]
        if subnet:
            self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def route(self, table, to="0.0.0.0/0", **target):
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=to, **target)

    def reroute(self, number, to="0.0.0.0/0", **target):
        """Replace the default route of a private subnet; without a target, remove it."""
        self.ec2.delete_route(RouteTableId=self.tables[number], DestinationCidrBlock="0.0.0.0/0")
        if target:
            self.route(self.tables[number], to, **target)

    def interface_endpoint(self, service, *groups, private_dns=True):
        made = self.ec2.create_vpc_endpoint(
            VpcId=self.id,
            ServiceName=f"com.amazonaws.{REGION}.{service}",
            VpcEndpointType="Interface",
            SubnetIds=self.private,
            SecurityGroupIds=list(groups),
            PrivateDnsEnabled=private_dns,
        )
        return made["VpcEndpoint"]["VpcEndpointId"]

    def admit(self, group, **source):
        rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, **source}
        self.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])

    def acl(self, *subnets, outbound=(), inbound=()):
        """Give subnets a network ACL with these ranges of ports, for all addresses."""
        acl = self.ec2.create_network_acl(VpcId=self.id)["NetworkAcl"]["NetworkAclId"]
        for is_egress, rules in ((True, outbound), (False, inbound)):
            for number, (first, last, action) in enumerate(rules, 100):
                self.ec2.create_network_acl_entry(
                    NetworkAclId=acl,
                    RuleNumber=number,
                    Protocol="6",
                    RuleAction=action,
                    Egress=is_egress,
                    CidrBlock="0.0.0.0/0",
                    PortRange={"From": first, "To": last},
                )
        found = self.ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [self.id]}])
        for each in (each for acl in found["NetworkAcls"] for each in acl["Associations"]):
            if each["SubnetId"] in subnets:
                self.ec2.replace_network_acl_association(
                    AssociationId=each["NetworkAclAssociationId"], NetworkAclId=acl
                )
        return acl

    @property
    def manifest(self):
        """The key `vpc:` of a function's entry."""
        return f"vpc: {{subnets: [{', '.join(self.private)}], security_groups: [{self.group}]}}"
