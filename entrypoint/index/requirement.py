"""Requirements from outside: METADATA of packages, build backends, files of a pull request."""

from packaging.requirements import InvalidRequirement, Requirement

_MOST_PARENTHESES = 100
"""More of them overflow the stack of the parser, which is recursive."""


def read_requirement(text: str) -> Requirement:
    """Parse a requirement (PEP 508).

    Raises:
        InvalidRequirement: it is not valid, or nested too deeply.
    """
    if text.count("(") > _MOST_PARENTHESES:
        raise InvalidRequirement(f"it has more than {_MOST_PARENTHESES} parentheses")
    return Requirement(text)
