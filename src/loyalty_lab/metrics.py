"""The shop's metrics, each as a fact: value, interval, how many it rests on, and the window it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import ratios
from loyalty_lab.customers import purchase_days
from loyalty_lab.periods import DAY, SLACK, YEAR, Window, window
from loyalty_lab.proportions import LEVEL, Z, share, wilson
from loyalty_lab.results import Fact

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

RESAMPLES = 400
LARGEST_RESAMPLING = 40_000_000


def _orders_in(orders: pd.DataFrame, within: Window) -> pd.DataFrame:
    """Orders of known customers above zero in a window of whole days; rows of one order id are one order."""
    when = pd.to_datetime(orders["ordered_at"])
    inside = (when >= pd.Timestamp(within[0])) & (when < pd.Timestamp(within[1] + DAY))
    kept = orders[inside & orders["customer_id"].notna()]
    if "order_id" in kept.columns:
        kept = kept.groupby(["customer_id", "order_id"], as_index=False, sort=True)["net_amount"].sum()
    return kept[kept["net_amount"] > 0]


def _by_customer(orders: pd.DataFrame, within: Window) -> pd.DataFrame:
    """One row per customer who bought in the window: `orders`, `net`."""
    inside = _orders_in(orders, within)
    return inside.groupby("customer_id", sort=True)["net_amount"].agg(orders="size", net="sum")


def _first_day(orders: pd.DataFrame) -> date | None:
    return None if orders.empty else pd.to_datetime(orders["ordered_at"]).min().date()


@dataclass(frozen=True)
class Span:
    """Who bought in a window and, as `start`, in the one before it: customers with `orders` and `net`.

    `start` is None where the history does not reach over the window before.
    """

    window: Window
    start: pd.DataFrame | None
    end: pd.DataFrame

    @property
    def kept(self) -> int:
        return int(self.start.index.isin(self.end.index).sum())


def span(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Span:
    """Return who bought in the period that ends at `cutoff`, and who in the one before."""
    within = window(cutoff, period)
    before = window(within[0] - DAY, period)
    return Span(within, _by_customer(orders, before) if reaches(orders, before, period) else None, _by_customer(orders, within))


def reaches(orders: pd.DataFrame, within: Window, period: str = YEAR) -> bool:
    """Return whether the history begins early enough for a window."""
    first = _first_day(orders)
    return first is not None and first <= within[0] + SLACK[period]


def _fact(name: str, unit: str, n: int, within: Window, value: float | None = None, ends: tuple | None = None) -> Fact:
    interval = None if ends is None else (float(ends[0]), float(ends[1]), LEVEL)
    return Fact(value=value, unit=unit, n=n, interval=interval, formula_key=f"metrics.{name}", window=within)


def _share(name: str, count: int, n: int, within: Window) -> Fact:
    return share(count, n, within, f"metrics.{name}")


def customer_retention_rate(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Fact:
    """Return the share of the customers active in the year before who are active in this year.

    By sets this is (E - N) / S: E customers active this year, N of them not active the year
    before, S customers of the year before.

    Parameters
    ----------
    orders : pandas.DataFrame
        At least `customer_id`, `ordered_at`, `net_amount`; one row per order, or several with one `order_id`.
    cutoff : datetime.date
        Last day of this year's window.
    period : {"year", "quarter", "month", "week"}
        A shorter one looks at it and the one before it, as do all metrics that take a period.

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
    return _retention(span(orders, cutoff, period))


def _retention(seen: Span) -> Fact:
    if seen.start is None:
        return _fact("customer_retention_rate", "share", 0, seen.window)
    return _share("customer_retention_rate", seen.kept, len(seen.start), seen.window)


