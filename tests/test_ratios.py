"""Ratios of sums and differences of values: known formulas are met, and overlap makes a difference surer."""

from __future__ import annotations

import numpy as np
import pytest

from loyalty_lab import proportions, ratios
from loyalty_lab.results import Fact


def test_the_difference_of_two_shares_of_different_people_is_newcombes():
    then, now = proportions.share(48, 80), proportions.share(56, 70)

    assert ratios.change(then, now).interval == pytest.approx(proportions.difference((56, 70), (48, 80)).interval)


def test_a_surer_level_makes_the_interval_wider():
    then, now = proportions.share(48, 80), proportions.share(56, 70)
    (low, high, _), (lower, higher, level) = ratios.change(then, now).interval, ratios.change(then, now, level=0.99).interval

    assert level == 0.99
    assert lower < low < high < higher


def test_two_values_that_move_alike_are_compared_more_surely():
    then, now = proportions.share(48, 80), proportions.share(56, 80)
    widths = [high - low for low, high, _ in (ratios.change(then, now, alike).interval for alike in (0.0, 0.5, 0.9))]

    assert widths[0] > widths[1] > widths[2] > 0


def test_what_has_no_value_has_no_change():
    nothing = Fact(value=None, unit="share", n=0)

    assert ratios.change(nothing, proportions.share(5, 9)).value is None
    assert ratios.change(proportions.share(5, 9), Fact(value=0.5, unit="share")).interval is None
    assert not ratios.clear(ratios.change(nothing, nothing))


def test_the_interval_of_a_ratio_of_sums_matches_a_bootstrap_over_customers():
    draw = np.random.default_rng(8)
    spent, orders = draw.gamma(2, 20, 400), 1.0 + draw.poisson(2, 400)
    found = ratios.of_sums([spent], [orders])
    drawn = [spent[who].sum() / orders[who].sum() for who in draw.integers(0, 400, (300, 400))]

    assert found.value == spent.sum() / orders.sum()
    assert np.log(found.interval[1] / found.interval[0]) == pytest.approx(2 * 1.96 * np.std(np.log(drawn)), rel=0.12)


def test_a_sum_of_nothing_has_no_ratio():
    assert ratios.of_sums([np.zeros(3)], [np.ones(3)]).value is None
    assert ratios.influence([np.zeros(3)], [np.ones(3)]).tolist() == [0, 0, 0]
