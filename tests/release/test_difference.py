"""What sets two states of a layer apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.release.difference import ChangeKind, Side, compare

SETS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1.0", "1", "2.0", "2.0rc1", "odd!"]))


def side(versions, sizes=lambda _: None):
    return Side(origin="there", versions=versions, sizes=sizes)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("9.0", "10.0", ChangeKind.UPGRADED),
        ("2.0", "2.0rc1", ChangeKind.DOWNGRADED),
        ("1.0", "1.0+local", ChangeKind.UPGRADED),
        ("what a stranger made", "1.0", ChangeKind.UPGRADED),
        (None, "1.0", ChangeKind.ADDED),
        ("1.0", None, ChangeKind.REMOVED),
    ],
)
def test_what_happened_to_a_package(before, after, kind):
    one, other = (side({} if version is None else {"a": version}) for version in (before, after))
    (change,) = compare("web", one, other).changes
    assert change.kind is kind


def test_another_spelling_of_a_version_is_no_change():
    assert compare("web", side({"a": "1.0"}), side({"a": "1.0.0"})).changes == ()


@given(SETS, SETS)
def test_the_changes_lead_from_one_to_the_other_and_the_sizes_add_up(before, after):
    asked = []

    def sizes(name):
        asked.append(name)
        return 10

    found = compare("web", side(before, sizes), side(after, sizes))
    state = dict(before)
    for change in found.changes:
        state.pop(change.name, None)
        state |= {change.name: change.after.version} if change.after else {}
    assert {name: text.replace("1.0", "1") for name, text in state.items()} == {
        name: text.replace("1.0", "1") for name, text in after.items()
    }
    assert found.growth == 10 * (len(after) - len(before))
    assert set(asked) == {change.name for change in found.changes}


def test_one_unknown_size_makes_the_sum_unknown():
    known = side({"a": "1"}, lambda _: 5)
    some = side({"a": "2", "b": "1"}, lambda name: 7 if name == "a" else None)
    found = compare("web", known, some)
    assert [change.growth for change in found.changes] == [2, None]
    assert found.growth is None
