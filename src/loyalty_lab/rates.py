"""The difference of a rate between treated and controls: intervals that hold for few people, and p-values from the lot itself."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from loyalty_lab import proportions
from loyalty_lab.errors import InputError
from loyalty_lab.estimates import NOTHING, Estimate
from loyalty_lab.proportions import LEVEL
from loyalty_lab.trial import CONTROL, TREATED, check_people, dealt_together

DEALS = 20_000
SAME = 1e-9


@dataclass(frozen=True)
class _Part:
    """People whom the lot dealt together: how many, the difference of their rates, its interval, and what it could have been."""

    n: int
    value: float
    low: float
    high: float
    values: np.ndarray
    chances: np.ndarray


def difference(people: pd.DataFrame, outcome: str) -> Estimate:
    """Return the share of the treated with an outcome less that of the controls, as the lot was drawn.

    Matched pairs are compared within the pair, the others within their stratum; parts are weighted by how many people they
    hold. Each stratum has Newcombe's interval, pairs have Student's; they are put together by their own halves (MOVER). p
    is the chance that a lot dealt anew makes so large a difference in that direction, doubled, a tie counting half (mid-p):
    hypergeometric within a stratum, binomial over the pairs that differ. So a success is not seen in a control group so
    small that it merely missed those who come back.

    Parameters
    ----------
    people : pandas.DataFrame
        One row a person: `arm` (treated or control), `stratum`, `pair` ("" for none) and the outcome.
    outcome : str
        A column of truth values, or of 0 and 1.

    Returns
    -------
    Estimate
        None throughout where no stratum has two people in each arm and fewer than two pairs are whole.

    Raises
    ------
    InputError
        If a column is missing, an arm is unknown, a person stands there twice, or an outcome is neither 0 nor 1.

    References
    ----------
    Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine 17.
    Zou, Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27.
    Fagerland, Lydersen, Laake (2013), The McNemar test for binary matched-pairs data: mid-p and asymptotic are better than
    exact conditional, BMC Medical Research Methodology 13.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated"] * 54 + ["control"] * 6, "stratum": "all", "pair": ""})
    >>> found = difference(people.assign(back=[True] * 16 + [False] * 44), "back")
    >>> round(found.value, 2), round(found.p, 2), found.clear
    (0.3, 0.14, False)
    """
    check_people(people, ("arm", "stratum", "pair", outcome))
    odd = people.loc[~people[outcome].isin([0, 1]), outcome]
    if len(odd):
        raise InputError("round", f"holds the outcome {odd.iloc[0]!r} in {outcome!r}", "a rate is of what happened (1) or did not (0)")
    parts = dealt_together(people, outcome, _of_pairs, _of_stratum)
    total = sum(part.n for part in parts)
    if not total:
        return NOTHING
    weights = [part.n / total for part in parts]
    value = sum(weight * part.value for weight, part in zip(weights, parts, strict=True))
    below, above = (
        sqrt(sum((weight * (part.value - end(part))) ** 2 for weight, part in zip(weights, parts, strict=True)))
        for end in (lambda part: part.low, lambda part: part.high)
    )
    return Estimate(value, value - below, value + above, _chance(value, weights, parts))


def _of_stratum(group: pd.DataFrame, outcome: str) -> _Part | None:
    (a, n), (b, m) = ((int(arm.sum()), len(arm)) for arm in (group.loc[group["arm"] == name, outcome] for name in (TREATED, CONTROL)))
    if min(n, m) < 2:
        return None
    low, high, _ = proportions.difference((a, n), (b, m)).interval
    could = np.arange(max(0, a + b - m), min(a + b, n) + 1)
    return _Part(n + m, a / n - b / m, low, high, could / n - (a + b - could) / m, _dealt_chances(could, a + b, n, m))


def _dealt_chances(could: np.ndarray, back: int, n: int, m: int) -> np.ndarray:
    """Hypergeometric chances that so many of all who came back are among the n treated, by log-gamma: scipy's own take longer."""
    from scipy.special import gammaln

    logs = -(gammaln(could + 1) + gammaln(back - could + 1) + gammaln(n - could + 1) + gammaln(m - back + could + 1))
    chances = np.exp(logs - logs.max())
    return chances / chances.sum()


def _of_pairs(apart: pd.Series) -> _Part | None:
    from scipy.special import stdtrit
    from scipy.stats import binom

    pairs, differ = len(apart), int((apart != 0).sum())
    if pairs < 2:
        return None
    half = float(stdtrit(pairs - 1, (1 + LEVEL) / 2) * sqrt(apart.var(ddof=1) / pairs))
    could, value = np.arange(differ + 1), float(apart.mean())
    return _Part(2 * pairs, value, value - half, value + half, (2 * could - differ) / pairs, binom(differ, 0.5).pmf(could))


def _chance(value: float, weights: list[float], parts: list[_Part]) -> float:
    """Twice the chance of a difference as large as this one or larger in its direction, ties counted half."""
    dealt, chances = _dealt(weights, parts)
    tie = np.abs(dealt - value) <= SAME
    beyond = min(chances[(dealt > value) & ~tie].sum(), chances[(dealt < value) & ~tie].sum())
    return float(min(1.0, 2 * (beyond + chances[tie].sum() / 2)))


def _dealt(weights: list[float], parts: list[_Part]) -> tuple[np.ndarray, np.ndarray]:
    """The differences that a lot dealt anew can make, and their chances: all of them for one part, drawn for several."""
    if len(parts) == 1:
        return parts[0].values, parts[0].chances
    draw = np.random.default_rng(0)
    several = (
        weight * draw.choice(part.values, DEALS, p=part.chances / part.chances.sum()) for weight, part in zip(weights, parts, strict=True)
    )
    dealt = sum(several)
    return dealt, np.full(DEALS, 1 / DEALS)
