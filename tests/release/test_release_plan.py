"""The plan: which layers a function is to have, given those that it has. No AWS, no network."""

from dataclasses import replace
from datetime import date

import pytest
from planning import after, arn, function, layer, planned, version

from entrypoint.errors import PlanError
from entrypoint.manifest.arn import short_name, without_version
from entrypoint.release.plan import LayerAction
from entrypoint.release.state import LayerState

OTHER_ACCOUNT = "210987654321"
WEB = "layers:\n" + layer("web")
TWO = "layers:\n" + layer("web") + layer("tools")
WEB_ON_API = WEB + "functions: {api: {layers: [web]}}"
POWERTOOLS = arn("Powertools", 7, account=OTHER_ACCOUNT)


def test_a_layer_is_swapped_in_place_and_all_others_stay_where_they_are():
    has = (arn("first"), arn("web", 3), POWERTOOLS)
    plan = planned(WEB_ON_API, function("api", *has))
    assert after(plan, "api") == (arn("first"), arn("web", 7), POWERTOOLS)


def test_names_are_matched_whole():
    text = "layers:\n" + layer("foo") + "functions: {api: {layers: [foo]}}"
    plan = planned(text, function("api", arn("foo-bar", 2), arn("foo", 1), arn("my-foo", 4)))
    assert after(plan, "api") == (arn("foo-bar", 2), arn("foo", 7), arn("my-foo", 4))


def test_another_accounts_layer_of_the_same_name_is_not_ours():
    theirs = arn("web", 3, account=OTHER_ACCOUNT)
    plan = planned(WEB_ON_API, function("api", theirs))
    assert after(plan, "api") == (theirs, arn("web", 7))


def test_what_is_missing_is_appended_in_the_order_of_the_manifest():
    text = TWO + f'functions: {{api: {{layers: [tools, "{POWERTOOLS}", web]}}}}'
    plan = planned(text, function("api", arn("own")))
    assert after(plan, "api") == (arn("own"), arn("tools", 7), POWERTOOLS, arn("web", 7))


def test_a_foreign_layer_version_of_the_manifest_replaces_another_version_of_it():
    text = WEB + f'functions: {{api: {{layers: ["{POWERTOOLS}", web]}}}}'
    has = (arn("web", 7), arn("Powertools", 3, account=OTHER_ACCOUNT))
    assert after(planned(text, function("api", *has)), "api") == (POWERTOOLS, arn("web", 7))


def test_a_function_that_agrees_is_not_touched():
    has = (arn("tools", 7), arn("web", 7))
    plan = planned(TWO + "functions: {api: {layers: [tools, web]}}", function("api", *has))
    assert plan.to_update == ()
    assert plan.is_empty


def test_the_order_of_layers_is_that_of_the_manifest():
    """Later layers overlay earlier ones. What the manifest does not list keeps its place."""
    has = (arn("web", 7), POWERTOOLS, arn("tools", 7))
    plan = planned(TWO + "functions: {api: {layers: [tools, web]}}", function("api", *has))
    assert [change.function.name for change in plan.to_update] == ["api"]
    assert after(plan, "api") == (arn("tools", 7), POWERTOOLS, arn("web", 7))
    plan = planned(
        TWO + "functions: {api: {layers: [tools, web]}}", function("api", arn("web", 7), POWERTOOLS)
    )
    assert after(plan, "api") == (arn("tools", 7), arn("web", 7), POWERTOOLS)


def test_a_runtime_whose_functions_aws_no_longer_updates():
    text = "layers:\n" + layer("web", "python3.10") + "functions: {api: {layers: [web]}}"
    old = function("api", runtime="python3.10")
    assert after(planned(text, old), "api") == (arn("web", 7),)  # deprecated, but not blocked yet
    with pytest.raises(PlanError, match=r"AWS blocks updates of functions on python3.10 since 2027-03-03"):
        planned(text, old, today=date(2027, 3, 3))


