"""The models give the published digits, recover what was simulated, and stay whole on degenerate shops."""

from __future__ import annotations

import os
import pickle
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import hyp2f1, logsumexp
from scipy.stats import beta
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from loyalty_lab.btyd import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel, likelihood
from loyalty_lab.btyd.distinct import Distinct
from loyalty_lab.btyd.pareto import _leaving
from loyalty_lab.customers import customer_summary
from loyalty_lab.errors import InputError

FAMILY = [BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel]
TRUE = {"r": 0.6, "alpha": 40.0, "a": 0.7, "b": 2.5}


@pytest.fixture(scope="session")
def cdnow(real_data) -> pd.DataFrame:
    path = real_data("cdnow/CDNOW_sample.txt")
    rows = pd.read_csv(path, sep=r"\s+", header=None, names=["master_id", "customer_id", "day", "discs", "net_amount"])
    # The published fits count the few visits of value zero as purchases.
    amounts = rows["net_amount"].clip(lower=0.0001)
    orders = rows[["customer_id"]].assign(ordered_at=pd.to_datetime(rows["day"].astype(str)), net_amount=amounts)
    return customer_summary(orders, date(1997, 9, 30))


def simulated(n: int, seed: int, first_may_be_last: bool) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    rates, chances = draw.gamma(TRUE["r"], 1 / TRUE["alpha"], n), draw.beta(TRUE["a"], TRUE["b"], n)
    ages, rows = draw.integers(200, 500, n), []
    for rate, chance, age in zip(rates, chances, ages, strict=True):
        now, last, x = 0.0, 0.0, 0
        alive = not (first_may_be_last and draw.random() < chance)
        while alive and (now := now + draw.exponential(1 / rate)) < age:
            last, x, alive = now, x + 1, draw.random() >= chance
        rows.append((x, last, age))
    return pd.DataFrame(rows, columns=["frequency", "recency", "T"])


def tiny(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "monetary_value"])


def test_beta_geo_gives_the_published_digits_on_cdnow(cdnow):
    model = BetaGeoModel().fit(cdnow)

    r, alpha, a, b = model.params_
    assert (r, alpha / 7, a, b) == pytest.approx((0.2426, 4.4136, 0.7929, 2.4259), abs=6e-5)
    assert model.log_likelihood_ + cdnow["frequency"].sum() * np.log(7) == pytest.approx(-9582.43, abs=0.005)
    assert model.converged_
    assert model.dropout_identified_


def test_modified_beta_geo_gives_the_peers_digits_on_cdnow(cdnow):
    model = ModifiedBetaGeoModel().fit(cdnow)

    r, alpha, a, b = model.params_
    assert (r, alpha / 7, a, b) == pytest.approx((0.52484, 6.18308, 0.89136, 1.61400), rel=2e-5)
    assert model.log_likelihood_ + cdnow["frequency"].sum() * np.log(7) == pytest.approx(-9582.14, abs=0.005)


def test_gamma_gamma_gives_the_published_digits_on_cdnow(cdnow):
    model = GammaGammaModel().fit(cdnow)

    assert tuple(model.params_) == pytest.approx((6.250, 3.744, 15.44), abs=5e-3)
    assert model.log_likelihood_ == pytest.approx(-4055.92, abs=0.01)


def test_pareto_gives_the_published_digits_on_cdnow(cdnow):
    model = ParetoNBDModel().fit(cdnow)

    r, alpha, s, beta = model.params_
    assert (r, alpha / 7, s, beta / 7) == pytest.approx((0.553, 10.578, 0.606, 11.669), abs=2e-3)
    assert model.log_likelihood_ + cdnow["frequency"].sum() * np.log(7) == pytest.approx(-9594.98, abs=0.005)
    assert model.converged_


@pytest.mark.parametrize(
    ("x", "alpha", "s", "beta", "start", "end"),
    [
        (0.5, 10, 0.6, 11, 0, 39),
        (130, 9, 0.2, 3, 20, 100),
        (0.05, 0.1, 3, 2000, 0, 700),
        (8, 500, 0.01, 0.05, 0, 90),
        (3, 40, 60, 0.5, 5, 6),
    ],
)
def test_the_moment_of_leaving_is_integrated_to_many_digits(x, alpha, s, beta, start, end):
    logs = _leaving(np.array([x]), alpha, s, beta, np.array([float(start)]), np.array([float(end)]))[0]

    def chance(log_y):
        y = np.exp(log_y) - min(alpha, beta)
        scale = ((alpha + y) / (alpha + start)) ** -x * ((beta + y) / (beta + start)) ** -(s + 1)
        return scale * np.exp(log_y)

    near = min(alpha, beta)
    points = np.log(near + start) + np.log((near + end) / (near + start)) * np.array([0.0, 0.01, 0.1, 0.3, 1.0])
    exact = sum(quad(chance, low, high, epsabs=0, epsrel=1e-12)[0] for low, high in pairwise(points))
    exact = np.log(exact) + np.log(s) + s * np.log(beta) - (s + 1) * np.log(beta + start) - x * np.log(alpha + start)
    assert logsumexp(logs) == pytest.approx(exact, abs=1e-9)


