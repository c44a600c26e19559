"""Tables as the practices read them: whole, with the customer of their order, and without rows that contradict themselves."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from tactic_shops import frame, purchases, shop_of

from loyalty_lab import periods, records, tables
from loyalty_lab.language import Texts

ORDERS = purchases(a=["2026-03-10 10:00"])
CONTRADICTIONS = [
    ("tickets", {"customer_id": "a", "opened_at": "2026-03-02", "first_reply_at": "2026-03-01"}),
    ("tickets", {"customer_id": "a", "opened_at": "2026-03-02", "resolved_at": "2026-03-01"}),
    ("deliveries", {"order_id": "0", "delivered_at": "2026-03-09"}),
    ("deliveries", {"order_id": "0", "dispatched_at": "2026-03-12", "delivered_at": "2026-03-11"}),
    ("returns", {"order_id": "0", "requested_at": "2026-03-09"}),
    ("returns", {"order_id": "0", "requested_at": "2026-03-12", "decided_at": "2026-03-11"}),
    ("returns", {"order_id": "0", "requested_at": "2026-03-12", "decided_at": "2026-03-13", "refunded_at": "2026-03-12"}),
    ("surveys", {"customer_id": "a", "asked_at": "2026-03-12", "answered_at": "2026-03-11"}),
    ("reviews", {"customer_id": "a", "posted_at": "2026-03-12", "rating": 5, "replied_at": "2026-03-11"}),
    ("referrals", {"referrer_id": "a", "invited_at": "2026-03-12", "first_order_at": "2026-03-11"}),
]


@pytest.mark.parametrize(("name", "row"), CONTRADICTIONS)
def test_a_row_that_contradicts_itself_is_counted_said_and_left_out(name, row):
    sound = {column: value for column, value in row.items() if not column.endswith("_at")} | {tables.SCHEMAS[name].event: "2026-03-12"}
    shop = shop_of(ORDERS, **{name: frame(name, row, sound)} if name != "deliveries" else {name: frame(name, row)})

    assert records.contradicting(shop, name) == 1
    assert len(records.of(shop, name)) == (name != "deliveries")
    for language in ("en", "tr", "bn", "hy"):
        assert Texts(language).digits("1") in Texts(language).say(records.doubts(shop, name)[0])


def test_the_same_day_is_no_contradiction_because_many_exports_know_no_hour():
    tickets = frame("tickets", {"customer_id": "a", "opened_at": "2026-03-02 10:25", "first_reply_at": "2026-03-02"})

    assert records.doubts(shop_of(ORDERS, tickets=tickets), "tickets") == ()


@pytest.mark.parametrize("name", tables.SCHEMAS)
def test_every_column_is_there_and_typed_whatever_the_shop_has(name):
    schema = tables.SCHEMAS[name]
    kinds = {column.name: tables.PANDAS_TYPES[column.kind] for column in schema.columns if not column.personal}
    for table in ({}, {name: tables.typed(name, pd.DataFrame({column: [] for column in schema.required}))}):
        shop = shop_of(**{"orders": ORDERS} | table)
        made = records.of(shop, name)
        assert {column: str(made[column].dtype) for column in kinds} == kinds


def test_a_row_that_names_an_order_is_of_its_customer():
    returns = records.of(shop_of(ORDERS, returns=frame("returns", {"order_id": "0", "requested_at": "2026-03-12"})), "returns")

    assert returns[["customer_id", "ordered_at"]].values.tolist() == [["a", pd.Timestamp("2026-03-10 10:00")]]


def test_a_window_holds_its_first_and_last_day_whole():
    moments = pd.Series(pd.to_datetime(["2025-03-31 23:59", "2025-04-01 00:00", "2026-03-31 23:59", "2026-04-01"], format="ISO8601"))

    assert periods.within(moments, periods.year_to(date(2026, 3, 31))).tolist() == [False, True, True, False]
