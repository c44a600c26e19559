"""How sure an effect is when only the order was drawn: p and interval from drawing the order anew."""

from __future__ import annotations

from math import floor

import numpy as np

from loyalty_lab.estimates import Estimate
from loyalty_lab.proportions import LEVEL

REDRAWS = 999
ALPHA = 1 - LEVEL
CLOSE = 1e-9


def two_sided_p(value: float, drawn: np.ndarray) -> float:
    """Return how often a redrawn order gives at least as much, the true one counted among them.

    Examples
    --------
    >>> two_sided_p(3.0, np.array([-3.0, 1.0, 2.0]))
    0.5
    """
    return float((1 + (np.abs(drawn) >= abs(value) - CLOSE * (1 + abs(value))).sum()) / (1 + len(drawn)))


def estimate(value: float, drawn: np.ndarray, answered: np.ndarray) -> Estimate:
    """Return an estimate whose p and interval come from redrawn orders.

    The interval holds every constant effect e that, once taken away, leaves the true order as ordinary as the others
    (p > 0.05). Without e the estimates are ``value - e`` and ``drawn - e * answered``, so a redrawn order is as far out for
    the effects between two roots, and the ends are order statistics of these.

    Parameters
    ----------
    value : float
        The estimate in the true order.
    drawn : numpy.ndarray
        The same in each redrawn order, shape (redraws,).
    answered : numpy.ndarray
        What the redrawn orders say of a table that holds 1 where it was truly at work and 0 elsewhere; from -1 to 1.

    Returns
    -------
    estimates.Estimate
        Without ends where too few orders are possible to bound it.

    References
    ----------
    Rosenbaum (2002), Observational Studies, section 2.4. Fisher (1935), The Design of Experiments.

    Examples
    --------
    >>> found = estimate(2.0, np.linspace(-1, 1, 999), np.zeros(999))
    >>> round(found.low, 2), round(found.high, 2), found.p
    (1.05, 2.95, 0.001)
    """
    same = np.abs(answered) > 1 - CLOSE
    part = np.where(same, 0.0, answered)
    roots = np.array([(value - drawn) / (1 - part), (value + drawn) / (1 + part)])
    k = floor(ALPHA * (1 + len(drawn)) + CLOSE)
    low = np.sort(np.where(same, -np.inf, roots.min(axis=0)))[k - 1]
    high = np.sort(np.where(same, np.inf, roots.max(axis=0)))[-k]
    told = bool(np.isfinite(low) and np.isfinite(high))
    return Estimate(value, float(low) if told else None, float(high) if told else None, two_sided_p(value, drawn))
