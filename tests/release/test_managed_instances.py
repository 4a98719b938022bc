"""Functions on Lambda managed instances: their callers reach $LATEST.PUBLISHED, not $LATEST."""

from dataclasses import replace
from datetime import UTC, datetime

import faults as fault
import pytest
from planning import REGION, arn, function, planned
from rolling import NEW, OLD, rolling

from entrypoint.aws.model import Alias, AliasState, Details
from entrypoint.release.function_change import Aspect
from entrypoint.release.outcome import Status
from entrypoint.release.prune import Retention, prune

PUBLISH = "PublishVersion"
PUBLISHED = "$LATEST.PUBLISHED"
PROVIDER = f"arn:aws:lambda:{REGION}:123456789012:capacity-provider:fleet"
MANAGED = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER}
    }
}
CHECK = "{invoke: {function: api}}"

pytestmark = pytest.mark.usefixtures("two_versions")


@pytest.fixture
def reached(aws, other):
    """The layers that the last caller of `api` reached, who named no version."""
    seen = []
    aws.answer_invocations("api", lambda request: seen.append(request.layers) or b"{}")

    def invoke():
        other.invoke(FunctionName="api")
        return list(seen[-1])

    return invoke


@pytest.fixture
def managed(aws, other, two_versions):
    aws.declare_function("api", layers=[OLD], settings=MANAGED)
    other.publish_version(FunctionName="api", PublishTo="LATEST_PUBLISHED", Description="ours")


@pytest.mark.usefixtures("managed")
class TestUpdating:
    def test_callers_reach_the_new_layer(self, aws, roll, reached, layers_of, clock):
        aws.cloud.update_seconds = 180.0
        before = clock()
        outcomes, trouble = roll(rolling(check=CHECK))
        assert (outcomes["api"].status, trouble) == (Status.UPDATED, None)
        assert reached() == layers_of("api") == layers_of("api", Qualifier=PUBLISHED) == [NEW]
        assert clock() - before > 360, "the update, and then the start of the instances"

    def test_it_keeps_its_description_and_takes_no_number(self, roll, other):
        roll(rolling())
        versions = other.list_versions_by_function(FunctionName="api")["Versions"]
        assert [each["Version"] for each in versions] == ["$LATEST"]
        found = other.get_function(FunctionName="api", Qualifier=PUBLISHED)["Configuration"]
        assert found["Description"] == "ours"

    def test_a_second_run_does_nothing(self, roll, calls):
        roll(rolling())
        published = calls(PUBLISH)
        assert roll(rolling()) == ({}, None)
        assert calls(PUBLISH) == published

    def test_a_run_that_ended_before_publishing_is_completed(self, roll, other, reached):
        other.update_function_configuration(FunctionName="api", Layers=[NEW])
        assert reached() == [OLD]
        assert roll(rolling())[0]["api"].status is Status.UPDATED
        assert reached() == [NEW]

    @pytest.mark.parametrize("trouble", [fault.reset_after, fault.reset_before, fault.UNAVAILABLE])
    def test_trouble_on_the_way_is_overcome(self, roll, faults, reached, trouble):
        faults.script(PUBLISH, trouble)
        assert roll(rolling())[0]["api"].status is Status.UPDATED
        assert reached() == [NEW]

    def test_what_nobody_published_is_not_released(self, roll, other, reached, layers_of):
        other.update_function_configuration(FunctionName="api", Environment={"Variables": {"MODE": "1"}})
        outcomes, _ = roll(rolling())
        assert "a new Environment of api is not published" in str(outcomes["api"].error)
        assert reached() == layers_of("api") == [OLD]

    def test_what_another_tool_changes_meanwhile_is_not_released(self, roll, other, reached):
        def meanwhile():
            other.update_function_configuration(FunctionName="api", MemorySize=512)

        outcomes, _ = roll(rolling(), meanwhile=meanwhile)
        assert "a new MemorySize of api came from another tool" in str(outcomes["api"].error)
        assert reached() == [OLD]


@pytest.mark.usefixtures("managed")
class TestGoingBack:
    def test_instances_that_do_not_start(self, aws, roll, reached, layers_of):
        aws.fail_next_start("api")
        outcomes, _ = roll(rolling())
        assert outcomes["api"].status is Status.FAILED
        assert str(outcomes["api"].error) == (
            "version $LATEST.PUBLISHED of api failed to become active: There is no capacity. "
            "(InsufficientCapacity); callers get the previous layers again; run again later, or add zones or "
            "instance types to its capacity provider"
        )
        assert reached() == layers_of("api") == [OLD]

    def test_what_aws_refuses_to_publish(self, roll, faults, reached, layers_of, calls):
        faults.script(PUBLISH, fault.DENIED)
        before = calls(PUBLISH)
        outcomes, _ = roll(rolling())
        assert outcomes["api"].status is Status.FAILED
        assert "allow lambda:PublishVersion to the role of this run" in str(outcomes["api"].error)
        assert reached() == layers_of("api") == [OLD]
        assert calls(PUBLISH) - before == 1, "nothing has to be published again"

    def test_a_check_that_fails(self, aws, roll, layers_of):
        def answer(request):
            if NEW in request.layers:
                raise ValueError("broken")
            return b"{}"

        aws.answer_invocations("api", answer)
        outcomes, trouble = roll(rolling(check=CHECK))
        assert "broken" in trouble
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert layers_of("api", Qualifier=PUBLISHED) == layers_of("api") == [OLD]

    def test_the_look_at_the_previous_version_does_not_count(self, aws, roll, faults, layers_of):
        """AWS may show it for a moment after the next one was published."""

        def stale(answer):
            if answer["Configuration"]["Version"] == PUBLISHED:
                old = [{"Arn": OLD, "CodeSize": 1}]
                answer["Configuration"].update(State="Active", Layers=old)

        aws.fail_next_start("api")
        faults.script("GetFunction", None, None, None, fault.changed(stale))
        assert roll(rolling())[0]["api"].status is Status.FAILED
        assert layers_of("api", Qualifier=PUBLISHED) == [OLD]

    def test_from_where_an_earlier_run_ended(self, aws, roll, other, layers_of):
        other.update_function_configuration(FunctionName="api", Layers=[NEW])
        aws.fail_next_start("api")
        assert roll(rolling())[0]["api"].before == (OLD,)
        assert layers_of("api", Qualifier=PUBLISHED) == layers_of("api") == [OLD]

    def test_each_gets_what_it_had(self, aws, roll, other, layers_of):
        """$LATEST was already newer than what callers reach."""
        aws.declare_layer_version("web", account="123456789012", version=3)
        other.update_function_configuration(FunctionName="api", Layers=[NEW])
        aws.fail_next_start("api")
        roll(rolling())
        assert (layers_of("api"), layers_of("api", Qualifier=PUBLISHED)) == ([NEW], [OLD])


