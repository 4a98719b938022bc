"""Which index each package comes from, where there are several: never the one that has the newest version.

Anyone can upload a package of any name to a public index. So a name that several indexes list must be that of
the same package, or the manifest says which index it comes from.
"""

from collections.abc import Iterable, Iterator

from packaging.version import Version

from entrypoint.errors import Diagnostic, Location
from entrypoint.index.candidates import IndexFile, version_of
from entrypoint.index.options import plain_url
from entrypoint.index.package_index import PackageIndex
from entrypoint.index.pin import Pin
from entrypoint.index.project_sources import ProjectIndex
from entrypoint.lock.requirement_lines import RequirementLines


def wrong_indexes(lines: RequirementLines, index: PackageIndex, location: Location) -> Iterator[Diagnostic]:
    """Yield the indexes of the manifest and of projects that packages would not come from."""
    urls = index.urls
    for url in dict.fromkeys(plain_url(url) for _, url in lines.options.index_of):
        if url not in urls:
            message = f"{url} under 'index_of' is none of the indexes: {', '.join(sorted(urls)) or 'none'}"
            yield Diagnostic(message, "set it in pip's configuration, or with --extra-index-url", location)
    for named, where in lines.indexes:
        yield from wrong_index(named, index, where)


def wrong_index(named: ProjectIndex, index: PackageIndex, location: Location) -> Iterator[Diagnostic]:
    """Yield a problem if what a project takes from an index would not come from there."""
    url, urls = plain_url(named.url), index.urls
    if named.name and url != index.index_for(named.name) and urls != {url}:
        message = f"{named.name} comes from {url}, and would be looked up in {', '.join(sorted(urls))}"
        hint = f"add to the layer: index_of: {{{named.name}: {url}}}"
        yield Diagnostic(message, hint, location)
    elif url not in urls:
        message = f"this project uses the index {url}, which is not configured"
        yield Diagnostic(message, "set it in pip's configuration, or with --index-url", location)


def strangers(pins: Iterable[Pin], index: PackageIndex) -> Iterator[Diagnostic]:
    """Yield the pins whose name may be that of different packages on different indexes.

    Indexes of the same package, such as a mirror of a part of another, have files in common.
    """
    if len(index.urls) < 2:  # noqa: PLR2004 - one
        return
    for pin in pins:
        listed = index.by_index(pin.name)
        digests = [{file.filename: file.sha256 for file in files} for files in listed.values()]
        if _is_one_package(digests):
            continue
        having = [url for url, files in listed.items() if _has(files, pin.version)]
        where, has = " and on ".join(listed), " and on ".join(having)
        message = f"{pin.name} may be different packages on {where}: these have no file in common, "
        message += f"or different ones of the same name; {pin.version} is on {has}"
        hint = f"say which index it comes from: index_of: {{{pin.name}: {(having or list(listed))[0]}}}"
        yield Diagnostic(message, hint, pin.location)


def _has(files: Iterable[IndexFile], version: str) -> bool:
    return any(version_of(file.filename) == Version(version) for file in files)


def _is_one_package(indexes: list[dict[str, str | None]]) -> bool:
    """Return whether indexes are connected by common files, by name and listed digest, and none differ."""
    files, rest = dict[str, str | None](*indexes[:1]), indexes[1:]
    while connected := next((index for index in rest if index.keys() & files.keys()), None):
        if any(connected[name] != files[name] or not files[name] for name in connected.keys() & files.keys()):
            return False
        files |= connected
        rest.remove(connected)
    return not rest
