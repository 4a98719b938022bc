"""Runs pip-compile as if on another platform; a script for a process of its own.

Its parent talks to it in lines of JSON: the Target first, on stdin. A line on stdout is a question, the
name and version of an sdist; the answer, on stdin, is its METADATA. What people read goes to stderr.

pip-compile resolves for the interpreter and machine that run it. pip can be told another platform
for wheel tags, but markers and Requires-Python stay the host's (https://github.com/pypa/pip/issues/6117),
and pip-compile passes neither on. Nor may it build an sdist to learn what that needs: this machine is
not the platform, and a lock is no reason to run a stranger's code. So some internals of pip are
replaced here, in this process only: markers and tags are the platform's, and the METADATA of an sdist
comes from whoever started the process. They may change with any release of pip: all are checked before
anything is resolved, and a pip that differs ends in CHANGED and a message, never in a wrong lock.
"""

import functools
import inspect
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, NoReturn, TypedDict

#: Exit code: pip or pip-tools is not as this script knows it.
CHANGED = 70
#: Exit code: there is no resolution, and the reason stands on stderr.
NO_RESOLUTION = 2


class TargetPlatform(TypedDict):
    """The platform to resolve for, and what to say to pip-compile."""

    environment: dict[str, str]
    #: [interpreter, abi, platform], best first.
    tags: list[list[str]]
    python: list[int]
    arguments: list[str]


def main() -> None:
    """Resolve; ends the process with pip-compile's own exit code."""
    parent = _Parent()
    target: TargetPlatform = parent.hear()
    try:
        _see_markers_of(target["environment"])
        _see_files_of(target["python"], target["tags"])
        _ask_about_sources(parent)
        _check_markers(target["environment"])
        _check_tags(target["tags"])
    except (ImportError, AttributeError, TypeError) as error:
        _changed(f"{type(error).__name__}: {error}")
    _compile(target["arguments"])


class _Parent:
    """The pipes to whoever started the process, put aside, so that nothing else reads or writes them."""

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(0), "rb")
        self._questions = os.fdopen(os.dup(1), "wb")
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - it has to be opened for its descriptor
            os.dup2(nothing.fileno(), 0)
        os.dup2(2, 1)

    def ask(self, name: str, version: str) -> bytes:
        """Return the METADATA of an sdist."""
        self._questions.write(json.dumps([name, version]).encode() + b"\n")
        self._questions.flush()
        metadata: str = self.hear()["metadata"]
        return metadata.encode()

    def hear(self) -> Any:  # noqa: ANN401 - whatever the parent sends
        """Return what the parent says next; where it has gone, so does this process."""
        return json.loads(self._answers.readline() or sys.exit(NO_RESOLUTION))


def _see_markers_of(environment: dict[str, str]) -> None:
    """Let every marker be judged in the environment of the target."""
    from pip._vendor.packaging import markers  # noqa: PLC0415 - what is missing is reported by main

    if not callable(markers.default_environment):
        _changed("markers.default_environment is no function")
    markers.default_environment = lambda: dict(environment)  # type: ignore[assignment, return-value]


def _see_files_of(python: Sequence[int], tags: Sequence[Sequence[str]]) -> None:
    """Let the finder accept the target's tags, and finder and resolver its Requires-Python."""
    from pip._internal.cli.req_command import RequirementCommand  # noqa: PLC0415
    from pip._internal.models.target_python import TargetPython  # noqa: PLC0415
    from pip._vendor.packaging.tags import Tag  # noqa: PLC0415

    accepted = [Tag(*tag) for tag in tags]

    class Platform(TargetPython):
        """Answers with the tags it was given, in their order, where pip would compute its own."""

        def get_sorted_tags(self) -> list[Tag]:
            return accepted

        def get_unsorted_tags(self) -> set[Tag]:
            return set(accepted)

    build_finder = RequirementCommand._build_package_finder  # noqa: SLF001
    make_resolver = RequirementCommand.make_resolver.__func__  # type: ignore[attr-defined]
    platform = Platform(py_version_info=tuple(python))
    RequirementCommand._build_package_finder = _always(  # type: ignore[method-assign]  # noqa: SLF001
        build_finder, target_python=platform
    )
    RequirementCommand.make_resolver = classmethod(  # type: ignore[assignment, method-assign]
        _always(make_resolver, py_version_info=tuple(python))
    )


