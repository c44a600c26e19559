"""Results become one tree of display strings: the right words for the evidence, the right order, and never a crash."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
import sample_results as sample

from loyalty_lab import document, exposure, pages, spreads
from loyalty_lab.errors import RenderError
from loyalty_lab.pages import Book
from loyalty_lab.results import Fact, Measure, Message, Result, Table, Value
from loyalty_lab.trial import Estimate


def build(results=None, actions=sample.ACTIONS, intake=sample.INTAKE, language="en", **settings):
    return document.build(
        sample.everything() if results is None else results, actions, sample.shop(**settings), intake, sample.RUN, language
    )


def book(**settings) -> Book:
    return Book(sample.everything(), sample.ACTIONS, sample.shop(**settings), sample.INTAKE, sample.RUN, "en")


def leaves(part):
    if isinstance(part, (dict, list, tuple)):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from leaves(inner)
    else:
        yield part


def page(made: dict, slug: str) -> dict:
    return next(each for each in made["tactics"] if each["anchor"] == slug)


def test_every_leaf_is_a_string_or_nothing():
    assert {type(leaf) for leaf in leaves(build())} == {str, type(None)}


def test_page_one_gives_three_answers_and_the_actions():
    glance = build()["glance"]

    assert [answer["a"] for answer in glance["answers"]] == ["As well as last year.", "The second visit.", "Three things, in this order."]
    assert glance["title"].startswith("81 of 100 customers came back")
    assert [action["anchor"] for action in glance["actions"]] == ["follow-up-letters", "vital-few", "answer-fast"]
    assert (glance["actions"][0]["money"], glance["actions"][0]["money_note"]) == ("not shown", "costs £23.94")
    assert glance["actions"][0]["due"] == "2 Nov"
    assert (glance["actions"][-1]["money"], glance["actions"][-1]["grade"]) == ("–", "")


def test_what_was_not_measured_yet_prints_its_break_even():
    unread = {slug: result for slug, result in sample.everything().items() if slug != "last-round"}

    action = build(unread)["glance"]["actions"][0]

    assert (action["money"], action["money_note"], action["grade"]) == ("1 in 31", "break-even; at most £640", "D")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Value(grade="A", amount=1460.0, low=240.0, high=3150.0), ("£1,460", "£240 to £3,150")),
        (Value(grade="B", amount=90.0, low=40.0, high=140.0), ("£90.00", "£40 to £140")),
        (Value(grade="A", amount=1460.0, low=-240.0, high=3150.0), ("not shown", "costs £57.60")),
        (Value(grade="A", amount=-300.0, low=-450.0, high=-150.0), ("−£300", "−£450 to −£150")),
        (Value(grade="C", high=410.0, break_even_rate=0.032), ("1 in 31", "break-even; at most £410")),
        (Value(grade="D", amount=2400.0), ("£2,400", "at most")),
        (Value(grade="D", break_even_rate=0.7), ("70 in 100", "break-even")),
        (Value(grade="D", break_even_rate=1.4), ("cannot pay", "break-even")),
        (Value(grade="E", amount=9999.0), ("–", "no amount")),
        (None, ("–", "not yet known")),
    ],
)
def test_worth_is_worded_as_its_evidence_allows(value, words):
    assert spreads.worth_words(book(), value, cost=57.6) == words


def test_what_drove_people_away_says_stop_whatever_the_money():
    measure = Measure(design="holdout", outcome="repeat", window_days=60, effect=-0.12, checks={"verdict": "harms"})

    words = spreads.worth_words(book(), Value(grade="A", amount=90.0, low=40.0, high=140.0), measure=measure)

    assert words == ("stop: it harms", "−12.0 points against those kept aside")


def test_a_gain_whose_range_holds_zero_never_prints_its_amount():
    words = spreads.worth_words(book(), Value(grade="A", amount=1460.0, low=0.0, high=3150.0))
    assert not any("1,460" in word for word in words)


def test_actions_go_from_measured_gains_over_break_even_and_overdue_to_data():
    def tactic(slug, value=None, status="ready"):
        reason = Message(key="common.needs_data", args={"need": "tickets"}) if status == "needs data" else None
        return Result(notebook=slug, kind="tactic", status=status, cutoff=sample.CUTOFF, value=value, reason=reason)

    found = {
        "a": tactic("a", Value(grade="A", amount=500.0, low=20.0, high=900.0)),
        "b": tactic("b", Value(grade="A", amount=300.0, low=90.0, high=900.0)),
        "c": tactic("c", Value(grade="D", high=300.0, break_even_rate=0.05)),
        "d": tactic("d", Value(grade="D", high=900.0, break_even_rate=0.02)),
        "e": tactic("e", Value(grade="D", high=901.0, break_even_rate=0.02)),
        "f": tactic("f"),
        "g": tactic("g"),
        "h": tactic("h", status="needs data"),
    }
    kinds = dict.fromkeys("abcde", "campaign") | {"f": "duty", "g": "duty"}
    actions = [
        {
            "slug": slug,
            "kind": kind,
            "list": f"{slug}.xlsx",
            "count": 10,
            "held_out": 0,
            "expected_gain": None,
            "extra": {"overdue": 3 if slug == "f" else 5},
        }
        for slug, kind in kinds.items()
    ]
    whole = replace(book(), results=found, actions=actions)

    assert sorted(kinds | {"h": "data"}, key=lambda slug: document._rank(whole, {"slug": slug, "kind": kinds.get(slug, "data"), "count": 10,
                  "extra": {"overdue": 3 if slug == "f" else 5}})) == list("baedcgfh")  # fmt: skip
    assert [action["anchor"] for action in document.first_actions(whole)] == list("baedc")


def test_the_due_day_is_the_next_monday():
    assert document.monday_after(date(2026, 11, 6)) == date(2026, 11, 9)
    assert {document.monday_after(date(2026, 11, day)).weekday() for day in range(1, 15)} == {0}


def test_a_practice_without_data_gets_a_page_that_says_what_to_collect_and_a_form():
    collect = page(build(), "answer-fast")

    assert collect["kind"] == "collect"
    assert collect["file"] == "tickets.csv"
    assert "tickets.first_reply_at" in collect["stamp"]
    assert collect["columns"]
    assert [column[0] for column in collect["columns"]] == [column[0] for column in collect["form"]["columns"]]
    assert page(build(sample.everything(answer_fast_ready=True)), "answer-fast")["kind"] == "spread"


def test_a_practice_that_failed_says_so_and_the_rest_stands():
    made = build(sample.everything() | {"vital-few": sample.failed()})

    assert page(made, "vital-few")["kind"] == "notice"
    assert "stopped with ValueError" in page(made, "vital-few")["cause"]
    assert page(made, "follow-up-letters")["kind"] == "spread"


@pytest.mark.parametrize("slug", ["start-here", "scorecard", "churn", "lifetime-value"])
@pytest.mark.parametrize("broken", ["missing", "failed", "empty"])
def test_whatever_is_missing_the_document_is_made(slug, broken):
    found = sample.everything()
    kind = found[slug].kind
    empty = Result(notebook=slug, kind=kind, cutoff=sample.CUTOFF)
    failure = Result(
        notebook=slug, kind=kind, status="failed", cutoff=sample.CUTOFF, reason=Message(key="common.failed", args={"cause": "x"})
    )
    found = {name: result for name, result in found.items() if name != slug} | {"failed": {slug: failure}, "empty": {slug: empty}}.get(
        broken, {}
    )

    assert build(found)["doc"]["title"] == "Retention playbook"


def test_a_shop_with_one_year_is_told_that_it_is_too_early():
    nothing = Fact(value=None, unit="share", n=0)
    args = {"customer_retention_rate": None}
    result = Result(
        notebook="scorecard", kind="scorecard", cutoff=sample.CUTOFF, facts={"customer_retention_rate": nothing},
        messages=[Message(key=f"scorecard.{role}.too_early", args=args) for role in ("headline", "working", "attention")],
    )  # fmt: skip
    made = build({"scorecard": result}, actions=[], intake={"tables": {}, "orders": {}, "warnings": []})

    assert made["cover"]["kept"] == ""
    assert made["glance"]["answers"][0]["a"] == "Too early to say."
    assert made["glance"]["answers"][2]["a"] == "Nothing yet."
    assert [metric["value"] for metric in made["scorecard"]["metrics"]] == ["–"] * 6
    assert made["method"]["bridge_figure"] is None


def test_the_scorecard_shows_six_metrics_with_range_year_before_and_passport():
    kept = build()["scorecard"]["metrics"][0]

    assert (kept["value"], kept["interval"], kept["change"]) == ("81%", "78.4% to 83.5%", "a year ago 79%")
    assert kept["passport"][1] == ["Window", "1 Nov 2025 to 31 Oct 2026"]
    assert kept["passport"][2] == ["Rests on", "902 customers of the year before"]
    assert kept["spark"]["svg"].startswith("<?xml")


def test_page_one_says_what_the_last_round_showed():
    working = build()["glance"]["answers"][0]["text"]

    assert working.endswith("Not shown: 39 of 100 came back after “Follow-up letters”, and 31 of those kept aside.")


def test_the_plan_is_for_those_who_were_drawn_in_the_end():
    opened = [{**action, "read_on": "2027-02-01"} if action["slug"] == "follow-up-letters" else action for action in sample.ACTIONS]
    plan = page(build(actions=opened), "follow-up-letters")["know"]
    rows = dict(plan["rows"])

    assert rows["People in this round, both halves"] == "96"
    assert rows["Would buy again anyway (forecast)"] == "30%"
    assert rows["Smallest effect this round can show"] == "28.0 points"
    assert rows["It pays from (break-even)"] == "3.2 points"
    assert "this shop cannot prove it alone" in plan["verdict"]
    assert plan["verdict"].endswith("what pays may stay unseen.")


@pytest.mark.parametrize(("language", "said"), [("en", "cannot prove it alone"), ("tr", "tek başına"), ("bn", "একা"), ("hy", "մենակ")])
def test_a_shop_too_small_to_prove_anything_is_told_so_in_its_language(language, said):
    found = sample.everything()
    measure = found["follow-up-letters"].measure
    few = measure.model_copy(update={"mde": None, "checks": measure.checks | {"rounds_to_pool": None, "eligible": 6}})
    found["follow-up-letters"] = found["follow-up-letters"].model_copy(update={"measure": few})

    assert said in page(build(found, language=language), "follow-up-letters")["know"]["verdict"]


def test_the_method_page_counts_what_was_left_out_and_shows_the_bridge_to_the_cent():
    method = build()["method"]

    assert ["orders", "refunded in full", "587"] in method["dropped_rows"]
    assert method["bridge_figure"]["title"] == "£149,212.40 sold, £136,888.00 analysed"
    assert ["exports/orders.csv", "sha256 9f1c27ab40e6…d3b8"] in [[name.replace("\u200b", ""), said] for name, said in method["again_rows"]]


def test_a_shop_that_knows_all_its_buyers_reads_nothing_about_unknown_ones():
    known = sample.INTAKE | {"orders": sample.INTAKE["orders"] | {"anonymous_net": "0.00"}}

    assert "without a customer (£8,120.50)" in build()["method"]["bridge_text"]
    assert build(intake=known)["method"]["bridge_text"] == "Rests on 9,640 orders of 1,284 customers."


def test_a_file_that_holds_two_tables_is_named_once():
    twice = Book(sample.everything(), [], sample.shop(), sample.INTAKE, sample.RUN | {"inputs": 2 * sample.RUN["inputs"]}, "en")

    assert [row[0] for row in pages.method(twice)["again_rows"]].count("exports/orders.csv") == 1


def test_a_list_of_nobody_says_so_and_names_no_file():
    empty = [{"slug": "vital-few", "kind": "watch", "list": "vital-few.xlsx", "count": 0, "held_out": 0}]

    assert page(build(actions=empty), "vital-few")["who"] == {"numbers": [], "list": "", "control": "Nobody is on the list now."}


def test_a_campaign_without_a_capacity_says_that_its_list_has_no_limit():
    unlimited, limited = (page(build(**given), "follow-up-letters")["who"]["control"] for given in ({}, {"capacity": {"letter": 40}}))

    assert "shop.toml names no [capacity]" in unlimited
    assert "shop.toml names no [capacity]" not in limited


def test_a_sum_of_nothing_but_unknowns_is_left_out():
    blank = Table(columns=["key", "value", "unit"], rows=[["practice.worth.occasions", None, "count"]])
    results = sample.everything()
    results["vital-few"] = results["vital-few"].model_copy(update={"tables": {"worth": blank}})

    assert page(build(results), "vital-few")["worth"]["rows"] == []


def test_bengali_writes_its_own_digits_but_leaves_file_names_alone():
    made = build(language="bn", currency="BDT")

    assert made["cover"]["facts"][0][1] == "৯,৬৪০"
    assert made["glance"]["actions"][0]["list"] == "follow-up-letters.xlsx"
    assert page(made, "vital-few")["number"] == "০১"


def test_hostile_names_are_data():
    name = "<script>alert(1)</script> #panic() $x$ {0} \u202e漢"
    made = build(name=name, owners={"default": "*bold* " + "A" * 50})

    assert "\u202e" not in made["brand"]["shop"]
    assert made["brand"]["shop"].endswith("?")
    assert made["glance"]["actions"][0]["owner"].startswith("*bold*")


def test_a_result_whose_message_lacks_an_argument_stops_with_the_key():
    found = sample.everything()
    broken = found["churn"].model_copy(update={"messages": [Message(key="churn.headline.model", args={})]})
    with pytest.raises(RenderError, match=r"churn\.headline\.model"):
        build(found | {"churn": broken})


def test_a_table_of_worth_ends_in_its_total():
    rows = page(build(), "follow-up-letters")["worth"]["rows"]
    assert rows[-1][1] == "£46.00"
    assert isinstance(sample.everything()["follow-up-letters"].tables["worth"], Table)


def test_what_no_lot_has_decided_is_printed_with_what_would_explain_it_away():
    found = sample.everything(answer_fast_ready=True)
    warned = exposure.said(ADJUSTED, "answer-fast.experience")
    found["answer-fast"].messages.append(warned)

    rests_on = page(build(found), "answer-fast")["worth"]["assumptions"][-1]

    assert rests_on.startswith("A first reply after more than a day: of those who had it, 3.0 points fewer came back")
    assert "would explain it all away" in rests_on


ADJUSTED = exposure.Comparison(
    naive=Estimate(-0.06, -0.08, -0.04, 0.0), adjusted=Estimate(-0.03, -0.05, -0.01, 0.0), risk_ratio=0.96, risk_ratio_low=0.94,
    risk_ratio_high=0.98, kept=4_000, left_out=0, strongest=None, negative_control=None, grade="C", reason="adjusted",
)  # fmt: skip


def with_action(slug: str, **changed) -> list[dict]:
    return [action | changed if action["slug"] == slug else action for action in sample.ACTIONS]


def test_a_list_of_nobody_opens_no_round_and_plans_none():
    empty = page(build(actions=with_action("follow-up-letters", count=0, held_out=0, read_on=None)), "follow-up-letters")

    assert empty["know"]["text"].startswith("No round begins with this report")
    assert empty["know"]["verdict"] == ""
    assert all("both halves" not in label for label, _ in empty["know"]["rows"])
    assert empty["card"] is None


def test_the_card_for_the_till_says_until_when_and_what_of_but_no_number_of_a_customer():
    card = page(build(actions=with_action("follow-up-letters", count=20, held_out=20, read_on="2026-12-31")), "follow-up-letters")["card"]

    assert card["text"].startswith("Until 31 Dec 2026 leave these customers out of this: Follow-up letters.")
    assert card["people"] == "20"
