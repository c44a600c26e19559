"""Editions: exercises for participants, solutions and the facilitator's part for trainers alone, neither for clients."""

from __future__ import annotations

import json

import pytest
import sample_results as sample
from tactic_shops import the_demo

from loyalty_lab import document, playbook
from loyalty_lab.language import Texts
from loyalty_lab.study import Study

SLUG = "thank-and-gift"


def pages(edition: str, language: str = "en") -> dict:
    found = {SLUG: Study(the_demo(), SLUG).result()}
    return document.build(found, [], sample.shop(), sample.INTAKE, sample.RUN | {"edition": edition}, language)


def words(part) -> str:
    return json.dumps(part, ensure_ascii=False)


def test_a_client_gets_neither_exercises_nor_plans():
    made = pages("client")

    assert made["tactics"][0]["lesson"] is None
    assert made["workshop"] is None


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_a_participant_gets_exercises_and_no_solution_in_any_language(language):
    made, exercises = pages("participant", language), Texts(language).part(f"{SLUG}.exercise")
    lesson = made["tactics"][0]["lesson"]

    assert [each["ask"] for each in lesson["exercises"]] == [each["ask"] for each in exercises]
    assert [each["solution"] for each in lesson["exercises"]] == ["", ""]
    assert lesson["facilitate"] is None
    beginnings = [each["solution"].split("{")[0][:30] for each in exercises]
    assert not [begun for begun in beginnings if begun and begun in words(made)]


def test_a_trainer_gets_solutions_the_facilitators_part_and_both_plans():
    made = pages("trainer")
    lesson = made["tactics"][0]["lesson"]

    assert all(each["solution"] for each in lesson["exercises"])
    assert len(lesson["facilitate"]["questions"]) == len(lesson["facilitate"]["mistakes"]) == 3
    assert [sum(int(row[0]) for row in plan["rows"]) for plan in made["workshop"]["plans"]] == [90, 360]


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_slides_are_printed_on_the_same_texts(language):
    made = playbook.png(pages("trainer", language), ppi=12, template="slides.typ")

    assert len(made) == 6  # title, page one, and of the practice: how it stands, what is good, the scene, the exercises