def test_pareto_recovers_a_shop_whose_customers_leave_at_any_moment():
    draw, n = np.random.default_rng(3), 30_000
    ages = draw.integers(150, 500, n).astype(float)
    rates, ends = draw.gamma(0.6, 1 / 40, n), draw.exponential(1 / draw.gamma(0.8, 1 / 60, n))
    here, later = np.minimum(ages, ends), np.clip(ends - ages, 0, 90)
    x = draw.poisson(rates * here)
    recency = np.where(x > 0, here * draw.random(n) ** (1 / np.maximum(x, 1)), 0.0)
    bought = draw.poisson(rates * later)
    summary = pd.DataFrame({"frequency": x, "recency": recency, "T": ages})

    model = ParetoNBDModel().fit(summary)

    assert model.params_.to_dict() == pytest.approx({"r": 0.6, "alpha": 40.0, "s": 0.8, "beta": 60.0}, rel=0.15)
    assert np.abs(np.log(model.params_ / [0.6, 40, 0.8, 60])).le(3 * model.standard_errors_ / model.params_).all()
    assert model.probability_no_purchase(summary, 90).mean() == pytest.approx((bought == 0).mean(), abs=0.01)
    assert model.expected_purchases(summary, 90).mean() == pytest.approx(bought.mean(), rel=0.05)


def test_standard_errors_are_those_of_the_spread_over_many_shops():
    fits = [BetaGeoModel().fit(simulated(2_000, seed, False)) for seed in range(25)]

    spread = np.log([fit.params_["r"] for fit in fits]).std()
    told = np.mean([fit.standard_errors_["r"] / fit.params_["r"] for fit in fits])
    assert told == pytest.approx(spread, rel=0.45)


def test_a_parameter_at_its_bound_has_an_infinite_standard_error():
    model = BetaGeoModel().fit(DEGENERATE["clockwork"])

    assert np.isinf(model.standard_errors_[model.at_bound_]).all()
    assert model.at_bound_


HISTORY = st.tuples(st.integers(0, 60), st.integers(0, 700), st.integers(0, 400))


@settings(deadline=None, max_examples=60, derandomize="CI" in os.environ)
@given(
    rows=st.lists(HISTORY, min_size=1, max_size=12), log_params=st.lists(st.floats(-7, 7), min_size=4, max_size=4), back=st.integers(1, 400)
)
def test_a_longer_silence_never_makes_a_purchase_likelier(rows, log_params, back):
    table = [(x, recency if x else 0, (recency if x else 0) + silence) for x, recency, silence in rows]
    now = pd.DataFrame(table, columns=["frequency", "recency", "T"])
    for kind in FAMILY:
        model = kind()
        model.params_ = pd.Series(np.exp(log_params), index=list(kind._names))

        before, after = (model.probability_no_purchase(each, 91) for each in (now, now.assign(T=now["T"] + back)))

        assert before.between(0, 1).all()
        assert (after >= before - 1e-9).all()


@settings(deadline=None, max_examples=60, derandomize="CI" in os.environ)
@given(rows=st.lists(HISTORY, min_size=1, max_size=30), spend=st.floats(0.01, 1e6), horizon=st.integers(1, 400))
def test_no_shop_however_small_gives_an_error_or_a_missing_number(rows, spend, horizon):
    table = [(x, recency if x else 0, (recency if x else 0) + silence, spend if x else 0.0) for x, recency, silence in rows]
    summary = pd.DataFrame(table, columns=["frequency", "recency", "T", "monetary_value"])
    for kind in FAMILY:
        model = kind(prior_weight=1.0).fit(summary)
        assert model.probability_no_purchase(summary, horizon).between(0, 1).all()
        assert np.isfinite(model.expected_purchases(summary, horizon)).all()
        assert np.isfinite(model.params_).all()
    assert np.isfinite(GammaGammaModel(prior_weight=1.0).fit(summary).expected_average_value(summary)).all()


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("frequency", np.nan, "customers 'b' have a frequency that is missing"),
        ("T", np.inf, "customers 'b' have a T that is missing, infinite"),
        ("recency", 31.0, "customers 'b' have a recency above T"),
        ("monetary_value", -4.0, "customers 'b' have a monetary_value"),
    ],
)
def test_a_summary_that_cannot_be_one_is_refused_by_customer(column, value, words):
    summary = tiny((1, 10, 30, 12.0), (2, 20, 30, 14.0)).set_axis(["a", "b"])
    summary[column] = summary[column].astype(float)
    summary.loc["b", column] = value
    models = [GammaGammaModel()] if column == "monetary_value" else [kind() for kind in FAMILY]

    for model in models:
        with pytest.raises(InputError, match=words):
            model.fit(summary)


