"""In every trap the naive answer is clearly wrong, and ours is right, or says in print how easily it may not be."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import demo, trial
from loyalty_lab.demo.parameters import TRAPS
from loyalty_lab.demo.truth import TRAP_EXPERIENCES, TRAP_ROUNDS, TRAP_SCORES, of_trap
from loyalty_lab.errors import UsageError
from loyalty_lab.lessons import occasions, traps

HIDDEN = {"vip_greeting", "referral_homophily"}


@cache
def truth(trap: str) -> float:
    return of_trap(demo.make(preset=trap).truth, trap)


def errors_off(found: trial.Estimate, trap: str) -> float:
    return abs(found.value - truth(trap)) / found.standard_error


def test_every_trap_has_a_shop_and_every_shop_a_reading():
    assert set(traps.TRAPS) == set(TRAPS) == {*TRAP_EXPERIENCES, *TRAP_ROUNDS, *TRAP_SCORES}
    assert len(TRAPS) == 14


@pytest.mark.parametrize("trap", traps.TRAPS)
def test_the_naive_answer_is_more_than_three_standard_errors_off(trap):
    assert errors_off(traps.read(trap).naive, trap) > 3


@pytest.mark.parametrize("trap", [trap for trap in traps.TRAPS if trap not in HIDDEN])
def test_the_honest_answer_holds_the_truth(trap):
    assert errors_off(traps.read(trap).honest, trap) < 3


@pytest.mark.parametrize("trap", sorted(HIDDEN))
def test_where_the_cause_is_in_nobodys_file_the_printed_text_warns(trap):
    reading = traps.read(trap)

    assert reading.grade in ("C", "D")
    assert errors_off(reading.honest, trap) > 3
    assert re.search(r"a hidden cause .* by a factor of \d\.\d would explain it all away", reading.said)
    assert "may well be as strong" in reading.said


def test_a_list_from_which_returned_letters_were_struck_off_raises_the_alarm():
    assert traps.read("srm_bug").said == "The arms are not as many as the lot made them."


def test_what_being_reached_did_is_what_being_drawn_did_over_the_share_it_reached():
    draw = np.random.default_rng(5)
    treated = np.arange(4_000) % 2 == 0
    reached = np.where(treated, draw.random(4_000) < 0.6, draw.random(4_000) < 0.1)
    people = pd.DataFrame(
        {"arm": np.where(treated, "treated", "control"), "stratum": "all", "pair": "", "outcome": np.where(reached, "none", "")}
    )
    people["back"] = draw.random(4_000) < 0.2 + 0.2 * reached

    found = traps.effect_when_reached(people, "back")

    assert found.low < 0.2 < found.high
    assert found.value == pytest.approx(trial.difference(people, "back").value / 0.5, rel=0.15)


def test_an_unknown_trap_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="rtm_top"):
        traps.read("rtm_to")


def test_an_occasion_knows_nothing_of_later_ones():
    shop = demo.make(customers=60).shop()
    rows = occasions.occasions(shop)
    cut = pd.Timestamp("2026-03-01")
    earlier = occasions.occasions(shop.until(cut.date()))

    kept = rows.loc[earlier.index, [*occasions.KNOWN, "customer_id", "day"]]
    pd.testing.assert_frame_equal(kept, earlier[kept.columns])
    assert 100 < len(earlier) < len(rows)


def test_a_purchase_came_back_if_another_followed_within_ninety_days():
    shop = demo.make(customers=60).shop()
    rows = occasions.occasions(shop)
    bought = shop.orders.assign(day=shop.orders["ordered_at"].dt.normalize())

    for row in rows.sample(25, random_state=0).itertuples():
        mine = bought.loc[bought["customer_id"] == row.customer_id, "day"]
        assert row.back == mine.between(row.day, row.day + pd.Timedelta(days=90), inclusive="right").any()
        assert row.visit_number == mine[mine < row.day].nunique()
