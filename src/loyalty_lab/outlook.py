"""The pages that look ahead: who may stay away, what customers are worth, and which groups they fall into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loyalty_lab.language import NOTHING, clean
from loyalty_lab.pages import Book
from loyalty_lab.results import Fact, Message, Result

SLUGS, ROUNDS = ("churn", "lifetime-value", "segments"), "last-round"
SCORES = ("log_loss", "naive_log_loss", "auc")
GRID_COLUMNS = ("low", "middle", "high")


def outlook_page(book: Book, slug: str) -> dict[str, Any]:
    """One page: a head, and its parts in reading order, each with what it has of lead, figure, table, facts, lines and note."""
    result = book.ready(slug)
    parts = PARTS[slug](book, result) if result else [part_of(book.say("forecast.says"), lead=_failure(book, slug))]
    return {
        "kicker": book.say(
            "rounds.kicker" if slug == ROUNDS else "forecast.kicker", horizon_days=book.run["horizon_days"], cutoff=book.run["cutoff"]
        ),
        "title": book.message(result, "headline", book.say("forecast.failed")),
        "section": book.say(f"section.{slug}"),
        "parts": [part for part in parts if any(value for name, value in part.items() if name not in ("label", "note"))],
    }


def part_of(label: str, **content: Any) -> dict[str, Any]:
    return {"label": label, "lead": "", "figure": None, "table": None, "facts": [], "lines": [], "note": ""} | content


def _failure(book: Book, slug: str) -> str:
    result = book.results.get(slug)
    cause = str(result.reason.args.get("cause", NOTHING)) if result and result.reason else NOTHING
    return book.say("failed", cause=cause)


def said(book: Book, result: Result, role: str) -> list[str]:
    """All that a result says in a role."""
    found = [message for message in result.messages if message.key.split(".")[1] == role]
    return [book.texts.say(message) for message in found if book.texts.has(message.key)]


def _churn(book: Book, result: Result) -> list[dict[str, Any]]:
    figure = book.figure(result.figures[0]) if result.figures else None
    return [
        part_of(book.say("forecast.says"), lead=book.message(result, "stand"), lines=said(book, result, "like")),
        part_of(book.say("forecast.tested"), figure=figure, note=book.message(result, "shorter")),
        part_of(book.say("forecast.looks_at"), lines=said(book, result, "driver")),
        part_of(book.say("forecast.models"), table=_ways(book, result, "common.forecast.head", _churn_way), lead="",
              note=" ".join(filter(None, [_reason(book, result), book.say("forecast.models_note")]))),
        part_of(book.say("forecast.numbers"), facts=_facts(book, "churn", result)),
        part_of(book.say("forecast.means"), lines=book.texts.part("churn.means.line")),
    ]  # fmt: skip


def _lifetime_value(book: Book, result: Result) -> list[dict[str, Any]]:
    figure = book.figure(result.figures[0]) if result.figures else None
    return [
        part_of(book.say("forecast.says"), lead=book.message(result, "stand")),
        part_of(book.say("forecast.tested"), figure=figure),
        part_of(book.say("forecast.unsure"), lines=said(book, result, "unsure")),
        part_of(book.say("forecast.models"), table=_ways(book, result, "lifetime-value.head.ways", _value_way),
              note=book.texts.say("lifetime-value.head.ways_note")),
        part_of(book.say("forecast.numbers"), facts=_facts(book, "lifetime-value", result)),
        part_of(book.say("forecast.means"), lines=book.texts.part("lifetime-value.means.line")),
    ]  # fmt: skip


def _segments(book: Book, result: Result) -> list[dict[str, Any]]:
    say, figure = book.texts.say, book.figure(result.figures[0]) if result.figures else None
    return [
        part_of(say("segments.says.stages"), lead=book.message(result, "stand"), figure=figure),
        part_of(say("segments.says.grid"), table=_grid(book, result), note=say("segments.note.grid")),
        part_of(say("segments.says.moved"), lead=book.message(result, "moved"), table=_moved(book, result),
                note=say("segments.note.moved")),
        part_of(say("segments.says.rfm"), table=_rfm(book, result), note=say("segments.note.rfm")),
        part_of(say("segments.says.resemble"), lines=said(book, result, "resemble"), note=say("segments.note.resemble")),
        part_of(book.say("forecast.means"), lines=book.texts.part("segments.means.line")),
    ]  # fmt: skip


def _last_round(book: Book, result: Result) -> list[dict[str, Any]]:
    say, figure = book.texts.say, book.figure(result.figures[0]) if result.figures else None
    several = _table(book, result, "together", _pooled_row) if any(row["rounds"] > 1 for row in rows_of(result, "together")) else None
    checked = said(book, result, "check") or ([say("last-round.says.checks_none")] if result.rounds else [])
    return [
        part_of(say("last-round.says.found"), lead=book.message(result, "stand"), figure=figure),
        part_of(say("last-round.says.rounds"), table=_table(book, result, "rounds", _round_row), lines=said(book, result, "read"),
              note=say("last-round.note.rounds")),
        part_of(say("last-round.says.together"), table=several, lines=said(book, result, "several"), note=say("last-round.note.together")),
        part_of(say("last-round.says.spend"), table=_table(book, result, "spend", _spend_row), lines=said(book, result, "spent"),
              note=say("last-round.note.spend")),
        part_of(say("last-round.says.profit"), table=_table(book, result, "profit", _profit_row), lines=said(book, result, "paid"),
              note=say("last-round.note.profit")),
        part_of(say("last-round.says.checks"), table=_table(book, result, "checks", _check_row),
              lines=[*checked, *said(book, result, "reached")], note=say("last-round.note.checks")),
        part_of(say("last-round.says.running"), lines=said(book, result, "running")),
        part_of(book.say("forecast.means"), lines=book.texts.part("last-round.means.line")),
    ]  # fmt: skip


PARTS: dict[str, Callable[[Book, Result], list[dict[str, Any]]]] = {
    "churn": _churn, "lifetime-value": _lifetime_value, "segments": _segments, "last-round": _last_round,
}  # fmt: skip


def _facts(book: Book, slug: str, result: Result) -> list[list[str]]:
    """The facts of a forecast, without the scores that stand in the table of ways."""
    hidden = SCORES if "candidates" in result.tables else ()
    told: list[tuple[str, Fact]] = [(name, fact) for name, fact in result.facts.items() if name not in hidden]
    return [[book.label(slug, name), book.with_interval(fact)] for name, fact in told]


def _reason(book: Book, result: Result) -> str:
    """Why this way was chosen: a message of its own, or a key among the arguments of another."""
    stand = result.message("stand")
    key = stand.args.get("reason") if stand else None
    return book.message(result, "reason") or (book.texts.say(key) if isinstance(key, str) and book.texts.has(key) else "")


def rows_of(result: Result, name: str) -> list[dict[str, Any]]:
    table = result.tables.get(name)
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows] if table else []


def _ways(book: Book, result: Result, head: str, row_of: Callable[[Book, dict], list[str]]) -> dict[str, Any] | None:
    rows = rows_of(result, "candidates")
    used = [book.say("forecast.used") if row.get("chosen") else "" for row in rows]
    return (
        {"head": book.texts.part(head), "rows": [[*row_of(book, row), mark] for row, mark in zip(rows, used, strict=True)]}
        if rows
        else None
    )


def _churn_way(book: Book, row: dict[str, Any]) -> list[str]:
    return [_named(book, "churn.model", row["model"]), book.texts.ratio(row.get("log_loss")), book.texts.share(row.get("auc"))]


def _value_way(book: Book, row: dict[str, Any]) -> list[str]:
    return [_named(book, "lifetime-value.way", row["model"]), book.texts.ratio(row.get("deviance")), book.texts.share(row.get("rank"))]


def _named(book: Book, part: str, name: Any) -> str:
    """The name of a model, a way or a group in words."""
    key = f"{part}." + str(name).replace(" ", "-").replace("/", "-")
    return book.texts.say(key) if book.texts.has(key) else clean(str(name))


def _grid(book: Book, result: Result) -> dict[str, Any] | None:
    """Customers and their worth, value by risk."""
    rows = rows_of(result, "grid")
    cells = {
        (row["value_group"], row["risk_group"]): f"{book.texts.count(row['customers'])} · {book.texts.money(row['value'])}" for row in rows
    }
    head = [book.texts.say("segments.head.grid"), *(_named(book, "segments.risk_group", name) for name in GRID_COLUMNS)]
    values = dict.fromkeys(row["value_group"] for row in rows)
    shown = [[_named(book, "segments.value_group", value), *(cells[value, risk] for risk in GRID_COLUMNS)] for value in values]
    return {"head": head, "rows": shown} if shown else None


def _moved(book: Book, result: Result) -> dict[str, Any] | None:
    """From where to where the customers moved."""
    rows, said = rows_of(result, "moved"), result.message("moved")
    if not rows or said is None:
        return None
    stages = [name for name in rows[0] if name != "before"]
    head = book.texts.say(Message(key="segments.head.moved", args=said.args))
    shown = [[_named(book, "segments.before", row["before"]), *(book.texts.count(row[each]) for each in stages)] for row in rows]
    return {"head": [head, *(_named(book, "segments.before", each) for each in stages)], "rows": shown}


def _rfm(book: Book, result: Result) -> dict[str, Any] | None:
    rows = [
        [_named(book, "segments.rfm", row["segment"]), book.texts.count(row["customers"]), book.texts.share(row["share_of_spend"])]
        for row in rows_of(result, "rfm")
    ]
    return {"head": book.texts.part("segments.head.rfm"), "rows": rows} if rows else None


def _table(book: Book, result: Result, name: str, row_of: Callable[[Book, dict], list[str]]) -> dict[str, Any] | None:
    """One table about the rounds, a practice a row."""
    rows = [[_named(book, row["slug"], "name"), *row_of(book, row)] for row in rows_of(result, name)]
    return {"head": book.texts.part(f"last-round.head.{name}"), "rows": rows} if rows else None


def _round_row(book: Book, row: dict[str, Any]) -> list[str]:
    """The arms, how many of 100 came back in each, the difference, the smallest that would have shown, and the verdict."""
    texts = book.texts
    rates = [row[f"back_{arm}"] / row[arm] if row[arm] else None for arm in ("treated", "control")]
    arms = [f"{texts.count(row[arm])} · {texts.per100(rate)}" for arm, rate in zip(("treated", "control"), rates, strict=True)]
    return [*arms, *_verdict(book, row)]


def _pooled_row(book: Book, row: dict[str, Any]) -> list[str]:
    return [book.texts.count(row["rounds"]), book.texts.count(row["people"]), *_verdict(book, row)]


def _verdict(book: Book, row: dict[str, Any]) -> list[str]:
    tenths = book.texts.tenths
    difference = tenths(row["effect"]) + _in_brackets(book, row["low"], row["high"], "tenths")
    return [difference, tenths(row["mde"]), book.texts.say(f"last-round.verdict.{row['verdict']}")]


def _spend_row(book: Book, row: dict[str, Any]) -> list[str]:
    return [_with_range(book, row, name, "money") for name in ("spend", "capped", "per_order")]


def _profit_row(book: Book, row: dict[str, Any]) -> list[str]:
    money = book.texts.money
    return [money(row["margin"]), money(row["spent_on_contacts"]), _with_range(book, row, "profit", "money")]


def _check_row(book: Book, row: dict[str, Any]) -> list[str]:
    texts = book.texts
    contacted = book.say("of", x=row["reached_controls"], n=row["controls"])
    reached = texts.share(row["told"]) if row["told"] else texts.say("last-round.word.untold")
    unlike = texts.ratio(None if row["apart"] is None else abs(row["apart"]))
    return [texts.say(f"last-round.word.{'yes' if row['as_drawn'] else 'no'}"), unlike, texts.tenths(row["before"]), contacted, reached]


def _with_range(book: Book, row: dict[str, Any], name: str, unit: str) -> str:
    """A value with its range in brackets."""
    return book.texts.value(row[name], unit) + _in_brackets(book, row[f"{name}_low"], row[f"{name}_high"], unit)


def _in_brackets(book: Book, low: float | None, high: float | None, unit: str) -> str:
    """A range on a line of its own."""
    return "" if low is None else f"\n({book.range(low, high, unit)})"
