"""A function and its entry -> what is to change about it. Pure.

A function's list of layers is replaced whole by UpdateFunctionConfiguration, so single entries are
swapped in place: layers that the manifest does not name stay where they are, for later layers overlay
earlier ones.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from entrypoint.aws.model import Details, Function
from entrypoint.errors import Diagnostic
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest.model import NO_CONCURRENCY, Concurrency, FunctionEntry, Vpc
from entrypoint.manifest.runtimes import RUNTIMES
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.selection import arns_of, region_of, without_version


class Aspect(StrEnum):
    """What of a function the manifest decides, in the order in which it is changed."""

    LAYERS = "layers"
    VPC = "vpc"
    RESERVED = "reserved concurrency"
    ALIASES = "aliases"
    PROVISIONED = "provisioned concurrency"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A layer that a function is to have: a version's ARN, or a layer whose version the run decides."""

    reference: str | AwsLayer
    #: The ARNs, without version, of the layers whose place it takes.
    replaces: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """A function of the manifest and what it is to have; layers that are `unwanted` are taken off."""

    function: Function
    wanted: tuple[Wanted, ...]
    unwanted: frozenset[str] = frozenset()
    aliases: tuple[str, ...] = ()
    vpc: Vpc | None = None
    concurrency: Concurrency = NO_CONCURRENCY
    details: Details | None = None

    def layers_after(self, current: tuple[str, ...], versions: Mapping[str, str]) -> tuple[str, ...]:
        """Return the list to set, given the list that stands; `versions` maps layer names to ARNs.

        Where a layer's version is not known yet, its name followed by `:new` stands for it.
        """
        result: list[str | None] = list(current)
        for wanted in self.wanted:
            reference = wanted.reference
            arn = (
                reference
                if isinstance(reference, str)
                else versions.get(reference.name, f"{reference.name}:new")
            )
            places = [
                i for i, layer in enumerate(result) if layer and without_version(layer) in wanted.replaces
            ]
            for place in places:
                result[place] = None
            if places:
                result[places[0]] = arn
            else:
                result.append(arn)
        return tuple(arn for arn in result if arn and without_version(arn) not in self.unwanted)

    def aspects(self, versions: Mapping[str, str]) -> tuple[Aspect, ...]:
        """Return what of the function is not yet as it is to be."""
        function, details = self.function, self.details
        found = []
        after = self.layers_after(function.layers, versions)
        if after != function.layers:
            found.append(Aspect.LAYERS)
        if self.vpc not in {None, function.vpc}:
            found.append(Aspect.VPC)
        if details and self.concurrency.reserved not in {None, details.reserved}:
            found.append(Aspect.RESERVED)
        if details and any(self.is_behind(alias, after) for alias in self.aliases):
            found.append(Aspect.ALIASES)
        if details and self.concurrency.provisioned and not self._is_provisioned(details):
            found.append(Aspect.PROVISIONED)
        return tuple(found)

    def is_behind(self, alias: str, layers: tuple[str, ...]) -> bool:
        """Tell whether an alias has to move: its version has other layers, or stands elsewhere."""
        stands = self.details.aliases.get(alias) if self.details else None
        return stands is None or stands.layers != layers or self.vpc not in {None, stands.vpc}

    def _is_provisioned(self, details: Details) -> bool:
        return all(details.provisioned.get(alias) == self.concurrency.provisioned for alias in self.aliases)


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """A function, the entry that decides about it, and the layers of the manifest."""

    entry: FunctionEntry
    function: Function
    layers: tuple[AwsLayer, ...]
    details: Details | None = None

    def change(self) -> FunctionChange:
        """Return what the entry makes of the function."""
        entry = self.entry
        return FunctionChange(
            function=self.function,
            wanted=tuple(self._wanted()),
            unwanted=frozenset(self.unlisted()) if entry.exclusive else frozenset[str](),
            aliases=entry.aliases,
            vpc=entry.vpc,
            concurrency=entry.concurrency,
            details=self.details,
        )

    def problems(self, today: date) -> Iterator[Diagnostic]:
        """Yield what AWS would refuse, or what would fail in the function."""
        function, place = self.function, self.entry.location
        runtime = RUNTIMES.get(function.runtime)
        if runtime and runtime.updates_blocked and runtime.updates_blocked <= today:
            since = f"AWS blocks updates to functions on {runtime} since {runtime.updates_blocked}"
            message = f"{function.name} cannot be updated: {since}"
            yield Diagnostic(message, "move it to a newer runtime", place)
        for reference in self.entry.layers:
            if not reference.startswith("arn:"):
                if not self._fitting(reference):
                    yield self._no_fit(reference)
            elif region_of(reference) != region_of(function.arn):
                message = f"{function.name} is in {region_of(function.arn)}, {reference} is not"
                yield Diagnostic(message, "write an entry for each region, with the functions' ARNs", place)
        after = self.change().layers_after(function.layers, {})
        if len(after) > LAYERS_PER_FUNCTION:
            message = f"{function.name} would have {len(after)} layers ({', '.join(after)})"
            yield Diagnostic(message, f"AWS takes at most {LAYERS_PER_FUNCTION}; take one off", place)
        for alias in self.entry.aliases if self.details else ():
            if self.details and alias not in self.details.aliases:
                message = f"{function.name} has no alias {alias!r}"
                yield Diagnostic(message, "create it first, or take it out of the manifest", place)

    def warnings(self) -> Iterator[Diagnostic]:
        """Yield what the user should know: layers that are too many, code that an alias does not have yet."""
        for arn in () if self.entry.exclusive else self.unlisted():
            name = arn.rpartition(":")[2]
            message = f"{self.function.name} has {name}, which the manifest does not list for it"
            hint = "list it, or set 'exclusive: true' to remove it"
            yield Diagnostic(message, hint, self.entry.location)
        for alias in self.details.aliases.values() if self.details else ():
            if alias.code_sha256 != self.function.code_sha256:
                message = f"the code of {self.function.name} is not what its alias {alias.name} serves"
                yield Diagnostic(message, "the alias stays until that code is published", self.entry.location)

    def _wanted(self) -> Iterator[Wanted]:
        for reference in self.entry.layers:
            if reference.startswith("arn:"):
                yield Wanted(str(reference), frozenset({without_version(reference)}))
            elif layer := self._fitting(reference):
                yield Wanted(layer, arns_of(reference, self.layers, self.function))

    def _fitting(self, name: str) -> AwsLayer | None:
        """Return the AWS layer that is built for the function's own runtime and architecture."""
        wanted = (name, self.function.runtime, self.function.architecture)
        for layer in self.layers:
            for target in layer.targets:
                platform = target.platform
                if wanted == (target.layer.name, str(platform.runtime), platform.architecture):
                    return layer
        return None

    def _no_fit(self, name: str) -> Diagnostic:
        function = self.function
        targets = (target for layer in self.layers for target in layer.targets)
        built = ", ".join(str(target.platform) for target in targets if target.layer.name == name)
        runs_on = f"{function.runtime}-{function.architecture}"
        message = f"{function.name} runs on {runs_on}; {name!r} is built for {built}"
        hint = f"add that runtime and architecture to the layer {name!r}"
        return Diagnostic(message, hint, self.entry.location)

    def unlisted(self) -> Iterator[str]:
        """Yield the ARNs of the manifest's layers that are on the function without being listed for it."""
        names = dict.fromkeys(target.layer.name for layer in self.layers for target in layer.targets)
        listed = {arn for wanted in self._wanted() for arn in wanted.replaces}
        standing = {without_version(arn) for arn in self.function.layers}
        for name in names:
            if name not in self.entry.layers:
                yield from sorted((arns_of(name, self.layers, self.function) & standing) - listed)
