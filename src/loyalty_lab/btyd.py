"""Buy-till-you-die models on the customer summary: BG/NBD, MBG/NBD and Gamma-Gamma, as scikit-learn estimators.

Time is in days. Inside the fit it is counted in weeks and money in multiples of the mean, so that
bounds, starts and priors mean the same in every shop; `params_` are in days and the shop's currency.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, expit, gammaln, psi
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from loyalty_lab.errors import InputError

WEEK = 7.0
BOUND = 8.0
PRIOR_SPREAD = 1.0
GRADIENT_TOLERANCE = 1e-4
NODES = 32
PRECISION = {"ftol": 1e-14, "gtol": 1e-8, "maxiter": 500}


def _columns(summary: pd.DataFrame, names: tuple[str, ...]) -> list[np.ndarray]:
    missing = [name for name in names if name not in summary.columns]
    if missing:
        raise InputError("summary", f"lacks the column {missing[0]!r}; it has {list(summary.columns)}", "make it with customer_summary")
    return [summary[name].to_numpy(dtype="float64") for name in names]


def _distinct(columns: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Distinct rows and how often each occurs."""
    rows, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return list(rows.T), counts.astype("float64")


class _BoundedLikelihood(BaseEstimator):
    """Maximum likelihood on log parameters within bounds, with further starts only where the first fails its check."""

    def _maximise(self, objective: Callable, starts: list[np.ndarray], bounds: list[tuple[float, float]]) -> np.ndarray:
        best, best_value, self.converged_ = None, np.inf, False
        for start in starts:
            found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=PRECISION)
            slope, inside, curved = _check(objective, found.x, bounds)
            if found.fun < best_value - 1e-10:
                best, best_value = found.x, found.fun
                self.converged_ = bool(slope < GRADIENT_TOLERANCE)
                self.at_bound_ = [name for name, free in zip(self._names, inside, strict=True) if not free]
            if slope < GRADIENT_TOLERANCE and inside.all() and curved:
                break
        return best

    def _objective(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean negative log-likelihood with the prior, and its gradient."""
        value, gradient = self._log_likelihood(log_params)
        away = (log_params - np.log(self._middle)) / PRIOR_SPREAD
        n = max(self._counts.sum(), 1.0)
        penalty, pull = self.prior_weight * (away @ away) / 2, self.prior_weight * away / PRIOR_SPREAD
        return (penalty - value) / n, (pull - gradient) / n


def _check(objective: Callable, at: np.ndarray, bounds: list[tuple[float, float]]) -> tuple[float, np.ndarray, bool]:
    """Largest slope that is not held by a bound, which parameters are off their bounds, and whether the Hessian is positive there."""
    gradient = objective(at)[1]
    low, high = np.array(bounds).T
    held = ((at - low < 1e-6) & (gradient > 0)) | ((high - at < 1e-6) & (gradient < 0))
    free = np.flatnonzero(~held)
    step = 1e-4 * np.eye(len(at))
    hessian = np.array([(objective(at + step[i])[1] - objective(at - step[i])[1])[free] / 2e-4 for i in free]).reshape(free.size, free.size)
    curved = bool(np.linalg.eigvalsh((hessian + hessian.T) / 2).min(initial=np.inf) > 0)
    return float(np.abs(gradient[free]).max(initial=0.0)), (at - low >= 1e-6) & (high - at >= 1e-6), curved


class BetaGeoModel(_BoundedLikelihood):
    """BG/NBD: purchases come at a customer's own rate; after each repeat purchase the customer may leave for good.

    Parameters
    ----------
    prior_weight : float, default 0.0
        Weight, in customers, of a weak normal prior on the log parameters (middle r = 0.7, alpha = 8
        weeks, a = 0.7, b = 3; standard deviation 1). 0.0 is plain bounded maximum likelihood.

    Attributes
    ----------
    params_ : pandas.Series
        r, alpha (days), a, b.
    log_likelihood_ : float
        Without the prior, time in days. In weeks it is larger by sum(frequency) * log(7), since each of
        the repeat purchases has a density per day: 7 times smaller than per week.
    converged_ : bool
        Whether the slope is zero at the estimate (or held by a bound).
    dropout_identified_ : bool
        False where the data cannot tell how customers leave (a or b ran to a bound, or nobody came back).
        Forecasts stay usable: they are then those of customers who never leave, or leave at once.

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD
    model, Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "recency": [0, 30, 80, 60], "T": [90, 90, 90, 70]}, index=list("abcd"))
    >>> model = BetaGeoModel(prior_weight=1.0).fit(summary)
    >>> bool(model.probability_no_purchase(summary, 30).between(0, 1).all())
    True
    """

    _names = ("r", "alpha", "a", "b")
    _middle = (0.7, 8.0, 0.7, 3.0)
    _starts = ((0.7, 8.0, 0.7, 3.0), (0.3, 4.0, 0.8, 2.5), (2.0, 20.0, 0.1, 2.0), (0.1, 1.0, 2.0, 1.0))
    # A customer can leave after each repeat purchase (0), or also after the first one (1).
    _first_may_be_last = 0

    def __init__(self, prior_weight: float = 0.0):
        self.prior_weight = prior_weight

    def fit(self, summary: pd.DataFrame, y=None) -> BetaGeoModel:
        """Estimate the parameters from `frequency`, `recency`, `T` (days)."""
        frequency, recency, age = _columns(summary, ("frequency", "recency", "T"))
        self._data, self._counts = _distinct([frequency, recency / WEEK, age / WEEK])
        starts = [np.log(start) for start in self._starts]
        log_params = self._maximise(self._objective, starts, [(-BOUND, BOUND)] * 4)
        likelihood = self._log_likelihood(log_params)[0]
        del self._data, self._counts
        self.params_ = pd.Series(np.exp(log_params) * [1, WEEK, 1, 1], index=list(self._names))
        self.log_likelihood_ = float(likelihood - frequency.sum() * np.log(WEEK))
        self.dropout_identified_ = bool(frequency.any() and not {"a", "b"} & set(self.at_bound_))
        return self

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood in weeks and its gradient by the log parameters, from distinct rows with counts."""
        r, alpha, a, b = np.exp(log_params)
        (x, recency, age), counts = self._data, self._counts
        first = self._first_may_be_last
        chances = b + x + first
        log_age, log_recency = np.log(alpha + age), np.log(alpha + recency)
        gone = self._log_odds_gone(x, log_age - log_recency, r, a, b)
        rows = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * log_age
        rows = rows + betaln(a, chances) - betaln(a, b) + np.logaddexp(0, gone)
        left = expit(gone)
        d_r = psi(r + x) - psi(r) + np.log(alpha) - (1 - left) * log_age - left * log_recency
        d_alpha = r / alpha - (r + x) * ((1 - left) / (alpha + age) + left / (alpha + recency))
        d_a = psi(a) - psi(a + chances) - psi(a) + psi(a + b) + left / a
        d_b = psi(chances) - psi(a + chances) - psi(b) + psi(a + b) - left / np.where(left > 0, chances - 1, 1.0)
        gradient = np.array([counts @ d_r * r, counts @ d_alpha * alpha, counts @ d_a * a, counts @ d_b * b])
        return float(counts @ rows), gradient

    def _log_odds_gone(self, x: np.ndarray, log_ratio: np.ndarray, r: float, a: float, b: float) -> np.ndarray:
        """Log odds of having left after the last purchase seen, against being a customer still."""
        chances = b + x - 1 + self._first_may_be_last
        possible = x + self._first_may_be_last > 0
        return np.where(possible, np.log(a / np.where(possible, chances, 1.0)) + (r + x) * log_ratio, -np.inf)

    def _fitted(self, summary: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frequency, alpha + T and the probability of being alive, row by row."""
        check_is_fitted(self, "params_")
        x, recency, age = _columns(summary, ("frequency", "recency", "T"))
        r, alpha, a, b = self.params_
        gone = self._log_odds_gone(x, np.log(alpha + age) - np.log(alpha + recency), r, a, b)
        return x, alpha + age, expit(-gone)

    def probability_alive(self, summary: pd.DataFrame) -> pd.Series:
        """Return the probability of not having left by the cutoff.

        It is not 1 minus the churn probability: somebody who has not left may yet buy nothing for a
        long time, and under BG/NBD everybody who bought only once counts as alive.
        """
        return pd.Series(self._fitted(summary)[2], index=summary.index, name="probability_alive")

    def probability_no_purchase(self, summary: pd.DataFrame, horizon_days: int) -> pd.Series:
        """Return the probability of no purchase in the next `horizon_days`: gone, or alive and quiet."""
        x, rate, alive = self._fitted(summary)
        quiet = np.exp(-(self.params_["r"] + x) * np.log1p(horizon_days / rate))
        return pd.Series(1 - alive + alive * quiet, index=summary.index, name="probability_no_purchase")

    def expected_purchases(self, summary: pd.DataFrame, horizon_days: int) -> pd.Series:
        """Return the expected number of purchase days in the next `horizon_days`.

        The expectation over the rate is closed, E[(1 - exp(-rate p t)) / p] = (1 - (1 + p t / (alpha + T))^-(r + x)) / p;
        that over the chance p of leaving, Beta(a, b + x), is Gauss-Jacobi quadrature, which stays exact to
        many digits where the published 2F1 form divides by a - 1 = 0.
        """
        x, rate, alive = self._fitted(summary)
        r, _, a, b = self.params_
        distinct, row = np.unique(x, return_inverse=True)
        nodes, weights = _beta_quadrature(a, b + distinct + self._first_may_be_last)
        total = np.zeros(len(x))
        for node, weight in zip(nodes.T, weights.T, strict=True):
            chance = np.clip(node[row], 1e-12, 1.0)
            total += weight[row] * -np.expm1(-(r + x) * np.log1p(chance * horizon_days / rate)) / chance
        return pd.Series(alive * total, index=summary.index, name="expected_purchases")


class ModifiedBetaGeoModel(BetaGeoModel):
    """MBG/NBD: as BG/NBD, but a customer may also leave right after the first purchase.

    Parameters and attributes are those of `BetaGeoModel`.

    References
    ----------
    Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24(3), 201-209.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "recency": [0, 30, 80, 60], "T": [90, 90, 90, 70]}, index=list("abcd"))
    >>> bool(ModifiedBetaGeoModel(prior_weight=1.0).fit(summary).probability_alive(summary)["a"] < 1)
    True
    """

    _first_may_be_last = 1


def _beta_quadrature(a: float, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights (each one row per entry of `b`) of Gauss quadrature under Beta(a, b).

    References
    ----------
    Golub, Welsch (1969), Calculation of Gauss quadrature rules, Mathematics of Computation 23.
    """
    k = np.arange(1, NODES, dtype="float64")
    right, left = b[:, None] - 1, a - 1
    both = right + left
    middle = np.empty((len(b), NODES))
    middle[:, :1] = (left - right) / (both + 2)
    middle[:, 1:] = (left - right) * both / ((2 * k + both) * (2 * k + both + 2))
    beside = 4 * k * (k + right) * (k + left) * (k + both) / ((2 * k + both) ** 2 * ((2 * k + both) ** 2 - 1))
    beside[:, 0] = (4 * (1 + right) * (1 + left) / ((2 + both) ** 2 * (3 + both)))[:, 0]
    matrix = np.zeros((len(b), NODES, NODES))
    at = np.arange(NODES)
    matrix[:, at, at] = middle
    matrix[:, at[1:], at[:-1]] = matrix[:, at[:-1], at[1:]] = np.sqrt(beside)
    nodes, vectors = np.linalg.eigh(matrix)
    return (1 + nodes) / 2, vectors[:, 0, :] ** 2


