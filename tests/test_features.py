"""Features see the past only, and say the same whatever the order of rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_lab.features import customer_features, design

CUTOFF = date(2026, 3, 31)
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 31))
AMOUNTS = st.integers(-2000, 9000).map(lambda cents: cents / 100)
ROWS = st.lists(st.tuples(st.sampled_from("abcde"), MOMENTS, AMOUNTS), min_size=1, max_size=40)


def orders_of(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "net_amount"])
    return frame.astype({"ordered_at": "datetime64[us]", "net_amount": "float64"})


@settings(max_examples=40, deadline=None)
@given(rows=ROWS, later=ROWS, seed=st.integers(0, 9))
def test_nothing_after_the_cutoff_changes_a_feature(rows, later, seed):
    end = pd.Timestamp(CUTOFF) + pd.Timedelta(days=1)
    before = [row for row in rows if row[1] < end]
    after = [(who, max(moment, end.to_pydatetime()) + timedelta(seconds=1), amount) for who, moment, amount in later]

    known = customer_features(orders_of(before), CUTOFF)
    again = customer_features(orders_of(before + after).sample(frac=1, random_state=seed), CUTOFF)

    pd.testing.assert_frame_equal(known, again, check_exact=True, check_index_type=False)
    assert np.isfinite(design(known, 91)).all().all()


def test_the_features_of_one_customer_are_the_hand_worked_ones():
    rows = [("a", "2026-01-01", 10), ("a", "2026-01-11", 20), ("a", "2026-01-31", 30), ("a", "2026-03-02", 40), ("b", "2026-03-31", 5)]
    table = customer_features(orders_of(rows), CUTOFF, horizon_days=60)

    a = table.loc["a"]
    assert a[["frequency", "recency", "T", "days_since_last", "gap_longest", "gap_last"]].tolist() == [3, 60, 89, 29, 30, 30]
    assert a[["gap_mean", "gap_median", "gap_std"]].tolist() == [20, 20, 10]
    assert a[["orders_half", "orders_whole", "orders_double", "orders_365", "orders_last_year"]].tolist() == [1, 2, 4, 4, 0]
    assert a[["spend_whole", "spend_total", "first_spend", "last_spend"]].tolist() == [70, 100, 10, 40]
    assert a[["log_gap_sum", "log_spend_sum"]].tolist() == pytest.approx([np.log(10 * 20 * 30), np.log(10 * 20 * 30 * 40)], abs=1e-8)
    assert a[["own_gap", "gap_ratio"]].tolist() == [20, 29 / 20]
    assert table.loc["b", ["gap_mean", "gap_std", "own_gap"]].tolist() == [0, 0, 20]
    assert not table.isna().any().any()


def test_first_and_last_are_those_of_the_days_and_not_of_the_rows_or_amounts():
    rows = [("a", "2026-03-02", 15), ("a", "2026-01-01", 20), ("a", "2026-02-25", 90), ("a", "2026-01-01", 4), ("b", "2026-02-01", 7)]

    table = customer_features(orders_of(rows), CUTOFF)

    assert table.loc["a", ["gap_last", "gap_longest", "first_spend", "last_spend"]].tolist() == [5, 55, 24, 15]
    assert table.loc["b", ["gap_last", "gap_longest", "first_spend", "last_spend"]].tolist() == [0, 0, 7, 7]


def test_the_models_columns_have_no_currency():
    rows = [("a", "2026-01-01", 10), ("a", "2026-02-01", 20), ("b", "2026-03-01", 40)]
    dear = [(who, day, 100 * amount) for who, day, amount in rows]

    cheap, costly = (design(customer_features(orders_of(each), CUTOFF), 91) for each in (rows, dear))

    pd.testing.assert_frame_equal(cheap, costly)
