"""Runs pip-compile for another platform; a script that runs in a separate process.

The parent process exchanges lines of JSON with it. First, the parent writes the TargetPlatform to stdin.
Then each line on stdout is a question, the name and version of an sdist; the parent answers on stdin with
its METADATA. Messages for people go to stderr.

To import pip and pip-tools takes longer than most resolutions. With --serve, the script imports them once.
Then it forks a process for each set of stdin, stdout and stderr that the parent sends; the last line on that
stdout is the exit code.

pip-compile resolves for the interpreter and machine that run it. pip accepts another platform for wheel
tags, but not for markers and Requires-Python (https://github.com/pypa/pip/issues/6117), and pip-compile
passes on neither. It must not build an sdist to read its metadata either: this machine is not the
platform, and locking must not run untrusted code. So some internals of pip are replaced here, in this
process only: markers and tags are the platform's, and the METADATA of an sdist comes from the parent
process. Any release of pip may change these internals. All of them are checked before anything is
resolved; a mismatch exits with CHANGED and a message, and never results in a wrong lock.
"""

import functools
import gc
import importlib
import inspect
import json
import os
import re
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from importlib.metadata import version
from typing import Any, NoReturn, TypedDict
from urllib.parse import urlsplit, urlunsplit

#: Exit code: the internals of pip or pip-tools are not as expected.
CHANGED = 70
#: Exit code: there is no resolution; the reason is on stderr.
NO_RESOLUTION = 2


_IMPORTED_WHILE_RESOLVING = ("piptools.scripts.compile", "pip._internal.commands.install")


class TargetPlatform(TypedDict):
    """The platform to resolve for, and the folder, variables and arguments for pip-compile."""

    folder: str
    variables: dict[str, str]
    environment: dict[str, str]
    #: [interpreter, abi, platform], best first.
    tags: list[list[str]]
    python: list[int]
    arguments: list[str]
    #: [glob of names, URL without credentials and without a slash at its end] of the only index of packages.
    index_of: list[list[str]]


def main() -> None:
    """Resolve, and exit with pip-compile's exit code."""
    parent = _Parent()
    target: TargetPlatform = parent.receive()
    os.chdir(target["folder"])
    os.environ.update(target["variables"])
    try:
        _choose_cache()
        _replace_markers(target["environment"])
        _replace_tags(target["python"], target["tags"])
        _replace_sdist_metadata(parent)
        _replace_indexes(target["index_of"])
        _check_markers(target["environment"])
        _check_tags(target["tags"])
    except (ImportError, AttributeError, TypeError) as error:
        _changed(f"{type(error).__name__}: {error}")
    _compile(target["arguments"])


def serve() -> None:
    """Fork a process for each message on stdin, a socket; return when the parent has closed or exited."""
    with suppress(Exception):  # it occurs again in main, which reports it
        _import()
    gc.freeze()  # the processes share this memory while no collection writes to it
    requests, running = socket.socket(fileno=0), set[int]()
    while True:
        message, descriptors, *_ = socket.recv_fds(requests, 1, 3)
        running = {process for process in running if not os.waitpid(process, os.WNOHANG)[0]}
        if not message:
            break
        process = os.fork()
        if not process:
            _answer(descriptors)
        running.add(process)
        for descriptor in descriptors:
            os.close(descriptor)
    for process in running:
        os.kill(process, signal.SIGTERM)


def _import() -> None:
    """Import what every resolution needs; none of it starts a thread."""
    os.environ["XDG_CACHE_HOME"] = os.sep  # pip-tools fails without it or a home; see _choose_cache
    try:
        for name in _IMPORTED_WHILE_RESOLVING:
            importlib.import_module(name)
    finally:
        del os.environ["XDG_CACHE_HOME"]


