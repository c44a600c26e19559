from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from sample_results import nothing_unsaid

from loyalty_lab.candidates import COLUMNS
from loyalty_lab.language import Texts
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import demo_run
from loyalty_lab.tactics import vital_few

CUTOFF = date(2026, 3, 31)
LATE = ["2026-01-01", "2026-01-11"]


@pytest.fixture(scope="module")
def run():
    return demo_run()


def shop_of(*rows, margins=None):
    frame = pd.DataFrame(list(rows), columns=["customer_id", "ordered_at", "net_amount"])
    frame = frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="ISO8601"), order_id=[str(n) for n in range(len(frame))])
    if margins is not None:
        frame["margin_amount"] = margins
    return Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": frame})


def forecast_of(**customers):
    return pd.DataFrame.from_dict(customers, orient="index", columns=["churn_probability", "save_value"]).rename_axis("customer_id")


def test_customers_are_ranked_by_margin_and_not_by_sales():
    rows = [(name, "2026-03-01", spend) for name, spend in zip("abcde", [100.0, 10, 10, 10, 10], strict=True)]
    shop = shop_of(*rows, margins=[1.0, 6.0, 1.0, 1.0, 1.0])
    assert list(vital_few.best(vital_few.margin_of_year(shop, CUTOFF))) == ["b"]
    assert vital_few.diagnose(shop, CUTOFF).facts["top_share"].value == pytest.approx(0.6)


def test_only_the_year_to_the_cutoff_counts():
    outside = [("a", "2025-03-31 23:00", 900.0), ("d", "2026-04-01", 900.0)]
    shop = shop_of(*outside, ("b", "2025-04-01 00:00", 10.0), ("c", "2026-03-31 23:59", 20.0))
    assert vital_few.margin_of_year(shop, CUTOFF).to_dict() == pytest.approx({"c": 6.0, "b": 3.0})


def test_the_best_of_the_year_before_are_looked_for_in_this_year():
    before = [(name, "2024-04-10", spend) for name, spend in zip("abcdefghij", [90.0, 80, *[1] * 8], strict=True)]
    after = [(name, "2026-01-10", spend) for name, spend in zip("abcdefghij", [90.0, 1, 80, *[1] * 7], strict=True)]
    fact = vital_few.diagnose(shop_of(*before, *after), CUTOFF).facts["persistence"]
    assert (fact.value, fact.n) == (0.5, 2)
    assert fact.interval[0] < 0.5 < fact.interval[1]


def test_customers_fall_into_three_groups_by_their_purchase_days():
    rows = [(name, f"2026-03-0{day}", 5.0) for name, times in (("a", 1), ("b", 3), ("c", 4)) for day in range(1, times + 1)]
    facts = vital_few.diagnose(shop_of(*rows, ("a", "2026-03-01", 7.0)), CUTOFF).facts
    assert [facts[name].value for name in ("once", "nearly", "regulars")] == [1, 1, 1]


def test_the_quiet_ones_among_the_best_are_listed_with_what_is_at_stake():
    rows = [("a", day, 100.0) for day in LATE] + [(name, "2026-03-30", 1.0) for name in "bcde"]
    shop, scores = shop_of(*rows), forecast_of(a=(0.5, 80.0), b=(0.9, 900.0))
    listed = vital_few.act(shop, CUTOFF, scores)
    assert listed["pseudonym"].tolist() == ["a"]
    assert listed["arguments"].tolist() == [{"days": 79, "rhythm": 10}]
    assert listed["value_at_stake"].tolist() == [40.0]
    worth = vital_few.value(shop, CUTOFF, scores)
    assert (worth.value.high, worth.value.amount, worth.value.break_even_rate, worth.value.grade) == (40.0, None, None, "D")
    assert worth.rows["value"].iloc[-1] == 40.0


def test_a_best_customer_who_comes_as_usual_is_not_listed():
    rows = [("a", day, 100.0) for day in ("2026-03-06", "2026-03-18")] + [(name, "2026-03-30", 1.0) for name in "bcde"]
    assert vital_few.act(shop_of(*rows), CUTOFF, forecast_of(a=(0.5, 80.0))).empty


def test_a_best_customer_without_a_rhythm_is_held_against_that_of_the_shop():
    rows = [("a", "2026-01-01", 100.0)] + [("b", day, 1.0) for day in ("2026-03-11", "2026-03-21")]
    listed = vital_few.act(shop_of(*rows), CUTOFF, forecast_of(a=(0.5, 80.0), b=(0.5, 1.0)))
    assert listed["arguments"].tolist() == [{"days": 89, "rhythm": 10}]
    assert "others come every 10 days" in Texts("en").say(listed["reason"].iloc[0], **listed["arguments"].iloc[0])


@pytest.mark.parametrize(
    "rows",
    [
        [("a", "2026-03-01", 5.0)],
        [("a", "2026-03-01", 5.0), ("b", "2026-01-01", 5.0)],
        [("a", "2024-01-01", 5.0)],
        [("a", "2026-03-01", -5.0), ("b", "2024-03-01", 5.0)],
    ],
)
def test_small_shops_get_an_empty_list_and_a_page(rows):
    shop, scores = shop_of(*rows), forecast_of(a=(0.5, 10.0), b=(0.5, 10.0))
    listed = vital_few.act(shop, CUTOFF, scores)
    assert listed.empty
    assert tuple(listed.columns) == COLUMNS
    assert vital_few.value(shop, CUTOFF, scores).value.high == 0.0
    assert all(Texts("en").say(message) for message in vital_few.diagnose(shop, CUTOFF).messages)


def test_every_sentence_about_the_demo_can_be_said(run):
    study = run.study("vital-few")
    found = study.findings
    assert nothing_unsaid(study)
    assert [figure.id for figure in found.figures] == ["lorenz"]
    assert len(study.candidates) == found.facts["quiet"].value
    assert study.result().status == "ready"
