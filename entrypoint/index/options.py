"""The options that requirements files carry for all of their lines: words go in, IndexOptions come out."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from entrypoint.errors import Diagnostic, Location

#: The options that include another file, and what its lines then are.
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
# They steer pip's own installing, or ask for what every lock of ours does anyway.
_WITHOUT_EFFECT = frozenset({"--require-hashes", "--no-require-hashes", "--use-feature"})
_CREDENTIALS = re.compile(r"(?<=//)[^/\s?#]*@")


class IndexOptions(NamedTuple):
    """Where packages come from and which kinds are wanted; `${NAME}` in URLs is not filled in yet."""

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
        """The packages that are to be compiled by name; `:all:` is a name here."""
        return _names(self.no_binary)

    def wants_source(self, name: str) -> bool:
        """Whether a package is to be compiled even where a wheel fits; a name counts more than `:all:`."""
        wanted, refused = _names(self.no_binary), _names(self.only_binary)
        return name in wanted or (":all:" in wanted and name not in refused)

    def refuses_source(self, name: str) -> bool:
        """Whether a package may only come as a wheel."""
        refused = _names(self.only_binary)
        return not self.wants_source(name) and (name in refused or ":all:" in refused)


class OptionsReader:
    """Collects options over many lines; of those that stand once, the last one counts, as for pip."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.values: dict[str, list[str]] = {}

    def read(
        self, words: list[str], *, location: Location, folder: Path, problems: list[Diagnostic]
    ) -> Iterator[tuple[str, str]]:
        """Take one line's words; hand back each file that it includes, as (option, path)."""
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
        """All that was collected."""
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
    """Read the values of --no-binary or --only-binary in pip's way: lists with commas, `:none:` empties."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - the hooks do not come this far

    names: set[str] = set()
    for name in (part.strip() for value in values for part in value.split(",")):
        if name == ":none:":
            names.clear()
        elif name:
            names.add(name if name == ":all:" else canonicalize_name(name))
    return frozenset(names)


def _option_and_value(word: str) -> tuple[str, str]:
    """Split `--option=value`, `-ovalue` or a bare option; short names become long ones."""
    if word.startswith("--"):
        option, _, value = word.partition("=")
    else:
        option, value = word[:2], word[2:].removeprefix("=")
    return _SHORT.get(option, option), value


def _problem_with(option: str, value: str, location: Location) -> Diagnostic | None:
    if option == "--editable":
        hint = "list first-party code under `include:` of the layer"
        return Diagnostic(
            f"`-e {without_credentials(value)}` is a source folder, not a release", hint, location
        )
    if option not in _WITH_VALUE | _SWITCHES:
        hint = "remove it, or set it in pip's configuration"
        return Diagnostic(f"the option `{option}` is not known here", hint, location)
    if (option in _WITH_VALUE) != bool(value):
        what = "lacks its value" if option in _WITH_VALUE else "takes no value"
        return Diagnostic(f"the option `{option}` {what}", "correct it", location)
    return None


def _from_folder(option: str, value: str, folder: Path) -> str:
    """Make a relative find-links folder absolute: it counts from the file that names it."""
    is_relative = option == "--find-links" and "://" not in value and not value.startswith("${")
    return str((folder / value).absolute()) if is_relative else value
