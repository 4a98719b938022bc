"""Every account and region of a manifest: one client each, and work done in all of them at once."""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from entrypoint.errors import Diagnostic, LayersError
from entrypoint.manifest.model import Destination, Manifest
from entrypoint.parallel import for_each

if TYPE_CHECKING:
    from entrypoint.aws.access import Access
    from entrypoint.aws.client import Aws

_AT_ONCE = 64
_NAMED = 3
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the work could not be done in one account and region."""

    destination: Destination
    error: LayersError


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Generic[_Value]):
    """The values of the accounts and regions in which the work was done, and the failures of the others."""

    values: tuple[_Value, ...]
    failures: tuple[Failure, ...] = ()

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """The failures, each naming its accounts and regions."""
        return located((failure.destination, failure.error.problems) for failure in self.failures)

    def required(self) -> Self:
        """Return the results, if there is at least one value.

        Raises:
            LayersError: the work was done nowhere.
        """
        if self.failures and not self.values:
            raise type(self.failures[0].error)(*self.diagnostics)
        return self


class Accounts:
    """The accounts and regions of a manifest; nothing is opened before it is used."""

    def __init__(self, manifest: Manifest, access: Callable[[], "Access"]) -> None:
        self._manifest = manifest
        self._access = access
        self._opening = threading.Lock()
        self._opened: dict[Destination, Aws] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @cached_property
    def destinations(self) -> tuple[Destination, ...]:
        """The manifest's accounts and regions; the default region where it names none.

        Raises:
            AwsError: no region is set anywhere.
        """
        with self._opening:  # threads must not open the embedded AWS twice
            return self._manifest.destinations(lambda: self._access().default_region())

    def client(self, destination: Destination) -> "Aws":
        """Return the one client of an account and region: it holds the pace of all calls."""
        from entrypoint.aws.client import Aws  # noqa: PLC0415 - see the docstring of this package

        with self._opening:
            if destination not in self._opened:
                aws = Aws(destination, access=self._access(), bucket=self._manifest.bucket)
                self._opened[destination] = self._stack.enter_context(closing(aws))
            return self._opened[destination]

    def in_each(
        self, work: Callable[["Aws"], _Value], destinations: Iterable[Destination] | None = None
    ) -> Results[_Value]:
        """Do work in every account and region at once, or in these; a failure in one stops no other."""

        def attempt(destination: Destination) -> tuple[_Value] | Failure:
            try:
                return (work(self.client(destination)),)
            except LayersError as error:
                return Failure(destination=destination, error=error)

        chosen = self.destinations if destinations is None else tuple(destinations)
        done = for_each(chosen, attempt, at_once=_AT_ONCE)
        return Results(
            values=tuple(each[0] for each in done if not isinstance(each, Failure)),
            failures=tuple(each for each in done if isinstance(each, Failure)),
        )


def located(found: Iterable[tuple[Destination, Iterable[Diagnostic]]]) -> tuple[Diagnostic, ...]:
    """Return diagnostics that name their accounts and regions; the same one everywhere is returned once."""
    where: dict[Diagnostic, list[str]] = {}
    for destination, diagnostics in found:
        for diagnostic in dict.fromkeys(diagnostics):
            where.setdefault(diagnostic, []).append(str(destination))
    return tuple(
        diagnostic._replace(message=f"{_names(places)}: {diagnostic.message}")
        for diagnostic, places in where.items()
    )


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
