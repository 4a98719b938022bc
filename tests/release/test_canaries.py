"""Aliases, canaries and the way back: what AWS has afterwards, whatever happened in between."""

from datetime import date

import faults as fault
import pytest
from planning import ACCOUNT, REGION, read
from rolling import LAYERS, NEW, OLD, rolling

from entrypoint.aws.aliases import marked
from entrypoint.manifest.model import Destination
from entrypoint.release.outcome import Status
from entrypoint.release.selection import select
from entrypoint.release.state import LayerState, RegionState, read_details
from entrypoint.release.status import status_of

ENTRY = "layers: [web], aliases: [live]"
UPDATE = "UpdateFunctionConfiguration"
pytestmark = pytest.mark.usefixtures("two_versions")


def rolled(**settings):
    return rolling(entry=ENTRY, **settings)


BEFORE = ("1", {}, [OLD], [OLD])
AFTER = ("2", {}, [NEW], [NEW])


@pytest.fixture
def killed(api, other, now):
    """What a run leaves that is killed while a tenth of the traffic goes to the new version."""
    other.update_function_configuration(FunctionName="api", Layers=[NEW])
    other.get_function(FunctionName="api")
    other.publish_version(FunctionName="api", Description=marked(""))
    weights = {"AdditionalVersionWeights": {"2": 0.1}}
    other.update_alias(FunctionName="api", Name="live", RoutingConfig=weights)
    assert now() == ("1", {"2": 0.1}, [OLD], [NEW])


@pytest.fixture
def drift(edge):
    """Where AWS differs from a manifest that wants a version of the layer."""

    def find(number):
        manifest, layers = read(rolled())
        versions = tuple(edge.layers.versions("web"))
        wanted = next(each for each in versions if each.version == number)
        state = RegionState(
            destination=Destination(REGION),
            layers={"web": LayerState(latest=versions[0], current=wanted, versions=versions)},
            functions=tuple(edge.functions.all()),
            tags={},
        )
        selection = select(manifest, layers, state.functions, {}, state.destination)
        details = read_details(edge, selection.functions)
        today = date(2026, 11, 25)
        found = status_of(layers, {"web": "0" * 64}, state, selection, details, alarms=(), today=today)
        return [f"{each.kind}: {each.has}" for each in found.drift if each.subject == "api"]

    return find


@pytest.mark.usefixtures("api")
class TestAnUnfinishedCanary:
    """Its weights are part of what AWS has, and no manifest wants them."""

    @pytest.mark.usefixtures("killed")
    def test_is_completed(self, roll, now, drift):
        assert drift(2) == [
            "settings: aliases: live has 10% of its traffic on version 2, of an unfinished canary"
        ]
        outcomes, _ = roll(rolled(canary=20))
        assert outcomes["api"].error is None
        assert now() == AFTER
        assert drift(2) == []
        assert roll(rolled(canary=20))[0] == {}

    @pytest.mark.usefixtures("killed")
    def test_is_removed_where_the_manifest_was_reverted(self, roll, now, drift):
        assert (
            "settings: aliases: live has 10% of its traffic on version 2, of an unfinished canary" in drift(1)
        )
        outcomes, _ = roll(rolled(), number=1)
        assert outcomes["api"].error is None
        assert now() == BEFORE
        assert drift(1) == []
        assert roll(rolled(), number=1)[0] == {}

    @pytest.mark.usefixtures("killed")
    def test_is_removed_although_nothing_else_is_left_to_do(self, roll, other, now):
        other.update_function_configuration(FunctionName="api", Layers=[OLD])
        other.get_function(FunctionName="api")
        roll(rolled(), number=1)
        assert now() == BEFORE

    @pytest.mark.usefixtures("killed")
    def test_is_rolled_back_to_what_was_before_the_run_that_was_killed(self, roll, alarm, faults, now):
        alarm("errors", "OK")
        faults.script("DescribeAlarms", None, None, fault.after(lambda: alarm("errors", "ALARM")))
        outcomes, trouble = roll(rolled(canary=20, check="{alarms: [errors], soak: 30}"))
        assert "'errors' went off" in trouble
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert now() == BEFORE

    def test_of_another_tool_stops_the_function(self, aws, other, roll, now, layers_of):
        """Such as the shift of CodeDeploy or SAM, to a version with other code."""
        other.update_function_configuration(FunctionName="api", MemorySize=512)
        other.get_function(FunctionName="api")
        other.publish_version(FunctionName="api", Description="by hand")
        weights = {"AdditionalVersionWeights": {"2": 0.5}}
        other.update_alias(FunctionName="api", Name="live", RoutingConfig=weights)
        aws.declare_function("else", layers=[OLD])
        text = LAYERS + f"functions: {{api: {{{ENTRY}}}, else: {{layers: [web]}}}}"
        outcomes, _ = roll(text)
        assert "another tool shifts the traffic of the alias live of api" in str(outcomes["api"].error)
        assert now() == ("1", {"2": 0.5}, [OLD], [OLD])
        assert layers_of("else") == [NEW]


