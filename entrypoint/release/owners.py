"""Functions that another tool deploys: its next deployment would restore the old layers. Pure."""

from collections.abc import Iterator, Mapping

from entrypoint.errors import Diagnostic
from entrypoint.release.plan import RegionPlan

_STACK = "aws:cloudformation:stack-name"
"""CloudFormation, and so SAM, CDK and the Serverless Framework, set it on everything they create."""
_BY_HAND = {"terraform", "managedby", "createdby", "provisioner", "iac"}
"""Terraform sets no tags of its own; these are common names of tags that say so."""
_NAMED = 5


def warn_of_owners(plan: RegionPlan, tags: Mapping[str, Mapping[str, str]]) -> Iterator[Diagnostic]:
    """Yield a warning for each tool whose functions the plan updates; `tags` are by ARN."""
    owned: dict[str, list[str]] = {}
    for change in plan.to_update:
        if owner := _owner(tags.get(change.function.arn, {})):
            owned.setdefault(owner, []).append(change.function.name)
    for owner, names in owned.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        message = f"{owner} deploys {', '.join(names[:_NAMED])}{more}, and would restore the old layers"
        hint = "read the ARNs from 'export:' there (docs/export.md), or stop setting layers there"
        yield Diagnostic(message, hint)


def _owner(tags: Mapping[str, str]) -> str | None:
    if stack := tags.get(_STACK):
        return f"the CloudFormation stack {stack}"
    for key, value in tags.items():
        plain = "".join(filter(str.isalnum, key)).lower()
        if plain in _BY_HAND and ("terraform" in value.lower() or (plain == "terraform" and value == "true")):
            return "Terraform"
    return None
