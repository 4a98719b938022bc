"""Terraform's layers and the functions that use them -> a draft.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/lambda_layer_version
https://registry.terraform.io/modules/terraform-aws-modules/lambda/aws/latest
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from entrypoint.errors import Location
from entrypoint.init.draft import Content, Draft, Note, Settings, fill_in, left_out
from entrypoint.init.layer_folder import found_in_layer_folder, requirements_file
from entrypoint.init.located import Unknown
from entrypoint.init.placeholders import has_placeholder, in_comment, literal
from entrypoint.init.platforms import is_python
from entrypoint.init.python_project import Found
from entrypoint.init.repository import Repository, start_of
from entrypoint.init.template import FoundFunction, FoundLayer, FoundTemplate, draft_of_template
from entrypoint.init.terraform.configuration import Block, Configuration, Reference, read_configuration
from entrypoint.manifest.runtimes import Architecture
from entrypoint.manifest.schema import REGION as REGION_PATTERN

_MODULE = "terraform-aws-modules/lambda/aws"
_SIGNS = ("aws_lambda_layer_version", "aws_lambda_function", _MODULE)
_LONGEST_DESCRIPTION = 150


def terraform_folder(repository: Repository) -> Path | None:
    """Return the folder whose .tf files have Lambda layers or functions: this one, or one inside it."""
    folder = repository.folder
    inside = sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    return next((each for each in (folder, *inside) if any(map(_has_signs, each.glob("*.tf")))), None)


def draft_of_terraform(repository: Repository, folder: Path) -> Draft | None:
    """Return the draft of a module; None if it has nothing about layers.

    Raises:
        ModuleNotFoundError: if python-hcl2 is not installed.
    """
    configuration = read_configuration(repository, folder)
    found = _Reader(repository, folder, configuration).read()
    if not found.layers and not any(function.layers for function in found.functions):
        return None
    return draft_of_template(repository, found)


def _has_signs(path: Path) -> bool:
    content = start_of(path)
    return any(sign in content for sign in _SIGNS)


class _Reader:
    def __init__(self, repository: Repository, folder: Path, configuration: Configuration) -> None:
        self._repository, self._folder, self._configuration = repository, folder, configuration

    def read(self) -> FoundTemplate:
        """Return the layers and functions of the configuration."""
        configuration = self._configuration
        modules = [
            each for each in configuration.of_type("module") if _MODULE in configuration.text(each, "source")
        ]
        layers = {
            **{
                each.address: self._layer(each)
                for each in configuration.of_type("resource", "aws_lambda_layer_version")
            },
            **{
                each.address: self._layer(each)
                for each in modules
                if configuration.value(each, "create_layer") is True
            },
        }
        functions = [
            self._function(each) for each in configuration.of_type("resource", "aws_lambda_function")
        ]
        functions += [
            self._function(each)
            for each in modules
            if configuration.value(each, "create_function") is not False
        ]
        notes = [left_out(each.reason, each.location) for each in configuration.unread]
        return FoundTemplate(
            layers=layers,
            functions=functions,
            region=next(self._regions(), ""),
            notes=tuple(notes),
        )

    def _regions(self) -> Iterator[str]:
        for block in self._configuration.of_type("provider", "aws"):
            region = self._configuration.text(block, "region")
            if "alias" not in block.arguments and re.fullmatch(REGION_PATTERN, region):
                yield region

    def _layer(self, block: Block) -> FoundLayer:
        configuration = self._configuration
        named = configuration.text(block, "layer_name")
        found = self._content(block)
        settings, notes = self._settings(block)
        name = literal(named).strip("-_") or block.labels[-1]
        architectures = configuration.texts(block, "compatible_architectures") or configuration.texts(
            block, "architectures"
        )
        runtime = configuration.text(block, "runtime")
        return FoundLayer(
            name=name,
            aws_name=named,
            at=block.at,
            content=found.content,
            runtimes=configuration.texts(block, "compatible_runtimes")
            or ((runtime,) if is_python(runtime) else ()),
            architectures=architectures,
            settings=settings,
            notes=(*(note._replace(text=f"layer {name}: {note.text}") for note in found.notes), *notes),
        )

    def _settings(self, block: Block) -> tuple[Settings, tuple[Note, ...]]:
        configuration = self._configuration
        description, notes = configuration.text(block, "description"), []
        if len(description) > _LONGEST_DESCRIPTION or has_placeholder(description):
            notes.append(left_out(f"the description of {block.address}", block.at))
            description = ""
        accounts: list[str] = []
        share: dict[str, object] = {}
        for each in configuration.of_type("resource", "aws_lambda_layer_version_permission"):
            if configuration.value(each, "layer_name") != Reference(block.address):
                continue
            principal, organization = (
                configuration.text(each, key) for key in ("principal", "organization_id")
            )
            if re.fullmatch(r"o-[a-z0-9]{10,32}", organization):
                share["organization"] = organization
            elif principal == "*":
                share["public"] = True
            elif re.fullmatch(r"\d{12}", principal):
                accounts.append(principal)
            else:
                notes.append(fill_in(f"who may use {block.address}, as `share`", each.at))
        license_ = configuration.text(block, "license_info")
        shared = ({"accounts": accounts} if accounts else {}) | share
        return Settings(description=description, license=license_, share=shared or None), tuple(notes)

    def _content(self, block: Block) -> Found:
        if block.labels[0] == "module":
            return self._content_of_module(block)
        filename = self._configuration.value(block, "filename")
        archive = self._archive(filename)
        if archive is None:
            what = filename if isinstance(filename, str) and filename else "in S3 or known after deployment"
            text = (
                f"its archive is {in_comment(what)}; name the folder or the requirements that it is made from"
            )
            return Found(Content(), (left_out(text, block.at),))
        source = self._configuration.value(archive, "source_dir")
        if not isinstance(source, str) or has_placeholder(source):
            return Found(Content(), (left_out(f"the folder of {archive.address} is not known", archive.at),))
        return self._folder_content(source, block.at, installs=False)

    def _archive(self, filename: object) -> Block | None:
        """Return the archive_file that makes a layer's archive, by reference or by its path."""
        if isinstance(filename, Reference) and filename.block.startswith("data.archive_file."):
            return self._configuration.find(filename.block)
        for each in self._configuration.of_type("data", "archive_file"):
            if filename and self._configuration.value(each, "output_path") == filename:
                return each
        return None

    def _content_of_module(self, block: Block) -> Found:
        """Return the content of `source_path`: a path, or entries with `path` and `pip_requirements`."""
        source = self._configuration.value(block, "source_path")
        entries = source if isinstance(source, list) else [source]
        found = [self._entry(each, block.at) for each in entries if each is not None]
        if not found:
            return Found(Content(), (left_out("it has no source_path", block.at),))
        content = Content(
            requirements=tuple(each for part in found for each in part.content.requirements),
            groups=tuple(each for part in found for each in part.content.groups),
            lock=next((part.content.lock for part in found if part.content.lock), ""),
            include=tuple(each for part in found for each in part.content.include),
            content=next((part.content.content for part in found if part.content.content), ""),
        )
        return Found(content, tuple(note for part in found for note in part.notes))

    def _entry(self, entry: object, at: Location) -> Found:
        settings = entry if isinstance(entry, dict) else {"path": entry}
        path, pip = settings.get("path"), settings.get("pip_requirements")
        if isinstance(pip, str):
            return requirements_file(self._repository, self._resolved(pip), at)
        if not isinstance(path, str) or has_placeholder(path):
            return Found(Content(), (left_out("a source_path is not known", at),))
        installs = (
            bool(pip) or settings.get("prefix_in_zip") == "python" or bool(settings.get("poetry_install"))
        )
        return self._folder_content(path, at, installs=installs)

    def _folder_content(self, path: str, at: Location, *, installs: bool) -> Found:
        return found_in_layer_folder(self._repository, self._resolved(path), at, installs=installs)

    def _resolved(self, path: str) -> Path:
        return Path(os.path.normpath(self._folder / path))

    def _function(self, block: Block) -> FoundFunction:
        configuration = self._configuration
        named = configuration.value(block, "function_name")
        layers = list(self._layers(configuration.value(block, "layers"), block.at))
        runtime = configuration.text(block, "runtime")
        notes: tuple[Note, ...] = ()
        if layers and (not runtime or has_placeholder(runtime)):
            notes = (
                fill_in(f"the runtime of {block.address} is not known; check those of its layers", block.at),
            )
            runtime = ""
        return FoundFunction(
            name=named if isinstance(named, str) else f"{block.address} (its name is known after deployment)",
            at=block.at,
            runtime=runtime,
            architecture=next(iter(configuration.texts(block, "architectures")), Architecture.X86_64),
            layers=layers,
            notes=notes,
        )

    def _layers(self, value: object, at: Location) -> Iterator[str | Unknown]:
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, Reference):
                yield each.block
            elif isinstance(each, str | Unknown):
                yield each
            elif each is not None:
                yield Unknown("an expression", at)
