"""The pages of the practices: a spread each, and how its worth may be worded."""

from __future__ import annotations

from typing import Any

from loyalty_lab import effects, gains, missing, tactics, teaching, worth
from loyalty_lab.language import NOTHING, clean
from loyalty_lab.pages import Book
from loyalty_lab.results import Claim, Measure, Result, Value


def worth_words(book: Book, value: Value | None, cost: Any = None, measure: Measure | None = None) -> tuple[str, str]:
    """Say what a practice is worth in two short pieces, as its evidence allows.

    A or B with a range clear of zero: the amount and its range; A or B otherwise: "not shown" and
    the cost. C or D: the break-even and "at most". E or nothing: a dash. What has driven people away: stop.

    Parameters
    ----------
    book : Book
    value : Value or None
    cost : float, optional
        What the action costs, if known.
    measure : Measure, optional
        What rounds have shown of it.

    Returns
    -------
    tuple of str
        The words in large, and the note below them.
    """
    texts, grade = book.texts, value.grade if value else None
    checks = measure.checks if measure else {}
    if checks.get("verdict") == gains.HARMS:
        return book.say("worth.harms"), book.say("worth.harms_note", effect=measure.effect)
    if grade in ("A", "B"):
        if None not in (value.amount, value.low, value.high) and (value.low > 0 or value.high < 0):
            found = book.range(value.low, value.high, "money")
            return texts.money(value.amount), book.say("worth.a_round", range=found) if "days" in checks else found
        cost = cost if cost is not None else _spent(checks)
        return book.say("worth.not_shown"), book.say("worth.cost", cost=cost) if cost is not None else book.say("worth.cost_unknown")
    if grade in ("C", "D"):
        return _unproven(book, value)
    return NOTHING, book.say("worth.unknown" if grade is None else "worth.no_value")


def _spent(checks: dict[str, Any]) -> float | None:
    """What the contacts of the last round cost."""
    cost, treated = checks.get("cost"), checks.get("treated_last")
    return None if None in (cost, treated) else cost * treated


def _unproven(book: Book, value: Value) -> tuple[str, str]:
    most = value.high if value.high is not None else value.amount
    if value.break_even_rate is not None:
        note = "worth.break_even" if most is None else "worth.break_even_at_most"
        return rate(book, value.break_even_rate), book.say(note, high=most)
    return (NOTHING, book.say("worth.unknown")) if most is None else (book.texts.money(most), book.say("worth.at_most_alone"))


def rate(book: Book, share: float) -> str:
    """A break-even rate as "1 in 31"; above a half as so many in a hundred."""
    if share > 1:
        return book.say("never")
    return book.say("in_hundred", x=share) if share > 0.5 else book.texts.one_in(share)


def grade_words(book: Book, value: Value | None) -> dict[str, str]:
    """The rung of the evidence ladder and its words; no letter where nothing can be judged yet."""
    grade = value.grade if value else None
    words = book.part(f"grade.{grade or 'none'}")
    return {"grade": grade or "", "short": words["short"], "meaning": words["meaning"]}


def tactic_page(book: Book, result: Result) -> dict[str, Any]:
    """The spread of a practice, or its page of what is missing."""
    slug = result.notebook
    tactic = next((each for each in tactics.CATALOGUE if each.slug == slug), None)
    number = book.texts.digits(f"{tactic.number:02d}") if tactic else ""
    page = {
        "number": number,
        "anchor": slug,
        "kicker": book.say("labels.tactic", number=number) + " · " + book.name(slug),
        "section": book.name(slug),
        "lesson": teaching.lesson(book, result),
    }
    if result.status != "ready":
        return page | missing.page(book, result)
    return page | {"kind": "spread"} | _left(book, result) | _right(book, result, tactic.kind if tactic else "campaign")


def _left(book: Book, result: Result) -> dict[str, Any]:
    slug, stopped = result.notebook, gains.stopped(result)
    return {
        "title": book.say(f"glance.{stopped}", name=book.name(slug)).rstrip(".।։")
        if stopped
        else book.message(result, "headline", book.name(slug)),
        "why": book.optional(f"{slug}.why"),
        "stand": book.message(result, "stand"),
        "figures": [figure for figure in (book.figure(each) for each in result.figures[:1]) if figure],
        "worth": _worth(book, result),
        "practice": book.lines(f"{slug}.practice"),
    }


