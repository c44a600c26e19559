"""How the metrics move: small numbers are hidden, mended data are no change, and a shop in which nothing changes is told so."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import metrics, progress
from loyalty_lab.results import Fact
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2025, 12, 31)
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")


def shop_of(rows: list[tuple[str, str]], **tables) -> Shop:
    orders = pd.DataFrame(rows, columns=["customer_id", "ordered_at"]).assign(net_amount=10.0)
    orders = orders.assign(order_id=[str(number) for number in range(len(orders))], ordered_at=pd.to_datetime(orders["ordered_at"]))
    return Shop(SETTINGS, {"orders": orders, **tables})


def cell(table: pd.DataFrame, metric: str, period: str) -> pd.Series:
    return table[(table["metric"] == metric) & (table["period"] == period)].squeeze()


def quarters(before: range, now: range, year: int = 2025) -> list[tuple[str, str]]:
    """Customers who bought in the third and in the fourth quarter of a year."""
    return [(f"c{who}", f"{year}-08-15") for who in before] + [(f"c{who}", f"{year}-11-15") for who in now]


@pytest.fixture(scope="module")
def falling() -> Shop:
    """In the fourth quarter 90 of 100 came again last year, 40 of 100 this year."""
    return shop_of([("old", "2023-01-01"), *quarters(range(100), range(90), 2024), *quarters(range(100), range(60, 130))])


def test_retention_in_a_quarter_is_of_the_customers_of_the_quarter_before(falling):
    kept = cell(progress.by_period(falling, CUTOFF), "customer_retention_rate", "quarter")

    assert (kept["value"], kept["n"], kept["before"], kept["verdict"]) == (0.4, 100, 0.9, "down")
    assert (kept["first"], kept["last"]) == (pd.Timestamp("2025-10-01"), pd.Timestamp("2025-12-31"))
    assert cell(progress.by_period(falling, CUTOFF), "churn_rate", "quarter")["verdict"] == "up"


def test_fewer_than_thirty_make_no_number():
    table = progress.by_period(shop_of([("old", "2023-01-01"), *quarters(range(29), range(25))]), CUTOFF)

    kept, again = cell(table, "customer_retention_rate", "quarter"), cell(table, "repeat_customer_rate", "month")
    assert (kept["n"], kept["verdict"]) == (29, "few")
    assert pd.isna([kept["value"], kept["low"], kept["before"]]).all()
    assert (again["n"], again["verdict"]) == (0, "unknown")


def test_a_period_that_the_records_do_not_reach_over_is_no_comparison():
    young = shop_of(quarters(range(50), range(50)))
    table = progress.by_period(young, CUTOFF)

    assert cell(table, "repeat_customer_rate", "quarter")["verdict"] == "unknown"
    assert cell(table, "customer_retention_rate", "quarter")["n"] == 0
    assert pd.isna(cell(table, "customer_retention_rate", "year")["value"])


def test_what_was_mended_is_told_apart_from_what_has_changed(falling):
    card = metrics.scorecard(falling, date(2025, 6, 30))
    told = {name: fact.value for name, fact in card.items()} | {"repeat_customer_rate": card["repeat_customer_rate"].value + 0.05}

    found = progress.since(falling, CUTOFF, {"cutoff": "2025-06-30", "facts": told}).set_index("metric")

    repeat, frequency = found.loc["repeat_customer_rate"], found.loc["purchase_frequency"]
    assert repeat["correction"] == pytest.approx(-0.05)
    assert frequency["correction"] == 0
    for row in (repeat, frequency):
        assert row["then"] + row["correction"] + row["change"] == pytest.approx(row["now"])
        assert row["low"] < row["change"] < row["high"]


def test_without_an_earlier_report_there_is_nothing_to_compare(falling):
    assert progress.since(falling, CUTOFF, None).empty
    assert progress.since(falling, CUTOFF, {"cutoff": "2025-06-30", "facts": {"net_promoter_score": 3.0, "unheard_of": 1.0}}).empty


def steady(seed: int, customers: int = 150) -> Shop:
    """A shop in which nothing changes: everybody buys at an own rate for all of three years."""
    draw = np.random.default_rng(seed)
    days = [(f"c{who}", day) for who in range(customers) for day in draw.uniform(0, 1095, draw.poisson(3 * draw.gamma(1.5, 1.2)))]
    return shop_of([(who, pd.Timestamp("2023-01-01") + pd.Timedelta(days=day)) for who, day in days])


def test_a_month_later_the_shared_months_make_the_change_surer():
    shop = steady(1)
    now, then = progress._Standing(shop, CUTOFF), progress._Standing(shop, date(2025, 11, 30))

    assert 0.7 < now.alike(then, "customer_retention_rate") < 1
    assert now.alike(now, "purchase_frequency") == pytest.approx(1)
    assert now.alike(progress._Standing(shop_of([("new", "2025-12-01")]), CUTOFF), "purchase_frequency") == 0


def test_a_shop_in_which_nothing_changes_is_not_told_that_something_has():
    alarms = 0
    for seed in range(12):
        shop = steady(seed)
        told = {name: fact.value for name, fact in metrics.scorecard(shop, date(2025, 10, 31)).items()}
        alarms += progress.since(shop, CUTOFF, {"cutoff": "2025-10-31", "facts": told})["verdict"].isin(["up", "down"]).any()

    assert alarms <= 2


@pytest.mark.parametrize(
    ("metric", "target", "verdict"),
    [
        ("customer_retention_rate", 0.6, "reached"),
        ("customer_retention_rate", 0.7, "unknown"),
        ("customer_retention_rate", 0.8, "not_reached"),
        ("churn_rate", 0.4, "reached"),
        ("churn_rate", 0.3, "unknown"),
        ("churn_rate", 0.2, "not_reached"),
        ("net_promoter_score", 10.0, "unknown"),
    ],
)
def test_a_target_is_reached_when_the_whole_interval_has_passed_it(metric, target, verdict):
    facts = {
        "customer_retention_rate": Fact(value=0.7, unit="share", interval=(0.65, 0.75, 0.95)),
        "churn_rate": Fact(value=0.3, unit="share", interval=(0.25, 0.35, 0.95)),
        "net_promoter_score": Fact(value=None, unit="score"),
    }

    assert progress.against_targets(facts, {metric: target})["verdict"].tolist() == [verdict]
