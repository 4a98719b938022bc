"""What goes wrong between a program and AWS, on command: a WSGI middleware for LocalAws, over real HTTP.

A fault is itself a middleware: given the application, it gives the one that answers instead. `script`
says which calls it hits; `limit` throttles as AWS does; `at_random` hits calls by seed, the same calls
each time whatever the order in which threads make them.
"""

import json
import os
import random
import socket
import struct
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from http import HTTPStatus

from entrypoint.local_aws.calls import CALL


def error(status: int, code: str, message: str = "told to fail", **headers: str):
    """Answer with an error in Lambda's form; `retry_after` becomes the header Retry-After."""
    body = json.dumps({"Type": "User", "message": message, "Reason": "CallerRateLimitExceeded"}).encode()
    sent = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
    sent += [(name.replace("_", "-"), value) for name, value in headers.items()]

    def fault(_inner):
        def application(_environ, start_response):
            start_response(f"{status} {HTTPStatus(status).phrase}", sent)
            return [body]

        return application

    return fault


def answer(status: int, body: bytes):
    """Answer with a body, whatever is asked."""

    def fault(_inner):
        def application(_environ, start_response):
            start_response(f"{status} {HTTPStatus(status).phrase}", [("Content-Type", "text/xml")])
            return [body]

        return application

    return fault


def changed(change: Callable[[dict], None]):
    """Answer as AWS would, but for what `change` does to the answer's JSON."""

    def fault(inner):
        def application(environ, start_response):
            started = []
            answered = json.loads(b"".join(inner(environ, lambda *given: started.extend(given[:2]))))
            change(answered)
            kept = [header for header in started[1] if header[0].lower() != "content-length"]
            start_response(started[0], kept)
            return [json.dumps(answered).encode()]

        return application

    return fault


def sts_error(code: str, message: str) -> bytes:
    """An error in the form of STS."""
    told = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return f"<ErrorResponse>{told}<RequestId>1</RequestId></ErrorResponse>".encode()


def throttled(retry_after: float | None = None):
    headers = {} if retry_after is None else {"retry_after": str(retry_after)}
    return error(429, "TooManyRequestsException", "Rate exceeded", **headers)


IN_PROGRESS = error(409, "ResourceConflictException", "An update is in progress for resource: told so")
STALE = error(412, "PreconditionFailedException", "The Revision Id provided does not match")
DENIED = error(403, "AccessDeniedException", "User is not authorized to perform this")
BROKEN = error(500, "ServiceException")
UNAVAILABLE = error(503, "ServiceUnavailableException")


def reset_before(_inner):
    """Break the connection; the operation is not carried out."""

    def application(environ, _start_response):
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # or it is taken for a request
        _break_connection(environ)

    return application


def reset_after(inner):
    """Carry the operation out, then break the connection: the answer is lost."""

    def application(environ, _start_response):
        for _ in inner(environ, lambda *_: None):
            pass
        _break_connection(environ)

    return application


def after(action: Callable[[], object]):
    """Do something first (sleep, change the function behind the caller's back, kill), then answer."""

    def fault(inner):
        def application(environ, start_response):
            action()
            return inner(environ, start_response)

        return application

    return fault


def delayed(seconds: float):
    return after(lambda: time.sleep(seconds))


def _break_connection(environ):
    connection = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    dead, peer = socket.socketpair()
    peer.close()
    os.dup2(dead.fileno(), connection.fileno())  # closes the connection at once; the server finds a dead one
    dead.close()
    raise ConnectionResetError("told to reset")  # what the server takes for a caller that went away


class Faults:
    """The middleware: `LocalAws(middleware=faults)`. Later words of a test may still change its mind."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.hits: Counter[str] = Counter()
        self._clock = clock
        self._lock = threading.Lock()
        self._scripts: dict[tuple[str, str], deque] = {}
        self._limits: dict[str, float] = {}
        self._buckets: dict[object, tuple[float, float]] = {}
        self._random: dict[str, tuple] = {}
        self._regions: dict[str, object] = {}
        self._always = None
        self._calls: defaultdict[tuple[str, str], int] = defaultdict(int)

    def script(self, operation: str, *faults, about: str = "") -> None:
        """Hit the next calls of an operation, one fault each; None lets one through.

        `about` is a part of the path, such as the name of a function.
        """
        self._scripts[operation, about] = deque(faults)

    def limit(self, per_second: float, *, get_function: float = 100.0) -> None:
        """Throttle as AWS does: one bucket for each account and region, GetFunction in its own."""
        self._limits = {"": per_second, "GetFunction": get_function}

    def at_random(self, seed: int, share: float, *faults, operation: str = "") -> None:
        """Hit this share of all calls, or of one operation's, with one of the faults."""
        self._random[operation] = (seed, share, faults)

    def every_call(self, fault) -> None:
        """Hit all calls with one fault, which decides for itself."""
        self._always = fault

    def refuse_region(self, region: str, fault) -> None:
        """Hit all calls to a region."""
        self._regions[region] = fault

    def stop(self) -> None:
        """From now on, nothing goes wrong."""
        self._scripts, self._limits, self._random = {}, {}, {}
        self._regions, self._always = {}, None

    def __call__(self, inner):
        def application(environ, start_response):
            call = environ[CALL]
            with self._lock:
                fault = (
                    self._always
                    or self._regions.get(call.scope.region)
                    or self._scripted(call)
                    or self._over_limit(call)
                    or self._by_chance(call)
                )
                self.hits[call.operation] += fault is not None
            return (fault(inner) if fault else inner)(environ, start_response)

        return application

    def _scripted(self, call):
        for (operation, about), waiting in self._scripts.items():
            if operation == call.operation and about in call.path and waiting:
                return waiting.popleft()
        return None

    def _over_limit(self, call):
        name = call.operation if call.operation in self._limits else ""
        rate = self._limits.get(name)
        if rate is None:
            return None
        now = self._clock()
        key = (call.scope, name)
        tokens, then = self._buckets.get(key, (rate, now))  # a full bucket holds a second's worth
        tokens = min(rate, tokens + (now - then) * rate)
        self._buckets[key] = (max(0.0, tokens - 1), now) if tokens >= 1 else (tokens, now)
        return None if tokens >= 1 else throttled()

    def _by_chance(self, call):
        seed, share, faults = self._random.get(call.operation) or self._random.get("") or (0, 0.0, ())
        key = (call.operation, call.path)
        self._calls[key] += 1
        chance = random.Random(f"{seed} {key} {self._calls[key]}")
        return chance.choice(faults) if chance.random() < share else None
