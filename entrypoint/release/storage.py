"""The bucket of layers that are referred to there: the policy that it needs, and what is wrong with it.

Lambda itself reads the archives: https://docs.aws.amazon.com/lambda/latest/dg/configuration-self-managed-storage.html
The decisions are pure; `read_bucket` reads.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from entrypoint.aws.reasons import enable_versioning
from entrypoint.errors import Diagnostic
from entrypoint.partitions import partition_of
from entrypoint.release.findings import error, info
from entrypoint.release.reading import Reading

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_LAMBDA = "lambda.amazonaws.com"
_ACTIONS = ("s3:GetObject", "s3:GetObjectVersion")
_ARCHIVE = f"{'0' * 64}.zip"


class Reader(NamedTuple):
    """An account and region whose layers refer to objects in a bucket."""

    account: str
    region: str


def bucket_policy(bucket: str, prefix: str, readers: Sequence[Reader]) -> dict[str, Any]:
    """Return the policy by which Lambda may read the archives of layers, for all readers."""
    functions_and_layers = [
        f"arn:{partition_of(region)}:lambda:{region}:{account}:{kind}:*"
        for account, region in readers
        for kind in ("function", "layer")
    ]
    statement = {
        "Sid": "LambdaReadsLayers",
        "Effect": "Allow",
        "Principal": {"Service": _LAMBDA},
        "Action": list(_ACTIONS),
        "Resource": f"arn:{partition_of(readers[0].region)}:s3:::{bucket}/{prefix}*",
        "Condition": {
            "StringEquals": {"aws:SourceAccount": list(dict.fromkeys(each.account for each in readers))},
            "ArnLike": {"aws:SourceArn": functions_and_layers},
        },
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def read_bucket(aws: "Aws", reading: Reading, layers: Iterable[str]) -> list[Diagnostic]:
    """Return what is wrong with the bucket for these layers, if layers refer to objects in it."""
    storage = aws.storage
    if not storage.is_referenced:
        return []
    is_versioned = reading(lambda: (storage.is_versioned(),))
    if is_versioned == (None,):
        message = f"the bucket {storage.name} does not exist"
        hint = f"create it, and enable versioning; its policy: {_print_policy(storage.name, storage.account)}"
        return [error(message, hint)]
    found = [_unversioned(storage.name)] if is_versioned == (False,) else []
    policy = reading(storage.policy)
    if policy is not None:
        reader = Reader(storage.account, aws.destination.region)
        folders = {layer: storage.folder_of(layer) for layer in layers}
        found += examine_policy(policy, storage.name, folders, reader)
    return found


def _unversioned(bucket: str) -> Diagnostic:
    """Return the finding about a bucket that keeps no versions of its objects."""
    message = f"the bucket {bucket} keeps no versions of its objects, which 'storage: reference' needs"
    return error(message, enable_versioning(bucket))


def examine_policy(
    policy: Mapping[str, Any], bucket: str, folders: Mapping[str, str], reader: Reader
) -> Iterator[Diagnostic]:
    """Yield that Lambda may not read the archives of layers, which are in these folders of the bucket."""
    verdicts = {
        action: {
            _is_allowed(policy, _Request(action, bucket, folder + _ARCHIVE, reader, layer))
            for layer, folder in folders.items()
        }
        for action in _ACTIONS
    }
    if refused := [action for action, found in verdicts.items() if False in found]:
        message = f"the policy of the bucket {bucket} does not allow Lambda {', '.join(refused)}"
        yield error(message, f"add what this prints: {_print_policy(bucket, reader.account)}")
    elif unclear := [action for action, found in verdicts.items() if None in found]:
        message = f"conditions in the policy of the bucket {bucket} may not allow Lambda {', '.join(unclear)}"
        yield info(message, "check these conditions: they are not known to lambda-layers")


def _print_policy(bucket: str, account: str) -> str:
    return f"lambda-layers iam-policy --bucket {bucket} --account {account}"


class _Request(NamedTuple):
    """What Lambda does with an object, for a layer."""

    action: str
    bucket: str
    key: str
    reader: Reader
    layer: str

    @property
    def resource(self) -> str:
        return f"arn:{partition_of(self.reader.region)}:s3:::{self.bucket}/{self.key}"

    @property
    def context(self) -> Mapping[str, tuple[str, ...]]:
        """Values of condition keys, each of which has to match: whether ARNs have a version is not known."""
        account, region = self.reader
        arn = f"arn:{partition_of(region)}:lambda:{region}:{account}:layer:{self.layer}"
        return {
            "aws:sourceaccount": (account,),
            "aws:sourcearn": (arn, f"{arn}:1"),
            "aws:securetransport": ("true",),
            "aws:principalisawsservice": ("true",),
        }


def _is_allowed(policy: Mapping[str, Any], request: _Request) -> bool | None:
    """Return whether a policy allows a request; None where that depends on conditions that are not known."""
    effects = {(each["Effect"], _matches(each, request)) for each in _several(policy.get("Statement"))}
    if ("Deny", True) in effects:
        return False
    if ("Allow", True) in effects:
        return None if ("Deny", None) in effects else True
    return None if ("Allow", None) in effects else False


def _matches(statement: Mapping[str, Any], request: _Request) -> bool | None:
    principal = statement.get("Principal", {})
    services = (
        ["*"] if principal == "*" else _several(principal.get("Service")) + _several(principal.get("AWS"))
    )
    action = request.action.lower()
    parts = (
        bool({"*", _LAMBDA} & set(services)) or ("NotPrincipal" in statement and None),
        any(fnmatchcase(action, each.lower()) for each in _several(statement.get("Action")))
        or ("NotAction" in statement and None),
        any(fnmatchcase(request.resource, each) for each in _several(statement.get("Resource")))
        or ("NotResource" in statement and None),
        *(
            _holds(operator, key, _several(values), request)
            for operator, wanted in statement.get("Condition", {}).items()
            for key, values in wanted.items()
        ),
    )
    if False in parts:
        return False
    return None if None in parts else True


def _holds(operator: str, key: str, patterns: Sequence[str], request: _Request) -> bool | None:
    values = request.context.get(key.lower())
    kind = operator.removesuffix("IfExists")
    if values is None or kind not in {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"}:
        return None
    if kind == "StringEquals":
        return all(value in patterns for value in values)
    return all(any(fnmatchcase(value, str(each)) for each in patterns) for value in values)


def _several(value: Any) -> list[Any]:  # noqa: ANN401 - of JSON
    """Return a list of what may be one value, several, or missing."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