def _ask_about_sources(parent: _Parent) -> None:
    """Let the METADATA of sdists come from the parent; nothing is downloaded whole, and nothing is built."""
    from pip._internal.exceptions import InstallationError  # noqa: PLC0415
    from pip._internal.metadata import get_metadata_distribution  # noqa: PLC0415
    from pip._internal.operations import prepare  # noqa: PLC0415
    from pip._internal.req.req_install import InstallRequirement  # noqa: PLC0415
    from pip._vendor.packaging.utils import parse_sdist_filename  # noqa: PLC0415

    operations: Any = prepare
    preparer: Any = prepare.RequirementPreparer
    fetch_metadata = preparer._fetch_metadata_only  # noqa: SLF001
    _accepts(fetch_metadata, "req")
    _accepts(get_metadata_distribution, "metadata_contents", "filename", "canonical_name")

    def described(self: object, req: InstallRequirement) -> object:
        if req.link is None or req.link.is_wheel:
            return fetch_metadata(self, req)
        name, version = parse_sdist_filename(req.link.filename)
        return get_metadata_distribution(parent.ask(name, str(version)), req.link.filename, name)

    def refused(req: InstallRequirement) -> object:
        if req.link is None or not req.link.is_wheel:
            raise InstallationError(f"{req} would have to be built on this machine")
        return prepared(req)

    prepared = operations.make_distribution_for_install_requirement
    operations.make_distribution_for_install_requirement = refused
    preparer._fetch_metadata_only = described  # noqa: SLF001
    if not callable(preparer.prepare_linked_requirements_more):
        _changed("prepare_linked_requirements_more is no function")
    preparer.prepare_linked_requirements_more = lambda *_, **__: None


def _accepts(function: Callable[..., Any], *names: str) -> None:
    missing = set(names) - inspect.signature(function).parameters.keys()
    if missing:
        _changed(f"{function.__qualname__} takes no {', '.join(sorted(missing))}")


def _always(function: Callable[..., Any], **given: object) -> Callable[..., Any]:
    """Make a function get some keyword arguments whatever its caller says."""
    _accepts(function, *given)

    @functools.wraps(function)
    def wrapper(*args: object, **keywords: object) -> object:
        return function(*args, **{**keywords, **given})

    return wrapper


def _check_markers(environment: dict[str, str]) -> None:
    from pip._vendor.packaging.markers import Marker  # noqa: PLC0415

    for name, value in environment.items():
        if not Marker(f'{name} == "{value}"').evaluate():
            _changed(f"the marker {name} is not judged for the target")


def _check_tags(tags: Sequence[Sequence[str]]) -> None:
    """Build a finder the way pip-compile does, and compare the tags that it looks for."""
    from pip._internal.commands import create_command  # noqa: PLC0415

    command: Any = create_command("install")
    options, _ = command.parse_args([])
    with command._build_session(options) as session:  # noqa: SLF001
        finder = command._build_package_finder(options=options, session=session)  # noqa: SLF001
        found = [[tag.interpreter, tag.abi, tag.platform] for tag in finder.target_python.get_sorted_tags()]
    if found != [[part.lower() for part in tag] for tag in tags]:
        _changed("the finder looks for other tags than those of the target")


def _compile(arguments: Sequence[str]) -> None:
    from pip._internal.exceptions import PipError  # noqa: PLC0415
    from piptools.scripts.compile import cli  # noqa: PLC0415

    try:
        cli.main(args=list(arguments), prog_name="pip-compile")
    except PipError as error:
        print(f"ERROR: {error}", file=sys.stderr)  # noqa: T201 - stderr is how the parent hears of it
        sys.exit(NO_RESOLUTION)


def _changed(what: str) -> NoReturn:
    versions = f"pip {version('pip')} with pip-tools {version('pip-tools')}"
    print(f"ERROR: {versions} cannot resolve for another platform: {what}", file=sys.stderr)  # noqa: T201
    sys.exit(CHANGED)


if __name__ == "__main__":
    main()
