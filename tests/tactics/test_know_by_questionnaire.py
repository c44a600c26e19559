from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import know_by_questionnaire

OFTEN = ["2025-12-01", "2026-01-01", "2026-02-01"]


def register(**customers):
    """Customer: (notes may be kept, region, channel)."""
    columns = ("consent_profile", "region", "preferred_channel")
    return frame("customers", *({"customer_id": who} | dict(zip(columns, told, strict=True)) for who, told in customers.items()))


def asked(*rows):
    return frame("surveys", *(dict(zip(("customer_id", "asked_at", "answered_at"), row, strict=False)) for row in rows))


def worth_of(*names):
    return forecast_of(**{name: (0.5, 10.0 * (at + 1)) for at, name in enumerate(names)})


def test_a_profile_is_known_if_it_may_be_kept_and_nothing_is_missing():
    people = register(a=(True, "Old Town", "mail"), b=(True, None, "mail"), c=(False, "Old Town", "mail"), d=(None, "Old Town", "mail"))
    facts = know_by_questionnaire.diagnose(shop_of(purchases(a=OFTEN, b=OFTEN, c=OFTEN, d=OFTEN), customers=people), CUTOFF).facts

    assert (facts["known"].value, facts["allowed"].value, facts["region"].value) == (0.25, 0.5, 0.75)
    assert facts["preferred_language"].value == 0.0, "never asked: it is not held against a card"


def test_regulars_are_asked_for_what_is_missing_and_the_others_anew():
    people = register(a=(True, "Old Town", "mail"), b=(True, None, "mail"), c=(None, None, None), d=(True, "Old Town", "mail"))
    shop = shop_of(purchases(a=OFTEN, b=OFTEN, c=OFTEN, d=OFTEN[:1]), customers=people)
    listed = know_by_questionnaire.act(shop, CUTOFF, worth_of("a", "b", "c", "d")).set_index("pseudonym")

    assert [reason.split(".")[-1] for reason in listed["reason"]] == ["empty", "gap", "old"]
    assert listed.loc["b", "arguments"] == {"visits": 3, "missing": "know-by-questionnaire.missing.region"}
    assert listed.loc["c", "channel"] == "counter"
    assert "d" not in listed.index, "who came once is no regular"


def test_who_forbade_notes_or_letters_or_was_asked_within_a_year_is_left_alone():
    people = register(a=(False, None, None), b=(True, None, "mail"), c=(True, None, "mail")).assign(consent_contact=[True, False, True])
    shop = shop_of(purchases(a=OFTEN, b=OFTEN, c=OFTEN, d=OFTEN), customers=people, surveys=asked(("c", "2025-06-01"), ("d", "2025-03-01")))
    listed = know_by_questionnaire.act(shop, CUTOFF, worth_of("a", "b", "c", "d"))

    assert listed["pseudonym"].tolist() == ["d"]


def test_those_who_answer_are_compared_with_those_who_do_not():
    told = asked(("a", "2026-01-05", "2026-01-06"), ("b", "2026-01-05", "2026-01-06"), ("c", "2026-01-05"), ("a", "2026-02-05"))
    shop = shop_of(purchases(a=OFTEN, b=OFTEN, c=OFTEN[:1]), customers=register(a=(True, "x", "mail")), surveys=told)
    facts = know_by_questionnaire.diagnose(shop, CUTOFF).facts

    assert facts["answered"].value == pytest.approx(2 / 3)
    assert (facts["answer_gap"].value, facts["answer_gap"].n) == (1.0, 3)


def test_an_answer_before_its_question_is_counted_and_left_out():
    told = asked(("a", "2026-01-05", "2026-01-04"), ("b", "2026-01-05", "2026-01-06"))
    found = know_by_questionnaire.diagnose(
        shop_of(purchases(a=OFTEN, b=OFTEN), customers=register(a=(True, "x", "mail")), surveys=told), CUTOFF
    )

    assert found.facts["answered"].n == 1
    assert found.messages[-1].args == {"table": "common.table.surveys", "n": 1}


def test_the_best_fifth_is_by_margin_of_the_year():
    days = {name: [("2026-01-01", amount)] for name, amount in zip("abcdefghij", [90.0, 80, 7, 6, 5, 4, 3, 2, 1, 1], strict=True)}
    people = register(**dict.fromkeys("ab", (True, "Old Town", "mail")))
    table = know_by_questionnaire.diagnose(shop_of(purchases(**days), customers=people), CUTOFF).tables["bands"].set_index("group")

    assert (table.loc["best", "n"], table.loc["best", "count"]) == (2, 2)
    assert table["n"].to_dict() == {"best": 2, "middle": 3, "rest": 5}


def test_in_the_chain_those_who_may_be_kept_are_as_many_as_have_said_yes():
    shop, cutoff, _ = chain()
    facts = know_by_questionnaire.diagnose(shop, cutoff).facts
    register_says = shop.customers["consent_profile"].mean()

    low, high, _ = facts["allowed"].interval
    assert low - 0.02 < register_says < high + 0.02
    assert facts["to_ask"].value > 100
