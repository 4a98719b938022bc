"""uv: requirements go in, the pins that `uv pip compile` finds for a platform come out as text.

uv does by itself what pip-compile has to be led to: it resolves for another platform and Python. Differences
are evened out here. It reads none of pip's configuration, so it is handed that, in a file; it takes the best
version of all indexes, as pip does; and it may build nothing, as this machine is not the platform. What an
sdist needs that the manifest wants compiled is told to it, as to pip-compile.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shutil import which

from packaging.metadata import parse_email

from entrypoint.errors import Diagnostic, LockError, UsageError
from entrypoint.index.options import IndexOptions, without_credentials
from entrypoint.index.pip_settings import PipSettings, combined, read_pip_settings
from entrypoint.lock.pip_compile import versions, without_secrets
from entrypoint.lock.resolve import Ask, Question, UnresolvableError
from entrypoint.manifest.runtimes import Platform

#: The versions 2.x of glibc for which uv has a platform: https://docs.astral.sh/uv/reference/cli/#uv-pip-compile
_GLIBC = (17, 28, *range(31, 41))
_ROUNDS = 5
_OTHER_ENGINE = "run it with --engine pip-compile"
# uv's own variables would change what it finds; its cache and its way to ask for passwords may be chosen.
_OWN_VARIABLES = re.compile(r"^UV_(?!CACHE_DIR$|KEYRING_PROVIDER$)")
_NEEDS_BUILD = re.compile(r"Wheels are required for `([^`]+)`")
# How uv begins an error and draws what caused it, today and before 0.10.
_ERROR = re.compile(r"^(?:error:|\s*\u00d7)\s", re.MULTILINE)
_BRANCH = re.compile(r"^\s*(?:cause:|\u2570\u2500\u25b6|\u2502)\s*", re.MULTILINE)
_NOT_FOUND = re.compile(r"[Bb]ecause (\S+) was not found")
_Described = Mapping[str, tuple[str, bytes]]
"""The version and METADATA of packages that are to be compiled, by name."""


class UvCompile:
    """Runs `uv pip compile` for any platform. Threads may share it.

    Args:
        environment: the variables that uv sees, without those of AWS, GitHub and uv; PATH says where it is.
        mask: hides credentials in uv's output.

    Raises:
        UsageError: where there is no uv.
    """

    wheels_only = True

    def __init__(
        self, *, environment: Mapping[str, str], mask: Callable[[str], str] = without_credentials
    ) -> None:
        uv = which("uv", path=environment.get("PATH"))
        if uv is None:
            raise UsageError.of("there is no uv on PATH", "run: pip install uv, or leave out --engine uv")
        self._uv = uv
        self._environment = environment
        self._mask = mask

    def __call__(self, question: Question, platform: Platform, ask: Ask) -> str:
        """Resolve; raises UnresolvableError where there is no answer that needs no building.

        A source's METADATA is known only once its version is: uv chooses one, hears what that needs, and
        chooses again, until it stays with it.
        """
        if ":all:" in question.options.sources:
            raise LockError.of(
                "uv cannot take everything from source without building it here", _OTHER_ENGINE
            )
        described: dict[str, tuple[str, bytes]] = dict.fromkeys(sorted(question.options.sources), ("", b""))
        for _ in range(_ROUNDS):
            answer = self._resolved(question, platform, described)
            chosen = {name: str(version) for name, version in versions(answer).items() if name in described}
            changed = {name: version for name, version in chosen.items() if described[name][0] != version}
            if not changed:
                return answer
            described |= {name: (version, ask(name, version)) for name, version in changed.items()}
        names = ", ".join(changed)
        raise LockError.of(
            f"uv does not come to rest on a version of {names}, which is compiled", _OTHER_ENGINE
        )

    def _resolved(self, question: Question, platform: Platform, described: _Described) -> str:
        settings = read_pip_settings(self._environment)
        options = combined(settings.options, question.options, self._environment)
        with tempfile.TemporaryDirectory(prefix="lambda-layers-lock-") as folder:
            texts = {
                "requirements.in": question.requirements,
                "constraints.txt": question.constraints,
                "pins.txt": question.pins,
                "uv.toml": (*_configuration(options, platform), *_metadata(described)),
            }
            for name, lines in texts.items():
                Path(folder, name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
            upgrades = (f"--upgrade-package={name}" for name in question.upgrade_packages)
            files = ("requirements.in", "--constraints=constraints.txt", "--output-file=pins.txt")
            answer = subprocess.run(  # noqa: S603 - uv, and packages that were read as such
                [self._uv, "--config-file=uv.toml", "--no-progress", "pip", "compile", *files, *upgrades],
                cwd=folder,
                env=_variables(self._environment, settings),
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            if answer.returncode:
                raise self._failure(answer)
            return Path(folder, "pins.txt").read_text("utf-8")

    def _failure(self, answer: subprocess.CompletedProcess[str]) -> LockError:
        output = self._mask(answer.stderr)
        if names := dict.fromkeys(_NEEDS_BUILD.findall(output)):
            message = f"{', '.join(names)} would have to be built for uv to learn what it needs"
            return UnresolvableError(Diagnostic(message, f"name it under from_source, or {_OTHER_ENGINE}"))
        message = _essence(output) or f"uv ended with {answer.returncode} and said nothing"
        hint = "loosen or correct the requirements that are named"
        return UnresolvableError(Diagnostic(message, hint), missing=tuple(_NOT_FOUND.findall(output)))


def _configuration(options: IndexOptions, platform: Platform) -> Iterator[str]:
    """Write uv.toml (https://docs.astral.sh/uv/reference/settings/); JSON's values are TOML's as well."""
    major, minor = platform.runtime.glibc
    known = min(version for version in _GLIBC if version >= minor)
    settings = {
        "index-strategy": "unsafe-best-match",
        "prerelease": "allow" if options.pre else "if-necessary-or-explicit",
        "python-downloads": "never",
        "allow-insecure-host": options.trusted_hosts,
        "pip.python": sys.executable,
        "pip.python-version": platform.runtime.python,
        "pip.python-platform": f"{platform.architecture.machine}-manylinux_{major}_{known}",
        "pip.index-url": options.index_url,
        "pip.extra-index-url": options.extra_index_urls,
        "pip.find-links": options.find_links,
        "pip.no-index": options.no_index,
        "pip.only-binary": [":all:"],
        "pip.no-binary": sorted(options.sources),
        "pip.no-header": True,
    }
    yield from (f"{key} = {json.dumps(value)}" for key, value in settings.items())


def _metadata(described: _Described) -> Iterator[str]:
    """Say what packages need that are to be compiled, in any version, so that uv builds none."""
    for name, (_, metadata) in described.items():
        fields, _ = parse_email(metadata)
        yield "[[dependency-metadata]]"
        yield f"name = {json.dumps(name)}"
        yield f"requires-dist = {json.dumps(fields.get('requires_dist', []))}"
        yield f"provides-extra = {json.dumps(fields.get('provides_extra', []))}"
        if "requires_python" in fields:
            yield f"requires-python = {json.dumps(fields['requires_python'])}"


def _variables(environment: Mapping[str, str], settings: PipSettings) -> dict[str, str]:
    """Tell uv in its own words how pip reaches the indexes."""
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


def _essence(output: str) -> str:
    """Make one sentence of what uv says about the cause; warnings and hints are left out."""
    told = _ERROR.split(output.partition("\nhint:")[0], maxsplit=1)[-1]
    sentence = " ".join(_BRANCH.sub("", told).split())
    return sentence.removeprefix("No solution found when resolving dependencies").strip(" :.")
