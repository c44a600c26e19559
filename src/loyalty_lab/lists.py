"""From candidates to the lists a shop acts on: who may be contacted, arms, ledger, then names, workbooks and CSV."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from loyalty_lab import database, gains, ledger, returned, tactics, verification
from loyalty_lab.desk import Chosen, Desk, decide
from loyalty_lab.language import Texts
from loyalty_lab.results import Result, write_atomically
from loyalty_lab.shop import IDENTITIES, LEDGER, RETURNED, SALT, Shop
from loyalty_lab.worth import own

CONTACT_FIELDS = {"phone": "phone", "mail": "email", "letter": "address"}
COLUMNS = ("number", "name", "contact", "reason", "rank", "at_stake", "channel", "kind", "list", "outcome")
WIDTHS = (14, 24, 34, 60, 7, 11, 11, 24, 22, 26)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Post = Callable[[Desk, str, pd.DataFrame, Path], None]


def make_lists(
    shop_folder: Path, shop: Shop, candidates: dict[str, pd.DataFrame], found: dict[str, Result], *,
    cutoff: date, report_date: date, horizon_days: int, out: Path, texts: Texts | None = None, post: Post | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Decide who is contacted about what, write the ledger, then the lists.

    Consent, contact gap, running rounds and capacity come first; then each customer goes to one
    campaign (the one that page one names first); then arms are drawn, appended to the ledger and
    read back; only then names are joined and lists written.

    Parameters
    ----------
    shop_folder : pathlib.Path
        Its ``private/`` is read and its ledger sealed there, its ``rounds/assignments.csv`` appended to.
    shop : Shop
        Cut at the cutoff.
    candidates : dict of str to pandas.DataFrame
        By slug, as a tactic's `act` gives them.
    found : dict of str to Result
        By slug, with `last-round` where there is one: what rounds have measured and the break-even order the campaigns, and one
        that did harm has no list.
    cutoff, report_date : datetime.date
    horizon_days : int
        How long a round runs.
    out : pathlib.Path
        Folder of the lists.
    texts : Texts, optional
        What lists are written with, if not the texts of the shop's first language.
    post : callable, optional
        Called for each campaign once its list is written, with the desk, its slug, the people on it and the folder.

    Returns
    -------
    list of dict
        One entry a list: slug, kind, list (file name), count, held_out, eligible, expected_gain, read_on.

    Raises
    ------
    InputError
        If the ledger or a returned list is damaged, or the ledger cannot be written; then no list is written.
    """
    salt = read_salt(shop_folder)
    written, identities = verification.read_verified(shop_folder, salt), read_identities(shop_folder / IDENTITIES)
    told = returned.read(shop_folder / RETURNED, written, salt, identities["merged_id"])
    desk = Desk(shop, identities, salt, written, told, cutoff, report_date, horizon_days)
    frames = {slug: desk.with_unit(frame) for slug, frame in candidates.items()}
    campaigns = [slug for slug in candidates if tactics.find(slug).kind == "campaign"]
    chosen, new = decide(desk, {slug: frames[slug] for slug in gains.campaigns(campaigns, found)})
    if new:
        ledger.append(shop_folder / LEDGER, pd.concat(new, ignore_index=True), seen=written)
    ledger.seal(shop_folder)
    chosen |= {slug: Chosen(frame, len(frame)) for slug, frame in frames.items() if slug not in campaigns}
    out.mkdir(parents=True, exist_ok=True)
    worth = gains.joined(found)
    texts = texts or Texts(shop.settings.languages[0], currency=shop.settings.currency)
    entries = [_write(desk, texts, slug, chosen[slug], worth[slug], out) for slug in sorted(chosen)]
    for slug in sorted(chosen.keys() & set(campaigns)) if post else ():
        post(desk, slug, chosen[slug].people, out)
    return entries


def read_salt(shop_folder: Path) -> str:
    """Return the secret of a shop that was read before, in hex."""
    return (shop_folder / SALT).read_text(encoding="ascii").strip()


def read_identities(path: Path) -> pd.DataFrame:
    """Read who is who, by pseudonym."""
    with database.cursor() as db:
        frame = db.execute("select * from read_parquet(?)", [str(path)]).df()
    return frame.set_index("customer_id")


