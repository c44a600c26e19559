"""Fourteen ways to read a shop's numbers wrongly, each on a simulated shop in which what is true is known.

A reading takes what any shop could export, and the round's ledger where there was one. `naive` is the answer that suggests
itself, `honest` the one that can be defended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import demo, exposure, rates, rollout, rounds, study, trial
from loyalty_lab.errors import UsageError, near_match
from loyalty_lab.estimates import Estimate, estimate
from loyalty_lab.lessons import label
from loyalty_lab.lessons import occasions as of
from loyalty_lab.trial import CONTROL, TREATED

if TYPE_CHECKING:
    from loyalty_lab.rounds import Closed
    from loyalty_lab.shop import Shop

FULL_WEEK = 0.9
CARRIED_OVER_DAYS = 6


@dataclass(frozen=True)
class Reading:
    """A trap read twice: `measure` is what the numbers mean, `said` what the printed page would say (None where nothing would)."""

    trap: str
    measure: str
    naive: Estimate
    honest: Estimate
    grade: str
    said: str | None = None


@cache
def read(trap: str, customers: int | None = None, seed: int = 7) -> Reading:
    """Read one trap naively and honestly, on a shop that was simulated for it.

    Parameters
    ----------
    trap : str
        A name in `TRAPS`.
    customers, seed : int
        As for `demo.make`.

    Returns
    -------
    Reading

    Raises
    ------
    UsageError
        If there is no such trap; the nearest is offered.

    Examples
    --------
    >>> reading = read("answered_only", customers=600)
    >>> bool(reading.naive.value > reading.honest.value)
    True
    """
    if trap not in TRAPS:
        raise UsageError("trap", f"there is none called {trap!r}.{near_match(trap, TRAPS)}", f"choose one of: {', '.join(TRAPS)}")
    measure, reader = TRAPS[trap]
    naive, honest, grade, said = reader(demo.make(customers, seed, trap))
    return Reading(trap, measure, naive, honest, grade, said)


def both(*traps: str) -> pd.DataFrame:
    """Return both answers of each trap with their 95% intervals, in the units of its measure, as a table for the eye.

    Examples
    --------
    >>> both("review_selection")["naive"].tolist()
    ['4.89 (4.87 to 4.91)']
    """
    readings = [read(trap) for trap in traps]
    rows = [(each.trap, each.measure, _shown(each.naive, each), _shown(each.honest, each), each.grade) for each in readings]
    return pd.DataFrame(rows, columns=["trap", "measured in", "naive", "honest", "grade"]).set_index("trap")


def printed(trap: str) -> Any:
    """Return what a printed page would say of a trap that no lot has decided, as Jupyter displays it."""
    return study.markdown(read(trap).said)


def _shown(found: Estimate, reading: Reading) -> str:
    times, sign = (100, "+") if reading.measure.startswith("points") else (1, "+" if reading.measure.startswith("money") else "")
    digits = 2 if reading.measure == MEAN else 1
    value, low, high = (f"{times * number:{sign}.{digits}f}" for number in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def _compared(rows: pd.DataFrame, experience: str, known: list[str], name: str) -> tuple[Estimate, Estimate, str, str]:
    """Without a lot: adjusted for what was known before, with the warning of how easily a hidden cause explains it away."""
    from loyalty_lab.language import Texts

    found = exposure.compare(rows.reset_index(), experience, "back", known)
    return found.naive, found.adjusted, found.grade, Texts("en").say(exposure.said(found, label(name)).model_dump())


@dataclass(frozen=True)
class _Experience:
    """Purchases with something against those without it, where it is told of `rows`: a reader of a shop."""

    name: str
    rows: Callable[[pd.DataFrame, Shop], pd.DataFrame]
    column: str
    known: tuple[str, ...] = tuple(of.KNOWN)

    def __call__(self, made: demo.Demo) -> tuple[Estimate, Estimate, str, str]:
        shop = made.shop()
        return _compared(self.rows(of.occasions(shop), shop), self.column, list(self.known), self.name)


def _card(made: demo.Demo) -> tuple:
    """Ever had a card against never: who stays long has more occasions to take one. At one occasion, taking it against not having one."""
    shop = made.shop()
    rows = of.with_people(of.occasions(shop), shop)
    ever = rows["customer_id"].isin(shop.customers.loc[shop.customers["card_joined_at"].notna(), "customer_id"])
    at_it = rows[~(rows["card_day"] < rows["day"])]
    _, honest, grade, said = _compared(at_it.assign(took=at_it["card_day"].eq(at_it["day"])), "took", of.KNOWN, "Taking a card")
    return exposure.compare(rows.assign(ever=ever).reset_index(), "ever", "back", []).naive, honest, grade, said


def _round(made: demo.Demo) -> Closed:
    shop = made.shop()
    return rounds.closed(made.rounds(shop.last_day), shop.orders, shop.last_day)[0]


def _top(made: demo.Demo) -> tuple:
    """The best of last season against themselves before: whoever was picked at a peak falls from it by itself."""
    people = _round(made).people
    invited = people[people["arm"] == TREATED]
    return _mean(invited["spend"] - invited["spend_before"], invited.index), trial.difference(people, "spend"), "A", None


def _reached_only(made: demo.Demo) -> tuple:
    """Those who took the call against everybody else; against that, all whom the lot fell on against all it did not."""
    people = _round(made).people
    reached = people.assign(arm=np.where(people["outcome"] != "", TREATED, CONTROL), pair="", stratum="all")
    return rates.difference(reached, "back"), rates.difference(people, "back"), "A", None


def _contaminated(made: demo.Demo) -> tuple:
    """Half of those kept aside got the letter as well: the difference of the arms is that of half a letter."""
    people = _round(made).people
    return rates.difference(people, "back"), effect_when_reached(people, "back"), "B", None


def effect_when_reached(people: pd.DataFrame, outcome: str) -> Estimate:
    """Return the effect on those whom the lot made the difference for: that of being drawn over that on being reached.

    Parameters
    ----------
    people : pandas.DataFrame
        As for `trial.difference`; whoever has a told `outcome` column value was reached.
    outcome : str
        A column of numbers or truth values.

    References
    ----------
    Angrist, Imbens, Rubin (1996), Identification of causal effects using instrumental variables, JASA 91.

    Examples
    --------
    >>> arms = pd.DataFrame({"arm": ["treated", "control"] * 40, "stratum": "all", "pair": "", "outcome": ["none", "", "", ""] * 20})
    >>> round(effect_when_reached(arms.assign(back=[1, 0, 0, 0] * 20), "back").value, 2)
    1.0
    """
    reached = people["outcome"].ne("")
    drawn, share = trial.difference(people, outcome), trial.difference(people.assign(reached=reached), "reached").value
    value = drawn.value / share
    left = trial.difference(people.assign(left=people[outcome] - value * reached), "left")
    wide = (left.high - left.low) / 2 / abs(share)
    return Estimate(value, value - wide, value + wide, None)


def _bounced(made: demo.Demo) -> tuple:
    """Letters that came back are struck off, of one arm only; the ledger still knows everybody."""
    people = _round(made).people
    kept = people[(people["arm"] == CONTROL) | (people["outcome"] != "")].assign(pair="")
    alarm = "The arms are not as many as the lot made them." if trial.sample_ratio_p(kept) < trial.SRM_ALARM else None
    return rates.difference(kept, "back"), rates.difference(people, "back"), "A", alarm


def _answers(made: demo.Demo) -> tuple:
    """Whoever answers of their own accord is more content; in weeks in which all were asked at the till, nearly all answered."""
    asked = made.shop().surveys
    week = asked["asked_at"].dt.strftime("%G-%V")
    full = asked["csat"].notna().groupby(week).transform("mean") > FULL_WEEK
    given = asked["csat"].notna()
    slips, till = asked[given & ~full], asked[given & full]
    return _mean(slips["csat"], slips["customer_id"]), _mean(till["csat"], till["customer_id"]), "A", None


def _reviews(made: demo.Demo) -> tuple:
    """Reviews that came by themselves, and those of people whom the lot had asked and who nearly all answered."""
    given = made.shop().reviews
    writer = given["customer_id"].fillna(given["review_id"])
    asked = given["asked"].astype(bool)
    return _mean(given.loc[~asked, "rating"], writer[~asked]), _mean(given.loc[asked, "rating"], writer[asked]), "A", None


def _weeks(made: demo.Demo) -> tuple:
    """A habit lasts beyond its week: the first days after a switch belong to neither side."""
    shop = made.shop()
    rows = of.with_named_weeks(of.occasions(shop), shop).astype({"on": "float64", "back": "float64"})
    found = rollout.switchback(rows, "branch_id", "week", "on", "back", "day", CARRIED_OVER_DAYS)
    return found.naive, found.effect, found.grade, None


def _mean(values: pd.Series, customers: Any) -> Estimate:
    """A mean with its standard error clustered by customer."""
    numbers = values.to_numpy(dtype="float64")
    return estimate(numbers.mean(), exposure.clustered_error(numbers, np.unique(customers, return_inverse=True)[1]))


THANKS = _Experience("A letter of thanks", of.with_thanks, "letter", ("region", "branch_id", "month"))
POINTS, MONEY, MEAN = "points of coming back", "money a customer", "mean of 1 to 5"
TRAPS: dict[str, tuple[str, Callable[[demo.Demo], tuple]]] = {
    "vip_greeting": (POINTS, _Experience("Greeting by name", of.with_people, "greeted")),
    "remote_late": (POINTS, _Experience("A late parcel", of.with_deliveries, "late")),
    "peak_slow": (POINTS, _Experience("A slow answer", of.with_tickets, "slow", (*of.KNOWN, "about_delivery"))),
    "immortal_card": (POINTS, _card),
    "rtm_top": (MONEY, _top),
    "answered_only": (MEAN, _answers),
    "winback_targeting": (POINTS, THANKS),
    "referral_homophily": (POINTS, _Experience("Sent by a friend", of.with_people, "referred")),
    "review_selection": (MEAN, _reviews),
    "simpson_branch": (POINTS, THANKS),
    "carry_over": (POINTS, _weeks),
    "non_compliance": (POINTS, _reached_only),
    "contaminated_control": (POINTS, _contaminated),
    "srm_bug": (POINTS, _bounced),
}
