"""pip's configuration: the output of `pip config list` -> the settings for indexes.

pip itself is run because only it knows which files and variables apply on this machine. Documented at
https://pip.pypa.io/en/stable/topics/configuration/.
"""

import ast
import os
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.variables import how_to_set

_LINE = re.compile(r"^(?P<section>[^.]+)\.(?P<key>[^=]+)=(?P<value>['\"].*)$")
_SECTIONS = ("global", "install", ":env:")  # the last one wins
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_RUNNING = threading.Lock()
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSettings:
    """The indexes and network settings of pip's configuration; `timeout` is in seconds."""

    options: IndexOptions
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout: float = 15.0
    retries: int = 5
    #: Whether packages that were uploaded later than some time are to be left out.
    has_cutoff: bool = False


def read_pip_settings(environment: Mapping[str, str]) -> PipSettings:
    """Return pip's configuration in an environment; runs pip once per environment, if it would read a file.

    Raises:
        FetchError: if pip cannot read its configuration.
    """
    with _RUNNING:  # a second thread waits for the result instead of running pip too
        return _pip_settings(frozenset(environment.items()))


@lru_cache
def _pip_settings(variables: frozenset[tuple[str, str]]) -> PipSettings:
    environment = dict(variables)
    if environment.get("PIP_CONFIG_FILE") == os.devnull and "PIP_ISOLATED" not in environment:
        return parse_pip_settings(_variables_of_pip(environment), environment)
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    answer = subprocess.run(  # noqa: S603 - this interpreter, with constant arguments
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if answer.returncode:
        reason = next(reversed(answer.stderr.strip().splitlines()), "pip printed no reason")
        message = f"pip cannot read its configuration: {without_credentials(reason)}"
        raise FetchError(Diagnostic(message, "run: pip config debug"))
    return parse_pip_settings(answer.stdout, environment)


def _variables_of_pip(environment: Mapping[str, str]) -> str:
    """Return what `pip config list` prints where `PIP_CONFIG_FILE` is `os.devnull`: pip reads no file then.

    https://pip.pypa.io/en/stable/topics/configuration/#pip-config-file
    """
    pairs = sorted((name, value) for name, value in environment.items() if name.startswith("PIP_"))
    return "".join(f":env:.{name[4:].lower().replace('_', '-')}={value!r}\n" for name, value in pairs)


def parse_pip_settings(text: str, environment: Mapping[str, str]) -> PipSettings:
    """Parse the lines of `pip config list`, such as `global.index-url='https://…'`."""
    sections: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and match["section"] in sections:
            sections[match["section"]][match["key"]] = str(ast.literal_eval(match["value"]))
    values = {key: value for section in _SECTIONS for key, value in sections[section].items()}
    return PipSettings(
        options=IndexOptions(
            index_url=values.get("index-url"),
            extra_index_urls=tuple(values.get("extra-index-url", "").split()),
            find_links=tuple(values.get("find-links", "").split()),
            trusted_hosts=tuple(values.get("trusted-host", "").split()),
            no_index=values.get("no-index", "").lower() in _TRUE,
        ),
        cert=values.get("cert") or environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE"),
        client_cert=values.get("client-cert"),
        proxy=values.get("proxy"),
        timeout=_number(values.get("timeout") or values.get("default-timeout"), 15.0),
        retries=int(_number(values.get("retries"), 5)),
        has_cutoff="uploaded-prior-to" in values,
    )


def filled(options: IndexOptions, variables: Mapping[str, str]) -> IndexOptions:
    """Replace `${NAME}` in the options of requirements files; what pip replaces has this form too.

    Raises:
        FetchError: with every variable that is not among `variables`, or every URL that is not valid.
    """
    named = (
        options.index_url or "",
        *options.extra_index_urls,
        *options.find_links,
        *options.trusted_hosts,
        *options.no_binary,
        *options.only_binary,
    )
    names = {name: text for text in reversed(named) for name in _VARIABLE.findall(text)}
    if unknown := [name for name in names if name not in variables]:
        texts = {name: without_credentials(names[name]) for name in sorted(unknown)}
        raise FetchError(
            *(
                Diagnostic(f"variable {name} of {text} is not set", how_to_set(name))
                for name, text in texts.items()
            )
        )

    def fill(text: str) -> str:
        return _VARIABLE.sub(lambda found: variables[found[1]], text)

    result = options._replace(
        index_url=options.index_url and fill(options.index_url),
        extra_index_urls=tuple(map(fill, options.extra_index_urls)),
        find_links=tuple(map(fill, options.find_links)),
        trusted_hosts=tuple(map(fill, options.trusted_hosts)),
        no_binary=tuple(map(fill, options.no_binary)),
        only_binary=tuple(map(fill, options.only_binary)),
    )
    _check_urls(result)
    return result


def _check_urls(options: IndexOptions) -> None:
    """Refuse URLs that are not valid; what parses them later would show a part of a password.

    Raises:
        FetchError: with every such URL.
    """
    urls = (options.index_url or "", *options.extra_index_urls, *options.find_links)
    hint = "in user names and passwords, write / as %2F, : as %3A and @ as %40"
    problems = [
        Diagnostic(f"{without_credentials(url)} is not a valid URL", hint)
        for url in urls
        if "://" in url and not _is_valid(url)
    ]
    if problems:
        raise FetchError(*problems)


def _is_valid(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme == "file" or (parts.port != 0 and bool(parts.hostname))
    except ValueError:
        return False


def combined(configured: IndexOptions, required: IndexOptions, variables: Mapping[str, str]) -> IndexOptions:
    """Combine the options of pip's configuration with those of requirements files, as pip does.

    An `--index-url` in a file replaces all configured indexes, including the extra ones. `${NAME}` in files
    is replaced.

    Raises:
        FetchError: a variable of the files is not among `variables`, or a URL is not valid.
    """
    _check_urls(configured)
    required = filled(required, variables)
    extra = (
        required.extra_index_urls
        if required.index_url
        else configured.extra_index_urls + required.extra_index_urls
    )
    index_url = required.index_url or configured.index_url or "https://pypi.org/simple/"
    return required._replace(
        index_url=index_url,
        extra_index_urls=extra,
        find_links=configured.find_links + required.find_links,
        trusted_hosts=configured.trusted_hosts + required.trusted_hosts,
        no_index=configured.no_index or required.no_index,
    )


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