def _write(desk: Desk, texts: Texts, slug: str, chosen: Chosen, result: Result, out: Path) -> dict[str, Any]:
    kind = tactics.find(slug).kind
    people = chosen.people.sort_values("rank", ignore_index=True)
    code = returned.list_code(desk.salt, chosen.cycle.name if chosen.cycle else f"{slug}@{desk.cutoff}")
    rows = [_row(desk, texts, kind, code, person) for person in people.itertuples()]
    heads = [texts.say(own(texts, slug, f"lists.column.{name}")) for name in COLUMNS]
    made = {"csv": _csv(heads, rows), "xlsx": _workbook(heads, rows, texts, texts.say(f"{slug}.name"), desk.report_date)}
    for ending, content in made.items():
        write_atomically(out / f"{slug}.{ending}", content)
        (out / f"{slug}.{ending}").chmod(0o600)
    gain = result.value.amount if result.value and result.value.grade in ("A", "B") else None
    return {
        "slug": slug,
        "kind": kind,
        "list": f"{slug}.xlsx",
        "count": len(people),
        "held_out": chosen.held_out,
        "expected_gain": gain,
        "eligible": chosen.eligible,
        "read_on": chosen.cycle.read_on if chosen.cycle else None,
    }


def _row(desk: Desk, texts: Texts, kind: str, code: str, person: Any) -> list[Any]:
    known = desk.identities.loc[person.pseudonym]
    stake = None if pd.isna(person.value_at_stake) else round(float(person.value_at_stake), 2)
    channel = texts.say(f"lists.channel.{person.channel}") if texts.has(f"lists.channel.{person.channel}") else person.channel
    told = [known["merged_id"], known.get("name"), _contact(known, person.channel), texts.say(person.reason, **person.arguments)]
    told = ["" if part is None or pd.isna(part) else str(part) for part in told]
    return [*told, int(person.rank), stake, channel, texts.say(f"lists.kind.{kind}"), code, ""]


def _contact(known: pd.Series, channel: str) -> str | None:
    """How to reach a person by the channel wanted, else by any that is known."""
    fields = dict.fromkeys((CONTACT_FIELDS.get(channel, "phone"), *CONTACT_FIELDS.values()))
    return next((known[field] for field in fields if field in known and pd.notna(known[field])), None)


def _csv(heads: list[str], rows: list[list[Any]]) -> bytes:
    """CSV for mail tools; a cell that a spreadsheet could take for a formula gets an apostrophe."""
    safe = [[harmless(cell) for cell in row] for row in rows]
    buffer = io.StringIO()
    pd.DataFrame(safe, columns=heads).to_csv(buffer, index=False, lineterminator="\r\n")
    return buffer.getvalue().encode("utf-8-sig")


def harmless(cell: Any) -> Any:
    """Return a cell as a spreadsheet takes it for text; one that looks like a formula gets an apostrophe.

    Examples
    --------
    >>> harmless("=1+1"), harmless("Ann"), harmless(2)
    ("'=1+1", 'Ann', 2)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_STARTS) else cell


def _workbook(heads: list[str], rows: list[list[Any]], texts: Texts, title: str, made_on: date) -> bytes:
    """A workbook to print and fill in; every text cell is text, whatever it looks like."""
    import xlsxwriter

    buffer = io.BytesIO()
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    book = xlsxwriter.Workbook(buffer, plain)
    book.set_properties({"title": title, "created": datetime(made_on.year, made_on.month, made_on.day)})
    sheet, head = book.add_worksheet(), book.add_format({"bold": True, "bottom": 1})
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    for column, (name, width) in enumerate(zip(heads, WIDTHS, strict=True)):
        sheet.set_column(column, column, width, wrapped)
        sheet.write_string(0, column, name, head)
    for number, row in enumerate(rows, start=1):
        for column, cell in enumerate(row):
            if isinstance(cell, str):
                sheet.write_string(number, column, cell, wrapped)
            elif cell is not None:
                sheet.write_number(number, column, cell, wrapped)
    _ask_for_outcomes(sheet, len(rows), texts)
    sheet.freeze_panes(1, 2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    book.close()
    return buffer.getvalue()


def _ask_for_outcomes(sheet: Any, rows: int, texts: Texts) -> None:
    """Offer the words for what happened in the last column, which is for the shop to fill in."""
    column = COLUMNS.index("outcome")
    asked = {
        "validate": "list",
        "source": list(returned.OUTCOMES),
        "input_message": texts.say("lists.outcome.note"),
        "error_type": "warning",
    }
    sheet.data_validation(1, column, max(rows, 1), column, asked)
