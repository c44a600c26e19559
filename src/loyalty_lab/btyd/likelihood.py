"""What the models share: checked columns, distinct rows with counts, and maximum likelihood within bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import ThreadpoolController

from loyalty_lab.errors import InputError

WEEK = 7.0
BOUND = 8.0
PRIOR_SPREAD = 1.0
GRADIENT_TOLERANCE = 1e-4
FEW_TO_START = 20_000
PRECISION = {"ftol": 1e-12, "gtol": 1e-8, "maxiter": 500}
NAMED_AT_MOST = 3


def columns_of(summary: pd.DataFrame, names: tuple[str, ...]) -> list[np.ndarray]:
    """Return columns of a customer summary as numbers, after checking that they can be one.

    Raises
    ------
    InputError
        If a column is missing, a customer stands there twice, a number is missing, infinite or negative, or
        `recency` is above `T`; the customers are named.
    """
    missing = [name for name in names if name not in summary.columns]
    if missing:
        raise InputError("summary", f"lacks the column {missing[0]!r}; it has {list(summary.columns)}", "make it with customer_summary")
    _refuse(summary, summary.index.duplicated(), "stand in it more than once", "keep one row a customer")
    columns = [summary[name].to_numpy(dtype="float64") for name in names]
    for name, column in zip(names, columns, strict=True):
        wrong = ~(np.isfinite(column) & (column >= 0))
        _refuse(summary, wrong, f"have a {name} that is missing, infinite or negative", "make it with customer_summary, or leave them out")
    if {"recency", "T"} <= set(names):
        late = columns[names.index("recency")] > columns[names.index("T")]
        _refuse(summary, late, "have a recency above T", "recency is last minus first purchase, T cutoff minus first purchase")
    return columns


def _refuse(summary: pd.DataFrame, wrong: np.ndarray, what: str, remedy: str) -> None:
    if wrong.any():
        named = ", ".join(repr(each) for each in summary.index[wrong][:NAMED_AT_MOST])
        more = f" and {wrong.sum() - NAMED_AT_MOST} more" if wrong.sum() > NAMED_AT_MOST else ""
        raise InputError("summary", f"customers {named}{more} {what}", remedy)


@dataclass(frozen=True)
class Distinct:
    """Distinct rows: the different values of each column, where in them each row stands, and how often each row occurs.

    A special function of one column is then evaluated once for each of its values, not once a row.
    """

    levels: list[np.ndarray]
    at: list[np.ndarray]
    counts: np.ndarray
    row: np.ndarray

    @classmethod
    def of(cls, columns: list[np.ndarray]) -> Distinct:
        """Find them; `row` says which distinct row each given row is."""
        coded = [pd.factorize(column, sort=True) for column in columns]
        code = np.zeros(len(columns[0]), dtype="int64")
        for at, levels in coded:
            code = code * max(len(levels), 1) + at
        row, distinct = pd.factorize(code, sort=True)  # hashing first and sorting what is left is faster than sorting all
        first = np.zeros(len(distinct), dtype="int64")
        first[row[::-1]] = np.arange(len(row))[::-1]
        counts = np.bincount(row, minlength=len(distinct)).astype("float64")
        return cls([levels for _, levels in coded], [at[first] for at, _ in coded], counts, row)

    def thinned(self, every: int) -> Distinct:
        """Every so manieth distinct row: enough to find where to start."""
        return Distinct(self.levels, [at[::every] for at in self.at], self.counts[::every], self.row[:0])

    def column(self, place: int) -> np.ndarray:
        """One column of the distinct rows."""
        return self.levels[place][self.at[place]]

    def count_of(self, place: int) -> np.ndarray:
        """How many rows have each value of one column."""
        return np.bincount(self.at[place], self.counts, minlength=len(self.levels[place]))


@cache
def _threads() -> ThreadpoolController:
    """The libraries that bring threads of their own; looking for them takes longer than a small fit."""
    return ThreadpoolController()


class BoundedLikelihood(BaseEstimator):
    """Maximum likelihood on log parameters within bounds, with further starts only where the first fails its check.

    Attributes of a fit: `params_` and `standard_errors_` (by the curvature at the estimate; infinite for a parameter
    that the data do not hold), `converged_` (the slope is zero, or held by a bound), `at_bound_` (names).
    """

    _names: tuple[str, ...]
    _middle: tuple[float, ...]
    _starts: tuple[tuple[float, ...], ...]

    def __init__(self, prior_weight: float = 0.0):
        self.prior_weight = prior_weight

    def _fit_rows(self, data: Distinct, bounds: list[tuple[float, float]], units: list[float]) -> float:
        """Estimate from distinct rows; returns the log-likelihood in the fit's own units."""
        self._data = data
        starts = [np.log(start) for start in self._starts]
        if len(data.counts) > 2 * FEW_TO_START:
            self._data = data.thinned(len(data.counts) // FEW_TO_START)
            with _threads().limit(limits=1):
                rough = minimize(self._objective, starts[0], jac=True, method="L-BFGS-B", bounds=bounds, options=PRECISION).x
            self._data, starts = data, [rough, *starts]
        # One thread: matrices of four parameters are not worth more, and sums come out the same on every machine.
        with _threads().limit(limits=1):
            found, hessian = self._maximise(starts, bounds)
        likelihood = self._log_likelihood(found)[0]
        errors = _log_errors(hessian * max(data.counts.sum(), 1.0), _inside(found, bounds))
        del self._data
        self.params_ = pd.Series(np.exp(found) * units, index=list(self._names))
        self.standard_errors_ = self.params_ * errors
        return float(likelihood)

    def _maximise(self, starts: list[np.ndarray], bounds: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
        """The best point found, and the second derivatives there."""
        best, curvature, best_value, self.converged_ = None, None, np.inf, False
        for start in starts:
            found = minimize(self._objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=PRECISION)
            hessian, inside = _hessian(self._objective, found.x), _inside(found.x, bounds)
            slope, curved = _check(self._objective(found.x)[1], hessian, found.x, bounds)
            if found.fun < best_value - 1e-10:
                best, curvature, best_value = found.x, hessian, found.fun
                self.converged_ = slope < GRADIENT_TOLERANCE
                self.at_bound_ = [name for name, free in zip(self._names, inside, strict=True) if not free]
            if slope < GRADIENT_TOLERANCE and inside.all() and curved:
                break
        return best, curvature

    def _objective(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean negative log-likelihood with the prior, and its gradient."""
        value, gradient = self._log_likelihood(log_params)
        away = (log_params - np.log(self._middle)) / PRIOR_SPREAD
        n = max(self._data.counts.sum(), 1.0)
        penalty, pull = self.prior_weight * (away @ away) / 2, self.prior_weight * away / PRIOR_SPREAD
        return (penalty - value) / n, (pull - gradient) / n

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood of `_data` and its gradient by the log parameters."""
        raise NotImplementedError


def _check(gradient: np.ndarray, hessian: np.ndarray, at: np.ndarray, bounds: list[tuple[float, float]]) -> tuple[float, bool]:
    """Largest slope that is not held by a bound, and whether the second derivatives are positive where none is."""
    low, high = np.array(bounds).T
    free = ~(((at - low < 1e-6) & (gradient > 0)) | ((high - at < 1e-6) & (gradient < 0)))
    curvature = np.linalg.eigvalsh(hessian[np.ix_(free, free)])
    return float(np.abs(gradient[free]).max(initial=0.0)), bool(curvature.min(initial=np.inf) > 0)


def _log_errors(hessian: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Standard errors of the log parameters; infinite at a bound, or where the likelihood is flat."""
    errors, free = np.full(len(inside), np.inf), hessian[np.ix_(inside, inside)]
    if inside.any() and np.linalg.eigvalsh(free).min() > 1e-9:
        errors[inside] = np.sqrt(np.diag(np.linalg.inv(free)))
    return errors


def _inside(at: np.ndarray, bounds: list[tuple[float, float]]) -> np.ndarray:
    low, high = np.array(bounds).T
    return (at - low >= 1e-6) & (high - at >= 1e-6)


def _hessian(objective: Callable, at: np.ndarray) -> np.ndarray:
    """Second derivatives, from differences of the gradient."""
    step = 1e-4 * np.eye(len(at))
    hessian = np.array([objective(at + each)[1] - objective(at - each)[1] for each in step]) / 2e-4
    return (hessian + hessian.T) / 2


class PurchaseModel(BoundedLikelihood):
    """What the three models of coming and leaving have in common: fit on `frequency, recency, T`, and the questions they answer."""

    _leaving: tuple[str, str]

    def fit(self, summary: pd.DataFrame, y=None):
        """Estimate the parameters from `frequency`, `recency`, `T` (days).

        Raises
        ------
        InputError
            If a column is missing, a number is missing, infinite or negative, `recency` is above `T`, or a customer stands there twice.
        """
        frequency, recency, age = columns_of(summary, ("frequency", "recency", "T"))
        data = Distinct.of([frequency, recency / WEEK, age / WEEK])
        units = [WEEK if name in ("alpha", "beta") else 1.0 for name in self._names]
        likelihood = self._fit_rows(data, [(-BOUND, BOUND)] * 4, units)
        self.log_likelihood_ = float(likelihood - frequency.sum() * np.log(WEEK))
        self.dropout_identified_ = bool(frequency.any() and not set(self._leaving) & set(self.at_bound_))
        self.note_ = "" if self.dropout_identified_ else self._why_not(frequency)
        return self

    def _why_not(self, frequency: np.ndarray) -> str:
        if not frequency.any():
            return "nobody has bought twice, so how customers leave cannot be told; the forecast rests on how long they have been silent"
        return "this history cannot tell customers who left from customers who buy rarely; the forecast holds, a rate of leaving does not"

    def _asked(self, summary: pd.DataFrame) -> Distinct:
        check_is_fitted(self, "params_")
        return Distinct.of(columns_of(summary, ("frequency", "recency", "T")))

    def probability_alive(self, summary: pd.DataFrame) -> pd.Series:
        """Return the probability of not having left by the cutoff.

        It is not 1 minus the churn probability: somebody who has not left may yet buy nothing for a
        long time, and under BG/NBD everybody who bought only once counts as alive.
        """
        data = self._asked(summary)
        return pd.Series(self._alive(data)[data.row], index=summary.index, name="probability_alive")

    def probability_no_purchase(self, summary: pd.DataFrame, horizon_days: int) -> pd.Series:
        """Return the probability of no purchase in the next `horizon_days`: gone, or alive and quiet."""
        data = self._asked(summary)
        never = 1 - self._alive(data) * (1 - self._quiet(data, horizon_days))
        return pd.Series(never[data.row], index=summary.index, name="probability_no_purchase")

    def expected_purchases(self, summary: pd.DataFrame, horizon_days: int) -> pd.Series:
        """Return the expected number of purchase days in the next `horizon_days`."""
        data = self._asked(summary)
        orders = self._alive(data) * self._orders(data, horizon_days)
        return pd.Series(orders[data.row], index=summary.index, name="expected_purchases")

    def customer_lifetime_value(
        self, summary: pd.DataFrame, average_value: pd.Series, horizon_days: int, discount_rate: float = 0.10, margin: float = 1.0
    ) -> pd.Series:
        """Return the discounted value of the purchases expected in the next `horizon_days`.

        The horizon is cut into steps of at most 30 days; with X(t) the expected purchases until t, m the
        middle of a step in years and d the discount rate a year,

            CLV = margin * average_value * sum over steps of (X(end) - X(start)) * (1 + d)^-m.

        Parameters
        ----------
        summary : pandas.DataFrame
            Customer summary.
        average_value : pandas.Series
            Expected value of one purchase day, as of `GammaGammaModel.expected_average_value`.
        horizon_days : int
        discount_rate : float
            A year; 0.10 is ten per cent.
        margin : float
            Share of sales that is kept.

        References
        ----------
        Fader, Hardie, Lee (2005), RFM and CLV: using iso-value curves for customer base analysis,
        Journal of Marketing Research 42(4), 415-430.
        """
        edges = np.linspace(0, horizon_days, -(-horizon_days // 30) + 1)
        until = [self.expected_purchases(summary, day) if day else 0.0 for day in edges]
        middles = (edges[1:] + edges[:-1]) / 2 / 365.25
        discounted = sum((until[k + 1] - until[k]) * (1 + discount_rate) ** -middle for k, middle in enumerate(middles))
        return (margin * average_value * discounted).rename("customer_lifetime_value")

    def _alive(self, data: Distinct) -> np.ndarray:
        """Probability of not having left, row by row."""
        raise NotImplementedError

    def _quiet(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Probability of no purchase in the horizon for somebody who has not left."""
        raise NotImplementedError

    def _orders(self, data: Distinct, horizon_days: float) -> np.ndarray:
        """Expected purchases in the horizon of somebody who has not left."""
        raise NotImplementedError
