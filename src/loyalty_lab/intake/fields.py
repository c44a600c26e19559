"""What a column of an export may be mapped to: the columns of our tables, and what intake makes them of."""

from __future__ import annotations

from loyalty_lab import tables

# By any of these a person is known again; names and addresses are only kept.
IDENTITY = {"email": "text", "phone": "text", "name": "text", "address": "text", "also_known_as": "id"}
# An order's money as exports tell it. Goods: after discounts, before refunds, without tax and delivery. Total: with both.
# Paid: all that was charged, of which `refund_total` is a part.
ORDER = {
    "goods_amount": "money",
    "total_amount": "money",
    "paid_amount": "money",
    "refund_total": "money",
    "cancelled_at": "text",
    "event": "text",
}
LINE = {
    "product_id": "id", "product": "text", "category": "text", "quantity": "number", "unit_price": "money", "line_amount": "money",
    "line_net": "money",
}  # fmt: skip
TICKET = {"first_reply_minutes": "number", "first_reply_duration": "text", "solved_duration": "text"}
EXTRA = {"orders": ORDER | LINE, "order_lines": {"line_amount": "money", "line_net": "money"}, "tickets": TICKET}
AMOUNTS = ("net_amount", "goods_amount", "total_amount", "gross_amount")
LINE_AMOUNTS = ("unit_price", "line_amount", "line_net")
MONEY = tuple(name for name, kind in ORDER.items() if kind == "money") + tuple(
    column.name for column in tables.SCHEMAS["orders"].columns if column.kind == "money"
)


def kinds(table: str) -> dict[str, str]:
    """Return the kind of every column that may be mapped for a table.

    Examples
    --------
    >>> kinds("orders")["refund_total"], kinds("tickets")["opened_at"], kinds("reviews")["email"]
    ('money', 'moment', 'text')
    """
    return IDENTITY | EXTRA.get(table, {}) | {column.name: column.kind for column in tables.SCHEMAS[table].columns}


def lacking(table: str, grain: str, mapped: set[str], done_without: frozenset[str] = frozenset()) -> str | None:
    """Return what a mapping must still say before the table can be read, in words; None if nothing.

    Parameters
    ----------
    table : str
    grain : {"order", "line"}
    mapped : set of str
        Our names of the columns that are there.
    done_without : frozenset of str
        What the format never holds (`order_id`, `net_amount`) and intake supplies: rows are numbered, amounts come with the lines.
    """
    may_be_nobody = table == "surveys"  # an answer without a name still counts in the score
    if "customer_id" in tables.SCHEMAS[table].required and not may_be_nobody and not mapped & {"customer_id", "email", "phone", "name"}:
        return "'customer_id' (or 'email', 'phone', 'name')"
    if table == "order_lines" or (table == "orders" and grain == "line"):
        needed = ("order_id",) if table == "order_lines" else ("order_id", "ordered_at")
        told = (
            mapped & {"line_amount", "line_net"}
            or {"quantity", "unit_price"} <= mapped
            or (table == "order_lines" and "net_amount" in mapped)
        )
        return next((f"{name!r}" for name in needed if name not in mapped), None if told else "'quantity' and 'unit_price'")
    if table == "orders":
        needed = [name for name in ("order_id", "ordered_at") if name not in mapped | done_without]
        told = mapped & set(AMOUNTS) or "net_amount" in done_without
        return next((f"{name!r}" for name in needed), None if told else "'net_amount' (or 'total_amount')")
    key = tables.SCHEMAS[table].key
    supplied = {"customer_id"} | {name for name in key if len(key) == 1 and name != "order_id"}
    return next((f"{name!r}" for name in tables.SCHEMAS[table].required if name not in mapped | supplied), None)