def _answer(descriptors: Iterable[int]) -> NoReturn:
    """Resolve with these as stdin, stdout and stderr; the last line on stdout is the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # pip removes its temporary files
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    code = 1
    with os.fdopen(os.dup(1), "wb") as stdout:
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        except BaseException:  # noqa: BLE001 - as the interpreter does
            traceback.print_exc()
        sys.stderr.flush()
        with suppress(OSError):  # the parent has exited
            stdout.write(json.dumps(code).encode() + b"\n")
            stdout.flush()
    os._exit(0)


class _Parent:
    """The pipes to the parent process, moved to other descriptors so that nothing else uses them."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(0), "rb")
        self._questions = os.fdopen(os.dup(1), "wb")
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - only its descriptor is used
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)

    def ask(self, name: str, version: str) -> bytes:
        """Return the METADATA of an sdist."""
        self._questions.write(json.dumps([name, version]).encode() + b"\n")
        self._questions.flush()
        metadata: str = self.receive()["metadata"]
        return metadata.encode()

    def receive(self) -> Any:  # noqa: ANN401 - any JSON
        """Return the parent's next message; exit if the parent has exited."""
        return json.loads(self._answers.readline() or sys.exit(NO_RESOLUTION))


def _choose_cache() -> None:
    """Use the cache folder of the target's variables; pip-tools looks for it when it is imported."""
    from pip._internal.utils.appdirs import user_cache_dir  # noqa: PLC0415 - main reports an ImportError

    os.environ.setdefault("PIP_TOOLS_CACHE_DIR", user_cache_dir("pip-tools"))


def _replace_markers(environment: dict[str, str]) -> None:
    """Make pip evaluate every marker in the environment of the target."""
    from pip._vendor.packaging import markers  # noqa: PLC0415 - main reports an ImportError

    if not callable(markers.default_environment):
        _changed("markers.default_environment is not callable")
    markers.default_environment = lambda: dict(environment)  # type: ignore[assignment, return-value]


def _replace_tags(python: Sequence[int], tags: Sequence[Sequence[str]]) -> None:
    """Make the finder use the target's tags, and finder and resolver its version for Requires-Python."""
    from pip._internal.cli.req_command import RequirementCommand  # noqa: PLC0415
    from pip._internal.models.target_python import TargetPython  # noqa: PLC0415
    from pip._vendor.packaging.tags import Tag  # noqa: PLC0415

    accepted = [Tag(*tag) for tag in tags]
    accepted_set = set(accepted)  # pip asks for it once a file

    class Platform(TargetPython):
        """Returns the given tags in their order; pip would compute its own."""

        def get_sorted_tags(self) -> list[Tag]:
            return accepted

        def get_unsorted_tags(self) -> set[Tag]:
            return accepted_set

    build_finder = RequirementCommand._build_package_finder  # noqa: SLF001
    make_resolver = RequirementCommand.make_resolver.__func__  # type: ignore[attr-defined]
    platform = Platform(py_version_info=tuple(python))
    RequirementCommand._build_package_finder = _with_arguments(  # type: ignore[method-assign]  # noqa: SLF001
        build_finder, target_python=platform
    )
    RequirementCommand.make_resolver = classmethod(  # type: ignore[assignment, method-assign]
        _with_arguments(make_resolver, py_version_info=tuple(python))
    )


def _replace_sdist_metadata(parent: _Parent) -> None:
    """Take the METADATA of sdists from the parent; nothing is downloaded in full, and nothing is built."""
    from pip._internal.exceptions import InstallationError  # noqa: PLC0415
    from pip._internal.metadata import get_metadata_distribution  # noqa: PLC0415
    from pip._internal.operations import prepare  # noqa: PLC0415
    from pip._internal.req.req_install import InstallRequirement  # noqa: PLC0415
    from pip._vendor.packaging.utils import parse_sdist_filename  # noqa: PLC0415

    operations: Any = prepare
    preparer: Any = prepare.RequirementPreparer
    fetch_metadata = preparer._fetch_metadata_only  # noqa: SLF001
    _check_parameters(fetch_metadata, "req")
    _check_parameters(get_metadata_distribution, "metadata_contents", "filename", "canonical_name")

    def described(self: object, req: InstallRequirement) -> object:
        if req.link is None or req.link.is_wheel:
            return fetch_metadata(self, req)
        name, version = parse_sdist_filename(req.link.filename)
        return get_metadata_distribution(parent.ask(name, str(version)), req.link.filename, name)

    def refused(req: InstallRequirement) -> object:
        if req.link is None or not req.link.is_wheel:
            raise InstallationError(f"{req} must be built on this machine")
        return prepared(req)

    prepared = operations.make_distribution_for_install_requirement
    operations.make_distribution_for_install_requirement = refused
    preparer._fetch_metadata_only = described  # noqa: SLF001
    if not callable(preparer.prepare_linked_requirements_more):
        _changed("prepare_linked_requirements_more is not callable")
    preparer.prepare_linked_requirements_more = lambda *_, **__: None


