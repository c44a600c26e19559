from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.language import Texts
from loyalty_lab.tactics import reviews

ORDERS = purchases(a=["2026-01-01"], b=["2026-01-01"], c=["2026-01-01"])


def review(who, day, rating, replied=None, asked=None, given=None):
    return {"customer_id": who, "posted_at": day, "rating": rating, "replied_at": replied, "asked": asked, "incentivised": given}


def reviewed(*rows, orders=ORDERS, **more):
    return shop_of(orders, cost={"phone": 2.0}, reviews=frame("reviews", *rows), **more)


def facts_of(shop):
    return reviews.diagnose(shop, CUTOFF).facts


def test_three_stars_or_fewer_without_an_answer_are_listed_by_what_the_customer_is_worth():
    shop = reviewed(
        review("a", "2026-03-20", 2), review("b", "2026-03-01", 3), review("c", "2026-03-01", 4),
        review("d", "2026-03-01", 1, "2026-03-05"),
        review(None, "2026-03-01", 1), review("e", "2025-03-31", 1), review("a", "2026-01-01", 1), review("f", "2025-05-01", 1),
    )  # fmt: skip
    listed = reviews.act(shop, CUTOFF, forecast_of(a=(0.9, 4.0), b=(0.1, 8.0)))

    assert listed["pseudonym"].tolist() == ["b", "a", "f"]
    assert [reason.rsplit(".", 1)[1] for reason in listed["reason"]] == ["middling", "poor", "old"]
    assert listed["arguments"].tolist()[:2] == [{"rating": 3, "days": 30}, {"rating": 2, "days": 11}]
    assert (facts_of(shop)["open"].value, facts_of(shop)["known"].value) == (5, 3)


def test_the_author_is_known_by_the_order_as_well():
    orders = purchases(a=["2026-01-01"])
    rows = frame("reviews", {"order_id": orders["order_id"].iloc[0], "posted_at": "2026-03-01", "rating": 1})
    assert reviews.act(shop_of(orders, reviews=rows), CUTOFF, forecast_of(a=(0.5, 1.0)))["pseudonym"].tolist() == ["a"]


def test_a_review_is_owed_an_answer_even_by_who_refused_to_be_contacted():
    people = frame("customers", {"customer_id": "a", "joined_at": "2026-01-01", "consent_contact": False})
    listed = reviews.act(reviewed(review("a", "2026-03-20", 2), customers=people), CUTOFF, forecast_of(a=(0.5, 1.0)))
    assert listed["pseudonym"].tolist() == ["a"]


def test_what_something_was_given_for_is_in_no_comparison():
    rows = [
        review("a", "2026-03-01", 2, asked=True),
        review("b", "2026-03-01", 5, asked=False),
        review("c", "2026-03-01", 5, asked=True, given=True),
    ]
    surveys = frame("surveys", *({"customer_id": "a", "asked_at": "2026-03-01", "csat": mark} for mark in (5, 5, 5, 3)))
    found = reviews.diagnose(reviewed(*rows, surveys=surveys), CUTOFF)
    facts = found.facts

    assert [facts[name].value for name in ("low", "low_survey", "gap")] == [0.5, 0.25, 0.25]
    assert (facts["asked"].value, facts["given"].value, facts["given"].n) == (pytest.approx(2 / 3), 1.0, 1)
    assert sorted(found.tables["sources"]["group"]) == ["asked", "given", "survey", "unasked"]
    assert len(found.figures) == 1
    assert found.tables["sources"]["raw"].isna().all(), "a handful makes no percentage"


def test_an_answer_is_prompt_within_two_weeks_and_the_newest_reviews_have_theirs_yet_to_come():
    rows = [review("a", "2026-01-01", 5, "2026-01-15"), review("b", "2026-01-01", 5, "2026-01-16"), review("c", "2026-03-25", 5)]
    facts = facts_of(reviewed(*rows))
    assert (facts["replied"].value, facts["replied"].n, facts["days_to_reply"].value) == (0.5, 2, 14.5)


def test_where_no_answer_was_ever_noted_nothing_is_said_of_answers():
    shop = reviewed(review("a", "2025-10-01", 2), review("b", "2025-10-01", 5))
    found = reviews.diagnose(shop, CUTOFF)

    assert [message.key for message in found.messages] == ["reviews.headline.unnoted", "reviews.stand.unnoted"]
    assert [found.facts[name].value for name in ("replied", "return_better", "return_worse")] == [None] * 3
    assert "stars or fewer is counted as waiting for one. The list names" in Texts("en").say(found.messages[1]), "as the list does"
    assert len(reviews.act(shop, CUTOFF, forecast_of(a=(0.5, 10.0)))) == found.facts["open"].value
    worth = reviews.value(shop, CUTOFF, forecast_of(a=(0.5, 10.0)))
    assert worth.value.high is None
    assert worth.rows["value"].isna().all()


