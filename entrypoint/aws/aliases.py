"""Published versions of functions, and the aliases that point to them."""

from collections.abc import Mapping
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.functions import function_of
from entrypoint.aws.model import VERSION_MARK, Alias, AliasState, Function
from entrypoint.errors import RolloutError

_LONGEST_PREPARATION = 1560.0
"""Seconds; as long as botocore's waiter `published_version_active` waits: a snapshot may take minutes."""
_POLL = 2.0


class Aliases:
    """Publishes versions and moves aliases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish_version(self, function: Function) -> str:
        """Publish $LATEST as it was read, wait until the version can be invoked, and return its number.

        Where nothing changed since the last version, AWS returns that one.

        Raises:
            UpdateInProgressError: the function is being updated.
            StaleRevisionError: the function changed since it was read.
            RolloutError: the version cannot be made ready.
        """
        call, clock, name = self._connection.call, self._connection.clock, function.name
        published = call(
            "publish_version",
            FunctionName=name,
            CodeSha256=function.code_sha256,
            RevisionId=function.revision_id,
            Description=marked(function.description),
        )
        version = str(published["Version"])
        deadline = clock() + _LONGEST_PREPARATION
        while clock() < deadline:
            answer = call("get_function", FunctionName=name, Qualifier=version)["Configuration"]
            if answer.get("State") == "Failed":
                reason = answer.get("StateReason", "AWS gives no reason")
                message = f"version {version} of {name} failed to become active: {reason}"
                raise RolloutError.of(message, "the aliases are unchanged; fix the cause and run again")
            if answer.get("State", "Active") != "Pending":
                return version
            self._connection.sleep(_POLL)
        message = f"version {version} of {name} was not active after {_LONGEST_PREPARATION:.0f} s"
        raise RolloutError.of(message, "the aliases are unchanged; check the version in AWS, then run again")

    def get(self, function: str, name: str) -> Alias:
        """Return the routing of an alias."""
        return _alias(self._connection.call("get_alias", FunctionName=function, Name=name))

    def move(self, function: str, alias: Alias, version: str, weights: Mapping[str, float]) -> Alias:
        """Point an alias to a version, and give these shares of its traffic to other versions.

        Raises:
            StaleRevisionError: the alias changed since it was read.
        """
        answer = self._connection.call(
            "update_alias",
            FunctionName=function,
            Name=alias.name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
            RevisionId=alias.revision_id,
        )
        return _alias(answer)

    def versions_in_use(self, function: str) -> frozenset[str]:
        """Return the versions that get traffic of any alias of a function."""
        pages = self._connection.pages("list_aliases", FunctionName=function)
        found = [_alias(item) for page in pages for item in page["Aliases"]]
        return frozenset(version for alias in found for version in (alias.version, *alias.weights))

    def state(self, function: str, name: str) -> AliasState | None:
        """Return an alias with the configuration of its versions; None where it does not exist."""
        answer = self._connection.call.if_present("get_alias", FunctionName=function, Name=name)
        if not answer:
            return None
        alias = _alias(answer)
        main, *others = (self._version(function, each) for each in (alias.version, *alias.weights))
        return AliasState(alias=alias, main=main, canary=others[0] if others else None)

    def _version(self, function: str, version: str) -> Function:
        answer = self._connection.call("get_function", FunctionName=function, Qualifier=version)
        return function_of(answer["Configuration"])


def marked(description: str) -> str:
    """Return the description of a version that this tool publishes, at most 256 characters."""
    return f"{description.removesuffix(VERSION_MARK)[:200]}{VERSION_MARK}"


def _alias(answer: Mapping[str, Any]) -> Alias:
    weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    return Alias(
        name=answer["Name"],
        version=answer["FunctionVersion"],
        weights=dict(weights),
        revision_id=answer.get("RevisionId", ""),
    )
