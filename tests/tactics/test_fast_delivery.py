from __future__ import annotations

import pandas as pd
import pytest
from tactic_shops import CUTOFF, chain, forecast_of, frame, purchases, shop_of

from loyalty_lab.tactics import fast_delivery


def parcels(*rows):
    """Deliveries of the orders 0, 1, 2 ...: (promised, delivered) and what else is known of one."""
    return frame(
        "deliveries", *({"order_id": str(at), "promised_at": p, "delivered_at": d, **more} for at, (p, d, more) in enumerate(rows))
    )


def shop_with(*rows, buyers="abcdefgh", ordered="2026-03-01 09:00", **more):
    orders = purchases(**{who: [ordered] for who in buyers[: len(rows)]})
    return shop_of(orders, deliveries=parcels(*rows), cost={"phone": 2.0}, **more)


def reasons(listed):
    return [reason.rsplit(".", 1)[1] for reason in listed["reason"]]


def test_a_promise_with_an_hour_holds_to_that_hour_and_one_without_to_the_end_of_its_day():
    shop = shop_with(
        ("2026-03-03 18:00", "2026-03-03 17:59", {}),
        ("2026-03-03 18:00", "2026-03-03 18:01", {}),
        ("2026-03-03", "2026-03-03 21:00", {}),
        ("2026-03-03", "2026-03-04", {}),
    )

    on_time = fast_delivery.diagnose(shop, CUTOFF).facts["on_time"]

    assert (on_time.value, on_time.n) == (0.5, 4)


def test_what_is_not_there_counts_as_waiting_and_what_was_never_noted_does_not_count():
    shop = shop_with(
        ("2026-03-03", "2026-03-02", {}),
        ("2026-03-03", "2026-03-05", {}),
        ("2026-03-30", None, {}),  # overdue
        ("2026-04-09", None, {}),  # not due yet
        ("2025-12-03", None, {}),  # longer ago than anything is on its way
    )
    shop.orders.loc[4, "ordered_at"] = pd.Timestamp("2025-12-01")
    found = fast_delivery.diagnose(shop, CUTOFF)

    assert (found.facts["due"].value, found.facts["on_time"].value) == (3, pytest.approx(1 / 3))
    assert (found.facts["unknown"].value, found.facts["at_worst"].value) == (1, pytest.approx(1 / 4))
    assert found.tables["days"][["days", "at_risk", "replied"]].values.tolist() == [[1, 4, 1], [4, 3, 1]]
    assert (found.facts["median_days"].value, found.facts["p90_days"].value) == (4, None)
    assert found.messages[1].args["gaps"] == "fast-delivery.gaps.some"


def test_the_fault_is_sought_in_the_shop_only_where_the_parcel_left_when_its_time_was_over():
    late = {"delivered": "2026-03-06 12:00", "promised": "2026-03-03 18:00"}
    shop = shop_with(
        (late["promised"], late["delivered"], {"dispatched_at": "2026-03-04 09:00", "fee": 2.5}),
        (late["promised"], late["delivered"], {"dispatched_at": "2026-03-03 09:00", "fee": 0.0}),
        (late["promised"], "2026-03-03 12:00", {"dispatched_at": "2026-03-03 09:00", "fee": 4.0}),
    )
    facts = fast_delivery.diagnose(shop, CUTOFF).facts

    assert (facts["left_late"].value, facts["left_late"].n) == (0.5, 2)
    assert facts["fees"].value == 2.5


def test_the_overdue_come_first_then_those_lately_late_and_each_customer_once():
    shop = shop_with(
        ("2026-03-20", "2026-03-25", {"fee": 2.5}),  # late, lately
        ("2026-03-29", None, {"fee": 2.5}),
        ("2026-03-10", "2026-03-16", {}),  # late, but longer ago
        ("2026-03-20", "2026-03-19", {}),  # in time
        ("2026-03-26", None, {"fee": 0.0}),
        ("2025-11-26", None, {}),  # never noted
    )
    listed = fast_delivery.act(shop, CUTOFF, forecast_of(a=(0.5, 90.0), b=(0.5, 5.0), e=(0.5, 10.0)))

    assert listed["pseudonym"].tolist() == ["e", "b", "a"]
    assert reasons(listed) == ["overdue", "overdue_paid", "late_paid"]
    assert listed["arguments"].tolist() == [{"days": 5, "fee": 0.0}, {"days": 2, "fee": 2.5}, {"days": 5, "fee": 2.5}]
    assert listed["value_at_stake"].tolist() == [10.0, 5.0, 90.0]


