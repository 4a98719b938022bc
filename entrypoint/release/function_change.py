"""What to change about a function. Pure.

UpdateFunctionConfiguration replaces the whole list of layers, so entries are swapped in place: layers that
the manifest does not name keep their position, since later layers overlay earlier ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from entrypoint.aws.model import PUBLISHED, SETTINGS, SETTINGS_WITH_DEFAULTS, Details, Function
from entrypoint.errors import Diagnostic, Location
from entrypoint.manifest.arn import without_version
from entrypoint.manifest.model import NO_CONCURRENCY, NO_VPC, Concurrency, Vpc
from entrypoint.manifest.targets import AwsLayer


class Aspect(StrEnum):
    """What the manifest configures of a function, in the order in which it is changed."""

    LAYERS = "layers"
    VPC = "vpc"
    PUBLISHED = "published version"
    RESERVED = "reserved concurrency"
    ALIASES = "aliases"
    PROVISIONED = "provisioned concurrency"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A layer that a function should have: a version's ARN, or a layer whose version this run determines."""

    reference: str | AwsLayer
    #: The ARNs, without version, of the layers that it replaces.
    replaces: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionChange:
    """A function of the manifest and what it should have; `unwanted` layers are removed."""

    function: Function
    wanted: tuple[Wanted, ...]
    unwanted: frozenset[str] = frozenset()
    aliases: tuple[str, ...] = ()
    vpc: Vpc | None = None
    concurrency: Concurrency = NO_CONCURRENCY
    details: Details | None = None
    #: The location of its entry in the manifest.
    location: Location | None = None
    #: Published versions that aliases can go back to, by alias.
    returns: Mapping[str, str] = field(default_factory=dict, hash=False)

    def layers_after(self, current: tuple[str, ...], versions: Mapping[str, str]) -> tuple[str, ...]:
        """Return the list to set, given the current list; `versions` maps layer names to ARNs.

        A layer whose version is not known yet is represented by its name followed by `:new`. Wanted layers
        that the function has share their places in the manifest's order. Others are inserted before the
        next one in that order, or appended.
        """
        names = [without_version(layer) for layer in current]
        first = [
            min((names.index(name) for name in wanted.replaces if name in names), default=None)
            for wanted in self.wanted
        ]
        places = iter(sorted(place for place in first if place is not None))
        replaced = {name for wanted in self.wanted for name in wanted.replaces}
        by_place = {
            next(places): _arn(wanted, versions)
            for wanted, place in zip(self.wanted, first, strict=True)
            if place is not None
        }
        result = [
            by_place.get(place, layer)
            for place, layer in enumerate(current)
            if place in by_place or names[place] not in replaced
        ]
        for number, (wanted, place) in enumerate(zip(self.wanted, first, strict=True)):
            if place is None:
                later = {_arn(each, versions) for each in self.wanted[number + 1 :]}
                before = (index for index, layer in enumerate(result) if layer in later)
                result.insert(next(before, len(result)), _arn(wanted, versions))
        return tuple(arn for arn in result if without_version(arn) not in self.unwanted)

    def aspects(self, versions: Mapping[str, str]) -> tuple[Aspect, ...]:
        """Return what of the function differs from the manifest."""
        function, details = self.function, self.details
        found = []
        after = self.layers_after(function.layers, versions)
        if after != function.layers or function.failure:
            found.append(Aspect.LAYERS)
        if self.vpc not in {None, function.vpc or NO_VPC}:
            found.append(Aspect.VPC)
        if self.is_unpublished(after):
            found.append(Aspect.PUBLISHED)
        if details and self.reserved_after != details.reserved:
            found.append(Aspect.RESERVED)
        if details and any(
            self.is_behind(alias, after) or self.is_unfinished(alias, after) for alias in self.aliases
        ):
            found.append(Aspect.ALIASES)
        if details and self.concurrency.provisioned is not None and not self._is_provisioned(details):
            found.append(Aspect.PROVISIONED)
        return tuple(found)

    @property
    def reserved_after(self) -> int | None:
        """The reservation that the function is to have."""
        return self.concurrency.reserved_after(self.details.reserved if self.details else None)

    @property
    def published(self) -> Function | None:
        """What callers of a function on managed instances reach, if anything is published."""
        return self.details.published if self.details else None

    def is_unpublished(self, layers: tuple[str, ...]) -> bool:
        """Return whether callers get these layers only once $LATEST is published again."""
        published = self.published
        return published is not None and (published.layers != layers or published.failure is not None)

    def is_behind(self, alias: str, layers: tuple[str, ...]) -> bool:
        """Return whether an alias has to move: its version has other layers, or another VPC."""
        current = self.details.aliases.get(alias) if self.details else None
        if current and current.alias.version == PUBLISHED:  # it follows what is published
            return False
        if current is None or current.main.layers != layers:
            return True
        return self.vpc not in {None, current.main.vpc or NO_VPC}

    def is_unfinished(self, alias: str, layers: tuple[str, ...]) -> bool:
        """Return whether an alias has the weights of a canary that an earlier run did not finish."""
        canary = self.details.aliases[alias].canary if self.details else None
        return canary is not None and (canary.is_ours or canary.layers == layers)

    def obstacle(self, versions: Mapping[str, str]) -> Diagnostic | None:
        """Return why the function must not be touched: callers would get what nobody reviewed."""
        layers = self.layers_after(self.function.layers, versions)
        published = self.published if self.is_unpublished(layers) else None
        if published and (changed := self._unreleased(published, versions)):
            subject = f"{', '.join(changed)} of {self.function.name}"
            message = f"{subject} is not published, and callers would get that too"
            return Diagnostic(message, "the function is not changed; publish that, or revert it")
        for name in self.aliases if self.details else ():
            alias = self.details.aliases.get(name) if self.details else None
            if alias is None or not self.is_behind(name, layers):
                continue
            if alias.canary and not self.is_unfinished(name, layers):
                message = f"another tool shifts the traffic of the alias {name} of {self.function.name}"
                return Diagnostic(message, "the function is not changed; run again when the shift has ended")
            if changed := self._unreleased(alias.main, versions):
                subject = f"of {self.function.name} has no published version"
                message = f"{', '.join(changed)} {subject}, and the alias {name} would get that too"
                return Diagnostic(message, "the function is not changed; publish that, or revert it")
        return None

    def _unreleased(self, released: Function, versions: Mapping[str, str]) -> list[str]:
        """Return what of $LATEST differs from a published version, beside what this run changes."""
        ours, theirs = self.function, released
        changed = [] if ours.code_sha256 == theirs.code_sha256 else ["new code"]
        after = self.layers_after(theirs.layers, versions)
        if after != self.layers_after(ours.layers, versions):
            changed.append("a change of its other layers")
        if self.vpc is None and ours.vpc != theirs.vpc and not ours.is_managed:
            changed.append("a new VPC")
        return changed + [f"a new {name}" for name in different_settings(ours, theirs)]

    def _is_provisioned(self, details: Details) -> bool:
        wanted = self.concurrency.provisioned
        return all(details.provisioned.get(alias, 0) == wanted for alias in self.aliases)


def _arn(wanted: Wanted, versions: Mapping[str, str]) -> str:
    reference = wanted.reference
    return reference if isinstance(reference, str) else versions.get(reference.name, f"{reference.name}:new")


def different_settings(one: Function, other: Function) -> list[str]:
    """Return the names of the settings in which two configurations of a function differ."""
    names = [name for name in SETTINGS if one.settings.get(name) != other.settings.get(name)]
    both = [name for name in SETTINGS_WITH_DEFAULTS if name in one.settings and name in other.settings]
    return names + [name for name in both if one.settings[name] != other.settings[name]]
