"""What a test can show before it starts: smallest detectable effect, people needed, rounds to pool, reading date."""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

from loyalty_lab.results import Measure, Message

if TYPE_CHECKING:
    import pandas as pd

ALPHA, POWER = 0.05, 0.80
PROVABLE = 0.10
MOST_ROUNDS = 24
EVEN_SPLIT_BELOW = 5_000
LEAST_HELD_OUT, SHARE_HELD_OUT = 300, 0.10


def treated_share(eligible: int) -> float:
    """Return the share that is treated: half below 5,000 eligible, above it all but max(300, 10%).

    Examples
    --------
    >>> treated_share(4_999), treated_share(10_000)
    (0.5, 0.9)
    """
    if eligible < EVEN_SPLIT_BELOW:
        return 0.5
    return 1 - max(LEAST_HELD_OUT, SHARE_HELD_OUT * eligible) / eligible


def detectable_difference(base_rate: float, treated: int, control: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the smallest rise of a rate that a comparison of two groups will show.

    Solves d = z_{1-alpha/2} sqrt(2 v0) + z_{power} sqrt(v0 + v1) for d, with v the variances of the two
    shares (normal approximation, arms of unequal size allowed).

    Parameters
    ----------
    base_rate : float
        Share that comes back untreated.
    treated, control : int
        People in each arm.
    alpha, power : float
        Two-sided error and power.

    Returns
    -------
    float or None
        A share (0.05 is five points); None where no rise up to 1 would show.

    References
    ----------
    Fleiss, Levin, Paik (2003), Statistical Methods for Rates and Proportions, chapter 4.

    Examples
    --------
    >>> round(detectable_difference(0.30, 500, 500), 3)
    0.084
    """
    if min(treated, control) < 1:
        return None
    low, high = 0.0, 1.0 - base_rate
    if not _shows(base_rate, high, treated, control, alpha, power):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if _shows(base_rate, middle, treated, control, alpha, power) else (middle, high)
    return high


def detectable_by(standard_error: float, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """Return the smallest difference that an estimate this unsure will show; None where it says nothing.

    Examples
    --------
    >>> round(detectable_by(0.02), 3)
    0.056
    """
    normal = NormalDist()
    return standard_error * (normal.inv_cdf(1 - alpha / 2) + normal.inv_cdf(power)) if standard_error > 0 else None


def _shows(base_rate: float, rise: float, treated: int, control: int, alpha: float, power: float) -> bool:
    normal, raised = NormalDist(), base_rate + rise
    pooled = (base_rate * control + raised * treated) / (treated + control)
    null = sqrt(pooled * (1 - pooled) * (1 / treated + 1 / control))
    spread = sqrt(base_rate * (1 - base_rate) / control + raised * (1 - raised) / treated)
    return rise >= normal.inv_cdf(1 - alpha / 2) * null + normal.inv_cdf(power) * spread


def people_needed(base_rate: float, rise: float, alpha: float = ALPHA, power: float = POWER) -> int:
    """Return how many people each of two equal arms needs to show a rise of a rate.

    Examples
    --------
    >>> people_needed(0.30, 0.05)
    1377
    """
    normal, raised = NormalDist(), base_rate + rise
    middle = (base_rate + raised) / 2
    null = normal.inv_cdf(1 - alpha / 2) * sqrt(2 * middle * (1 - middle))
    spread = normal.inv_cdf(power) * sqrt(base_rate * (1 - base_rate) + raised * (1 - raised))
    return ceil(((null + spread) / rise) ** 2)


def rounds_to_pool(base_rate: float, eligible: int, rise: float = PROVABLE) -> int | None:
    """Return how many rounds like this one must be pooled to show a rise; None above two dozen, or where all but everybody comes anyway."""
    if not eligible or base_rate + rise > 1:
        return None
    rounds = ceil(2 * people_needed(base_rate, rise) / eligible)
    return rounds if rounds <= MOST_ROUNDS else None


def verdict(measure: Measure) -> Message | None:
    """Say before the start whether this shop can prove anything: in one round, in several, or not alone.

    Examples
    --------
    >>> verdict(Measure(design="holdout", outcome="repeat", window_days=60, mde=0.2, checks={"provable": False, "rounds_to_pool": 3})).key
    'measure.verdict.pool'
    """
    if "provable" not in measure.checks:
        return None
    rounds = measure.checks.get("rounds_to_pool")
    kind = "alone" if measure.checks["provable"] else "pool" if rounds else "nothing" if measure.mde is None else "never"
    return Message(key=f"measure.verdict.{kind}", args={"rounds_to_pool": rounds})


def caution(measure: Measure) -> Message | None:
    """Say, where it is so, that an effect which already pays is too small for this round to show.

    Examples
    --------
    >>> caution(Measure(design="holdout", outcome="repeat", window_days=60, mde=0.2, checks={"break_even_rate": 0.03})).key
    'measure.unseen'
    """
    rate = measure.checks.get("break_even_rate")
    if measure.mde is None or rate is None or rate >= measure.mde:
        return None
    return Message(key="measure.unseen")


def power_rows(measure: Measure) -> list[tuple[str, float | None, str]]:
    """Return what is known of a test before its start, as rows of text key, value and unit; none where there is no control group.

    Examples
    --------
    >>> power_rows(Measure(design="duty", outcome="list", window_days=60))
    []
    """
    if measure.design != "holdout":
        return []
    checks = measure.checks
    rows = [("measure.row.people", checks.get("eligible"), "count"), ("measure.row.base_rate", checks.get("base_rate"), "share")]
    rows += [("common.know.mde", measure.mde, "points"), ("measure.row.break_even", checks.get("break_even_rate"), "points")]
    return [row for row in rows if row[1] is not None or row[0] == "common.know.mde"]


def as_drawn(measure: Measure, treated: int, control: int) -> Measure:
    """Return a plan for the people who were drawn in the end, after consent, contact gap and capacity.

    Examples
    --------
    >>> plan = Measure(design="holdout", outcome="repeat", window_days=60, mde=0.08, checks={"base_rate": 0.3, "eligible": 1000})
    >>> round(as_drawn(plan, 40, 40).mde, 2)
    0.31
    """
    base_rate = measure.checks.get("base_rate")
    if base_rate is None or min(treated, control) < 1:
        return measure
    mde = detectable_difference(base_rate, treated, control)
    return measure.model_copy(update={"mde": mde, "checks": measure.checks | _proof(base_rate, treated, control, mde)})


def _proof(base_rate: float | None, treated: int, control: int, mde: float | None) -> dict[str, float | bool | None]:
    """How many take part, and what that many can prove."""
    n = treated + control
    rounds = rounds_to_pool(base_rate, n) if n > 1 else None
    provable = mde is not None and mde <= PROVABLE
    return {"eligible": n, "treated": treated, "control": control, "rounds_to_pool": rounds, "provable": provable}


def _of_keeping(worth) -> float | None:
    """The break-even rate, if it speaks of customers kept and can be reached: a practice with a row of its own counts something else."""
    if worth.value.break_even_rate is not None and worth.value.break_even_rate > 1:
        return None
    own = [key for key in worth.rows["key"] if key.endswith(".worth.break_even") and not key.startswith("practice.")]
    return None if own else worth.value.break_even_rate


def plan_for(kind: str, candidates: pd.DataFrame, forecast: pd.DataFrame, worth, report_date: date, horizon_days: int) -> Measure:
    """Plan how a tactic's result will be known, before anybody is contacted.

    Parameters
    ----------
    kind : {"campaign", "duty", "watch"}
        Only a campaign has a control group.
    candidates : pandas.DataFrame
        Who may be acted on, by `pseudonym`.
    forecast : pandas.DataFrame
        `churn_probability` by customer; its mean over the candidates gives the untreated rate.
    worth : worth.Worth
        For the break-even beside the plan.
    report_date : datetime.date
        The window counts from here.
    horizon_days : int

    Returns
    -------
    results.Measure
        `mde` in points of the repeat rate, `checks` with the base rate, arms, rounds to pool and a verdict.
    """
    read_on = report_date + timedelta(days=horizon_days)
    if kind != "campaign":
        return Measure(design=kind, outcome="list", window_days=horizon_days, read_on=read_on)
    n = len(candidates)
    stay = forecast["churn_probability"].reindex(candidates["pseudonym"])
    base_rate = float(1 - stay.mean()) if n else None
    treated = round(n * treated_share(n)) if n else 0
    mde = detectable_difference(base_rate, treated, n - treated) if n > 1 else None
    checks = {"base_rate": base_rate, "break_even_rate": _of_keeping(worth) if worth else None}
    checks |= _proof(base_rate, treated, n - treated, mde)
    return Measure(design="holdout", outcome="repeat", window_days=horizon_days, mde=mde, read_on=read_on, checks=checks)
