"""Filled-in lists that a shop has put into `rounds/returned/`: what happened, checked against the rounds they belong to."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from loyalty_lab import assignment, tables
from loyalty_lab.errors import InputError
from loyalty_lab.language import LOCALES, catalogue

FOLDER = Path("rounds") / "returned"
COLUMNS = ("round", "unit", "outcome")
READ = ("number", "list", "outcome")
OUTCOMES = tuple(tables.SCHEMAS["contacts"]["outcome"].choices)
ENDINGS = (".xlsx", ".csv")


def list_code(salt: str, name: str) -> str:
    """Return what a list carries to be known again: the name of its round, and a code that only this shop's secret gives.

    Examples
    --------
    >>> list_code("00", "follow-up-letters@2026-10-31+60d")[:33]
    'follow-up-letters@2026-10-31+60d '
    >>> list_code("00", "a@2026-10-31+60d") == list_code("01", "a@2026-10-31+60d")
    False
    """
    return f"{name} {hashlib.sha256(f'{salt}|{name}|list'.encode()).hexdigest()[:8]}"


def read(folder: Path, ledger: pd.DataFrame, salt: str) -> pd.DataFrame:
    """Read every returned list of a shop.

    Parameters
    ----------
    folder : pathlib.Path
        ``rounds/returned`` of a shop; an absent one holds nothing.
    ledger : pandas.DataFrame
        As of `assignment.read_ledger`.
    salt : str
        The shop's secret, in hex.

    Returns
    -------
    pandas.DataFrame
        One row a person and round with an outcome: `round`, `unit`, `outcome` (none, reply, visit, order, opt_out). A
        person told of twice keeps what the last file by name says. Lists without a round (duties, watch) are passed over.

    Raises
    ------
    InputError
        If a file is no list of ours, belongs to another shop or to a round that is not in the ledger, names somebody who had no
        arm in it, or tells an outcome of another word; the row is named.
    """
    found = [row for path in sorted(folder.glob("*")) if path.suffix.lower() in ENDINGS for row in _rows(path, ledger, salt)]
    table = pd.DataFrame(found, columns=list(COLUMNS), dtype="str")
    return table.drop_duplicates(["round", "unit"], keep="last", ignore_index=True)


def _rows(path: Path, ledger: pd.DataFrame, salt: str) -> Iterator[tuple[str, str, str]]:
    rows = _cells(path)
    places = _places(path, rows[0] if rows else [])
    arms = {name: set(group["unit"]) for name, group in assignment.standing(ledger).groupby("round")}
    codes = {list_code(salt, name): name for name in arms}
    for number, row in enumerate(rows[1:], start=2):
        unit, code, outcome = (row[places[name]].strip() if places[name] < len(row) else "" for name in READ)
        if not code or not outcome:
            continue
        where = f"rounds/returned/{path.name}, row {number}"
        if code not in codes:
            what = f"belongs to the list {code[:60]!r}, which this shop never wrote"
            raise InputError(where, what, "put only this shop's own lists there, with the column of the list as it was")
        unit = unit.removeprefix("'")
        if unit not in arms[codes[code]]:
            raise InputError(where, f"names the customer {unit[:40]!r}, who had no arm in that round", "restore the customer's number")
        if outcome.lower() not in OUTCOMES:
            raise InputError(where, f"tells the outcome {outcome[:40]!r}", f"use one of: {', '.join(OUTCOMES)}")
        yield codes[code], unit, outcome.lower()


def _cells(path: Path) -> list[list[str]]:
    """All cells as text."""
    if path.suffix.lower() == ".csv":
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                return list(csv.reader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(
                f"rounds/returned/{path.name}", f"cannot be read: {error}", "save it again as XLSX or as CSV in UTF-8"
            ) from None
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = [["" if cell is None else str(cell) for cell in row] for row in book.worksheets[0].iter_rows(values_only=True)]
        book.close()
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(
            f"rounds/returned/{path.name}", f"is no workbook: {type(error).__name__}", "save it again as XLSX or CSV"
        ) from None
    return rows


def _places(path: Path, head: list[str]) -> dict[str, int]:
    """Where the columns stand, in whichever of our languages the list was written."""
    for language in LOCALES:
        names = catalogue(language)["lists"]["column"]
        if all(names[name] in head for name in READ):
            return {name: head.index(names[name]) for name in READ}
    what = f"has the columns {[name[:30] for name in head[:12]]}, which are not those of a list of ours"
    raise InputError(f"rounds/returned/{path.name}", what, "put the lists there as they were written, with the last column filled in")


assert set(READ) <= set(catalogue("en")["lists"]["column"])
assert assignment.COLUMNS[0] == COLUMNS[0]
