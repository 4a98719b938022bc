"""What a project states about itself in pyproject.toml, without running its code: [project] (PEP 621).

Build backends must not change what is stated there, so it is the metadata of the wheel too.
https://packaging.python.org/en/latest/specifications/pyproject-toml/
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_DECISIVE = ("name", "version", "requires-python", "dependencies", "optional-dependencies")


class StaticProject(NamedTuple):
    """A project; names are canonical."""

    name: str
    version: str
    #: Its requirements without URLs, and those of each extra, with the extra in their marker.
    requires: tuple[str, ...]
    extras: tuple[str, ...]
    requires_python: str | None
    #: The requirements with a URL: name and URL.
    urls: tuple[tuple[str, str], ...]
    #: The table [build-system], as JSON.
    build_system: str

    @property
    def filename(self) -> str:
        """The name of its source archive (PEP 625)."""
        return f"{self.stem}.tar.gz"

    @property
    def stem(self) -> str:
        """The name of the folder in its source archive."""
        return f"{self.name.replace('-', '_')}-{self.version}"

    @property
    def build_requires(self) -> tuple[str, ...]:
        """The requirements of its build."""
        import json  # noqa: PLC0415 - the check hook starts light

        table = json.loads(self.build_system)
        requires = table.get("requires") if isinstance(table, dict) else None
        return tuple(each for each in requires if isinstance(each, str)) if isinstance(requires, list) else ()

    @property
    def metadata(self) -> bytes:
        """Its METADATA."""
        lines = ["Metadata-Version: 2.2", f"Name: {self.name}", f"Version: {self.version}"]
        lines += [f"Requires-Python: {self.requires_python}"] if self.requires_python else []
        lines += [f"Provides-Extra: {extra}" for extra in self.extras]
        lines += [f"Requires-Dist: {text}" for text in self.requires]
        return "".join(f"{line}\n" for line in lines).encode()


def static_project(table: Mapping[str, Any]) -> StaticProject:
    """Return the project of a pyproject.toml.

    Raises:
        ValueError: it has no [project], or a part of it is invalid, or found out only by its build.
    """
    import json  # noqa: PLC0415 - the check hook starts light

    from packaging.specifiers import SpecifierSet  # noqa: PLC0415
    from packaging.utils import canonicalize_name  # noqa: PLC0415
    from packaging.version import Version  # noqa: PLC0415

    project = table.get("project")
    if not isinstance(project, Mapping) or not isinstance(project.get("name"), str):
        raise ValueError("there is no [project] with a name")  # noqa: TRY004 - the file is wrong, not the caller
    dynamic = project.get("dynamic") or ()
    if unknown := [key for key in _DECISIVE if key in dynamic]:
        raise ValueError(f"{unknown[0]} is dynamic, and only found out by its build")
    if not isinstance(project.get("version"), str):
        raise ValueError("[project] has no version")  # noqa: TRY004 - as above
    python = project.get("requires-python")
    optional = project.get("optional-dependencies") or {}
    lists: dict[str, object] = {
        "": project.get("dependencies") or [],
        **{canonicalize_name(key): optional[key] for key in optional},
    }
    found = [_requirement(text, extra) for extra, texts in lists.items() for text in _texts(texts)]
    return StaticProject(
        name=canonicalize_name(project["name"], validate=True),
        version=str(Version(project["version"])),
        requires=tuple(text for text, _ in found),
        extras=tuple(extra for extra in lists if extra),
        requires_python=str(SpecifierSet(python)) if python else None,
        urls=tuple(url for _, url in found if url),
        build_system=json.dumps(table.get("build-system"), sort_keys=True, default=str),
    )


def _texts(texts: object) -> Iterator[str]:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("dependencies are not a list of strings")
    yield from texts


def _requirement(text: str, extra: str) -> tuple[str, tuple[str, str] | None]:
    """Return a requirement as METADATA has it, without its URL, and its name with the URL."""
    from packaging.markers import Marker  # noqa: PLC0415 - as above
    from packaging.utils import canonicalize_name  # noqa: PLC0415

    from entrypoint.index.requirement import read_requirement  # noqa: PLC0415

    requirement = read_requirement(text)
    url, requirement.url = requirement.url, None
    if extra:
        marker = f"({requirement.marker}) and " if requirement.marker else ""
        requirement.marker = Marker(f'{marker}extra == "{extra}"')
    return str(requirement), (canonicalize_name(requirement.name), url) if url else None
