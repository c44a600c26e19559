"""The metrics on purchases small enough to count by hand, and the identities between them."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import cohorts, metrics, progress
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2025, 12, 31)
ROWS = [
    # year before: a, b, c, d (S = 4); this year: a, b, e (E = 3), of them new: e (N = 1)
    ("1", "a", "2024-01-10", 10), ("2", "a", "2024-12-31 23:00", 10), ("3", "b", "2024-06-01", 20),
    ("4", "c", "2024-07-01", 30), ("5", "d", "2024-08-01", 5),
    ("6", "a", "2025-01-01 00:00", 40), ("7", "a", "2025-05-01", 20), ("8", "b", "2025-06-01", 20), ("9", "e", "2025-12-31 23:59", 10),
    ("10", None, "2025-03-01", 999), ("11", "c", "2026-01-01", 50),
]  # fmt: skip


def orders_of(rows=ROWS) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["order_id", "customer_id", "ordered_at", "net_amount"])
    return frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"], format="mixed"), net_amount=frame["net_amount"].astype(float))


def shop_of(orders: pd.DataFrame, **tables) -> Shop:
    return Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, **tables})


def test_retention_is_customers_at_the_end_less_new_ones_over_customers_at_the_start():
    fact = metrics.customer_retention_rate(orders_of(), CUTOFF)

    assert (fact.value, fact.n) == ((3 - 1) / 4, 4)
    assert fact.window == (date(2025, 1, 1), CUTOFF)
    assert fact.formula_key == "metrics.customer_retention_rate"
    assert fact.interval == pytest.approx((0.15003, 0.84997, 0.95), abs=1e-4)


def test_retention_and_churn_add_up_to_one_with_their_intervals():
    kept, lost = metrics.customer_retention_rate(orders_of(), CUTOFF), metrics.churn_rate(orders_of(), CUTOFF)

    assert kept.value + lost.value == 1
    assert kept.interval[0] + lost.interval[1] == pytest.approx(1)
    assert lost.n == kept.n


def test_repeat_rate_and_frequency_count_this_years_orders():
    assert metrics.repeat_customer_rate(orders_of(), CUTOFF).value == pytest.approx(1 / 3)
    assert metrics.purchase_frequency(orders_of(), CUTOFF).value == pytest.approx(4 / 3)


def test_expected_revenue_is_order_value_times_orders_times_retention():
    fact = metrics.expected_revenue_next_year(orders_of(), CUTOFF)

    assert fact.value == pytest.approx((90 / 4) * (4 / 3) * 0.5)
    assert fact.interval[0] < fact.value < fact.interval[1]


def test_the_interval_of_expected_revenue_matches_a_bootstrap():
    draw = np.random.default_rng(3)
    rows = [
        (f"{i}-{year}-{k}", f"c{i}", f"{year}-0{1 + k}-05", round(draw.gamma(2, 20), 2) + 1)
        for i in range(300) for year in (2024, 2025) if draw.random() < 0.6 for k in range(1 + draw.poisson(1) % 8)
    ]  # fmt: skip
    orders = orders_of(rows)
    fact = metrics.expected_revenue_next_year(orders, CUTOFF)
    places = list(orders.groupby("customer_id").indices.values())

    def once(picked):
        again = orders.iloc[np.concatenate([places[i] for i in picked])]
        people = np.repeat([f"d{k}" for k in range(len(picked))], [len(places[i]) for i in picked])
        return metrics.expected_revenue_next_year(again.assign(customer_id=people), CUTOFF).value

    drawn = [once(draw.integers(0, len(places), len(places))) for _ in range(60)]
    assert np.log(fact.interval[1] / fact.interval[0]) == pytest.approx(2 * 1.96 * np.std(np.log(drawn)), rel=0.35)


def test_too_short_a_history_gives_no_value_instead_of_a_wrong_one():
    young = orders_of([row for row in ROWS if row[2] >= "2024-06"])

    for formula in (metrics.customer_retention_rate, metrics.churn_rate, metrics.expected_revenue_next_year):
        assert formula(young, CUTOFF).value is None
        assert formula(young.iloc[:0], CUTOFF).value is None
    assert metrics.repeat_customer_rate(young.iloc[:0], CUTOFF).value is None


def test_two_rows_of_one_order_are_one_order():
    rows = [("1", "a", "2025-02-01", 5), ("1", "a", "2025-02-01", 7), ("2", "b", "2025-02-01", 5)]

    assert metrics.purchase_frequency(orders_of(rows), CUTOFF).value == 1


def test_net_promoter_score_is_promoters_less_detractors_over_everybody_who_answered():
    surveys = pd.DataFrame({"nps": [10, 9, 9, 8, 7, 6, 0, None, 10], "answered_at": pd.to_datetime(["2025-02-01"] * 8 + ["2024-12-31"])})

    fact = metrics.net_promoter_score(surveys, CUTOFF)

    share = 3 / 7 - 2 / 7
    error = ((3 / 7 + 2 / 7 - share**2) / 7) ** 0.5
    assert (fact.value, fact.n) == (pytest.approx(100 * share), 7)
    assert fact.interval[:2] == pytest.approx((100 * (share - 1.96 * error), 100 * (share + 1.96 * error)), abs=0.01)


def test_a_single_promoter_is_not_a_certain_score():
    surveys = pd.DataFrame({"nps": [10], "answered_at": pd.to_datetime(["2025-02-01"])})

    low, high, _ = metrics.net_promoter_score(surveys, CUTOFF).interval
    assert low < 0
    assert high == 100


@pytest.mark.parametrize("surveys", [None, pd.DataFrame({"csat": [5]}), pd.DataFrame({"nps": [], "answered_at": []})])
def test_without_answers_there_is_no_score(surveys):
    assert metrics.net_promoter_score(surveys, CUTOFF).value is None


def test_the_second_purchase_rate_leaves_out_those_who_have_not_had_their_time():
    rows = [
        ("1", "a", "2025-03-01", 5), ("2", "a", "2025-03-31", 5),
        ("3", "b", "2025-03-01", 5), ("4", "b", "2025-04-01", 5),
        ("5", "c", "2025-12-15", 5), ("6", "c", "2025-12-16", 5),
    ]  # fmt: skip
    fact = metrics.second_purchase_rate(orders_of(rows), CUTOFF, horizon_days=30)

    assert (fact.value, fact.n) == (0.5, 2)


def test_the_top_fifth_and_the_lorenz_curve_agree():
    draw = np.random.default_rng(4)
    rows = [(str(i), f"c{i}", "2025-05-01", amount) for i, amount in enumerate(draw.pareto(1.5, 200).round(2) + 1)]
    orders = orders_of(rows)
    amounts = orders["net_amount"].sort_values(ascending=False)

    fact = metrics.top_share(orders, CUTOFF)
    curve = metrics.lorenz(orders, CUTOFF)

    assert fact.value == pytest.approx(amounts.iloc[:40].sum() / amounts.sum())
    assert curve.loc[20, "sales"] == pytest.approx(fact.value)
    assert curve["sales"].is_monotonic_increasing
    assert fact.interval[0] < fact.value < fact.interval[1]
    assert fact == metrics.top_share(orders.sample(frac=1, random_state=0), CUTOFF)


def test_cohorts_start_full_and_hold_only_quarters_that_are_over():
    table = cohorts.cohort_retention(orders_of(), date(2025, 11, 15))

    first = table[table["start"] == "2024-01-01"]
    assert first["size"].unique().tolist() == [1]
    assert first["share"].tolist() == [1, 0, 0, 1, 1, 1, 0]
    assert (table.loc[table["quarter"] == 0, "share"] == 1).all()
    assert (table["start"] + pd.to_timedelta(table["quarter"] * 92, unit="D")).max() < pd.Timestamp("2025-11-01")


def test_the_trend_ends_in_the_scorecard_and_says_nothing_of_years_it_has_not_seen():
    shop = shop_of(orders_of())
    trend = progress.trend(shop, CUTOFF, quarters=8).set_index(["metric", "end"])["value"].unstack("metric")
    card = metrics.scorecard(shop, CUTOFF)

    assert trend.index[-1] == pd.Timestamp(CUTOFF)
    for name in ("customer_retention_rate", "purchase_frequency", "expected_revenue_next_year"):
        assert trend[name].iloc[-1] == card[name].value
    assert trend.loc[:"2024-11-30"].isna().all().all()
    assert len(card) == 6


def test_the_best_fifth_of_everybody_counts_those_who_bought_nothing_in_the_year():
    rows = [(str(n), f"c{n}", "2025-05-01", amount) for n, amount in enumerate([50, 20, 10, 10, 10])]
    rows += [(f"o{n}", f"d{n}", "2023-05-01", 7) for n in range(5)]

    assert metrics.top_share(orders_of(rows), CUTOFF).value == 0.5
    assert metrics.top_share(orders_of(rows), CUTOFF, everyone=True).value == 0.7
    assert metrics.top_share(orders_of(rows), CUTOFF, everyone=True).n == 10


@pytest.mark.parametrize(
    ("period", "last", "kept", "frequency"),
    [("quarter", date(2025, 6, 30), 1.0, 1.0), ("month", date(2025, 6, 30), 0.0, 1.0), ("week", date(2025, 5, 4), None, 1.0)],
)
def test_a_shorter_period_is_told_by_the_same_definitions(period, last, kept, frequency):
    card = metrics.scorecard(shop_of(orders_of()), last, period)

    assert card["customer_retention_rate"].value == kept
    assert card["purchase_frequency"].value == frequency
