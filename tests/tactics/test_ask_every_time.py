from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab import periods, records
from loyalty_lab.language import Texts
from loyalty_lab.tactics import ask_every_time

ORDERS = purchases(a=["2026-01-01"], b=["2026-01-01"], c=["2026-01-01"])


def survey(who, asked, answered=None, csat=None, nps=None, care=None):
    return {"customer_id": who, "asked_at": asked, "answered_at": answered, "csat": csat, "nps": nps, "care": care}


def contact(who, day, purpose="support", direction="out"):
    return {"customer_id": who, "sent_at": day, "purpose": purpose, "direction": direction}


def asked(*surveys, contacts=(), orders=ORDERS):
    return shop_of(
        orders, cost={"phone": 2.0}, surveys=frame("surveys", *surveys), contacts=frame("contacts", contact("z", "2025-01-01"), *contacts)
    )


def listed(shop, **customers):
    return ask_every_time.act(shop, CUTOFF, forecast_of(**customers))


def test_a_low_mark_is_on_the_list_until_the_shop_gets_back_to_the_customer():
    marks = [survey(who, "2026-03-01", "2026-03-02", csat=2) for who in "abc"]
    heard = [contact("a", "2026-03-03"), contact("b", "2026-03-03", "offer"), contact("c", "2026-03-03", direction="in")]
    shop = asked(*marks, contacts=heard)

    assert listed(shop, a=(0.5, 9.0), b=(0.5, 5.0), c=(0.5, 7.0))["pseudonym"].tolist() == ["c", "b"]
    facts = ask_every_time.diagnose(shop, CUTOFF).facts
    assert (facts["open"].value, facts["low"].value, facts["prompt"].value) == (2, 3, pytest.approx(1 / 3))


def test_what_was_said_before_the_answer_is_no_answer():
    shop = asked(survey("a", "2026-03-01", "2026-03-02", csat=1), contacts=[contact("a", "2026-03-01")])
    assert listed(shop, a=(0.5, 9.0))["pseudonym"].tolist() == ["a"]


def test_low_is_one_or_two_of_five_or_up_to_six_of_ten_within_sixty_days():
    shop = asked(
        survey("a", "2026-03-30", "2026-03-31", csat=5, nps=6, care=4), survey("b", "2026-03-30", "2026-03-31", csat=3, nps=7, care=3),
        survey("c", "2026-01-25", "2026-01-30", csat=1), survey("d", "2026-01-25", "2026-01-31", csat=4, care=2), survey("e", "2026-03-30"),
    )  # fmt: skip
    found = listed(shop, a=(0.1, 4.0), d=(0.1, 8.0))
    assert found["pseudonym"].tolist() == ["d", "a"]
    assert found["arguments"].tolist() == [{"mark": 2, "days": 59}, {"mark": 6, "days": 1}]
    assert [reason.rsplit(".", 1)[1] for reason in found["reason"]] == ["care", "recommend"]


def test_who_refused_to_be_contacted_is_owed_the_call_all_the_same():
    people = frame("customers", {"customer_id": "a", "joined_at": "2026-01-01", "consent_contact": False})
    shop = shop_of(ORDERS, customers=people, surveys=frame("surveys", survey("a", "2026-03-01", "2026-03-02", csat=2)))
    assert listed(shop, b=(0.5, 1.0))[["pseudonym", "value_at_stake"]].values.tolist() == [["a", 0.0]]


def test_an_answer_before_its_question_is_left_out_and_counted():
    findings = ask_every_time.diagnose(asked(survey("a", "2026-03-02", "2026-03-01", csat=1), survey("b", "2026-03-02")), CUTOFF)
    assert findings.facts["open"].value == 0
    assert [message.args["n"] for message in findings.messages if message.key == "practice.contradicting"] == [1]


def test_answers_of_those_whose_likes_stay_silent_count_for_more():
    regulars = purchases(**{f"r{n}": ["2025-06-01", "2025-07-01", "2025-08-01", "2025-09-01"] for n in range(300)})
    answers = [survey(f"r{n}", "2026-01-05", "2026-01-06" if n < 240 else None, csat=5 if n < 240 else None) for n in range(300)]
    answers += [survey(f"n{n}", "2026-01-05", "2026-01-06" if n < 60 else None, csat=3 if n < 60 else None) for n in range(300)]
    facts = ask_every_time.diagnose(asked(*answers, orders=regulars), CUTOFF).facts

    assert facts["top_box"].value == pytest.approx(240 / 300)
    assert facts["weighted"].value == pytest.approx(0.5, abs=0.01)
    assert (facts["least"].value, facts["most"].value) == (240 / 600, 540 / 600)


