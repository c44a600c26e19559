from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import acknowledge_by_name

DAYS = ["2026-01-05", "2026-02-05", "2026-03-05"]


def register(**greeted):
    return frame("customers", *({"customer_id": who, "greeted_by_name": named} for who, named in greeted.items()))


def drawn(*units):
    return frame("rollout", *({"unit_id": unit, "tactic": "acknowledge-by-name", "started_at": "2025-01-01"} for unit in units))


def listed_in(shop, **values):
    return acknowledge_by_name.act(shop, CUTOFF, forecast_of(**{who: (0.5, worth) for who, worth in values.items()}))


def test_only_the_third_visit_and_later_ones_count_and_the_web_greets_nobody():
    orders = purchases(a=[*DAYS, "2026-03-20"], b=DAYS, c=DAYS, d=DAYS[:2])
    orders.loc[orders["customer_id"].eq("b"), "channel"] = "web"
    facts = acknowledge_by_name.diagnose(shop_of(orders, customers=register(a=True, b=True, c=False, d=True)), CUTOFF).facts

    assert (facts["by_name"].value, facts["by_name"].n) == (pytest.approx(2 / 3), 3)
    assert (facts["regulars"].value, facts["unnamed"].value) == (2, 1)


def test_a_regular_who_comes_every_day_makes_the_share_no_surer_than_one_customer_does():
    often = [f"2026-03-{day:02d}" for day in range(1, 29)]
    shop = shop_of(purchases(a=often, b=DAYS), customers=register(a=True, b=False))
    fact = acknowledge_by_name.diagnose(shop, CUTOFF).facts["by_name"]

    assert fact.n == 27
    assert fact.interval[0] < 0.25


def test_who_is_not_written_down_counts_neither_way_but_is_still_to_be_learned():
    shop = shop_of(purchases(a=DAYS, b=DAYS), customers=register(a=True, b=None))
    facts = acknowledge_by_name.diagnose(shop, CUTOFF).facts

    assert (facts["by_name"].value, facts["by_name"].n, facts["unnamed"].value) == (1.0, 1, 1)


def test_in_a_shop_where_nobody_noted_it_the_page_says_so():
    found = acknowledge_by_name.diagnose(shop_of(purchases(a=DAYS), customers=register(a=None)), CUTOFF)

    assert [message.key.rsplit(".", 1)[1] for message in found.messages] == ["unknown", "unknown"]


def test_hours_are_compared_only_where_the_till_knows_them():
    by_day = purchases(a=DAYS, b=DAYS)
    by_hour = by_day.assign(ordered_at=by_day["ordered_at"] + pd.Timedelta(hours=10, minutes=59))
    found = [acknowledge_by_name.diagnose(shop_of(orders, customers=register(a=True, b=False)), CUTOFF) for orders in (by_day, by_hour)]

    assert [figure.id for figure in found[0].figures] == []
    assert found[1].tables["hours"]["group"].tolist() == ["morning"]


def test_regulars_nobody_names_are_listed_by_value_with_branch_and_time_of_day():
    orders = purchases(a=DAYS, b=DAYS, c=DAYS, d=DAYS[:2], e=["2025-04-01", "2025-05-01", "2025-06-01"], f=DAYS)
    orders = orders.assign(ordered_at=orders["ordered_at"] + pd.Timedelta(hours=18), branch_id="B1")
    orders.loc[orders["customer_id"].eq("c"), "branch_id"] = "B2"
    people = register(a=False, b=True, c=None, d=False, e=False, f=False)
    people.loc[people["customer_id"].eq("f"), "consent_profile"] = False
    listed = listed_in(shop_of(orders, customers=people), a=5.0, b=9.0, c=20.0, d=9.0, e=9.0, f=9.0)

    assert listed["pseudonym"].tolist() == ["c", "a"]
    assert listed["arguments"].tolist()[0] == {"visits": 3, "when": "acknowledge-by-name.when.evening", "branch": "B2"}
    assert set(listed["channel"]) == {"counter"}


def test_who_refused_or_was_just_contacted_is_not_on_the_list():
    people = register(a=False, b=False, c=False).assign(consent_contact=pd.array([False, True, True], dtype="boolean"))
    sent = frame("contacts", {"customer_id": "b", "sent_at": "2026-03-29", "direction": "out"})
    shop = shop_of(purchases(a=DAYS, b=DAYS, c=DAYS), customers=people, contacts=sent)

    assert listed_in(shop, a=1.0, b=1.0, c=1.0)["pseudonym"].tolist() == ["c"]


def test_without_drawn_weeks_there_is_a_break_even_and_no_effect():
    shop = shop_of(purchases(a=DAYS, b=DAYS), cost={"counter": 0.5}, customers=register(a=False, b=True))
    made = acknowledge_by_name.value(shop, CUTOFF, forecast_of(a=(0.5, 25.0), b=(0.5, 25.0)))

    assert (made.value.grade, made.value.amount) == ("D", None)
    assert made.value.break_even_rate == pytest.approx(0.02)


def test_a_few_drawn_weeks_prove_nothing():
    orders = purchases(**{f"q{at}": [f"2025-07-{day:02d}" for day in (1, 8, 15, 22)] for at in range(9)}).assign(branch_id="B1")
    shop = shop_of(orders, customers=register(q1=True), rollout=drawn("B1 2025-07-01", "B1 2025-07-15"))

    assert acknowledge_by_name.value(shop, CUTOFF, forecast_of(q1=(0.5, 25.0))).value.grade == "D"
    assert acknowledge_by_name.diagnose(shop, CUTOFF).messages[-1].key.startswith("without-lot.case.")


def test_the_share_served_by_name_is_the_true_one_and_that_the_liked_are_named_more_enters_no_value():
    shop, cutoff, truth = chain()
    greeted, facts = truth["effects"]["greeted"], acknowledge_by_name.diagnose(shop, cutoff).facts
    made = acknowledge_by_name.value(shop, cutoff, pd.DataFrame({"save_value": 1.0, "churn_probability": 0.5}, index=["x"]))

    assert facts["by_name"].interval[0] < greeted["n_exposed"] / greeted["n"] < facts["by_name"].interval[1]
    assert facts["return_gap"].value > 3 * greeted["tau_mean"]
    assert (made.value.grade, made.value.amount) == ("D", None)


def test_what_drawn_weeks_truly_do_lies_in_the_interval_and_is_worth_so_much_at_every_visit_without():
    shop, cutoff, truth = chain("carry_over", 2000)
    fact = acknowledge_by_name.diagnose(shop, cutoff).facts["weeks_effect"]
    forecast = pd.DataFrame({"save_value": 10.0, "churn_probability": 0.5}, index=shop.customers["customer_id"])
    made = acknowledge_by_name.value(shop, cutoff, forecast)
    visits = made.rows.set_index("key").loc["acknowledge-by-name.worth.visits", "value"]

    assert fact.interval[0] < truth["effects"]["named"]["tau_mean"] < fact.interval[1]
    assert (made.value.grade, fact.interval[0] > 0) == ("B", True)
    assert made.value.low == pytest.approx(visits * (fact.interval[0] * 10.0 - shop.settings.cost["counter"]))
