"""The models give the published digits, recover what was simulated, and stay whole on degenerate shops."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import hyp2f1
from scipy.stats import beta
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from loyalty_lab.btyd import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel
from loyalty_lab.customers import customer_summary
from loyalty_lab.errors import InputError

FAMILY = [BetaGeoModel, ModifiedBetaGeoModel]
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


def test_weeks_and_days_differ_by_the_stated_constant(cdnow):
    weeks = cdnow.assign(recency=cdnow["recency"] / 7, T=cdnow["T"] / 7)

    in_days, in_weeks = BetaGeoModel().fit(cdnow), BetaGeoModel().fit(weeks)

    assert in_weeks.log_likelihood_ == pytest.approx(in_days.log_likelihood_ + cdnow["frequency"].sum() * np.log(7), abs=1e-4)
    assert in_weeks.params_["alpha"] * 7 == pytest.approx(in_days.params_["alpha"], rel=1e-4)


@pytest.mark.parametrize("model", [BetaGeoModel(1.0), ModifiedBetaGeoModel(1.0), GammaGammaModel(1.0)], ids=lambda m: type(m).__name__)
def test_the_gradient_is_that_of_finite_differences(model):
    draw = np.random.default_rng(5)
    model._data = [draw.integers(0, 9, 50).astype(float), draw.uniform(1, 20, 50), draw.uniform(20, 40, 50)]
    model._counts = draw.integers(1, 4, 50).astype(float)
    if isinstance(model, GammaGammaModel):
        model._data = [model._data[0] + 1, model._data[1]]
    at = draw.normal(0, 0.7, len(model._names))

    slope = [(model._objective(at + step)[0] - model._objective(at - step)[0]) / 2e-6 for step in 1e-6 * np.eye(len(at))]

    assert model._objective(at)[1] == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize("kind", FAMILY)
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

    first, second = (kind(1.0).fit(summary).probability_alive(summary) for kind in FAMILY)

    assert first["x"] == 1
    assert second["x"] < 1
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
    assert not BetaGeoModel().fit(DEGENERATE["one-time buyers only"]).dropout_identified_
    assert not BetaGeoModel().fit(DEGENERATE["clockwork"]).dropout_identified_


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
