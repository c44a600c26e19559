"""A document becomes pages: PDF by Typst, HTML by Jinja2; the same document gives the same bytes."""

from __future__ import annotations

import base64
import json
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from loyalty_lab import faces, share
from loyalty_lab.drawer import Drawer
from loyalty_lab.errors import RenderError
from loyalty_lab.fonts import glyphs
from loyalty_lab.language import JOINERS, ZERO_WIDTH_SPACE
from loyalty_lab.sizes import LABEL, Sizes, keyed

PAPERS = ("a4", "letter")
TEMPLATE = "playbook.typ"
WEB_TEMPLATE = "web.html.j2"
FORGETS_AFTER = 10  # compilations: so long Typst keeps what nothing has asked for again


def pdf(document: dict[str, Any], paper: str = "a4", template: str = TEMPLATE, cache: Path | None = None) -> bytes:
    """Print a document as PDF/UA-1.

    Parameters
    ----------
    document : dict
        What `document.build` returns.
    paper : {"a4", "letter"}
    template : str
        The file below ``playbook/`` that lays the document out.
    cache : pathlib.Path, optional
        Folder in which is kept how small pages had to be set; without it all are measured. The bytes are the same.

    Returns
    -------
    bytes
        The same for the same document; its time stamp is the report date.

    Raises
    ------
    RenderError
        If Typst refuses the document or warns about anything, such as a letter without a glyph.
    """
    return _compile(document, paper, template, cache, pdf_standards=["ua-1"])


def png(document: dict[str, Any], paper: str = "a4", ppi: int = 72, template: str = TEMPLATE) -> list[bytes]:
    """Print a document as one PNG a page, to look at."""
    pages = _compile(document, paper, template, None, format="png", ppi=ppi)
    return pages if isinstance(pages, list) else [pages]


def forget() -> None:
    """Let Typst drop what it has worked out so far: a document in another language shares next to nothing with it.

    Without this every document printed in a process leaves some hundreds of megabytes behind. The pages stay the same bytes. Before
    anything was printed there is nothing to do.

    Examples
    --------
    >>> forget()
    """
    if (typst := sys.modules.get("typst")) is None:
        return
    for _ in range(FORGETS_AFTER):
        typst.compile(b"", format="svg", font_paths=_fonts())


def _compile(document: dict[str, Any], paper: str, template: str, cache: Path | None, **kind: Any):
    import typst

    if paper not in PAPERS:
        raise RenderError("--paper", f"{paper!r} is not a paper", f"use one of: {', '.join(PAPERS)}")
    used = _letters(document)
    _check_letters(used, template)
    # Where the second typeface sets Armenian alone, it is drawn at the size wanted: to match words in every text takes Typst long.
    size = faces.ARMENIAN_SIZE if faces.armenian_alone(used) else 1
    sizes = Sizes(cache and cache / "sizes" / f"{Path(template).stem}-{document['lang']}-{paper}", document, (template, paper, size))
    data = json.dumps(keyed(document), ensure_ascii=False, sort_keys=True)
    inputs = {"data": data, "factors": json.dumps(sizes.known), "paper": paper, "second_face": str(size)}
    stamp = datetime.fromisoformat(document["doc"]["timestamp"]).replace(tzinfo=UTC)
    folder = share.folder("playbook")
    compiler = typst.Compiler(str(folder / template), root=str(folder), font_paths=_fonts(size), sys_inputs=inputs)
    try:
        made, warnings = compiler.compile_with_warnings(timestamp=stamp, **kind)
    except typst.TypstError as error:
        raise RenderError(template, str(error).strip(), "correct the template or the text it names") from error
    if warnings:
        said = "; ".join(str(getattr(warning, "message", warning)) for warning in warnings)
        raise RenderError(template, f"Typst warned: {said}", "correct the template or the text it names")
    if sizes.folder:
        sizes.keep(compiler.query(LABEL, field="value"))
    return made


def _check_letters(used: set[str], template: str) -> None:
    """Typst would look for a missing letter in any face of the font package; only two are meant to be on the page."""
    missing = sorted(used - glyphs() - JOINERS - {"\n", ZERO_WIDTH_SPACE})
    if missing:
        raise RenderError(template, f"no font has the letter {missing[0]!r}", "correct the text that holds it")


@cache
def _fonts(size: float = 1):
    import typst

    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=faces.folders(size))


def html(document: dict[str, Any], template: str = WEB_TEMPLATE, cache: Path | None = None) -> str:
    """Write a document as one page of HTML that needs nothing else: styles, fonts and charts are inside.

    Parameters
    ----------
    document : dict
        What `document.build` returns.
    template : str
        The file below ``playbook/`` that lays the document out.
    cache : pathlib.Path, optional
        Folder in which cut fonts are kept; without it they are cut. The page is the same.

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
    fonts = Markup(faces.css(_letters(document), Drawer(cache and cache / "fonts")))
    try:
        return environment.get_template(template).render(d=document, t=document["t"], fonts=fonts) + "\n"
    except jinja2.TemplateError as error:
        raise RenderError(template, str(error), "correct the template or the document it prints") from error


def _data_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _letters(document: dict[str, Any]) -> set[str]:
    """Every letter that is printed, and those that two of them join to."""
    words = " ".join(_words(document))
    return set(words) | set(unicodedata.normalize("NFC", words))


def _words(part: Any, name: str = "") -> Iterator[str]:
    if isinstance(part, str):
        yield from () if name in ("svg", "url") else (part,)
    elif part is not None:
        inside = part.items() if isinstance(part, dict) else (("", inner) for inner in part)
        for key, inner in inside:
            yield from _words(inner, key)
