"""What is odd about the sales a shop hands over: orders that are no sales, and customers under several spellings.

Money is in whole pence. What is added is never a sale, so what a right reading must find follows from the shop's tables alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from loyalty_lab.demo import Demo
    from loyalty_lab.demo.formats import Format

Row = dict[str, Any]
ADDED = {"cancelled": 2, "unpaid": 3, "test": 2, "zero": 2, "free": 1, "not goods": 2, "foreign currency": 2}
UNMET = ("test", "not goods", "foreign currency")  # orders that tell intake nothing of who bought
ODD_PRODUCTS = {"P07": '{} "own brand"', "P16": "=cmd|' /C calc'!A0 {}"}
ODD_NAMES = {3: "{family}, {given}", 5: '{given} "the first" {family}', 7: "=cmd|' /C calc'!A0 {family}"}
NOBODY = {"name": "", "email": "", "phone": "", "address": "", "region": "", "id": "", "padded": ""}


def orders(demo: Demo, form: Format, rng: np.random.Generator) -> list[Row]:
    """Return every order that stands in an export, in order of time.

    Parameters
    ----------
    demo : Demo
        A simulated shop.
    form : Format
        Says which orders the export holds, and by what it names a customer.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    list of dict
        `order`, `at`, `who` (the customer's number, empty for nobody), `next` (when the same customer buys again), `state`,
        money in pence, `lines`, the customer as this order spells him, and `dirt`, the kinds of what is odd about it.
    """
    lines = {order: list(group.itertuples()) for order, group in demo.tables["order_lines"].groupby("order_id", sort=False)}
    made = [_order(row, lines.get(row.order_id, [])) for row in demo.tables["orders"].itertuples()]
    made += _added(made, rng, form)
    made = [order for order in made if form.writes(order["state"]) and (order["who"] or form.guests)]
    made.sort(key=lambda order: (order["at"], order["order"]))
    _look_ahead(made)
    _name_all(made, _people(demo.tables["customers"], form), form, rng)
    for place in rng.permutation(len(made))[: len(made) // 20]:
        if "{order}" in form.cells:
            made[place]["order"] += " "
            made[place]["dirt"].append("space behind an order number")
    return made


def _order(row, lines: list) -> Row:
    columns = ("gross_amount", "discount_amount", "refund_amount", "shipping_amount")
    gross, discount, refund, shipping = (round(100 * getattr(row, column)) for column in columns)
    state = row.status if row.status != "paid" else "refunded" if 0 < refund >= gross - discount else "part" if refund else "paid"
    order = {"order": str(row.order_id), "at": row.ordered_at, "who": row.customer_id if isinstance(row.customer_id, str) else ""}
    order |= {"state": state, "gross": gross, "discount": discount, "refund": refund, "shipping": shipping, "dirt": []}
    return order | {"channel": row.channel, "branch": row.branch_id, "staff": row.staff_id, "lines": _lines(order, lines)}


def _lines(order: Row, rows: list) -> list[Row]:
    """What an order is made of. By how much a line is below its price is a refund first, as far as the order has one, then a discount."""
    if not rows:
        return [line("G01", "Groceries", order["gross"], order["discount"], order["refund"])]
    made, left = [], order["refund"]
    for row in rows:
        price = round(100 * row.unit_price)
        off = row.quantity * price - round(100 * row.net_amount)
        refund = min(left, off)
        left -= refund
        product = ODD_PRODUCTS.get(row.product_id, "{}").format(row.product)
        one = line(row.product_id, product, price, off - refund, refund, int(row.quantity), int(row.line))
        made.append(one | {"category": row.category})
    return made


def line(sku: str, product: str, price: int, discount: int = 0, refund: int = 0, quantity: int = 1, number: int = 1) -> Row:
    """Return one product of an order.

    Examples
    --------
    >>> line("G01", "Groceries", 250, quantity=2)["line_gross"]
    500
    """
    named = {"line": number, "sku": sku, "product": product, "category": "", "quantity": quantity, "price": price}
    return named | {"line_gross": quantity * price, "line_discount": discount, "line_refund": refund}


def _added(orders: list[Row], rng: np.random.Generator, form: Format) -> list[Row]:
    """Orders that are no sales, by customers of the shop, in the middle of its time."""
    import pandas as pd

    bought = sorted((order for order in orders if order["who"]), key=lambda order: order["at"])
    middle, made = bought[len(bought) // 4 : 1 + 3 * len(bought) // 4], []
    for state in [state for state, count in ADDED.items() for _ in range(count if middle else 0)]:
        price = 0 if state == "zero" else int(rng.integers(300, 3_000))
        discount = price if state == "free" else 0
        sku = form.test_sku if state == "test" and form.test_sku else "G01"
        sold = line(sku, form.gift_card if state == "not goods" else "Groceries", price, discount)
        order = {"order": str(90_001 + len(made)), "state": state, "gross": price, "discount": discount, "refund": 0, "shipping": 0}
        model = middle[rng.integers(len(middle))]
        order["at"] = model["at"] + pd.Timedelta(minutes=7 + len(made))
        made.append(model | order | {"lines": [sold], "dirt": [f"added: {state}"]})
    return made


def _look_ahead(orders: list[Row]) -> None:
    after: dict[str, pd.Timestamp] = {}
    for order in reversed(orders):
        order["next"] = after.get(order["who"])
        after[order["who"]] = order["at"]


def _people(customers: pd.DataFrame, form: Format) -> dict[str, Row]:
    people = {}
    for number, row in enumerate(customers.itertuples(), start=1):
        told = {key: getattr(row, key) for key in ("name", "email", "phone", "address", "region")}
        told = {key: value if isinstance(value, str) else "" for key, value in told.items()}
        given, _, family = told["name"].partition(" ")
        told["name"] = ODD_NAMES.get(number, told["name"]).format(given=given, family=family)
        if form.nameless and told["name"].encode(form.encoding, "replace").decode(form.encoding) != told["name"]:
            told["name"] = form.nameless.format(number=number)
        people[row.customer_id] = told | {"id": row.customer_id, "number": str(number), "padded": f"{number:05d}"}
    return people


def _name_all(orders: list[Row], people: dict[str, Row], form: Format, rng: np.random.Generator) -> None:
    """Say of every order who bought, in one of several spellings; the first of a customer says all, later ones may say less."""
    met: set[str] = set()
    for order in orders:
        who = people[order["who"]] if order["who"] else NOBODY | {"number": form.guest}
        who = _spelt(order, who, form, rng.integers(0, 5, 3))
        chance = rng.random(3)
        if order["who"] in met:
            who = _less(order, who, form, chance)
        elif order["state"] not in UNMET:
            met.add(order["who"])
        given, _, family = who["name"].rpartition(" ")
        order |= who | {"given": given, "family": family, "contact": who["email"] or who["phone"]}
        order["dirt"] += ["nobody"] * (not order["who"])


def _spelt(order: Row, who: Row, form: Format, way: np.ndarray) -> Row:
    spelt = {"email": _email(who["email"], way[0]), "phone": _phone(who["phone"], way[1]), "name": _name(who["name"], way[2])}
    order["dirt"] += [f"{key} spelt otherwise" for key, text in spelt.items() if text != who[key] and form.tells(key)]
    return who | spelt


def _less(order: Row, who: Row, form: Format, chance: np.ndarray) -> Row:
    """A customer who is known already: by e-mail or phone alone, or as a guest who leaves an e-mail."""
    numbered = re.search("{(id|number|padded)}", form.cells) is not None
    if who["email"] and form.tells("email") and numbered and chance[2] < 0.2:
        order["dirt"].append("guest with an e-mail")
        return who | {"id": "", "padded": "", "number": form.guest}
    if who["email"] and who["phone"] and "{email}" in form.cells and "{phone}" in form.cells and chance[0] < 0.4:
        order["dirt"].append("e-mail or phone alone")
        return who | {"email" if chance[1] < 0.5 else "phone": ""}
    return who


def _email(text: str, way: int) -> str:
    return (text, text.upper(), f" {text}  ", text.replace("i", "İ"), text.capitalize())[way] if text else ""


def _phone(text: str, way: int) -> str:
    bare = text.replace(" ", "")
    spelt = (text, bare, f"+44 {text[1:]}", f"0044{bare[1:]}", f"({bare[:5]}) {bare[5:8]}-{bare[8:]}")
    return spelt[way] if text else ""


def _name(text: str, way: int) -> str:
    return (text, text.upper(), text.lower(), f"{text} ", text.replace(" ", "  "))[way] if text else ""
