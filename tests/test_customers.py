"""The customer summary on hand-worked purchases, and what follows from it."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from loyalty_lab import customers
from loyalty_lab.errors import InputError

CUTOFF = date(2026, 3, 31)


def orders_of(*rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "net_amount"])
    return frame.astype({"ordered_at": "datetime64[us]", "net_amount": "float64"})


def many_orders(seed: int = 1, n: int = 4000, people: int = 300) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    moments = pd.Timestamp("2025-01-01") + pd.to_timedelta(draw.integers(0, 450 * 24, n), unit="h")
    who = [f"c{i:03d}" for i in draw.integers(0, people, n)]
    return pd.DataFrame({"customer_id": who, "ordered_at": moments, "net_amount": draw.normal(30, 25, n).round(2)})


def stored(orders: pd.DataFrame, folder: Path) -> Path:
    """The orders as intake keeps them: money as decimals, one more column."""
    path = folder / "orders.parquet"
    with duckdb.connect() as db:
        kept = db.from_df(orders).select("'x' as order_id, * replace (cast(net_amount as decimal(18, 4)) as net_amount)")
        kept.write_parquet(str(path))
    return path


def test_the_summary_counts_days_not_orders_and_leaves_the_first_day_out_of_the_money():
    orders = orders_of(
        ("b", "2026-03-01 09:00", 10), ("b", "2026-03-01 23:59", 4), ("b", "2026-03-11 00:00", 20), ("b", "2026-03-31 23:59", 40),
        ("a", "2026-01-01 12:00", 7), ("b", "2026-04-01 00:00", 900),
    )  # fmt: skip

    summary = customers.customer_summary(orders, CUTOFF)

    assert summary.index.tolist() == ["a", "b"]
    assert summary.loc["a"].tolist() == [0, 0, 89, 0.0]
    assert summary.loc["b"].tolist() == [2, 30, 30, 30.0]
    assert [str(kind) for kind in summary.dtypes] == ["int64", "int64", "int64", "float64"]
    assert summary.columns.tolist() == ["frequency", "recency", "T", "monetary_value"]


def test_a_day_that_nets_zero_or_below_is_no_purchase_day():
    nothing = [("a", "2026-03-02", 5), ("a", "2026-03-02", -5), ("a", "2026-03-03", -1), ("z", "2026-03-03", 0)]
    orders = orders_of(("a", "2026-03-01", 10), *nothing)

    assert customers.customer_summary(orders, CUTOFF).reset_index().values.tolist() == [["a", 0, 0, 30, 0.0]]


def test_anonymous_orders_are_in_no_row():
    orders = orders_of((None, "2026-03-01", 10), ("a", "2026-03-01", 10))

    assert customers.customer_summary(orders, CUTOFF).index.tolist() == ["a"]


def test_cents_add_up_exactly():
    orders = orders_of(("a", "2026-01-01", 1), *[("a", f"2026-03-{day:02d}", 0.1) for day in range(1, 11)])

    assert customers.customer_summary(orders, CUTOFF).loc["a", "monetary_value"] == 0.1


def test_no_orders_before_the_cutoff_give_an_empty_summary_and_the_shortest_horizon():
    orders = orders_of(("a", "2026-05-01", 10))

    assert customers.customer_summary(orders, CUTOFF).empty
    assert customers.repurchase_curve(orders, CUTOFF).empty
    assert customers.propose_horizon(orders, CUTOFF) == 30


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match="net_amount"):
        customers.customer_summary(pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2026-01-01"]}), CUTOFF)


@pytest.mark.parametrize("name", ["customer_summary", "features", "purchase_days"])
def test_any_number_of_threads_and_any_order_of_rows_give_the_same_bits(name):
    orders = many_orders()

    more = {"horizon_days": 91} if name == "features" else {}
    one = customers.query(name, orders, CUTOFF, threads=1, **more)
    for threads in (2, 4):
        again = customers.query(name, orders.sample(frac=1, random_state=threads), CUTOFF, threads=threads, **more)
        pd.testing.assert_frame_equal(one, again, check_exact=True)


@pytest.mark.parametrize("name", ["customer_summary", "features", "purchase_days"])
def test_orders_in_a_file_give_the_same_bits_as_in_a_frame(name, tmp_path):
    orders = many_orders()
    orders.loc[::50, "customer_id"] = None

    more = {"horizon_days": 91} if name == "features" else {}
    in_file = customers.query(name, stored(orders, tmp_path), CUTOFF, **more)

    pd.testing.assert_frame_equal(customers.query(name, orders, CUTOFF, **more), in_file, check_exact=True)


def test_an_order_without_a_day_or_amount_is_refused_in_a_frame_and_in_a_file(tmp_path):
    orders = orders_of(("a", "2026-03-01", 10), ("b", None, 10), ("c", "2026-03-01", None), (None, None, None))

    for given in (orders, stored(orders, tmp_path)):
        with pytest.raises(InputError, match=r"2 orders have no day.*'b', 'c'"):
            customers.customer_summary(given, CUTOFF)
    with pytest.raises(InputError, match=r"1 orders have no day.*'b'"):
        customers.customer_summary(orders_of(("a", "2026-03-01", 10), ("b", "2026-03-01", np.inf)), CUTOFF)


def test_what_is_wrong_with_orders_of_nobody_is_no_reason_to_refuse():
    orders = orders_of(("a", "2026-03-01", 10), (None, None, 10), (None, "2026-03-01", np.inf))

    assert customers.customer_summary(orders, CUTOFF).index.tolist() == ["a"]


def test_orders_of_nobody_give_an_empty_summary_with_names_as_its_index():
    summary = customers.customer_summary(orders_of((None, "2026-03-01", 10)), CUTOFF)

    assert summary.empty
    assert summary.index.dtype == "str"


def test_a_file_that_is_no_parquet_or_lacks_a_column_is_refused_by_name(tmp_path):
    text = tmp_path / "orders.csv"
    text.write_text("customer_id\n", encoding="utf-8")

    with pytest.raises(InputError, match=r"orders\.csv: cannot be read as Parquet"):
        customers.customer_summary(text, CUTOFF)
    with duckdb.connect() as db:
        db.sql("select 'a' as customer_id, 1 as net_amount").write_parquet(str(tmp_path / "bare.parquet"))
    with pytest.raises(InputError, match=r"bare\.parquet: lacks the column 'ordered_at'"):
        customers.customer_summary(tmp_path / "bare.parquet", CUTOFF)


def test_queries_at_the_same_time_do_not_see_each_others_orders():
    shops = [many_orders(seed, 500, 40) for seed in range(12)]
    alone = [customers.customer_summary(orders, CUTOFF) for orders in shops]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda orders: customers.customer_summary(orders, CUTOFF), shops))

    for one, other in zip(alone, together, strict=True):
        pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_fork_of_a_process_that_has_asked_can_ask_too():
    orders = many_orders(3, 500, 40)
    summary = customers.customer_summary(orders, CUTOFF)

    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        forked = pool.submit(customers.customer_summary, orders, CUTOFF).result(timeout=60)

    pd.testing.assert_frame_equal(summary, forked, check_exact=True)


def test_the_summary_agrees_with_a_plain_python_count():
    orders = many_orders(2)
    seen = orders[orders.ordered_at < "2026-04-01"].assign(day=lambda f: f.ordered_at.dt.normalize())
    by_day = seen.groupby(["customer_id", "day"]).net_amount.sum()
    by_day = by_day[by_day.round(2) > 0].reset_index()

    summary = customers.customer_summary(orders, CUTOFF)

    assert summary.index.tolist() == sorted(by_day.customer_id.unique())
    for name, days in by_day.groupby("customer_id"):
        first, last = days.day.min(), days.day.max()
        mean = days.net_amount.iloc[1:].mean() if len(days) > 1 else 0
        assert summary.loc[name].tolist() == pytest.approx([len(days) - 1, (last - first).days, (pd.Timestamp(CUTOFF) - first).days, mean])


def test_own_rhythm_and_silence_are_in_days():
    orders = orders_of(("a", "2026-01-01", 1), ("a", "2026-01-11", 1), ("a", "2026-02-10", 1), ("b", "2026-03-30", 1))

    assert customers.own_rhythm(orders, CUTOFF)["a"] == 20
    assert np.isnan(customers.own_rhythm(orders, CUTOFF)["b"])
    assert customers.days_since_last(orders, CUTOFF).to_dict() == {"a": 49, "b": 1}


def test_the_repurchase_curve_is_the_hand_worked_kaplan_meier():
    # Gaps: 10 (returned), 20 (returned), 15 (cut off), 40 (cut off).
    orders = orders_of(("a", "2026-01-01", 1), ("a", "2026-01-11", 1), ("a", "2026-01-31", 1), ("b", "2026-02-25", 1))

    curve = customers.repurchase_curve(orders, date(2026, 3, 12))

    assert curve[["days", "at_risk", "returned"]].values.tolist() == [[10, 4, 1], [20, 2, 1]]
    assert curve["share"].tolist() == pytest.approx([1 / 4, 1 - 3 / 4 * 1 / 2])


@pytest.mark.parametrize(("gap", "expected"), [(7, 30), (45, 60), (80, 91), (100, 126), (150, 182)])
def test_the_horizon_follows_the_shops_own_rhythm(gap, expected):
    days = pd.date_range("2024-01-01", "2026-03-31", freq=f"{gap}D")
    rows = [(f"c{i}", day + pd.Timedelta(days=i % 3), 5) for i in range(20) for day in days]

    assert customers.propose_horizon(orders_of(*rows), CUTOFF) == expected


def test_the_horizon_leaves_half_of_the_history_for_a_backtest():
    rows = [(f"c{i}", day, 5) for i in range(20) for day in pd.date_range("2025-11-01", "2026-03-31", freq="70D")]

    assert customers.propose_horizon(orders_of(*rows), CUTOFF) == 60
