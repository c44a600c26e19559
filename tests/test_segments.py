"""Groups of customers on purchases small enough to sort by hand, and what must hold for any."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom
from statsmodels.stats.multitest import multipletests

from loyalty_lab import demo, segments
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.features import customer_features
from loyalty_lab.proportions import wilson
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2026, 3, 31)
H = 30
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")
ANY_SHOP = settings(
    deadline=None, max_examples=25, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FEW_SHOPS = settings(ANY_SHOP, max_examples=10)
MOMENTS = st.datetimes(datetime(2025, 6, 1), datetime(2026, 6, 30))
ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), MOMENTS, st.sampled_from([-5.0, 5.0, 5.0, 10.0, 25.5])), min_size=1, max_size=30)
NAMES = st.text("abcdefgh", min_size=1, max_size=2)
STAGE = st.sampled_from(segments.STAGES)
PEOPLE = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.sampled_from([0.0, 1.0, 2.5, 40.0, 1000.0])), max_size=30)


def orders_of(rows) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at", "net_amount"])
    return frame.astype({"ordered_at": "datetime64[us]", "net_amount": "float64"})


def forecast_of(rows) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["churn_probability", "expected_orders", "expected_spend"], dtype="float64")
    return table.set_axis([f"c{i}" for i in range(len(table))])


def shop_of(n: int = 100, **columns) -> Shop:
    """One order for each of n customers on one day; the first fifth spend ten times as much as the others."""
    numbers = [f"{i:03d}" for i in range(n)]
    orders = pd.DataFrame({"order_id": numbers, "customer_id": numbers, "ordered_at": pd.Timestamp("2026-03-01 10:00")})
    amount = np.where(np.arange(n) < n // 5, 100.0, 10.0) + np.arange(n) / 1000
    return Shop(SETTINGS, {"orders": orders.assign(net_amount=amount, **columns)})


def attribute(table: pd.DataFrame, name: str) -> pd.DataFrame:
    return table[table["attribute"] == name].set_index("level")


@pytest.fixture(scope="module")
def grocer() -> Shop:
    return demo.make().shop()


def test_the_scores_of_five_customers_are_the_hand_worked_ones():
    rows = [("a", "2026-03-31", 1), ("b", "2026-03-01", 50), ("b", "2026-03-30", 50), ("c", "2026-03-30", 5), ("c", "2026-03-30", 4)]
    table = segments.rfm(orders_of([*rows, ("d", "2026-01-01", 9), ("e", "2025-01-01", 9), ("e", "2026-04-01", 900)]), CUTOFF)

    assert table.index.tolist() == list("abcde")
    assert table[["days_since_last", "purchase_days", "spend"]].values.tolist() == [
        [0, 1, 1],
        [1, 2, 100],
        [1, 1, 9],
        [89, 1, 9],
        [454, 1, 9],
    ]
    # b and c share the places 2 and 3 from the top; four of five bought once; three of five spent 9.
    assert table["recency_score"].tolist() == [5, 4, 4, 2, 1]
    assert table["frequency_score"].tolist() == [3, 5, 3, 3, 3]
    assert table["monetary_score"].tolist() == [1, 5, 3, 3, 3]
    assert table["segment"].tolist() == ["occasional", "champions", "occasional", "asleep", "asleep"]


@FEW_SHOPS
@given(rows=ROWS, seed=st.integers(0, 9))
def test_a_score_is_the_fifth_in_which_the_middle_of_ones_equals_stands(rows, seed):
    table = segments.rfm(orders_of(rows), CUTOFF)

    n = len(table)
    for score, worth in (
        ("recency_score", -table.days_since_last),
        ("frequency_score", table.purchase_days),
        ("monetary_score", table.spend),
    ):
        expected = [1 + 5 * (2 * sum(worth < own) + sum(worth == own)) // (2 * n) for own in worth]
        assert table[score].tolist() == expected
        assert not len(table) or table[score].groupby(worth).nunique().eq(1).all()
    assert table.loc[table.purchase_days == 1, "frequency_score"].le(3).all()
    assert not table.loc[table.purchase_days == 1, "segment"].isin(["champions", "loyal"]).any()
    pd.testing.assert_frame_equal(table, segments.rfm(orders_of(rows).sample(frac=1, random_state=seed), CUTOFF))


def test_one_customer_or_many_equal_ones_stand_in_the_middle():
    for people in ("a", "abcdefg"):
        table = segments.rfm(orders_of([(who, "2026-03-01", 5) for who in people]), CUTOFF)

        assert table[list(segments.SCORES)].eq(3).all().all()


def test_the_ranges_of_the_segments_cover_every_cell_exactly_once():
    boxes = [box for some in segments.SEGMENTS.values() for box in some]
    hits = {
        cell: sum(all(low <= score <= high for score, (low, high) in zip(cell, box, strict=True)) for box in boxes)
        for cell in itertools.product(range(1, 6), repeat=3)
    }

    assert len(hits) == 125
    assert set(hits.values()) == {1}


def test_every_customer_of_the_demo_shop_is_in_the_segment_whose_ranges_hold_the_scores(grocer):
    table = segments.rfm(grocer.orders, grocer.last_day)

    for row in table.itertuples():
        boxes = segments.SEGMENTS[row.segment]
        cell = (row.recency_score, row.frequency_score, row.monetary_score)
        assert any(all(low <= score <= high for score, (low, high) in zip(cell, box, strict=True)) for box in boxes)
    assert set(table["segment"]) == set(segments.SEGMENTS)
    assert table["spend"].sum() == pytest.approx(grocer.orders.dropna(subset="customer_id")["net_amount"].sum())


def test_the_five_stages_are_the_hand_worked_ones():
    rows = [
        *[("weekly", day, 5) for day in ("2026-03-03", "2026-03-10", "2026-03-17", "2026-03-24", "2026-03-31")],
        *[("late", day, 5) for day in ("2026-01-14", "2026-01-21", "2026-01-28", "2026-02-04")],
        *[("gone", day, 5) for day in ("2025-11-01", "2025-11-08", "2025-11-15")],
        *[("back", day, 5) for day in ("2025-09-01", "2025-09-08", "2026-03-28")],
        ("fresh", "2026-03-20", 5), ("once", "2025-10-01", 5),
    ]  # fmt: skip

    stages = segments.lifecycle(orders_of(rows), CUTOFF, H)

    # The shop's gaps: ten of 7 days and one of 201, on average 24.6. Own gaps: late 14.1 (silent for 55 days), gone 15.8 (136).
    assert stages.to_dict() == {
        "weekly": "active", "late": "slipping", "gone": "lost", "back": "regained", "fresh": "new", "once": "lost",
    }  # fmt: skip
    assert stages.index.tolist() == sorted(stages.index)
    assert stages.cat.categories.tolist() == list(segments.STAGES)


def test_the_days_on_which_a_customer_changes_stage_are_those_of_the_formula():
    # One gap of 10 days: own gap and shop's gap are 10. Slipping after 20 days, lost after 20 + 30.
    orders = orders_of([("a", "2026-01-01", 5), ("a", "2026-01-11", 5)])

    def after(days: int) -> str:
        return segments.lifecycle(orders, date(2026, 1, 11) + timedelta(days), H)["a"]

    assert [after(days) for days in (0, 20, 21, 50, 51)] == ["active", "active", "slipping", "slipping", "lost"]


def test_a_customer_is_new_for_a_horizon_and_until_the_second_purchase():
    orders = orders_of([("a", "2026-03-01", 5), ("b", "2026-03-01", 5), ("b", "2026-03-02", 5), ("b", "2026-03-20", 5)])

    assert segments.lifecycle(orders, date(2026, 3, 30), H).to_dict() == {"a": "new", "b": "active"}
    assert segments.lifecycle(orders, date(2026, 3, 31), H)["a"] == "slipping"


def test_the_same_silence_means_one_thing_for_a_weekly_and_another_for_a_quarterly_customer():
    weekly = [("weekly", day, 5) for day in pd.date_range("2025-06-01", "2025-12-31", freq="7D")]
    quarterly = [("quarterly", day, 5) for day in pd.date_range("2024-01-01", "2025-12-31", freq="91D")]

    stages = segments.lifecycle(orders_of(weekly + quarterly), date(2026, 2, 10), H)

    assert stages.to_dict() == {"quarterly": "active", "weekly": "slipping"}


@FEW_SHOPS
@given(rows=ROWS, waits=st.lists(st.integers(1, 90), min_size=2, max_size=4))
def test_while_nobody_buys_nobody_moves_back(rows, waits):
    days = [date(2026, 6, 30) + timedelta(days) for days in itertools.accumulate(waits)]
    ranks = {"new": 0, "regained": 0, "active": 0, "slipping": 1, "lost": 2}

    labels = pd.DataFrame({day: segments.lifecycle(orders_of(rows), day, H).astype(str) for day in days})

    assert (labels.replace(ranks).astype("int64").diff(axis=1).iloc[:, 1:] >= 0).all().all()
    for one, other in itertools.pairwise(days):
        assert not (labels[other].isin(["new", "regained"]) & (labels[one] != labels[other])).any()


@pytest.mark.parametrize("people", [1, 3])
def test_a_shop_to_which_nobody_came_back_loses_its_customers_after_three_horizons(people):
    orders = orders_of([("abc"[i], f"2026-01-0{1 + i}", 5) for i in range(people)])

    stages = [segments.lifecycle(orders, date(2026, 1, 1) + timedelta(days), H)["a"] for days in (29, 30, 60, 61, 90, 91, 900)]

    assert stages == ["new", "active", "active", "slipping", "slipping", "lost", "lost"]


def test_regained_are_exactly_those_who_came_back_within_the_horizon_and_were_lost_the_day_before(grocer):
    orders, expected = grocer.orders, set()

    for back in range(H):
        day = grocer.last_day - timedelta(back)
        eve = segments.lifecycle(orders, day - timedelta(1), H)
        expected |= set(eve.index[eve == "lost"]) & set(orders.loc[orders["ordered_at"].dt.date == day, "customer_id"])

    stages = segments.lifecycle(orders, grocer.last_day, H)
    assert set(stages.index[stages == "regained"]) == expected
    assert len(expected) > 5


@pytest.mark.parametrize(("days", "stage"), [(51, "active"), (52, "regained")])
def test_a_silence_is_judged_on_the_eve_of_the_return(days, stage):
    # Own gap and shop's gap are 10 by then: lost from the 51st day of silence on.
    day = date(2026, 1, 11) + timedelta(days)
    orders = orders_of([("a", "2026-01-01", 5), ("a", "2026-01-11", 5), ("a", day, 5)])

    assert segments.lifecycle(orders, day, H)["a"] == stage


@pytest.mark.parametrize(("other", "stage"), [("2026-03-03", "active"), ("2026-03-04", "regained")])
def test_what_others_had_done_by_the_eve_counts_and_no_more(other, stage):
    # A gap of 61 days makes the shop's mean 35.5 and the own gap 27; on the day of the return itself it comes too late.
    rows = [("a", "2026-01-01", 5), ("a", "2026-01-11", 5), ("a", "2026-03-04", 5), ("b", "2026-01-01", 5), ("b", other, 5)]

    assert segments.lifecycle(orders_of(rows), date(2026, 3, 4), H)["a"] == stage


def test_a_return_after_which_the_horizon_has_passed_counts_no_longer():
    orders = orders_of(
        [("a", "2025-01-01", 5), ("a", "2025-01-11", 5), ("a", "2025-12-01", 5), ("b", "2025-01-01", 5), ("b", "2025-01-03", 5)]
    )

    assert segments.lifecycle(orders, date(2025, 12, 30), H)["a"] == "regained"
    assert segments.lifecycle(orders, date(2025, 12, 31), H)["a"] == "active"


def test_in_the_demo_shop_the_stages_follow_from_the_features_own_gap(grocer):
    cutoff = grocer.last_day
    features, stages = customer_features(grocer.orders, cutoff), segments.lifecycle(grocer.orders, cutoff, 91)
    silence, patience = features["days_since_last"], 2 * features["own_gap"]
    new = (features["frequency"] == 0) & (features["T"] < 91)

    assert stages.index.equals(features.index)
    assert (stages.eq("new") == new).all()
    rest = ~new & stages.ne("regained")
    assert (stages.eq("lost") == (silence > patience + 91))[rest].all()
    assert (stages.eq("active") == (silence <= patience))[rest].all()
    assert stages.value_counts().gt(0).all()
    assert (features["days_since_last"] < 91)[stages.eq("regained")].all()


def test_a_horizon_of_no_day_is_refused():
    with pytest.raises(UsageError, match="horizon_days"):
        segments.lifecycle(orders_of([("a", "2026-01-01", 5)]), CUTOFF, 0)


def test_consumers_bought_on_one_or_two_days_however_many_orders():
    days = {"a": [1], "b": [1, 1, 1, 2], "c": [1, 2, 3], "d": [1, 2]}
    rows = [(who, f"2026-03-0{day}", 5) for who, some in days.items() for day in some]

    found = segments.consumers(orders_of([*rows, ("d", "2026-04-01", 5)]), CUTOFF)

    assert found.to_dict() == {"a": True, "b": True, "c": False, "d": True}


@FEW_SHOPS
@given(rows=ROWS, later=ROWS)
def test_nothing_after_the_cutoff_moves_anybody(rows, later):
    end = pd.Timestamp(CUTOFF) + pd.Timedelta(days=1)
    known = [row for row in rows if row[1] < end]
    more = known + [(who, max(moment, end.to_pydatetime()), amount) for who, moment, amount in later]

    for found in (segments.rfm, lambda orders, cutoff: segments.lifecycle(orders, cutoff, H)):
        one, other = (pd.DataFrame(found(orders_of(each), CUTOFF)).astype(str) for each in (known, more))
        pd.testing.assert_frame_equal(one, other, check_index_type=False)


@pytest.mark.parametrize("orders", [orders_of([]), orders_of([("a", "2026-05-01", 5)])], ids=["no orders", "all later"])
def test_a_cutoff_before_the_first_order_gives_empty_tables_of_the_usual_types(orders):
    usual = orders_of([("a", "2026-01-01", 5)])

    for found in (segments.rfm, segments.consumers, lambda some, cutoff: segments.lifecycle(some, cutoff, H)):
        empty, full = (pd.DataFrame(found(some, CUTOFF)) for some in (orders, usual))
        assert empty.empty
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
        assert empty.index.name == "customer_id"


@pytest.mark.parametrize("found", [segments.rfm, segments.consumers, lambda orders, cutoff: segments.lifecycle(orders, cutoff, H)])
@pytest.mark.parametrize("column", ["customer_id", "ordered_at", "net_amount"])
def test_a_missing_column_is_named(found, column):
    with pytest.raises(InputError, match=f"orders: lacks the column '{column}'"):
        found(orders_of([("a", "2026-01-01", 5)]).drop(columns=column), CUTOFF)


def test_the_grid_of_five_customers_is_the_hand_worked_one():
    rows = [(0.1, 4, 50), (0.5, 2, 20), (2 / 3, 1, 10), (0.7, 1, 15), (1 / 3, 3, 5)]

    grid = segments.value_risk_grid(forecast_of(rows)).set_index(["value_group", "risk_group"])

    # The best first, 50 | 20, 15 | 10, 5: the last two begin after 85 of 100.
    assert grid.loc[("high", "low")].tolist() == pytest.approx([1, 50, 5, 0.4])
    assert grid.loc[("middle", "middle")].tolist() == pytest.approx([1, 20, 10, 1])
    assert grid.loc[("middle", "high")].tolist() == pytest.approx([1, 15, 10.5, 0.7])
    assert grid.loc[("low", "middle")].tolist() == pytest.approx([2, 15, 20 / 3 + 5 / 3, 2 / 3 + 1])
    assert grid["customers"].sum() == 5


@ANY_SHOP
@given(rows=PEOPLE, seed=st.integers(0, 9))
def test_the_grid_has_nine_rows_that_add_up_whatever_the_order_of_customers(rows, seed):
    forecast = forecast_of(rows)
    grid = segments.value_risk_grid(forecast)

    assert list(zip(grid["value_group"], grid["risk_group"], strict=True)) == list(
        itertools.product(["high", "middle", "low"], ["low", "middle", "high"])
    )
    assert grid["customers"].sum() == len(rows)
    assert grid["value"].sum() == pytest.approx(forecast["expected_spend"].sum())
    assert grid["value_at_risk"].sum() == pytest.approx((forecast["churn_probability"] * forecast["expected_spend"]).sum())
    assert grid["orders_at_risk"].sum() == pytest.approx((forecast["churn_probability"] * forecast["expected_orders"]).sum())
    assert [str(kind) for kind in grid.dtypes[2:]] == ["int64", "float64", "float64", "float64"]
    pd.testing.assert_frame_equal(grid, segments.value_risk_grid(forecast.sample(frac=1, random_state=seed)))


@ANY_SHOP
@given(values=st.lists(st.integers(1, 50), min_size=1, max_size=30))
def test_high_value_is_the_smallest_group_of_best_customers_that_brings_half(values):
    grid = segments.value_risk_grid(forecast_of([(0.5, 1, value) for value in values]))
    value, customers = (grid.groupby("value_group", observed=False)[name].sum() for name in ("value", "customers"))
    best_first, total = sorted(values, reverse=True), sum(values)

    for groups, part in ((["high"], 0.5), (["high", "middle"], 0.8)):
        taken = int(customers[groups].sum())
        last = best_first[taken - 1]
        assert value[groups].sum() == sum(best_first[:taken]) >= part * total
        assert sum(each for each in best_first if each > last) < part * total
        assert taken == len(values) or best_first[taken] < last


def test_lifetime_value_goes_before_spend_where_it_is_known():
    forecast = forecast_of([(0.5, 1, 100), (0.5, 1, 1)]).assign(customer_lifetime_value=[1.0, 30.0])

    grid = segments.value_risk_grid(forecast)

    assert grid["value"].sum() == 31
    assert grid.query("value_group == 'high'")["value"].sum() == 30


def test_a_forecast_that_lacks_a_column_or_a_value_is_refused():
    forecast = forecast_of([(0.5, 1, 100)])

    for column in forecast.columns:
        with pytest.raises(InputError, match=f"'{column}'"):
            segments.value_risk_grid(forecast.drop(columns=column))
        for wrong in (None, -1.0):
            with pytest.raises(InputError, match=f"{column} has a value"):
                segments.value_risk_grid(forecast.assign(**{column: wrong}).astype("float64"))


def test_the_moves_between_two_reports_are_the_hand_worked_ones():
    kind = pd.CategoricalDtype(["new", "active", "lost"])
    before = pd.Series({"a": "new", "b": "new", "c": "active", "d": "lost", "e": "lost"}, dtype=kind)
    after = pd.Series({"f": "new", "a": "active", "b": "lost", "c": "active", "d": "active"}, dtype=kind)

    moves = segments.migration(before, after)

    assert moves.index.tolist() == ["new", "active", "lost", "not yet a customer", "total"]
    assert moves.columns.tolist() == ["new", "active", "lost", "no longer a customer", "total"]
    assert moves.values.tolist() == [[0, 1, 1, 0, 2], [0, 1, 0, 0, 1], [0, 1, 0, 1, 2], [1, 0, 0, 0, 1], [1, 3, 1, 1, 6]]
    assert (moves.index.name, moves.columns.name) == ("before", "after")


@ANY_SHOP
@given(before=st.dictionaries(NAMES, STAGE), after=st.dictionaries(NAMES, STAGE))
def test_every_customer_of_either_report_is_counted_once(before, after):
    was, now = (pd.Series(each, dtype="str", index=pd.Index(list(each), dtype="str")) for each in (before, after))

    moves = segments.migration(was, now)

    assert moves.loc["total", "total"] == len(before.keys() | after.keys())
    assert moves.dtypes.eq("int64").all()
    for stage in set(before.values()) | set(after.values()):
        assert moves.loc[stage, "total"] == sum(each == stage for each in before.values())
        assert moves.loc["total", stage] == sum(each == stage for each in after.values())
        stayed = [who for who, own in before.items() if own == stage == after.get(who)]
        assert moves.loc[stage, stage] == len(stayed)
    assert moves.loc["not yet a customer", "total"] == len(after.keys() - before.keys())
    assert moves.loc["total", "no longer a customer"] == len(before.keys() - after.keys())
    assert moves.loc["not yet a customer", "no longer a customer"] == 0


def test_in_the_demo_shop_the_lost_stay_lost_or_are_regained(grocer):
    before, after = (segments.lifecycle(grocer.orders, grocer.last_day - timedelta(days), 91) for days in (60, 0))

    moves = segments.migration(before, after)

    assert moves.loc["total", list(segments.STAGES)].tolist() == after.value_counts()[list(segments.STAGES)].tolist()
    assert moves.loc["lost", ["lost", "regained"]].sum() == moves.loc["lost", "total"]
    assert moves["no longer a customer"].sum() == 0


@pytest.mark.parametrize("wrong", [pd.Series(["new", "new"], index=["a", "a"]), pd.Series(["new", None], index=["b", "a"])])
def test_a_customer_with_two_segments_or_none_is_refused(wrong):
    with pytest.raises(InputError, match="before: has the customer 'a'"):
        segments.migration(wrong, pd.Series({"a": "new"}))
    with pytest.raises(InputError, match="after: has the customer 'a'"):
        segments.migration(pd.Series({"a": "new"}), wrong)


def test_the_ideal_customer_s_shares_and_test_are_the_hand_worked_ones():
    # Of the 20 best 15 came by web, of the 80 others 25.
    channel = ["web"] * 15 + ["shop"] * 5 + ["web"] * 25 + ["shop"] * 55

    web = attribute(segments.ideal_customer(shop_of(channel=channel), CUTOFF), "channel").loc["web"]

    assert web[["customers", "best", "n", "share_best", "share_all"]].tolist() == [40, 15, 20, 0.75, 0.4]
    assert web["lift"] == pytest.approx(0.75 / 0.4)
    assert web[["low", "high"]].tolist() == pytest.approx(wilson(15, 20, 1.6448536))
    # Five rows: the three thirds of the first basket are clearer, which leaves a factor of 2 for the first of the channels.
    chances = hypergeom(100, 20, 40).pmf(np.arange(21))
    exact = chances[chances <= chances[15] * (1 + 1e-7)].sum()
    assert web["p"] == pytest.approx(2 * exact)
    assert web["shown"]


@pytest.mark.parametrize(("others", "shown"), [(25, True), (26, False)])
def test_a_difference_is_shown_where_the_adjusted_p_is_at_most_a_twentieth(others, shown):
    # 12 of the 20 best came by web: 2 p is 0.043 where 25 of the 80 others did, 0.076 where 26 did.
    channel = ["web"] * 12 + ["shop"] * 8 + ["web"] * others + ["shop"] * (80 - others)

    table = attribute(segments.ideal_customer(shop_of(channel=channel), CUTOFF), "channel")

    assert table["shown"].to_dict() == {"web": shown, "shop": shown}


def test_customers_without_a_value_are_left_out():
    known = pd.DataFrame({"customer_lifetime_value": np.arange(60.0)}, index=[f"{i:03d}" for i in range(60)])

    table = attribute(segments.ideal_customer(shop_of(channel=["web", "shop"] * 50), CUTOFF, known), "channel")

    assert table[["customers", "best"]].sum().tolist() == [60, 12]


def test_what_is_shown_survives_holm_over_all_rows(grocer):
    orders = grocer.orders
    first = orders.sort_values(["ordered_at", "order_id"]).drop_duplicates("customer_id").set_index("customer_id")["channel"]
    features = customer_features(orders, grocer.last_day)
    worth = np.random.default_rng(1).gamma(2, 20, len(features)) * (1 + (first.reindex(features.index) == "web"))
    table = segments.ideal_customer(grocer, grocer.last_day, pd.DataFrame({"customer_lifetime_value": worth}, index=features.index))

    everybody = table["customers"] / table["share_all"]
    odds = [
        min(1.0, _two_sided(round(total), int(n), int(size), int(hits)))
        for total, n, size, hits in zip(everybody, table["n"], table["customers"], table["best"], strict=True)
    ]
    assert table["p"].tolist() == pytest.approx(multipletests(odds, method="holm")[1].tolist())
    assert (table["shown"] == (table["p"] <= 0.05)).all()
    assert attribute(table, "channel")["shown"].to_dict() == {"web": True, "counter": True, "phone": False}
    assert table.loc[table["attribute"] != "channel", "shown"].sum() == 0


def _two_sided(total: int, n: int, size: int, hits: int) -> float:
    chances = hypergeom(total, n, size).pmf(np.arange(min(n, size) + 1))
    return float(chances[chances <= chances[hits] * (1 + 1e-7)].sum())


def test_where_value_is_drawn_by_lot_hardly_ever_anything_is_shown(grocer):
    people, draw = customer_features(grocer.orders, grocer.last_day).index, np.random.default_rng(5)

    def once() -> bool:
        lot = pd.DataFrame({"customer_lifetime_value": draw.random(len(people))}, index=people)
        return segments.ideal_customer(grocer, grocer.last_day, lot)["shown"].any()

    # A rate of 5% gives 4 or more of 12 in fewer than 3 of 1,000 cases.
    assert sum(once() for _ in range(12)) < 4


def test_the_levels_of_the_demo_shop_add_up_for_every_attribute(grocer):
    table = segments.ideal_customer(grocer, grocer.last_day)

    assert set(table["attribute"]) == {"channel", "branch_id", "category", "first_basket", "first_discount", "won_by"}
    for _, rows in table.groupby("attribute"):
        assert rows["customers"].sum() == 400
        assert rows["best"].sum() == rows["n"].iloc[0] == 80
        assert rows[["share_best", "share_all"]].sum().tolist() == pytest.approx([1, 1])
        assert rows["lift"].is_monotonic_decreasing
    assert table["low"].le(table["share_best"]).all()
    assert table["high"].ge(table["share_best"]).all()
    assert table.loc[table["customers"] < 20, "level"].isin(["other"]).all()
    assert attribute(table, "won_by").loc["referral", "customers"] == grocer.referrals["referred_id"].nunique()


def test_nothing_after_the_cutoff_is_looked_at(grocer):
    cutoff = grocer.last_day - timedelta(200)

    early = segments.ideal_customer(grocer.until(cutoff), cutoff)

    assert len(early)
    pd.testing.assert_frame_equal(segments.ideal_customer(grocer, cutoff), early)
    shuffled = {name: frame.sample(frac=1, random_state=3) for name, frame in grocer.tables.items()}
    pd.testing.assert_frame_equal(segments.ideal_customer(replace(grocer, tables=shuffled), cutoff), early)


def test_only_the_first_purchase_speaks_for_a_customer():
    shop = shop_of(channel=["web"] * 50 + ["shop"] * 50)
    later = shop.orders.assign(order_id="x" + shop.orders["order_id"], ordered_at=pd.Timestamp("2026-03-20"), channel="phone")
    refused = shop.orders.assign(order_id="x" + shop.orders["order_id"], ordered_at=pd.Timestamp("2026-03-01 09:00"), net_amount=0.0)
    refused["channel"] = "phone"
    later_that_day = shop.orders.assign(
        order_id="-" + shop.orders["order_id"], ordered_at=pd.Timestamp("2026-03-01 11:00"), channel="phone"
    )
    longer = replace(shop, tables={"orders": pd.concat([later, later_that_day, refused, shop.orders])})

    table = attribute(segments.ideal_customer(longer, CUTOFF), "channel")

    assert table["customers"].to_dict() == {"web": 50, "shop": 50}


def test_the_first_basket_is_what_was_bought_that_day_before_anything_came_back():
    shop = shop_of()
    rich = shop.orders.tail(30).assign(order_id=lambda f: "x" + f["order_id"], net_amount=5.0)
    back = shop.orders.index.to_series().between(30, 39)
    later = shop.orders[40:50].assign(order_id=lambda f: "y" + f["order_id"], net_amount=50.0, ordered_at=pd.Timestamp("2026-03-20"))
    orders = pd.concat([shop.orders.assign(refund_amount=np.where(back, 3.0, np.nan)), rich, later])
    chosen = pd.DataFrame({"customer_lifetime_value": 1.0 * shop.orders.index.to_series().between(30, 49).to_numpy()})

    # Rising: forty of 10, ten of 13 before 3 came back, thirty of 10 + 5, twenty of 100; the thirds end after 33 and 67.
    forecast = chosen.set_index(shop.orders["customer_id"])
    table = attribute(segments.ideal_customer(replace(shop, tables={"orders": orders}), CUTOFF, forecast), "first_basket")

    assert table["customers"].to_dict() == {"large": 33, "middle": 34, "small": 33}
    assert table["best"].to_dict() == {"large": 0, "middle": 10, "small": 10}


def test_the_category_is_the_one_most_was_spent_on():
    shop = shop_of()
    numbers = shop.orders["order_id"]
    small = pd.DataFrame({"order_id": numbers, "line": 1, "category": "bread", "quantity": 1.0, "net_amount": 4.0})
    large = small.assign(line=2, category=["fruit"] * 60 + ["dairy"] * 40, net_amount=[6.0] * 25 + [3.0] * 35 + [4.0] * 40)
    third = small.assign(line=3, net_amount=np.where(np.arange(100) < 20, 1.0, 0.0))

    table = segments.ideal_customer(replace(shop, tables={**shop.tables, "order_lines": pd.concat([third, large, small])}), CUTOFF)

    # Fruit for the first 25; bread for the next, and as the first by name of two equal ones.
    assert attribute(table, "category")["customers"].to_dict() == {"bread": 75, "fruit": 25}


def test_a_customer_was_won_by_a_referral_only_if_it_came_before_the_purchase_and_is_known_by_the_cutoff():
    shop = shop_of()
    invited = pd.to_datetime(["2026-03-01 23:00"] * 40 + ["2026-03-02 00:00"] * 20)
    bought = pd.to_datetime(["2026-03-31 20:00"] * 30 + ["2026-04-01 08:00"] * 30)
    sent = pd.DataFrame({"referral_id": "r", "referrer_id": "099", "referred_id": shop.orders["customer_id"][:60]})
    sent = sent.assign(invited_at=invited, first_order_at=bought)

    table = attribute(segments.ideal_customer(replace(shop, tables={**shop.tables, "referrals": sent}), CUTOFF), "won_by")

    assert table["customers"].to_dict() == {"referral": 30, "no referral": 70}


def test_discounts_of_the_first_purchase_are_told_apart():
    table = segments.ideal_customer(shop_of(discount_amount=[1.0] * 30 + [0.0] * 40 + [np.nan] * 30), CUTOFF)

    assert attribute(table, "first_discount")["customers"].to_dict() == {"yes": 30, "no": 70}


def test_small_levels_are_pooled_and_unknown_ones_left_out():
    channel = ["web"] * 20 + ["shop"] * 19 + ["phone"] * 5 + ["market"] * 46 + [None] * 10

    table = attribute(segments.ideal_customer(shop_of(channel=channel), CUTOFF), "channel")

    assert table["customers"].to_dict() == {"web": 20, "market": 46, "other": 24}
    assert table.loc["web", "share_all"] == pytest.approx(20 / 90)


def test_who_came_lately_is_not_made_a_good_customer_by_dividing_by_few_days():
    shop = shop_of(channel=["web"] * 50 + ["shop"] * 50)
    old = shop.orders["customer_id"] < "060"
    orders = shop.orders.assign(net_amount=np.where(old, 20.0, 10.0) + np.arange(100) / 1000)
    orders["ordered_at"] = pd.to_datetime(np.where(old, "2025-06-01", "2026-03-31"))

    # A year's spend: 20 for the sixty old ones, 10 and not 3,650 for the others.
    table = attribute(segments.ideal_customer(replace(shop, tables={"orders": orders}), CUTOFF), "channel")

    assert table["best"].to_dict() == {"shop": 10, "web": 10}


def test_all_that_was_spent_counts_and_not_the_last_purchase_alone():
    shop = shop_of(channel=["web"] * 50 + ["shop"] * 50)
    much, little = (
        shop.orders.tail(20).assign(ordered_at=pd.Timestamp(f"2026-03-{day}"), net_amount=net) for day, net in ((10, 500.0), (20, 1.0))
    )

    table = attribute(segments.ideal_customer(replace(shop, tables={"orders": pd.concat([shop.orders, much, little])}), CUTOFF), "channel")

    assert table["best"].to_dict() == {"shop": 20, "web": 0}


def test_a_shop_where_nobody_stands_out_or_all_is_alike_gives_an_empty_table_of_the_usual_types():
    usual = segments.ideal_customer(shop_of(), CUTOFF)
    equal = replace(shop_of(), tables={"orders": shop_of().orders.assign(net_amount=5.0, channel=["web", "shop"] * 50)})
    lone = replace(shop_of(), tables={"orders": shop_of().orders.head(1)})

    for shop, cutoff in ((equal, CUTOFF), (lone, CUTOFF), (shop_of(), date(2026, 2, 1)), (shop_of(40), CUTOFF)):
        table = segments.ideal_customer(shop, cutoff)
        assert table.empty
        assert table.dtypes.to_dict() == usual.dtypes.to_dict()


@pytest.mark.parametrize("column", ["order_id", "customer_id", "ordered_at", "net_amount"])
def test_a_shop_whose_orders_lack_a_column_is_told_which(column):
    shop = shop_of()

    with pytest.raises(InputError, match=f"orders: lacks the column '{column}'"):
        segments.ideal_customer(replace(shop, tables={"orders": shop.orders.drop(columns=column)}), CUTOFF)
    with pytest.raises(InputError, match="orders: lacks"):
        segments.ideal_customer(replace(shop, tables={}), CUTOFF)
