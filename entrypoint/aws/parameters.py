"""SSM parameters: layer version ARNs for the tools that manage functions."""

from collections.abc import Mapping

from entrypoint.aws.connection import Connection

_AT_ONCE = 10
"""The maximum number of names of GetParameters."""


class Parameters:
    """Writes to the Parameter Store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, values: Mapping[str, str]) -> tuple[str, ...]:
        """Write parameters of type String; return the names of those that were missing or different."""
        ask, names, current = self._connection.ask, list(values), dict[str, str]()
        for start in range(0, len(names), _AT_ONCE):
            answer = ask("ssm", "get_parameters", Names=names[start : start + _AT_ONCE])
            current |= {found["Name"]: found["Value"] for found in answer["Parameters"]}
        changed = tuple(name for name in names if current.get(name) != values[name])
        for name in changed:
            ask("ssm", "put_parameter", Name=name, Value=values[name], Type="String", Overwrite=True)
        return changed