def test_a_customer_who_stands_there_twice_is_named():
    summary = tiny((1, 10, 30, 12.0), (2, 20, 30, 14.0), (2, 20, 30, 14.0)).set_axis(["a", "b", "b"])

    with pytest.raises(InputError, match="'b' stand in it more than once"):
        BetaGeoModel().fit(summary)


@pytest.mark.parametrize("kind", FAMILY)
def test_lifetime_value_discounts_what_comes_later(kind):
    summary = tiny((1, 10, 30, 12.0), (5, 20, 30, 14.0)).set_axis(["a", "b"])
    model = kind(1.0).fit(summary)
    value = pd.Series(10.0, index=summary.index)

    plain = model.customer_lifetime_value(summary, value, 364, discount_rate=0.0, margin=0.5)
    discounted = model.customer_lifetime_value(summary, value, 364, discount_rate=0.10, margin=0.5)

    assert plain.tolist() == pytest.approx((5 * model.expected_purchases(summary, 364)).tolist())
    assert (discounted < plain).all()
    assert (discounted > plain / 1.10).all()


@pytest.mark.parametrize("kind", [*FAMILY, GammaGammaModel])
def test_a_fitted_model_survives_pickling(kind):
    summary = tiny((1, 10, 30, 12.0), (2, 20, 30, 14.0), (0, 0, 9, 0.0)).set_axis(["a", "b", "c"])
    model = kind(1.0).fit(summary)
    ask = "expected_average_value" if kind is GammaGammaModel else "probability_alive"

    again = pickle.loads(pickle.dumps(model))

    pd.testing.assert_series_equal(getattr(again, ask)(summary), getattr(model, ask)(summary))
    assert getattr(model, ask)(summary.loc[["c", "a"]]).index.tolist() == ["c", "a"]


def test_weeks_and_days_differ_by_the_stated_constant(cdnow):
    weeks = cdnow.assign(recency=cdnow["recency"] / 7, T=cdnow["T"] / 7)

    in_days, in_weeks = BetaGeoModel().fit(cdnow), BetaGeoModel().fit(weeks)

    assert in_weeks.log_likelihood_ == pytest.approx(in_days.log_likelihood_ + cdnow["frequency"].sum() * np.log(7), abs=1e-4)
    assert in_weeks.params_["alpha"] * 7 == pytest.approx(in_days.params_["alpha"], rel=1e-4)


@pytest.mark.parametrize(
    "model", [BetaGeoModel(1.0), ModifiedBetaGeoModel(1.0), ParetoNBDModel(1.0), GammaGammaModel(1.0)], ids=lambda m: type(m).__name__
)
def test_the_gradient_is_that_of_finite_differences(model):
    draw = np.random.default_rng(5)
    columns = [draw.integers(0, 9, 50).astype(float), draw.uniform(1, 20, 50), draw.uniform(20, 40, 50)]
    columns = [columns[0] + 1, columns[1]] if isinstance(model, GammaGammaModel) else columns
    model._data = Distinct.of([np.repeat(column, 3) for column in columns])
    at = draw.normal(0, 0.7, len(model._names))

    slope = [(model._objective(at + step)[0] - model._objective(at - step)[0]) / 2e-6 for step in 1e-6 * np.eye(len(at))]

    assert model._objective(at)[1] == pytest.approx(slope, abs=1e-6)

    curves = [(model._objective(at + step)[1] - model._objective(at - step)[1]) / 2e-5 for step in 1e-5 * np.eye(len(at))]
    assert model._point(at).hessian == pytest.approx(np.array(curves), abs=1e-8)


