"""Arms that follow from a secret, rounds that stand, and a ledger that is only ever appended to."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import assignment
from loyalty_lab.assignment import Round, arms_for, current, draw, join_late, open_round, running, standing, treated_share
from loyalty_lab.errors import InputError
from loyalty_lab.ledger import COLUMNS

SALT, SLUG = "ab" * 32, "follow-up-letters"
OPENED, HANDED_OVER = date(2026, 10, 31), date(2026, 11, 2)
EMPTY = pd.DataFrame(columns=list(COLUMNS), dtype="str")


def people(n: int, first: int = 0) -> pd.DataFrame:
    units = [f"C{number:05d}" for number in range(first, first + n)]
    return pd.DataFrame({"unit": units, "stratum": ["regular" if at % 3 else "once" for at in range(n)], "spend": np.arange(n) * 1.5})


def go_on(ledger: pd.DataFrame, cutoff: date, report_date: date, group: pd.DataFrame, window_days: int = 60):
    """The round that a run of this cutoff goes on with or opens, everybody's arm in it, and the new rows."""
    cycle = current(ledger, SLUG, cutoff, report_date, window_days)
    known = standing(ledger)
    return cycle, *arms_for(SALT, cycle, known[known["round"] == cycle.name], group, report_date)


def begin(n: int = 10, ledger: pd.DataFrame = EMPTY, cutoff: date = OPENED) -> pd.DataFrame:
    return go_on(ledger, cutoff, cutoff + timedelta(days=2), people(n))[2]


def test_the_lot_is_even_secret_and_independent_between_rounds():
    units = [f"C{number}" for number in range(20_000)]
    first, other_tactic, other_round, other_shop = (
        np.array([draw(salt, slug, day, unit) for unit in units])
        for salt, slug, day in ((SALT, SLUG, OPENED), (SALT, "referral", OPENED), (SALT, SLUG, HANDED_OVER), ("cd" * 32, SLUG, OPENED))
    )

    assert abs(np.mean(first < 0.5) - 0.5) < 0.012  # three standard errors
    assert abs(np.mean(first < 0.9) - 0.9) < 0.007
    for other in (other_tactic, other_round, other_shop):
        assert abs(np.corrcoef(first, other)[0, 1]) < 0.022


@pytest.mark.parametrize(("eligible", "held_out"), [(10, 5), (4_999, 2_499.5), (5_000, 500), (3_000_000, 300_000), (5_001, 500.1)])
def test_half_is_kept_aside_in_a_small_shop_and_a_tenth_in_a_large_one(eligible, held_out):
    assert eligible * (1 - treated_share(eligible)) == pytest.approx(held_out)


def test_a_small_round_treats_one_of_each_pair_of_neighbours():
    drawn = open_round(SALT, Round(SLUG, OPENED, HANDED_OVER, 60), people(101))
    paired = drawn[drawn["pair"] != ""]

    assert len(paired) == 100
    assert (paired.groupby("pair")["arm"].agg(set).map(len) == 2).all()
    spend = people(101).set_index("unit")["spend"].reindex(paired["unit"]).to_numpy().reshape(-1, 2)
    assert np.abs(spend[:, 0] - spend[:, 1]).max() <= 4.5 or len(set(paired["stratum"])) > 1


def test_pairs_balance_the_arms_better_than_plain_lots():
    rng = np.random.default_rng(3)
    gaps = {"paired": [], "plain": []}
    for number in range(60):
        group = people(80).assign(spend=rng.lognormal(3, 1, 80), stratum="all")
        cycle = Round(SLUG, OPENED + timedelta(days=number), HANDED_OVER, 60)
        drawn = open_round(SALT, cycle, group).set_index("unit")["arm"].reindex(group["unit"]).to_numpy() == "treated"
        plain = np.array([draw(SALT, SLUG, cycle.opened_on, unit) < 0.5 for unit in group["unit"]])
        for name, arm in (("paired", drawn), ("plain", plain)):
            gaps[name].append(group["spend"][arm].mean() - group["spend"][~arm].mean())

    assert np.std(gaps["paired"]) < 0.6 * np.std(gaps["plain"])


def test_a_rerun_at_the_same_cutoff_keeps_every_arm_and_adds_nothing():
    ledger = begin()
    cycle, drawn, new = go_on(ledger, OPENED, HANDED_OVER, people(10))

    assert new.empty
    assert (cycle.name, cycle.read_on) == (f"{SLUG}@2026-10-31+60d", HANDED_OVER + timedelta(days=60))
    assert drawn.set_index("unit")["arm"].to_dict() == ledger.set_index("unit")["arm"].to_dict()


