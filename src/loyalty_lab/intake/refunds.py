"""Refunds that name no order: booked on an earlier purchase of the same customer, by product where the export tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loyalty_lab.intake.people import SEQ

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


@dataclass
class _Line:
    index: int
    at: pd.Timestamp
    price: int
    quantity: float
    amount: int


def book_the_rest(db: duckdb.DuckDBPyConnection, by_product: bool) -> None:
    """Add to `bookings` the refunds of `back` that name no order of `orders_made`.

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
        With the tables `back`, `orders_made`, `judged` and `bookings`.
    by_product : bool
        Whether rows are products: then a refund goes to a purchase of the same product, else to the customer's latest
        earlier order with enough unreturned amount.
    """
    made = _by_product(db) if by_product else _by_order(db)
    db.register("made_frame", made)
    kinds = {"refund": "bigint", "order_id": "varchar", "line": "bigint", "amount": "bigint"}
    db.execute(f"insert into bookings select {', '.join(f'cast({name} as {kind})' for name, kind in kinds.items())} from made_frame")
    db.unregister("made_frame")


def _unnamed(columns: str) -> str:
    named = "(select refund from bookings)"
    open_ones = f"person is not null and {SEQ} not in {named}"
    return f"select {SEQ}, person as customer_id, ordered_at, {columns} from back where {open_ones} order by {SEQ}"


def _by_product(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Bookings on purchase lines; those of orders that do not count otherwise take refunds with them all the same."""
    import pandas as pd

    amount = "coalesce(line_net, amount) as amount"
    price = "coalesce(unit_price, cast(round(amount / nullif(quantity, 0)) as bigint), 0) as unit_price"
    back = db.execute(_unnamed(f"product_id, {price}, quantity, {amount}")).df().set_index(SEQ)
    db.register("wanted", back[["customer_id", "product_id"]].drop_duplicates())
    sold = (
        db.execute(f"""
        select l.{SEQ}, o.person as customer_id, l.product_id, l.ordered_at, {price}, l.quantity,
               coalesce(l.line_net, l.amount) as amount, l.order_id
        from judged as l join orders_made as o using (order_id)
        join wanted as w on w.customer_id = o.person and w.product_id = l.product_id
        where l.gone = '' and not l.back and coalesce(l.line_net, l.amount) > 0 order by l.{SEQ}
    """)
        .df()
        .set_index(SEQ)
    )
    db.unregister("wanted")
    booked = allocate(sold, back[back["amount"] <= 0])
    order = sold["order_id"].reindex(booked["sale"]).to_numpy()
    return pd.DataFrame({"refund": booked["refund"], "order_id": order, "line": booked["sale"], "amount": booked["amount"]})


def _by_order(db: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    import pandas as pd

    told = "coalesce(goods_amount, net_amount, gross_amount, line_net, amount, total_amount)"
    back = db.execute(_unnamed(f"-{told} as amount")).df()
    people = list(back["customer_id"].unique())
    left = "goods - refund - coalesce((select sum(amount) from bookings as b where b.order_id = o.order_id), 0)"
    chosen = f"select order_id, person, ordered_at, {left} as amount from orders_made as o where person in (select unnest(?))"
    orders = db.execute(f"{chosen} order by ordered_at desc, {SEQ} desc", [people]).df()
    shelf = {person: group.to_dict("records") for person, group in orders.groupby("person", sort=False)}
    rows = []
    for refund in back.itertuples():
        earlier = (order for order in shelf.get(refund.customer_id, ()) if order["ordered_at"] < refund.ordered_at)
        found = next((order for order in earlier if order["amount"] >= refund.amount > 0), None)
        if found is not None:
            found["amount"] -= refund.amount
            rows.append((getattr(refund, SEQ), found["order_id"], None, refund.amount))
    return pd.DataFrame(rows, columns=["refund", "order_id", "line", "amount"]).astype({"line": "Int64"})


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
    >>> import pandas as pd
    >>> line = {"customer_id": "a", "product_id": "p", "unit_price": 20000}
    >>> sales = pd.DataFrame([line | {"ordered_at": pd.Timestamp("2026-01-01"), "quantity": 3, "amount": 60000}])
    >>> back = pd.DataFrame([line | {"ordered_at": pd.Timestamp("2026-01-05"), "quantity": -2, "amount": -40000}])
    >>> allocate(sales, back).values.tolist()
    [[0, 0, 40000]]
    """
    import pandas as pd

    known = refunds.dropna(subset=["customer_id", "product_id"]).sort_values(["ordered_at"], kind="stable")
    shelf: dict[tuple, list[_Line]] = {}
    for row in sales.sort_values("ordered_at", ascending=False, kind="stable").itertuples():
        line = _Line(row.Index, row.ordered_at, row.unit_price, row.quantity, row.amount)
        shelf.setdefault((row.customer_id, row.product_id), []).append(line)
    bookings = []
    for row in known.itertuples():
        lines = [line for line in shelf.get((row.customer_id, row.product_id), ()) if line.at < row.ordered_at]
        bookings += _book(row, lines)
    return pd.DataFrame(bookings, columns=["refund", "sale", "amount"]).astype("int64")


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
