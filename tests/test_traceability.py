"""Everything the articles advise is found in the product, in every language; and every practice goes back to an article."""

from __future__ import annotations

import tomllib

import pytest

from loyalty_lab import share
from loyalty_lab.language import LOCALES, catalogue
from loyalty_lab.tactics import CATALOGUE

KEPT = tomllib.loads((share.folder("playbook") / "articles.toml").read_text(encoding="utf-8"))
ITEMS = KEPT["item"]
SLUGS = [
    "vital-few", "exceed-expectations", "acknowledge-by-name", "thank-and-gift", "loyalty-card", "vip-access", "follow-up-letters",
    "contact-cards", "answer-fast", "know-by-questionnaire", "ask-every-time", "ideal-customer", "personalise", "referral", "fast-delivery",
    "reviews", "easy-returns", "better-support",
]  # fmt: skip
# The parts of the articles, each of which must be traced: their sections as they stand in the texts.
PARTS = {"loyalty": 10, "retention": 14, "achieve": 5, "know": 7}


def test_the_catalogue_holds_the_eighteen_practices_in_order():
    assert [(tactic.number, tactic.slug) for tactic in CATALOGUE] == list(enumerate(SLUGS, start=1))


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item['article']}: {item['place']}")
@pytest.mark.parametrize("language", LOCALES)
def test_an_advice_is_found_where_the_table_says(item, language):
    assert item["article"] in KEPT["articles"]
    assert item["at"]
    assert [key for key in item["at"] if not _found(language, key)] == []


def _found(language: str, key: str):
    """What lies under a key in this very language."""
    part = catalogue(language)
    for step in key.split("."):
        part = part.get(step, {})
    return part


def test_every_part_of_every_article_is_traced():
    assert {article: sum(item["article"] == article for item in ITEMS) for article in PARTS} == PARTS


def test_every_practice_goes_back_to_an_article():
    traced = {key.split(".")[0] for item in ITEMS for key in item["at"]}

    assert set(SLUGS) - traced == set()
