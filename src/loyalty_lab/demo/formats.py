"""How other programs write a shop's sales: each export format as data, from exports.toml beside this module."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Format:
    """One export format: where its columns come from, and how it writes moments, money, states and refunds.

    `refunds` is "column" (a sum in the order's row, with its part of tax and delivery), "rows" (`unnamed`: that do not
    say of which order), "off" (taken off the amount) or "none" (not in the export at all).
    """

    name: str
    file: str
    header: str
    every: dict[str, str]
    about: str = ""
    first: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=lambda: {"paid": ""})
    beside: tuple[str, ...] = ()
    grain: str = "order"
    refunds: str = "column"
    unnamed: bool = False
    guests: bool = True
    guest: str = ""
    tax: float = 0.0
    gift_card: str = ""
    test_sku: str = ""
    fees: dict[str, list[str]] = field(default_factory=dict)
    at: str = ""
    date: str = "%Y-%m-%d"
    time: str = "%H:%M"
    zone: str = ""
    decimal: str = "."
    grouped: bool = False
    money: str = "{}"
    digits: str = ""
    nameless: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    pages: int = 1
    newest_first: bool = False
    blank_lines: int = 0
    total_line: dict[str, str] = field(default_factory=dict)

    @property
    def cells(self) -> str:
        """Every template of an order's rows, to see which fields they hold."""
        return " ".join((self.every | self.first).values())

    def tells(self, key: str) -> bool:
        """Whether an e-mail, a phone number or a name stands in such an export."""
        return f"{{{key}}}" in self.cells or (key != "name" and "{contact}" in self.cells)

    def writes(self, state: str) -> bool:
        """Whether orders in this state stand in such an export."""
        further = {
            "part": True,
            "refunded": self.refunds == "rows",
            "test": bool(self.test_sku),
            "zero": True,
            "free": "discount" not in self.fees,
            "not goods": bool(self.gift_card),
            "foreign currency": "currency}" in self.cells,
        }
        return state in self.status or further.get(state, False)


@cache
def every_file() -> dict[str, Format]:
    """Return every file that a format consists of, by name; what only stands beside another has no words of its own."""
    told = tomllib.loads(Path(__file__).with_name("exports.toml").read_text(encoding="utf-8"))
    assert {key for one in told.values() for key in one} <= {each.name for each in fields(Format)}
    return {name: Format(name=name, **one) for name, one in told.items()}


def formats() -> dict[str, Format]:
    """Return the formats a shop can be written in, by name.

    Examples
    --------
    >>> "shopify-orders" in formats(), formats()["sheet-tr"].encoding
    (True, 'cp1254')
    """
    return {name: form for name, form in every_file().items() if form.about}
