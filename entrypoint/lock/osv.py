"""OSV, the vulnerability database: packages -> advisories.

https://google.github.io/osv.dev/api/. One query for up to a thousand packages returns the ids of their
vulnerabilities; each record is then read once. Proxies and certificates come from pip's configuration.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from urllib.parse import quote

from entrypoint.errors import Diagnostic, FetchError
from entrypoint.index.downloads import PatientClient, open_client
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import read_pip_settings
from entrypoint.lock.advisories import Advisory, read_advisories
from entrypoint.parallel import for_each

_MOST_ROUNDS = 100
_BATCH = 1_000
"""The API's maximum of packages in one query."""
_HINT = "check the network, or set a mirror under 'audit: {url: ...}'"


class Osv:
    """The database at a URL."""

    def __init__(self, url: str, *, environment: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._environment = environment

    def advisories(
        self, packages: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tuple[Advisory, ...]]:
        """Return the advisories of packages, by (name, version).

        Raises:
            FetchError: the database is unreachable, or its response is invalid.
        """
        settings = read_pip_settings(self._environment)
        try:
            with closing(open_client(settings, IndexOptions(), pause=time.sleep)) as client:
                ids = self._ids(client, packages)
                names = sorted({name for found in ids.values() for name in found})
                records = dict(
                    zip(names, for_each(names, lambda name: self._record(client, name)), strict=True)
                )
            return {
                package: read_advisories(package[0], [records[name] for name in found])
                for package, found in ids.items()
            }
        except FetchError as error:
            raise FetchError(*(Diagnostic(each.message, _HINT) for each in error.problems)) from None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            message = f"{without_credentials(self._url)} is not a valid OSV API: {error!r}"
            raise FetchError.of(message, _HINT) from None

    def _ids(
        self, client: PatientClient, packages: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {package: [] for package in packages}
        pending = [(package, "") for package in packages]
        rounds = 0
        while pending:
            rounds += 1
            if rounds > _MOST_ROUNDS:
                raise ValueError("it has pages without an end")
            batch, pending = pending[:_BATCH], pending[_BATCH:]
            response = client.post(
                f"{self._url}/v1/querybatch", json={"queries": [_query(*each) for each in batch]}
            )
            for (package, _), result in zip(batch, json.loads(response.content)["results"], strict=True):
                found[package] += [each["id"] for each in result.get("vulns", ())]
                if token := result.get("next_page_token"):
                    pending.append((package, token))
        return found

    def _record(self, client: PatientClient, name: str) -> Mapping[str, object]:
        response = client.get(f"{self._url}/v1/vulns/{quote(name, safe='')}")
        record: Mapping[str, object] = json.loads(response.content)
        return record


def _query(package: tuple[str, str], page_token: str) -> dict[str, object]:
    name, version = package
    query: dict[str, object] = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    return query | ({"page_token": page_token} if page_token else {})
