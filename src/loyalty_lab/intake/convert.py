"""From cells of text to typed columns of ours, inside the database: what is plain by its own functions, the rest cell by cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from loyalty_lab import tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import cells, fields, words
from loyalty_lab.intake.formats import Profile
from loyalty_lab.intake.reading import ROW, Staged, quoted
from loyalty_lab.intake.report import UNIT, Report

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.shop import ShopSettings, Source

CELLS, RAW, TYPED = "cells", "raw", "typed"
FEW_ROWS = 1_000
FEW_UNREADABLE = 0.01
FIRST_YEAR, LAST_YEAR = 1970, 2089
SQL_TYPES = {
    "id": "varchar", "text": "varchar", "choice": "varchar", "moment": "timestamp", "money": "bigint", "number": "double",
    "whole": "bigint", "flag": "boolean",
}  # fmt: skip
FRAME_TYPES = {"moment": "datetime64[us]", "money": "Int64", "number": "float64", "whole": "Int64", "flag": "boolean"}
ISO = r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?"
ISO_AT = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d ?([+-]\d\d:?\d\d|Z|UTC)"
PLAIN = {".": r"-?\d{1,13}(\.\d{1,4})?", ",": r"-?\d{1,13}(,\d{1,4})?"}
SURE_POINT = r"-?\d+\.\d{1,2}"


@dataclass
class Typing:
    """One export on its way: which of its columns are mapped, and what must be known to read them."""

    db: duckdb.DuckDBPyConnection
    file: str
    table: str
    source: Source
    form: Profile
    settings: ShopSettings
    report: Report
    columns: dict[str, list[str]] = field(default_factory=dict)
    joins: list[str] = field(default_factory=list)

    @property
    def kinds(self) -> dict[str, str]:
        known = fields.kinds(self.table)
        return {name: known[name] for name in self.columns}

    def cells(self, ours: str, where: str = "true") -> list[str]:
        """Different cells of a column."""
        name = quoted(ours)
        return [cell for (cell,) in self.db.execute(f"select distinct {name} from {RAW} where {name} is not null and {where}").fetchall()]

    def where(self, ours: str) -> str:
        return f"{self.file}, column {' + '.join(map(repr, self.columns[ours]))}"


def columns_of(staged: Staged, form: Profile, source: Source, file: str) -> dict[str, list[str]]:
    """Return which of the file's columns is which of ours, after checking that what is needed is there.

    Raises
    ------
    InputError
        If a mapped column is missing or only guessed, or something required is not mapped.
    """
    mapping = source.columns or _known_columns(staged, form, source.table)
    known = fields.kinds(source.table)
    for ours, theirs in mapping.items():
        _check_mapped(ours, [theirs] if isinstance(theirs, str) else theirs, known, staged, file)
    done_without = frozenset(
        name for name in ("order_id", "net_amount") if form.header and not source.columns and name not in _replaced(form)
    )
    missing = fields.lacking(source.table, form.grain, set(mapping), done_without)
    if missing:
        remedy = "add it, or map it under [sources.columns] in shop.toml"
        raise InputError(file, f"lacks the required column {missing}; it has {staged.names}", remedy)
    return {ours: [theirs] if isinstance(theirs, str) else list(theirs) for ours, theirs in mapping.items()}


def _replaced(form: Profile) -> set[str]:
    """What a format's columns tell, with net_amount standing for any amount."""
    told = set(form.columns)
    return told | ({"net_amount"} if told & {*fields.AMOUNTS, *fields.LINE_AMOUNTS} else set())


def _known_columns(staged: Staged, form: Profile, table: str) -> dict[str, list[str]]:
    if not form.header:
        return {name: [name] for name in staged.names if name in fields.kinds(table)}
    spelt = form.found_in(staged.names)
    allowed = fields.kinds(table)
    listed = {ours: [theirs] if isinstance(theirs, str) else theirs for ours, theirs in form.columns.items() if ours in allowed}
    return {ours: found for ours, theirs in listed.items() if (found := [spelt[name] for name in theirs if name in spelt])}


