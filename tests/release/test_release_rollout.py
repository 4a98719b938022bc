"""The roll-out: every function gets its layers, whatever AWS, the network and other people do meanwhile."""

import time

import faults as fault
import pytest
from planning import ACCOUNT, REGION, arn, layer, plan_of

from entrypoint.errors import RolloutError
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination
from entrypoint.release.rollout import roll_out
from entrypoint.release.state import LayerState, RegionState

UPDATE = "UpdateFunctionConfiguration"
EVERY_FUNCTION = "layers:\n" + layer("web") + 'functions: {"*": {layers: [web]}}'


OLD, NEW = arn("web", 1), arn("web", 2)
OWN = arn("own")


@pytest.fixture(autouse=True)
def _layers(aws):
    """The version that functions have, the one that they are to get, and a layer that is not ours."""
    for name, number in (("web", 1), ("web", 2), ("own", 1)):
        aws.declare_layer_version(name, account=ACCOUNT, version=number)


@pytest.fixture
def roll(edge, clock):
    """Plan by what stands now, then roll out the second version; outcomes by function."""

    def plan_now(through):
        (newest, *_) = through.layers.versions("web")
        stands = {"web": LayerState(latest=newest, current=newest)}
        functions = tuple(through.functions.all())
        here = Destination(REGION)
        state = RegionState(destination=here, layers=stands, functions=functions, tags={})
        return plan_of(EVERY_FUNCTION, state)

    def roll_it(before=lambda: None, through=edge, sleep=clock.sleep):
        plan = plan_now(through)
        before()
        told = []
        outcomes = roll_out(through, plan.to_update, plan.versions, told.append, sleep=sleep).functions
        assert sorted(told, key=str) == sorted(outcomes, key=str)
        return {outcome.function: outcome for outcome in outcomes}

    return roll_it


@pytest.fixture
def layers_of(other):
    def layers(name):
        configuration = other.get_function(FunctionName=name)["Configuration"]
        return [each["Arn"] for each in configuration.get("Layers", [])]

    return layers


def test_a_function_gets_the_new_version_in_place_of_the_old(aws, roll, layers_of):
    aws.declare_function("api", layers=[OLD, OWN])
    assert roll()["api"].changed
    assert layers_of("api") == [NEW, OWN]


def test_nothing_else_of_the_function_is_sent(aws, roll, other):
    aws.declare_function("api", layers=[OLD], vpc={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})
    before = other.get_function_configuration(FunctionName="api")
    roll()
    after = other.get_function_configuration(FunctionName="api")
    changed = {key for key in before if before[key] != after[key]} - {"ResponseMetadata"}
    assert changed == {"Layers", "RevisionId", "LastModified"}


def test_retry_after_is_honoured(aws, faults, roll, layers_of, clock):
    aws.declare_function("api")
    faults.script(UPDATE, fault.throttled(retry_after=30), fault.throttled(retry_after=11))
    before = clock()
    assert roll()["api"].changed
    assert 41 <= clock() - before < 60
    assert layers_of("api") == [NEW]


def test_a_retry_after_in_unknown_words_does_no_harm(aws, faults, roll):
    aws.declare_function("api")
    faults.script(UPDATE, fault.throttled("Wed, 21 Oct 2026 07:28:00 GMT"))
    assert roll()["api"].changed


def test_a_function_that_somebody_else_updates_is_waited_for(aws, faults, roll, layers_of):
    aws.declare_function("api")
    faults.script(UPDATE, fault.IN_PROGRESS, fault.IN_PROGRESS)
    assert roll()["api"].changed
    assert layers_of("api") == [NEW]


def test_an_update_under_way_is_waited_for_until_it_is_done(aws, roll, other, layers_of):
    aws.declare_function("api")
    aws.cloud.update_seconds = 40.0
    outcome = roll(lambda: other.update_function_configuration(FunctionName="api", MemorySize=512))["api"]
    assert outcome.changed
    assert layers_of("api") == [NEW]
    assert other.get_function_configuration(FunctionName="api")["MemorySize"] == 512


def test_an_update_of_somebody_else_that_fails_is_no_failure_of_ours(aws, roll, other, layers_of):
    aws.declare_function("api")
    aws.cloud.update_seconds = 5.0

    def theirs():
        aws.fail_next_update("api", reason_code="InvalidSubnet")
        other.update_function_configuration(FunctionName="api", MemorySize=512)

    assert roll(theirs)["api"].error is None
    assert layers_of("api") == [NEW]


def test_a_function_that_is_being_created_is_waited_for(aws, roll, other, code, layers_of):
    aws.cloud.update_seconds = 60.0
    role = "arn:aws:iam::123456789012:role/r"
    other.create_function(
        FunctionName="new", Runtime="python3.13", Handler="a.b", Role=role, Code={"ZipFile": code}
    )
    outcome = roll()["new"]
    assert outcome.changed
    assert layers_of("new") == list(outcome.layers)


def test_a_change_between_reading_and_updating_survives(aws, roll, layers_of, other):
    aws.declare_function("api", layers=[OLD])

    def theirs():
        other.update_function_configuration(FunctionName="api", Layers=[OWN, OLD], MemorySize=1024)
        other.get_function(FunctionName="api")  # which ends the update

    roll(theirs)
    assert layers_of("api") == [OWN, NEW]
    assert other.get_function_configuration(FunctionName="api")["MemorySize"] == 1024
    refused = [call.status for call in aws.call_log if call.operation == UPDATE and call.status >= 400]
    assert refused == [412]


