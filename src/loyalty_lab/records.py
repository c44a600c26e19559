"""A shop's tables as the practices read them: every column is there, rows that contradict themselves are counted and left out."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from loyalty_lab import tables
from loyalty_lab.results import Message

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

Work = TypeVar("Work", bound=Callable[..., Any])
# What cannot have happened on an earlier day than what it follows. Days, because many exports know no hour.
FOLLOWS = {
    "tickets": (("opened_at", "first_reply_at"), ("opened_at", "resolved_at")),
    "deliveries": (
        ("dispatched_at", "delivered_at"),
        ("ordered_at", "promised_at"),
        ("ordered_at", "dispatched_at"),
        ("ordered_at", "delivered_at"),
    ),
    "returns": (("ordered_at", "requested_at"), ("requested_at", "decided_at"), ("decided_at", "refunded_at")),
    "surveys": (("asked_at", "answered_at"),),
    "reviews": (("posted_at", "replied_at"),),
    "referrals": (("invited_at", "first_order_at"),),
}


def once(work: Work) -> Work:
    """Work something out once for a shop: a practice asks for the same to find, to value and to act.

    The answer is kept with the shop, so it goes when the shop goes. It is shared: nobody may change it in place.

    Parameters
    ----------
    work : callable
        Its first argument is the shop, all others can be hashed.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {})
    >>> reviews = once(lambda shop: of(shop, "reviews"))
    >>> reviews(shop) is reviews(shop)
    True
    """

    @wraps(work)
    def kept(shop: Shop, *args: Any) -> Any:
        found = shop.__dict__.setdefault("_found", {})
        if (work, args) not in found:
            found[work, args] = work(shop, *args)
        return found[work, args]

    return kept


def of(shop: Shop, name: str) -> pd.DataFrame:
    """Return one table with every column of its schema, without the rows that contradict themselves.

    Parameters
    ----------
    shop : Shop
    name : str
        A table of `tables.SCHEMAS`. One that the shop does not have comes back empty.

    Returns
    -------
    pandas.DataFrame
        Columns and types of the schema, personal ones left out; what the shop does not write down is missing. Where rows name
        an order, `customer_id` and `ordered_at` of it are there as well. Index from 0.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {})
    >>> of(shop, "reviews").columns.tolist()[:4], len(of(shop, "tickets"))
    (['review_id', 'customer_id', 'order_id', 'posted_at'], 0)
    """
    whole = _whole(shop, name)
    return whole[~_contradicts(whole, name)].reset_index(drop=True)


def register(shop: Shop) -> pd.DataFrame:
    """Return the shop's register of customers with every column of it, one row each, index `customer_id`."""
    return of(shop, "customers").drop_duplicates("customer_id").set_index("customer_id")


def sent_by_friends(shop: Shop) -> set[str]:
    """Return the customers whom another has sent, by the record of invitations or by the register.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> people = pd.DataFrame({"customer_id": ["a", "b"], "referred_by": [None, "a"]})
    >>> sent_by_friends(Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"customers": people}))
    {'b'}
    """
    return {*of(shop, "referrals")["referred_id"].dropna(), *register(shop)["referred_by"].dropna().index}


def contradicting(shop: Shop, name: str) -> int:
    """Return how many rows of a table contradict themselves, such as a reply on a day before its question.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> told = {"review_id": ["1", "2"], "posted_at": "2026-03-02", "rating": [5, 4], "replied_at": ["2026-03-01", "2026-03-02"]}
    >>> reviews = tables.typed("reviews", pd.DataFrame(told))
    >>> contradicting(Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"reviews": reviews}), "reviews")
    1
    """
    whole = _whole(shop, name)
    return int(_contradicts(whole, name).sum())


def doubts(shop: Shop, *names: str) -> tuple[Message, ...]:
    """Return what a page must say of tables in which rows contradict themselves: one message for each such table."""
    return tuple(message for name in names for message in left_out(name, contradicting(shop, name)))


def left_out(name: str, n: int) -> tuple[Message, ...]:
    """Return what a page must say of so many contradicting rows of a table; nothing of none."""
    return (Message(key="practice.contradicting", args={"table": f"common.table.{name}", "n": n}),) if n else ()


def _whole(shop: Shop, name: str) -> pd.DataFrame:
    schema, frame = tables.SCHEMAS[name], shop.tables.get(name)
    kinds = {column.name: tables.PANDAS_TYPES[column.kind] for column in schema.columns if not column.personal}
    if frame is None:
        frame = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in kinds.items()})
    absent = {column: pd.Series(index=frame.index, dtype=kind) for column, kind in kinds.items() if column not in frame.columns}
    frame = frame.assign(**absent).astype({column: kind for column, kind in kinds.items() if column in frame.columns})
    frame = frame[[*kinds, *(column for column in frame.columns if column not in kinds)]]
    return frame if name in ("orders", "order_lines") or "order_id" not in kinds else _with_order(frame, shop)


def _with_order(frame: pd.DataFrame, shop: Shop) -> pd.DataFrame:
    """Rows with the moment of their order, and its customer where they do not name one themselves."""
    orders = _whole(shop, "orders").drop_duplicates("order_id").set_index("order_id").reindex(frame["order_id"])
    frame = frame.assign(ordered_at=orders["ordered_at"].to_numpy())
    bought = pd.Series(orders["customer_id"].to_numpy(), frame.index, "str")
    return frame.assign(customer_id=frame["customer_id"].fillna(bought) if "customer_id" in frame.columns else bought)


def _contradicts(frame: pd.DataFrame, name: str) -> pd.Series:
    wrong = pd.Series(False, frame.index)
    for before, after in FOLLOWS.get(name, ()):
        wrong |= frame[after].dt.normalize() < frame[before].dt.normalize()
    return wrong
