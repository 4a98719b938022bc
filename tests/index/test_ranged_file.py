"""Remote files that are fetched in parts, from the embedded AWS, which responds as S3 does."""

import base64
import contextlib
import hashlib
import os
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.wsgi import ClosingIterator

from entrypoint.errors import AwsError
from entrypoint.index.ranged_file import RangedFile
from entrypoint.local_aws.calls import CALL
from entrypoint.local_aws.server import LocalAws

CONTENT = os.urandom(1_000_000)


class Watch:
    """Counts the bytes that are served, and fails requests with the given statuses."""

    def __init__(self):
        self.served = 0
        self.failing = []

    def __call__(self, inner):
        def application(environ, start_response):
            if environ[CALL].service == "layer-archives" and self.failing:
                start_response(self.failing.pop(0), [])
                return [b""]
            with contextlib.closing(ClosingIterator(inner(environ, start_response))) as parts:
                body = b"".join(parts)
            self.served += len(body)
            return [body]

        return application


@pytest.fixture
def watch():
    return Watch()


@pytest.fixture(params=["in memory", "in a folder"])
def open_file(request, tmp_path, watch):
    state = tmp_path / "state.json" if request.param == "in a folder" else None
    with LocalAws(middleware=watch, state_file=state) as aws:

        def to(content=CONTENT):
            digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
            aws.cloud.archives.keep(digest, content)
            url = aws.endpoint_url + aws.cloud.archives.path_of(digest)
            return RangedFile(url, name="web:1", direct=True)

        yield to


def test_the_first_and_the_last_member_of_a_large_zip_cost_two_requests(open_file, watch, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("first", b"1" * 1000)
        archive.writestr("large", os.urandom(3_000_000))
        archive.writestr("last", b"2" * 1000)
    with open_file((tmp_path / "a.zip").read_bytes()) as file, zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["first", "large", "last"]
        assert archive.read("first") == b"1" * 1000
        assert archive.read("last") == b"2" * 1000
    assert watch.served == 2**18 + 2**16


@given(st.lists(st.tuples(st.integers(0, 1_000_100), st.integers(-1, 300_000)), max_size=5))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_reads_in_any_order_return_the_content(open_file, reads):
    with open_file() as file:
        for start, size in reads:
            assert file.seek(start) == start
            expected = CONTENT[start:] if size < 0 else CONTENT[start : start + size]
            assert file.read(size) == expected
            assert file.tell() == start + len(expected)


def test_a_file_smaller_than_the_first_request(open_file):
    with open_file(b"small") as file:
        assert file.read() == b"small"
        assert file.read() == b""
        file.seek(-2, os.SEEK_END)
        assert file.read(1) == b"l"


def test_a_temporary_failure_is_retried(open_file, watch):
    watch.failing = ["503 Slow Down", "500 Oops"]
    with open_file() as file:
        assert file.read(10) == CONTENT[:10]


@pytest.mark.parametrize(("status", "left"), [("403 Forbidden", 2), ("500 Oops", 0), ("200 OK", 2)])
def test_a_refusal_does_not_contain_the_url(open_file, watch, status, left):
    watch.failing = [status] * 3
    with pytest.raises(AwsError) as caught:
        open_file()
    assert str(caught.value) == (
        f"cannot read the archive of web:1 in AWS: the server returned {status[:3]}; "
        "check the network and the proxy for S3"
    )
    assert len(watch.failing) == left


def test_no_server():
    with pytest.raises(AwsError, match=r"^cannot read the archive of web:1 in AWS: ConnectError;"):
        RangedFile("http://127.0.0.1:9/secret", name="web:1", direct=True)
