"""Waves: how far each reaches, what is looked at after it, and how it is put back."""

import json

import faults as fault
import pytest
from planning import REGION, plan_of, read
from rolling import LAYERS, NEW, OLD, rolling

from entrypoint.errors import RolloutError
from entrypoint.manifest.model import Destination
from entrypoint.release.outcome import Status
from entrypoint.release.owners import warn_of_owners
from entrypoint.release.rollout import waves
from entrypoint.release.state import LayerState, RegionState

UPDATE = "UpdateFunctionConfiguration"
pytestmark = pytest.mark.usefixtures("two_versions")


def having(outcomes, status):
    return sorted(name for name, outcome in outcomes.items() if outcome.status is status)


@pytest.mark.parametrize(
    ("portions", "expected"),
    [
        ("", [10]),
        ("waves: [10%]", [1, 9]),
        ("waves: [1, 25%, 100%]", [1, 2, 7]),
        ("waves: [3, 2, 50%]", [3, 2, 5]),
        ("waves: [100%]", [10]),
        ("waves: [50]", [10]),
    ],
)
def test_each_wave_reaches_as_far_as_is_written(portions, expected):
    manifest, _ = read(LAYERS + (f"rollout: {{{portions}}}" if portions else ""))
    assert [len(wave) for wave in waves(range(10), manifest.rollout)] == expected


def test_waves_come_one_after_another(aws, roll, layers_of):
    for number in range(5):
        aws.declare_function(f"f{number}", layers=[OLD])
    said = []
    outcomes, trouble = roll(rolling(waves="[1, 50%]"), said=said)
    assert having(outcomes, Status.UPDATED) == ["f0", "f1", "f2", "f3", "f4"]
    assert trouble is None
    assert said == ["wave 1 of 3: 1 functions", "wave 2 of 3: 2 functions", "wave 3 of 3: 2 functions"]
    assert layers_of("f4") == [NEW]


def test_a_wave_with_a_failure_is_put_back_with_all_before_it(aws, roll, layers_of):
    for number in range(4):
        aws.declare_function(f"f{number}", layers=[OLD])
    aws.fail_next_update("f1", reason_code="SubnetOutOfIPAddresses", reason="no addresses")
    outcomes, trouble = roll(rolling(waves="[1, 3]"))
    assert trouble == "wave 2 of 3 was rolled back: 1 of its 2 functions could not be updated"
    assert having(outcomes, Status.ROLLED_BACK) == ["f0", "f2"]
    assert having(outcomes, Status.FAILED) == ["f1"]
    assert having(outcomes, Status.NOT_BEGUN) == ["f3"]
    assert "free IP addresses in its subnets" in str(outcomes["f1"].error)
    assert [layers_of(f"f{number}") for number in range(4)] == [[OLD]] * 4


def test_as_many_may_fail_as_the_threshold_says(aws, roll):
    for number in range(4):
        aws.declare_function(f"f{number}", layers=[OLD])
    aws.fail_next_update("f1")
    outcomes, trouble = roll(rolling(waves="[50%]", failure_threshold="50%"))
    assert trouble is None
    assert having(outcomes, Status.UPDATED) == ["f0", "f2", "f3"]


def test_without_settings_a_failure_puts_nothing_back(aws, roll):
    for number in range(3):
        aws.declare_function(f"f{number}", layers=[OLD])
    aws.fail_next_update("f1")
    outcomes, trouble = roll(rolling())
    assert (having(outcomes, Status.UPDATED), trouble) == (["f0", "f2"], None)


