"""From candidates to the lists a shop acts on: who may be contacted, arms, ledger, then names, workbooks and CSV."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from loyalty_lab import assignment, returned, tactics
from loyalty_lab.customers import customer_summary, not_to_be_contacted
from loyalty_lab.errors import InputError
from loyalty_lab.language import Texts
from loyalty_lab.results import Result, write_atomically
from loyalty_lab.shop import Shop

if TYPE_CHECKING:
    from collections.abc import Iterable

LEDGER = Path("rounds") / "assignments.csv"
IDENTITIES = Path("private") / "identities.parquet"
SALT = Path("private") / "salt"
CONTACT_FIELDS = {"phone": "phone", "mail": "email", "letter": "address"}
COLUMNS = ("number", "name", "contact", "reason", "rank", "at_stake", "channel", "kind", "list", "outcome")
WIDTHS = (14, 24, 34, 60, 7, 11, 11, 24, 22, 26)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Desk:
    """What the lists are made from: the shop at the cutoff, who is who, the secret, the ledger so far, and who has said no since."""

    shop: Shop
    identities: pd.DataFrame
    salt: str
    ledger: pd.DataFrame
    cutoff: date
    report_date: date
    window_days: int
    opted_out: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Chosen:
    """Who stands on one list; of a campaign also how many might have, how many are kept aside, and its round."""

    people: pd.DataFrame
    eligible: int
    held_out: int = 0
    cycle: assignment.Round | None = None


def make_lists(
    shop_folder: Path, shop: Shop, candidates: dict[str, pd.DataFrame], found: dict[str, Result], *,
    cutoff: date, report_date: date, horizon_days: int, out: Path,
) -> list[dict[str, Any]]:  # fmt: skip
    """Decide who is contacted about what, write the ledger, then the lists.

    Consent, contact gap, running rounds and capacity come first; then each customer goes to one
    campaign (the one that page one names first); then arms are drawn, appended to the ledger and
    read back; only then names are joined and lists written.

    Parameters
    ----------
    shop_folder : pathlib.Path
        Its ``private/`` is read, its ``rounds/assignments.csv`` appended to.
    shop : Shop
        Cut at the cutoff.
    candidates : dict of str to pandas.DataFrame
        By slug, as a tactic's `act` gives them.
    found : dict of str to Result
        By slug; the break-even orders the campaigns.
    cutoff, report_date : datetime.date
    horizon_days : int
        How long a round runs.
    out : pathlib.Path
        Folder of the lists.

    Returns
    -------
    list of dict
        One entry a list: slug, kind, list (file name), count, held_out, eligible, expected_gain.

    Raises
    ------
    InputError
        If the ledger cannot be written or read; then no list is written.
    """
    ledger = assignment.read_ledger(shop_folder / LEDGER)
    salt = (shop_folder / SALT).read_text(encoding="ascii").strip()
    told = returned.read(shop_folder / returned.FOLDER, ledger, salt)
    opted_out = frozenset(told.loc[told["outcome"] == "opt_out", "unit"])
    desk = Desk(shop, read_identities(shop_folder / IDENTITIES), salt, ledger, cutoff, report_date, horizon_days, opted_out)
    chosen: dict[str, Chosen] = {}
    taken: set[str] = set()
    for slug in by_break_even(candidates, found):
        people = _may_be_contacted(desk, slug, candidates[slug], taken)
        cycle, drawn = _draw(desk, slug, people, shop_folder)
        treated = drawn.loc[drawn["arm"] == "treated", "unit"]
        chosen[slug] = Chosen(people[people["unit"].isin(treated)], len(people), len(drawn) - len(treated), cycle)
        taken |= set(drawn["unit"])
    for slug, frame in candidates.items():
        if tactics.find(slug).kind != "campaign":
            chosen[slug] = Chosen(_with_unit(desk, frame), len(frame))
    out.mkdir(parents=True, exist_ok=True)
    return [_write(desk, slug, chosen[slug], found[slug], out) for slug in sorted(chosen)]


def by_break_even(candidates: Iterable[str], found: dict[str, Result]) -> list[str]:
    """Return the campaigns in page one's order: smallest break-even rate first, ties by money at stake."""
    campaigns = [slug for slug in candidates if tactics.find(slug).kind == "campaign"]

    def place(slug: str) -> tuple:
        value = found[slug].value
        rate = value.break_even_rate if value and value.break_even_rate is not None else float("inf")
        return rate, -((value.high if value else None) or 0), slug

    return sorted(campaigns, key=place)


