"""What followed an experience that no lot has dealt out: the raw difference, the adjusted one, and what would explain it away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pandas as pd

from loyalty_lab.causes import FEWEST, Cause, e_value, in_groups, in_numbers, strongest
from loyalty_lab.errors import InputError, near_match
from loyalty_lab.estimates import NOTHING, Estimate, estimate
from loyalty_lab.proportions import Z
from loyalty_lab.results import Message

LOWEST, HIGHEST = 0.02, 0.98
COMPARABLE = 0.5
ROWS_PER_PRODUCT = 20


@dataclass(frozen=True)
class Comparison:
    """Occasions with and without an experience, compared.

    `naive` is the raw difference, `adjusted` the one after adjusting; where nothing could be adjusted for, they are equal.
    `risk_ratio` is that of the adjusted means. `kept` and `left_out` count rows; those left out had no counterpart. The
    negative control is adjusted as the outcome is, and raw where that is. `reason` is "adjusted" (grade C), or why it is D:
    "no_before", "too_few", "overlap" (`adjusted` holds nothing if too few were left to compare), "control".
    """

    naive: Estimate
    adjusted: Estimate
    risk_ratio: float | None
    risk_ratio_low: float | None
    risk_ratio_high: float | None
    kept: int
    left_out: int
    strongest: Cause | None
    negative_control: Estimate | None
    grade: str
    reason: str

    @property
    def e_value(self) -> float | None:
        """How strongly a hidden cause must be tied to both exposure and outcome to explain the difference away."""
        return e_value(self.risk_ratio)

    @property
    def e_value_bound(self) -> float | None:
        """The same for the end of the interval nearer to no effect; 1.0 if the interval holds none."""
        if self.risk_ratio is None:
            return None
        if self.risk_ratio_low <= 1 <= self.risk_ratio_high:
            return 1.0
        return e_value(self.risk_ratio_low if self.risk_ratio_low > 1 else self.risk_ratio_high)


def compare(
    rows: pd.DataFrame, exposure: str, outcome: str, before: list[str], unit: str = "customer_id",
    control_outcome: str | None = None, random_state: int = 0,
) -> Comparison:  # fmt: skip
    """Compare occasions with an experience to those without it, adjusting for what was known before.

    Augmented inverse propensity weighting, cross-fitted over two halves of the customers. Exposure and outcome (apart with
    and without exposure) are modelled by penalised logistic regressions on the covariates: numbers as normal scores of their
    ranks with squares and products, groups one-hot. Rows whose propensity lies outside 0.02 to 0.98 have no counterpart and are left out.

    Parameters
    ----------
    rows : pandas.DataFrame
        One row an occasion, say a purchase. `exposure` and `outcome` hold 0 and 1 or truth values.
    before : list of str
        Columns measured before the exposure, numbers or groups. A missing number becomes the middle one, with a column of
        its own that says so; a missing group is a group. Groups of fewer than 20 rows are taken together.
    unit : str
        The customer: halves are drawn and standard errors clustered by it.
    control_outcome : str, optional
        Something the exposure cannot have caused, such as orders before it: a number for every row. An interval of it that
        leaves zero out tells of hidden causes; one that is merely wide tells little.
    random_state : int
        Draws the two halves.

    Returns
    -------
    Comparison
        Differences in shares with 95% intervals. Grade C if at least 20 customers stand in each of the four cells of exposure and
        outcome, at least half of either side has counterparts and the negative control holds zero; otherwise D.

    Raises
    ------
    InputError
        If there are no rows, a column is missing, serves twice, is a moment in time, holds what is not 0 or 1 (exposure, outcome)
        or a gap (all but `before`), or if everybody or nobody had the experience.

    References
    ----------
    Robins, Rotnitzky, Zhao (1994), Estimation of regression coefficients when some regressors are not always observed, JASA 89.
    Chernozhukov et al. (2018), Double/debiased machine learning, The Econometrics Journal 21.
    Ding, VanderWeele (2016), Sensitivity analysis without assumptions, Epidemiology 27.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"customer_id": np.arange(4000), "regular": draw.random(4000) < 0.5})
    >>> rows["greeted"] = draw.random(4000) < 0.3 + 0.4 * rows["regular"]
    >>> rows["back"] = draw.random(4000) < 0.3 + 0.3 * rows["regular"]
    >>> found = compare(rows, "greeted", "back", ["regular"])
    >>> found.naive.clear, found.adjusted.clear, found.grade, found.strongest.name
    (True, False, 'C', 'regular')
    """
    _check(rows, exposure, outcome, before, unit, control_outcome)
    x, y = (rows[name].to_numpy(dtype="float64") for name in (exposure, outcome))
    control = None if control_outcome is None else rows[control_outcome].to_numpy(dtype="float64")
    customers = np.unique(rows[unit].astype(str).to_numpy(), return_inverse=True)[1]
    known = _covariates(rows[before])
    why = "no_before" if not known.shape[1] else "too_few" if _smallest_cell(x, y, customers) < FEWEST else None
    raw = _raw(x, y, control, customers)
    if why:
        return replace(raw, reason=why)
    return _adjusted(raw, known, (x, y, control), customers, rows[before], random_state)


def _check(rows: pd.DataFrame, exposure: str, outcome: str, before: list[str], unit: str, control: str | None) -> None:
    single = [exposure, outcome, unit, *([control] if control else [])]
    for name in [*single, *before]:
        if name not in rows.columns:
            raise InputError("comparison", f"lacks the column {name!r}; it has {list(rows.columns)}",
                             f"add it, or name another.{near_match(name, map(str, rows.columns))}")  # fmt: skip
        if [*single, *before].count(name) > 1:
            raise InputError("comparison", f"uses the column {name!r} twice", "leave it out: what is compared is not adjusted for")
        if pd.api.types.is_datetime64_any_dtype(rows[name]) and name != unit:
            raise InputError("comparison", f"{name!r} holds moments in time", "give days since something, or a month, instead")
    if rows.empty:
        raise InputError("comparison", "holds no rows", "give one row for each occasion")
    for name in single:
        if rows[name].isna().any():
            raise InputError("comparison", f"{name!r} is empty in row {rows.index[rows[name].isna()][0]!r}", "leave out rows without it")
    for name in (exposure, outcome):
        odd = set(rows[name].unique()) - {0, 1}
        if odd:
            raise InputError("comparison", f"{name!r} holds {sorted(map(str, odd))[0]!r}", "write 1 where it happened and 0 where not")
    if rows[exposure].nunique() < 2:
        raise InputError("comparison", f"{exposure!r} is {rows[exposure].iloc[0]} in every row", "take in occasions with it and without it")


def _covariates(before: pd.DataFrame) -> np.ndarray:
    """What was known before as standardised columns: normal scores of numbers, their squares and products, groups one-hot."""
    from scipy.special import ndtri

    numbers, others = [], []
    for name in before:
        if pd.api.types.is_numeric_dtype(before[name]):
            column = pd.Series(in_numbers(before[name]))
            numbers.append(np.nan_to_num(ndtri((column.rank().to_numpy() - 0.5) / max(column.count(), 1))))
            others.append(column.isna().to_numpy(dtype="float64"))
        else:
            groups = in_groups(before[name])
            others += [(groups == group).astype("float64") for group in np.unique(groups)]
    scores = np.column_stack(numbers) if numbers else np.empty((len(before), 0))
    one, other = np.triu_indices(scores.shape[1])
    if len(before) < ROWS_PER_PRODUCT * len(one):
        one = other = one[:0]
    every = np.column_stack([scores, scores[:, one] * scores[:, other], *others])
    every = every[:, every.std(axis=0) > 1e-9]
    return (every - every.mean(axis=0)) / every.std(axis=0)


def _smallest_cell(x: np.ndarray, y: np.ndarray, customers: np.ndarray) -> int:
    return min(len(np.unique(customers[(x == had) & (y == back)])) for had in (0, 1) for back in (0, 1))


def _raw(x: np.ndarray, y: np.ndarray, control: np.ndarray | None, customers: np.ndarray) -> Comparison:
    """The plain difference, as means weighted by what is known of the exposure alone: its share."""
    scores = _plain_scores(x, y)
    naive = _difference(scores, customers)
    told = None if control is None else _difference(_plain_scores(x, control), customers)
    return Comparison(naive, naive, *_ratio(scores, customers), len(x), 0, None, told, "D", "")


def _plain_scores(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    means = [y[x == had].mean() for had in (1, 0)]
    return np.array([means[0] + x * (y - means[0]) / x.mean(), means[1] + (1 - x) * (y - means[1]) / (1 - x.mean())])


def _adjusted(
    raw: Comparison, known: np.ndarray, measured: tuple[np.ndarray, np.ndarray, np.ndarray | None], customers: np.ndarray,
    before: pd.DataFrame, random_state: int,
) -> Comparison:  # fmt: skip
    x, y, control = measured
    halves = _halves(customers, random_state)
    propensity = _propensity(known, x, halves)
    kept = (propensity >= LOWEST) & (propensity <= HIGHEST)
    found = replace(raw, kept=int(kept.sum()), left_out=int((~kept).sum()))
    alike = min(kept[x == had].mean() for had in (0, 1))
    if _smallest_cell(x[kept], y[kept], customers[kept]) < FEWEST:
        return replace(found, adjusted=NOTHING, risk_ratio=None, risk_ratio_low=None, risk_ratio_high=None, reason="overlap")
    scores = _scores(known, x, y, propensity, halves)[:, kept]
    told = None if control is None else _difference(_scores(known, x, control, propensity, halves)[:, kept], customers[kept])
    reason = "overlap" if alike < COMPARABLE else "control" if told is not None and told.clear else "adjusted"
    ratio, low, high = _ratio(scores, customers[kept])
    return replace(
        found, adjusted=_difference(scores, customers[kept]), risk_ratio=ratio, risk_ratio_low=low, risk_ratio_high=high,
        negative_control=told, strongest=strongest(before[kept], x[kept], y[kept]), reason=reason,
        grade="C" if reason == "adjusted" else "D",
    )  # fmt: skip


def _halves(customers: np.ndarray, random_state: int) -> np.ndarray:
    return np.random.default_rng(random_state).permutation(customers.max() + 1)[customers] % 2


def _propensity(known: np.ndarray, x: np.ndarray, halves: np.ndarray) -> np.ndarray:
    chance = np.empty(len(x))
    for half in (0, 1):
        chance[halves == half] = _expected(known[halves != half], x[halves != half], known[halves == half])
    return chance


def _scores(known: np.ndarray, x: np.ndarray, y: np.ndarray, propensity: np.ndarray, halves: np.ndarray) -> np.ndarray:
    """Doubly robust scores, with exposure and without: shape (2, rows); their means are the adjusted means."""
    scores = np.empty((2, len(x)))
    chance = np.clip(propensity, LOWEST, HIGHEST)
    for place, (had, share) in enumerate(((x, chance), (1 - x, 1 - chance))):
        for half in (0, 1):
            learn, tell = (halves != half) & (had == 1), halves == half
            expected = _expected(known[learn], y[learn], known[tell])
            scores[place, tell] = expected + had[tell] * (y[tell] - expected) / share[tell]
    return scores


def _expected(X: np.ndarray, y: np.ndarray, told: np.ndarray) -> np.ndarray:
    """Expected outcome by penalised regression: logistic for 0 and 1, else linear; the mean where there is nothing to learn."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if len(y) == 0 or y.min() == y.max():
        return np.full(len(told), y.mean() if len(y) else 0.5)
    if set(np.unique(y)) <= {0.0, 1.0}:
        return LogisticRegression(C=1.0, max_iter=2_000).fit(X, y).predict_proba(told)[:, 1]
    return Ridge(alpha=1.0).fit(X, y).predict(told)


