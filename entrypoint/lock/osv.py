"""OSV, the database of vulnerabilities: packages go in, advisories come out.

https://google.github.io/osv.dev/api/. One question for a thousand packages gives the ids of what is known;
each record is then read once. Asked through what pip's configuration says of proxies and certificates.
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

_AT_ONCE = 1_000
"""Packages in one question; the API takes no more."""
_NOT_OURS = "check the network, or name a mirror under 'audit: {url: ...}'"


class Osv:
    """The database at an address."""

    def __init__(self, url: str, *, environment: Mapping[str, str]) -> None:
        self._url = url.rstrip("/")
        self._environment = environment

    def advisories(
        self, packages: Sequence[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tuple[Advisory, ...]]:
        """Return what is known of these names and versions.

        Raises:
            FetchError: where it cannot be asked, or answers something else.
        """
        settings, shown = read_pip_settings(self._environment), without_credentials(self._url)
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
            raise FetchError(*(Diagnostic(each.message, _NOT_OURS) for each in error.problems)) from None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise FetchError.of(f"{shown} does not answer as OSV does: {error!r}", _NOT_OURS) from None

    def _ids(
        self, client: PatientClient, packages: Sequence[tuple[str, str]]
    ) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {package: [] for package in packages}
        asked = [(package, "") for package in packages]
        while asked:
            now, asked = asked[:_AT_ONCE], asked[_AT_ONCE:]
            answer = client.post(
                f"{self._url}/v1/querybatch", json={"queries": [_query(*each) for each in now]}
            )
            for (package, _), result in zip(now, json.loads(answer.content)["results"], strict=True):
                found[package] += [each["id"] for each in result.get("vulns", ())]
                if token := result.get("next_page_token"):
                    asked.append((package, token))
        return found

    def _record(self, client: PatientClient, name: str) -> Mapping[str, object]:
        answer = client.get(f"{self._url}/v1/vulns/{quote(name, safe='')}")
        record: Mapping[str, object] = json.loads(answer.content)
        return record


def _query(package: tuple[str, str], page_token: str) -> dict[str, object]:
    name, version = package
    query: dict[str, object] = {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
    return query | ({"page_token": page_token} if page_token else {})