class GammaGammaModel(_BoundedLikelihood):
    """Gamma-Gamma: what a customer spends on a purchase day varies around an own mean; the means vary between customers.

    Parameters
    ----------
    prior_weight : float, default 0.0
        Weight, in customers, of a weak normal prior on the log parameters (middle p = 4, q = 4, gamma = 0.75 of
        the mean purchase, so that the prior mean is the shop's; standard deviation 1).

    Attributes
    ----------
    params_ : pandas.Series
        p, q, gamma (currency). q is kept above 1, where the mean exists.
    log_likelihood_ : float
        Without the prior, of the customers with `frequency` and `monetary_value` above 0.
    converged_ : bool

    References
    ----------
    Fader, Hardie (2013), The Gamma-Gamma model of monetary value, brucehardie.com/notes/025.

    Examples
    --------
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "monetary_value": [0.0, 12.0, 30.0, 21.0]}, index=list("abcd"))
    >>> value = GammaGammaModel(prior_weight=1.0).fit(summary).expected_average_value(summary)
    >>> bool(value["b"] < value["a"] < value["c"])
    True
    """

    _names = ("p", "q", "gamma")
    _middle = (4.0, 4.0, 0.75)
    _starts = ((2.0, 3.0, 1.0), (6.0, 4.0, 0.5), (1.0, 2.0, 2.0), (20.0, 10.0, 1.0))

    def __init__(self, prior_weight: float = 0.0):
        self.prior_weight = prior_weight

    def fit(self, summary: pd.DataFrame, y=None) -> GammaGammaModel:
        """Estimate the parameters from `frequency` and `monetary_value` of those who bought again."""
        frequency, value = _columns(summary, ("frequency", "monetary_value"))
        seen = (frequency > 0) & (value > 0)
        scale = float(value[seen].mean()) if seen.any() else 1.0
        self._data, self._counts = _distinct([frequency[seen], value[seen] / scale])
        bounds = [(-BOUND, BOUND), (np.log(1.01), BOUND), (-BOUND, BOUND)]
        log_params = self._maximise(self._objective, [np.log(start) for start in self._starts], bounds)
        likelihood = self._log_likelihood(log_params)[0]
        del self._data, self._counts
        self.params_ = pd.Series(np.exp(log_params) * [1, 1, scale], index=list(self._names))
        self.log_likelihood_ = float(likelihood - seen.sum() * np.log(scale))
        if not seen.any():
            self.params_["gamma"] = 0.0
        return self

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood of the scaled means and its gradient by the log parameters."""
        p, q, gamma = np.exp(log_params)
        (x, value), counts = self._data, self._counts
        shape, total = p * x, np.log(gamma + x * value)
        rows = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma) + (shape - 1) * np.log(value) + shape * np.log(x)
        rows = rows - (shape + q) * total
        d_p = x * (psi(shape + q) - psi(shape) + np.log(value * x) - total)
        d_q = psi(shape + q) - psi(q) + np.log(gamma) - total
        d_gamma = q / gamma - (shape + q) / (gamma + x * value)
        return float(counts @ rows), np.array([counts @ d_p * p, counts @ d_q * q, counts @ d_gamma * gamma])

    def expected_average_value(self, summary: pd.DataFrame) -> pd.Series:
        """Return the expected mean value of a customer's future purchase days: own mean, shrunk towards the shop's.

        0.0 for everybody where nobody has bought again, since the shop's mean is then unknown.
        """
        check_is_fitted(self, "params_")
        frequency, value = _columns(summary, ("frequency", "monetary_value"))
        p, q, gamma = self.params_
        mean = p * (gamma + frequency * value) / (p * frequency + q - 1)
        return pd.Series(mean, index=summary.index, name="expected_average_value")
