"""What `doctor` makes of facts: VPCs and throttles, without an AWS."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrypoint.aws.model import AccountLimits
from entrypoint.aws.network_model import SecurityGroup, Subnet
from entrypoint.errors import Severity
from entrypoint.manifest.model import Vpc
from entrypoint.release.attachments import examine_attachments
from entrypoint.release.network import Attachment, Network
from entrypoint.release.throttling import Load, examine_account, examine_loads

HOUR = datetime(2026, 11, 2, 9, tzinfo=UTC)
API = Attachment(vpc=Vpc(("subnet-a", "subnet-b"), ("sg-1",)), functions=("api",))
A = Subnet(id="subnet-a", vpc="vpc-1", zone="euw1-az1", state="available", free_addresses=200)
B = replace(A, id="subnet-b", zone="euw1-az2")
WELL = Network(
    subnets={"subnet-a": A, "subnet-b": B},
    security_groups={"sg-1": SecurityGroup(id="sg-1", vpc="vpc-1", has_egress=True)},
    tenancies={"vpc-1": "default"},
    interfaces={"vpc-1": 2},
)


def findings(network, *attachments):
    return [(each.severity, str(each)) for each in examine_attachments(attachments or (API,), network)]


def with_subnets(*subnets):
    return replace(WELL, subnets={subnet.id: subnet for subnet in subnets})


def with_group(**changes):
    return replace(WELL, security_groups={"sg-1": replace(WELL.security_groups["sg-1"], **changes)})


def test_nothing_is_said_of_a_network_that_is_well():
    assert findings(WELL) == []


def test_nothing_is_made_up_of_what_may_not_be_read():
    assert findings(Network(subnets=None)) == []
    assert findings(Network(subnets=WELL.subnets)) == []


@pytest.mark.parametrize(
    ("network", "severity", "told"),
    [
        (
            with_subnets(A),
            "error",
            "the subnet subnet-b of api does not exist, or not in a VPC of this account",
        ),
        (
            with_subnets(A, replace(B, vpc="vpc-2")),
            "error",
            "in several VPCs: vpc-1, vpc-2",
        ),
        (with_subnets(A, replace(B, zone=A.zone)), "warning", "all subnets are in one zone, euw1-az1"),
        (with_subnets(A, replace(B, state="pending")), "error", "the subnet subnet-b of api: state pending"),
        (
            with_subnets(A, replace(B, free_addresses=0)),
            "error",
            "subnet-b of api: 0 free addresses; 8 are recommended",
        ),
        (
            with_subnets(A, replace(B, free_addresses=7)),
            "warning",
            "subnet-b of api: 7 free addresses; 8 are recommended",
        ),
        (replace(WELL, security_groups={}), "error", "the security group sg-1 of api does not exist"),
        (with_group(vpc="vpc-2"), "error", "sg-1 is in vpc-2, the subnets are in vpc-1"),
        (with_group(has_egress=False), "warning", "no security group has an outbound rule"),
        (
            with_subnets(replace(A, state="pending"), replace(B, state="pending")),
            "error",
            "the subnets subnet-a, subnet-b of api: state pending",
        ),
        (replace(WELL, tenancies={"vpc-1": "dedicated"}), "error", "dedicated tenancy"),
        (
            replace(WELL, interfaces={"vpc-1": 400}),
            "warning",
            "has 400 of at most 500 Lambda network interfaces",
        ),
        (
            replace(WELL, interfaces={"vpc-1": 8}, interface_quota=10),
            "warning",
            "of at most 10 Lambda network interfaces",
        ),
    ],
)
def test_what_is_wrong_is_told_once(network, severity, told):
    (finding,) = findings(network)
    assert finding[0] == severity
    assert told in finding[1]


def test_addresses_are_wanted_for_what_all_users_of_a_subnet_have_reserved():
    api = replace(API, reserved=6_000)
    report = Attachment(vpc=Vpc(("subnet-a",), ()), functions=("report",), reserved=3_500)
    network = with_subnets(replace(A, free_addresses=9), replace(B, free_addresses=8))
    told = [text for severity, text in findings(network, api, report) if "addresses" in text]
    (text,) = told
    assert (
        "subnet-a of api, report: 9 free addresses; 10 are recommended, for 9,500 concurrent executions"
        in text
    )


ACCOUNT = AccountLimits(
    concurrency=1_000, unreserved=900, code_used=10**9, code_limit=10**11, claimed={HOUR: 200}
)
LOAD = Load(function="api", throttles={HOUR: 12}, concurrency={HOUR: 50})


def told_of(load, account=ACCOUNT):
    (finding,) = examine_loads([load], account)
    assert finding.severity is Severity.WARNING
    return str(finding)


def test_what_is_used_of_an_account():
    (finding,) = examine_account(ACCOUNT)
    assert finding.severity is Severity.INFO
    assert "1,000 concurrent executions, 900 of them unreserved; at most 200 claimed" in str(finding)
    assert len(list(examine_account(replace(ACCOUNT, claimed={HOUR: 700})))) == 1
    _, near = examine_account(replace(ACCOUNT, claimed={HOUR: 701, HOUR - timedelta(hours=1): 10}))
    assert "701 of 1,000 concurrent executions were claimed (70%)" in str(near)
    _, full = examine_account(replace(ACCOUNT, code_used=8 * 10**10))
    assert "80.0 of 100.0 GB of code storage are used" in str(full)


def test_a_function_that_was_not_throttled_is_well():
    assert (
        list(examine_loads([replace(LOAD, throttles={HOUR: 0}), replace(LOAD, throttles={})], ACCOUNT)) == []
    )


@pytest.mark.parametrize(
    ("load", "account", "told"),
    [
        (replace(LOAD, reserved=0), ACCOUNT, "switched off"),
        (replace(LOAD, reserved=50), ACCOUNT, "raise its 'concurrency: {reserved: 50}'"),
        (replace(LOAD, reserved=50), ACCOUNT, "900 are unreserved"),
        (LOAD, replace(ACCOUNT, claimed={HOUR: 950}), "950 of the account's 1,000 were claimed then"),
        # the account was full, but at another time
        (LOAD, replace(ACCOUNT, claimed={HOUR: 200, HOUR - timedelta(hours=1): 999}), "came in bursts"),
        (LOAD, ACCOUNT, "concurrency: {provisioned: ...}"),
        (LOAD, None, "check whether the account's concurrent executions were used up"),
        (replace(LOAD, is_asynchronous=True), ACCOUNT, "SQS queue"),
        (replace(LOAD, is_stream=True), ACCOUNT, "IteratorAge"),
        (replace(LOAD, duration=4_200), ACCOUNT, "it takes 4.2 s on average"),
    ],
)
def test_what_fits_against_throttles(load, account, told):
    text = told_of(load, account)
    assert "api was throttled 12 times in the last week, with at most 50 executions at once" in text
    assert told in text


def test_the_worst_comes_first():
    loads = [LOAD, replace(LOAD, function="report", throttles={HOUR: 500, HOUR - timedelta(hours=1): 500})]
    first, second = examine_loads(loads, ACCOUNT)
    assert "report was throttled 1,000 times" in str(first)
    assert "api was throttled" in str(second)
