"""The page of a practice that cannot be judged: what is missing, a blank form to start with, and what can be practised all the same."""

from __future__ import annotations

from typing import Any

from loyalty_lab import tactics, teaching
from loyalty_lab.language import clean
from loyalty_lab.pages import Book
from loyalty_lab.results import Result

FORM_ROWS = 12


def page(book: Book, result: Result) -> dict[str, Any]:
    """What stands in place of a spread, as the status of the result asks for."""
    slug, called = result.notebook, book.name(result.notebook)
    if result.status == "needs data":
        return _collect(book, result, called)
    state = {"failed": "failed", "too early": "early"}[result.status]
    cause = str(result.reason.args.get("cause", "")) if result.reason else ""
    return {
        "kind": "notice",
        "title": book.say(f"absent.{state}_title", name=called),
        "stamp": book.say(f"absent.{state}_stamp"),
        "status": book.say(f"absent.{state}_text"),
        "cause": book.say("absent.cause", cause=cause) if cause else "",
        "why": book.optional(f"{slug}.why"),
        "practice": book.lines(f"{slug}.practice"),
    }


def _collect(book: Book, result: Result, called: str) -> dict[str, Any]:
    slug = result.notebook
    need = str(result.reason.args.get("need", "")) if result.reason else ""
    file = f"{need.partition('.')[0]}.csv"
    columns = _columns(book, slug, need.partition(".")[0])
    return {
        "kind": "collect",
        "title": book.say("absent.needs_title", name=called),
        "stamp": book.say("absent.needs_stamp", need=need),
        "status": book.optional(f"{slug}.collect.status"),
        "why": book.optional(f"{slug}.collect.why") or book.optional(f"{slug}.why"),
        "file": file,
        "file_note": book.say("absent.file_note"),
        "columns_head": book.part("absent.columns_head"),
        "columns": columns,
        "howlong": book.optional(f"{slug}.collect.howlong"),
        "steps": [book.step(slug, step) for step in book.lines(f"{slug}.collect.steps")],
        "teach": teaching.scene(book, slug),
        "form": {
            "title": book.say("absent.form", name=called),
            "right": book.say("absent.form_right"),
            "how": book.say("absent.form_how", file=file),
            "head": book.part("absent.form_head"),
            "columns": [column[:2] for column in columns],
            "rows": f"{FORM_ROWS}",
            "foot": book.say("absent.form_foot"),
        },
    }


def _columns(book: Book, slug: str, table: str) -> list[list[str]]:
    """What is to be written down: column, what it means, an example."""
    wanted = tactics.find(slug).form(table) if table else []
    return [[name, *(clean(words, limit=160) for words in book.texts.part(f"column.{table}.{name}"))] for name in wanted]