def test_of_the_silent_nothing_is_said_where_only_answers_are_kept():
    findings = ask_every_time.diagnose(asked(*(survey(who, "2026-03-01", None, csat=4) for who in "abc")), CUTOFF)
    assert [findings.facts[name].value for name in ("response", "weighted", "least", "most")] == [None] * 4
    assert findings.messages[1].key == "ask-every-time.stand.unasked"


def test_the_last_week_may_still_answer():
    facts = ask_every_time.diagnose(asked(survey("a", "2026-03-01", "2026-03-02", csat=4), survey("b", "2026-03-28")), CUTOFF).facts
    assert (facts["asked"].value, facts["response"].value, facts["response"].n) == (2, 1.0, 1)


def test_a_bad_month_lies_outside_and_a_steady_year_hardly_ever_does():
    days = pd.Series(pd.date_range("2025-04-01", "2026-03-31", freq="9h"))
    steady = days.index.to_series() % 2 == 0
    assert ask_every_time.by_period(days, steady)[1]["outside"].sum() == 0
    kind, chart = ask_every_time.by_period(days, steady & ((days.dt.month != 2) | (days.dt.day % 5 == 0)))
    assert (kind, chart["outside"].sum()) == ("week", 2)

    draw = np.random.default_rng(1)
    alarms = [ask_every_time.by_period(days, pd.Series(draw.random(len(days)) < 0.9))[1]["outside"].any() for _ in range(60)]
    assert np.mean(alarms) <= 0.10


@pytest.mark.parametrize(("every", "kind"), [("8h", "week"), ("36h", "month"), ("96h", "quarter")])
def test_fewer_answers_are_followed_over_longer_times(every, kind):
    days = pd.Series(pd.date_range("2025-04-01", "2026-03-31", freq=every))
    found, chart = ask_every_time.by_period(days, days.dt.day % 2 == 0)
    assert found == kind
    assert chart["n"].min() >= 5
    assert chart["start"].is_monotonic_decreasing


def test_in_a_chain_whose_content_customers_answer_more_weighting_goes_the_right_way_but_not_all_of_it():
    shop, cutoff, truth = chain()
    surveys = ask_every_time._asked(shop)
    told = surveys.loc[surveys["answered"], "csat"].astype(float).mean()
    facts = ask_every_time.diagnose(shop, cutoff).facts

    assert told > truth["mean_csat"]
    assert facts["least"].value < facts["weighted"].value < facts["top_box"].value < facts["most"].value
    assert facts["outside"].value == 0, "nothing about the marks changes within a year"


def test_the_ceiling_is_of_low_marks_and_no_amount():
    shop, cutoff, _ = chain()
    forecast = pd.DataFrame({"save_value": 10.0}, index=shop.customers["customer_id"])
    worth, followed = ask_every_time.value(shop, cutoff, forecast), ask_every_time.low_against_others(shop, cutoff)
    year = periods.year_to(cutoff)
    surveys = records.of(shop, "surveys")
    low = (surveys["csat"].le(2) | surveys["care"].le(2) | surveys["nps"].le(6)).fillna(False)

    assert worth.value.amount is None
    assert worth.value.high == pytest.approx((low & periods.within(surveys["asked_at"], year)).sum() * followed.most * 10.0)
    assert worth.value.break_even_rate == pytest.approx(0.2)
    assert worth.value.assumptions[0] == "ask-every-time.assumption.answered_only"


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_a_week_outside_what_chance_explains_is_named(language):
    days = pd.date_range("2025-04-01", "2026-03-31", freq="8h")
    bad = (days >= "2026-02-02") & (days < "2026-02-09")
    marks = [survey("a", day, day, csat=3 if out or n % 2 else 5) for n, (day, out) in enumerate(zip(days, bad, strict=True))]
    findings = ask_every_time.diagnose(asked(*marks, survey("b", "2026-01-01")), CUTOFF)
    texts = Texts(language)

    assert findings.facts["outside"].value == 1
    assert texts.day(date(2026, 2, 2)) in texts.say(findings.messages[1])


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
@pytest.mark.parametrize(
    ("mark", "contacts", "said"), [(1, None, "unknown"), (5, None, "nobody"), (5, "kept", "nobody"), (1, "kept", "known")]
)
def test_what_is_not_asked_or_written_down_is_said_in_words_and_not_as_a_dash(language, mark, contacts, said):
    marks = [survey("a", "2026-03-01", "2026-03-02", csat=mark)]
    shop = asked(*marks) if contacts else shop_of(ORDERS, surveys=frame("surveys", *marks))
    stand, texts = ask_every_time.diagnose(shop, CUTOFF).messages[1], Texts(language)

    assert stand.args["heard_said"] == f"ask-every-time.heard.{said}"
    assert texts.say("ask-every-time.recommend.unknown") in texts.say(stand)
    assert texts.say(f"ask-every-time.heard.{said}", **stand.args) in texts.say(stand)
