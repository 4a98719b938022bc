"""The intrinsic functions of CloudFormation templates -> their values, as far as the template itself says.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html

An evaluator of our own: cfn-lint installs 152 MB and takes 0.8 seconds to import; aws-sam-translator installs
55 MB, and its resolver knows neither Fn::If nor Fn::Join. Both are made to check or to deploy a template.
Here, what cannot be known is kept: a parameter without default becomes a placeholder, and anything else an
`Unknown` with the reason.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from entrypoint.errors import Location
from entrypoint.init.located import LONGEST, Items, Table, Text, Unknown, items, location_of, table, text
from entrypoint.init.placeholders import ACCOUNT, REGION, STACK, has_placeholder, placeholder

_DEEPEST = 50
"""Conditions in conditions."""
_MOST_REGIONS = 100
_SUBSTITUTION = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")


class Resource(NamedTuple):
    """A reference to a resource of the template, by its logical ID."""

    name: str
    location: Location


class NoValue(NamedTuple):
    """AWS::NoValue: the property or the item is removed."""


NO_VALUE = NoValue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What samconfig.toml says of the deployment of a template."""

    stack: str = STACK
    region: str = REGION
    parameters: Mapping[str, str] = field(default_factory=dict)


class Evaluator:
    """Evaluates the values of one template."""

    def __init__(self, template: Table, deployment: Deployment) -> None:
        self._parameters = table(template.get("Parameters"))
        self._conditions = table(template.get("Conditions"))
        self._mappings = table(template.get("Mappings"))
        self._resources = table(template.get("Resources"))
        self._deployment = deployment
        self._open: set[str] = set()  # conditions that are being evaluated
        self._known: dict[
            str, bool | None
        ] = {}  # those that were; others may refer to them any number of times
        self._depth = 0
        self._pseudo: dict[str, object] = {
            "AWS::StackName": deployment.stack,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NoValue": NO_VALUE,
        }

    def value(self, value: object) -> object:
        """Return a value with all functions in it evaluated; unknown parts stay as `Unknown`."""
        if isinstance(value, Items):
            found = [self.value(each) for each in value]
            return Items([each for each in found if each is not NO_VALUE], value.location)
        if not isinstance(value, Table):
            return value
        function = next(iter(value)) if len(value) == 1 else ""
        if function in self._functions:
            made = self._functions[function](self, value[function], value.location)
            if isinstance(made, str):
                at = value.location
                return Text.at(made, at) if len(made) <= LONGEST else _too_long(at)
            return made
        if function.startswith("Fn::"):
            return Unknown(f"{function} is evaluated at deployment", value.location)
        return self._table(value)

    def condition(self, name: str) -> bool | None:
        """Return whether a condition of the template is true; None if that is not known."""
        if name in self._open or name not in self._conditions:
            return None
        if name not in self._known:
            self._open.add(name)
            try:
                self._known[name] = self._truth(self._conditions[name])
            finally:
                self._open.discard(name)
        return self._known[name]

    def is_default(self, name: str) -> bool:
        """Whether the value of a parameter is its default."""
        declared = table(self._parameters.get(name))
        return declared.get("Default") is not None and name not in self._deployment.parameters

    def _table(self, value: Table) -> Table:
        made = Table(value.location)
        made.keys_at = value.keys_at
        for key, each in value.items():
            if (found := self.value(each)) is not NO_VALUE:
                made[key] = found
        return made

    def _ref(self, argument: object, location: Location) -> object:
        name = text(argument)
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameter(name, location)
        if name in self._resources:
            return Resource(name, location)
        return Unknown(f"{name or 'its Ref'} is not in the template", location)

    def _parameter(self, name: str, location: Location) -> object:
        declared = table(self._parameters[name])
        kind = text(declared.get("Type"))
        if kind.startswith("AWS::SSM::Parameter::"):
            return Unknown(f"parameter {name} is read from Systems Manager at deployment", location)
        value: object = self._deployment.parameters.get(name, declared.get("Default"))
        if len(text(value)) > LONGEST:
            return _too_long(location)
        if value is None:
            return placeholder(name) or Unknown(f"parameter {name} has no default", location)
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            parts = [part.strip() for part in text(value).split(",")]
            return Items([Text.at(part, location) for part in parts if part], location)
        return value

    def _get_att(self, argument: object, location: Location) -> object:
        name = (
            text(argument).partition(".")[0]
            if isinstance(argument, str)
            else text(next(iter(items(argument)), ""))
        )
        if name in self._resources:
            return Resource(name, location)
        return Unknown(f"{name or 'its Fn::GetAtt'} is not in the template", location)

    def _sub(self, argument: object, location: Location) -> object:
        parts = items(argument)
        template, own = text(parts[0] if parts else ""), table(parts[1] if len(parts) > 1 else None)

        def found(name: str) -> object:
            if name in own:
                return self.value(own[name])
            return (
                self._get_att(name, location) if "." in name else self._ref(Text.at(name, location), location)
            )

        whole = _SUBSTITUTION.fullmatch(template)
        if whole and not whole[1]:
            return found(whole[2])
        pieces: list[object] = []
        end = 0
        for match in _SUBSTITUTION.finditer(template):
            literal = f"${{{match[2]}}}"
            pieces += [template[end : match.start()], literal if match[1] else found(match[2])]
            end = match.end()
        return _joined("", [*pieces, template[end:]], location)

    def _join(self, argument: object, location: Location) -> object:
        parts = items(argument)
        found = self.value(parts[1]) if len(parts) > 1 else Items([], location)
        return (
            found
            if isinstance(found, Unknown)
            else _joined(text(parts[0]) if parts else "", items(found), location)
        )

    def _split(self, argument: object, location: Location) -> object:
        parts = [self.value(each) for each in items(argument)]
        if len(parts) != 2 or not all(isinstance(each, str) for each in parts) or not parts[0]:  # noqa: PLR2004
            return _unknown("Fn::Split", parts, location)
        return Items([Text.at(part, location) for part in text(parts[1]).split(text(parts[0]))], location)

    def _select(self, argument: object, location: Location) -> object:
        parts = items(argument)
        index, found = (
            text(self.value(parts[0])) if parts else "",
            self.value(parts[1] if len(parts) > 1 else None),
        )
        if isinstance(found, list) and index.isdecimal() and int(index) < len(found):
            return found[int(index)]
        return _unknown("Fn::Select", [found], location)

    def _if(self, argument: object, location: Location) -> object:
        parts = items(argument)
        if len(parts) != 3:  # noqa: PLR2004 - condition, value if true, value if false
            return Unknown("Fn::If is not complete", location)
        holds = self.condition(text(parts[0]))
        if holds is None:
            return Unknown(f"condition {text(parts[0])} depends on values of the deployment", location)
        return self.value(parts[1] if holds else parts[2])

    def _find_in_map(self, argument: object, location: Location) -> object:
        parts = [self.value(each) for each in items(argument)]
        default = table(parts[3]).get("DefaultValue") if len(parts) > 3 else None  # noqa: PLR2004
        if len(parts) < 3 or not all(isinstance(each, str) for each in parts[:3]):  # noqa: PLR2004
            return _unknown("Fn::FindInMap", parts, location)
        name, top, second = (text(each) for each in parts[:3])
        mapping = table(self._mappings.get(name))
        if top == REGION and has_placeholder(self._deployment.region):
            return _in_every_region(mapping, second) or Unknown(f"mapping {name} differs by region", location)
        found = table(mapping.get(top.replace(REGION, self._deployment.region))).get(second, default)
        if isinstance(found, str | list):  # a mapping has no functions
            return found
        return Unknown(f"mapping {name} has no {top}.{second}", location)

    def _length(self, argument: object, location: Location) -> object:
        found = self.value(argument)
        return str(len(found)) if isinstance(found, list) else _unknown("Fn::Length", [found], location)

    def _truth(self, value: object) -> bool | None:
        """Return whether the expression of a condition is true; None if that is not known."""
        if self._depth >= _DEEPEST:
            return None
        self._depth += 1
        try:
            return self._evaluated(value)
        finally:
            self._depth -= 1

    def _evaluated(self, value: object) -> bool | None:
        expression = table(value)
        name = next(iter(expression), "")
        parts = items(expression.get(name))
        match name:
            case "Fn::Equals":
                return self._equal(parts)
            case "Fn::Not":
                inner = self._truth(parts[0]) if parts else None
                return None if inner is None else not inner
            case "Fn::And" | "Fn::Or":
                found = {self._truth(each) for each in parts}
                decisive = name == "Fn::Or"
                return decisive if decisive in found else None if None in found else not decisive
            case "Condition":
                return self.condition(text(expression[name]))
            case _:
                return None

    def _equal(self, parts: Sequence[object]) -> bool | None:
        found = [self.value(each) for each in parts]
        if not all(isinstance(each, str) for each in found):
            return None
        known = [text(each).replace(REGION, self._deployment.region) for each in found]
        return None if any(map(has_placeholder, known)) else len(set(known)) == 1

    _functions: ClassVar[Mapping[str, Callable[["Evaluator", object, Location], object]]] = {
        "Ref": _ref,
        "Fn::GetAtt": _get_att,
        "Fn::Sub": _sub,
        "Fn::Join": _join,
        "Fn::Split": _split,
        "Fn::Select": _select,
        "Fn::If": _if,
        "Fn::FindInMap": _find_in_map,
        "Fn::Length": _length,
    }


