"""pip-tools: requirements -> the pins that pip-compile finds for a platform, as text.

pip-compile runs in a separate process for each question. Its environment has no AWS or GitHub credentials,
because build backends may run there.
"""

import json
import re
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
from entrypoint.index.options import IndexOptions, plain_url, without_credentials
from entrypoint.index.pip_settings import filled
from entrypoint.index.tags import marker_environment, supported_tags
from entrypoint.lock.engine import NOWHERE, Ask, Question, UnresolvableError
from entrypoint.lock.pip_compile_for_platform import CHANGED, TargetPlatform
from entrypoint.lock.pip_compile_process import KILLED, started, variables
from entrypoint.manifest.runtimes import Platform

_SECRET_VARIABLES = re.compile(r"^(?:AWS_|ACTIONS_|GITHUB_TOKEN$|GH_TOKEN$)")
_NO_MATCH = re.compile(r"^\s*ERROR: No matching distribution found for (.+?)(?: \(from .*)?$", re.MULTILINE)
_INVALID = re.compile(
    r"^ *WARNING: Ignoring version (\S+) of (\S+) since it has invalid metadata:\n"
    r".* has invalid metadata: (.+)\n(?: +(.+)\n +~*\^)?",
    re.MULTILINE,
)
_VERSIONS = re.compile(r"\(from versions: (.+)\)")
_SHOWN_VERSIONS = 10
"""The newest of those that an index has."""
_CONFLICT = re.compile(r"^ *The conflict is caused by:\n((?: +\S.*\n)+)", re.MULTILINE)
_ERROR = re.compile(r"^\s*ERROR: (?!ResolutionImpossible)(.+)$", re.MULTILINE)
# Temporary files, which mean nothing to the user.
_OUR_FILE = re.compile(r" \(from -r \S+ \(line \d+\)\)")
_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==(\S+)", re.MULTILINE)
_ARGUMENTS = (
    # A user's [tool.pip-tools] is for other locks, and may conflict with the options below.
    "--no-config",
    # `lock_text` writes header, indexes and hashes; pip-compile only provides pins and `via` comments.
    # Its --generate-hashes would take four fifths of the time, and list the files of all platforms.
    *("--no-header", "--no-emit-index-url", "--no-emit-trusted-host"),
    *("--no-emit-options", "--no-emit-find-links", "--annotate", "--annotation-style=split"),
    # In a layer, pip and setuptools are ordinary packages.
    "--allow-unsafe",
    # The packages of an extra are pinned too, and `name[extra]==1` is not a valid constraint.
    "--strip-extras",
    "--resolver=backtracking",
    # Without it, pip does not report which requirements conflict.
    "--verbose",
    # Prefer a version with a compatible wheel to a newer one without.
    "--pip-args=--prefer-binary --disable-pip-version-check --no-input",
)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that hold AWS and GitHub credentials."""
    return {name: value for name, value in environment.items() if not _SECRET_VARIABLES.match(name)}


class PipCompile:
    """Runs pip-compile for any platform. Threads may share it.

    Args:
        environment: the variables for pip; those with AWS and GitHub credentials are removed.
        variables: the values for `${NAME}` in URLs, which pip would otherwise take from the environment.
        mask: hides credentials in pip's output.
    """

    wheels_only = False

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
        mask: Callable[[str], str] = without_credentials,
    ) -> None:
        self._environment = without_secrets(environment)
        self._variables = variables or {}
        self._mask = mask

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Resolve a question.

        Raises:
            UnresolvableError: there is no resolution.
            FetchError: a variable in a URL is not set.
        """
        question = replace(question, options=filled(question.options, self._variables))
        answer = self._resolved(question, platform, ask)
        if question.pins and question.upgrade_packages:
            return self._upgraded(question, platform, ask, answer)
        return answer

    def _upgraded(self, question: Question, platform: Platform, ask: Ask, answer: str) -> str:
        """Upgrade the requested packages that a pin of one of their dependencies holds back.

        pip-compile treats existing pins as constraints, and drops one only if there is no other resolution.
        So the versions are found without pins first, and then required.
        """
        pinned, free = versions(answer), versions(self._resolved(replace(question, pins=()), platform, ask))
        names = [canonicalize_name(Requirement(text).name) for text in question.upgrade_packages]
        behind = [name for name in names if name in pinned and name in free and pinned[name] < free[name]]
        if not behind:
            return answer
        required = (*question.upgrade_packages, *(f"{name}=={free[name]}" for name in behind))
        try:
            return self._resolved(replace(question, upgrade_packages=required), platform, ask)
        except UnresolvableError:  # pip-compile does not drop the pin
            return answer

    def _resolved(self, question: Question, platform: Platform, ask: Ask) -> str:
        with tempfile.TemporaryDirectory(prefix="lambda-layers-lock-") as folder:
            arguments = _write_files(Path(folder), question)
            with (Path(folder) / "stderr.txt").open("w+b") as stderr:
                target = _target(platform, arguments, variables(self._environment), question.options)
                code = self._run(target, ask, stderr)
                stderr.seek(0)
                output = stderr.read().decode("utf-8", "replace")
            if code:
                raise self._failure(code, output)
            return (Path(folder) / "pins.txt").read_text("utf-8")

    def _run(self, target: TargetPlatform, ask: Ask, stderr: BinaryIO) -> int:
        """Start the process, answer its questions until it exits, and return its exit code.

        If `ask` raises, the pipes are closed, and the process exits by itself.
        """
        with started(self._environment, stderr) as process:
            _send(process.stdin, target)
            for line in process.stdout:
                message = json.loads(line)
                if isinstance(message, int):
                    return message
                name, version = message
                _send(process.stdin, {"metadata": ask(name, version).decode("utf-8", "replace")})
            return process.exit_code()

    def _failure(self, code: int, output: str) -> LockError:
        output = self._mask(output)
        message = _error_message(output) or f"pip-compile exited with code {code} and no output"
        if code == CHANGED:
            hint = "install the pip and pip-tools versions that this release requires"
            return LockError(Diagnostic(message, hint))
        if code == KILLED:
            hint = "look for the reason in the log of the system; often there was not enough memory"
            return LockError(Diagnostic("pip-compile was killed", hint))
        hint = "loosen or correct these requirements"
        return UnresolvableError(Diagnostic(message, hint), missing=tuple(_NO_MATCH.findall(output)))


