"""pip-tools: requirements go in, the pins that pip-compile finds for a platform come out as text.

pip-compile runs in a process of its own, in isolated mode: nothing in the user's checkout is
imported, and no credential of AWS or GitHub is in its environment, as build backends may run there.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, BinaryIO

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from entrypoint.errors import Diagnostic, LockError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.tags import marker_environment, supported_tags
from entrypoint.lock.pip_compile_for_platform import CHANGED, TargetPlatform
from entrypoint.lock.resolve import Ask, Question, UnresolvableError
from entrypoint.manifest.runtimes import Platform

_SECRET_VARIABLES = re.compile(r"^(?:AWS_|ACTIONS_|GITHUB_TOKEN$|GH_TOKEN$)")
_NO_MATCH = re.compile(r"^\s*ERROR: No matching distribution found for (.+?)(?: \(from .*)?$", re.MULTILINE)
_CONFLICT = re.compile(r"^ *The conflict is caused by:\n((?: +\S.*\n)+)", re.MULTILINE)
_ERROR = re.compile(r"^\s*ERROR: (?!ResolutionImpossible)(.+)$", re.MULTILINE)
# The files that pip-compile is handed are not the user's.
_OUR_FILE = re.compile(r" \(from -r \S+ \(line \d+\)\)")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)
_ARGUMENTS = (
    # A user's [tool.pip-tools] is for locks of another kind, and could ask for what is refused below.
    "--no-config",
    # Header, indexes and hashes are written by `lock_text`; of pip-compile only pins and `via` are wanted.
    # Its own --generate-hashes would be four fifths of the time, and list the files of all platforms.
    *("--no-header", "--no-emit-index-url", "--no-emit-trusted-host"),
    *("--no-emit-options", "--no-emit-find-links", "--annotate", "--annotation-style=split"),
    # pip and setuptools are packages like any other in a layer.
    "--allow-unsafe",
    # All that an extra asks for is pinned as well, and `name[extra]==1` is no valid constraint.
    "--strip-extras",
    "--resolver=backtracking",
    # Only then does pip say which requirements contradict each other.
    "--verbose",
    # A version with a wheel that fits, before a newer one that has to be compiled.
    "--pip-args=--prefer-binary --disable-pip-version-check --no-input",
)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables that hold credentials of AWS and GitHub, for processes that need none."""
    return {name: value for name, value in environment.items() if not _SECRET_VARIABLES.match(name)}


