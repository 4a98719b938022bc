"""serverless.yml -> a draft: its layers, those of serverless-python-requirements, and their functions.

Format: https://www.serverless.com/framework/docs/providers/aws/guide/layers and
https://www.serverless.com/plugins/serverless-python-requirements
"""

import re
from collections.abc import Iterator
from pathlib import Path

from entrypoint.init.draft import Draft
from entrypoint.init.other_tools import FoundFunction, FoundLayer, FoundTemplate, draft_from
from entrypoint.init.template_file import Json, globbed, listed, read_template, table, text

_PLUGIN_LAYER = "PythonRequirementsLambdaLayer"


def found_in_serverless(path: Path) -> Draft | None:
    """Return the draft; None if the file has neither layers nor Python requirements."""
    found = read_template(path)
    provider = table(found.get("provider"))
    functions = tuple(_functions(found, provider))
    layers = dict(_layers(found)) | dict(_plugin_layer(found, provider))
    region = text(provider.get("region"))
    return draft_from(
        path.parent, FoundTemplate(tool=path.name, layers=layers, functions=functions, region=region)
    )


def _layers(found: Json) -> Iterator[tuple[str, FoundLayer]]:
    """Yield each layer with the logical ID that the framework generates for it."""
    for key, value in table(found.get("layers")).items():
        layer = table(value)
        yield (
            f"{_logical_id(key)}LambdaLayer",
            FoundLayer(
                name=key,
                location=text(layer.get("path")),
                runtimes=tuple(listed(layer.get("compatibleRuntimes"))),
                architectures=tuple(listed(layer.get("compatibleArchitectures"))),
            ),
        )


def _plugin_layer(found: Json, provider: Json) -> Iterator[tuple[str, FoundLayer]]:
    settings = table(table(found.get("custom")).get("pythonRequirements"))
    if settings or "serverless-python-requirements" in listed(found.get("plugins")):
        layer = table(settings.get("layer"))
        yield (
            _PLUGIN_LAYER,
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
        # Layers of a function replace those of the provider.
        layers = function["layers"] if "layers" in function else provider.get("layers")
        yield FoundFunction(
            name=globbed(text(function.get("name")) or f"{service}-${{sls:stage}}-{key}"),
            runtime=function.get("runtime", provider.get("runtime")),
            architecture=function.get("architecture", provider.get("architecture")),
            layers=listed(layers),
        )


def _logical_id(key: str) -> str:
    """Return the first part of a layer's logical ID in CloudFormation."""
    key = re.sub(r"[^a-zA-Z0-9]", lambda match: {"-": "Dash", "_": "Underscore"}.get(match[0], ""), key)
    return key[:1].upper() + key[1:]
