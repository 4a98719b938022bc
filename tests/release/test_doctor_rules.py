"""What `doctor` makes of facts: VPCs and throttles, without an AWS."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from entrypoint.aws.model import AccountLimits, EventSource, Queue
from entrypoint.aws.network_model import SecurityGroup, Subnet
from entrypoint.errors import Severity
from entrypoint.manifest.model import Vpc
from entrypoint.release.attachments import examine_attachments
from entrypoint.release.events import Events, examine_events
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
NEW = replace(ACCOUNT, concurrency=10, unreserved=10)
BIG = replace(ACCOUNT, concurrency=5_000, unreserved=5_000)
BEFORE = HOUR - timedelta(hours=1)
QUEUE = EventSource(arn="arn:aws:sqs:eu-west-1:123456789012:orders", service="sqs")
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
        (replace(LOAD, reserved=50), ACCOUNT, "its reservation of 50 was used up"),
        (replace(LOAD, reserved=50), ACCOUNT, "by up to 800, which the account has left"),
        (replace(LOAD, reserved=50), NEW, "the account has nothing left to reserve"),
        # 600 calls per second are 36,000 a minute; 60 executions allow them
        (replace(LOAD, reserved=60, calls={HOUR: 36_000}), ACCOUNT, "its calls came at 600 per second"),
        (replace(LOAD, reserved=60, calls={HOUR: 36_000}), ACCOUNT, "60 allows 600 (10 for each execution)"),
        (
            replace(LOAD, reserved=70, calls={HOUR: 36_000}),
            ACCOUNT,
            "no limit was reached for a whole minute",
        ),
        (
            replace(LOAD, calls={HOUR: 6_000}),
            replace(NEW, claimed={}),
            "the account's 10 executions allow 100",
        ),
        (LOAD, replace(ACCOUNT, claimed={HOUR: 950}), "950 of the account's 1,000 were claimed then"),
        (LOAD, replace(ACCOUNT, claimed={HOUR: 950}), "(up to 800 can be reserved)"),
        # the account was full, but at another time
        (LOAD, replace(ACCOUNT, claimed={HOUR: 200, BEFORE: 999}), "no limit was reached"),
        # with a reservation, the account's limit does not matter
        (replace(LOAD, reserved=100), replace(ACCOUNT, claimed={HOUR: 999}), "no limit was reached"),
        (LOAD, ACCOUNT, "have callers retry with backoff and jitter"),
        (replace(LOAD, concurrency={HOUR: 1_200}), BIG, "faster than Lambda adds environments"),
        (replace(LOAD, concurrency={HOUR: 900, BEFORE: 1_200}), BIG, "no limit was reached"),
        (LOAD, None, "check whether the account's concurrent executions were used up"),
        (replace(LOAD, is_asynchronous=True), ACCOUNT, "SQS queue in front"),
        (
            replace(LOAD, duration={HOUR: 4_200}),
            ACCOUNT,
            "it takes 4.2 s on average: half of that would need",
        ),
        (replace(LOAD, duration={HOUR: 4_000}, memory=512), ACCOUNT, "with 512 MB, which is 0.29 vCPU"),
        (replace(LOAD, duration={HOUR: 4_000}, memory=512), ACCOUNT, "half the concurrency (50 -> 25)"),
        (
            replace(LOAD, duration={HOUR: 4_000}, memory=512),
            ACCOUNT,
            "(0.50 GB x 4.00 s = 1.00 GB x 2.00 s); measure 1,024 to 1,769 MB with AWS Lambda Power Tuning",
        ),
        (
            replace(LOAD, duration={HOUR: 4_000}, memory=2_048),
            ACCOUNT,
            "helps only code that uses several CPUs",
        ),
        (
            replace(LOAD, duration={HOUR: 2_000, BEFORE: 1_000}),
            ACCOUNT,
            "took 2.0 s on average in these hours, 1.0 s otherwise",
        ),
        (
            replace(LOAD, reserved=20, sources=(QUEUE,)),
            ACCOUNT,
            "set the maximum concurrency of its queue to 20",
        ),
        (
            replace(LOAD, reserved=1, sources=(QUEUE,)),
            ACCOUNT,
            "set the maximum concurrency of its queue to 2",
        ),
    ],
)
def test_what_fits_against_throttles(load, account, told):
    text = told_of(load, account)
    assert (
        "api was throttled 12 times in the last week, most at 2026-11-02 09:00 UTC (12), with at most" in text
    )
    assert told in text


@pytest.mark.parametrize(
    ("load", "account", "not_told"),
    [
        (replace(LOAD, duration={HOUR: 2_999}, memory=512), ACCOUNT, "vCPU"),
        (replace(LOAD, duration={HOUR: 1_400, BEFORE: 1_000}), ACCOUNT, "in these hours"),
        (replace(LOAD, is_asynchronous=True, sources=(QUEUE,)), ACCOUNT, "SQS queue in front"),
        (
            replace(LOAD, reserved=20, sources=(replace(QUEUE, maximum_concurrency=5),)),
            ACCOUNT,
            "of its queue",
        ),
        (LOAD, replace(NEW, claimed={HOUR: 10}), "reserved: ..."),
    ],
)
def test_what_does_not_fit_is_not_advised(load, account, not_told):
    assert not_told not in told_of(load, account)


def found(**events):
    return [
        (each.severity, str(each)) for each in examine_events(Events(function="api", timeout=30, **events))
    ]


ORDERS = {"queues": {QUEUE.arn: Queue(visibility_timeout=180, has_dead_letters=True)}, "sources": (QUEUE,)}
CLICKS = EventSource(
    arn="arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
    service="kinesis",
    batch_size=100,
    bisects=True,
    has_failure_destination=True,
)


def test_nothing_is_found_about_events_that_go_well():
    quiet = {HOUR: 0.0}
    assert found(dropped=quiet, dead_letter_errors=quiet, spillover=quiet, iterator_age={HOUR: 60_000}) == []
    assert found(received={HOUR: 5}, keeps_failed=True) == []
    assert found(received={}, keeps_failed=False) == []
    assert found(**ORDERS, reserved=10) == []
    assert found(sources=(replace(QUEUE, maximum_concurrency=10),), reserved=10) == []
    assert found(sources=(CLICKS, replace(CLICKS, bisects=False, maximum_retries=2))) == []
    assert found(sources=(replace(CLICKS, bisects=False, maximum_age=60),)) == []


@pytest.mark.parametrize(
    ("events", "severity", "told"),
    [
        (
            {"dropped": {HOUR: 7, BEFORE: 2}},
            "warning",
            "api: 9 asynchronous events were dropped in the last week, most at 2026-11-02 09:00 UTC (7)",
        ),
        (
            {"dead_letter_errors": {HOUR: 3}},
            "warning",
            "api: 3 events could not be sent to its dead-letter queue",
        ),
        ({"spillover": {HOUR: 4}}, "warning", "api: 4 calls found no provisioned environment"),
        (
            {"received": {HOUR: 5}, "keeps_failed": False},
            "warning",
            "api had 5 asynchronous events in the last week, and does not keep failed ones",
        ),
        (
            {"iterator_age": {HOUR: 90_000}},
            "warning",
            "api is behind its stream: records waited 90 s at 2026-11-02 09:00 UTC",
        ),
        (
            {"iterator_age": {HOUR: 90_000}, "sources": (CLICKS,)},
            "warning",
            "raise the parallelization factor of the stream clicks from 1 to up to 10; try batches of more than 100 records",
        ),
        (
            {**ORDERS, "queues": {QUEUE.arn: Queue(29, has_dead_letters=True)}},
            "error",
            "api: the queue orders hides messages for 29 s, less than the timeout of 30 s; set its visibility timeout to 180 s",
        ),
        (
            {**ORDERS, "queues": {QUEUE.arn: Queue(179, has_dead_letters=True)}},
            "warning",
            "hides messages for 179 s; 180 s are recommended",
        ),
        ({**ORDERS, "sources": (replace(QUEUE, batching_window=20),)}, "warning", "200 s are recommended"),
        (
            {**ORDERS, "queues": {QUEUE.arn: Queue(180, has_dead_letters=False)}},
            "info",
            "the queue orders has no dead-letter queue",
        ),
        (
            {"sources": (replace(QUEUE, maximum_concurrency=11),), "reserved": 10},
            "warning",
            "api: the queue orders may use 11 executions, and 10 are reserved",
        ),
        (
            {"sources": (replace(CLICKS, bisects=False),)},
            "warning",
            "a record of the stream clicks that always fails blocks its shard",
        ),
        (
            {"sources": (replace(CLICKS, has_failure_destination=False),)},
            "warning",
            "failed records of the stream clicks are lost",
        ),
        ({"sources": (replace(CLICKS, is_enabled=False),)}, "warning", "the stream clicks is disabled"),
    ],
)
def test_events_that_are_lost_or_wait(events, severity, told):
    ((has, text),) = found(**events)
    assert has == severity
    assert told in text


def test_the_worst_comes_first():
    loads = [LOAD, replace(LOAD, function="report", throttles={HOUR: 500, HOUR - timedelta(hours=1): 500})]
    first, second = examine_loads(loads, ACCOUNT)
    assert "report was throttled 1,000 times" in str(first)
    assert "api was throttled" in str(second)
