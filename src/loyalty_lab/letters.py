"""The letters a shop writes by hand: their set with open slots, the order they go out in, and which of them stands in for another."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Any

from loyalty_lab.language import Texts, clean

if TYPE_CHECKING:
    from collections.abc import Sequence

ROTATING = "follow-up-letters"
SETS = (ROTATING, "thank-and-gift")


def blank(texts: Texts, shop: str) -> dict[str, Any]:
    """Return the set of letters with open slots, and which comes after which.

    Examples
    --------
    >>> found = blank(Texts("en"), "Corner Grocer")["letters"]
    >>> [letter["label"] for letter in found[5:7]], found[5]["next"], found[0]["paragraphs"][0]
    (['Letter F', 'Letter T1'], 'then: Letter A', ['Dear ', {'slot': 'name'}, ','])
    """
    letters = [_blank(texts, slug, name, shop) for slug in SETS for name in templates(texts, slug)]
    return {"letters": letters, **{part: texts.part(f"letters.{part}") for part in ("closing", "stop")}}


def _blank(texts: Texts, slug: str, name: str, shop: str) -> dict[str, Any]:
    letter = texts.part(f"letters.{slug}.{name}")
    told = [texts.part("letters.greeting"), *letter["paragraphs"]]
    return {
        "label": texts.say("letters.label", template=name),
        "about": letter["about"],
        "next": _next(texts, slug, name),
        "paragraphs": [_with_slots(texts, each, shop) for each in told],
    }


def _next(texts: Texts, slug: str, name: str) -> str:
    """Which letter comes after one; those of thanks follow the occasion."""
    if slug != ROTATING:
        return texts.say("letters.occasion")
    ours = templates(texts, slug)
    return texts.say("letters.then", label=texts.say("letters.label", template=ours[(ours.index(name) + 1) % len(ours)]))


def _with_slots(texts: Texts, paragraph: str, shop: str) -> list[str | dict[str, str]]:
    """A paragraph in parts: what is said, and a slot where the customer's name goes."""
    parts: list[str | dict[str, str]] = []
    for words, slot, _, _ in Formatter().parse(paragraph):
        parts += [words, clean(shop)] if slot == "shop" else [words]
        parts += [{"slot": texts.part(f"letters.slot.{slot}")}] if slot == "name" else []
    return [part for part in parts if part]


def templates(texts: Texts, slug: str) -> list[str]:
    """Return the names of the letters of a practice, in the order of rotation; none where it writes no letters.

    Examples
    --------
    >>> templates(Texts("en"), "follow-up-letters"), templates(Texts("en"), "answer-fast")
    (['A', 'B', 'C', 'D', 'E', 'F'], [])
    """
    return list(texts.part(f"letters.{slug}")) if texts.has(f"letters.{slug}") else []


def stand_in(name: str, ours: Sequence[str], own: Sequence[str]) -> str:
    """Return which of our letters is sent for one the list names; one of the shop's own takes a place of ours that is free.

    The list rotates over the shop's own letters first and then over as many of ours as make up the set. The shop's own
    are in a drawer we cannot see, so each gets one of ours that the rotation does not name: no customer gets one text twice.

    Examples
    --------
    >>> stand_in("B", "ABCDEF", []), [stand_in(name, "ABCDEF", ["B", "spring"]) for name in ("B", "spring", "A")]
    ('B', ['B', 'F', 'A'])
    """
    if name in ours:
        return name
    own = sorted({*own, name})
    named = [*own, *(each for each in ours if each not in own)][: max(len(ours), len(own))]
    free = [each for each in ours if each not in named] or list(ours)
    return free[[each for each in own if each not in ours].index(name) % len(free)]