def test_an_alarm_that_goes_off_while_it_is_watched(aws, roll, alarm, layers_of, clock, faults):
    for number in range(2):
        aws.declare_function(f"f{number}", layers=[OLD])
    alarm("errors", "OK")
    faults.script("DescribeAlarms", None, None, None, fault.after(lambda: alarm("errors", "ALARM")))
    before = clock()
    outcomes, trouble = roll(rolling(waves="[1]", check="{alarms: [errors], soak: 15}"))
    assert trouble == "wave 1 of 2 was rolled back: the alarm 'errors' went off"
    assert 10 <= clock() - before < 60
    assert (having(outcomes, Status.ROLLED_BACK), having(outcomes, Status.NOT_BEGUN)) == (["f0"], ["f1"])
    assert layers_of("f0") == [OLD]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "the alarm 'errors' does not exist"),
        ("ALARM", "'errors' was in state ALARM before anything was updated"),
    ],
)
def test_a_check_that_can_tell_nothing(aws, roll, alarm, calls, state, message):
    aws.declare_function("api", layers=[OLD])
    if state:
        alarm("errors", state)
    with pytest.raises(RolloutError, match=message):
        roll(rolling(check="{alarms: [errors]}"))
    assert calls(UPDATE) == 0


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        ({"ok": True, "more": 1}, None),
        ({"ok": False}, 'the response of api, {"ok": false}, does not match expect.json'),
        (None, "the invocation of api failed: "),
    ],
)
def test_a_function_that_has_to_answer(aws, roll, tmp_path, answer, trouble, layers_of):
    aws.declare_function("api", layers=[OLD])
    (tmp_path / "payload.json").write_text('{"ping": 1}')
    (tmp_path / "expect.json").write_text('{"ok": true}')
    asked = []

    def answering(invocation):
        asked.append(json.loads(invocation.payload))
        if answer is None:
            raise ValueError("broken")
        return json.dumps(answer).encode()

    aws.answer_invocations("api", answering)
    files = f"payload: {tmp_path}/payload.json, expect: {tmp_path}/expect.json"
    _, found = roll(rolling(check=f"{{invoke: {{function: api, {files}}}}}"))
    assert asked == [{"ping": 1}]
    assert (found is None) if trouble is None else (trouble in found)
    assert layers_of("api") == ([NEW] if trouble is None else [OLD])


def test_no_wave_is_begun_when_time_is_up(aws, roll, alarm):
    for number in range(3):
        aws.declare_function(f"f{number}", layers=[OLD])
    alarm("errors", "OK")
    settings = {"waves": "[1, 2]", "check": "{alarms: [errors], soak: 90}", "timeout": 1}
    outcomes, trouble = roll(rolling(**settings))
    assert trouble == "the timeout expired before wave 2 of 3"
    assert (having(outcomes, Status.UPDATED), having(outcomes, Status.NOT_BEGUN)) == (["f0"], ["f1", "f2"])


def test_no_function_begins_after_the_timeout(aws, roll, layers_of, faults, clock):
    for number in range(3):
        aws.declare_function(f"f{number}", layers=[OLD])
    faults.script(UPDATE, fault.after(lambda: clock.sleep(61)))
    outcomes, trouble = roll(rolling(max_parallel=1, timeout=1))
    assert trouble == "the timeout expired in wave 1 of 1"
    assert (having(outcomes, Status.UPDATED), having(outcomes, Status.NOT_BEGUN)) == (["f0"], ["f1", "f2"])
    assert [layers_of(name) for name in ("f0", "f1", "f2")] == [[NEW], [OLD], [OLD]]


def test_what_somebody_else_changed_meanwhile_is_not_put_back(aws, roll, layers_of, other, faults):
    for number in range(2):
        aws.declare_function(f"f{number}", layers=[OLD])
    aws.fail_next_update("f1")

    def change():
        other.update_function_configuration(FunctionName="f0", Layers=[], MemorySize=512)

    faults.script(UPDATE, None, fault.after(change), about="")
    outcomes, _ = roll(rolling(waves="[1]", failure_threshold=0))
    assert layers_of("f0") == []
    assert having(outcomes, Status.FAILED) == ["f0", "f1"]
    assert "the layers of f0 were changed outside lambda-layers during this run" in str(outcomes["f0"].error)


def test_an_update_whose_answer_was_lost_is_put_back_too(aws, roll, layers_of, faults):
    for number in range(2):
        aws.declare_function(f"f{number}", layers=[OLD])
    aws.fail_next_update("f1")
    faults.script(UPDATE, fault.reset_after, about="/f0/")
    outcomes, _ = roll(rolling(waves="[1]"))
    assert outcomes["f0"].status is Status.ROLLED_BACK
    assert layers_of("f0") == [OLD]


@pytest.mark.parametrize("before", [None, {"SubnetIds": ["subnet-9"], "SecurityGroupIds": ["sg-9"]}])
def test_a_vpc_is_put_back_too(aws, roll, other, before):
    aws.declare_function("f0", layers=[NEW], vpc=before)
    aws.declare_function("f1", layers=[OLD])
    aws.fail_next_update("f1")
    entry = "layers: [web], vpc: {subnets: [subnet-1], security_groups: [sg-1]}"
    outcomes, _ = roll(rolling(entry=entry, waves="[1]"))
    assert outcomes["f0"].status is Status.ROLLED_BACK
    config = other.get_function_configuration(FunctionName="f0").get("VpcConfig", {})
    assert config.get("SubnetIds", []) == (before or {}).get("SubnetIds", [])


