from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from sample_results import nothing_unsaid
from tactic_shops import chain

from loyalty_lab.candidates import COLUMNS
from loyalty_lab.language import Texts
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import demo_run
from loyalty_lab.tactics import answer_fast

CUTOFF = date(2026, 3, 31)
MOMENTS = ("opened_at", "first_reply_at", "resolved_at", "promised_by")


@pytest.fixture(scope="module")
def run():
    return demo_run()


def tickets_of(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", *MOMENTS])
    return frame.assign(
        ticket_id=[f"T{n}" for n in range(len(frame))], **{name: pd.to_datetime(frame[name], format="ISO8601") for name in MOMENTS}
    )


def shop_of(tickets, orders=(("a", "2026-03-01"),), cost=None):
    frame = pd.DataFrame(list(orders), columns=["customer_id", "ordered_at"])
    frame = frame.assign(ordered_at=pd.to_datetime(frame["ordered_at"]), order_id=[str(n) for n in range(len(frame))], net_amount=10.0)
    settings = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London", cost=cost or {})
    return Shop(settings, {"orders": frame, "tickets": tickets})


def forecast_of(**customers):
    return pd.DataFrame({"save_value": customers, "churn_probability": 0.5}).rename_axis("customer_id")


def test_a_question_without_a_reply_counts_as_waiting_and_not_as_answered():
    tickets = tickets_of(
        ("a", "2026-03-01", "2026-03-02", "2026-03-02", None),
        ("b", "2026-03-31", None, None, None),
        ("c", "2026-03-01", "2026-03-04", "2026-03-04", None),
    )
    found = answer_fast.diagnose(shop_of(tickets), CUTOFF)
    curve = found.tables["waiting"]
    assert curve["days"].tolist() == [1.0, 3.0]
    assert curve["at_risk"].tolist() == [3, 1]
    assert curve["share"].tolist() == pytest.approx([1 / 3, 1.0])
    assert found.facts["median_wait"].value == 3.0
    assert found.facts["open"].value == 1


def test_a_promise_is_kept_when_settled_by_the_time_and_broken_when_the_time_has_passed():
    tickets = tickets_of(
        ("a", "2026-03-01", "2026-03-01", "2026-03-02", "2026-03-03"),
        ("b", "2026-03-01", "2026-03-01", "2026-03-05", "2026-03-03"),
        ("c", "2026-03-01", "2026-03-01", None, "2026-03-10"),
        ("d", "2026-03-30", "2026-03-30", None, "2026-04-10"),
    )
    facts = answer_fast.diagnose(shop_of(tickets), CUTOFF).facts
    assert (facts["promises_kept"].value, facts["promises_kept"].n) == (pytest.approx(1 / 3), 3)
    assert (facts["open"].value, facts["overdue"].value) == (2, 1)


def test_who_came_back_is_counted_only_where_ninety_days_have_passed():
    tickets = tickets_of(
        ("a", "2025-11-01", "2025-11-01 12:00", "2025-11-01", None),
        ("b", "2025-11-01", "2025-11-09", "2025-11-09", None),
        ("c", "2026-03-01", "2026-03-09", "2026-03-09", None),
    )
    orders = [("a", "2025-12-01"), ("b", "2026-03-01"), ("c", "2026-03-10")]
    facts = answer_fast.diagnose(shop_of(tickets, orders), CUTOFF).facts
    assert (facts["return_better"].value, facts["return_better"].n) == (1.0, 1)
    assert (facts["return_worse"].value, facts["return_worse"].n) == (0.0, 1)
    low, high, _ = facts["return_gap"].interval
    assert facts["return_gap"].value == 1.0
    assert -1.0 <= low < 1.0 <= high + 1e-9


def test_the_ceiling_is_slow_questions_times_difference_times_value():
    tickets = tickets_of(
        ("a", "2025-11-01", "2025-11-01 12:00", "2025-11-01", None),
        ("b", "2025-11-01", "2025-11-09", "2025-11-09", None),
        ("c", "2026-03-01", "2026-03-09", "2026-03-09", None),
    )
    shop = shop_of(tickets, [("a", "2025-12-01")], cost={"phone": 3.0})
    worth = answer_fast.value(shop, CUTOFF, forecast_of(a=500.0, b=20.0, c=40.0))
    assert worth.value.high == pytest.approx(2 * 1.0 * 30.0)
    assert worth.value.break_even_rate == pytest.approx(0.1)
    assert (worth.value.amount, worth.value.grade) == (None, "D")
    assert worth.rows["value"].iloc[-1] == pytest.approx(60.0)


def test_slow_replies_after_which_more_came_back_are_worth_no_more_than_the_range_allows():
    tickets = tickets_of(("a", "2025-11-01", "2025-11-01", "2025-11-01", None), ("b", "2025-11-01", "2025-11-09", "2025-11-09", None))
    worth = answer_fast.value(shop_of(tickets, [("b", "2025-12-01")]), CUTOFF, forecast_of(a=1.0, b=1.0))
    assert worth.rows.set_index("key").loc["practice.worth.difference", "value"] == -1.0
    assert 0.0 <= worth.value.high < 0.2
    assert worth.value.break_even_rate is None


def test_the_open_come_first_then_apologies_and_each_customer_once():
    tickets = tickets_of(
        ("a", "2026-03-01", "2026-03-20", "2026-03-20", None),  # slow, lately
        ("b", "2026-03-28", None, None, None),
        ("c", "2026-03-20", "2026-03-20", None, "2026-03-25"),
        ("c", "2026-03-10", "2026-03-20", "2026-03-20", None),
        ("d", "2026-03-20", "2026-03-20", "2026-03-20", None),  # answered at once
        ("e", "2025-12-01", "2025-12-20", "2025-12-20", None),  # slow, long ago
    )
    listed = answer_fast.act(shop_of(tickets), CUTOFF, forecast_of(a=90.0, b=5.0, c=10.0, d=1.0, e=1.0))
    assert listed["pseudonym"].tolist() == ["c", "b", "a"]
    assert [reason.rsplit(".", 1)[1] for reason in listed["reason"]] == ["overdue", "unanswered", "apology"]
    assert listed["arguments"].tolist()[0]["late"] == 7
    assert listed["rank"].tolist() == [1, 2, 3]


def test_a_customer_the_forecast_does_not_know_is_owed_the_answer_all_the_same():
    listed = answer_fast.act(shop_of(tickets_of(("x", "2026-03-28", None, None, None))), CUTOFF, forecast_of(a=1.0))
    assert listed[["pseudonym", "value_at_stake"]].values.tolist() == [["x", 0.0]]


@pytest.mark.parametrize("tickets", [None, tickets_of(), tickets_of(("a", "2026-03-01", "2026-03-01", "2026-03-01", None))])
def test_shops_with_nothing_open_get_an_empty_list_and_a_page(tickets):
    shop, scores = shop_of(tickets), forecast_of(a=1.0)
    listed = answer_fast.act(shop, CUTOFF, scores)
    assert listed.empty
    assert tuple(listed.columns) == COLUMNS
    assert answer_fast.value(shop, CUTOFF, scores).value.high is None
    found = answer_fast.diagnose(shop, CUTOFF)
    assert all(Texts("en").say(message) for message in found.messages)
    assert all(figure.data["days"][-1] > 0 for figure in found.figures)


def test_only_the_columns_that_are_needed_are_enough():
    tickets = tickets_of(("a", "2026-03-01", "2026-03-05", None, None), ("b", "2026-03-20", None, None, None))
    shop = shop_of(tickets.drop(columns=["resolved_at", "promised_by"]))
    listed = answer_fast.act(shop, CUTOFF, forecast_of(a=1.0, b=1.0))
    assert listed["pseudonym"].tolist() == ["b", "a"]
    assert answer_fast.diagnose(shop, CUTOFF).facts["promises_kept"].value is None


def test_every_sentence_about_the_demo_can_be_said(run):
    study = run.study("answer-fast")
    found = study.findings
    assert nothing_unsaid(study)
    assert [figure.id for figure in found.figures] == ["waiting"]
    assert study.candidates["pseudonym"].is_unique
    assert study.result().status == "ready"


def test_in_a_large_shop_the_ceiling_is_of_customers_alike_before_they_asked():
    shop, cutoff, truth = chain()
    forecast = pd.DataFrame({"save_value": 10.0}, index=shop.customers["customer_id"])
    followed = answer_fast.slow_against_fast(shop, cutoff)

    worth = answer_fast.value(shop, cutoff, forecast)

    assert followed.grade == worth.value.grade == "C"
    assert followed.comparison.adjusted.low < truth["effects"]["slow"]["tau_mean"] < followed.comparison.adjusted.high
    assert 0 < followed.difference < followed.facts["return_gap"].value
    assert worth.value.amount is None
    slow = worth.rows.set_index("key").loc["practice.worth.occasions", "value"]
    assert worth.value.high == pytest.approx(followed.most * slow * 10.0)
    assert "practice.assumption.adjusted" in worth.value.assumptions


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_the_adjusted_difference_is_said_with_what_would_explain_it_away(language):
    shop, cutoff, _ = chain()
    said = [message for message in answer_fast.diagnose(shop, cutoff).messages if message.key.startswith("without-lot.C.")]

    text = Texts(language).say(said[0])
    assert len(said) == 1
    assert not {"{", "}"} & set(text)
    assert len(text) > 200
