"""The layers that functions of an account and region use, with their packages -> a draft."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from entrypoint.aws.model import Function
from entrypoint.errors import AwsError, Diagnostic
from entrypoint.init.draft import (
    Content,
    Draft,
    DraftFunction,
    DraftLayer,
    fill_in,
    layer_name,
    left_out,
    taken,
)
from entrypoint.manifest.arn import Arn, without_version
from entrypoint.manifest.runtimes import RUNTIMES, Architecture
from entrypoint.release.archive_packages import ArchivePackages

if TYPE_CHECKING:
    from entrypoint.aws.client import Aws

_TARGET_NAME = re.compile(r"(.+)-python3\d+-(?:x86_64|arm64)")
"""Names that this program gives to layers for several runtimes or architectures."""
_NOTE = (
    "packages in {archive}, including dependencies: keep only those that you require directly; "
    "`lambda-layers lock` pins the rest"
)


@dataclass(frozen=True, slots=True)
class _UsedLayer:
    """A layer of the account: its ARN without version, the newest version in use, and its functions."""

    arn: str
    version: int
    functions: tuple[Function, ...]

    @property
    def aws_name(self) -> str:
        return Arn.parse(self.arn).name

    @property
    def name(self) -> str:
        target_name = _TARGET_NAME.fullmatch(self.aws_name)
        return layer_name(target_name[1] if target_name else self.aws_name)


def found_in_account(aws: "Aws", region: str) -> Draft:
    """Return the layers of this account that Python functions use; reads only parts of the archives.

    Raises:
        AwsError: if the functions cannot be listed, if a layer may not be read, or if there is none.
    """
    functions = [each for each in aws.functions.all() if each.layers]
    used = _used(functions)
    layers: dict[str, DraftLayer] = {}
    notes = [taken(f"the layers that functions in {region} use")]
    unread: tuple[Diagnostic, ...] = ()
    for each in used:
        try:
            made = _layer(aws, each, layers.get(each.name))
        except AwsError as error:
            if error.is_denial:
                raise
            unread += error.problems
            notes.append(left_out(str(error)))
            continue
        if made:
            layers[each.name] = made
        else:
            notes.append(left_out(f"{each.aws_name}: its archive contains no Python packages"))
    if not layers and unread:
        raise AwsError(*unread)
    if not layers:
        message = f"no function in {region} uses a layer of this account that contains Python packages"
        raise AwsError.of(message, "run: lambda-layers init, without --from-aws")
    names = {each.arn: each.name for each in used if each.name in layers}
    return Draft(
        layers=tuple(layers.values()),
        functions=tuple(_functions(functions, names)),
        region=region,
        notes=tuple(notes),
    )


def _used(functions: Sequence[Function]) -> list[_UsedLayer]:
    """Return the used layers of the functions' own account, sorted by ARN."""
    found: dict[str, list[tuple[int, Function]]] = {}
    for function in functions:
        own = Arn.parse(function.arn).layer("")
        for arn in function.layers:
            if arn.startswith(own):
                found.setdefault(without_version(arn), []).append((Arn.parse(arn).version, function))
    return [
        _UsedLayer(arn, max(version for version, _ in users), tuple(function for _, function in users))
        for arn, users in sorted(found.items())
    ]


def _layer(aws: "Aws", used: _UsedLayer, other: DraftLayer | None) -> DraftLayer | None:
    """Return the layer, merged with another target of it; None if it has no packages or supported runtime."""
    runtimes = _runtimes(each.runtime for each in used.functions)
    archive = f"{used.aws_name}:{used.version}"
    with closing(aws.layers.archive(used.aws_name, used.version)) as file:
        requirements = tuple(_requirements(ArchivePackages(file, name=archive).versions))
    if not runtimes or not requirements:
        return None
    known = set(Architecture)
    architectures = tuple(
        dict.fromkeys(each.architecture for each in used.functions if each.architecture in known)
    )
    if other:
        runtimes = tuple(sorted({*other.runtimes, *runtimes}, key=list(RUNTIMES).index))
        architectures = tuple(dict.fromkeys([*other.architectures, *architectures]))
        requirements = tuple(
            {Requirement(each).name: each for each in (*other.content.requirements, *requirements)}.values()
        )
    return DraftLayer(
        name=used.name,
        content=Content(requirements=requirements),
        runtimes=runtimes,
        architectures=architectures,
        notes=(*(other.notes if other else ()), fill_in(_NOTE.format(archive=archive))),
    )


def _runtimes(identifiers: Iterable[str]) -> tuple[str, ...]:
    """Return the supported runtimes with Python among these, without duplicates."""
    return tuple(each for each in dict.fromkeys(identifiers) if each in RUNTIMES and RUNTIMES[each].python)


def _requirements(versions: Mapping[str, str]) -> Iterator[str]:
    """Yield pins; an archive from another tool may contain invalid names or versions."""
    for name, version in sorted(versions.items()):
        for line in (f"{name}=={version}", name):
            try:
                yield str(Requirement(line))
            except InvalidRequirement:
                continue
            break


def _functions(functions: Iterable[Function], names: Mapping[str, str]) -> Iterator[DraftFunction]:
    """Yield the functions that use one of these layers, each with all of its layers, in order."""
    for function in functions:
        layers = [names.get(without_version(arn), arn) for arn in function.layers]
        if set(layers) & set(names.values()) and _runtimes([function.runtime]):
            yield DraftFunction(name=function.name, layers=tuple(layers))