def _write_files(folder: Path, question: Question) -> Sequence[str]:
    """Write the input files, return the arguments; credentials go to files, as others can see arguments."""
    texts = {
        "requirements.in": (*_option_lines(question.options), *question.requirements),
        "constraints.txt": question.all_constraints,
        "pins.txt": question.pins,
    }
    for name, lines in texts.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    arguments = [*_ARGUMENTS, f"--output-file={folder / 'pins.txt'}"]
    if question.all_constraints:
        arguments.append(f"--constraint={folder / 'constraints.txt'}")
    arguments += [f"--upgrade-package={name}" for name in question.upgrade_packages]
    return [*arguments, str(folder / "requirements.in")]


def versions(answer: str) -> dict[str, Version]:
    """Return the pinned versions in pip-compile's output, by name."""
    return {canonicalize_name(name): Version(version) for name, version in _PIN.findall(answer)}


def _option_lines(options: IndexOptions) -> Iterable[str]:
    """Yield the options as lines of a requirements file."""
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


def _target(
    platform: Platform,
    arguments: Sequence[str],
    variables: Mapping[str, str],
    options: IndexOptions | None = None,
) -> TargetPlatform:
    environment = marker_environment(platform)
    return TargetPlatform(
        folder=str(Path.cwd()),
        variables=dict(variables),
        environment=environment,
        tags=[[tag.interpreter, tag.abi, tag.platform] for tag in supported_tags(platform)],
        python=[int(part) for part in environment["python_full_version"].split(".")],
        arguments=list(arguments),
        index_of=[[glob, plain_url(url)] for glob, url in options.index_of] if options else [],
    )


def _send(stdin: IO[bytes], message: Mapping[str, object]) -> None:
    """Send one line; if the process has already exited, its exit code is reported instead."""
    with suppress(OSError):  # on Windows, not a BrokenPipeError
        stdin.write(json.dumps(message).encode() + b"\n")


def _error_message(output: str) -> str:
    """Return pip's message about the cause, without progress, warnings and tracebacks."""
    output = _OUR_FILE.sub("", output).replace(NOWHERE, "")
    if conflict := _CONFLICT.search(output):
        causes = ", ".join(line.strip() for line in conflict[1].splitlines())
        return f"conflicting requirements: {causes}"
    errors = [
        *(
            f"{name} {version} has invalid metadata: {reason}" + (f": {line}" if line else "")
            for version, name, reason, line in _INVALID.findall(output)
        ),
        *(_VERSIONS.sub(_newest, error.strip()) for error in _ERROR.findall(output)),
    ]
    return ". ".join(dict.fromkeys(errors)) or next(reversed(output.strip().splitlines()), "").strip()


def _newest(found: re.Match[str]) -> str:
    """Return the versions that an index has, without the old ones."""
    names = found[1].split(", ")
    more = ["..."] if len(names) > _SHOWN_VERSIONS else []
    return f"(from versions: {', '.join([*more, *names[-_SHOWN_VERSIONS:]])})"
