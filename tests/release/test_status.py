"""How AWS stands to the manifest: the same facts as the plan's, and told whatever is wrong."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planning import HASH, REGION, arn, function, layer, plan_of, read, version

from entrypoint.aws.alarm_model import Alarm, AlarmChange
from entrypoint.aws.model import Alias, AliasState, Details, LayerVersion
from entrypoint.errors import PlanError
from entrypoint.manifest.model import Destination, Vpc
from entrypoint.release.selection import select
from entrypoint.release.state import LayerState, RegionState
from entrypoint.release.status import DriftKind, status_of

TODAY = date(2026, 11, 23)
WEB = "layers:\n" + layer("web")
ON_API = WEB + "functions: {api: {layers: [web]}}"
OTHER = "0" * 64


def by_hand(name, number):
    return LayerVersion(arn=arn(name, number), version=number, description="quick fix")


def state_of(*functions, **standing):
    """What stands; each layer's versions are given newest first."""
    layers = {}
    for name, versions in standing.items():
        ours = [each for each in versions if each.dependency_hash == HASH]
        layers[name] = LayerState(
            latest=versions[0] if versions else None,
            current=min(ours, key=lambda each: each.version, default=None),
            versions=tuple(versions),
        )
    return RegionState(destination=Destination(REGION), layers=layers, functions=functions, tags={})


def status(text, state, details=None, alarms=()):
    manifest, layers = read(text)
    selection = select(manifest, layers, state.functions, state.tags, state.destination)
    hashes = {each.name: HASH for each in layers}
    return status_of(layers, hashes, state, selection, details or {}, alarms=alarms, today=TODAY)


def drift(text, *functions, details=None, alarms=(), **standing):
    found = status(text, state_of(*functions, **standing), details, alarms).drift
    return [(each.kind, each.subject, each.has, each.wanted) for each in found]


def test_nothing_drifts_where_all_is_as_the_manifest_asks():
    assert (
        drift(ON_API, function("api", arn("web", 7)), web=[version("web", 7), version("web", 6, OTHER)]) == []
    )


def test_a_lock_that_is_not_deployed():
    api = function("api", arn("web", 6))
    assert drift(ON_API, api, web=[version("web", 6, OTHER)]) == [
        (DriftKind.NOT_DEPLOYED, "web", "version 6", "the packages of the locks here"),
        (DriftKind.OFF_VERSION, "api", "web:6", "web, not deployed yet"),
    ]
    assert drift(WEB, web=[]) == [
        (DriftKind.NOT_DEPLOYED, "web", "no version", "the packages of the locks here")
    ]


def test_a_function_off_its_version_or_without_it():
    versions = [version("web", 7), version("web", 6, OTHER)]
    assert drift(ON_API, function("api", arn("web", 6)), web=versions) == [
        (DriftKind.OFF_VERSION, "api", "web:6", "web:7")
    ]
    assert drift(ON_API, function("api"), web=versions) == [(DriftKind.OFF_VERSION, "api", "none", "web:7")]


def test_a_foreign_layer_of_the_manifest_at_another_version():
    theirs = [arn("Powertools", number, account="210987654321") for number in (7, 8)]
    text = WEB + f'functions: {{api: {{layers: ["{theirs[1]}"]}}}}'
    assert drift(text, function("api", theirs[0]), web=[version("web", 7)]) == [
        (DriftKind.OFF_VERSION, "api", "Powertools:7", "Powertools:8")
    ]


def test_a_version_that_somebody_published_by_hand():
    api = function("api", arn("web", 8))
    assert drift(ON_API, api, web=[by_hand("web", 8), version("web", 7)]) == [
        (DriftKind.NOT_OURS, "web", "version 8, published outside lambda-layers", "version 7"),
        (DriftKind.OFF_VERSION, "api", "web:8", "web:7"),
    ]


def test_a_version_in_use_that_was_deleted():
    api, other = function("api", arn("web", 5)), function("other", arn("web", 4))
    assert drift(ON_API, api, other, web=[version("web", 7)]) == [
        (DriftKind.DELETED, "api", "web:5, which was deleted", "web:7"),
        (DriftKind.DELETED, "other", "web:4, which was deleted", "an existing version"),
    ]


def test_another_accounts_layer_of_the_same_name_is_not_taken_for_deleted():
    theirs = arn("web", 3, account="210987654321")
    assert drift(ON_API, function("api", theirs, arn("web", 7)), web=[version("web", 7)]) == []


def test_a_function_that_there_is_not():
    assert drift(ON_API, web=[version("web", 7)]) == [
        (
            DriftKind.MISSING,
            "api",
            "the function 'api' does not exist",
            "create it first, or remove it until then: deploy publishes the layers without it",
        )
    ]
    globs = WEB + 'functions: {"report-*": {layers: [web]}}'
    assert drift(globs, web=[version("web", 7)]) == []


def test_a_function_of_another_runtime_than_the_layer_is_built_for():
    ((kind, subject, has, _),) = drift(ON_API, function("api", runtime="python3.12"), web=[version("web", 7)])
    assert (kind, subject) == (DriftKind.UNFIT, "api")
    assert has == "api runs on python3.12-x86_64, but 'web' is built for python3.13-x86_64"