class TestAliases:
    @pytest.fixture(autouse=True)
    def _api(self, aws, other, two_versions):  # noqa: ARG002 - the function has one of them
        aws.declare_function("api", layers=[OLD])
        version = other.publish_version(FunctionName="api")["Version"]
        other.create_alias(FunctionName="api", Name="live", FunctionVersion=version)

    def entry(self, **more):
        return rolling(entry="layers: [web], aliases: [live]", **more)

    def test_an_alias_moves_to_a_version_with_the_new_layers(self, roll, layers_of, other, calls):
        outcomes, _ = roll(self.entry())
        assert outcomes["api"].version == "2"
        assert other.get_alias(FunctionName="api", Name="live")["FunctionVersion"] == "2"
        assert layers_of("api", Qualifier="live") == [NEW]
        assert roll(self.entry())[0] == {}
        assert calls("PublishVersion") == 2  # one of them the test's own

    def test_a_version_is_waited_for_before_the_alias_moves(self, aws, roll, other, clock):
        aws.cloud.update_seconds = 120.0
        before = clock()
        outcomes, _ = roll(self.entry())
        assert outcomes["api"].error is None
        assert clock() - before >= 240  # the update, then the version
        assert other.get_alias(FunctionName="api", Name="live")["FunctionVersion"] == "2"

    def test_a_canary_gets_its_share_until_the_check_passed(self, aws, roll, other):
        seen = []

        def answering(_):
            seen.append(other.get_alias(FunctionName="api", Name="live"))
            return b"{}"

        aws.answer_invocations("api", answering)
        roll(self.entry(canary=10, check="{invoke: {function: api}}"))
        assert [(each["FunctionVersion"], each.get("RoutingConfig")) for each in seen] == [
            ("1", {"AdditionalVersionWeights": {"2": 0.1}}),
            ("2", None),
        ]

    def test_a_canary_that_fails_is_taken_back(self, aws, roll, other, layers_of):
        def answering(_):
            raise ValueError("dead")

        aws.answer_invocations("api", answering)
        outcomes, trouble = roll(self.entry(canary=10, check="{invoke: {function: api}}"))
        assert "the invocation of api failed" in trouble
        assert outcomes["api"].status is Status.ROLLED_BACK
        alias = other.get_alias(FunctionName="api", Name="live")
        assert (alias["FunctionVersion"], alias.get("RoutingConfig")) == ("1", None)
        assert layers_of("api") == [OLD]

    def test_code_that_nobody_published_is_not_released(self, aws, roll, other, code, layers_of):
        other.update_function_code(FunctionName="api", ZipFile=code)
        other.get_function(FunctionName="api")
        aws.declare_function("other", layers=[OLD])
        text = LAYERS + "functions: {api: {layers: [web], aliases: [live]}, other: {layers: [web]}}"
        outcomes, _ = roll(text)
        assert layers_of("api") == [OLD]  # $LATEST is not touched either
        assert "publish that, or revert it" in str(outcomes["api"].error)
        assert other.get_alias(FunctionName="api", Name="live")["FunctionVersion"] == "1"
        assert layers_of("other") == [NEW]

    def test_an_alias_that_somebody_moves_meanwhile(self, roll, other, faults):
        faults.script("UpdateAlias", fault.STALE, fault.STALE)
        roll(self.entry())
        assert other.get_alias(FunctionName="api", Name="live")["FunctionVersion"] == "2"

    @pytest.mark.parametrize("seed", range(3))
    def test_with_every_tenth_call_in_trouble_no_alias_is_lost(self, aws, roll, other, faults, seed):
        for number in range(25):
            aws.declare_function(f"f{number:02}", layers=[OLD])
            version = other.publish_version(FunctionName=f"f{number:02}")["Version"]
            other.create_alias(FunctionName=f"f{number:02}", Name="live", FunctionVersion=version)
        anywhere = (
            fault.throttled(1),
            fault.BROKEN,
            fault.UNAVAILABLE,
            fault.reset_before,
            fault.reset_after,
        )
        faults.at_random(seed, 0.1, *anywhere)
        for operation in (UPDATE, "PublishVersion", "UpdateAlias"):
            faults.at_random(seed, 0.1, *anywhere, fault.IN_PROGRESS, fault.STALE, operation=operation)
        outcomes, trouble = roll(self.entry(waves="[1, 40%]", canary=20))
        faults.stop()
        assert trouble is None
        assert [str(outcome.error) for outcome in outcomes.values() if outcome.error] == []
        for function in other.list_functions(MaxItems=50)["Functions"]:
            name = function["FunctionName"]
            serving = other.get_function(FunctionName=name, Qualifier="live")["Configuration"]
            assert [layer["Arn"] for layer in serving["Layers"]] == [NEW]
            assert "RoutingConfig" not in other.get_alias(FunctionName=name, Name="live")
        assert sum(faults.hits.values()) > 10

    def test_provisioned_concurrency_is_kept_on_the_alias(self, aws, roll, other):
        entry = "layers: [web], aliases: [live], concurrency: {reserved: 20, provisioned: 5}"
        aws.cloud.update_seconds = 30.0
        outcomes, _ = roll(rolling(entry=entry))
        assert outcomes["api"].error is None
        found = other.get_provisioned_concurrency_config(FunctionName="api", Qualifier="live")
        assert (found["RequestedProvisionedConcurrentExecutions"], found["Status"]) == (5, "READY")
        assert other.get_function_concurrency(FunctionName="api")["ReservedConcurrentExecutions"] == 20
        assert roll(rolling(entry=entry))[0] == {}


