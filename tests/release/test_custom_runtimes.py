"""Functions on customer-managed runtimes: the manifest says which runtime theirs is like."""

from dataclasses import replace
from datetime import date

import pytest
from planning import REGION, after, arn, function, layer, planned, read
from rolling import NEW, OLD, rolling

from entrypoint.aws.model import CustomRuntime, Details
from entrypoint.errors import ManifestError, PlanError
from entrypoint.release.outcome import Status

RUNTIME = f"arn:aws:lambda:{REGION}:123456789012:runtime/company-python"
WEB = "layers:\n" + layer("web", "python3.12", "python3.13")


def on(alias="stable", name="api", arn=RUNTIME):
    return replace(function(name, runtime="custom"), custom_runtime=CustomRuntime(arn, alias))


def manifest(known, entry="api"):
    return WEB + f"custom_runtimes: {known}\nfunctions: {{{entry}: {{layers: [web]}}}}"


@pytest.mark.parametrize(
    ("known", "layer"),
    [
        ("{company-python: python3.12}", "web-python312-x86_64"),
        ("{company-python: python3.12, 'company-python:stable': python3.13}", "web-python313-x86_64"),
        (f"{{'{RUNTIME}': python3.13, company-python: python3.12}}", "web-python313-x86_64"),
        (f"{{'{RUNTIME}:stable': python3.12, '{RUNTIME}': python3.13}}", "web-python312-x86_64"),
    ],
)
def test_a_function_gets_the_layers_of_what_its_runtime_is_like(known, layer):
    plan = planned(manifest(known), on())
    assert after(plan, "api") == (arn(layer, 7),)
    assert plan.warnings == ()


def test_what_aws_describes_later_is_on_the_same_runtime():
    details = Details(function=on(), aliases={}, provisioned={})
    plan = planned(manifest("{company-python: python3.12}"), on(), details={"api": details})
    assert after(plan, "api") == (arn("web-python312-x86_64", 7),)


@pytest.mark.parametrize("known", ["{other: python3.12}", "{'company-python:beta': python3.12}"])
def test_a_runtime_that_the_manifest_does_not_name(known):
    runs_on = "api runs on the customer-managed runtime company-python:stable"
    with pytest.raises(PlanError, match=f"{runs_on}, which 'custom_runtimes' does not name; name it there"):
        planned(manifest(known), on())
    plan = planned(manifest(known, entry="'*'"), on(), function("b"), function("c", runtime="nodejs24.x"))
    assert [each.function.name for each in plan.functions] == ["b"]
    hint = "it is skipped; to give it layers, name that runtime under 'custom_runtimes' with the one that it is like"
    assert [(each.message, each.hint) for each in plan.warnings] == [
        (f"{runs_on}, for which no layer is built", hint),
        ("c runs on nodejs24.x, for which no layer is built", "it is skipped"),
    ]


def test_it_is_like_one_without_a_layer():
    with pytest.raises(PlanError, match=r"api runs on python3\.14-x86_64, but 'web' is built for"):
        planned(manifest("{company-python: python3.14}"), on())


@pytest.mark.parametrize("known", ["{company-python: python9}", "{Company: python3.13}", "[company-python]"])
def test_what_the_manifest_may_say(known):
    with pytest.raises(ManifestError):
        read(manifest(known))


@pytest.mark.parametrize(("today", "is_blocked"), [(date(2026, 11, 30), False), (date(2026, 12, 1), True)])
def test_the_date_of_the_runtimes_owner_counts(today, is_blocked):
    """Not the one of the runtime that it is like."""
    details = Details(function=on(), aliases={}, provisioned={}, updates_blocked=date(2026, 12, 1))
    text = manifest("{company-python: python3.12}")
    assert planned(text, on(), today=date(2050, 1, 1)).functions
    if is_blocked:
        with pytest.raises(PlanError, match=r"company-python:stable since 2026-12-01; move it to a newer"):
            planned(text, on(), details={"api": details}, today=today)
    else:
        assert planned(text, on(), details={"api": details}, today=today).functions


@pytest.mark.usefixtures("two_versions")
def test_callers_get_the_layer(aws, edge, roll, layers_of):
    aws.declare_runtime("company-python", "stable", {"FunctionUpdateBlockDate": "2090-12-01"})
    custom = {"Runtime": "custom", "RuntimeConfig": {"RuntimeArn": RUNTIME, "RuntimeAlias": "stable"}}
    aws.declare_function("api", layers=[OLD], settings=custom)
    outcomes, _ = roll(rolling() + "custom_runtimes: {company-python: python3.13}")
    assert (outcomes["api"].status, layers_of("api")) == (Status.UPDATED, [NEW])
    assert edge.runtimes.updates_blocked(CustomRuntime(RUNTIME, "stable")) == date(2090, 12, 1)
    assert edge.runtimes.updates_blocked(CustomRuntime(RUNTIME, "beta")) is None
