"""The action's inputs, which arrive as INPUT_* variables -> a command line.

GitHub passes on wrong values too, and with a warning names that are not inputs.
https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax#inputs
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches

from entrypoint.errors import Diagnostic, UsageError

DEFAULTS = {
    "command": "deploy",
    "manifest": "lambda-layers.yml",
    "set": "",
    "from": "",
    "target": "",
    "upgrade": "false",
    "revision": "",
    "layer": "",
    "artifacts": "",
    "trust": "",
    "locked": "false",
    "cache": "",
    "sarif": "",
}
"""The inputs of action.yml and their defaults; each but the first has the name of its option or argument."""
_SWITCHES = ("locked", "upgrade")
_ARGUMENTS = ("revision",)
_VALUES = ("set", "from")
_LISTS = (*_VALUES, "target", "layer")
_PREFIX = "INPUT_"
_OF_EVERY_CONTAINER = ("args", "entrypoint")
"""GitHub accepts these for any container action, and makes the container's command line of them."""


def are_given(environment: Mapping[str, str]) -> bool:
    """Return whether this is a step that uses the action; a runner always sets an input with a default."""
    return environment.get("GITHUB_ACTIONS") == "true" and f"{_PREFIX}COMMAND" in environment


def arguments(environment: Mapping[str, str], options: Mapping[str, Collection[str]]) -> list[str]:
    """Return the command line for the inputs; `options` are those of each command.

    Raises:
        UsageError: with every input that is wrong, unknown, or unused by the command.
    """
    values = _values(environment)
    command = values.pop("command", "") or DEFAULTS["command"]
    given = {name: value for name, value in values.items() if value and value != DEFAULTS.get(name)}
    problems = [*_unknown(values), *_wrong(given)]
    if command in options:
        problems += _idle(command, given, options)
    else:
        problems.append(Diagnostic(f"unknown command {command!r}", _instead(command, options)))
    if problems:
        raise UsageError(*problems)
    return [command, *(word for name in DEFAULTS if name in given for word in _words(name, given[name]))]


def check_beside_args(environment: Mapping[str, str]) -> None:
    """Refuse inputs beside `args`: GitHub makes `args` the whole command line, and ignores the inputs.

    Raises:
        UsageError: with every input that has a value.
    """
    values = _values(environment)
    if values.get("args"):
        problems = [
            Diagnostic(f"the input {name!r} is ignored beside 'args'", "move it into 'args'")
            for name, value in values.items()
            if name not in _OF_EVERY_CONTAINER and value and value != DEFAULTS.get(name)
        ]
        if problems:
            raise UsageError(*problems)


def _values(environment: Mapping[str, str]) -> dict[str, str]:
    """Return all inputs by name; a runner upper-cases names and keeps hyphens."""
    return {
        name.removeprefix(_PREFIX).lower(): value.strip()
        for name, value in environment.items()
        if name.startswith(_PREFIX)
    }


def _unknown(names: Iterable[str]) -> Iterator[Diagnostic]:
    for name in names:
        if name not in DEFAULTS and name not in _OF_EVERY_CONTAINER:
            yield Diagnostic(f"unknown input {name!r}", _instead(name, DEFAULTS))


def _wrong(given: Mapping[str, str]) -> Iterator[Diagnostic]:
    for name in _SWITCHES:
        if name in given and given[name].lower() not in {"true", "false"}:
            yield Diagnostic(f"the input {name!r} is {given[name]!r}", "set it to 'true' or 'false'")
    if given.get("revision", "").startswith("-"):
        yield Diagnostic(f"the revision {given['revision']!r} begins with -", "name a commit, tag or branch")
    for name in _VALUES:
        for line in _lines(given.get(name, "")):
            if not line.partition("=")[0].isidentifier():
                message = f"the input {name!r} has {line!r}, which is not NAME or NAME=VALUE"
                yield Diagnostic(message, "write it as STAGE=prod")


def _idle(
    command: str, given: Mapping[str, str], options: Mapping[str, Collection[str]]
) -> Iterator[Diagnostic]:
    for name in DEFAULTS:
        if name in given and _option(name) not in options[command]:
            readers = ", ".join(reader for reader in options if _option(name) in options[reader])
            message = f"the command {command!r} does not use the input {name!r}"
            yield Diagnostic(message, f"remove it; it is for {readers}")


def _option(name: str) -> str:
    return name if name in _ARGUMENTS else f"--{name}"


def _words(name: str, value: str) -> list[str]:
    if name in _SWITCHES:
        return [f"--{name}"] if value.lower() == "true" else []
    if name in _ARGUMENTS:
        return [value]
    return [f"--{name}={part}" for part in (_lines(value) if name in _LISTS else [value])]


def _lines(value: str) -> list[str]:
    return [line.strip() for line in value.splitlines() if line.strip()]


def _instead(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(known)}"
