"""A share and how sure it is: Wilson's interval for one, Newcombe's for the difference of two."""

from __future__ import annotations

from datetime import date
from math import sqrt
from typing import TYPE_CHECKING

from loyalty_lab.results import Fact

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

LEVEL = 0.95
Z = 1.959963984540054
FEWEST = 5


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


def by_group(group: pd.Series, yes: pd.Series) -> pd.DataFrame:
    """Return the share of each group, drawn towards the share of all as far as its size does not speak for itself.

    The share is the mean of a beta distribution whose prior is estimated from all groups (empirical Bayes, by moments). Two
    customers never make a percentage: the raw share is missing where fewer than five stand in a group, and the drawn-in one
    leans on the others.

    Parameters
    ----------
    group : pandas.Series
        Of each row, which group it belongs to; rows without one are left out.
    yes : pandas.Series
        Truth values, aligned with `group`.

    Returns
    -------
    pandas.DataFrame
        One row a group, largest share first: `group`, `n`, `count`, `raw`, `share`, `low`, `high` (95%).

    References
    ----------
    Kleinman (1973), Proportions with extraneous variance, JASA 68.

    Examples
    --------
    >>> import pandas as pd
    >>> group, yes = pd.Series(list("a" * 40 + "b" * 40 + "c" * 2)), pd.Series([True, False, True, False, True]).repeat([30, 10, 10, 30, 2])
    >>> found = by_group(group, yes.reset_index(drop=True))
    >>> found["group"].tolist(), found["raw"].round(2).tolist(), found["share"].round(2).tolist()
    (['a', 'c', 'b'], [0.75, nan, 0.25], [0.72, 0.65, 0.28])
    """
    import pandas as pd
    from scipy.special import betaincinv

    known = group.notna()
    cells = yes[known].astype(bool).groupby(group[known].astype(str)).agg(n="size", count="sum").reset_index(names="group")
    total, kept = float(cells["n"].sum()), cells["count"].astype("float64")
    mean = kept.sum() / total if total else 0.0
    strength = _prior_strength(cells["n"].to_numpy(dtype="float64"), kept.to_numpy(), mean)
    ends = [kept + strength * mean, cells["n"] - kept + strength * (1 - mean)]
    sure = wilson(int(kept.sum()), int(total))
    low, high = (
        betaincinv(*ends, tail) if 0 < mean < 1 else end for tail, end in zip(((1 - LEVEL) / 2, (1 + LEVEL) / 2), sure, strict=True)
    )
    raw = (kept / cells["n"]).where(cells["n"] >= FEWEST)
    found = cells.assign(raw=raw, share=ends[0] / (cells["n"] + strength), low=low, high=high)
    if found.empty:
        return pd.DataFrame(columns=["group", "n", "count", "raw", "share", "low", "high"])
    return found.sort_values(["share", "n", "group"], ascending=[False, False, True], ignore_index=True).astype(
        {"n": "int64", "count": "int64"}
    )


def _prior_strength(n: np.ndarray, count: np.ndarray, mean: float) -> float:
    """How many rows the prior is worth: as many as there are where groups differ no more than by chance, never fewer than `FEWEST`."""
    total, spread = n.sum(), mean * (1 - mean)
    room = total - (n**2).sum() / total if total else 0.0
    if room <= 0 or spread <= 0:
        return max(FEWEST, total)
    between = ((n * (count / n - mean) ** 2).sum() - (len(n) - 1) * spread) / room
    return max(FEWEST, min(total, spread / between - 1)) if between > 0 else max(FEWEST, total)