def large_summary(n: int) -> pd.DataFrame:
    draw = np.random.default_rng(17)
    rates, chances = draw.gamma(TRUE["r"], 1 / TRUE["alpha"], n), draw.beta(TRUE["a"], TRUE["b"], n)
    ages, now, recency, x, here = draw.integers(200, 500, n), np.zeros(n), np.zeros(n), np.zeros(n, dtype="int64"), np.arange(n)
    while len(here):
        now[here] += draw.exponential(1 / rates[here])
        here = here[now[here] <= ages[here]]
        x[here], recency[here] = x[here] + 1, np.ceil(now[here])
        here = here[draw.random(len(here)) >= chances[here]]
    means = 30 / draw.gamma(4, 1 / 3, n)
    value = np.where(x > 0, draw.gamma(5 * np.maximum(x, 1), means / (5 * np.maximum(x, 1))), 0.0)
    return pd.DataFrame({"frequency": x, "recency": recency, "T": ages, "monetary_value": value})


@pytest.mark.parametrize("kind", [*FAMILY, GammaGammaModel])
def test_steps_from_a_share_of_the_rows_end_where_a_descent_over_all_of_them_ends(kind, monkeypatch):
    summary = large_summary(8_000 if kind is ParetoNBDModel else 60_000)
    stepped = []
    wrapped = likelihood.BoundedLikelihood._stepped
    monkeypatch.setattr(likelihood.BoundedLikelihood, "_stepped", lambda *given: stepped.append(wrapped(*given)) or stepped[-1])

    quick, again = kind().fit(summary), kind().fit(summary)
    monkeypatch.setattr(likelihood, "FEW_TO_START", len(summary))
    slow = kind().fit(summary)

    assert stepped[-1] is not None
    assert quick.converged_
    pd.testing.assert_series_equal(quick.params_, again.params_, check_exact=True)
    pd.testing.assert_series_equal(quick.params_, slow.params_, rtol=1e-5)
    pd.testing.assert_series_equal(quick.standard_errors_, slow.standard_errors_, rtol=1e-4)
    assert quick.log_likelihood_ == pytest.approx(slow.log_likelihood_, rel=1e-11)


@pytest.mark.parametrize("kind", FAMILY)
def test_a_large_shop_that_a_bound_holds_is_fitted_by_descent(kind):
    summary = large_summary(6_000)
    # Everybody came on the last day: nobody can have left.
    summary = summary.assign(recency=summary["T"], frequency=summary["frequency"] + 1)

    model = kind().fit(summary)

    assert model.converged_
    assert model.at_bound_
    assert np.isfinite(model.params_).all()


def test_rows_by_themselves_are_forecast_as_equal_rows_together(monkeypatch):
    summary = pd.concat([large_summary(500)] * 2, ignore_index=True)
    model = BetaGeoModel(1.0).fit(summary)
    asks = [model.probability_alive, lambda s: model.probability_no_purchase(s, 91), lambda s: model.expected_purchases(s, 91)]

    alone = [ask(summary) for ask in asks]
    monkeypatch.setattr(BetaGeoModel, "_rows_of", Distinct.of)

    for one, ask in zip(alone, asks, strict=True):
        pd.testing.assert_series_equal(one, ask(summary), rtol=1e-12)


@settings(deadline=None, max_examples=100, derandomize="CI" in os.environ)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from([0.0, 0.5, 7.25, 3e5])), max_size=40))
def test_distinct_rows_hold_every_row_once(rows):
    columns = [np.array([row[place] for row in rows], dtype="float64") for place in range(3)]

    found = Distinct.of(columns)

    assert sorted(set(rows)) == list(zip(*(found.column(place) for place in range(3)), strict=True))
    assert [found.column(place)[found.row].tolist() for place in range(3)] == [column.tolist() for column in columns]
    assert found.counts.tolist() == [rows.count(row) for row in sorted(set(rows))]
    assert found.count_of(1).tolist() == [(columns[1] == value).sum() for value in found.levels[1]]
    assert found.by(0, 2, work=lambda some: some.column(0) + some.column(1)).tolist() == (found.column(0) + found.column(2)).tolist()


@pytest.mark.parametrize("kind", [*FAMILY, GammaGammaModel])
def test_distinct_rows_with_their_counts_are_fitted_as_the_customers_they_stand_for(kind):
    summary = large_summary(1_000).round()
    columns = list(kind.columns)
    rows = summary.groupby(columns, as_index=False).size()

    one, other = (
        kind(1.0).fit(summary),
        kind(1.0).fit(rows.sample(frac=1, random_state=0), sample_weight=rows["size"].sample(frac=1, random_state=0)),
    )

    assert len(rows) < len(summary)
    pd.testing.assert_series_equal(one.params_, other.params_, rtol=1e-6)
    pd.testing.assert_series_equal(one.standard_errors_, other.standard_errors_, rtol=1e-5)
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-12)


