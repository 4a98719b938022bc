"""serverless.yml -> its layers, those of serverless-python-requirements, and the functions that use them.

https://www.serverless.com/framework/docs/providers/aws/guide/layers and
https://www.serverless.com/framework/docs/providers/aws/guide/serverless.yml; osls has the same format.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.cloudformation.intrinsic_functions import Deployment, Evaluator, Resource
from entrypoint.init.draft import Content, Draft, Note, fill_in, left_out, taken
from entrypoint.init.layer_folder import found_in_layer_folder
from entrypoint.init.located import Items, Table, Text, Unknown, is_true, items, table, tables, text, texts
from entrypoint.init.placeholders import has_placeholder, literal, placeholder
from entrypoint.init.python_project import Found
from entrypoint.init.repository import Repository
from entrypoint.init.serverless.layer_settings import layer_settings
from entrypoint.init.serverless.python_requirements import PythonRequirements
from entrypoint.init.serverless.variables import Variables
from entrypoint.init.template import (
    FoundFunction,
    FoundLayer,
    FoundTemplate,
    draft_of_template,
    known_or_reason,
    unknown_settings,
)
from entrypoint.manifest.runtimes import Architecture
from entrypoint.manifest.schema import REGION as REGION_PATTERN

_LAYER_KEYS = {
    "path",
    "name",
    "description",
    "compatibleRuntimes",
    "compatibleArchitectures",
    "licenseInfo",
    "allowedAccounts",
    "retain",
    "package",
}


def draft_of_serverless(repository: Repository, path: Path, content: Table) -> Draft | None:
    """Return the draft of a service; None if it has neither layers nor Python requirements."""
    reader = _Reader(repository, path, content)
    if reader.provider not in {"aws", ""}:
        return None
    found = reader.read()
    if not found.layers and not any(function.layers for function in found.functions):
        return None
    return draft_of_template(repository, found)


class _Reader:
    def __init__(self, repository: Repository, path: Path, content: Table) -> None:
        self._repository, self._folder, self._content = repository, path.parent, content
        self._variables = Variables(repository, path, content)
        self._unread: list[tuple[str, Unknown]] = []
        self._provider = table(self._variables.value(content.get("provider")))
        self._functions = tuple(self._merged("functions"))
        self._notes: list[Note] = []
        self._evaluator = Evaluator(Table(Location(path.name)), Deployment(stack=self._stack()))

    def read(self) -> FoundTemplate:
        """Return the layers and functions of the service."""
        own = {
            f"{_logical_id(key)}LambdaLayer": self._layer(key, layer, at)
            for key, layer, at in self._merged("layers")
        }
        plugin = PythonRequirements(self._repository, self._folder, self._content, self._variables)
        packages = plugin.layers(self._service(), self._functions)
        functions = [
            self._function(key, function, at, packages.of_functions) for key, function, at in self._functions
        ]
        region = text(self._provider.get("region"))
        if not region and "region" not in table(self._content.get("provider")):
            region = "us-east-1"
            self._notes.append(taken("region us-east-1: the framework's default"))
        elif not re.fullmatch(REGION_PATTERN, region):
            self._notes.append(fill_in("the region is not known; add `regions`", self._provider.at("region")))
        self._report()
        return FoundTemplate(
            layers={**own, **packages.layers},
            functions=functions,
            region=region if re.fullmatch(REGION_PATTERN, region) else "",
            notes=(*self._notes, *packages.notes),
        )

    @property
    def provider(self) -> str:
        """The name of the cloud that the service is for."""
        return text(self._provider.get("name")) or text(self._variables.value(self._content.get("provider")))

    def _service(self) -> str:
        service = self._variables.value(self._content.get("service"))
        return text(service) or text(table(service).get("name")) or placeholder("SERVICE")

    def _stack(self) -> str:
        named = text(self._provider.get("stackName"))
        return named or f"{self._service()}-{text(self._variables.stage)}"

    def _merged(self, key: str) -> Iterator[tuple[str, Table, Location]]:
        """Yield the entries of a mapping, or of a list of mappings, which may come from files."""
        for each in items(self._variables.value(self._content.get(key))):
            if isinstance(each, Unknown):
                self._unread.append((key, each))
            yield from tables(each)
            for part in each if isinstance(each, list) else ():
                yield from tables(part)

    def _layer(self, key: str, layer: Table, at: Location) -> FoundLayer:
        place = layer.get("path")
        artifact = text(table(layer.get("package")).get("artifact"))
        if isinstance(place, str) and not has_placeholder(place):
            found = found_in_layer_folder(self._repository, self._folder / place, at, installs=False)
        else:
            why = (
                place.reason
                if isinstance(place, Unknown)
                else f"the archive {artifact}"
                if artifact
                else "it has no path"
            )
            found = Found(Content(), (left_out(f"layer {key}: {why}", at),))
        named = text(layer.get("name")) or key
        settings, notes = layer_settings(layer)
        unknown = [name for name in layer if name not in _LAYER_KEYS]
        return FoundLayer(
            name=named if not has_placeholder(named) else literal(named).strip("-_") or key,
            aws_name=named,
            at=at,
            content=found.content,
            runtimes=texts(layer.get("compatibleRuntimes")),
            architectures=texts(layer.get("compatibleArchitectures")),
            settings=settings,
            notes=(
                *(note._replace(text=f"layer {key}: {note.text}") for note in found.notes),
                *notes,
                *unknown_settings(f"layer {key}", layer, _LAYER_KEYS - {"path"}),
                *(left_out(f"layer {key}: {name}", layer.at(name)) for name in unknown),
            ),
        )

    def _function(
        self, key: str, function: Table, at: Location, packages: Mapping[str, str]
    ) -> FoundFunction:
        # Layers of a function replace those of the provider.
        layers = list(self._layers(function.get("layers", self._provider.get("layers"))))
        if key in packages and packages[key] not in layers:
            layers.insert(0, packages[key])
        runtime = function.get("runtime", self._provider.get("runtime"))
        notes: list[Note] = []
        if layers and (not isinstance(runtime, str) or has_placeholder(runtime)):
            why = runtime.reason if isinstance(runtime, Unknown) else "no runtime is set"
            notes.append(fill_in(f"function {key}: {why}; check the runtimes of its layers", at))
            runtime = ""
        named = function.get("name") or f"{self._service()}-{text(self._variables.stage)}-{key}"
        if isinstance(named, Unknown):
            notes.append(taken(f"{key} is selected by its stack's tags: {named.reason}", at))
        return FoundFunction(
            name=named if isinstance(named, str) else key,
            tag=() if isinstance(named, str) else _tags(self._stack(), key),
            at=at,
            runtime=text(runtime),
            architecture=known_or_reason(
                function.get("architecture", self._provider.get("architecture", Architecture.X86_64))
            ),
            layers=layers,
            notes=tuple(notes),
        )

    def _layers(self, value: object) -> Iterator[str | Unknown]:
        """Yield the layers of a function: logical IDs of the service's layers, or ARNs."""
        for each in items(self._intrinsic(value)):
            if isinstance(each, str | Unknown):
                yield each
            elif isinstance(each, Resource):
                yield each.name
            elif isinstance(each, list):
                yield from self._layers(each)

    def _intrinsic(self, value: object) -> object:
        """Return a value with CloudFormation's functions in it evaluated; a Ref stays the ID of a layer."""
        if isinstance(value, Items):
            return Items([self._intrinsic(each) for each in value], value.location)
        if isinstance(value, Table) and len(value) == 1:
            ((name, argument),) = value.items()
            identifier = (
                text(argument).partition(".")[0]
                if isinstance(argument, str)
                else text(next(iter(items(argument)), ""))
            )
            if name in {"Ref", "Fn::GetAtt"} and identifier.endswith("LambdaLayer"):
                return Text.at(identifier, value.location)
        return self._evaluator.value(value)

    def _report(self) -> None:
        """Add notes on what was assumed, and on what init does not read."""
        for variable, at in self._variables.assumed.items():
            self._notes.append(taken(f"the default of {variable}; a deployment may have another value", at))
        for key, unknown in self._unread:
            self._notes.append(left_out(f"{key}: {unknown.reason}", unknown.location))
        if is_true(self._content.get("useDotenv")):
            self._notes.append(left_out("the files .env are not read", self._content.at("useDotenv")))
        if table(self._content.get("package")).keys() & {"patterns", "include", "exclude"}:
            why = "they select files of the functions, which stay with the framework"
            self._notes.append(left_out(f"package patterns: {why}", self._content.at("package")))
        self._report_resources()
        self._report_plugins()

    def _report_resources(self) -> None:
        """Add notes on layers that are resources of CloudFormation; functions refer to them by their ID."""
        for part in items(self._variables.value(self._content.get("resources"))):
            for key, resource, at in tables(table(part).get("Resources")):
                if text(resource.get("Type")) == "AWS::Lambda::LayerVersion":
                    why = "move it to `layers` of the service, or run init for a template with it"
                    self._notes.append(left_out(f"layer {key} under resources: {why}", at))

    def _report_plugins(self) -> None:
        """Add notes on other plugins that make layers."""
        plugins = self._variables.value(self._content.get("plugins"))
        names = texts(plugins.get("modules")) if isinstance(plugins, Table) else texts(plugins)
        for name in names:
            if "layer" in name:
                at = table(self._content.get("custom")).at(name)
                self._notes.append(fill_in(f"the layers of the plugin {name}, which init does not read", at))


def _tags(stack: str, key: str) -> tuple[tuple[str, str], ...]:
    """Return the tags that CloudFormation sets for a function of the framework."""
    logical_id = f"{_logical_id(key)}LambdaFunction"
    return (("aws:cloudformation:stack-name", stack), ("aws:cloudformation:logical-id", logical_id))


def _logical_id(key: str) -> str:
    """Return the first part of a layer's logical ID, which the framework derives from its key."""
    key = re.sub(r"[^a-zA-Z0-9]", lambda match: {"-": "Dash", "_": "Underscore"}.get(match[0], ""), key)
    return key[:1].upper() + key[1:]