@pytest.mark.usefixtures("api")
class TestBefore:
    """It is what was read first."""

    @pytest.mark.parametrize("canary", ["", "10"])
    def test_the_answer_of_an_alias_is_lost(self, aws, roll, faults, now, canary):
        aws.answer_invocations("api", lambda _: 1 / 0)
        faults.script("UpdateAlias", fault.reset_after)
        settings = {"canary": canary} if canary else {}
        outcomes, trouble = roll(rolled(check="{invoke: {function: api}}", **settings))
        assert "the invocation of api failed" in trouble
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert now() == BEFORE

    def test_an_alias_that_another_tool_moves_is_left_alone(self, roll, other, now):
        def move():
            other.update_function_configuration(FunctionName="api", MemorySize=512)
            other.get_function(FunctionName="api")
            other.publish_version(FunctionName="api")
            other.update_alias(FunctionName="api", Name="live", FunctionVersion="2")
            other.update_function_configuration(FunctionName="api", MemorySize=128)
            other.get_function(FunctionName="api")

        outcomes, _ = roll(rolled(), meanwhile=move)
        assert "the alias live of api was moved outside lambda-layers" in str(outcomes["api"].error)
        assert outcomes["api"].status is Status.FAILED
        assert now() == ("2", {}, [OLD], [OLD])

    def test_concurrency_is_restored(self, aws, roll, other, now):
        other.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=50)
        which = {"FunctionName": "api", "Qualifier": "live"}
        other.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=20)
        aws.answer_invocations("api", lambda _: 1 / 0)
        entry = f"{ENTRY}, concurrency: {{reserved: 7, provisioned: 5}}"
        outcomes, _ = roll(rolling(entry=entry, check="{invoke: {function: api}}"))
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert other.get_function_concurrency(FunctionName="api")["ReservedConcurrentExecutions"] == 50
        provisioned = other.get_provisioned_concurrency_config(**which)
        assert provisioned["RequestedProvisionedConcurrentExecutions"] == 20
        assert now() == BEFORE

    def test_concurrency_that_was_not_there_is_removed(self, aws, roll, other, now):
        aws.answer_invocations("api", lambda _: 1 / 0)
        entry = f"{ENTRY}, concurrency: {{reserved: 0}}"
        roll(rolling(entry=entry, check="{invoke: {function: api}}"))
        assert "ReservedConcurrentExecutions" not in other.get_function_concurrency(FunctionName="api")
        entry = f"{ENTRY}, concurrency: {{provisioned: 3}}"
        roll(rolling(entry=entry, check="{invoke: {function: api}}"))
        with pytest.raises(other.exceptions.ProvisionedConcurrencyConfigNotFoundException):
            other.get_provisioned_concurrency_config(FunctionName="api", Qualifier="live")
        assert now() == BEFORE

    def test_lowered_concurrency_goes_in_the_order_that_aws_accepts(self, roll, other, now):
        which = {"FunctionName": "api", "Qualifier": "live"}
        other.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=50)
        other.put_provisioned_concurrency_config(**which, ProvisionedConcurrentExecutions=20)
        entry = f"{ENTRY}, concurrency: {{reserved: 7, provisioned: 5}}"
        assert roll(rolling(entry=entry))[0]["api"].error is None
        assert other.get_function_concurrency(FunctionName="api")["ReservedConcurrentExecutions"] == 7
        assert now() == AFTER

    def test_a_reservation_that_is_refused(self, roll, other, now):
        """Layers and VPC were changed in the call before."""
        entry = (
            f"{ENTRY}, concurrency: {{reserved: 950}}, vpc: {{subnets: [subnet-1], security_groups: [sg-1]}}"
        )
        outcomes, _ = roll(rolling(entry=entry))
        assert "below its minimum value" in str(outcomes["api"].error)
        assert outcomes["api"].status is Status.FAILED
        assert now() == BEFORE
        vpc = other.get_function_configuration(FunctionName="api").get("VpcConfig", {})
        assert vpc.get("SubnetIds", []) == []

    @pytest.mark.parametrize("operation", ["UpdateAlias", "PublishVersion"])
    def test_a_failure_that_the_threshold_allows(self, aws, roll, faults, now, operation):
        """The function alone is restored."""
        aws.declare_function("else", layers=[OLD])
        text = rolling(entry=ENTRY).replace('"*"', "api")
        assert "failure_threshold" not in text
        skipped = [None] if operation == "UpdateAlias" else []
        faults.script(operation, *skipped, fault.error(400, "InvalidParameterValueException", "no"))
        settings = "rollout: {canary: 10, failure_threshold: 1}"
        outcomes, trouble = roll(text + settings)
        assert trouble is None
        assert (outcomes["api"].status, "no (Inv" in str(outcomes["api"].error)) == (Status.FAILED, True)
        assert outcomes["api"].layers == (OLD,)
        assert now() == BEFORE


