"""How the metrics move: over the quarters, by week, month and quarter, against targets, and since the last report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from loyalty_lab import metrics, ratios
from loyalty_lab.customers import repurchase_curve
from loyalty_lab.periods import MONTH, PERIODS, QUARTER, WEEK, YEAR, a_year_earlier, latest, window
from loyalty_lab.results import Fact

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

FEWEST = 30
LENGTHS = {WEEK: 7, MONTH: 31, QUARTER: 92}
# Churn is what retention leaves: looked at twice, it is still one comparison.
COMPARED = 5
SURE_SINCE, SURE_SEASON = 1 - 0.05 / COMPARED, 1 - 0.05 / (COMPARED * len(LENGTHS))
SMALLER_IS_BETTER = {"churn_rate"}
UP, DOWN, SAME, UNKNOWN, FEW = "up", "down", "same", "unknown", "few"
PERIOD_COLUMNS = ["metric", "period", "first", "last", "n", "value", "low", "high", "before", "verdict"]
SINCE_COLUMNS = ["metric", "unit", "then", "again", "now", "change", "low", "high", "correction", "verdict"]


def trend(shop: Shop, cutoff: date, quarters: int = 8) -> pd.DataFrame:
    """Return each metric of the scorecard over the twelve months that end at the cutoff, three months before it, and so on.

    Columns `metric`, `end` (datetime64, rising within a metric) and `value`, missing where the twelve
    months are not all in the shop's history.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2025-01-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> trend(shop, date(2025, 12, 31))["value"].notna().sum()
    np.int64(2)
    """
    ends = [pd.Timestamp(cutoff) - pd.DateOffset(months=3 * back) for back in reversed(range(quarters))]
    whole = {end for end in ends if metrics.reaches(shop.orders, window(end.date()))}
    rows = [(name, end, fact.value if end in whole else None) for end in ends for name, fact in metrics.scorecard(shop, end.date()).items()]
    table = pd.DataFrame(rows, columns=["metric", "end", "value"]).astype({"end": "datetime64[us]", "value": "float64"})
    return table.sort_values("metric", kind="stable", ignore_index=True)


def by_period(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Return each metric of the scorecard over the latest whole year, quarter, month and week, beside the same a year before.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        The year ends here; the others are the latest that were over by then.

    Returns
    -------
    pandas.DataFrame
        One row for each metric and period: `first`, `last`, `n`, `value`, `low`, `high` (95%), `before` (a year earlier) and `verdict`:
        `up`, `down` or `same` against the year before, `unknown` where there is no such comparison, `few` where fewer than 30
        people or answers stand behind it: then there is no value. All fifteen comparisons of shorter periods together
        are called a change by chance at most five times in a hundred.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2025-11-03"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> by_period(shop, date(2025, 12, 31)).groupby("period")["verdict"].first().to_dict()
    {'month': 'few', 'quarter': 'unknown', 'week': 'unknown', 'year': 'unknown'}
    """
    rows = [row for period in PERIODS for row in _of_period(shop, latest(cutoff, period), period)]
    table = pd.DataFrame(rows, columns=PERIOD_COLUMNS)
    numbers = ["value", "low", "high", "before"]
    return table.astype(dict.fromkeys(numbers, "float64") | dict.fromkeys(("first", "last"), "datetime64[us]") | {"n": "int64"})


def _of_period(shop: Shop, last: date, period: str) -> list[tuple]:
    now, then = _Standing(shop, last, period), _Standing(shop, a_year_earlier(last, period), period)
    return [(name, period, *now.window, *_row(name, now, then)) for name in now.facts]


def _row(name: str, now: _Standing, then: _Standing) -> tuple:
    fact, before = now.facts[name], then.enough(name)
    if fact.value is None or not now.known:
        return 0, None, None, None, None, UNKNOWN
    if fact.n < FEWEST:
        return fact.n, None, None, None, None, FEW
    low, high = fact.interval[:2] if fact.interval else (None, None)
    moved = ratios.change(before, fact, now.alike(then, name), SURE_SEASON) if before else None
    return fact.n, fact.value, low, high, before.value if before else None, _verdict(moved)


def _verdict(moved: Fact | None) -> str:
    if moved is None or moved.interval is None:
        return UNKNOWN
    return SAME if not ratios.clear(moved) else UP if moved.value > 0 else DOWN


class _Standing:
    """The metrics of one period, and what each customer has to do with them."""

    def __init__(self, shop: Shop, last: date, period: str = YEAR):
        self.window = window(last, period)
        self.seen = metrics.span(shop.orders, last, period)
        self.known = metrics.reaches(shop.orders, self.window, period)
        self.facts = metrics.scorecard(shop, last, period)
        self.opinions = metrics.opinions(shop.surveys, self.window)

    def enough(self, name: str) -> Fact | None:
        """The fact, where the history reaches over the period and enough people stand behind it."""
        fact = self.facts[name]
        return fact if self.known and fact.value is not None and fact.n >= FEWEST else None

    def alike(self, other: _Standing, name: str) -> float:
        """Correlation of the metric in two periods: above zero where the same customers, or the same days, count in both."""
        one, two = (each.influence(name) for each in (self, other))
        size = ((one**2).sum() * (two**2).sum()) ** 0.5
        return max(0.0, float(one.mul(two, fill_value=0.0).sum() / size)) if size else 0.0

    def influence(self, name: str) -> pd.Series:
        if name in metrics.SUMS:
            return metrics.influence(name, self.seen)
        away = self.opinions["opinion"] - self.opinions["opinion"].mean()
        return away.groupby(self.opinions["customer_id"]).sum()


