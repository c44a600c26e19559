"""What is practised: the scene for two that every spread ends with, and the page for learners and their trainer."""

from __future__ import annotations

from typing import Any

from loyalty_lab.pages import Book
from loyalty_lab.results import Result


def scene(book: Book, slug: str) -> dict[str, Any] | None:
    """A scene for two, the sentences to try, and what to ask afterwards."""
    if not book.texts.has(f"{slug}.teach"):
        return None
    scene = book.texts.part(f"{slug}.teach")
    return {"roles": [["A", scene["role_a"]], ["B", scene["role_b"]]], "lines": scene["lines"], "watch": scene["watch"]}


def lesson(book: Book, result: Result) -> dict[str, Any] | None:
    """The page for learners: exercises on the shop's own numbers; for trainers their solutions, and how to lead the hour."""
    slug, edition = result.notebook, book.run.get("edition", "client")
    if edition == "client" or not book.texts.has(f"{slug}.exercise"):
        return None
    led, solved = edition == "trainer", result.status == "ready"
    args = headline.args if (headline := result.message("headline")) else {}
    exercises = [
        {"ask": each["ask"], "solution": book.texts.fill(each["solution"], f"{slug}.exercise", **args) if led and solved else ""}
        for each in book.lines(f"{slug}.exercise")
    ]
    return {
        "title": book.say("lesson.title", name=book.name(slug)),
        "exercises": exercises,
        "facilitate": _facilitate(book, slug) if led else None,
    }


def workshop(book: Book) -> dict[str, Any] | None:
    """The trainer's page of plans: how to spend ninety minutes or a day with the book."""
    if book.run.get("edition") != "trainer":
        return None
    part = book.texts.part("workshop")
    plans = [{"label": part[plan]["label"], "rows": [_planned(book, step) for step in part[plan]["step"]]} for plan in ("short", "day")]
    return {name: part[name] for name in ("kicker", "title", "section", "needs", "head", "foot")} | {"plans": plans}


def _planned(book: Book, step: dict[str, Any]) -> list[str]:
    return [book.texts.count(step["minutes"]), step["what"], step["how"]]


def _facilitate(book: Book, slug: str) -> dict[str, Any]:
    """The facilitator's part: aim, minutes, questions to ask, mistakes to expect."""
    part = book.texts.part(f"{slug}.facilitate")
    time = book.say("lesson.minutes", n=part["minutes"])
    return {"aim": part["aim"], "time": time, "questions": list(part["questions"]), "mistakes": list(part["mistakes"])}
