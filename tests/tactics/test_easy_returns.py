from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import easy_returns


def back(asked, decision=None, decided=None, refunded=None, amount=4.0, reason=None):
    return {
        "requested_at": asked, "decision": decision, "decided_at": decided, "refunded_at": refunded, "amount": amount, "reason": reason,
    }  # fmt: skip


def shop_with(*rows, buyers="abcdefgh", ordered="2025-09-01", **more):
    """A shop in which each return belongs to the order of the same number, and each order to a customer of its own."""
    orders = purchases(**{who: [ordered] for who in buyers[: len(rows)]})
    return shop_of(
        orders, returns=frame("returns", *({"order_id": str(at), **row} for at, row in enumerate(rows))), cost={"phone": 2.0}, **more
    )


def reasons(listed):
    return [reason.rsplit(".", 1)[1] for reason in listed["reason"]]


def test_a_refusal_that_was_paid_back_after_all_counts_as_accepted_and_what_is_undecided_does_not_count():
    shop = shop_with(
        back("2026-03-01", "refused", "2026-03-02"),
        back("2026-03-01", "refused", "2026-03-02", "2026-03-10"),
        back("2026-03-01", "accepted", "2026-03-02", "2026-03-03"),
        back("2026-03-30", "pending"),
    )
    facts = easy_returns.diagnose(shop, CUTOFF).facts

    assert (facts["refused"].value, facts["refused"].n) == (pytest.approx(1 / 3), 3)
    assert (facts["returns"].value, facts["refused_amount"].value) == (4, 4.0)


def test_money_that_is_still_owed_counts_as_waiting():
    shop = shop_with(
        back("2026-03-01", "accepted", "2026-03-02", "2026-03-05"),
        back("2026-03-01", "accepted", "2026-03-02", "2026-03-11"),
        back("2026-03-24", "accepted", "2026-03-25"),  # seven days so far
        back("2026-03-01", "refused", "2026-03-02"),
    )
    found = easy_returns.diagnose(shop, CUTOFF)

    assert found.tables["days"][["days", "at_risk", "replied"]].values.tolist() == [[4, 3, 1], [10, 1, 1]]
    assert (found.facts["median_days"].value, found.facts["p90_days"].value) == (10, 10)
    assert found.facts["owed"].value == 0


def test_reasons_are_counted_whatever_their_spelling_and_four_fifths_are_found():
    told = ["Damaged", "damaged ", "DAMAGED", "wrong item", "wrong item", "late", "", None]
    found = easy_returns.diagnose(shop_with(*(back("2026-03-01", "refused", reason=word) for word in told)), CUTOFF)

    assert found.tables["why"]["n"].tolist() == [3, 2, 1]
    assert found.tables["why"]["so_far"].tolist() == pytest.approx([3 / 6, 5 / 6, 1.0])
    assert (found.facts["top_reason"].value, found.facts["main_reasons"].value) == (0.5, 2)
    assert found.messages[1].args["top"] == "DAMAGED"


def test_what_is_owed_comes_first_whatever_the_customer_is_worth():
    shop = shop_with(
        back("2026-03-10", "refused", "2026-03-12"),
        back("2026-03-10", "accepted", "2026-03-12"),
        back("2026-03-01", "pending"),
        back("2026-03-05", "accepted", "2026-03-06", "2026-03-25"),
        back("2026-03-20", "accepted", "2026-03-21", "2026-03-23"),  # paid in time
    )
    listed = easy_returns.act(shop, CUTOFF, forecast_of(a=(0.5, 90.0), b=(0.5, 1.0), d=(0.5, 9.0), e=(0.5, 9.0)))

    assert listed["pseudonym"].tolist() == ["b", "c", "a", "d"]
    assert reasons(listed) == ["unpaid", "undecided", "refused", "slow"]
    assert listed["arguments"].tolist()[0] == {"days": 21, "amount": 4.0}


def test_a_second_look_is_taken_only_lately_and_where_keeping_is_worth_more_than_the_refund():
    shop = shop_with(
        back("2026-03-10", "refused", "2026-03-12", amount=10.0),
        back("2026-03-10", "refused", "2026-03-12", amount=10.0),
        back("2026-02-10", "refused", "2026-03-01", amount=10.0),
        back("2026-03-10", "refused", "2026-03-12", amount=None),
    )
    worth = forecast_of(a=(0.5, 10.5), b=(0.5, 9.5), c=(0.5, 90.0), d=(0.5, 0.5))

    assert easy_returns.act(shop, CUTOFF, worth)["pseudonym"].tolist() == ["a", "d"]


