"""VPC and concurrency of functions as the manifest writes them, and the way back: `none`."""

import faults as fault
import pytest
from rolling import OLD, rolling

from entrypoint.release.outcome import Status

pytestmark = pytest.mark.usefixtures("two_versions")
UPDATE = "UpdateFunctionConfiguration"
INSIDE = {"SubnetIds": ["subnet-9"], "SecurityGroupIds": ["sg-1"], "Ipv6AllowedForDualStack": True}
WITH_VPC = "layers: [web], vpc: {subnets: [subnet-1], security_groups: [sg-1]}"


@pytest.fixture
def vpc(other):
    def read():
        config = other.get_function_configuration(FunctionName="api").get("VpcConfig", {})
        return config.get("SubnetIds", []), config.get("Ipv6AllowedForDualStack", False)

    return read


@pytest.fixture
def concurrency(other):
    """The reservation, and what is provisioned by alias."""

    def read():
        reserved = other.get_function_concurrency(FunctionName="api").get("ReservedConcurrentExecutions")
        found = other.list_provisioned_concurrency_configs(FunctionName="api")
        return reserved, {
            each["FunctionArn"].rpartition(":")[2]: each["RequestedProvisionedConcurrentExecutions"]
            for each in found["ProvisionedConcurrencyConfigs"]
        }

    return read


def test_none_detaches_a_function_from_its_vpc(aws, roll, vpc, calls):
    aws.declare_function("api", layers=[OLD], vpc=INSIDE)
    roll(rolling(entry="layers: [web]"))
    assert vpc() == (["subnet-9"], True)
    assert list(roll(rolling(entry="layers: [web], vpc: none"))[0]) == ["api"]
    assert vpc() == ([], False)
    assert calls(UPDATE) == 2
    assert roll(rolling(entry="layers: [web], vpc: none"))[0] == {}


def test_a_detached_function_is_attached_again_where_the_wave_fails(aws, roll, vpc):
    aws.declare_function("api", layers=[OLD], vpc=INSIDE)
    aws.declare_function("f1", layers=[OLD])
    aws.fail_next_update("f1")
    outcomes, _ = roll(rolling(entry="layers: [web], vpc: none", waves="[1]"))
    assert outcomes["api"].status is Status.ROLLED_BACK
    assert vpc() == (["subnet-9"], True)


def test_an_update_that_is_in_progress_at_the_deadline_is_reverted_when_it_has_ended(
    aws, roll, vpc, faults, layers_of
):
    aws.declare_function("api", layers=[OLD], vpc=INSIDE)
    aws.cloud.update_seconds = 1_000.0
    faults.script(UPDATE, None, fault.after(lambda: setattr(aws.cloud, "update_seconds", 0.0)))
    outcomes, trouble = roll(rolling(entry=WITH_VPC, waves="[1]"))
    assert "wave 1 of 1 was rolled back" in trouble
    assert outcomes["api"].status is Status.ROLLED_BACK
    assert vpc() == (["subnet-9"], True)
    assert layers_of("api") == [OLD]


def test_ipv6_is_as_the_manifest_says(aws, roll, vpc):
    aws.declare_function("api", layers=[OLD], vpc=INSIDE)
    dual = f"{WITH_VPC[:-1]}, ipv6: true}}"
    roll(rolling(entry=dual))
    assert vpc() == (["subnet-1"], True)
    assert roll(rolling(entry=dual))[0] == {}
    assert list(roll(rolling(entry=WITH_VPC))[0]) == ["api"]  # planned, not carried over
    assert vpc() == (["subnet-1"], False)


@pytest.mark.usefixtures("api")
class TestConcurrency:
    @pytest.fixture
    def busy(self, api, other):  # noqa: ARG002 - there has to be an alias
        other.create_alias(FunctionName="api", Name="beta", FunctionVersion="1")
        other.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=50)
        for name in ("live", "beta"):
            other.put_provisioned_concurrency_config(
                FunctionName="api", Qualifier=name, ProvisionedConcurrentExecutions=20
            )

    def entry(self, concurrency, **rollout):
        entry = f"layers: [web], aliases: [live, beta], concurrency: {{{concurrency}}}"
        return rolling(entry=entry, **rollout)

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize(
        ("written", "after"),
        [
            ("reserved: none, provisioned: none", (None, {})),
            ("reserved: none", (None, {"live": 20, "beta": 20})),
            ("provisioned: none", (50, {})),
            ("reserved: 0, provisioned: none", (0, {})),
            (
                "reserved: 30, provisioned: 5",
                (30, {"live": 5, "beta": 5}),
            ),  # 30 is enough for each, not for both
            ("reserved: none, provisioned: 60", (None, {"live": 60, "beta": 60})),
        ],
    )
    def test_is_released_or_lowered_in_the_order_that_aws_accepts(self, roll, concurrency, written, after):
        outcomes, _ = roll(self.entry(written))
        assert outcomes["api"].error is None
        assert concurrency() == after
        assert roll(self.entry(written))[0] == {}

    @pytest.mark.usefixtures("busy")
    @pytest.mark.parametrize(
        "written", ["reserved: none, provisioned: none", "reserved: none, provisioned: 60"]
    )
    def test_is_restored_where_the_check_fails(self, aws, roll, concurrency, written):
        aws.answer_invocations("api", lambda _: 1 / 0)
        outcomes, trouble = roll(self.entry(written, check="{invoke: {function: api}}"))
        assert "the invocation of api failed" in trouble
        assert outcomes["api"].status is Status.ROLLED_BACK
        assert concurrency() == (50, {"live": 20, "beta": 20})

    def test_that_is_not_there_needs_no_release(self, roll, concurrency):
        entry = "layers: [web], aliases: [live]"
        roll(rolling(entry=entry))
        entry += ", concurrency: {reserved: none, provisioned: none}"
        assert roll(rolling(entry=entry))[0] == {}
        assert concurrency() == (None, {})

    def test_a_provision_that_is_refused(self, roll, other, now, vpc, concurrency):
        """Layers, VPC and aliases were changed in the calls before."""
        before = now()
        other.put_function_concurrency(FunctionName="api", ReservedConcurrentExecutions=9)
        outcomes, _ = roll(rolling(entry=f"{WITH_VPC}, aliases: [live], concurrency: {{provisioned: 10}}"))
        assert "should not be greater than" in str(outcomes["api"].error)
        assert outcomes["api"].status is Status.FAILED
        assert now() == before
        assert vpc() == ([], False)
        assert concurrency() == (9, {})
