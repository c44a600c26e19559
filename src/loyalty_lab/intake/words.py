"""The words of exports: what stands for nothing, yes and no, states of an order, months. Kept as data in words.toml."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

TURKISH = str.maketrans({"İ": "i", "I": "i", "ı": "i", "\u0307": ""})  # the last is what is left of İ in small letters elsewhere


def fold(text: str) -> str:
    """Make two spellings of one word equal: case (also the Turkish dotless i), width, blanks and punctuation.

    Examples
    --------
    >>> fold("  SİPARİŞ_No "), fold("Sipariş no"), fold("Customer ID")
    ('sipariş no', 'sipariş no', 'customer id')
    """
    plain = unicodedata.normalize("NFKC", text).translate(TURKISH).casefold()
    return re.sub(r"[\s_\-.:'\"]+", " ", plain).strip()


@cache
def vocabulary() -> dict[str, Any]:
    """Return words.toml."""
    return tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))


@cache
def missing() -> frozenset[str]:
    """Return what stands for an empty cell, in small letters."""
    return frozenset(("", *vocabulary()["missing"]["words"]))


@cache
def totals() -> frozenset[str]:
    """Return the folded words with which a sheet calls a row its total."""
    return frozenset(map(fold, vocabulary()["total"]["words"]))


@cache
def flags() -> dict[str, bool]:
    """Return the folded words for yes and no."""
    words = vocabulary()["flag"]
    return {fold(word): value for name, value in (("yes", True), ("no", False)) for word in words[name]}


@cache
def months() -> dict[str, int]:
    """Return the number of each month by its folded name."""
    return {fold(word): number for number, names in enumerate(vocabulary()["month"]["words"], 1) for word in names}


@cache
def statuses() -> dict[str, str]:
    """Return the reason (or 'kept') by the folded word of an order's state."""
    return {fold(word): reason for reason, names in vocabulary()["status"].items() for word in names}
