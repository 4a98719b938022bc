"""The settings with which a command in a container reaches the network: proxies and certificates, as files.

Only what may use the network gets them. The settings of package indexes, with their passwords, are not
among them: build requirements are downloaded by this process. A proxy's URL may contain a password, so the
settings are passed in files that only their owner can read, not in variables, which `docker inspect` shows.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from entrypoint.index.options import without_credentials
from entrypoint.index.pip_settings import PipSettings

FOLDER = "settings"
_PROXIES = re.compile(r"^(?:https?|no|all)_proxy$", re.IGNORECASE)
_CERTIFICATE_VARIABLES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """Files by their path in a command's folder, and the secrets in them."""

    files: Mapping[str, bytes]
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def mask(self, text: str) -> str:
        """Replace every secret in a text for output."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "****")
        return without_credentials(text)


NO_NETWORK = NetworkSettings(files={})
"""For commands without network."""


def network_settings(settings: PipSettings, environment: Mapping[str, str]) -> NetworkSettings:
    """Return the proxies and certificates of pip's configuration and of the environment."""
    proxy = dict.fromkeys(("http_proxy", "https_proxy"), settings.proxy) if settings.proxy else {}
    proxies = {name: value for name, value in environment.items() if _PROXIES.match(name)}
    variables = {name: value for name, value in (proxy | proxies).items() if value}
    secrets = frozenset(part for url in variables.values() for part in _secrets_of(url))
    files = {}
    certificates = settings.cert or environment.get("SSL_CERT_FILE")
    if certificates and Path(certificates).is_file():
        files[f"{FOLDER}/certificates.pem"] = Path(certificates).read_bytes()
        variables |= dict.fromkeys(_CERTIFICATE_VARIABLES, f"{FOLDER}/certificates.pem")
    files[f"{FOLDER}/environment.json"] = json.dumps(variables).encode()
    return NetworkSettings(files=files, secrets=secrets)


def _secrets_of(url: str) -> Iterator[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return
    if password:
        yield from {password, unquote(password)}
