"""samconfig.toml or samconfig.yaml -> how the SAM CLI deploys a template: stack, region, parameters.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-sam-cli-config.html
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from entrypoint.errors import Location, ManifestError
from entrypoint.init.cloudformation.intrinsic_functions import Deployment
from entrypoint.init.draft import Note, left_out, taken
from entrypoint.init.located import parse, table
from entrypoint.init.placeholders import REGION, STACK, without_markers
from entrypoint.init.repository import Repository
from entrypoint.manifest.schema import REGION as REGION_PATTERN
from entrypoint.manifest.yaml_limits import check_size
from entrypoint.toml import load_toml

_FILES = ("samconfig.toml", "samconfig.yaml", "samconfig.yml")
"""In the order of the SAM CLI."""
_COMMANDS = ("global", "build", "deploy")
_STACK_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,127}")


class SamConfig(NamedTuple):
    """What a samconfig.toml says, and notes on it."""

    deployment: Deployment
    #: The path of the template, relative to the file; empty if it does not say.
    template: str = ""
    notes: tuple[Note, ...] = ()


def read_samconfig(repository: Repository) -> SamConfig:
    """Return what samconfig.toml says of its environment `default`, or of its only one."""
    name = next((each for each in _FILES if (repository.folder / each).is_file()), "")
    path = repository.folder / name
    if not name or not repository.contains(path):
        return SamConfig(Deployment())
    try:
        check_size(path.stat().st_size, name)
        content = without_markers(path.read_text("utf-8"))
        found = load_toml(content) if name.endswith(".toml") else table(parse(content, name))
    except (OSError, ValueError, RecursionError, ManifestError) as error:
        return SamConfig(Deployment(), notes=(left_out(f"it cannot be read: {error}", Location(name)),))
    environments = [name for name, value in found.items() if isinstance(value, dict)]
    chosen = "default" if "default" in environments else environments[0] if len(environments) == 1 else ""
    settings = _settings(found.get(chosen))
    others = [name for name in environments if name != chosen]
    return SamConfig(
        _deployment(settings),
        str(settings.get("template_file", settings.get("template", ""))),
        (*_taken(settings, content, name), *_others(others, name)),
    )


def _settings(environment: object) -> Mapping[str, Any]:
    """Return the parameters of an environment's commands; those of `deploy` override the others."""
    commands = environment if isinstance(environment, dict) else {}
    found: dict[str, Any] = {}
    for name in _COMMANDS:
        command = commands.get(name)
        parameters = command.get("parameters") if isinstance(command, dict) else None
        found |= parameters if isinstance(parameters, dict) else {}
    return found


def _deployment(settings: Mapping[str, Any]) -> Deployment:
    stack, region = str(settings.get("stack_name", "")), str(settings.get("region", ""))
    return Deployment(
        stack=stack if _STACK_NAME.fullmatch(stack) else STACK,
        region=region if re.fullmatch(REGION_PATTERN, region) else REGION,
        parameters=dict(_overrides(settings.get("parameter_overrides"))),
    )


def _overrides(value: object) -> Iterator[tuple[str, str]]:
    """Yield parameters and their values: a table, `Key=Value`, or `ParameterKey=Key,ParameterValue=Value`."""
    if isinstance(value, dict):
        yield from ((key, without_markers(str(each))) for key, each in value.items())
        return
    lines = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    for line in lines:
        try:
            words = shlex.split(str(line))
        except ValueError:
            continue
        for word in words:
            long = re.fullmatch(r"ParameterKey=([^,]+),ParameterValue=(.*)", word, re.DOTALL)
            key, _, each = (long[1], "=", long[2]) if long else word.partition("=")
            yield key, without_markers(each)


def _taken(settings: Mapping[str, Any], content: str, file: str) -> Iterator[Note]:
    for key in ("stack_name", "region", "parameter_overrides"):
        if key in settings:
            shown = settings[key] if key != "parameter_overrides" else "the parameters of the deployment"
            match = re.search(rf"^\s*{key}\b", content, re.MULTILINE)
            line = content.count("\n", 0, match.end()) + 1 if match else None
            yield taken(f"{key}: {shown}", Location(file, line))


def _others(names: list[str], file: str) -> Iterator[Note]:
    if names:
        yield left_out(
            f"{', '.join(names)}: other environments have other stacks; init reads one", Location(file)
        )
