"""The plugin serverless-python-requirements -> the layers of its packages.

With `layer`, the plugin makes a layer. Without it, it packs the packages into each function; here, they
become a layer of these functions. With `package.individually`, each `module` has requirements of its own.
https://www.serverless.com/plugins/serverless-python-requirements
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from entrypoint.errors import Location
from entrypoint.init.draft import Content, Note, Settings, fill_in, left_out, taken
from entrypoint.init.layer_folder import own_files, requirements_file
from entrypoint.init.located import Table, is_boolean, is_true, items, table, text, texts
from entrypoint.init.platforms import is_python
from entrypoint.init.python_project import Found, found_in_project, read_toml
from entrypoint.init.repository import Repository
from entrypoint.init.serverless.layer_settings import layer_settings
from entrypoint.init.serverless.variables import Variables
from entrypoint.init.template import FoundLayer, unknown_settings
from entrypoint.manifest.layer_schema import PACKAGE_NAME

_PLUGIN = "serverless-python-requirements"
_LAYER_ID = "PythonRequirementsLambdaLayer"
_READ = {
    "layer",
    "fileName",
    "noDeploy",
    "slim",
    "strip",
    "slimPatterns",
    "usePoetry",
    "usePipenv",
    "useUv",
    "usePyProject",
    "poetryWithGroups",
    "pyprojectWithGroups",
    "vendor",
}
_REASONS = {
    **dict.fromkeys(
        ("dockerizePip", "dockerSsh", "dockerPrivateKey", "dockerEnv", "dockerExtraFiles", "pythonBin"),
        "not needed: wheels are selected for the runtime, and other packages are compiled in its image",
    ),
    **dict.fromkeys(
        ("dockerImage", "dockerFile"), "to compile packages in an image of your own, set `builder_image`"
    ),
    **dict.fromkeys(
        (
            "useStaticCache",
            "useDownloadCache",
            "cacheLocation",
            "staticCacheMaxVersions",
            "invalidateCaches",
            "cleanupZipHelper",
        ),
        "not needed: wheels are cached by their digest",
    ),
    "zip": "not needed: Lambda unpacks layers",
    "pipCmdExtraArgs": "indexes are set as for pip itself, see docs/private-index.md",
    "slimPatternsAppendDefaults": "bytecode and .dist-info folders are not excluded by patterns",
    "requirePoetryLockFile": "the manifest's own locks are required",
}
_ALWAYS_KEPT = re.compile(r"dist-info|__pycache__|\.py\[?c")


class PluginLayers(NamedTuple):
    """The plugin's layers by their keys, which functions get which of them, and notes."""

    layers: Mapping[str, FoundLayer]
    of_functions: Mapping[str, str]
    notes: tuple[Note, ...]