def test_a_layer_that_is_not_published_yet_is_shown_as_new():
    nothing = LayerState(latest=None, current=None)
    plan = planned(WEB_ON_API, function("api", arn("own")), web=nothing)
    assert [change.action for change in plan.layers] == [LayerAction.PUBLISH]
    assert after(plan, "api") == (arn("own"), "web:new")


def test_an_older_version_with_the_same_hash_is_reused():
    older = LayerState(latest=version("web", 9, "0" * 64), current=version("web", 4))
    plan = planned(WEB_ON_API, function("api", arn("web", 9)), web=older)
    assert [change.action for change in plan.layers] == [LayerAction.REUSE]
    assert after(plan, "api") == (arn("web", 4),)


def test_a_layer_of_the_manifest_that_is_not_listed_is_drift_and_stays():
    plan = planned(TWO + "functions: {api: {layers: [web]}}", function("api", arn("tools", 2), arn("web", 7)))
    assert after(plan, "api") == (arn("tools", 2), arn("web", 7))
    (warning,) = plan.warnings
    assert "api has tools, which the manifest does not list for it" in warning.message
    assert "exclusive: true" in warning.hint


def test_exclusive_takes_off_the_manifests_other_layers_and_no_foreign_ones():
    text = TWO + "functions: {api: {layers: [web], exclusive: true}}"
    plan = planned(text, function("api", arn("tools", 2), POWERTOOLS, arn("own"), arn("web", 7)))
    assert after(plan, "api") == (POWERTOOLS, arn("own"), arn("web", 7))
    assert plan.warnings == ()


def test_exclusive_keeps_a_version_of_the_manifests_own_layer_that_is_listed_by_its_arn():
    text = TWO + f'functions: {{api: {{layers: [web, "{arn("tools", 2)}"], exclusive: true}}}}'
    plan = planned(text, function("api", arn("tools", 5)))
    assert after(plan, "api") == (arn("web", 7), arn("tools", 2))
    assert plan.warnings == ()


def test_each_function_gets_the_build_for_its_runtime_and_architecture():
    text = "layers:\n" + layer("web", "python3.12", "python3.13", more=", architectures: [x86_64, arm64]")
    plan = planned(
        text + 'functions: {"*": {layers: [web]}}',
        function("a", runtime="python3.12", architecture="arm64"),
        function("b", runtime="python3.13"),
    )
    assert after(plan, "a") == (arn("web-python312-arm64", 7),)
    assert after(plan, "b") == (arn("web-python313-x86_64", 7),)


def test_the_build_for_the_runtime_that_a_function_had_before_is_replaced():
    text = "layers:\n" + layer("web", "python3.12", "python3.13") + "functions: {api: {layers: [web]}}"
    plan = planned(text, function("api", arn("web-python312-x86_64", 7), arn("own"), runtime="python3.13"))
    assert after(plan, "api") == (arn("web-python313-x86_64", 7), arn("own"))


def test_of_several_builds_of_a_layer_one_is_left():
    text = "layers:\n" + layer("web", "python3.12", "python3.13") + "functions: {api: {layers: [web]}}"
    has = (arn("web-python312-x86_64", 7), arn("own"), arn("web-python313-x86_64", 6))
    assert after(planned(text, function("api", *has)), "api") == (arn("web-python313-x86_64", 7), arn("own"))


def test_the_build_from_when_the_layer_was_made_for_one_runtime_only_is_replaced():
    text = "layers:\n" + layer("web", "python3.12", "python3.13") + "functions: {api: {layers: [web]}}"
    plan = planned(text, function("api", arn("own"), arn("web", 5)))
    assert after(plan, "api") == (arn("own"), arn("web-python313-x86_64", 7))


def test_the_build_for_a_runtime_that_the_manifest_names_no_longer_is_replaced():
    plan = planned(WEB_ON_API, function("api", arn("web-python312-arm64", 5)))
    assert after(plan, "api") == (arn("web", 7),)


