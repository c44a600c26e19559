"""Weeks, months, quarters and years of a shop: the latest whole one, the one before it, and the same a year earlier."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd

Window = tuple[date, date]

YEAR, QUARTER, MONTH, WEEK = "year", "quarter", "month", "week"
PERIODS = (YEAR, QUARTER, MONTH, WEEK)
MONTHS = {QUARTER: 3, MONTH: 1}
# A history that begins a little after the first day of a window still counts as reaching over it.
SLACK = {YEAR: timedelta(days=31), QUARTER: timedelta(days=7), MONTH: timedelta(days=2), WEEK: timedelta(days=0)}
DAY = timedelta(days=1)


def year_before(day: date) -> date:
    """Return the same day one calendar year earlier (28 February for 29 February).

    Examples
    --------
    >>> year_before(date(2028, 2, 29))
    datetime.date(2027, 2, 28)
    """
    return (pd.Timestamp(day) - pd.DateOffset(years=1)).date()


def window(last: date, period: str = YEAR) -> Window:
    """Return first and last day of the period that ends with `last`.

    Parameters
    ----------
    last : datetime.date
        The last day of a whole calendar month or quarter; any day for a year or a week.
    period : {"year", "quarter", "month", "week"}

    Examples
    --------
    >>> [day.isoformat() for day in window(date(2026, 9, 30), "quarter")]
    ['2026-07-01', '2026-09-30']
    """
    if period == YEAR:
        return year_before(last) + DAY, last
    if period == WEEK:
        return last - 6 * DAY, last
    return (pd.Timestamp(last + DAY) - pd.DateOffset(months=MONTHS[period])).date(), last


def latest(cutoff: date, period: str) -> date:
    """Return the last day of the latest period that is over by the cutoff: weeks end on Sunday, a year ends at the cutoff itself.

    Examples
    --------
    >>> [latest(date(2026, 11, 14), period).isoformat() for period in PERIODS]
    ['2026-11-14', '2026-09-30', '2026-10-31', '2026-11-08']
    """
    if period == YEAR:
        return cutoff
    if period == WEEK:
        return cutoff - (cutoff.isoweekday() % 7) * DAY
    return pd.Timestamp(cutoff + DAY).to_period("Q" if period == QUARTER else "M").start_time.date() - DAY


def a_year_earlier(last: date, period: str) -> date:
    """Return the last day of the same period a year before; of a week that of 52 weeks before, so that it holds the same weekdays.

    Examples
    --------
    >>> a_year_earlier(date(2024, 2, 29), "month"), a_year_earlier(date(2026, 11, 8), "week")
    (datetime.date(2023, 2, 28), datetime.date(2025, 11, 9))
    """
    if period == WEEK:
        return last - 364 * DAY
    return year_before(last) if period == YEAR else year_before(last + DAY) - DAY


def year_to(cutoff: date) -> Window:
    """Return the first and last day of the year that ends at the cutoff.

    Examples
    --------
    >>> year_to(date(2026, 10, 31))
    (datetime.date(2025, 11, 1), datetime.date(2026, 10, 31))
    """
    return window(cutoff, YEAR)


def last_days(cutoff: date, days: int) -> Window:
    """Return the first and last of so many days that end at the cutoff.

    Examples
    --------
    >>> last_days(date(2026, 10, 31), 7)
    (datetime.date(2026, 10, 25), datetime.date(2026, 10, 31))
    """
    return cutoff - (days - 1) * DAY, cutoff


def within(moments: pd.Series, window: Window) -> pd.Series:
    """Return which moments lie in a window of whole days; a missing one lies in none.

    Examples
    --------
    >>> within(pd.Series(pd.to_datetime(["2026-10-31 23:59", "2026-11-01 00:00", None])), last_days(date(2026, 10, 31), 1)).tolist()
    [True, False, False]
    """
    return (moments >= pd.Timestamp(window[0])) & (moments < pd.Timestamp(window[1]) + pd.Timedelta(days=1))
