"""What was measured counts: amounts only where they were shown, harm is stopped, and page one's order follows."""

from __future__ import annotations

from datetime import date

import pytest

from loyalty_lab import gains
from loyalty_lab.results import Measure, Result, Table, Value

CUTOFF, SLUG = date(2026, 10, 31), "follow-up-letters"
ROW = {"slug": SLUG, "rounds": 1, "people": 700, "treated": 350, "window_days": 60, "effect": 0.1, "low": 0.03, "high": 0.17, "p": 0.01,
       "mde": 0.1, "verdict": "works", "cost": 0.4, "profit": 600.0, "profit_low": 150.0, "profit_high": 1050.0}  # fmt: skip
PLAN = Measure(design="holdout", outcome="repeat", window_days=60, mde=0.2, read_on=date(2026, 12, 30), checks={"base_rate": 0.3})


def found(**changed) -> dict[str, Result]:
    row = ROW | changed
    together = Table(columns=list(row), rows=[list(row.values())])
    read = Result(notebook="last-round", kind="rounds", cutoff=CUTOFF, tables={"together": together})
    before = Value(grade="D", high=900.0, break_even_rate=0.03, assumptions=["x"])
    letters = Result(notebook=SLUG, kind="tactic", cutoff=CUTOFF, measure=PLAN, value=before)
    return {SLUG: letters, "last-round": read}


def letters(**changed) -> Result:
    return gains.joined(found(**changed))[SLUG]


def test_what_cannot_pay_comes_last_of_all():
    dear = Result(notebook="x", kind="tactic", cutoff=CUTOFF, value=Value(grade="D", break_even_rate=2.9))

    assert gains.place(dear, "campaign") > gains.place(None, "data")


def test_a_gain_that_was_shown_is_the_worth_with_its_range_and_its_sum():
    measured = letters()

    assert (measured.value.grade, measured.value.amount, measured.value.low, measured.value.high) == ("A", 600.0, 150.0, 1050.0)
    assert measured.value.break_even_rate == 0.03
    rows = {key.split(".")[-1]: value for key, value, _ in measured.tables["worth"].rows}
    assert rows["margin"] - rows["cost"] == rows["left"] == 600.0
    assert (measured.measure.effect, measured.measure.interval, measured.measure.checks["verdict"]) == (0.1, (0.03, 0.17, 0.95), "works")
    assert measured.measure.read_on == PLAN.read_on


def test_what_was_not_shown_has_grade_a_and_no_amount_even_where_the_money_looks_well():
    measured = letters(verdict="not_shown", low=-0.02)

    assert measured.value == Value(grade="A", break_even_rate=0.03, assumptions=["x"])
    assert "worth" not in measured.tables


def test_more_customers_without_a_profit_clear_of_zero_print_no_sum():
    measured = letters(profit_low=-20.0)

    assert (measured.value.amount, measured.value.low, measured.value.high) == (None, -20.0, 1050.0)
    assert "worth" not in measured.tables


def test_a_spoilt_round_measures_nothing():
    assert letters(verdict="spoilt") == found()[SLUG]
    assert letters(effect=None) == found()[SLUG]


@pytest.mark.parametrize("status", ["too early", "failed"])
def test_without_a_reading_nothing_changes(status):
    results = found() | {"last-round": Result(notebook="last-round", kind="rounds", status=status, cutoff=CUTOFF)}

    assert gains.joined(results) == results


def test_joining_twice_changes_nothing_more():
    once = gains.joined(found())

    assert gains.joined(once) == once


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"verdict": "harms", "effect": -0.1}, "harms"),
        ({"profit": -80.0, "profit_low": -150.0, "profit_high": -10.0, "verdict": "not_shown"}, "loses"),
        ({}, ""),
        ({"verdict": "not_shown"}, ""),
    ],
)
def test_what_harms_or_loses_is_no_campaign_to_do(changed, why):
    results = found(**changed)

    assert gains.stopped(gains.joined(results)[SLUG]) == why
    assert gains.campaigns([SLUG], results) == ([] if why else [SLUG])


def test_no_cost_given_is_said():
    assert letters(cost=None).value.assumptions == ["measure.assumption.one", "measure.assumption.no_cost"]
    assert letters(rounds=3).value.assumptions == ["measure.assumption.several"]


def test_campaigns_go_from_measured_gains_to_the_smallest_break_even():
    results = found()
    for slug, rate in (("a", 0.2), ("b", 0.01), ("c", None)):
        results[slug] = Result(notebook=slug, kind="tactic", cutoff=CUTOFF, value=Value(grade="D", high=5.0, break_even_rate=rate))

    assert gains.campaigns(["a", "b", "c", SLUG], results) == [SLUG, "b", "a", "c"]
    assert gains.campaigns(["a", "b", "c", SLUG], results | found(verdict="not_shown")) == ["b", SLUG, "a", "c"]


def test_measured_gains_go_by_what_is_sure():
    sure, large = (gains.place(letters(profit=900.0, profit_low=low, profit_high=2000.0), "campaign") for low in (300.0, 20.0))

    assert sure < large
