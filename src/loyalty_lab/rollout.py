"""Reading what began place by place, or in weeks drawn by lot, beside those where it had not begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from loyalty_lab import panels, redraws
from loyalty_lab.errors import InputError
from loyalty_lab.estimates import NOTHING, Estimate, estimate
from loyalty_lab.panels import NEVER
from loyalty_lab.results import Message

FEWEST_UNITS, FEWEST_BEFORE, FEWEST_WEEKS = 6, 6, 6
Factors = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Staggered:
    """What a staged start changed, in the units of the value.

    `effect` is the mean over all groups and periods since they began; `naive` the two-way fixed effects regression.
    `event_study` has one row for each `period_since` beginning, with its `effect`; negative ones lie before it.
    `pre_trend` is the mean of the leads, with p: below zero, groups had been gaining on those that began later. `reason` is
    "passed" (grade B), or why it is D: "together", "case_study", "short", "pre_trend".
    """

    effect: Estimate
    naive: Estimate
    event_study: pd.DataFrame
    pre_trend: Estimate
    units: int
    periods_before: int
    grade: str
    reason: str


@dataclass(frozen=True)
class Switchback:
    """What the weeks drawn for it changed, in the units of the value; `naive` counts the days just after a switch as well.

    `reason` is "passed" (grade B), or "few_weeks" (D).
    """

    effect: Estimate
    naive: Estimate
    weeks_on: int
    weeks_off: int
    rows_left_out: int
    grade: str
    reason: str


def staggered(
    panel: pd.DataFrame, starts: Mapping[Any, Any], unit: str = "unit", period: str = "period", value: str = "value",
    weight: str | None = None, random_state: int = 0,
) -> Staggered:  # fmt: skip
    """Estimate what a roll-out changed that began in different places at different times.

    Group g is all that began in period g. In period t it is compared with those that had not begun by then, each
    since period g - 1; all groups and periods t >= g are averaged by the weight of the group:

        ATT(g, t) = mean of group (Y_t - Y_(g-1)) - mean of not yet begun (Y_t - Y_(g-1)).

    p and interval come from the order of the roll-out: starts are dealt anew among the units. The interval holds every
    constant effect that, once taken away, leaves an order as ordinary as any other.

    Parameters
    ----------
    panel : pandas.DataFrame
        One row a unit and period, with every unit in every period: `value` and perhaps a `weight`, such as customers, which
        counts as the unit's mean before anybody began. Periods may be anything that sorts.
    starts : mapping
        Unit -> the first period in which it was at work. A unit that is missing here, or begins after the last period,
        has not begun. One that began with the first period is left out.
    random_state : int

    Returns
    -------
    Staggered
        Grade B if there are at least 6 units and 6 periods before the first start, an interval, and no sign (p < 0.05) of drifting
        apart before; otherwise D. If all began together there is nothing to compare, and the estimates hold nothing.

    Raises
    ------
    InputError
        If a column is missing, a unit has a period twice or not at all, a value is not a number, a weight is not above
        zero, a start names an unknown unit or does not sort among the periods, or nobody has begun.

    References
    ----------
    Callaway, Sant'Anna (2021), Difference-in-differences with multiple time periods, Journal of Econometrics 225.
    Roth, Sant'Anna (2023), Efficient estimation for staggered rollout designs, Journal of Political Economy Microeconomics 1.
    Goodman-Bacon (2021), Difference-in-differences with variation in treatment timing, Journal of Econometrics 225.

    Examples
    --------
    >>> panel = pd.DataFrame([(u, t, u + t + 2.0 * (u < 4 and t >= 8)) for u in range(8) for t in range(12)],
    ...                      columns=["unit", "period", "value"])
    >>> found = staggered(panel, {0: 8, 1: 8, 2: 8, 3: 8})
    >>> round(found.effect.value, 6), found.effect.clear, found.grade
    (2.0, True, 'B')
    """
    wide, weights, begun = panels.laid_out(panel, starts, unit, period, value, weight)
    first = int(begun.min())
    if (begun == first).all():
        return Staggered(NOTHING, NOTHING, _events(wide[:0], begun[:0], weights[:0]), NOTHING, len(wide), first, "D", "together")
    orders = _orders(len(wide), random_state)
    effect = _effect(wide, begun, weights, orders)
    drift = _drift(wide, begun, weights, orders, effect.value)
    reason = _reason(len(wide), first, effect, drift)
    return Staggered(
        effect, _two_way(wide, begun, weights), _events(wide, begun, weights), drift, len(wide), first,
        "B" if reason == "passed" else "D", reason,
    )  # fmt: skip


def _reason(units: int, before: int, effect: Estimate, drift: Estimate) -> str:
    if units < FEWEST_UNITS or effect.low is None:
        return "case_study"
    if before < FEWEST_BEFORE:
        return "short"
    return "pre_trend" if drift.p is not None and drift.p < redraws.ALPHA else "passed"


def _group_time(begun: np.ndarray, weights: np.ndarray, periods: int, since: int | None = None) -> np.ndarray:
    """The estimate as one factor for every unit and period: it is the sum of factors times values.

    With `since`, only the period so long after each group's beginning counts (negative: before it); otherwise all since then.
    """
    found, total, t = np.zeros((len(begun), periods)), 0.0, np.arange(periods)
    for group in np.unique(begun[begun < NEVER]):
        mine = np.where(begun == group, weights, 0.0)
        others = weights[:, None] * (begun[:, None] > np.maximum(t, group))
        size = others.sum(axis=0)
        counted = (size > 0) & (t >= group if since is None else t == group + since)
        apart = (mine[:, None] - mine.sum() * others / np.where(size > 0, size, 1.0)) * counted
        found += apart
        found[:, group - 1] -= apart.sum(axis=1)
        total += mine.sum() * counted.sum()
    return found / total if total else found


def _leads(begun: np.ndarray, weights: np.ndarray, periods: int) -> np.ndarray:
    """Factors of the mean lead: each group in the periods before it began, against those that began later, since period g - 1."""
    found, total, t = np.zeros((len(begun), periods)), 0.0, np.arange(periods)
    for group in np.unique(begun[begun < NEVER]):
        mine, others = np.where(begun == group, weights, 0.0), np.where(begun > group, weights, 0.0)
        if group > 1 and others.sum():
            found += (mine - mine.sum() * others / others.sum())[:, None] * np.where(t < group - 1, 1, (1 - group) * (t == group - 1))
            total += mine.sum() * (group - 1)
    return found / total if total else found


def _orders(units: int, random_state: int) -> np.ndarray:
    return np.random.default_rng(random_state).permuted(np.tile(np.arange(units), (redraws.REDRAWS, 1)), axis=1)


def _redrawn(factors: Factors, begun: np.ndarray, weights: np.ndarray, periods: int, orders: np.ndarray) -> Iterator[np.ndarray]:
    """Factors when starts are dealt anew; where all units weigh the same they only change places."""
    if np.ptp(weights) == 0:
        plain = factors(begun, weights, periods)
        return (plain[order] for order in orders)
    return (factors(begun[order], weights, periods) for order in orders)


def _effect(wide: np.ndarray, begun: np.ndarray, weights: np.ndarray, orders: np.ndarray) -> Estimate:
    periods = wide.shape[1]
    at_work = np.arange(periods) >= begun[:, None]
    value = float((_group_time(begun, weights, periods) * wide).sum())
    drawn = np.array([((each * wide).sum(), each[at_work].sum()) for each in _redrawn(_group_time, begun, weights, periods, orders)])
    return redraws.estimate(value, drawn[:, 0], drawn[:, 1])


def _drift(wide: np.ndarray, begun: np.ndarray, weights: np.ndarray, orders: np.ndarray, effect: float) -> Estimate:
    if begun.min() < 2:
        return NOTHING
    periods = wide.shape[1]
    # A redrawn order looks for leads where something had begun; without its effect these periods are like the others.
    plain = wide - effect * (np.arange(periods) >= begun[:, None])
    value = float((_leads(begun, weights, periods) * wide).sum())
    drawn = np.array([(each * plain).sum() for each in _redrawn(_leads, begun, weights, periods, orders)])
    return Estimate(value, None, None, redraws.two_sided_p(value, drawn))


def _two_way(wide: np.ndarray, begun: np.ndarray, weights: np.ndarray) -> Estimate:
    """Regression on unit, period and being at work, with standard errors clustered by unit."""
    y, d = (_without_means(each, weights) for each in (wide, (np.arange(wide.shape[1]) >= begun[:, None]).astype("float64")))
    square, n = float((weights[:, None] * d**2).sum()), len(wide)
    value = float((weights[:, None] * d * y).sum() / square)
    scores = (weights[:, None] * d * (y - value * d)).sum(axis=1)
    spread = float(np.sqrt((scores**2).sum() * n / (n - 1)) / square)
    return estimate(value, spread, n - 1)


def _without_means(table: np.ndarray, weights: np.ndarray) -> np.ndarray:
    apart = table - table.mean(axis=1, keepdims=True)
    return apart - np.average(apart, axis=0, weights=weights)


def _events(wide: np.ndarray, begun: np.ndarray, weights: np.ndarray) -> pd.DataFrame:
    """The mean effect by periods since the beginning; the period just before it is what all others are compared with."""
    rows, periods = [], wide.shape[1]
    for since in [each for each in range(1 - periods, periods) if each != -1]:
        factors = _group_time(begun, weights, periods, since)
        if factors.any():
            rows.append((since, float((factors * wide).sum())))
    return pd.DataFrame(rows, columns=["period_since", "effect"])


def switchback(
    days: pd.DataFrame, unit: str = "unit", week: str = "week", on: str = "on", value: str = "value", day: str = "day",
    washout_days: int = 1, random_state: int = 0,
) -> Switchback:  # fmt: skip
    """Estimate what a practice changed that was on in weeks drawn by lot.

    Within each unit the mean of the weeks with it less the mean of the weeks without it, a week being the mean of its rows;
    units are weighted by their weeks. p and interval come from dealing the weeks of each unit anew.

    Parameters
    ----------
    days : pandas.DataFrame
        One row a unit and day, or several: `on` is 0 or 1, the same all week. Rows may be whole weeks, without `day`, if
        `washout_days` is 0.
    washout_days : int
        Days of trade left out after each switch, while the week before still reaches over. What ran before the first week
        is not known, so that it counts as a switch too.
    random_state : int

    Returns
    -------
    Switchback
        Grade B if at least 6 weeks were drawn with it and 6 without it, summed over units, and an interval can be told.

    Raises
    ------
    InputError
        If a column is missing or has gaps, `on` is not 0 or 1 or changes within a week, or a value is not a number.

    References
    ----------
    Bojinov, Simchi-Levi, Zhao (2023), Design and analysis of switchback experiments, Management Science 69.

    Examples
    --------
    >>> weeks = pd.DataFrame({"unit": "B1", "week": range(16), "on": [1, 0, 0, 1, 1, 0, 1, 0] * 2})
    >>> weeks["value"] = 0.3 + 0.1 * weeks["on"] + 0.01 * (weeks["week"] % 3)
    >>> found = switchback(weeks, washout_days=0)
    >>> round(found.effect.value, 2), found.effect.clear, found.grade
    (0.1, True, 'B')
    """
    units = _weeks(days, unit, week, on, value, day, washout_days)
    size = [sum(int((each["on"] == arm).sum()) for each in units) for arm in (1, 0)]
    left_out = int(sum(each.loc[_switched(each["on"].to_numpy()), "washed"].sum() for each in units))
    effect, naive = (_by_weeks(units, after, random_state) for after in ("after", "mean"))
    enough = min(size) >= FEWEST_WEEKS and effect.low is not None
    return Switchback(effect, naive, *size, left_out, "B" if enough else "D", "passed" if enough else "few_weeks")


def _weeks(days: pd.DataFrame, unit: str, week: str, on: str, value: str, day: str, washout_days: int) -> list[pd.DataFrame]:
    """Weeks of each unit that had both kinds: `on`, the `mean` of all rows, the mean `after` the washout, and rows `washed` out."""
    where = "switchback"
    panels.need(days, where, [unit, week, on, value, *([day] if washout_days else [])], [value])
    odd = set(days[on].unique()) - {0, 1}
    if odd:
        raise InputError(where, f"{on!r} holds {sorted(map(str, odd))[0]!r}", "write 1 for weeks with it and 0 for weeks without it")
    by_week = days.groupby([unit, week], sort=True)
    kinds = by_week[on].nunique()
    if (kinds > 1).any():
        raise InputError(where, f"{on!r} changes within {panels.named(*kinds.idxmax())}", "draw whole weeks, and name them so")
    washed = by_week[day].rank(method="dense") <= washout_days if washout_days else pd.Series(False, index=days.index)
    after = days[value].where(~washed).groupby([days[unit], days[week]], sort=True).mean()
    found = pd.DataFrame({"on": by_week[on].first().astype("int64"), "mean": by_week[value].mean(), "after": after})
    found["washed"] = washed.groupby([days[unit], days[week]], sort=True).sum()
    return [each for _, each in found.groupby(level=0) if each["on"].nunique() == 2]


def _switched(on: np.ndarray) -> np.ndarray:
    """Where a week differs from the one before it; the first always does. Weeks run along the last axis."""
    first = np.ones((*on.shape[:-1], 1), dtype=bool)
    return np.concatenate([first, on[..., 1:] != on[..., :-1]], axis=-1)


def _by_weeks(units: list[pd.DataFrame], after: str, random_state: int) -> Estimate:
    if not units:
        return NOTHING
    draw, found, weeks = np.random.default_rng(random_state), np.zeros((2, redraws.REDRAWS + 1)), sum(map(len, units))
    for each in units:
        on, mean, later = (each[name].to_numpy() for name in ("on", "mean", after))
        dealt = np.vstack([on, draw.permuted(np.tile(on, (redraws.REDRAWS, 1)), axis=1)])
        told = np.where(_switched(dealt), later, mean)
        found += len(each) / weeks * np.array([_apart(told, dealt), _apart(np.where(np.isnan(told), np.nan, on), dealt)])
    return redraws.estimate(float(found[0, 0]), found[0, 1:], found[1, 1:])


def _apart(told: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    """Mean of the weeks with it less that without it, row by row; nothing where a side is empty."""
    sides = [(dealt == arm) & ~np.isnan(told) for arm in (1, 0)]
    counts = [side.sum(axis=1) for side in sides]
    means = [np.where(side, told, 0.0).sum(axis=1) / np.maximum(count, 1) for side, count in zip(sides, counts, strict=True)]
    return np.where(np.minimum(*counts) > 0, means[0] - means[1], 0.0)


def said(found: Staggered | Switchback, name: str) -> Message:
    """Say what a staged start or drawn weeks show of a value that is the share of customers who came back.

    Parameters
    ----------
    found : Staggered or Switchback
    name : str
        Text key of what was begun.

    Returns
    -------
    results.Message
        Below ``without-lot``: a caused change and what it rests on, "not shown", or a case without a forecast.

    Examples
    --------
    >>> found = Switchback(Estimate(0.05, 0.02, 0.08, 0.01), NOTHING, 8, 8, 0, "B", "passed")
    >>> said(found, "answer-fast.name").key
    'without-lot.weeks.more'
    """
    effect, args = found.effect, {"name": name}
    if found.grade != "B":
        kind = "none" if effect.value is None else "seen"
        return Message(key=f"without-lot.case.{kind}", args=args | {"effect": effect.value, "why": f"without-lot.why.{found.reason}"})
    way = "unclear" if not effect.clear else "more" if effect.value > 0 else "less"
    ends = (effect.value, effect.low, effect.high) if way != "less" else (-effect.value, -effect.high, -effect.low)
    kind = "staged" if isinstance(found, Staggered) else "weeks"
    return Message(key=f"without-lot.{kind}.{way}", args=args | dict(zip(("effect", "low", "high"), ends, strict=True)))