def _replace_indexes(index_of: Sequence[Sequence[str]]) -> None:
    """Look up each package only in the index that it comes from."""
    from pip._internal.models.search_scope import SearchScope  # noqa: PLC0415

    locations = SearchScope.get_index_urls_locations
    _check_parameters(locations, "project_name")
    _check_parameters(SearchScope, "find_links", "index_urls", "no_index")

    def of_one_index(self: SearchScope, project_name: str) -> list[str]:
        name = re.sub(r"[-_.]+", "-", project_name).lower()
        only = next((url for glob, url in index_of if fnmatchcase(name, glob)), None)
        urls = [url for url in self.index_urls if only in {None, _plain(url)}]
        scope = SearchScope(find_links=self.find_links, index_urls=urls, no_index=self.no_index)
        return locations(scope, project_name)

    SearchScope.get_index_urls_locations = of_one_index  # type: ignore[method-assign]


def _plain(url: str) -> str:
    """Return a URL without credentials and without a slash at its end."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def _check_parameters(function: Callable[..., Any], *names: str) -> None:
    missing = set(names) - inspect.signature(function).parameters.keys()
    if missing:
        _changed(f"{function.__qualname__} has no parameter {', '.join(sorted(missing))}")


def _with_arguments(function: Callable[..., Any], **given: object) -> Callable[..., Any]:
    """Wrap a function so that some keyword arguments always have the given values."""
    _check_parameters(function, *given)

    @functools.wraps(function)
    def wrapper(*args: object, **keywords: object) -> object:
        return function(*args, **{**keywords, **given})

    return wrapper


def _check_markers(environment: dict[str, str]) -> None:
    from pip._vendor.packaging.markers import Marker  # noqa: PLC0415

    for name, value in environment.items():
        if not Marker(f'{name} == "{value}"').evaluate():
            _changed(f"the marker {name} is not evaluated for the target")


def _check_tags(tags: Sequence[Sequence[str]]) -> None:
    """Build a finder as pip-compile does, and compare its tags."""
    from pip._internal.commands import create_command  # noqa: PLC0415

    command: Any = create_command("install")
    options, _ = command.parse_args([])
    with command._build_session(options) as session:  # noqa: SLF001
        finder = command._build_package_finder(options=options, session=session)  # noqa: SLF001
        found = [[tag.interpreter, tag.abi, tag.platform] for tag in finder.target_python.get_sorted_tags()]
    if found != [[part.lower() for part in tag] for tag in tags]:
        _changed("the tags of the finder are not those of the target")


def _compile(arguments: Sequence[str]) -> None:
    from pip._internal.exceptions import PipError  # noqa: PLC0415
    from piptools.scripts.compile import cli  # noqa: PLC0415

    try:
        cli.main(args=list(arguments), prog_name="pip-compile")
    except PipError as error:
        print(f"ERROR: {error}", file=sys.stderr)  # noqa: T201 - the parent reads stderr
        sys.exit(NO_RESOLUTION)


def _changed(reason: str) -> NoReturn:
    versions = f"pip {version('pip')} with pip-tools {version('pip-tools')}"
    print(f"ERROR: {versions} cannot resolve for another platform: {reason}", file=sys.stderr)  # noqa: T201
    sys.exit(CHANGED)


if __name__ == "__main__":
    serve() if "--serve" in sys.argv else main()
