"""VIP access: the line, who stands just below it, what may be said of crossing it, and who is invited."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sample_results import nothing_unsaid
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of, the_demo

from loyalty_lab import worth
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.results import spoken
from loyalty_lab.tactics import vip_access

LATELY = "2026-03-01"


def people(*rows):
    return frame("customers", *({"consent_contact": True} | row for row in rows))


def spending(amounts, day="2025-09-01"):
    """A shop whose history is long enough, in which each customer spent so much on one day."""
    long_ago = {"ancient": [("2024-06-01", 5.0)]}
    return purchases(**long_ago, **{f"c{at:04d}": [(day, amount)] for at, amount in enumerate(amounts)})


def tiered(orders, at):
    spent = orders.groupby("customer_id")["net_amount"].sum()
    return people(*({"customer_id": who, "vip_tier": "gold" if amount >= at else None} for who, amount in spent.items()))


def test_who_comes_to_previews_is_as_the_simulation_made_it():
    shop, cutoff, truth = chain()
    table = vip_access.diagnose(shop, cutoff).tables["previews"].set_index("group")
    chance = dict(zip(("gold", "silver", ""), truth["parameters"]["preview_came"], strict=True))

    assert table["n"].to_dict() == {tier or "": truth["previews"]["invited"][tier or "near"] for tier in ("gold", "silver", "")}
    assert all(table.loc[tier, "low"] < chance[tier] < table.loc[tier, "high"] for tier in chance)


def test_a_tier_that_keeps_nobody_shows_no_jump_at_its_line():
    shop, cutoff, truth = chain()
    found = vip_access.diagnose(shop, cutoff)
    low, high, _ = found.facts["jump"].interval

    assert low < truth["previews"]["effect"] < high
    assert found.messages[1].args["tested_said"] == "vip-access.tested.unclear"
    everybody = found.tables["away"].set_index("group")["share"]
    assert everybody["below"] - everybody["above"] > 0.3, "against everybody else a tier looks as if it kept them"


def test_a_line_that_does_keep_people_shows_it():
    rng = np.random.default_rng(1)
    amounts = pd.Series(rng.uniform(60, 140, 3000))
    away = pd.Series(rng.random(3000) < np.where(amounts >= 100, 0.2, 0.5))
    line = vip_access.Line(100.0, amounts, amounts.index[amounts >= 100], drawn=True)
    variant, jump = vip_access.jump_at(line, pd.DataFrame({"spend": amounts, "away": away}))

    assert variant == "clear"
    assert jump.interval[0] < -0.3 < jump.interval[1] < 0


def test_where_customers_buy_up_to_the_line_both_sides_are_not_compared():
    rng = np.random.default_rng(2)
    amounts = pd.Series(np.exp(rng.normal(4.5, 0.8, 4000)))
    amounts = amounts.mask(amounts.between(88, 100) & (rng.random(4000) < 0.6), 101.0)
    line = vip_access.Line(100.0, amounts, amounts.index[amounts >= 100], drawn=True)
    variant, jump = vip_access.jump_at(line, pd.DataFrame({"spend": amounts, "away": False}))

    assert (variant, jump.value) == ("bunched", None)


def test_where_few_stand_near_the_line_or_none_was_drawn_nothing_is_said_of_crossing_it():
    few = spending([20.0] * 20 + [120.0] * 10)
    drawn = vip_access.diagnose(shop_of(few, customers=tiered(few, 100.0)), CUTOFF)
    proposed = vip_access.diagnose(shop_of(spending(np.linspace(10.0, 190.0, 2000))), CUTOFF)

    assert drawn.messages[1].args["tested_said"] == "vip-access.tested.few"
    assert [found.facts["jump"].value for found in (drawn, proposed)] == [None, None]
    assert proposed.messages[1].key == "vip-access.stand.proposed"


def test_who_stood_where_is_told_by_what_was_known_90_days_ago():
    amounts = [20.0] * 20 + [120.0] * 6 + [90.0] * 5
    orders = pd.concat([spending(amounts), purchases(c0025=[LATELY], c0026=[(LATELY, 50.0)], c0027=[LATELY])], ignore_index=True)
    shop = shop_of(orders, customers=tiered(orders, 100.0))
    facts = vip_access.diagnose(shop, CUTOFF).facts

    assert facts["line"].value == 100.0, "two have reached it since"
    assert (facts["away_vip"].value, facts["away_vip"].n) == (pytest.approx(5 / 6), 6)
    assert (facts["away_near"].value, facts["away_near"].n) == (pytest.approx(3 / 5), 5), "who stood below then, tier or not by now"
    assert facts["gap"].value == pytest.approx(3 / 5 - 5 / 6)


def test_a_handful_make_no_percentage():
    orders = spending([20.0] * 20 + [120.0] * 6 + [90.0] * 4)
    found = vip_access.diagnose(shop_of(orders, customers=tiered(orders, 100.0)), CUTOFF)

    assert (found.facts["away_near"].value, found.facts["gap"].value) == (None, None)
    assert found.messages[1].args["away_said"] == "vip-access.away.few"


def test_without_tiers_a_round_line_is_proposed_and_tiers_that_were_not_given_for_spending_draw_none():
    orders = spending(np.arange(10.0, 110.0))
    friends = people(*({"customer_id": f"c{at:04d}", "vip_tier": "friend"} for at in range(0, 100, 3)))
    for shop in (shop_of(orders), shop_of(orders, customers=friends)):
        facts = vip_access.diagnose(shop, CUTOFF).facts
        assert (facts["line"].value, facts["vips"].value, facts["missed"].value) == (100.0, 10, 15)
        assert facts["margin_share"].value == pytest.approx(sum(range(100, 110)) / sum(range(10, 110)))


def test_as_many_as_there_are_vips_are_invited_by_expected_margin_and_those_just_below_the_line():
    orders = spending([20.0] * 20 + [120.0, 130.0, 105.0, 80.0])
    shop = shop_of(orders, customers=tiered(orders, 110.0), cost={"letter": 2.0})
    scores = forecast_of(c0000=(0.1, 100.0), c0020=(0.5, 120.0), c0021=(0.5, 60.0), c0022=(0.5, 10.0), gone=(0.1, 900.0))
    listed = vip_access.act(shop, CUTOFF, scores)
    worth = vip_access.value(shop, CUTOFF, scores).value

    assert listed["pseudonym"].tolist() == ["c0000", "c0020", "c0022"]
    assert [reason.rsplit(".", 1)[1] for reason in listed["reason"]] == ["top", "top", "missed"]
    assert listed["arguments"].iloc[2] == {"spend": 105.0, "line": 120.0, "missing": 15.0}
    assert worth.break_even_rate == pytest.approx(2.0 / ((100.0 + 120.0 + 10.0) / 3))
    assert (worth.amount, worth.grade) == (None, "D")


def test_who_has_said_no_is_not_invited():
    orders = spending([20.0] * 20 + [120.0, 130.0])
    register = tiered(orders, 100.0).assign(consent_contact=lambda frame: frame["customer_id"].ne("c0020"))
    scores = forecast_of(c0020=(0.1, 80.0), c0021=(0.1, 60.0))

    assert vip_access.act(shop_of(orders, customers=register), CUTOFF, scores)["pseudonym"].tolist() == ["c0021"]


def test_every_sentence_about_the_demo_can_be_said():
    study = the_demo().study("vip-access")

    assert nothing_unsaid(study)
    assert [figure.id for figure in study.findings.figures] == ["away", "previews"]
    assert spoken(study.findings.facts)["jump"] is None, "few stand near the line of a corner shop"
    assert study.result().status == "ready"


def test_the_list_is_ordered_by_the_amount_it_shows():
    run = the_demo()
    listed = vip_access.act(run.shop, run.cutoff, run.forecast)

    assert listed["value_at_stake"].is_monotonic_decreasing
    assert listed["value_at_stake"].iloc[0] > 0


@pytest.mark.parametrize("language", LOCALES)
def test_what_is_expected_of_a_guest_is_not_called_at_stake(language):
    texts = Texts(language)
    heads = {texts.say(worth.own(texts, slug, "lists.column.at_stake")) for slug in ("vip-access", "thank-and-gift", "answer-fast")}

    assert len(heads) == 3