def test_an_earlier_name_that_is_another_layers_name_now_is_left_to_that_one():
    name = "web-python312-x86_64"
    text = "layers:\n" + layer("web") + layer(name) + f"functions: {{api: {{layers: [web, {name}]}}}}"
    assert after(planned(text, function("api", arn(name, 5))), "api") == (arn("web", 7), arn(name, 7))


def test_a_layer_with_a_name_of_its_own_has_no_claim_on_the_default_names():
    text = "layers:\n" + layer("web", more=', name: "team-{layer}"') + "functions: {api: {layers: [web]}}"
    plan = planned(text, function("api", arn("web", 5)))
    assert after(plan, "api") == (arn("web", 5), arn("team-web", 7))


def test_no_fit_names_both_sides_and_every_function_at_once():
    text = "layers:\n" + layer("web", "python3.12", "python3.13") + 'functions:\n  "*": {layers: [web]}\n'
    with pytest.raises(PlanError) as caught:
        planned(text, function("a", runtime="python3.11"), function("b", architecture="arm64"))
    first, second = caught.value.problems
    built = "'web' is built for python3.12-x86_64, python3.13-x86_64"
    assert first.message == f"a runs on python3.11-x86_64, but {built}"
    assert second.message == f"b runs on python3.13-arm64, but {built}"
    assert (first.location.file, first.location.line) == ("lambda-layers.yml", 5)


@pytest.mark.parametrize("runtime", ["nodejs22.x", "provided.al2023", "custom", ""])
def test_a_glob_skips_functions_of_other_languages(runtime):
    text = "layers:\n" + layer("web") + 'functions:\n  "*": {layers: [web]}\n'
    plan = planned(text, function("a", runtime=runtime), function("b"))
    assert [change.function.name for change in plan.functions] == ["b"]
    (warning,) = plan.warnings
    shown = runtime or "no runtime"
    assert warning.message == f"a runs on {shown}, for which no layer is built"
    assert warning.hint == "it is skipped"


def test_a_function_of_another_language_that_is_named_is_a_problem():
    text = "layers:\n" + layer("web") + "functions:\n  a: {layers: [web]}\n"
    with pytest.raises(PlanError, match=r"a runs on nodejs22.x-x86_64, but 'web' is built for"):
        planned(text, function("a", runtime="nodejs22.x"))


def test_a_glob_gives_layers_of_others_to_functions_of_any_language():
    text = f'layers:\n{layer("web")}functions:\n  "*": {{layers: ["{arn("other", 3)}"]}}\n'
    assert after(planned(text, function("a", runtime="nodejs22.x")), "a") == (arn("other", 3),)


def test_replicas_of_lambda_at_edge_are_skipped():
    text = "layers:\n" + layer("web") + 'functions:\n  "*": {layers: [web]}\n'
    replica = replace(function("us-east-1.a"), is_replica=True)
    plan = planned(text, replica, function("b"))
    assert [change.function.name for change in plan.functions] == ["b"]
    (warning,) = plan.warnings
    assert "is a replica of Lambda@Edge, which cannot be updated" in warning.message


def test_more_than_five_layers_are_refused_before_anything_is_done():
    has = [arn(f"layer{number}") for number in range(5)]
    with pytest.raises(PlanError, match=r"api would have 6 layers .*web:new.*at most 5"):
        planned(WEB_ON_API, function("api", *has))
    assert len(after(planned(WEB_ON_API, function("api", *has[:4])), "api")) == 5


def test_a_function_made_of_an_image_takes_no_layers():
    image = function("api", runtime="", package_type="Image")
    with pytest.raises(PlanError, match="api is a container image"):
        planned(WEB_ON_API, image)
    plan = planned(WEB + 'functions: {"a*": {layers: [web]}}', image, function("ab"))
    assert [change.function.name for change in plan.functions] == ["ab"]
    assert "it is skipped" in str(*plan.warnings)


def test_a_function_that_does_not_exist_is_an_error_with_a_suggestion():
    with pytest.raises(PlanError) as caught:
        planned(WEB + "functions: {report: {layers: [web]}, xyz: {layers: [web]}}", function("reports"))
    first, second = caught.value.problems
    assert str(first).endswith("the function 'report' does not exist; did you mean 'reports'?")
    assert "create it first" in second.hint


