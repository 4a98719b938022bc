"""serverless.yml -> a draft: its layers, those of serverless-python-requirements, and who uses them.

What stands where: https://www.serverless.com/framework/docs/providers/aws/guide/layers and
https://www.serverless.com/plugins/serverless-python-requirements
"""

import re
from collections.abc import Iterator
from pathlib import Path

from entrypoint.init.draft import Draft
from entrypoint.init.other_tools import FoundFunction, FoundLayer, FoundTemplate, drafted
from entrypoint.init.template_file import Json, globbed, listed, read_template, table, text

_OF_THE_PLUGIN = "PythonRequirementsLambdaLayer"


def found_in_serverless(path: Path) -> Draft | None:
    """Return the draft; None where the file speaks of no layer and no Python requirements."""
    found = read_template(path)
    provider = table(found.get("provider"))
    functions = tuple(_functions(found, provider))
    layers = dict(_layers(found)) | dict(_of_the_plugin(found, provider))
    region = text(provider.get("region"))
    return drafted(
        path.parent, FoundTemplate(tool=path.name, layers=layers, functions=functions, region=region)
    )


def _layers(found: Json) -> Iterator[tuple[str, FoundLayer]]:
    """Yield each layer by the logical name that the framework gives it."""
    for key, value in table(found.get("layers")).items():
        layer = table(value)
        yield (
            f"{_logical(key)}LambdaLayer",
            FoundLayer(
                name=key,
                location=text(layer.get("path")),
                runtimes=tuple(listed(layer.get("compatibleRuntimes"))),
                architectures=tuple(listed(layer.get("compatibleArchitectures"))),
            ),
        )


def _of_the_plugin(found: Json, provider: Json) -> Iterator[tuple[str, FoundLayer]]:
    settings = table(table(found.get("custom")).get("pythonRequirements"))
    if settings or "serverless-python-requirements" in listed(found.get("plugins")):
        layer = table(settings.get("layer"))
        yield (
            _OF_THE_PLUGIN,
            FoundLayer(
                name="python-requirements",
                location=text(settings.get("fileName")) or "requirements.txt",
                runtimes=(*listed(layer.get("compatibleRuntimes")), provider.get("runtime")),
                architectures=(*listed(layer.get("compatibleArchitectures")), provider.get("architecture")),
            ),
        )


def _functions(found: Json, provider: Json) -> Iterator[FoundFunction]:
    service = text(found.get("service")) or text(table(found.get("service")).get("name")) or "*"
    for key, value in table(found.get("functions")).items():
        function = table(value)
        # What a function says for itself replaces what the provider says for all.
        layers = function["layers"] if "layers" in function else provider.get("layers")
        yield FoundFunction(
            name=globbed(text(function.get("name")) or f"{service}-${{sls:stage}}-{key}"),
            runtime=function.get("runtime", provider.get("runtime")),
            architecture=function.get("architecture", provider.get("architecture")),
            layers=listed(layers),
        )


def _logical(key: str) -> str:
    """Return the first part of the name that CloudFormation knows a layer by."""
    key = re.sub(r"[^a-zA-Z0-9]", lambda match: {"-": "Dash", "_": "Underscore"}.get(match[0], ""), key)
    return key[:1].upper() + key[1:]
