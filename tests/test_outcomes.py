"""A closed round in numbers: money with its costs, what it could have shown, families of readings, rounds counted together."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import effects, outcomes, trial
from loyalty_lab.rounds import Closed

BEGINS = date(2026, 3, 1)


def cycle(seed: int = 0, effect: float = 0.0, n: int = 400, slug: str = "follow-up-letters", begins: date = BEGINS, **more) -> Closed:
    """A round of n people split evenly; who comes back spends about 30."""
    draw = np.random.default_rng(seed)
    treated = np.arange(n) < n // 2
    back = draw.random(n) < 0.3 + effect * treated
    before = draw.gamma(1.0, 40.0, n)
    people = pd.DataFrame(
        {"arm": np.where(treated, "treated", "control"), "stratum": "all", "pair": "", "propensity": 0.5, "outcome": "", "back": back,
         "orders": back.astype(int), "spend": back * (10 + 0.5 * before + draw.gamma(2.0, 5.0, n)), "spend_before": before,
         "orders_before": draw.integers(0, 2, n), "days_since_last": draw.integers(1, 90, n).astype(float)},
        index=[f"c{at}" for at in range(n)],
    )  # fmt: skip
    given = {"two_arms": 0, "overlapping": 0, "pre_days": 60} | more
    return Closed(f"{slug}@{begins - timedelta(days=1)}+60d", slug, begins, begins + timedelta(days=60), people, **given)


def read(*cycles: Closed, margin: float = 0.3, cost: float | None = 0.5) -> list[outcomes.Reading]:
    return outcomes.read(cycles, margin, [cost] * len(cycles))


def test_profit_is_margin_of_what_was_spent_more_less_the_contacts():
    (found,) = read(cycle(effect=0.2))
    spend, _ = trial.adjusted_difference(found.cycle.people, "spend", ["spend_before", "orders_before", "days_since_last"])

    assert found.profit.value == pytest.approx(0.3 * spend.value * 200 - 0.5 * 200)
    assert found.profit.low == pytest.approx(0.3 * spend.low * 200 - 0.5 * 200)
    assert read(cycle(effect=0.2), cost=None)[0].profit.value == pytest.approx(0.3 * spend.value * 200)


def test_the_interval_of_the_profit_holds_the_true_one():
    held = []
    for seed in range(60):
        draw = cycle(seed, effect=0.2)
        usual = (10 + 0.5 * draw.people["spend_before"].mean() + 10) * 0.2  # of the treated, on average
        profit = read(draw)[0].profit
        held.append(profit.low <= 200 * (0.3 * usual - 0.5) <= profit.high)

    assert 0.88 <= np.mean(held) <= 1.0


def test_what_a_round_could_have_shown_is_computed_from_those_kept_aside():
    (found,) = read(cycle(3))
    control = found.cycle.people[found.cycle.people["arm"] == "control"]

    assert found.mde == pytest.approx(effects.detectable_difference(control["back"].mean(), 200, 200))


def test_dealing_anew_allows_for_what_was_bought_before():
    draw = cycle(1)
    strong = draw.people.assign(spend=draw.people["spend_before"] * 10 + 5 * (draw.people["arm"] == "treated"))
    (found,) = read(Closed(draw.round, draw.slug, draw.begins_on, draw.read_on, strong, two_arms=0, pre_days=60))

    assert trial.permutation_p(strong, "spend") > 0.05
    assert found.spend_p < 0.01


def test_rounds_read_on_one_day_are_one_family_and_later_ones_change_nothing():
    first = [cycle(seed, 0.12, slug=f"s{seed}") for seed in range(3)]
    later = cycle(9, 0.12, slug="s0", begins=BEGINS + timedelta(days=61))

    alone, both = read(*first), read(*first, later)

    assert [each.p for each in alone] == pytest.approx(trial.holm([each.back.p for each in alone]))
    assert [each.p for each in both[:3]] == [each.p for each in alone]
    assert both[3].p == both[3].back.p


def test_effect_on_those_reached_is_told_only_where_controls_could_not_get_it():
    half = cycle(effect=0.1)
    treated = half.people["arm"] == "treated"
    half.people["outcome"] = np.where(treated & (np.arange(len(treated)) % 10 < 8), "none", "")

    (found,) = read(half)
    assert found.on_reached.value == pytest.approx(found.back.value / 0.8)
    assert found.on_reached.low == pytest.approx(found.back.low / 0.8)

    leaked = half.people.assign(outcome=np.where(half.people.index == "c399", "visit", half.people["outcome"]))
    assert read(Closed(half.round, half.slug, half.begins_on, half.read_on, leaked, 0))[0].on_reached == trial.NOTHING

    few = half.people.assign(outcome=np.where(half.people.index == "c1", "reply", ""))
    assert read(Closed(half.round, half.slug, half.begins_on, half.read_on, few, 0))[0].on_reached == trial.NOTHING


def test_an_empty_arm_is_not_shown_and_no_exception():
    lonely = cycle()
    treated = lonely.people[lonely.people["arm"] == "treated"].assign(propensity=1.0)
    alone = Closed(lonely.round, lonely.slug, lonely.begins_on, lonely.read_on, treated, 0)

    (found,) = read(alone)
    assert (found.verdict, found.mde, found.back, found.profit) == ("not_shown", None, trial.NOTHING, trial.NOTHING)


def test_without_a_time_before_nothing_is_said_of_it():
    (found,) = read(cycle(pre_days=0))

    assert found.checks["before"] is None
    assert not found.checks["spoilt"]


def test_arms_that_differed_before_anything_was_sent_spoil_a_round():
    broken = cycle()
    broken.people["orders_before"] = (broken.people["arm"] == "treated").astype(int)

    assert read(broken)[0].verdict == "spoilt"


def test_rounds_counted_together_are_surer_than_one_and_leave_spoilt_ones_out():
    cycles = [cycle(seed, 0.08, begins=BEGINS + timedelta(days=61 * seed)) for seed in range(4)]
    spoilt = cycle(7, 0.9, begins=BEGINS + timedelta(days=400))
    spoilt.people.loc[spoilt.people["arm"] == "control", "outcome"] = "visit"
    readings = read(*cycles, spoilt)

    (found,) = outcomes.together(readings)

    expected = trial.pooled([each.back for each in readings[:4]], [each.back.standard_error for each in readings[:4]])
    assert (found.rounds, found.people) == (4, 1600)
    assert found.back == expected
    assert found.mde < min(each.mde for each in readings[:4])
    assert found.profit.value == pytest.approx(200 * trial.pooled([each.left for each in readings[:4]],
                                                                  [each.left.standard_error for each in readings[:4]]).value)  # fmt: skip


def test_one_round_keeps_its_own_verdict_and_a_spoilt_one_alone_stays_spoilt():
    readings = read(cycle(1, 0.2), cycle(2, 0.2, slug="other"))
    assert [each.verdict for each in outcomes.together(readings)] == [each.verdict for each in readings]

    spoilt = cycle(1, 0.5)
    spoilt.people.loc[spoilt.people["arm"] == "control", "outcome"] = "visit"
    assert outcomes.together(read(spoilt))[0].verdict == "spoilt"


def test_letters_that_do_nothing_are_seldom_said_to_work_when_rounds_are_counted_together():
    said = [outcomes.together(read(*(cycle(100 * seed + at, begins=BEGINS + timedelta(days=61 * at)) for at in range(2))))[0].verdict
            for seed in range(40)]  # fmt: skip

    assert said.count("works") <= 3  # 2.5% of 40 and two standard errors