def usual_gap(orders: pd.DataFrame, cutoff: date) -> int | None:
    """Return the days within which half of those who come again have come again; None where nobody did.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": pd.date_range("2025-01-01", periods=10, freq="40D"), "net_amount": 5.0})
    >>> usual_gap(orders, date(2026, 1, 31))
    40
    """
    curve = repurchase_curve(orders, cutoff)
    return None if curve.empty else int(curve.loc[curve["share"] >= curve["share"].iloc[-1] / 2, "days"].min())


def too_short(gap: int | None) -> str | None:
    """Return the longest of week, month and quarter that is shorter than the usual gap between purchases, or None.

    Examples
    --------
    >>> too_short(60), too_short(5), too_short(200)
    ('month', None, 'quarter')
    """
    found = [period for period, days in LENGTHS.items() if gap is not None and days < gap]
    return found[-1] if found else None


def against_targets(facts: Mapping[str, Fact], targets: Mapping[str, float]) -> pd.DataFrame:
    """Return whether each target is reached: `reached`, `not_reached`, or `unknown` where the interval holds it.

    Columns `metric`, `target`, `value` and `verdict`; one row for each target given.

    Examples
    --------
    >>> kept = Fact(value=0.7, unit="share", interval=(0.65, 0.75, 0.95))
    >>> against_targets({"customer_retention_rate": kept}, {"customer_retention_rate": 0.72})["verdict"].tolist()
    ['unknown']
    """
    rows = [(name, target, facts[name].value, _reached(name, facts[name], target)) for name, target in targets.items()]
    return pd.DataFrame(rows, columns=["metric", "target", "value", "verdict"]).astype({"target": "float64", "value": "float64"})


def _reached(name: str, fact: Fact, target: float) -> str:
    if fact.value is None or fact.interval is None:
        return UNKNOWN
    low, high = fact.interval[:2]
    beyond, short = (high <= target, low > target) if name in SMALLER_IS_BETTER else (low >= target, high < target)
    return "reached" if beyond else "not_reached" if short else UNKNOWN


def since(shop: Shop, cutoff: date, earlier: Mapping[str, Any] | None) -> pd.DataFrame:
    """Return what the metrics were in the last report, what they are now, and how much of the difference the data were mended by.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
    earlier : mapping or None
        `cutoff` (ISO date) and `facts` (metric to value) of an earlier report; None: there is none.

    Returns
    -------
    pandas.DataFrame
        One row for each metric both reports know: `then` as it was printed, `again` the same year worked out from today's exports, `now`,
        `correction` = again - then, `change` = now - again with `low` and `high` so wide that all five changes are right together
        95 times in 100, and `verdict`: `up`, `down`, `same`, or `few` below 30 people.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": pd.to_datetime(["2025-11-03", "2026-01-05"]), "net_amount": 5.0})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> told = {"cutoff": "2025-12-31", "facts": {"purchase_frequency": 1.5}}
    >>> since(shop, date(2026, 1, 31), told)[["then", "again", "now", "correction", "change"]].values.tolist()
    [[1.5, 1.0, 2.0, -0.5, 1.0]]
    """
    rows = _since(shop, cutoff, earlier) if earlier else []
    table = pd.DataFrame(rows, columns=SINCE_COLUMNS)
    return table.astype(dict.fromkeys(set(SINCE_COLUMNS) - {"metric", "unit", "verdict"}, "float64"))


def _since(shop: Shop, cutoff: date, earlier: Mapping[str, Any]) -> list[tuple]:
    now, again = _Standing(shop, cutoff), _Standing(shop, date.fromisoformat(earlier["cutoff"]))
    told = {name: value for name, value in earlier["facts"].items() if value is not None and name in now.facts}
    both = [name for name in now.facts if name in told and None not in (now.facts[name].value, again.facts[name].value)]
    return [_moved(name, told[name], again, now) for name in both]


def _moved(name: str, then: float, again: _Standing, now: _Standing) -> tuple:
    old, new = again.facts[name], now.facts[name]
    moved = ratios.change(old, new, now.alike(again, name), SURE_SINCE)
    low, high = moved.interval[:2] if moved.interval else (None, None)
    verdict = FEW if min(old.n, new.n) < FEWEST else _verdict(moved)
    return name, new.unit, then, old.value, new.value, moved.value, low, high, old.value - then, verdict