def _joined(separator: str, parts: Sequence[object], location: Location) -> object:
    """Return the text of the parts; a part that is unknown makes all of it unknown."""
    for part in parts:
        if isinstance(part, Resource):
            return Unknown(
                f"it contains an attribute of {part.name}, which is known after deployment", part.location
            )
        if not isinstance(part, str):
            return _unknown("a part of the text", [part], location)
    if sum(len(text(part)) + len(separator) for part in parts) > LONGEST:
        return _too_long(location)
    return separator.join(text(part) for part in parts)


def _too_long(location: Location) -> Unknown:
    return Unknown(f"it has more than {LONGEST:,} characters", location)


def _unknown(what: str, parts: Sequence[object], location: Location) -> Unknown:
    first = next((part for part in parts if isinstance(part, Unknown)), None)
    return first or Unknown(f"{what} cannot be evaluated", location)


def _in_every_region(mapping: Table, key: str) -> object:
    """Return the ARN that a mapping has for all its regions, if they differ only in the region."""
    if len(mapping) > _MOST_REGIONS:
        return None
    found = {
        text(table(entry).get(key)).replace(f":{region}:", f":{REGION}:") for region, entry in mapping.items()
    }
    (only,) = found if len(found) == 1 else ("",)
    return Text.at(only, location_of(mapping)) if only else None
