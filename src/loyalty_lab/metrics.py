"""The shop's metrics, each as a fact: value, interval, how many it rests on, and the window it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab.customers import purchase_days
from loyalty_lab.proportions import LEVEL, Z, share, wilson
from loyalty_lab.results import Fact

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLACK = timedelta(days=31)
RESAMPLES = 400
LARGEST_RESAMPLING = 40_000_000


def year_before(day: date) -> date:
    """Return the same day one calendar year earlier (28 February for 29 February).

    Examples
    --------
    >>> year_before(date(2028, 2, 29))
    datetime.date(2027, 2, 28)
    """
    return (pd.Timestamp(day) - pd.DateOffset(years=1)).date()


def _window(cutoff: date) -> tuple[date, date]:
    return year_before(cutoff) + timedelta(days=1), cutoff


def _orders_in(orders: pd.DataFrame, window: tuple[date, date]) -> pd.DataFrame:
    """Orders of known customers above zero in a window of whole days; rows of one order id are one order."""
    when = pd.to_datetime(orders["ordered_at"])
    inside = (when >= pd.Timestamp(window[0])) & (when < pd.Timestamp(window[1]) + pd.Timedelta(days=1))
    kept = orders[inside & orders["customer_id"].notna()]
    if "order_id" in kept.columns:
        kept = kept.groupby(["customer_id", "order_id"], as_index=False, sort=True)["net_amount"].sum()
    return kept[kept["net_amount"] > 0]


def _by_customer(orders: pd.DataFrame, window: tuple[date, date]) -> pd.DataFrame:
    """One row per customer who bought in the window: `orders`, `net`."""
    inside = _orders_in(orders, window)
    return inside.groupby("customer_id", sort=True)["net_amount"].agg(orders="size", net="sum")


def _first_day(orders: pd.DataFrame) -> date | None:
    return None if orders.empty else pd.to_datetime(orders["ordered_at"]).min().date()


def _two_years(orders: pd.DataFrame, cutoff: date) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Customers of the year before and of this year; None where the history does not reach over both."""
    window = _window(cutoff)
    before = _window(window[0] - timedelta(days=1))
    first = _first_day(orders)
    if first is None or first > before[0] + SLACK:
        return None
    return _by_customer(orders, before), _by_customer(orders, window)


def _fact(name: str, unit: str, n: int, window: tuple[date, date], value: float | None = None, ends: tuple | None = None) -> Fact:
    interval = None if ends is None else (float(ends[0]), float(ends[1]), LEVEL)
    return Fact(value=value, unit=unit, n=n, interval=interval, formula_key=f"metrics.{name}", window=window)


def _share(name: str, count: int, n: int, window: tuple[date, date]) -> Fact:
    return share(count, n, window, f"metrics.{name}")


def customer_retention_rate(orders: pd.DataFrame, cutoff: date) -> Fact:
    """Return the share of the customers active in the year before who are active in this year.

    By sets this is (E - N) / S: E customers active this year, N of them not active the year
    before, S customers of the year before.

    Parameters
    ----------
    orders : pandas.DataFrame
        At least `customer_id`, `ordered_at`, `net_amount`; one row per order, or several with one `order_id`.
    cutoff : datetime.date
        Last day of this year's window.

    Returns
    -------
    Fact
        Wilson interval, n = S. No value where the history is shorter than two years (less a month).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2024-01-09", "2024-05-01", "2025-03-01"], "net_amount": 5.0})
    >>> customer_retention_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    years = _two_years(orders, cutoff)
    if years is None:
        return _fact("customer_retention_rate", "share", 0, _window(cutoff))
    start, end = years
    kept = int(start.index.isin(end.index).sum())
    return _share("customer_retention_rate", kept, len(start), _window(cutoff))


def churn_rate(orders: pd.DataFrame, cutoff: date) -> Fact:
    """Return 1 minus the retention rate: the share of the year before's customers who did not buy this year.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2024-01-09", "2024-05-01", "2025-03-01"], "net_amount": 5.0})
    >>> churn_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    kept = customer_retention_rate(orders, cutoff)
    if kept.value is None:
        return kept.model_copy(update={"formula_key": "metrics.churn_rate"})
    low, high, level = kept.interval
    lost = {"value": 1 - kept.value, "interval": (1 - high, 1 - low, level), "formula_key": "metrics.churn_rate"}
    return kept.model_copy(update=lost)


