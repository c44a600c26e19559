"""Groups of customers: by scores, by stage of life, by value and risk, and what the best had in common from the start."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab.customers import PURCHASE_COLUMNS, purchase_days
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.features import PRIOR_GAPS, customer_features
from loyalty_lab.forecast import YEAR
from loyalty_lab.proportions import wilson
from loyalty_lab.visits import main_category

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SCORES = ("recency_score", "frequency_score", "monetary_score")
# Lowest and highest recency, frequency and monetary score of each box of a segment; the boxes are all 125 cells, each once.
SEGMENTS = {
    "champions": (((4, 5), (4, 5), (4, 5)),),  # here lately, often, and spend much
    "loyal": (((4, 5), (4, 5), (1, 3)), ((3, 3), (4, 5), (1, 5))),  # often: with small baskets, or a little while ago
    "promising": (((3, 5), (1, 3), (4, 5)),),  # seldom yet, but spend much
    "occasional": (((3, 5), (1, 3), (1, 3)),),  # seldom, and little
    "at risk": (((1, 2), (4, 5), (1, 5)), ((1, 2), (1, 3), (4, 5))),  # came often or spent much, and have been silent for long
    "asleep": (((1, 2), (1, 3), (1, 3)),),  # seldom, little, and silent for long
}
STAGES = ("new", "active", "slipping", "lost", "regained")
LATE, CONSUMER_DAYS = 2.0, 2
VALUE_GROUPS, RISK_GROUPS, SIZES = ("high", "middle", "low"), ("low", "middle", "high"), ("small", "middle", "large")
NOT_YET, GONE, TOTAL = "not yet a customer", "no longer a customer", "total"
FEWEST_OF_LEVEL, ALPHA, Z90 = 20, 0.05, 1.6448536269514722
PROFILE = dict.fromkeys(("attribute", "level"), "str") | dict.fromkeys(("customers", "best", "n"), "int64")
PROFILE |= dict.fromkeys(("share_best", "low", "high", "share_all", "lift", "p"), "float64")


def _need(where: str, columns: pd.Index | list, needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in columns]
    if missing:
        raise InputError(where, f"lacks the column {missing[0]!r}; it has {list(columns)}", "rename or add the column")


def _step(values: pd.Series, steps: int) -> np.ndarray:
    """Place by mid-rank among all, from 1 (lowest) to `steps`; whole numbers throughout, so that no rounding splits equals."""
    _, place, count = np.unique(values.to_numpy(), return_inverse=True, return_counts=True)
    below = np.cumsum(count) - count
    return (1 + steps * (2 * below + count) // max(2 * len(values), 1))[place]


def best_fifth(values: pd.Series) -> pd.Series:
    """Return who stands in the upper fifth, as `rfm` places them: equals stand or fall together.

    Examples
    --------
    >>> best_fifth(pd.Series([1.0, 2.0, 3.0, 4.0, 9.0])).tolist(), best_fifth(pd.Series([2.0, 2.0])).tolist()
    ([False, False, False, False, True], [False, False])
    """
    return pd.Series(_step(values, 5) == 5, index=values.index)


def _segment(scores: pd.DataFrame) -> pd.Categorical:
    cells = np.zeros((6, 6, 6), dtype="int64")
    for code, boxes in enumerate(SEGMENTS.values()):
        for box in boxes:
            cells[tuple(slice(low, high + 1) for low, high in box)] = code
    return pd.Categorical.from_codes(cells[tuple(scores[name].to_numpy() for name in SCORES)], list(SEGMENTS), ordered=True)


def rfm(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Score every customer's recency, frequency and spend from 1 to 5 (best), and name the segment.

    With b customers strictly below, e equal ones (the customer among them) and n in all, a score is 1 + floor(5 (b + e/2) / n).
    Equal customers get equal scores, so fifths need not be of one size; who bought once has at most a 3 in frequency.

    Parameters
    ----------
    orders : pandas.DataFrame
        At least `customer_id`, `ordered_at`, `net_amount`. Rows after the cutoff change nothing.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`, sorted; empty where nobody has bought by the cutoff. int64: `days_since_last`, `purchase_days`, `SCORES`;
        float64: `spend`, net of all purchase days (currency); categorical: `segment`, the ranges of its scores are in `SEGMENTS`.

    Raises
    ------
    InputError
        If a column is missing.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "b"], "ordered_at": ["2026-01-01", "2026-01-01", "2026-03-01"], "net_amount": 5.0})
    >>> rfm(orders, date(2026, 3, 31))[["purchase_days", "spend", "frequency_score", "segment"]].values.tolist()
    [[1, 5.0, 2, 'asleep'], [2, 10.0, 4, 'champions']]
    """
    features = customer_features(orders, cutoff)
    days, visits, spend = features["days_since_last"], features["frequency"] + 1, features["spend_total"]
    table = pd.DataFrame({"days_since_last": days, "purchase_days": visits, "spend": spend})
    scores = {name: _step(worth, 5) for name, worth in zip(SCORES, (-days, visits, spend), strict=True)}
    return table.assign(**scores, segment=_segment)


