from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import referral

OFTEN = [f"2025-12-{day:02d}" for day in range(1, 7)]


def answers(**told):
    """Customer: (nps, csat)."""
    rows = (
        {"customer_id": who, "asked_at": "2026-01-05", "answered_at": "2026-01-06", "nps": nps, "csat": csat}
        for who, (nps, csat) in told.items()
    )
    return frame("surveys", *rows)


def invitations(*rows):
    return frame(
        "referrals", *(dict(zip(("referrer_id", "invited_at", "referred_id", "first_order_at"), row, strict=False)) for row in rows)
    )


def test_those_who_would_recommend_come_first_then_the_delighted_then_the_faithful_who_never_told_us():
    orders = purchases(a=OFTEN, b=OFTEN[:3], c=OFTEN[:1], d=OFTEN[:2], e=OFTEN)
    shop = shop_of(orders, surveys=answers(b=(None, 5), c=(9, None), d=(8, 5), e=(3, 5)))
    listed = referral.act(shop, CUTOFF, forecast_of(**dict.fromkeys("abcde", (0.5, 10.0))))

    assert listed["pseudonym"].tolist() == ["c", "b", "a"]
    assert [reason.split(".")[-1] for reason in listed["reason"]] == ["promoter", "delighted", "faithful"]
    assert listed["arguments"].tolist()[0] == {"nps": 9, "visits": 1}


def test_nobody_is_asked_twice_in_half_a_year_nor_against_their_will():
    orders = purchases(a=OFTEN, b=OFTEN, c=OFTEN)
    register = frame("customers", {"customer_id": "b", "consent_contact": False})
    shop = shop_of(orders, referrals=invitations(("a", "2025-10-03"), ("c", "2025-10-01")), customers=register)
    listed = referral.act(shop, CUTOFF, forecast_of(**dict.fromkeys("abc", (0.5, 10.0))))

    assert listed["pseudonym"].tolist() == ["c"]


def test_who_was_asked_and_never_answered_has_not_told_us_how_they_like_it():
    told = frame("surveys", {"customer_id": "a", "asked_at": "2026-01-05"})
    shop = shop_of(purchases(a=OFTEN), surveys=told, referrals=invitations(("a", "2025-06-01", "x", "2025-06-20")))

    assert referral.diagnose(shop, CUTOFF).tables["moods"]["group"].tolist() == ["silent"]
    assert referral.act(shop, CUTOFF, forecast_of(a=(0.5, 10.0)))["reason"].tolist() == ["referral.reason.faithful"]


def test_who_invites_but_has_not_bought_in_the_year_is_no_customer_of_the_year():
    sent = invitations(("a", "2025-11-01"), ("z", "2025-11-01"))
    inviting = referral.diagnose(shop_of(purchases(a=OFTEN, b=OFTEN, z=["2024-01-05"]), referrals=sent), CUTOFF).facts["inviting"]

    assert (inviting.value, inviting.n) == (0.5, 2)


def test_an_invitation_of_the_last_ninety_days_may_still_bring_somebody():
    sent = invitations(("a", "2025-06-01", "x", "2025-06-20"), ("a", "2025-07-01"), ("b", "2026-02-01"))
    facts = referral.diagnose(shop_of(purchases(a=OFTEN, b=OFTEN), referrals=sent), CUTOFF).facts

    assert (facts["invitations"].value, facts["came"].value, facts["came"].n) == (3, 0.5, 2)
    assert facts["inviting"].value == 1.0


def test_a_friend_who_bought_before_being_invited_is_no_friend_won():
    sent = invitations(("a", "2025-06-01", "x", "2025-05-20"), ("a", "2025-07-01", "y", "2025-07-02"))
    found = referral.diagnose(shop_of(purchases(a=OFTEN), referrals=sent), CUTOFF)

    assert found.facts["came"].n == 1
    assert [message.key for message in found.messages if message.key.startswith("practice.")] == ["practice.contradicting"]


def test_it_pays_if_the_margin_of_one_newcomer_less_the_reward_covers_the_asking():
    sent = invitations(("z", "2025-06-01", "a", "2025-12-01")).assign(reward_cost=2.0)
    shop = shop_of(purchases(a=[("2025-12-01", 20.0)], f=OFTEN), cost={"letter": 1.2}, referrals=sent)
    forecast = forecast_of(a=(0.5, 10.0), f=(0.5, 10.0)).assign(customer_lifetime_value=[8.0, 20.0])
    made = referral.value(shop, CUTOFF, forecast)

    worth = (0.3 * 20 + 0.3 * 10) / 2 + (8 + 20) / 2
    assert made.value.break_even_rate == pytest.approx(1.2 / (worth - 2.0))
    assert made.value.high == pytest.approx(worth - 2.0)
    assert (made.value.amount, made.value.grade) == (None, "D")


def test_a_reward_larger_than_what_a_newcomer_leaves_never_pays():
    shop = shop_of(purchases(f=OFTEN), cost={"letter": 1.2, "reward": 500.0})
    made = referral.value(shop, CUTOFF, forecast_of(f=(0.5, 10.0)).assign(customer_lifetime_value=8.0))

    assert (made.value.break_even_rate, made.value.high) == (None, 0.0)


def test_a_group_of_two_senders_makes_no_percentage_of_its_own():
    sent = invitations(*(("a", "2025-06-01", f"x{at}", "2025-06-20") for at in range(30)), ("b", "2025-06-01"), ("b", "2025-06-02"))
    moods = referral.diagnose(shop_of(purchases(a=OFTEN, b=OFTEN), surveys=answers(b=(2, 1)), referrals=sent), CUTOFF).tables["moods"]
    unhappy = moods.set_index("group").loc["detractor"]

    assert pd.isna(unhappy["raw"])
    assert 0.3 < unhappy["share"] < 1.0


def test_friends_of_good_customers_are_good_customers_and_so_the_gap_counts_for_nothing():
    """Hidden warmth goes with being sent and with coming back: the adjusted gap is clear of the truth, which is nought."""
    shop, cutoff, truth = chain()
    followed = referral.friends_against_others(shop, cutoff)
    said = followed.said("referral")[0]
    forecast = pd.DataFrame(
        {"churn_probability": 0.5, "save_value": 9.0, "customer_lifetime_value": 8.0}, index=shop.customers["customer_id"]
    )

    assert truth["effects"]["referred"]["tau_mean"] == 0.0 < followed.comparison.adjusted.low
    assert said.args["e"] < 2, "a hidden cause of little strength would explain it away, and the page says so"
    assert not any("gap" in key or "difference" in key for key in referral.value(shop, cutoff, forecast).rows["key"])
