"""uv: requirements -> the pins that `uv pip compile` finds for a platform, as text.

Unlike pip-compile, uv can resolve for another platform and Python by itself. Its configuration makes it
behave as pip-compile does here: it gets pip's settings, which it does not read itself; it takes the best
version of all indexes, as pip does; and it builds nothing, because this machine is not the platform. It is
given the METADATA of the sdists to build from source, as pip-compile is.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from shutil import which

from packaging.metadata import parse_email
from packaging.utils import parse_sdist_filename

from entrypoint.errors import Diagnostic, LockError, UsageError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings, combined, read_pip_settings
from entrypoint.lock.engine import NOWHERE, Ask, Question, UnresolvableError
from entrypoint.lock.pip_compile import versions, without_secrets
from entrypoint.manifest.runtimes import Platform

#: The versions 2.x of glibc for which uv has a platform: https://docs.astral.sh/uv/reference/cli/#uv-pip-compile
_GLIBC = (17, 28, *range(31, 41))
_ROUNDS = 5
_OTHER_ENGINE = "use --engine pip-compile"
# uv's variables would change the resolution, except those for its cache and its keyring provider.
_OWN_VARIABLES = re.compile(r"^UV_(?!CACHE_DIR$|KEYRING_PROVIDER$)")
_NEEDS_BUILD = re.compile(r"Wheels are required for `([^`]+)`")
# The start of an error and of its causes in uv's output, from 0.10 and before.
_ERROR = re.compile(r"^(?:error:|\s*\u00d7)\s", re.MULTILINE)
_BRANCH = re.compile(r"^\s*(?:cause:|\u2570\u2500\u25b6|\u2502)\s*", re.MULTILINE)
_NOT_FOUND = re.compile(r"[Bb]ecause (\S+) was not found")
_Described = Mapping[str, tuple[str, bytes]]
"""The version and METADATA of the packages to build from source, by name."""


class UvCompile:
    """Runs `uv pip compile` for any platform. Threads may share it.

    Args:
        environment: the variables for uv, which is found on PATH; those of AWS, GitHub and uv are removed.
        mask: hides credentials in uv's output.

    Raises:
        UsageError: uv is not installed.
    """

    wheels_only = True

    def __init__(
        self,
        *,
        environment: Mapping[str, str],
        variables: Mapping[str, str] | None = None,
        mask: Callable[[str], str] = without_credentials,
    ) -> None:
        uv = which("uv", path=environment.get("PATH"))
        if uv is None:
            raise UsageError.of("uv is not on PATH", "run: pip install uv, or remove --engine uv")
        self._uv = uv
        self._environment = environment
        self._variables = variables or {}
        self._mask = mask

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Resolve a question.

        The METADATA of an sdist depends on its version: uv chooses one, is given its METADATA, and resolves
        again, until the version stays the same.

        Raises:
            UnresolvableError: there is no resolution without building an sdist.
            LockError: uv cannot resolve such a question.
        """
        if ":all:" in question.options.sources:
            message = "uv cannot resolve `--no-binary :all:` without building every package on this machine"
            raise LockError.of(message, _OTHER_ENGINE)
        if question.options.index_of:
            raise LockError.of("uv cannot resolve with 'index_of'", _OTHER_ENGINE)
        listed = sorted(question.options.sources - question.sources.keys())
        described: dict[str, tuple[str, bytes]] = dict.fromkeys(listed, ("", b""))
        for name, file in question.sources.items():
            version = str(parse_sdist_filename(file)[1])
            described[name] = version, ask(name, version)
        for _ in range(_ROUNDS):
            answer = self._resolved(question, platform, described)
            chosen = {name: str(version) for name, version in versions(answer).items() if name in described}
            changed = {name: version for name, version in chosen.items() if described[name][0] != version}
            if not changed:
                return answer
            described |= {name: (version, ask(name, version)) for name, version in changed.items()}
        names = ", ".join(changed)
        message = f"uv does not settle on a version of {names}, to be built from source"
        raise LockError.of(message, _OTHER_ENGINE)

    def _resolved(self, question: Question, platform: Platform, described: _Described) -> str:
        settings = read_pip_settings(self._environment)
        options = combined(settings.options, question.options, self._variables)
        with tempfile.TemporaryDirectory(prefix="lambda-layers-lock-") as folder:
            texts = {
                "requirements.in": question.requirements,
                "constraints.txt": question.all_constraints,
                "pins.txt": question.pins,
                "uv.toml": (
                    *_configuration(options, platform, described),
                    *_metadata(described, question.sources),
                ),
            }
            for name, lines in texts.items():
                Path(folder, name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
            upgrades = (f"--upgrade-package={name}" for name in question.upgrade_packages)
            files = ("requirements.in", "--constraints=constraints.txt", "--output-file=pins.txt")
            result = subprocess.run(  # noqa: S603 - uv, and validated package names
                [self._uv, "--config-file=uv.toml", "--no-progress", "pip", "compile", *files, *upgrades],
                cwd=folder,
                env=_variables(self._environment, settings),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            if result.returncode:
                raise self._failure(result)
            return Path(folder, "pins.txt").read_text("utf-8")

    def _failure(self, result: subprocess.CompletedProcess[str]) -> LockError:
        output = self._mask(result.stderr)
        if names := dict.fromkeys(_NEEDS_BUILD.findall(output)):
            message = f"uv must build {', '.join(names)} to read its metadata"
            return UnresolvableError(Diagnostic(message, f"add it to 'from_source', or {_OTHER_ENGINE}"))
        message = _error_message(output) or f"uv exited with code {result.returncode} and no output"
        hint = "loosen or correct these requirements"
        return UnresolvableError(Diagnostic(message, hint), missing=tuple(_NOT_FOUND.findall(output)))


def _configuration(options: IndexOptions, platform: Platform, described: _Described) -> Iterator[str]:
    """Yield uv.toml's lines (https://docs.astral.sh/uv/reference/settings/); JSON values are valid TOML."""
    major, minor = platform.runtime.glibc
    supported = min(version for version in _GLIBC if version >= minor)
    settings = {
        "index-strategy": "unsafe-best-match",
        "prerelease": "allow" if options.pre else "if-necessary-or-explicit",
        "python-downloads": "never",
        "allow-insecure-host": options.trusted_hosts,
        "pip.python": sys.executable,
        "pip.python-version": platform.runtime.python,
        "pip.python-platform": f"{platform.architecture.machine}-manylinux_{major}_{supported}",
        "pip.index-url": options.index_url,
        "pip.extra-index-url": options.extra_index_urls,
        "pip.find-links": options.find_links,
        "pip.no-index": options.no_index,
        "pip.only-binary": [":all:"],
        "pip.no-binary": sorted(options.sources | described.keys()),
        "pip.no-header": True,
    }
    yield from (f"{key} = {json.dumps(value)}" for key, value in settings.items())


def _metadata(described: _Described, sources: Collection[str]) -> Iterator[str]:
    """Yield the metadata of the packages to build from source, so that uv builds none.

    It is for any version of a package of an index; that of another source needs its version.
    """
    for name, (version, metadata) in described.items():
        fields, _ = parse_email(metadata)
        yield "[[dependency-metadata]]"
        yield f"name = {json.dumps(name)}"
        if name in sources:
            yield f"version = {json.dumps(version)}"
        yield f"requires-dist = {json.dumps(fields.get('requires_dist', []))}"
        yield f"provides-extra = {json.dumps(fields.get('provides_extra', []))}"
        if "requires_python" in fields:
            yield f"requires-python = {json.dumps(fields['requires_python'])}"


def _variables(environment: Mapping[str, str], settings: PipSettings) -> dict[str, str]:
    """Return the environment for uv, with pip's network settings as uv's variables."""
    variables = {
        name: value for name, value in without_secrets(environment).items() if not _OWN_VARIABLES.match(name)
    }
    variables |= {"UV_HTTP_TIMEOUT": f"{settings.timeout:.0f}", "UV_HTTP_RETRIES": str(settings.retries)}
    if settings.cert:
        variables["SSL_CERT_DIR" if Path(settings.cert).is_dir() else "SSL_CERT_FILE"] = settings.cert
    if settings.client_cert:
        variables["SSL_CLIENT_CERT"] = settings.client_cert
    if settings.proxy:
        variables |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), settings.proxy)
    return variables


def _error_message(output: str) -> str:
    """Return uv's message about the cause as one sentence, without warnings and hints."""
    output = output.replace(NOWHERE, "")
    message = _ERROR.split(output.partition("\nhint:")[0], maxsplit=1)[-1]
    sentence = " ".join(_BRANCH.sub("", message).split())
    return sentence.removeprefix("No solution found when resolving dependencies").strip(" :.")
