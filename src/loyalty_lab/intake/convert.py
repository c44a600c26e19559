"""From cells of text to typed columns of ours, and typed tables to Parquet."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from loyalty_lab import tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import cells
from loyalty_lab.intake.formats import Profile
from loyalty_lab.intake.reading import ROW
from loyalty_lab.intake.report import UNIT, Report
from loyalty_lab.shop import ShopSettings, Source

FEW_ROWS = 1_000
FEW_UNREADABLE = 0.01
LINE_COLUMNS = {
    "order_id": "id",
    "customer_id": "id",
    "ordered_at": "moment",
    "product_id": "id",
    "product": "text",
    "quantity": "number",
    "unit_price": "money",
}
LINE_REQUIRED = ("order_id", "customer_id", "ordered_at", "quantity", "unit_price")


def columns_of(text: pd.DataFrame, form: Profile, source: Source, file: str) -> dict[str, str]:
    """Return which of the file's columns is which of ours, after checking that the required ones are there.

    Raises
    ------
    InputError
        If a mapped or required column is missing, or the mapping is still marked unsure.
    """
    mapping = source.columns or form.columns
    theirs = [name for name in text.columns if name != ROW]
    for ours, name in mapping.items():
        if name.startswith("?"):
            raise InputError(
                "shop.toml",
                f"{file}: the column for {ours!r} is only guessed: {name!r}",
                "take the question mark away, or name the right column",
            )
        if name not in theirs:
            raise InputError(file, f"has no column {name!r} (for {ours!r}); it has {theirs}", "correct [sources.columns] in shop.toml")
    if not mapping:
        mapping = {name: name for name in theirs if name in tables.SCHEMAS[source.table].names}
    for ours in _required(form, source):
        if ours not in mapping:
            raise InputError(
                file, f"lacks the required column {ours!r}; it has {theirs}", "add it, or map it under [sources.columns] in shop.toml"
            )
    return mapping


def _required(form: Profile, source: Source) -> tuple[str, ...]:
    if form.grain == "line":
        return LINE_REQUIRED
    needed = tables.SCHEMAS[source.table].required
    return tuple(name for name in needed if name != "order_id" or form.header == [] or "order_id" in form.columns)


def typed_rows(
    text: pd.DataFrame, columns: dict[str, str], form: Profile, source: Source, settings: ShopSettings, file: str, report: Report
) -> tuple[pd.DataFrame, pd.Series]:
    """Type every mapped column; money becomes integer ten-thousandths.

    Returns
    -------
    tuple of pandas.DataFrame and pandas.Series
        The typed rows, and which rows hold a required cell that cannot be read.

    Raises
    ------
    InputError
        If a required cell cannot be read in a small file, or in more than 1% of a large one.
    """
    required = _required(form, source)
    typed, unreadable = pd.DataFrame(index=text.index), pd.Series(False, index=text.index)
    for ours, theirs in columns.items():
        kind = LINE_COLUMNS[ours] if form.grain == "line" else tables.SCHEMAS[source.table][ours].kind
        typed[ours] = _column(text[theirs], kind, f"{file}, column {theirs!r}", form, source, settings)
        wrong = typed[ours].isna() & text[theirs].notna()
        must = (ours in required and ours != "customer_id") or (ours in required and source.table != "orders")
        wrong_or_empty = wrong | (text[theirs].isna() if must else False)
        if must:
            _check_unreadable(text, theirs, wrong_or_empty, file)
            unreadable |= wrong_or_empty
        elif wrong.any():
            report.warn("unread_cells", n=int(wrong.sum()), file=file, column=theirs, example=str(text.loc[wrong, theirs].iloc[0])[:40])
    if form.grain == "line":
        typed["amount"] = (typed["quantity"] * typed["unit_price"]).round().astype("Int64").fillna(0).astype("int64")
        typed["unit_price"] = typed["unit_price"].fillna(0).astype("int64")
    elif source.table == "orders" and "order_id" not in typed:
        typed["order_id"] = "row " + text[ROW].astype("str")
    if source.table == "orders" and "customer_id" in typed and typed["customer_id"].isna().all():
        raise InputError(file, f"names no customer in column {columns['customer_id']!r}", "map the column that says who bought")
    return _checked(typed, source.table, file, report) if form.grain != "line" else typed, unreadable


def _column(text: pd.Series, kind: str, where: str, form: Profile, source: Source, settings: ShopSettings) -> pd.Series:
    if kind == "id":
        return cells.ids(text)
    if kind in ("text", "choice"):
        return text.str.strip()
    if kind == "moment":
        given = source.date_order or form.date_order
        return cells.moments(text, settings.timezone, cells.date_order(text, where, given))
    if kind == "flag":
        return cells.flags(text)
    values = pd.to_numeric(cells.numbers(text, where, source.decimal))
    if kind == "money":
        return (values * UNIT).round().astype("Int64")
    return values.astype("Int64") if kind == "whole" and (values.dropna() % 1 == 0).all() else values


def _check_unreadable(text: pd.DataFrame, theirs: str, wrong: pd.Series, file: str) -> None:
    if not wrong.any() or (len(text) >= FEW_ROWS and wrong.mean() <= FEW_UNREADABLE):
        return
    first = text[wrong].iloc[0]
    value = "nothing" if pd.isna(first[theirs]) else repr(str(first[theirs])[:60])
    more = f" (and {int(wrong.sum()) - 1} more rows)" if wrong.sum() > 1 else ""
    raise InputError(
        f"{file}, row {first[ROW]}",
        f"column {theirs!r} holds {value}, which cannot be read{more}",
        "correct it in the export, or map another column",
    )


def _checked(typed: pd.DataFrame, table: str, file: str, report: Report) -> pd.DataFrame:
    """Blank what lies outside a column's range or vocabulary, and say so."""
    for column in tables.SCHEMAS[table].columns:
        if column.name not in typed:
            continue
        values, known = typed[column.name], typed[column.name].notna()
        wrong = pd.Series(False, index=typed.index)
        if column.choices:
            typed[column.name] = values = values.str.casefold()
            wrong = known & ~values.isin(column.choices)
        if column.low is not None:
            wrong |= known & (values < column.low).fillna(False)
        if column.high is not None:
            wrong |= known & (values > column.high).fillna(False)
        if wrong.any():
            report.warn("out_of_range", n=int(wrong.sum()), file=file, column=column.name, example=str(values[wrong].iloc[0])[:40])
            typed[column.name] = values.mask(wrong)
    return typed


def in_currency(rows: pd.DataFrame, table: str) -> pd.DataFrame:
    """Money columns back from ten-thousandths to units of the currency."""
    money = [column.name for column in tables.SCHEMAS[table].columns if column.kind == "money" and column.name in rows]
    return rows.assign(**{name: rows[name].astype("float64") / UNIT for name in money})


def write_parquet(frame: pd.DataFrame, path: Path, table: str | None) -> None:
    """Write a table as Parquet, money exact to four decimals, whole or not at all.

    Raises
    ------
    InputError
        If the folder cannot be written.
    """
    import duckdb

    exact = {column.name for column in tables.SCHEMAS[table].columns if column.kind == "money"} if table else set()
    chosen = ", ".join(f'cast("{name}" as decimal(18, 4)) as "{name}"' if name in exact else f'"{name}"' for name in frame.columns)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(config={"threads": 1}) as db:
            db.register("rows", frame)
            db.sql(f"select {chosen} from rows").write_parquet(str(temporary))
        temporary.chmod(0o600)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(str(path.parent), f"cannot be written: {error.strerror}", "make the shop's folder writable") from None
    finally:
        temporary.unlink(missing_ok=True)
