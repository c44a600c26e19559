"""Loyalty card: who gets the discounts, the immortal-time trap, and who is offered a card."""

from __future__ import annotations

import pandas as pd
import pytest
from sample_results import nothing_unsaid
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of, the_demo

from loyalty_lab import thresholds
from loyalty_lab.language import Texts
from loyalty_lab.tactics import loyalty_card

EVERY_TEN_DAYS = ["2026-01-01", "2026-01-11", "2026-01-21", "2026-01-31"]


def people(*rows):
    return frame("customers", *({"consent_contact": True} | row for row in rows))


def facts_of(shop):
    return loyalty_card.diagnose(shop, CUTOFF).facts


def with_discounts(orders, *amounts):
    return orders.assign(discount_amount=list(amounts))


def test_a_card_that_does_nothing_looks_good_and_is_seen_to_do_nothing_from_the_same_visit_on():
    shop, cutoff, truth = chain("immortal_card", 4000)
    facts = loyalty_card.diagnose(shop, cutoff).facts

    assert truth["effects"]["card"]["tau_mean"] == 0.0
    assert facts["member_back"].value - facts["other_back"].value > 0.3
    assert facts["member_days"].value > 4 * facts["other_days"].value
    low, high, _ = facts["same_gap"].interval
    assert low < truth["effects"]["card"]["tau_mean"] < high
    assert high - low < 0.06


def test_the_amount_that_brings_free_delivery_is_found_with_the_share_who_fill_up_to_it():
    shop, cutoff, truth = chain("immortal_card", 4000)
    facts = loyalty_card.diagnose(shop, cutoff).facts

    assert facts["threshold"].value == truth["parameters"]["free_delivery_pence"] / 100
    low, high, _ = facts["filled"].interval
    assert low < truth["parameters"]["topped_up_share"] < high


def test_discounts_dealt_out_by_chance_go_to_large_and_small_purchases_alike_and_cost_what_they_cost():
    shop, cutoff, truth = chain("immortal_card", 4000)
    facts, known = loyalty_card.diagnose(shop, cutoff).facts, truth["parameters"]
    given = known["discount_share"] * sum(known["discount_rates"]) / len(known["discount_rates"])

    assert facts["large_cut"].interval[0] < given < facts["large_cut"].interval[1]
    assert facts["other_cut"].interval[0] < given < facts["other_cut"].interval[1]
    low, high, _ = facts["margin_without"].interval
    assert low < known["margin_rate"] < high
    assert facts["margin_with"].value < facts["margin_without"].value - 0.05


def test_a_discount_to_somebody_who_comes_as_usual_is_told_from_one_that_found_somebody_late():
    orders = with_discounts(purchases(a=[*EVERY_TEN_DAYS, "2026-03-21"], b=["2026-03-30"]), 1.0, 0.0, 2.0, 0.0, 4.0, 1.0)
    shop = shop_of(orders, cost={"letter": 1.0})
    found = loyalty_card.diagnose(shop, CUTOFF)
    rows = found.tables["discounts"].set_index("group")["money"].to_dict()
    worth = loyalty_card.value(shop, CUTOFF, forecast_of(a=(0.5, 10.0))).rows.set_index("key")["value"]

    assert rows == {"late": 4.0, "usual": 2.0, "first": 2.0}
    assert found.facts["usual_share"].value == pytest.approx(2 / 8)
    assert worth["loyalty-card.worth.frequency"] == pytest.approx(2.0 / (6 * 10.0 * 0.30))


def test_the_share_from_the_same_visit_on_counts_each_number_of_visits_as_often_as_takers_had_it():
    took = {"taker": ["2025-06-01", "2025-06-11", "2025-06-21"], "second": ["2025-03-01", "2025-03-11"]}
    orders = purchases(**took, back=["2025-06-01", "2025-06-11"], away=["2025-06-01", "2025-12-01"], third=["2025-06-01"])
    register = people({"customer_id": "taker", "card_joined_at": "2025-06-01"}, {"customer_id": "second", "card_joined_at": "2025-03-11"})
    facts = facts_of(shop_of(orders, customers=register))

    assert (facts["took_back"].value, facts["took_back"].n) == (0.5, 2), "one took it at the first visit, one at the second"
    assert facts["not_back"].value == pytest.approx((2 / 4 + 0 / 2) / 2), "visits made with a card are not among the others"
    assert (facts["member_back"].value, facts["other_back"].value) == (3 / 5, 1 / 5)


