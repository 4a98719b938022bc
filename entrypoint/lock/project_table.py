"""The requirements of a pyproject.toml: dependencies and extras (PEP 621), dependency groups (PEP 735).

Imported by the check hook: parsers are imported only when such a file is read.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from entrypoint.index.project_sources import ProjectSources, is_member, project_sources, sourced_names
from entrypoint.toml import load_toml


class ProjectLines(NamedTuple):
    """The requirements of a pyproject.toml, each with its line number, and where they come from."""

    lines: list[tuple[str, int]]
    sources: ProjectSources
    #: The packages whose source in a workspace does not apply, because the file has another one.
    sourced: frozenset[str]


def project_lines(text: str, extras: Sequence[str], groups: Sequence[str]) -> ProjectLines:
    """Return the statically listed requirements of a pyproject.toml.

    The project is never built. A requirement that the file spells differently gets line 1.

    Raises:
        ValueError: the file is not TOML, or a list is missing or dynamic.
    """
    table = load_table(text)
    requirements = project_requirements(table, extras, groups)
    lines = [(item, text.count("\n", 0, max(text.find(item), 0)) + 1) for item in requirements]
    return ProjectLines(lines, project_sources(text, table, requirements), sourced_names(table))


def workspace_sources(text: str, folder: str, member: ProjectLines) -> ProjectSources:
    """Return what a pyproject.toml above a project says about its requirements.

    It says nothing unless the project's folder, relative to it, is in its workspace.

    Raises:
        ValueError: the file is not TOML.
    """
    table = load_table(text)
    if not is_member(table, folder):
        return ProjectSources()
    return project_sources(text, table, (line for line, _ in member.lines), member.sourced)


def load_table(text: str) -> Mapping[str, Any]:
    """Return the content of a pyproject.toml.

    Raises:
        ValueError: it is not TOML.
    """
    import tomllib  # noqa: PLC0415 - see above

    try:
        return load_toml(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"invalid TOML: {error}") from error
    except RecursionError:
        raise ValueError("values are nested too deeply") from None


def project_requirements(table: Mapping[str, Any], extras: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return the requirements of the project, its extras and its groups, as written.

    The project's own dependencies are left out if only groups are requested and there is no [project].

    Raises:
        ValueError: a list is missing, invalid or dynamic.
    """
    project = table.get("project", {})
    requirements: list[str] = []
    poetry = _table(_table(table, "tool"), "poetry")
    if poetry.get("dependencies") and "dependencies" not in project:
        raise ValueError("Poetry's own list, [tool.poetry.dependencies], needs 'lock: poetry.lock' beside it")
    if project or not groups:
        requirements += _list(project, "dependencies", "[project] has no static list `dependencies`")
    optional = _table(project, "optional-dependencies")
    for extra in extras:
        requirements += _extra(optional, extra)
    for group in groups:
        requirements += _group(_table(table, "dependency-groups"), group)
    return list(dict.fromkeys(requirements))


def _extra(optional: Mapping[str, Any], extra: str) -> list[str]:
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - see above

    names = {canonicalize_name(name): name for name in optional}
    name = names.get(canonicalize_name(extra))
    if name is None:
        raise ValueError(f"unknown extra {extra!r} (available: {', '.join(names) or 'none'})")
    return _list(optional, name, f"the extra {extra!r} is not a list of strings")


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    from packaging.dependency_groups import DependencyGroupResolver  # noqa: PLC0415 - see above
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    if canonicalize_name(name) not in map(canonicalize_name, groups):
        raise ValueError(f"unknown dependency group {name!r} (available: {', '.join(groups) or 'none'})")
    try:
        return [str(requirement) for requirement in DependencyGroupResolver(groups).resolve(name)]
    except (ExceptionGroup, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"cannot read the dependency group {name!r}: {error}") from error


def _list(table: Any, key: str, message: str) -> list[str]:  # noqa: ANN401 - any value of the file
    found = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(message)
    return found


def _table(parent: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - any value of the file
    found = parent.get(key, {}) if isinstance(parent, Mapping) else {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{key} is not a table")  # noqa: TRY004 - the file is wrong, not the caller
    return found
