"""One page of all shops: whose report is made and whose is not, what needs attention, and what the first page of each says."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from loyalty_lab import playbook
from loyalty_lab.clients import Ended
from loyalty_lab.language import Texts, clean
from loyalty_lab.results import write_atomically
from loyalty_lab.shop import CACHE

WORST_FIRST = ("refused", "failed", "attention", "done")
TEMPLATE = "overview.html.j2"


def write(ended: list[Ended], path: Path, language: str) -> None:
    """Write the page, whole or not at all.

    Parameters
    ----------
    ended : list of Ended
        As of `clients.make`.
    path : pathlib.Path
        Reports are linked to from there.
    language : {"en", "tr", "bn", "hy"}
        Of the page's own words; what is said of a shop is in the shop's language.
    """
    fonts = next((each.shop / CACHE for each in ended if each.folder), None)  # a shop's pages have the same letters cut
    write_atomically(path, playbook.html(document(ended, path.parent, language), TEMPLATE, fonts).encode())


def document(ended: list[Ended], folder: Path, language: str) -> dict[str, Any]:
    """Put together everything the page shows; the worst comes first, then the order of names."""
    texts = Texts(language)
    rows = sorted(ended, key=lambda each: (WORST_FIRST.index(_state(each)), each.shop.name))
    counted = Counter(map(_state, ended))
    states = [(state, texts.say(f"overview.state.{state}"), texts.count(counted[state])) for state in WORST_FIRST if counted[state]]
    return {
        "lang": language,
        "title": texts.say("overview.title"),
        "shops": texts.say("overview.shops", n=len(ended)),
        "states": states,
        "t": texts.part("overview.labels"),
        "rows": [_row(texts, each, folder) for each in rows],
    }


def _state(ended: Ended) -> str:
    """To the reader of the page it is all one whether a report was made today or was there already."""
    return "done" if ended.state == "kept" else ended.state


def _row(texts: Texts, ended: Ended, folder: Path) -> dict[str, Any]:
    front = ended.front
    page = ended.folder / front["page"] if ended.folder and front else None
    return {
        "name": clean(front.get("shop") or ended.shop.name),
        "folder": clean(ended.shop.name) if front else "",
        "lang": front.get("language", texts.language),
        "state": _state(ended),
        "said": texts.say(f"overview.state.{_state(ended)}"),
        "cutoff": front.get("cutoff", ""),
        "trouble": [clean(line, limit=300) for line in ended.said.splitlines()] if ended.code else [],
        "warnings": front.get("warnings", []),
        "answers": front.get("answers", []),
        "action": front.get("action"),
        "link": Path(os.path.relpath(page, folder)).as_posix() if page else None,
    }
