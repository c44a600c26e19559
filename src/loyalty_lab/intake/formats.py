"""Export profiles: one small file each that says how a format is recognised and read."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from loyalty_lab.errors import InputError, near_match
from loyalty_lab.intake.words import fold

FOLDER = Path(__file__).parent / "profiles"
Columns = dict[str, str | list[str]]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Codes(_Part):
    """Rows that are set apart by what stands in one of our columns; case counts in codes, not in words."""

    column: str
    codes: list[str] = []
    starts_with: list[str] = []
    contains: list[str] = []


class Refunds(_Part):
    """Which rows take goods back: an order number that begins so, or one of these words in the column `event`.

    A row below zero takes goods back in any format.
    """

    order_id_starts_with: str | None = None
    words: list[str] = []


class Profile(_Part):
    """One export format.

    `columns` maps our names to theirs (several of theirs: joined for names, addresses and moments, else the
    first that holds something); those a file does not have are done without. `aliases` are other spellings of their names.
    `packed` names columns that hold several amounts in one text, with the pattern of one: their sum counts. `untaxed`: totals hold no tax.
    """

    about: str
    table: str = "orders"
    grain: Literal["order", "line"] = "order"
    header: list[str]
    header_row: bool = True
    more_header_rows: int = 0
    looks_like: list[str] = []
    aliases: dict[str, list[str]] = {}
    columns: Columns = {}
    date_order: str | None = None
    zone: str | None = None
    currency: str | None = None
    timezone: str | None = None
    guests: list[str] = []
    packed: dict[str, str] = {}
    untaxed: bool = False
    lines_of: str | None = None
    also: dict[str, str] = {}
    refunds: Refunds = Refunds()
    not_goods: list[Codes] = []
    test: Codes | None = None
    warnings: list[str] = []
    refuse: str | None = None

    def fits(self, first_row: list[str]) -> bool:
        """Whether a file's first row is this format's header (or, without one, looks like its cells)."""
        if not self.header:
            return False
        if self.header_row:
            return all(name in self.found_in(first_row) for name in self.header)
        return len(first_row) == len(self.header) and all(re.fullmatch(p, cell) for p, cell in zip(self.looks_like, first_row, strict=True))

    def found_in(self, names: list[str]) -> dict[str, str]:
        """Return the format's names of the columns a file has, and how the file spells them."""
        spelt = {fold(name): name for name in reversed(names)}
        known = {*self.header, *(each for theirs in self.columns.values() for each in ([theirs] if isinstance(theirs, str) else theirs))}
        spellings = {name: (name, *self.aliases.get(name, ())) for name in known}
        return {name: spelt[fold(each)] for name, all_of in spellings.items() for each in reversed(all_of) if fold(each) in spelt}


@cache
def profiles() -> dict[str, Profile]:
    """Return every profile by name, the most particular header first.

    Examples
    --------
    >>> {"cdnow-master", "mapped", "online-retail-ii", "shopify-orders"} <= set(profiles())
    True
    """
    read = {path.stem: Profile.model_validate(_content(path)) for path in sorted(FOLDER.glob("*.toml"))}
    return dict(sorted(read.items(), key=lambda item: (-len(item[1].header), item[0])))


def _content(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def profile(name: str) -> Profile:
    """Return one profile.

    Raises
    ------
    InputError
        If there is none of this name; the nearest is offered.
    """
    known = profiles()
    if name not in known:
        raise InputError("shop.toml", f"there is no profile {name!r}.{near_match(name, known)}", f"use one of: {', '.join(sorted(known))}")
    return known[name]
