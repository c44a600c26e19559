"""The page of all shops: the worst first, each with its reason or its three answers, and a link that leads to its pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loyalty_lab import overview
from loyalty_lab.clients import Ended
from loyalty_lab.language import LOCALES

FRONT = {
    "shop": "Corner <Grocer>",
    "language": "en",
    "cutoff": "Data to 31 Oct 2026",
    "answers": [{"q": "Is it working?", "a": "46 of 100 stay.", "text": "Not shown."}] * 3,
    "action": {"what": "Ring the best", "why": "One of six.", "due": "2 Nov"},
    "warnings": [],
    "page": "playbook-en.html",
}


def shops(folder: Path) -> list[Ended]:
    def place(name: str) -> Path:
        return folder / name / "reports" / "2026-10-31"

    odd = FRONT | {"warnings": ["Most sales have no customer."]}
    return [
        Ended(folder / "good", "done", "done", 0, place("good"), FRONT),
        Ended(folder / "old", "kept", "kept", 0, place("old"), FRONT),
        Ended(folder / "odd", "attention", "done", 0, place("odd"), odd),
        Ended(folder / "gaps", "failed", "made, but these notebooks failed: churn", 4, place("gaps"), FRONT),
        Ended(folder / "bad", "refused", "orders.csv: is empty\n  To mend it: export it again", 3),
    ]


@pytest.mark.parametrize("language", list(LOCALES))
def test_the_worst_stands_first_and_every_shop_has_its_place(tmp_path, language):
    overview.write(shops(tmp_path), tmp_path / "overview.html", language)
    page = (tmp_path / "overview.html").read_text(encoding="utf-8")

    assert re.findall(r'<article class="(\w+)"', page) == ["refused", "failed", "attention", "done", "done"]
    assert 'href="good/reports/2026-10-31/playbook-en.html"' in page
    assert "export it again" in page
    assert "these notebooks failed: churn" in page
    assert "Most sales have no customer." in page
    assert page.count("46 of 100 stay.") == 4 * 3
    assert f'<html lang="{language}">' in page


def test_what_a_shop_is_called_is_text_and_never_markup(tmp_path):
    overview.write(shops(tmp_path), tmp_path / "overview.html", "en")
    page = (tmp_path / "overview.html").read_text(encoding="utf-8")

    assert "Corner &lt;Grocer&gt;" in page
    assert "<Grocer>" not in page
    assert "<script" not in page


def test_the_same_shops_give_the_same_bytes(tmp_path):
    for name in ("a.html", "b.html"):
        overview.write(shops(tmp_path), tmp_path / name, "en")

    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
