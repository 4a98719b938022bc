"""`lambda-layers iam-policy`: the IAM policy that a deployment needs, or that of a bucket of layers."""

from typing import TYPE_CHECKING

from entrypoint.commands import options
from entrypoint.commands.command import Command, Result, valued
from entrypoint.errors import UsageError
from entrypoint.manifest.model import Destination

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from entrypoint.commands.context import Context
    from entrypoint.manifest.model import Manifest


def run(context: "Context") -> Result:
    """Print the policy."""
    import json  # noqa: PLC0415 - slow to import

    from entrypoint.release.iam_policy import iam_policy  # noqa: PLC0415

    project = context.project
    regions = project.manifest.regions or (context.environment.get("AWS_REGION") or "*",)
    account = context.arguments.account
    if bucket := context.arguments.bucket:
        policy = _of_bucket(bucket, project.manifest, regions, account)
    else:
        policy = iam_policy(project.manifest, project.layers, regions=regions, account=account)
    return Result(text=json.dumps(policy, indent=2))


def _of_bucket(name: str, manifest: "Manifest", regions: "Sequence[str]", account: str) -> dict[str, "Any"]:
    """Return the policy of one of the manifest's buckets.

    Raises:
        UsageError: the manifest has no such bucket, or the account or region is not known.
    """
    from entrypoint.release.storage import Reader, bucket_policy  # noqa: PLC0415

    of_roles = [Destination("", role).account or "" for role in manifest.accounts]
    accounts = [account] if account != "*" else of_roles
    if not accounts:
        raise UsageError.of("--bucket needs the account", "add --account NUMBER")
    if "*" in regions:
        raise UsageError.of("--bucket needs the region", "add 'regions: [...]' to the manifest")
    used = manifest.bucket if manifest.bucket and manifest.bucket.is_referenced else None
    readers: dict[str, list[Reader]] = {}
    for reader in (Reader(each, region) for each in accounts for region in regions):
        if used:
            readers.setdefault(used.name_in(reader.region, reader.account), []).append(reader)
    if not used or name not in readers:
        names = f"write one of these: {', '.join(readers)}"
        hint = names if readers else "set 'storage: reference' under 's3'"
        raise UsageError.of(f"layers of the manifest refer to no objects in the bucket {name}", hint)
    return bucket_policy(name, used.prefix, readers[name])


COMMAND = Command(
    (
        valued("--account", "NUMBER", "the account; default: any", default="*"),
        valued("--bucket", "NAME", "print the policy of this bucket, which layers refer to"),
        options.MANIFEST,
        options.SET,
        options.OUTSIDE,
    ),
    run,
)
