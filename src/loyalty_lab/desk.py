"""Who may be contacted today about what: consent, contact gap, other rounds, and how many a week has room for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import assignment, returned, rounds
from loyalty_lab.assignment import LATE, LATE_SHARE, Round
from loyalty_lab.customers import customer_summary, not_to_be_contacted
from loyalty_lab.effects import EVEN_SPLIT_BELOW, treated_share
from loyalty_lab.errors import InputError

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Chosen:
    """Who stands on one list; of a campaign also how many might have, how many are kept aside, and its round."""

    people: pd.DataFrame
    eligible: int
    held_out: int = 0
    cycle: Round | None = None


@dataclass(frozen=True)
class Desk:
    """What is decided from: the shop at the cutoff, who is who, the secret, the ledger so far, and what returned lists told.

    A run decides as the first one of its cutoff did, on what stood before it (`before`); then whoever has an arm by now keeps
    it. So a rerun with the same inputs draws nobody, and one with corrected exports appends at most late joiners.
    """

    shop: Shop
    identities: pd.DataFrame
    salt: str
    ledger: pd.DataFrame
    told: pd.DataFrame
    cutoff: date
    report_date: date
    window_days: int

    def cycle(self, slug: str) -> Round:
        """The round of a tactic that goes on, or the one that this run would open."""
        if slug not in self._cycles:
            self._cycles[slug] = assignment.current(self.ledger, slug, self.cutoff, self.report_date, self.window_days)
        return self._cycles[slug]

    @cached_property
    def _cycles(self) -> dict[str, Round]:
        return {}

    @cached_property
    def summary(self) -> pd.DataFrame:
        """The customer summary at the cutoff."""
        return customer_summary(self.shop.orders, self.cutoff)

    @cached_property
    def stands(self) -> pd.DataFrame:
        """The assignments that stand, under the numbers by which people are known now, with the days of their rounds."""
        rows = assignment.standing(self.ledger)
        days = {each.name: (each.opened_on.isoformat(), each.read_on.isoformat()) for each in assignment.rounds(self.ledger)}
        opened_on, read_on = (rows["round"].map({name: both[at] for name, both in days.items()}).astype("str") for at in (0, 1))
        joined_since = (rows["stratum"] == LATE) & (rows["assigned_on"] >= self.report_date.isoformat())
        return rows.assign(
            unit=rounds.known_as(rows["unit"], self.identities), read_on=read_on,
            before=(opened_on < self.cutoff.isoformat()) & ~joined_since,
        )  # fmt: skip

    def rows(self, cycle: Round) -> pd.DataFrame:
        """The assignments of a round."""
        return self.stands[self.stands["round"] == cycle.name]

    def members(self, cycle: Round, before: bool = False) -> set[str]:
        """Who has an arm in a round by now, or had one before this run."""
        rows = self.rows(cycle)
        return set(rows.loc[rows["before"], "unit"] if before else rows["unit"])

    @cached_property
    def said_no(self) -> set[str]:
        return set(rounds.known_as(self.told.loc[self.told["outcome"] == returned.NO, "unit"], self.identities))

    def reached(self, cycle: Round) -> set[str]:
        """Whom a returned list of a round that this run may look at tells of: the shop has dealt with them."""
        if max(cycle.opened_on + timedelta(days=1), cycle.begins_on) > self.cutoff:
            return set()
        return set(rounds.known_as(self.told.loc[self.told["round"] == cycle.name, "unit"], self.identities))

    def with_unit(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Candidates with their merged id beside the pseudonym."""
        units = self.identities["merged_id"].reindex(frame["pseudonym"]).to_numpy()
        if pd.isna(units).any():
            what = f"does not know {frame['pseudonym'][pd.isna(units)].iloc[0]!r}"
            raise InputError("private/identities.parquet", what, "delete cache/ and run again")
        return frame.assign(unit=units)

    def may_be_contacted(self, people: pd.DataFrame, cycle: Round) -> pd.DataFrame:
        """Those with consent, outside the contact gap and other rounds, and not with two arms in this one."""
        arms = self.rows(cycle).groupby("unit")["arm"].nunique()
        barred = self.said_no | set(arms.index[arms > 1]) | self._elsewhere(cycle)
        refused = not_to_be_contacted(self.shop, self.cutoff)
        able = people[~people["pseudonym"].isin(refused) & ~people["unit"].isin(barred)]
        return able.sort_values("rank").drop_duplicates("unit")

    def _elsewhere(self, cycle: Round) -> set[str]:
        """Who has an arm in another round that goes on, or stood on the list of one within the contact gap."""
        rows = self.stands[self.stands["before"] & (self.stands["round"] != cycle.name)]
        gap = (self.cutoff - timedelta(days=self.shop.settings.contact_gap_days)).isoformat()
        lately = (rows["arm"] == "treated") & (rows["assigned_on"] > gap)
        return set(rows.loc[lately | (rows["read_on"] > self.cutoff.isoformat()), "unit"])

    def drawn_elsewhere(self, cycle: Round) -> set[str]:
        """Who has an arm by now in another round that overlaps this one; they are drawn for no second."""
        rows = self.stands[self.stands["round"] != cycle.name]
        overlap = (rows["assigned_on"] < cycle.read_on.isoformat()) & (rows["read_on"] > cycle.begins_on.isoformat())
        return set(rows.loc[overlap, "unit"])


