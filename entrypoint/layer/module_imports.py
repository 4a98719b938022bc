"""Presets of `exclude`, without the modules and stubs that the remaining code imports.

`docs`, `tests` and `stubs` are folders and files by name. boto3 imports botocore.docs, astropy imports its
tests, and packages with lazy_loader read their stubs. So the imports of what stays are read, and what they
lead to stays too, with its own imports.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from entrypoint.manifest.runtimes import ROOT

_STUB = "stub"
_LOADERS = {"import_module", "__import__"}
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+([\w, \t]+)|import[ \t]+([\w., \t]+))", re.MULTILINE
)
"""For code that the Python that runs this cannot parse."""

Imports = Mapping[str, Sequence[str]]
"""The imports of modules by path: names with leading dots, or `stub` for the module's own stub."""


def needed(
    paths: Iterable[str], excluded: Callable[[str], bool], imports: Iterable[Imports]
) -> frozenset[str]:
    """Return the excluded paths that the imports of the remaining modules lead to."""
    by_path = {path: names for found in imports for path, names in found.items()}
    left_out = {path for path in paths if excluded(path)}
    files: dict[str, list[str]] = {}
    for path in left_out:
        files.setdefault(_module(path), []).append(path)
    found: set[str] = set()
    queue = [path for path in by_path if path not in left_out]
    while queue:
        path = queue.pop()
        for name in by_path.get(path, ()):
            for module in _with_parents(_absolute(name, path)):
                new = set(files.get(module, ())) - found
                found |= new
                queue.extend(new)
    return frozenset(found)


def module_imports(code: bytes) -> list[str]:
    """Return the names that a module imports."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return sorted(set(_by_lines(code.decode("utf-8", "replace"))))
    return sorted({name for node in ast.walk(tree) for name in _of_node(node)})


def _of_node(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            yield from _from("." * level + (module or ""), [alias.name for alias in names])
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
            if name in _LOADERS and args and isinstance(args[0], ast.Constant):
                yield str(args[0].value)
            elif name == "attach_stub":
                yield _STUB
            elif name == "attach":  # lazy_loader.attach(__name__, submodules=[...], submod_attrs={...})
                constants = (each for keyword in keywords for each in ast.walk(keyword.value))
                values = (each.value for each in constants if isinstance(each, ast.Constant))
                yield from (f".{value}" for value in values if isinstance(value, str))
            else:
                return
        case _:
            return


def _from(base: str, names: Iterable[str]) -> Iterator[str]:
    yield base
    yield from (f"{base}{'' if base.endswith('.') else '.'}{name}" for name in names)


def _by_lines(text: str) -> Iterator[str]:
    for base, names, modules in _IMPORT.findall(text):
        if base:
            yield from _from(base, (name.split()[0] for name in names.split(",") if name.split()))
        yield from (module.split()[0] for module in modules.split(",") if module.split())
    if "attach_stub" in text:
        yield _STUB


def _module(path: str) -> str:
    """Return the module of a file, or `stub PATH` for the stub of the module at that path."""
    if path.endswith(".pyi"):
        return f"{_STUB} {path.removesuffix('i')}"
    folder, _, name = path.removeprefix(ROOT).rpartition("/")
    parts = [*filter(None, folder.split("/")), name.partition(".")[0]]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _absolute(name: str, path: str) -> str:
    """Return the full name of what the module at a path imports."""
    if name == _STUB:
        return f"{_STUB} {path}"
    relative = name.lstrip(".")
    if relative == name:
        return name
    folders = path.removeprefix(ROOT).split("/")[:-1]
    package = folders[: len(folders) - (len(name) - len(relative) - 1)]
    return ".".join([*package, *filter(None, [relative])])


def _with_parents(module: str) -> Iterator[str]:
    """Yield a module and its packages, whose __init__ is run before it."""
    while module:
        yield module
        module = "" if module.startswith(f"{_STUB} ") else module.rpartition(".")[0]
