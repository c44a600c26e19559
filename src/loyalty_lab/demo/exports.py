"""The simulated shop as other programs would export it, with the dirt such files have; exports.toml beside it holds the formats."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from loyalty_lab.demo.dirt import Row, line, orders
from loyalty_lab.demo.formats import Format, every_file, formats
from loyalty_lab.errors import UsageError, near_match
from loyalty_lab.shop import whole_folder

if TYPE_CHECKING:
    import numpy as np

    from loyalty_lab.demo import Demo

SHARED = 0.1  # of the rows of a page stand in the next one too
MONEY = (
    "gross", "discount", "less", "goods", "tax", "shipping", "untaxed", "total", "refunded", "amount", "price", "cost",
    "line_gross", "line_discount", "line_less", "line_net",
)  # fmt: skip
REASONS = {"paid": "", "part": "", "refunded": "refunded in full", "free": "zero"}
UNMATCHED = "refund without an order"


def write(demo: Demo, folder: str | Path, name: str) -> dict:
    """Write a simulated shop as the raw exports of one program, as a consultant receives them, with its truth beside them.

    Parameters
    ----------
    demo : Demo
        What `make` returned.
    folder : str or pathlib.Path
        A folder that is new or empty.
    name : str
        One of `formats`.

    Returns
    -------
    dict
        What was done to the data, as written to dirt.json, for tests only: `format`, `rows` by file, `dropped` (rows that
        are no sale, by the reason under which intake must count them) and `dirt` (rows by kind of dirt).

    Raises
    ------
    UsageError
        If there is no such format; the nearest is offered.
    InputError
        If the folder holds something already, or cannot be written; nothing is left then.

    Examples
    --------
    >>> import tempfile
    >>> from loyalty_lab.demo import make
    >>> with tempfile.TemporaryDirectory() as place:
    ...     dirt = write(make(customers=5), place, "bigcommerce")
    ...     sorted(path.name for path in Path(place).iterdir()), dirt["dropped"]["unpaid"] >= 3
    (['dirt.json', 'orders-1.csv', 'orders-2.csv', 'truth.json'], True)
    """
    import numpy as np

    if name not in formats():
        raise UsageError("--as", f"there is no format {name!r}.{near_match(name, formats())}", f"choose one of: {', '.join(formats())}")
    form = formats()[name]
    rng = np.random.default_rng([int(demo.salt_hex[:12], 16), *name.encode()])
    sold, rows, dropped, seen = orders(demo, form, rng), {}, Counter(), Counter()
    with whole_folder(folder) as made:
        for part in (form, *(every_file()[each] for each in form.beside)):
            for file, page in _pages(_rows(sold, part, form), part):
                (made / file).write_bytes(_file(page, part, rng))
                rows[file] = len(page)
                if part is form:
                    dropped.update(row["gone"] for row in page if row["gone"])
                    seen.update(kind for row in page for kind in row["dirt"])
        dirt = {"format": name, "rows": rows, "dropped": dict(sorted(dropped.items())), "dirt": dict(sorted(seen.items()))}
        for file, content in (("truth.json", demo.truth), ("dirt.json", dirt)):
            (made / file).write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    return dirt


# ---- rows: what stands in one line of a file


def _rows(sold: list[Row], form: Format, lead: Format) -> list[Row]:
    """The rows of one file in order of time; `lead` is the format whose states, moments and refunds they follow."""
    blocks = [(order, order["lines"]) for order in sold]
    if lead.refunds == "rows":
        blocks += [_refund(order) for order in sold if order["refund"] and order["state"] in ("part", "refunded")]
        blocks += _orphan(sold)
    blocks.sort(key=lambda block: block[0]["at"].value, reverse=lead.newest_first)
    return [row for order, lines in blocks for row in _block(order, lines, form, lead)]


def _refund(order: Row) -> tuple[Row, list[Row]]:
    """What took goods back, before the customer bought again: in the quantity and at the price of the sale, or by a sum."""
    import pandas as pd

    wait, lines = pd.Timedelta(days=15), []
    if order["next"] is not None:
        wait = max(min(wait, (order["next"] - order["at"]) / 2), pd.Timedelta(minutes=1))
    for one in order["lines"]:
        if one["line_refund"]:
            whole = one["line_refund"] == one["line_gross"]
            counted = {"quantity": -one["quantity"]} if whole else {"quantity": -1, "price": one["line_refund"]}
            lines.append(one | counted | {"line_gross": -one["line_refund"], "line_discount": 0})
    return order | {"at": (order["at"] + wait).floor("min"), "back": True, "dirt": [*order["dirt"], "refund row"]}, lines


def _orphan(sold: list[Row]) -> list[tuple[Row, list[Row]]]:
    """A refund of a purchase that is not in the export, and dearer than any in it."""
    amount = 9_999_900
    taken = line("G99", "Groceries", amount, quantity=-1) | {"line_refund": amount}
    told = {"order": "80001", "refund": amount, "back": True, "gone": UNMATCHED, "dirt": ["orphan refund"]}
    return [(order | told, [taken]) for order in sold[::-1] if order["who"] and order["state"] == "paid"][:1]


def _block(order: Row, lines: list[Row], form: Format, lead: Format) -> list[Row]:
    """The rows of one order, or of one refund."""
    told = order | _money(order, lead)
    lines = lines + _fees(order, lead) if form.grain == "line" else lines[:1]
    return [_row(told | one, form, lead, first=place == 0) for place, one in enumerate(lines)]


def _money(order: Row, form: Format) -> dict[str, int]:
    gross, discount, shipping = order["gross"], order["discount"], order["shipping"]
    if order.get("back"):
        gross, discount, shipping = -order["refund"], 0, 0
    goods = gross - discount
    tax = _half_up(goods * round(1_000 * form.tax), 1_000)
    total = goods + shipping + tax
    refund = order["refund"] if form.refunds in ("column", "off") else 0
    told = {"gross": gross, "discount": discount, "less": -discount, "goods": goods, "tax": tax, "shipping": shipping}
    told |= {"untaxed": goods + shipping, "total": total, "refunded": _half_up(refund * total, goods) if refund else 0}
    return told | {"amount": goods - refund, "items": sum(one["quantity"] for one in order["lines"])}


def _half_up(top: int, bottom: int) -> int:
    return (2 * top + bottom) // (2 * bottom)


def _fees(order: Row, form: Format) -> list[Row]:
    """What stands among the products though it is none: delivery, and the discount of an order."""
    signs = {"shipping": 1, "discount": -1}
    charged = [(kind, named) for kind, named in form.fees.items() if order[kind] and not order.get("back")]
    return [line(*named, order[kind], quantity=signs[kind]) | {"gone": "not goods"} for kind, named in charged]


def _row(row: Row, form: Format, lead: Format, first: bool) -> Row:
    """One row: its cells, the reason why it is no sale, and what is odd about it."""
    templates = form.every | (form.first if first else {}) | (form.back if row.get("back") else {})
    text = _text(row, form, lead)
    cells = {column: _cell(template, text) for column, template in templates.items()}
    dirt = [*row["dirt"], *["formula"] * any(cell.startswith("=") for cell in cells.values())]
    return {"cells": cells, "gone": _gone(row, lead), "dirt": dirt, "amount": row["amount"]}


def _gone(row: Row, form: Format) -> str:
    nowhere = row.get("back") and form.unnamed and not row["who"]
    return row.get("gone") or (UNMATCHED if nowhere else REASONS.get(row["state"], row["state"]))


def _cell(template: str, text: dict[str, str]) -> str:
    """A cell of which every field is empty is empty."""
    names = re.findall(r"{(\w+)}", template)
    return "" if names and not any(text[name] for name in names) else template.format_map(text)


def _text(row: Row, form: Format, lead: Format) -> dict[str, str]:
    """Every field of a row as this format writes it."""
    net, quantity = row["line_gross"] - row["line_discount"], row["quantity"]
    row = row | {"line_net": net, "line_less": -row["line_discount"], "cost": _half_up(net, quantity) if quantity > 0 else net}
    told = {key: str(value) for key, value in row.items() if isinstance(value, str | int)}
    told |= {name: _amount(row[name], form) for name in MONEY}
    told |= {"returned": told["refunded"] if row["refunded"] else "", "left": str(0 if row["line_refund"] == net > 0 else quantity)}
    at = row["at"].tz_localize("Europe/London").tz_convert(lead.zone) if lead.zone else row["at"]
    told |= {name: at.strftime(getattr(lead, name)) for name in ("at", "date", "time")}
    state = row["state"] if row["state"] in lead.status and not row.get("back") else "paid"
    currency = "USD" if row["state"] == "foreign currency" else "GBP"
    told |= {"status": lead.status[state], "cancelled": told["at"] if row["state"] == "cancelled" else ""}
    return told | {"currency": currency, "small_currency": currency.lower()}


def _amount(pence: int, form: Format) -> str:
    plain = f"{abs(pence) / 100:{',' if form.grouped else ''}.2f}"
    if form.decimal == ",":
        plain = plain.translate(str.maketrans(",.", ".,"))
    return "-" * (pence < 0) + form.money.format(plain)


# ---- files: pages that share rows, blank lines, a total at the end, and an encoding


def _pages(rows: list[Row], form: Format) -> Iterator[tuple[str, list[Row]]]:
    """The rows of each file; those that stood in an earlier one already are marked."""
    size, shared = -(-len(rows) // form.pages), max(1, int(SHARED * len(rows) / form.pages))
    for page in range(form.pages):
        twice = rows[max(0, page * size - shared) : page * size]
        again = [row | {"gone": "page overlap", "dirt": ["row of an earlier page"]} for row in twice]
        number = f"-{page + 1}" if form.pages > 1 else ""
        yield f"{form.file}{number}.csv", again + rows[page * size : (page + 1) * size]


def _file(rows: list[Row], form: Format, rng: np.random.Generator) -> bytes:
    """The bytes of one file; a line of totals is added to its rows."""
    if form.total_line:
        text = {"sum": _amount(sum(row["amount"] for row in rows), form)}
        cells = {column: _cell(cell, text) for column, cell in form.total_line.items()}
        rows.append({"cells": cells, "gone": "unreadable", "dirt": ["total line"]})
    columns, digits = next(csv.reader([form.header])), dict(zip(map(ord, "0123456789"), form.digits, strict=False))
    blank, buffer = set(rng.integers(1, max(2, len(rows)), form.blank_lines).tolist()), io.StringIO()
    write = csv.writer(buffer, delimiter=form.delimiter, lineterminator="\n").writerow
    write(columns)
    for place, row in enumerate(rows):
        buffer.write("\n" * (place in blank))
        write([row["cells"].get(column, "").translate(digits) for column in columns])
    return buffer.getvalue().encode(form.encoding, "replace")
