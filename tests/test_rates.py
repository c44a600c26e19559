"""A rate is compared as the lot was drawn: exact where few were kept aside, and silent where nothing was done."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loyalty_lab import proportions, rates, trial
from loyalty_lab.errors import InputError


def split(treated: tuple[int, int], control: tuple[int, int], stratum: str = "all") -> pd.DataFrame:
    """So many of so many who came back, in each arm of one stratum."""
    rows = [(arm, at < back) for arm, (back, n) in (("treated", treated), ("control", control)) for at in range(n)]
    return pd.DataFrame(rows, columns=["arm", "back"]).assign(stratum=stratum, pair="")


def pairs(both: int, treated_alone: int, control_alone: int, neither: int) -> pd.DataFrame:
    """So many pairs of each kind."""
    kinds = [(True, True)] * both + [(True, False)] * treated_alone + [(False, True)] * control_alone + [(False, False)] * neither
    rows = [(arm, back, str(at)) for at, told in enumerate(kinds) for arm, back in zip(("treated", "control"), told, strict=True)]
    return pd.DataFrame(rows, columns=["arm", "back", "pair"]).assign(stratum="all")


def together(*parts: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)


def test_one_stratum_has_newcombes_interval_and_fishers_chance_with_half_a_tie():
    found = rates.difference(split((30, 54), (1, 6)), "back")

    table = stats.hypergeom(60, 31, 54)
    assert (found.low, found.high) == proportions.difference((30, 54), (1, 6)).interval[:2]
    assert found.p == pytest.approx(2 * (table.sf(30) + table.pmf(30) / 2))
    assert found.value == pytest.approx(30 / 54 - 1 / 6)


@pytest.mark.parametrize(("n", "m", "back"), [(2, 2, 1), (5, 5, 0), (5, 5, 10), (54, 6, 31), (1_800, 200, 640), (18_000, 2_000, 6_000)])
def test_the_chances_of_a_lot_are_the_hypergeometric_ones(n, m, back):
    could = np.arange(max(0, back - m), min(back, n) + 1)
    known = stats.hypergeom(n + m, back, n).pmf(could)

    found = rates._dealt_chances(could, back, n, m)

    seen = known > 1e-280
    assert found[seen] == pytest.approx(known[seen], rel=1e-9)
    assert found.sum() == pytest.approx(1, rel=1e-12)


def test_pairs_are_told_by_those_that_differ():
    found = rates.difference(pairs(10, 14, 4, 30), "back")

    apart = np.array([0] * 40 + [1] * 14 + [-1] * 4)
    assert (found.low, found.high) == pytest.approx(stats.ttest_1samp(apart, 0).confidence_interval())
    assert found.p == pytest.approx(2 * (stats.binom(18, 0.5).sf(14) + stats.binom(18, 0.5).pmf(14) / 2))


def test_more_of_the_controls_count_as_much_as_more_of_the_treated():
    one, other = rates.difference(split((9, 20), (3, 25)), "back"), rates.difference(split((3, 25), (9, 20)), "back")

    assert other.value == -one.value
    assert (other.low, other.high) == (-one.high, -one.low)
    assert other.p == pytest.approx(one.p)


def test_parts_are_weighted_by_their_people_and_their_halves_put_together():
    first, second = split((10, 20), (2, 20)), split((30, 60), (27, 60), "late")
    found, (one, other) = rates.difference(together(first, second), "back"), (rates.difference(each, "back") for each in (first, second))

    assert found.value == pytest.approx(0.25 * one.value + 0.75 * other.value)
    below = np.hypot(0.25 * (one.value - one.low), 0.75 * (other.value - other.low))
    above = np.hypot(0.25 * (one.high - one.value), 0.75 * (other.high - other.value))
    assert (found.low, found.high) == pytest.approx((found.value - below, found.value + above))


def test_the_chance_over_several_parts_is_that_of_dealing_all_of_them_anew():
    first, second = split((12, 30), (6, 30)), split((16, 40), (9, 40), "late")
    found = rates.difference(together(first, second), "back")

    one, other = stats.hypergeom(60, 18, 30), stats.hypergeom(80, 25, 40)
    x, y = np.arange(19)[:, None], np.arange(26)[None, :]
    dealt = 60 / 140 * (x / 30 - (18 - x) / 30) + 80 / 140 * (y / 40 - (25 - y) / 40)
    chances = one.pmf(x) * other.pmf(y)
    tie = np.abs(dealt - found.value) < 1e-9
    assert found.p == pytest.approx(2 * (chances[(dealt > found.value) & ~tie].sum() + chances[tie].sum() / 2), abs=0.01)


@pytest.mark.parametrize("control", [6, 30, 200])
@pytest.mark.parametrize("chance", [0.05, 0.10, 0.32, 0.5])
def test_a_letter_that_does_nothing_is_called_a_success_in_less_than_five_of_a_hundred(control, chance):
    treated = 9 * control
    back, kept = (stats.binom(n, chance) for n in (treated, control))
    told = 0.0
    for b in range(int(kept.ppf(1e-4)), int(kept.isf(1e-4)) + 1):
        a = np.arange(int(back.ppf(1e-4)), int(back.isf(1e-4)) + 1)
        table = stats.hypergeom(treated + control, a + b, treated)
        works = 2 * (table.sf(a) + table.pmf(a) / 2) < 0.05
        told += kept.pmf(b) * back.pmf(a[works]).sum()

    assert told < 0.05


def test_the_interval_holds_the_true_effect_as_often_as_it_says():
    draw, held = np.random.default_rng(8), []
    for _ in range(300):
        told = split((draw.binomial(90, 0.4), 90), (draw.binomial(30, 0.3), 30))
        found = rates.difference(together(told, split((draw.binomial(20, 0.4), 20), (draw.binomial(20, 0.3), 20), "late")), "back")
        held.append(found.low <= 0.1 <= found.high)

    assert 0.92 <= np.mean(held) <= 0.985


def test_few_pairs_never_prove_anything():
    assert rates.difference(pairs(0, 2, 0, 0), "back").p > 0.05
    assert rates.difference(pairs(0, 3, 0, 0), "back").p > 0.05


def test_where_an_arm_is_empty_nothing_is_told():
    lonely = split((3, 5), (0, 0))

    assert rates.difference(lonely, "back") == trial.NOTHING
    assert rates.difference(together(lonely.assign(stratum="late"), split((5, 20), (4, 20))), "back") == rates.difference(
        split((5, 20), (4, 20)), "back"
    )


def test_what_is_no_rate_is_refused():
    with pytest.raises(InputError, match=r"2\.5"):
        rates.difference(split((3, 9), (2, 9)).assign(back=2.5), "back")
    with pytest.raises(InputError, match="'pair'"):
        rates.difference(split((3, 9), (2, 9)).drop(columns="pair"), "back")
