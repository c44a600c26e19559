"""A document becomes pages: PDF by Typst, HTML by Jinja2; the same document gives the same bytes."""

from __future__ import annotations

import base64
import io
import json
import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any

from loyalty_lab import share
from loyalty_lab.errors import RenderError
from loyalty_lab.language import JOINERS, ZERO_WIDTH_SPACE, font_folder, glyphs

PAPERS = ("a4", "letter")
TEMPLATE = "playbook.typ"
# Family, weight, file: what a page in HTML carries of the fonts, cut down to the letters it uses.
LATIN = (
    ("Source Sans 3", 300, "source-sans/ttf/SourceSans3-Light.ttf"),
    ("Source Sans 3", 400, "source-sans/ttf/SourceSans3-Regular.ttf"),
    ("Source Sans 3", 600, "source-sans/ttf/SourceSans3-Semibold.ttf"),
)
OTHER = (("Kurinto Sans", 400, "kurinto/ttf/KurintoSans-Rg.ttf"), ("Kurinto Sans", 700, "kurinto/ttf/KurintoSans-Bd.ttf"))
ALWAYS = "0123456789 .,–−·%()"


def pdf(document: dict[str, Any], paper: str = "a4", template: str = TEMPLATE) -> bytes:
    """Print a document as PDF/UA-1.

    Parameters
    ----------
    document : dict
        What `document.build` returns.
    paper : {"a4", "letter"}
    template : str
        The file below ``playbook/`` that lays the document out.

    Returns
    -------
    bytes
        The same for the same document; its time stamp is the report date.

    Raises
    ------
    RenderError
        If Typst refuses the document or warns about anything, such as a letter without a glyph.
    """
    return _compile(document, paper, template, pdf_standards=["ua-1"])


def png(document: dict[str, Any], paper: str = "a4", ppi: int = 72, template: str = TEMPLATE) -> list[bytes]:
    """Print a document as one PNG a page, to look at."""
    pages = _compile(document, paper, template, format="png", ppi=ppi)
    return pages if isinstance(pages, list) else [pages]


def _compile(document: dict[str, Any], paper: str, template: str, **kind: Any):
    import typst

    if paper not in PAPERS:
        raise RenderError("--paper", f"{paper!r} is not a paper", f"use one of: {', '.join(PAPERS)}")
    _check_letters(document, template)
    folder = share.folder("playbook")
    inputs = {"data": json.dumps(document, ensure_ascii=False, sort_keys=True), "paper": paper}
    stamp = datetime.fromisoformat(document["doc"]["timestamp"]).replace(tzinfo=UTC)
    try:
        made, warnings = typst.compile_with_warnings(
            str(folder / template), root=str(folder), font_paths=_fonts(), sys_inputs=inputs, timestamp=stamp, **kind
        )
    except typst.TypstError as error:
        raise RenderError(template, str(error).strip(), "correct the template or the text it names") from error
    if warnings:
        said = "; ".join(str(getattr(warning, "message", warning)) for warning in warnings)
        raise RenderError(template, f"Typst warned: {said}", "correct the template or the text it names")
    return made


def _check_letters(document: dict[str, Any], template: str) -> None:
    """Typst would look for a missing letter in any face of the font package; only two are meant to be on the page."""
    missing = sorted(_letters(document) - glyphs() - JOINERS - {"\n", ZERO_WIDTH_SPACE})
    if missing:
        raise RenderError(template, f"no font has the letter {missing[0]!r}", "correct the text that holds it")


@cache
def _fonts():
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(font_folder())])


def html(document: dict[str, Any]) -> str:
    """Write a document as one page of HTML that needs nothing else: styles, fonts and charts are inside.

    Raises
    ------
    RenderError
        If the template speaks of something the document does not hold.
    """
    import jinja2
    from markupsafe import Markup

    loader = jinja2.FileSystemLoader(share.folder("playbook"))
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["datauri"] = _data_uri
    try:
        return environment.get_template("web.html.j2").render(d=document, t=document["t"], fonts=Markup(_font_faces(document))) + "\n"
    except jinja2.TemplateError as error:
        raise RenderError("web.html.j2", str(error), "correct the template or the document it prints") from error


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _font_faces(document: dict[str, Any]) -> str:
    """The @font-face rules of the fonts this document needs, with only its letters inside."""
    used = _letters(document) | set(ALWAYS)
    latin = used & _cmap(LATIN[1][2])
    others = used - latin
    # A face without some of the letters would send the reader to another font: then there is no bold face.
    wanted = [(font, latin) for font in LATIN] + [(font, others) for font in OTHER if others & _cmap(OTHER[0][2]) and _holds(font, others)]
    return "\n".join(_face(*font, "".join(sorted(letters))) for font, letters in wanted)


def _holds(font: tuple[str, int, str], letters: set[str]) -> bool:
    return letters & _cmap(OTHER[0][2]) <= _cmap(font[2])


def _letters(part: Any, name: str = "") -> set[str]:
    if isinstance(part, str):
        return set() if name == "svg" else set(part) | set(unicodedata.normalize("NFC", part))
    if isinstance(part, dict):
        return set().union(*(_letters(inner, key) for key, inner in part.items()))
    return set().union(*(_letters(inner) for inner in part or ()))


@cache
def _cmap(file: str) -> frozenset[str]:
    from fontTools.ttLib import TTFont

    with TTFont(font_folder() / file, lazy=True) as font:
        return frozenset(map(chr, font.getBestCmap()))


def _face(family: str, weight: int, file: str, letters: str) -> str:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True)
    out = io.BytesIO()
    with TTFont(font_folder() / file, recalcTimestamp=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text=letters)
        cutter.subset(font)
        subset.save_font(font, out, options)
    source = base64.b64encode(out.getvalue()).decode()
    return f"@font-face{{font-family:'{family}';font-weight:{weight};src:url(data:font/woff2;base64,{source}) format('woff2')}}"
