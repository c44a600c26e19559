"""BG/NBD and MBG/NBD: purchases at an own rate, and after each a chance of leaving for good."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.linalg import block_diag, eigh_tridiagonal
from scipy.special import betaln, expit, gammaln, polygamma, psi

from loyalty_lab.btyd.distinct import Distinct
from loyalty_lab.btyd.likelihood import PurchaseModel

NODES = 32
ROWS_AT_ONCE = 16_384
trigamma = partial(polygamma, 1)


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
    _rows_of = Distinct.each
    # A customer can leave after each repeat purchase (0), or also after the first one (1).
    _first_may_be_last = 0

    def _derivatives(self, params: np.ndarray, second: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Log-likelihood in weeks and its derivatives: what hangs on the frequency alone, and what hangs on the whole row."""
        r, alpha, a, b = params
        visits, n = self._data.levels[0], self._data.count_of(0)
        chances = b + visits + self._first_may_be_last
        by_visits = gammaln(r + visits) - gammaln(r) + r * np.log(alpha) + betaln(a, chances) - betaln(a, b)
        d_r, d_alpha = n @ (psi(r + visits) - psi(r) + np.log(alpha)), n.sum() * r / alpha
        d_a = n @ (psi(a + b) - psi(a + chances))
        d_b = n @ (psi(chances) - psi(a + chances) - psi(b) + psi(a + b))
        total, slope, curve = self._rows(params, second)
        total, slope = float(n @ by_visits + total), np.add(slope, [d_r, d_alpha, d_a, d_b])
        if not second:
            return total, slope, None
        rates = [[n @ (trigamma(r + visits) - trigamma(r)), n.sum() / alpha], [n.sum() / alpha, -n.sum() * r / alpha**2]]
        apart, own = n @ (trigamma(a + b) - trigamma(a + chances)), n @ (trigamma(chances) - trigamma(b))
        return total, slope, curve + block_diag(rates, [[apart, apart], [apart, apart + own]])

    def _rows(self, params: np.ndarray, second: bool) -> tuple[float, np.ndarray, np.ndarray]:
        """Sum of log((alpha + T)^-(r + x) + odds (alpha + recency)^-(r + x)), still here or gone; its slope and its curvature.

        That is log(1 + exp(g)) - (r + x) log(alpha + T), g being the log odds of having gone.
        """
        r, alpha, a, b = params
        data, (visits, recencies, ages) = self._data, self._data.levels
        bought = data.once("bought", lambda: np.bincount(data.at[2], data.counts * data.column(0), minlength=len(ages)))
        counts, shapes = data.count_of(2), r * data.count_of(2) + bought
        of_age, of_recency = ((np.log(alpha + days), 1 / (alpha + days)) for days in (ages, recencies))
        of_visits = r + visits, self._log_odds_gone(visits, r, a, b), -self._per_chance(visits, b)
        tables = (of_visits, of_recency, of_age)
        total, slope = -shapes @ of_age[0], np.array([-counts @ of_age[0], -shapes @ of_age[1], 0.0, 0.0])
        curve, cross = np.zeros((4, 4)), -counts @ of_age[1]
        curve[:2, :2] = [[0.0, cross], [cross, shapes @ of_age[1] ** 2]]
        # Few rows at a time stay in the cache.
        for start in range(0, len(data.counts), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            columns = [table[at[part]] for at, group in zip(data.at, tables, strict=True) for table in group]
            more = _gone(data.counts[part], *columns, a, second)
            total, slope, curve = total + more[0], slope + more[1], curve + more[2]
        return total, slope, curve

    def _per_chance(self, x: np.ndarray, b: float) -> np.ndarray:
        """One over b and the purchases survived before the last one, at which somebody may have left; 0 without any."""
        chances = b + x - 1 + self._first_may_be_last
        return np.where(x + self._first_may_be_last > 0, 1 / np.where(chances > 0, chances, 1.0), 0.0)

    def _log_odds_gone(self, x: np.ndarray, r: float, a: float, b: float) -> np.ndarray:
        """Log odds of having left right after the last purchase against being a customer still, before the silence is looked at."""
        possible = x + self._first_may_be_last > 0
        return np.where(possible, np.log(a * np.where(possible, self._per_chance(x, b), 1.0)), -np.inf)

    def _alive(self, data: Distinct) -> np.ndarray:
        r, alpha, a, b = self.params_
        visits, recencies, ages = data.levels
        silence = np.log(alpha + ages)[data.at[2]] - np.log(alpha + recencies)[data.at[1]]
        return expit(-(self._log_odds_gone(visits, r, a, b)[data.at[0]] + (r + visits)[data.at[0]] * silence))

    def _quiet(self, data: Distinct, horizon_days: float) -> np.ndarray:
        r, alpha = self.params_[["r", "alpha"]]
        return data.by(0, 2, work=lambda some: np.exp(-(r + some.column(0)) * np.log1p(horizon_days / (alpha + some.column(1)))))

    def _orders(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Expected purchases of somebody who has not left.

        The expectation over the rate is closed, E[(1 - exp(-rate p t)) / p] = (1 - (1 + p t / (alpha + T))^-(r + x)) / p;
        that over the chance p of leaving, Beta(a, b + x), is Gauss-Jacobi quadrature, which stays exact to
        many digits where the published 2F1 form divides by a - 1 = 0.
        """
        return data.by(0, 2, work=lambda some: self._orders_of(some, horizon_days))

    def _orders_of(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """The same, of rows of frequency and T."""
        r, alpha, a, b = self.params_
        shape, rate = r + data.column(0), alpha + data.column(1)
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


def _gone(
    counts: np.ndarray, shape: np.ndarray, odds: np.ndarray, closer: np.ndarray, log_recency: np.ndarray, near: np.ndarray,
    log_age: np.ndarray, far: np.ndarray, a: float, second: bool,
) -> tuple[float, np.ndarray, np.ndarray]:  # fmt: skip
    """Sum of log(1 + exp(g)) over rows, its slope and its curvature by r, alpha, a and b.

    With p = expit(g) they are the sums of p dg and of p (1 - p) dg dg' + p d2g. `near` and `far` are 1 / (alpha + recency)
    and 1 / (alpha + T), `closer` is the slope of the log odds by b.
    """
    silence = log_age - log_recency
    gone = odds + shape * silence
    small = np.exp(-np.abs(gone))
    surer = 1 / (1 + small)
    left = counts * np.where(gone > 0, surer, small * surer)
    change = np.empty((4, len(counts)))  # of g, by each parameter
    change[0], change[1], change[2], change[3] = silence, shape * (far - near), 1 / a, closer
    total, slope, curve = counts @ (np.maximum(gone, 0) + np.log1p(small)), change @ left, np.zeros((4, 4))
    if second:
        spread = counts * small * surer**2
        curve = (change * spread) @ change.T
        cross = left @ (far - near)
        curve[:2, :2] += [[0.0, cross], [cross, -(left * change[1]) @ (far + near)]]
        curve[2:, 2:] += np.diag([-slope[2] / a, left @ closer**2])
    return total, slope, curve


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