def _worth(book: Book, result: Result) -> dict[str, Any]:
    slug, value, action = result.notebook, result.value, entry(book, result.notebook)
    large, note = worth_words(book, value, (action.get("extra") or {}).get("cost"), result.measure)
    return {
        "value": large,
        "note": note,
        **grade_words(book, value),
        "rows": _worth_rows(book, result),
        "break_even_label": book.say(f"worth.{'measured' if _is_measured(result) else 'break_even'}_label"),
        "break_even": _break_even(book, result, action.get("kind") or _kind(slug)),
        "assumptions_label": book.say("worth.assumptions"),
        "assumptions": [
            *(_assumption(book, slug, key) for key in (value.assumptions if value else [])),
            *(book.texts.say(message) for message in result.messages if message.key.partition(".")[0] != slug),
        ],
    }


def _kind(slug: str) -> str:
    return next((each.kind for each in tactics.CATALOGUE if each.slug == slug), "campaign")


def _worth_rows(book: Book, result: Result) -> list[list[str]]:
    table = result.tables.get("worth")
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows] if table else []
    if all(row["value"] is None for row in rows):
        return []
    return [[_worth_label(book, result.notebook, row["key"]), book.texts.value(row["value"], row["unit"])] for row in rows]


def _worth_label(book: Book, slug: str, key: str) -> str:
    found = worth.own(book.texts, slug, key)
    return book.texts.say(found) if book.texts.has(found) else clean(key)


def _is_measured(result: Result) -> bool:
    value = result.value
    return gains.harms(result) or bool(value and value.grade in ("A", "B") and None not in (value.low, value.high))


def _break_even(book: Book, result: Result, kind: str) -> str:
    value = result.value
    if gains.harms(result):
        return book.say("worth.harms_text")
    if _is_measured(result):
        days = result.measure.checks.get("days") if result.measure else None
        found = book.range(value.low, value.high, "money")
        return book.say("worth.measured_round", range=found, days=days) if days else book.say("worth.measured_text", range=found)
    if value and value.break_even_rate is not None and value.break_even_rate > 1:
        return book.say("worth.never_text_duty" if kind == "duty" else "worth.never_text")
    if value and value.break_even_rate is not None:
        own, shared = f"{result.notebook}.break_even", "worth.duty_rate" if kind == "duty" else "worth.break_even_text"
        words = {"rate": rate(book, value.break_even_rate)}
        return book.optional(own, **words) or book.say(shared, **words)
    none = "worth.nobody_text" if kind == "campaign" and _nobody(result) else "worth.break_even_none"
    return book.say({"duty": "worth.duty_text", "watch": "worth.watch_text"}.get(kind, none))


def _nobody(result: Result) -> bool:
    """Whether nobody may be on the list of a practice now."""
    table = result.tables.get("worth")
    return bool(table) and ["practice.worth.candidates", 0.0] in [row[:2] for row in table.rows]


def _assumption(book: Book, slug: str, key: str) -> str:
    found = worth.own(book.texts, slug, key)
    return book.optional(found) if book.texts.has(found) else clean(key)


def entry(book: Book, slug: str) -> dict[str, Any]:
    """The line of a practice in the actions, or an empty one."""
    return next((action for action in book.actions if action["slug"] == slug), {})


def _right(book: Book, result: Result, kind: str) -> dict[str, Any]:
    slug, action = result.notebook, entry(book, result.notebook)
    stopped = gains.stopped(result)
    return {
        "monday": [book.step(slug, step) for step in (book.part(f"stop.{stopped}") if stopped else book.lines(f"{slug}.monday"))],
        "who": _stopped_list(book, stopped) if stopped else _who(book, slug, action.get("kind") or kind, action),
        "know": _stopped_plan(book, result, stopped) if stopped else _know(book, result.measure, action),
        "card": _card(book, slug, action),
        "says": [_says(book, slug, claim) for claim in result.claims],
        "care": book.optional(f"{slug}.care"),
        "teach": teaching.scene(book, slug),
    }


def _card(book: Book, slug: str, action: dict[str, Any]) -> dict[str, str] | None:
    """What the card for the till says of those kept aside in a round; their numbers stay in the ledger."""
    until, held = action.get("read_on"), action.get("held_out")
    return {"text": book.say("who.card", until=until, name=book.name(slug)), "people": f"{held}"} if until and held else None


def _stopped_plan(book: Book, result: Result, why: str) -> dict[str, Any]:
    """No plan for another round, but what the rounds read so far have shown."""
    rows = _shown_so_far(book, result.measure) if result.measure else []
    return {"text": book.say(f"glance.{why}", name=book.name(result.notebook)), "rows": rows, "verdict": ""}


def _stopped_list(book: Book, why: str) -> dict[str, Any]:
    return {"numbers": [], "list": "", "control": book.say(f"who.{why}")}


