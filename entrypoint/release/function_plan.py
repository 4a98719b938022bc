"""A function and its entry -> the change of it, and what the user should know. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from entrypoint.aws.model import Details, Function
from entrypoint.errors import Diagnostic
from entrypoint.limits import LAYERS_PER_FUNCTION
from entrypoint.manifest.arn import Arn, is_arn, without_version
from entrypoint.manifest.model import NO_CONCURRENCY, FunctionEntry
from entrypoint.manifest.runtimes import OLDER_RUNTIMES, RUNTIMES
from entrypoint.manifest.targets import AwsLayer
from entrypoint.release.function_change import FunctionChange, Wanted
from entrypoint.release.selection import Selection, arns_of, shown_runtime


def function_plans(
    selection: Selection, layers: Sequence[AwsLayer], details: Mapping[str, Details]
) -> list["FunctionPlan"]:
    """Return the selected functions, each as AWS described it last."""
    plans = []
    for entry, listed in selection.functions:
        found = details.get(listed.name)
        function = (found and found.function) or listed
        if (
            function.custom_runtime and function.custom_runtime == listed.custom_runtime
        ):  # as the manifest says what it is like
            function = replace(function, runtime=listed.runtime)
        plans.append(FunctionPlan(entry, function, tuple(layers), found))
    return plans


@dataclass(frozen=True, slots=True)
class FunctionPlan:
    """A function, its entry in the manifest, and the manifest's layers."""

    entry: FunctionEntry
    function: Function
    layers: tuple[AwsLayer, ...]
    details: Details | None = None

    def change(self) -> FunctionChange:
        """Return what the entry requires of the function."""
        entry = self.entry
        return FunctionChange(
            function=self.function,
            wanted=tuple(self._wanted()),
            unwanted=frozenset(self.unlisted()) if entry.exclusive else frozenset[str](),
            aliases=entry.aliases,
            vpc=entry.vpc,
            concurrency=entry.concurrency,
            details=self.details,
            location=entry.location,
        )

    def problems(self, today: date) -> Iterator[Diagnostic]:
        """Yield what AWS would refuse, or what would fail in the function."""
        function, location = self.function, self.entry.location
        if (blocked := self._updates_blocked) and blocked <= today:
            since = f"AWS blocks updates of functions on {shown_runtime(function)} since {blocked}"
            message = f"{function.name} cannot be updated: {since}"
            yield Diagnostic(message, "move it to a newer runtime", location)
        for reference in self.entry.layers:
            if not is_arn(reference):
                if not self._fitting(reference):
                    yield self._no_fit(reference)
            elif Arn.parse(reference).region != Arn.parse(function.arn).region:
                message = f"{function.name} is in {Arn.parse(function.arn).region}, but {reference} is not"
                yield Diagnostic(message, "add an entry per region, with the functions' ARNs", location)
        after = self.change().layers_after(function.layers, {})
        if len(after) > LAYERS_PER_FUNCTION:
            message = f"{function.name} would have {len(after)} layers ({', '.join(after)})"
            yield Diagnostic(message, f"AWS allows at most {LAYERS_PER_FUNCTION}; remove one", location)
        for alias in self.entry.aliases if self.details else ():
            if self.details and alias not in self.details.aliases:
                message = f"{function.name} has no alias {alias!r}"
                yield Diagnostic(message, "create it first, or remove it from the manifest", location)

    @property
    def _updates_blocked(self) -> date | None:
        """The day from which AWS refuses updates of functions on this runtime."""
        if self.function.custom_runtime:
            return self.details.updates_blocked if self.details else None
        runtime = RUNTIMES.get(self.function.runtime)
        return runtime.updates_blocked if runtime else OLDER_RUNTIMES.get(self.function.runtime)

    def warnings(self, versions: Mapping[str, str]) -> Iterator[Diagnostic]:
        """Yield what the user should know: unlisted layers, and why a function will not be touched."""
        for arn in () if self.entry.exclusive else self.unlisted():
            name = Arn.parse(arn).name
            message = f"{self.function.name} has {name}, which the manifest does not list for it"
            hint = "list it, or set 'exclusive: true' to remove it"
            yield Diagnostic(message, hint, self.entry.location)
        if self.function.is_managed:
            yield from (each._replace(location=self.entry.location) for each in self._about_instances())
        if self.function.is_durable and not self.entry.aliases:
            message = f"{self.function.name} is durable: its callers name a version or an alias, not $LATEST"
            yield Diagnostic(message, "add its alias to 'aliases'", self.entry.location)
        if obstacle := self.change().obstacle(versions):
            yield obstacle._replace(location=self.entry.location)

    def _about_instances(self) -> Iterator[Diagnostic]:
        """Yield what differs for functions on managed instances.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
        """
        entry, name = self.entry, f"{self.function.name} runs on managed instances"
        if entry.aliases and entry.keep_versions is None:
            message = f"{name}: each version for its aliases starts instances of its own, which cost until it"
            hint = "set 'keep_versions': a capacity provider has at most 100 versions, of all its functions"
            yield Diagnostic(f"{message} is deleted", hint)
        if not entry.aliases and self.details and self.details.published is None:
            command = f"aws lambda publish-version --function-name {self.function.name}"
            hint = f"publish it: {command} --publish-to LATEST_PUBLISHED"
            yield Diagnostic(f"{name} and has no published version: it cannot be invoked", hint)
        if entry.vpc or entry.concurrency != NO_CONCURRENCY:
            message = f"{name}: their capacity provider has the VPC, and there is no concurrency to set"
            yield Diagnostic(message, "remove 'vpc' and 'concurrency': AWS may refuse them")

    def _wanted(self) -> Iterator[Wanted]:
        for reference in self.entry.layers:
            if is_arn(reference):
                yield Wanted(str(reference), frozenset({without_version(reference)}))
            elif layer := self._fitting(reference):
                yield Wanted(layer, arns_of(reference, self.layers, self.function))

    def _fitting(self, name: str) -> AwsLayer | None:
        """Return the layer in AWS that is built for the function's runtime and architecture."""
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
        if function.runtime == "custom":
            message = (
                f"{function.name} runs on {shown_runtime(function)}, which 'custom_runtimes' does not name"
            )
            return Diagnostic(message, "name it there, with the runtime that it is like", self.entry.location)
        runs_on = f"{function.runtime}-{function.architecture}"
        message = f"{function.name} runs on {runs_on}, but {name!r} is built for {built}"
        hint = f"add that runtime and architecture to the layer {name!r}"
        if function.runtime not in RUNTIMES:
            hint = "move it to another runtime, or remove it from the manifest: that one is not supported"
        return Diagnostic(message, hint, self.entry.location)

    def unlisted(self) -> Iterator[str]:
        """Yield the ARNs of the manifest's layers that the function uses without being listed for it."""
        names = dict.fromkeys(target.layer.name for layer in self.layers for target in layer.targets)
        listed = {arn for wanted in self._wanted() for arn in wanted.replaces}
        current = {without_version(arn) for arn in self.function.layers}
        for name in names:
            if name not in self.entry.layers:
                yield from sorted((arns_of(name, self.layers, self.function) & current) - listed)
