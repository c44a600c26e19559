"""Reading a round that was split by lot: what was spent, how sure that is, whether the lot held, and several rounds as one."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pandas as pd

from loyalty_lab.errors import InputError
from loyalty_lab.estimates import NOTHING, Estimate, estimate
from loyalty_lab.proportions import LEVEL

TREATED, CONTROL = "treated", "control"
SRM_ALARM, SMD_ALARM, CONTAMINATION_ALARM = 0.001, 0.25, 0.10
CAP, RANK = 0.99, 1e-10
RESAMPLES, FEWEST = 2_000, 10


def check_people(people: pd.DataFrame, needed: tuple[str, ...]) -> None:
    """Refuse a round that lacks a column, knows an arm that is none, or names a person twice."""
    missing = [name for name in needed if name not in people.columns]
    if missing:
        raise InputError("round", f"lacks the column {missing[0]!r}; it has {list(people.columns)}", "add it")
    unknown = set(people["arm"].unique()) - {TREATED, CONTROL}
    if unknown:
        raise InputError("round", f"holds the arm {sorted(map(str, unknown))[0]!r}", "arms are treated and control")
    if people.index.duplicated().any():
        raise InputError("round", f"holds {people.index[people.index.duplicated()][0]!r} twice", "keep one row a person")


def difference(people: pd.DataFrame, outcome: str) -> Estimate:
    """Return the mean of an outcome among the treated less that among the controls, as the lot was drawn.

    Matched pairs are compared within the pair, the others within their stratum, and the parts are weighted by how many
    people they hold:

        effect = sum over parts of n_s / N * (mean treated - mean control),
        variance = sum of (n_s / N)^2 * variance of the part.

    A stratum with an empty arm is left out. A share is read by `rates.difference`.

    Parameters
    ----------
    people : pandas.DataFrame
        One row a person: `arm` (treated or control), `stratum`, `pair` ("" for none) and the outcome.
    outcome : str
        A column of numbers.

    Returns
    -------
    Estimate
        Interval by the normal distribution, by Student's t for pairs alone.

    Raises
    ------
    InputError
        If a column is missing, an arm is unknown, or a person stands there twice.

    References
    ----------
    Imbens, Rubin (2015), Causal Inference for Statistics, Social, and Biomedical Sciences, chapters 9 and 10.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated", "control"] * 40, "stratum": "all", "pair": "", "back": [1, 0, 1, 1] * 20})
    >>> difference(people, "back").value
    0.5
    """
    check_people(people, ("arm", "stratum", "pair", outcome))
    parts = dealt_together(people, outcome, _of_pairs, _of_stratum)
    weight = sum(n for n, _, _, _ in parts)
    if not weight:
        return NOTHING
    value = sum(n / weight * mean for n, mean, _, _ in parts)
    spread = sqrt(sum((n / weight) ** 2 * variance for n, _, variance, _ in parts))
    freedom = parts[0][3] if len(parts) == 1 else None
    return estimate(value, spread, freedom)


def dealt_together(people: pd.DataFrame, outcome: str, of_pairs: Callable, of_stratum: Callable) -> list:
    """Return what is found of each part of a round that tells something: all whole pairs, by their differences, and each stratum."""
    paired = people["pair"].astype(str) != ""
    found = [of_pairs(_within_pairs(people[paired], outcome))] if paired.any() else []
    found += [of_stratum(group, outcome) for _, group in people[~paired].groupby("stratum", sort=True)]
    return [part for part in found if part is not None]


def _within_pairs(people: pd.DataFrame, outcome: str) -> pd.Series:
    told = people.assign(told=people[outcome].astype("float64"))
    wide = told.pivot_table(index="pair", columns="arm", values="told", observed=True).reindex(columns=[TREATED, CONTROL])
    return (wide[TREATED] - wide[CONTROL]).dropna()


def _of_pairs(apart: pd.Series) -> tuple[int, float, float, int | None] | None:
    """Number of people, mean difference, its variance and degrees of freedom (pairs only)."""
    if len(apart) < 2:
        return None
    return 2 * len(apart), float(apart.mean()), float(apart.var(ddof=1) / len(apart)), len(apart) - 1


def _of_stratum(group: pd.DataFrame, outcome: str) -> tuple[int, float, float, int | None] | None:
    arms = [group.loc[group["arm"] == arm, outcome].astype("float64") for arm in (TREATED, CONTROL)]
    if min(map(len, arms)) < 2:
        return None
    variance = sum(each.var(ddof=1) / len(each) for each in arms)
    return len(group), float(arms[0].mean() - arms[1].mean()), float(variance), None


def adjusted_difference(people: pd.DataFrame, outcome: str, before: list[str]) -> tuple[Estimate, float]:
    """Return the difference adjusted for what was known before the lot was drawn, and how much that explained.

    Lin's regression, outcome ~ T * (X - mean X) with standard errors HC2. `explained` is the squared
    correlation of the outcome with X among all (what CUPED calls rho squared): the share of variance that went.

    Parameters
    ----------
    people : pandas.DataFrame
        As for `difference`, with the columns of `before`.
    outcome : str
    before : list of str
        Columns measured before the assignment.

    Returns
    -------
    tuple of Estimate, float

    References
    ----------
    Lin (2013), Agnostic notes on regression adjustments to experimental data, Annals of Applied Statistics 7(1).
    Deng, Xu, Kohavi, Walker (2013), Improving the sensitivity of online controlled experiments (CUPED), WSDM.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> people = pd.DataFrame({"arm": ["treated", "control"] * 200, "stratum": "all", "pair": "", "x": draw.normal(size=400)})
    >>> people["y"] = people["x"] + (people["arm"] == "treated") + 0.1 * draw.normal(size=400)
    >>> estimate, explained = adjusted_difference(people, "y", ["x"])
    >>> round(estimate.value, 1), explained > 0.7
    (1.0, True)
    """
    check_people(people, ("arm", outcome, *before))
    treated, y = (people["arm"] == TREATED).to_numpy(), people[outcome].to_numpy(dtype="float64")
    if min(treated.sum(), (~treated).sum()) < FEWEST:
        return NOTHING, 0.0
    X = people[before].to_numpy(dtype="float64") - people[before].to_numpy(dtype="float64").mean(axis=0)
    (one, variance), (other, other_variance) = (_at_mean(y[arm], X[arm]) for arm in (treated, ~treated))
    fitted = X @ (np.linalg.pinv(X, rcond=RANK) @ (y - y.mean()))
    return estimate(one - other, sqrt(variance + other_variance)), float(fitted.var() / y.var()) if y.std() > 0 else 0.0


def _at_mean(y: np.ndarray, X: np.ndarray) -> tuple[float, float]:
    """What one arm's own regression says of a person in the middle of all (zero), and its variance HC2; idle columns weigh nothing."""
    centred = X - X.mean(axis=0)
    inverse = np.linalg.pinv(centred, rcond=RANK)
    weights = 1 / len(y) - X.mean(axis=0) @ inverse
    rest = y - y.mean() - centred @ (inverse @ (y - y.mean()))
    free = 1 - 1 / len(y) - np.einsum("ij,ji->i", centred, inverse)
    return float(weights @ y), float(((weights * rest) ** 2 / np.maximum(free, RANK)).sum())


