"""Every message that the program can print says what to do."""

import ast
from pathlib import Path

import entrypoint

PACKAGE = Path(entrypoint.__file__).parent
REMEDY = 1
KINDS = {"Problem": REMEDY, "error": REMEDY, "warning": REMEDY, "Claim": 2}
"""What tells people of problems, and which of its arguments is the remedy."""


def tellings():
    """Each call that makes a message: where it stands, and the expression of its remedy."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if "local_aws" in path.parts:
            continue  # it speaks AWS's words
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and (position := remedy_of(node.func)) is not None:
                yield f"{path.name}:{node.lineno}", node.args[position] if position < len(node.args) else None


def remedy_of(function):
    match function:
        case ast.Name(id=name):
            return KINDS.get(name)
        case ast.Attribute(value=ast.Name(id=owner), attr="of") if owner.endswith("Error"):
            return REMEDY
    return None


def test_each_has_a_remedy():
    told = dict(tellings())
    assert len(told) > 150
    without = [where for where, remedy in told.items() if remedy is None or is_empty(remedy)]
    assert without == []


def is_empty(remedy):
    return isinstance(remedy, ast.Constant) and not remedy.value