def _check_mapped(ours: str, theirs: list[str], known: dict[str, str], staged: Staged, file: str) -> None:
    if ours not in known:
        raise InputError("shop.toml", f"{file}: there is no column {ours!r} of ours to map", f"use one of: {', '.join(known)}")
    for name in theirs:
        if name.startswith("?"):
            what = f"{file}: the column for {ours!r} is only guessed: {name!r}"
            raise InputError("shop.toml", what, "take the question mark away, or name the right column")
        if name not in staged.names:
            raise InputError(
                file, f"has no column {name!r} (for {ours!r}); it has {staged.names}", "correct [sources.columns] in shop.toml"
            )


def load(work: Typing, staged: Staged) -> None:
    """Read the mapped columns of an export, every cell as text.

    Raises
    ------
    InputError
        If there are no rows.
    """
    packed = work.form.packed
    chosen = ", ".join(f"{_joined(theirs, work.kinds[ours], ours, packed)} as {quoted(ours)}" for ours, theirs in work.columns.items())
    row = f"rowid + {staged.skip + 1} as {ROW}, " if staged.lines is not None else ""
    work.db.execute(f"create or replace table {CELLS} as select {'' if row else f'{ROW}, '}{chosen} from {staged.rows}")
    work.db.execute(f"create or replace temp view {RAW} as select {row}* from {CELLS}")
    if not work.db.execute(f"select count(*) from {RAW}").fetchone()[0]:
        raise InputError(work.file, "is empty: it holds a header and no rows", "export it again")


def make_typed(work: Typing) -> None:
    """Make the table `TYPED` of what was loaded: `ROW`, `unreadable`, and every mapped column in its type.

    Money becomes integer ten-thousandths, moments lie in the shop's zone.

    Raises
    ------
    InputError
        If a needed cell cannot be read in a small file, or in more than 1% of a large one; if dates or numbers
        can be read in two ways and the shop has not said which.
    """
    db = work.db
    work.joins.clear()
    decided = _decisions(work)
    inner = ", ".join(
        f"{_typed(work, ours, kind, decided)} as {quoted(ours)}, raw.{quoted(ours)} as {_told(ours)}" for ours, kind in work.kinds.items()
    )
    names, unread = ", ".join(map(quoted, work.columns)), _unread(work)
    flags = ", ".join(f"{wrong} as {_flag(ours)}" for ours, wrong in unread.items())
    unreadable = " or ".join(unread[ours] for ours in _needed(work)) or "false"
    read = f"select raw.{ROW}, {inner} from {RAW} as raw {' '.join(work.joins)}"
    db.execute(f"create or replace table {TYPED} as select {ROW}, {names}, {unreadable} as unreadable, {flags} from ({read})")
    _check_readable(work)
    _check_ranges(work)
    _note_repairs(work)
    db.execute(f"drop view {RAW}")
    db.execute(f"drop table {CELLS}")


def _note_repairs(work: Typing) -> None:
    """Say which identifiers a spreadsheet had changed: a point and a nought behind them, an apostrophe before."""
    for ours in (name for name, kind in work.kinds.items() if kind == "id"):
        name = quoted(ours)
        both = f"{TYPED} as t join {RAW} as raw using ({ROW})"
        changed = f"select count(*), min(raw.{name}) from {both} where t.{name} <> raw.{name}"
        count, example = work.db.execute(changed).fetchone()
        if count:
            work.report.warn("repaired_ids", n=count, file=work.file, column=work.columns[ours][0], example=example[:40])