def repeat_customer_rate(orders: pd.DataFrame, cutoff: date) -> Fact:
    """Return the share of the year's customers who ordered at least twice in it (Wilson interval).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": "2025-03-01", "net_amount": 5.0})
    >>> repeat_customer_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    customers = _by_customer(orders, _window(cutoff))
    return _share("repeat_customer_rate", int((customers["orders"] > 1).sum()), len(customers), _window(cutoff))


def purchase_frequency(orders: pd.DataFrame, cutoff: date) -> Fact:
    """Return orders by customers in the year: orders divided by the customers who made them.

    The interval is that of a mean, never below 1.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": "2025-03-01", "net_amount": 5.0})
    >>> purchase_frequency(orders, date(2025, 12, 31)).value
    1.5
    """
    each = _by_customer(orders, _window(cutoff))["orders"]
    if each.empty:
        return _fact("purchase_frequency", "ratio", 0, _window(cutoff))
    mean, half = float(each.mean()), Z * float(each.std()) / sqrt(len(each))
    ends = (max(1.0, mean - half), mean + half) if len(each) > 1 else None
    return _fact("purchase_frequency", "ratio", len(each), _window(cutoff), mean, ends)


def net_promoter_score(surveys: pd.DataFrame | None, cutoff: date) -> Fact:
    """Return the net promoter score: 100 times (share of 9 and 10 minus share of 0 to 6).

    Passives (7, 8) count in the base. Standard error sqrt((p + d - (p - d)^2) / n); where every
    answer is of one kind, the Wilson limit of that share stands in for it.

    Parameters
    ----------
    surveys : pandas.DataFrame or None
        Column `nps` (0 to 10) and `answered_at` (or `asked_at`). None: no survey.
    cutoff : datetime.date
        Last day of the year looked at.

    Examples
    --------
    >>> surveys = pd.DataFrame({"nps": [10, 9, 7, 3], "answered_at": "2025-03-01"})
    >>> net_promoter_score(surveys, date(2025, 12, 31)).value
    25.0
    """
    if surveys is None or "nps" not in surveys.columns:
        return _fact("net_promoter_score", "score", 0, _window(cutoff))
    window = _window(cutoff)
    when = pd.to_datetime(surveys["answered_at" if "answered_at" in surveys.columns else "asked_at"])
    inside = (when >= pd.Timestamp(window[0])) & (when < pd.Timestamp(cutoff) + pd.Timedelta(days=1))
    answers = surveys.loc[inside, "nps"].dropna().astype(int)
    if answers.empty:
        return _fact("net_promoter_score", "score", 0, _window(cutoff))
    promoters, detractors, n = int((answers >= 9).sum()), int((answers <= 6).sum()), len(answers)
    score = (promoters - detractors) / n
    half = Z * sqrt((promoters + detractors) / n - score**2) / sqrt(n) if abs(score) < 1 else 2 * (1 - wilson(n, n)[0])
    ends = (100 * max(-1.0, score - half), 100 * min(1.0, score + half))
    return _fact("net_promoter_score", "score", n, window, 100 * score, ends)


def expected_revenue_next_year(orders: pd.DataFrame, cutoff: date) -> Fact:
    """Return the revenue to expect next year of one of this year's customers.

    Average order value times orders a year times retention rate: what the trade's articles call
    lifetime value. It is one year's revenue, neither margin nor a lifetime.

    n counts this year's customers, the interval is by the delta method over customers, and there is
    no value where the retention rate has none.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2024-01-09", "2024-05-01", "2025-03-01"], "net_amount": 5.0})
    >>> expected_revenue_next_year(orders, date(2025, 12, 31)).value
    2.5
    """
    years = _two_years(orders, cutoff)
    if years is None or years[0].empty or years[1].empty:
        return _fact("expected_revenue_next_year", "money", 0, _window(cutoff))
    start, end = years
    kept = int(start.index.isin(end.index).sum())
    spend = float(end["net"].mean())
    value = spend * kept / len(start)
    if kept == 0:
        low, high = 0.0, spend * wilson(0, len(start))[1]
    else:
        half = Z * _relative_error(start, end, kept)
        low, high = value * np.exp(-half), value * np.exp(half)
    return _fact("expected_revenue_next_year", "money", len(end), _window(cutoff), value, (low, high))


def _relative_error(start: pd.DataFrame, end: pd.DataFrame, kept: int) -> float:
    """Standard error of the log of (spend by customer) x (kept by started), customers as the units."""
    everyone = start.index.union(end.index)
    before, now = everyone.isin(start.index), everyone.isin(end.index)
    net = end["net"].reindex(everyone, fill_value=0.0).to_numpy()
    influence = net / net.sum() - now / len(end) + (before & now) / kept - before / len(start)
    return float(np.sqrt((influence**2).sum()))


def second_purchase_rate(orders: pd.DataFrame, cutoff: date, horizon_days: int = 91) -> Fact:
    """Return the share of first-time buyers who bought again within `horizon_days` of their first purchase.

    Only first purchases at least `horizon_days` before the cutoff count (a later one has not had
    its time), of the year that ends there.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2025-03-01", "2025-03-20", "2025-04-01"], "net_amount": 5.0})
    >>> second_purchase_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    window = _window((pd.Timestamp(cutoff) - pd.Timedelta(days=horizon_days)).date())
    days = purchase_days(orders, cutoff)
    following = days.groupby("customer_id", sort=False)["day"].shift(-1)
    first = ~days["customer_id"].duplicated() & days["day"].between(pd.Timestamp(window[0]), pd.Timestamp(window[1]))
    again = (following - days["day"]).dt.days <= horizon_days
    return _share("second_purchase_rate", int((first & again).sum()), int(first.sum()), window)


