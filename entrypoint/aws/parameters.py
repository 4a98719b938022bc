"""SSM parameters: where layer version ARNs are left for the tools that own functions."""

from collections.abc import Mapping

from entrypoint.aws.client import Region

_AT_ONCE = 10
"""The most parameters that GetParameters takes."""


class Parameters(Region):
    """The calls to the Parameter Store."""

    def put_parameters(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Write parameters of type String; return the names of those that had another value, or none."""
        names, standing = list(values), dict[str, str]()
        for start in range(0, len(names), _AT_ONCE):
            answer = self._ask("ssm", "get_parameters", Names=names[start : start + _AT_ONCE])
            standing |= {found["Name"]: found["Value"] for found in answer["Parameters"]}
        changed = tuple(name for name in names if standing.get(name) != values[name])
        for name in changed:
            self._ask("ssm", "put_parameter", Name=name, Value=values[name], Type="String", Overwrite=True)
        return changed
