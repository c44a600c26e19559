"""`loyalty-lab new`: recognise exports, copy them into a new shop's folder and write its shop.toml."""

from __future__ import annotations

import json
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from loyalty_lab import tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import cells, fields, identities, words
from loyalty_lab.intake.formats import Columns, Profile, profiles
from loyalty_lab.intake.reading import Export, header_of, look
from loyalty_lab.language import LOCALES, catalogue
from loyalty_lab.shop import ShopSettings, new_folder, whole_folder

MAPPED, MAPPED_LINES = "mapped", "mapped-lines"
FEWEST_DATES = 0.9


class UnknownExport(InputError):
    """An export none of whose columns looks like one of ours."""


@dataclass(frozen=True)
class Understood:
    """One table in one export: its profile, a proposed mapping, and which parts of it are only guessed."""

    export: Export
    table: str
    profile: str
    columns: Columns

    @property
    def path(self) -> Path:
        return self.export.path

    @property
    def form(self) -> Profile:
        return profiles()[self.profile]

    @property
    def guessed(self) -> bool:
        """Whether its columns were put together from words and cells, and not known from a format."""
        return self.profile in (MAPPED, MAPPED_LINES) and bool(self.columns)

    @property
    def unsure(self) -> list[str]:
        return [ours for ours, theirs in self.columns.items() if isinstance(theirs, str) and theirs.startswith("?")]


@dataclass(frozen=True)
class Proposal:
    """What was understood, in lines to print."""

    lines: tuple[str, ...]


def propose(folder: Path, exports: list[Path]) -> Proposal:
    """Make a shop's folder from its exports.

    Parameters
    ----------
    folder : pathlib.Path
        New, or empty.
    exports : list of pathlib.Path
        CSV, CSV.gz or XLSX; they are copied, never changed.

    Returns
    -------
    Proposal

    Raises
    ------
    InputError
        If an export cannot be read, none of orders is recognised, or the folder holds something. Nothing is made then. Beside an
        export of orders of a known format, files of no known kind are left out and named.
    """
    folder = new_folder(folder)
    understood, strangers = _recognised([Path(path) for path in exports])
    understood = _paired(understood)
    names = [path.name for path in dict.fromkeys(each.path for each in understood)]
    double = next((name for name in names if names.count(name) > 1), None)
    if double:
        raise InputError(double, "two exports have the same file name", "rename one of them")
    if not any(each.table == "orders" for each in understood):
        raise InputError(
            understood[0].path.name, f"holds {understood[0].table}; no export of orders was given", "give the export of orders too"
        )
    text = settings_text(folder.resolve().name, understood)
    _make(folder, [each.path for each in understood], text)
    said = [f"{each.path.name}: {each.table.replace('_', ' ')}, {each.form.about}" + _guesses(each) for each in understood]
    said += [f"{path.name}: not recognised, left out; if it belongs here, map it in shop.toml" for path in strangers]
    return Proposal((*said, f"{folder / 'shop.toml'}: written"))


def _recognised(exports: list[Path]) -> tuple[list[Understood], list[Path]]:
    """What each export is; beside orders of a known format, what is only guessed or not known at all is set apart."""
    found: dict[Path, list[Understood]] = {}
    unknown: dict[Path, UnknownExport] = {}
    for path in exports:
        try:
            found[path] = understand(path)
        except UnknownExport as error:
            unknown[path] = error
    known = any(each.table == "orders" and not each.guessed for several in found.values() for each in several)
    if unknown and not known:
        raise next(iter(unknown.values()))
    apart = [path for path in exports if path in unknown or (known and any(each.guessed for each in found[path]))]
    return [each for path in exports if path not in apart for each in found[path]], apart


def _guesses(each: Understood) -> str:
    return f"; unsure of {', '.join(each.unsure)}: see the question marks in shop.toml" if each.unsure else ""


def _paired(understood: list[Understood]) -> list[Understood]:
    """Where a shop gives both its orders and their lines, the lines are no orders of their own."""
    have = {each.profile for each in understood}
    return [
        Understood(each.export, "order_lines", each.profile, each.columns)
        if each.form.lines_of in have and each.table == "orders"
        else each
        for each in understood
    ]