def test_an_answer_before_the_review_is_left_out_and_counted():
    found = reviews.diagnose(reviewed(review("a", "2026-03-02", 1, "2026-03-01"), review("b", "2026-03-02", 5, "2026-03-03")), CUTOFF)
    assert found.facts["open"].value == 0
    assert [message.args["n"] for message in found.messages if message.key == "practice.contradicting"] == [1]


def test_all_are_asked_one_to_two_weeks_after_they_had_their_goods_but_who_refused_or_has_written():
    orders = purchases(
        early=["2026-03-24"], late=["2026-03-25"], old=["2026-03-17"], first=["2026-03-16"], wrote=["2026-03-20"], no=["2026-03-20"],
        parcel=["2026-03-10"], coming=["2026-03-20"], asked=["2026-03-20"],
    )  # fmt: skip
    order = orders.set_index("customer_id")["order_id"]
    parcels = frame("deliveries", *({"order_id": order[who], "promised_at": "2026-03-21", "delivered_at": day}
                                    for who, day in (("parcel", "2026-03-21"), ("coming", None))))  # fmt: skip
    people = frame("customers", {"customer_id": "no", "joined_at": "2026-01-01", "consent_contact": False})
    contacts = frame("contacts", {"customer_id": "asked", "sent_at": "2026-03-22", "purpose": "review", "direction": "out"})
    shop = reviewed(
        review("wrote", "2026-03-22", 1),
        review("early", "2026-01-01", 1),
        orders=orders,
        deliveries=parcels,
        customers=people,
        contacts=contacts,
    )

    assert reviews.to_ask(shop, CUTOFF).tolist() == ["early", "old", "parcel"]


def test_who_came_back_before_the_two_weeks_were_over_was_not_won_by_the_answer():
    orders = purchases(a=["2025-09-01", "2025-10-05"], b=["2025-09-01", "2025-11-01"], c=["2025-09-01"])
    rows = [review("a", "2025-10-01", 5, "2025-10-02"), review("b", "2025-10-01", 5, "2025-10-03"), review("c", "2025-10-01", 5)]
    followed = reviews.answered_against_not(reviewed(*rows, orders=orders), CUTOFF).facts
    assert [(followed[name].value, followed[name].n) for name in ("return_better", "return_worse")] == [(1.0, 1), (0.0, 1)]


def test_a_chain_asked_as_often_answered_as_often_and_won_as_little_as_is_true():
    shop, cutoff, _ = chain()
    facts, followed = reviews.diagnose(shop, cutoff).facts, reviews.answered_against_not(shop, cutoff)
    wrote = 0.4 / (0.4 + 0.6 * 2.718281828**-0.9)  # asked with a chance of 0.4, which raises the odds of writing by 0.9

    assert facts["asked"].interval[0] < wrote < facts["asked"].interval[1]
    assert facts["replied"].interval[0] < 0.55 < facts["replied"].interval[1]
    assert facts["given"].interval[0] < 0.15 * wrote < facts["given"].interval[1]
    assert followed.comparison.adjusted.low < 0 < followed.comparison.adjusted.high, "an answer changes nobody here"
    assert followed.facts["return_gap"].interval[0] < 0 < followed.facts["return_gap"].interval[1]


def test_reviews_of_one_source_are_not_drawn_beside_nothing():
    assert reviews.diagnose(reviewed(review("a", "2026-03-01", 2), review("b", "2026-03-02", 5)), CUTOFF).figures == ()


def test_where_the_happy_write_unasked_those_asked_by_lot_tell_worse():
    shop, cutoff, truth = chain("review_selection", customers=1500)
    sources = reviews.diagnose(shop, cutoff).tables["sources"].set_index("group")

    assert sources.loc["unasked", "high"] < sources.loc["asked", "low"]
    rows = reviews._reviews(shop)
    lot = rows.loc[rows["source"].eq("asked"), "rating"].astype(float)
    assert abs(lot.mean() - truth["mean_rating"]) < 3 * lot.std() / len(lot) ** 0.5


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_a_shop_without_survey_flags_or_answers_has_a_page_all_the_same(language):
    rows = frame(
        "reviews",
        {"customer_id": "a", "posted_at": "2026-03-01", "rating": 5},
        {"customer_id": "b", "posted_at": "2026-03-01", "rating": 1},
    )
    found, texts = (
        reviews.diagnose(shop_of(ORDERS, reviews=rows[["review_id", "customer_id", "posted_at", "rating"]]), CUTOFF),
        Texts(language),
    )

    said = texts.say(found.messages[1])
    assert texts.part("reviews.wanted.unknown") in said
    assert "{" not in said
    assert texts.fill(texts.part("reviews.exercise")[0]["solution"], **found.messages[0].args)
