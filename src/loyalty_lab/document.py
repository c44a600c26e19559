"""One playbook as one tree of display strings: from the results of all notebooks, in one language."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from loyalty_lab import aids, gains, outlook, pages, spreads, standing, tactics, teaching
from loyalty_lab.drawer import Drawer
from loyalty_lab.language import NOTHING, clean
from loyalty_lab.pages import Book
from loyalty_lab.results import Result
from loyalty_lab.shop import ShopSettings

MOST_ACTIONS = 5


def build(
    results: dict[str, Result],
    actions: list[dict[str, Any]],
    shop: ShopSettings,
    intake_report: dict[str, Any],
    run: dict[str, Any],
    language: str,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Put together everything a playbook prints; templates only lay it out.

    Parameters
    ----------
    results : dict of str to Result
        By slug. What is missing, failed, lacks data or is too early gets a page that says so.
    actions : list of dict
        ``{slug, kind, list, count, held_out, expected_gain, extra}`` for each list that was written.
    shop : ShopSettings
    intake_report : dict
        What ``check --json`` prints.
    run : dict
        `cutoff`, `report_date` (ISO dates), `horizon_days`, `inputs`, `version`.
    language : {"en", "tr", "bn", "hy"}
    cache : pathlib.Path, optional
        Folder in which drawn charts are kept; without it all are drawn. The document is the same.

    Returns
    -------
    dict
        Every leaf is a string in the reader's digits, or None. Charts are SVG strings.

    Raises
    ------
    RenderError
        If a text is missing, or speaks of something a result does not hold.
    """
    results = gains.joined(results)
    drawer = Drawer(cache and cache / "charts" / language)
    document = _document(Book(results, actions, shop, intake_report, run, language, drawer))
    drawer.tidy()
    return document


def _document(book: Book) -> dict[str, Any]:
    results = book.results
    practices = [spreads.tactic_page(book, results[slug]) for slug in _in_order(results)]
    return {
        "schema": "playbook/1",
        **pages.face(book.shop, book.language),
        "doc": _about(book),
        "t": _labels(book),
        "cover": _cover(book),
        "reading": _reading(book),
        "glance": glance(book),
        "scorecard": pages.scorecard(book),
        "periods": standing.periods(book),
        "claims": standing.claims(book),
        "pictures": pages.pictures(book),
        "outlook": [outlook.outlook_page(book, slug) for slug in outlook.SLUGS if slug in results],
        "tactics": practices,
        "workshop": teaching.workshop(book),
        "rounds": outlook.outlook_page(book, outlook.ROUNDS) if outlook.ROUNDS in results else None,
        "method": pages.method(book),
        "aids": forms(book),
    }


def front(document: dict[str, Any], warnings: list[str], page: str) -> dict[str, Any]:
    """Return what a page of many shops shows of one: the three answers and the first action of page one.

    Parameters
    ----------
    document : dict
        As of `build`.
    warnings : list of str
        What somebody should look into in the exports.
    page : str
        File name of the report's own page.
    """
    seen = document["glance"]
    return {
        "shop": document["brand"]["shop"],
        "language": document["lang"],
        "cutoff": document["doc"]["foot"],
        "answers": [{name: answer[name] for name in ("q", "a", "text")} for answer in seen["answers"]],
        "action": {name: seen["actions"][0][name] for name in ("what", "why", "due")} if seen["actions"] else None,
        "warnings": warnings,
        "page": page,
    }


def forms(book: Book) -> dict[str, Any] | None:
    """The forms and cards of the practices in this playbook; None where they need none."""
    some = aids.for_practices(_in_order(book.results))
    return aids.appendix(book.texts, book.shop, some, str(book.run["report_date"]), aids.COMMAND) if some else None


def _in_order(results: dict[str, Result]) -> list[str]:
    known = [tactic.slug for tactic in tactics.CATALOGUE if tactic.slug in results]
    return known + sorted(slug for slug, result in results.items() if result.kind == "tactic" and slug not in known)


