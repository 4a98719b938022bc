"""The rollout compared with AWS's own limit: 15 calls per second for each account and region.

Two measurements. Over HTTP, in real time: functions of the embedded AWS behind a token bucket that throttles
as AWS does. And simulated: many more functions and regions, on a clock that advances only when all workers
wait, with the same limiter, waves and workers. The floor is the time that the bucket alone takes.

    python benchmarks/rollout.py [--functions 1000] [--simulate 50000 --regions 20] [--write docs/benchmarks.md]
"""

import argparse
import heapq
import resource
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import faults as fault
from botocore.exceptions import ClientError
from faults import Faults

from entrypoint.aws.access import Access
from entrypoint.aws.calls import LambdaCalls
from entrypoint.aws.client import Aws
from entrypoint.aws.functions import Functions
from entrypoint.aws.model import Function
from entrypoint.local_aws.server import LocalAws
from entrypoint.manifest.model import AT_ONCE, CountOrPercent, Destination, Rollout
from entrypoint.release.function_change import FunctionChange, Wanted
from entrypoint.release.rollout import roll_out, waves
from entrypoint.release.update import Status

ACCOUNT, REGION = "123456789012", "eu-west-1"
PER_SECOND = 15.0
UPDATE_SECONDS = 1.0
UPDATE = "UpdateFunctionConfiguration"
ANSWERED = {"ResponseMetadata": {"RequestId": "1"}}
ANYWHERE = (fault.BROKEN, fault.UNAVAILABLE, fault.reset_before, fault.reset_after, fault.throttled())
OLD, NEW = (f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:web:{number}" for number in (1, 2))


def changes(functions):
    wanted = (Wanted(NEW, frozenset({NEW.rpartition(":")[0]})),)
    return tuple(FunctionChange(function=function, wanted=wanted) for function in functions)


def floor(functions):
    """Seconds that the bucket takes, which holds a second's worth at the start, and the last update."""
    return (functions - PER_SECOND) / PER_SECOND + UPDATE_SECONDS


def over_http(number, share):
    """Roll out over HTTP; `share` of all calls go wrong in one of many ways."""
    faults = Faults()
    with LocalAws(region=REGION, middleware=faults, update_seconds=UPDATE_SECONDS) as aws:
        for version in (1, 2):
            aws.declare_layer_version("web", account=ACCOUNT, version=version)
        for index in range(number):
            aws.declare_function(f"f{index:05}", layers=[OLD])
        access = Access(endpoint_url=aws.endpoint_url, access_key=ACCOUNT, secret_key="local", region=REGION)
        edge = Aws(Destination(REGION), access=access, quota=PER_SECOND)
        plan = changes(edge.functions.all())
        faults.limit(PER_SECOND)
        if share:
            faults.at_random(1, share, *ANYWHERE)
            faults.at_random(1, share, *ANYWHERE, fault.IN_PROGRESS, fault.STALE, operation=UPDATE)
        before = len(aws.call_log)
        start = time.monotonic()
        rolled = roll_out(edge, plan, {}, lambda _: None)
        seconds = time.monotonic() - start
        edge.close()
        calls = Counter(call.operation for call in aws.call_log[before:])
    statuses = Counter(str(outcome.status) for outcome in rolled.functions)
    return seconds, dict(statuses), dict(faults.hits), dict(calls)


class SimulatedTime:
    """A clock that jumps to the next moment at which somebody wakes, as soon as all who work sleep or queue.

    `reaches` says how many functions are done at the end of each wave: so many workers are at work as
    there are functions left in the wave, up to `workers`.
    """

    def __init__(self, reaches, workers):
        self.now = 0.0
        self._reaches, self._workers = reaches, workers
        self._lock = threading.Lock()
        self._ended = 0
        self._sleeping = []
        self._queues = 0
        self._order = 0

    def __call__(self):
        return self.now

    def end(self):
        with self._lock:
            self._ended += 1
            self._wake()

    def sleep(self, seconds):
        woken = threading.Event()
        with self._lock:
            self._order += 1
            heapq.heappush(self._sleeping, (self.now + seconds, self._order, woken))
            self._wake()
        woken.wait()

    def queue(self, by):
        with self._lock:
            self._queues += by
            self._wake()

    def _wake(self):
        left = next((reach for reach in self._reaches if reach > self._ended), 0) - self._ended
        if self._sleeping and len(self._sleeping) + self._queues >= min(self._workers, left):
            self.now, _, woken = heapq.heappop(self._sleeping)
            woken.set()


class SimulatedTurn:
    """A lock in whose queue a worker counts as one who does nothing; the first in it has the next turn."""

    def __init__(self, clock):
        self._clock = clock
        self._lock = threading.Lock()
        self._is_taken = False
        self._queue = deque()

    def __enter__(self):
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            turn = threading.Event()
            self._queue.append(turn)
            self._clock.queue(1)
        turn.wait()

    def __exit__(self, *_):
        with self._lock:
            if self._queue:
                self._clock.queue(-1)
                self._queue.popleft().set()
            else:
                self._is_taken = False


class SimulatedLambda:
    """Lambda's client, as far as a roll-out calls it: a bucket, and updates that take their time."""

    def __init__(self, clock):
        self.clock = clock
        self.tokens, self.then = PER_SECOND, 0.0
        self.done_at = {}
        self.throttled = 0
        self.lock = threading.Lock()

    def update_function_configuration(self, FunctionName, **_):  # noqa: N803 - AWS's own word
        with self.lock:
            now = self.clock()
            self.tokens = min(PER_SECOND, self.tokens + (now - self.then) * PER_SECOND)
            self.then = now
            if self.tokens < 1:
                self.throttled += 1
                error = {
                    "Error": {"Code": "TooManyRequestsException"},
                    "ResponseMetadata": {"HTTPStatusCode": 429},
                }
                raise ClientError(error, "UpdateFunctionConfiguration")
            self.tokens -= 1
            self.done_at[FunctionName] = now + UPDATE_SECONDS
        return ANSWERED

    def get_function(self, FunctionName):  # noqa: N803
        busy = self.clock() < self.done_at.get(FunctionName, 0.0)
        if not busy:
            self.done_at.pop(FunctionName, None)
        status = "InProgress" if busy else "Successful"
        configuration = {
            "FunctionName": FunctionName,
            "FunctionArn": f"arn:aws:lambda:eu-west-1:123456789012:function:{FunctionName}",
            "State": "Active",
            "LastUpdateStatus": status,
            "Layers": [{"Arn": NEW}],
        }
        return {**ANSWERED, "Configuration": configuration}


class SimulatedConnection:
    """A connection with its pace, to a simulated client."""

    def __init__(self, clock):
        self.client = SimulatedLambda(clock)
        self.clock, self.sleep = clock, clock.sleep
        self.call = LambdaCalls(
            self.client, quota=PER_SECOND, clock=clock, sleep=clock.sleep, turn=lambda: SimulatedTurn(clock)
        )


class SimulatedFunctions(Functions):
    """Functions whose updates tell the clock when they end."""

    def update(self, function, layers, vpc=None):
        try:
            return super().update(function, layers, vpc)
        finally:
            self._connection.clock.end()


class SimulatedAws:
    """The part of the client of AWS that a rollout without aliases uses."""

    def __init__(self, clock):
        self.connection = SimulatedConnection(clock)
        self.functions = SimulatedFunctions(self.connection)


def functions(number):
    return [
        Function(
            name=f"f{index:05}",
            arn=f"arn:aws:lambda:eu-west-1:123456789012:function:f{index:05}",
            runtime="python3.13",
            architecture="x86_64",
            layers=(OLD,),
            revision_id="1",
        )
        for index in range(number)
    ]


def simulated(number, regions, rollout):
    """Roll out in every region at once; seconds of each, lost functions, throttles, peak memory in MB."""
    plan = changes(functions(number // regions))

    def region(_):
        # Regions share nothing: each may have a clock of its own.
        clock = SimulatedTime(list(accumulate(map(len, waves(plan, rollout)))), rollout.max_parallel)
        edge = SimulatedAws(clock)
        rolled = roll_out(edge, plan, {}, lambda _: None, rollout=rollout, sleep=clock.sleep, clock=clock)
        lost = sum(outcome.status is not Status.UPDATED for outcome in rolled.functions)
        return clock(), lost, edge.connection.client.throttled

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(region, range(regions)))
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--functions", type=int, default=1000)
    parser.add_argument("--simulate", type=int, default=50_000)
    parser.add_argument("--regions", type=int, default=20)
    arguments = parser.parse_args()
    for share in (0.0, 0.1) if arguments.functions else ():
        seconds, statuses, hits, calls = over_http(arguments.functions, share)
        least = floor(arguments.functions)
        print(
            f"{arguments.functions} functions over HTTP, {share:.0%} of calls in trouble: {seconds:.1f} s, "
            f"floor {least:.1f} s, ratio {seconds / least:.3f}, {statuses}, calls {calls}, faults {hits}",
            flush=True,
        )
    in_waves = Rollout(
        waves=(CountOrPercent(1, is_percentage=False), CountOrPercent(10, is_percentage=True)),
        failure_threshold=CountOrPercent(0, is_percentage=False),
    )
    for name, rollout in (("at once", AT_ONCE), ("in waves of 1, 10 %, 100 %", in_waves)):
        start = time.monotonic()
        found, memory = simulated(arguments.simulate, arguments.regions, rollout)
        slowest = max(seconds for seconds, _, _ in found)
        least = floor(arguments.simulate / arguments.regions)
        print(
            f"{arguments.simulate} functions in {arguments.regions} regions, {name}, simulated: "
            f"{slowest:.1f} s for the slowest region, floor {least:.1f} s, ratio {slowest / least:.3f}, "
            f"lost {sum(lost for _, lost, _ in found)}, throttled {sum(t for _, _, t in found)}, "
            f"peak memory {memory:.0f} MB, {time.monotonic() - start:.0f} s of real time",
            flush=True,
        )


if __name__ == "__main__":
    main()
