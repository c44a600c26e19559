"""Fonts for paper and for the web: whole scripts, one size beside the other, cut once."""

from __future__ import annotations

import base64
import io
import re

import pytest
from fontTools.ttLib import TTFont

from loyalty_lab import faces
from loyalty_lab.drawer import Drawer
from loyalty_lab.fonts import font_folder


def held(words: str) -> dict[tuple[str, int], set[str]]:
    return {(family, weight): letters for (family, weight, _), letters in faces.cuts(set(words))}


def test_a_font_is_to_hold_its_whole_script_and_no_other():
    found = held("Shop Խանութ")

    assert {family for family, _ in found} == {"Source Sans 3", "Kurinto Sans"}
    assert set("աբգԱԲԳև") <= found["Kurinto Sans", 400]
    assert not set("কখabc") & found["Kurinto Sans", 400]
    assert set("abcçğ£") <= found["Source Sans 3", 400]


def test_a_letter_beyond_the_usual_ones_is_there_where_it_is_used():
    assert "ł" in held("Michał")["Source Sans 3", 600]
    assert "ł" not in held("Michal")["Source Sans 3", 600]


def test_the_parts_of_a_vowel_sign_are_there_with_it():
    assert set("ো" + "ে" + "া") <= held("দোকান")["Kurinto Sans", 400]


def test_there_is_no_bold_face_for_letters_it_lacks(monkeypatch):
    assert ("Kurinto Sans", 700) in held("দোকান")

    real = faces.letters
    monkeypatch.setattr(faces, "letters", lambda file: real(file) - set("ক" if "Bd" in file else ""))
    assert ("Kurinto Sans", 700) not in held("দোকান")


def test_other_words_of_a_language_need_the_same_fonts():
    assert faces.cuts(set("Լավ")) == faces.cuts(set("Շատ լավ է"))


def test_a_font_is_cut_once_and_holds_what_it_should(monkeypatch, tmp_path):
    one = faces.LATIN[1]
    monkeypatch.setattr(faces, "cuts", lambda used: [(one, set(used))])
    css = faces.css(set("abç"), Drawer(tmp_path))
    monkeypatch.setattr(faces, "_cut", lambda *_: pytest.fail("it lies in the drawer"))

    assert faces.css(set("abç"), Drawer(tmp_path)) == css
    family, weight, source = re.search(r"font-family:'([^']+)';font-weight:(\d+);src:url\(data:font/woff2;base64,([^)]+)", css).groups()
    assert (family, int(weight)) == one[:2]
    with TTFont(io.BytesIO(base64.b64decode(source))) as font:
        assert set(map(chr, font.getBestCmap())) == set("abç")


def test_the_second_typeface_can_be_drawn_smaller_and_changes_in_nothing_else():
    *_, whole = faces.folders()
    *_, smaller = faces.folders(faces.ARMENIAN_SIZE)

    assert whole == str(font_folder() / faces.SECOND)
    for name in ("KurintoSans-Rg.ttf", "KurintoSans-Bd.ttf"):
        with TTFont(f"{whole}/{name}", lazy=True) as before, TTFont(f"{smaller}/{name}", lazy=True) as after:
            assert before["head"].unitsPerEm / after["head"].unitsPerEm == pytest.approx(faces.ARMENIAN_SIZE, abs=1e-4)
            assert all(before.reader[table] == after.reader[table] for table in ("glyf", "cmap", "hmtx", "GSUB", "GPOS"))
