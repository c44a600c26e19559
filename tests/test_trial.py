"""A round that was split by lot is read as it was drawn: right on average, as sure as it says, and silent where nothing was done."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loyalty_lab import trial
from loyalty_lab.errors import InputError


def people(n: int, seed: int, effect: float = 0.0, base: float = 0.3, pairs: bool = True, share: float = 0.5) -> pd.DataFrame:
    """A list split by lot: who buys much before is likelier to come back; `effect` is added to the chance of the treated."""
    draw = np.random.default_rng(seed)
    before = draw.gamma(0.6, 60.0, n)
    table = pd.DataFrame({"spend_before": before, "stratum": np.where(before > 50, "regular", "once")}).sort_values(
        ["stratum", "spend_before"], ignore_index=True
    )
    if pairs:
        first = draw.random(n // 2) < 0.5
        arm = np.ravel(np.column_stack([first, ~first]))
        table["pair"] = np.repeat(np.arange(n // 2), 2).astype(str)
    else:
        arm, table["pair"] = draw.random(n) < share, ""
    chance = np.clip(base + 0.2 * (table["spend_before"].rank(pct=True) - 0.5) + effect * arm, 0, 1)
    table["back"] = draw.random(n) < chance
    table["spend"] = table["back"] * draw.gamma(0.7, 40.0, n) * (1 + table["spend_before"] / 100)
    return table.assign(arm=np.where(arm, "treated", "control"), propensity=share)


@pytest.mark.parametrize("pairs", [True, False])
def test_the_interval_holds_the_true_effect_as_often_as_it_says(pairs):
    held, off = [], []
    for seed in range(200):
        found = trial.difference(people(300, seed, effect=0.10, pairs=pairs), "back")
        held.append(found.low <= 0.10 <= found.high)
        off.append(found.value - 0.10)

    assert 0.91 <= np.mean(held) <= 0.99
    assert abs(np.mean(off)) < 3 * np.std(off) / 200**0.5


def test_a_letter_that_does_nothing_is_seldom_called_a_success():
    said = [trial.difference(people(60, seed), "back") for seed in range(200)]

    assert np.mean([found.clear for found in said]) < 0.09


def test_pairs_are_compared_within_the_pair():
    table = pd.DataFrame(
        {"arm": ["treated", "control"] * 3, "pair": ["1", "1", "2", "2", "3", "3"], "stratum": "x", "back": [1, 0, 1, 1, 0, 0]}
    )

    found = trial.difference(table, "back")

    inside = stats.ttest_1samp([1, 0, 0], 0)
    assert (found.value, found.p) == (pytest.approx(1 / 3), pytest.approx(inside.pvalue))
    assert (found.low, found.high) == pytest.approx(inside.confidence_interval())


def test_strata_are_weighted_by_their_people():
    one = pd.DataFrame({"stratum": "a", "arm": ["treated"] * 10 + ["control"] * 10, "back": [1] * 10 + [0] * 10})
    other = pd.DataFrame({"stratum": "b", "arm": ["treated"] * 30 + ["control"] * 30, "back": [0, 1] * 30})

    found = trial.difference(pd.concat([one, other], ignore_index=True).assign(pair=""), "back")

    assert found.value == pytest.approx(20 / 80)


def test_a_stratum_with_one_arm_tells_nothing():
    lonely = pd.DataFrame({"stratum": "late", "arm": ["treated"] * 5, "back": [1] * 5, "pair": ""})
    both = pd.DataFrame({"stratum": "a", "arm": ["treated", "control"] * 20, "back": [1, 0, 0, 0] * 10, "pair": ""})

    assert trial.difference(pd.concat([lonely, both], ignore_index=True), "back") == trial.difference(both, "back")
    assert trial.difference(lonely, "back") == trial.NOTHING


def test_adjusting_is_the_regression_of_the_paper_with_its_errors():
    import statsmodels.api as sm

    table = people(300, 4, effect=0.1).assign(older=np.random.default_rng(1).normal(size=300))
    found, explained = trial.adjusted_difference(table, "spend", ["spend_before", "older"])

    treated = (table["arm"] == "treated").to_numpy(dtype=float)
    X = table[["spend_before", "older"]].to_numpy() - table[["spend_before", "older"]].to_numpy().mean(axis=0)
    fitted = sm.OLS(table["spend"].to_numpy(), np.column_stack([np.ones(300), treated, X, treated[:, None] * X])).fit(cov_type="HC2")
    assert found.value == pytest.approx(fitted.params[1])
    assert (found.low, found.high) == pytest.approx(fitted.conf_int()[1])
    assert explained == pytest.approx(sm.OLS(table["spend"].to_numpy(), np.column_stack([np.ones(300), X])).fit().rsquared)


def test_a_column_that_says_nothing_in_one_arm_breaks_nothing():
    table = people(300, 4)
    table["once"] = ((table["arm"] == "treated") & (np.arange(300) < 2)).astype(float)

    found, _ = trial.adjusted_difference(table.assign(twice=2 * table["once"]), "spend", ["spend_before", "once", "twice"])

    assert found.value == pytest.approx(trial.adjusted_difference(table, "spend", ["spend_before"])[0].value, abs=3)
    assert 0 < found.high - found.low < 50


def test_adjusting_for_spend_before_narrows_the_interval_and_says_by_how_much():
    table = people(2_000, 5, pairs=False).assign(spend=lambda f: f["spend_before"] + 5 * (f["arm"] == "treated") + f["spend"] / 50)

    plain = trial.difference(table, "spend")
    adjusted, explained = trial.adjusted_difference(table, "spend", ["spend_before"])

    assert explained > 0.8
    assert adjusted.high - adjusted.low < 0.5 * (plain.high - plain.low)
    assert adjusted.value == pytest.approx(5, abs=0.2)


def test_the_lin_regression_is_that_of_statsmodels_written_out():
    import statsmodels.formula.api as smf

    table = people(400, 8, pairs=False)
    table["t"], table["x"] = (table["arm"] == "treated").astype(float), table["spend_before"] - table["spend_before"].mean()
    fitted = smf.ols("spend ~ t * x", table).fit(cov_type="HC2")

    found, _ = trial.adjusted_difference(table, "spend", ["spend_before"])

    assert found.value == pytest.approx(fitted.params["t"])
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * fitted.bse["t"])


def test_dealing_anew_agrees_with_welch_where_both_hold_and_keeps_the_error_where_welch_does_not(monkeypatch):
    monkeypatch.setattr(trial, "RESAMPLES", 300)
    even = people(1_000, 3, effect=0.08, pairs=False)
    arms = [even.loc[even["arm"] == arm, "spend"] for arm in ("treated", "control")]
    assert trial.permutation_p(even, "spend") == pytest.approx(stats.ttest_ind(*arms, equal_var=False).pvalue, abs=0.08)

    few = [people(400, 900 + seed, pairs=False, share=0.94) for seed in range(60)]
    wrong = np.mean([trial.permutation_p(table.assign(stratum="all"), "spend") < 0.05 for table in few])
    assert wrong < 0.14


def test_a_ratio_is_compared_customer_by_customer():
    draw = np.random.default_rng(4)
    orders = draw.poisson(3, 4_000) + 1
    table = pd.DataFrame({"arm": ["treated", "control"] * 2_000, "orders": orders})
    table["value"] = orders * draw.gamma(4, 5, 4_000) + np.where(table["arm"] == "treated", 2.0, 0.0) * orders
    table = table.assign(stratum="all", pair="")

    found = trial.ratio_difference(table, "value", "orders")

    picks = [draw.integers(0, 4_000, 4_000) for _ in range(300)]
    spread = np.std([_ratio(table.iloc[pick], "treated") - _ratio(table.iloc[pick], "control") for pick in picks])
    assert found.value == pytest.approx(2, abs=0.6)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.15)


def test_a_ratio_in_pairs_is_compared_within_the_pair():
    table = people(400, 3, effect=0.2).assign(orders=lambda f: f["back"] + (f["spend_before"] > 30))
    apart = _ratio(table, "treated", "spend") - _ratio(table, "control", "spend")
    linear = np.zeros(len(table))
    for arm, mine in table.groupby("arm"):
        linear[mine.index] = (mine["spend"] - _ratio(table, arm, "spend") * mine["orders"]) / mine["orders"].mean()

    found = trial.ratio_difference(table, "spend", "orders")

    inside = stats.ttest_1samp(table.assign(linear=linear).pivot(index="pair", columns="arm", values="linear") @ [-1, 1] + apart, 0)
    assert found.value == pytest.approx(apart)
    assert (found.low, found.high) == pytest.approx(inside.confidence_interval())
    assert found.p == pytest.approx(inside.pvalue)


def test_a_ratio_in_strata_is_that_of_sums_weighted_by_their_people():
    table = people(4_000, 3, pairs=False).assign(orders=lambda f: 1 + (f["spend_before"] > 100))
    table = table.assign(value=lambda f: f["orders"] * np.where(f["stratum"] == "regular", 90.0, 10.0) + f["spend"] / 9)
    unlike = table.drop(table.query("stratum == 'regular' and arm == 'control'").index[::5])

    found, plain = trial.ratio_difference(unlike, "value", "orders"), _ratio(unlike, "treated") - _ratio(unlike, "control")

    weights = unlike["stratum"].value_counts(normalize=True)
    means = unlike.groupby(["arm", "stratum"])[["value", "orders"]].mean()
    weighted = {arm: means.loc[arm].mul(weights, axis=0).sum() for arm in ("treated", "control")}
    apart = weighted["treated"]["value"] / weighted["treated"]["orders"] - weighted["control"]["value"] / weighted["control"]["orders"]
    assert found.value == pytest.approx(apart, abs=0.05)
    assert plain - apart > 1


@pytest.mark.parametrize("pairs", [True, False])
def test_a_ratio_of_nothing_is_not_told(pairs):
    table = people(100, 3, pairs=pairs).assign(orders=lambda f: f["back"] * (f["arm"] == "treated"))

    assert trial.ratio_difference(table, "spend", "orders") == trial.NOTHING
    assert trial.ratio_difference(table[table["arm"] == "control"], "spend", "back") == trial.NOTHING
    assert trial.ratio_difference(table[:0], "spend", "back") == trial.NOTHING


def _ratio(table: pd.DataFrame, arm: str, numerator: str = "value") -> float:
    mine = table[table["arm"] == arm]
    return mine[numerator].sum() / mine["orders"].sum()


def test_a_lot_that_was_not_drawn_as_written_down_is_noticed():
    fair = people(2_000, 1, pairs=False)
    lost = fair.drop(fair[fair["arm"] == "control"].sample(frac=0.3, random_state=0).index)

    assert trial.sample_ratio_p(fair) > 0.001
    assert trial.sample_ratio_p(lost) < 0.001
    assert trial.sample_ratio_p(people(200, 1)) == 1.0


def test_arms_that_were_unlike_before_are_noticed():
    table = people(400, 2)
    spoilt = table.assign(spend_before=table["spend_before"] + 80 * (table["arm"] == "treated"))

    assert abs(trial.imbalance(table, ["spend_before"])[1]) < 0.1
    assert trial.imbalance(spoilt, ["spend_before"])[1] > 0.5


def test_a_cap_is_chosen_by_what_was_before_and_never_by_the_result():
    table = people(500, 6)
    capped = trial.capped(table, "spend", "spend_before")

    other = trial.capped(table.assign(spend=table["spend"] * 7), "spend", "spend_before")
    assert capped.max() <= table["spend_before"].max()
    assert other.max() == pytest.approx(capped.max() if capped.max() < table["spend"].max() else other.max())


def test_rounds_that_agree_are_surer_together_and_rounds_that_differ_are_not():
    agreeing = trial.pooled([trial.Estimate(0.1, 0, 0.2, 0.05)] * 4, [0.05] * 4)
    differing = trial.pooled([trial.Estimate(v, 0, 0, 0.05) for v in (0.4, -0.2, 0.4, -0.2)], [0.05] * 4)

    assert agreeing.value == pytest.approx(0.1)
    assert differing.value == pytest.approx(0.1)
    assert agreeing.high - agreeing.low == pytest.approx(0.5 * 2 * 1.96 * 0.05, rel=0.01)
    assert differing.high - differing.low > 3 * (agreeing.high - agreeing.low)


def test_holm_is_the_written_procedure():
    assert trial.holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])


def test_a_sequence_may_be_looked_at_daily():
    draw, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        sums = draw.normal(size=1_000).cumsum()
        looks = np.arange(50, 1_001, 25)
        alarms += any(abs(sums[n - 1] / n) > trial.confidence_sequence(n, 1.0, 1_000) for n in looks)

    assert alarms / 300 < 0.05


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda f: f.drop(columns="pair"), "lacks the column 'pair'"),
        (lambda f: f.assign(arm="vip"), "holds the arm 'vip'"),
        (lambda f: pd.concat([f, f]), "twice"),
    ],
)
def test_a_round_that_is_none_is_refused(change, words):
    with pytest.raises(InputError, match=words):
        trial.difference(change(people(20, 0)), "back")