def _joined(theirs: list[str], kind: str, ours: str, packed: dict[str, str]) -> str:
    """One cell of several: parts of a moment, a name or an address are joined, else the first that holds something counts."""
    parts = [_unpacked(f"nullif(trim({quoted(name)}), '')", packed.get(name)) for name in theirs]
    several = len(parts) > 1 and (kind == "moment" or ours in ("name", "address"))
    cell = f"nullif(concat_ws(' ', {', '.join(parts)}), '')" if several else f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]
    if kind == "choice":
        return cell
    if kind == "text":
        return f"translate({cell}, '\t\r\n\u00a0', '    ')"
    missing = words.missing() - {""}
    listed = ", ".join(f"'{word}'" for word in sorted(missing))
    return f"case when length({cell}) <= {max(map(len, missing))} and lower({cell}) in ({listed}) then null else {cell} end"


def _unpacked(cell: str, pattern: str | None) -> str:
    """The sum of the amounts that a cell packs into a text."""
    if pattern is None:
        return cell
    return f"cast(list_sum(cast(regexp_extract_all({cell}, '{pattern}', 1) as decimal(18, 4)[])) as varchar)"


def _decisions(work: Typing) -> dict[str, str | None]:
    """The decimal sign and the order of dates, column by column; what one column leaves open the rest of the file decides."""
    ask_decimal, ask_order = 'decimal = "." or ","', 'date_order = "dmy" or "mdy"'
    numeric = [ours for ours, kind in work.kinds.items() if kind in ("money", "number", "whole")]
    dated = [ours for ours, kind in work.kinds.items() if kind == "moment"]
    given = work.source.date_order or work.form.date_order
    signs = _decide(work, numeric, work.source.decimal, partial(_decimal_evidence, work), ask_decimal)
    orders = _decide(work, dated, given, partial(_date_evidence, work), ask_order)
    return signs | orders


def _decide(work: Typing, columns: list[str], given: str | None, weigh: Callable[[str], cells.Evidence], ask: str) -> dict[str, str | None]:
    if given:
        return dict.fromkeys(columns, given)
    weighed = {ours: weigh(ours) for ours in columns}
    decided = {evidence.decided for evidence in weighed.values()} - {None}
    file_wide = decided.pop() if len(decided) == 1 else None
    return {ours: cells.settled(evidence, work.where(ours), ask, file_wide) for ours, evidence in weighed.items()}


def _decimal_evidence(work: Typing, ours: str) -> cells.Evidence:
    name = quoted(ours)
    sure = work.db.execute(f"select min({name}) from {RAW} where regexp_full_match({name}, $sure)", {"sure": SURE_POINT}).fetchone()[0]
    rest = work.cells(ours, f"regexp_matches({name}, '[.,٫]') and not regexp_full_match({name}, '{SURE_POINT}')")
    return cells.decimal_evidence([*([sure] if sure else []), *rest])


def _date_evidence(work: Typing, ours: str) -> cells.Evidence:
    name = quoted(ours)
    starts = f"select distinct substr({name}, 1, 10) from {RAW} where {name} is not null and not regexp_matches({name}, '^\\d{{4}}')"
    return cells.date_evidence(sorted(cell for (cell,) in work.db.execute(starts).fetchall()))


def _typed(work: Typing, ours: str, kind: str, decided: dict[str, str | None]) -> str:
    """The SQL that makes one column of ours."""
    name = f"raw.{quoted(ours)}"
    if kind == "id":
        bare = f"case when regexp_matches({name}, '^''[\\d+]') then substr({name}, 2) else {name} end"
        cleaned = f"regexp_replace({bare}, '^(\\d+)\\.0+$', '\\1')"
        guests = ", ".join(f"'{guest}'" for guest in work.form.guests)
        return f"case when {cleaned} in ({guests}) then null else {cleaned} end" if guests and ours == "customer_id" else cleaned
    if kind == "text":
        return name
    if kind == "choice":
        return f"lower({name})"
    if kind == "moment":
        return _moment(work, ours, decided[ours])
    if kind == "flag":
        return _looked_up(work, ours, kind, "false", "null", cells.flag)
    return _number(work, ours, kind, decided[ours] or ".")


