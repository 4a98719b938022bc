"""What AWS says when it cannot do what is asked of a function, and what a person is told of it."""

import faults as fault
import pytest
from planning import arn, function, planned
from rolling import LAYERS, NEW, OLD, rolling

from entrypoint.aws.model import Details
from entrypoint.aws.reasons import HINTS
from entrypoint.errors import PlanError
from entrypoint.layer.describe import BuiltArchive
from entrypoint.release.outcome import Status
from entrypoint.release.sizes import refuse_overweight
from entrypoint.release.state import LayerState

UPDATE = "UpdateFunctionConfiguration"
pytestmark = pytest.mark.usefixtures("two_versions")


@pytest.fixture
def live(aws, other, two_versions):
    """A function whose alias `live` points at its version 1."""
    aws.declare_function("api", layers=[OLD])
    version = other.publish_version(FunctionName="api")["Version"]
    other.create_alias(FunctionName="api", Name="live", FunctionVersion=version)


@pytest.fixture
def refused(roll):
    """Roll out, and return what is said of the one function that could not be updated."""

    def of(entry, **rollout):
        outcomes, _ = roll(rolling(entry=entry, **rollout))
        (outcome,) = outcomes.values()
        assert outcome.status in {Status.FAILED, Status.ROLLED_BACK}
        return str(outcome.error)

    return of


def on_a_version(**changes):
    """Say this of published versions, and nothing of the function itself."""

    def change(answer):
        if answer["Configuration"]["Version"] != "$LATEST":
            answer["Configuration"] |= changes

    return fault.changed(change)


@pytest.mark.parametrize("code", HINTS)
def test_each_reason_code_is_told_with_a_hint(aws, refused, code):
    aws.declare_function("api", layers=[OLD])
    aws.fail_next_update("api", reason_code=code, reason="AWS says why")
    said = refused("layers: [web]")
    assert said == (
        f"the update of api failed: AWS says why ({code}); it keeps its previous configuration; {HINTS[code]}"
    )


def test_an_update_that_never_ends(aws, refused):
    aws.declare_function("api", layers=[OLD])
    aws.cloud.update_seconds = 1e6
    assert "the update of api was still in progress after 900 s; check the function" in refused(
        "layers: [web]"
    )


def test_somebody_else_who_never_lets_go(aws, refused, faults):
    aws.declare_function("api", layers=[OLD])
    faults.script(UPDATE, *[fault.IN_PROGRESS] * 99)
    assert "another update of api was in progress at each of 10 attempts; run again when the other" in (
        refused("layers: [web]")
    )


def test_concurrency_that_somebody_else_never_lets_go_of(aws, refused, faults):
    aws.declare_function("api", layers=[NEW])
    faults.script("PutFunctionConcurrency", *[fault.IN_PROGRESS] * 99)
    assert "another update of api was in progress" in refused("layers: [web], concurrency: {reserved: 5}")


@pytest.mark.usefixtures("live")
class TestVersionsAndAliases:
    ENTRY = "layers: [web], aliases: [live]"

    def alias(self, other):
        return other.get_alias(FunctionName="api", Name="live")["FunctionVersion"]

    def test_a_version_that_cannot_be_made_ready(self, refused, faults, other):
        faults.script("GetFunction", *[on_a_version(State="Failed", StateReason="SnapStart says no")] * 99)
        said = refused(self.ENTRY)
        assert said == (
            "version 2 of api failed to become active: SnapStart says no; "
            "the aliases are unchanged; fix the cause and run again"
        )
        faults.stop()
        assert self.alias(other) == "1"

    def test_a_version_that_is_never_ready(self, refused, faults, other):
        faults.script("GetFunction", *[on_a_version(State="Pending")] * 10_000)
        assert "version 2 of api was not active after 1560 s; the aliases are unchanged" in refused(
            self.ENTRY
        )
        faults.stop()
        assert self.alias(other) == "1"

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (
                "FAILED",
                "provisioned concurrency of api:live failed: too much; lower it, or raise the account",
            ),
            (
                "IN_PROGRESS",
                "provisioned concurrency of api:live not ready after 1560 s; check the alias in AWS",
            ),
        ],
    )
    def test_concurrency_that_is_not_provisioned(self, refused, faults, status, said):
        given = fault.changed(lambda answer: answer.update(Status=status, StatusReason="too much"))
        faults.script("GetProvisionedConcurrencyConfig", None, *[given] * 10_000)
        assert said in refused(self.ENTRY + ", concurrency: {provisioned: 5}")

    def test_a_canary_that_cannot_be_given_the_rest(self, refused, faults, other):
        faults.script("UpdateAlias", None, fault.DENIED)
        said = refused(self.ENTRY, canary=10)
        assert "AWS refuses UpdateAlias for api: User is not authorized" in said
        assert "allow lambda:UpdateAlias to the role of this run" in said
        assert self.alias(other) == "1"


def test_a_check_whose_answer_is_no_json(aws, roll, tmp_path):
    aws.declare_function("api", layers=[OLD])
    aws.answer_invocations("api", lambda _: b"pong")
    (tmp_path / "expect.json").write_text("{}")
    _, trouble = roll(rolling(check=f"{{invoke: {{function: api, expect: {tmp_path}/expect.json}}}}"))
    assert "the response of api is not JSON: 'pong'" in trouble


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (
            "nobody: {tag: {team: payments}, layers: [web]}",
            "no function has the tags team=payments",
        ),
        ("nobody: {using: web, layers: [web]}", "no function uses the layer 'web' yet"),
        ("api: {layers: [web]}", "the function 'api' does not exist; create it first"),
        ('"x-*": {layers: [web]}', "no function matches 'x-*'"),
    ],
)
def test_an_entry_that_nothing_matches(entry, said):
    try:
        plan = planned(LAYERS + f"functions: {{{entry}}}")
    except PlanError as error:
        told = str(error)
    else:
        told = "\n".join(map(str, plan.warnings))
    assert said in told


def test_an_alias_that_there_is_not():
    text = LAYERS + "functions: {api: {layers: [web], aliases: [live]}}"
    with pytest.raises(PlanError, match="api has no alias 'live'; create it first, or remove it"):
        planned(text, function("api"), details={"api": Details(aliases={}, provisioned={})})


def test_a_function_that_would_be_too_large_with_what_was_built(tmp_path):
    text = LAYERS + "functions: {api: {layers: [web]}}"
    plan = planned(text, function("api", arn("other", 3)), web=LayerState(latest=None, current=None))
    (change,) = plan.layers
    archive = BuiltArchive(
        path=tmp_path, sha256="00", compressed_size=1, unzipped_size=262_144_001, packages=()
    )
    with pytest.raises(PlanError, match="api in eu-west-1 would have at least 262,144,001 bytes"):
        refuse_overweight((plan,), {change.layer.targets[0]: archive})