def test_without_a_published_version_nothing_is_published(aws, roll, calls, layers_of):
    """It would start instances that nobody asked for."""
    aws.declare_function("api", layers=[OLD], settings=MANAGED)
    roll(rolling())
    assert (calls(PUBLISH), layers_of("api")) == (0, [NEW])


@pytest.mark.usefixtures("managed")
def test_an_alias_moves_to_a_number_as_elsewhere(roll, other, layers_of):
    other.publish_version(FunctionName="api")
    other.create_alias(FunctionName="api", Name="live", FunctionVersion="1")
    outcomes, _ = roll(rolling("layers: [web], aliases: [live]"))
    assert outcomes["api"].status is Status.UPDATED
    assert layers_of("api", Qualifier="live") == layers_of("api", Qualifier=PUBLISHED) == [NEW]


@pytest.mark.usefixtures("managed")
def test_an_alias_of_what_is_published_stays(roll, other, layers_of, calls):
    other.create_alias(FunctionName="api", Name="live", FunctionVersion=PUBLISHED)
    outcomes, _ = roll(rolling("layers: [web], aliases: [live]"))
    assert (outcomes["api"].status, outcomes["api"].version) == (Status.UPDATED, None)
    assert layers_of("api", Qualifier="live") == [NEW]
    assert calls("UpdateAlias") == 0
    assert roll(rolling("layers: [web], aliases: [live]")) == ({}, None)


@pytest.mark.usefixtures("managed")
def test_a_full_capacity_provider(roll, other, layers_of):
    for number in range(99):
        other.update_function_configuration(FunctionName="api", MemorySize=200 + number)
        other.publish_version(FunctionName="api")
    other.publish_version(FunctionName="api", PublishTo="LATEST_PUBLISHED")
    other.create_alias(FunctionName="api", Name="live", FunctionVersion="99")
    outcomes, _ = roll(rolling("layers: [web], aliases: [live]"))
    assert "has 100 function versions" in str(outcomes["api"].error)
    assert "'keep_versions'" in str(outcomes["api"].error)
    assert layers_of("api", Qualifier=PUBLISHED) == layers_of("api") == [OLD]


def test_what_callers_reach_is_not_pruned(aws, edge, other):
    first, *_ = [
        aws.declare_layer_version("own", account="123456789012", version=number, shared_with=())
        for number in (1, 2, 3)
    ]
    aws.declare_function("api", layers=[first], settings=MANAGED)
    other.publish_version(FunctionName="api", PublishTo="LATEST_PUBLISHED")
    other.update_function_configuration(FunctionName="api", Layers=[])
    found = prune(edge, [Retention("own", 1, "0" * 64)], now=lambda: datetime(2090, 1, 1, tzinfo=UTC))
    assert found.deleted == ("own:2",)


def of(published=None, **aliases):
    """A function on managed instances, and what AWS says of it."""
    latest = replace(function("api", OLD), is_managed=True)
    published = published and replace(latest, layers=(published,), version=PUBLISHED)
    details = Details(function=latest, aliases=aliases, provisioned={}, published=published)
    return latest, {"api": details}


@pytest.mark.parametrize(
    ("entry", "published", "warning"),
    [
        ("", OLD, None),
        ("", None, "api runs on managed instances and has no published version: it cannot be invoked"),
        (", concurrency: {reserved: 5}", OLD, "there is no concurrency to set"),
    ],
)
def test_what_the_plan_warns_of(entry, published, warning):
    latest, details = of(published)
    plan = planned(rolling(f"layers: [web]{entry}"), latest, details=details)
    found = [each.message for each in plan.warnings]
    assert (len(found) == 1 and warning in found[0]) if warning else found == []


def test_the_plan_warns_of_versions_that_cost():
    live = AliasState(alias=Alias(name="live", version="1"), main=function("api", OLD))
    latest, details = of(OLD, live=live)
    entry = "layers: [web], aliases: [live]"
    assert planned(rolling(f"{entry}, keep_versions: 3"), latest, details=details).warnings == ()
    (warning,) = planned(rolling(entry), latest, details=details).warnings
    assert "each version for its aliases starts instances of its own" in warning.message
    assert "at most 100 versions" in warning.hint


def test_a_plan_is_about_what_callers_reach():
    latest, details = of(OLD)
    current = replace(latest, layers=(arn("web", 7),))
    assert planned(rolling(), current, details={}).is_empty
    details = {"api": replace(details["api"], function=current)}
    plan = planned(rolling(), current, details=details)
    assert [change.aspects(plan.versions) for change in plan.to_update] == [(Aspect.PUBLISHED,)]
