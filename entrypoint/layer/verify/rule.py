"""The record of a rule: its ID, the text that reports print, and its check."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from entrypoint.errors import Diagnostic
from entrypoint.layer.assemble import Archive
from entrypoint.manifest.targets import Target


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule about finished archives.

    `check` yields diagnostics with message, hint and severity; `verify` adds the location and the rule.
    """

    id: str
    summary: str
    check: Callable[[Archive, Target], Iterator[Diagnostic]]
