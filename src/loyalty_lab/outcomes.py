"""What a closed round came to: who came back, what was spent and what was left, what it could have shown, and whether the lot held."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from loyalty_lab import effects, rates, rounds, trial
from loyalty_lab.estimates import NOTHING, Estimate
from loyalty_lab.results import HARMS, NOT_SHOWN, SPOILT, WORKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pandas as pd

    from loyalty_lab.rounds import Closed

MOSTLY_TOLD = 0.5


@dataclass(frozen=True)
class Reading:
    """One closed round in numbers.

    `back` is the difference in the share that bought again, `p` its p-value among those read on the same day; `spend` and
    `capped` are differences in money a person, allowing for what was bought before; `per_order` is that of the value of a day
    with orders. `cost` is that of one contact, None where nobody knows it; `margin` what is left of a sale.
    """

    cycle: Closed
    back: Estimate
    spend: Estimate
    explained: float
    capped: Estimate
    cap: float | None
    per_order: Estimate
    mde: float | None
    checks: dict[str, Any] = field(repr=False)
    margin: float
    cost: float | None = None
    p: float | None = None

    @property
    def treated(self) -> int:
        return _in_arm(self.cycle.people, trial.TREATED)

    @property
    def control(self) -> int:
        return _in_arm(self.cycle.people, trial.CONTROL)

    @property
    def verdict(self) -> str:
        """Whether the lot held, and if so whether the difference leaves chance behind."""
        return SPOILT if self.checks["spoilt"] else _verdict(self.back, self.p)

    @property
    def left(self) -> Estimate:
        """What was left of each treated person after the contact: margin of what they spent more, less its cost."""
        return _moved(self.spend, self.margin, -(self.cost or 0.0))

    @property
    def profit(self) -> Estimate:
        """The same of the whole round."""
        return _moved(self.left, self.treated)

    @property
    def spend_p(self) -> float | None:
        """How often arms dealt anew differ as much in what was spent, after allowing for what was bought before."""
        people = self.cycle.people
        return trial.permutation_p(people.assign(left_over=_left_over(people, "spend", rounds.BEFORE)), "left_over")

    @property
    def on_reached(self) -> Estimate:
        """The difference among those who were reached: of all drawn, over the share reached, where no control could get it."""
        told = self.checks["told"]
        known = MOSTLY_TOLD <= told < 1 and not self.checks["reached_controls"] and self.back.value is not None
        return _moved(self.back, 1 / told) if known else NOTHING


@dataclass(frozen=True)
class Together:
    """All rounds of one tactic whose lot held, counted together by random effects; `profit` is that of a round as large as the last."""

    slug: str
    rounds: int
    people: int
    treated: int
    window_days: int
    back: Estimate
    p: float | None
    mde: float | None
    profit: Estimate
    cost: float | None
    verdict: str


def read(closed: Sequence[Closed], margin: float, costs: Sequence[float | None]) -> list[Reading]:
    """Read closed rounds as they were drawn; p-values allow for the rounds that were read on the same day.

    Parameters
    ----------
    closed : sequence of rounds.Closed
    margin : float
        Share of net sales that the shop keeps.
    costs : sequence of float or None
        What one contact cost in each round, in the shop's currency.

    Returns
    -------
    list of Reading
        In the order given. The rounds of one reading date are one family (Holm), so that a report made later prints the same
        reading, whatever has been read since.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> read([], 0.3, [])
    []
    """
    found = [_read(cycle, margin, cost) for cycle, cost in zip(closed, costs, strict=True)]
    adjusted = _by_family([each.cycle.read_on for each in found], [each.back.p for each in found])
    return [replace(each, p=p) for each, p in zip(found, adjusted, strict=True)]


def together(readings: Iterable[Reading]) -> list[Together]:
    """Count the rounds of each tactic together, by slug.

    Rounds whose lot did not hold are left out; a tactic with one round keeps that round's verdict. The profit of a treated
    person is pooled and given for as many treated as in the last round.

    Examples
    --------
    >>> together([])
    []
    """
    mine: dict[str, list[Reading]] = {}
    for each in sorted(readings, key=lambda reading: reading.cycle.read_on):
        mine.setdefault(each.cycle.slug, []).append(each)
    found = [_together(slug, several) for slug, several in sorted(mine.items())]
    adjusted = _by_family([mine[each.slug][-1].cycle.read_on for each in found], [each.p for each in found])
    return [_judged(each, mine[each.slug], p) for each, p in zip(found, adjusted, strict=True)]


def _together(slug: str, readings: list[Reading]) -> Together:
    held = [each for each in readings if not each.checks["spoilt"]]
    last = held[-1] if held else readings[-1]
    back = last.back if len(held) == 1 else _pooled([each.back for each in held])
    left = last.left if len(held) == 1 else _pooled([each.left for each in held])
    return Together(
        slug, len(held), sum(len(each.cycle.people) for each in held), last.treated, last.cycle.window_days, back, back.p,
        last.mde if len(held) == 1 else effects.detectable_by(back.standard_error), _moved(left, last.treated), last.cost, SPOILT,
    )  # fmt: skip


def _judged(found: Together, readings: list[Reading], p: float | None) -> Together:
    held = [each for each in readings if not each.checks["spoilt"]]
    if len(held) == 1:
        return replace(found, p=held[0].p, verdict=held[0].verdict)
    return replace(found, p=p, verdict=_verdict(found.back, p) if held else SPOILT)


def _pooled(estimates: list[Estimate]) -> Estimate:
    return trial.pooled(estimates, [each.standard_error for each in estimates])


def _by_family(days: list, ps: list[float | None]) -> list[float | None]:
    """P-values adjusted within each reading day."""
    adjusted = list(ps)
    for day in set(days):
        places = [place for place, each in enumerate(days) if each == day]
        for place, p in zip(places, trial.holm([ps[place] for place in places]), strict=True):
            adjusted[place] = p
    return adjusted


def _read(cycle: Closed, margin: float, cost: float | None) -> Reading:
    people = cycle.people
    capped = trial.capped(people, "spend", "spend_before")
    spend, explained = trial.adjusted_difference(people, "spend", rounds.BEFORE)
    less, _ = trial.adjusted_difference(people.assign(capped=capped), "capped", rounds.BEFORE)
    control = people.loc[people["arm"] == trial.CONTROL, "back"]
    n, m = _in_arm(people, trial.TREATED), len(control)
    mde = effects.detectable_difference(float(control.mean()), n, m) if min(n, m) else None
    return Reading(
        cycle, rates.difference(people, "back"), spend, explained, less, trial.cap(people, "spend_before"),
        trial.ratio_difference(people, "spend", "orders"), mde, check(cycle), margin, cost,
    )  # fmt: skip


def check(cycle: Closed) -> dict[str, Any]:
    """Whether arms are as many as written down, were alike before, and whether controls were left alone.

    Returns
    -------
    dict
        `sample_ratio_p`; `most_unlike`, `apart` (in standard deviations); `before` with `before_low`, `before_high`, `before_p`: the
        same comparison on the time before, None where the shop's orders do not reach back; `reached_controls` of `controls`;
        `told`, the share of the treated of whom a returned list tells; `two_arms`, `overlapping`, `pre_days` as of `rounds.Closed`;
        and `spoilt`, whether any of it forbids a conclusion.
    """
    people = cycle.people
    controls, treated = people[people["arm"] == trial.CONTROL], people[people["arm"] == trial.TREATED]
    reached = int((controls["outcome"] != "").sum())
    name, apart = trial.imbalance(people, rounds.BEFORE)
    before = rates.difference(people.assign(back_before=people["orders_before"] > 0), "back_before") if cycle.pre_days else NOTHING
    lot = trial.sample_ratio_p(people)
    spoilt = lot < trial.SRM_ALARM or reached > trial.CONTAMINATION_ALARM * len(controls)
    return {
        "sample_ratio_p": lot, "most_unlike": name, "apart": apart, "reached_controls": reached, "controls": len(controls),
        "before": before.value, "before_low": before.low, "before_high": before.high, "before_p": before.p, "two_arms": cycle.two_arms,
        "overlapping": cycle.overlapping, "pre_days": cycle.pre_days, "window_days": cycle.window_days,
        "told": float((treated["outcome"] != "").mean()) if len(treated) else 0.0,
        "spoilt": bool(spoilt or (before.p is not None and before.p < trial.SRM_ALARM)),
    }  # fmt: skip


def _verdict(found: Estimate, p: float | None) -> str:
    """Most honest rounds say: not shown."""
    if found.value is None or p is None or p >= effects.ALPHA or not found.clear:
        return NOT_SHOWN
    return WORKS if found.value > 0 else HARMS


def _moved(found: Estimate, times: float, more: float = 0.0) -> Estimate:
    """An estimate in other units: so many times as large (never turned round), and moved."""
    if found.value is None:
        return NOTHING
    value, low, high = (times * end + more for end in (found.value, found.low, found.high))
    return Estimate(value, low, high, found.p)


def _left_over(people: pd.DataFrame, outcome: str, before: list[str]) -> np.ndarray:
    """What is left of an outcome after what everybody's past explains, whatever the arm."""
    import numpy as np

    known = np.column_stack([np.ones(len(people)), people[before].to_numpy(dtype="float64")])
    y = people[outcome].to_numpy(dtype="float64")
    return y - known @ np.linalg.lstsq(known, y, rcond=None)[0]


def _in_arm(people: pd.DataFrame, arm: str) -> int:
    return int((people["arm"] == arm).sum())