@pytest.mark.parametrize("kind", [BetaGeoModel, GammaGammaModel])
@pytest.mark.parametrize(
    ("weights", "said"), [([1, 0, 1], "customers 1 have a weight"), ([1, np.nan, 1], "above zero"), ([1, 1], r"\(2,\)")]
)
def test_a_weight_that_is_none_is_refused(kind, weights, said):
    with pytest.raises(InputError, match=said):
        kind().fit(tiny((1, 10, 30, 12.0), (2, 20, 30, 14.0), (0, 0, 9, 0.0)), sample_weight=weights)


@pytest.mark.parametrize("kind", [BetaGeoModel, ModifiedBetaGeoModel])
def test_the_parameters_of_a_simulated_shop_are_recovered(kind):
    summary = simulated(20_000, 7, kind is ModifiedBetaGeoModel)

    params = kind().fit(summary).params_

    assert params[["r", "alpha"]].to_dict() == pytest.approx({"r": 0.6, "alpha": 40.0}, rel=0.1)
    assert params["a"] / (params["a"] + params["b"]) == pytest.approx(0.7 / 3.2, rel=0.12)


def test_forecasts_of_a_simulated_shop_are_calibrated():
    draw, n = np.random.default_rng(11), 20_000
    rates, chances = draw.gamma(TRUE["r"], 1 / TRUE["alpha"], n), draw.beta(TRUE["a"], TRUE["b"], n)
    rows, bought = [], np.zeros(n)
    for i, (rate, chance) in enumerate(zip(rates, chances, strict=True)):
        now, last, x, alive = 0.0, 0.0, 0, True
        while alive and (now := now + draw.exponential(1 / rate)) < 390:
            alive = draw.random() >= chance
            last, x, bought[i] = (now, x + 1, 0) if now <= 300 else (last, x, bought[i] + 1)
        rows.append((x, last, 300.0))
    summary = pd.DataFrame(rows, columns=["frequency", "recency", "T"])

    model = BetaGeoModel().fit(summary)

    assert model.probability_no_purchase(summary, 90).mean() == pytest.approx((bought == 0).mean(), abs=0.01)
    assert model.expected_purchases(summary, 90).mean() == pytest.approx(bought.mean(), rel=0.06)


def test_expected_purchases_is_the_published_formula():
    summary = pd.DataFrame({"frequency": [0, 1, 3, 40], "recency": [0, 30, 250, 380], "T": [200, 300, 260, 400]})
    model = BetaGeoModel().fit(summary)
    model.params_ = pd.Series({"r": 0.2426, "alpha": 30.9, "a": 0.7929, "b": 2.4259})
    r, alpha, a, b = model.params_
    x, age, horizon = summary["frequency"], summary["T"], 273

    ratio = ((alpha + age) / (alpha + age + horizon)) ** (r + x) * hyp2f1(r + x, b + x, a + b + x - 1, horizon / (alpha + age + horizon))
    published = (a + b + x - 1) / (a - 1) * (1 - ratio) * model.probability_alive(summary)

    assert model.expected_purchases(summary, horizon).tolist() == pytest.approx(published.tolist(), rel=1e-9)


@pytest.mark.parametrize("a", [1e-3, 1.0, 4.0])
def test_expected_purchases_holds_where_the_published_formula_divides_by_zero(a):
    summary = pd.DataFrame({"frequency": [2], "recency": [90], "T": [100]})
    model = ModifiedBetaGeoModel(1.0).fit(summary)
    model.params_ = pd.Series({"r": 0.7, "alpha": 50.0, "a": a, "b": 2.0})

    def orders(p):
        return (1 - (1 + p * 182 / 150) ** -2.7) / p * beta.pdf(p, a, 5.0)

    expected = quad(orders, 0, 1e-3, limit=500)[0] + quad(orders, 1e-3, 1, limit=500)[0] if a >= 1 else None
    got = model.expected_purchases(summary, 182)[0] / model.probability_alive(summary)[0]
    assert got == pytest.approx(expected if expected else 2.7 * 182 / 150, rel=1e-8 if expected else 0.01)


