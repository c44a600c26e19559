"""Exports to typed tables: file by file into the database, stream by stream to what counts, at last to Parquet."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loyalty_lab import database, tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import convert, fields, reading, sales
from loyalty_lab.intake.formats import Profile, profile
from loyalty_lab.intake.identities import People, pseudonym
from loyalty_lab.intake.others import make_other
from loyalty_lab.intake.people import SEQ
from loyalty_lab.intake.reading import ROW, quoted
from loyalty_lab.intake.report import UNIT, InputFile, Report, TableReport

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.shop import ShopSettings, Source

ROWS_A_FILE = 1 << 32
MEMORY = "800MB"
ALWAYS = ("order_id", "ordered_at", "net_amount", "gross_amount", "discount_amount", "refund_amount")
QUARANTINE_COLUMNS = ("table", "file", "row", "reason", "cells")
PERSONAL = ("name", "email", "phone", "address")
DETAILS = (
    "create table if not exists details (person varchar, place bigint, seq bigint, "
    + ", ".join(f"{name} varchar" for name in PERSONAL)
    + ")"
)
IDENTITY_COLUMNS = ("customer_id", "merged_id", *PERSONAL, "merged_into")


@dataclass
class Stream:
    """The files of one kind: read alike, and one after the other."""

    table: str
    source: Source
    form: Profile
    files: list[tuple[int, Path]] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)


@dataclass
class Assembly:
    """What is needed to put a shop's exports together, and what has been found so far."""

    db: duckdb.DuckDBPyConnection
    settings: ShopSettings
    people: People
    place: Path
    report: Report = field(default_factory=Report)
    made: dict[str, list[str]] = field(default_factory=dict)
    staged: dict[int, tuple[reading.Export, reading.Staged, int]] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


def opened(place: Path) -> duckdb.DuckDBPyConnection:
    """Open a database in memory that spills to disk above its limit, whatever the size of an export."""
    return database.opened(memory_limit=MEMORY, temp_directory=str(place / "spill"), preserve_insertion_order=True)


def assemble(work: Assembly, files: list[tuple[Source, Path]], hashes: dict[Path, str]) -> None:
    """Read every export and make `made_<table>_<n>` in the database for each table of the shop.

    Raises
    ------
    InputError
        If an export cannot be read or understood; nothing outside the database is written.
    """
    streams = _streams(files)
    for stream in streams:
        for number, path in stream.files:
            _take(work, stream, number, path, hashes[path])
    work.db.execute("create temp table lines_told as select cast(null as varchar) as order_id, cast(null as bigint) as net where false")
    work.db.execute("create temp table placed (order_id varchar, person varchar)")
    explicit_lines = any(stream.table == "order_lines" for stream in streams)
    for stream in sorted(streams, key=lambda each: each.table != "order_lines"):
        _make(work, stream, explicit_lines)
    work.report.bridge.customers = len({work.people.final(person) for person in _buyers(work)})
    if "orders" not in work.made or not work.report.bridge.orders:
        _refuse_nothing(work)


def _streams(files: list[tuple[Source, Path]]) -> list[Stream]:
    found: dict[tuple, Stream] = {}
    for number, (source, path) in enumerate(files, start=1):
        key = (source.table, source.profile, repr(sorted(source.columns.items())), source.keep_unpaid)
        found.setdefault(key, Stream(source.table, source, profile(source.profile))).files.append((number, path))
        if found[key].form.refuse:
            raise InputError(path.name, found[key].form.refuse, "export something that names the buyer")
    return list(found.values())


def _take(work: Assembly, stream: Stream, number: int, path: Path, sha256: str) -> None:
    """Stage and type one file: the table `typed_<n>`."""
    source = stream.source
    export = reading.look(path, source.encoding)
    staged = reading.stage(export, stream.form, work.place / f"tidy_{number}.csv")
    typing = convert.Typing(work.db, path.name, stream.table, source, stream.form, work.settings, work.report)
    typing.columns = convert.columns_of(staged, stream.form, source, path.name)
    stream.columns |= set(typing.columns)
    staged = _loaded(typing, export, staged, work.place / f"tidy_{number}.csv")
    convert.make_typed(typing)
    rows = work.db.execute(f"select count(*) from {convert.TYPED}").fetchone()[0]
    work.report.files.append(InputFile(name=path.name, sha256=sha256, rows=rows))
    work.report.tables.setdefault(stream.table, TableReport()).rows_in += rows
    work.db.execute(f"alter table {convert.TYPED} rename to typed_{number}")
    work.staged[number] = (export, staged, rows)
    if not source.encoding and export.encoding not in ("", "utf-8-sig", "utf-16"):
        work.report.warn("encoding", file=path.name, encoding=export.encoding)


