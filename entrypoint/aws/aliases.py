"""Published versions of functions, and the aliases that point to them."""

from collections.abc import Mapping
from typing import Any

from entrypoint.aws.connection import Connection
from entrypoint.aws.functions import layers_of, vpc_of
from entrypoint.aws.model import Alias, AliasState
from entrypoint.errors import RolloutError

_LONGEST_PREPARATION = 1560.0
"""Seconds; as long as botocore's waiter `published_version_active` waits: a snapshot may take minutes."""
_POLL = 2.0


class Aliases:
    """Publishes versions and moves aliases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def publish_version(self, name: str, *, code_sha256: str) -> str:
        """Publish $LATEST, wait until the version can be invoked, and return its number.

        Where nothing changed since the last version, AWS returns that one.

        Raises:
            UpdateInProgressError: the function is being updated.
            RolloutError: the code is no longer the given one, or the version cannot be made ready.
        """
        call, clock = self._connection.call, self._connection.clock
        version = str(call("publish_version", FunctionName=name, CodeSha256=code_sha256)["Version"])
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
        answer = self._connection.call("get_alias", FunctionName=function, Name=name)
        weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return Alias(
            name=name,
            version=answer["FunctionVersion"],
            weights=dict(weights),
            revision_id=answer["RevisionId"],
        )

    def move(self, function: str, alias: Alias, version: str, weights: Mapping[str, float]) -> None:
        """Point an alias to a version, and give these shares of its traffic to other versions.

        Raises:
            StaleRevisionError: the alias changed since it was read.
        """
        self._connection.call(
            "update_alias",
            FunctionName=function,
            Name=alias.name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
            RevisionId=alias.revision_id,
        )

    def state(self, function: str, name: str) -> AliasState | None:
        """Return an alias with the configuration of its version; None where it does not exist."""
        answer = self._connection.call.if_present("get_function", FunctionName=function, Qualifier=name)
        if not answer:
            return None
        configuration: dict[str, Any] = answer["Configuration"]
        return AliasState(
            name=name,
            version=configuration["Version"],
            layers=layers_of(configuration),
            code_sha256=configuration.get("CodeSha256", ""),
            vpc=vpc_of(configuration),
        )