def test_one_time_buyers_are_alive_for_certain_only_under_the_first_model():
    summary = pd.DataFrame({"frequency": [0, 3], "recency": [0, 60], "T": [300, 90]}, index=["x", "y"])

    first, second, third = (kind(1.0).fit(summary).probability_alive(summary) for kind in FAMILY)

    assert first["x"] == 1
    assert second["x"] < 1
    assert third["x"] < 1
    assert first.index.tolist() == ["x", "y"]


def test_churn_is_not_the_probability_of_having_left():
    summary = pd.DataFrame({"frequency": [0], "recency": [0], "T": [300]})
    model = BetaGeoModel(1.0).fit(summary)

    assert model.probability_no_purchase(summary, 30)[0] > 0.5 > 1 - model.probability_alive(summary)[0]


DEGENERATE = {
    "nobody": tiny(),
    "one customer on the first day": tiny((0, 0, 0, 0.0)),
    "one-time buyers only": tiny(*[(0, 0, age, 0.0) for age in range(20)]),
    "one daily buyer": tiny((300, 300, 300, 9.0)),
    "clockwork": tiny(*[(10, 300, 310, 20.0)] * 30),
    "all left at once": tiny(*[(1, 1, 700, 20.0)] * 30),
}


@pytest.mark.parametrize("prior_weight", [0.0, 1.0])
@pytest.mark.parametrize("name", DEGENERATE)
def test_no_degenerate_shop_gives_an_error_or_a_missing_number(name, prior_weight):
    summary = DEGENERATE[name]
    for kind in FAMILY:
        model = kind(prior_weight).fit(summary)
        never = model.probability_no_purchase(summary, 91)
        orders = model.expected_purchases(summary, 91)
        assert np.isfinite(model.params_).all()
        assert np.isfinite(model.log_likelihood_)
        assert never.between(0, 1).all()
        assert (orders >= 1 - never - 1e-9).all()
        assert np.isfinite(orders).all()
    assert np.isfinite(GammaGammaModel(prior_weight).fit(summary).expected_average_value(summary)).all()


def test_the_model_says_when_dropout_cannot_be_told():
    once, clockwork = (BetaGeoModel().fit(DEGENERATE[name]) for name in ("one-time buyers only", "clockwork"))

    assert not once.dropout_identified_
    assert "nobody has bought twice" in once.note_
    assert not clockwork.dropout_identified_
    assert "cannot tell customers who left" in clockwork.note_


def test_the_prior_is_worth_one_customer_and_off_by_default():
    summary = simulated(400, 3, False)
    plain, weighted = BetaGeoModel().fit(summary), BetaGeoModel(prior_weight=1.0).fit(summary)

    assert plain.log_likelihood_ >= weighted.log_likelihood_
    assert plain.log_likelihood_ - weighted.log_likelihood_ < 1
    assert np.abs(np.log(weighted.params_ / plain.params_)).max() < 0.3


@pytest.mark.parametrize("kind", [*FAMILY, GammaGammaModel])
def test_the_models_keep_scikit_learns_conventions(kind):
    summary = tiny((1, 10, 30, 12.0), (2, 20, 30, 14.0))
    model = kind(prior_weight=2.0)
    ask = "expected_average_value" if kind is GammaGammaModel else "probability_alive"

    assert model.get_params() == {"prior_weight": 2.0}
    with pytest.raises(NotFittedError):
        getattr(model, ask)(summary)
    assert model.fit(summary) is model
    assert not hasattr(clone(model), "params_")
    with pytest.raises(InputError, match="frequency"):
        model.fit(summary.drop(columns="frequency"))


def test_spend_is_shrunk_towards_the_shop_and_scales_with_the_currency():
    draw = np.random.default_rng(9)
    means, visits = 30 / draw.gamma(4, 1 / 3, 20_000), draw.integers(1, 8, 20_000)
    value = draw.gamma(5 * visits, means / (5 * visits))
    summary = pd.DataFrame({"frequency": visits, "monetary_value": value})

    model, dear = GammaGammaModel().fit(summary), GammaGammaModel().fit(summary.assign(monetary_value=1000 * value))

    expected = model.expected_average_value(summary)
    assert tuple(model.params_[["p", "q"]]) == pytest.approx((5, 4), rel=0.12)
    assert np.abs(expected - means).mean() < np.abs(value - means).mean()
    assert dear.params_["gamma"] == pytest.approx(1000 * model.params_["gamma"], rel=1e-3)
    assert dear.log_likelihood_ == pytest.approx(model.log_likelihood_ - 20_000 * np.log(1000), abs=1e-2)
