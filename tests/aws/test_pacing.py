"""The pace of calls: evenly spaced, slower when throttled, silent for as long as AWS asks."""

import threading
from collections.abc import Callable

import pytest
from virtual_time import VirtualTime

from entrypoint.aws.pacing import Pace


@pytest.fixture
def time():
    return VirtualTime()


@pytest.fixture
def pace(time):
    return Pace(10 / 0.99, time, time.sleep)  # ten calls a second


def times_of(calls: int, pace: Pace, time: VirtualTime) -> list[float]:
    """When each of these calls was made, counted from the first."""
    made = []
    for _ in range(calls):
        pace.wait()
        made.append(time())
    return [round(moment - made[0], 3) for moment in made]


def test_calls_are_spaced_evenly(pace, time):
    assert times_of(4, pace, time) == [0, 0.1, 0.2, 0.3]


def test_no_second_holds_more_calls_than_the_quota(time):
    made = times_of(200, Pace(15, time, time.sleep), time)
    assert max(sum(start <= moment <= start + 1 for moment in made) for start in made) == 15


def test_who_was_away_does_not_make_up_for_it_with_a_burst(pace, time):
    pace.wait()
    time.sleep(60)
    assert times_of(3, pace, time) == [0, 0.1, 0.2]


def test_a_throttle_halves_the_pace_and_is_followed_by_silence(pace, time):
    before = time()
    pace.throttled(pace.wait(), retry_after=7)
    pace.wait()
    assert 7 <= time() - before <= 7.2  # and a random bit of one call's time
    assert times_of(3, pace, time) == [0, 0.2, 0.4]


def test_a_burst_of_throttles_slows_down_once(pace):
    tickets = [pace.wait() for _ in range(16)]
    for ticket in tickets:
        pace.throttled(ticket)
    assert pace.rate == pytest.approx(5)
    pace.throttled(pace.wait())
    assert pace.rate == pytest.approx(2.5)


def test_a_throttle_among_many_good_calls_costs_little_and_the_next_one_much(pace):
    for _ in range(11):
        pace.succeeded()
    pace.throttled(pace.wait())
    assert pace.rate == pytest.approx(8.5)
    pace.throttled(pace.wait())
    assert pace.rate == pytest.approx(4.25)


def test_a_longer_silence_is_not_cut_short_by_a_later_throttle(pace, time):
    first, second = pace.wait(), pace.wait()
    before = time()
    pace.throttled(first, retry_after=30)
    pace.throttled(second, retry_after=1)
    pace.wait()
    assert time() - before >= 30


def test_the_pace_rises_again_and_no_higher_than_where_it_began(pace):
    pace.throttled(pace.wait())
    assert pace.rate == pytest.approx(5)
    pace.succeeded()
    assert 5 < pace.rate < 6
    for _ in range(1_000):
        pace.succeeded()
    assert pace.rate == pytest.approx(10)


def test_there_is_a_slowest_pace(pace):
    for _ in range(100):
        pace.throttled(pace.wait())
    assert pace.rate == 0.5


def test_what_is_asked_beyond_reason_is_not_waited_for(pace, time):
    before = time()
    pace.throttled(pace.wait(), retry_after=1e9)
    pace.wait()
    assert time() - before < 302


class Turnstile(VirtualTime):
    """Sleepers stay asleep until the test lets them go."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Semaphore(0)
        self.wake = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.asleep.release()
        assert self.wake.wait(10)
        super().sleep(seconds)


def test_who_was_promised_a_time_before_the_throttle_waits_with_the_others():
    time = Turnstile()
    pace = Pace(10 / 0.99, time, time.sleep)
    ticket = pace.wait()
    made: list[float] = []
    thread = threading.Thread(target=noting(made, pace, time))
    thread.start()
    assert time.asleep.acquire(timeout=10)
    pace.throttled(ticket, retry_after=60)
    time.wake.set()
    thread.join(10)
    assert made[0] - VirtualTime.START >= 60


def test_who_waited_while_the_pace_was_slow_goes_on_as_quickly_as_it_is_now():
    time = Turnstile()
    pace = Pace(10 / 0.99, time, time.sleep)
    first = pace.wait()
    for ticket in range(first, 6):
        pace.throttled(ticket)  # down to half a call a second
    assert pace.rate == 0.5
    made: list[float] = []
    threads = [threading.Thread(target=noting(made, pace, time)) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert time.asleep.acquire(timeout=10)
    for _ in range(100):
        pace.succeeded()
    time.wake.set()
    for thread in threads:
        thread.join(10)
    assert max(made) - min(made) == pytest.approx(0.7)


def noting(made: list[float], pace: Pace, time: VirtualTime) -> Callable[[], None]:
    def call() -> None:
        pace.wait()
        made.append(time())

    return call
