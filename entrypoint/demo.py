"""x"""

from collections.abc import Callable, Mapping


def demo(run: Callable[[list[str]], int], environment: Mapping[str, str]) -> int:
    """X."""
    return 0
