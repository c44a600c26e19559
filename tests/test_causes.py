"""How strong a hidden cause must be, and how strong the measured ones are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import causes


@pytest.mark.parametrize(("ratio", "strength"), [(3.9, 7.26), (1.8, 3.0), (2.0, 3.41), (1.1, 1.43), (0.5, 3.41), (1.0, 1.0)])
def test_e_values_are_those_of_the_paper(ratio, strength):
    assert causes.e_value(ratio) == pytest.approx(strength, abs=0.005)


@pytest.mark.parametrize("ratio", [None, 0.0, -0.2])
def test_where_there_is_no_ratio_there_is_no_e_value(ratio):
    assert causes.e_value(ratio) is None


@pytest.mark.parametrize("ratio", [1.05, 1.8, 3.9])
def test_a_cause_as_strong_as_the_e_value_on_both_sides_can_feign_just_that_ratio(ratio):
    strong = causes.e_value(ratio)
    cause = causes.Cause("hidden", strong, strong)

    assert cause.bias_bound == pytest.approx(ratio)
    assert cause.strength == pytest.approx(strong)


def test_the_bound_of_the_greeting_is_the_published_joint_factor():
    assert causes.Cause("warmth", 1.79, 1.28).bias_bound == pytest.approx(1.107, abs=0.001)


def confounded(n: int = 40_000, tie: float = 0.3, pull: float = 0.25):
    """A cause that half of the people have, and an exposure without any effect."""
    draw = np.random.default_rng(3)
    there = draw.random(n) < 0.5
    x = draw.random(n) < 0.2 + tie * there
    y = draw.random(n) < 0.3 + pull * there
    return there, x.astype(float), y.astype(float)


def test_a_cause_is_measured_as_it_was_made_whichever_way_round_it_is_told():
    there, x, y = confounded()

    found = causes.measured("warm", there, x, y)

    # Of the exposed (0.2 + 0.5)/2 = 0.35 of all, 0.25/0.35 have the cause; of the others 0.25/0.65.
    assert found.with_exposure == pytest.approx((0.25 / 0.35) / (0.25 / 0.65), rel=0.03)
    assert found.with_outcome == pytest.approx(0.55 / 0.30, rel=0.03)
    assert causes.measured("warm", there, x, 1 - y).with_outcome == pytest.approx(0.70 / 0.45, rel=0.03)
    absent = causes.measured("cold", ~there, x, y)
    assert (absent.with_exposure, absent.with_outcome) == pytest.approx((found.with_exposure, found.with_outcome))


def test_what_a_cause_feigns_stays_below_its_bound():
    there, x, y = confounded()

    feigned = y[x == 1].mean() / y[x == 0].mean()
    assert 1.1 < feigned < causes.measured("warm", there, x, y).bias_bound


def test_what_the_exposure_itself_does_is_not_put_down_to_the_cause():
    there, x, _ = confounded()
    y = np.random.default_rng(5).random(len(x)) < 0.2 + 0.6 * x

    assert causes.measured("warm", there, x, y).with_outcome == pytest.approx(1.0, abs=0.03)


def test_the_strongest_cause_is_found_among_numbers_groups_and_gaps():
    there, x, y = confounded(8_000)
    draw = np.random.default_rng(4)
    noise = pd.DataFrame({"noise": draw.normal(size=8_000), "day": draw.choice(["Mon", "Tue"], 8_000), "empty": np.nan, "same": 1.0})
    number = pd.Series(there * 2.0 + draw.random(8_000)).mask(draw.random(8_000) < 0.1)

    assert causes.strongest(noise.assign(visits=number), x, y).name == "visits"
    assert causes.strongest(noise.assign(kind=np.where(there, "warm", "cold")), x, y).name == "kind"
    assert causes.strongest(noise[["empty", "same"]], x, y) is None


def test_a_group_too_small_to_tell_is_taken_together_with_others():
    column = pd.Series(["big"] * 30 + ["rare"] * 19 + [None], dtype="object")

    assert set(causes.in_groups(column)) == {"big", ""}
