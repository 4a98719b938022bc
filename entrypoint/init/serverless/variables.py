"""The variables of serverless.yml -> their values: `${source:address, default}`, nested and with defaults.

https://www.serverless.com/framework/docs/guides/variables

Values come from the repository only: `${env:NAME}` is never read from this machine's environment, and
`${file()}` only below the repository's root. A variable without a known value becomes a placeholder if it is
one of the command line or the environment; otherwise it is `Unknown`, with the reason.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from entrypoint.errors import Location, ManifestError
from entrypoint.init.located import LONGEST, Items, Table, Text, Unknown, location_of, read_file, table, text
from entrypoint.init.placeholders import ACCOUNT, REGION, has_placeholder, placeholder
from entrypoint.init.repository import Repository

_DEEPEST = 20
_MOST_VALUES = 50_000
"""A few lines that refer to each other can amount to any number of values."""
_OPENING = re.compile(r"\$\{|\}")
_VARIABLE = re.compile(r"[a-zA-Z]\w*(?::(?!:)|\()|\$\{|['\"]")
_SOURCE = re.compile(r"(?P<source>[a-zA-Z]\w*)(?:\((?P<argument>[^)]*)\))?(?::(?P<address>.*))?", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_LITERAL = re.compile(r"-?\d+(?:\.\d+)?|true|false")
_NOT_READ = {
    "environment",
    "events",
    "iam",
    "iamRoleStatements",
    "tags",
    "vpc",
    "httpApi",
    "apiGateway",
    "logs",
}
"""Settings that have nothing to do with layers; addresses may still lead through them."""
_READABLE = {".yml", ".yaml", ".json"}
_ELSEWHERE = {
    "ssm": "it is read from Systems Manager at deployment",
    "s3": "it is read from S3 at deployment",
    "cf": "it is an output of another stack",
    "output": "it is an output of another service",
    "vault": "it is read from Vault at deployment",
    "terraform": "it is an output of Terraform",
    "git": "it depends on the commit",
}


class Variables:
    """Resolves the variables of one serverless.yml."""

    def __init__(self, repository: Repository, path: Path, content: Table) -> None:
        self._repository, self._folder, self._content = repository, path.parent, content
        self._files: dict[Path, object] = {path.resolve(): content}
        self._depth = self._evaluated = 0
        #: The defaults that were taken for options and environment variables, with their locations.
        self.assumed: dict[str, Location] = {}

    def value(self, value: object) -> object:
        """Return a value with all variables in it replaced."""
        self._evaluated += 1
        if self._depth > _DEEPEST or self._evaluated > _MOST_VALUES:
            return Unknown("its variables refer to each other", location_of(value))
        self._depth += 1
        try:
            return self._value(value)
        finally:
            self._depth -= 1

    def at(self, address: str) -> object:
        """Return the value at an address of the service, such as custom.pythonRequirements."""
        return self._inside(self._content, address)

    @property
    def stage(self) -> object:
        """The stage of a deployment without `--stage`."""
        found = self.value(table(self._content.get("provider")).get("stage"))
        return found if isinstance(found, str) and found else "dev"

    def _value(self, value: object) -> object:
        if isinstance(value, Items):
            return Items([self.value(each) for each in value], value.location)
        if isinstance(value, Table):
            made = Table(value.location)
            made.keys_at = value.keys_at
            made.update((key, self.value(each)) for key, each in value.items() if key not in _NOT_READ)
            return made
        return self._text(value, value.location) if isinstance(value, Text) else value

    def _text(self, value: str, at: Location) -> object:
        """Return a text with its variables replaced; a text that is one variable becomes its value."""
        pieces: list[object] = []
        rest = value
        too_long = Unknown(f"it has more than {LONGEST:,} characters", at)
        if "${" in value and len(value) > LONGEST:
            return too_long
        while "${" in rest:
            before, _, after = rest.partition("${")
            inner, closed, rest = _closing(after)
            if not closed:
                return Unknown("a variable is not closed", at)
            is_ours = _VARIABLE.match(inner) is not None  # and not one of CloudFormation's, in Fn::Sub
            pieces += [before, self._variable(inner, at) if is_ours else f"${{{inner}}}"]
        pieces.append(rest)
        kept = [piece for piece in pieces if piece != ""]
        if "${" in value and sum(len(text(piece)) for piece in kept) > LONGEST:
            return too_long
        if len(kept) == 1:
            return Text.at(kept[0], at) if isinstance(kept[0], str) else kept[0]
        for piece in kept:
            if not isinstance(piece, str):
                return piece if isinstance(piece, Unknown) else Unknown("a variable in it is not a text", at)
        return Text.at("".join(map(text, kept)), at)

    def _variable(self, inner: str, at: Location) -> object:
        """Return the first of a variable's sources that has a value."""
        inner = text(self._text(inner, at)) if "${" in inner else inner
        if not inner:
            return Unknown("a variable in it has no known value", at)
        unknown: object = None
        sources = _split(inner)
        for number, source in enumerate(sources):
            found = self._source(source, at, has_default=number + 1 < len(sources))
            if found is not None and not isinstance(found, Unknown):
                if number:
                    self.assumed.setdefault(f"${{{inner}}}", at)
                return found
            unknown = unknown or found
        return unknown or Unknown(f"${{{inner}}} has no value in the repository", at)

    def _source(self, source: str, at: Location, *, has_default: bool) -> object:
        """Return the value of one source; None or `Unknown` if it has none, so that the next one applies."""
        if quoted := _QUOTED.fullmatch(source):
            return Text.at(quoted[1] or quoted[2] or "", at)
        if _LITERAL.fullmatch(source):
            return Text.at(source, at)
        match = _SOURCE.fullmatch(source)
        if not match or source == "null":
            return None
        name, argument, address = match["source"], match["argument"] or "", match["address"] or ""
        readers: dict[str, Callable[[], object]] = {
            "self": lambda: self._inside(self._content, self._address(address)),
            "file": lambda: self._file(argument, address, at),
            "opt": lambda: None if has_default else _given(re.sub(r"\W", "_", address).upper()),
            "env": lambda: None if has_default else _given(address),
            "param": lambda: self._parameter(address),
            "sls": lambda: self.stage if address == "stage" else None,
            "aws": lambda: {"accountId": ACCOUNT, "region": REGION}.get(address),
            "strToBool": lambda: argument,
        }
        if name in readers:
            return readers[name]()
        return Unknown(_ELSEWHERE.get(name, f"init does not know the variable source {name}"), at)

    def _address(self, address: str) -> str:
        """Return an address; that of the service is its name, also if `service` is a mapping."""
        has_name = address == "service" and "name" in table(self._content.get("service"))
        return "service.name" if has_name else address

    def _parameter(self, name: str) -> object:
        """Return a parameter of the stage, or else its default."""
        stage = text(self.stage)
        for section in (stage, "default"):
            for found in (
                table(table(self._content.get("params")).get(section)),
                table(table(table(self._content.get("stages")).get(section)).get("params")),
            ):
                if name in found:
                    return self.value(found[name])
        return _given(re.sub(r"\W", "_", name).upper())

    def _file(self, argument: str, address: str, at: Location) -> object:
        path = self._folder / argument.strip().strip("'\"")
        if has_placeholder(argument) or not argument:
            return Unknown(f"the file {argument} is not known", at)
        if "\0" in argument or not self._repository.contains(path):
            return Unknown(f"the file {argument} is outside the repository", at)
        if path.suffix not in _READABLE:
            return Unknown(f"the file {argument} is not YAML or JSON", at)
        if not path.is_file():
            return None
        key = path.resolve()
        if key not in self._files:
            try:
                self._files[key] = read_file(path, self._repository.shown(path))
            except ManifestError as error:
                return Unknown(str(error), at)
        return self._inside(self._files[key], address)

    def _inside(self, found: object, address: str) -> object:
        """Return the value at an address such as `custom.names.0`; variables on the way are replaced."""
        for key in [each for each in address.split(".") if each]:
            found = self.value(found) if isinstance(found, Text) else found
            if isinstance(found, Unknown):
                return found
            if isinstance(found, list):
                found = found[int(key)] if key.isdecimal() and int(key) < len(found) else None
            else:
                found = table(found).get(key)
        return self.value(found)


def _given(name: str) -> str | None:
    """Return the placeholder of what a deployment gives; never a value of this machine."""
    return placeholder(name) or None


def _closing(text_: str) -> tuple[str, bool, str]:
    """Return what is before the brace that closes a variable, whether there is one, and what is after it."""
    depth = 1
    for match in _OPENING.finditer(text_):
        depth += 1 if match[0] == "${" else -1
        if not depth:
            return text_[: match.start()], True, text_[match.end() :]
    return "", False, ""


def _split(inner: str) -> Sequence[str]:
    """Return the sources of a variable: its commas outside of quotes and parentheses separate them."""
    parts = re.findall(r"(?:'[^']*'|\"[^\"]*\"|\([^)]*\)|[^,'\"(])+", inner)
    return [part.strip() for part in parts if part.strip()]