def test_a_glob_that_matches_nothing_is_a_warning():
    plan = planned(WEB + 'functions: {"report-*": {layers: [web]}}', function("api"))
    assert plan.functions == ()
    assert "no function matches 'report-*'" in str(*plan.warnings)


def test_of_all_entries_that_match_a_function_the_first_counts():
    text = TWO + 'functions: {report-daily: {layers: [web]}, "report-*": {layers: [tools]}}'
    plan = planned(text, function("report-daily"), function("report-weekly"))
    assert after(plan, "report-daily") == (arn("web", 7),)
    assert after(plan, "report-weekly") == (arn("tools", 7),)


def test_an_entry_that_is_an_arn_counts_in_its_region_only():
    text = "regions: [eu-west-1, us-east-1]\n" + TWO + "functions:\n"
    for region, name in (("eu-west-1", "web"), ("us-east-1", "tools")):
        text += f'  "arn:aws:lambda:{region}:123456789012:function:api": {{layers: [{name}]}}\n'
    here = planned(text, function("api"))
    there = planned(text, function("api", region="us-east-1"), region="us-east-1")
    assert after(here, "api") == (arn("web", 7),)
    assert len(there.functions) == 1
    assert there.functions[0].wanted[0].reference.name == "tools"


def test_an_arn_in_a_region_without_layers_is_an_error():
    text = "regions: [eu-west-1]\n" + WEB
    text += 'functions: {"arn:aws:lambda:us-east-1:123456789012:function:api": {layers: [web]}}'
    with pytest.raises(PlanError, match="is in us-east-1, which is not in 'regions'"):
        planned(text, function("api"))


def test_a_layer_of_another_region_is_an_error():
    far = arn("Powertools", 7, region="us-east-1")
    with pytest.raises(
        PlanError, match=r"api is in eu-west-1, but .*us-east-1.*is not; add an entry per region"
    ):
        planned(WEB + f'functions: {{api: {{layers: [web, "{far}"]}}}}', function("api"))


class TestOlderRuntimes:
    """Functions on them exist, and AWS updates them until a date."""

    def test_a_glob_skips_them(self):
        text = WEB + 'functions: {"*": {layers: [web]}}'
        plan = planned(text, function("old", runtime="python3.8"), function("b"))
        assert [each.function.name for each in plan.functions] == ["b"]
        (warning,) = plan.warnings
        assert warning.message == "old runs on python3.8, for which no layer is built"

    @pytest.mark.parametrize("runtime", ["python3.8", "nodejs24.x"])
    def test_by_name_they_are_an_error_that_says_what_to_do(self, runtime):
        with pytest.raises(PlanError, match=f"api runs on {runtime}-x86_64, .*; move it to another runtime"):
            planned(WEB + "functions: {api: {layers: [web]}}", function("api", runtime=runtime))

    def test_they_can_have_layers_of_others_until_aws_blocks_that(self):
        text = WEB + f'functions: {{"*": {{layers: ["{arn("Powertools", 7)}"]}}}}'
        old = function("api", runtime="python3.8")
        assert after(planned(text, old), "api") == (arn("Powertools", 7),)
        with pytest.raises(PlanError, match=r"functions on python3\.8 since 2027-03-03"):
            planned(text, old, today=date(2027, 3, 3))


def test_layers_that_aws_attached_keep_their_names_and_places():
    first, second = (f"arn:aws:lambda:::awslayer:{name}" for name in ("One", "Two"))
    text = WEB + "functions: {api: {layers: [web]}}"
    plan = planned(text, function("api", first, arn("web", 1), second))
    assert after(plan, "api") == (first, arn("web", 7), second)
    assert [short_name(each) for each in after(plan, "api")] == ["One", "web:7", "Two"]
    assert [without_version(each) for each in (first, arn("web", 7))] == [first, arn("web", 7)[:-2]]
