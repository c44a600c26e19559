"""Purchases of a shop as occasions: what was known at each, what happened at it, and whether the customer came back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

WITHIN_DAYS = 90
KNOWN = ["visit_number", "days_since_last", "spend_before", "region", "branch_id", "month"]


def occasions(shop: Shop) -> pd.DataFrame:
    """Return every purchase whose next 90 days are over.

    Parameters
    ----------
    shop : Shop

    Returns
    -------
    pandas.DataFrame
        One row a customer and day, index `order_id` of the first order of it: `customer_id`, `day`; known before it: `visit_number` (how
        many purchase days came earlier), `days_since_last` the last of them, `spend_before`, `region`, `branch_id`, `month`; and
        whether another purchase followed within 90 days (`back`).

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> rows = occasions(demo.make(customers=30).shop())
    >>> rows["back"].dtype, bool(rows["day"].max() <= pd.Timestamp("2026-08-02"))
    (dtype('bool'), True)
    """
    orders = shop.orders.dropna(subset=["customer_id"])
    orders = orders.assign(day=orders["ordered_at"].dt.normalize()).sort_values(["customer_id", "ordered_at", "order_id"])
    rows = orders.groupby(["customer_id", "day"], as_index=False).agg(
        order_id=("order_id", "first"), net_amount=("net_amount", "sum"), branch_id=("branch_id", "first")
    )
    mine = rows.groupby("customer_id")
    rows = rows.assign(
        visit_number=mine.cumcount(),
        days_since_last=mine["day"].diff().dt.days,
        spend_before=mine["net_amount"].cumsum() - rows["net_amount"],
        region=rows["customer_id"].map(shop.customers.set_index("customer_id")["region"]),
        month=rows["day"].dt.strftime("%m"),
        back=(mine["day"].shift(-1) - rows["day"]).dt.days.le(WITHIN_DAYS),
    )
    over = rows["day"] <= pd.Timestamp(shop.last_day) - pd.Timedelta(days=WITHIN_DAYS)
    return rows[over].set_index("order_id")


def with_deliveries(rows: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Return the occasions that were delivered, with whether the parcel came after it was promised (`late`)."""
    sent = shop.deliveries.set_index("order_id")
    return rows.join((sent["delivered_at"] > sent["promised_at"]).rename("late"), how="inner")


def with_tickets(rows: pd.DataFrame, shop: Shop, slow_hours: int = 48) -> pd.DataFrame:
    """Return the occasions that led to a question, with whether its answer took longer than 48 hours (`slow`) and whether it was late."""
    asked = shop.tickets.drop_duplicates("order_id").set_index("order_id")
    waited = asked["first_reply_at"] - asked["opened_at"]
    slow = (waited.isna() | (waited > pd.Timedelta(hours=slow_hours))).rename("slow")
    about_delivery = asked["category"].eq("delivery").rename("about_delivery")
    return rows.join(pd.concat([slow, about_delivery], axis=1), how="inner")


def with_thanks(rows: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Return the first purchases, with whether a letter of thanks followed (`letter`); of later ones it is not told which it follows."""
    thanked = shop.contacts.loc[shop.contacts["purpose"].eq("thanks"), "customer_id"]
    first = rows[rows["visit_number"] == 0]
    return first.assign(letter=first["customer_id"].isin(thanked))


def with_people(rows: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Return the occasions with what the register says: greeted by name, sent by a friend, and when the card was taken."""
    people = shop.customers.set_index("customer_id")
    told = {
        "greeted": people["greeted_by_name"].fillna(False).astype(bool),
        "referred": people["referred_by"].notna(),
        "card_day": people["card_joined_at"].dt.normalize(),
    }
    return rows.assign(**{name: rows["customer_id"].map(values) for name, values in told.items()})


def with_named_weeks(rows: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Return the occasions with whether the lot of their branch and week fell on greeting by name (`on`), and the day of that week."""
    weeks = shop.rollout[shop.rollout["tactic"].eq("acknowledge-by-name")]
    begun = set(weeks["unit_id"])
    first = pd.to_datetime(weeks["unit_id"].str.split(" ").str[1]).min()
    place = (rows["day"] - first).dt.days % 7
    week = rows["day"] - pd.to_timedelta(place, unit="D")
    unit = rows["branch_id"] + " " + week.dt.strftime("%Y-%m-%d")
    return rows.assign(on=unit.isin(begun), week=week, place=place)
