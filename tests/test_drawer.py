"""What was drawn before is taken out again, and never when anything it was made of has changed."""

from __future__ import annotations

import json

import pytest
import sample_results as sample

from loyalty_lab import charts, drawer, language
from loyalty_lab.drawer import Drawer

BARS = next(figure.data for result in sample.everything().values() for figure in result.figures if figure.chart == "bars")
ASKED = ("bars", BARS, "en", 126, "#0b5351")


@pytest.fixture
def pen(monkeypatch):
    """How often something was drawn."""
    drawn = []
    real = charts.draw
    monkeypatch.setattr(charts, "draw", lambda *asked: drawn.append(asked) or real(*asked))
    return drawn


@pytest.fixture
def said(monkeypatch):
    """Changes one text of English."""
    book = json.loads(json.dumps(language.catalogue("en")))
    real = language.catalogue
    monkeypatch.setattr(language, "catalogue", lambda code: book if code == "en" else real(code))
    return book


def test_a_chart_is_drawn_once_and_is_the_same_with_a_drawer_and_without(pen, tmp_path):
    shut, opened = Drawer().chart(*ASKED), Drawer(tmp_path)

    assert opened.chart(*ASKED) == Drawer(tmp_path).chart(*ASKED) == shut
    assert len(pen) == 2


@pytest.mark.parametrize(("at", "other"), [(1, BARS | {"values": [1.0 for _ in BARS["values"]]}), (2, "tr"), (3, 100), (4, "#333333")])
def test_a_chart_of_anything_else_is_drawn_anew(pen, tmp_path, at, other):
    Drawer(tmp_path).chart(*ASKED)
    asked = [*ASKED[:at], other, *ASKED[at + 1 :]]

    assert Drawer(tmp_path).chart(*asked) == Drawer().chart(*asked)
    assert len(pen) == 3


def test_a_text_that_the_chart_says_draws_it_anew_and_no_other_text_does(pen, said, tmp_path):
    Drawer(tmp_path).chart(*ASKED)
    said["common"]["title"] = "Another title"
    Drawer(tmp_path).chart(*ASKED)
    assert len(pen) == 1

    said["segments"]["stage"]["active"] = "still there"
    assert Drawer(tmp_path).chart(*ASKED) == Drawer().chart(*ASKED)
    assert len(pen) == 3


def test_a_text_that_is_there_only_now_draws_it_anew(said, tmp_path):
    def make(texts):
        return "with" if texts.has("chart.spare") else "without"

    for expected in ("without", "with"):
        texts = drawer.Listening("en")
        assert Drawer(tmp_path).once("key", lambda texts=texts: make(texts), texts) == expected
        said["chart"]["spare"] = "there now"


@pytest.mark.parametrize("spoil", [lambda whole: whole[:-9], lambda whole: whole.replace("<svg", "<svq"), lambda _: "[]", lambda _: ""])
def test_what_is_spoilt_is_drawn_anew_and_put_right(pen, tmp_path, spoil):
    first = Drawer(tmp_path).chart(*ASKED)
    (place,) = tmp_path.glob(f"*/{drawer.CONTENT}")
    place.write_text(spoil(place.read_text(encoding="utf-8")), encoding="utf-8")

    assert Drawer(tmp_path).chart(*ASKED) == Drawer(tmp_path).chart(*ASKED) == first
    assert len(pen) == 2


def test_what_nobody_asked_for_is_thrown_out(tmp_path):
    Drawer(tmp_path).once("old", lambda: "old")
    later = Drawer(tmp_path)
    later.once("new", lambda: "new")
    later.tidy()

    assert [place.stem for place in tmp_path.iterdir()] == ["new"]
    Drawer().tidy()
