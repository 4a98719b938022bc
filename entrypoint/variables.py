"""The values for `${NAME}` in files of the repository: only those that the operator of a run gives.

A pull request can write any name into a file, and the host that the value is sent to. So nothing comes from
the environment unless `--set` names it, and credentials never do.
"""

import re
from collections.abc import Iterable, Mapping

from entrypoint.errors import Diagnostic, UsageError

_CREDENTIAL = re.compile(
    r"(?:AWS|ACTIONS)_.*|.*(?:SECRET|CREDENTIAL|PASSPHRASE).*"
    r"|.*(?:TOKEN|PASSWORD|PASSWD)(?:_.*)?"
    r"|(?:.*_)?(?:PAT|JWT|(?:API|ACCESS|PRIVATE)_?KEY)(?:_V?[0-9]+|_BASE64)?"
    r"|.+_(?:PASS|PWD|AUTH|AUTH_CONFIG)",
    re.IGNORECASE,
)
_ELSEWHERE = "put the credentials of an index into PIP_INDEX_URL or a netrc file"


def is_credential(name: str) -> bool:
    """Whether a variable holds a credential, by its name, and so is never put into a text."""
    return _CREDENTIAL.fullmatch(name) is not None


def given(pairs: Iterable[str], environment: Mapping[str, str], *, option: str = "--set") -> dict[str, str]:
    """Return the variables of an option: NAME=VALUE, or NAME for the value in the environment.

    Raises:
        UsageError: with every pair that is malformed, not set in the environment, or a credential.
    """
    variables: dict[str, str] = {}
    problems = []
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not name.isidentifier():
            hint = f"write it as {option} STAGE=prod"
            problems.append(Diagnostic(f"{option} {pair} is not NAME or NAME=VALUE", hint))
        elif is_credential(name):
            hint = f"rename it if it holds none; {_ELSEWHERE}"
            problems.append(
                Diagnostic(f"{option} {name}: a variable of this name may hold a credential", hint)
            )
        elif not equals and name not in environment:
            hint = f"set it, or write {option} {name}=VALUE"
            problems.append(Diagnostic(f"{option} {name}: the environment has no {name}", hint))
        elif "${" in (value := value if equals else environment[name]):
            hint = "write the text itself: pip would replace it once more, from the environment"
            problems.append(Diagnostic(f"{option} {name}: its value contains ${{", hint))
        else:
            variables[name] = value
    if problems:
        raise UsageError(*problems)
    return variables


def how_to_set(name: str) -> str:
    """Return the hint for a variable that a file names and nobody gave."""
    if is_credential(name):
        return f"a variable of this name may hold a credential, which is never put into a text; {_ELSEWHERE}"
    return f"add --set {name}=VALUE, or --set {name} to use the environment variable"
