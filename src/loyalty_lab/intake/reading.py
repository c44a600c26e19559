"""Files to frames of text: encoding, delimiter and header decided per file, every cell kept as it stands."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from loyalty_lab.errors import InputError

ROW = "__row__"
DELIMITERS = {"blanks": r"\s+", "comma": ",", "semicolon": ";", "tab": "\t"}
HEAD_BYTES = 1 << 16


def encoding(path: Path, given: str | None = None) -> str:
    """Decide how a text file is encoded: strict UTF-8, UTF-16 by its mark, else what the shop has said.

    Raises
    ------
    InputError
        If it is neither and the shop has said nothing, or what it said does not fit.
    """
    with _open(path) as file:
        mark = file.read(2)
    if given is None and mark in (b"\xff\xfe", b"\xfe\xff"):
        return "utf-16"
    wanted = given or "utf-8-sig"
    try:
        codecs.lookup(wanted)
        with io.TextIOWrapper(_open(path), encoding=wanted, newline="") as text:
            while text.read(1 << 20):
                pass
    except (UnicodeDecodeError, LookupError) as error:
        what = f"is not encoded as {wanted}: {str(error)[:80]}"
        raise InputError(
            path.name, what, 'say which in shop.toml, under this source: encoding = "cp1254" (Turkish), "cp1251" (Russian), ...'
        ) from None
    return wanted


def _open(path: Path):
    try:
        return gzip.open(path) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}", "correct the path in shop.toml") from None


def first_rows(path: Path, number: int = 2, given_encoding: str | None = None) -> list[list[str]]:
    """Return the first rows of an export as lists of cells, to recognise it by.

    Raises
    ------
    InputError
        If the file does not exist or is empty.
    """
    if not path.is_file():
        raise InputError(str(path), "there is no such file", "correct the path")
    if path.suffix.lower() == ".xlsx":
        rows = [[_cell(value) for value in row] for _, row in zip(range(number), _sheet(path), strict=False)]
    else:
        code = encoding(path, given_encoding)
        with io.TextIOWrapper(_open(path), encoding=code, newline="") as text:
            head = text.read(HEAD_BYTES)
        mark = delimiter(head)
        lines = head.splitlines()[:number]
        rows = [line.split() for line in lines] if mark == DELIMITERS["blanks"] else list(csv.reader(lines, delimiter=mark))
    if not rows or not any(cell.strip() for cell in rows[0]):
        raise InputError(path.name, "is empty", "export it again")
    return rows


def delimiter(head: str) -> str:
    """Decide what parts the cells, from the first line.

    Examples
    --------
    >>> delimiter("a;b;c\\n1;2;3"), delimiter(" 00001 19970101  1   11.77")
    (';', '\\\\s+')
    """
    line = head.partition("\n")[0]
    counted = {mark: line.count(mark) for mark in (",", ";", "\t")}
    best = max(counted, key=counted.get)
    if counted[best]:
        return best
    return DELIMITERS["blanks"] if len(line.split()) > 2 else ","


def read_text(path: Path, header: list[str] | None, delimiter_name: str | None, given_encoding: str | None = None) -> pd.DataFrame:
    """Read an export whole, every cell as text, empty cells missing.

    Parameters
    ----------
    path : pathlib.Path
        CSV, CSV.gz or XLSX (first sheet).
    header : list of str, optional
        Names of the columns where the file has no header row.
    delimiter_name : str, optional
        One of `DELIMITERS`, where the format fixes it.
    given_encoding : str, optional

    Returns
    -------
    pandas.DataFrame
        The columns as named in the file, and `ROW`, the row's number in the file (the header is row 1).

    Raises
    ------
    InputError
        If the file is missing, empty, holds a header only, or is not a table.
    """
    first = first_rows(path, 1, given_encoding)[0]
    try:
        if path.suffix.lower() == ".xlsx":
            frame = _read_sheet(path, header)
        elif delimiter_name == "blanks":
            frame = _read_blanks(path, header, encoding(path, given_encoding))
        else:
            frame = _read_csv(path, header, first, encoding(path, given_encoding), delimiter_name)
    except (pd.errors.ParserError, csv.Error, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(path.name, f"is not a table: {str(error).strip()[:120]}", "export it again as CSV or XLSX") from None
    if frame.empty:
        raise InputError(path.name, "is empty: it holds a header and no rows", "export it again")
    return frame


def _read_csv(path: Path, header: list[str] | None, first: list[str], code: str, delimiter_name: str | None) -> pd.DataFrame:
    with io.TextIOWrapper(_open(path), encoding=code, newline="") as text:
        mark = DELIMITERS[delimiter_name] if delimiter_name else delimiter(text.read(HEAD_BYTES))
    names = header or [name.strip() for name in first]
    frame = pd.read_csv(
        path, sep=mark, header=None, names=names, index_col=False, skiprows=0 if header else 1, dtype="str", keep_default_na=False,
        na_values=[""], encoding=code, skip_blank_lines=False, compression="infer",
    )  # fmt: skip
    return _numbered(frame, 1 if header else 2)


def _read_blanks(path: Path, header: list[str] | None, code: str) -> pd.DataFrame:
    with io.TextIOWrapper(_open(path), encoding=code) as text:
        rows = [line.split() for line in text]
    names, start = (header, 1) if header else (rows[0], 2)
    body = rows if header else rows[1:]
    for number, row in enumerate(body, start):
        if row and len(row) != len(names):
            raise InputError(
                f"{path.name}, row {number}", f"has {len(row)} cells instead of {len(names)}: {' '.join(row)[:60]!r}", "correct the row"
            )
    return _numbered(pd.DataFrame([row or [None] * len(names) for row in body], columns=names, dtype="str"), start)


def _read_sheet(path: Path, header: list[str] | None) -> pd.DataFrame:
    rows = [[_cell(value) for value in row] for row in _sheet(path)]
    names, start = (header, 1) if header else ([name.strip() for name in rows[0]], 2)
    body = rows if header else rows[1:]
    frame = pd.DataFrame([row[: len(names)] for row in body], columns=names, dtype="str")
    return _numbered(frame.where(frame != ""), start)


def _sheet(path: Path) -> Iterator[tuple]:
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(path.name, f"is not a workbook: {type(error).__name__}", "save it again as XLSX or CSV") from None
    yield from book.worksheets[0].iter_rows(values_only=True)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _numbered(frame: pd.DataFrame, start: int) -> pd.DataFrame:
    frame[ROW] = range(start, start + len(frame))
    return frame.dropna(how="all", subset=[name for name in frame.columns if name != ROW]).reset_index(drop=True)