def _silences(orders: pd.DataFrame, cutoff: date, horizon_days: int) -> pd.DataFrame:
    """One row per purchase day and the silence after it, as it stood on its eve: the day before the next one, or the cutoff.

    `own_gap` is that of `features` on the eve, but a shop without gaps has the horizon for one: its customers' age would grow.
    """
    days = purchase_days(orders, cutoff)
    who, end = days.groupby("customer_id", sort=False)["day"], pd.Timestamp(cutoff)
    visit, known = who.cumcount(), (days["day"] - who.transform("first")).dt.days
    eve = (who.shift(-1) - pd.Timedelta(days=1)).fillna(end)
    gaps = pd.DataFrame({"ended": days["day"], "length": who.diff().dt.days}).dropna().sort_values("ended")
    seen = np.searchsorted(gaps["ended"].to_numpy(), eve.to_numpy(), side="right")
    total = np.concatenate([[0.0], gaps["length"].cumsum()])[seen]
    typical = np.where(seen > 0, total / np.maximum(seen, 1), float(horizon_days))
    own = np.maximum((known + PRIOR_GAPS * typical) / (visit + PRIOR_GAPS), 1.0)
    return days.assign(visit=visit, age=(end - days["day"]).dt.days, silence=(eve - days["day"]).dt.days, own_gap=own)


def lifecycle(orders: pd.DataFrame, cutoff: date, horizon_days: int) -> pd.Series:
    """Say in which stage of life each customer is; the first line that fits holds.

    With s the days since the last purchase day, H the horizon, and g the own gap: the mean of the customer's gaps, shrunk to
    the shop's mean gap G (H where nobody has come back yet) as if two of that length had been seen, at least a day:
    g = max(1, (sum of own gaps + 2 G) / (number of own gaps + 2)). While nobody buys, a customer moves from active to slipping
    to lost and never back; purchases of others can change G.

    - new: one purchase day, less than H days before the cutoff.
    - regained: a purchase day less than H days before the cutoff ended a silence that on its eve had counted as lost.
    - lost: s > 2 g + H, late for longer than a whole horizon.
    - slipping: s > 2 g, late by the own rhythm.
    - active: all others.

    Parameters
    ----------
    orders, cutoff
        As for `rfm`.
    horizon_days : int
        How far the shop looks ahead, in days.

    Returns
    -------
    pandas.Series
        `stage`, categorical with all of `STAGES`; index `customer_id`, sorted. Empty where nobody has bought.

    Raises
    ------
    InputError, UsageError
        If a column is missing; if the horizon is shorter than a day.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2026-01-01", "2026-01-11", "2026-03-01"], "net_amount": 5.0})
    >>> lifecycle(orders, date(2026, 3, 2), 30).to_dict()
    {'a': 'slipping', 'b': 'new'}
    """
    if horizon_days < 1:
        raise UsageError("horizon_days", f"is {horizon_days}", "give a number of days above 0")
    table = _silences(orders, cutoff, horizon_days)
    late, recent = table["silence"] - LATE * table["own_gap"], table["age"] < horizon_days
    slipping, lost = late > 0, late > horizon_days
    came_back = lost.groupby(table["customer_id"], sort=False).shift(fill_value=False) & recent
    regained = came_back.groupby(table["customer_id"], sort=False).transform("any")
    stage = np.select([(table["visit"] == 0) & recent, regained, lost, slipping], ["new", "regained", "lost", "slipping"], "active")
    stages = pd.Series(pd.Categorical(stage, STAGES, ordered=True), index=pd.Index(table["customer_id"]), name="stage")
    return stages[~stages.index.duplicated(keep="last")]


def consumers(orders: pd.DataFrame, cutoff: date) -> pd.Series:
    """Return True for who bought on one or two days, False for who came more often; the rest as for `rfm`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": list("abbb"), "ordered_at": pd.date_range("2026-01-01", periods=4), "net_amount": 5.0})
    >>> consumers(orders, date(2026, 3, 2)).to_dict()
    {'a': True, 'b': False}
    """
    return (customer_features(orders, cutoff)["frequency"] + 1 <= CONSUMER_DAYS).rename("consumer")