def test_who_comes_first_with_the_same_layers_has_done_it(aws, roll, layers_of, other):
    aws.declare_function("api", layers=[OLD])

    def theirs():
        other.update_function_configuration(FunctionName="api", Layers=[NEW])
        other.get_function(FunctionName="api")

    assert roll(theirs)["api"].error is None
    assert layers_of("api") == [NEW]


@pytest.mark.parametrize("trouble", [fault.reset_after, fault.reset_before, fault.BROKEN, fault.UNAVAILABLE])
def test_a_lost_answer_loses_no_update(aws, faults, roll, layers_of, trouble):
    for name, seconds in (("quick", 0.0), ("slow", 3.0)):
        aws.declare_function(name, layers=[OLD])
        aws.cloud.update_seconds = seconds
        faults.script(UPDATE, trouble)
        outcome = roll()[name]
        assert (outcome.error, outcome.changed, outcome.layers) == (None, True, (NEW,))
        assert layers_of(name) == [NEW]


def test_an_update_that_takes_minutes_is_waited_for(aws, roll, layers_of):
    aws.declare_function("api")
    aws.cloud.update_seconds = 600.0
    assert roll()["api"].changed
    assert layers_of("api") == [NEW]


def test_an_update_that_never_ends_is_told(aws, roll):
    aws.declare_function("api")
    aws.cloud.update_seconds = 1e9
    error = roll()["api"].error
    assert isinstance(error, RolloutError)
    assert "the update of api was still in progress after 900 s" in str(error)


def test_a_failed_update_is_told_with_its_reason_and_the_others_go_on(aws, roll, layers_of):
    for name in ("a", "b", "c"):
        aws.declare_function(name, layers=[OLD])
    aws.fail_next_update("b", reason_code="SubnetOutOfIPAddresses", reason="No free addresses.")
    outcomes = roll()
    error = outcomes["b"].error
    assert isinstance(error, RolloutError)
    assert "the update of b failed: No free addresses. (SubnetOutOfIPAddresses)" in str(error)
    assert [layers_of(name) for name in "abc"] == [[NEW], [OLD], [NEW]]
    assert [outcomes[name].changed for name in "abc"] == [True, False, True]


def test_a_function_that_may_not_be_changed_stops_no_other(aws, faults, roll, layers_of):
    for name in ("a", "b"):
        aws.declare_function(name)
    text = "User: x is not authorized to perform: lambda:GetLayerVersion on resource: arn:y because no"
    faults.script(UPDATE, fault.error(403, "AccessDeniedException", text), about="/a/")
    outcomes = roll()
    (problem,) = outcomes["a"].error.problems
    assert problem.message.startswith("AWS refuses UpdateFunctionConfiguration for a: User: x is not")
    assert problem.hint == "allow lambda:GetLayerVersion to the role of this run, on arn:y"
    assert (layers_of("a"), layers_of("b")) == ([], [NEW])


def test_a_function_that_was_deleted_meanwhile_is_told(aws, roll, other):
    aws.declare_function("api")
    error = roll(lambda: other.delete_function(FunctionName="api"))["api"].error
    assert isinstance(error, RolloutError)
    assert "Function not found" in str(error)


@pytest.mark.parametrize("trouble", [fault.STALE, fault.IN_PROGRESS])
def test_a_function_that_never_gets_free_is_given_up(aws, faults, roll, clock, trouble):
    aws.declare_function("api")
    faults.script(UPDATE, *[trouble] * 100)
    before = clock()
    error = roll()["api"].error
    assert clock() - before > 30
    assert "another update of api was in progress at each of 10 attempts" in str(error)


def test_an_aws_that_keeps_failing_is_given_up(aws, faults, roll, clock):
    aws.declare_function("api")
    faults.script(UPDATE, *[fault.BROKEN] * 100)
    before = clock()
    error = roll()["api"].error
    assert "AWS does not answer update function configuration" in str(error)
    assert clock() - before < 300


def test_a_throttle_that_never_ends_is_given_up(aws, faults, roll, clock):
    aws.declare_function("api")
    faults.script(UPDATE, *[fault.throttled(retry_after=50)] * 100)
    before = clock()
    assert "Rate exceeded" in str(roll()["api"].error)
    assert 600 <= clock() - before < 700


ANYWHERE = (fault.BROKEN, fault.UNAVAILABLE, fault.reset_before, fault.reset_after, fault.throttled())


@pytest.mark.parametrize("seed", range(2))
def test_with_every_tenth_call_in_trouble_no_function_is_lost(connect, roll, seed):
    """In real time, through a bucket that holds less than this run takes it for: others use it as well."""
    faults = fault.Faults()
    with LocalAws(region=REGION, middleware=faults) as aws:
        for number in range(60):
            aws.declare_function(
                f"function{number}", layers=[aws.declare_layer_version("own", account=ACCOUNT)]
            )
        aws.declare_layer_version("web", account=ACCOUNT, version=2)
        faults.limit(60.0)
        faults.at_random(seed, 0.1, *ANYWHERE)
        faults.at_random(seed, 0.1, *ANYWHERE, fault.IN_PROGRESS, fault.STALE, operation=UPDATE)
        edge = connect(aws, quota=200.0, clock=time.monotonic, sleep=time.sleep)
        outcomes = roll(through=edge, sleep=time.sleep)
        assert faults.hits[UPDATE] > 0
        faults.stop()
        assert len(outcomes) == 60
        assert [outcome.error for outcome in outcomes.values() if outcome.error] == []
        assert {function.layers for function in edge.functions.all()} == {(OWN, NEW)}
