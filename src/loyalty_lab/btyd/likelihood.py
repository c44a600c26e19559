"""What the models share: checked columns, and maximum likelihood within bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import ThreadpoolController

from loyalty_lab.btyd.distinct import Distinct
from loyalty_lab.errors import InputError

WEEK = 7.0
BOUND = 8.0
PRIOR_SPREAD = 1.0
GRADIENT_TOLERANCE = 1e-4
FEW_TO_START, MORE_TO_START = 1_000, 20_000
PRECISION, ROUGH = {"ftol": 1e-12, "gtol": 1e-8, "maxiter": 500}, {"ftol": 1e-8, "gtol": 1e-4, "maxiter": 100}
NEWTON_STEPS, LONGEST_STEP, LAST_STEP, ROUGH_STEP = 8, 1.0, 1e-6, 1e-2
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


def weights_of(summary: pd.DataFrame, sample_weight: np.ndarray | pd.Series | None) -> np.ndarray | None:
    """Return how many customers each row of a summary stands for, as numbers above zero; None where each stands for one.

    Raises
    ------
    InputError
        If there are more or fewer weights than rows, or one is missing, infinite or not above zero.
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight, dtype="float64")
    if weights.shape != (len(summary),):
        raise InputError("sample_weight", f"has the shape {weights.shape} for {len(summary)} rows", "give one number a row")
    _refuse(summary, ~(np.isfinite(weights) & (weights > 0)), "have a weight that is no number above zero", "leave those rows out")
    return weights


def _refuse(summary: pd.DataFrame, wrong: np.ndarray, what: str, remedy: str) -> None:
    if wrong.any():
        named = ", ".join(repr(each) for each in summary.index[wrong][:NAMED_AT_MOST])
        more = f" and {wrong.sum() - NAMED_AT_MOST} more" if wrong.sum() > NAMED_AT_MOST else ""
        raise InputError("summary", f"customers {named}{more} {what}", remedy)


@dataclass(frozen=True)
class _Point:
    """Log parameters, and what the objective is and how it changes there."""

    at: np.ndarray
    value: float
    gradient: np.ndarray
    hessian: np.ndarray | None
    likelihood: float


@cache
def _threads() -> ThreadpoolController:
    """The libraries that bring threads of their own; looking for them takes longer than a small fit."""
    return ThreadpoolController()