@pytest.mark.usefixtures("api")
class TestOnlyWhatWasReviewed:
    def change(self, other, **settings):
        other.update_function_configuration(FunctionName="api", **settings)
        other.get_function(FunctionName="api")

    @pytest.mark.parametrize(
        ("settings", "name"),
        [
            ({"Environment": {"Variables": {"DEBUG": "1"}}}, "a new Environment"),
            ({"MemorySize": 1024}, "a new MemorySize"),
            ({"Timeout": 60}, "a new Timeout"),
            ({"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}, "a new VPC"),
            ({"Layers": []}, None),
        ],
    )
    def test_settings_that_nobody_published(self, other, roll, now, settings, name):
        self.change(other, **settings)
        before = other.get_function_configuration(FunctionName="api")
        outcomes, _ = roll(rolled())
        if name is None:  # a layer of the manifest, which the run gives it again
            assert now() == AFTER
            return
        assert f"{name} of api has no published version" in str(outcomes["api"].error)
        after = other.get_function_configuration(FunctionName="api")
        assert before["RevisionId"] == after["RevisionId"]  # not touched
        assert now() == BEFORE

    @pytest.mark.parametrize("step", [UPDATE, "PublishVersion"])
    @pytest.mark.parametrize("what", ["code", "memory"])
    def test_a_change_while_the_run_is_on_its_way(self, other, code, roll, faults, now, step, what):
        def change():
            if what == "code":
                other.update_function_code(FunctionName="api", ZipFile=code)
            else:
                other.update_function_configuration(FunctionName="api", MemorySize=1024)
            other.get_function(FunctionName="api")

        faults.script(step, fault.after(change))
        outcomes, _ = roll(rolled())
        assert outcomes["api"].status is Status.FAILED
        assert "came from another tool" in str(outcomes["api"].error)
        assert now()[:3] == BEFORE[:3]
        served = other.get_function(FunctionName="api", Qualifier="live")["Configuration"]
        assert served["MemorySize"] == 128

    def test_code_changed_right_after_the_plan(self, other, code, roll, now):
        def change():
            other.update_function_code(FunctionName="api", ZipFile=code)
            other.get_function(FunctionName="api")

        outcomes, _ = roll(rolled(), meanwhile=change)
        assert "new code of api came from another tool since the plan" in str(outcomes["api"].error)
        assert now() == BEFORE


def test_another_run_with_a_newer_version(aws, roll, other, layers_of):
    """Two commits at once: nobody overwrites what the other one gave a function since the plan."""
    newer = aws.declare_layer_version("web", account=ACCOUNT, version=3)
    aws.declare_function("api", layers=[OLD])

    def overtake():
        other.update_function_configuration(FunctionName="api", Layers=[newer])
        other.get_function(FunctionName="api")

    outcomes, _ = roll(rolling(), number=2, meanwhile=overtake)
    assert "api was given web:3 by another run" in str(outcomes["api"].error)
    assert layers_of("api") == [newer]


@pytest.mark.usefixtures("api")
def test_an_update_that_failed_is_made_again(aws, roll, other, drift):
    aws.fail_next_update("api", reason_code="InvalidSubnet", reason="no such subnet")
    other.update_function_configuration(FunctionName="api", Layers=[NEW])
    configuration = other.get_function(FunctionName="api")["Configuration"]
    assert configuration["LastUpdateStatus"] == "Failed"
    assert drift(1) == ["failed: its last update failed: no such subnet (InvalidSubnet)"]
    outcomes, _ = roll(rolled(), number=1)
    assert outcomes["api"].error is None
    assert other.get_function(FunctionName="api")["Configuration"]["LastUpdateStatus"] == "Successful"
    assert drift(1) == []


@pytest.mark.usefixtures("api")
class TestHealthChecks:
    @pytest.mark.parametrize("trouble", [fault.BROKEN, fault.DENIED])
    def test_that_cannot_be_read_have_failed(self, roll, alarm, faults, now, trouble):
        alarm("errors", "OK")
        faults.script("DescribeAlarms", None, *[trouble] * 20)
        outcomes, reason = roll(rolled(check="{alarms: [errors]}"))
        assert "the check failed: AWS" in reason
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert now() == BEFORE

    def test_of_a_function_with_a_broken_gateway(self, roll, faults, now):
        faults.script("Invoke", fault.answer(502, b"<html>bad gateway</html>"))
        _, reason = roll(rolled(check="{invoke: {function: api}}"))
        assert "AWS refuses Invoke for api: Bad Gateway (502)" in reason
        assert faults.hits["Invoke"] == 1
        assert now() == BEFORE

    @pytest.mark.parametrize("trouble", [fault.reset_before, fault.reset_after, fault.UNAVAILABLE])
    def test_after_a_lost_answer_nothing_is_repeated(self, roll, faults, now, trouble):
        faults.script("Invoke", trouble)
        _, reason = roll(rolled(check="{invoke: {function: api}}"))
        assert "the check failed" in reason or "AWS refuses Invoke" in reason
        assert faults.hits["Invoke"] == 1
        assert now() == BEFORE

    def test_that_are_throttled_try_for_a_minute(self, roll, faults, now, clock):
        faults.script("Invoke", *[fault.throttled(retry_after=1)] * 1000)
        before = clock()
        _, reason = roll(rolled(check="{invoke: {function: api}}"))
        assert "Rate exceeded" in reason
        assert 55 < clock() - before < 90
        assert faults.hits["Invoke"] <= 15
        assert now() == BEFORE

    def test_ask_the_new_version(self, aws, roll):
        asked = []
        aws.answer_invocations("api", lambda call: asked.append(call.version) or b"{}")
        roll(rolled(canary=10, check="{invoke: {function: 'api:live'}}"))
        assert asked == ["2", "2"]


@pytest.mark.usefixtures("api")
def test_publishing_waits_for_an_update_that_is_in_progress(aws, roll, other, faults, now):
    """Of a VPC, which takes minutes."""

    def update():
        aws.cloud.update_seconds = 300.0
        other.update_function_configuration(FunctionName="api", Description="slow")

    faults.script("PublishVersion", fault.after(update))
    outcomes, _ = roll(rolled())
    assert outcomes["api"].error is None
    assert now()[0] == "2"


@pytest.mark.usefixtures("shifted")
class TestProvisionedConcurrencyBesideWeights:
    PUT = "PutProvisionedConcurrencyConfig"
    ENTRY = f"{ENTRY}, concurrency: {{provisioned: 3}}"

    @pytest.fixture
    def shifted(self, api, other):  # noqa: ARG002 - there has to be an alias
        """Another tool shifts the traffic of an alias that has its layers already."""
        for memory, layers in ((128, [OLD]), (256, [NEW])):
            other.update_function_configuration(FunctionName="api", Layers=layers, MemorySize=memory)
            other.get_function(FunctionName="api")
            version = other.publish_version(FunctionName="api")["Version"]
        weights = {"AdditionalVersionWeights": {"1": 0.5}}
        other.update_alias(FunctionName="api", Name="live", FunctionVersion=version, RoutingConfig=weights)

    def test_it_is_set_when_the_weights_are_gone(self, roll, other, faults, calls):
        def end():
            other.update_alias(
                FunctionName="api", Name="live", RoutingConfig={"AdditionalVersionWeights": {}}
            )

        faults.script(self.PUT, None, None, fault.after(end))
        outcomes, _ = roll(rolling(entry=self.ENTRY))
        assert outcomes["api"].status is Status.UPDATED
        found = other.get_provisioned_concurrency_config(FunctionName="api", Qualifier="live")
        assert found["RequestedProvisionedConcurrentExecutions"] == 3
        assert calls(self.PUT) == 3

    def test_weights_that_stay_are_reported(self, roll, other):
        outcomes, _ = roll(rolling(entry=self.ENTRY))
        assert "run again when the shift of the alias's traffic has ended" in str(outcomes["api"].error)
        with pytest.raises(other.exceptions.ProvisionedConcurrencyConfigNotFoundException):
            other.get_provisioned_concurrency_config(FunctionName="api", Qualifier="live")
