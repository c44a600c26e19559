"""A share and how sure it is: Wilson's interval for one, Newcombe's for the difference of two."""

from __future__ import annotations

from datetime import date
from math import sqrt

from loyalty_lab.results import Fact

LEVEL = 0.95
Z = 1.959963984540054


def wilson(count: int, n: int, z: float = Z) -> tuple[float, float]:
    """Return the Wilson interval of a share.

    References
    ----------
    Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> [round(end, 3) for end in wilson(8, 10)]
    [0.49, 0.943]
    """
    if n == 0:
        return 0.0, 1.0
    part, weight = count / n, z * z / n
    middle = (part + weight / 2) / (1 + weight)
    half = z / (1 + weight) * sqrt(part * (1 - part) / n + weight / (4 * n))
    low = 0.0 if count == 0 else max(0.0, middle - half)
    return low, 1.0 if count == n else min(1.0, middle + half)


def share(count: int, n: int, window: tuple[date, date] | None = None, formula_key: str | None = None) -> Fact:
    """Return a share with its Wilson interval; no value where there is nobody to count.

    Examples
    --------
    >>> share(8, 10).value, share(0, 0).value
    (0.8, None)
    """
    if not n:
        return Fact(value=None, unit="share", n=0, window=window, formula_key=formula_key)
    interval = (*wilson(count, n), LEVEL)
    return Fact(value=count / n, unit="share", n=n, interval=interval, window=window, formula_key=formula_key)


def difference(one: tuple[int, int], other: tuple[int, int]) -> Fact:
    """Return by how much the share (count, n) of one group lies above that of another; no value where one is empty.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17, method 10.

    Examples
    --------
    >>> found = difference((56, 70), (48, 80))
    >>> round(found.value, 2), [round(end, 4) for end in found.interval[:2]]
    (0.2, [0.0524, 0.3339])
    """
    (a, n), (b, m) = one, other
    if not n or not m:
        return Fact(value=None, unit="share", n=n + m)
    (low_a, high_a), (low_b, high_b), p, q = wilson(a, n), wilson(b, m), a / n, b / m
    low = p - q - sqrt((p - low_a) ** 2 + (high_b - q) ** 2)
    high = p - q + sqrt((high_a - p) ** 2 + (q - low_b) ** 2)
    return Fact(value=p - q, unit="share", n=n + m, interval=(low, high, LEVEL))
