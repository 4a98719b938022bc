"""Durable functions: their callers name a version or an alias, and executions go on with what they began on."""

from dataclasses import replace

import faults as fault
import pytest
from planning import arn, function, layer, planned
from rolling import NEW, OLD, rolling

from entrypoint.release.durable import running_executions
from entrypoint.release.outcome import Status

DURABLE = {"DurableConfig": {"ExecutionTimeout": 3600, "RetentionPeriodInDays": 14}}


@pytest.mark.parametrize("aliases", ["", ", aliases: [live]"])
def test_without_an_alias_they_are_a_warning(aliases):
    text = "layers:\n" + layer("web") + f"functions:\n  a: {{layers: [web]{aliases}}}\n"
    plan = planned(text, replace(function("a"), is_durable=True))
    found = [warning.message for warning in plan.warnings if "durable" in warning.message]
    assert bool(found) is not bool(aliases)


@pytest.fixture
def warned(aws, edge):
    """The warnings of a plan for the function `api` as it is in AWS."""

    def warnings(text=rolling()):  # noqa: B008 - it is a text
        plan = planned(text, *edge.functions.all())
        return [each.message for each in running_executions(edge, plan.functions, plan.versions)]

    return warnings


@pytest.mark.usefixtures("two_versions")
class TestExecutions:
    def test_those_that_began_on_latest_are_counted(self, aws, other, warned):
        aws.declare_function("api", layers=[OLD], settings=DURABLE)
        other.publish_version(FunctionName="api")
        aws.declare_executions("api", "SUCCEEDED", "done")
        aws.declare_executions("api", "RUNNING", "elsewhere", version="1")
        assert warned() == []
        aws.declare_executions("api", "RUNNING", *(f"order-{number}" for number in range(1500)))
        aws.declare_executions("api", "PAUSED", "paused")
        assert warned() == ["at least 1,000 running executions of api would go on with its new layers"]

    def test_a_few(self, aws, warned, calls):
        aws.declare_function("api", layers=[OLD], settings=DURABLE)
        aws.declare_function("plain", layers=[OLD])
        aws.declare_executions("api", "PAUSED", "one")
        assert warned() == ["1 running execution of api would go on with its new layers"]
        assert calls("ListDurableExecutionsByFunction") == 1

    def test_without_a_change_nothing_is_asked(self, aws, warned, calls):
        aws.declare_layer_version("web", account="123456789012", version=7)
        aws.declare_function("api", layers=[arn("web", 7)], settings=DURABLE)
        assert warned() == []
        assert calls("ListDurableExecutionsByFunction") == 0

    def test_without_the_permission_the_plan_says_so(self, aws, warned, faults):
        aws.declare_function("api", layers=[OLD], settings=DURABLE)
        faults.script("ListDurableExecutionsByFunction", fault.error(403, "AccessDeniedException"))
        (warning,) = warned()
        assert "not examined: AWS refuses ListDurableExecutionsByFunction for api" in warning


@pytest.fixture
def durable(aws, other, two_versions):
    aws.declare_function("api", layers=[OLD], settings=DURABLE)
    other.publish_version(FunctionName="api")
    other.create_alias(FunctionName="api", Name="live", FunctionVersion="1")


@pytest.mark.usefixtures("durable")
class TestUpdating:
    def test_callers_of_its_alias_reach_the_new_layer(self, aws, other, roll):
        seen = []
        aws.answer_invocations("api", lambda request: seen.append(request.layers) or b"{}")
        outcomes, _ = roll(rolling("layers: [web], aliases: [live]"))
        other.invoke(FunctionName="api", Qualifier="live")
        assert (outcomes["api"].status, seen) == (Status.UPDATED, [(NEW,)])

    def test_a_check_names_a_version(self, aws, roll):
        """AWS refuses to invoke it without one."""
        seen = []
        aws.answer_invocations("api", lambda request: seen.append(request.version) or b"{}")
        assert roll(rolling(check="{invoke: {function: api}}"))[1] is None
        assert seen == ["$LATEST"]
