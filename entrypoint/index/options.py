"""The global options of requirements files: lines -> options -> IndexOptions."""

import re
import shlex
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.sources import GitCommit, SourceFolder

if TYPE_CHECKING:
    from entrypoint.index.direct_file import DirectFile

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
_WORD = re.compile(r"\S+")
# A password with a slash makes a URL invalid, but is hidden too: after a colon, what ends in `@`. Without a
# colon, it is a token only if a host and a slash follow: `git+https://host/project@v1` has none.
_CREDENTIALS = re.compile(r"(?<=//)(?:[^/?#]*@|[^/?#@:]*:.*@|[^?#@]{,255}@(?=[^/?#@]+/))")
_QUERY = re.compile(r"\?[^#'\"`<>)\]}]+")
_LONGEST_HOST = 255


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
    #: Globs of package names, each with the only index of those packages; the first that matches applies.
    index_of: tuple[tuple[str, str], ...] = ()
    #: Days for which new files are not locked, except those of the packages with these canonical names.
    cooldown: int = 0
    cooldown_exceptions: frozenset[str] = frozenset()
    #: The packages that requirements name by URL and digest, commit or folder; no index is asked for them.
    direct: tuple["DirectFile | GitCommit | SourceFolder", ...] = ()

    def direct_of(self, name: str) -> "DirectFile | GitCommit | SourceFolder | None":
        """Return where a package comes from if not from an index, by its canonical name."""
        return next((each for each in self.direct if each.name == name), None)

    @property
    def built(self) -> frozenset[str]:
        """The names of the packages whose source is a folder or a commit: they have no wheel."""
        return frozenset(each.name for each in self.direct if isinstance(each, GitCommit | SourceFolder))

    def index_for(self, name: str) -> str | None:
        """Return the only index of a package, as `plain_url` does; None if it may be in any."""
        return next((plain_url(url) for glob, url in self.index_of if fnmatchcase(name, glob)), None)

    @property
    def sources(self) -> frozenset[str]:
        """The names of the packages to compile, which may include `:all:`."""
        return _names(self.no_binary)

    def wants_source(self, name: str) -> bool:
        """Whether to compile a package even if it has a compatible wheel; a name overrides `:all:`."""
        wanted, refused = _names(self.no_binary) | self.built, _names(self.only_binary)
        return name in wanted or (":all:" in wanted and name not in refused)

    def refuses_source(self, name: str) -> bool:
        """Whether only wheels are allowed for a package."""
        refused = _names(self.only_binary)
        return not self.wants_source(name) and (name in refused or ":all:" in refused)


class PipOption(NamedTuple):
    """A global option, with its long name; `value` is empty for a switch."""

    name: str
    value: str = ""

    @property
    def is_index_option(self) -> bool:
        """Whether the option is one of `IndexOptions`."""
        return self.name not in INCLUDES and self.name not in _WITHOUT_EFFECT

    def relative_to(self, folder: Path) -> Self:
        """Make a find-links folder absolute; it is relative to the file that contains the option."""
        is_relative = self.name == "--find-links" and "://" not in self.value
        if not is_relative or self.value.startswith("${"):
            return self
        return self._replace(value=str((folder / self.value).absolute()))

    def __str__(self) -> str:
        """Write the option as in a file, without credentials."""
        return without_credentials(f"{self.name} {self.value}".strip())


class OptionLine(NamedTuple):
    """The options of one line, up to the first that is invalid."""

    options: tuple[PipOption, ...]
    problem: Diagnostic | None = None


def parse_options(text: str, location: Location) -> OptionLine:
    """Parse a line of a requirements file that starts with an option."""
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        message = f"cannot parse `{without_credentials(text)}`: {error}"
        return OptionLine((), Diagnostic(message, "close the quote", location))
    options: list[PipOption] = []
    for word in words:
        name, value = _option_and_value(word)
        if name in _WITH_VALUE:
            value = value or next(words, "")
        if problem := _problem_with(name, value, location):
            return OptionLine(tuple(options), problem)
        options.append(PipOption(name, value))
    return OptionLine(tuple(options))


def index_options(options: Iterable[PipOption]) -> IndexOptions:
    """Combine the options of many lines; the last value of a single-valued option applies, as in pip."""
    values: dict[str, list[str]] = {}
    for option in options:
        values.setdefault(option.name, []).append(option.value)

    def every(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(values.get(name, ())))

    return IndexOptions(
        index_url=next(reversed(values.get("--index-url", [])), None),
        extra_index_urls=every("--extra-index-url"),
        find_links=every("--find-links"),
        trusted_hosts=every("--trusted-host"),
        no_index="--no-index" in values,
        pre="--pre" in values,
        prefer_binary="--prefer-binary" in values,
        no_binary=every("--no-binary"),
        only_binary=every("--only-binary"),
    )


def without_credentials(text: str) -> str:
    """Hide `user:password@` and the query of every URL in a text, which may have a token or a signature.

    Whatever prints a URL, or a text that may have one, calls this first.
    """
    return _WORD.sub(_without_credentials, text)


def plain_url(url: str) -> str:
    """Return an index's URL without credentials and without a slash at its end, to compare or print it."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - not needed by the check hook

    try:
        parts = urlsplit(url)
    except ValueError:
        return without_credentials(url)
    if "@" in parts.path:  # perhaps a password with a slash: it is hidden, and equal to no other URL
        return without_credentials(url).rstrip("/")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().rstrip("/")


def _without_credentials(word: re.Match[str]) -> str:
    before, slashes, url = word[0].partition("//")
    if not slashes:
        return before
    # Behind the last `@` nothing is searched, so that the time is linear.
    end = 2 + url.rfind("@") + 1 + _LONGEST_HOST
    shown = slashes + url
    if "@" in url:
        shown = _CREDENTIALS.sub("****@", shown[:end]) + shown[end:]
    return before + (_QUERY.sub("?****", shown) if before.endswith(":") else shown)


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
    if option not in _WITH_VALUE | _SWITCHES:
        hint = "remove it, or set it in pip's configuration"
        return Diagnostic(f"unsupported option `{without_credentials(option)}`", hint, location)
    if (option in _WITH_VALUE) != bool(value):
        if option in _WITH_VALUE:
            return Diagnostic(f"option `{option}` requires a value", "add the value", location)
        return Diagnostic(f"option `{option}` does not accept a value", "remove the value", location)
    return None