def understand(path: Path) -> list[Understood]:
    """Recognise one export by its header: a known profile, our own column names, or a guess from names and values.

    Raises
    ------
    InputError
        If it is missing, empty, of a kind that cannot be used, or none of its columns looks like one of ours.
    """
    export = look(path)
    beside = {other for form in profiles().values() for other in form.also.values()}
    for name, form in profiles().items():
        if name not in beside and any(form.fits(row) for row in export.head[: 1 if not form.header_row else 5]):
            if form.refuse:
                raise InputError(path.name, f"is {form.about}: {form.refuse}", "export something that names the buyer")
            columns = _answers(export, form)
            if form.table == "surveys" and not {"nps", "csat", "care"} & {*columns, *form.columns}:
                continue
            return [Understood(export, form.table, name, columns)] + [
                Understood(export, table, other, {}) for table, other in form.also.items()
            ]
    header = header_of(export, profiles()[MAPPED])[0]
    own = [schema for schema in tables.SCHEMAS.values() if _is_ours(schema, header)]
    if own:
        closest = max(own, key=lambda schema: (len(set(schema.names) & set(header)), len(schema.required)))
        return [Understood(export, closest.name, MAPPED, {})]
    return [_guessed(export, header)]


def _is_ours(schema: tables.TableSchema, header: list[str]) -> bool:
    identified = {"customer_id"} if {"email", "phone"} & set(header) and len(schema.required) > 1 else set()
    # A number alone, of an order or a customer, stands in many a file.
    return set(schema.required) <= set(header) | identified and len(set(schema.names) & set(header)) > 1


def _answers(export: Export, form: Profile) -> Columns:
    """The questions of a survey, whose wording every shop chooses: found by words and by what the answers are."""
    if form.table != "surveys" or "nps" in form.columns or "csat" in form.columns:
        return {}
    names, skip = header_of(export, form)
    fixed = form.found_in(names)
    columns: Columns = {ours: fixed[theirs] for ours, theirs in form.columns.items() if isinstance(theirs, str) and theirs in fixed}
    for ours, said in words.vocabulary()["question"].items():
        free = [name for name in names if name not in columns.values()]
        fitting = [
            name for name in free if any(word in words.fold(name) for word in said) and _fits(ours, _sample(export, names, name, skip))
        ]
        if fitting and ours not in columns:
            columns[ours] = fitting[0] if len(fitting) == 1 else f"?{fitting[0]}"
    return columns


def _fits(ours: str, values: list[str]) -> bool:
    column = next((column for column in tables.SCHEMAS["surveys"].columns if column.name == ours), None)
    if column is None or column.high is None:
        return True
    numbers = [cells.whole(value) for value in values if value.strip()]
    return bool(numbers) and all(number is not None and column.low <= number <= column.high for number in numbers)


def _sample(export: Export, names: list[str], name: str, skip: int) -> list[str]:
    at = names.index(name)
    return [row[at] for row in export.head[skip:] if len(row) > at]


def _guessed(export: Export, header: list[str]) -> Understood:
    """A mapping to orders from header words, and for what they do not say from the cells."""
    known = words.vocabulary()["header"]
    columns: Columns = {}
    for sure in (True, False):
        for ours, said in known["sure" if sure else "unsure"].items():
            hit = next(
                (name for word in said for name in header if words.fold(name) == words.fold(word) and name not in _taken(columns)), None
            )
            if hit and ours not in columns and not (ours in ("customer_id", "name") and {"customer_id", "email", "phone"} & set(columns)):
                columns[ours] = hit if sure else f"?{hit}"
    by_line = {"quantity", "unit_price"} <= set(columns)
    if by_line:
        columns.pop("net_amount", None)
    _guess_from_cells(export, header, columns, by_line)
    if not {"customer_id", "email", "phone", "name", "ordered_at", "net_amount", "unit_price"} & set(columns):
        what = f"is not recognised; its columns are {header}"
        raise UnknownExport(export.path.name, what, "write shop.toml by hand with [sources.columns], see data/README.md")
    wanted = ["order_id", "ordered_at", *([] if by_line else ["net_amount"])]
    wanted += [] if {"customer_id", "email", "phone", "name"} & set(columns) else ["customer_id"]
    columns |= {ours: "?" for ours in wanted if ours not in columns}
    ordered = {ours: columns[ours] for ours in fields.kinds("orders") if ours in columns}
    return Understood(export, "orders", MAPPED_LINES if by_line else MAPPED, ordered)


