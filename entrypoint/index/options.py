"""The global options of requirements files: words -> IndexOptions."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from entrypoint.errors import Diagnostic, Location

#: The options that include another file, and the kind of its lines.
INCLUDES: dict[str, Literal["requirement", "constraint"]] = {
    "--requirement": "requirement",
    "--constraint": "constraint",
}
_SHORT = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-i": "--index-url",
    "-f": "--find-links",
    "-e": "--editable",
    "--pypi-url": "--index-url",
}
_WITH_VALUE = frozenset(
    {
        *INCLUDES,
        "--index-url",
        "--extra-index-url",
        "--find-links",
        "--trusted-host",
        "--no-binary",
        "--only-binary",
        "--editable",
        "--use-feature",
    }
)
_SWITCHES = frozenset({"--no-index", "--pre", "--prefer-binary", "--require-hashes", "--no-require-hashes"})
# They only affect pip install, or are always on in our locks.
_WITHOUT_EFFECT = frozenset({"--require-hashes", "--no-require-hashes", "--use-feature"})
_CREDENTIALS = re.compile(r"(?<=//)[^/\s?#]*@")


class IndexOptions(NamedTuple):
    """Where packages come from, and which files are allowed; `${NAME}` in URLs is not replaced yet."""

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    no_index: bool = False
    pre: bool = False
    prefer_binary: bool = False
    no_binary: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()

    @property
    def sources(self) -> frozenset[str]:
        """The names of the packages to compile, which may include `:all:`."""
        return _names(self.no_binary)

    def wants_source(self, name: str) -> bool:
        """Whether to compile a package even if it has a compatible wheel; a name overrides `:all:`."""
        wanted, refused = _names(self.no_binary), _names(self.only_binary)
        return name in wanted or (":all:" in wanted and name not in refused)

    def refuses_source(self, name: str) -> bool:
        """Whether only wheels are allowed for a package."""
        refused = _names(self.only_binary)
        return not self.wants_source(name) and (name in refused or ":all:" in refused)


class OptionsReader:
    """Collects options over many lines; of options with a single value, the last one applies, as in pip."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, list[str]] = {}

    def read(
        self, words: list[str], *, location: Location, folder: Path, problems: list[Diagnostic]
    ) -> Iterator[tuple[str, str]]:
        """Read the words of a line; yield each file that it includes, as (option, path)."""
        remaining = iter(words)
        for word in remaining:
            option, value = _option_and_value(word)
            if option in _WITH_VALUE:
                value = value or next(remaining, "")
            if problem := _problem_with(option, value, location):
                problems.append(problem)
                return
            if option in INCLUDES:
                yield option, value
            elif option not in _WITHOUT_EFFECT:
                self.lines.append(without_credentials(f"{option} {value}".strip()))
                self.values.setdefault(option, []).append(_from_folder(option, value, folder))

    def result(self) -> IndexOptions:
        """Return the collected options."""
        return IndexOptions(
            index_url=next(reversed(self.values.get("--index-url", [])), None),
            extra_index_urls=self._all("--extra-index-url"),
            find_links=self._all("--find-links"),
            trusted_hosts=self._all("--trusted-host"),
            no_index="--no-index" in self.values,
            pre="--pre" in self.values,
            prefer_binary="--prefer-binary" in self.values,
            no_binary=self._all("--no-binary"),
            only_binary=self._all("--only-binary"),
        )

    def _all(self, option: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.values.get(option, ())))


def without_credentials(text: str) -> str:
    """Hide `user:password@` in every URL of a text."""
    return _CREDENTIALS.sub("****@", text)


def _names(values: tuple[str, ...]) -> frozenset[str]:
    """Return the names in --no-binary or --only-binary, as in pip: comma-separated, `:none:` clears them."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - slow to import, and not needed by the check hook

    names: set[str] = set()
    for name in (part.strip() for value in values for part in value.split(",")):
        if name == ":none:":
            names.clear()
        elif name:
            names.add(name if name == ":all:" else canonicalize_name(name))
    return frozenset(names)


def _option_and_value(word: str) -> tuple[str, str]:
    """Split `--option=value`, `-ovalue` or a bare option; short names are replaced by long ones."""
    if word.startswith("--"):
        option, _, value = word.partition("=")
    else:
        option, value = word[:2], word[2:].removeprefix("=")
    return _SHORT.get(option, option), value


def _problem_with(option: str, value: str, location: Location) -> Diagnostic | None:
    if option == "--editable":
        hint = "add code of this repository under 'include' of the layer"
        return Diagnostic(
            f"`-e {without_credentials(value)}` is a source folder, which cannot be locked",
            hint,
            location,
        )
    if option not in _WITH_VALUE | _SWITCHES:
        hint = "remove it, or set it in pip's configuration"
        return Diagnostic(f"unsupported option `{option}`", hint, location)
    if (option in _WITH_VALUE) != bool(value):
        if option in _WITH_VALUE:
            return Diagnostic(f"option `{option}` requires a value", "add the value", location)
        return Diagnostic(f"option `{option}` does not accept a value", "remove the value", location)
    return None


def _from_folder(option: str, value: str, folder: Path) -> str:
    """Make a find-links folder absolute; it is relative to the file that contains the option."""
    is_relative = option == "--find-links" and "://" not in value and not value.startswith("${")
    return str((folder / value).absolute()) if is_relative else value
