"""Hidden causes: how strong one must be to feign an effect, and how strong those are that were measured."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

FEWEST = 20
RARE = 20


def e_value(risk_ratio: float | None) -> float | None:
    """Return how strong a hidden cause must be to explain a risk ratio away: RR + sqrt(RR (RR - 1)), of 1/RR below one.

    Both its risk ratio with the exposure and that with the outcome must be at least so large. None where there is no ratio.

    References
    ----------
    VanderWeele, Ding (2017), Sensitivity analysis in observational research: introducing the E-value, Annals of Internal
    Medicine 167.

    Examples
    --------
    >>> [round(e_value(ratio), 2) for ratio in (3.9, 1.8, 1.0, 1 / 3.9)]
    [7.26, 3.0, 1.0, 7.26]
    """
    if risk_ratio is None or risk_ratio <= 0:
        return None
    above = max(risk_ratio, 1 / risk_ratio)
    return above + sqrt(above * (above - 1))


@dataclass(frozen=True)
class Cause:
    """A cause that was measured: its risk ratio with the exposure and with the outcome, both turned so that they are 1.0 or more."""

    name: str
    with_exposure: float
    with_outcome: float

    @property
    def bias_bound(self) -> float:
        """The largest risk ratio that this cause alone can feign (Ding, VanderWeele 2016, Epidemiology 27)."""
        return self.with_exposure * self.with_outcome / (self.with_exposure + self.with_outcome - 1)

    @property
    def strength(self) -> float:
        """The same bound on the scale of the E-value: a cause tied to both by this factor could feign as much."""
        return e_value(self.bias_bound)


def measured(name: str, present: np.ndarray, x: np.ndarray, y: np.ndarray) -> Cause:
    """Return how strongly a cause is tied to an exposure, and to an outcome among those without the exposure.

    Parameters
    ----------
    name : str
    present, x, y : numpy.ndarray
        Cause, exposure and outcome, 0 or 1, of shape (rows,). Half a row is added to every count, so that none is zero.

    Examples
    --------
    >>> cause = measured("regular", np.array([1, 1, 1, 0] * 50), np.array([1, 1, 0, 0] * 50), np.array([1, 0, 1, 0] * 50))
    >>> cause.name, round(cause.with_exposure, 1)
    ('regular', 2.0)
    """
    present, x, y = (np.asarray(each, dtype="float64") for each in (present, x, y))
    had, had_not = (_share(present[x == value]) for value in (1, 0))
    if had < had_not:
        present, had, had_not = 1 - present, 1 - had, 1 - had_not
    there, not_there = (_share(y[(x == 0) & (present == value)]) for value in (1, 0))
    return Cause(name, had / had_not, max(there / not_there, not_there / there))


def _share(of: np.ndarray) -> float:
    return float((of.sum() + 0.5) / (len(of) + 1))


def strongest(before: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> Cause | None:
    """Return the strongest of all causes that were measured: a number by its upper half, a group against the rest.

    Parameters
    ----------
    before : pandas.DataFrame
        Numbers and groups known before the exposure.
    x, y : numpy.ndarray
        Exposure and outcome, 0 or 1, of shape (rows,).

    Returns
    -------
    Cause or None
        None if no cause has at least 20 rows without the exposure on either side.

    Examples
    --------
    >>> x, y = np.array([1, 1, 0, 0] * 50), np.array([1, 0, 1, 0] * 50)
    >>> strongest(pd.DataFrame({"month": ["May", "June"] * 100, "visits": [4, 4, 4, 1] * 50}), x, y).name
    'visits'
    """
    found = []
    for name in before:
        told, splits = _splits(before[name])
        for split in splits:
            if min(((x == 0) & told & (split == there)).sum() for there in (True, False)) >= FEWEST:
                found.append(measured(str(name), split[told], x[told], y[told]))
    return max(found, key=lambda cause: cause.bias_bound, default=None)


def _splits(column: pd.Series) -> tuple[np.ndarray, list[np.ndarray]]:
    """Where a column is told, and the ways to cut it in two."""
    if not pd.api.types.is_numeric_dtype(column):
        groups = in_groups(column)
        return np.ones(len(column), dtype=bool), [groups == group for group in np.unique(groups)]
    value = in_numbers(column)
    told = ~np.isnan(value)
    middle = np.median(value[told]) if told.any() else 0.0
    return told, [value > middle if (value > middle).any() else value >= middle]


def in_numbers(column: pd.Series) -> np.ndarray:
    """Return a column of numbers or truth values as floats, NaN where it is empty."""
    return column.to_numpy(dtype="float64", na_value=np.nan)


def in_groups(column: pd.Series) -> np.ndarray:
    """Return a column of groups as strings; what is empty, and groups of fewer than 20 rows, are "".

    Examples
    --------
    >>> in_groups(pd.Series(["a"] * 20 + ["b", None]))[-3:].tolist()
    ['a', '', '']
    """
    named = column.astype("object").where(column.notna(), "").astype(str)
    return named.where(named.map(named.value_counts()) >= RARE, "").to_numpy(dtype="object")
