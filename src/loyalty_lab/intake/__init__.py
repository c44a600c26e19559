"""A shop's exports to its tables: read as text, understood by profile, checked, made pseudonymous, kept as Parquet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from loyalty_lab import __version__, tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import convert, identities, sales
from loyalty_lab.intake.formats import Profile, profile
from loyalty_lab.intake.reading import ROW, read_text
from loyalty_lab.intake.report import UNIT, InputFile, Report, TableReport
from loyalty_lab.language import Texts
from loyalty_lab.results import write_atomically
from loyalty_lab.shop import Shop, ShopSettings, Source, load_settings

REPORT_FILE = "intake.json"
QUARANTINE_COLUMNS = ["table", "file", "row", "reason", "cells"]


@dataclass(frozen=True)
class Intake:
    """A shop's exports once they are read: settings, what was found, and where the tables lie."""

    folder: Path
    settings: ShopSettings
    report: Report
    paths: dict[str, Path]

    def shop(self) -> Shop:
        """Load the tables."""
        return Shop(self.settings, {name: tables.read(name, path) for name, path in self.paths.items()})


@dataclass
class _Work:
    """What reading leaves behind, source by source."""

    settings: ShopSettings
    report: Report = field(default_factory=Report)
    frames: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    quarantine: list[pd.DataFrame] = field(default_factory=list)
    seen: dict[str, set[tuple]] = field(default_factory=dict)


def read(folder: Path, *, fresh: bool = False) -> Intake:
    """Read a shop's exports, or what was read of the very same exports before.

    Parameters
    ----------
    folder : pathlib.Path
        The shop's folder.
    fresh : bool
        Read the exports even if nothing has changed.

    Returns
    -------
    Intake

    Raises
    ------
    InputError
        If an export is missing, empty, lacks a required column, or holds what cannot be read or
        may be read in two ways. Nothing is written then.
    """
    folder = Path(folder)
    settings = load_settings(folder)
    files = [(source, path) for source in settings.sources for path in _files(folder, source)]
    if not any(source.table == "orders" for source, _ in files):
        raise InputError("shop.toml", "names no export of orders", 'add [[sources]] with file = "exports/..." and table = "orders"')
    secret = identities.salt(folder / "private")
    key = _key(folder, files, secret)
    earlier = None if fresh else _earlier(folder, key, settings)
    return earlier or _read_anew(folder, settings, files, secret, key)


def _files(folder: Path, source: Source) -> list[Path]:
    found = sorted(folder.glob(source.file)) if any(sign in source.file for sign in "*?[") else [folder / source.file]
    if not found or not found[0].is_file():
        raise InputError(source.file, "there is no such export", "put it there, or correct `file` in shop.toml")
    return found


