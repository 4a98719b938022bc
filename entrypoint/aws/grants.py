"""Who may use a layer version besides its own account: statements of the version's policy. Pure."""

from collections.abc import Iterator
from typing import NamedTuple

from entrypoint.manifest.model import Share

_PREFIX = "lambda-layers-"
"""How the ids of the statements begin that this tool adds; others are left unchanged."""


class Grant(NamedTuple):
    """A statement that allows a principal to use a version."""

    statement: str
    principal: str
    organization: str | None = None

    def __str__(self) -> str:
        if self.principal != "*":
            return f"account {self.principal}"
        return f"organization {self.organization}" if self.organization else "everyone"


def grants_of(share: Share | None) -> Iterator[Grant]:
    """Yield the statements that the manifest's `share` leads to."""
    if share is None:
        return
    for account in share.accounts:
        yield Grant(f"{_PREFIX}{account}", account)
    if share.organization:
        yield Grant(f"{_PREFIX}{share.organization}", "*", share.organization)
    if share.public:
        yield Grant(f"{_PREFIX}public", "*")


def to_revoke(share: Share | None, found: frozenset[Grant]) -> tuple[Grant, ...]:
    """Return the statements of this tool that the manifest no longer leads to, sorted."""
    wanted = {grant.statement for grant in grants_of(share)}
    return tuple(
        sorted(
            grant for grant in found if grant.statement.startswith(_PREFIX) and grant.statement not in wanted
        )
    )
