"""Purchase days as visits: the how-manyeth it was, what it brought, how long after the one before, and who served."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import periods, records
from loyalty_lab.customers import purchase_days

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

ENOUGH = 20
SERVED = ["order_id", "channel", "branch_id", "staff_id", "category"]


@records.once
def visits(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Return one row for each customer and purchase day to the cutoff.

    Parameters
    ----------
    shop : Shop
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    pandas.DataFrame
        Sorted by `customer_id` and `day`: `spend` and `margin` of the day, `visit` (1 is the first), `since_last` and `until_next` in
        days (missing at the ends), `spend_before` on earlier days, and of the day's first order `order_id`, `channel`, `branch_id`,
        `staff_id`, `category`.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": "a", "ordered_at": pd.to_datetime(["2026-01-01", "2026-01-11"]),
    ...                        "net_amount": [5.0, 8.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> visits(shop, date(2026, 3, 1))[["visit", "since_last", "until_next", "spend_before"]].values.tolist()
    [[1.0, nan, 10.0, 0.0], [2.0, 10.0, nan, 5.0]]
    """
    days = purchase_days(shop.orders, cutoff)
    mine = days.groupby("customer_id", sort=False)
    days = days.assign(
        visit=mine.cumcount() + 1,
        since_last=mine["day"].diff().dt.days,
        until_next=-mine["day"].diff(-1).dt.days,
        spend_before=mine["spend"].cumsum() - days["spend"],
    )
    return days.merge(_first_orders(shop, cutoff), on=["customer_id", "day"], how="left")


def unusually_large(days: pd.DataFrame, cutoff: date) -> pd.Series:
    """Return which visits brought more than nineteen in twenty of the year's; none where the year has fewer than twenty.

    Examples
    --------
    >>> days = pd.DataFrame({"day": pd.Timestamp("2026-03-01"), "spend": [1.0] * 19 + [2.0]})
    >>> int(unusually_large(days, date(2026, 3, 31)).sum()), int(unusually_large(days.tail(5), date(2026, 3, 31)).sum())
    (1, 0)
    """
    year = days.loc[periods.within(days["day"], periods.year_to(cutoff)), "spend"]
    return days["spend"] > (year.quantile(1 - 1 / ENOUGH, interpolation="lower") if len(year) >= ENOUGH else float("inf"))


def main_category(shop: Shop, days: pd.Series) -> pd.Series:
    """Return the category on which each customer spent most on one day; that of the day's first order where no line names one.

    Parameters
    ----------
    shop : Shop
    days : pandas.Series
        One day for each customer, index `customer_id`.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> lines = pd.DataFrame({"order_id": ["1", "1"], "line": [1, 2], "category": ["bread", "tea"], "net_amount": [2.0, 3.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "order_lines": lines})
    >>> main_category(shop, pd.Series({"a": pd.Timestamp("2026-03-01")})).tolist()
    ['tea']
    """
    orders, lines = records.of(shop, "orders"), records.of(shop, "order_lines")
    orders = orders[(orders["net_amount"] > 0) & (orders["ordered_at"].dt.normalize() == orders["customer_id"].map(days))]
    spent = lines.merge(orders[["order_id", "customer_id"]], on="order_id").groupby(["customer_id", "category"])["net_amount"].sum()
    most = spent.round(4).sort_values(ascending=False, kind="stable").reset_index("category")["category"]
    first = orders.sort_values(["ordered_at", "order_id"]).drop_duplicates("customer_id").set_index("customer_id")["category"]
    return most[~most.index.duplicated()].reindex(days.index).fillna(first.reindex(days.index))


def _first_orders(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Of each customer and day the margin, and how the first order was served."""
    orders = records.of(shop, "orders")
    orders = orders.assign(day=orders["ordered_at"].dt.normalize(), margin=shop.margin_of(orders))
    orders = orders[orders["customer_id"].notna() & (orders["day"] <= pd.Timestamp(cutoff))].sort_values(["ordered_at", "order_id"])
    margin = orders.groupby(["customer_id", "day"])["margin"].sum().reset_index()
    first = orders.drop_duplicates(["customer_id", "day"])
    return margin.merge(first[["customer_id", "day", *SERVED]], on=["customer_id", "day"])