def test_a_vpc_is_sent_where_it_is_written_and_only_then(aws, roll, other):
    aws.declare_function("api", layers=[OLD])
    entry = "layers: [web], vpc: {subnets: [subnet-2, subnet-1], security_groups: [sg-1]}"
    roll(rolling(entry=entry))
    config = other.get_function_configuration(FunctionName="api")
    assert sorted(config["VpcConfig"]["SubnetIds"]) == ["subnet-1", "subnet-2"]
    assert [each["Arn"] for each in config["Layers"]] == [NEW]
    assert roll(rolling(entry=entry))[0] == {}


def test_functions_by_their_tags(aws, roll, layers_of):
    aws.declare_function("mail", layers=[OLD], tags={"team": "payments", "stage": "prod"})
    aws.declare_function("shop", layers=[OLD], tags={"team": "shop"})
    text = LAYERS + "functions: {payments-team: {tag: {team: payments}, layers: [web]}}"
    outcomes, _ = roll(text)
    assert sorted(outcomes) == ["mail"]
    assert layers_of("shop") == [OLD]


def test_what_others_deploy_is_told_of(aws, edge):
    stack = {"aws:cloudformation:stack-name": "shop"}
    for number in range(7):
        aws.declare_function(f"f{number}", layers=[OLD], tags=stack)
    aws.declare_function("g", layers=[OLD], tags={"managed-by": "Terraform"})
    aws.declare_function("h", layers=[OLD], tags={"team": "terraform fans"})
    (newest, *_) = edge.layers.versions("web")
    state = RegionState(
        destination=Destination(REGION),
        layers={"web": LayerState(latest=newest, current=newest)},
        functions=tuple(sorted(edge.functions.all(), key=lambda each: each.name)),
        tags={},
    )
    assert [
        problem.message for problem in warn_of_owners(plan_of(rolling(), state), edge.functions.tags())
    ] == [
        "the CloudFormation stack shop deploys f0, f1, f2, f3, f4 and 2 more, and would restore the old layers",
        "Terraform deploys g, and would restore the old layers",
    ]


def test_functions_by_a_layer_that_they_use(aws, roll):
    aws.declare_function("mail", layers=[OLD])
    aws.declare_function("shop")
    text = LAYERS + "functions: {all-of-them: {using: web, layers: [web]}}"
    assert sorted(roll(text)[0]) == ["mail"]


def test_a_function_with_tenants_is_invoked_as_one(aws, other, roll, code, two_versions):
    other.create_function(
        FunctionName="api",
        Role="arn:aws:iam::123456789012:role/api",
        Runtime="python3.13",
        Handler="a.b",
        Code={"ZipFile": code},
        Layers=[OLD],
        TenancyConfig={"TenantIsolationMode": "PER_TENANT"},
    )
    outcomes, trouble = roll(rolling(check="{invoke: {function: api}}"))
    assert (outcomes["api"].status, trouble) == (Status.UPDATED, None)
    with pytest.raises(other.exceptions.InvalidParameterValueException, match="tenant"):
        other.invoke(FunctionName="api")
