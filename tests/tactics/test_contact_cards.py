from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import contact_cards

OFTEN = ["2025-12-01", "2026-01-01", "2026-02-01"]


def calls(*rows, **more):
    columns = ("customer_id", "sent_at", "card_code", "purpose")
    return frame("contacts", *({"direction": "in"} | dict(zip(columns, row, strict=False)) | more for row in rows))


def worth_of(*names):
    return forecast_of(**{name: (0.5, 10.0 * (at + 1)) for at, name in enumerate(names)})


def test_a_first_visit_counts_as_quoting_within_thirty_days_after_a_call():
    orders = purchases(a=["2025-12-01"], b=["2025-12-01"], c=["2025-12-01"], d=["2025-12-01"])
    called = calls(("a", "2025-11-20", "C-1"), ("b", "2025-10-20", "C-1"), ("c", "2025-12-05", "C-2"), ("d", "2025-12-01 09:00", "C-2"))
    facts = contact_cards.diagnose(shop_of(orders, contacts=called), CUTOFF).facts

    assert (facts["first_quoting"].value, facts["first_quoting"].n) == (0.5, 4)
    assert facts["holders"].value == 1.0


def test_what_went_out_is_no_call_and_a_call_without_a_code_quotes_no_card():
    sent = calls(("a", "2025-12-01", "C-1"), direction="out")
    found = contact_cards.diagnose(shop_of(purchases(a=OFTEN), contacts=sent), CUTOFF)

    assert (found.facts["calls"].value, found.messages[0].key) == (0, "contact-cards.headline.none")


def test_calls_are_counted_by_the_code_on_the_card():
    called = calls(("a", "2025-12-01", "C-2", "support"), ("a", "2025-12-02", "C-2", "info"), ("b", "2026-01-02", "C-1", "info"))
    found = contact_cards.diagnose(shop_of(purchases(a=OFTEN, b=OFTEN), contacts=called), CUTOFF)

    assert found.tables["batches"].values.tolist() == [["C-2", 2.0], ["C-1", 1.0]]
    assert found.facts["support"].value == pytest.approx(1 / 3)
    assert found.figures[0].data["unit"] == "count"


def test_who_asked_lately_comes_first_then_large_purchases_then_regulars():
    usual = {f"x{at}": ["2025-12-01"] for at in range(30)}
    orders = purchases(a=OFTEN, b=[("2026-03-20", 500.0)], c=["2026-01-05"], d=OFTEN, e=["2026-03-20"], **usual)
    asked = frame("tickets", {"customer_id": "c", "opened_at": "2026-03-20"})
    shop = shop_of(orders, tickets=asked, contacts=calls(("d", "2025-06-01", "C-1")))
    listed = contact_cards.act(shop, CUTOFF, worth_of("a", "b", "c", "d", "e"))

    assert listed["pseudonym"].tolist() == ["c", "b", "a"]
    assert listed["arguments"].tolist()[1] == {"visits": 1, "spend": 500.0}


def test_a_large_purchase_is_named_by_what_was_spent_that_day_not_at_the_last_visit():
    usual = {f"x{at}": ["2025-12-01"] for at in range(30)}
    shop = shop_of(purchases(b=[("2026-03-10", 500.0), ("2026-03-25", 3.0)], **usual))
    listed = contact_cards.act(shop, CUTOFF, worth_of("b"))

    assert listed.loc[0, "reason"] == "contact-cards.reason.large"
    assert listed.loc[0, "arguments"]["spend"] == 500.0


def test_who_refused_letters_is_sent_no_card():
    register = frame("customers", {"customer_id": "a", "consent_contact": False})
    shop = shop_of(purchases(a=OFTEN, b=OFTEN), customers=register)

    assert contact_cards.act(shop, CUTOFF, worth_of("a", "b"))["pseudonym"].tolist() == ["b"]


@pytest.mark.parametrize(("cost", "each"), [({"card": 0.15, "letter": 1.2}, 0.15), ({"letter": 1.2}, 1.2), ({}, None)])
def test_a_card_costs_what_the_shop_says_or_a_letter(cost, each):
    made = contact_cards.value(shop_of(purchases(a=OFTEN), cost=cost), CUTOFF, worth_of("a"))

    assert made.value.break_even_rate == (None if each is None else pytest.approx(each / 10.0))


def test_in_the_chain_first_orders_with_a_card_are_those_that_had_one():
    shop, cutoff, truth = chain()
    first = contact_cards._first_visits(contact_cards.visits(shop, cutoff), contact_cards._calls(shop), shop.last_day)
    everybody = contact_cards.visits(shop, cutoff).query("visit == 1")
    whole = first["quoted"].mean() * len(everybody)

    assert truth["cards"]["effect"] == 0, "and yet the cards are quoted: quoting is no effect"
    assert whole == pytest.approx(truth["cards"]["first_orders"], rel=0.25)