def test_who_is_just_below_the_next_tier_and_who_buys_much_without_a_card_are_listed():
    spent = {"gold": 200.0, "silver": 110.0, "near": 95.0, "nearly": 84.0, "little": 20.0, "less": 10.0}
    orders = purchases(**{name: [("2026-02-01", amount)] for name, amount in spent.items()})
    tiers = {"gold": "gold", "silver": "silver"}
    rows = [
        {"customer_id": name, "vip_tier": tiers.get(name), "card_joined_at": None if name == "gold" else "2026-02-01"} for name in spent
    ]
    listed = loyalty_card.act(shop_of(orders, customers=people(*rows)), CUTOFF, forecast_of(gold=(0.1, 90.0), near=(0.5, 40.0)))

    assert listed[["pseudonym", "reason"]].values.tolist() == [["near", "loyalty-card.reason.near"], ["gold", "loyalty-card.reason.card"]]
    assert listed["arguments"].tolist() == [{"spend": 95.0, "line": 110.0, "missing": 15.0}, {"spend": 200.0}]


def test_who_has_said_no_is_offered_no_card():
    orders = purchases(yes=[("2026-02-01", 90.0)], no=[("2026-02-01", 90.0)], little=[("2026-02-01", 9.0)] * 1)
    register = people({"customer_id": "yes"}, {"customer_id": "no", "consent_contact": False}, {"customer_id": "little"})

    assert loyalty_card.act(shop_of(orders, customers=register), CUTOFF, forecast_of())["pseudonym"].tolist() == ["yes"]


def test_discounts_larger_than_the_purchase_or_below_zero_are_counted_and_left_out():
    orders = with_discounts(purchases(a=EVERY_TEN_DAYS), 1.0, -3.0, 50.0, 1.0).assign(gross_amount=11.0)
    found = loyalty_card.diagnose(shop_of(orders), CUTOFF)

    assert found.facts["discounts"].value == 2.0
    assert [message.args["n"] for message in found.messages if message.key == "practice.contradicting"] == [2]


def test_a_shop_that_notes_no_discounts_is_told_so_little_and_no_more():
    found = loyalty_card.diagnose(shop_of(purchases(a=EVERY_TEN_DAYS)), CUTOFF)

    assert found.messages[0].key == "loyalty-card.headline.cards"
    assert [found.facts[name].value for name in ("usual_share", "large_cut", "margin_with", "discounts")] == [None] * 4


def test_without_tiers_those_are_listed_whose_usual_basket_lies_just_below_what_others_fill_up_to(monkeypatch):
    orders = purchases(
        near=[(day, 23.0) for day in EVERY_TEN_DAYS], far=[(day, 12.0) for day in EVERY_TEN_DAYS], once=[("2026-02-01", 24.0)]
    )
    line = thresholds.Density(25.0, 40, 10.0, 5, 30.0, (0.5, 1.0), 1e-6)
    monkeypatch.setattr(thresholds, "filled_baskets", lambda _: line)
    register = people(*({"customer_id": name, "card_joined_at": "2026-01-01"} for name in ("near", "far", "once")))
    listed = loyalty_card.act(shop_of(orders, customers=register), CUTOFF, forecast_of())

    assert listed[["pseudonym", "reason"]].values.tolist() == [["near", "loyalty-card.reason.basket"]]
    assert "£25.00" in Texts("en").say(listed["reason"].iloc[0], **listed["arguments"].iloc[0])


def test_every_sentence_about_the_demo_can_be_said():
    study = the_demo().study("loyalty-card")

    assert nothing_unsaid(study)
    assert [figure.id for figure in study.findings.figures] == ["trap", "discounts"]
    assert study.result().status == "ready"
    assert isinstance(study.candidates, pd.DataFrame)
