"""The invented people, streets and goods of the demo shop, from words.toml beside this module."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path

import numpy as np

# Numbers set aside by the United Kingdom's regulator for use in fiction; each prefix has a thousand.
PHONE_PREFIXES = (
    "07700 900", "020 7946 0", "0113 496 0", "0114 496 0", "0115 496 0", "0116 496 0", "0117 496 0", "0118 496 0", "0121 496 0",
    "0131 496 0", "0141 496 0", "0151 496 0", "0161 496 0", "0191 498 0", "028 9649 6", "029 2018 0", "01632 960",
)  # fmt: skip


@cache
def words() -> dict:
    """Return the content of words.toml.

    Examples
    --------
    >>> [people["language"] for people in words()["people"]]
    ['en', 'tr', 'bn', 'hy']
    """
    return tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def phone(number: int) -> str:
    """Return the n-th invented telephone number, with its leading zero; empty when there are no more.

    Examples
    --------
    >>> phone(1), phone(1000), phone(17_000)
    ('07700 900919', '020 7946 0000', '')
    """
    prefix, place = divmod(number, 1000)
    return f"{PHONE_PREFIXES[prefix]}{place * 7919 % 1000:03d}" if prefix < len(PHONE_PREFIXES) else ""


def names(language: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a name in the script of each language, and the same name as it stands in an e-mail address.

    Parameters
    ----------
    language : numpy.ndarray
        Shape (n,): place of each customer's language in ``words()["people"]``.

    Returns
    -------
    tuple of numpy.ndarray
        Names and Latin forms, each of shape (n,).
    """
    n = len(language)
    pick, name, latin = rng.random((2, n)), np.empty(n, object), np.empty(n, object)
    for place, people in enumerate(words()["people"]):
        mine = np.flatnonzero(language == place)
        given = [people["given"][int(x * len(people["given"]))].split("|") for x in pick[0, mine]]
        family = [people["family"][int(x * len(people["family"]))].split("|") for x in pick[1, mine]]
        name[mine] = [f"{a[0]} {b[0]}" for a, b in zip(given, family, strict=True)]
        latin[mine] = [f"{a[1]}.{b[1]}" for a, b in zip(given, family, strict=True)]
    return name, latin


def goods() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return names, kinds and prices in pence of the packed goods, in the order of words.toml."""
    rows = [(product, kind, price) for kind, products in words()["goods"].items() for product, price in products]
    product, kind, price = zip(*rows, strict=True)
    return np.array(product, object), np.array(kind, object), np.array(price)
