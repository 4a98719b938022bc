"""Servers that send too much, too slowly, or lead to files of this machine."""

import datetime as dt
import gzip
import ipaddress
import json
import socket
import ssl
import threading
import time
import tracemalloc
import zlib
from contextlib import suppress
from itertools import chain

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from package_index import pip_environment

from entrypoint.errors import FetchError
from entrypoint.index.candidates import IndexFile
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.responses import ResponseLimits

JSON = "application/vnd.pypi.simple.v1+json"
MEGABYTE = 1 << 20


class RawServer:
    """Answers each connection with what `answer` yields, byte for byte."""

    def __init__(self, answer, context=None):
        self._answer = answer
        self._context = context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._stopped = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stopped.set()
        self._socket.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._respond, args=(connection,), daemon=True).start()

    def _respond(self, connection):
        with connection, suppress(OSError):
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                connection.recv(65536)
                for part in self._answer():
                    if self._stopped.is_set():
                        return
                    connection.sendall(part)


def response(*headers, status="200 OK", kind=JSON):
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode()


def dripping(*start):
    """Yield the start, then a byte every few hundredths of a second, without an end."""
    yield from start
    while True:
        time.sleep(0.02)
        yield b"0"


@pytest.fixture
def opened(tmp_path, request):
    def open_index(server, *, limits=None, scheme="http", **variables):
        environment = pip_environment(
            tmp_path,
            PIP_INDEX_URL=f"{scheme}://127.0.0.1:{server.port}/simple/",
            PIP_RETRIES="1",
            **variables,
        )
        index = PackageIndex(environment=environment, pause=lambda _: None, limits=limits)
        request.addfinalizer(index.close)
        return index

    return open_index


SLOW = {
    "headers": (b"HTTP/1.1 200 OK\r\nX-Long: ",),
    "content": (response(), b"\r\n"),
    "content of a known size": (response("Content-Length: 1000000"), b"\r\n"),
    "the size of a chunk": (response("Transfer-Encoding: chunked"), b"\r\n"),
}


@pytest.mark.parametrize("start", SLOW.values(), ids=SLOW)
def test_a_listing_that_drips_is_given_up(opened, start):
    with RawServer(lambda: dripping(*start)) as server:
        index = opened(server, limits=ResponseLimits(seconds=0.5))
        began = time.monotonic()
        with pytest.raises(FetchError, match=r"/simple/thing/ is too slow: \d+ bytes in [01] seconds; retry"):
            index.files("thing")
        assert time.monotonic() - began < 5


def file_of(server, **values):
    url = f"http://127.0.0.1:{server.port}/thing-1.0-py3-none-any.whl"
    return IndexFile(filename="thing-1.0-py3-none-any.whl", url=url, **{"sha256": None} | values)


@pytest.mark.parametrize("start", SLOW.values(), ids=SLOW)
def test_a_download_that_drips_is_given_up(opened, tmp_path, start):
    with RawServer(lambda: dripping(*start)) as server:
        index = opened(server, limits=ResponseLimits(seconds=0.5))
        with pytest.raises(FetchError, match="is too slow"):
            index.download(file_of(server), tmp_path / "thing.whl")
    assert not list(tmp_path.glob("*thing*"))


def test_a_download_may_take_long_if_it_is_fast_enough(opened, tmp_path):
    def answer():
        yield response() + b"\r\n"
        for _ in range(10):
            time.sleep(0.1)
            yield b"0" * 1000

    with RawServer(answer) as server:
        index = opened(server, limits=ResponseLimits(seconds=0.5, file_bytes_per_second=2000))
        index.download(file_of(server), tmp_path / "thing.whl")
    assert (tmp_path / "thing.whl").read_bytes() == b"0" * 10_000


def _compressed_zeros(megabytes):
    compressor = zlib.compressobj(wbits=31)
    for _ in range(megabytes):
        yield compressor.compress(bytes(MEGABYTE))
    yield compressor.flush()


def endless(start):
    yield start + b"\r\n"
    while True:
        yield bytes(MEGABYTE)


ENDLESS = {
    "as it is": lambda: endless(response()),
    "compressed": lambda: chain([response("Content-Encoding: gzip"), b"\r\n"], _compressed_zeros(400)),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS)
