"""Export profiles: one small file each that says how a format is recognised and read."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from loyalty_lab.errors import InputError, near_match

FOLDER = Path(__file__).parent / "profiles"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Codes(_Part):
    """Rows that are set apart by a code in one of our columns."""

    column: str
    codes: list[str] = []
    starts_with: list[str] = []


class Refunds(_Part):
    """How the format writes goods taken back. "same product": without an order, to be found by customer and product."""

    rule: str
    order_id_starts_with: str


class Profile(_Part):
    """One export format."""

    about: str
    table: str = "orders"
    grain: str = "order"
    header: list[str]
    header_row: bool = True
    looks_like: list[str] = []
    delimiter: str | None = None
    date_order: str | None = None
    currency: str | None = None
    timezone: str | None = None
    columns: dict[str, str] = {}
    refunds: Refunds | None = None
    not_goods: Codes | None = None
    test: Codes | None = None

    def fits(self, first_row: list[str]) -> bool:
        """Whether a file's first row is this format's header (or, without one, looks like its cells)."""
        if not self.header or len(first_row) < len(self.header):
            return False
        if self.header_row:
            return set(self.header) <= set(first_row)
        return len(first_row) == len(self.header) and all(re.fullmatch(p, cell) for p, cell in zip(self.looks_like, first_row, strict=True))


def profiles() -> dict[str, Profile]:
    """Return every profile by name.

    Examples
    --------
    >>> sorted(profiles())
    ['cdnow-master', 'cdnow-sample', 'mapped', 'online-retail-ii']
    """
    return {path.stem: Profile.model_validate(_content(path)) for path in sorted(FOLDER.glob("*.toml"))}


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
        raise InputError("shop.toml", f"there is no profile {name!r}.{near_match(name, known)}", f"use one of: {', '.join(known)}")
    return known[name]
