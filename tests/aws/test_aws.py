"""The edge to AWS: credentials, region, proxies, and how what AWS says is told to people."""

import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import botocore.session
import faults as fault
import pytest
from faults import Faults
from virtual_time import VirtualTime
from werkzeug.serving import WSGIRequestHandler

from entrypoint.aws.access import Access
from entrypoint.aws.client import Aws
from entrypoint.aws.reasons import HINTS, hint_for
from entrypoint.errors import AwsError
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import Destination

CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """No AWS settings but those of the test."""
    for name in (*CREDENTIALS, "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def aws(faults):
    with LocalAws(middleware=faults) as local:
        yield local


@pytest.fixture
def clock():
    return VirtualTime()


@pytest.fixture
def connect(clock):
    with contextlib.ExitStack() as opened:

        def to(access=None, region="eu-west-1"):
            settings = {"quota": 15.0, "clock": clock, "sleep": clock.sleep}  # as in the cloud
            edge = Aws(Destination(region), access=access or Access(), **settings)
            opened.callback(edge.close)
            return edge

        yield to


@pytest.fixture
def local(aws):
    """Access to the embedded AWS that is spelt out, as `--aws local` gives it."""
    return Access(
        endpoint_url=aws.endpoint_url, access_key="123456789012", secret_key="s", region="eu-west-1"
    )


def test_the_environment_alone_leads_to_aws(aws, environment, connect):
    for name, value in aws.environment().items():
        environment.setenv(name, value)
    aws.declare_function("api")
    assert [function.name for function in connect().functions.all()] == ["api"]


def test_every_reason_that_the_service_model_knows_has_a_hint():
    model = botocore.session.get_session().get_service_model("lambda")
    codes = model.shape_for("LastUpdateStatusReasonCode").enum
    assert [code for code in codes if code not in HINTS] == []
    assert all(hint_for(code) for code in codes)
    assert hint_for("SomethingNew") == "fix the cause and run again"


def test_without_credentials_it_says_how_to_give_them(aws, environment, connect):
    environment.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    with pytest.raises(AwsError, match="there are no AWS credentials; set AWS_PROFILE or") as caught:
        list(connect().functions.all())
    assert caught.value.exit_code == 10
    assert aws.call_log == ()


def test_half_of_the_credentials_are_none(environment, connect):
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    with pytest.raises(AwsError, match="there are no AWS credentials"):
        connect()


def test_a_profile_that_does_not_exist_is_told(environment, connect):
    environment.setenv("AWS_PROFILE", "nobody")
    for attempt in (connect, Access().default_region):
        with pytest.raises(AwsError, match=r"profile \(nobody\) could not be found; correct AWS_PROFILE"):
            attempt()


def test_credentials_that_are_spelt_out_need_no_profile(aws, local, environment, connect):
    environment.setenv("AWS_PROFILE", "nobody")
    aws.declare_function("api")
    assert [function.name for function in connect(local).functions.all()] == ["api"]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_comes_from_the_environment(environment, name):
    environment.setenv(name, "ap-southeast-2")
    assert Access().default_region() == "ap-southeast-2"


def test_of_both_variables_the_one_that_all_other_tools_read_counts(environment):
    environment.setenv("AWS_REGION", "eu-north-1")
    environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert Access().default_region() == "eu-north-1"


def test_the_region_comes_from_the_profile(tmp_path):
    (tmp_path / "config").write_text("[default]\nregion = ca-central-1\n")
    assert Access().default_region() == "ca-central-1"


def test_without_a_region_it_says_where_to_write_one():
    with pytest.raises(AwsError, match=r"no AWS region is set; add 'regions: \[\.\.\.\]' .*AWS_REGION"):
        Access().default_region()


def test_a_region_that_is_no_name_is_told(local, connect):
    with pytest.raises(AwsError, match=r"AWS cannot be reached: .*no region"):
        connect(local, region="no region")


def test_an_endpoint_that_is_spelt_out_is_reached_past_any_proxy(aws, local, environment, connect):
    environment.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    environment.setenv("NO_PROXY", "")
    aws.declare_function("api")
    assert [function.name for function in connect(local).functions.all()] == ["api"]


def test_an_aws_that_is_not_there_is_told_after_some_attempts(connect, clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    before = clock()
    edge = connect(Access(endpoint_url=nowhere, access_key="a", secret_key="b"))
    with pytest.raises(AwsError, match="AWS does not answer list functions: Could not connect"):
        list(edge.functions.all())
    assert 0 < clock() - before < 120


DENIED = "User: a is not authorized to perform: lambda:ListLayerVersions on resource: arn:z because no"
ALLOW = "allow lambda:ListLayerVersions to the role of this run"
REFUSALS = {
    (
        403,
        "AccessDeniedException",
        DENIED,
    ): f"{ALLOW}, on arn:z",
    (403, "AccessDeniedException", "no"): ALLOW,
    (403, "ExpiredTokenException", "The security token is expired"): "get fresh credentials",
    (403, "UnrecognizedClientException", "The security token is invalid"): "get fresh credentials",
    (400, "InvalidParameterValueException", "Wrong"): "fix the cause and run again",
}


@pytest.mark.parametrize(
    ("minutes", "hint"),
    [
        (0, "check the secret access key; the clock of this machine agrees with AWS"),
        (10, "set the clock of this machine: it is 600 s behind AWS"),
        (-10, "set the clock of this machine: it is 600 s ahead of AWS"),
        (None, "check the clock of this machine, and then the secret access key"),
    ],
)
def test_a_refused_signature_is_usually_the_clock(faults, local, connect, monkeypatch, minutes, hint):
    date = (
        "unreadable" if minutes is None else format_datetime(datetime.now(UTC) + timedelta(minutes=minutes))
    )
    text = "Signature expired: 20260101T000000Z is now earlier than"
    faults.script("ListLayerVersions", fault.error(403, "InvalidSignatureException", text))
    monkeypatch.setattr(WSGIRequestHandler, "date_time_string", lambda *_: date)  # the server's clock
    with pytest.raises(AwsError) as caught:
        list(connect(local).layers.versions("web"))
    said = caught.value.problems[0].hint
    assert re.sub(r"\b(599|601) s", "600 s", said) == hint


@pytest.mark.parametrize(("refusal", "hint"), REFUSALS.items())
def test_a_refusal_names_the_call_and_what_to_do(faults, local, connect, refusal, hint):
    _, code, text = refusal
    faults.script("ListLayerVersions", fault.error(*refusal))
    with pytest.raises(AwsError) as caught:
        list(connect(local).layers.versions("web"))
    (problem,) = caught.value.problems
    assert problem.message == f"AWS refuses ListLayerVersions for web: {text} ({code})"
    assert problem.hint == hint


def test_a_refused_call_is_not_made_again(faults, aws, local, connect):
    faults.script("ListFunctions", fault.DENIED)
    with pytest.raises(AwsError, match="AWS refuses ListFunctions: User"):
        list(connect(local).functions.all())
    assert len(aws.call_log) == 1


def test_reading_goes_on_after_trouble(faults, aws, local, connect):
    for number in range(60):
        aws.declare_function(f"f{number}")
    faults.script(
        "ListFunctions", fault.reset_before, fault.BROKEN, None, fault.reset_after, fault.throttled(1)
    )
    assert len(list(connect(local).functions.all())) == 60


def test_get_function_has_a_quota_and_so_a_pace_of_its_own(faults, aws, local, connect, clock):
    aws.declare_function("api")
    edge = connect(local)
    faults.script("GetFunction", *[fault.throttled()] * 4)
    edge.functions.get("api")
    before = clock()
    for _ in range(10):
        list(edge.functions.all())
    assert clock() - before < 10 / 14  # as fast as if nothing had been throttled


def test_an_answer_that_comes_late_is_waited_for(faults, aws, local, connect):
    aws.declare_function("api")
    faults.script("ListFunctions", fault.delayed(0.2))
    assert len(list(connect(local).functions.all())) == 1


def test_a_layer_version_is_read_with_what_it_is_compatible_with(aws, local, connect):
    aws.declare_layer_version("web", account="123456789012", version=3, runtimes=["python3.12"])
    (version,) = connect(local).layers.versions("web")
    assert version.arn == "arn:aws:lambda:eu-west-1:123456789012:layer:web:3"
    assert (version.runtimes, version.architectures) == ({"python3.12"}, frozenset())


def test_threads_share_one_edge(aws, local, connect):
    names = [f"f{number}" for number in range(16)]
    for name in names:
        aws.declare_function(name)
    edge = connect(local)
    with ThreadPoolExecutor(16) as pool:
        assert [function.name for function in pool.map(edge.functions.get, names)] == names
