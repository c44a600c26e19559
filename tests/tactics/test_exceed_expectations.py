from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of, the_demo

from loyalty_lab.language import Texts
from loyalty_lab.tactics import answer_fast, exceed_expectations

KNOWN = forecast_of(a=(0.5, 10.0), b=(0.5, 20.0), c=(0.5, 30.0), d=(0.5, 40.0), e=(0.5, 50.0), f=(0.5, 60.0))


def surveys(*rows):
    """Answers as (customer, day, goods, care); the day after is when they answered, no marks mean no answer."""
    told = [{"customer_id": who, "asked_at": day, "answered_at": day if goods or care else None, "csat": goods, "care": care}
            for who, day, goods, care in rows]  # fmt: skip
    return frame("surveys", *told)


def listed(shop, forecast=KNOWN):
    return exceed_expectations.act(shop, CUTOFF, forecast)


def test_full_marks_are_a_five_for_everything_that_was_asked():
    told = surveys(("a", "2026-03-01", 5, 5), ("b", "2026-03-01", 5, 4), ("c", "2026-03-01", 5, None), ("d", "2026-03-01", None, None))
    facts = exceed_expectations.diagnose(shop_of(purchases(a=["2026-03-01"]), surveys=told), CUTOFF).facts

    assert (facts["answers"].value, facts["full_marks"].value, facts["full_marks"].n) == (3, pytest.approx(2 / 3), 3)
    assert (facts["goods_best"].value, facts["care_best"].value, facts["care_best"].n) == (1.0, 0.5, 2)
    assert (facts["response"].value, facts["response"].n) == (0.75, 4)


def test_who_was_unhappy_is_on_the_list_until_they_came_back_or_heard_from_the_shop_or_gave_better_marks():
    told = surveys(
        ("a", "2026-03-20", 2, 5),  # unhappy with the goods, nothing since
        ("b", "2026-03-10", 5, 1),  # with the care, bought since
        ("c", "2026-03-10", 1, 5),  # was called since
        ("d", "2026-03-10", 2, 2), ("d", "2026-03-20", 5, 5),  # happy since
        ("e", "2026-03-10", 4, 2),  # only got an offer since, that is no apology
        ("f", "2026-03-10", 3, 3),  # neither happy nor unhappy
    )  # fmt: skip
    orders = purchases(a=["2026-03-20"], b=["2026-03-10", "2026-03-25"], c=["2026-03-10"], e=["2026-03-10"])
    contacts = frame("contacts", *({"customer_id": who, "sent_at": "2026-03-12", "direction": "out", "purpose": why, "channel": "phone"}
                                   for who, why in (("c", "support"), ("e", "offer"))))  # fmt: skip
    found = listed(shop_of(orders, surveys=told, contacts=contacts))

    assert found["pseudonym"].tolist() == ["e", "a"]
    assert [reason.rsplit(".", 1)[1] for reason in found["reason"]] == ["care", "goods"]
    assert found["arguments"].tolist() == [{"mark": 2, "days": 21}, {"mark": 2, "days": 11}]


def test_the_unhappy_of_the_last_thirty_days_come_first_then_those_most_worth_keeping():
    told = surveys(("a", "2026-03-20", 1, 1), ("e", "2026-01-20", 1, 1), ("b", "2026-03-20", 1, 1), ("f", "2025-03-20", 1, 1))

    assert listed(shop_of(purchases(a=["2026-01-01"]), surveys=told))["pseudonym"].tolist() == ["b", "a", "e"]


def test_an_apology_is_owed_also_to_who_refused_letters_and_goes_the_way_they_want():
    register = frame("customers", {"customer_id": "a", "consent_contact": False, "preferred_channel": "mail"})
    told = surveys(("a", "2026-03-20", 1, 1), ("x", "2026-03-20", 1, 1))
    found = listed(shop_of(purchases(a=["2026-01-01"]), surveys=told, customers=register))

    assert found[["pseudonym", "channel", "value_at_stake"]].values.tolist() == [["a", "mail", 10.0], ["x", "phone", 0.0]]


def test_an_answer_before_its_question_is_left_out_and_said():
    told = surveys(("a", "2026-03-20", 1, 1), ("b", "2026-03-20", 1, 1))
    told.loc[1, "answered_at"] = told.loc[1, "asked_at"].replace(month=1)
    shop = shop_of(purchases(a=["2026-01-01"]), surveys=told)
    found = exceed_expectations.diagnose(shop, CUTOFF)

    assert listed(shop)["pseudonym"].tolist() == ["a"]
    assert [message.args["n"] for message in found.messages if message.key == "practice.contradicting"] == [1]


