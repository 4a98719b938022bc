"""The partition of a region, from botocore's data: aws, aws-cn, aws-us-gov, aws-iso and so on."""

import re
from functools import cache
from typing import Any

_DEFAULT = "aws"


@cache
def partition_of(region: str) -> str:
    """Return the partition of a region, also of one that is newer than the data."""
    for partition in _partitions():
        if region in partition["regions"] or re.match(partition["regionRegex"], region):
            return str(partition["id"])
    return _DEFAULT


@cache
def _partitions() -> tuple[dict[str, Any], ...]:
    from botocore.loaders import create_loader  # noqa: PLC0415 - most commands do not need it

    return tuple(create_loader().load_data("partitions")["partitions"])
