"""pip's configuration: the output of `pip config list` -> the settings for indexes.

pip itself is run because only it knows which files and variables apply on this machine. Documented at
https://pip.pypa.io/en/stable/topics/configuration/.
"""

import ast
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.options import IndexOptions

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


def read_pip_settings(environment: Mapping[str, str]) -> PipSettings:
    """Return pip's configuration in an environment; runs pip once per environment.

    Raises:
        FetchError: if pip cannot read its configuration.
    """
    with _RUNNING:  # a second thread waits for the result instead of running pip too
        return _pip_settings(frozenset(environment.items()))


@lru_cache
def _pip_settings(variables: frozenset[tuple[str, str]]) -> PipSettings:
    environment = dict(variables)
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    answer = subprocess.run(  # noqa: S603 - this interpreter, with constant arguments
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if answer.returncode:
        reason = next(reversed(answer.stderr.strip().splitlines()), "pip printed no reason")
        raise FetchError(Diagnostic(f"pip cannot read its configuration: {reason}", "run: pip config debug"))
    return parse_pip_settings(answer.stdout, environment)


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
    )


def combined(
    configured: IndexOptions, required: IndexOptions, environment: Mapping[str, str]
) -> IndexOptions:
    """Combine the options of pip's configuration with those of requirements files, as pip does.

    An `--index-url` in a file replaces all configured indexes, including the extra ones. `${NAME}` is
    replaced from the environment, and kept if the variable is not set.
    """

    def filled(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_VARIABLE.sub(lambda found: environment.get(found[1], found[0]), text) for text in texts)

    extra = (
        required.extra_index_urls
        if required.index_url
        else configured.extra_index_urls + required.extra_index_urls
    )
    index_url = required.index_url or configured.index_url or "https://pypi.org/simple/"
    return required._replace(
        index_url=filled((index_url,))[0],
        extra_index_urls=filled(extra),
        find_links=filled(configured.find_links + required.find_links),
        trusted_hosts=configured.trusted_hosts + required.trusted_hosts,
        no_index=configured.no_index or required.no_index,
    )


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