def test_four_fives_in_five_make_nobody_a_champion_but_sixty_in_a_hundred_do():
    told = [
        (f"{staff}-{at}", staff, 5 if at < fives else 4)
        for staff, fives, n in (("S1", 4, 5), ("S2", 60, 100), ("S3", 20, 100))
        for at in range(n)
    ]
    same = {"customer_id": "a", "ordered_at": "2026-03-01", "net_amount": 10.0}
    orders = frame("orders", *(same | {"order_id": bill, "staff_id": staff} for bill, staff, _ in told))
    answers = frame("surveys", *({"customer_id": "a", "asked_at": "2026-03-01", "order_id": bill, "csat": mark} for bill, _, mark in told))
    found = exceed_expectations.diagnose(shop_of(orders, surveys=answers), CUTOFF)

    staff = found.tables["staff"].set_index("group")
    assert staff.loc["S1", "raw"] == 0.8
    assert staff["low"].gt(found.facts["full_marks"].value).to_dict() == {"S1": False, "S2": True, "S3": False}
    assert (found.facts["apart"].value, found.facts["groups"].value) == (2, 3)


def test_ten_unhappy_customers_who_all_came_back_are_no_law():
    rows = [(who, "2025-11-01", mark, mark) for who, mark in (("a", 3), ("b", 5)) for _ in range(30 if who == "b" else 10)]
    shop = shop_of(purchases(a=["2025-11-01", "2025-12-01"], b=["2025-11-01"]), surveys=surveys(*rows))
    found, worth = exceed_expectations.diagnose(shop, CUTOFF), exceed_expectations.value(shop, CUTOFF, KNOWN)

    assert (found.facts["return_worse"].value, found.facts["return_worse"].n) == (1.0, 10)
    assert found.facts["return_gap"].value is None
    assert worth.value.high is None
    assert "practice.assumption.too_few" in worth.value.assumptions


def test_a_day_of_training_is_weighed_against_the_customers_it_must_keep():
    told = surveys(("a", "2026-03-01", 3, 5), ("b", "2026-03-01", 5, 2), ("c", "2026-03-01", 5, 5))
    worth = exceed_expectations.value(shop_of(purchases(a=["2026-03-01"]), {"training_day": 90.0}, surveys=told), CUTOFF, KNOWN)

    rows = worth.rows.set_index("key")["value"]
    assert rows["exceed-expectations.worth.training_day"] == pytest.approx(90.0 / 15.0)
    assert rows["practice.worth.occasions"] == 2


def test_in_a_chain_where_staff_change_no_mark_nobody_stands_apart():
    shop, cutoff, _ = chain(customers=2000)
    found = exceed_expectations.diagnose(shop, cutoff)
    staff, mean = found.tables["staff"], found.facts["full_marks"].value

    assert staff["raw"].max() - staff["raw"].min() > 0.3
    assert staff["share"].max() - staff["share"].min() < 0.1
    assert found.facts["apart"].value <= 0.05 * found.facts["groups"].value
    assert staff["low"].lt(mean).all()


def test_those_who_answer_are_happier_than_all_who_bought_as_the_page_warns():
    shop, cutoff, truth = chain("answered_only", 2000)
    answers = shop.tables["surveys"]["csat"].dropna().astype("float64")
    facts = exceed_expectations.diagnose(shop, cutoff).facts

    assert answers.mean() > truth["mean_csat"] + 0.1
    assert facts["return_answered"].value > facts["return_silent"].value
    assert "exceed-expectations.assumption.answered_only" in exceed_expectations.value(shop, cutoff, KNOWN).value.assumptions


def test_where_nothing_acts_on_coming_back_neither_do_marks():
    shop, cutoff, truth = chain("null", 2000)
    facts = exceed_expectations.diagnose(shop, cutoff).facts

    assert truth["effects"]["slow"]["tau_mean"] == 0
    for gap in (facts["return_gap"], facts["exceeded_gap"]):
        low, high, _ = gap.interval
        assert low < 0 < high


def test_promises_are_counted_as_on_the_page_of_fast_answers():
    run = the_demo()

    kept = exceed_expectations.diagnose(run.shop, run.cutoff).facts["promises_kept"]

    assert kept == answer_fast.diagnose(run.shop, run.cutoff).facts["promises_kept"]
    assert 0.4 < kept.value < 0.8


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_where_no_promise_is_written_down_the_page_says_so_in_words(language):
    answers = frame("surveys", {"customer_id": "a", "asked_at": "2026-03-01", "answered_at": "2026-03-02", "csat": 5})
    found, texts = exceed_expectations.diagnose(shop_of(purchases(a=["2026-02-01"]), surveys=answers), CUTOFF), Texts(language)

    assert texts.say("exceed-expectations.promises.unknown") in texts.say(found.messages[1])