def value_risk_grid(forecast: pd.DataFrame) -> pd.DataFrame:
    """Count customers, and what they are worth, by value and by risk of losing them.

    High value are the customers who bring the first 50% of all value, middle the next 30%, low the last 20%: the best first,
    equal ones together. Risk is low where `churn_probability` lies below 1/3, high above 2/3. At risk is the sum of it times
    value, or expected orders. A forecast's value already allows for leaving: this ranks the cells, it is not what could be saved.

    Parameters
    ----------
    forecast : pandas.DataFrame
        As made by `CustomerForecaster.predict`. Value is `customer_lifetime_value` where it is there, else `expected_spend`.

    Returns
    -------
    pandas.DataFrame
        Always nine rows, by the categories `value_group` (high, middle, low) and `risk_group` (low, middle, high).
        int64: `customers`; float64: `value`, `value_at_risk` (currency) and `orders_at_risk` (purchase days).

    Raises
    ------
    InputError
        If a column is missing, or a value in it is missing or below zero.

    Examples
    --------
    >>> forecast = pd.DataFrame({"churn_probability": [0.5, 0.9], "expected_orders": [2.0, 1.0], "expected_spend": [60.0, 40.0]})
    >>> value_risk_grid(forecast).query("customers > 0").values.tolist()
    [['high', 'middle', 1, 60.0, 30.0, 1.0], ['middle', 'high', 1, 40.0, 36.0, 0.9]]
    """
    worth = "customer_lifetime_value" if "customer_lifetime_value" in forecast.columns else "expected_spend"
    needed = ("churn_probability", "expected_orders", worth)
    _need("forecast", forecast.columns, needed)
    for name in needed:
        if not (forecast[name] >= 0).all():
            raise InputError("forecast", f"{name} has a value that is missing or below zero", "make the forecast again")
    leaving, orders, value = (forecast[name].astype("float64") for name in needed)
    levels = value.groupby(-value).sum()
    better = (-value).map(levels.cumsum().shift(fill_value=0.0))
    high = np.select([better < 0.5 * levels.sum(), better < 0.8 * levels.sum()], VALUE_GROUPS[:2], VALUE_GROUPS[2])
    risk = np.select([leaving < 1 / 3, leaving <= 2 / 3], RISK_GROUPS[:2], RISK_GROUPS[2])
    groups = {"value_group": pd.Categorical(high, VALUE_GROUPS), "risk_group": pd.Categorical(risk, RISK_GROUPS)}
    sums = {"customers": 1, "value": value, "value_at_risk": leaving * value, "orders_at_risk": leaving * orders}
    table = pd.DataFrame(groups | sums, index=forecast.index).astype({"customers": "int64"})
    return table.groupby(list(groups), observed=False).sum().reset_index()


def _labels(where: str, labels: pd.Series) -> list:
    wrong = labels.index[labels.index.duplicated() | labels.isna()]
    if len(wrong):
        raise InputError(where, f"has the customer {wrong[0]!r} twice or without a segment", "give every customer one segment")
    return list(labels.cat.categories) if isinstance(labels.dtype, pd.CategoricalDtype) else sorted(labels.unique())


def migration(before: pd.Series, after: pd.Series) -> pd.DataFrame:
    """Count from which segment to which the customers moved between two reports.

    Parameters
    ----------
    before, after : pandas.Series
        Segment by `customer_id`, such as two answers of `lifecycle`.

    Returns
    -------
    pandas.DataFrame
        int64. Rows `before`: the segments of both (in the order of their categories, else sorted), `not yet a customer`, `total`.
        Columns `after`: the same segments, `no longer a customer` (the data were corrected), `total`. Everybody is counted once.

    Raises
    ------
    InputError
        If a customer stands in one of the series twice, or has no segment there.

    Examples
    --------
    >>> migration(pd.Series({"a": "new", "b": "new"}), pd.Series({"b": "lost", "c": "new"})).loc["new"].to_dict()
    {'new': 0, 'lost': 1, 'no longer a customer': 1, 'total': 2}
    """
    segments = list(dict.fromkeys([*_labels("before", before), *_labels("after", after)]))
    everybody = before.index.union(after.index)
    was = before.astype(object).reindex(everybody, fill_value=NOT_YET).rename("before")
    now = after.astype(object).reindex(everybody, fill_value=GONE).rename("after")
    table = pd.crosstab(was, now).reindex(index=[*segments, NOT_YET], columns=[*segments, GONE], fill_value=0).astype("int64")
    table.loc[TOTAL] = table.sum()
    return table.assign(**{TOTAL: table.sum(axis=1)})


