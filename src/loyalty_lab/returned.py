"""Filled-in lists that a shop has put into `rounds/returned/`: what happened, checked against the rounds they belong to."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from loyalty_lab import assignment, tables
from loyalty_lab.errors import InputError
from loyalty_lab.kept import digest
from loyalty_lab.language import LOCALES, catalogue

COLUMNS = ("round", "unit", "outcome")
READ = ("number", "list", "outcome")
OUTCOMES = tuple(tables.SCHEMAS["contacts"]["outcome"].choices)
NO = "opt_out"
ENDINGS = (".xlsx", ".xlsm", ".csv")
OTHER_TABLES = (".xls", ".xlsb", ".ods", ".numbers", ".tsv")
DELIMITERS = ",;\t"
NOT_OURS = ("~$", ".")  # what spreadsheets and desktops leave beside a file


def list_code(salt: str, name: str) -> str:
    """Return what a list carries to be known again: its name, and a code that only this shop's secret gives.

    The name is that of its round; a list without one is called by its tactic and cutoff.

    Examples
    --------
    >>> list_code("00", "follow-up-letters@2026-10-31+60d")[:33]
    'follow-up-letters@2026-10-31+60d '
    >>> list_code("00", "a@2026-10-31+60d") == list_code("01", "a@2026-10-31+60d")
    False
    """
    return f"{name} {hashlib.sha256(f'{salt}|{name}|list'.encode()).hexdigest()[:8]}"


def read(folder: Path, ledger: pd.DataFrame, salt: str, people: Iterable[str] = ()) -> pd.DataFrame:
    """Read every returned list of a shop.

    Parameters
    ----------
    folder : pathlib.Path
        ``rounds/returned`` of a shop; an absent one holds nothing.
    ledger : pandas.DataFrame
        As of `ledger.read_ledger`.
    salt : str
        The shop's secret, in hex.
    people : iterable of str
        The merged ids of all whom the shop knows: who may stand on a list without a round (duties, watch).

    Returns
    -------
    pandas.DataFrame
        One row a person and round with an outcome: `round`, `unit`, `outcome` (none, reply, visit, order, opt_out). A person told
        of twice keeps what the last file by name says; but who said no once has said it. Of lists without a round only that is
        kept, with `round` empty.

    Raises
    ------
    InputError
        If a file is no list of ours, belongs to another shop or to a round that is not in the ledger or was made void, names
        somebody who had no arm in it, or tells an outcome of another word or of no list; the row is named.
    """
    arms = {name: set(group["unit"]) for name, group in assignment.standing(ledger).groupby("round")}
    checks = _Checks(salt, arms, frozenset(people))
    found = [row for path in _files(folder) for row in _rows(path, checks)]
    table = pd.DataFrame(found, columns=list(COLUMNS), dtype="str")
    return (
        table.sort_values("outcome", key=lambda said: said == NO, kind="stable")
        .drop_duplicates(["round", "unit"], keep="last")
        .sort_index(ignore_index=True)
    )


def _files(folder: Path) -> list[Path]:
    """The lists by name; a table of a kind that is not read is an error, so that no outcome is lost in silence."""
    paths = [path for path in sorted(folder.glob("*")) if path.is_file() and not path.name.startswith(NOT_OURS)]
    for path in paths:
        if path.suffix.lower() in OTHER_TABLES:
            raise InputError(f"rounds/returned/{path.name}", f"is a table of the kind {path.suffix!r}", "save it as XLSX or CSV")
    return [path for path in paths if path.suffix.lower() in ENDINGS]


def digests(folder: Path) -> list[tuple[Path, str]]:
    """Return every returned list with its SHA-256."""
    return [(path, digest(path)) for path in _files(folder)]


@dataclass(frozen=True)
class _Checks:
    """What a row is checked against: the secret, who had an arm in which round, and whom the shop knows."""

    salt: str
    arms: dict[str, set[str]]
    people: frozenset[str]

    def named(self, where: str, code: str) -> str:
        """The name that a list's code bears out."""
        name = code.rpartition(" ")[0]
        if not code:
            raise InputError(where, "tells an outcome and not of which list", "restore the column of the list as it was")
        if list_code(self.salt, name) != code:
            what = f"belongs to the list {code[:60]!r}, which this shop never wrote"
            raise InputError(where, what, "put only this shop's own lists there, with the column of the list as it was")
        if name not in self.arms and assignment.NAME.fullmatch(name):
            what = f"belongs to the round {name!r}, which is void or not in the ledger"
            raise InputError(where, what, "move the file away, or restore rounds/assignments.csv from a copy")
        return name

    def unit(self, where: str, name: str, number: str) -> str:
        """Whom the row means; the apostrophe that kept a number from being a formula may still stand before it."""
        known = self.arms.get(name, self.people)
        unit = next((each for each in (number, number.removeprefix("'")) if each in known), None)
        if unit is None:
            what = f"names the customer {number[:40]!r}, who " + ("had no arm in that round" if name in self.arms else "is unknown")
            raise InputError(where, what, "restore the customer's number")
        return unit


def _rows(path: Path, checks: _Checks) -> Iterator[tuple[str, str, str]]:
    rows = _cells(path)
    places = _places(path, rows[0] if rows else [])
    for row_number, row in enumerate(rows[1:], start=2):
        number, code, outcome = (row[places[name]].strip() if places[name] < len(row) else "" for name in READ)
        if not outcome:
            continue
        where = f"rounds/returned/{path.name}, row {row_number}"
        name = checks.named(where, code)
        unit = checks.unit(where, name, number)
        if outcome.lower() not in OUTCOMES:
            raise InputError(where, f"tells the outcome {outcome[:40]!r}", f"use one of: {', '.join(OUTCOMES)}")
        if name in checks.arms:
            yield name, unit, outcome.lower()
        elif outcome.lower() == NO:
            yield "", unit, NO


def _cells(path: Path) -> list[list[str]]:
    """All cells as text."""
    if path.suffix.lower() == ".csv":
        try:
            text = path.read_bytes().decode("utf-8-sig")
            first = text.partition("\n")[0]
            return list(csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count)))
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
