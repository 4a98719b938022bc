"""Runs the container action as GitHub's runner does, and reads what it says as the runner would.

Paths, mounts and variables are those of actions/runner (ContainerActionHandler, DockerCommandManager,
ActionCommandManager): the workspace is at another path on the host; inputs keep their hyphens; workflow
commands are taken out of the log; a job drops outputs that contain a secret.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
_COMMAND = re.compile(r"^\s*::([\w-]+)(?: ([^:]*))?::(.*)$")
_ESCAPES = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%25": "%"}


@dataclass(frozen=True, kw_only=True)
class Annotation:
    kind: str
    message: str
    file: str | None
    line: int | None


@dataclass(frozen=True, kw_only=True)
class Step:
    """What a step did: its exit code, and what the workflow's page and the steps after it see."""

    exit_code: int
    out: str
    err: str
    outputs: Mapping[str, str]
    summary: str
    annotations: tuple[Annotation, ...]
    #: What it left in GITHUB_ENV and GITHUB_PATH.
    settings: str

    def job_outputs(self, *secrets: str) -> dict[str, str]:
        """Return what is left of the outputs in another job, where these are masked."""
        return {
            name: value
            for name, value in self.outputs.items()
            if not any(secret in value for secret in secrets)
        }

    def everything(self) -> str:
        """Return all that anybody could read."""
        return "\n".join([self.out, self.err, *self.outputs.values(), self.summary, self.settings])


class Runner:
    """One job on a hosted runner, with a checkout in `workspace`."""

    def __init__(self, engine, image, home: Path, variables: Mapping[str, str]) -> None:
        self._engine, self._image, self._variables = engine, image, variables
        self._work = home / "work"
        self.steps: list[Step] = []
        self.workspace = self._work / "repository" / "repository"
        self._temp = self._work / "_temp"
        self._folders = {
            "home": self._temp / "_github_home",
            "workflow": self._temp / "_github_workflow",
            "file_commands": self._temp / "_runner_file_commands",
            "workspace": self.workspace,
            "runner_temp": self._temp,
        }
        for folder in self._folders.values():
            folder.mkdir(parents=True, exist_ok=True)

    def run(self, *, env: Mapping[str, str] | None = None, args: str = "", **given: str) -> Step:
        """Run a step that `uses` the action: `given` is its `with:`, with _ for -, and `env` its `env:`."""
        files = self._files()
        container = self._engine.containers.create(
            self._image,
            args.split(),
            working_dir="/github/workspace",
            network_mode="host",  # a runner gives each job a network; here the embedded AWS is on loopback
            environment={
                **self._environment(files),
                **_inputs(given, args),
                **self._variables,
                **(env or {}),
            },
            volumes={
                "/var/run/docker.sock": {"bind": "/var/run/docker.sock", "mode": "rw"},
                **{
                    str(path): {"bind": f"/github/{name}", "mode": "rw"}
                    for name, path in self._folders.items()
                },
            },
        )
        try:
            container.start()
            code = container.wait(timeout=300)["StatusCode"]
            out, err = (
                container.logs(stdout=True, stderr=False).decode(),
                container.logs(stdout=False).decode(),
            )
        finally:
            container.remove(force=True)
        step = Step(
            exit_code=code,
            out=out,
            err=err,
            outputs=read_outputs(files["OUTPUT"].read_text()),
            summary=files["STEP_SUMMARY"].read_text(),
            annotations=tuple(annotations_of(f"{out}\n{err}")),
            settings=files["ENV"].read_text() + files["PATH"].read_text(),
        )
        self.steps.append(step)
        return step

    def _files(self) -> dict[str, Path]:
        """Make the files of a step that its commands go to."""
        names = {"OUTPUT": "set_output", "ENV": "set_env", "PATH": "add_path", "STATE": "save_state"}
        names["STEP_SUMMARY"] = "step_summary"
        found = {
            name: self._folders["file_commands"] / f"{kind}_{uuid.uuid4()}" for name, kind in names.items()
        }
        for file in found.values():
            file.touch()
        return found

    def _environment(self, files: Mapping[str, Path]) -> dict[str, str]:
        return {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "owner/repository",
            "GITHUB_SHA": "0" * 40,
            "GITHUB_WORKSPACE": "/github/workspace",
            "HOME": "/github/home",
            "RUNNER_OS": "Linux",
            "RUNNER_TEMP": "/github/runner_temp",
            "RUNNER_WORKSPACE": str(self.workspace.parent),  # the one path that is not translated
            **{f"GITHUB_{name}": f"/github/file_commands/{file.name}" for name, file in files.items()},
        }


def _inputs(given: Mapping[str, str], args: str) -> dict[str, str]:
    values = {name: value.get("default", "") for name, value in ACTION["inputs"].items()}
    values |= {name.replace("_", "-"): value for name, value in given.items()}
    values |= {"args": args} if args else {}
    return {f"INPUT_{name.replace(' ', '_').upper()}": value for name, value in values.items()}


def read_outputs(text: str) -> dict[str, str]:
    """Return what a file of `name<<delimiter`, value, delimiter says."""
    values: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        values[name] = "\n".join(iter(lambda: next(lines), delimiter))
    return values


def annotations_of(log: str) -> Iterator[Annotation]:
    for line in log.splitlines():
        found = _COMMAND.match(line)
        if found and found[1] in {"error", "warning", "notice"}:
            properties = dict(part.partition("=")[::2] for part in (found[2] or "").split(",") if part)
            yield Annotation(
                kind=found[1],
                message=_unescaped(found[3]),
                file=_unescaped(properties["file"]) if "file" in properties else None,
                line=int(properties["line"]) if "line" in properties else None,
            )


def _unescaped(text: str) -> str:
    return re.sub("%0D|%0A|%3A|%2C|%25", lambda found: _ESCAPES[found[0]], text)
