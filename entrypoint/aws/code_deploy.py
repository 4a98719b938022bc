"""AWS CodeDeploy: deployments that shift an alias's traffic, also if this process ends.

An application `lambda-layers` has a deployment group for each alias. A deployment names its own
configuration and alarms, so that those of the group do not matter.
https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-lambda.html
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from entrypoint.aws.connection import Connection
from entrypoint.aws.model import CODE_DEPLOY_APPLICATION as APPLICATION
from entrypoint.aws.model import AbsentError, ConflictError, StillUpdatingError
from entrypoint.errors import AwsError, RolloutError
from entrypoint.manifest.model import Shift

_SERVICE = "codedeploy"
_GROUP_NAME_CHARACTERS = 100
_UNFINISHED = ("Created", "Queued", "InProgress", "Baking", "Ready")
_ROLLBACK = {
    "enabled": True,
    "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
}
_FIRST_POLL, _LONGEST_POLL = 1.0, 15.0


class Deployment(NamedTuple):
    """A deployment that has not ended, and the version that the alias is to have at its end."""

    id: str
    target: str


class CodeDeploy:
    """Begins, finds and stops deployments of aliases."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def unfinished(self, function: str, alias: str) -> Deployment | None:
        """Return the deployment of an alias that has not ended, if there is one."""
        try:
            listed = self._ask(
                "list_deployments",
                applicationName=APPLICATION,
                deploymentGroupName=group_name(function, alias),
                includeOnlyStatuses=list(_UNFINISHED),
            )
        except AbsentError:
            return None
        for number in listed["deployments"]:
            info = self._info(number)
            if info["status"] in _UNFINISHED:
                return Deployment(number, _target(info))
        return None

    def begin(
        self, function: str, alias: str, versions: tuple[str, str], shift: Shift, alarms: Sequence[str]
    ) -> Deployment:
        """Begin to shift the traffic of an alias from one version to another.

        Raises:
            RolloutError: CodeDeploy refuses.
        """
        group = group_name(function, alias)
        self._prepare(group, shift)
        answer = self._ask(
            "create_deployment",
            applicationName=APPLICATION,
            deploymentGroupName=group,
            deploymentConfigName=shift.codedeploy,
            description=f"{function}:{alias} from version {versions[0]} to {versions[1]}",
            revision={
                "revisionType": "AppSpecContent",
                "appSpecContent": _specification(function, alias, versions),
            },
            autoRollbackConfiguration=_ROLLBACK,
            overrideAlarmConfiguration={
                "enabled": bool(alarms),
                "alarms": [{"name": name} for name in alarms],
            },
        )
        return Deployment(answer["deploymentId"], versions[1])

    def wait(self, deployment: Deployment) -> None:
        """Wait until a deployment has succeeded.

        Raises:
            RolloutError: it failed or was stopped; the rollback that CodeDeploy began has ended too.
            StillUpdatingError: its state cannot be read.
        """
        info = self._ended(deployment.id)
        if info["status"] == "Succeeded":
            return
        if back := info.get("rollbackInfo", {}).get("rollbackDeploymentId"):
            self._ended(back)
        reason = info.get("errorInformation", {}).get("message") or "CodeDeploy gives no reason"
        message = f"the CodeDeploy deployment {deployment.id} has the status {info['status']}: {reason}"
        raise RolloutError.of(message, "fix the cause and run again")

    def stop(self, deployment: Deployment) -> None:
        """Stop a deployment and wait until CodeDeploy has given the alias its previous version again."""
        with suppress(ConflictError):  # it has ended
            self._ask("stop_deployment", deploymentId=deployment.id, autoRollbackEnabled=True)
        if back := self._ended(deployment.id).get("rollbackInfo", {}).get("rollbackDeploymentId"):
            self._ended(back)

    def _prepare(self, group: str, shift: Shift) -> None:
        """Create the application and the deployment group if they do not exist; set the group's role."""
        named = {"applicationName": APPLICATION}
        try:
            found = self._ask("get_deployment_group", deploymentGroupName=group, **named)
        except AbsentError:
            with suppress(ConflictError):  # another update created it
                self._ask("create_application", computePlatform="Lambda", **named)
            with suppress(ConflictError):  # another update created it
                self._ask(
                    "create_deployment_group",
                    deploymentGroupName=group,
                    serviceRoleArn=shift.role,
                    deploymentConfigName=shift.codedeploy,
                    deploymentStyle={
                        "deploymentType": "BLUE_GREEN",
                        "deploymentOption": "WITH_TRAFFIC_CONTROL",
                    },
                    autoRollbackConfiguration=_ROLLBACK,
                    **named,
                )
            return
        if found["deploymentGroupInfo"]["serviceRoleArn"] != shift.role:
            self._ask(
                "update_deployment_group",
                currentDeploymentGroupName=group,
                serviceRoleArn=shift.role,
                **named,
            )

    def _ended(self, number: str) -> dict[str, Any]:
        """Wait for the end of a deployment, which may take hours, and return what is known of it."""
        poll = _FIRST_POLL
        while True:
            try:
                info = self._info(number)
            except AwsError as error:
                message = f"the CodeDeploy deployment {number} cannot be read: {error.problems[0].message}"
                raise StillUpdatingError.of(message, "run again, which waits for its end") from None
            if info["status"] not in _UNFINISHED:
                return info
            self._connection.sleep(poll)
            poll = min(_LONGEST_POLL, poll * 2)

    def _info(self, number: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("get_deployment", deploymentId=number)["deploymentInfo"]
        return found

    def _ask(self, operation: str, **parameters: object) -> dict[str, Any]:
        return self._connection.ask(_SERVICE, operation, **parameters)


def group_name(function: str, alias: str) -> str:
    """Return the name of an alias's deployment group, at most 100 characters."""
    name = f"{function}-{alias}"
    if len(name) <= _GROUP_NAME_CHARACTERS:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{name[: _GROUP_NAME_CHARACTERS - 17]}-{digest}"


def _specification(function: str, alias: str, versions: tuple[str, str]) -> dict[str, str]:
    """Return an AppSpec file, which is YAML or JSON, and its digest."""
    current, target = versions
    properties = {"Name": function, "Alias": alias, "CurrentVersion": current, "TargetVersion": target}
    resource = {"function": {"Type": "AWS::Lambda::Function", "Properties": properties}}
    content = json.dumps({"version": 0.0, "Resources": [resource]})
    return {"content": content, "sha256": hashlib.sha256(content.encode()).hexdigest()}


def _target(info: dict[str, Any]) -> str:
    """Return the version that a deployment of ours shifts traffic to; empty for one of another tool."""
    try:
        (resource,) = json.loads(info["revision"]["appSpecContent"]["content"])["Resources"]
        return str(resource["function"]["Properties"]["TargetVersion"])
    except (KeyError, TypeError, ValueError):
        return ""
