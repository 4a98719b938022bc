"""The code that docs/throttling.md shows, run against the embedded AWS."""

import faults as fault
import pytest
from snippets import ROOT, snippets

THROTTLING = {each.title: each.text for each in snippets(ROOT / "docs" / "throttling.md") if each.title}


def loaded(name):
    module = {}
    exec(compile(THROTTLING[name], name, "exec"), module)
    return module


@pytest.fixture
def invoke(aws):
    module = loaded("invoke.py")
    yield module["invoke"]
    module["client"].close()


def test_a_caller_repeats_what_was_throttled(aws, invoke, faults):
    aws.answer_invocations("api", lambda call: call.payload)
    faults.script("Invoke", fault.throttled(), fault.throttled())
    assert invoke("api", b'{"a": 1}') == b'{"a": 1}'
    assert faults.hits["Invoke"] == 2


def test_a_failure_of_the_function_is_not_repeated(aws, invoke):
    calls = []
    aws.answer_invocations("api", lambda call: calls.append(call) or 1 / 0)
    with pytest.raises(RuntimeError):
        invoke("api", b"{}")
    assert len(calls) == 1


def test_failed_events_are_kept(aws, client):
    module = loaded("keep_failed.py")
    queue = "arn:aws:sqs:eu-west-1:123456789012:failed"
    module["keep_failed"]("api", queue)
    module["client"].close()
    found = client.get_function_event_invoke_config(FunctionName="api")
    assert found["DestinationConfig"]["OnFailure"]["Destination"] == queue
    assert found["MaximumEventAgeInSeconds"] == 3_600
