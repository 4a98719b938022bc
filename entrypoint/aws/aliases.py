"""Published versions of functions, their aliases and their concurrency."""

from collections.abc import Mapping, Sequence
from typing import Any

from entrypoint.aws.functions import Functions, layers_of, vpc_of
from entrypoint.aws.model import Alias, AliasState, Details, Function
from entrypoint.errors import RolloutError

_LONGEST_PREPARATION = 1560.0
"""Seconds; as long as botocore's waiter `published_version_active`: a snapshot may take minutes."""
_POLL = 2.0


class Aliases(Functions):
    """The calls about versions, aliases and concurrency."""

    def details(self, function: Function, aliases: Sequence[str], *, provisioned: bool) -> Details:
        """Return a function's reserved concurrency, those of these aliases that exist, and what they have.

        GetFunction has a quota of its own, 100 calls a second.
        """
        answer = self._call("get_function", FunctionName=function.name)
        found = {name: state for name in aliases if (state := self._alias_state(function.name, name))}
        ready = {name: self._provisioned(function.name, name) for name in found} if provisioned else {}
        return Details(
            reserved=answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
            aliases=found,
            provisioned=ready,
        )

    def publish_version(self, name: str, *, code_sha256: str) -> str:
        """Publish what a function is now, wait until it can be invoked, and return the version's number."""
        version = str(self._call("publish_version", FunctionName=name, CodeSha256=code_sha256)["Version"])
        deadline = self._clock() + _LONGEST_PREPARATION
        while self._clock() < deadline:
            answer = self._call("get_function", FunctionName=name, Qualifier=version)["Configuration"]
            if answer.get("State") == "Failed":
                reason = answer.get("StateReason", "AWS gives no reason")
                message = f"version {version} of {name} cannot be made ready: {reason}"
                raise RolloutError.of(message, "the aliases stay where they are; mend this and run again")
            if answer.get("State", "Active") != "Pending":
                return version
            self._sleep(_POLL)
        message = f"version {version} of {name} was not ready after {_LONGEST_PREPARATION:.0f} s"
        raise RolloutError.of(message, "the aliases stay where they are; look at it in AWS, then run again")

    def alias(self, function: str, name: str) -> Alias:
        """Return where an alias points."""
        answer = self._call("get_alias", FunctionName=function, Name=name)
        weights = answer.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
        return Alias(
            name=name,
            version=answer["FunctionVersion"],
            weights=dict(weights),
            revision_id=answer["RevisionId"],
        )

    def move_alias(self, function: str, alias: Alias, version: str, weights: Mapping[str, float]) -> None:
        """Let an alias point to a version, and give these shares of its traffic to others."""
        self._call(
            "update_alias",
            FunctionName=function,
            Name=alias.name,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": dict(weights)},
            RevisionId=alias.revision_id,
        )

    def reserve(self, function: str, concurrency: int) -> None:
        """Reserve concurrent executions for a function."""
        self._call(
            "put_function_concurrency", FunctionName=function, ReservedConcurrentExecutions=concurrency
        )

    def provision(self, function: str, alias: str, concurrency: int) -> None:
        """Keep environments ready on an alias; wait until they are."""
        which = {"FunctionName": function, "Qualifier": alias}
        self._call("put_provisioned_concurrency_config", **which, ProvisionedConcurrentExecutions=concurrency)
        deadline = self._clock() + _LONGEST_PREPARATION
        while self._clock() < deadline:
            answer = self._call("get_provisioned_concurrency_config", **which)
            if answer["Status"] == "READY":
                return
            if answer["Status"] == "FAILED":
                message = f"{function}:{alias} gets no provisioned concurrency: {answer.get('StatusReason')}"
                raise RolloutError.of(message, "lower it, or raise the account's limit, and run again")
            self._sleep(_POLL)
        message = f"{function}:{alias} had no provisioned concurrency after {_LONGEST_PREPARATION:.0f} s"
        raise RolloutError.of(message, "look at it in AWS, then run again")

    def _alias_state(self, function: str, name: str) -> AliasState | None:
        answer = self._call.if_present("get_function", FunctionName=function, Qualifier=name)
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

    def _provisioned(self, function: str, alias: str) -> int:
        which = {"FunctionName": function, "Qualifier": alias}
        answer = self._call.if_present("get_provisioned_concurrency_config", **which)
        return int(answer["RequestedProvisionedConcurrentExecutions"]) if answer else 0
