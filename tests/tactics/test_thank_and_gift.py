from __future__ import annotations

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import thank_and_gift

THIS_WEEK = "2026-03-28"


def visits(n, last=THIS_WEEK):
    """So many visits on the first days of the year before, the last of them on the day given."""
    return [f"2025-06-{day:02d}" for day in range(1, n)] + [last]


def thanks(**sent):
    return frame(
        "contacts", *({"customer_id": who, "sent_at": when, "direction": "out", "purpose": "thanks"} for who, when in sent.items())
    )


def worth_of(*names):
    return forecast_of(**{name: (0.5, 10.0 * (at + 1)) for at, name in enumerate(names)})


def test_a_first_a_milestone_and_a_large_purchase_of_this_week_are_thanked_for():
    usual = {f"x{at}": ["2025-12-01"] for at in range(30)}
    orders = purchases(
        a=[THIS_WEEK], b=visits(5), c=[*visits(2, "2026-01-05"), (THIS_WEEK, 500.0)], d=visits(4), e=visits(1, "2026-03-20"), **usual
    )
    listed = thank_and_gift.act(shop_of(orders), CUTOFF, worth_of("a", "b", "c", "d", "e"))

    assert dict(zip(listed["pseudonym"], listed["reason"], strict=True)) == {
        "c": "thank-and-gift.reason.large",
        "b": "thank-and-gift.reason.milestone",
        "a": "thank-and-gift.reason.first",
    }
    assert listed["arguments"].tolist()[0] == {"visit": 3, "spend": 500.0, "template": "T3"}


def test_the_first_purchase_is_the_weightier_reason_of_one_that_is_large_too():
    orders = purchases(a=[(THIS_WEEK, 500.0)], **{f"x{at}": ["2025-12-01"] for at in range(30)})
    listed = thank_and_gift.act(shop_of(orders), CUTOFF, worth_of("a"))

    assert listed["arguments"].tolist() == [{"visit": 1, "spend": 500.0, "template": "T1"}]


def test_in_a_shop_of_few_purchases_none_is_called_large():
    listed = thank_and_gift.act(shop_of(purchases(a=[*visits(2, "2026-01-05"), (THIS_WEEK, 500.0)])), CUTOFF, worth_of("a"))

    assert listed.empty


def test_who_refused_or_was_just_written_to_is_not_thanked_in_writing():
    register = frame("customers", {"customer_id": "a", "consent_contact": False})
    shop = shop_of(purchases(a=[THIS_WEEK], b=[THIS_WEEK], c=[THIS_WEEK]), customers=register, contacts=thanks(b="2026-03-29"))

    assert thank_and_gift.act(shop, CUTOFF, worth_of("a", "b", "c"))["pseudonym"].tolist() == ["c"]


def test_a_thank_you_counts_for_a_purchase_of_the_thirty_days_before_it():
    orders = purchases(a=["2025-12-01"], b=["2025-12-01"], c=["2025-12-01"], d=["2026-03-20"])
    found = thank_and_gift.diagnose(shop_of(orders, contacts=thanks(a="2025-12-11", b="2026-01-20")), CUTOFF)

    assert (found.facts["occasions"].value, found.facts["thanked"].n) == (4, 3)  # the thank-you for the fourth may still come
    assert found.facts["thanked"].value == pytest.approx(1 / 3)
    assert found.facts["days_to_thanks"].value == 10


def test_who_was_back_before_the_letter_could_have_won_them_proves_nothing():
    back_at_once = {f"q{at}": ["2025-11-01", "2025-11-05"] for at in range(5)}
    orders = purchases(a=["2025-11-01", "2025-12-01"], b=["2025-11-01"], **back_at_once)
    followed = thank_and_gift.thanked_against_not(shop_of(orders, contacts=thanks(a="2025-11-06")), CUTOFF)

    assert (followed.facts["return_better"].value, followed.facts["return_better"].n) == (1.0, 1)
    assert (followed.facts["return_worse"].value, followed.facts["return_worse"].n) == (0.0, 1)


def test_without_a_record_of_contacts_the_page_says_so_and_the_list_stands():
    shop = shop_of(purchases(a=[THIS_WEEK]))
    found = thank_and_gift.diagnose(shop, CUTOFF)

    assert [message.key for message in found.messages] == ["thank-and-gift.headline.orders", "thank-and-gift.stand.orders"]
    assert len(thank_and_gift.act(shop, CUTOFF, worth_of("a"))) == 1


def test_it_pays_if_one_in_forty_two_stays():
    shop = shop_of(purchases(a=[THIS_WEEK]), cost={"letter": 1.0, "gift": 1.0})
    made = thank_and_gift.value(shop, CUTOFF, forecast_of(a=(0.5, 84.0)))

    assert made.value.break_even_rate == pytest.approx(1 / 42)
    assert (made.value.amount, made.value.grade) == (None, "D")


def test_what_letters_of_thanks_truly_do_lies_in_the_interval():
    shop, cutoff, truth = chain()
    followed = thank_and_gift.thanked_against_not(shop, cutoff)

    assert followed.comparison.adjusted.low < truth["effects"]["letter"]["tau_mean"] < followed.comparison.adjusted.high
    assert followed.grade == "C"
