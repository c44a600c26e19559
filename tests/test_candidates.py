"""Whom a list names: in which order, by which channel, and who is left out."""

from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, forecast_of, frame, purchases, shop_of

from loyalty_lab import candidates, worth
from loyalty_lab.visits import visits


def people(*names, **columns):
    return pd.DataFrame(columns, index=pd.Index(names, name="customer_id"))


def test_most_at_stake_comes_first_ties_by_code_and_strangers_last():
    ranked = candidates.ranked(people("d", "b", "a", "c"), forecast_of(a=(0.5, 20.0), b=(0.5, 20.0), c=(0.9, 40.0)))

    assert list(ranked.index) == ["c", "a", "b", "d"]
    assert ranked["stake"].tolist() == [36.0, 10.0, 10.0, 0.0]


def test_what_goes_before_the_money_goes_before_it():
    ranked = candidates.ranked(people("a", "b", late=[True, False]), forecast_of(a=(0.5, 90.0), b=(0.5, 20.0)), first=["late"])

    assert list(ranked.index) == ["b", "a"]


def test_by_value_alone_the_chance_to_leave_does_not_matter():
    forecast = forecast_of(a=(0.9, 20.0), b=(0.1, 90.0))

    assert list(candidates.ranked(people("a", "b"), forecast, by="save_value").index) == ["b", "a"]
    assert list(candidates.ranked(people("a", "b"), forecast).index) == ["a", "b"]


def test_who_refused_is_not_willing_and_who_said_how_is_reached_that_way():
    register = frame("customers", {"customer_id": "a", "consent_contact": False}, {"customer_id": "b", "preferred_channel": "mail"})
    shop = shop_of(purchases(a=["2026-03-01"], b=["2026-03-01"], c=["2026-03-01"]), customers=register)
    willing = candidates.willing(shop, CUTOFF, people("a", "b", "c"))

    assert list(willing.index) == ["b", "c"]
    assert candidates.preferred(shop, willing).tolist() == ["mail", "letter"]


@pytest.mark.parametrize(("cost", "rate"), [({"letter": 1.0, "gift": 2.0}, 0.1), ({"letter": 1.0}, 1 / 30), ({"gift": 2.0}, None)])
def test_what_a_contact_costs_is_all_its_items_if_the_first_is_known(cost, rate):
    shop = shop_of(purchases(a=["2026-03-01"]), cost=cost)
    made = worth.of_campaign("thank-and-gift", shop, people("a", save_value=[30.0], stake=[3.0]), cost=("letter", "gift"))

    assert made.value.break_even_rate == (None if rate is None else pytest.approx(rate))
    assert made.value.high == 3.0


def test_visits_count_days_and_know_what_lies_before_and_after():
    orders = purchases(a=[("2026-01-01 10:00", 5.0), ("2026-01-01 17:00", 3.0), ("2026-01-11", 8.0)], b=["2026-02-01"])
    made = visits(shop_of(orders), CUTOFF)

    assert made["visit"].tolist() == [1, 2, 1]
    assert made["spend"].tolist() == [8.0, 8.0, 10.0]
    assert made["margin"].tolist() == pytest.approx([2.4, 2.4, 3.0])
    assert made["until_next"].tolist()[0] == made["since_last"].tolist()[1] == 10
    assert made["spend_before"].tolist() == [0.0, 8.0, 0.0]
    assert made["order_id"].tolist() == ["0", "2", "3"]