def permutation_p(people: pd.DataFrame, outcome: str, random_state: int = 0) -> float | None:
    """Return the two-sided p-value of Welch's statistic when arms are dealt anew within pairs and strata.

    Plain Welch at few controls calls a useless letter a success too often: they miss the rare big spenders.

    References
    ----------
    Janssen (1997), Studentized permutation tests for non-i.i.d. hypotheses, Statistics and Probability Letters 36.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated", "control"] * 30, "stratum": "all", "pair": "", "spend": [40.0, 1.0] * 30})
    >>> permutation_p(people.assign(spend=people["spend"] + np.arange(60)), "spend") < 0.05
    True
    """
    check_people(people, ("arm", "stratum", "pair", outcome))
    y, treated = people[outcome].to_numpy(dtype="float64"), (people["arm"] == TREATED).to_numpy()
    if min(treated.sum(), (~treated).sum()) < 2 or y.std() == 0:
        return None
    block = np.where(people["pair"].astype(str) != "", "pair " + people["pair"].astype(str), "stratum " + people["stratum"].astype(str))
    both = np.column_stack([y - y.mean(), (y - y.mean()) ** 2])
    draw = np.random.default_rng(random_state)
    dealt = sum(_dealt(both[at], int(treated[at].sum()), draw) for _, at in pd.Series(range(len(y))).groupby(block, sort=True))
    sums = np.vstack([both[treated].sum(axis=0), dealt])
    found = np.abs(_welch(sums, both.sum(axis=0) - sums, int(treated.sum()), int((~treated).sum())))
    return float(((found[1:] >= found[0] - 1e-9).sum() + 1) / (RESAMPLES + 1))


