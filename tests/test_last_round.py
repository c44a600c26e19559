"""Three shops wrote letters by lot, one well, one in vain, one to its harm: what their pages say, and that it is said once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from string import Formatter

import lettered_shops as shops
import pandas as pd
import pytest

from loyalty_lab import lists, questions
from loyalty_lab.language import LOCALES, Texts, catalogue
from loyalty_lab.shop import Shop
from loyalty_lab.study import Run


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Run, results and English pages of each shop; of the working one also after three rounds."""
    found = {}
    for name, effect, cycles in (*((name, effect, 1) for name, effect in shops.EFFECTS.items()), ("thrice", shops.EFFECTS["null"], 3)):
        letters = shops.Letters(effect, cycles=cycles)
        taken = shops.make(tmp_path_factory.mktemp(name) / "shop", letters)
        opened = shops.run(taken, letters.read_on)
        results = shops.results(opened)
        found[name] = (taken, opened, results, shops.pages(opened, results))
    return found


def letters_page(played, name: str) -> dict:
    return played[name][3]["tactics"][0]


def parts(played, name: str) -> dict[str, dict]:
    return {part["label"]: part for part in played[name][3]["rounds"]["parts"]}


def test_a_working_letter_is_a_measured_gain_on_page_one_and_on_its_page(played):
    (action,) = played["works"][3]["glance"]["actions"]
    worth, profit = letters_page(played, "works")["worth"], played["works"][2]["last-round"].tables["together"].rows[0][-3:]
    texts = Texts("en", "GBP")

    assert (action["money"], action["grade"]) == (texts.money(profit[0]), "A")
    assert action["money_note"] == f"{texts.money(profit[1])} to {texts.money(profit[2])} a round"
    assert (worth["value"], worth["note"]) == (action["money"], action["money_note"])
    assert worth["break_even_label"] == "Measured:"
    assert worth["rows"][-1] == ["left in a round like the last one", texts.money(profit[0])]
    assert played["works"][3]["rounds"]["title"].startswith("Follow-up letters worked: 45 of 100 came back, and 30 of those")
    assert "it paid" in parts(played, "works")["What was left"]["lines"][0]


def test_a_letter_in_vain_is_not_shown_with_what_would_have_shown_and_what_it_cost(played):
    (action,) = played["null"][3]["glance"]["actions"]
    know, read = dict(letters_page(played, "null")["know"]["rows"]), parts(played, "null")["Who came back"]

    assert (action["money"], action["money_note"], action["grade"]) == ("not shown", "costs £140", "A")
    assert know["Shown so far (rounds read: 1)"].startswith("not shown: ")
    assert know["Smallest effect they would have shown"] == Texts("en").points(played["null"][2]["last-round"].rounds[0].mde)
    assert "That is not “it does not work”" in read["lines"][0]
    assert read["table"]["rows"][0][-2:] == [know["Smallest effect they would have shown"].split()[0], "not shown"]
    assert "whether it paid is not shown" in parts(played, "null")["What was left"]["lines"][0]


def test_a_harmful_letter_is_stopped_and_is_nothing_to_do(played):
    pages, letters = played["harms"][3], letters_page(played, "harms")

    assert pages["glance"]["actions"] == []
    assert pages["glance"]["answers"][2]["a"] == "Stop first."
    assert pages["glance"]["answers"][2]["text"] == "Stop: “Follow-up letters” did harm."
    assert letters["title"] == "Stop: “Follow-up letters” did harm"
    assert letters["worth"]["value"] == "stop: it harms"
    assert letters["monday"][0]["do"] == "Stop it. Send it to nobody."
    assert (letters["who"]["numbers"], letters["who"]["list"]) == ([], "")
    assert pages["rounds"]["title"].startswith("Follow-up letters did harm")


@pytest.mark.parametrize(("name", "posted"), [("works", [shops.SLUG]), ("harms", [])])
def test_a_stopped_letter_is_on_no_list_and_no_letter_is_printed(played, name, posted, tmp_path):
    taken, opened, found, _ = played[name]
    folder, letters = shutil.copytree(taken.folder, tmp_path / "shop"), []
    entries = lists.make_lists(
        folder, opened.shop, {shops.SLUG: opened.study(shops.SLUG).candidates}, found, cutoff=opened.cutoff,
        report_date=opened.report_date, horizon_days=shops.DAYS, out=tmp_path / "lists", post=lambda desk, slug, *_: letters.append(slug),
    )  # fmt: skip

    assert letters == posted
    assert [entry["slug"] for entry in entries] == posted


