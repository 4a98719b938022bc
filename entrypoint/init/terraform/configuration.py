"""The .tf files of a folder -> their blocks, and the values of simple expressions.

Only what the files say is evaluated: texts with references to variables with defaults, to locals, and to
other blocks. Functions, conditions and loops are left to Terraform; such a value is `Unknown`.
https://developer.hashicorp.com/terraform/language/syntax/configuration
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from entrypoint.errors import Location
from entrypoint.init.located import LONGEST, Unknown
from entrypoint.init.placeholders import ACCOUNT, REGION, placeholder, without_markers
from entrypoint.init.repository import Repository
from entrypoint.manifest.yaml_limits import BYTES

_REFERENCE = re.compile(r"(?:[a-zA-Z_][\w-]*)(?:\.[a-zA-Z_][\w-]*|\[\d+\])*")
_INTERPOLATION = re.compile(r"(?<!\$)\$\{\s*([^{}]*?)\s*\}")
_OPENED = re.compile(r'[ \t]*((?:[\w-]+|"[^"]*")(?:[ \t]+(?:[\w-]+|"[^"]*"))*)[ \t]*\{')
_LABEL = re.compile(r'"([^"]*)"|([\w-]+)')
_ASSIGNED = re.compile(r"[ \t]*([\w-]+)[ \t]*=")
_DEEPEST = 20
_MOST_VALUES = 50_000
"""A few lines that refer to each other can amount to any number of values."""
_NAME_OF_DATA = 2
"""The position of the name that a configuration gives to a data source, as in data.aws_region.NAME.name."""
_KNOWN = {
    "path.module": ".",
    "path.root": ".",
    "path.cwd": ".",
    "terraform.workspace": placeholder("WORKSPACE"),
    "data.aws_region.name": REGION,
    "data.aws_region.region": REGION,
    "data.aws_region.id": REGION,
    "data.aws_caller_identity.account_id": ACCOUNT,
    "data.aws_partition.partition": "aws",
}


class Reference(NamedTuple):
    """A reference to another block, such as aws_lambda_layer_version.deps.arn without its attribute."""

    block: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its type and labels, such as resource, aws_lambda_function, api; and its arguments."""

    labels: tuple[str, ...]
    arguments: Mapping[str, Any]
    at: Location

    @property
    def address(self) -> str:
        """How expressions refer to it; resources are named without `resource`."""
        return ".".join(self.labels[1:] if self.labels[0] == "resource" else self.labels)


