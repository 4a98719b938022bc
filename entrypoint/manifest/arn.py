"""Amazon Resource Names as values: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html
"""

from typing import NamedTuple, Self

_PARTS = 6


class Arn(NamedTuple):
    """An ARN; in Lambda's, `resource` is TYPE:NAME or TYPE:NAME:VERSION."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Split an ARN.

        Raises:
            ValueError: the text is not an ARN.
        """
        parts = text.split(":", _PARTS - 1)
        if len(parts) != _PARTS or parts[0] != "arn":
            message = f"{text!r} is not an ARN"
            raise ValueError(message)
        return cls(*parts[1:])

    @property
    def name(self) -> str:
        """The name of a function, layer or other resource, without its type and version."""
        parts = self.resource.split(":")
        return parts[1] if len(parts) > 1 else parts[0]

    @property
    def version(self) -> int:
        """The number of a layer version.

        Raises:
            ValueError: the ARN has no version.
        """
        return int(self.resource.rpartition(":")[2])

    def layer(self, name: str) -> str:
        """Return the ARN, without version, of a layer in the same account and region."""
        return str(self._replace(resource=f"layer:{name}"))

    def __str__(self) -> str:
        return ":".join(("arn", *self))


def is_arn(text: str) -> bool:
    """Return whether a text is meant to be an ARN."""
    return text.startswith("arn:")


def without_version(text: str) -> str:
    """Return a layer version's ARN without its version; other texts unchanged."""
    return text.rpartition(":")[0] if is_arn(text) and not _is_of_aws(text) else text


def short_name(text: str) -> str:
    """Return a layer version's ARN as NAME:VERSION, or NAME if it has no version; other texts unchanged."""
    if not is_arn(text):
        return text
    return ":".join(text.split(":")[-1 if _is_of_aws(text) else -2 :])


def _is_of_aws(arn: str) -> bool:
    """Whether this is a layer that AWS itself attached: arn:aws:lambda:::awslayer:NAME, without a version."""
    return ":::awslayer:" in arn
