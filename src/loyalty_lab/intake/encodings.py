"""How a text file is encoded: strict UTF-8, UTF-16 by its mark, what the shop has said, or one of few candidates scored by letters."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from loyalty_lab.errors import InputError
from loyalty_lab.intake import words

CHUNK = 1 << 20
SAMPLE = 1 << 22
MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
ENOUGH = 0.9
MOST_ACCENTED = 0.67
WORD = re.compile(r"[^\W\d_]+|[^\w\s]")
REMEDY = 'say which in shop.toml, under this source: encoding = "cp1254" (Turkish), "cp1251" (Russian), "cp1252" (Western), ...'


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Read a binary file piece by piece."""
    while part := file.read(CHUNK):
        yield part


def decide(path: Path, open_file, given: str | None) -> str:
    """Decide how a file is encoded.

    Parameters
    ----------
    path : pathlib.Path
        For the message only.
    open_file : callable
        Opens the file, unzipped, for reading bytes.
    given : str, optional
        What shop.toml says.

    Raises
    ------
    InputError
        If it is not text, what the shop said does not fit, or no candidate is clearly the right one.
    """
    with open_file() as file:
        head = file.read(4)
    wanted = given or MARKS.get(head[:2]) or "utf-8-sig"
    failed = _failure(open_file, wanted)
    if failed is None:
        return wanted
    if given or wanted == "utf-16":
        raise InputError(path.name, f"is not encoded as {wanted}: {failed}", REMEDY)
    with open_file() as file:
        return scored(file.read(SAMPLE), path.name)


def _failure(open_file, encoding: str) -> str | None:
    """Return why a file cannot be decoded, or None."""
    try:
        decoder = codecs.getincrementaldecoder(encoding)()
    except LookupError:
        return "there is no such encoding"
    try:
        with open_file() as file:
            for part in chunks(file):
                decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        return str(error)[:80]
    return None


def scored(sample: bytes, name: str) -> str:
    """Choose among the candidates of words.toml by the letters that their languages have.

    A candidate is scored by the share of the letters beyond ASCII that stand in plausible words: all of its alphabet,
    and not of two scripts. Candidates that read the sample alike are one. One is chosen if nine in ten letters are
    plausible and no other does about as well.

    Examples
    --------
    >>> scored("Müşteri;Tarih;Şişli".encode("cp1254"), "x.csv"), scored("Клиент;Дата;Сумма".encode("cp1251"), "x.csv")
    ('cp1254', 'cp1251')
    """
    read: dict[str, tuple[float, str]] = {}
    for encoding, letters in words.vocabulary()["encoding"].items():
        text = sample.decode(encoding, errors="replace")
        share = _plausible(text, set(letters), most=1.0 if encoding == "cp1254" else MOST_ACCENTED)
        if share >= ENOUGH and text not in (other for _, other in read.values()):
            read[encoding] = (share, text)
    best = sorted(read, key=lambda encoding: -read[encoding][0])
    if not best or (len(best) > 1 and read[best[0]][0] <= read[best[1]][0] + 0.02):
        said = f"could be {' or '.join(best)}" if best else "is neither UTF-8 nor any encoding that fits its letters"
        raise InputError(name, said, REMEDY)
    return best[0]


def _plausible(text: str, letters: set[str], most: float) -> float:
    """The share of signs beyond ASCII that are of the alphabet and stand in words that could be of its language."""
    good = total = 0
    for word in WORD.findall(text):
        foreign = [sign for sign in word if sign > "\x7f"]
        total += len(foreign)
        if all(sign in letters for sign in foreign) and _one_script(word, foreign, most):
            good += len(foreign)
    return good / max(total, 1)


def _one_script(word: str, foreign: list[str], most: float) -> bool:
    """Cyrillic words are so throughout; Latin ones hold few accents, but Turkish ones may be of dotless i and its like alone."""
    if not foreign or not foreign[0].isalpha():
        return True
    if any("\u0400" <= sign <= "\u04ff" for sign in foreign):
        return len(foreign) == len(word)
    return len(foreign) <= max(2, most * len(word))
