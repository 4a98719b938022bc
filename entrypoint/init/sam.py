"""A SAM or CloudFormation template -> a draft: its layers, and the functions that use them.

Format: https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html
and https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
"""

from collections.abc import Iterator
from pathlib import Path

from entrypoint.init.draft import Draft
from entrypoint.init.other_tools import FoundFunction, FoundLayer, FoundTemplate, draft_from
from entrypoint.init.template_file import Json, globbed, listed, read_template, referred, table, text

_LAYERS = {"AWS::Serverless::LayerVersion", "AWS::Lambda::LayerVersion"}
_FUNCTIONS = {"AWS::Serverless::Function", "AWS::Lambda::Function"}


def found_in_template(path: Path) -> Draft | None:
    """Return the draft; None if the template has no layers."""
    template = read_template(path)
    parameters = table(template.get("Parameters"))
    resources = {key: table(value) for key, value in table(template.get("Resources")).items()}
    shared = table(table(template.get("Globals")).get("Function"))
    layers = {key: _layer(key, each, parameters) for key, each in resources.items() if _is(each, _LAYERS)}
    functions = [
        _function(key, each, parameters, shared if each["Type"] == "AWS::Serverless::Function" else {})
        for key, each in resources.items()
        if _is(each, _FUNCTIONS)
    ]
    return draft_from(path.parent, FoundTemplate(tool=path.name, layers=layers, functions=functions))


def _is(resource: Json, types: set[str]) -> bool:
    return text(resource.get("Type")) in types


def _layer(key: str, resource: Json, parameters: Json) -> FoundLayer:
    properties, metadata = table(resource.get("Properties")), table(resource.get("Metadata"))
    named = globbed(text(properties.get("LayerName"))).strip("*-_")
    return FoundLayer(
        name=named or key,
        location=text(properties.get("ContentUri")) or text(properties.get("Content")),
        runtimes=tuple(_resolved(listed(properties.get("CompatibleRuntimes")), parameters))
        or (text(metadata.get("BuildMethod")),),
        architectures=tuple(_resolved(listed(properties.get("CompatibleArchitectures")), parameters))
        or (text(metadata.get("BuildArchitecture")),),
    )


def _function(key: str, resource: Json, parameters: Json, shared: Json) -> FoundFunction:
    properties = table(resource.get("Properties"))
    runtime, architectures = (
        list(_resolved(listed(properties.get(name, shared.get(name))), parameters))
        for name in ("Runtime", "Architectures")
    )
    return FoundFunction(
        # CloudFormation generates the name STACK-LOGICAL-RANDOM if none is set.
        name=globbed(text(properties.get("FunctionName"))) or f"*-{key}-*",
        runtime=runtime[0] if runtime else None,
        architecture=architectures[0] if architectures else None,
        # A function's own layers are appended to those of Globals.
        layers=[*listed(shared.get("Layers")), *listed(properties.get("Layers"))],
    )


def _resolved(values: list[object], parameters: Json) -> Iterator[object]:
    """Yield the values, with references to parameters replaced by their defaults."""
    for value in values:
        default = table(parameters.get(referred(value))).get("Default")
        yield from listed(default) if default is not None else [value]