def _first_purchase(shop: Shop, cutoff: date) -> pd.DataFrame:
    """What was known of each customer on the first purchase day, as far as the shop's tables hold it; refunds came later."""
    first = purchase_days(shop.orders, cutoff).drop_duplicates("customer_id").set_index("customer_id")["day"]
    orders = shop.orders[shop.orders["net_amount"] > 0].sort_values(["ordered_at", "order_id"])
    orders = orders[orders["ordered_at"].dt.normalize() == orders["customer_id"].map(first)]
    paid = orders["net_amount"].add(orders.get("refund_amount", 0.0), fill_value=0.0)
    basket = paid.groupby(orders["customer_id"]).sum().reindex(first.index).round(4)
    earliest = orders.drop_duplicates("customer_id").set_index("customer_id").reindex(first.index)
    table = earliest[earliest.columns.intersection(["channel", "branch_id"])].assign(category=main_category(shop, first))
    table["first_basket"] = np.take(SIZES, _step(basket, 3) - 1)
    if "discount_amount" in orders.columns:
        table["first_discount"] = np.where(table.index.isin(orders.loc[orders["discount_amount"] > 0, "customer_id"]), "yes", "no")
    if shop.lacks(("referrals.referred_id",)) is None:
        sent = shop.referrals[shop.referrals["invited_at"].dt.normalize() <= shop.referrals["referred_id"].map(first)]
        table["won_by"] = np.where(table.index.isin(sent["referred_id"]), "referral", "no referral")
    return table


def _compare(name: str, level: pd.Series, best: pd.Series) -> list[tuple]:
    """One row per level of an attribute; none where there is nothing to compare."""
    from scipy.stats import fisher_exact

    level = level.dropna().astype("str")
    level = level.where(level.map(level.value_counts()) >= FEWEST_OF_LEVEL, "other")
    rows, everybody, n = [], len(level), int(best[level.index].sum())
    if level.nunique() < 2 or n in (0, everybody):
        return rows
    for key, inside in best[level.index].groupby(level):
        size, hits = len(inside), int(inside.sum())
        p = fisher_exact([[hits, n - hits], [size - hits, everybody - n - size + hits]]).pvalue
        rows.append((name, key, size, hits, n, hits / n, *wilson(hits, n, Z90), size / everybody, hits * everybody / (n * size), p))
    return rows


def ideal_customer(shop: Shop, cutoff: date, forecast: pd.DataFrame | None = None) -> pd.DataFrame:
    """Find what, of all that was known at the first purchase, is more common among the best fifth than among all.

    The best fifth score 5 by value (as in `rfm`). Compared are, as far as the shop's tables hold them: channel, branch and main
    category of the first purchase, its size (thirds) and discount, and whether a referral came before it; never who or where
    people are. This is association (grade D): how somebody was won need not be why; and a first basket is part of the value.

    Parameters
    ----------
    shop, cutoff
        Nothing after the cutoff is looked at.
    forecast : pandas.DataFrame, optional
        Made at the same cutoff. Value is its `customer_lifetime_value`; without one the spend per year since the first
        purchase, of at least one year.

    Returns
    -------
    pandas.DataFrame
        One row per `attribute` and `level`, highest lift first; levels below 20 customers are pooled as `other`, customers
        without a value left out. `customers`, `best` of them, `share_best` = best / n of the n best with its 90% Wilson interval
        (`low`, `high`), `share_all` = customers / all, `lift` = share_best / share_all; `p` of Fisher's exact test, two-sided, of
        the level against the others among best and rest, adjusted for all rows by Holm (Scandinavian Journal of Statistics 6,
        1979); `shown`: p at most 0.05. Empty where there are no two levels, or no best, to tell apart.

    Raises
    ------
    InputError
        If the shop has no orders, or they lack a column.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"net_amount": [90.0, 9, 8] * 20, "channel": ["web", "counter", "counter"] * 20})
    >>> orders = orders.assign(order_id=orders.index.astype(str), customer_id=orders.index, ordered_at=pd.Timestamp("2026-03-01"))
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> ideal_customer(shop, date(2026, 3, 31)).loc[:, ["level", "best", "lift", "shown"]].values.tolist()[0]
    ['web', 20, 3.0, True]
    """
    _need("orders", [] if shop.orders is None else shop.orders.columns, ("order_id", *PURCHASE_COLUMNS))
    seen = shop.until(cutoff)
    features = customer_features(seen.orders, cutoff)
    value = features["spend_total"] / np.maximum(features["T"], YEAR) * YEAR
    if forecast is not None and "customer_lifetime_value" in forecast.columns:
        value = forecast["customer_lifetime_value"].reindex(value.index).dropna()
    best = best_fifth(value)
    known = _first_purchase(seen, cutoff).reindex(value.index) if len(value) else pd.DataFrame()
    rows = [row for name in known.columns for row in _compare(name, known[name], best)]
    table = pd.DataFrame(rows, columns=list(PROFILE)).astype(PROFILE)
    table["p"] = (np.arange(len(table), 0, -1) * table["p"].sort_values(kind="stable")).cummax().clip(upper=1.0)
    table["shown"] = table["p"] <= ALPHA
    return table.sort_values(["attribute", "lift", "level"], ascending=[True, False, True], ignore_index=True)