def test_a_round_goes_on_until_its_reading_date_and_newcomers_join_late():
    ledger, later = begin(), OPENED + timedelta(days=40)
    cycle, drawn, new = go_on(ledger, later, later + timedelta(days=1), people(14))

    assert cycle.opened_on == OPENED
    assert cycle.read_on == HANDED_OVER + timedelta(days=60)
    assert new["unit"].tolist() == ["C00010", "C00011", "C00012", "C00013"]
    assert set(new["stratum"]) == {"late"}
    assert set(new["assigned_on"]) == {"2026-12-11"}
    known = drawn[drawn["unit"].isin(ledger["unit"])].set_index("unit")["arm"]
    assert known.to_dict() == ledger.set_index("unit")["arm"].to_dict()


def test_after_the_reading_date_the_next_round_opens_with_other_lots():
    ledger, later = begin(400), HANDED_OVER + timedelta(days=60)
    cycle, drawn, new = go_on(ledger, later, later, people(400))

    assert cycle.opened_on == later
    assert len(new) == len(drawn) == 400
    same = (drawn.set_index("unit")["arm"] == ledger.set_index("unit")["arm"].reindex(drawn["unit"])).mean()
    assert 0.35 < same < 0.65


def test_an_earlier_cutoff_sees_no_later_round_and_a_void_round_is_over():
    ledger = begin()
    void = ledger.head(1).assign(event="void", arm="", unit="")

    assert running(ledger, SLUG, OPENED - timedelta(days=1)) is None
    assert running(ledger, "referral", OPENED) is None
    assert running(pd.concat([ledger, void]), SLUG, OPENED) is None
    assert running(ledger, SLUG, OPENED).opened_on == OPENED


def test_a_late_joiner_neither_moves_the_first_day_of_a_round_nor_comes_before_it():
    cycle = Round(SLUG, OPENED, OPENED + timedelta(days=10), 60)
    ledger = open_round(SALT, cycle, people(10))

    late = join_late(SALT, cycle, pd.Series(["X1", "X2"]), OPENED + timedelta(days=3))

    assert set(late["assigned_on"]) == {cycle.begins_on.isoformat()}
    assert assignment.rounds(pd.concat([ledger, late.assign(assigned_on="2026-11-01")]))[0] == cycle


def test_nobody_joins_a_round_that_has_no_day_left():
    cycle = Round(SLUG, OPENED, HANDED_OVER, 60)

    assert join_late(SALT, cycle, pd.Series(["X"]), cycle.read_on).empty
    assert len(join_late(SALT, cycle, pd.Series(["X"]), cycle.read_on - timedelta(days=1))) == 1


def test_a_round_of_one_customer_and_of_none_is_drawn_without_a_pair():
    for n in (0, 1):
        drawn = open_round(SALT, Round(SLUG, OPENED, HANDED_OVER, 60), people(n))
        assert len(drawn) == n
        assert set(drawn["pair"]) <= {""}


def test_a_run_that_looks_further_ahead_does_not_move_the_reading_date_of_a_running_round():
    ledger = begin()

    cycle, _, new = go_on(ledger, OPENED + timedelta(days=30), OPENED + timedelta(days=31), people(10), 182)

    assert cycle.read_on == HANDED_OVER + timedelta(days=60)
    assert new.empty


def test_rounds_are_told_oldest_first_without_those_that_are_void():
    later = begin(cutoff=OPENED + timedelta(days=90))
    ledger = pd.concat([later, begin(), begin(cutoff=OPENED + timedelta(days=180))])
    void = ledger.tail(1).assign(event="void")

    assert [cycle.opened_on for cycle in assignment.rounds(pd.concat([ledger, void]))] == [OPENED, OPENED + timedelta(days=90)]


def test_a_name_that_is_none_is_refused():
    with pytest.raises(InputError, match="no name of one"):
        assignment.rounds(begin().assign(round="last autumn"))


def test_a_void_round_is_drawn_anew_at_the_same_cutoff():
    first = begin()
    ledger = pd.concat([first, assignment.void(first, SLUG)], ignore_index=True)

    assert running(ledger, SLUG, OPENED) is None
    again = pd.concat([ledger, begin(12, ledger)], ignore_index=True)

    assert len(assignment.standing(again)) == 12
    assert [cycle.opened_on for cycle in assignment.rounds(again)] == [OPENED]


def test_there_is_nothing_to_undo_without_a_round():
    with pytest.raises(InputError, match="holds no round of 'referral'"):
        assignment.void(begin(), "referral")
