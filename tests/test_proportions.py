"""A share and how sure it is, against published tables."""

from __future__ import annotations

import pytest

from loyalty_lab.proportions import difference, share, wilson


def test_wilson_s_interval_is_the_published_one():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20)[0] == 0
    assert wilson(20, 20)[1] == 1


@pytest.mark.parametrize(
    ("one", "other", "ends"),
    [((56, 70), (48, 80), (0.0524, 0.3339)), ((9, 10), (3, 10), (0.1705, 0.8090)), ((0, 10), (0, 20), (-0.1611, 0.2775))],
)
def test_newcombe_s_interval_is_the_published_one(one, other, ends):
    assert difference(one, other).interval[:2] == pytest.approx(ends, abs=5e-5)


def test_nobody_to_count_gives_no_value():
    assert share(0, 0).value is None
    assert difference((0, 0), (3, 4)).value is None
    assert difference((3, 4), (0, 0)).value is None
