"""What a pyproject.toml asks for: dependencies and extras (PEP 621), dependency groups (PEP 735)."""

from collections.abc import Mapping, Sequence
from typing import Any

from packaging.dependency_groups import DependencyGroupResolver
from packaging.utils import canonicalize_name


def project_requirements(table: Mapping[str, Any], extras: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Return the requirements of the project, of its extras and of its groups, as they are written.

    The project's own dependencies count unless groups alone are asked for of a file without a project.

    Raises:
        ValueError: where something is missing, or listed dynamically.
    """
    project = table.get("project", {})
    asked: list[str] = []
    if project or not groups:
        asked += _list(project, "dependencies", "there is no static list `dependencies` under [project]")
    listed = _table(project, "optional-dependencies")
    optional = {canonicalize_name(name): name for name in listed}
    for extra in extras:
        name = optional.get(canonicalize_name(extra))
        if name is None:
            raise ValueError(f"there is no extra {extra!r}; there are {', '.join(optional) or 'none'}")
        asked += _list(listed, name, f"the extra {extra!r} is no plain list")
    for group in groups:
        asked += _group(_table(table, "dependency-groups"), group)
    return list(dict.fromkeys(asked))


def _list(table: Any, key: str, message: str) -> list[str]:  # noqa: ANN401 - whatever the file holds
    found = table.get(key) if isinstance(table, Mapping) else None
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError(message)
    return found


def _table(parent: Any, key: str) -> Mapping[str, Any]:  # noqa: ANN401 - likewise
    found = parent.get(key, {}) if isinstance(parent, Mapping) else {}
    if not isinstance(found, Mapping):
        raise ValueError(f"{key} is no table")  # noqa: TRY004 - the file is wrong, not the caller
    return found


def _group(groups: Mapping[str, Any], name: str) -> list[str]:
    try:
        return [str(requirement) for requirement in DependencyGroupResolver(groups).resolve(name)]
    except (ExceptionGroup, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"the dependency group {name!r} cannot be read: {error}") from error
