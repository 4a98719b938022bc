"""Requirements that name the URL of a file and its digest: `name @ https://.../name-1.0-py3-none-any.whl#sha256=...`.

The digest makes them as exact as a pin: whatever the server returns later, other bytes are refused.
https://packaging.python.org/en/latest/specifications/version-specifiers/#direct-references
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from entrypoint.index.sources import THIS_MACHINE

_SHA256 = re.compile(r"[0-9a-f]{64}")


class DirectFile(NamedTuple):
    """A wheel or an sdist at a URL; the name is canonical, the digest hex."""

    name: str
    version: str
    url: str
    filename: str
    sha256: str


def direct_file(requirement: Requirement) -> DirectFile:
    """Return the file that a requirement with a URL names.

    Raises:
        ValueError: it is no wheel or sdist of that name, has no digest, or the URL is not encrypted.
    """
    parts = urlsplit(requirement.url or "")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in THIS_MACHINE):
        raise ValueError("is not an https URL of a wheel or an sdist")
    if parts.username or parts.password:
        raise ValueError("has a user name or a password, which belong in netrc or the keyring")
    filename = unquote(parts.path.rpartition("/")[2])
    try:
        parse = parse_wheel_filename if filename.endswith(".whl") else parse_sdist_filename
        name, version = parse(filename)[:2]
    except (InvalidWheelFilename, InvalidSdistFilename):
        raise ValueError("does not have the filename of a wheel or an sdist") from None
    if name != canonicalize_name(requirement.name):
        raise ValueError(f"is a file of {name}, not of {requirement.name}")
    fragment = parse_qs(parts.fragment, keep_blank_values=True)
    if other := sorted(fragment.keys() - {"sha256", "egg"}):
        raise ValueError(f"has #{other[0]}=, which is not supported")
    (sha256, *_) = fragment.get("sha256", [""])
    if not _SHA256.fullmatch(sha256):
        raise ValueError("has no digest: add #sha256= and 64 hexadecimal digits")
    url = parts._replace(fragment="").geturl()
    return DirectFile(str(name), str(version), url, filename, sha256)
