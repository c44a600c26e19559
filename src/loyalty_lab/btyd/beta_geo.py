"""BG/NBD and MBG/NBD: purchases at an own rate, and after each a chance of leaving for good."""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import betaln, expit, gammaln, psi

from loyalty_lab.btyd.likelihood import Distinct, PurchaseModel

NODES = 32


class BetaGeoModel(PurchaseModel):
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
    standard_errors_ : pandas.Series
        Of the same, by the curvature at the estimate; infinite where the data do not hold a parameter.
    log_likelihood_ : float
        Without the prior, time in days. In weeks it is larger by sum(frequency) * log(7), since each of
        the repeat purchases has a density per day: 7 times smaller than per week.
    converged_ : bool
        Whether the slope is zero at the estimate (or held by a bound).
    dropout_identified_ : bool
        False where the data cannot tell how customers leave (a or b ran to a bound, or nobody came back).
        Forecasts stay usable: they are then those of customers who never leave, or leave at once. `note_` says so in words.

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting your customers" the easy way: an alternative to the Pareto/NBD
    model, Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "recency": [0, 30, 80, 60], "T": [90, 90, 90, 70]}, index=list("abcd"))
    >>> model = BetaGeoModel(prior_weight=1.0).fit(summary)
    >>> bool(model.probability_no_purchase(summary, 30).between(0, 1).all())
    True
    """

    _names = ("r", "alpha", "a", "b")
    _middle = (0.7, 8.0, 0.7, 3.0)
    _starts = ((0.7, 8.0, 0.7, 3.0), (0.3, 4.0, 0.8, 2.5), (2.0, 20.0, 0.1, 2.0), (0.1, 1.0, 2.0, 1.0))
    _leaving = ("a", "b")
    # A customer can leave after each repeat purchase (0), or also after the first one (1).
    _first_may_be_last = 0

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood in weeks and its gradient by the log parameters; what hangs on one column alone by lookup."""
        r, alpha, a, b = np.exp(log_params)
        (visits, recencies, ages), (at_x, at_recency, at_age) = self._data.levels, self._data.at
        counts, n, chances = self._data.counts, self._data.count_of(0), b + visits + self._first_may_be_last
        log_age, log_recency = np.log(alpha + ages)[at_age], np.log(alpha + recencies)[at_recency]
        shape = (r + visits)[at_x]
        gone = self._log_odds_gone(visits, r, a, b)[at_x] + shape * (log_age - log_recency)
        left = expit(gone)
        by_visits = gammaln(r + visits) - gammaln(r) + r * np.log(alpha) + betaln(a, chances) - betaln(a, b)
        total = n @ by_visits - (counts * shape) @ log_age + counts @ np.logaddexp(0, gone)
        left_by_visits = np.bincount(at_x, counts * left, minlength=len(visits))
        stayed, gone_for = counts * (1 - left), counts * left
        d_r = n @ (psi(r + visits) - psi(r) + np.log(alpha)) - stayed @ log_age - gone_for @ log_recency
        d_alpha = n.sum() * r / alpha - (stayed * shape) @ (1 / (alpha + ages))[at_age]
        d_alpha -= (gone_for * shape) @ (1 / (alpha + recencies))[at_recency]
        d_a = n @ (psi(a + b) - psi(a + chances)) + left_by_visits.sum() / a
        d_b = n @ (psi(chances) - psi(a + chances) - psi(b) + psi(a + b))
        d_b -= left_by_visits @ (1 / np.where(chances > b, chances - 1, 1.0))
        return float(total), np.array([d_r * r, d_alpha * alpha, d_a * a, d_b * b])

    def _log_odds_gone(self, x: np.ndarray, r: float, a: float, b: float) -> np.ndarray:
        """Log odds of having left right after the last purchase against being a customer still, before the silence is looked at."""
        chances = b + x - 1 + self._first_may_be_last
        possible = x + self._first_may_be_last > 0
        return np.where(possible, np.log(a / np.where(possible, chances, 1.0)), -np.inf)

    def _alive(self, data: Distinct) -> np.ndarray:
        r, alpha, a, b = self.params_
        x, recency, age = (data.column(place) for place in range(3))
        silence = np.log(alpha + age) - np.log(alpha + recency)
        return expit(-(self._log_odds_gone(x, r, a, b) + (r + x) * silence))

    def _quiet(self, data: Distinct, horizon_days: float) -> np.ndarray:
        r, alpha = self.params_[["r", "alpha"]]
        return np.exp(-(r + data.column(0)) * np.log1p(horizon_days / (alpha + data.column(2))))

    def _orders(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Expected purchases of somebody who has not left.

        The expectation over the rate is closed, E[(1 - exp(-rate p t)) / p] = (1 - (1 + p t / (alpha + T))^-(r + x)) / p;
        that over the chance p of leaving, Beta(a, b + x), is Gauss-Jacobi quadrature, which stays exact to
        many digits where the published 2F1 form divides by a - 1 = 0.
        """
        r, alpha, a, b = self.params_
        shape, rate = r + data.column(0), alpha + data.column(2)
        nodes, weights = _beta_quadrature(a, b + data.levels[0] + self._first_may_be_last)
        total = np.zeros(len(shape))
        for node, weight in zip(nodes.T, weights.T, strict=True):
            chance = np.clip(node, 1e-12, 1.0)[data.at[0]]
            total += weight[data.at[0]] * -np.expm1(-shape * np.log1p(chance * horizon_days / rate)) / chance
        return total


class ModifiedBetaGeoModel(BetaGeoModel):
    """MBG/NBD: as BG/NBD, but a customer may also leave right after the first purchase.

    Parameters and attributes are those of `BetaGeoModel`.

    References
    ----------
    Batislam, Denizel, Filiztekin (2007), Empirical validation and comparison of models for customer base
    analysis, International Journal of Research in Marketing 24(3), 201-209.

    Examples
    --------
    >>> import pandas as pd
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
    nodes, weights = np.empty_like(middle), np.empty_like(middle)
    for row, (diagonal, off) in enumerate(zip(middle, np.sqrt(beside), strict=True)):
        nodes[row], vectors = eigh_tridiagonal(diagonal, off, lapack_driver="stevd")
        weights[row] = vectors[0] ** 2
    return (1 + nodes) / 2, weights
