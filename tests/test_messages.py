"""Every message of the program has a hint."""

import ast
from pathlib import Path

import entrypoint

PACKAGE = Path(entrypoint.__file__).parent
HINT = 1
KINDS = {"Diagnostic": HINT, "error": HINT, "warning": HINT}
"""The calls that make a message, and the index of their hint argument."""


def messages():
    """Yield each call that makes a message: its location, and the expression of its hint."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "local_aws" in path.parts:
            continue  # its messages are those of AWS
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and (position := hint_of(node.func)) is not None:
                yield f"{path.name}:{node.lineno}", node.args[position] if position < len(node.args) else None


def hint_of(function):
    match function:
        case ast.Name(id=name):
            return KINDS.get(name)
        case ast.Attribute(value=ast.Name(id=owner), attr="of") if owner.endswith("Error"):
            return HINT
    return None


def test_each_has_a_hint():
    found = dict(messages())
    assert len(found) > 150
    without = [where for where, hint in found.items() if hint is None or is_empty(hint)]
    assert without == []


def is_empty(hint):
    return isinstance(hint, ast.Constant) and not hint.value
