"""The newest version of a layer that can only be asked for by number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.release.layer_versions import newest


@pytest.mark.parametrize(
    ("versions", "start", "expected"),
    [
        ({1}, 1, 1),
        (set(range(1, 301)), 1, 300),
        (set(range(1, 301)), 300, 300),
        (set(range(1, 8)), 8, None),
        (set(), 1, None),
        ({1, 2, 3, 7, 8, 12}, 1, 12),  # some were deleted
        (set(range(180, 260)), 1, 259),  # all old ones were deleted
        (set(range(180, 260)), 7, 259),
    ],
)
def test_newest(versions, start, expected):
    assert newest(versions.__contains__, start) == expected


@given(st.integers(1, 5000), st.integers(1, 3000))
def test_few_questions(last, start):
    asked = []

    def exists(version):
        asked.append(version)
        return version <= last

    assert newest(exists, start) == (last if start <= last else None)
    assert len(asked) <= 100
