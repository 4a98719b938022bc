"""Published versions of functions, and the aliases that point to them."""

from collections.abc import Mapping
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.functions import function_of, layers_of
from entrypoint.aws.model import PUBLISHED, VERSION_MARK, Alias, AliasState, Function
from entrypoint.aws.reasons import hint_for
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
        published = self._publish(function, Description=marked(function.description))
        version = str(published["Version"])
        self._await(function, version, "the aliases are unchanged")
        return version

    def publish_for_callers(self, function: Function, description: str) -> None:
        """Publish $LATEST as it was read as $LATEST.PUBLISHED, and wait until that can be invoked.

        Raises:
            UpdateInProgressError, StaleRevisionError, RolloutError: as `publish_version`.
        """
        self._publish(function, Description=description, PublishTo="LATEST_PUBLISHED")
        self._await(function, PUBLISHED, "callers get the previous layers again")

    def _publish(self, function: Function, **options: str) -> dict[str, Any]:
        return self._connection.call(
            "publish_version",
            FunctionName=function.name,
            CodeSha256=function.code_sha256,
            RevisionId=function.revision_id,
            **options,
        )

    def _await(self, function: Function, version: str, consequence: str) -> None:
        """Wait until a version, just published, is no longer being prepared.

        A look that still shows the previous $LATEST.PUBLISHED does not count.
        """
        clock, name = self._connection.clock, function.name
        deadline = clock() + _LONGEST_PREPARATION
        while clock() < deadline:
            answer = self._connection.call("get_function", FunctionName=name, Qualifier=version)
            configuration = answer["Configuration"]
            state = configuration.get("State", "Active")
            if state == "Pending" or layers_of(configuration) != function.layers:
                self._connection.sleep(_POLL)
                continue
            if state != "Failed":
                return
            reason, code = (configuration.get(key, "") for key in ("StateReason", "StateReasonCode"))
            why = f"{reason or 'AWS gives no reason'}{f' ({code})' if code else ''}"
            message = f"version {version} of {name} failed to become active: {why}"
            raise RolloutError.of(message, f"{consequence}; {hint_for(code)}")
        message = f"version {version} of {name} was not active after {_LONGEST_PREPARATION:.0f} s"
        raise RolloutError.of(message, f"{consequence}; check the version in AWS, then run again")

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
