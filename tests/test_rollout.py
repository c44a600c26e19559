"""Staged starts and drawn weeks: right where two-way regressions are not, and silent where nothing was begun."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import demo, panels, redraws, rollout
from loyalty_lab.errors import InputError
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.trial import NOTHING, Estimate

PERIODS = 24
COHORTS = {6: 1.6, 12: 0.8, 18: 0.2}


@pytest.fixture(autouse=True)
def fewer_redraws(monkeypatch):
    monkeypatch.setattr(redraws, "REDRAWS", 199)


def branches(seed: int, size: float = 1.0, drift: float = 0.0, cohorts=COHORTS, each: int = 3) -> tuple[pd.DataFrame, dict, float]:
    """Branches that begin in cohorts drawn by lot, as many never: season, trend, shocks that last, effects that grow and differ.

    `drift` is what those that will begin gain on the others in every period, whatever they begin.
    """
    draw, t = np.random.default_rng(seed), np.arange(PERIODS)
    begun = draw.permutation(np.repeat([*cohorts, 999], each))
    share = np.array([cohorts.get(start, 0.0) for start in begun])
    effect = size * np.where(t >= begun[:, None], share[:, None] * (0.03 + 0.006 * (t - begun[:, None])), 0.0)
    shocks = draw.normal(0, 0.02, (len(begun), PERIODS))
    for at in range(1, PERIODS):
        shocks[:, at] += 0.5 * shocks[:, at - 1]
    place = draw.normal(0, 0.05, len(begun))[:, None]
    value = 0.4 + place + 0.03 * np.sin(t / 12 * 2 * np.pi) + 0.002 * t + drift * t * (begun < 999)[:, None] + effect + shocks
    panel = pd.DataFrame([(f"B{b}", at, value[b, at]) for b in range(len(begun)) for at in t], columns=["unit", "period", "value"])
    return panel, {f"B{b}": int(start) for b, start in enumerate(begun) if start < 999}, float(effect[t >= begun[:, None]].mean())


@pytest.fixture(scope="module")
def many() -> list[tuple[rollout.Staggered, float]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(redraws, "REDRAWS", 199)
        shops = [branches(seed) for seed in range(40)]
        return [(rollout.staggered(panel, starts), truth) for panel, starts, truth in shops]


def test_group_time_is_right_where_the_two_way_regression_is_far_off(many):
    off = np.array([found.effect.value - truth for found, truth in many])
    two_way = np.array([found.naive.value - truth for found, truth in many])

    assert abs(off.mean()) < 3 * off.std() / len(off) ** 0.5
    assert two_way.mean() < -0.02 < -5 * abs(off.mean())


def test_the_interval_holds_the_truth_about_as_often_as_it_says(many):
    assert 0.87 <= np.mean([found.effect.low <= truth <= found.effect.high for found, truth in many]) <= 1.0
    assert np.mean([found.effect.clear for found, _ in many]) > 0.8
    assert np.mean([found.grade == "B" for found, _ in many]) > 0.8


def test_where_nothing_was_begun_it_is_seldom_said_to_work():
    found = [rollout.staggered(*branches(300 + seed, size=0.0)[:2]) for seed in range(60)]

    assert np.mean([each.effect.p <= 0.05 for each in found]) < 0.12
    assert all((each.effect.p <= 0.05) == each.effect.clear for each in found)


def test_places_that_drift_apart_before_are_not_believed():
    found = [rollout.staggered(*branches(500 + seed, size=0.0, drift=0.01)[:2]) for seed in range(12)]

    assert np.mean([each.effect.clear for each in found]) > 0.7
    assert np.mean([each.grade == "D" and each.reason == "pre_trend" for each in found]) > 0.8
    assert np.mean([each.pre_trend.value for each in found]) < -0.03


def test_a_great_effect_does_not_hide_a_small_drift_before_it():
    starts = {0: 6, 1: 6, 2: 14, 3: 14}
    rows = [(u, t, t * (u < 4) + 100.0 * (t >= starts.get(u, 99))) for u in range(8) for t in range(20)]

    found = rollout.staggered(pd.DataFrame(rows, columns=["unit", "period", "value"]), starts)

    assert (found.grade, found.reason) == ("D", "pre_trend")


def test_redrawn_orders_keep_each_place_its_weight():
    begun, orders = np.array([2, 2, 3, panels.NEVER, panels.NEVER]), rollout._orders(5, 0)[:20]
    for weights in (np.ones(5), np.array([1.0, 5.0, 2.0, 1.0, 9.0])):
        dealt = rollout._redrawn(rollout._group_time, begun, weights, 6, orders)
        for order, factors in zip(orders, dealt, strict=True):
            assert np.allclose(factors, rollout._group_time(begun[order], weights, 6))


def plain(starts: dict, units: int = 8, periods: int = 12) -> pd.DataFrame:
    """A panel without chance: places and periods differ, and what has begun adds 1 a period."""
    rows = [(u, t, 10 * u + t**2 + (t - starts[u] + 1 if t >= starts.get(u, 99) else 0)) for u in range(units) for t in range(periods)]
    return pd.DataFrame(rows, columns=["unit", "period", "value"])


def test_each_group_and_period_counts_by_its_weight_as_worked_out_by_hand():
    starts = {0: 8, 1: 8, 2: 10}

    found = rollout.staggered(plain(starts), starts)

    # Two units begin in 8 and gain 1, 2, 3, 4 by period 11; one begins in 10 and gains 1, 2.
    assert found.effect.value == pytest.approx((2 * (1 + 2 + 3 + 4) + 1 + 2) / 10)
    events = found.event_study.set_index("period_since")["effect"]
    assert events.loc[0:3].tolist() == pytest.approx([1, 2, 3, 4])
    assert np.abs(events.loc[:-2]).max() == pytest.approx(0)
    assert -1 not in events.index
    assert found.pre_trend.value == pytest.approx(0)


def test_each_group_is_read_against_the_period_just_before_it_began():
    starts = {0: 8, 1: 8, 2: 10}
    panel = plain(starts)
    panel.loc[(panel["unit"] == 0) & (panel["period"] < 7), "value"] += 50

    found = rollout.staggered(panel, starts)

    assert found.effect.value == pytest.approx(2.3)
    assert found.pre_trend.value == pytest.approx(50 * 0.5 * 7 * 2 / (7 * 2 + 9)), "unit 0 is half of its group, 7 of 7 leads"


def test_once_all_have_begun_there_is_nobody_to_compare_with_and_those_periods_do_not_count():
    starts = {0: 7, 1: 7, 2: 7, 3: 7, 4: 9, 5: 9, 6: 9, 7: 9}

    assert rollout.staggered(plain(starts), starts).effect.value == pytest.approx(1.5)


def test_heavier_places_count_for_more():
    starts = {0: 8, 1: 8}
    panel = plain(starts)
    panel.loc[(panel["unit"] == 1) & (panel["period"] >= 8), "value"] += 6
    panel["people"] = np.where(panel["unit"] == 1, 300.0, 100.0)
    # What the weights become once it has begun must not matter.
    panel.loc[panel["period"] >= 8, "people"] *= np.where(panel.loc[panel["period"] >= 8, "unit"] == 0, 50, 1)

    assert rollout.staggered(panel, starts).effect.value == pytest.approx(2.5 + 3)
    assert rollout.staggered(panel, starts, weight="people").effect.value == pytest.approx(2.5 + 6 * 0.75)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_two_way_regression_is_that_of_statsmodels(weighted):
    import statsmodels.formula.api as smf

    panel, starts, _ = branches(1)
    panel["people"] = 1.0 + weighted * panel["unit"].str[1:].astype(float)
    panel["on"] = (panel["period"] >= panel["unit"].map(starts).fillna(999)).astype(float)
    fitted = smf.wls("value ~ on + C(unit) + C(period)", panel, weights=panel["people"]).fit(
        cov_type="cluster", cov_kwds={"groups": panel["unit"].astype("category").cat.codes, "use_correction": False}, use_t=False
    )

    found = rollout.staggered(panel, starts, weight="people").naive

    assert found.value == pytest.approx(fitted.params["on"])
    half = 2.200985 * fitted.bse["on"] * (12 / 11) ** 0.5  # Student's t with 11 degrees of freedom
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-4)


def test_few_places_are_a_case_study_and_a_short_time_before_is_short():
    few, few_starts, _ = branches(2, cohorts={6: 1.0}, each=2)
    early, early_starts, _ = branches(2, cohorts={5: 1.0, 12: 1.0})
    one_by_one, in_turn, _ = branches(2, cohorts={6: 1.0, 10: 1.0, 14: 1.0, 18: 1.0}, each=1)
    one_way = plain({0: 8, 1: 8, 2: 8}, units=6)

    assert rollout.staggered(few, few_starts).reason == "case_study"
    assert rollout.staggered(one_by_one, in_turn).reason == "case_study"
    assert rollout.staggered(early, early_starts).reason == "short"
    assert rollout.staggered(plain({0: 1, 1: 1, 2: 4}), {0: 1, 1: 1, 2: 4}).pre_trend == NOTHING
    found = rollout.staggered(one_way, {0: 8, 1: 8, 2: 8})
    assert (found.reason, found.effect.low) == ("case_study", None), "one order in twenty is the true one: nothing bounds the effect"


def test_a_start_everywhere_at_once_is_compared_with_nothing():
    panel, _, _ = branches(3)

    found = rollout.staggered(panel, dict.fromkeys(panel["unit"].unique(), 10))

    assert (found.grade, found.reason, found.effect, found.naive) == ("D", "together", NOTHING, NOTHING)


def test_a_place_that_had_begun_before_the_first_period_is_left_out_and_a_later_start_is_none_yet():
    starts = {0: 8, 1: 8, 2: 10}
    panel = plain(starts)

    found = rollout.staggered(panel, {**starts, 3: 0, 4: 99, 5: np.nan})

    assert (found.units, found.periods_before) == (7, 8)
    without = rollout.staggered(panel[panel["unit"] != 3], starts)
    assert found.effect.value == pytest.approx(without.effect.value)


def test_periods_may_be_months_and_starts_days_within_them():
    starts = {0: 8, 1: 8, 2: 10}
    panel = plain(starts)
    months = pd.date_range("2026-01-01", periods=12, freq="MS")
    dated = panel.assign(period=months[panel["period"]])

    found = rollout.staggered(dated, pd.Series({0: pd.Timestamp("2026-08-15"), 1: months[8], 2: months[10]}))

    assert found.effect == rollout.staggered(panel, starts).effect


def test_the_same_panel_gives_the_same_reading_in_any_order_of_rows():
    panel, starts, _ = branches(4)

    one, other = (rollout.staggered(table, starts) for table in (panel, panel.sample(frac=1, random_state=0)))
    assert one.effect == other.effect
    assert rollout.staggered(panel, starts, random_state=1).effect.value == one.effect.value


@pytest.mark.parametrize(
    ("change", "starts", "named"),
    [
        (lambda p: p.drop(columns="value"), {0: 8}, "lacks the column 'value'"),
        (lambda p: pd.concat([p, p[:1]]), {0: 8}, "'0' in '0' twice"),
        (lambda p: p.drop(index=5), {0: 8}, "no value of '0' in '5'"),
        (lambda p: p.assign(value=np.inf), {0: 8}, "'value' holds what is no number"),
        (lambda p: p.assign(unit=None), {0: 8}, "'unit' is empty in row 0"),
        (lambda p: p, {77: 8}, "'77' began"),
        (lambda p: p, {0: "May"}, "'0' began in 'May'"),
        (lambda p: p, {0: 0}, "nobody began"),
        (lambda p: p, {}, "nobody began"),
    ],
)
def test_a_panel_that_cannot_be_read_is_named(change, starts, named):
    with pytest.raises(InputError, match=named):
        rollout.staggered(change(plain({0: 8})), starts)


def test_a_weight_of_nothing_is_refused():
    panel = plain({0: 8}).assign(people=lambda table: table["unit"] * 10.0)

    with pytest.raises(InputError, match="'0' has the weight 0"):
        rollout.staggered(panel, {0: 8}, weight="people")


def weeks(seed: int, effect: float = 0.08, units: int = 4, carry: bool = True) -> pd.DataFrame:
    """Weeks drawn by lot in each branch, seven days each; the first day of a week still feels the week before."""
    draw, rows = np.random.default_rng(seed), []
    for unit in range(units):
        on, place, week = draw.permutation([1, 0] * 8), draw.normal(0.3, 0.05), draw.normal(0, 0.02, 16)
        for at in range(16):
            for day in range(7):
                felt = on[at - 1] if carry and day == 0 and at else on[at]
                rows.append((unit, at, 7 * at + day, on[at], place + week[at] + 0.03 * (day > 4) + effect * felt + draw.normal(0, 0.03)))
    return pd.DataFrame(rows, columns=["unit", "week", "day", "on", "value"])


def test_washing_out_the_first_day_finds_what_carry_over_hides():
    found = [rollout.switchback(weeks(seed)) for seed in range(40)]
    off, naive = (np.array([getattr(each, name).value - 0.08 for each in found]) for name in ("effect", "naive"))

    assert abs(off.mean()) < 3 * off.std() / 40**0.5
    assert naive.mean() < -3 * naive.std() / 40**0.5 < -0.0005
    assert 0.87 <= np.mean([each.effect.low <= 0.08 <= each.effect.high for each in found]) <= 1.0
    assert {each.grade for each in found} == {"B"}


def test_weeks_that_change_nothing_are_seldom_said_to():
    assert np.mean([rollout.switchback(weeks(100 + seed, 0.0, units=2)).effect.p <= 0.05 for seed in range(60)]) < 0.12


def test_only_the_days_after_a_switch_are_left_out():
    table = weeks(5, units=1)
    on = table.groupby("week")["on"].first().to_numpy()
    switches = 1 + int((np.diff(on) != 0).sum())

    found = rollout.switchback(table, washout_days=2)

    assert found.rows_left_out == 2 * switches
    after = table[~((table["day"] % 7 < 2) & np.append(True, np.diff(on) != 0)[table["week"]])]
    means = after.groupby(["week", "on"])["value"].mean().groupby("on").mean()
    assert found.effect.value == pytest.approx(means[1] - means[0])
    assert found.naive == rollout.switchback(table, washout_days=0).effect


def test_an_order_drawn_anew_leaves_out_the_days_after_its_own_switches():
    rows = [(at, day, at % 2, -100.0 if day == 0 else 0.3 + 0.1 * (at % 2)) for at in range(16) for day in range(7)]
    table = pd.DataFrame(rows, columns=["week", "day", "on", "value"]).assign(unit=0)

    found = rollout.switchback(table)

    # First days are awful; only the true order, which switches every week, leaves all of them out.
    assert found.effect.value == pytest.approx(0.1)
    assert found.effect.p > 0.2


def test_branches_count_by_their_weeks_and_one_that_never_changed_not_at_all():
    long, short = (weeks(seed, units=1, carry=False) for seed in (6, 7))
    short = short[short["week"] < 8]
    steady = long.assign(on=1, value=99.0)

    alone = [rollout.switchback(table, washout_days=0).effect.value for table in (long, short)]
    tables = [table.assign(unit=name) for name, table in zip("abc", (long, short, steady), strict=True)]
    together = rollout.switchback(pd.concat(tables, ignore_index=True), washout_days=0)

    assert together.effect.value == pytest.approx((16 * alone[0] + 8 * alone[1]) / 24)
    assert together.weeks_on + together.weeks_off == 24


def test_a_handful_of_weeks_is_not_enough():
    few = weeks(8, units=1)
    few = few[few["week"] < 8]

    found = rollout.switchback(few)

    assert (found.grade, found.reason) == ("D", "few_weeks")
    assert rollout.switchback(few.assign(on=1)).effect == NOTHING


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.drop(columns="day"), "lacks the column 'day'"),
        (lambda t: t.assign(on=t["on"] * 2), "'on' holds '2'"),
        (lambda t: t.assign(on=(t["day"] % 2)), "'on' changes within '0' in '0'"),
        (lambda t: t.assign(value="many"), "'value' holds what is no number"),
    ],
)
def test_weeks_that_cannot_be_read_are_named(change, named):
    with pytest.raises(InputError, match=named):
        rollout.switchback(change(weeks(0)))


@pytest.mark.parametrize("language", LOCALES)
def test_what_was_found_can_be_said_in_every_language(language):
    texts, nothing = Texts(language), rollout.staggered(plain({0: 8, 1: 8, 2: 10}), {0: 8, 1: 8, 2: 10}).event_study
    effects = [Estimate(0.05, 0.02, 0.08, 0.01), Estimate(-0.05, -0.08, -0.02, 0.01), Estimate(0.01, -0.02, 0.04, 0.4)]

    found = [rollout.Switchback(effect, NOTHING, 8, 8, 0, "B", "passed") for effect in effects]
    found += [rollout.Staggered(effect, NOTHING, nothing, NOTHING, 12, 6, "B", "passed") for effect in effects]
    found += [rollout.Staggered(effects[0], NOTHING, nothing, NOTHING, 4, 6, "D", why) for why in ("case_study", "short", "pre_trend")]
    found += [rollout.Staggered(NOTHING, NOTHING, nothing, NOTHING, 4, 6, "D", "together")]
    found += [rollout.Switchback(effects[0], NOTHING, 3, 3, 0, "D", "few_weeks")]
    said = [texts.say(rollout.said(each, "answer-fast.name")) for each in found]

    assert len(set(said)) == len(found)
    assert not {"{", "}"} & set("".join(said))


def test_a_loss_is_told_as_so_much_fewer_from_least_to_most():
    found = rollout.Switchback(Estimate(-0.05, -0.08, -0.02, 0.01), NOTHING, 8, 8, 0, "B", "passed")

    assert "5.0 points fewer came back (2.0 points to 8.0 points)" in Texts("en").say(rollout.said(found, "answer-fast.name"))


def test_a_case_is_never_made_a_forecast():
    case = rollout.Switchback(Estimate(0.05, 0.02, 0.08, 0.01), NOTHING, 3, 3, 0, "D", "few_weeks")

    assert "no forecast is made" in Texts("en").say(rollout.said(case, "answer-fast.name"))


def test_what_a_chain_gained_by_answering_fast_is_found_from_its_tables_alone():
    made = demo.make(preset="standard")
    shop = made.shop()
    asked = shop.tickets.merge(shop.orders[["order_id", "branch_id"]], on="order_id")
    waited = asked["first_reply_at"] - asked["opened_at"]
    slow = (waited.isna() | (waited > pd.Timedelta(hours=48))).astype("float64")
    by_month = slow.groupby([asked["branch_id"], asked["opened_at"].dt.strftime("%Y-%m").rename("month")]).mean()
    begun = shop.rollout.query("tactic == 'answer-fast'").set_index("unit_id")["started_at"].dt.strftime("%Y-%m")

    found = rollout.staggered(by_month.rename("slow").reset_index(), begun.to_dict(), "branch_id", "month", "slow")

    assert found.grade == "B"
    assert found.effect.high < 0
    assert found.effect.value == pytest.approx(made.truth["rollout"]["slow_share"], abs=3 * found.effect.standard_error)
    assert found.effect.value == pytest.approx(made.truth["rollout"]["slow_share"], abs=0.03)