def _taken(columns: Columns) -> set[str]:
    return {theirs.removeprefix("?") for theirs in columns.values() if isinstance(theirs, str)}


def _guess_from_cells(export: Export, header: list[str], columns: Columns, by_line: bool) -> None:
    """Propose a column of dates for the day of the order, and one of amounts with cents for the money."""
    for name in header:
        if name in _taken(columns):
            continue
        values = [value for value in _sample(export, header, name, 1) if value.strip()]
        dates = [value for value in values if cells.moment(value, "dmy", cells.UTC) and not value.strip().isdecimal()]
        if "ordered_at" not in columns and values and len(dates) >= FEWEST_DATES * len(values):
            columns["ordered_at"] = f"?{name}"
        elif not by_line and "net_amount" not in columns and values and all(cells.decimal_vote(value) for value in values):
            columns["net_amount"] = f"?{name}"


def _language(currency: str | None) -> str:
    """The language of a country that pays in this currency, where we have its texts; else English."""
    return next((each for each in LOCALES if catalogue(each)["language"]["currency"] == currency), "en")


def settings_text(name: str, understood: list[Understood]) -> str:
    """Return the text of shop.toml; it is checked against the settings before it is written."""
    known = words.vocabulary()["currency"]
    currency = next(filter(None, map(_currency, understood)), None)
    zone = next((each.form.timezone for each in understood if each.form.timezone), None) or known["zone"].get(currency)
    lines = [
        f"name = {_quoted(name.replace('-', ' ').replace('_', ' ').title() or 'Shop')}",
        f"currency = {_quoted(currency or 'EUR')}" + ("" if currency else "             # please check"),
        f"timezone = {_quoted(zone or 'UTC')}" + ("" if zone else "             # please check, such as Europe/London"),
        f'languages = ["{_language(currency)}"]           # {", ".join(LOCALES)}',
        "margin = 0.30                # of net sales, where an order has no margin of its own: please check",
        "",
        "[cost]                       # one contact; the break-even needs it",
        "letter = 1.20",
    ]
    for each in understood:
        lines += ["", "[[sources]]", f"file = {_quoted('exports/' + each.path.name)}", f"table = {_quoted(each.table)}"]
        lines += [f"profile = {_quoted(each.profile)}"]
        if each.columns:
            lines += ["[sources.columns]             # ours = theirs; take the question marks away when they are right"]
            lines += [f"{ours} = {_quoted(theirs)}" for ours, theirs in each.columns.items()]
    text = "\n".join(lines) + "\n"
    ShopSettings.model_validate(tomllib.loads(text))
    return text


def _currency(each: Understood) -> str | None:
    """The currency of an export: fixed by its format, said in a column, or shown by a sign in its first rows."""
    names, skip = header_of(each.export, each.form)
    column = each.columns.get("currency") or each.form.columns.get("currency")
    spelt = each.form.found_in(names).get(column, column) if isinstance(column, str) else None
    said = [value.strip().upper() for value in _sample(each.export, names, spelt, skip) if value.strip()] if spelt in names else []
    if said and len(said[0]) == 3 and said[0].isalpha():
        return said[0]
    shown = "".join(cell for row in each.export.head[skip:] for cell in row)
    signs = {code for sign, code in words.vocabulary()["currency"]["sign"].items() if sign in shown}
    return each.form.currency or (signs.pop() if len(signs) == 1 else None)


def _quoted(text: str | list[str]) -> str:
    """A JSON string is a TOML string too, and a list of them a list."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\u007f")  # the one character that JSON may hold and TOML may not


def _make(folder: Path, exports: list[Path], text: str) -> None:
    with whole_folder(folder) as made:
        (made / "exports").mkdir()
        (made / "rounds" / "returned").mkdir(parents=True)
        for path in dict.fromkeys(exports):
            shutil.copyfile(path, made / "exports" / path.name)
        (made / "shop.toml").write_text(text, encoding="utf-8")
        identities.salt(made / "private")
