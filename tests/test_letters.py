"""The letters to write out by hand: their order, what stands in for a shop's own, and no two alike."""

from __future__ import annotations

import pytest

from loyalty_lab import letters
from loyalty_lab.language import LOCALES, Texts


@pytest.mark.parametrize("name", "ABCDEF")
def test_our_own_templates_are_sent_as_the_list_names_them(name):
    assert letters.stand_in(name, "ABCDEF", ["A", "spring"]) == name


def test_a_shops_own_template_takes_one_of_ours_that_the_rotation_does_not_name():
    own = ["B", "spring", "summer"]
    sent = [letters.stand_in(name, "ABCDEF", own) for name in (*own, "A", "C", "D")]

    assert sorted(sent) == list("ABCDEF")


@pytest.mark.parametrize("language", LOCALES)
def test_no_two_letters_of_a_language_say_the_same(language):
    said = [
        tuple(Texts(language).part(f"letters.{slug}.{name}")["paragraphs"])
        for slug in letters.SETS
        for name in letters.templates(Texts(language), slug)
    ]

    assert len(said) == len(set(said)) == 9
    assert all(len(paragraphs) >= 2 for paragraphs in said)
