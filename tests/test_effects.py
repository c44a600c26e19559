"""What a test can show, against published tables and another library."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import candidates, effects
from loyalty_lab.results import Value
from loyalty_lab.worth import worth


@pytest.mark.parametrize(("rate", "rise", "people"), [(0.10, 0.05, 683), (0.20, 0.02, 6507), (0.30, 0.05, 1374), (0.40, 0.10, 385)])
def test_people_needed_agree_with_the_usual_table(rate, rise, people):
    assert effects.people_needed(rate, rise) == pytest.approx(people, rel=0.01)


@pytest.mark.parametrize(("treated", "control"), [(100, 100), (500, 500), (900, 100), (4500, 500)])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_the_smallest_effect_has_the_power_it_is_said_to_have(rate, treated, control):
    from statsmodels.stats.proportion import power_proportions_2indep

    rise = effects.detectable_difference(rate, treated, control)

    assert power_proportions_2indep(rise, rate, treated, ratio=control / treated).power == pytest.approx(0.80, abs=0.02)


def test_the_power_is_there_in_simulated_shops():
    rng, n, rate = np.random.default_rng(11), 400, 0.3
    rise = effects.detectable_difference(rate, n, n)
    one, other = rng.binomial(n, rate + rise, 4000) / n, rng.binomial(n, rate, 4000) / n
    pooled = (one + other) / 2

    assert np.mean(np.abs(one - other) > 1.96 * np.sqrt(2 * pooled * (1 - pooled) / n)) == pytest.approx(0.80, abs=0.025)


def test_where_nothing_would_show_it_says_so():
    assert effects.detectable_difference(0.3, 3, 3) is None
    assert effects.detectable_difference(0.3, 100, 0) is None
    assert effects.rounds_to_pool(0.3, 0) is None
    assert effects.rounds_to_pool(0.3, 10) is None
    assert effects.rounds_to_pool(0.3, 100) == 8
    assert effects.rounds_to_pool(0.95, 100) is None


def listed(n: int):
    forecast = pd.DataFrame({"churn_probability": 0.7}, index=[f"c{at}" for at in range(n)])
    return (
        candidates.listed("x", forecast.assign(reason="r", stake=1.0), "letter"),
        forecast,
        worth("x", Value(grade="D", break_even_rate=0.03), []),
    )


def test_a_campaign_is_planned_before_it_starts():
    plan = effects.plan_for("campaign", *listed(400), date(2026, 11, 1), 60)

    assert (plan.design, plan.read_on) == ("holdout", date(2026, 12, 31))
    assert plan.mde == pytest.approx(effects.detectable_difference(0.3, 200, 200))
    assert {name: plan.checks[name] for name in ("eligible", "treated", "control", "provable", "rounds_to_pool")} == {
        "eligible": 400, "treated": 200, "control": 200, "provable": False, "rounds_to_pool": 2,
    }  # fmt: skip
    assert plan.checks["base_rate"] == pytest.approx(0.3)


@pytest.mark.parametrize("kind", ["duty", "watch"])
def test_what_is_owed_or_only_watched_has_no_control_group(kind):
    plan = effects.plan_for(kind, *listed(400), date(2026, 11, 1), 60)

    assert (plan.design, plan.mde, plan.checks) == (kind, None, {})


def test_an_empty_list_plans_nothing_that_could_be_read_as_a_number():
    plan = effects.plan_for("campaign", *listed(0), date(2026, 11, 1), 60)

    assert plan.mde is None
    assert plan.checks["base_rate"] is None


def test_a_plan_says_its_power_beside_its_break_even():
    plan = effects.plan_for("campaign", *listed(100), date(2026, 11, 1), 60)

    rows = {key: value for key, value, _ in effects.power_rows(plan)}
    assert rows == {"measure.row.people": 100, "measure.row.base_rate": pytest.approx(0.3), "common.know.mde": plan.mde,
                    "measure.row.break_even": 0.03}  # fmt: skip
    assert effects.caution(plan).key == "measure.unseen"
    assert effects.caution(plan.model_copy(update={"mde": 0.02})) is None


@pytest.mark.parametrize(("n", "kind"), [(2_000, "alone"), (400, "pool"), (20, "never"), (4, "nothing")])
def test_the_shop_is_told_what_it_can_prove(n, kind):
    plan = effects.plan_for("campaign", *listed(n), date(2026, 11, 1), 60)

    assert effects.verdict(plan).key == f"measure.verdict.{kind}"


def test_fewer_people_than_planned_show_less():
    plan = effects.plan_for("campaign", *listed(2_000), date(2026, 11, 1), 60)
    drawn = effects.as_drawn(plan, 40, 40)

    assert drawn.mde == pytest.approx(effects.detectable_difference(0.3, 40, 40))
    assert (drawn.checks["eligible"], drawn.checks["provable"], drawn.checks["rounds_to_pool"]) == (80, False, 9)
    assert effects.as_drawn(plan, 0, 0) == plan


def test_an_estimate_shows_what_lies_beyond_two_errors_and_the_power():
    from scipy import stats

    rise = effects.detectable_by(0.03)

    assert stats.norm.sf(1.96, rise / 0.03) == pytest.approx(0.80, abs=0.001)
    assert effects.detectable_by(0.0) is None