def _loaded(typing: convert.Typing, export: reading.Export, staged: reading.Staged, place: Path) -> reading.Staged:
    """Load an export; one that the database cannot read as it stands is read with care."""
    import duckdb

    try:
        convert.load(typing, staged)
    except duckdb.InvalidInputException as error:
        staged = reading.stage_with_care(export, typing.form, place, str(error))
        convert.load(typing, staged)
    return staged


def _make(work: Assembly, stream: Stream, explicit_lines: bool) -> None:
    """Judge the rows of one stream and keep what counts."""
    db, first = work.db, stream.files[0][0]
    placed = f"* {ROWS_A_FILE} + {ROW} as {SEQ}, {ROW} as row, * exclude ({ROW})"
    parts = [f"select {number} {placed}, {number - first + 1} as file from typed_{number}" for number, _ in stream.files]
    db.execute(f"create or replace temp view part as {' union all by name '.join(parts)}")
    for warning in stream.form.warnings:
        work.report.warn(warning, file=stream.files[0][1].name)
    if stream.table == "orders":
        form, columns = stream.form, frozenset(stream.columns)
        sold = sales.Sales(db, "part", columns, form, work.settings.currency, len(stream.files), stream.source.keep_unpaid)
        sales.make_orders(sold, work.people, work.report)
        for number, _ in stream.files:
            db.execute(f"drop table typed_{number}")
        _warn_of_totals(work, stream)
        db.execute("insert into placed select order_id, person from orders_made where person is not null")
        _keep(work, "orders", "orders_made", {*ALWAYS, *stream.columns})
        if not explicit_lines and db.execute("select count(*) from lines_made").fetchone()[0]:
            _keep(work, "order_lines", "lines_made", {column.name for column in tables.SCHEMAS["order_lines"].columns})
    else:
        make_other(db, stream.table, stream.columns, len(stream.files), work.people)
        if stream.table == "order_lines":
            db.execute("insert into lines_told select order_id, cast(net_amount as bigint) from other_made where gone = ''")
        made = {column.name for column in tables.SCHEMAS[stream.table].columns if column.required} | stream.columns
        _keep(work, stream.table, "other_made", made | {name for name in ("first_reply_at", "resolved_at") if stream.table == "tickets"})
    _count(work, stream)


def _warn_of_totals(work: Assembly, stream: Stream) -> None:
    """Say what an amount holds that the export does not tell apart."""
    told = stream.columns & {"goods_amount", "net_amount", "gross_amount", *fields.LINE_AMOUNTS}
    if "total_amount" in stream.columns and not told and not stream.form.warnings:
        held = ("shipping_amount",) if stream.form.untaxed else ("tax_amount", "shipping_amount")
        missing = [name for name in held if name not in stream.columns]
        if missing:
            work.report.warn("holds_" + "_and_".join(name.partition("_")[0] for name in missing), file=stream.files[0][1].name)


def _keep(work: Assembly, table: str, relation: str, columns: set[str]) -> None:
    """Copy what counts under a name of its own, with `person` for later."""
    kept = work.made.setdefault(table, [])
    name = f"made_{table}_{len(kept)}"
    wanted = [column for column in tables.SCHEMAS[table].columns if column.name in columns and not column.personal]
    have = {each for (each, *_) in work.db.execute(f"describe {relation}").fetchall()}
    listed = [quoted(column.name) for column in wanted if column.name in have and column.name not in tables.CUSTOMER_COLUMNS]
    people = [each for each in ("person", *(f"{column}_person" for column in tables.CUSTOMER_COLUMNS)) if each in have]
    seq = [SEQ] if SEQ in have else []
    count = "where gone = ''" if "gone" in have else ""
    work.db.execute(f"create table {name} as select {', '.join([*listed, *people, *seq])} from {relation} {count}")
    kept.append(name)
    personal = [name for name in PERSONAL if name in have]
    if "person" in have and personal:
        chosen = ", ".join(name if name in personal else f"cast(null as varchar) as {name}" for name in PERSONAL)
        first = 0 if table == "customers" else 1
        work.db.execute(DETAILS)
        work.db.execute(f"insert into details select person, {first}, {SEQ}, {chosen} from {relation} where person is not null")