class BoundedLikelihood(BaseEstimator):
    """Maximum likelihood on log parameters within bounds, with further starts only where the first fails its check.

    Attributes of a fit: `params_` and `standard_errors_` (by the curvature at the estimate; infinite for a parameter
    that the data do not hold), `converged_` (the slope is zero, or held by a bound), `at_bound_` (names).
    """

    columns: tuple[str, ...]
    _names: tuple[str, ...]
    _middle: tuple[float, ...]
    _starts: tuple[tuple[float, ...], ...]

    def __init__(self, prior_weight: float = 0.0):
        self.prior_weight = prior_weight

    def fit(self, summary: pd.DataFrame, y=None, sample_weight: np.ndarray | pd.Series | None = None):
        """Estimate the parameters from the `columns` of a customer summary that the model looks at; time in days.

        Parameters
        ----------
        summary : pandas.DataFrame
            One row a customer; or distinct rows.
        y : None
            Not used.
        sample_weight : array-like of float, optional
            How many customers each row stands for; one if not given.

        Raises
        ------
        InputError
            If a column is missing, a number is missing, infinite or negative, `recency` is above `T`, a customer stands there twice,
            or a weight is not above zero.
        """
        self._estimate(columns_of(summary, self.columns), weights_of(summary, sample_weight))
        return self

    def _estimate(self, columns: list[np.ndarray], weights: np.ndarray | None) -> None:
        """Fit the checked columns, each row standing for as many customers as its weight says, or for one."""
        raise NotImplementedError

    def _fit_rows(self, data: Distinct, bounds: list[tuple[float, float]], units: list[float]) -> float:
        """Estimate from distinct rows; returns the log-likelihood in the fit's own units."""
        # One thread: matrices of four parameters are not worth more, and sums come out the same on every machine.
        with _threads().limit(limits=1):
            found = self._maximise(data, bounds)
        del self._data
        errors = _log_errors(found.hessian * max(data.counts.sum(), 1.0), _inside(found.at, bounds))
        self.params_ = pd.Series(np.exp(found.at) * units, index=list(self._names))
        self.standard_errors_ = self.params_ * errors
        return found.likelihood

    def _maximise(self, data: Distinct, bounds: list[tuple[float, float]]) -> _Point:
        """The best point found: from near it by Newton's method where there are many rows, else by descent within the bounds."""
        near = self._near(data, bounds)
        self._data, self.converged_ = data, False
        best, starts = None, [np.log(start) for start in self._starts]
        for start in starts if near is None else [near, *starts]:
            found = self._stepped(start, bounds) if start is near else None
            found = found or self._point(self._descended(start, bounds, PRECISION))
            slope, curved = _check(found.gradient, found.hessian, found.at, bounds)
            inside = _inside(found.at, bounds)
            if best is None or found.value < best.value - 1e-10:
                best, self.converged_ = found, slope < GRADIENT_TOLERANCE
                self.at_bound_ = [name for name, free in zip(self._names, inside, strict=True) if not free]
            if slope < GRADIENT_TOLERANCE and inside.all() and curved:
                break
        return best

    def _near(self, data: Distinct, bounds: list[tuple[float, float]]) -> np.ndarray | None:
        """Where the best point lies by a share of the rows, and then by a larger one; None where all are few."""
        if len(data.counts) <= 2 * FEW_TO_START:
            return None
        self._data = data.thinned(len(data.counts) // FEW_TO_START)
        near = self._descended(np.log(self._starts[0]), bounds, ROUGH)
        if len(data.counts) <= 2 * MORE_TO_START:
            return near
        self._data = data.thinned(len(data.counts) // MORE_TO_START)
        nearer = self._stepped(near, bounds, ROUGH_STEP)
        return near if nearer is None else nearer.at

    def _descended(self, start: np.ndarray, bounds: list[tuple[float, float]], precision: dict[str, float]) -> np.ndarray:
        return minimize(self._objective, start, jac=True, method="L-BFGS-B", bounds=bounds, options=precision).x

    def _stepped(self, start: np.ndarray, bounds: list[tuple[float, float]], last: float = LAST_STEP) -> _Point | None:
        """The point where the slope is zero, by full Newton steps; None where they lead uphill, too far, or out of bounds.

        What a step leaves is of the order of its square: after one shorter than `last` nothing is looked at again.
        """
        point = self._point(start)
        for _ in range(NEWTON_STEPS):
            if not _inside(point.at, bounds).all() or _least_curvature(point.hessian) <= 0:
                return None
            step = np.linalg.solve(point.hessian, -point.gradient)
            if np.abs(step).max() > LONGEST_STEP:
                return None
            if np.abs(step).max() < last:
                return replace(point, at=point.at + step)
            before, point = point, self._point(point.at + step)
            if not point.value <= before.value + 1e-9:
                return None
        return None

    def _objective(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Mean negative log-likelihood with the prior, and its gradient."""
        point = self._point(log_params, second=False)
        return point.value, point.gradient

    def _log_likelihood(self, log_params: np.ndarray) -> tuple[float, np.ndarray]:
        """Log-likelihood of `_data` and its gradient by the log parameters."""
        params = np.exp(log_params)
        value, slope, _ = self._derivatives(params, second=False)
        return value, slope * params

    def _point(self, log_params: np.ndarray, second: bool = True) -> _Point:
        """The objective and its derivatives at a point, and the log-likelihood alone."""
        params, n, weight = np.exp(log_params), max(self._data.counts.sum(), 1.0), self.prior_weight / PRIOR_SPREAD**2
        likelihood, slope, curve = self._derivatives(params, second)
        away = log_params - np.log(self._middle)
        hessian = weight * np.eye(len(params)) - np.outer(params, params) * curve - np.diag(slope * params) if second else None
        value, gradient = weight * (away @ away) / 2 - likelihood, weight * away - slope * params
        return _Point(log_params, value / n, gradient / n, hessian / n if second else None, likelihood)

    def _derivatives(self, params: np.ndarray, second: bool) -> tuple[float, np.ndarray, np.ndarray | None]:
        """Log-likelihood of `_data`, its gradient by the parameters and, where asked for, its second derivatives."""
        raise NotImplementedError


def _check(gradient: np.ndarray, hessian: np.ndarray, at: np.ndarray, bounds: list[tuple[float, float]]) -> tuple[float, bool]:
    """Largest slope that is not held by a bound, and whether the second derivatives are positive where none is."""
    low, high = np.array(bounds).T
    free = ~(((at - low < 1e-6) & (gradient > 0)) | ((high - at < 1e-6) & (gradient < 0)))
    return float(np.abs(gradient[free]).max(initial=0.0)), _least_curvature(hessian[np.ix_(free, free)]) > 0


def _least_curvature(hessian: np.ndarray) -> float:
    """The smallest second derivative in any direction; below all numbers where it is none."""
    return float(np.linalg.eigvalsh(hessian).min(initial=np.inf)) if np.isfinite(hessian).all() else -np.inf


def _log_errors(hessian: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Standard errors of the log parameters; infinite at a bound, or where the likelihood is flat."""
    errors, free = np.full(len(inside), np.inf), hessian[np.ix_(inside, inside)]
    if inside.any() and _least_curvature(free) > 1e-9:
        errors[inside] = np.sqrt(np.diag(np.linalg.inv(free)))
    return errors


def _inside(at: np.ndarray, bounds: list[tuple[float, float]]) -> np.ndarray:
    low, high = np.array(bounds).T
    return (at - low >= 1e-6) & (high - at >= 1e-6)


class PurchaseModel(BoundedLikelihood):
    """What the three models of coming and leaving have in common: fit on `frequency, recency, T`, and the questions they answer."""

    columns = ("frequency", "recency", "T")
    _leaving: tuple[str, str]
    # Finding equal rows pays where a row costs much.
    _rows_of = Distinct.of

    def _estimate(self, columns: list[np.ndarray], weights: np.ndarray | None) -> None:
        """Time is counted in weeks."""
        data = Distinct.of(columns, weights).scaled([1.0, WEEK, WEEK])
        units = [WEEK if name in ("alpha", "beta") else 1.0 for name in self._names]
        likelihood = self._fit_rows(data, [(-BOUND, BOUND)] * 4, units)
        frequency = columns[0]
        self.log_likelihood_ = float(likelihood - data.counts @ data.column(0) * np.log(WEEK))
        self.dropout_identified_ = bool(frequency.any() and not set(self._leaving) & set(self.at_bound_))
        self.note_ = "" if self.dropout_identified_ else self._why_not(frequency)

    def _why_not(self, frequency: np.ndarray) -> str:
        if not frequency.any():
            return "nobody has bought twice, so how customers leave cannot be told; the forecast rests on how long they have been silent"
        return "this history cannot tell customers who left from customers who buy rarely; the forecast holds, a rate of leaving does not"

    def _asked(self, summary: pd.DataFrame) -> Distinct:
        check_is_fitted(self, "params_")
        return self._rows_of(columns_of(summary, self.columns))

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
