"""Forecasts for every customer of any shop, chosen on earlier cutoffs only."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from loyalty_lab import backtest, forecast, learners, snapshots
from loyalty_lab.customers import customer_summary, purchase_days
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.features import customer_features
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2026, 3, 31)
START = pd.Timestamp("2024-04-01")


def simulated_orders(people: int, seed: int, days: int = 820, chance_of_leaving: float = 0.12) -> pd.DataFrame:
    """Customers join over the first year and a half, buy at own rates, and may leave after a purchase."""
    draw, rows = np.random.default_rng(seed), []
    for i in range(people):
        rate, basket, now = draw.gamma(1.5, 1 / 60), draw.gamma(4, 8), draw.uniform(0, 560)
        while now < days:
            rows.append((f"c{i:04d}", START + pd.Timedelta(days=now), round(basket * draw.gamma(5, 0.2), 2) + 0.01))
            if draw.random() < chance_of_leaving:
                break
            now += draw.exponential(1 / rate)
    return pd.DataFrame(rows, columns=["customer_id", "ordered_at", "net_amount"]).astype({"ordered_at": "datetime64[us]"})


@pytest.fixture(scope="module")
def shop() -> Shop:
    settings = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")
    return Shop(settings, {"orders": simulated_orders(500, 1)})


@pytest.fixture(scope="module")
def fitted(shop) -> forecast.CustomerForecaster:
    return forecast.CustomerForecaster(91).fit(shop.orders, CUTOFF)


def check_whole(scores: pd.DataFrame, orders: pd.DataFrame) -> None:
    assert scores.index.tolist() == customer_summary(orders, CUTOFF).index.tolist()
    assert tuple(scores.columns) == forecast.COLUMNS
    assert not scores.isna().any().any()
    assert np.isfinite(scores.drop(columns="model")).all().all()
    assert scores[["churn_low", "churn_probability", "churn_high"]].apply(lambda row: row.is_monotonic_increasing, axis=1).all()
    assert scores["churn_low"].ge(0).all()
    assert scores["churn_high"].le(1).all()
    assert (scores["expected_orders"] >= 1 - scores["churn_probability"] - 1e-9).all()


def test_every_customer_known_at_the_cutoff_gets_a_whole_row(shop, fitted):
    scores = fitted.predict()

    check_whole(scores, shop.orders)
    assert scores["model"].unique().tolist() == [fitted.backtest_.chosen]
    assert fitted.backtest_.chosen in backtest.CANDIDATES


def test_the_forecast_holds_in_the_window_it_has_not_seen(shop, fitted):
    scores = fitted.predict()
    later = shop.orders[shop.orders["ordered_at"].between("2026-04-01", "2026-06-30 23:59:59")]
    away = ~scores.index.isin(later["customer_id"])

    assert scores["churn_probability"].mean() == pytest.approx(away.mean(), abs=0.05)
    assert scores.loc[away, "churn_probability"].mean() > scores.loc[~away, "churn_probability"].mean() + 0.25
    assert scores["expected_spend"].sum() == pytest.approx(later.loc[later["customer_id"].isin(scores.index), "net_amount"].sum(), rel=0.25)


def test_nothing_after_the_cutoff_changes_the_forecast(shop, fitted):
    end = pd.Timestamp(CUTOFF) + pd.Timedelta(days=1)
    seen = shop.orders[shop.orders["ordered_at"] < end]
    other = shop.orders.assign(net_amount=lambda f: f["net_amount"].where(f["ordered_at"] < end, 9999.0))

    for orders in (seen, other.sample(frac=1, random_state=0)):
        pd.testing.assert_frame_equal(forecast.forecast_customers(orders, CUTOFF, 91), fitted.predict(), check_exact=True)


def history_of(orders: pd.DataFrame, cutoff: date = CUTOFF) -> snapshots.History:
    return snapshots.History(purchase_days(orders, cutoff), cutoff)


@pytest.mark.parametrize("horizon_days", [30, 91, 182])
def test_a_candidate_learns_only_from_windows_that_had_ended(shop, horizon_days):
    history = history_of(shop.orders)

    for cutoff in (CUTOFF, CUTOFF - timedelta(days=100)):
        training = history.training(cutoff, horizon_days)
        assert training
        assert all(each.cutoff + timedelta(days=horizon_days) <= cutoff for each in training)
        assert all(each.features["days_since_last"].ge(0).all() for each in training)


def test_the_same_season_a_year_ago_is_learnt_from_once_it_is_known(shop):
    training = history_of(shop.orders).training(CUTOFF, 91)

    assert [each.cutoff for each in training if each.season] == [CUTOFF - timedelta(days=365)]


def test_a_snapshot_keeps_no_outcome_of_a_window_that_goes_on(shop):
    history = history_of(shop.orders)

    assert history.at(CUTOFF - timedelta(days=90), 91).stayed_away is None
    assert history.at(CUTOFF - timedelta(days=91), 91).stayed_away is not None


def test_a_short_history_is_tested_on_windows_that_fit_in_thrice(shop):
    young = shop.orders[shop.orders["ordered_at"] > "2025-10-01"]

    fitted = forecast.CustomerForecaster(91).fit(young, CUTOFF)

    assert fitted.backtest_.tested_days == 60
    assert fitted.backtest_.chosen in backtest.CANDIDATES
    check_whole(fitted.predict(), young)


def test_a_horizon_longer_than_the_history_is_refused_with_the_longest_usable_one(shop):
    young = shop.orders[shop.orders["ordered_at"] > "2025-10-01"]

    with pytest.raises(InputError, match=r"364 is longer than the history of 18\d days") as said:
        forecast.forecast_customers(young, CUTOFF, 364)
    assert "longest usable one is 126" in str(said.value) or "longest usable one is 182" in str(said.value)


def test_an_amount_that_is_no_number_is_refused_by_customer(shop):
    orders = shop.orders.copy()
    orders.loc[orders.index[3], "net_amount"] = np.inf

    with pytest.raises(InputError, match=orders["customer_id"].iloc[3]):
        forecast.forecast_customers(orders, CUTOFF, 91)


def test_the_total_has_an_interval_around_it(fitted):
    total = fitted.backtest_.total

    assert total["expected"] == pytest.approx(fitted.predict()["expected_spend"].sum())
    assert total["low"] < total["expected"] < total["high"]


def test_the_interval_of_the_total_holds_in_most_shops_with_drift():
    held = []
    for seed in range(12):
        draw = np.random.default_rng(900 + seed)
        orders = simulated_orders(150, 300 + seed, chance_of_leaving=draw.uniform(0.05, 0.25))
        keep = draw.random(len(orders)) < np.exp(draw.normal(0, 0.3) * (orders["ordered_at"] - START).dt.days / 820 - 0.5)
        orders = orders[keep]
        total = forecast.CustomerForecaster(91).fit(orders, CUTOFF).backtest_.total
        known = customer_summary(orders, CUTOFF).index
        later = orders[orders["ordered_at"].between("2026-04-01", "2026-06-30 23:59:59") & orders["customer_id"].isin(known)]
        held.append(total["low"] <= later["net_amount"].sum() <= total["high"])

    assert np.mean(held) >= 0.75


def test_the_backtest_is_plain_json_with_a_reason(fitted):
    report = json.loads(json.dumps(fitted.backtest_.to_dict(), allow_nan=False))

    assert report["reason"]["key"].startswith("forecast.chosen.")
    assert set(report["candidates"]) == set(backtest.CANDIDATES)
    assert all(len(each["log_loss"]) == len(report["cutoffs"]) == 4 for each in report["candidates"].values())
    assert sum(report["deciles"]["ns"]) == report["customers"][0]
    assert {len(values) for values in report["calibration"].values()} == {10}
    bins = pd.DataFrame(report["calibration"])
    assert (bins["lows"].le(bins["observed"]) & bins["observed"].le(bins["highs"])).all()


def test_the_simplest_within_one_standard_error_is_chosen():
    who = [pd.Index(range(400))]
    draw = np.random.default_rng(0)
    best = draw.uniform(0.1, 0.9, 400)

    def choose(behind):
        return backtest._choose({"recency rule": [best + behind], "BG/NBD": [best + 0.3], "MBG/NBD": [best + 0.3], "stacked": [best]}, who)

    noise = draw.normal(0, 1, 400)
    noise -= noise.mean()
    assert choose(0.02 + noise)[0] == "recency rule"
    assert choose(0.02 + noise)[1]["key"] == "forecast.chosen.simpler"
    assert choose(0.2 + noise)[0] == "stacked"


def test_overlapping_windows_of_one_customer_are_not_counted_as_new_evidence():
    who, draw = pd.Index(range(300)), np.random.default_rng(1)
    behind = draw.normal(0, 1, 300)
    behind += 0.05 - behind.mean()
    losses = {"recency rule": [1 + behind] * 4, "BG/NBD": [np.ones(300)] * 4}

    chosen, reason = backtest._choose(losses, [who] * 4)

    assert chosen == "recency rule"
    assert reason["args"]["error"] == pytest.approx(behind.std() / np.sqrt(300), rel=1e-9)


def fives(who, days) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": who, "ordered_at": pd.to_datetime(days), "net_amount": 5.0})


SMALL = {
    "nobody yet": fives(["a"], ["2026-05-01"]),
    "one customer, one purchase": fives(["a"], ["2026-03-31"]),
    "one customer, two years": fives("a", pd.date_range("2024-01-01", CUTOFF, freq="9D")),
    "one-time buyers": fives(range(500), pd.date_range("2024-11-01", CUTOFF, periods=500)),
    "twenty customers": simulated_orders(20, 3),
    "a shop of forty days": simulated_orders(400, 4).query("ordered_at > '2026-02-20'"),
    "clockwork": fives([f"c{i % 60}" for i in range(3000)], pd.date_range("2024-01-01", CUTOFF, periods=3000)),
}


@pytest.mark.parametrize("horizon_days", [30, 91, 364])
@pytest.mark.parametrize("name", SMALL)
def test_no_shop_is_too_small_for_a_whole_forecast(name, horizon_days):
    orders = SMALL[name]
    shop = Shop(ShopSettings(name="S", currency="GBP", timezone="UTC"), {"orders": orders})

    scores, report = forecast.for_shop(shop, CUTOFF, horizon_days)

    check_whole(scores[list(forecast.COLUMNS)], orders)
    json.dumps(report, allow_nan=False)
    assert (scores[["customer_lifetime_value", "save_value"]] >= 0).all().all()


def test_the_ladder_says_which_step_it_stands_on():
    steps = {name: forecast.CustomerForecaster(91).fit(orders, CUTOFF).backtest_.chosen for name, orders in SMALL.items()}

    assert steps["one customer, one purchase"] == "too early"
    assert steps["a shop of forty days"] == "too early"
    assert steps["twenty customers"] == "shrunken rate"
    assert steps["one-time buyers"] == "shrunken rate"


def test_too_early_is_a_half_with_a_wide_interval():
    row = forecast.forecast_customers(SMALL["one customer, one purchase"], CUTOFF, 91).iloc[0]

    assert (row["churn_probability"], row["churn_low"], row["churn_high"]) == (0.5, 0.05, 0.95)


def test_lifetime_value_is_the_discounted_margin_of_the_forecast(shop):
    settings = shop.settings.model_copy(update={"margin": 0.25, "discount_rate": 0.1, "clv_years": 1})
    scores = pd.DataFrame({"expected_spend": [100.0, 0.0]}, index=["a", "b"])

    value = forecast.customer_lifetime_value(Shop(settings, shop.tables), scores, horizon_days=365)

    first = 0.25 * 100 * 1.1 ** -(365 / 365.25 / 2)
    assert value["a"] == pytest.approx(first, rel=0.002)
    assert value["b"] == 0
    with pytest.raises(UsageError, match="horizon"):
        forecast.customer_lifetime_value(shop, scores)


def test_lifetime_value_hardly_depends_on_the_horizon_it_is_told_in(shop):
    scores = pd.DataFrame({"expected_spend": [91.0]}, index=["a"])

    short = forecast.customer_lifetime_value(shop, scores, horizon_days=91)
    second = forecast.yearly_retention(shop.orders, shop.last_day) ** (91 / 365.25)
    long = forecast.customer_lifetime_value(shop, scores * (1 + second), horizon_days=182)

    assert short["a"] == pytest.approx(long["a"], rel=0.002)


def test_save_value_is_the_written_sum(shop):
    scores = pd.DataFrame({"expected_orders": [2.0], "expected_spend": [80.0]}, index=["c0001"])
    rate = forecast.yearly_retention(shop.orders, CUTOFF)
    longer = Shop(shop.settings.model_copy(update={"clv_years": 10}), shop.tables)

    short, long = forecast.save_value(shop, CUTOFF, scores)["c0001"], forecast.save_value(longer, CUTOFF, scores)["c0001"]

    q = rate / 1.1
    assert long / short == pytest.approx((1 - q**10) / (1 - q**3))
    assert q / (1 - q) == pytest.approx(rate / (1 + 0.1 - rate))
    history = customer_features(shop.orders, CUTOFF)
    average = history["orders_365"].sum() / (history["orders_365"] > 0).sum()
    mine = history.loc["c0001"]
    yearly = (mine["frequency"] + 2) / (mine["recency"] / 365.25 + 2 / average)
    assert short == pytest.approx(0.3 * 40 * yearly * (q + q**2 + q**3))


def test_a_written_forecast_reads_back_the_same(shop, fitted, tmp_path):
    scores = fitted.predict()
    forecast.write(scores, tmp_path / "forecast.parquet")

    pd.testing.assert_frame_equal(forecast.read(tmp_path / "forecast.parquet"), scores, check_exact=True)


def test_the_recency_rule_is_a_scikit_learn_classifier():
    X, y = pd.DataFrame({"days_since_last": np.arange(200)}), np.arange(200) > 120

    rule = learners.RecencyRule().fit(X, y)

    assert (np.diff(rule.predict_proba(X)[:, 1]) >= 0).all()
    assert rule.predict(X).mean() == pytest.approx(0.4, abs=0.1)


def test_the_recency_rule_gives_a_whole_group_one_number(shop):
    history = history_of(shop.orders)

    away = backtest.Candidates(history.now(91), history.training(CUTOFF, 91), 91).churn("recency rule")

    assert 2 <= len(np.unique(away)) <= 10


def test_the_interval_of_the_share_that_stays_away_holds_in_the_next_window():
    held = []
    for seed in range(5):
        orders = simulated_orders(400, 200 + seed)
        scores = forecast.forecast_customers(orders, CUTOFF, 91)
        later = orders[orders["ordered_at"].between("2026-04-01", "2026-06-30 23:59:59")]
        scores["away"] = ~scores.index.isin(later["customer_id"])
        groups = scores.groupby(scores["churn_probability"].rank(method="first") // 40.1)[["churn_low", "away", "churn_high"]].mean()
        held.append((groups["churn_low"].le(groups["away"]) & groups["away"].le(groups["churn_high"])).mean())

    assert np.mean(held) > 0.8


def test_of_two_who_bought_once_the_one_who_spent_more_is_expected_to_spend_more(shop):
    now = history_of(shop.orders).now(91)
    p, q, gamma = now.value.params_
    visits, first, total = (now.features[name].to_numpy() for name in ("frequency", "first_spend", "spend_total"))
    by_repeats = p * (gamma + total - first) / (p * visits + q - 1)
    by_all = p * (gamma + total) / (p * (visits + 1) + q - 1)
    once = visits == 0

    np.testing.assert_allclose(now.basket, np.cbrt(by_repeats**2 * by_all))
    assert np.ptp(by_repeats[once]) < 1e-9 < np.ptp(now.basket[once])
    assert (np.diff(now.basket[once][np.argsort(first[once], kind="stable")]) > -1e-9).all()


@pytest.mark.parametrize("name", ["recency rule", "stacked"])
def test_the_level_follows_the_same_season_a_year_before(name):
    days = pd.date_range("2024-01-01", CUTOFF, freq="D")
    draw, rows = np.random.default_rng(2), []
    for day in days:
        busy = 3.0 if day.month in (4, 5, 6) else 1.0
        rows += [(f"c{i:03d}", day, 10.0) for i in np.flatnonzero(draw.random(200) < 0.004 * busy)]
    frame = pd.DataFrame(rows, columns=["customer_id", "day", "spend"]).astype({"day": "datetime64[us]"})

    history = snapshots.History(frame, CUTOFF)
    now = history.now(91)
    with threadpool_limits(1):
        levelled = backtest.Candidates(now, history.training(CUTOFF, 91), 91).churn(name)

    assert levelled.mean() < now.no_purchase("BG/NBD", 91).mean() - 0.03