def _about(book: Book) -> dict[str, Any]:
    fact = _retention(book)
    first, last = fact.window if fact and fact.window else (None, book.run["cutoff"])
    return {
        "title": book.say("title"),
        "subtitle": book.say("subtitle"),
        "period": book.say("period", first=first, last=last) if first else book.say("period_until", last=last),
        "keywords": book.part("keywords"),
        "foot": book.say("foot", cutoff=book.run["cutoff"], report_date=book.run["report_date"]),
        "timestamp": str(book.run["report_date"]),
    }


def _labels(book: Book) -> dict[str, Any]:
    """The labels every page shares, as they are; `page_of` is filled when the pages are counted."""
    own = {name: book.part(name) for name in ("page_of", "skip")}
    sections = {f"section_{name.replace('-', '_')}": words for name, words in book.part("section").items()}
    lesson = {
        f"lesson_{name}": book.part(f"lesson.{name}") for name in ("exercises", "solution", "facilitate", "aim", "questions", "mistakes")
    }
    return own | sections | lesson | book.part("labels") | {name: book.part(f"glance.{name}") for name in ("happened",)}


def _retention(book: Book):
    result = book.ready("scorecard")
    return result.facts.get("customer_retention_rate") if result else None


def _cover(book: Book) -> dict[str, Any]:
    fact, orders = _retention(book), book.intake.get("orders") or {}
    known = fact is not None and fact.value is not None
    first, last = fact.window if known and fact.window else (None, None)
    facts = [
        [book.say("cover.orders"), book.texts.count(orders.get("orders"))],
        [book.say("cover.customers"), book.texts.count(orders.get("customers"))],
        [book.say("cover.cutoff"), book.texts.date(book.run["cutoff"])],
        [book.say("cover.report_date"), book.texts.date(book.run["report_date"])],
    ]
    return {
        "kept": f"{round(100 * fact.value)}" if known else "",
        "sentence": book.say("cover.kept", kept=fact.value) if known else book.say("cover.too_early"),
        "note": book.say("cover.note", first=first, last=last) if known else "",
        "facts": facts,
    }


def _reading(book: Book) -> dict[str, Any]:
    ladder = [{"grade": grade, **book.part(f"grade.{grade}")} for grade in "ABCDE"]
    return {
        "kicker": clean(book.shop.name) + " · " + book.say("title"),
        "title": book.say("reading.title"),
        "section": book.say("section.reading"),
        "contents": book.say("reading.contents"),
        "ladder_title": book.say("reading.ladder"),
        "ladder": ladder,
        "signs_title": book.say("reading.signs"),
        "signs": book.part("reading.sign"),
    }


def glance(book: Book) -> dict[str, Any]:
    """Page one: is it working, what needs attention, what to do now."""
    result, chosen = book.ready("scorecard"), first_actions(book)
    answers = [_answer(book, result, "working"), _answer(book, result, "attention"), _now(book, len(chosen))]
    if (read := book.results.get(outlook.ROUNDS)) and read.status == "ready":
        answers[0]["text"] += f" {book.message(read, 'headline')}{book.say('full_stop')}"
    if result and (spark := pages.sparkline(book, result, "customer_retention_rate")):
        answers[0] |= {"spark": spark, "caption": book.say("glance.spark")}
    return {
        "kicker": book.say("glance.kicker", shop=book.shop.name, cutoff=book.run["cutoff"]),
        "title": book.message(result, "headline", book.say("glance.unknown")),
        "section": book.say("section.glance"),
        "answers": answers,
        "actions_title": book.say("glance.actions"),
        "actions_note": book.say("glance.note"),
        "head": book.part("glance.head"),
        "actions": chosen,
        "footnote": book.say("glance.footnote"),
        "sign": [book.say(f"glance.{name}") for name in ("agreed", "owner", "again")],
    }


