"""The heart of a roll-out as properties: what `layers_after` does to any list of layers."""

from hypothesis import given
from hypothesis import strategies as some
from planning import arn, function, layer, planned

from entrypoint.release.function_change import FunctionChange
from entrypoint.release.selection import without_version

NAMES = ("web", "tools", "data")
OURS = [arn(f"{name}-python{python}-x86_64", 3) for name in NAMES for python in ("312", "313")]
FOREIGN = [
    *(arn(name, 2, account="210987654321") for name in NAMES),
    *(arn(name, 2) for name in ("web-extra", "my-web", "we", "other")),
]
TEXT = "layers:\n" + "".join(layer(name, "python3.12", "python3.13") for name in NAMES)


@some.composite
def lists_of_layers(draw, most: int = 8) -> tuple[str, ...]:
    """What a function may have, and more: each layer once, in any order."""
    return tuple(draw(some.lists(some.sampled_from(OURS + FOREIGN), unique=True, max_size=most)))


@some.composite
def changes(draw) -> tuple[FunctionChange, dict[str, str]]:
    wanted = draw(some.lists(some.sampled_from([*NAMES, FOREIGN[0]]), unique=True, min_size=1, max_size=2))
    exclusive = draw(some.booleans())
    listed = ", ".join(f'"{name}"' for name in wanted)
    entry = f"functions: {{api: {{layers: [{listed}], exclusive: {str(exclusive).lower()}}}}}"
    runtime = draw(some.sampled_from(["python3.12", "python3.13"]))
    plan = planned(TEXT + entry, function("api", *draw(lists_of_layers(most=3)), runtime=runtime))
    return plan.functions[0], plan.versions


def untouched(layers, change: FunctionChange) -> list[str]:
    """The layers that are no business of this change."""
    replaced = {name for wanted in change.wanted for name in wanted.replaces} | change.unwanted
    return [each for each in layers if without_version(each) not in replaced]


@given(changes())
def test_doing_it_twice_does_nothing_more(case):
    change, versions = case
    once = change.layers_after(change.function.layers, versions)
    assert change.layers_after(once, versions) == once


@given(changes(), lists_of_layers())
def test_foreign_layers_stay_in_their_order_whatever_stands_by_then(case, standing):
    change, versions = case
    result = change.layers_after(standing, versions)
    assert untouched(result, change) == untouched(standing, change)


@given(changes(), lists_of_layers())
def test_no_layer_comes_out_twice_and_all_that_are_wanted_are_there(case, standing):
    change, versions = case
    result = change.layers_after(standing, versions)
    names = [without_version(each) for each in result]
    assert len(names) == len(set(names))
    for wanted in change.wanted:
        reference = wanted.reference
        assert (reference if isinstance(reference, str) else versions[reference.name]) in result


def position(layers, wanted) -> int | None:
    """The place of a wanted layer, in any build."""
    places = [i for i, each in enumerate(layers) if without_version(each) in wanted.replaces]
    return places[0] if places else None


@given(changes(), lists_of_layers())
def test_wanted_layers_come_in_the_order_of_the_manifest(case, standing):
    """Later layers overlay earlier ones."""
    change, versions = case
    result = change.layers_after(standing, versions)
    places = [position(result, wanted) for wanted in change.wanted]
    assert places == sorted(places)


@given(changes(), lists_of_layers())
def test_a_swap_keeps_its_place(case, standing):
    change, versions = case
    result = change.layers_after(standing, versions)
    before = [position(standing, wanted) for wanted in change.wanted]
    if None not in before and before == sorted(before):
        for wanted, place in zip(change.wanted, before, strict=True):
            around = untouched(standing[:place], change)
            assert untouched(result[: position(result, wanted)], change) == around
