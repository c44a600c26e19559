"""Comparisons without a lot: right where the cause of the exposure was measured, warned of where it was not, and never a forecast."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import causes, exposure
from loyalty_lab.errors import InputError
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.trial import Estimate

BEFORE = ["visit_number", "spend_before", "days_since_last", "region"]


def logistic(odds):
    return 1 / (1 + np.exp(-odds))


def occasions(seed: int = 0, customers: int = 1_200, effect: float = -0.5, warmth: float = 0.0) -> tuple[pd.DataFrame, float]:
    """Purchases of which some arrive late: oftener far away and for middling spenders, who are not the ones that come back most.

    `warmth` ties a trait that nobody writes down to both. Returned with the true effect in points, mean of all rows.
    """
    draw = np.random.default_rng(seed)
    who = np.repeat(np.arange(customers), draw.integers(1, 8, customers))
    n = len(who)
    far, warm = (draw.random(customers) < 0.4)[who], (draw.random(customers) < 0.5)[who]
    visit = pd.Series(who).groupby(who).cumcount().to_numpy()
    size = draw.normal(size=n)
    gap = np.where(visit == 0, np.nan, draw.gamma(1, 40, n))
    late = logistic(-1.2 + 1.5 * far - 0.5 * size**2 + 2.0 * warmth * warm)
    stays = 0.2 - 0.9 * far + 0.6 * size**2 - 0.5 * (np.nan_to_num(gap) > 60) + warmth * 1.6 * warm
    rows = pd.DataFrame(
        {
            "customer_id": [f"c{each}" for each in who], "visit_number": visit, "spend_before": np.exp(3 + size), "days_since_last": gap,
            "region": np.where(far, "hills", "town"), "warm": warm, "late": draw.random(n) < late,
        }
    )  # fmt: skip
    rows["back"] = draw.random(n) < logistic(stays + effect * rows["late"])
    rows["orders_before"] = draw.poisson(1 + 2 * warm)
    return rows, float((logistic(stays + effect) - logistic(stays)).mean())


def test_adjusting_finds_the_truth_where_the_raw_difference_misses_it():
    off, naive, held = [], [], []
    for seed in range(30):
        rows, truth = occasions(seed, 700)
        found = exposure.compare(rows, "late", "back", BEFORE)
        off.append(found.adjusted.value - truth)
        naive.append(found.naive.value - truth)
        held.append(found.adjusted.low <= truth <= found.adjusted.high)

    assert abs(np.mean(off)) < 3 * np.std(off) / 30**0.5
    assert abs(np.mean(naive)) > 0.08 > 10 * abs(np.mean(off))
    assert np.mean(held) >= 0.85
    assert found.grade == "C"


def test_what_is_expected_of_either_side_is_enough_where_the_propensity_is_wrong():
    rows, truth = occasions(11, 3_000)
    x, y = (rows[name].to_numpy(dtype="float64") for name in ("late", "back"))
    halves = exposure._halves(np.unique(rows["customer_id"], return_inverse=True)[1], 0)

    scores = exposure._scores(exposure._covariates(rows[BEFORE]), x, y, np.full(len(x), x.mean()), halves)

    assert y[x == 1].mean() - y[x == 0].mean() < truth - 0.06
    assert scores[0].mean() - scores[1].mean() == pytest.approx(truth, abs=0.025)


def test_either_side_has_expectations_of_its_own():
    draw = np.random.default_rng(0)
    there = draw.random(8_000) < 0.5
    x = (draw.random(8_000) < np.where(there, 0.8, 0.2)).astype(float)
    y = (draw.random(8_000) < 0.3 + 0.4 * (there & (x == 1))).astype(float)
    known = exposure._covariates(pd.DataFrame({"there": there}))

    scores = exposure._scores(known, x, y, np.full(8_000, 0.5), np.arange(8_000) % 2)

    assert scores.mean(axis=1) == pytest.approx([0.5, 0.3], abs=0.02)


def test_that_a_number_is_missing_is_adjusted_for_as_well():
    draw = np.random.default_rng(0)
    first = draw.random(6_000) < 0.5
    rows = pd.DataFrame({"customer_id": np.arange(6_000), "days_since_last": np.where(first, np.nan, draw.gamma(2, 20, 6_000))})
    rows["late"] = draw.random(6_000) < 0.2 + 0.5 * first
    rows["back"] = draw.random(6_000) < 0.3 + 0.4 * first

    found = exposure.compare(rows, "late", "back", ["days_since_last"])

    assert found.naive.value > 0.15
    assert abs(found.adjusted.value) < 3 * found.adjusted.standard_error


def test_an_exposure_without_effect_is_seldom_called_one():
    clear = [exposure.compare(occasions(100 + seed, 300, effect=0.0)[0], "late", "back", BEFORE).adjusted.clear for seed in range(30)]

    assert np.mean(clear) < 0.15


def test_what_staff_choose_by_a_hidden_trait_misleads_and_the_e_value_warns_of_a_trait_that_strong():
    rows, truth = occasions(1, 3_000, effect=0.0, warmth=1.0)

    found = exposure.compare(rows, "late", "back", BEFORE)

    assert truth == 0
    assert found.adjusted.value > 3 * found.adjusted.standard_error
    hidden = causes.measured("warm", rows["warm"].to_numpy(), rows["late"].to_numpy(), rows["back"].to_numpy())
    assert 1.0 < found.e_value_bound < found.e_value < hidden.strength * 1.05
    told = exposure.compare(rows, "late", "back", [*BEFORE, "warm"])
    assert abs(told.adjusted.value) < 3 * told.adjusted.standard_error
    said = Texts("en").say(exposure.said(found, "answer-fast.name"))
    assert "hidden cause" in said
    assert f"a factor of {Texts('en').ratio(found.e_value)} would explain it all away" in said


def test_a_negative_control_gives_the_hidden_trait_away():
    hidden, _ = occasions(2, effect=0.0, warmth=1.0)
    plain, _ = occasions(2)

    spoken = exposure.compare(hidden, "late", "back", BEFORE, control_outcome="orders_before")
    silent = exposure.compare(plain, "late", "back", BEFORE, control_outcome="orders_before")

    assert (spoken.grade, spoken.reason, spoken.negative_control.clear) == ("D", "control", True)
    assert (silent.grade, silent.reason, silent.negative_control.clear) == ("C", "adjusted", False)
    assert silent.adjusted == exposure.compare(plain, "late", "back", BEFORE).adjusted


def test_a_negative_control_is_adjusted_as_the_outcome_is():
    rows, _ = occasions(3, effect=0.0)

    found = exposure.compare(rows.assign(near=rows["region"] == "town"), "late", "back", BEFORE, control_outcome="near")

    raw = exposure.compare(rows.assign(near=rows["region"] == "town"), "late", "back", [], control_outcome="near")
    assert raw.negative_control.value < -0.2
    assert abs(found.negative_control.value) < 0.01


def test_the_raw_difference_is_that_of_a_regression_clustered_by_customer():
    import statsmodels.api as sm

    rows, _ = occasions(4, 500)
    codes = rows["customer_id"].astype("category").cat.codes
    fitted = sm.OLS(rows["back"].astype(float), sm.add_constant(rows["late"].astype(float))).fit(
        cov_type="cluster", cov_kwds={"groups": codes}
    )

    found = exposure.compare(rows, "late", "back", BEFORE).naive

    assert found.value == pytest.approx(fitted.params["late"])
    assert found.standard_error == pytest.approx(fitted.bse["late"], rel=0.005)


def test_a_row_written_twice_makes_nothing_surer():
    rows, _ = occasions(5, 600)

    once, twice = (exposure.compare(table, "late", "back", BEFORE) for table in (rows, pd.concat([rows, rows], ignore_index=True)))

    assert twice.naive.standard_error == pytest.approx(once.naive.standard_error)
    assert twice.adjusted.standard_error == pytest.approx(once.adjusted.standard_error, rel=0.05)


def test_rows_may_come_in_any_order_and_customers_under_any_name():
    rows, _ = occasions(6, 400)

    one, other = (exposure.compare(table, "late", "back", BEFORE) for table in (rows, rows.sample(frac=1, random_state=1)))

    assert other.adjusted.value == pytest.approx(one.adjusted.value, abs=1e-6)
    assert exposure.compare(rows, "late", "back", BEFORE, random_state=1).adjusted.value != one.adjusted.value


def test_occasions_without_a_counterpart_are_left_out_and_counted():
    rows, _ = occasions(7, 1_000)
    never = rows.assign(region="island", late=False, customer_id="i" + rows["customer_id"])

    found = exposure.compare(pd.concat([rows, never], ignore_index=True), "late", "back", BEFORE)

    assert found.kept + found.left_out == len(rows) + len(never)
    assert len(never) * 0.9 < found.left_out < len(never) * 1.1
    assert found.adjusted.value == pytest.approx(exposure.compare(rows, "late", "back", BEFORE).adjusted.value, abs=0.03)


def test_two_sides_that_have_nothing_in_common_are_not_compared():
    rows, _ = occasions(8, 1_000)
    apart = rows.assign(late=(rows["region"] == "hills") ^ (rows.index % 100 == 0))

    found = exposure.compare(apart, "late", "back", BEFORE)

    assert (found.grade, found.reason) == ("D", "overlap")
    assert found.left_out > 0.5 * len(rows)
    nothing = exposure.compare(rows.assign(late=rows["region"] == "hills"), "late", "back", BEFORE)
    assert (nothing.grade, nothing.reason, nothing.kept, nothing.adjusted.value, nothing.e_value_bound) == ("D", "overlap", 0, None, None)
    assert Texts("en").say(exposure.said(nothing, "answer-fast.name")).count("at most") == 1


@pytest.mark.parametrize("before", [[], ["same"]])
def test_without_anything_known_before_nothing_is_adjusted(before):
    rows, _ = occasions(9, 400)

    found = exposure.compare(rows.assign(same=1.0), "late", "back", before)

    assert (found.grade, found.reason, found.adjusted) == ("D", "no_before", found.naive)
    assert found.risk_ratio == pytest.approx(rows.loc[rows["late"], "back"].mean() / rows.loc[~rows["late"], "back"].mean())


def test_the_interval_of_the_risk_ratio_is_that_of_two_plain_shares():
    rows, _ = occasions(14, 900)
    rows = rows.drop_duplicates("customer_id")

    found = exposure.compare(rows, "late", "back", [])

    share, n = rows.groupby("late")["back"].mean(), rows.groupby("late").size()
    spread = np.sqrt(((1 - share) / (share * n)).sum())  # Katz and others (1978)
    assert np.log([found.risk_ratio_low, found.risk_ratio_high]) == pytest.approx(
        np.log(share[True] / share[False]) + np.array([-1.96, 1.96]) * spread, abs=0.002
    )


def test_a_handful_of_customers_is_not_adjusted_however_often_they_came():
    rows, _ = occasions(10, 30)

    found = exposure.compare(pd.concat([rows] * 20, ignore_index=True), "late", "back", BEFORE)

    assert (found.grade, found.reason, found.adjusted) == ("D", "too_few", found.naive)


def test_an_interval_that_holds_no_effect_needs_no_hidden_cause():
    rows, _ = occasions(13, 300, effect=0.0)

    found = exposure.compare(rows, "late", "back", BEFORE)

    assert not found.adjusted.clear
    assert found.e_value_bound == 1.0 <= found.e_value
    assert exposure.said(found, "answer-fast.name").key == "without-lot.C.unclear"


def test_numbers_with_gaps_truth_values_and_groups_are_all_welcome():
    rows, truth = occasions(12, 1_500)
    more = rows.assign(member=pd.array(rows["visit_number"] > 2, dtype="boolean"), kind=pd.Categorical(rows["region"]))
    more.loc[::7, "member"] = pd.NA
    more.loc[::5, "kind"] = np.nan

    found = exposure.compare(more, "late", "back", [*BEFORE, "member", "kind"])

    assert abs(found.adjusted.value - truth) < 3 * found.adjusted.standard_error


@pytest.mark.parametrize(
    ("change", "asked", "named"),
    [
        ({}, {"before": ["regoin"]}, "regoin.*'region'"),
        ({}, {"before": ["region", "late"]}, "'late' twice"),
        ({}, {"before": BEFORE, "control_outcome": "spend_before"}, "'spend_before' twice"),
        ({"late": True}, {"before": BEFORE}, "'late' is True in every row"),
        ({"late": 2}, {"before": BEFORE}, "'late' holds '2'"),
        ({"back": "yes"}, {"before": BEFORE}, "'back' holds 'yes'"),
        ({"back": np.nan}, {"before": BEFORE}, "'back' is empty in row 0"),
        ({"customer_id": None}, {"before": BEFORE}, "'customer_id' is empty in row 0"),
        ({"region": pd.Timestamp("2026-01-01")}, {"before": BEFORE}, "'region' holds moments"),
    ],
)
def test_what_cannot_be_compared_is_named(change, asked, named):
    rows, _ = occasions(0, 50)

    with pytest.raises(InputError, match=named):
        exposure.compare(rows.assign(**change), "late", "back", **asked)


def test_no_rows_are_an_error():
    with pytest.raises(InputError, match="no rows"):
        exposure.compare(occasions(0, 10)[0][:0], "late", "back", BEFORE)


@pytest.fixture(scope="module")
def verdicts() -> list[exposure.Comparison]:
    rows, _ = occasions(0, 400)
    return [
        exposure.compare(table, "late", "back", before, control_outcome=control)
        for table in (rows, rows.assign(back=~rows["back"]), rows.assign(back=rows.index % 2))
        for before in (BEFORE, ["spend_before"], [])
        for control in (None, "orders_before")
    ]


@pytest.mark.parametrize("language", LOCALES)
def test_each_verdict_can_be_said_in_every_language(language, verdicts):
    texts = Texts(language)

    said = {texts.say(exposure.said(each, "answer-fast.name")) for each in verdicts}
    assert len(said) > 9
    for words in said:
        assert texts.say("answer-fast.name") in words
        assert not {"{", "}"} & set(words)


def test_association_alone_is_worded_as_a_ceiling_and_never_as_a_forecast():
    rows, _ = occasions(0, 500)
    said = Texts("en").say(exposure.said(exposure.compare(rows, "late", "back", []), "answer-fast.name"))

    assert "at most, if it were all causal" in said
    assert "No forecast is made of this" in said


@pytest.mark.parametrize(("strong", "words"), [(1.3, "The strongest cause we could measure reaches 1.3"), (2.5, "That is little")])
def test_the_e_value_is_judged_by_the_strongest_cause_that_was_measured(strong, words):
    effect, cause = Estimate(0.1, 0.05, 0.15, 0.0), causes.Cause("region", strong, strong)
    found = exposure.Comparison(effect, effect, 1.4, 1.2, 1.6, 900, 0, cause, None, "C", "adjusted")

    said = Texts("en").say(exposure.said(found, "answer-fast.name"))

    assert words in said
    assert "where they live" in said
    assert f"{found.e_value:.1f} would explain it all away, and {found.e_value_bound:.1f} would leave it unproven" in said


def test_a_cause_without_a_name_of_ours_is_called_by_its_column():
    rows, _ = occasions(0, 1_500)

    said = Texts("en").say(
        exposure.said(exposure.compare(rows.rename(columns={"region": "zone"}), "late", "back", ["zone"]), "answer-fast.name")
    )

    assert "“zone”" in said


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, "at most £900 a year"),
        (0.032, "keeps 1 in 31 of these people"),
        (0.7, "keeps 70 in 100 of these people"),
        (1.2, "cannot pay"),
    ],
)
def test_money_is_worded_as_a_ceiling_with_its_break_even(rate, words):
    said = Texts("en").say(exposure.ceiling_said("answer-fast.name", 900.0, rate))

    assert words in said
    assert "ceiling" in said
    assert all("900" in Texts(language).say(exposure.ceiling_said("answer-fast.name", 900.0, rate)) for language in ("tr", "hy"))


def test_a_loss_is_no_ceiling():
    assert "£0.00" in Texts("en").say(exposure.ceiling_said("answer-fast.name", -5.0))