def read_identities(path: Path) -> pd.DataFrame:
    """Read who is who, by pseudonym."""
    import duckdb

    with duckdb.connect() as db:
        frame = db.execute("select * from read_parquet(?)", [str(path)]).df()
    return frame.set_index("customer_id")


def _with_unit(desk: Desk, frame: pd.DataFrame) -> pd.DataFrame:
    units = desk.identities["merged_id"].reindex(frame["pseudonym"]).to_numpy()
    if pd.isna(units).any():
        raise InputError(
            "private/identities.parquet", f"does not know {frame['pseudonym'][pd.isna(units)].iloc[0]!r}", "delete cache/ and run again"
        )
    return frame.assign(unit=units)


def _may_be_contacted(desk: Desk, slug: str, frame: pd.DataFrame, taken: set[str]) -> pd.DataFrame:
    """Those with consent, outside the contact gap and other rounds, as many as can be dealt with in a week."""
    people = _with_unit(desk, frame)
    barred = taken | _in_other_rounds(desk, slug) | desk.opted_out
    people = people[~people["pseudonym"].isin(not_to_be_contacted(desk.shop, desk.cutoff)) & ~people["unit"].isin(barred)]
    share = assignment.treated_share(len(people))
    kept = []
    for channel, group in people.groupby("channel", sort=True):
        limit = desk.shop.settings.capacity.get(channel)
        kept.append(group if limit is None else group.nsmallest(round(limit / share), "rank"))
    return pd.concat(kept).sort_values("rank", ignore_index=True) if kept else people


def _in_other_rounds(desk: Desk, slug: str) -> set[str]:
    """Units with an arm in a round of another tactic that was opened earlier and still goes on."""
    busy: set[str] = set()
    for other in sorted(set(desk.ledger["slug"]) - {slug}):
        cycle = assignment.running(desk.ledger, other, desk.cutoff)
        if cycle is not None and cycle.opened_on < desk.cutoff:
            stands = assignment.standing(desk.ledger)
            busy |= set(stands.loc[stands["round"] == cycle.name, "unit"])
    return busy


def _draw(desk: Desk, slug: str, people: pd.DataFrame, shop_folder: Path) -> tuple[assignment.Round, pd.DataFrame]:
    """The round of one campaign and its arms, in the ledger before anything else happens."""
    summary = customer_summary(desk.shop.orders, desk.cutoff).reindex(people["pseudonym"])
    spend = (summary["monetary_value"] * summary["frequency"]).fillna(0.0).to_numpy()
    stratum = ["regular" if repeats >= 3 else "nearly" if repeats >= 1 else "once" for repeats in summary["frequency"].fillna(0)]
    described = pd.DataFrame({"unit": people["unit"].to_numpy(), "stratum": stratum, "spend": spend})
    cycle, drawn, new = assignment.arms_for(desk.salt, desk.ledger, slug, desk.cutoff, desk.report_date, desk.window_days, described)
    assignment.append(shop_folder / LEDGER, new)
    return cycle, drawn


def _write(desk: Desk, slug: str, chosen: Chosen, result: Result, out: Path) -> dict[str, Any]:
    kind = tactics.find(slug).kind
    texts = Texts(desk.shop.settings.languages[0], currency=desk.shop.settings.currency)
    people = chosen.people.sort_values("rank", ignore_index=True)
    code = returned.list_code(desk.salt, chosen.cycle.name) if chosen.cycle else ""
    rows = [_row(desk, texts, kind, code, person) for person in people.itertuples()]
    heads = [texts.say(f"lists.column.{name}") for name in COLUMNS]
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
    safe = [[_harmless(cell) for cell in row] for row in rows]
    buffer = io.StringIO()
    pd.DataFrame(safe, columns=heads).to_csv(buffer, index=False, lineterminator="\r\n")
    return buffer.getvalue().encode("utf-8-sig")


def _harmless(cell: Any) -> Any:
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
