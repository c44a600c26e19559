from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from sample_results import nothing_unsaid

from loyalty_lab.candidates import COLUMNS
from loyalty_lab.language import Texts
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import demo_run
from loyalty_lab.tactics import follow_up_letters

CUTOFF = date(2026, 3, 31)


@pytest.fixture(scope="module")
def run():
    return demo_run()


def purchases(**days):
    rows = [(name, pd.Timestamp(day)) for name, each in days.items() for day in each]
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at"])
    return frame.assign(order_id=[str(n) for n in range(len(frame))], net_amount=10.0)


def shop_of(orders, cost=None, **tables):
    settings = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London", cost=cost or {})
    return Shop(settings, {"orders": orders, **tables})


def forecast_of(**customers):
    return pd.DataFrame.from_dict(customers, orient="index", columns=["churn_probability", "save_value"]).rename_axis("customer_id")


LATE = ["2026-01-01", "2026-01-11"]  # rhythm 10 days, away 79
IN_TIME = ["2026-03-11", "2026-03-21"]  # rhythm 10 days, away 10


def letters(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "sent_at", "direction", "template_id", "outcome"])
    return frame.assign(sent_at=pd.to_datetime(frame["sent_at"]), contact_id=[str(n) for n in range(len(frame))])


def test_only_those_away_for_more_than_one_and_a_half_rhythms_are_written_to():
    listed = follow_up_letters.act(shop_of(purchases(a=LATE, b=IN_TIME)), CUTOFF, forecast_of(a=(0.5, 40.0), b=(0.5, 40.0)))
    assert listed["pseudonym"].tolist() == ["a"]
    assert listed["value_at_stake"].tolist() == [20.0]
    assert listed["arguments"].tolist() == [{"days": 79, "rhythm": 10, "template": "A"}]
    assert listed["channel"].tolist() == ["letter"]


def test_most_at_stake_comes_first_and_those_long_gone_last():
    orders, scores = purchases(a=LATE, b=LATE, c=LATE), forecast_of(a=(0.5, 10.0), b=(0.5, 30.0), c=(0.99, 500.0))
    listed = follow_up_letters.act(shop_of(orders), CUTOFF, scores)
    assert listed[["pseudonym", "rank"]].values.tolist() == [["b", 1], ["a", 2], ["c", 3]]


def test_who_refused_opted_out_or_was_just_written_to_is_left_out():
    customers = pd.DataFrame({"customer_id": list("abcde"), "consent_contact": pd.array([False, None, True, True, True], dtype="boolean")})
    customers["preferred_channel"] = [None, "mail", None, None, None]
    written = [("c", "2026-03-20", "out", "A", "none"), ("d", "2025-06-01", "out", "A", "opt_out")]
    contacts = letters(*written, ("e", "2026-03-20", "in", None, None))
    orders = purchases(a=LATE, b=LATE, c=LATE, d=LATE, e=LATE)
    scores = forecast_of(**dict.fromkeys("abcde", (0.5, 10.0)))
    listed = follow_up_letters.act(shop_of(orders, customers=customers, contacts=contacts), CUTOFF, scores)
    assert listed["pseudonym"].tolist() == ["b", "e"]
    assert listed["channel"].tolist() == ["mail", "letter"]


def test_the_next_letter_is_one_the_customer_has_not_had():
    contacts = letters(("a", "2025-06-01", "out", "A", "none"), ("a", "2025-08-01", "out", "C", "none"))
    listed = follow_up_letters.act(shop_of(purchases(a=LATE), contacts=contacts), CUTOFF, forecast_of(a=(0.5, 10.0)))
    assert listed["arguments"].iloc[0]["template"] not in {"A", "C"}
    assert follow_up_letters.next_template(list("ABCDEF")) == "A"


def test_break_even_is_the_cost_of_a_letter_over_what_keeping_one_is_worth():
    shop = shop_of(purchases(a=LATE, b=LATE), cost={"letter": 1.5})
    worth = follow_up_letters.value(shop, CUTOFF, forecast_of(a=(0.5, 20.0), b=(0.25, 40.0)))
    assert worth.value.break_even_rate == pytest.approx(0.05)
    assert worth.value.high == pytest.approx(20.0)
    assert (worth.value.amount, worth.value.grade) == (None, "D")
    assert worth.rows["value"].iloc[-1] == pytest.approx(20.0)


