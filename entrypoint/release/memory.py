"""Whether more memory is worth a try: a function's CPU grows with it. Pure.

1,769 MB have one vCPU: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html. Concurrency is
calls per second times seconds: https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

from collections.abc import Iterator
from math import ceil

_ONE_CPU = 1_769
_LARGEST = 10_240
_LONG = 3_000
"""Milliseconds; a longer average than Lambda's default timeout is worth a look."""


def memory_advice(memory: int, duration: float, peak: int) -> Iterator[str]:
    """Yield what to try against long durations, in milliseconds, with the arithmetic."""
    if duration < _LONG:
        return
    seconds = duration / 1_000
    half = f"half of that would need half the concurrency ({peak:,} -> {ceil(peak / 2):,})"
    if not memory:
        yield f"it takes {seconds:.1f} s on average: {half}"
    elif memory < _ONE_CPU:
        cpu = memory / _ONE_CPU
        twice = min(2 * memory, _LARGEST)
        yield (
            f"it takes {seconds:.1f} s on average with {memory:,} MB, which is {cpu:.2f} vCPU: {half}; if "
            f"{twice:,} MB halve it, that costs the same ({_gigabyte_seconds(memory, seconds)} = "
            f"{_gigabyte_seconds(twice, seconds / 2)}); measure {twice:,} to {_ONE_CPU:,} MB with AWS Lambda "
            "Power Tuning"
        )
    else:
        yield (
            f"it takes {seconds:.1f} s on average with {memory:,} MB: {half}; more memory helps only code "
            "that uses several CPUs, so look for what it waits for"
        )


def _gigabyte_seconds(memory: int, seconds: float) -> str:
    return f"{memory / 1_024:.2f} GB x {seconds:.2f} s"