def test_a_listing_of_hundreds_of_megabytes_is_refused(opened, answer):
    with RawServer(answer) as server:
        index = opened(server)
        tracemalloc.start()
        try:
            with pytest.raises(FetchError, match="/simple/thing/ has more than 33,554,432 bytes; check"):
                index.files("thing")
            assert tracemalloc.get_traced_memory()[1] < 150 * MEGABYTE
        finally:
            tracemalloc.stop()


def test_an_encoding_that_was_not_requested_is_refused(opened):
    with (
        RawServer(lambda: [response("Content-Encoding: br"), b"\r\n123"]) as server,
        pytest.raises(FetchError, match="has the encoding 'br', which was not requested"),
    ):
        opened(server).files("thing")


@pytest.mark.parametrize("cut", [False, True])
def test_a_compressed_listing_is_read_and_must_be_whole(opened, cut):
    listed = {"files": [{"filename": "thing-1.0-py3-none-any.whl", "url": "/f.whl"}]}
    body = gzip.compress(json.dumps(listed).encode())
    with RawServer(
        lambda: [response("Content-Encoding: gzip"), b"\r\n", body[: -5 if cut else None]]
    ) as server:
        if cut:
            with pytest.raises(FetchError, match="the compressed data is truncated"):
                opened(server).files("thing")
        else:
            assert len(opened(server).files("thing")) == 1


def test_metadata_of_many_megabytes_is_refused(opened):
    with (
        RawServer(lambda: [response(kind="text/plain"), b"\r\n", bytes(5 * MEGABYTE)]) as server,
        pytest.raises(FetchError, match=r"the metadata of thing-1.0-py3-none-any\.whl has more than"),
    ):
        opened(server).metadata(file_of(server, has_metadata=True))


@pytest.mark.parametrize(("size", "limits"), [(1000, None), (None, ResponseLimits(file_bytes=1000))])
def test_a_download_without_an_end_is_refused(opened, tmp_path, size, limits):
    with (
        RawServer(lambda: endless(response())) as server,
        pytest.raises(FetchError, match="has more than 1,000 bytes"),
    ):
        opened(server, limits=limits).download(file_of(server, size=size), tmp_path / "thing.whl")
    assert not list(tmp_path.glob("*thing*"))


LISTINGS = {
    "JSON": (JSON, '{"files": [{"filename": "thing-1.0.tar.gz", "url": "%s"}]}'),
    "HTML": ("text/html", '<a href="%s">thing-1.0.tar.gz</a>'),
}


@pytest.mark.parametrize(("kind", "text"), LISTINGS.values(), ids=LISTINGS)
@pytest.mark.parametrize("scheme", ["file://", "FILE://"])
def test_a_server_cannot_list_files_of_this_machine(opened, tmp_path, kind, text, scheme):
    (tmp_path / "thing-1.0.tar.gz").write_text("secret")
    body = text % f"{scheme}{tmp_path}/thing-1.0.tar.gz"
    with (
        RawServer(lambda: [response(kind=kind), b"\r\n", body.encode()]) as server,
        pytest.raises(FetchError, match=r"lists files of this machine \(file://\)"),
    ):
        opened(server).files("thing")


@pytest.mark.parametrize(("kind", "text"), LISTINGS.values(), ids=LISTINGS)
def test_a_listing_of_very_many_files_is_refused(opened, kind, text):
    many = {"files": [{"filename": "thing-1.0.tar.gz", "url": "/x"}] * 100_001}
    body = json.dumps(many) if kind == JSON else "<a href=x></a>" * 100_001
    with (
        RawServer(lambda: [response(kind=kind), b"\r\n", body.encode()]) as server,
        pytest.raises(FetchError, match="lists more than 100,000 files"),
    ):
        opened(server).files("thing")


def test_a_page_that_takes_the_parser_long_is_given_up(opened):
    body = b"<" * 300_000
    limits = ResponseLimits(seconds=0.05)
    with (
        RawServer(lambda: [response(kind="text/html"), b"\r\n", body]) as server,
        pytest.raises(FetchError, match=r"cannot be parsed in time: 300,000 bytes in \d seconds"),
    ):
        opened(server, limits=limits).files("thing")


