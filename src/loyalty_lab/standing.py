"""The pages after the scorecard: by week, month and quarter, since the last report, and what people say beside what the shop shows."""

from __future__ import annotations

from typing import Any

from loyalty_lab.language import NOTHING
from loyalty_lab.outlook import part_of, rows_of, said
from loyalty_lab.pages import SIX, Book
from loyalty_lab.results import Claim, Result

PERIODS = ("year", "quarter", "month", "week")
MORE_THAN_CHANCE = " *"
DIFFERENCES = {"share": "tenths", "ratio": "score"}  # how a difference of such values is written


def periods(book: Book) -> dict[str, Any] | None:
    """The page of shorter periods, as parts in reading order; None where the scorecard could not be made."""
    result = book.ready("scorecard")
    if result is None or "periods" not in result.tables:
        return None
    say, part = _in(book, "scorecard")
    since = result.message("since")
    table = {"head": _head(book, result), "rows": _period_rows(book, result)}
    return {
        "kicker": say("periods.kicker", cutoff=book.run["cutoff"]),
        "title": _title(book, result),
        "section": say("periods.section"),
        "parts": [
            part_of(say("periods.table"), lead=say("periods.lead"), table=table, note=say("periods.note")),
            part_of(
                say("periods.season"), lines=said(book, result, "season") + said(book, result, "rhythm"), note=say("periods.season_note")
            ),
            part_of(
                say("periods.since"), lead=book.texts.say(since) if since else "",
                table=_since(book, result), note=_since_note(book, result),
            ),
            part_of(say("periods.means"), lines=part("periods.line")),
        ],
    }  # fmt: skip


def _in(book: Book, file: str):
    """How to say, and to take, the texts of one file."""
    return (lambda key, **args: book.texts.say(f"{file}.{key}", **args)), (lambda key: book.texts.part(f"{file}.{key}"))


def _title(book: Book, result: Result) -> str:
    found = result.message("since")
    kind = found.key.split(".")[-1].removesuffix("_mended") if found else "none"
    return book.texts.say(f"scorecard.periods.title.{kind if kind in ('same', 'changed') else 'none'}", **(found.args if found else {}))


def _head(book: Book, result: Result) -> list[str]:
    ends = {row["period"]: row["last"] for row in rows_of(result, "periods")}
    return ["", *(book.texts.say(f"scorecard.periods.head.{period}", last=ends[period]) for period in PERIODS)]


def _period_rows(book: Book, result: Result) -> list[list[str]]:
    cells = {(row["metric"], row["period"]): row for row in rows_of(result, "periods")}
    return [[_name(book, metric), *(_cell(book, result, cells[metric, period]) for period in PERIODS)] for metric in SIX]


def _name(book: Book, metric: str) -> str:
    """What is counted in any period, and of whom."""
    return "\n".join(book.texts.say(f"metrics.{metric}.{part}") for part in ("short", "period"))


def _cell(book: Book, result: Result, row: dict[str, Any]) -> str:
    """One metric of one period: the value, the same a year before, a mark where that is more than chance, and how many are behind it."""
    if not row["n"]:
        return NOTHING
    unit, n = result.facts[row["metric"]].unit, book.texts.say("scorecard.periods.n", n=row["n"])
    if row["value"] is None:
        return f"{book.texts.say('scorecard.periods.few')}\n{n}"
    before = "" if row["before"] is None else f" ({book.texts.value(row['before'], unit)})"
    mark = MORE_THAN_CHANCE if row["verdict"] in ("up", "down") else ""
    return f"{book.texts.value(row['value'], unit)}{before}{mark}\n{n}"


def _since(book: Book, result: Result) -> dict[str, Any] | None:
    """Then, now, the change with its range, what of the difference mended data make up, and whether it is more than chance."""
    rows = [_since_row(book, row) for row in sorted(rows_of(result, "since"), key=lambda row: SIX.index(row["metric"]))]
    return {"head": book.texts.part("scorecard.periods.since_head"), "rows": rows} if rows else None


def _since_row(book: Book, row: dict[str, Any]) -> list[str]:
    value, unit = book.texts.value, DIFFERENCES.get(row["unit"], row["unit"])
    ends = "" if row["low"] is None else f"\n({book.range(row['low'], row['high'], unit)})"
    mended = NOTHING if abs(row["correction"]) <= 1e-9 * abs(row["then"]) else value(row["correction"], unit)
    verdict = book.texts.say(f"scorecard.verdict.{row['verdict']}")
    name = book.texts.say(f"metrics.{row['metric']}.name")
    return [name, value(row["then"], row["unit"]), value(row["now"], row["unit"]), value(row["change"], unit) + ends, mended, verdict]


def _since_note(book: Book, result: Result) -> str:
    return book.texts.say("scorecard.periods.since_note") if rows_of(result, "since") else ""


def claims(book: Book) -> dict[str, Any] | None:
    """The page of what people say, each beside what this shop shows; None where the scorecard could not be made."""
    result = book.ready("scorecard")
    if result is None or not result.claims:
        return None
    say, _ = _in(book, "claims")
    known = sum(claim.shop_value is not None for claim in result.claims)
    return {
        "kicker": say("kicker", cutoff=book.run["cutoff"]),
        "title": say("title" if known else "title_none", n=known),
        "section": say("section"),
        "head": book.texts.part("common.labels.says_head"),
        "rows": [_saying(book, result, claim) for claim in result.claims],
        "note": say("note"),
    }


def _saying(book: Book, result: Result, claim: Claim) -> list[str]:
    """What is said, where and what is known of it, and what the shop shows."""
    name = claim.key.split(".")[-1]
    here = next(message for message in result.messages if message.key.startswith(f"claims.here.{name}."))
    source = book.say("labels.source", source=book.texts.say(claim.source))
    return [book.texts.say(claim.key), f"{source}{book.say('full_stop')} {book.texts.say(f'claims.status.{name}')}", book.texts.say(here)]
