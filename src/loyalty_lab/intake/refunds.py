"""Refunds that name no order: booked on the latest earlier purchase of the same customer and product."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass
class _Line:
    index: int
    at: pd.Timestamp
    price: int
    quantity: float
    amount: int


def allocate(sales: pd.DataFrame, refunds: pd.DataFrame) -> pd.DataFrame:
    """Book refund lines on purchase lines.

    Each refund goes to the latest earlier purchase line of the same customer and product that
    has unreturned quantity, first among those at the same price, then among all, split over several
    if need be. It books its own amount, never more than is left of a line.

    Parameters
    ----------
    sales, refunds : pandas.DataFrame
        Columns `customer_id`, `product_id`, `ordered_at`, `unit_price` and `amount` (integer ten-thousandths) and
        `quantity`; for refunds `quantity` and `amount` are negative.

    Returns
    -------
    pandas.DataFrame
        One row a booking: `refund` and `sale` (index labels) and `amount` (positive).

    Examples
    --------
    >>> line = {"customer_id": "a", "product_id": "p", "unit_price": 20000}
    >>> sales = pd.DataFrame([line | {"ordered_at": pd.Timestamp("2026-01-01"), "quantity": 3, "amount": 60000}])
    >>> back = pd.DataFrame([line | {"ordered_at": pd.Timestamp("2026-01-05"), "quantity": -2, "amount": -40000}])
    >>> allocate(sales, back).values.tolist()
    [[0, 0, 40000]]
    """
    known = refunds.dropna(subset=["customer_id", "product_id"]).sort_values(["ordered_at"], kind="stable")
    shelf = _shelf(sales, known)
    bookings = []
    for row in known.itertuples():
        lines = [line for line in shelf.get((row.customer_id, row.product_id), ()) if line.at < row.ordered_at]
        bookings += _book(row, lines)
    return pd.DataFrame(bookings, columns=["refund", "sale", "amount"]).astype("int64")


def _shelf(sales: pd.DataFrame, refunds: pd.DataFrame) -> dict[tuple, list[_Line]]:
    """Purchase lines that a refund could mean, by customer and product, latest first."""
    wanted = pd.MultiIndex.from_frame(refunds[["customer_id", "product_id"]])
    mine = sales[pd.MultiIndex.from_frame(sales[["customer_id", "product_id"]]).isin(wanted)]
    shelf: dict[tuple, list[_Line]] = {}
    for row in mine.sort_values("ordered_at", ascending=False, kind="stable").itertuples():
        line = _Line(row.Index, row.ordered_at, row.unit_price, row.quantity, row.amount)
        shelf.setdefault((row.customer_id, row.product_id), []).append(line)
    return shelf


def _book(refund, lines: list[_Line]) -> list[tuple[int, int, int]]:
    quantity, money, booked = -refund.quantity, -refund.amount, []
    same = [line for line in lines if line.price == refund.unit_price]
    for line in same + [line for line in lines if line.price != refund.unit_price]:
        if quantity <= 0 or money <= 0:
            break
        taken = min(quantity, line.quantity)
        if taken <= 0:
            continue
        amount = min(money if taken == quantity else round(taken * refund.unit_price), line.amount)
        if amount <= 0:
            continue
        line.quantity -= taken
        line.amount -= amount
        quantity -= taken
        money -= amount
        booked.append((refund.Index, line.index, amount))
    return booked