class PythonRequirements:
    """The plugin as a service configures it."""

    def __init__(self, repository: Repository, folder: Path, content: Table, variables: Variables) -> None:
        self._repository, self._folder, self._variables = repository, folder, variables
        self._provider = table(variables.value(content.get("provider")))
        self._settings = table(variables.at("custom.pythonRequirements"))
        plugins = variables.value(content.get("plugins"))
        modules = table(plugins).get("modules") if isinstance(plugins, Table) else plugins
        self._is_used = _PLUGIN in texts(modules) or bool(self._settings)
        self._individually = is_true(table(variables.value(content.get("package"))).get("individually"))
        custom = table(content.get("custom"))
        self._at = (
            custom.at("pythonRequirements") if "pythonRequirements" in custom else content.at("plugins")
        )

    def layers(self, service: str, functions: Sequence[tuple[str, Table, Location]]) -> PluginLayers:
        """Return the layers of the service's requirements, and of the modules of its functions."""
        if not self._is_used:
            return PluginLayers({}, {}, ())
        settings, notes = self._layer_settings()
        is_layer = is_true(self._settings.get("layer"))
        modules = {key: self._module(each) for key, each, _ in functions if self._is_packed(each)}
        made: dict[str, FoundLayer] = {}
        if is_layer or not self._individually:
            made[_LAYER_ID] = self._root_layer(service, settings)
        if self._individually:
            for module in dict.fromkeys(modules.values()):
                made.setdefault(f"module {module}", self._module_layer(service, module, settings))
        of_functions = {} if is_layer else {key: f"module {each}" for key, each in modules.items()}
        if not self._individually and not is_layer:
            of_functions = dict.fromkeys(modules, _LAYER_ID)
        made = {key: layer for key, layer in made.items() if layer.content or layer.notes}
        if of_functions:
            text_ = f"remove {_PLUGIN} from the service, which packs the packages into its functions too"
            notes = (*notes, fill_in(text_, self._at))
        used = {key: each for key, each in of_functions.items() if each in made and made[each].content}
        return PluginLayers(made, used, (*notes, *self._unsupported()))

    def _is_packed(self, function: Table) -> bool:
        runtime = text(function.get("runtime", self._provider.get("runtime")))
        return "image" not in function and (not runtime or is_python(runtime))

    def _module(self, function: Table) -> str:
        return text(function.get("module")).strip("/") or "." if self._individually else "."

    def _root_layer(self, service: str, settings: Settings) -> FoundLayer:
        layer = table(self._settings.get("layer"))
        stage = text(self._variables.stage)
        own, notes = layer_settings(layer)
        named = text(layer.get("name"))
        is_named = "name" in layer or not is_true(self._settings.get("layer"))
        default = "" if is_named else f"{service}-{stage}-python-requirements"
        found = self._content(self._folder)
        return FoundLayer(
            name=named or "python-requirements",
            aws_name=named or default,
            at=self._at,
            content=found.content,
            runtimes=texts(layer.get("compatibleRuntimes")) or self._runtimes(),
            architectures=texts(layer.get("compatibleArchitectures"))
            or texts(self._provider.get("architecture")),
            settings=replace(settings, description=own.description, license=own.license, share=own.share),
            notes=(
                *_named(found.notes, named or "python-requirements"),
                *notes,
                *unknown_settings("the layer of the plugin", layer, layer),
            ),
        )

    def _module_layer(self, service: str, module: str, settings: Settings) -> FoundLayer:
        found = self._content(self._folder / module)
        return FoundLayer(
            name=f"{service}-requirements" if module == "." else module,
            at=self._at,
            content=found.content,
            settings=settings,
            notes=_named(found.notes, f"module {module}"),
        )

    def _runtimes(self) -> tuple[str, ...]:
        return tuple(each for each in texts(self._provider.get("runtime")) if is_python(each))

    def _content(self, folder: Path) -> Found:
        """Return the requirements that the plugin installs for a folder, and its vendored modules."""
        found = self._requirements(folder)
        vendor = text(self._settings.get("vendor"))
        if vendor and (path := folder / vendor).is_dir() and self._repository.contains(path):
            own, notes = own_files(self._repository, path, self._settings.at("vendor"))
            found = Found(replace(found.content, include=own), (*found.notes, *notes))
        return found

    def _requirements(self, folder: Path) -> Found:
        groups = (
            *texts(self._settings.get("poetryWithGroups")),
            *texts(self._settings.get("pyprojectWithGroups")),
        )
        if not self._repository.contains(folder):
            return Found(Content(), (left_out(f"{folder.name} is outside the repository", self._at),))
        name = text(self._settings.get("fileName")) or "requirements.txt"
        if self._is_of_tool(folder) or not (folder / name).is_file():
            project = found_in_project(self._repository, folder, groups)
            if project.content or not (folder / name).is_file():
                shown = self._repository.shown(folder / name)
                missing = left_out(f"{shown} not found, and no project file has requirements", self._at)
                return project if project.content else Found(Content(), (*project.notes, missing))
        return requirements_file(self._repository, folder / name, self._at)

    def _is_of_tool(self, folder: Path) -> bool:
        """Whether the plugin prefers Poetry, Pipenv or uv to the requirements file."""
        tools = read_toml(folder / "pyproject.toml").get("tool")
        is_poetry = (
            isinstance(tools, dict) and "poetry" in tools and is_true(self._settings.get("usePoetry", "true"))
        )
        is_pipenv = (folder / "Pipfile").is_file() and is_true(self._settings.get("usePipenv", "true"))
        is_uv = (folder / "uv.lock").is_file() and is_true(self._settings.get("useUv"))
        return is_poetry or is_pipenv or is_uv

    def _layer_settings(self) -> tuple[Settings, tuple[Note, ...]]:
        settings, notes = self._settings, []
        slim = is_true(settings.get("slim"))
        names = texts(settings.get("noDeploy"))
        valid = tuple(each for each in names if re.fullmatch(PACKAGE_NAME, each))
        if valid:
            notes.append(taken("noDeploy as exclude_packages", settings.at("noDeploy")))
        notes += [
            left_out(f"noDeploy {each}", settings.at("noDeploy")) for each in names if each not in valid
        ]
        patterns = [each for each in texts(settings.get("slimPatterns")) if not is_boolean(each)]
        kept = tuple(each for each in patterns if slim and not _ALWAYS_KEPT.search(each))
        for each in (each for each in patterns if each not in kept):
            why = "these files are always kept" if slim else "it has no effect without slim"
            notes.append(left_out(f"slimPatterns {each}: {why}", settings.at("slimPatterns")))
        if slim:
            text_ = "slim: .dist-info folders are kept, as packages read them; bytecode is added, not removed"
            notes.append(left_out(text_, settings.at("slim")))
        return Settings(
            exclude=kept,
            exclude_packages=valid,
            strip=slim and is_true(settings.get("strip", "true")),
        ), tuple(notes)

    def _unsupported(self) -> Iterator[Note]:
        for key, value in self._settings.items():
            if key not in _READ and items(value) and not (is_boolean(value) and not is_true(value)):
                yield left_out(f"{key}: {_REASONS.get(key, 'it has no equivalent')}", self._settings.at(key))


def _named(notes: tuple[Note, ...], layer: str) -> tuple[Note, ...]:
    return tuple(note._replace(text=f"layer {layer}: {note.text}") for note in notes)
