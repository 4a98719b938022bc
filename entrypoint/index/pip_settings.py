"""pip's own configuration: its answer to `pip config list` goes in, the settings of an index come out.

pip is asked, instead of reading its files here, because it alone knows which files and variables
count on this machine. Documented at https://pip.pypa.io/en/stable/topics/configuration/.
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
_SECTIONS = ("global", "install", ":env:")  # the later one counts
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_ASKING = threading.Lock()
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PipSettings:
    """What pip's configuration says about indexes and how to reach them."""

    options: IndexOptions
    cert: str | None = None
    client_cert: str | None = None
    proxy: str | None = None
    timeout: float = 15.0
    retries: int = 5


def read_pip_settings(environment: Mapping[str, str]) -> PipSettings:
    """Ask pip for its configuration as it stands in an environment; once for each environment."""
    with _ASKING:  # whoever comes second waits for the answer instead of asking as well
        return _pip_settings(frozenset(environment.items()))


@lru_cache
def _pip_settings(variables: frozenset[tuple[str, str]]) -> PipSettings:
    environment = dict(variables)
    command = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check", "config", "list"]
    answer = subprocess.run(  # noqa: S603 - our own interpreter, with constant arguments
        command, env=environment, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if answer.returncode:
        reason = next(reversed(answer.stderr.strip().splitlines()), "pip says nothing more")
        raise FetchError(Diagnostic(f"pip cannot read its configuration: {reason}", "run: pip config debug"))
    return parse_pip_settings(answer.stdout, environment)


def parse_pip_settings(text: str, environment: Mapping[str, str]) -> PipSettings:
    """Understand the lines of `pip config list`, such as `global.index-url='https://…'`."""
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


def combined(configured: IndexOptions, asked: IndexOptions, environment: Mapping[str, str]) -> IndexOptions:
    """Lay the options of requirements files over those of pip's configuration, in pip's own way.

    An `--index-url` in a file replaces all configured indexes, the extra ones included. `${NAME}` is
    filled in from the environment, and stays as it is where nothing is set.
    """

    def filled(texts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_VARIABLE.sub(lambda found: environment.get(found[1], found[0]), text) for text in texts)

    extra = (
        asked.extra_index_urls if asked.index_url else configured.extra_index_urls + asked.extra_index_urls
    )
    index_url = asked.index_url or configured.index_url or "https://pypi.org/simple/"
    return asked._replace(
        index_url=filled((index_url,))[0],
        extra_index_urls=filled(extra),
        find_links=filled(configured.find_links + asked.find_links),
        trusted_hosts=configured.trusted_hosts + asked.trusted_hosts,
        no_index=configured.no_index or asked.no_index,
    )


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default
