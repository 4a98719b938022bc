"""CodeDeploy over HTTP, for aliases of functions: applications, deployment groups and deployments.

A deployment moves on whenever a call is made. https://docs.aws.amazon.com/codedeploy/latest/APIReference/
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

from entrypoint.local_aws.calls import CALL, Call
from entrypoint.local_aws.refusals import Refusal
from entrypoint.local_aws.state import StoredAlias, new_revision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from entrypoint.local_aws.arns import Scope
    from entrypoint.local_aws.state import Cloud

Json = dict[str, Any]
_UNFINISHED = {"Created", "Queued", "InProgress", "Baking", "Ready"}
_STEPS = re.compile(
    r"CodeDeployDefault\.Lambda(?:AllAtOnce|(?P<kind>Canary|Linear)(?P<percent>\d+)Percent(?:Every)?(?P<minutes>\d+)Minutes?)"
)


@dataclass(slots=True, kw_only=True)
class _Deployment:
    number: str
    scope: Scope
    request: Json
    began: float
    status: str = "InProgress"
    error: Json | None = None
    rollback: str | None = None

    @property
    def properties(self) -> Mapping[str, str]:
        """What the AppSpec file says of the function."""
        (resource,) = json.loads(self.request["revision"]["appSpecContent"]["content"])["Resources"]
        found: Mapping[str, str] = next(iter(resource.values()))["Properties"]
        return found

    def shown(self) -> Json:
        """Return it as GetDeployment does."""
        info = {
            **self.request,
            "deploymentId": self.number,
            "status": self.status,
            "computePlatform": "Lambda",
        }
        info |= {"createTime": self.began, "rollbackInfo": {}}
        if self.error:
            info["errorInformation"] = self.error
        if self.rollback:
            info["rollbackInfo"] = {"rollbackDeploymentId": self.rollback}
        return info


@dataclass(slots=True)
class _Region:
    #: The deployment groups by name, of each application.
    applications: dict[str, dict[str, Json]] = field(default_factory=dict)
    deployments: dict[str, _Deployment] = field(default_factory=dict)


class CodeDeployApplication:
    """CodeDeploy for the functions of a `Cloud`; `alarm_state` reads an alarm of CloudWatch."""

    def __init__(self, cloud: Cloud, alarm_state: Callable[[Scope, str], str], minute: float) -> None:
        self._cloud = cloud
        self._alarm_state = alarm_state
        #: The seconds that a minute of a deployment takes.
        self._minute = minute
        self._regions: dict[Scope, _Region] = {}
        self._operations = {
            "CreateApplication": self._create_application,
            "CreateDeployment": self._create_deployment,
            "CreateDeploymentGroup": self._create_group,
            "GetDeployment": self._get_deployment,
            "GetDeploymentGroup": self._get_group,
            "ListDeployments": self._list_deployments,
            "StopDeployment": self._stop_deployment,
            "UpdateDeploymentGroup": self._update_group,
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call: Call = environ[CALL]
        given = json.loads(Request(environ).get_data() or b"{}")
        try:
            response = Response(json.dumps(self._answer(call, given)))
        except Refusal as refusal:
            body = {"__type": refusal.code, "message": refusal.message}
            response = Response(json.dumps(body), status=refusal.status)
        response.content_type = "application/x-amz-json-1.1"
        return response(environ, start_response)

    def _answer(self, call: Call, given: Json) -> Json:
        operation = self._operations.get(call.operation)
        if operation is None:
            raise Refusal(501, "NotImplementedException", f"no {call.operation} in the embedded AWS")
        with self._cloud.lock:
            region = self._regions.setdefault(call.scope, _Region())
            for deployment in list(region.deployments.values()):
                self._advance(region, deployment)
            return operation(region, call.scope, given) or {}

    # Applications and groups.

    def _create_application(self, region: _Region, _: Scope, given: Json) -> Json:
        name = given["applicationName"]
        if name in region.applications:
            raise Refusal(400, "ApplicationAlreadyExistsException", f"Application already exists: {name}")
        region.applications[name] = {}
        return {"applicationId": new_revision()}

    def _create_group(self, region: _Region, _: Scope, given: Json) -> Json:
        groups, name = _groups(region, given), given["deploymentGroupName"]
        if name in groups:
            raise Refusal(
                400, "DeploymentGroupAlreadyExistsException", f"Deployment group already exists: {name}"
            )
        _steps(given["deploymentConfigName"])
        groups[name] = given
        return {"deploymentGroupId": new_revision()}

    def _get_group(self, region: _Region, _: Scope, given: Json) -> Json:
        return {"deploymentGroupInfo": _group(region, given, given["deploymentGroupName"])}

    def _update_group(self, region: _Region, _: Scope, given: Json) -> None:
        _group(region, given, given["currentDeploymentGroupName"]).update(given)

    # Deployments.

    def _create_deployment(self, region: _Region, scope: Scope, given: Json) -> Json:
        group = _group(region, given, given["deploymentGroupName"])
        for other in region.deployments.values():
            if other.status in _UNFINISHED and _is_of(other, given):
                message = f"The Deployment Group already has an active Deployment: {other.number}"
                raise Refusal(400, "DeploymentLimitExceededException", message)
        specification = given["revision"]["appSpecContent"]
        if hashlib.sha256(specification["content"].encode()).hexdigest() != specification["sha256"]:
            raise Refusal(400, "InvalidRevisionException", "The sha256 is not that of the content")
        given.setdefault("deploymentConfigName", group["deploymentConfigName"])
        _steps(given["deploymentConfigName"])
        deployment = self._begin(region, scope, given)
        properties = deployment.properties
        alias = self._alias(deployment)
        if alias is None or alias.version != properties["CurrentVersion"] or alias.weights:
            self._fail(deployment, "The current version of the alias is not the CurrentVersion")
        self._advance(region, deployment)
        return {"deploymentId": deployment.number}

    def _get_deployment(self, region: _Region, _: Scope, given: Json) -> Json:
        return {"deploymentInfo": _deployment(region, given).shown()}

    def _list_deployments(self, region: _Region, _: Scope, given: Json) -> Json:
        _group(region, given, given["deploymentGroupName"])
        wanted = given.get("includeOnlyStatuses", ())
        found = [each for each in region.deployments.values() if _is_of(each, given)]
        return {"deployments": [each.number for each in found if not wanted or each.status in wanted]}

    def _stop_deployment(self, region: _Region, _: Scope, given: Json) -> Json:
        deployment = _deployment(region, given)
        if deployment.status not in _UNFINISHED:
            raise Refusal(400, "DeploymentAlreadyCompletedException", f"{deployment.number} has completed")
        self._end(region, deployment, "Stopped", "MANUAL_STOP", "The deployment was stopped by a user.")
        return {"status": "Succeeded"}

    def _begin(self, region: _Region, scope: Scope, request: Json) -> _Deployment:
        number = f"d-{new_revision()[:9].upper().replace('-', 'X')}"
        deployment = _Deployment(number=number, scope=scope, request=request, began=self._cloud.clock())
        region.deployments[number] = deployment
        return deployment

    def _advance(self, region: _Region, deployment: _Deployment) -> None:
        """Do what the time since the deployment began asks for."""
        if deployment.status not in _UNFINISHED:
            return
        alarms = deployment.request.get("overrideAlarmConfiguration", {})
        for alarm in alarms.get("alarms", ()) if alarms.get("enabled") else ():
            if self._alarm_state(deployment.scope, alarm["name"]) == "ALARM":
                message = f"One or more alarms have been activated: <{alarm['name']}>"
                self._end(region, deployment, "Stopped", "ALARM_ACTIVE", message)
                return
        minutes = (self._cloud.clock() - deployment.began) / self._minute if self._minute else float("inf")
        share = _steps(deployment.request["deploymentConfigName"])(minutes)
        versions = deployment.properties
        if share >= 1:
            self._route(deployment, versions["TargetVersion"], {})
            deployment.status = "Succeeded"
        else:
            self._route(deployment, versions["CurrentVersion"], {versions["TargetVersion"]: share})

    def _fail(self, deployment: _Deployment, message: str) -> None:
        deployment.status = "Failed"
        deployment.error = {"code": "INVALID_LAMBDA_CONFIGURATION", "message": message}

    def _end(self, region: _Region, deployment: _Deployment, status: str, code: str, message: str) -> None:
        """End a deployment, and give the alias its version again, which is a deployment too."""
        deployment.status, deployment.error = status, {"code": code, "message": message}
        self._route(deployment, deployment.properties["CurrentVersion"], {})
        back = self._begin(region, deployment.scope, deployment.request)
        back.status, deployment.rollback = "Succeeded", back.number

    def _alias(self, deployment: _Deployment) -> StoredAlias | None:
        function = self._cloud.region(deployment.scope).functions.get(deployment.properties["Name"])
        return function.aliases.get(deployment.properties["Alias"]) if function else None

    def _route(self, deployment: _Deployment, version: str, weights: Mapping[str, float]) -> None:
        alias = self._alias(deployment)
        if alias and (alias.version, alias.weights) != (version, weights):
            function = self._cloud.region(deployment.scope).functions[deployment.properties["Name"]]
            function.aliases[alias.name] = replace(
                alias, version=version, weights=weights, revision_id=new_revision()
            )


def _groups(region: _Region, given: Json) -> dict[str, Json]:
    name = given["applicationName"]
    if name not in region.applications:
        raise Refusal(400, "ApplicationDoesNotExistException", f"No application found for name: {name}")
    return region.applications[name]


def _group(region: _Region, given: Json, name: str) -> Json:
    groups = _groups(region, given)
    if name not in groups:
        raise Refusal(
            400, "DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}"
        )
    return groups[name]


def _deployment(region: _Region, given: Json) -> _Deployment:
    number = given["deploymentId"]
    if number not in region.deployments:
        raise Refusal(400, "DeploymentDoesNotExistException", f"The deployment {number} could not be found")
    return region.deployments[number]


def _is_of(deployment: _Deployment, given: Json) -> bool:
    return all(deployment.request[key] == given[key] for key in ("applicationName", "deploymentGroupName"))


def _steps(name: str) -> Callable[[float], float]:
    """Return the function of a configuration: minutes since the beginning -> share of the traffic."""
    found = _STEPS.fullmatch(name)
    if found is None:
        message = f"No deployment configuration found for name: {name}"
        raise Refusal(400, "DeploymentConfigDoesNotExistException", message)
    if not found["kind"]:
        return lambda _: 1.0
    share, every = int(found["percent"]) / 100, int(found["minutes"])
    if found["kind"] == "Canary":
        return lambda minutes: 1.0 if minutes >= every else share
    return lambda minutes: min(1.0, share * (1 + minutes // every)) if minutes < float("inf") else 1.0
