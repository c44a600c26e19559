"""The pages after the scorecard: shorter periods, the last report, targets, and what people say."""

from __future__ import annotations

import pytest
import sample_results as sample

from loyalty_lab import standing
from loyalty_lab.pages import Book, scorecard
from loyalty_lab.results import Message, Table


def book(result=None, language="en") -> Book:
    found = {"scorecard": result or sample.scorecard()}
    return Book(found, [], sample.shop(), sample.INTAKE, sample.RUN, language)


def part(page: dict, label: str) -> dict:
    return next(part for part in page["parts"] if part["label"] == label)


def test_each_metric_has_its_year_quarter_month_and_week_with_the_same_a_year_before():
    table = part(standing.periods(book()), "The latest whole ones")["table"]

    assert table["head"] == ["", "Year to 31 Oct", "Q3 2026", "Oct 2026", "Week to 25 Oct"]
    assert table["rows"][0] == [
        "Came again\nof the customers of the period before", *["81% (77%)\nn = 148"] * 3, "too few\nn = 17",
    ]  # fmt: skip
    assert len(table["rows"]) == 6


def test_what_differs_from_the_year_before_by_more_than_chance_is_marked():
    found = sample.scorecard()
    rows = [[*row[:-1], "down"] if row[1] == "month" else row for row in found.tables["periods"].rows]
    marked = found.model_copy(update={"tables": found.tables | {"periods": Table(columns=found.tables["periods"].columns, rows=rows)}})

    kept = part(standing.periods(book(marked)), "The latest whole ones")["table"]["rows"][0]

    assert (kept[2], kept[3]) == ("81% (77%)\nn = 148", "81% (77%) *\nn = 148")


def test_a_change_since_the_last_report_stands_apart_from_mended_data():
    page = standing.periods(book())
    since = part(page, "Since the last report")

    assert page["title"] == "Since the last report 1 of 5 numbers changed by more than chance"
    assert since["table"]["rows"][0] == ["Customers kept", "81%", "85%", "5.7\n(1.6 to 9.7)", "−1.6", "yes: more"]
    assert "numbers that would be printed otherwise today: 2" in since["lead"]


def test_without_an_earlier_report_the_page_says_so():
    found = sample.scorecard()
    empty = found.tables | {"since": Table(columns=found.tables["since"].columns, rows=[])}
    messages = [message for message in found.messages if ".since." not in message.key] + [
        Message(key="scorecard.since.none", args={"then": None})
    ]

    since = part(standing.periods(book(found.model_copy(update={"tables": empty, "messages": messages}))), "Since the last report")

    assert since["lead"].startswith("There is no earlier report of this shop.")
    assert (since["table"], since["note"]) == (None, "")


def test_a_target_stands_beside_its_metric():
    kept, lost, repeat = (metric["passport"][-1] for metric in scorecard(book())["metrics"][:3])

    assert kept == ["Target", "80%: cannot be told, the range holds it"]
    assert lost == ["Target", "15%: not reached"]
    assert repeat[0] != "Target"


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_all_eight_sayings_stand_with_their_source_and_what_the_shop_shows(language):
    page = standing.claims(book(language=language))

    assert len(page["rows"]) == 8
    assert all(all(row) for row in page["rows"])
    assert all(row[1].count("E") for row in page["rows"])
    assert not any("…" in cell for row in page["rows"] for cell in row)


def test_the_title_counts_the_sayings_that_the_shop_can_speak_to():
    assert standing.claims(book())["title"].startswith("Eight sayings; to 5 of them")


def test_where_the_shop_can_speak_to_none_of_them_the_title_says_so_in_words():
    scorecard = sample.scorecard()
    mute = [claim.model_copy(update={"shop_value": None}) for claim in scorecard.claims]

    title = standing.claims(book(scorecard.model_copy(update={"claims": mute})))["title"]
    assert title == "Eight sayings; your own numbers cannot yet speak to any of them"


def test_without_a_scorecard_there_are_no_such_pages():
    bare = Book({}, [], sample.shop(), sample.INTAKE, sample.RUN, "en")

    assert (standing.periods(bare), standing.claims(bare)) == (None, None)