@pytest.mark.parametrize("language", LOCALES)
def test_a_sentence_about_a_round_speaks_only_of_what_is_known_of_it(played, language):
    known = next(set(message.args) for message in played["works"][2]["last-round"].messages if message.key == "last-round.read.works")
    told = catalogue(language)["last-round"]
    sentences = {f"{role}.{kind}": text for role in ("read", "spent", "paid", "check", "reached") for kind, text in told[role].items()}
    lacking = {name: slots(text) - known for name, text in sentences.items() if isinstance(text, str) and slots(text) - known}

    assert lacking == {}


def slots(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_three_rounds_are_counted_together_in_a_table_and_a_sentence(played):
    together = parts(played, "thrice")["Rounds counted together"]
    (row,) = together["table"]["rows"]

    assert row[:3] == ["Follow-up letters", "3", "2,100"]
    assert row[-1] == "not shown"
    assert together["lines"][0].startswith("Follow-up letters: 3 rounds with 2,100 people, counted together: ")
    assert "Rounds counted together" not in parts(played, "null")
    assert played["thrice"][3]["rounds"]["title"].startswith("Not shown: 3 rounds of “Follow-up letters”")


def test_what_was_reached_is_told_beside_the_result_for_all(played):
    checks = parts(played, "works")["Was the lot kept?"]

    assert checks["table"]["rows"][0][1] == "yes"
    assert checks["table"]["rows"][0][-2:] == ["0 of 350", "90%"]
    assert "among those reached the difference is" in checks["lines"][-1]


@pytest.mark.parametrize("nights", [1, 20, 200])
def test_a_report_of_a_later_night_prints_the_same_reading(played, nights):
    taken, opened, results, _ = played["works"]
    later = questions.last_round(shops.run(taken, opened.cutoff + timedelta(days=nights)))

    assert [message.model_dump() for message in later.messages] == [message.model_dump() for message in results["last-round"].messages]
    assert later.rounds == tuple(results["last-round"].rounds)


def test_the_night_before_the_planned_day_nothing_is_told(played):
    taken, opened, _, _ = played["works"]
    early = shops.run(taken, opened.cutoff - timedelta(days=1))
    results = shops.results(early)
    pages = shops.pages(early, results)

    assert [message.key for message in results["last-round"].messages][-1] == "last-round.running"
    assert not results["last-round"].rounds
    assert pages["glance"]["actions"][0]["grade"] == "D"
    assert "came back" not in " ".join(line for part in pages["rounds"]["parts"] for line in part["lines"])


@pytest.mark.parametrize("language", ["tr", "bn", "hy"])
@pytest.mark.parametrize("name", ["works", "null", "harms", "thrice"])
def test_every_shop_can_be_told_its_result_in_every_language(played, name, language):
    _, opened, results, english = played[name]
    pages = shops.pages(opened, results, language)

    assert len(pages["rounds"]["parts"]) == len(english["rounds"]["parts"])
    assert pages["tactics"][0]["worth"]["grade"] == "A"
    assert all(line for part in pages["rounds"]["parts"] for line in part["lines"])


def test_without_a_cost_the_margin_is_printed_and_said_to_be_whole(played):
    taken, opened, _, _ = played["works"]
    usual = shops.run(taken, opened.cutoff)
    free = replace(usual, shop=replace(usual.shop, settings=usual.shop.settings.model_copy(update={"cost": {}})))
    free.__dict__["rounds"] = usual.rounds

    found = questions.last_round(free)

    assert "last-round.paid.no_cost" in [message.key for message in found.messages]
    row = found.tables["profit"].iloc[0]
    assert row["profit"] == pytest.approx(row["margin"])


def test_a_contact_costs_what_each_ones_channel_costs(played):
    _, opened, _, _ = played["works"]
    people = pd.DataFrame({"arm": ["treated", "treated", "treated", "control"]}, index=list("abcd"))
    known = pd.DataFrame({"customer_id": list("abd"), "preferred_channel": ["phone", "letter", "phone"]})
    settings = opened.shop.settings.model_copy(update={"cost": {"letter": 0.4, "phone": 2.0}})
    run = Run(Shop(settings, {"customers": known}), opened.cutoff, opened.report_date, 60)

    cost = import_module("loyalty_lab.questions.last_round")._contact_cost
    assert cost(run, people) == pytest.approx((2.0 + 0.4 + 0.4) / 3)


@pytest.mark.parametrize(("n", "said"), [(3, "had too few people to tell (3 treated, 25 kept aside)"), (25, "of 100")])
def test_a_round_of_few_people_prints_no_share_of_a_hundred(n, said):
    last_round = import_module("loyalty_lab.questions.last_round")

    counted = {"treated": n, "control": 25, "back_treated": 1, "back_control": 0}
    row = {"slug": "follow-up-letters", "verdict": "not_shown", "rounds": 1} | counted
    message = last_round._headline([row], [row])

    assert said in Texts("en").say(message)