def _who(book: Book, slug: str, kind: str, action: dict[str, Any]) -> dict[str, Any]:
    count, held = action.get("count") or 0, action.get("held_out") or 0
    if not count + held:
        return {"numbers": [], "list": "", "control": book.say("who.none" if kind == "campaign" or not action else "who.empty")}
    shown = {
        "campaign": [(count + held, "eligible"), (count, "treated"), (held, "held")],
        "duty": [(count, "duty"), (0, "held_none")],
        "watch": [(count, "watch"), (0, "watch_none")],
    }[kind]
    numbers = [[book.texts.count(n), book.say(f"who.{key}"), book.say(f"who.{key}_note")] for n, key in shown]
    own = book.optional(f"{slug}.control", **spoken(action))
    said = [own or book.say(f"who.{kind}_control"), *([book.say("who.no_limit")] if kind == "campaign" and not book.shop.capacity else [])]
    return {"numbers": numbers, "list": clean(action.get("list") or NOTHING), "control": " ".join(said)}


def spoken(action: dict[str, Any]) -> dict[str, Any]:
    """What the sentences about an action may speak of."""
    extra = action.get("extra") or {}
    return {"count": action.get("count"), "held_out": action.get("held_out"), "n": action.get("count"), **extra}


def _know(book: Book, measure: Measure | None, action: dict[str, Any]) -> dict[str, Any]:
    """The plan in words, with what it can show; a round that is running already keeps its own reading date."""
    if measure is None:
        return {"text": book.say("know.none"), "rows": [], "verdict": ""}
    if _idle(measure, action):
        return {"text": book.say("know.idle"), "rows": _shown_so_far(book, measure), "verdict": ""}
    texts, read_on = book.texts, action.get("read_on") or measure.read_on
    measure = _for_this_round(measure, action)
    rows = [[book.say("know.read_on"), texts.date(read_on)]] if read_on else []
    if measure.design != "holdout":
        rows.append([book.say("know.outcome"), _measured(book, "outcome", measure.outcome)])
    rows.append([book.say("know.window"), texts.days(measure.window_days)])
    rows += [[texts.say(key), texts.value(value, unit)] for key, value, unit in effects.power_rows(measure)]
    doubts = () if measure.checks.get("verdict") == gains.WORKS else (effects.verdict(measure), effects.caution(measure))
    found = [texts.say(each) for each in doubts if each]
    once = " " + book.say("know.once") if measure.design == "holdout" else ""
    return {
        "text": _measured(book, "design", measure.design) + once,
        "rows": rows + _shown_so_far(book, measure),
        "verdict": " ".join(found),
    }


def _idle(measure: Measure, action: dict[str, Any]) -> bool:
    """Whether a list was asked for and nobody is on it, so that no round begins."""
    drawn = [action.get(name) for name in ("count", "held_out", "read_on")]
    return bool(action) and measure.design == "holdout" and not any(drawn)


def _for_this_round(measure: Measure, action: dict[str, Any]) -> Measure:
    """The plan for the people who were drawn, where this very report has opened the round."""
    drawn = [action.get(name) or 0 for name in ("count", "held_out")]
    opened = str(action.get("read_on")) == str(measure.read_on)
    return effects.as_drawn(measure, *drawn) if opened and measure.design == "holdout" else measure


def _shown_so_far(book: Book, measure: Measure) -> list[list[str]]:
    """What earlier rounds have shown; beside "not shown" the smallest effect that they would have shown."""
    texts, checks = book.texts, measure.checks
    if measure.effect is None:
        return []
    low, high = measure.interval[:2] if measure.interval else (None, None)
    found = texts.points(measure.effect) + (f" ({book.range(low, high, 'tenths')})" if low is not None else "")
    if (verdict := checks.get("verdict")) is None:
        return [[book.say("know.effect"), found]]
    rows = [[book.say("know.shown", rounds=checks["rounds"]), f"{texts.say(f'last-round.verdict.{verdict}')}: {found}"]]
    if verdict == "not_shown":
        rows.append([book.say("know.could_show"), texts.points(checks["could_show"])])
    return rows


def _measured(book: Book, part: str, key: str) -> str:
    """A design or outcome in words; "how" is its longer form."""
    found = next((each for each in (f"measure.how.{key}", f"measure.{part}.{key}") if book.texts.has(each)), None)
    return book.texts.say(found) if found else clean(key)


def _says(book: Book, slug: str, claim: Claim) -> list[str]:
    source = book.texts.say(claim.source) if book.texts.has(claim.source) else clean(claim.source)
    said = book.optional(claim.key) or clean(claim.key)
    return [said, book.say("labels.source", source=source), _shown(book, claim)]


def _shown(book: Book, claim: Claim) -> str:
    """What the shop's own numbers say beside a claim."""
    fact = claim.shop_value
    if fact is None or fact.value is None:
        return book.say("labels.not_here")
    low, high, _ = fact.interval or (None, None, None)
    return book.texts.say(f"{claim.key}-here", value=fact.value, low=low, high=high, n=fact.n)