def test_a_layer_of_the_manifest_that_is_not_listed():
    text = WEB + layer("tools") + "functions: {api: {layers: [web]}}"
    api = function("api", arn("tools", 2), arn("web", 7))
    standing = {"web": [version("web", 7)], "tools": [version("tools", 2)]}
    assert drift(text, api, **standing) == [(DriftKind.UNLISTED, "api", "tools:2", "not listed in its entry")]


def test_settings_and_alarms():
    where = "vpc: {subnets: [subnet-1], security_groups: [sg-1]}, aliases: [live], concurrency: {reserved: 5}"
    text = WEB + f"functions: {{api: {{layers: [web], {where}}}}}"
    behind = AliasState(alias=Alias(name="live", version="3"), main=function("api", arn("web", 6)))
    details = {"api": Details(reserved=0, aliases={"live": behind}, provisioned={})}
    api = function("api", arn("web", 7), vpc=Vpc(("subnet-2",), ("sg-1",)))
    alarm = Alarm(
        metric="Errors", function="api", statistic="Sum", comparison="", threshold=0, datapoints=3, actions=()
    )
    different = AlarmChange(alarm, ("period: 300 instead of 60",))
    assert drift(
        text, api, details=details, alarms=[AlarmChange(alarm), different], web=[version("web", 7)]
    ) == [
        (DriftKind.SETTINGS, "api", "vpc: subnet-2, sg-1", "subnet-1, sg-1"),
        (DriftKind.SETTINGS, "api", "reserved concurrency: 0", "5"),
        (DriftKind.SETTINGS, "api", "aliases: a version with other layers", "live"),
        (DriftKind.SETTINGS, "lambda-layers-api-Errors", "missing", "the recommended alarm"),
        (
            DriftKind.SETTINGS,
            "lambda-layers-api-Errors",
            "period: 300 instead of 60",
            "the recommended alarm",
        ),
    ]


NUMBERS = st.integers(1, 4)
LAYERS = st.lists(
    st.builds(arn, st.sampled_from(["web", "tools", "foreign"]), NUMBERS), max_size=3, unique=True
).map(tuple)
VERSIONS = st.dictionaries(NUMBERS, st.sampled_from([HASH, OTHER, None]), max_size=4)


@settings(deadline=None)
@given(api=LAYERS, other=LAYERS, web=VERSIONS, tools=VERSIONS, exclusive=st.booleans())
def test_what_a_plan_would_change_is_drift(api, other, web, tools, exclusive):
    """And the other way round, as far as a plan looks."""

    def versions(name, found):
        return [
            version(name, number, digest) if digest else by_hand(name, number)
            for number, digest in sorted(found.items(), reverse=True)
        ]

    text = WEB + layer("tools")
    text += f"functions: {{api: {{layers: [tools, web], exclusive: {exclusive}}}, 'o*': {{layers: [web]}}}}".lower()
    state = state_of(
        function("api", *api),
        function("other", *other),
        web=versions("web", web),
        tools=versions("tools", tools),
    )
    found = status(text, state).drift
    kinds = {DriftKind.NOT_DEPLOYED, DriftKind.OFF_VERSION, DriftKind.DELETED, DriftKind.SETTINGS}
    try:
        plan = plan_of(text, state)
    except PlanError:
        assert DriftKind.UNFIT in {each.kind for each in found}
        return
    agreeing = not any(each.kind in kinds for each in found)
    assert agreeing == plan.is_empty
    updated = {change.function.name for change in plan.to_update}
    of_functions = kinds - {DriftKind.NOT_DEPLOYED}  # the order of layers is a setting
    assert updated == {each.subject for each in found if each.kind in of_functions}


@pytest.mark.parametrize("entry", ['"o*"', "other"])
def test_an_image_function_takes_no_layers(entry):
    text = WEB + f"functions: {{{entry}: {{layers: [web]}}}}"
    found = drift(text, function("other", package_type="Image"), web=[version("web", 7)])
    assert [kind for kind, *_ in found] == ([] if "*" in entry else [DriftKind.MISSING])


@pytest.mark.parametrize(
    ("layers", "failure", "has"),
    [
        ([arn("web", 1)], None, "published version: web:1"),
        ([], None, "published version: no layers"),
        ([arn("web", 2)], "no capacity", "published version: web:2; it failed: no capacity"),
        ([arn("web", 2)], None, None),
    ],
)
def test_what_callers_on_managed_instances_reach(layers, failure, has):
    latest = replace(function("api", arn("web", 2)), is_managed=True)
    published = replace(latest, layers=tuple(layers), failure=failure)
    details = {"api": Details(function=latest, aliases={}, provisioned={}, published=published)}
    found = drift(ON_API, latest, details=details, web=[version("web", 2), version("web", 1, OTHER)])
    assert found == ([(DriftKind.SETTINGS, "api", has, "web:2")] if has else [])