def _key(folder: Path, files: list[tuple[Source, Path]], secret: str) -> str:
    parts = [__version__, secret, (folder / "shop.toml").read_text(encoding="utf-8-sig")]
    parts += [
        source.read_text(encoding="utf-8")
        for source in sorted(Path(__file__).parent.rglob("*.[pt][yo]*"))
        if "__pycache__" not in source.parts
    ]
    parts += [f"{path.name} {_sha256(path)}" for _, path in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _earlier(folder: Path, key: str, settings: ShopSettings) -> Intake | None:
    try:
        stored = json.loads((folder / "cache" / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    paths = {name: folder / "cache" / "tables" / f"{name}.parquet" for name in stored.get("tables", [])}
    whole = stored.get("key") == key and all(path.is_file() for path in paths.values())
    return Intake(folder, settings, Report.model_validate(stored["report"]), paths) if whole else None


def _read_anew(folder: Path, settings: ShopSettings, files: list[tuple[Source, Path]], secret: str, key: str) -> Intake:
    work = _Work(settings)
    for source, path in files:
        _take(work, source, path)
    frames = {name: pd.concat(parts, ignore_index=True) for name, parts in work.frames.items()}
    _check_last_orders(frames)
    _warn_of_money(work.report, frames["orders"])
    people = identities.known_people(frames, secret)
    known = dict(zip(people["merged_id"], people["customer_id"], strict=True))
    finished = {name: _finished(name, frame, known) for name, frame in frames.items()}
    for name, frame in finished.items():
        _note_days(work.report, name, frame)
    paths = {name: folder / "cache" / "tables" / f"{name}.parquet" for name in finished}
    for name, frame in finished.items():
        convert.write_parquet(frame, paths[name], name)
    identities.make_private(folder / "private")
    convert.write_parquet(people, folder / "private" / "identities.parquet", None)
    _write_quarantine(folder / "private" / "quarantine.csv", work.quarantine)
    stored = {"key": key, "tables": sorted(paths), "report": work.report.model_dump(mode="json")}
    write_atomically(folder / "cache" / REPORT_FILE, json.dumps(stored, ensure_ascii=False, indent=1, sort_keys=True).encode())
    return Intake(folder, settings, work.report, paths)


def _take(work: _Work, source: Source, path: Path) -> None:
    """Read one file into the work: its rows to a table, or to quarantine under one reason."""
    form = profile(source.profile)
    text = read_text(path, None if form.header_row else form.header, form.delimiter, source.encoding)
    work.report.files.append(InputFile(name=path.name, sha256=_sha256(path), rows=len(text)))
    count = work.report.tables.setdefault(source.table, TableReport())
    count.rows_in += len(text)
    reasons = pd.Series("", index=text.index, dtype="object")
    reasons[_overlap(work, source.table, text, form, source)] = "page overlap"
    columns = convert.columns_of(text, form, source, path.name)
    typed, unreadable = convert.typed_rows(text, columns, form, source, work.settings, path.name, work.report)
    reasons[unreadable & (reasons == "")] = "unreadable"
    if "currency" in typed:
        foreign = typed["currency"].notna() & (typed["currency"].str.upper() != work.settings.currency)
        reasons[foreign & (reasons == "")] = "foreign currency"
    rows = typed[reasons == ""]
    if source.table == "orders":
        reasons[rows.index] = _take_orders(work, rows, form, source)
    else:
        work.frames.setdefault(source.table, []).append(convert.in_currency(rows, source.table))
    count.rows_out += int((reasons == "").sum())
    for reason in sorted(set(reasons) - {""}):
        count.drop(reason, int((reasons == reason).sum()))
    _quarantine(work, source.table, path, text[reasons != ""], reasons[reasons != ""])


def _take_orders(work: _Work, rows: pd.DataFrame, form: Profile, source: Source) -> pd.Series:
    made = sales.from_lines(rows, form) if form.grain == "line" else sales.from_orders(rows, source.keep_unpaid)
    bridge = work.report.bridge
    for name in type(bridge).model_fields:
        setattr(bridge, name, getattr(bridge, name) + getattr(made.bridge, name))
    work.frames.setdefault("orders", []).append(convert.in_currency(made.orders, "orders"))
    if made.lines is not None:
        work.frames.setdefault("order_lines", []).append(convert.in_currency(made.lines, "order_lines"))
    return made.reasons


def _overlap(work: _Work, table: str, text: pd.DataFrame, form: Profile, source: Source) -> pd.Series:
    """Rows that stood in an earlier file of the same table; identical rows inside one file are kept."""
    cells = text.drop(columns=ROW)
    occurrence = cells.groupby(list(cells.columns), dropna=False, sort=False).cumcount()
    if sum(each.table == table for each in work.settings.sources) < 2 and not any(sign in source.file for sign in "*?["):
        return pd.Series(False, index=text.index)
    marks = [hash_row(row) for row in cells.assign(__n__=occurrence.astype("str")).itertuples(index=False, name=None)]
    before = work.seen.setdefault(table, set())
    overlapping = pd.Series([mark in before for mark in marks], index=text.index)
    before.update(marks)
    return overlapping


def hash_row(cells: Iterable[Any]) -> bytes:
    """Return a short mark of a row of cells."""
    return hashlib.blake2b(
        "\x1f".join("" if cell != cell or cell is None else str(cell) for cell in cells).encode(), digest_size=16
    ).digest()


def _check_last_orders(frames: dict[str, pd.DataFrame]) -> None:
    if frames["orders"].empty:
        raise InputError(
            "orders", "hold no order that counts: all were cancelled, unpaid, zero or refunded", "look into private/quarantine.csv"
        )


def _warn_of_money(report: Report, orders: pd.DataFrame) -> None:
    if report.bridge.unmatched_refunds:
        report.warn("refunds_without_an_order", n=report.bridge.unmatched_refunds, amount=report.bridge.unmatched_money / UNIT)
    share = float(orders["customer_id"].isna().mean())
    if share:
        report.warn("anonymous", share=share)


def _finished(name: str, frame: pd.DataFrame, known: dict[str, str]) -> pd.DataFrame:
    columns = [column for column in tables.CUSTOMER_COLUMNS if column in frame.columns]
    return tables.typed(name, frame.assign(**{column: frame[column].map(known) for column in columns}))


def _note_days(report: Report, name: str, frame: pd.DataFrame) -> None:
    event = tables.SCHEMAS[name].event
    if name in report.tables and event in frame and frame[event].notna().any():
        report.tables[name].first_day, report.tables[name].last_day = frame[event].min().date(), frame[event].max().date()


def _quarantine(work: _Work, table: str, path: Path, rows: pd.DataFrame, reasons: pd.Series) -> None:
    cells = rows.drop(columns=ROW)
    kept = [
        " | ".join("" if cell != cell or cell is None else str(cell) for cell in row) for row in cells.itertuples(index=False, name=None)
    ]
    parts = {"table": table, "file": path.name, "row": rows[ROW].to_numpy(), "reason": reasons.to_numpy(), "cells": kept}
    work.quarantine.append(pd.DataFrame(parts, columns=QUARANTINE_COLUMNS))


def _write_quarantine(path: Path, parts: list[pd.DataFrame]) -> None:
    write_atomically(path, pd.concat(parts).to_csv(index=False, lineterminator="\n").encode())
    path.chmod(0o600)


def lines(taken: Intake, understood: dict[str, Any]) -> list[str]:
    """Say in plain lines what `check` found.

    Parameters
    ----------
    taken : Intake
    understood : dict
        The object of ``check --json``.
    """
    said = [f"{understood['shop']}: data to {understood['cutoff']}, amounts in {understood['currency']}"]
    for name, table in understood["tables"].items():
        days = f", {table['first_day']} to {table['last_day']}" if table["first_day"] else ""
        said.append(f"  {name}: {table['rows_in']:,} rows read, {table['rows_out']:,} kept{days}")
        said += [f"    {number:,} left out: {reason}" for reason, number in table["dropped"].items()]
    money = understood["orders"]
    said.append(f"Money of known customers: {money['gross']} gross - {money['discounts']} discounts - {money['refunds']} refunds")
    said.append(
        f"  - {money['dropped']} of orders left out = {money['net']} net, in {money['orders']:,} orders of {money['customers']:,} customers"
    )
    said.append(f"  beside it {money['anonymous_net']} sold without a customer")
    said += [f"Please look: {warning}" for warning in understood["warnings"]]
    return said + [f"{slug}: {state}" for slug, state in understood["tactics"].items()]


def warnings(taken: Intake, language: str = "en") -> list[str]:
    """Return the warnings in words."""
    texts = Texts(language, currency=taken.settings.currency)
    return [texts.say(message) for message in taken.report.warnings]