def test_who_had_an_answer_or_a_word_since_is_left_out_unless_it_is_still_not_there():
    late, missing = ("2026-03-20", "2026-03-25", {}), ("2026-03-20", None, {})
    tickets = frame(
        "tickets",
        {"customer_id": "a", "order_id": "0", "opened_at": "2026-03-22", "first_reply_at": "2026-03-23"},
        {"customer_id": "b", "order_id": "1", "opened_at": "2026-03-02", "first_reply_at": "2026-03-03"},
        {"customer_id": "d", "order_id": "3", "opened_at": "2026-03-22", "first_reply_at": "2026-03-23"},
    )
    contacts = frame(
        "contacts",
        {"customer_id": "c", "sent_at": "2026-03-26", "direction": "out", "purpose": "support"},
        {"customer_id": "e", "sent_at": "2026-03-26", "direction": "out", "purpose": "offer"},
    )
    shop = shop_with(late, late, late, missing, late, tickets=tickets, contacts=contacts)

    listed = fast_delivery.act(shop, CUTOFF, forecast_of(a=(0.5, 1.0)))

    assert listed["pseudonym"].tolist() == ["d", "b", "e"]
    assert fast_delivery.diagnose(shop, CUTOFF).facts["owed"].value == 3


def test_an_apology_is_owed_also_to_those_who_want_no_letters():
    people = frame("customers", {"customer_id": "a", "consent_contact": False})
    shop = shop_with(("2026-03-20", "2026-03-25", {}), customers=people)

    assert fast_delivery.act(shop, CUTOFF, forecast_of(a=(0.5, 1.0)))["pseudonym"].tolist() == ["a"]


def test_a_delivery_before_its_order_is_left_out_and_said():
    shop = shop_with(("2026-03-03", "2026-02-27", {}), ("2026-03-03", "2026-03-03", {}))
    found = fast_delivery.diagnose(shop, CUTOFF)

    assert found.facts["due"].value == 1
    assert [m.args["n"] for m in found.messages if m.key == "practice.contradicting"] == [1]


def test_two_late_parcels_do_not_make_a_quiet_street_the_worst():
    late, fine = ("2026-03-03", "2026-03-06", {"method": "van"}), ("2026-03-03", "2026-03-03", {"method": "bike"})
    who = [f"c{at:02d}" for at in range(62)]
    places = ["far"] * 40 + ["near"] * 20 + ["quiet"] * 2
    people = frame("customers", *({"customer_id": one, "region": place} for one, place in zip(who, places, strict=True)))
    rows = [late] * 30 + [fine] * 30 + [late] * 2
    where = fast_delivery.diagnose(shop_with(*rows, buyers=who, customers=people), CUTOFF).tables["where"]

    regions = where[where["by"] == "region"].set_index("group")
    assert regions.index[0] == "far"
    assert regions.loc["quiet", "share"] < 1
    assert pd.isna(regions.loc["quiet", "raw"])
    assert set(where["by"]) == {"region", "method"}


def test_where_nothing_comes_late_the_page_shows_how_long_it_takes():
    shop = shop_with(*[("2026-03-03", "2026-03-01 12:00", {"method": name}) for name in ("van", "bike")])
    found = fast_delivery.diagnose(shop, CUTOFF)

    assert [figure.id for figure in found.figures] == ["days"]
    assert found.figures[0].data["days"][-1] > 0
    assert found.messages[0].key == "fast-delivery.headline.clear"


def test_in_a_large_shop_the_difference_is_of_customers_alike_and_near_the_truth():
    shop, cutoff, truth = chain()
    followed = fast_delivery.late_against_on_time(shop, cutoff)
    late = truth["effects"]["late"]["tau_mean"]
    forecast = pd.DataFrame({"save_value": 10.0}, index=shop.customers["customer_id"])
    worth = fast_delivery.value(shop, cutoff, forecast)

    assert followed.grade == worth.value.grade == "C"
    assert followed.comparison.strongest.name == "region"
    assert followed.comparison.adjusted.low < late < followed.comparison.adjusted.high
    assert abs(-followed.difference - late) < abs(-followed.facts["return_gap"].value - late)
    rows = worth.rows.set_index("key")["value"]
    assert worth.value.high == pytest.approx(followed.most * rows["practice.worth.occasions"] * 10.0)
    assert worth.value.amount is None


def test_the_far_regions_of_the_simulated_shop_are_found():
    shop, cutoff, _ = chain()
    where = fast_delivery.diagnose(shop, cutoff).tables["where"]

    assert set(where["group"].head(2)) == {"Moor End", "Hillside"}


def test_a_parcel_that_arrives_after_the_cutoff_is_still_awaited():
    shop = shop_with(("2026-03-30", "2026-04-02", {}), ("2026-03-30", "2026-03-30", {}))

    listed = fast_delivery.act(shop.until(CUTOFF), CUTOFF, forecast_of(a=(0.5, 1.0)))

    assert reasons(listed) == ["overdue"]
