"""IAM for the embedded Lambda: a middleware that judges each call by a policy, as AWS would.

It knows Allow statements with actions, resources with wildcards, and conditions on a resource's tags.
"""

import fnmatch
import json
import re
from urllib.parse import parse_qsl

from faults import answer, error

from entrypoint.local_aws.calls import CALL

_NAMES = {"Invoke": "InvokeFunction"}
_OF_BUCKET = {
    "versioning": "s3:GetBucketVersioning",
    "policy": "s3:GetBucketPolicy",
    "versions": "s3:ListBucketVersions",
}
_SERVICES = {"tagging": "tag", "monitoring": "cloudwatch"}


class Judge:
    """`LocalAws(middleware=judge)`; without a policy, everything is allowed."""

    def __init__(self):
        self.policy = None
        self.tags = {}
        self.asked = set()

    def __call__(self, inner):
        def application(environ, start_response):
            if self.policy is not None and environ[CALL].operation != "GetCallerIdentity":  # always allowed
                for action, resource in _needed_in_s3(environ) or self._needed(environ):
                    self.asked.add(action)
                    if not self._allows(action, resource):
                        denied = _denied_by_s3 if environ[CALL].service == "s3" else _denied
                        return denied(action, resource)(inner)(environ, start_response)
            return inner(environ, start_response)

        return application

    def _needed(self, environ):
        call = environ[CALL]
        service = _SERVICES.get(call.service, call.service)
        if call.operation == "GetLayerVersionByArn":
            yield "lambda:GetLayerVersion", dict(parse_qsl(environ["QUERY_STRING"]))["Arn"]
            return
        action = f"{service}:{_NAMES.get(call.operation, call.operation)}"
        if call.operation in {"PutMetricAlarm", "DeleteAlarms"}:
            name = re.search(rb"lambda-layers-[\w-]+", _peek(environ))
            yield (
                action,
                f"arn:aws:cloudwatch:{call.scope.region}:{call.scope.account}:alarm:{name[0].decode()}",
            )
        elif service == "ssm":
            body = json.loads(_peek(environ))
            for name in body.get("Names", [body.get("Name")]):
                path = f"parameter/{name.removeprefix('/')}"
                yield action, f"arn:aws:ssm:{call.scope.region}:{call.scope.account}:{path}"
        else:
            yield action, _resource(call)
        if call.operation == "PublishLayerVersion":
            yield from _of_content(json.loads(_peek(environ))["Content"])
        if call.operation == "UpdateFunctionConfiguration":
            body = json.loads(_peek(environ))
            for arn in body.get("Layers", []):
                yield "lambda:GetLayerVersion", arn
            if "VpcConfig" in body:
                for name in ("SecurityGroups", "Subnets", "Vpcs"):
                    yield f"ec2:Describe{name}", "*"
                yield "ec2:GetSecurityGroupsForVpc", "*"

    def _allows(self, action, resource):
        return any(
            any(fnmatch.fnmatchcase(action, pattern) for pattern in statement["Action"])
            and any(fnmatch.fnmatchcase(resource, pattern) for pattern in statement["Resource"])
            and self._holds(statement.get("Condition"), resource)
            for statement in self.policy["Statement"]
        )

    def _holds(self, condition, resource):
        if condition is None:
            return True
        tags = self.tags.get(resource.split(":function:")[1].partition(":")[0], {})
        wanted = condition["StringEquals"].items()
        return all(tags.get(key.removeprefix("aws:ResourceTag/")) == value for key, value in wanted)


def _denied(action, resource):
    text = f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {action} on resource: {resource}"
    return error(403, "AccessDeniedException", text)


def _denied_by_s3(action, resource):
    text = f"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: {action} on resource: {resource}"
    return answer(403, f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>".encode())


def _of_content(content):
    if "S3Bucket" in content:
        arn = f"arn:aws:s3:::{content['S3Bucket']}/{content['S3Key']}"
        yield "s3:GetObjectVersion" if "S3ObjectVersion" in content else "s3:GetObject", arn


def _needed_in_s3(environ):
    """What a call to S3 needs; the embedded AWS names these calls by their methods only."""
    call, query = environ[CALL], environ["QUERY_STRING"]
    if call.service != "s3":
        return []
    path = call.path.strip("/")
    method = {"HEAD": "Get", "POST": "Put"}.get(call.method, call.method.capitalize())
    of_object = f"s3:{method}Object{'Version' if 'versionId' in query else ''}"
    of_bucket = next((action for setting, action in _OF_BUCKET.items() if setting in query), "")
    return [(of_object if "/" in path else of_bucket, f"arn:aws:s3:::{path}")]


def _peek(environ):
    import io  # noqa: PLC0415

    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _resource(call):
    base = f"arn:aws:lambda:{call.scope.region}:{call.scope.account}"
    if found := re.match(r"/2018-10-31/layers/([^/]+)/versions(?:/(\d+))?", call.path):
        return f"{base}:layer:{found[1]}" + (f":{found[2]}" if found[2] else "")
    if found := re.match(r"/\d{4}-\d\d-\d\d/functions/([^/?]+)", call.path):
        return f"{base}:function:{found[1]}"
    return "*"
