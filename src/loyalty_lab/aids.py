"""Forms and cards to print: which there are, which practice each serves, and one document of them in one language."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loyalty_lab import letters, pages, playbook, tactics
from loyalty_lab.errors import InputError, UsageError, near_match
from loyalty_lab.language import Texts, clean
from loyalty_lab.results import write_atomically
from loyalty_lab.shop import ShopSettings

TEMPLATE = "aids/aids.typ"
FOLDER = Path("reports") / "aids"
COMMAND = "loyalty-lab aids SHOP"


@dataclass(frozen=True)
class Aid:
    """One printed aid: its slug (of its Typst file and, after ``aid-``, of its texts), and the practices it serves."""

    slug: str
    tactics: tuple[str, ...]


AIDS = (
    Aid("service-standards", ("exceed-expectations", "answer-fast", "better-support")),
    Aid("name-drill", ("acknowledge-by-name",)),
    Aid("profile-card", ("vital-few", "acknowledge-by-name", "know-by-questionnaire", "personalise")),
    Aid("questionnaire", ("know-by-questionnaire",)),
    Aid("ideal-customer-sheet", ("ideal-customer",)),
    Aid("journey-map", ("know-by-questionnaire", "better-support")),
    Aid("first-90-days", ("personalise", "thank-and-gift")),
    Aid("staying-in-touch", ("thank-and-gift", "follow-up-letters")),
    Aid("letters", ("thank-and-gift", "follow-up-letters", "personalise")),
    Aid("store-card", ("loyalty-card",)),
    Aid("invitation", ("vip-access",)),
    Aid("support-cards", ("contact-cards",)),
    Aid("phone-log", ("answer-fast", "better-support")),
    Aid("satisfaction-slip", ("ask-every-time",)),
    Aid("referral-cards", ("referral",)),
    Aid("delivery-slip", ("fast-delivery",)),
    Aid("review-cards", ("reviews",)),
    Aid("testimonial-consent", ("reviews",)),
    Aid("returns-slip", ("easy-returns",)),
    Aid("holdout-card", tuple(tactic.slug for tactic in tactics.CATALOGUE if tactic.kind == "campaign")),
)


def chosen(names: Iterable[str]) -> tuple[Aid, ...]:
    """Return the aids that are called by their slug or by the practice they serve; all where nothing is named.

    Raises
    ------
    UsageError
        If a name is neither; the nearest is offered.

    Examples
    --------
    >>> [aid.slug for aid in chosen(["reviews"])]
    ['review-cards', 'testimonial-consent']
    >>> [aid.slug for aid in chosen(["letters", "15-fast-delivery"])]
    ['letters', 'delivery-slip']
    """
    wanted = {_known(name) for name in names}
    return tuple(aid for aid in AIDS if not wanted or aid.slug in wanted or wanted & set(aid.tactics))


def _known(name: str) -> str:
    known = dict.fromkeys([*(aid.slug for aid in AIDS), *(served for aid in AIDS for served in aid.tactics)])
    slug = name if name in known else name.split("-", 1)[-1] if name[:2].isdigit() else name
    if slug not in known:
        aids = ", ".join(aid.slug for aid in AIDS)
        raise UsageError("--only", f"there is no aid or tactic {name!r}.{near_match(slug, known)}", f"name a tactic, or one of: {aids}")
    return slug


def for_practices(slugs: Iterable[str]) -> tuple[Aid, ...]:
    """Return the aids of these practices, each once, in the order of the table.

    Examples
    --------
    >>> [aid.slug for aid in for_practices(["vital-few", "easy-returns"])]
    ['profile-card', 'returns-slip']
    """
    wanted = set(slugs)
    return tuple(aid for aid in AIDS if wanted & set(aid.tactics))


def appendix(texts: Texts, shop: ShopSettings, some: tuple[Aid, ...], batch: str = "", command: str = "") -> dict[str, Any]:
    """Put together what the pages of the aids print, with every text filled.

    Parameters
    ----------
    texts : Texts
    shop : ShopSettings
    some : tuple of Aid
    batch : str
        What tells this printing from others: the day of a report, a month, a till. It is in the codes on the cards.
    command : str
        The command that prints them alone; said on the first page where it is given.

    Returns
    -------
    dict
        `order` (slugs), `sheets` (texts by slug), `rows` (name, use, how to print) and the words around them.
    """
    about = _filled(texts, "aids", texts.part("aids"), shop)
    sheets = {aid.slug: _sheet(texts, shop, aid.slug, batch) for aid in some}
    return {
        **about,
        "order": list(sheets),
        "sheets": sheets,
        "rows": [[sheet[part] for part in ("name", "use", "print")] for sheet in sheets.values()],
        "alone": about["alone"] if command else "",
        "command": command,
    }


def _sheet(texts: Texts, shop: ShopSettings, slug: str, batch: str) -> dict[str, Any]:
    sheet = _filled(texts, slug, texts.part(f"aid-{slug}"), shop)
    reach = {f"shop_{name}": known(getattr(shop.brand, name)) for name in ("phone", "hours", "address")}
    extra = EXTRAS[slug](texts, shop) if slug in EXTRAS else {}
    return {**sheet, **reach, **extra, "code": code(shop.name, slug, texts.language, batch)}


def known(text: str | None) -> str:
    """Return what a shop says of itself as it is printed; nothing where it says nothing.

    Examples
    --------
    >>> known(None), known("12 Mill Lane")
    ('', '12 Mill Lane')
    """
    return clean(text, limit=120) if text else ""


def _filled(texts: Texts, where: str, part: Any, shop: ShopSettings) -> Any:
    if isinstance(part, dict):
        return {name: _filled(texts, f"{where}.{name}", inner, shop) for name, inner in part.items()}
    if isinstance(part, list):
        return [_filled(texts, where, inner, shop) for inner in part]
    return texts.fill(part, where, shop=shop.name)


def code(shop: str, slug: str, language: str, batch: str) -> str:
    """Return the four letters on the cards of one printing; a caller who names them tells which cards work.

    Examples
    --------
    >>> code("Corner Grocer", "support-cards", "en", "till 1") == code("Corner Grocer", "support-cards", "en", "till 2")
    False
    """
    digest = hashlib.sha256("|".join((shop, slug, language, batch)).encode()).digest()
    return base64.b32encode(digest)[:4].decode()


def _review_address(texts: Texts, shop: ShopSettings) -> dict[str, Any]:
    """The address for reviews in letters and as a QR code; None where shop.toml names none."""
    import segno

    url = shop.brand.review_url
    if not url:
        return {"address": "", "qr": None}
    drawn = io.BytesIO()
    segno.make(url, error="m", micro=False).save(drawn, kind="svg", border=2, xmldecl=False)
    return {"address": clean(url), "qr": {"svg": drawn.getvalue().decode()}}


def _letter_set(texts: Texts, shop: ShopSettings) -> dict[str, Any]:
    return letters.blank(texts, shop.name)


EXTRAS = {"review-cards": _review_address, "letters": _letter_set}


def document(shop: ShopSettings, language: str, some: tuple[Aid, ...] = AIDS, batch: str = "") -> dict[str, Any]:
    """Put together a document of nothing but aids, for `playbook.pdf` with the template of the aids.

    Examples
    --------
    >>> shop = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")
    >>> document(shop, "en", chosen(["holdout-card"]))["aids"]["order"]
    ['holdout-card']
    """
    texts = Texts(language, shop.currency)
    about = {"title": texts.say("aids.section"), "foot": "", "keywords": [], "timestamp": "2000-01-01"}
    t = {"page_of": texts.part("common.page_of")}
    return {**pages.face(shop, language), "doc": about, "t": t, "aids": appendix(texts, shop, some, batch)}


def write(shop: ShopSettings, languages: Iterable[str], some: tuple[Aid, ...], out: Path, paper: str = "a4", batch: str = "") -> list[Path]:
    """Print the aids in each language into the folder `out`, as ``aids-<language>.pdf``; return the files.

    Raises
    ------
    InputError
        If the folder cannot be written.
    RenderError
        If the pages cannot be made.
    """
    written = []
    for language in languages:
        printed = playbook.pdf(document(shop, language, some, batch), paper, TEMPLATE)
        path = out / f"aids-{language}.pdf"
        try:
            out.mkdir(parents=True, exist_ok=True)
            write_atomically(path, printed)
        except OSError as error:
            remedy = "choose another folder with --out, or free this one"
            raise InputError(str(path), f"cannot be written: {error.strerror}", remedy) from None
        written.append(path)
    return written