def test_without_a_cost_there_is_no_break_even():
    worth = follow_up_letters.value(shop_of(purchases(a=LATE)), CUTOFF, forecast_of(a=(0.5, 20.0)))
    assert worth.value.break_even_rate is None


def test_letters_are_counted_by_hand():
    contacts = letters(
        ("a", "2026-01-05", "out", "A", "reply"),
        ("a", "2026-02-01", "out", "A", "none"),
        ("b", "2026-02-01", "out", "B", "visit"),
        ("b", "2026-02-02", "in", None, None),
        ("b", "2026-03-30", "out", "C", "none"),
    )
    found = follow_up_letters.diagnose(shop_of(purchases(a=LATE, b=IN_TIME, c=IN_TIME), contacts=contacts), CUTOFF)
    facts = found.facts
    assert (facts["overdue"].value, facts["customers"].value) == (1, 3)
    assert facts["coverage"].value == pytest.approx(2 / 3)
    assert facts["same_twice"].value == 0.5
    assert (facts["reply_rate"].value, facts["reply_rate"].n) == (pytest.approx(2 / 3), 3)  # the letter of 30 March had no time
    assert found.tables["templates"]["template"].tolist() == ["A", "B"]
    assert found.figures[0].data["values"] == [0.5, 1.0]
    assert found.figures[0].data["labels"][0] == {"key": "follow-up-letters.template", "args": {"template": "A"}}


@pytest.mark.parametrize("orders", [purchases(a=["2026-01-01"]), purchases(a=["2026-01-01"], b=["2025-01-01"]), purchases(a=IN_TIME)])
def test_small_shops_get_an_empty_list_and_a_page(orders):
    shop, scores = shop_of(orders), forecast_of(a=(0.5, 10.0), b=(0.5, 10.0))
    listed, worth = follow_up_letters.act(shop, CUTOFF, scores), follow_up_letters.value(shop, CUTOFF, scores)
    assert listed.empty
    assert tuple(listed.columns) == COLUMNS
    assert (worth.value.high, worth.value.break_even_rate) == (0.0, None)
    assert len(follow_up_letters.diagnose(shop, CUTOFF).messages) == 2


def test_every_sentence_about_the_demo_can_be_said(run):
    study = run.study("follow-up-letters")
    found = study.findings
    assert nothing_unsaid(study)
    assert [figure.id for figure in found.figures] == ["replies"]
    assert study.candidates["rank"].tolist() == list(range(1, len(study.candidates) + 1))
    assert study.result().status == "ready"


def test_two_purchases_on_following_days_are_no_rhythm():
    orders = purchases(a=["2026-01-01", "2026-01-02"], b=["2025-12-01", "2026-01-01", "2026-02-01"], c=["2026-01-15"])
    listed = follow_up_letters.act(shop_of(orders), CUTOFF, forecast_of(a=(0.5, 30.0), b=(0.5, 20.0), c=(0.5, 10.0)))

    assert [reason.rpartition(".")[2] for reason in listed["reason"]] == ["twice", "away", "once"]
    assert [told["rhythm"] for told in listed["arguments"]] == [16, 31, 16]
    assert "others come every 16 days" in Texts("en").say(listed["reason"].iloc[0], **listed["arguments"].iloc[0])


def test_who_comes_daily_comes_every_day():
    orders = purchases(a=["2026-01-01", "2026-01-02", "2026-01-03"])
    row = follow_up_letters.act(shop_of(orders), CUTOFF, forecast_of(a=(0.5, 30.0))).iloc[0]

    assert "usually comes every day." in Texts("en").say(row["reason"], **row["arguments"])


@pytest.mark.parametrize(("language", "blame"), [("en", "keeps no record"), ("tr", "tutmuyor"), ("bn", "রাখা হয় না"), ("hy", "չի գրանցում")])
def test_a_shop_without_letters_among_its_exports_is_not_told_that_it_keeps_no_record(language, blame):
    found = follow_up_letters.diagnose(shop_of(purchases(a=LATE)), CUTOFF)

    assert found.messages[1].key == "follow-up-letters.stand.orders"
    assert blame not in Texts(language).say(found.messages[1])
