"""HTTP for package indexes: retries temporary failures, and reports other failures as one problem."""

import hashlib
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import httpx2
from unearth.auth import MultiDomainBasicAuth
from unearth.collector import is_secure_origin
from unearth.fetchers.sync import PyPIClient
from unearth.link import Link

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.candidates import ServerRefusedError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings
from entrypoint.index.responses import ResponseLimits, Transfer, redirected, watched

if TYPE_CHECKING:
    from unearth.fetchers import Fetcher

_OF_THE_TRANSFER = frozenset({"content-encoding", "content-length", "transfer-encoding"})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 527})
_MISSING = frozenset({404, 410})  # valid responses: the index does not have the file
_LONGEST_PAUSE = 20.0

_Result = TypeVar("_Result")


class _TransientError(Exception):
    """A server responded that a later request may succeed."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.status = response.status_code
        self.after = response.headers.get("Retry-After", "")


class PatientClient:
    """An HTTP client that retries, within limits; it has the interface that unearth calls a Fetcher."""

    def __init__(
        self, client: PyPIClient, *, retries: int, pause: Callable[[float], None], limits: ResponseLimits
    ) -> None:
        self._client = client
        self._retries = retries
        self._pause = pause
        self.limits = limits

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Return a whole response; its status is a success, 404 or 410."""
        return self._whole("GET", url, headers={"Accept-Encoding": "gzip", **(headers or {})})

    def post(self, url: str, *, json: object) -> httpx2.Response:
        """Post JSON; the request may be sent more than once."""
        return self._whole("POST", url, headers={"Accept-Encoding": "gzip"}, json=json)

    def head(self, url: str, *, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        """Return the headers of a response."""
        return self._whole("HEAD", url, headers={"Accept-Encoding": "identity", **(headers or {})})

    def open(
        self, method: str, url: str, *, headers: Mapping[str, str], json: object = None
    ) -> httpx2.Response:
        """Return a response whose body is not read yet, after redirects; the caller closes it."""
        request = self._client.build_request(method, url, headers=headers, json=json)
        response = self._client.send(request, stream=True)
        for _ in range(self._client.max_redirects):
            with _closed_on_error(response):
                following = redirected(response, self._is_trusted)
                if following is None:
                    return _checked(response)
            response.close()
            response = self._client.send(following, stream=True, auth=None)
        response.close()
        raise httpx2.TooManyRedirects("too many redirects", request=request)

    def iter_secure_origins(self) -> Iterable[tuple[str, str, str]]:
        """Return the (scheme, host, port) of servers that are trusted without encryption."""
        return self._client.iter_secure_origins()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def _whole(
        self, method: str, url: str, *, headers: Mapping[str, str], json: object = None
    ) -> httpx2.Response:
        def read(transfer: Transfer) -> httpx2.Response:
            with closing(self.open(method, url, headers=headers, json=json)) as response:
                content = transfer.content(response, self.limits.content_bytes) if method != "HEAD" else b""
            kept = [pair for pair in response.headers.multi_items() if pair[0] not in _OF_THE_TRANSFER]
            return httpx2.Response(
                response.status_code, headers=kept, content=content, request=response.request
            )

        seconds = self.limits.seconds
        return self.patiently(url, lambda: watched(read, allowed=lambda _: seconds, url=url))

    def _is_trusted(self, url: str) -> bool:
        return is_secure_origin(cast("Fetcher", self), Link(url))

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
    settings: PipSettings,
    options: IndexOptions,
    *,
    pause: Callable[[float], None],
    limits: ResponseLimits | None = None,
) -> PatientClient:
    """Return a client with the network settings of pip's configuration; the caller closes it.

    Raises:
        FetchError: if the configured certificates cannot be loaded, or a URL is not valid.
    """
    try:
        client = PyPIClient(
            trusted_hosts=options.trusted_hosts,
            verify=_tls(settings),
            proxy=settings.proxy,
            timeout=settings.timeout,
            follow_redirects=False,
        )
    except (httpx2.InvalidURL, ValueError):  # which may show a part of a password
        hint = "correct pip's `proxy` or the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        raise FetchError.of("the URL of the proxy is not valid", hint) from None
    urls = (options.index_url or "", *options.extra_index_urls, *options.find_links)
    client.auth = MultiDomainBasicAuth(prompting=False, index_urls=[url for url in urls if "://" in url])
    return PatientClient(client, retries=settings.retries, pause=pause, limits=limits or ResponseLimits())


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
    client: PatientClient,
    url: str,
    destination: Path,
    *,
    received: Callable[[int], None],
    size: int | None = None,
) -> tuple[str, int]:
    """Download a URL to a file atomically; return its SHA-256 as hex, and its size in bytes.

    A file with more bytes than `size` is refused.
    """
    limits = client.limits

    def write(transfer: Transfer, path: Path) -> tuple[str, int]:
        # Request the bytes as they are stored; some servers would unpack or repack a .tar.gz.
        response = client.open("GET", url, headers={"Accept-Encoding": "identity"})
        if response.status_code in _MISSING:
            response.close()
            raise _refusal(response.status_code, url)
        most = limits.file_bytes if size is None else size
        return _write(response, path, transfer.raw(response, most, received))

    def once() -> tuple[str, int]:
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".incoming-") as folder:
            file = Path(folder) / "file"
            written = watched(
                lambda transfer: write(transfer, file),
                allowed=lambda count: limits.seconds + count / limits.file_bytes_per_second,
                url=url,
            )
            file.chmod(0o644)
            file.replace(destination)
            return written

    return client.patiently(url, once)


def _write(response: httpx2.Response, path: Path, parts: Iterator[bytes]) -> tuple[str, int]:
    digest = hashlib.sha256()
    with closing(response), path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
        return digest.hexdigest(), file.tell()


@contextmanager
def _closed_on_error(response: httpx2.Response) -> Iterator[None]:
    try:
        yield
    except BaseException:
        response.close()
        raise


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
            # The reason may be a part of a password: "Invalid port: 'pass'".
            message, hint = f"{shown} is not a valid URL", "correct the index URL"
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
