"""The typefaces: the files Typst prints with, and the fonts a page of the web carries, cut down to the letters of its script."""

from __future__ import annotations

import base64
import io
import struct
import tempfile
import unicodedata
from collections.abc import Set
from functools import cache
from pathlib import Path

from loyalty_lab import keys
from loyalty_lab.drawer import Drawer
from loyalty_lab.fonts import LATIN_FONT, OTHER_FONT, font_folder, letters

# Family, weight, file: what a page of the web carries of the fonts.
LATIN = (
    ("Source Sans 3", 300, "source-sans/ttf/SourceSans3-Light.ttf"),
    ("Source Sans 3", 400, LATIN_FONT),
    ("Source Sans 3", 600, "source-sans/ttf/SourceSans3-Semibold.ttf"),
)
OTHER = (("Kurinto Sans", 400, OTHER_FONT), ("Kurinto Sans", 700, "kurinto/ttf/KurintoSans-Bd.ttf"))
FIRST, SECOND = ("source-sans/ttf", "source-code/ttf"), "kurinto/ttf"
# Kurinto draws Armenian larger than Source Sans draws Latin: it is set so much smaller beside it.
ARMENIAN_SIZE = 0.925
ALWAYS = {chr(code) for code in range(0x20, 0x100)} | set("ĞğİıŞş–—‘’“”„…·•−≈≤≥×÷€£₺")  # in Latin type, whatever a page says


def armenian_alone(used: Set[str]) -> bool:
    """Return whether the second typeface has nothing but Armenian words to set.

    Examples
    --------
    >>> armenian_alone(set("Խանութ 5")), armenian_alone(set("Խանութ দোকান")), armenian_alone(set("shop"))
    (True, False, False)
    """
    words = {_script(letter) for letter in used - letters(LATIN[1][2]) if unicodedata.category(letter)[0] in "LM"}
    return words == {"ARMENIAN"}


def folders(size: float = 1.0) -> list[str]:
    """Return the folders of the fonts to print with, the second typeface drawn at a size beside the first."""
    second = str(font_folder() / SECOND) if size == 1 else _resized(size)
    return [*(str(font_folder() / name) for name in FIRST), second]


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="loyalty-lab-fonts-")


@cache
def _resized(size: float) -> str:
    """A folder with the second typeface as it is but for one number, the units in an em: so all of it is drawn smaller."""
    folder = Path(_scratch().name) / str(size)
    folder.mkdir()
    for _, _, file in OTHER:
        (folder / Path(file).name).write_bytes(_with_em(bytearray((font_folder() / file).read_bytes()), size))
    return str(folder)


def _with_em(font: bytearray, size: float) -> bytes:
    """A font file has a directory of tables, 16 bytes each; its table `head` holds the units in an em at byte 18."""
    count = struct.unpack_from(">H", font, 4)[0]
    head = next(at for at in range(12, 12 + 16 * count, 16) if font[at : at + 4] == b"head")
    units = struct.unpack_from(">I", font, head + 8)[0] + 18
    struct.pack_into(">H", font, units, round(struct.unpack_from(">H", font, units)[0] / size))
    return bytes(font)


def css(used: Set[str], drawer: Drawer) -> str:
    """Return the @font-face rules for a page with some letters in it."""
    return "\n".join(_face(*font, "".join(sorted(held)), drawer) for font, held in cuts(used))


def cuts(used: Set[str]) -> list[tuple[tuple[str, int, str], set[str]]]:
    """Return the fonts a page needs, and the letters each is to hold.

    They are those of a whole script, so that the next page in this language finds its fonts in the drawer.

    Examples
    --------
    >>> [(family, weight) for (family, weight, _), held in cuts(set("Խանութ")) if "Ֆ" in held]
    [('Kurinto Sans', 400), ('Kurinto Sans', 700)]
    """
    latin = letters(LATIN[1][2])
    # A browser takes a vowel sign of two parts apart before it draws it: the parts must be there too.
    others = ((used - latin) | set(unicodedata.normalize("NFD", "".join(used - latin)))) & letters(OTHER[0][2])
    # A face without some of the letters would send the reader to another font: then there is no bold face.
    whole = [font for font in OTHER if others and others <= letters(font[2])]
    return [(font, latin & (used | ALWAYS)) for font in LATIN] + [(font, others | _scripts_of(others) & letters(font[2])) for font in whole]


def _scripts_of(some: Set[str]) -> set[str]:
    """All letters of the scripts that some letters are of."""
    scripts = {_script(letter) for letter in some if unicodedata.category(letter)[0] in "LMN"} - {"LATIN", ""}
    return {letter for letter in letters(OTHER[0][2]) if _script(letter) in scripts}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "").split(" ")[0]


def _face(family: str, weight: int, file: str, held: str, drawer: Drawer) -> str:
    source = drawer.once(keys.of("font", file, held, keys.installed()), lambda: _cut(file, held))
    return f"@font-face{{font-family:'{family}';font-weight:{weight};src:url(data:font/woff2;base64,{source}) format('woff2')}}"


def _cut(file: str, held: str) -> str:
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True)
    out = io.BytesIO()
    with TTFont(font_folder() / file, recalcTimestamp=False) as font:
        cutter = subset.Subsetter(options)
        cutter.populate(text=held)
        cutter.subset(font)
        subset.save_font(font, out, options)
    return base64.b64encode(out.getvalue()).decode()
