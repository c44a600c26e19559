"""The latest whole week, month, quarter and year at a cutoff, and the same a year earlier."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from loyalty_lab import periods


@pytest.mark.parametrize(
    ("cutoff", "period", "ends"),
    [
        (date(2026, 3, 31), "quarter", date(2026, 3, 31)),
        (date(2026, 3, 30), "quarter", date(2025, 12, 31)),
        (date(2026, 2, 28), "month", date(2026, 2, 28)),
        (date(2028, 2, 28), "month", date(2028, 1, 31)),
        (date(2026, 11, 8), "week", date(2026, 11, 8)),
        (date(2026, 11, 9), "week", date(2026, 11, 8)),
        (date(2026, 11, 7), "week", date(2026, 11, 1)),
        (date(2026, 11, 7), "year", date(2026, 11, 7)),
    ],
)
def test_only_a_period_that_is_over_counts(cutoff, period, ends):
    assert periods.latest(cutoff, period) == ends


@pytest.mark.parametrize("period", periods.PERIODS)
def test_periods_follow_each_other_without_a_gap_and_end_on_the_same_kind_of_day_a_year_earlier(period):
    for back in range(800):
        last = periods.latest(date(2028, 12, 31) - timedelta(days=back), period)
        first = periods.window(last, period)[0]
        before = periods.a_year_earlier(last, period)

        if period != "year":
            assert periods.latest(first - periods.DAY, period) == first - periods.DAY
        assert periods.latest(before, period) == before
        assert 363 <= (last - before).days <= 367


def test_a_leap_day_has_a_year_before():
    assert periods.year_before(date(2028, 2, 29)) == date(2027, 2, 28)