def clustered_error(influence: np.ndarray, customers: np.ndarray) -> float:
    """Return the standard error of a mean, clustered by customer; customers are numbered from 0."""
    sums = np.bincount(customers, weights=influence - influence.mean())
    n = len(np.unique(customers))
    return sqrt((sums**2).sum() * n / max(n - 1, 1)) / len(influence)


def _difference(scores: np.ndarray, customers: np.ndarray) -> Estimate:
    apart = scores[0] - scores[1]
    return estimate(apart.mean(), clustered_error(apart, customers))


def _ratio(scores: np.ndarray, customers: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Ratio of the two means with its interval, by the delta method on the logarithm."""
    one, other = (float(mean) for mean in scores.mean(axis=1))
    if one <= 0 or other <= 0:
        return None, None, None
    spread = clustered_error(scores[0] / one - scores[1] / other, customers)
    return one / other, exp(log(one / other) - Z * spread), exp(log(one / other) + Z * spread)


def said(comparison: Comparison, name: str) -> Message:
    """Say what a comparison shows, as its grade allows; the texts lie in ``without-lot.toml``.

    Grade C tells the adjusted difference, how strong a hidden cause would explain it away, and how strong the strongest
    cause is that was measured. Grade D tells the raw difference as the most it could be.

    Parameters
    ----------
    comparison : Comparison
        Of an outcome that means coming back.
    name : str
        Text key of what the experience is called.

    Returns
    -------
    results.Message

    Examples
    --------
    >>> nothing = Comparison(Estimate(0.1, 0.05, 0.15, 0.0), NOTHING, None, None, None, 40, 60, None, None, "D", "overlap")
    >>> said(nothing, "answer-fast.name").key
    'without-lot.D.more'
    """
    shown = comparison.adjusted if comparison.grade == "C" else comparison.naive
    low, high = sorted((abs(shown.low), abs(shown.high)))
    way = "unclear" if not shown.clear else "more" if shown.value > 0 else "less"
    args: dict[str, Any] = {"name": name, "effect": abs(shown.value), "low": low, "high": high}
    if way == "unclear":
        args |= {"effect": shown.value, "low": shown.low, "high": shown.high}
    about = _warned(comparison) if comparison.grade == "C" else {"why": f"without-lot.why.{comparison.reason}"}
    return Message(key=f"without-lot.{comparison.grade}.{way}", args=args | about)


def _warned(comparison: Comparison) -> dict[str, Any]:
    """The E-value beside the strongest measured cause, what the negative control said, and who was left out."""
    cause, bound = comparison.strongest, comparison.e_value_bound
    judged = "alone" if cause is None or bound is None else "stronger" if bound > cause.strength else "weaker"
    return {
        "judged": f"without-lot.judged.{judged}", "e": comparison.e_value, "e_bound": bound,
        "strength": cause and cause.strength, "strongest": cause and _label(cause.name),
        "checked": "without-lot.checked." + ("none" if comparison.negative_control is None else "held"),
        "remain": "without-lot.remain." + ("some" if comparison.left_out else "all"),
        "kept": comparison.kept, "left_out": comparison.left_out,
    }  # fmt: skip


def _label(name: str) -> str | dict[str, Any]:
    from loyalty_lab.language import Texts

    key = f"without-lot.cause.{name}"
    return key if name != "other" and Texts("en").has(key) else {"key": "without-lot.cause.other", "args": {"column": name}}


def ceiling_said(name: str, ceiling: float, break_even_rate: float | None = None) -> Message:
    """Say what something is worth that was not proven: the most it could bring a year, and what it must keep to pay; no forecast.

    Parameters
    ----------
    name : str
        Text key of what it is called.
    ceiling : float
        Money a year, if the whole difference came from it.
    break_even_rate : float, optional
        Share of the people that must be kept for it to pay.

    Examples
    --------
    >>> ceiling_said("answer-fast.name", 900.0, 0.032).args["rate"]
    {'key': 'common.one_in', 'args': {'x': 31}}
    """
    args: dict[str, Any] = {"name": name, "ceiling": max(ceiling, 0.0)}
    if break_even_rate is None or break_even_rate <= 0:
        return Message(key="without-lot.ceiling.money", args=args)
    if break_even_rate > 1:
        return Message(key="without-lot.ceiling.never", args=args)
    one_in = {"key": "common.one_in", "args": {"x": int(1 / break_even_rate + 1e-9)}}
    rate = one_in if break_even_rate <= 0.5 else {"key": "common.in_hundred", "args": {"x": break_even_rate}}
    return Message(key="without-lot.ceiling.break_even", args=args | {"rate": rate})
