"""The settings that a build needs to access the package indexes, as files.

They may contain credentials. Therefore they are passed in files that only their owner can read, not in
variables, which `docker inspect` shows, or arguments, which every user of the machine can see.
"""

import json
import netrc
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings

FOLDER = "settings"
_PROXIES = re.compile(r"^(?:https?|no|all)_proxy$", re.IGNORECASE)
_CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Files by their path in a build's folder, and the secrets in them."""

    files: Mapping[str, bytes]
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def mask(self, text: str) -> str:
        """Replace every secret in a text for output."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "****")
        return without_credentials(text)


def network_settings(
    settings: PipSettings, options: IndexOptions, environment: Mapping[str, str]
) -> NetworkSettings:
    """Return the settings for these indexes; `options` combine pip's and those of requirements files.

    Local paths are left out, as a container cannot access them.
    """
    urls = [
        url
        for url in (options.index_url, *options.extra_index_urls, *options.find_links)
        if url and "://" in url and not url.startswith("file:")
    ]
    variables = {name: value for name, value in environment.items() if _PROXIES.match(name)}
    files = {f"{FOLDER}/pip.conf": _pip_conf(settings, options, urls)}
    variables["PIP_CONFIG_FILE"] = f"{FOLDER}/pip.conf"
    addresses = (*urls, *variables.values(), settings.proxy or "")
    secrets = {part for address in addresses for part in _secrets_of(address)}
    entries, passwords = _netrc(urls, environment)
    if entries:
        files[f"{FOLDER}/netrc"] = entries.encode()
        variables["NETRC"] = f"{FOLDER}/netrc"
    certificates = settings.cert or environment.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        files[f"{FOLDER}/certificates.pem"] = Path(certificates).read_bytes()
        variables |= dict.fromkeys(_CERTIFICATE_VARIABLES, f"{FOLDER}/certificates.pem")
    if settings.client_cert and Path(settings.client_cert).is_file():
        files[f"{FOLDER}/client.pem"] = Path(settings.client_cert).read_bytes()
        variables["PIP_CLIENT_CERT"] = f"{FOLDER}/client.pem"
    files[f"{FOLDER}/environment.json"] = json.dumps(variables).encode()
    return NetworkSettings(files=files, secrets=frozenset(secrets | passwords))


def _pip_conf(settings: PipSettings, options: IndexOptions, urls: list[str]) -> bytes:
    """Return pip's configuration; https://pip.pypa.io/en/stable/topics/configuration/."""
    values = {
        "index-url": [url for url in urls if url == options.index_url],
        "extra-index-url": [url for url in urls if url in options.extra_index_urls],
        "find-links": [url for url in urls if url in options.find_links],
        "trusted-host": list(options.trusted_hosts),
        "no-index": ["true"] if options.no_index else [],
        "proxy": [settings.proxy] if settings.proxy else [],
        "timeout": [f"{settings.timeout:g}"],
        "retries": [str(settings.retries)],
        "disable-pip-version-check": ["true"],
        "no-input": ["true"],
    }
    lines = [f"{name} = {f'{chr(10)}    '.join(parts)}" for name, parts in values.items() if parts]
    return "\n".join(["[global]", *lines, ""]).encode()


def _netrc(urls: list[str], environment: Mapping[str, str]) -> tuple[str, set[str]]:
    """Return the entries of the user's netrc for these hosts only, and their passwords."""
    path = Path(environment.get("NETRC") or Path(environment.get("HOME", "/")) / ".netrc")
    try:
        known = netrc.netrc(str(path))
    except (OSError, netrc.NetrcParseError):
        return "", set()
    lines, passwords = "", set()
    for host in sorted({host for url in urls if (host := urlsplit(url).hostname)}):
        login, _, password = known.authenticators(host) or ("", "", "")
        if login and password and not re.search(r"\s", login + password):
            lines += f"machine {host} login {login} password {password}\n"
            passwords.add(password)
    return lines, passwords


def _secrets_of(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
