from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab import suggestions
from loyalty_lab.language import Texts
from loyalty_lab.tactics import personalise


def baskets(**days):
    """A shop's orders and lines by customer: {day: kinds of goods bought on it}."""
    orders = purchases(**{who: list(each) for who, each in days.items()})
    rows = [
        {"order_id": order.order_id, "line": at, "category": kind, "quantity": 1, "net_amount": 5.0}
        for order in orders.itertuples()
        for at, kind in enumerate(days[order.customer_id][str(order.ordered_at.date())].split(), 1)
    ]
    return {"orders": orders, "order_lines": frame("order_lines", *rows)}


def agreed(*customers, **others):
    told = {"consent_profile": True, "consent_contact": True}
    return frame("customers", *(told | {"customer_id": who} | others.get(who, {}) for who in customers))


def listed_in(shop, **values):
    return personalise.act(shop, CUTOFF, forecast_of(**{who: (0.5, worth) for who, worth in values.items()}))


def tastes(n):
    """So many customers who each love one kind, like a second, and buy both again after ninety days."""
    days = ("2025-09-01", "2025-10-01", "2025-11-01", "2026-02-15")
    return baskets(**{f"q{at}": dict.fromkeys(days, f"a{at} b{at}") | {"2025-12-01": f"a{at}"} for at in range(n)})


def test_the_second_kind_is_suggested_and_what_goes_with_the_last_where_there_is_none():
    regular = {"2026-01-01": "bread tea", "2026-02-01": "bread tea", "2026-03-01": "bread"}
    plain = {"2026-01-01": "bread", "2026-02-01": "bread", "2026-03-01": "cheese"}
    others = {"2026-01-01": "cheese wheat", "2026-02-01": "cheese wheat"}
    with_bread = {"2026-01-01": "cheese bread", "2026-02-01": "cheese bread"}
    made = baskets(a=regular, b=plain, c=others, d=with_bread, e=with_bread)
    shop = shop_of(**made, customers=agreed("a", "b", "c"))
    listed = listed_in(shop, a=5.0, b=9.0, c=20.0)

    assert listed["pseudonym"].tolist() == ["b", "a"]  # two visits tell too little of c; b buys bread anyway
    assert [reason.rsplit(".", 1)[1] for reason in listed["reason"]] == ["goes", "own"]
    assert listed["arguments"].tolist() == [{"category": "wheat", "last": "cheese"}, {"category": "tea", "times": 2, "visits": 3}]


def test_nobody_is_told_what_a_kind_of_goods_says_about_health_drink_or_a_baby():
    bought = dict.fromkeys(("2026-01-01", "2026-02-01", "2026-03-01"), "bread Baby-food Wine İlaç মদ tea")
    listed = listed_in(shop_of(**baskets(a=bought), customers=agreed("a")), a=5.0)

    assert listed["arguments"].tolist()[0]["category"] in ("bread", "tea")
    assert [suggestions._is_sensitive(kind) for kind in ("Baby-food", "Wine", "İlaç", "মদ", "vinegar", "tea")] == [True] * 4 + [False] * 2


def test_only_who_agreed_to_notes_and_may_be_contacted_is_on_the_list():
    bought = dict.fromkeys(("2026-01-01", "2026-02-01", "2026-03-01"), "bread tea")
    long_ago = dict.fromkeys(("2025-01-01", "2025-02-01", "2025-03-01"), "bread tea")
    register = agreed("a", "b", "c", "d", "e", b={"consent_profile": False}, c={"consent_profile": None}, d={"consent_contact": False})
    shop = shop_of(**baskets(a=bought, b=bought, c=bought, d=bought, e=long_ago), customers=register)

    assert listed_in(shop, a=1.0, b=1.0, c=1.0, d=1.0, e=1.0)["pseudonym"].tolist() == ["a"]
    assert personalise.diagnose(shop, CUTOFF).facts["may"].value == 1


def test_each_is_written_to_as_they_wish():
    bought = dict.fromkeys(("2026-01-01", "2026-02-01", "2026-03-01"), "bread tea")
    shop = shop_of(**baskets(a=bought, b=bought), customers=agreed("a", "b", b={"preferred_channel": "phone"}))

    assert listed_in(shop, a=2.0, b=1.0)["channel"].tolist() == ["letter", "phone"]


