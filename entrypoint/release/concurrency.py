"""Sets the concurrency of one function, reserved and provisioned, in an order that AWS accepts."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from entrypoint.aws.model import StaleRevisionError, UpdateInProgressError
from entrypoint.release.alias_shifts import ATTEMPTS, busy
from entrypoint.release.function_change import Aspect, FunctionChange

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws


class ConcurrencyUpdate:
    """The update of a function's concurrency in this run; it adds to `touched` what it may have changed."""

    def __init__(
        self, change: FunctionChange, *, aws: "Aws", touched: set[Aspect], sleep: Callable[[float], None]
    ) -> None:
        self._change = change
        self._name = change.function.name
        self._aws = aws
        self._touched = touched
        self._sleep = sleep

    def reserve(self) -> None:
        """Set the reservation, unless provisioned concurrency has to be set before."""
        if not self._lowers_concurrency:
            self._set_reservation()

    def provide(self) -> None:
        """Set provisioned concurrency, and the reservation that had to wait for that."""
        wanted, details = self._change.concurrency.provisioned, self._change.details
        for alias in self._change.aliases if wanted is not None and details else ():
            if details and details.provisioned.get(alias, 0) != wanted:
                self._touched.add(Aspect.PROVISIONED)
                self._provision(alias, wanted or 0)
        if self._lowers_concurrency:
            self._set_reservation()

    def roll_back(self) -> None:
        """Restore provisioned concurrency before a reservation that is lowered, and after one that is not."""
        details = self._change.details
        if details is None:
            return
        now = self._change.reserved_after
        is_lowered = details.reserved is not None and (now is None or details.reserved < now)

        def reserve() -> None:
            if Aspect.RESERVED in self._touched:
                self._patiently(lambda: self._aws.concurrency.reserve(self._name, details.reserved))

        if not is_lowered:
            reserve()
        if Aspect.PROVISIONED in self._touched:
            for alias, concurrency in details.provisioned.items():
                self._provision(alias, concurrency)
        if is_lowered:
            reserve()

    @property
    def _lowers_concurrency(self) -> bool:
        """Whether provisioned concurrency must be set before the reservation, which may not be lower."""
        details, reserved = self._change.details, self._change.reserved_after
        has = sum(details.provisioned.values()) if details else 0
        return reserved is not None and reserved < has

    def _set_reservation(self) -> None:
        reserved, details = self._change.reserved_after, self._change.details
        if details and reserved != details.reserved:
            self._touched.add(Aspect.RESERVED)
            self._patiently(lambda: self._aws.concurrency.reserve(self._name, reserved))

    def _provision(self, alias: str, concurrency: int) -> None:
        self._patiently(lambda: self._aws.concurrency.provision(self._name, alias, concurrency))

    def _patiently(self, attempt: Callable[[], None]) -> None:
        """Retry while another update of the function is in progress."""
        for number in range(ATTEMPTS):
            try:
                return attempt()
            except (UpdateInProgressError, StaleRevisionError):
                self._sleep(number)
        raise busy(self._name)