def _stops(book: Book) -> list[str]:
    """What rounds have shown to harm or to lose money, each in a sentence."""
    found = [(slug, gains.stopped(book.results[slug])) for slug in _in_order(book.results)]
    return [book.say(f"glance.{why}", name=book.name(slug)) for slug, why in found if why]


def _answer(book: Book, result: Result | None, role: str) -> dict[str, Any]:
    message = result.message(role) if result else None
    short = message.key.replace(f".{role}.", f".{role}_short.") if message else ""
    return {
        "q": book.say(f"glance.{role}"),
        "a": book.texts.say(short, **message.args) if message and book.texts.has(short) else book.say("glance.unknown"),
        "text": book.message(result, role, book.say("glance.unknown_text")),
        "spark": None,
        "caption": "",
    }


def _now(book: Book, n: int) -> dict[str, Any]:
    stops = _stops(book)
    short = book.part("glance.now_answer")[n - 1] if n else book.say("glance.now_stop" if stops else "glance.now_none")
    text = [book.say("glance.now_text")] if n else [] if stops else [book.say("glance.now_none_text")]
    return {"q": book.say("glance.now"), "a": short, "text": " ".join([*stops, *text]), "spark": None, "caption": ""}


def first_actions(book: Book) -> list[dict[str, Any]]:
    """The first five actions in the order of `gains.place`; what has done harm or lost money is none of them."""
    going = {slug for slug, result in book.results.items() if result.status == "ready" and not gains.stopped(result)}
    lists = [action for action in book.actions if action.get("count") and action["slug"] in going]
    missing = [{"slug": slug, "kind": "data"} for slug in _in_order(book.results) if book.results[slug].status == "needs data"]
    return [_action(book, action) for action in sorted(lists + missing, key=lambda action: _rank(book, action))[:MOST_ACTIONS]]


def _rank(book: Book, action: dict[str, Any]) -> tuple:
    overdue = (action.get("extra") or {}).get("overdue") or action.get("count") or 0
    return (*gains.place(book.results[action["slug"]], action["kind"], overdue), action["slug"])


def _action(book: Book, action: dict[str, Any]) -> dict[str, Any]:
    slug, data = action["slug"], action["kind"] == "data"
    value, measure = (None, None) if data else (book.results[slug].value, book.results[slug].measure)
    large, note = spreads.worth_words(book, value, (action.get("extra") or {}).get("cost"), measure)
    return {
        "what": book.say("glance.data_what", name=book.name(slug)) if data else _what(book, slug, action),
        "why": book.say("glance.data_why") if data else _found(book, slug),
        "people": "" if data else _people(book, action),
        "list": "" if data else clean(action.get("list") or NOTHING),
        "money": large,
        "money_note": note,
        **spreads.grade_words(book, value),
        "owner": book.owner(slug),
        "due": book.texts.day(monday_after(date.fromisoformat(str(book.run["report_date"])))),
        "anchor": slug,
    }


def _what(book: Book, slug: str, action: dict[str, Any]) -> str:
    key = f"{slug}.action.what"
    return book.texts.say(key, **spreads.spoken(action)) if book.texts.has(key) else book.name(slug)


def _found(book: Book, slug: str) -> str:
    """What was found, as the page of the practice is headed."""
    said = book.message(book.results[slug], "headline", "")
    return said + book.say("full_stop") if said and said[-1] not in ".!?।։" else said


def _people(book: Book, action: dict[str, Any]) -> str:
    count, held = action["count"], action.get("held_out") or 0
    if held:
        return book.say("glance.people_held", count=count, held_out=held)
    return book.texts.fill(book.part("glance.people"), n=count)


def monday_after(day: date) -> date:
    """Return the first Monday after a day.

    Examples
    --------
    >>> monday_after(date(2026, 11, 1)), monday_after(date(2026, 11, 2))
    (datetime.date(2026, 11, 2), datetime.date(2026, 11, 9))
    """
    return day + timedelta(days=7 - day.weekday())
