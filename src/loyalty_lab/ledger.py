"""The ledger's file: read with every row looked at, grown whole or not at all, and sealed."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from pathlib import Path

import pandas as pd

from loyalty_lab.errors import InputError
from loyalty_lab.results import write_atomically
from loyalty_lab.shop import LEDGER

SEAL = Path("private") / "ledger.json"
COLUMNS = ("round", "slug", "unit", "arm", "stratum", "pair", "propensity", "assigned_on", "event")
REMEDY = "restore the file from a copy; it is only ever appended to"


def read_ledger(path: Path) -> pd.DataFrame:
    """Read the ledger of a shop; an absent one is empty.

    Raises
    ------
    InputError
        If the file is not a whole ledger: its first row names other columns, a row has too few or too many cells, the last one is
        cut off, or it is no text.
    """
    content = _content(path)
    if content is None:
        return pd.DataFrame(columns=list(COLUMNS), dtype="str")
    try:
        rows = _rows(content.decode())
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(_name(path), f"is no text as it was written: {error}", REMEDY) from None
    if b"\0" in content:
        raise InputError(f"{_name(path)}, row {content[: content.index(0)].count(10) + 1}", "holds a character that is none", REMEDY)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(COLUMNS) or (number == 1 and tuple(row) != COLUMNS):
            raise InputError(f"{_name(path)}, row {number}", f"holds {str(row)[:120]}", REMEDY)
    if not content.endswith(b"\n"):
        raise InputError(f"{_name(path)}, row {max(len(rows), 1)}", "is the last one and cut off", REMEDY)
    return pd.DataFrame(rows[1:], columns=list(COLUMNS), dtype="str")


def _name(path: Path) -> str:
    return f"rounds/{path.name}"


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def _content(path: Path) -> bytes | None:
    """The bytes of the file; None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(_name(path), f"cannot be read: {error.strerror}", "make the file readable") from None


def append(path: Path, rows: pd.DataFrame, seen: pd.DataFrame | None = None) -> None:
    """Append rows to the ledger: all of them, on disk and read back, or none.

    What is there and the new rows are written under another name, synced and renamed, so that a crash at any moment leaves the
    ledger as it was or with every new row. Its bytes so far stay its beginning.

    Parameters
    ----------
    path : pathlib.Path
    rows : pandas.DataFrame
        Columns as in `COLUMNS`, all text.
    seen : pandas.DataFrame, optional
        What the ledger held when these rows were decided upon.

    Raises
    ------
    InputError
        If the ledger cannot be written, has grown since it was seen, or what is read back is not what was written.
    """
    if rows.empty:
        return
    before, rows = read_ledger(path), rows[list(COLUMNS)]
    if seen is not None and not before.equals(seen):
        raise InputError(_name(path), "has changed since it was read", "let no two runs work on one shop; no list was made")
    old, new = _content(path) or b"", rows.to_csv(index=False, header=False, lineterminator="\n").encode()
    old = old or (",".join(COLUMNS) + "\n").encode()
    if _rows(new.decode()) != rows.to_numpy().tolist():
        raise InputError(_name(path), "would not read back as it is written", "look for line breaks in customer numbers; no list was made")
    try:
        write_atomically(path, old + new)
        _sync(path.parent)
    except OSError as error:
        raise InputError(_name(path), f"cannot be written: {error.strerror}", "make the folder writable; no list was made") from None
    if _content(path) != old + new:
        raise InputError(_name(path), "does not hold what was just written", "run the command again alone; no list was made")


def _sync(folder: Path) -> None:
    """Let a renamed file outlive a power cut; where folders cannot be opened the file system sees to it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def seal(shop_folder: Path) -> None:
    """Write into ``private/ledger.json`` how many bytes the ledger holds by now, and their SHA-256."""
    content = _content(shop_folder / LEDGER)
    if content is not None:
        told = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        write_atomically(shop_folder / SEAL, (json.dumps(told) + "\n").encode())
        (shop_folder / SEAL).chmod(0o600)


def check_seal(shop_folder: Path, path: Path | None = None) -> None:
    """Compare the ledger, or another file in its stead, with what the seal says was last written.

    A crash may fall between the ledger and its seal: rows beyond those sealed are not refused. Nor is a shop without a seal.

    Raises
    ------
    InputError
        If the ledger is gone, shorter, or a byte of it has changed.
    """
    content, place = _content(path or shop_folder / LEDGER), shop_folder / SEAL
    if not place.exists():
        return
    sealed, digest = _told(place)
    if content is None:
        remedy = "restore it from a copy, or rebuild it with: loyalty-lab round SHOP --rebuild"
        raise InputError(LEDGER.as_posix(), f"is gone; it held {sealed:,} bytes", remedy)
    if len(content) < sealed or hashlib.sha256(content[:sealed]).hexdigest() != digest:
        what = f"holds {len(content):,} bytes, of which the first {sealed:,} are not those that were written"
        raise InputError(LEDGER.as_posix(), what, REMEDY)


def falls_short(shop_folder: Path) -> bool:
    """Whether the ledger holds less than was sealed: lost, or an older copy."""
    place = shop_folder / SEAL
    return place.exists() and len(_content(shop_folder / LEDGER) or b"") < _told(place)[0]


def _told(place: Path) -> tuple[int, str]:
    try:
        told = json.loads(place.read_bytes())
        return int(told["bytes"]), str(told["sha256"])
    except (ValueError, KeyError, TypeError):
        remedy = "restore it from a copy, or delete it where rounds/ is sure to be whole"
        raise InputError(SEAL.as_posix(), "is damaged", remedy) from None
