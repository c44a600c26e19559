"""Pareto/NBD: purchases at an own rate until an own, unseen end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag
from scipy.special import gammaln, polygamma, psi

from loyalty_lab.btyd.distinct import Distinct
from loyalty_lab.btyd.likelihood import PurchaseModel

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)
NODES, LOG_WEIGHTS = (NODES + 1) / 2, np.log(WEIGHTS / 2)
FADED = 40.0
ROWS_AT_ONCE = 2_000


class ParetoNBDModel(PurchaseModel):
    """Pareto/NBD: purchases come at a customer's own rate; at an unseen moment, also at an own rate, the customer leaves.

    Rates of buying are Gamma(r, alpha) and of leaving Gamma(s, beta) distributed over customers and
    independent. The integral over the unseen moment is Gauss-Legendre quadrature in log(time): the
    published form by the hypergeometric function overflows for frequent buyers.

    Parameters
    ----------
    prior_weight : float, default 0.0
        Weight, in customers, of a weak normal prior on the log parameters (middle r = 0.7, alpha = 8
        weeks, s = 0.7, beta = 10 weeks; standard deviation 1). 0.0 is plain bounded maximum likelihood.

    Attributes
    ----------
    params_ : pandas.Series
        r, alpha (days), s, beta (days).
    standard_errors_ : pandas.Series
        Of the same, by the curvature at the estimate; infinite where the data do not hold a parameter.
    log_likelihood_ : float
        Without the prior, time in days; in weeks it is larger by sum(frequency) * log(7).
    converged_ : bool
    dropout_identified_ : bool
        False where s or beta ran to a bound or nobody came back; `note_` says so in words.

    References
    ----------
    Schmittlein, Morrison, Colombo (1987), Counting your customers: who are they and what will they do
    next?, Management Science 33(1), 1-24. Fader, Hardie (2005), A note on deriving the Pareto/NBD model
    and related expressions, brucehardie.com/notes/009.

    Examples
    --------
    >>> import pandas as pd
    >>> summary = pd.DataFrame({"frequency": [0, 1, 4, 2], "recency": [0, 30, 80, 60], "T": [90, 90, 90, 70]}, index=list("abcd"))
    >>> model = ParetoNBDModel(prior_weight=1.0).fit(summary)
    >>> bool(model.probability_no_purchase(summary, 30).between(0, 1).all())
    True
    """

    _names = ("r", "alpha", "s", "beta")
    _middle = (0.7, 8.0, 0.7, 10.0)
    _starts = ((0.7, 8.0, 0.7, 10.0), (0.3, 4.0, 0.3, 5.0), (2.0, 20.0, 0.1, 10.0), (0.1, 1.0, 2.0, 50.0))
    _leaving = ("s", "beta")

    def _derivatives(self, params: np.ndarray, second: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Log-likelihood in weeks and its derivatives, from distinct rows with counts."""
        r, alpha = params[:2]
        visits, n = self._data.levels[0], self._data.count_of(0)
        total = n @ (gammaln(r + visits) - gammaln(r) + r * np.log(alpha))
        slope = np.array([n @ (psi(r + visits) - psi(r) + np.log(alpha)), n.sum() * r / alpha, 0.0, 0.0])
        curve = np.zeros((4, 4)) if second else None
        if second:
            own = n @ (polygamma(1, r + visits) - polygamma(1, r))
            curve[:2, :2] = [[own, n.sum() / alpha], [n.sum() / alpha, -n.sum() * r / alpha**2]]
        for counts, x, recency, age in _parts(self._data):
            shares = _Shares.of(params, counts, x, recency, age)
            total, slope = total + counts @ shares.log_chance, slope + shares.slopes() @ counts
            curve = curve + shares.curve() if second else None
        return float(total), slope, curve

    def _alive(self, data: Distinct) -> np.ndarray:
        r, alpha, s, beta = self.params_
        return np.concatenate([_share_alive(r + x, alpha, s, beta, recency, age) for _, x, recency, age in _parts(data)] or [np.zeros(0)])

    def _quiet(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Staying without a purchase, or leaving before the first one; no more than certain by rounding."""
        return data.by(0, 2, work=lambda some: self._quiet_of(some, horizon_days))

    def _quiet_of(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """The same, of rows of frequency and T."""
        r, alpha, s, beta = self.params_
        chances = [np.zeros(0)]
        for _, x, age in _parts(data):
            stays = -(r + x) * np.log1p(horizon_days / (alpha + age)) - s * np.log1p(horizon_days / (beta + age))
            leaves = _leaving(r + x, alpha + age, s, beta + age, np.zeros(len(x)), np.full(len(x), float(horizon_days)))[0]
            chances.append(np.exp(stays) + np.exp(leaves + ((r + x) * np.log(alpha + age))[:, None]).sum(axis=1))
        return np.minimum(np.concatenate(chances), 1.0)

    def _orders(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Rate times expected time left in the horizon, (beta + T) * ((1 + H / (beta + T))^(1 - s) - 1) / (1 - s), whole at s = 1 too."""
        r, alpha, s, beta = self.params_
        rate, left = alpha + data.column(2), beta + data.column(2)
        log_growth = np.log1p(horizon_days / left)
        stays = left * (log_growth if s == 1 else np.expm1((1 - s) * log_growth) / (1 - s))
        return (r + data.column(0)) / rate * stays


def _parts(data: Distinct) -> Iterator[tuple[np.ndarray, ...]]:
    """Counts and columns of the distinct rows, few enough at once for any memory."""
    for start in range(0, len(data.counts), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        yield data.counts[part], *(levels[at[part]] for levels, at in zip(data.levels, data.at, strict=True))


def _leaving(shape: np.ndarray, alpha, s: float, beta, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log of s beta^s (beta + y)^-(s + 1) (alpha + y)^-shape dy at the nodes of [start, end], and log(alpha + y), log(beta + y).

    With w = log((c + y) / (c + start)), c the smaller of alpha and beta, the integrand falls at least
    as fast as at its start and is smooth over a distance of pi, so that few nodes suffice; what lies
    beyond a fall by exp(-40) is left out.
    """
    nearer, farther = (alpha, beta) if np.all(np.less_equal(alpha, beta)) else (beta, alpha)
    start_near = nearer + start
    width = np.log((nearer + end) / start_near)
    fall = start_near * (shape / (alpha + start) + (s + 1) / (beta + start)) - 1
    width = np.where(fall > 0, np.minimum(width, FADED / np.maximum(fall, 1e-300)), width)
    log_near = np.log(start_near)[:, None] + width[:, None] * NODES
    log_far = np.log(np.exp(log_near) + np.reshape(farther - nearer, (-1, 1)))
    log_alpha, log_beta = (log_near, log_far) if nearer is alpha else (log_far, log_near)
    constant = np.log(np.maximum(width, 1e-300)) + np.log(s) + s * np.log(beta)
    logs = LOG_WEIGHTS + constant[:, None] + log_near - (s + 1) * log_beta - shape[:, None] * log_alpha
    return logs, log_alpha, log_beta


@dataclass
class _Shares:
    """The chance of each row as a sum of shares: one for each moment of leaving after the last purchase, and one for staying.

    With d the slope of the log of a share and E the mean by share, the log of the sum has the slope E[d] and the
    curvature E[d' + d d] - E[d] E[d].
    """

    params: np.ndarray
    counts: np.ndarray
    shape: np.ndarray
    at_alpha: np.ndarray
    at_beta: np.ndarray
    log_chance: np.ndarray
    left: np.ndarray  # rows by moments
    stayed: np.ndarray
    moments: list[np.ndarray]  # rows by moments: minus log(alpha + y), 1 / (alpha + y), and the same of beta
    means: list[np.ndarray]  # sums of the shares themselves, and of the moments by share

    @classmethod
    def of(cls, params: np.ndarray, counts: np.ndarray, x: np.ndarray, recency: np.ndarray, age: np.ndarray) -> _Shares:
        """Work the shares out."""
        r, alpha, s, beta = params
        shape, at_alpha, at_beta = r + x, alpha + age, beta + age
        leaving, log_alpha, log_beta = _leaving(shape, alpha, s, beta, recency, age)
        alive = -shape * np.log(at_alpha) + s * (np.log(beta) - np.log(at_beta))
        most = np.maximum(leaving.max(axis=1), alive)
        left, stayed = np.exp(leaving - most[:, None]), np.exp(alive - most)
        total = left.sum(axis=1) + stayed
        left /= total[:, None]
        moments = [-log_alpha, np.exp(-log_alpha), -log_beta, np.exp(-log_beta)]
        means = [left.sum(axis=1), *(np.einsum("ij,ij->i", left, moment) for moment in moments)]
        return cls(params, counts, shape, at_alpha, at_beta, most + np.log(total), left, stayed / total, moments, means)

    def stayers(self) -> np.ndarray:
        """Slope of the share of staying."""
        _, _, s, beta = self.params
        by_beta = np.log(beta) - np.log(self.at_beta), s / beta - s / self.at_beta
        return np.array([-np.log(self.at_alpha), -self.shape / self.at_alpha, *by_beta])

    def slopes(self) -> np.ndarray:
        """Slope of each row, parameters by rows."""
        _, _, s, beta = self.params
        gone, log_alpha, per_alpha, log_beta, per_beta = self.means
        by_beta = (1 / s + np.log(beta)) * gone + log_beta, s / beta * gone - (s + 1) * per_beta
        return np.array([log_alpha, -self.shape * per_alpha, *by_beta]) + self.stayed * self.stayers()

    def curve(self) -> np.ndarray:
        """Curvature, summed over the rows."""
        _, _, s, beta = self.params
        slopes, stayers, stayed, left = self.slopes(), self.stayers(), self.stayed * self.counts, self.left * self.counts[:, None]
        log_alpha, per_alpha, log_beta, per_beta = self.moments
        leavers = [log_alpha, -self.shape[:, None] * per_alpha, log_beta + (1 / s + np.log(beta)), s / beta - (s + 1) * per_beta]
        weighted = [left * each for each in leavers]
        curve = np.array([[np.vdot(one, other) for other in leavers] for one in weighted])
        curve += (stayed * stayers) @ stayers.T - (slopes * self.counts) @ slopes.T
        gone, _, mean_alpha, _, mean_beta = (self.counts @ mean for mean in self.means)
        whole = gone + stayed.sum()
        cross = -mean_alpha - stayed @ (1 / self.at_alpha), whole / beta - mean_beta - stayed @ (1 / self.at_beta)
        by_alpha = stayed @ (self.shape / self.at_alpha**2) - np.vdot(weighted[1], per_alpha)
        by_beta = stayed @ (s / self.at_beta**2) + s / beta * mean_beta - s * whole / beta**2 - np.vdot(weighted[3], per_beta)
        return curve + block_diag([[0.0, cross[0]], [cross[0], by_alpha]], [[-gone / s**2, cross[1]], [cross[1], by_beta]])


def _share_alive(shape: np.ndarray, alpha: float, s: float, beta: float, recency: np.ndarray, age: np.ndarray) -> np.ndarray:
    leaving = _leaving(shape, alpha, s, beta, recency, age)[0]
    alive = -shape * np.log(alpha + age) + s * (np.log(beta) - np.log(beta + age))
    return 1 / (1 + np.exp(np.minimum(leaving - alive[:, None], 700)).sum(axis=1))