def test_where_people_have_tastes_of_their_own_suggestions_beat_the_favourite():
    found = personalise.diagnose(shop_of(**tastes(12)), CUTOFF)

    assert (found.facts["suggested_hit"].value, found.facts["suggested_hit"].n) == (1.0, 12)
    assert found.facts["popular_hit"].value < 0.2
    assert found.messages[0].key == "personalise.headline.better"


def test_a_suggestion_is_made_from_what_was_bought_ninety_days_ago_and_nothing_later():
    shop = tastes(6)
    later = shop["order_lines"]["order_id"].isin(shop["orders"].loc[shop["orders"]["ordered_at"] > "2026-01-01", "order_id"])
    shop["order_lines"].loc[later, "category"] = "soap"

    assert personalise.diagnose(shop_of(**shop), CUTOFF).facts["suggested_hit"].value == 0.0


def test_explained_again_and_the_way_that_was_wished_for_are_counted_where_they_are_known():
    tickets = frame(
        "tickets",
        *({"customer_id": "a", "opened_at": "2026-03-01", "transfers": n, "repeat_explained": again}
          for n, again in ((1, True), (1, False), (0, False), (0, None))),
        {"customer_id": "a", "opened_at": "2026-03-02", "first_reply_at": "2026-03-01", "transfers": 1, "repeat_explained": True},
    )  # fmt: skip
    sent = frame("contacts", *({"customer_id": who, "sent_at": "2026-03-01", "direction": "out", "channel": how}
                               for who, how in (("a", "letter"), ("a", "mail"), ("b", "mail"))))  # fmt: skip
    register = agreed("a", "b", a={"preferred_channel": "letter", "preferred_language": "bn"})
    shop = shop_of(purchases(a=["2026-03-01"]), tickets=tickets, contacts=sent, customers=register)
    found = personalise.diagnose(shop, CUTOFF)

    shares = {name: (found.facts[name].value, found.facts[name].n) for name in ("explained_again", "explained_handed", "by_wish")}
    assert shares == {"explained_again": (pytest.approx(1 / 3), 3), "explained_handed": (0.5, 2), "by_wish": (0.5, 2)}
    assert found.facts["other_language"].value == 1.0
    assert [message.args["n"] for message in found.messages if message.key == "practice.contradicting"] == [1]


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_what_is_not_written_down_is_said_in_words_and_not_as_a_dash(language):
    stand = personalise.diagnose(shop_of(purchases(a=["2026-03-01"])), CUTOFF).messages[1]
    said = Texts(language).say(stand)

    assert "–" not in said
    assert Texts(language).say("personalise.again.unknown") in said
    assert Texts(language).say("personalise.wish.unknown") in said


def test_a_newcomer_who_was_back_before_the_thirtieth_day_tells_nothing_of_the_word_from_the_shop():
    orders = purchases(a=["2025-09-01", "2025-11-01"], b=["2025-09-01"], c=["2025-09-01", "2025-09-05"], d=["2025-09-01"])
    sent = frame("contacts", *({"customer_id": who, "sent_at": when, "direction": "out", "purpose": "thanks"}
                               for who, when in (("a", "2025-09-20"), ("c", "2025-09-20"), ("d", "2025-10-20"))))  # fmt: skip
    facts = personalise.met_against_not(shop_of(orders, contacts=sent), CUTOFF).facts

    assert (facts["return_better"].value, facts["return_better"].n) == (1.0, 1)
    assert (facts["return_worse"].value, facts["return_worse"].n) == (0.0, 2)


def test_in_a_shop_without_tastes_no_suggestion_is_called_better_than_the_favourite():
    shop, cutoff, truth = chain()
    found = personalise.diagnose(shop, cutoff)
    gap = found.facts["hit_gap"]

    assert gap.n > 500
    assert gap.interval[1] < 0.02
    assert found.messages[0].key == "personalise.headline.worse"
    said = next(message for message in found.messages if message.key.startswith("without-lot.C."))
    assert said.args["low"] < truth["effects"]["letter"]["tau_mean"] < said.args["high"]


def test_a_letter_pays_if_one_in_forty_two_stays():
    bought = dict.fromkeys(("2026-01-01", "2026-02-01", "2026-03-01"), "bread tea")
    shop = shop_of(**baskets(a=bought), customers=agreed("a"), cost={"letter": 2.0})
    made = personalise.value(shop, CUTOFF, forecast_of(a=(0.5, 84.0)))

    assert made.value.break_even_rate == pytest.approx(1 / 42)
    assert (made.value.amount, made.value.grade) == (None, "D")
