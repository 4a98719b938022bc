"""A SAM or CloudFormation template -> its layers, and the functions that use them.

https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-resource-layerversion.html
https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-template-anatomy-globals.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-lambda-layerversion.html
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.cloudformation.intrinsic_functions import NO_VALUE, Evaluator, Resource
from entrypoint.init.cloudformation.samconfig import SamConfig
from entrypoint.init.draft import Content, Draft, Note, Settings, fill_in, left_out, taken
from entrypoint.init.layer_folder import found_in_layer_folder
from entrypoint.init.located import Table, Unknown, items, table, tables, text, texts
from entrypoint.init.placeholders import REGION, has_placeholder, in_comment, literal
from entrypoint.init.platforms import is_python
from entrypoint.init.python_project import Found
from entrypoint.init.repository import Repository
from entrypoint.init.template import (
    FoundFunction,
    FoundLayer,
    FoundTemplate,
    draft_of_template,
    known_or_reason,
    unknown_settings,
)
from entrypoint.manifest.runtimes import Architecture

_SAM_LAYER, _SAM_FUNCTION = "AWS::Serverless::LayerVersion", "AWS::Serverless::Function"
_LAYERS = {_SAM_LAYER, "AWS::Lambda::LayerVersion"}
_FUNCTIONS = {_SAM_FUNCTION, "AWS::Lambda::Function"}
_PERMISSION = "AWS::Lambda::LayerVersionPermission"
_NESTED = {"AWS::Serverless::Application": "Location", "AWS::CloudFormation::Stack": "TemplateURL"}
_LAYER_SETTINGS = ("LayerName", "Description", "LicenseInfo", "CompatibleRuntimes", "CompatibleArchitectures")
_LONGEST_DESCRIPTION = 150


def draft_of_cloudformation(
    repository: Repository, path: Path, content: Table, config: SamConfig
) -> Draft | None:
    """Return the draft of a template; None if it has nothing about layers."""
    reader = _Reader(repository, path, content, config)
    found = reader.read()
    if not found.layers and not any(function.layers for function in found.functions):
        return None
    return draft_of_template(repository, replace(found, notes=(*config.notes, *found.notes)))


class _Reader:
    def __init__(self, repository: Repository, path: Path, content: Table, config: SamConfig) -> None:
        self._repository, self._folder = repository, path.parent
        self._config = config
        self._evaluator = Evaluator(content, config.deployment)
        self._globals = table(table(content.get("Globals")).get("Function"))
        self._notes: list[Note] = []
        self._all = table(content.get("Resources"))
        self._resources = dict(self._existing())

    def read(self) -> FoundTemplate:
        """Return the layers and functions of the template."""
        layers = {
            key: self._layer(key, resource, at)
            for key, (resource, at) in self._resources.items()
            if text(resource.get("Type")) in _LAYERS
        }
        functions = [
            self._function(key, resource, at)
            for key, (resource, at) in self._resources.items()
            if text(resource.get("Type")) in _FUNCTIONS
        ]
        self._report_nested(self._all)
        return FoundTemplate(
            layers=layers,
            functions=functions,
            region=self._config.deployment.region,
            notes=tuple(self._notes),
        )

    def _existing(self) -> Iterator[tuple[str, tuple[Table, Location]]]:
        """Yield the resources whose condition holds."""
        for key, resource, at in tables(self._all):
            condition = text(resource.get("Condition"))
            kind = text(resource.get("Type"))
            if condition and kind in _LAYERS | _FUNCTIONS:
                holds = self._evaluator.condition(condition)
                if holds is False:
                    self._notes.append(
                        left_out(f"{key}: condition {condition} is false with the defaults", at)
                    )
                    continue
                if holds is None:
                    text_ = f"{key}: remove it if its condition {condition} is false in your deployment"
                    self._notes.append(fill_in(text_, at))
            yield key, (resource, at)

    def _report_nested(self, content: Table) -> None:
        for key in content:
            if key.startswith("Fn::"):
                self._notes.append(left_out(f"{key}: it is expanded at deployment", content.at(key)))
        for key, (resource, at) in self._resources.items():
            kind = text(resource.get("Type"))
            if kind in _NESTED:
                place = self._evaluator.value(table(resource.get("Properties")).get(_NESTED[kind]))
                where = f" ({place})" if isinstance(place, str) else ""
                self._notes.append(left_out(f"nested stack {key}{where}: run init for its template", at))

    def _layer(self, key: str, resource: Table, at: Location) -> FoundLayer:
        properties, metadata = (
            table(self._evaluator.value(resource.get(name))) for name in ("Properties", "Metadata")
        )
        method = text(metadata.get("BuildMethod"))
        named = self._in_region(text(properties.get("LayerName"))) or (
            key if resource["Type"] == _SAM_LAYER else ""
        )
        known = literal(named).strip("-_")
        found = self._content(properties, method, at)
        settings, notes = self._settings(key, properties)
        return FoundLayer(
            name=known or key,
            aws_name=named,
            at=at,
            content=found.content,
            runtimes=texts(properties.get("CompatibleRuntimes")) or ((method,) if is_python(method) else ()),
            architectures=texts(properties.get("CompatibleArchitectures"))
            or texts(metadata.get("BuildArchitecture")),
            settings=settings,
            notes=(
                *(_named(note, f"layer {known or key}") for note in found.notes),
                *notes,
                *unknown_settings(f"layer {known or key}", properties, _LAYER_SETTINGS),
            ),
        )

    def _content(self, properties: Table, method: str, at: Location) -> Found:
        """Return what the folder of a layer has; layers of other languages and archives are only reported."""
        place = properties.get("ContentUri", properties.get("Content"))
        if not isinstance(place, str):
            where = place.reason if isinstance(place, Unknown) else "its content is an archive in S3"
            return Found(Content(), (left_out(where, at),))
        if re.match(r"\w+://", place) or has_placeholder(place):
            return Found(Content(), (left_out(f"its content is {in_comment(place)}", at),))
        if method and not is_python(method) and method != "python-uv":
            text_ = f"BuildMethod {method}: build it with your own script, and name the result as `content`"
            return Found(Content(), (left_out(text_, at),))
        return found_in_layer_folder(self._repository, self._folder / place, at, installs=bool(method))

    def _settings(self, key: str, properties: Table) -> tuple[Settings, tuple[Note, ...]]:
        description, notes = text(properties.get("Description")), []
        if len(description) > _LONGEST_DESCRIPTION or has_placeholder(description):
            notes.append(left_out("its description", properties.at("Description")))
            description = ""
        if text(properties.get("RetentionPolicy")) == "Delete":
            why = "old versions are kept, unless `keep: N` says how many"
            notes.append(left_out(f"RetentionPolicy Delete: {why}", properties.at("RetentionPolicy")))
        share = self._share(key)
        license_ = text(properties.get("LicenseInfo"))
        return Settings(description=description, license=license_, share=share), tuple(notes)

    @cached_property
    def _permissions(self) -> Mapping[str, Sequence[tuple[Table, Location]]]:
        """The properties of LayerVersionPermissions, by the layer that they refer to."""
        found: dict[str, list[tuple[Table, Location]]] = {}
        for resource, at in self._resources.values():
            if text(resource.get("Type")) == _PERMISSION:
                properties = table(self._evaluator.value(resource.get("Properties")))
                used = properties.get("LayerVersionArn")
                if isinstance(used, Resource):
                    found.setdefault(used.name, []).append((properties, at))
        return found

    def _share(self, layer: str) -> dict[str, object] | None:
        """Return who may use a layer, by the LayerVersionPermissions that refer to it."""
        accounts: list[str] = []
        share: dict[str, object] = {}
        for properties, at in self._permissions.get(layer, ()):
            organization, principal = (
                text(properties.get("OrganizationId")),
                text(properties.get("Principal")),
            )
            if re.fullmatch(r"o-[a-z0-9]{10,32}", organization):
                share["organization"] = organization
            elif principal == "*" and not organization:
                share["public"] = True
            elif re.fullmatch(r"\d{12}", principal):
                accounts.append(principal)
            else:
                self._notes.append(fill_in(f"layer {layer}: who may use it, as `share`", at))
        return ({"accounts": accounts} if accounts else {}) | share or None

    def _function(self, key: str, resource: Table, at: Location) -> FoundFunction:
        shared = self._globals if resource["Type"] == _SAM_FUNCTION else Table(at)
        properties = table(resource.get("Properties"))
        runtime, architectures, alias = (
            self._evaluator.value(properties.get(name, shared.get(name)))
            for name in ("Runtime", "Architectures", "AutoPublishAlias")
        )
        # A function's own layers are appended to those of Globals.
        layers = [*self._layers(shared.get("Layers")), *self._layers(properties.get("Layers"))]
        name, tag, notes = self._name(key, properties, at)
        if has_placeholder(text(runtime)) or isinstance(runtime, Unknown):
            notes = (
                *notes,
                fill_in(f"function {key}: its runtime is not known; check those of its layers", at),
            )
            runtime = ""
        if text(alias):
            notes = (*notes, taken(f"alias {text(alias)}, which the stack moves too", at))
        if "DeploymentPreference" in properties or "DeploymentPreference" in shared:
            why = "`rollout` has waves, canaries and alarms"
            notes = (
                *notes,
                left_out(f"DeploymentPreference of {key}: {why}", properties.at("DeploymentPreference")),
            )
        return FoundFunction(
            name=name,
            tag=tag,
            at=at,
            runtime=text(runtime),
            architecture=next((known_or_reason(each) for each in items(architectures)), Architecture.X86_64),
            layers=layers,
            aliases=texts(alias),
            notes=notes,
        )

    def _is_layer(self, key: str) -> bool:
        return key in self._resources and text(self._resources[key][0].get("Type")) in _LAYERS

    def _layers(self, value: object) -> Iterator[str | Unknown]:
        found = self._evaluator.value(value)
        for each in items(None if found is NO_VALUE else found):
            if isinstance(each, Resource):
                yield each.name if self._is_layer(each.name) else _of_resource(each)
            elif isinstance(each, str):
                yield each
            elif isinstance(each, list):
                yield from (part for part in each if isinstance(part, str))
            elif isinstance(each, Unknown):
                yield each

    def _name(
        self, key: str, properties: Table, at: Location
    ) -> tuple[str, tuple[tuple[str, str], ...], tuple[Note, ...]]:
        """Return a function's name; if CloudFormation generates it, the tags that CloudFormation sets."""
        named = self._evaluator.value(properties.get("FunctionName"))
        if isinstance(named, str) and named:
            return self._in_region(named), (), tuple(self._assumed(properties))
        why = named.reason if isinstance(named, Unknown) else "CloudFormation generates its name"
        tag = (
            ("aws:cloudformation:stack-name", self._config.deployment.stack),
            ("aws:cloudformation:logical-id", key),
        )
        return key, tag, (taken(f"{key} is selected by its stack's tags: {why}", at),)

    def _in_region(self, name: str) -> str:
        """Return a name with the region, if samconfig.toml says it; ARNs have `{region}` instead."""
        return name.replace(REGION, self._config.deployment.region)

    def _assumed(self, properties: Table) -> Iterator[Note]:
        """Yield a note if a name is that of a parameter's default: other deployments have other names."""
        names = _references(properties.get("FunctionName"))
        if used := [name for name in dict.fromkeys(names) if self._evaluator.is_default(name)]:
            text_ = f"its name is that of the defaults of {', '.join(used)}"
            yield taken(text_, properties.at("FunctionName"))


def _of_resource(resource: Resource) -> Unknown:
    return Unknown(f"{resource.name} is not a layer of this template", resource.location)


def _references(value: object) -> Iterator[str]:
    """Yield every name that a value may refer to."""
    if isinstance(value, Table):
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
    elif isinstance(value, str):
        yield value
        yield from re.findall(r"\$\{(\w+)\}", value)


def _named(note: Note, what: str) -> Note:
    return note._replace(text=f"{what}: {note.text}")
