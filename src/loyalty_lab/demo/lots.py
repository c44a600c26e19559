"""A round of letters of the simulated shop: the lot decides who is written to, and what the letter truly did is known.

Whoever is still a customer at the opening comes back within the window with the chance ``1 - exp(-rate * (clock[end] -
clock[opening]))``, for waiting has no memory, and whoever is lost does not. A letter that reaches somebody wins back a share
of those who would not have come, or drives off a share of those who would.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from loyalty_lab.assignment import Round, open_round
from loyalty_lab.demo.life import Life, clock, logistic, settled, walk
from loyalty_lab.demo.parameters import DAYS, FIRST_DAY, Lot
from loyalty_lab.demo.service import at_hour
from loyalty_lab.ledger import COLUMNS

# Longer than the 90 days within which a purchase counts as answered by another, so that no return to an earlier one is touched.
AWAY_DAYS = (91, 365)
LETTERS_SENT_WITHIN, ANSWERED_WITHIN = 3, 21
TOP_SHARE, LOOK_BACK = 0.10, 120


@dataclass(frozen=True)
class Held:
    """A round as it was held.

    `people` has one row for everybody the lot fell on: `customer`, `unit`, `arm`, `reached`, `outcome`, and what is hidden:
    `chance` (of coming back unwritten), `tau` (what being reached adds to it), `reach` (how likely it was to be reached).
    `ledger` is what the shop wrote down of it.
    """

    cycle: Round
    ledger: pd.DataFrame
    people: pd.DataFrame


def hold(life: Life, ids: np.ndarray, salt: str, rng: np.random.Generator) -> tuple[Life, Held]:
    """Hold the shop's round: draw its arms, reach people, and let them live on as the letter left them.

    Parameters
    ----------
    life : Life
        As it would have gone without the round.
    ids : numpy.ndarray
        The shop's numbers of its customers.
    salt : str
        The shop's secret, in hex.
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Life, Held
    """
    lot = life.parameters.lot
    cycle = Round(lot.slug, lot.opened_on, lot.opened_on + timedelta(days=1), lot.window_days)
    opening, end = ((day - FIRST_DAY).days for day in (cycle.opened_on, cycle.read_on))
    people = _on_the_list(life, lot, opening)
    people["unit"] = ids[people["customer"]]
    drawn = open_round(salt, cycle, people[["unit", "stratum", "spend"]]).set_index("unit")
    people = _reached(people.assign(arm=drawn["arm"].reindex(people["unit"]).to_numpy()), life, lot, rng)
    people = _truth(people, life, lot, opening, end)
    changed, people = _live_on(life, people, lot, opening, end, rng)
    return changed, Held(cycle, drawn.reset_index()[list(COLUMNS)], people)


def effect(held: Held, lot: Lot) -> dict:
    """Return what the round truly did: to all whom it was meant for, and to those it reached.

    Returns
    -------
    dict
        `round`, `n`, `assigned` (mean effect of being drawn), `reached` (mean effect on whoever it reaches), `chance` (mean
        chance of coming back unwritten).
    """
    people, about = held.people, {"round": held.cycle.name, "n": len(held.people)}
    if people.empty:
        return about | dict.fromkeys(("assigned", "reached", "chance"))
    more = people["reach"] - lot.controls_reached
    told = {
        "assigned": (more * people["tau"]).mean(),
        "reached": np.average(people["tau"], weights=more),
        "chance": people["chance"].mean(),
    }
    return about | {name: round(float(value), 6) for name, value in told.items()}


def letters(held: Held, rng: np.random.Generator) -> pd.DataFrame:
    """Return the letters of the round as rows of contacts: to whom, when, what for, and what came of it."""
    rows = held.people[held.people["reached"]].reset_index(drop=True)
    days = pd.Timestamp(held.cycle.begins_on) + pd.to_timedelta(rng.integers(0, LETTERS_SENT_WITHIN, len(rows)), unit="D")
    sent = at_hour(pd.Series(days), 9, 12, rng)
    return pd.DataFrame({"customer": rows["customer"], "sent_at": sent, "purpose": "follow-up", "outcome": rows["outcome"]})


def _on_the_list(life: Life, lot: Lot, opening: int) -> pd.DataFrame:
    """Whom the round is for, from what had happened by its opening: `customer`, `there` (hidden), `stratum`, `spend`."""
    rows = life.purchases[life.purchases["day"] <= opening]
    last = rows.groupby("customer").last()
    refused = rows[rows["opt_out"] & (rows["letter_day"] <= opening)]["customer"].unique()
    visits = rows[rows["day"] > opening - LOOK_BACK].groupby("customer").size().reindex(last.index, fill_value=0)
    spend = visits * life.traits["basket"].reindex(last.index)
    away = opening - last["day"]
    wanted = spend >= spend.quantile(1 - TOP_SHARE) if lot.among == "top" else away.between(*AWAY_DAYS)
    wanted &= life.traits["willing"].reindex(last.index) & ~last.index.isin(refused)
    people = pd.DataFrame({"there": ~last["lost"], "stratum": np.where(last["visit"] > 0, "regular", "once"), "spend": spend.round(2)})
    return people[wanted].rename_axis("customer").reset_index()


def _reached(people: pd.DataFrame, life: Life, lot: Lot, rng: np.random.Generator) -> pd.DataFrame:
    warm = life.traits["warm"].to_numpy()[people["customer"]]
    reach = np.ones(len(people)) if lot.odds_reached is None else logistic(lot.odds_reached + lot.odds_reached_warm * warm)
    bounced = ~people["there"] & (rng.random(len(people)) < lot.letters_bounced)
    chance = np.where(people["arm"] == "treated", reach * ~bounced, lot.controls_reached)
    return people.assign(reach=reach * ~bounced, reached=rng.random(len(people)) < chance)


def _truth(people: pd.DataFrame, life: Life, lot: Lot, opening: int, end: int) -> pd.DataFrame:
    passed, rate = clock(), life.traits["rate"].to_numpy()[people["customer"]]
    chance = people["there"] * (1 - np.exp(-rate * (passed[end - 1] - passed[opening])))
    return people.assign(chance=chance, tau=lot.wins * (1 - chance) - lot.harms * chance)


def _live_on(life: Life, people: pd.DataFrame, lot: Lot, opening: int, end: int, rng: np.random.Generator) -> tuple[Life, pd.DataFrame]:
    """Let those whom the letter won or drove off live another life from the opening on."""
    rows = life.purchases
    after = rows[(rows["day"] > opening) & (rows["day"] < end)]
    next_day = after.groupby("customer")["day"].min().reindex(people["customer"]).to_numpy()
    lot_of_each, natural = rng.random(len(people)), ~np.isnan(next_day)
    won = people["reached"].to_numpy() & ~natural & (lot_of_each < lot.wins)
    driven_off = people["reached"].to_numpy() & natural & (lot_of_each < lot.harms)
    next_day = np.where(won, rng.integers(opening + 1, end, len(people)), np.where(driven_off, np.nan, next_day))
    changed, who = people.loc[won | driven_off, "customer"].to_numpy(), people.loc[won, "customer"].to_numpy()
    kept = rows[~(rows["customer"].isin(changed) & (rows["day"] > opening))].copy()
    last = ~kept["customer"].duplicated(keep="last") & kept["customer"].isin(changed)
    kept.loc[last, "lost"] = ~kept.loc[last, "customer"].isin(who)
    parts = [kept]
    if len(who):
        visits = kept.groupby("customer").size().reindex(who).to_numpy()
        parts.append(walk(life, who, next_day[won].astype(int), visits, np.ones(len(who), bool), rng))
    people = people.assign(outcome=_told(people, next_day - opening, rng))
    return settled(replace(life), pd.concat(parts, ignore_index=True)), people


def _told(people: pd.DataFrame, wait: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the shop writes into the list: nothing of those it did not reach."""
    chance = rng.random((3, len(people)))
    came = (wait <= ANSWERED_WITHIN) & (chance[0] < 0.6)
    told = np.select([came, chance[1] < 0.08, chance[2] < 0.05], ["order", "reply", "visit"], "none")
    return np.where(people["reached"], told, "")


assert AWAY_DAYS[1] < DAYS