def test_a_listing_that_is_nested_deeply_is_refused(opened):
    with (
        RawServer(lambda: [response(), b"\r\n", b"[" * 100_000]) as server,
        pytest.raises(FetchError, match="is not a valid package listing"),
    ):
        opened(server).files("thing")


@pytest.mark.parametrize(
    "target", ["file://x.invalid/etc/hostname", "http://example.invalid/simple/", "ftp://x.invalid/"]
)
def test_redirects_lead_to_encrypted_or_trusted_servers_only(opened, target):
    answer = [response(f"Location: {target}", "Content-Length: 0", status="302 Found"), b"\r\n"]
    with (
        RawServer(lambda: answer) as server,
        pytest.raises(FetchError, match=f"redirects to {target}, which is not https"),
    ):
        opened(server).files("thing")


def test_the_content_of_a_redirect_is_not_read(opened):
    redirect = response("Location: https://127.0.0.1:1/", status="302 Found")
    with (
        RawServer(lambda: endless(redirect)) as server,
        pytest.raises(FetchError, match="cannot connect to 127"),
    ):
        opened(server).files("thing")


def test_redirects_without_an_end(opened):
    answer = [response("Location: /again", "Content-Length: 0", status="302 Found"), b"\r\n"]
    with RawServer(lambda: answer) as server, pytest.raises(FetchError, match="too many redirects"):
        opened(server).files("thing")


@pytest.fixture
def tls(tmp_path):
    """A server's TLS context, and the file with its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "both.pem").write_bytes(pem + secret)
    (tmp_path / "certificate.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "both.pem")
    return context, tmp_path / "certificate.pem"


@pytest.mark.parametrize("to_https", [False, True])
def test_an_encrypted_server_redirects_to_encrypted_ones_only(opened, tls, to_https):
    context, certificate = tls
    listed = [response(), b'\r\n{"files": [{"filename": "thing-1.0.tar.gz", "url": "/f.tar.gz"}]}']
    with RawServer(lambda: listed, context if to_https else None) as target:
        url = f"{'https' if to_https else 'http'}://127.0.0.1:{target.port}/"
        redirect = [response(f"Location: {url}", "Content-Length: 0", status="302 Found"), b"\r\n"]
        with RawServer(lambda: redirect, context) as server:
            index = opened(server, scheme="https", PIP_CERT=str(certificate))
            if to_https:
                assert len(index.files("thing")) == 1
            else:
                with pytest.raises(FetchError, match=f"redirects to {url}, which is not https"):
                    index.files("thing")


def listing(opened, kind, content):
    with RawServer(lambda: (response(kind=kind), b"\r\n", content.encode())) as server:
        return opened(server).files("six")


@pytest.mark.parametrize(
    "digest",
    ["a" * 64 + "\nevil==1.0 \\\n    --hash=sha256:" + "b" * 64, "a" * 63, "../" * 9, "", ["a" * 64], 5],
)
def test_what_is_no_digest_is_not_one(opened, digest):
    """It would be written to the lock."""
    file = {
        "filename": "six-1.0-py3-none-any.whl",
        "url": "six-1.0-py3-none-any.whl",
        "hashes": {"sha256": digest},
    }
    (found,) = listing(opened, JSON, json.dumps({"files": [file]}))
    assert found.sha256 is None
    page = f'<a href="six-1.0-py3-none-any.whl#sha256={str(digest).replace(chr(10), "%0A")}">six</a>'
    (found,) = listing(opened, "text/html", page)
    assert found.sha256 is None


def test_a_digest_may_have_capitals(opened):
    file = {"filename": "six-1.0-py3-none-any.whl", "url": "six", "hashes": {"sha256": "AB" * 32}}
    (found,) = listing(opened, JSON, json.dumps({"files": [file]}))
    assert found.sha256 == "ab" * 32


def test_a_required_python_that_is_no_text(opened):
    file = {"filename": "six-1.0-py3-none-any.whl", "url": "six", "requires-python": [3]}
    with pytest.raises(FetchError, match="is not a valid package listing"):
        listing(opened, JSON, json.dumps({"files": [file]}))