def _number(work: Typing, ours: str, kind: str, decimal: str) -> str:
    """Plain numbers by the database, the others by `cells.number`."""
    name = f"raw.{quoted(ours)}"
    exact = f"try_cast(replace({name}, ',', '.') as decimal(18, 4))"
    by_database = f"cast({exact} * {UNIT} as bigint)" if kind == "money" else f"cast({exact} as {SQL_TYPES[kind]})"

    def read(cell: str) -> Any:
        value = cells.number(cell, decimal)
        if value is None or (kind == "whole" and value != value.to_integral_value()):
            return None
        return round(value * UNIT) if kind == "money" else int(value) if kind == "whole" else float(value)

    plain = r"-?\d{1,15}" if kind == "whole" else PLAIN[decimal]
    return _looked_up(work, ours, kind, f"regexp_full_match({name}, '{plain}')", by_database, read)


def _moment(work: Typing, ours: str, order: str | None) -> str:
    """ISO moments by the database (an offset is turned into the shop's zone), the others by `cells.moment`."""
    name, shop_zone = f"raw.{quoted(ours)}", work.settings.timezone
    naive_zone = work.form.zone or shop_zone
    local = f"try_cast(replace({name}, 'T', ' ') as timestamp)"
    offset = f"regexp_extract({name}, '([+-]\\d\\d):?(\\d\\d)$', 1) || ':' || regexp_extract({name}, '([+-]\\d\\d):?(\\d\\d)$', 2)"
    zoned = f"try_cast(substr({name}, 1, 19) || coalesce(nullif({offset}, ':'), '+00:00') as timestamptz)"
    in_zone = f"timezone('{shop_zone}', {zoned})"
    own = local if naive_zone == shop_zone else f"timezone('{shop_zone}', timezone('{naive_zone}', {local}))"
    plain = f"regexp_full_match({name}, '{ISO}') or regexp_full_match({name}, '{ISO_AT}')"
    by_database = f"case when regexp_full_match({name}, '{ISO}') then {own} else {in_zone} end"
    read = partial(cells.moment, order=order, zone=ZoneInfo(shop_zone), naive=ZoneInfo(naive_zone))
    found = _looked_up(work, ours, "moment", plain, by_database, read)
    return f"case when year({found}) between {FIRST_YEAR} and {LAST_YEAR} then {found} end"


def _looked_up(work: Typing, ours: str, kind: str, plain: str, by_database: str, read: Callable[[str], Any]) -> str:
    """Let the database read what is plain; read every other different cell once, and look it up."""
    name = quoted(ours)
    odd = work.cells(ours, f"not ({plain.replace('raw.', '')})")
    if not odd:
        return by_database if kind != "flag" else "cast(null as boolean)"
    import pandas as pd

    table = f"map_{len(work.joins)}"
    values = pd.Series([read(cell) for cell in odd], dtype=FRAME_TYPES[kind])
    work.db.register("odd_cells", pd.DataFrame({"cell": pd.Series(odd, dtype="object"), "value": values}))
    work.db.execute(f"create or replace temp table {table} as select cell, cast(value as {SQL_TYPES[kind]}) as value from odd_cells")
    work.db.unregister("odd_cells")
    work.joins.append(f"left join {table} on {table}.cell = raw.{name}")
    return f"case when {plain} then {by_database} else {table}.value end"


def _needed(work: Typing) -> list[str]:
    """Return the mapped columns without which a row means nothing."""
    if work.table == "orders" and work.form.grain == "line":
        return [name for name in ("order_id", "ordered_at", "quantity", "unit_price", "line_amount") if name in work.columns]
    if work.table in ("orders", "order_lines"):
        return [name for name in ("order_id", "ordered_at", *fields.AMOUNTS, *fields.LINE_AMOUNTS, "quantity") if name in work.columns]
    required = tables.SCHEMAS[work.table].required
    return [name for name in required if name in work.columns and name != "customer_id"]


def _told(ours: str) -> str:
    return quoted(f"told {ours}")


def _flag(ours: str) -> str:
    return quoted(f"unread {ours}")


