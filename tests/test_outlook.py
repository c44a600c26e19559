"""The pages that look ahead say what was found, in parts that are there only where they hold something."""

from __future__ import annotations

import pytest
import sample_results as sample

from loyalty_lab import outlook
from loyalty_lab.pages import Book
from loyalty_lab.results import Message, Result
from loyalty_lab.shop import ShopSettings


def book(results: dict[str, Result] | None = None, language: str = "en") -> Book:
    shop = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")
    run = {"cutoff": "2026-10-31", "report_date": "2026-11-01", "horizon_days": 91, "inputs": [], "version": "1"}
    return Book(sample.everything() if results is None else results, [], shop, {}, run, language)


def parts(slug: str, **more) -> dict[str, dict]:
    return {part["label"]: part for part in outlook.outlook_page(book(**more), slug)["parts"]}


def test_the_churn_page_shows_the_rule_that_was_used_beside_the_simple_one():
    found = parts("churn")

    rows = found["Which rule was used"]["table"]["rows"]
    assert rows[0] == ["Simple rule: who has not been seen for long", "0.547", "77%", ""]
    assert rows[-1][-1] == "used"
    assert found["Which rule was used"]["note"].startswith("It was the best of all that were tried.")
    assert ["expected to stay away", "402 (371 to 433)"] in found["In numbers"]["facts"]


def test_the_churn_page_says_one_sentence_that_can_be_checked_and_what_the_forecast_looks_at():
    found = parts("churn")

    assert found["What we expect"]["lines"] == [
        "Of 100 customers with a forecast like this (128 have it today), 62 will not come back by 30 Jan 2027; it could be 55 to 70."
    ]
    assert found["What it looks at"]["lines"] == ["Silence. Last seen 6 days ago: 12 of 100 stay away. Last seen 240 days ago: 80."]


def test_the_value_page_gives_the_total_a_range_and_says_which_way_was_used():
    found = parts("lifetime-value")

    assert "between £24,000 and £42,000" in found["How sure it is"]["lines"][0]
    assert [row[0] for row in found["Which rule was used"]["table"]["rows"]] == [
        "Spend goes on as before",
        "Chance to buy, times what a buyer spends",
    ]


def test_the_page_of_groups_tells_stages_moves_and_the_grid():
    found = parts("segments")

    assert found["Where value is at risk"]["table"]["rows"][0] == ["bring the first half of the value", *["10 · £1,200"] * 3]
    assert found["Who moved"]["table"]["head"] == ["On 1 Aug 2026", "new", "active", "all"]
    assert found["Who moved"]["table"]["rows"][-1] == ["all", "5", "122", "127"]
    assert found["Where they stand"]["figure"]["svg"].startswith("<?xml")


def test_the_page_of_rounds_says_not_shown_and_what_is_still_closed():
    found = parts("last-round")

    assert found["Who came back"]["table"]["rows"] == [
        ["Follow-up letters", "190 · 39", "190 · 31", "8.0\n(−2.0 to 18.0)", "14.0", "not shown"]
    ]
    assert "That is not “it does not work”" in found["Who came back"]["lines"][0]
    assert found["What was left"]["table"]["rows"] == [["Follow-up letters", "£234", "£24.00", "£210\n(−£40 to £460)"]]
    assert found["Was the lot kept?"]["table"]["rows"] == [["Follow-up letters", "yes", "0.300", "1.0", "0 of 190", "80%"]]
    assert found["Still closed"]["lines"][0].endswith("read on 30 Jan 2027, not before.")


def test_what_a_shop_calls_things_is_text_and_never_markup():
    assert "<b>market</b>" in parts("segments")["Whom the best resemble"]["lines"][0]  # escaped where it is printed, not here


def test_a_part_without_content_is_left_out():
    churn = sample.churn().model_copy(update={"messages": sample.churn().messages[:2], "tables": {}})

    assert "What it looks at" not in parts("churn", results={"churn": churn})


@pytest.mark.parametrize("slug", [*outlook.SLUGS, outlook.ROUNDS])
def test_a_broken_notebook_gets_a_page_that_says_so(slug):
    reason = Message(key="common.failed", args={"cause": "stopped with KeyError"})
    broken = Result(notebook=slug, kind="forecast", status="failed", reason=reason, cutoff=sample.CUTOFF)

    page = outlook.outlook_page(book(results={slug: broken}), slug)

    assert page["title"] == "This forecast could not be made"
    assert "stopped with KeyError" in page["parts"][0]["lead"]
