"""The letters of a list, filled in and ready to sign, and the same as a table for a mail merge."""

from __future__ import annotations

import io
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from loyalty_lab import pages, playbook
from loyalty_lab.customers import letters_sent
from loyalty_lab.language import LOCALES, Texts, clean
from loyalty_lab.letters import stand_in, templates
from loyalty_lab.lists import harmless
from loyalty_lab.results import write_atomically

if TYPE_CHECKING:
    from loyalty_lab.desk import Desk

TEMPLATE = "aids/merged.typ"
AT_ONCE = 500
FOLDER = "letters"
POSTED = ("letter", "mail")
COLUMNS = ("number", "name", "channel", "address", "email", "language", "template", "paragraphs")


def write(desk: Desk, slug: str, people: pd.DataFrame, out: Path, paper: str = "a4") -> None:
    """Write the letters of one campaign's list: ``letters/<slug>.pdf``, a page each, and ``letters/<slug>.csv`` for a mail merge.

    More than 500 letters are printed in files of 500, ``<slug>-01.pdf`` and so on: one file of all would take gigabytes to make.

    Parameters
    ----------
    desk : Desk
    slug : str
        A practice without letters of its own in the texts gets none.
    people : pandas.DataFrame
        Who stands on the list, as `lists` has it; whose channel is neither letter nor e-mail gets none.
    out : pathlib.Path
        Folder of the lists. The files are for their owner alone.
    paper : {"a4", "letter"}
    """
    letters = merged(desk, slug, people)
    if not letters:
        return
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    _keep(folder / f"{slug}.csv", _csv(letters))
    posted = [letter for letter in letters if letter["channel"] == "letter"]
    for first in range(0, len(posted), AT_ONCE):
        part = f"-{first // AT_ONCE + 1:02d}" if len(posted) > AT_ONCE else ""
        _keep(folder / f"{slug}{part}.pdf", playbook.pdf(document(desk, posted[first : first + AT_ONCE]), paper, TEMPLATE))


def _keep(path: Path, content: bytes) -> None:
    write_atomically(path, content)
    path.chmod(0o600)


def merged(desk: Desk, slug: str, people: pd.DataFrame) -> list[dict[str, Any]]:
    """Return one letter for each person on a list of letters, in its order: who gets it, and what it says in print and in a mail merge."""
    home = desk.shop.settings.languages[0]
    ours = templates(Texts(home), slug)
    if not ours:
        return []
    spoken, own = _languages(desk), _own(desk, people)
    return [
        _letter(desk, slug, person, Texts(spoken.get(person.pseudonym, home)), stand_in(str(person.arguments["template"]), ours, own))
        for person in people.sort_values("rank").itertuples()
        if person.channel in POSTED and "template" in person.arguments
    ]


def _languages(desk: Desk) -> dict[str, str]:
    """The language of each customer who has told one that we write."""
    customers = desk.shop.customers
    if customers is None or "preferred_language" not in customers.columns:
        return {}
    told = customers.drop_duplicates("customer_id").set_index("customer_id")["preferred_language"].dropna()
    short = told.astype("str").str.strip().str.lower().str.slice(0, 2)
    return short[short.isin(list(LOCALES))].to_dict()


def _own(desk: Desk, people: pd.DataFrame) -> list[str]:
    """Every letter that the shop has sent or the list names."""
    sent = letters_sent(desk.shop)
    used = set(sent["template_id"].dropna().astype("str")) if "template_id" in sent.columns else set()
    return sorted(used | {str(each["template"]) for each in people["arguments"] if "template" in each})


def _letter(desk: Desk, slug: str, person: Any, texts: Texts, name: str) -> dict[str, Any]:
    known, shop = desk.identities.loc[person.pseudonym], desk.shop.settings.name
    told = {field: _plain(known.get(field)) for field in ("merged_id", "name", "address", "email")}
    listed = _plain(person.arguments["template"])
    return {
        "number": told["merged_id"],
        **{field: told[field] for field in ("name", "address", "email")},
        "channel": person.channel,
        "language": texts.language,
        "template": listed,
        "letter": name,
        "told": _said(texts, slug, name, told["name"], _plain(shop)),
        "shown": _shown(texts, told, listed) | {"paragraphs": _said(texts, slug, name, _printable(told["name"]), clean(shop))},
    }


def _shown(texts: Texts, told: dict[str, str], listed: str) -> dict[str, Any]:
    """What stands on the page around the letter; its code is the list's, so that the shop notes the letter under that name."""
    return {
        "lang": texts.language,
        "region": texts.locale.territory,
        "lines": str(texts.part("language.print.letter_lines")),
        "to": [line for line in (_printable(told["name"]), _printable(told["address"])) if line],
        "code": f"{clean(told['merged_id'])} · {clean(listed)}",
    }


def _said(texts: Texts, slug: str, name: str, customer: str, shop: str) -> dict[str, Any]:
    """The letter with its slots filled; what is filled in is never looked at for slots again."""
    greeting = texts.part("letters.greeting" if customer else "letters.greeting_plain")
    body = texts.part(f"letters.{slug}.{name}")["paragraphs"]
    filled = [each.format(name=customer, shop=shop) for each in (greeting, *body)]
    return {"body": filled, **{part: texts.part(f"letters.{part}").format(shop=shop) for part in ("closing", "sign", "stop")}}


def _plain(text: Any) -> str:
    """What a table says, on one line and without characters that steer the direction of writing."""
    words = "" if text is None or pd.isna(text) else str(text)
    return "".join(" " if c.isspace() else c for c in words if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs")).strip()


def _printable(text: str) -> str:
    """A name as it can be printed; nothing where a letter of it cannot, so that a hand may write it."""
    shown = clean(text) if text else ""
    return "" if shown.count("?") > text.count("?") else shown


def _csv(letters: list[dict[str, Any]]) -> bytes:
    rows = [[harmless(letter[column]) if column != "paragraphs" else _on_paper(letter["told"]) for column in COLUMNS] for letter in letters]
    buffer = io.StringIO()
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(buffer, index=False, lineterminator="\r\n")
    return buffer.getvalue().encode("utf-8-sig")


def _on_paper(told: dict[str, Any]) -> str:
    return "\n\n".join([*told["body"], f"{told['closing']}\n{told['sign']}", told["stop"]])


def document(desk: Desk, found: list[dict[str, Any]]) -> dict[str, Any]:
    """Put together the document of filled-in letters, for `playbook.pdf` with their template."""
    shop = desk.shop.settings
    texts = Texts(shop.languages[0])
    return {
        **pages.face(shop, shop.languages[0]),
        "doc": {"title": texts.say("aids.letters"), "foot": "", "keywords": [], "timestamp": desk.report_date.isoformat()},
        "t": {"page_of": ""},
        "address": [clean(line, limit=120) for line in (shop.brand.address, shop.brand.phone) if line],
        "date": {language: Texts(language).date(desk.report_date) for language in LOCALES},
        "letters": [letter["shown"] for letter in found],
    }