class Week:
    """How many contacts there is still room for, by channel, in all campaigns together.

    `places` counts lines on lists: the capacity less those who came onto a list in the last seven days and are dealt with.
    `room` counts newcomers: the places less those who wait on a list already. On which later day somebody was contacted who
    had come onto a list earlier, the ledger does not tell.
    """

    def __init__(self, desk: Desk, frames: dict[str, pd.DataFrame], able: dict[str, pd.DataFrame]):
        self.places = {channel: float(limit) for channel, limit in desk.shop.settings.capacity.items()}
        wait: dict[str, int] = {}
        for slug, frame in frames.items():
            waiting, done = self._listed(desk, slug, able[slug])
            for channel, n in _channels(done, frame).items():
                self.places[channel] = self.places.get(channel, inf) - n
            for channel, n in _channels(waiting, frame).items():
                wait[channel] = wait.get(channel, 0) + n
        self.room = {channel: places - wait.get(channel, 0) for channel, places in self.places.items()}

    def _listed(self, desk: Desk, slug: str, able: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Of those treated before this run: who still waits to be contacted, and who else stood on a list of the last seven days."""
        rows, cycle = desk.stands[desk.stands["slug"].eq(slug) & desk.stands["before"]], desk.cycle(slug)
        rows = rows[rows["arm"] == "treated"]
        waits = rows["round"].eq(cycle.name) & rows["unit"].isin(able["unit"]) & ~rows["unit"].isin(desk.reached(cycle))
        this_week = rows["assigned_on"] > (desk.report_date - WEEK).isoformat()
        return rows.loc[waits, "unit"], rows.loc[~waits & this_week, "unit"]

    def newcomers(self, people: pd.DataFrame, opens: bool) -> pd.DataFrame:
        """The first by rank for whom there is room once the lot has kept some of them aside."""
        if not opens:
            return self._first(people, LATE_SHARE)
        some = self._first(people, 0.5)
        if len(some) < EVEN_SPLIT_BELOW:
            return some
        fewer = self._first(people, treated_share(len(some)))
        return fewer if len(fewer) >= EVEN_SPLIT_BELOW else some.nsmallest(EVEN_SPLIT_BELOW - 1, "rank")

    def _first(self, people: pd.DataFrame, share: float) -> pd.DataFrame:
        people = people.sort_values("rank")
        most = people["channel"].map({channel: int(max(room, 0) / share + 1e-9) for channel, room in self.room.items() if room < inf})
        return people[people.groupby("channel").cumcount() < most.fillna(inf)]

    def listed(self, waiting: pd.DataFrame, new: pd.Series) -> pd.DataFrame:
        """Those who stand on this week's list, by rank as far as there are places; whoever does not fit waits for the next run."""
        listed = waiting[waiting.groupby("channel").cumcount() < waiting["channel"].map(self.places).fillna(float("inf"))]
        for channel in self.places:
            self.places[channel] -= (listed["channel"] == channel).sum()
            self.room[channel] -= (waiting.loc[new, "channel"] == channel).sum()
        return listed


def decide(desk: Desk, frames: dict[str, pd.DataFrame]) -> tuple[dict[str, Chosen], list[pd.DataFrame]]:
    """Decide who stands on the list of each campaign, and draw the arms; each customer goes to one campaign.

    Parameters
    ----------
    desk : Desk
    frames : dict of str to pandas.DataFrame
        The candidates of each campaign as of `Desk.with_unit`, the campaign that comes first first.

    Returns
    -------
    tuple of dict of str to Chosen, list of pandas.DataFrame
        By slug; and the rows that the ledger must hold before any list is written.
    """
    able = {slug: desk.may_be_contacted(frame, desk.cycle(slug)) for slug, frame in frames.items()}
    week, chosen, new = Week(desk, frames, able), {}, []
    taken: set[str] = set()
    for slug, people in able.items():
        cycle = desk.cycle(slug)
        people = people[~people["unit"].isin(taken)]
        old = people["unit"].isin(desk.members(cycle, before=True))
        wanted = week.newcomers(people[~old], opens=cycle.opened_on == desk.cutoff)
        armed = people["unit"].isin(desk.members(cycle))
        people = pd.concat([people[armed], _still_free(desk, cycle, wanted, people[armed & ~old])]).sort_values("rank")
        drawn, added = assignment.arms_for(desk.salt, cycle, desk.rows(cycle), _described(desk, people), desk.report_date)
        treated = people[people["unit"].isin(drawn.loc[drawn["arm"] == "treated", "unit"])]
        waiting = treated[~treated["unit"].isin(desk.reached(cycle))]
        listed = week.listed(waiting, ~waiting["unit"].isin(desk.members(cycle, before=True)))
        chosen[slug] = Chosen(listed, len(drawn), len(drawn) - len(treated), cycle if len(drawn) else None)
        taken |= set(drawn["unit"])
        new += [added] if len(added) else []
    return chosen, new


def _still_free(desk: Desk, cycle: Round, wanted: pd.DataFrame, drawn_today: pd.DataFrame) -> pd.DataFrame:
    """Those wanted who have no arm by now, for as many places as an earlier run of this cutoff has left."""
    free = wanted[~wanted["unit"].isin(desk.members(cycle) | desk.drawn_elsewhere(cycle))]
    left = wanted["channel"].value_counts().sub(drawn_today["channel"].value_counts(), fill_value=0)
    return free[free.groupby("channel").cumcount() < free["channel"].map(left)]


def _described(desk: Desk, people: pd.DataFrame) -> pd.DataFrame:
    """What the lot is told of people: how often they came back, and what they spent."""
    summary = desk.summary.reindex(people["pseudonym"])
    spend = (summary["monetary_value"] * summary["frequency"]).fillna(0.0).to_numpy()
    stratum = ["regular" if repeats >= 3 else "nearly" if repeats >= 1 else "once" for repeats in summary["frequency"].fillna(0)]
    return pd.DataFrame({"unit": people["unit"].to_numpy(), "stratum": stratum, "spend": spend})


def _channels(units: pd.Series, frame: pd.DataFrame) -> dict[str, int]:
    """How many by channel; whoever is no candidate any more counts under the channel that most candidates have."""
    if frame.empty or units.empty:
        return {}
    known = frame.drop_duplicates("unit").set_index("unit")["channel"]
    return units.map(known).fillna(frame["channel"].mode().iloc[0]).value_counts().to_dict()