def _dealt(both: np.ndarray, treated: int, draw: np.random.Generator) -> np.ndarray:
    """Sums over those who would be treated, dealt anew many times within one block."""
    if len(both) == 2 and treated == 1:
        return both[draw.integers(0, 2, RESAMPLES)]
    fewer = min(treated, len(both) - treated)
    deals = (draw.choice(len(both), fewer, replace=False, shuffle=False) for _ in range(RESAMPLES))
    sums = np.array([both[deal].sum(axis=0) for deal in deals])
    return sums if fewer == treated else both.sum(axis=0) - sums


def _welch(one: np.ndarray, other: np.ndarray, n: int, m: int) -> np.ndarray:
    """Welch's statistic of each row of sums (of y, of y squared) over one arm and over the other."""
    spread = sum((sums[:, 1] - sums[:, 0] ** 2 / size) / (size - 1) / size for sums, size in ((one, n), (other, m)))
    root = np.sqrt(np.maximum(spread, 0))
    return np.divide(one[:, 0] / n - other[:, 0] / m, root, out=np.zeros_like(root), where=root > 0)


def ratio_difference(people: pd.DataFrame, numerator: str, denominator: str) -> Estimate:
    """Return the difference of two ratios of sums, such as value per order, as the lot was drawn; the customer is the unit.

    By the delta method a ratio R = sum(num) / sum(den) of an arm is the mean of R + (num - R den) / mean(den) over its customers;
    those means are compared as in `difference`: within the pair, or within the stratum.

    Parameters
    ----------
    people : pandas.DataFrame
        As for `difference`.
    numerator, denominator : str
        Columns of numbers.

    Returns
    -------
    Estimate
        None throughout where the denominator of an arm sums to zero.

    References
    ----------
    Deng, Knoblich, Lu (2018), Applying the delta method in metric analytics, KDD.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated", "control"] * 20, "stratum": "all", "pair": "", "value": [30.0, 10.0] * 20})
    >>> ratio_difference(people.assign(orders=[3, 1] * 20), "value", "orders").value
    0.0
    """
    check_people(people, ("arm", "stratum", "pair", numerator, denominator))
    both = people[[numerator, denominator]].astype("float64")
    mean = both.groupby(people["arm"].astype(str)).transform("mean")
    if (mean[denominator] == 0).any():
        return NOTHING
    ratio = mean[numerator] / mean[denominator]
    return difference(people.assign(linear=ratio + (both[numerator] - ratio * both[denominator]) / mean[denominator]), "linear")


def capped(people: pd.DataFrame, outcome: str, before: str) -> pd.Series:
    """Return an outcome cut at the 99th percentile of what was spent before, both arms together; whole where nobody spent before.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": "treated", "spend": [5.0, 900.0], "before": [10.0, 20.0]})
    >>> capped(people, "spend", "before").tolist()
    [5.0, 19.9]
    """
    return people[outcome].clip(upper=cap(people, before))


def cap(people: pd.DataFrame, before: str) -> float | None:
    """Return the 99th percentile of what those spent before who spent anything; None where nobody did."""
    known = people.loc[people[before] > 0, before]
    return float(known.quantile(CAP)) if len(known) else None