def _count(work: Assembly, stream: Stream) -> None:
    """Count every row as kept or under one reason, and remember the others for quarantine."""
    count = work.report.tables[stream.table]
    for reason, number in work.db.execute("select gone, count(*) from fate group by gone order by gone").fetchall():
        if reason:
            count.drop(reason, number)
        else:
            count.rows_out += number
    work.db.execute("create table if not exists quarantine (file integer, row bigint, gone varchar)")
    first = stream.files[0][0]
    work.db.execute(f"insert into quarantine select file + {first - 1}, row, gone from fate where gone <> ''")


def _buyers(work: Assembly) -> list[str]:
    found: set[str] = set()
    for name in work.made.get("orders", []):
        found |= {person for (person,) in work.db.execute(f"select distinct person from {name} where person is not null").fetchall()}
    return sorted(found)


def _refuse_nothing(work: Assembly) -> None:
    orders = work.report.tables.get("orders")
    if work.report.bridge.anonymous_orders:
        raise InputError("orders", "name no customer in any row", "map the column that says who bought")
    reasons = ", ".join(f"{number} {reason}" for reason, number in (orders.dropped if orders else {}).items())
    raise InputError(
        "orders", f"hold no order that counts: {reasons or 'there are none'}", "look at the export, or at its status and amounts"
    )


def write_tables(work: Assembly, folder: Path, salt: str) -> dict[str, Path]:
    """Write every table as Parquet, customers under their pseudonyms, and note its days and columns."""
    _names(work, salt)
    paths = {}
    for table, parts in sorted(work.made.items()):
        paths[table] = folder / f"{table}.parquet"
        _write(work, table, parts, paths[table])
        _note(work, table)
    return paths


def _names(work: Assembly, salt: str) -> None:
    """The pseudonym of every person met, also of those merged into another."""
    import pandas as pd

    work.codes = {person: pseudonym(salt, person) for person in work.people.order}
    final = [work.codes[work.people.final(person)] for person in work.codes]
    frame = pd.DataFrame({"person": list(work.codes), "code": final}, dtype="object")
    work.db.register("codes_frame", frame)
    work.db.execute("create table codes as select cast(person as varchar) as person, cast(code as varchar) as code from codes_frame")
    work.db.unregister("codes_frame")


def _write(work: Assembly, table: str, parts: list[str], path: Path) -> None:
    schema, union = tables.SCHEMAS[table], " union all by name ".join(f"select * from {part}" for part in parts)
    have = {name for (name, *_) in work.db.execute(f"describe {union}").fetchall()}
    chosen, joins = [], []
    for column in schema.columns:
        if column.name in tables.CUSTOMER_COLUMNS and (person := _person(column.name, have, table)):
            alias = f"codes_{len(joins)}"
            chosen.append(f"{alias}.code as {quoted(column.name)}")
            joins.append(f"left join codes as {alias} on {alias}.person = {person}")
        elif column.name in have:
            chosen.append(f"{_stored(column)} as {quoted(column.name)}")
    select = f"select {', '.join(chosen)} from ({union}) as made {' '.join(joins)}"
    if table == "customers":
        select = _one_a_customer(select.replace("select ", f"select made.{SEQ}, ", 1), schema)
    work.db.execute(f"create or replace temp table written as {select}")
    order = ", ".join(quoted(name) for name in schema.key)
    copy_atomically(work.db, f"select * from written order by {order}", path)


def _person(column: str, have: set[str], table: str) -> str | None:
    """Whom a column names; who a review, ticket or answer is from may also follow from its order, be it one that was cancelled."""
    if column != "customer_id":
        return f"made.{column}_person" if f"{column}_person" in have else None
    if table in ("orders", "customers") or "order_id" not in have:
        return "made.person" if "person" in have else None
    of_order = "(select min(o.person) from placed as o where o.order_id = made.order_id)"
    return f"coalesce(made.person, {of_order})" if "person" in have else of_order


def _stored(column: tables.Column) -> str:
    name = f"made.{quoted(column.name)}"
    if column.kind == "money":
        return f"cast(cast({name} as decimal(30, 0)) * cast(0.0001 as decimal(5, 4)) as decimal(18, 4))"
    return name


