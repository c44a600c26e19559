"""The words of the trade: each has its word in every language, and no text uses one that would be wrong there."""

from __future__ import annotations

import tomllib
import unicodedata

import pytest

from loyalty_lab import share
from loyalty_lab.language import LOCALES, catalogue

TERMS = tomllib.loads((share.folder("playbook") / "glossary.toml").read_text(encoding="utf-8"))
JOINERS = "\u200c\u200d"


def plain(text, language):
    """A text as small letters and figures only, each word after a space."""
    text = unicodedata.normalize("NFC", text.replace("İ", "i").replace("I", "ı") if language == "tr" else text).lower()
    letters = (sign if unicodedata.category(sign)[0] in "LMN" or sign in JOINERS else " " for sign in text)
    return " " + " ".join("".join(letters).split())


def sentences(part, path=""):
    if isinstance(part, str):
        yield path, part
    elif isinstance(part, dict | list):
        for name, inner in part.items() if isinstance(part, dict) else enumerate(part):
            yield from sentences(inner, f"{path}.{name}".lstrip("."))


def wrong_words(texts, language):
    avoided = {word: plain(word, language) for term in TERMS.values() for word in term.get("avoid", {}).get(language, [])}
    told = [(path, plain(text, language)) for path, text in sentences(texts)]
    return [(path, word) for path, text in told for word, sought in avoided.items() if sought in text]


@pytest.mark.parametrize("term", TERMS)
def test_every_term_has_its_word_in_every_language(term):
    given = {language: TERMS[term].get(language, "").strip() for language in LOCALES}

    assert all(given.values()), given
    assert set(TERMS[term]) <= {*LOCALES, "avoid"}
    assert set(TERMS[term].get("avoid", {})) <= set(LOCALES)


@pytest.mark.parametrize("language", LOCALES)
def test_no_word_is_recommended_for_one_term_and_avoided_for_another(language):
    assert wrong_words({term: words[language] for term, words in TERMS.items()}, language) == []


@pytest.mark.parametrize("language", LOCALES)
def test_no_text_uses_a_word_that_would_be_wrong_in_its_language(language):
    assert wrong_words(catalogue(language), language) == []


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [
        ("tr", "TEDAVİ GÖRENLER", "tedavi"),
        ("bn", "নিয়ন্ত্রণের দলে", "নিয়ন্ত্রণ"),
        ("hy", "Մարժան որքա՞ն է", "մարժա"),
        ("en", "the treatment arm", "treatment"),
    ],
)
def test_a_wrong_word_is_found_with_its_ending_and_in_capitals(language, text, word):
    assert wrong_words({"some": ["where", text]}, language) == [("some.1", word)]


def test_a_wrong_word_inside_another_word_is_no_fault():
    assert wrong_words({"text": "kalıcı ve sadakat kartı"}, "tr") == []