def sample_ratio_p(people: pd.DataFrame) -> float:
    """Return how likely arms as unequal as these are, if the lot was drawn as written down; below 0.001 something went wrong.

    Chi-square on the numbers in each arm against the propensities; pairs, one of each by design, say nothing.

    References
    ----------
    Fabijan et al. (2019), Diagnosing sample ratio mismatch in online controlled experiments, KDD.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated"] * 90 + ["control"] * 10, "pair": "", "propensity": 0.5})
    >>> sample_ratio_p(people) < 0.001
    True
    """
    from scipy.special import chdtrc

    check_people(people, ("arm", "pair", "propensity"))
    free = people[people["pair"].astype(str) == ""]
    chance = free["propensity"].astype("float64")
    variance, apart = float((chance * (1 - chance)).sum()), float((free["arm"] == TREATED).sum() - chance.sum())
    return float(chdtrc(1, apart**2 / variance)) if variance else 1.0


def imbalance(people: pd.DataFrame, before: list[str]) -> tuple[str | None, float]:
    """Return what differs most between the arms of all that was known before, in pooled standard deviations.

    Examples
    --------
    >>> people = pd.DataFrame({"arm": ["treated", "control"] * 10, "spend_before": [1.0, 1.0, 2.0, 2.0] * 5})
    >>> imbalance(people, ["spend_before"])
    ('spend_before', 0.0)
    """
    check_people(people, ("arm", *before))
    worst: tuple[str | None, float] = (None, 0.0)
    for name in before:
        a, b = (people.loc[people["arm"] == arm, name].astype("float64") for arm in (TREATED, CONTROL))
        if min(len(a), len(b)) < 2:
            continue
        spread = sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
        apart = float((a.mean() - b.mean()) / spread) if spread else 0.0
        if worst[0] is None or abs(apart) > abs(worst[1]):
            worst = (name, apart)
    return worst


def pooled(estimates: list[Estimate], standard_errors: list[float]) -> Estimate:
    """Return one estimate from several rounds, weighted by how sure each is, allowing for rounds that truly differ.

    Random effects by DerSimonian and Laird; with one round it is that round.

    References
    ----------
    DerSimonian, Laird (1986), Meta-analysis in clinical trials, Controlled Clinical Trials 7.

    Examples
    --------
    >>> one = Estimate(0.10, 0.0, 0.2, 0.05)
    >>> both = pooled([one, one], [0.05, 0.05])
    >>> round(both.value, 3), both.low > one.low
    (0.1, True)
    """
    told = [(each.value, error) for each, error in zip(estimates, standard_errors, strict=True) if each.value is not None and error > 0]
    if not told:
        return NOTHING
    values, errors = (np.array(part) for part in zip(*told, strict=True))
    weight = 1 / errors**2
    beyond = (weight * (values - (weight * values).sum() / weight.sum()) ** 2).sum() - (len(values) - 1)
    scale = weight.sum() - (weight**2).sum() / weight.sum()
    between = max(0.0, beyond / scale) if scale > 0 else 0.0
    weight = 1 / (errors**2 + between)
    return estimate(float((weight * values).sum() / weight.sum()), float(sqrt(1 / weight.sum())))


def holm(ps: list[float | None]) -> list[float | None]:
    """Return p-values adjusted for how many tactics were read at once; what has none keeps none.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> [round(p, 3) if p is not None else None for p in holm([0.01, None, 0.04])]
    [0.02, None, 0.04]
    """
    known = sorted((p, place) for place, p in enumerate(ps) if p is not None)
    adjusted, largest = list(ps), 0.0
    for at, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - at) * p))
        adjusted[place] = float(largest)
    return adjusted


def confidence_sequence(n: int, spread: float, planned_n: int, alpha: float = 1 - LEVEL) -> float:
    """Return the half-width of an interval of a mean that stays right however often it is looked at.

    sd * sqrt(2 (n r^2 + 1) / (n^2 r^2) * log(sqrt(n r^2 + 1) / alpha)), r chosen for the planned n.

    References
    ----------
    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory and asymptotic confidence
    sequences, Annals of Statistics 52.

    Examples
    --------
    >>> confidence_sequence(1000, 1.0, 1000) > 1.96 / 1000**0.5
    True
    """
    r2 = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / planned_n
    return float(spread * sqrt(2 * (n * r2 + 1) / (n**2 * r2) * np.log(sqrt(n * r2 + 1) / alpha)))