def test_a_shop_that_notes_no_payments_is_not_told_that_it_owes_them():
    shop = shop_with(back("2026-03-01", "accepted", "2026-03-02"), back("2026-03-01", "refused", "2026-03-02"))
    found = easy_returns.diagnose(shop, CUTOFF)

    assert easy_returns.act(shop, CUTOFF, forecast_of()).empty
    assert (found.facts["owed"].value, found.facts["median_days"].value) == (0, None)
    assert found.messages[1].args["money"] == "easy-returns.money.unknown"


def test_what_was_neither_refused_nor_paid_for_a_quarter_is_taken_for_a_gap_and_said():
    shop = shop_with(back("2025-10-01", "accepted", "2025-10-02"), back("2026-03-01", "accepted", "2026-03-02", "2026-03-05"))

    assert easy_returns.act(shop, CUTOFF, forecast_of(a=(0.5, 9.0))).empty
    found = easy_returns.diagnose(shop, CUTOFF)
    assert found.facts["unnoted"].value == 1
    assert found.tables["days"]["at_risk"].tolist() == [1]


def test_the_one_in_a_hundred_is_told_only_of_a_hundred_customers():
    who = [f"c{at:03d}" for at in range(120)]
    orders = purchases(**{name: ["2025-09-01"] for name in who})
    once = [{"order_id": str(at), **back("2026-03-01", "refused")} for at in range(120)]
    again = [{"order_id": "7", **back("2026-03-02", "refused")}] * 9
    many, few = (shop_of(orders, returns=frame("returns", *rows)) for rows in (once + again, once[:99] + again))

    facts = easy_returns.diagnose(many, CUTOFF).facts
    assert (facts["most"].value, facts["concentration"].value) == (10, pytest.approx(11 / 129))
    assert easy_returns.diagnose(few, CUTOFF).facts["concentration"].value is None


def test_the_ceiling_is_less_the_refunds_and_money_is_owed_also_to_those_who_want_no_letters():
    rows = [back("2025-11-01", "accepted", "2025-11-02", "2025-11-03")] * 2 + [back("2025-11-01", "refused", "2025-11-02", amount=5.0)] * 2
    orders = purchases(a=["2025-09-01"], b=["2025-09-01"], c=["2025-09-01"], d=["2025-09-01"], e=["2025-12-01"])
    returns = frame(
        "returns", *({"order_id": str(at), **row} for at, row in enumerate(rows)), {"order_id": "4", **back("2026-03-01", "accepted")}
    )
    orders = pd.concat([orders, purchases(a=["2025-12-01"], b=["2025-12-01"]).assign(order_id=["90", "91"])])
    people = frame("customers", {"customer_id": "e", "consent_contact": False})
    shop = shop_of(orders, returns=returns, customers=people)
    forecast = forecast_of(c=(0.5, 30.0), d=(0.5, 50.0), e=(0.5, 1.0))
    worth = easy_returns.value(shop, CUTOFF, forecast)

    assert worth.value.high == pytest.approx(2 * 1.0 * 40.0 - 10.0)
    assert (worth.value.grade, worth.value.amount) == ("D", None)
    assert worth.rows["value"].iloc[-1] == worth.value.high
    assert easy_returns.act(shop, CUTOFF, forecast)["pseudonym"].tolist() == ["e"]


def test_money_back_before_the_decision_is_left_out_and_said():
    shop = shop_with(back("2026-03-01", "accepted", "2026-03-05", "2026-03-02"), back("2026-03-01", "refused", "2026-03-02"))
    found = easy_returns.diagnose(shop, CUTOFF)

    assert found.facts["returns"].value == 1
    assert [m.args["n"] for m in found.messages if m.key == "practice.contradicting"] == [1]


def test_a_decision_after_the_cutoff_is_not_known_yet():
    shop = shop_with(back("2026-03-20", "refused", "2026-04-02")).until(CUTOFF)

    assert easy_returns.diagnose(shop, CUTOFF).facts["refused"].n == 0
    assert reasons(easy_returns.act(shop, CUTOFF, forecast_of(a=(0.5, 1.0)))) == ["undecided"]


def test_in_a_large_shop_the_difference_is_of_customers_alike_and_holds_the_truth():
    shop, cutoff, truth = chain()
    followed = easy_returns.refused_against_accepted(shop, cutoff)

    assert followed.grade == "C"
    assert followed.comparison.adjusted.low < truth["effects"]["refused"]["tau_mean"] < followed.comparison.adjusted.high < 0
    facts = easy_returns.diagnose(shop, cutoff).facts
    assert facts["refused"].interval[0] < truth["parameters"]["refused_share"] < facts["refused"].interval[1]