class Configuration:
    """The blocks of a folder, which is a module of Terraform."""

    def __init__(self, blocks: Mapping[str, Block], notes: tuple[Unknown, ...]) -> None:
        self._blocks = blocks
        self._depth = self._evaluated_values = 0
        #: The files that could not be read.
        self.unread = notes

    def of_type(self, *labels: str) -> Iterator[Block]:
        """Yield the blocks whose first labels are these."""
        yield from (block for block in self._blocks.values() if block.labels[: len(labels)] == labels)

    def find(self, address: str) -> Block | None:
        """Return a block by its address."""
        return self._blocks.get(address)

    def value(self, block: Block, name: str) -> object:
        """Return an argument of a block; None if it has none."""
        return self._value(block.arguments.get(name), block.at)

    def text(self, block: Block, name: str) -> str:
        """Return an argument that is a text; empty for others."""
        found = self.value(block, name)
        return found if isinstance(found, str) else ""

    def texts(self, block: Block, name: str) -> tuple[str, ...]:
        """Return the texts of an argument that is a list."""
        found = self.value(block, name)
        return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()

    def _value(self, value: object, at: Location) -> object:
        self._evaluated_values += 1
        if self._depth > _DEEPEST or self._evaluated_values > _MOST_VALUES:
            return Unknown("its references lead to each other", at)
        self._depth += 1
        try:
            return self._evaluated(value, at)
        finally:
            self._depth -= 1

    def _evaluated(self, value: object, at: Location) -> object:
        if isinstance(value, list):
            return [self._value(each, at) for each in value]
        if isinstance(value, dict):
            return {key.strip('"'): self._value(each, at) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        if value.startswith('"') and value.endswith('"'):
            return self._template(value[1:-1], at)
        return self._reference(value.removeprefix("${").removesuffix("}").strip(), at)

    def _template(self, text: str, at: Location) -> object:
        pieces: list[str] = []
        end = 0
        too_long = Unknown(f"it has more than {LONGEST:,} characters", at)
        if "${" in text and len(text) > LONGEST:
            return too_long
        for match in _INTERPOLATION.finditer(text):
            found = self._reference(match[1], at)
            if match[0] == text:
                return found
            if not isinstance(found, str):
                return (
                    found
                    if isinstance(found, Unknown)
                    else Unknown(f"{match[1]} is known after deployment", at)
                )
            pieces += [text[end : match.start()], found]
            end = match.end()
        rest = text[end:]
        if "${" in rest.replace("$${", "") or "%{" in rest.replace("%%{", ""):
            return Unknown(f'"{text}" has an expression', at)
        if pieces and sum(map(len, pieces)) > LONGEST:
            return too_long
        return without_escapes("".join([*pieces, rest]))

    def _reference(self, expression: str, at: Location) -> object:
        if not _REFERENCE.fullmatch(expression):
            return Unknown(f"{expression} is an expression", at)
        parts = re.sub(r"\[\d+\]", "", expression).split(".")
        known = _KNOWN.get(".".join(part for number, part in enumerate(parts) if number != _NAME_OF_DATA))
        if known and parts[0] in {"path", "terraform", "data"}:
            return known
        if parts[0] in {"var", "local"} and len(parts) > 1:
            return self._variable(parts[0], parts[1], at)
        address = next((each for each in _prefixes(parts) if each in self._blocks), "")
        return Reference(address) if address else Unknown(f"{expression} is known after deployment", at)

    def _variable(self, kind: str, name: str, at: Location) -> object:
        """Return the default of a variable, or the value of a local."""
        if kind == "local":
            block = self._blocks.get(f"locals.{name}")
            return (
                self._value(block.arguments["value"], block.at) if block else Unknown(f"no local {name}", at)
            )
        if given := self._blocks.get(f"tfvars.{name}"):
            return self._value(given.arguments["value"], given.at)
        block = self._blocks.get(f"variable.{name}")
        if block is None or block.arguments.get("default") is None:
            return placeholder(name.upper().replace("-", "_")) or Unknown(f"var.{name} has no default", at)
        return self._value(block.arguments["default"], block.at)


def read_configuration(repository: Repository, folder: Path) -> Configuration:
    """Return the blocks of a folder's .tf files.

    Raises:
        ModuleNotFoundError: if python-hcl2 is not installed.
    """
    import hcl2  # noqa: PLC0415 - an extra

    blocks: dict[str, Block] = {}
    unread: list[Unknown] = []
    # Terraform reads terraform.tfvars, then *.auto.tfvars; later values override earlier ones.
    given = [
        path
        for path in (folder / "terraform.tfvars", *sorted(folder.glob("*.auto.tfvars")))
        if path.is_file()
    ]
    for path in (*sorted(folder.glob("*.tf")), *given):
        shown = repository.shown(path)
        try:
            if not repository.contains(path) or path.stat().st_size > BYTES:
                continue
            text = without_markers(path.read_text("utf-8"))
            content = hcl2.loads(text if text.endswith("\n") else f"{text}\n")
        except Exception as error:  # noqa: BLE001 - a file of any content must not end init
            first = (str(error).splitlines() or ["not valid"])[0]
            unread.append(Unknown(f"it cannot be read: {first}", Location(shown)))
            continue
        found = _values(content, text, shown) if path in given else _blocks(content, text, shown)
        blocks |= {block.address: block for block in found}
    return Configuration(blocks, tuple(unread))


def without_escapes(text: str) -> str:
    """Return a quoted text with its escapes replaced."""
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    text = re.sub(r"\\(.)", lambda match: escapes.get(match[1], match[1]), text, flags=re.DOTALL)
    return text.replace("$${", "${").replace("%%{", "%{")


def _blocks(content: Mapping[str, Any], text: str, file: str) -> Iterator[Block]:
    lines = _lines(text)
    for kind, found in content.items():
        for each in found if isinstance(found, list) else ():
            if not isinstance(each, dict):
                continue
            if kind == "locals":
                for name, value in each.items():
                    yield Block(("locals", name), {"value": value}, Location(file, lines.get(("=", name))))
                continue
            labels, arguments = _labelled(each)
            yield Block((kind, *labels), arguments, Location(file, lines.get((kind, *labels))))


def _values(content: Mapping[str, Any], text: str, file: str) -> Iterator[Block]:
    """Yield the values of a .tfvars file, each as a block."""
    lines = _lines(text)
    for name, value in content.items():
        yield Block(("tfvars", name), {"value": value}, Location(file, lines.get(("=", name))))


def _labelled(block: Mapping[str, Any]) -> tuple[tuple[str, ...], Mapping[str, Any]]:
    """Return the labels of a block, which are nested keys in quotes, and its arguments."""
    labels: list[str] = []
    while len(block) == 1 and next(iter(block)).startswith('"'):
        ((label, inner),) = block.items()
        labels.append(label.strip('"'))
        if not isinstance(inner, dict):
            return tuple(labels), {}
        block = inner
    return tuple(labels), block


def _lines(text: str) -> Mapping[tuple[str, ...], int]:
    """Return the line at which each block begins, by its labels, and each argument, by `=` and its name."""
    lines: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := _OPENED.match(line):
            labels = tuple(quoted or plain for quoted, plain in _LABEL.findall(opened[1]))
            lines.setdefault(labels, number)
        elif assigned := _ASSIGNED.match(line):
            lines.setdefault(("=", assigned[1]), number)
    return lines


def _prefixes(parts: list[str]) -> Iterator[str]:
    yield from (".".join(parts[:length]) for length in range(len(parts), 0, -1))