def churn_rate(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Fact:
    """Return 1 minus the retention rate: the share of the year before's customers who did not buy this year.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2024-01-09", "2024-05-01", "2025-03-01"], "net_amount": 5.0})
    >>> churn_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    return _churn(span(orders, cutoff, period))


def _churn(seen: Span) -> Fact:
    kept = _retention(seen)
    if kept.value is None:
        return kept.model_copy(update={"formula_key": "metrics.churn_rate"})
    low, high, level = kept.interval
    lost = {"value": 1 - kept.value, "interval": (1 - high, 1 - low, level), "formula_key": "metrics.churn_rate"}
    return kept.model_copy(update=lost)


def repeat_customer_rate(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Fact:
    """Return the share of the year's customers who ordered at least twice in it (Wilson interval).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": "2025-03-01", "net_amount": 5.0})
    >>> repeat_customer_rate(orders, date(2025, 12, 31)).value
    0.5
    """
    return _repeat(span(orders, cutoff, period))


def _repeat(seen: Span) -> Fact:
    return _share("repeat_customer_rate", int((seen.end["orders"] > 1).sum()), len(seen.end), seen.window)


def purchase_frequency(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Fact:
    """Return orders by customers in the year: orders divided by the customers who made them.

    The interval is that of a mean, never below 1.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": "2025-03-01", "net_amount": 5.0})
    >>> purchase_frequency(orders, date(2025, 12, 31)).value
    1.5
    """
    return _frequency(span(orders, cutoff, period))


def _frequency(seen: Span) -> Fact:
    each = seen.end["orders"]
    if each.empty:
        return _fact("purchase_frequency", "ratio", 0, seen.window)
    mean, half = float(each.mean()), Z * float(each.std()) / sqrt(len(each))
    ends = (max(1.0, mean - half), mean + half) if len(each) > 1 else None
    return _fact("purchase_frequency", "ratio", len(each), seen.window, mean, ends)


def net_promoter_score(surveys: pd.DataFrame | None, cutoff: date, period: str = YEAR) -> Fact:
    """Return the net promoter score: 100 times (share of 9 and 10 minus share of 0 to 6).

    Passives (7, 8) count in the base. Standard error sqrt((p + d - (p - d)^2) / n); where every
    answer is of one kind, the Wilson limit of that share stands in for it.

    Parameters
    ----------
    surveys : pandas.DataFrame or None
        Column `nps` (0 to 10) and `answered_at` (or `asked_at`). None: no survey.
    cutoff : datetime.date
        Last day of the year looked at.
    period : {"year", "quarter", "month", "week"}

    Examples
    --------
    >>> surveys = pd.DataFrame({"nps": [10, 9, 7, 3], "answered_at": "2025-03-01"})
    >>> net_promoter_score(surveys, date(2025, 12, 31)).value
    25.0
    """
    within, answers = window(cutoff, period), opinions(surveys, window(cutoff, period))
    if answers.empty:
        return _fact("net_promoter_score", "score", 0, within)
    promoters, detractors, n = int((answers["opinion"] > 0).sum()), int((answers["opinion"] < 0).sum()), len(answers)
    score = (promoters - detractors) / n
    half = Z * sqrt((promoters + detractors) / n - score**2) / sqrt(n) if abs(score) < 1 else 2 * (1 - wilson(n, n)[0])
    ends = (100 * max(-1.0, score - half), 100 * min(1.0, score + half))
    return _fact("net_promoter_score", "score", n, within, 100 * score, ends)


def opinions(surveys: pd.DataFrame | None, within: Window) -> pd.DataFrame:
    """Return the answers of a window to "would you recommend us": `customer_id` (where known), `opinion` 1 (9, 10), 0 or -1 (0 to 6).

    Examples
    --------
    >>> surveys = pd.DataFrame({"nps": [10, 7, 3], "answered_at": "2025-03-01"})
    >>> opinions(surveys, (date(2025, 3, 1), date(2025, 3, 31)))["opinion"].tolist()
    [1, 0, -1]
    """
    if surveys is None or "nps" not in surveys.columns:
        return pd.DataFrame({"customer_id": pd.Series(dtype="str"), "opinion": pd.Series(dtype="int64")})
    when = pd.to_datetime(surveys["answered_at" if "answered_at" in surveys.columns else "asked_at"])
    answered = (when >= pd.Timestamp(within[0])) & (when < pd.Timestamp(within[1] + DAY)) & surveys["nps"].notna()
    nps = surveys.loc[answered, "nps"].astype(int)
    who = surveys.loc[answered, "customer_id"] if "customer_id" in surveys.columns else pd.Series(None, nps.index, "str")
    return pd.DataFrame({"customer_id": who, "opinion": (nps >= 9).astype(int) - (nps <= 6).astype(int)})


def expected_revenue_next_year(orders: pd.DataFrame, cutoff: date, period: str = YEAR) -> Fact:
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
    return _revenue(span(orders, cutoff, period))


def _revenue(seen: Span) -> Fact:
    name, end = "expected_revenue_next_year", seen.end
    if seen.start is None or seen.start.empty or end.empty:
        return _fact(name, "money", 0, seen.window)
    spend, started = float(end["net"].mean()), len(seen.start)
    value = spend * seen.kept / started
    if seen.kept == 0:
        return _fact(name, "money", len(end), seen.window, value, (0.0, spend * wilson(0, started)[1]))
    half = Z * float(np.sqrt((influence(name, seen) ** 2).sum()))
    return _fact(name, "money", len(end), seen.window, value, (value * np.exp(-half), value * np.exp(half)))


SUMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "customer_retention_rate": (("kept",), ("started",)),
    "churn_rate": (("kept",), ("started",)),
    "repeat_customer_rate": (("twice",), ("bought",)),
    "purchase_frequency": (("orders",), ("bought",)),
    "expected_revenue_next_year": (("net", "kept"), ("bought", "started")),
}


def influence(name: str, seen: Span) -> pd.Series:
    """Return by how much each customer moves a metric made of orders, as a share of it; index `customer_id`.

    Two windows move alike where the same customers move them: the correlation of their influences is that of the two values.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": "2025-03-01", "net_amount": 5.0})
    >>> influence("purchase_frequency", span(orders, date(2025, 12, 31))).round(3).tolist()
    [0.167, -0.167]
    """
    start = seen.end.iloc[:0] if seen.start is None else seen.start
    everyone = start.index.union(seen.end.index)
    before, now = everyone.isin(start.index), everyone.isin(seen.end.index)
    end = seen.end.reindex(everyone, fill_value=0)
    parts = {"started": before, "kept": before & now, "bought": now, "twice": end["orders"] > 1, "orders": end["orders"], "net": end["net"]}
    above, below = ([np.asarray(parts[part], dtype="float64") for part in side] for side in SUMS[name])
    return pd.Series(ratios.influence(above, below), everyone)


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
    within = window(cutoff - horizon_days * DAY)
    days = purchase_days(orders, cutoff)
    following = days.groupby("customer_id", sort=False)["day"].shift(-1)
    first = ~days["customer_id"].duplicated() & days["day"].between(pd.Timestamp(within[0]), pd.Timestamp(within[1]))
    again = (following - days["day"]).dt.days <= horizon_days
    return _share("second_purchase_rate", int((first & again).sum()), int(first.sum()), within)


def top_share(orders: pd.DataFrame, cutoff: date, share: float = 0.2, everyone: bool = False) -> Fact:
    """Return the share of the year's sales made by the best customers (the 80/20 question).

    The best are the top `share` of the year's customers, rounded up; those who bought nothing in the
    year do not count, unless `everyone` who ever bought by the cutoff is to. The interval is a bootstrap
    over customers with a fixed seed.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": list("abcde"), "ordered_at": "2025-03-01", "net_amount": [80.0, 5, 5, 5, 5]})
    >>> top_share(orders, date(2025, 12, 31)).value
    0.8
    """
    within = window(cutoff)
    spend = np.sort(_by_customer(orders, within)["net"].to_numpy())[::-1]
    if not spend.size:
        return _fact("top_share", "share", 0, within)
    if everyone:
        spend = np.append(spend, np.zeros(max(0, purchase_days(orders, cutoff)["customer_id"].nunique() - spend.size)))
    value = float(_top(spend, np.ones(spend.size), share))
    resamples = max(100, min(RESAMPLES, LARGEST_RESAMPLING // spend.size))
    generator = np.random.default_rng(0)
    drawn = [_top(spend, generator.multinomial(spend.size, np.full(spend.size, 1 / spend.size)), share) for _ in range(resamples)]
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return _fact("top_share", "share", spend.size, within, value, (min(low, value), max(high, value)))


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
    spend = np.sort(_by_customer(orders, window(cutoff))["net"].to_numpy())[::-1]
    if not spend.size:
        return pd.DataFrame({"customers": [], "sales": []})
    sales = np.concatenate([[0.0], np.cumsum(spend) / spend.sum()])
    at = np.linspace(0, 1, points)
    return pd.DataFrame({"customers": at, "sales": np.interp(at, np.linspace(0, 1, sales.size), sales).clip(0, 1)})


FORMULAS: dict[str, Callable[[Span], Fact]] = {
    "customer_retention_rate": _retention,
    "churn_rate": _churn,
    "expected_revenue_next_year": _revenue,
    "repeat_customer_rate": _repeat,
    "purchase_frequency": _frequency,
}


def scorecard(shop: Shop, cutoff: date, period: str = YEAR) -> dict[str, Fact]:
    """Return the six metrics of the scorecard by name, for the year (or shorter period) that ends at the cutoff.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2025-03-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> scorecard(shop, date(2025, 12, 31))["purchase_frequency"].value
    1.0
    """
    seen = span(shop.orders, cutoff, period)
    facts = {name: formula(seen) for name, formula in FORMULAS.items()}
    return facts | {"net_promoter_score": net_promoter_score(shop.surveys, cutoff, period)}
