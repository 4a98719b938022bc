"""HTTP for package indexes: retries temporary failures, and reports other failures as one problem."""

import hashlib
import os
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import httpx2
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers.sync import PyPIClient

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings

_CHUNK = 1 << 16
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527})
_MISSING = frozenset({404, 410})  # valid responses: the index does not have the file
_LONGEST_PAUSE = 20.0

_Result = TypeVar("_Result")


class ServerRefusedError(FetchError):
    """A server refused a request."""

    def __init__(self, status: int, problem: Diagnostic) -> None:
        super().__init__(problem)
        self.status = status


class _TransientError(Exception):
    """A server responded that a later request may succeed."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.status = response.status_code
        self.after = response.headers.get("Retry-After", "")


class PatientClient:
    """An HTTP client that retries; it has the interface that unearth calls a Fetcher."""

    def __init__(self, client: PyPIClient, *, retries: int, pause: Callable[[float], None]) -> None:
        self._client = client
        self._retries = retries
        self._pause = pause

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Return a whole response; its status is a success, 404 or 410."""
        return self.patiently(url, lambda: _checked(self._client.get(url, headers=headers)))

    def post(self, url: str, *, json: object) -> httpx2.Response:
        """Post JSON; the request may be sent more than once."""
        return self.patiently(url, lambda: _checked(self._client.post(url, json=json)))

    def head(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Return the headers of a response."""
        return self.patiently(url, lambda: _checked(self._client.head(url, headers=headers)))

    @contextmanager
    def get_stream(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
        """Return a response whose body is not read yet."""
        with self._client.get_stream(url, headers=headers) as response:
            yield _checked(response)

    def iter_secure_origins(self) -> Iterable[tuple[str, str, str]]:
        """Return the (scheme, host, port) of servers that are trusted without encryption."""
        return self._client.iter_secure_origins()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def patiently(self, url: str, attempt: Callable[[], _Result]) -> _Result:
        """Retry an attempt while its failure is temporary; raise the last one as a FetchError."""
        for number in range(self._retries + 1):
            try:
                return attempt()
            except (httpx2.HTTPError, httpx2.InvalidURL, _TransientError) as error:
                if number == self._retries or not _is_temporary(error):
                    raise _failure(error, url) from error
                self._pause(_seconds_before_next(number, error))
        raise AssertionError  # the last round returns or raises


def open_client(
    settings: PipSettings, options: IndexOptions, *, pause: Callable[[float], None]
) -> PatientClient:
    """Return a client with the network settings of pip's configuration; the caller closes it.

    Raises:
        FetchError: if the configured certificates cannot be loaded.
    """
    client = PyPIClient(
        trusted_hosts=options.trusted_hosts,
        verify=_tls(settings),
        proxy=settings.proxy,
        timeout=settings.timeout,
        follow_redirects=True,
    )
    urls = (options.index_url or "", *options.extra_index_urls, *options.find_links)
    client.auth = MultiDomainBasicAuth(prompting=False, index_urls=[url for url in urls if "://" in url])
    return PatientClient(client, retries=settings.retries, pause=pause)


def _tls(settings: PipSettings) -> ssl.SSLContext | bool:
    if not settings.cert and not settings.client_cert:
        return True
    try:
        is_folder = bool(settings.cert) and Path(settings.cert or "").is_dir()
        context = ssl.create_default_context(
            cafile=None if is_folder else settings.cert, capath=settings.cert if is_folder else None
        )
        if settings.client_cert:
            context.load_cert_chain(settings.client_cert)
    except OSError as error:  # ssl.SSLError is one
        message = f"cannot load the certificates of pip's configuration: {error}"
        hint = "correct `cert` or `client-cert`; see: pip config list"
        raise FetchError.of(message, hint) from error
    return context


def save(
    client: PatientClient, url: str, destination: Path, *, received: Callable[[int], None]
) -> tuple[str, int]:
    """Download a URL to a file atomically; return its SHA-256 as hex, and its size in bytes."""
    return client.patiently(url, lambda: _save_once(client, url, destination, received))


def _save_once(
    client: PatientClient, url: str, destination: Path, received: Callable[[int], None]
) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    descriptor, temporary = tempfile.mkstemp(dir=destination.parent, prefix=".incoming-")
    try:
        # Request the bytes as they are stored; some servers would unpack or repack a .tar.gz.
        with (
            os.fdopen(descriptor, "wb") as file,
            client.get_stream(url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            if response.status_code in _MISSING:
                raise _refusal(response.status_code, url)
            for chunk in response.iter_raw(_CHUNK):
                file.write(chunk)
                digest.update(chunk)
                size += len(chunk)
                received(len(chunk))
        Path(temporary).chmod(0o644)  # files of mkstemp are readable by their owner only
        Path(temporary).replace(destination)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return digest.hexdigest(), size


def _checked(response: httpx2.Response) -> httpx2.Response:
    if response.status_code in _TRANSIENT:
        raise _TransientError(response)
    if response.is_success or response.status_code in _MISSING:
        return response
    raise _refusal(response.status_code, str(response.url))


def _is_temporary(error: Exception) -> bool:
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL | httpx2.TooManyRedirects):
        return False
    return not any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _seconds_before_next(number: int, error: Exception) -> float:
    after = error.after if isinstance(error, _TransientError) else ""
    wanted = float(after) if after.isdecimal() else 0.25 * 2.0**number
    return min(wanted, _LONGEST_PAUSE)


def _failure(error: Exception, url: str) -> FetchError:
    if isinstance(error, _TransientError):
        return _refusal(error.status, url)
    host = httpx2.URL(without_credentials(url)).host if not isinstance(error, httpx2.InvalidURL) else ""
    shown = without_credentials(url)
    reason = without_credentials(str(error)) or type(error).__name__
    match error:
        case _ if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
            message, hint = (
                f"cannot establish a trusted connection to {host}: {reason}",
                "set `cert` in pip's configuration",
            )
        case httpx2.TimeoutException():
            message, hint = f"the request for {shown} timed out", "retry, or increase pip's `timeout`"
        case httpx2.ProxyError():
            message, hint = f"the proxy for {host} failed: {reason}", "check pip's `proxy`"
        case httpx2.ConnectError():
            message, hint = f"cannot connect to {host}: {reason}", "check the network and the index URL"
        case httpx2.InvalidURL() | httpx2.UnsupportedProtocol():
            message, hint = f"{shown} is not a valid URL: {reason}", "correct the index URL"
        case _:
            message, hint = f"the connection for {shown} was lost: {reason}", "retry"
    return FetchError(Diagnostic(message, hint))


def _refusal(status: int, url: str) -> ServerRefusedError:
    shown = without_credentials(url)
    try:
        phrase = HTTPStatus(status).phrase.lower()
    except ValueError:
        phrase = "not a standard status"
    hints = {
        401: "set credentials in the URL, in ~/.netrc or in the keyring",
        403: "check that the credentials have read access to this index",
        407: "set the proxy's credentials in pip's `proxy`",
        404: "retry to read the current listing; the file was removed",
        410: "retry to read the current listing; the file was removed",
    }
    hint = hints.get(status, "retry later, or check the status page of the index")
    return ServerRefusedError(status, Diagnostic(f"{shown} returned {status} ({phrase})", hint))


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
