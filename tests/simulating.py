"""IAM's SimulatePrincipalPolicy, which moto does not know: a role's policies, judged as IAM judges them.

It knows Allow and Deny, wildcards, StringEquals, ArnLike and ArnEquals, a permissions boundary, and service
control policies, which have to allow everything that they do not deny.
"""

import fnmatch
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
MANAGED = {
    "Effect": "Allow",
    "Action": [
        "ec2:CreateNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ],
    "Resource": "*",
}
"""AWSLambdaVPCAccessExecutionRole, version 3, without its actions for logs."""


@dataclass
class Simulated:
    """Statements of a role's policies, of its boundary, and of the organization; None where there is none."""

    policies: list = field(default_factory=lambda: [MANAGED])
    boundary: list | None = None
    organization: list | None = None

    def __call__(self, _inner):
        """As a fault: answer the call."""

        def application(environ, start_response):
            length = int(environ.get("CONTENT_LENGTH") or 0)
            asked = dict(parse_qsl(environ["wsgi.input"].read(length).decode()))
            start_response("200 OK", [("Content-Type", "text/xml")])
            return [self._answer(asked).encode()]

        return application

    def _answer(self, asked):
        actions, resources = _listed(asked, "ActionNames"), _listed(asked, "ResourceArns") or ["*"]
        names = [key for key in asked if key.endswith(".ContextKeyName")]
        context = {asked[key]: asked[key.replace("KeyName", "KeyValues.member.1")] for key in names}
        results = "".join(self._result(action, resources, context) for action in actions)
        body = f"<IsTruncated>false</IsTruncated><EvaluationResults>{results}</EvaluationResults>"
        return (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult>{body}</SimulatePrincipalPolicyResult>"
            "</SimulatePrincipalPolicyResponse>"
        )

    def _result(self, action, resources, context):
        verdicts = [self._verdict(action, resource, context) for resource in resources]
        worst = next((verdict for verdict in verdicts if verdict[0] != "allowed"), verdicts[0])
        specific = "".join(
            f"<member><EvalResourceName>{escape(name)}</EvalResourceName>"
            f"<EvalResourceDecision>{decision}</EvalResourceDecision>{_missing(missing)}{details}</member>"
            for name, (decision, missing, details) in zip(resources, verdicts, strict=True)
        )
        specific = (
            f"<ResourceSpecificResults>{specific}</ResourceSpecificResults>" if len(resources) > 1 else ""
        )
        allowed = self.organization is None or all(
            _judge(self.organization, action, resource, context)[0] == "allowed" for resource in resources
        )
        organization = (
            ""
            if self.organization is None
            else "<OrganizationsDecisionDetail><AllowedByOrganizations>"
            f"{str(allowed).lower()}</AllowedByOrganizations></OrganizationsDecisionDetail>"
        )
        return (
            f"<member><EvalActionName>{action}</EvalActionName><EvalResourceName>{escape(resources[0])}"
            f"</EvalResourceName><EvalDecision>{worst[0]}</EvalDecision>{_missing(worst[1])}{worst[2]}"
            f"{organization}{specific}</member>"
        )

    def _verdict(self, action, resource, context):
        decision, missing = _judge(self.policies, action, resource, context)
        details = ""
        if self.boundary is not None:
            bounded = _judge(self.boundary, action, resource, context)[0]
            details = (
                "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
                f"{str(bounded == 'allowed').lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
            )
            decision = decision if bounded == "allowed" else bounded
        if self.organization is not None:
            governed = _judge(self.organization, action, resource, context)[0]
            decision = decision if governed == "allowed" else governed
        return decision, missing, details


def _judge(statements, action, resource, context):
    """The decision, and the condition keys without values."""
    decision, missing = "implicitDeny", set()
    for statement in statements:
        if not (_matches(statement["Action"], action) and _matches(statement["Resource"], resource)):
            continue
        holds = True
        for conditions in statement.get("Condition", {}).values():
            for key, wanted in conditions.items():
                missing |= set() if key in context else {key}
                holds = holds and key in context and _matches(wanted, context[key])
        if holds and statement["Effect"] == "Deny":
            return "explicitDeny", missing
        if holds:
            decision = "allowed"
    return decision, missing


def _matches(patterns, text):
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)


def _missing(keys):
    members = "".join(f"<member>{key}</member>" for key in sorted(keys))
    return f"<MissingContextValues>{members}</MissingContextValues>" if members else ""


def _listed(asked, name):
    found = {key: value for key, value in asked.items() if re.fullmatch(rf"{name}\.member\.\d+", key)}
    return [found[key] for key in sorted(found, key=lambda key: int(key.rpartition(".")[2]))]
