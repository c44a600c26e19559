"""The fonts everything is printed in, and the letters they hold."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from loyalty_lab.errors import RenderError

LATIN_FONT, OTHER_FONT = "source-sans/ttf/SourceSans3-Regular.ttf", "kurinto/ttf/KurintoSans-Rg.ttf"


@cache
def font_folder() -> Path:
    """Return the folder of the weblate-fonts package; system fonts are never used.

    Raises
    ------
    RenderError
        If the package is not installed.

    Examples
    --------
    >>> sorted(path.name for path in font_folder().iterdir() if path.is_dir())
    ['kurinto', 'source-code', 'source-sans']
    """
    # Found without importing it: the package is made for Django.
    spec = importlib.util.find_spec("weblate_fonts")
    if spec is None or not spec.submodule_search_locations:
        raise RenderError("weblate-fonts", "the fonts are not installed", "pip install weblate-fonts")
    return Path(next(iter(spec.submodule_search_locations))) / "static" / "weblate_fonts"


@cache
def glyphs() -> frozenset[str]:
    """Return every character the fonts of the playbook can print.

    Examples
    --------
    >>> {"ç", "ক", "Ֆ", "£", "৳"} <= glyphs(), "漢" in glyphs()
    (True, False)
    """
    return letters(LATIN_FONT) | letters(OTHER_FONT)


@cache
def letters(file: str) -> frozenset[str]:
    """Return the letters a font file of `font_folder` holds.

    Examples
    --------
    >>> latin, other = letters(LATIN_FONT), letters(OTHER_FONT)
    >>> "ç" in latin, "ক" in latin, "ক" in other
    (True, False, True)
    """
    from fontTools.ttLib import TTFont

    with TTFont(font_folder() / file, lazy=True) as font:
        font.setGlyphOrder([str(number) for number in range(font["maxp"].numGlyphs)])  # or the names of all glyphs would be read
        return frozenset(map(chr, font.getBestCmap()))