def top_share(orders: pd.DataFrame, cutoff: date, share: float = 0.2) -> Fact:
    """Return the share of the year's sales made by the best customers (the 80/20 question).

    The best are the top `share` of the year's customers, rounded up; those who bought nothing in the
    year do not count. The interval is a bootstrap over customers with a fixed seed.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": list("abcde"), "ordered_at": "2025-03-01", "net_amount": [80.0, 5, 5, 5, 5]})
    >>> top_share(orders, date(2025, 12, 31)).value
    0.8
    """
    spend = np.sort(_by_customer(orders, _window(cutoff))["net"].to_numpy())[::-1]
    if not spend.size:
        return _fact("top_share", "share", 0, _window(cutoff))
    value = float(_top(spend, np.ones(spend.size), share))
    resamples = max(100, min(RESAMPLES, LARGEST_RESAMPLING // spend.size))
    generator = np.random.default_rng(0)
    drawn = [_top(spend, generator.multinomial(spend.size, np.full(spend.size, 1 / spend.size)), share) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _fact("top_share", "share", spend.size, _window(cutoff), value, (min(low, value), max(high, value)))


def _top(spend: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Share of the weighted total held by the top `share`; `spend` falls, weights are whole numbers of customers."""
    wanted = ceil(share * weights.sum() - 1e-9)
    taken = np.minimum(weights, np.maximum(wanted - (np.cumsum(weights) - weights), 0))
    return float((taken * spend).sum() / (weights * spend).sum())


def lorenz(orders: pd.DataFrame, cutoff: date, points: int = 101) -> pd.DataFrame:
    """Return the Lorenz curve of the year: share of sales made by the best share of customers.

    Columns `customers` and `sales` rise from 0 to 1; the frame is empty if nobody bought.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": "2025-03-01", "net_amount": [80.0, 20.0]})
    >>> lorenz(orders, date(2025, 12, 31), points=3)["sales"].tolist()
    [0.0, 0.8, 1.0]
    """
    spend = np.sort(_by_customer(orders, _window(cutoff))["net"].to_numpy())[::-1]
    if not spend.size:
        return pd.DataFrame({"customers": [], "sales": []})
    sales = np.concatenate([[0.0], np.cumsum(spend) / spend.sum()])
    at = np.linspace(0, 1, points)
    return pd.DataFrame({"customers": at, "sales": np.interp(at, np.linspace(0, 1, sales.size), sales).clip(0, 1)})


def cohort_retention(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return how many of each quarter's new customers bought in the quarters that followed.

    Quarters are calendar quarters that had ended by the cutoff. The shop's first one holds older
    customers as well, whose first purchase came before its records.

    Returns
    -------
    pandas.DataFrame
        One row per cohort and quarter since: `start` (datetime64, first day of the cohort's quarter),
        `size`, `quarter` (0 = the cohort's own), `active`, `share`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2025-01-09", "2025-02-01", "2025-05-01"], "net_amount": 5.0})
    >>> cohort_retention(orders, date(2025, 6, 30))["share"].tolist()
    [1.0, 0.5]
    """
    days = purchase_days(orders, cutoff)
    quarter = days["day"].dt.year * 4 + days["day"].dt.quarter - 1
    ended = (pd.Timestamp(cutoff) + pd.Timedelta(days=1)).to_period("Q")
    beyond = ended.year * 4 + ended.quarter - 1
    first = quarter.groupby(days["customer_id"], sort=False).transform("min")
    seen = pd.DataFrame({"customer_id": days["customer_id"], "cohort": first, "quarter": quarter - first})[quarter < beyond]
    active = seen.drop_duplicates().groupby(["cohort", "quarter"]).size()
    cohorts = sorted(seen["cohort"].unique())
    rows = [(cohort, since) for cohort in cohorts for since in range(beyond - cohort)]
    table = pd.DataFrame(rows, columns=["cohort", "quarter"]).astype("int64")
    table["active"] = active.reindex(pd.MultiIndex.from_frame(table), fill_value=0).to_numpy(dtype="int64")
    table["size"] = table.groupby("cohort")["active"].transform("first").astype("int64")
    table["share"] = table["active"] / table["size"]
    starts = [f"{cohort // 4}-{3 * (cohort % 4) + 1:02d}-01" for cohort in table["cohort"]]
    return table.assign(start=pd.to_datetime(starts).astype("datetime64[us]"))[["start", "size", "quarter", "active", "share"]]


FORMULAS: dict[str, Callable[[pd.DataFrame, date], Fact]] = {
    "customer_retention_rate": customer_retention_rate,
    "churn_rate": churn_rate,
    "expected_revenue_next_year": expected_revenue_next_year,
    "repeat_customer_rate": repeat_customer_rate,
    "purchase_frequency": purchase_frequency,
}


def scorecard(shop: Shop, cutoff: date) -> dict[str, Fact]:
    """Return the six metrics of the scorecard by name, for the year that ends at the cutoff.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2025-03-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> scorecard(shop, date(2025, 12, 31))["purchase_frequency"].value, len(trend(shop, date(2025, 12, 31)))
    (1.0, 48)
    """
    facts = {name: formula(shop.orders, cutoff) for name, formula in FORMULAS.items()}
    return facts | {"net_promoter_score": net_promoter_score(shop.surveys, cutoff)}


def trend(shop: Shop, cutoff: date, quarters: int = 8) -> pd.DataFrame:
    """Return each metric of the scorecard over the twelve months that end at the cutoff, three months before it, and so on.

    Columns `metric`, `end` (datetime64, rising within a metric) and `value`, missing where the twelve
    months are not all in the shop's history.
    """
    ends = [pd.Timestamp(cutoff) - pd.DateOffset(months=3 * back) for back in reversed(range(quarters))]
    first = _first_day(shop.orders)
    whole = {end for end in ends if first is not None and first <= _window(end.date())[0] + SLACK}
    rows = [(name, end, fact.value if end in whole else None) for end in ends for name, fact in scorecard(shop, end.date()).items()]
    table = pd.DataFrame(rows, columns=["metric", "end", "value"]).astype({"end": "datetime64[us]", "value": "float64"})
    return table.sort_values("metric", kind="stable", ignore_index=True)
