"""Limits for the responses of servers: size, time, and where redirects may lead.

A server can send a small compressed response that unpacks to gigabytes, or one byte every few seconds, also
within headers, where an HTTP library waits for more, or a page that takes a parser hours. So all this runs in
threads, which are abandoned when their time is over.
"""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from typing import TypeVar

import httpx2

from entrypoint.errors import FetchError
from entrypoint.index.options import without_credentials

_RETRY = "retry; if it fails again, check the network and the index"
_GZIP = 16 + zlib.MAX_WBITS
_PART = 1 << 16
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseLimits:
    """What a server may send, and how slowly."""

    #: A listing or metadata, uncompressed; the largest listing of PyPI has about 10 MB.
    content_bytes: int = 32 << 20
    #: The time for a listing or metadata, and for a file in addition to that of its bytes.
    seconds: float = 120.0
    #: A file whose size is not in the listing.
    file_bytes: int = 4 << 30
    file_bytes_per_second: float = 10_000.0


@dataclass(slots=True)
class Transfer:
    """What runs in a thread: counts what arrives, and ends when it is abandoned."""

    received: int = 0
    _abandoned: threading.Event = field(default_factory=threading.Event)

    def abandon(self) -> None:
        """Let the thread end at its next bytes."""
        self._abandoned.set()

    def raw(
        self, response: httpx2.Response, most: int, received: Callable[[int], None] = lambda _: None
    ) -> Iterator[bytes]:
        """Yield a response's bytes as they arrive; `received` gets the size of each part.

        Raises:
            FetchError: there are more than `most`.
        """
        for part in response.iter_raw():  # with a size, it would wait until it has as much
            self.received += len(part)
            if self.received > most:
                raise _too_large(response, most)
            if self._abandoned.is_set():
                return
            yield part
            received(len(part))

    def content(self, response: httpx2.Response, most: int) -> bytes:
        """Return a response's content, unpacked.

        Raises:
            FetchError: it has more bytes than `most`, or an encoding that was not requested.
        """
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        parts = self.raw(response, most)
        if encoding in {"gzip", "x-gzip"}:
            parts = _unpacked(parts)
        elif encoding != "identity":
            message = f"{_shown(response)} has the encoding {encoding!r}, which was not requested"
            raise FetchError.of(message, "report this to the operator of the index")
        content = bytearray()
        for part in parts:
            content += part
            if len(content) > most:
                raise _too_large(response, most)
        return bytes(content)


def watched(
    work: Callable[[Transfer], _Result],
    *,
    allowed: Callable[[int], float],
    url: str,
    late: str = "is too slow",
) -> _Result:
    """Run `work` in a thread, no longer than allowed for the bytes that it received so far.

    Raises:
        FetchError: the time is over.
    """
    transfer, result = Transfer(), futures.Future[_Result]()
    started = time.monotonic()
    threading.Thread(target=_run, args=(work, transfer, result), daemon=True).start()
    try:
        while (left := allowed(transfer.received) - (time.monotonic() - started)) > 0:
            is_done = bool(futures.wait([result], left).done)
            # A parser may hold the interpreter, so that this thread is woken late.
            if is_done and time.monotonic() - started <= allowed(transfer.received):
                return result.result()
    finally:
        transfer.abandon()
    seconds = time.monotonic() - started
    shown = without_credentials(url)
    message = f"{shown} {late}: {transfer.received:,} bytes in {seconds:.0f} seconds"
    raise FetchError.of(message, _RETRY)


def _run(work: Callable[[Transfer], _Result], transfer: Transfer, result: "futures.Future[_Result]") -> None:
    try:
        result.set_result(work(transfer))
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
        result.set_exception(error)


def redirected(response: httpx2.Response, is_trusted: Callable[[str], bool]) -> httpx2.Request | None:
    """Return the request to which a response redirects, if it does.

    Raises:
        FetchError: it leads from https to http, to an untrusted server without TLS, or to a file.
    """
    following = response.next_request
    if following is None:
        return None
    target = following.url
    is_plain = target.scheme == "http" and response.url.scheme == "http" and is_trusted(str(target))
    if target.scheme == "https" or is_plain:
        return following
    message = f"{_shown(response)} redirects to {without_credentials(str(target))}, which is not https"
    raise FetchError.of(message, "report this to the operator of the index")


def _unpacked(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip, no more than a part at a time.

    Raises:
        httpx2.DecodingError: it is damaged.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        for part in parts:
            data = part
            while data and not inflater.eof:
                yield inflater.decompress(data, _PART)
                data = inflater.unconsumed_tail
        yield inflater.flush()
    except zlib.error as error:
        raise httpx2.DecodingError(str(error)) from error
    if not inflater.eof:
        raise httpx2.DecodingError("the compressed data is truncated")


def _too_large(response: httpx2.Response, most: int) -> FetchError:
    message = f"the response of {_shown(response)} has more than {most:,} bytes"
    return FetchError.of(message, "check that the URL is right, and report this to the operator of the index")


def _shown(response: httpx2.Response) -> str:
    return without_credentials(str(response.url))
