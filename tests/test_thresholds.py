"""Lines in spending: found where people fill up to them, not found where they do not, and read off the tiers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import thresholds


def purses(seed, n=2400):
    return pd.Series(np.round(np.exp(np.random.default_rng(seed).normal(2.9, 0.7, n)), 2))


def filled(amounts, at, share, seed=0):
    near = (amounts >= 0.85 * at) & (amounts < at) & (np.random.default_rng(seed).random(len(amounts)) < share)
    return amounts.mask(near, at)


def test_where_nobody_fills_up_no_line_is_found():
    alarms = [thresholds.filled_up_to(purses(seed)) for seed in range(60)]

    assert sum(each is not None for each in alarms) <= 5


def test_prices_that_clump_are_not_taken_for_people_who_fill_up():
    rng = np.random.default_rng(3)
    prices = rng.choice([2.5, 3.99, 4.5, 7.95, 9.99, 12.5, 19.99], (1500, 6)) * rng.integers(0, 2, (1500, 6))

    assert thresholds.filled_up_to(pd.Series(prices.sum(axis=1))) is None


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_the_interval_of_the_share_who_filled_up_holds_the_truth(share):
    hits = 0
    for seed in range(40):
        amounts = purses(seed, 6000)
        truth = share * amounts.between(21.25, 24.999).sum() / amounts.between(21.0, 24.999).sum()
        found = thresholds.density(filled(amounts, 25.0, share, seed), 25.0)
        hits += found.filled_ends[0] < truth < found.filled_ends[1]

    assert hits >= 35


def test_an_amount_exactly_on_the_line_lies_above_it():
    found = thresholds.density(filled(purses(1), 25.0, 1.0), 25.0)

    assert found.bunched
    assert found.below < found.below_expected / 2


def test_where_few_stand_near_a_line_nothing_is_said():
    assert thresholds.density(pd.Series([10.0, 24.0, 25.0, 26.0, 40.0]), 25.0) is None
    assert thresholds.filled_up_to(pd.Series(dtype="float64")) is None


def test_tiers_that_were_given_for_something_else_have_no_line():
    spend = pd.Series(np.arange(1.0, 101.0))
    by_spend, by_chance = pd.Series("gold", spend.index[80:]), pd.Series("friend", spend.index[::2])

    assert thresholds.tier_lines(by_spend, spend).to_dict() == {"gold": 81.0}
    assert thresholds.tier_lines(by_chance, spend).empty


def test_who_holds_a_tier_is_not_just_below_it():
    spend = pd.Series({"holder": 95.0, "other": 95.0, "far": 80.0})

    assert list(thresholds.just_below(spend, [100.0], pd.Series({"holder": 100.0})).index) == ["other"]