def _one_a_customer(select: str, schema: tables.TableSchema) -> str:
    """Rows of one person become one: the first that says something counts; a refusal anywhere is a refusal."""
    first = "bool_and({0}) as {0}"
    names = ", ".join(
        first.format(column.name) if column.name.startswith("consent") else f"arg_min({column.name}, {SEQ}) as {column.name}"
        for column in schema.columns
        if column.name != "customer_id" and not column.personal and f'"{column.name}"' in select
    )
    return f"select customer_id{', ' + names if names else ''} from ({select}) where customer_id is not null group by customer_id"


def copy_atomically(db: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    """Write a query as Parquet, whole or not at all, for its owner only.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    import duckdb

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db.execute(f"copy ({select}) to '{str(temporary).replace(chr(39), chr(39) * 2)}' (format parquet)")
        temporary.chmod(0o600)
        os.replace(temporary, path)
    except (OSError, duckdb.IOException) as error:
        said = "no space left on the disk" if "No space left" in str(error) else str(error)[:80]
        raise InputError(str(path.parent), f"cannot be written: {said}", "make room there, or let it be written, and run again") from None
    finally:
        temporary.unlink(missing_ok=True)


def _note(work: Assembly, table: str) -> None:
    """Note the days of a table's rows and which of its columns hold anything."""
    told = work.report.tables.get(table) or TableReport()
    names = [name for (name, *_) in work.db.execute("describe written").fetchall()]
    counts = work.db.execute(f"select {', '.join(f'count({quoted(name)})' for name in names)} from written").fetchone()
    told.columns = [name for name, count in zip(names, counts, strict=True) if count]
    event = tables.SCHEMAS[table].event
    if event in told.columns:
        told.first_day, told.last_day = (
            when.date() for when in work.db.execute(f"select min({event}), max({event}) from written").fetchone()
        )
    work.report.tables[table] = told


def write_identities(work: Assembly, path: Path) -> None:
    """Write who is who: pseudonym, merged id, and what is known to reach each person."""
    import pandas as pd

    met = list(work.people.order)
    into = [work.people.merged_into.get(person) for person in met]
    frame = pd.DataFrame({"customer_id": list(work.codes.values()), "merged_id": met, "merged_into": into}, dtype="object")
    work.db.execute(DETAILS)
    finals = pd.DataFrame({"person": met, "final": [work.people.final(person) for person in met]}, dtype="object")
    work.db.register("people_frame", frame)
    work.db.register("finals_frame", finals)
    firsts = ", ".join(f"arg_min(d.{name}, d.place * {ROWS_A_FILE * ROWS_A_FILE // 16} + d.seq) as {name}" for name in PERSONAL)
    chosen = ", ".join(
        f"cast({'p' if name in ('customer_id', 'merged_id', 'merged_into') else 'd'}.{name} as varchar) as {name}"
        for name in IDENTITY_COLUMNS
    )
    select = f"""
        with known as (
            select cast(f.final as varchar) as person, {firsts}
            from details as d join finals_frame as f on cast(f.person as varchar) = d.person group by 1
        )
        select {chosen} from people_frame as p left join known as d on d.person = cast(p.merged_id as varchar) order by customer_id
    """
    copy_atomically(work.db, select, path)


def write_quarantine(work: Assembly, path: Path, files: list[tuple[Source, Path]]) -> None:
    """Write every row that was left out with its table, file, row number, reason and cells, for its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            write = csv.writer(file, lineterminator="\n")
            write.writerow(QUARANTINE_COLUMNS)
            for number, (source, export) in enumerate(files, start=1):
                _write_left_out(work, write, number, source.table, export.name)
        temporary.chmod(0o600)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_left_out(work: Assembly, write, number: int, table: str, name: str) -> None:
    gone = dict(work.db.execute("select row, gone from quarantine where file = ? order by row", [number]).fetchall())
    export, staged, rows = work.staged[number]
    if not gone:
        return
    if staged.lines == rows + staged.skip:
        left_out = reading.rows_at(export, staged, set(gone))
    else:
        chosen = f"select * from {staged.numbered} where {ROW} in (select row from quarantine where file = {number}) order by {ROW}"
        left_out = ((row[0], ["" if cell is None else cell for cell in row[1:]]) for row in work.db.execute(chosen).fetchall())
    write.writerows((table, name, row, gone[row], " | ".join(cells)) for row, cells in left_out)


assert UNIT == 10_000  # what `_stored` divides by
