"""Ratios of sums over customers, how sure they are, and by how much one value lies above another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loyalty_lab.proportions import LEVEL, Z
from loyalty_lab.results import Fact


def influence(above: Sequence[np.ndarray], below: Sequence[np.ndarray]) -> np.ndarray:
    """Return by how much each customer moves the logarithm of a product of sums over another; zeros where a sum is zero.

    Examples
    --------
    >>> influence([np.array([30.0, 10.0])], [np.array([1.0, 1.0])]).tolist()
    [0.25, -0.25]
    """
    sums = [float(each.sum()) for each in (*above, *below)]
    if not all(sums):
        return np.zeros(len(above[0]))
    return sum(each / each.sum() for each in above) - sum(each / each.sum() for each in below)


def of_sums(above: Sequence[np.ndarray], below: Sequence[np.ndarray], unit: str = "ratio", n: int | None = None) -> Fact:
    """Return a product of sums over customers divided by another, with its interval by the delta method on the log scale.

    Parameters
    ----------
    above, below : sequence of numpy.ndarray
        One value for each customer, the same customers in the same order throughout.
    unit : str
        As in `Fact`.
    n : int, optional
        How many the ratio rests on; all of them if not given.

    Returns
    -------
    Fact
        No value where a sum is zero.

    Examples
    --------
    >>> found = of_sums([np.array([30.0, 10.0] * 50)], [np.array([1.0, 1.0] * 50)])
    >>> found.value, [round(end, 1) for end in found.interval[:2]]
    (20.0, [18.1, 22.1])
    """
    n = len(above[0]) if n is None else n
    if not all(float(each.sum()) for each in (*above, *below)):
        return Fact(value=None, unit=unit, n=n)
    value = float(np.prod([each.sum() for each in above]) / np.prod([each.sum() for each in below]))
    half = Z * float(np.sqrt((influence(above, below) ** 2).sum()))
    return Fact(value=value, unit=unit, n=n, interval=(value * float(np.exp(-half)), value * float(np.exp(half)), LEVEL))


def change(then: Fact, now: Fact, alike: float = 0.0, level: float = LEVEL) -> Fact:
    """Return by how much `now` lies above `then`, from their own intervals (MOVER).

    Parameters
    ----------
    then, now : Fact
    alike : float
        Correlation of the two: 0 for different people, towards 1 where most customers and days count in both.
    level : float
        Of the interval that is returned; that of the facts is stretched to it.

    Returns
    -------
    Fact
        No value where one of them has none, no interval where one of them has none. For two shares of different people this is
        `proportions.difference`.

    References
    ----------
    Zou, Donner (2008), Construction of confidence limits about effect measures: a general approach, Statistics in Medicine 27.

    Examples
    --------
    >>> then, now = (Fact(value=value, unit="share", interval=(value - 0.03, value + 0.03, 0.95)) for value in (0.6, 0.7))
    >>> [round(end, 3) for end in change(then, now).interval[:2]], [round(end, 3) for end in change(then, now, alike=0.9).interval[:2]]
    ([0.058, 0.142], [0.087, 0.113])
    """
    n = min((fact.n for fact in (then, now) if fact.n is not None), default=None)
    if then.value is None or now.value is None:
        return Fact(value=None, unit=now.unit, n=n)
    apart = now.value - then.value
    if then.interval is None or now.interval is None:
        return Fact(value=apart, unit=now.unit, n=n)
    below = _joined(now.value - now.interval[0], then.interval[1] - then.value, alike)
    above = _joined(now.interval[1] - now.value, then.value - then.interval[0], alike)
    stretch = _normal(level) / Z
    return Fact(value=apart, unit=now.unit, n=n, interval=(apart - stretch * below, apart + stretch * above, level))


def _joined(one: float, other: float, alike: float) -> float:
    return float(np.sqrt(max(0.0, one**2 + other**2 - 2 * alike * one * other)))


def _normal(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))


def clear(found: Fact) -> bool:
    """Return whether the interval of a difference leaves zero out.

    Examples
    --------
    >>> clear(Fact(value=0.1, unit="share", interval=(0.02, 0.18, 0.95))), clear(Fact(value=0.1, unit="share"))
    (True, False)
    """
    return found.interval is not None and (found.interval[0] > 0 or found.interval[1] < 0)