def _unread(work: Typing) -> dict[str, str]:
    """Whether a cell could not be read; a needed one may not be empty either, but for the lines of an order told once."""
    may_be_empty = work.table == "orders" and work.form.grain == "line"
    never_empty = set() if may_be_empty else set(_needed(work))
    return {
        ours: f"({quoted(ours)} is null)" if ours in never_empty else f"({quoted(ours)} is null and {_says(work, ours)})"
        for ours in work.columns
    }


def _says(work: Typing, ours: str) -> str:
    """Whether a cell should have been read; a number that stands for a guest is left out on purpose."""
    guests = ", ".join(f"'{guest}'" for guest in work.form.guests)
    return f"{_told(ours)} " + (f"not in ({guests})" if guests and ours == "customer_id" else "is not null")


def _check_readable(work: Typing) -> None:
    """Say which cells could not be read; refuse the file where they are needed and more than a few."""
    totals = _total_lines(work)
    counts = ", ".join(f"count(*) filter (where {_flag(ours)} and {totals})" for ours in work.columns)
    rows, *found = work.db.execute(f"select count(*), {counts} from {TYPED}").fetchone()
    must = _needed(work)
    for ours, count in zip(work.columns, found, strict=True):
        if count and ours not in must:
            example = work.db.execute(f"select min(raw.{quoted(ours)}) {_unread_cells(ours)}").fetchone()[0]
            work.report.warn("unread_cells", n=count, file=work.file, column=work.columns[ours][0], example=str(example)[:40])
        elif count and (rows < FEW_ROWS or count > FEW_UNREADABLE * rows):
            _refuse(work, ours, count, totals)
        work.db.execute(f"alter table {TYPED} drop column {_flag(ours)}")


def _unread_cells(ours: str) -> str:
    return f"from {TYPED} as t join {RAW} as raw using ({ROW}) where t.{_flag(ours)}"


def _total_lines(work: Typing) -> str:
    """SQL for the rows that are none of these: rows of a sheet of orders without a day, in which some cell is the word for a total.

    They are set apart as unreadable and are no reason to refuse a sheet, whose last row is often one.
    """
    if work.table != "orders" or work.form.grain == "line" or "ordered_at" not in work.columns:
        return "true"
    undated = f"select raw.* from {RAW} as raw join {TYPED} as t using ({ROW}) where t.ordered_at is null limit {FEW_ROWS}"
    rows = work.db.execute(undated).fetchall()
    found = [str(row[0]) for row in rows if any(words.fold(str(cell)) in words.totals() for cell in row[1:] if cell is not None)]
    return f"{ROW} not in ({', '.join(found)})" if found else "true"


def _refuse(work: Typing, ours: str, count: int, kept: str) -> None:
    first = f"select {ROW}, raw.{quoted(ours)} {_unread_cells(ours)} and {kept} order by {ROW} limit 1"
    row, cell = work.db.execute(first).fetchone()
    holds = "nothing" if cell is None else repr(cell[:60])
    more = f" (and {count - 1} more rows)" if count > 1 else ""
    what = f"column {work.columns[ours][0]!r} holds {holds}, which cannot be read{more}"
    raise InputError(f"{work.file}, row {row}", what, "correct it in the export, or map another column")


def _check_ranges(work: Typing) -> None:
    """Blank what lies outside a column's range or vocabulary, and say so."""
    for column in tables.SCHEMAS[work.table].columns:
        if column.name not in work.columns:
            continue
        name, limits = quoted(column.name), []
        if column.choices:
            limits.append(f"{name} not in ({', '.join(repr(choice) for choice in column.choices)})")
        limits += [f"{name} < {column.low}"] if column.low is not None else []
        limits += [f"{name} > {column.high}"] if column.high is not None else []
        if not limits:
            continue
        outside = " or ".join(limits)
        count, example = work.db.execute(f"select count(*), min({name}) from {TYPED} where {outside}").fetchone()
        if count:
            work.report.warn("out_of_range", n=count, file=work.file, column=column.name, example=str(example)[:40])
            work.db.execute(f"update {TYPED} set {name} = null where {outside}")