class PipCompile:
    """Runs pip-compile for any platform. Threads may share it.

    Args:
        environment: the variables that pip sees; those with credentials of AWS and GitHub are taken out.
        mask: hides credentials in pip's output.
    """

    wheels_only = False

    def __init__(
        self, *, environment: Mapping[str, str], mask: Callable[[str], str] = without_credentials
    ) -> None:
        self._environment = without_secrets(environment)
        self._mask = mask

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Resolve; raises UnresolvableError where there is no answer."""
        answer = self._resolved(question, platform, ask)
        if question.pins and question.upgrade_packages:
            return self._upgraded(question, platform, ask, answer)
        return answer

    def _upgraded(self, question: Question, platform: Platform, ask: Ask, answer: str) -> str:
        """Move packages that are to be upgraded and stay behind for a pin of something that they need.

        pip-compile takes pins as constraints. It lets go of one only for what cannot be had otherwise,
        so the versions that no pin would hold back are found first, and then insisted on.
        """
        now, free = versions(answer), versions(self._resolved(replace(question, pins=()), platform, ask))
        names = [canonicalize_name(Requirement(text).name) for text in question.upgrade_packages]
        behind = [name for name in names if name in now and name in free and now[name] < free[name]]
        if not behind:
            return answer
        insisting = (*question.upgrade_packages, *(f"{name}=={free[name]}" for name in behind))
        try:
            return self._resolved(replace(question, upgrade_packages=insisting), platform, ask)
        except UnresolvableError:  # held back by a pin that pip-compile does not let go of
            return answer

    def _resolved(self, question: Question, platform: Platform, ask: Ask) -> str:
        with tempfile.TemporaryDirectory(prefix="lambda-layers-lock-") as folder:
            arguments = _write_files(Path(folder), question)
            with (Path(folder) / "said.txt").open("w+b") as said:
                code = self._run(_target(platform, arguments), ask, said)
                said.seek(0)
                output = said.read().decode("utf-8", "replace")
            if code:
                raise self._failure(code, output)
            return (Path(folder) / "pins.txt").read_text("utf-8")

    def _run(self, target: TargetPlatform, ask: Ask, said: BinaryIO) -> int:
        """Start the process and answer its questions until it ends; return its exit code.

        What `ask` raises closes the pipes, at which the process ends by itself.
        """
        with subprocess.Popen(
            [sys.executable, "-I", "-m", "entrypoint.lock.pip_compile_for_platform"],
            env=self._environment,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,  # a file takes any amount, so that nobody has to read while questions are answered
        ) as process:
            assert process.stdin and process.stdout  # noqa: PT018, S101 - both were asked for
            _tell(process.stdin, target)
            for question in process.stdout:
                name, version = json.loads(question)
                _tell(process.stdin, {"metadata": ask(name, version).decode("utf-8", "replace")})
        return process.returncode

    def _failure(self, code: int, output: str) -> LockError:
        output = self._mask(output)
        message = _essence(output) or f"pip-compile ended with {code} and said nothing"
        if code == CHANGED:
            hint = "install the versions of pip and pip-tools that this release names"
            return LockError(Diagnostic(message, hint))
        hint = "loosen or correct the requirements that are named"
        return UnresolvableError(Diagnostic(message, hint), missing=tuple(_NO_MATCH.findall(output)))


def _write_files(folder: Path, question: Question) -> Sequence[str]:
    """Lay out what pip-compile reads. Files, as arguments could be seen by every user of the machine."""
    texts = {
        "requirements.in": (*_option_lines(question.options), *question.requirements),
        "constraints.txt": question.constraints,
        "pins.txt": question.pins,
    }
    for name, lines in texts.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    arguments = [*_ARGUMENTS, f"--output-file={folder / 'pins.txt'}"]
    if question.constraints:
        arguments.append(f"--constraint={folder / 'constraints.txt'}")
    arguments += [f"--upgrade-package={name}" for name in question.upgrade_packages]
    return [*arguments, str(folder / "requirements.in")]


def versions(answer: str) -> dict[str, Version]:
    """Read the pins that were found, by name."""
    return {canonicalize_name(name): Version(version) for name, version in _PIN.findall(answer)}


def _option_lines(options: IndexOptions) -> Iterable[str]:
    """Write the options for pip's own reader; `${NAME}` is left for it to fill in."""
    if options.index_url:
        yield f"--index-url {options.index_url}"
    yield from (f"--extra-index-url {url}" for url in options.extra_index_urls)
    yield from (f"--find-links {location}" for location in options.find_links)
    yield from (f"--trusted-host {host}" for host in options.trusted_hosts)
    yield from (f"--no-binary {names}" for names in options.no_binary)
    yield from (f"--only-binary {names}" for names in options.only_binary)
    switches = {
        "--no-index": options.no_index,
        "--pre": options.pre,
    }
    yield from (switch for switch, is_on in switches.items() if is_on)


def _target(platform: Platform, arguments: Sequence[str]) -> TargetPlatform:
    environment = marker_environment(platform)
    return TargetPlatform(
        environment=environment,
        tags=[[tag.interpreter, tag.abi, tag.platform] for tag in supported_tags(platform)],
        python=[int(part) for part in environment["python_full_version"].split(".")],
        arguments=list(arguments),
    )


def _tell(stdin: IO[bytes], message: Mapping[str, object]) -> None:
    """Send one line; a process that has ended already tells why by its exit code."""
    with suppress(OSError):  # on Windows it is no BrokenPipeError
        stdin.write(json.dumps(message).encode() + b"\n")


def _essence(output: str) -> str:
    """Pick what pip says about the cause; progress, warnings and tracebacks are left out."""
    output = _OUR_FILE.sub("", output)
    if conflict := _CONFLICT.search(output):
        causes = ", ".join(line.strip() for line in conflict[1].splitlines())
        return f"the requirements contradict each other: {causes}"
    errors = dict.fromkeys(error.strip() for error in _ERROR.findall(output))
    return ". ".join(errors) or next(reversed(output.strip().splitlines()), "").strip()
