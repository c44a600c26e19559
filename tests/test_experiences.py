"""What customers went through and whether they came back, worked by hand and against the truth of a simulated chain."""

from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, purchases, shop_of

from loyalty_lab import experiences, records


def occasions(*rows):
    return pd.DataFrame(rows, columns=["customer_id", "at", "late"]).assign(at=lambda made: pd.to_datetime(made["at"], format="ISO8601"))


def test_what_was_bought_on_the_day_of_the_occasion_or_later_is_no_past():
    orders = purchases(a=["2025-12-01", "2025-12-10", "2025-12-20"], b=["2025-12-20"])
    past = experiences.with_past(occasions(("a", "2025-12-10 10:00", True), ("b", "2025-12-10 10:00", False)), orders).set_index(
        "customer_id"
    )

    assert past["visits_before"].to_dict() == {"a": 1, "b": 0}
    assert past["days_since_last"].loc["a"] == 9
    assert past["days_since_last"].isna().loc["b"]


def test_only_a_later_day_within_the_time_counts_as_coming_back():
    orders = purchases(a=["2025-12-10 18:00"], b=["2026-03-10"], c=["2026-03-11"])
    rows = occasions(*((who, "2025-12-10 10:00", True) for who in "abc"))

    assert experiences.came_back(rows, orders).tolist() == [False, True, False]


@pytest.mark.parametrize(("better", "gap"), [(False, 1.0), (True, -1.0)])
def test_the_gap_is_better_less_worse_and_leaves_out_whose_time_is_not_over(better, gap):
    shop = shop_of(purchases(a=["2025-11-20"], b=["2026-03-30"], c=["2026-03-30"]))
    rows = occasions(("a", "2025-11-01", False), ("b", "2025-11-01", True), ("c", "2026-03-01", True))
    followed = experiences.follow(shop, CUTOFF, rows, "late", better=better)

    assert followed.facts["return_gap"].value == followed.difference == gap
    assert followed.facts["return_gap"].n == 2


def test_where_nobody_had_it_there_is_nothing_to_say():
    followed = experiences.follow(shop_of(purchases(a=["2025-11-20"])), CUTOFF, occasions(("a", "2025-11-01", False)), "late", better=False)

    assert followed.comparison is None
    assert (followed.difference, followed.grade, followed.said("answer-fast")) == (None, "D", ())


def test_late_parcels_are_held_against_their_truth():
    shop, cutoff, truth = chain()
    rows = records.of(shop, "deliveries").dropna(subset=["delivered_at"]).rename(columns={"ordered_at": "at"})
    rows = rows.assign(late=rows["delivered_at"] > rows["promised_at"])
    followed = experiences.follow(shop, cutoff, rows, "late", better=False)

    true = truth["effects"]["late"]["tau_mean"]
    assert followed.comparison.adjusted.low < true < followed.comparison.adjusted.high
    assert abs(followed.comparison.adjusted.value - true) < abs(followed.comparison.naive.value - true)
