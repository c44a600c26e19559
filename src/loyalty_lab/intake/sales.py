"""From rows of an order export to orders: what counts as a sale, what leaves and why, what was paid back."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from loyalty_lab.intake import words
from loyalty_lab.intake.formats import Codes, Profile
from loyalty_lab.intake.refunds import allocate
from loyalty_lab.intake.report import Bridge

STATES = ("cancelled", "unpaid", "test", "refunded in full")
MONEY = ("gross_amount", "discount_amount", "refund_amount", "tax_amount", "shipping_amount", "margin_amount", "net_amount")
KEPT, UNMATCHED = "", "refund without an order"


@dataclass
class Sales:
    """What became of the rows: orders, their lines, the reason of each row (empty: kept), and the sums."""

    orders: pd.DataFrame
    lines: pd.DataFrame | None
    reasons: pd.Series
    bridge: Bridge = field(default_factory=Bridge)


def from_orders(rows: pd.DataFrame, keep_unpaid: bool = False) -> Sales:
    """Make orders of rows that are one order each.

    Parameters
    ----------
    rows : pandas.DataFrame
        Typed columns of the orders table; money in integer ten-thousandths (missing: not told). A row
        below zero that shares its number with a sale reduces that order; another one is a refund
        without an order.
    keep_unpaid : bool
        Cash on delivery: orders that are not paid yet count.
    """
    rows = rows.copy()
    for name in ("discount_amount", "refund_amount"):
        rows[name] = rows[name].fillna(0).astype("int64") if name in rows else 0
    net = rows["net_amount"].astype("int64")
    told = rows["gross_amount"] if "gross_amount" in rows else pd.Series(pd.NA, index=rows.index, dtype="Int64")
    rows["gross_amount"] = told.fillna(net + rows["discount_amount"] + rows["refund_amount"]).astype("int64")
    rows["discount_amount"] = rows["gross_amount"] - rows["refund_amount"] - net
    back = net < 0
    booked = rows.loc[back, "order_id"].isin(rows.loc[~back, "order_id"])
    reduced = (-net[back][booked]).groupby(rows.loc[back, "order_id"][booked]).sum()
    orders = rows[~back].drop_duplicates("order_id").set_index("order_id")
    if (~back).sum() != len(orders):
        sums = rows[~back].groupby("order_id")[[name for name in MONEY if name in rows]].sum()
        orders[sums.columns] = sums.reindex(orders.index)
    paid_back = reduced.reindex(orders.index).fillna(0).astype("int64")
    orders["refund_amount"] += paid_back
    orders["net_amount"] = orders["net_amount"].astype("int64") - paid_back
    orders["reason"] = _reasons(orders, keep_unpaid)
    reasons = rows["order_id"].map(orders["reason"]).fillna(UNMATCHED)
    bridge = _bridge(orders)
    lost = back & (reasons == UNMATCHED)
    bridge.unmatched_refunds, bridge.unmatched_money = int(lost.sum()), int(-net[lost].sum())
    return Sales(orders[orders["reason"] == KEPT].drop(columns="reason").reset_index(), None, reasons, bridge)


def from_lines(rows: pd.DataFrame, profile: Profile) -> Sales:
    """Make orders of rows that are one product each.

    Parameters
    ----------
    rows : pandas.DataFrame
        `order_id`, `customer_id`, `ordered_at`, `product_id`, `product`, `quantity`, `unit_price` and `amount`
        (integer ten-thousandths).
    profile : Profile
        Says which rows are no goods, tests, or refunds.
    """
    reasons = pd.Series(KEPT, index=rows.index, dtype="object")
    reasons[_coded(rows, profile.not_goods)] = "not goods"
    reasons[_coded(rows, profile.test) & (reasons == KEPT)] = "test"
    is_refund = (
        rows["order_id"].str.startswith(profile.refunds.order_id_starts_with) if profile.refunds else pd.Series(False, index=rows.index)
    )
    goods = rows[reasons == KEPT]
    back = is_refund[goods.index]
    refunds, sold = goods[back & (goods["amount"] <= 0)], goods[~back]
    bookings = allocate(sold[sold["amount"] > 0], refunds)
    orders = _orders_of(sold, bookings)
    reasons[sold.index] = sold["order_id"].map(orders["reason"]).to_numpy()
    reasons[refunds.index] = _refund_reasons(refunds, bookings, sold["order_id"].map(orders["reason"]))
    reasons[goods.index[back & (goods["amount"] > 0)]] = UNMATCHED
    bridge = _bridge(orders)
    tests = int(rows.loc[(reasons == "test") & rows["customer_id"].notna(), "amount"].clip(lower=0).sum())
    bridge.gross, bridge.dropped = bridge.gross + tests, bridge.dropped + tests
    left = -refunds["amount"] - bookings.groupby("refund")["amount"].sum().reindex(refunds.index).fillna(0).astype("int64")
    bridge.unmatched_refunds, bridge.unmatched_money = int((left > 0).sum()), int(left.clip(lower=0).sum())
    kept = orders[orders["reason"] == KEPT].drop(columns="reason").reset_index()
    return Sales(kept, _kept_lines(sold[sold["order_id"].isin(kept["order_id"])], bookings), reasons, bridge)


def _coded(rows: pd.DataFrame, codes: Codes | None) -> pd.Series:
    if codes is None or codes.column not in rows:
        return pd.Series(False, index=rows.index)
    cells = rows[codes.column]
    starts = cells.str.startswith(tuple(codes.starts_with), na=False) if codes.starts_with else False
    return cells.isin(codes.codes) | starts


def _orders_of(sold: pd.DataFrame, bookings: pd.DataFrame) -> pd.DataFrame:
    """One row an order: the first known customer and moment of its lines, and its sums."""
    paid_back = bookings.groupby("sale")["amount"].sum().reindex(sold.index).fillna(0).astype("int64") - sold["amount"].clip(upper=0)
    parts = sold.assign(gross_amount=sold["amount"].clip(lower=0), refund_amount=paid_back)
    grouped = parts.groupby("order_id", sort=True)
    orders = grouped[["customer_id", "ordered_at"]].first().join(grouped[["gross_amount", "refund_amount"]].sum())
    orders["discount_amount"] = 0
    orders["net_amount"] = orders["gross_amount"] - orders["refund_amount"]
    return orders.assign(reason=_reasons(orders, keep_unpaid=False))


def _refund_reasons(refunds: pd.DataFrame, bookings: pd.DataFrame, fate: pd.Series) -> pd.Series:
    """A refund is kept if any order it reduces is, else it goes with that order; without one it stands apart."""
    told = bookings.assign(reason=bookings["sale"].map(fate)).sort_values(["refund", "reason"], kind="stable")
    return told.drop_duplicates("refund").set_index("refund")["reason"].astype("object").reindex(refunds.index).fillna(UNMATCHED)


def _kept_lines(sold: pd.DataFrame, bookings: pd.DataFrame) -> pd.DataFrame:
    paid_back = bookings.groupby("sale")["amount"].sum().reindex(sold.index).fillna(0).astype("int64")
    lines = sold.assign(net_amount=sold["amount"] - paid_back, line=sold.groupby("order_id").cumcount() + 1)
    return lines[["order_id", "line", "product_id", "product", "quantity", "unit_price", "net_amount"]]


def _reasons(orders: pd.DataFrame, keep_unpaid: bool) -> pd.Series:
    status = orders["status"].fillna("") if "status" in orders else pd.Series("", index=orders.index)
    meant = status.map({word: words.statuses().get(words.fold(word), KEPT) for word in status.unique()})
    choices = {reason: meant == reason for reason in STATES if not (keep_unpaid and reason == "unpaid")}
    nothing_left = orders["net_amount"] <= 0
    sums = [
        ("zero", orders["gross_amount"] <= 0),
        ("refunded in full", nothing_left & (orders["refund_amount"] > 0)),
        ("zero", nothing_left),
    ]
    reasons, holds = zip(*choices.items(), *sums, strict=True)
    return pd.Series(np.select(holds, reasons, KEPT), index=orders.index, dtype="object")


def _bridge(orders: pd.DataFrame) -> Bridge:
    known = orders[orders["customer_id"].notna()]
    kept, left = known[known["reason"] == KEPT], known[known["reason"] != KEPT]
    anonymous = orders[orders["customer_id"].isna() & (orders["reason"] == KEPT)]
    return Bridge(
        gross=int(known["gross_amount"].sum()), discounts=int(kept["discount_amount"].sum()), refunds=int(kept["refund_amount"].sum()),
        dropped=int(left["gross_amount"].sum()), net=int(kept["net_amount"].sum()), anonymous_net=int(anonymous["net_amount"].sum()),
        orders=len(kept), customers=int(kept["customer_id"].nunique()),
    )  # fmt: skip
