"""Files to tables of text: kind, encoding, delimiter and header decided per file, every cell kept as it stands, in bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from loyalty_lab.errors import InputError
from loyalty_lab.intake import encodings

if TYPE_CHECKING:
    from loyalty_lab.intake.formats import Profile

ROW = "__row__"
DELIMITERS = {"blanks": None, "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
HEAD_BYTES = 1 << 18
LONGEST_CELL = 1 << 27
ZIP, GZIP, OLD_EXCEL = b"PK\x03\x04", b"\x1f\x8b", b"\xd0\xcf\x11\xe0"
BLANK_LINE = re.compile(rb"\n\r?\n")
csv.field_size_limit(LONGEST_CELL)


@dataclass(frozen=True)
class Export:
    """One file and how it is read: its kind, encoding, delimiter (None: blanks) and first rows."""

    path: Path
    kind: str
    encoding: str
    delimiter: str | None
    head: list[list[str]]

    def open(self) -> IO[bytes]:
        return _opened(self.path)


def look(path: Path, given_encoding: str | None = None) -> Export:
    """Look at an export: what kind of file it is, and its first rows.

    Raises
    ------
    InputError
        If it is missing, empty, a folder, not a table, or its encoding must be asked for.
    """
    try:
        return _look(path, given_encoding)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(path.name, f"is a damaged zip: {error}", "export or copy it again") from None


def _look(path: Path, given_encoding: str | None) -> Export:
    kind = _kind(path)
    if kind == "xlsx":
        head = [cells for _, cells in zip(range(20), (row for _, row in _sheet_rows(path)), strict=False)]
        export = Export(path, kind, "", None, head)
    else:
        encoding = encodings.decide(path, partial(_opened, path), given_encoding)
        with _opened(path) as file, io.TextIOWrapper(file, encoding=encoding, newline="") as text:
            start = text.read(HEAD_BYTES)
        mark = delimiter(start)
        export = Export(path, kind, encoding, mark, _first_rows(start, mark))
    if not any(any(cell.strip() for cell in row) for row in export.head):
        raise InputError(path.name, "is empty", "export it again")
    return export


def _kind(path: Path) -> str:
    """Tell by its first bytes, not by its name, what a file is."""
    if path.is_dir():
        raise InputError(str(path), "is a folder, not a file", "name the export inside it")
    if not path.is_file():
        raise InputError(str(path), "there is no such file", "correct the path")
    with _opened(path) as file:
        start = file.read(4096)
    if start.startswith(ZIP):
        return "xlsx"
    if start.startswith(OLD_EXCEL):
        raise InputError(path.name, "is an old Excel file", "save it again as XLSX or CSV")
    signs = sum(byte < 9 or 13 < byte < 32 for byte in start)
    if start[:2] not in encodings.MARKS and (b"\x00\x00" in start or signs > len(start) // 20):
        raise InputError(path.name, "is not a table: it holds bytes that are no text", "export it again as CSV or XLSX")
    return "csv"


def _opened(path: Path) -> IO[bytes]:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP
        return gzip.open(path) if zipped else path.open("rb")
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}", "make the file readable") from None


def delimiter(start: str) -> str | None:
    """Decide what parts the cells, from the first lines; None stands for blanks.

    Examples
    --------
    >>> delimiter('a;b;c\\n1;"2,5";3'), delimiter(" 00001 19970101  1   11.77"), delimiter("a\\tb,c")
    (';', None, '\\t')
    """
    lines = [re.sub(r'"[^"]*"', "", line) for line in start.splitlines()[:20] if line.strip()]
    counted = {mark: min((line.count(mark) for line in lines[:1]), default=0) for mark in (";", "\t", "|", ",")}
    best = max(counted, key=lambda mark: counted[mark])
    if counted[best]:
        return "\t" if counted["\t"] else best
    return None if lines and len(lines[0].split()) > 2 else ","


def _first_rows(start: str, mark: str | None) -> list[list[str]]:
    lines = start.splitlines(keepends=True)
    if mark is None:
        return [line.split() for line in lines[:20] if line.strip()]
    rows = csv.reader(io.StringIO(start.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")), delimiter=mark)
    try:
        return [row for _, row in zip(range(20), rows, strict=False)]
    except csv.Error as error:
        raise InputError("export", f"is not a table: {error}", "export it again as CSV or XLSX") from None


@dataclass(frozen=True)
class Staged:
    """An export the database can read: its columns by name, and SQL for its rows, every cell as text, empty ones missing.

    `lines` is how many lines the file has, where it is read as it stands; its rows then carry no number of their
    own, for counting while reading would keep the database from reading with all its threads.
    """

    names: list[str]
    rows: str
    skip: int
    lines: int | None = None

    @property
    def numbered(self) -> str:
        """SQL for the rows with their number in the file as `ROW`."""
        return self.rows if self.lines is None else f"(select row_number() over () + {self.skip} as {ROW}, * from {self.rows})"


def stage(export: Export, form: Profile, place: Path) -> Staged:
    """Make an export readable by the database.

    A tidy file is read by the database itself; one that needs care (another encoding, blank lines, blanks
    between the cells, a workbook) is first written out tidily, row by row.

    Parameters
    ----------
    export : Export
    form : Profile
        Says whether there is a header, and which of the first rows it is.
    place : pathlib.Path
        Where a tidy copy may be written.

    Raises
    ------
    InputError
        If the file holds no rows, a quote is never closed, or a row has more cells than the header.
    """
    names, skip = header_of(export, form)
    lines = _tidy_lines(export)
    if lines is None or any("\n" in cell for row in export.head[:skip] for cell in row):
        return stage_with_care(export, form, place)
    return Staged(names, _relation(export.path, names, skip, export.delimiter), skip, lines)


def stage_with_care(export: Export, form: Profile, place: Path, said: str = "") -> Staged:
    """Write an export out tidily; `said` is why the database could not read it as it stands, which may be the end of it."""
    _refuse_if_hopeless(export, said)
    names, skip = header_of(export, form)
    _write_tidily(export, names, skip, place)
    return Staged(names, _relation(place, [ROW, *names], 0, ","), skip)


def rows_at(export: Export, staged: Staged, numbers: set[int]) -> Iterator[tuple[int, list[str]]]:
    """Return the rows of these numbers from a file whose lines are its rows."""
    with export.open() as file:
        for number, line in enumerate(file, start=1):
            if number in numbers:
                yield number, next(csv.reader([line.decode("utf-8")], delimiter=export.delimiter))


def header_of(export: Export, form: Profile) -> tuple[list[str], int]:
    """Return the names of the columns, and how many rows come before the first one with data."""
    if not form.header_row:
        return list(form.header), 0
    at = next((at for at, row in enumerate(export.head) if form.fits(row)), 0) if form.header else 0
    names: list[str] = []
    for place, name in enumerate(export.head[at], start=1):
        name = " ".join(name.replace("\ufeff", "").split()) or f"column {place}"
        names.append(name if name not in names else f"{name} ({names.count(name) + 1 + place})")
    return names, at + 1 + form.more_header_rows


def _tidy_lines(export: Export) -> int | None:
    """How many lines a file has that the database may read itself, numbering its rows as they stand in it; None if it may not."""
    if export.kind != "csv" or export.delimiter is None or export.encoding != "utf-8-sig":
        return None
    quotes, lines, last = 0, 0, b"\n"
    with export.open() as file:
        for part in encodings.chunks(file):
            seen = last + part
            if b"\x00" in part or seen.count(b"\r") > seen.count(b"\r\n") + seen.endswith(b"\r") or _blank_line(seen, quotes):
                return None
            last = part[-2:]
            quotes += seen.count(b'"') - last.count(b'"')
            lines += part.count(b"\n")
    return None if last.endswith(b"\r") else lines + (not last.endswith(b"\n"))


def _blank_line(seen: bytes, quotes_before: int) -> bool:
    """Whether a line is empty that does not stand inside quotes: the database would leave it out uncounted."""
    return any((quotes_before + seen.count(b'"', 0, found.start())) % 2 == 0 for found in BLANK_LINE.finditer(seen))


def _relation(path: Path, names: list[str], skip: int, mark: str) -> str:
    """SQL for the rows of a tidy file."""
    columns = ", ".join(f"'c{at}': 'varchar'" for at in range(len(names)))
    chosen = [f"cast(c{at} as bigint) as {ROW}" if name == ROW else f"c{at} as {quoted(name)}" for at, name in enumerate(names)]
    options = "header = false, auto_detect = false, quote = '\"', escape = '\"', nullstr = '', max_line_size = 2097152"
    where = str(path).replace("'", "''")
    with path.open("rb") as file:
        zipped = "gzip" if file.read(2) == GZIP else "none"
    text = f"read_csv('{where}', columns = {{{columns}}}, skip = {skip}, delim = '{mark}', compression = '{zipped}', {options})"
    return f"(select {', '.join(chosen)} from {text})"


def _refuse_if_hopeless(export: Export, said: str) -> None:
    line = re.search(r"CSV Error on Line: (\d+)", said)
    where = f"{export.path.name}, row {line[1]}" if line else export.path.name
    if "unterminated quote" in said:
        raise InputError(where, 'a quote (") is opened and never closed', "export it again, or correct that row") from None


def _write_tidily(export: Export, names: list[str], skip: int, tidy: Path) -> None:
    """Write an export out as a CSV without surprises, each row with its number."""
    written = 0
    with tidy.open("w", encoding="utf-8", newline="") as file:
        write = csv.writer(file, lineterminator="\n").writerow
        for number, cells in _rows(export):
            if number > skip and any(cell.strip() for cell in cells):
                fitted = _fitted(cells, len(names), export.path.name, number)
                write([number, *(cell.replace("\r\n", "\n").replace("\r", "\n") if "\r" in cell else cell for cell in fitted)])
                written += 1
    if not written:
        raise InputError(export.path.name, "is empty: it holds a header and no rows", "export it again")


def _fitted(cells: list[str], width: int, file: str, number: int) -> list[str]:
    """Pad a short row; more cells than the header has may only be empty ones."""
    if len(cells) == width:
        return cells
    if any(cell.strip() for cell in cells[width:]):
        raise InputError(f"{file}, row {number}", f"has {len(cells)} cells, the header {width}", "correct the row, or the quotes in it")
    return cells[:width] + [""] * (width - len(cells))


def _rows(export: Export) -> Iterator[tuple[int, list[str]]]:
    """All rows with their number in the file; the first row is 1."""
    if export.kind == "xlsx":
        yield from _sheet_rows(export.path)
        return
    with export.open() as file, io.TextIOWrapper(file, encoding=export.encoding, newline="" if export.delimiter else None) as text:
        lines = (line.replace("\x00", "") for line in text)
        rows = (line.split() for line in lines) if export.delimiter is None else csv.reader(lines, delimiter=export.delimiter, strict=True)
        with _refusing(export.path.name):
            yield from enumerate(rows, start=1)


@contextmanager
def _refusing(name: str):
    try:
        yield
    except csv.Error as error:
        what = 'a quote (") is opened and never closed' if "end of data" in str(error) else f"is not a table: {error}"
        raise InputError(name, what, "export it again as CSV or XLSX") from None


def _sheet_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows of the first sheet that holds any."""
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # openpyxl raises whatever its parts raise
        raise InputError(path.name, f"is not a workbook: {type(error).__name__}", "save it again as XLSX or CSV") from None
    try:
        sheet = next(
            (sheet for sheet in book.worksheets if any(_filled(row) for row in sheet.iter_rows(max_row=5, values_only=True))), None
        )
        if sheet is not None:
            yield from ((number, [_cell(value) for value in row]) for number, row in enumerate(sheet.iter_rows(values_only=True), start=1))
    finally:
        book.close()


def _filled(row: Iterable[object]) -> bool:
    return any(value not in (None, "") for value in row)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def quoted(name: str) -> str:
    """Write a name as SQL does, whatever it holds.

    Examples
    --------
    >>> print(quoted("net sales"))
    "net sales"
    """
    return '"' + name.replace('"', '""') + '"'
