"""Rounds as the notebooks may see them: pseudonyms, arms and outcomes, and what the orders of a window say of each arm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from loyalty_lab import assignment, returned, verification
from loyalty_lab.errors import InputError
from loyalty_lab.shop import LEDGER, RETURNED

COLUMNS = (
    "round",
    "slug",
    "opened_on",
    "begins_on",
    "read_on",
    "customer_id",
    "arm",
    "stratum",
    "pair",
    "propensity",
    "assigned_on",
    "outcome",
)
TWO_ARMS = "two arms"
BEFORE = ["spend_before", "orders_before", "days_since_last"]


def for_notebooks(shop_folder: Path, identities: pd.DataFrame, salt: str, cutoff: date) -> pd.DataFrame:
    """Return everybody's arm in the rounds opened before a cutoff, under their pseudonyms.

    A person whom later exports have joined of two, with an arm each, stands there once with the arm ``two arms``: left out
    of the result, and counted. Late joiners of a later day do not stand there yet, and what a returned list tells of a round
    or of a person whose window has not begun does not count.

    Parameters
    ----------
    shop_folder : pathlib.Path
        Its ledger and its returned lists are read.
    identities : pandas.DataFrame
        As of `lists.read_identities`: index pseudonym, `merged_id`, `merged_into`.
    salt : str
    cutoff : datetime.date

    Returns
    -------
    pandas.DataFrame
        Columns as in `COLUMNS`; dates as ISO text, `outcome` empty where no list told one.

    Raises
    ------
    InputError
        If the ledger or a returned list is damaged, or a person of the ledger is unknown.
    """
    ledger = verification.read_verified(shop_folder, salt)
    return seen(ledger, returned.read(shop_folder / RETURNED, ledger, salt, identities["merged_id"]), identities, cutoff)


def seen(ledger: pd.DataFrame, told: pd.DataFrame, identities: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return what `for_notebooks` returns, from a ledger and from returned lists (columns `round`, `unit`, `outcome`) already read."""
    begun = [cycle for cycle in assignment.rounds(ledger) if cycle.opened_on < cutoff]
    about = pd.DataFrame(
        [(each.name, *(day.isoformat() for day in (each.opened_on, each.begins_on, each.read_on))) for each in begun],
        columns=["round", "opened_on", "begins_on", "read_on"], dtype="str",
    )  # fmt: skip
    rows = assignment.standing(ledger).merge(about, on="round").drop_duplicates(["round", "unit"])
    joined_later = (rows["stratum"] == assignment.LATE) & (rows["assigned_on"] > cutoff.isoformat())
    rows = rows[~joined_later].merge(told, on=["round", "unit"], how="left").fillna({"outcome": ""})
    rows["outcome"] = rows["outcome"].where(rows["assigned_on"] <= cutoff.isoformat(), "")
    rows["customer_id"] = _pseudonyms(rows["unit"], identities)
    arms = rows.groupby(["round", "customer_id"])["arm"].transform("nunique")
    rows["arm"] = rows["arm"].where(arms < 2, TWO_ARMS)
    return rows.drop_duplicates(["round", "customer_id"], ignore_index=True)[list(COLUMNS)].astype("str")


def known_as(units: pd.Series, identities: pd.DataFrame) -> pd.Series:
    """Return whom each unit is by now, after all that later exports have joined.

    Examples
    --------
    >>> people = pd.DataFrame({"merged_id": ["a", "b", "c"], "merged_into": [None, "a", "b"]})
    >>> known_as(pd.Series(["c", "a", "d"]), people).tolist()
    ['a', 'a', 'd']
    """
    into = identities.dropna(subset=["merged_into"]).set_index("merged_id")["merged_into"].to_dict()
    final = units
    while final.isin(into).any():
        final = final.map(lambda unit: into.get(unit, unit))
    return final


def _pseudonyms(units: pd.Series, identities: pd.DataFrame) -> pd.Series:
    """The pseudonym of whom each unit is by now."""
    code = pd.Series(identities.index, index=identities["merged_id"])
    final = known_as(units, identities)
    unknown = final[~final.isin(code.index)]
    if len(unknown):
        what = f"names {unknown.iloc[0]!r}, whom private/identities.parquet does not know"
        raise InputError(LEDGER.as_posix(), what, "bring back the exports of that time, or private/ of that shop")
    return final.map(code)


@dataclass(frozen=True)
class Closed:
    """One round that may be read: when it ran, its people with their outcomes, and who was left out.

    `two_arms` counts those left out, `overlapping` those who had an arm in another round at the same time as well. `pre_days`
    is how many days of the shop's history lie in the window before: fewer than `window_days` where the shop is too young, and
    with none `spend_before` and `orders_before` are 0 because nothing is known.
    """

    round: str
    slug: str
    begins_on: date
    read_on: date
    people: pd.DataFrame
    two_arms: int
    overlapping: int = 0
    pre_days: int = 0

    @property
    def window_days(self) -> int:
        return (self.read_on - self.begins_on).days


def closed(rows: pd.DataFrame, orders: pd.DataFrame, cutoff: date) -> list[Closed]:
    """Return the rounds whose reading date has come, with what each person did between assignment and that date.

    Parameters
    ----------
    rows : pandas.DataFrame
        As of `for_notebooks`.
    orders : pandas.DataFrame
        Up to the cutoff.
    cutoff : datetime.date

    Returns
    -------
    list of Closed
        Oldest first. `people` by `customer_id`: `arm`, `stratum`, `pair`, `propensity`, `back` (bought again), `spend` and
        `orders` in the window, which begins with each person's own assignment; `spend_before` (in as many days before it),
        `orders_before`, `days_since_last` at the start, `outcome`.
    """
    due = rows[rows["read_on"] <= cutoff.isoformat()]
    return [_closed(group, rows, orders) for _, group in sorted(due.groupby("round"), key=lambda item: item[1]["read_on"].iloc[0])]


def _closed(group: pd.DataFrame, rows: pd.DataFrame, orders: pd.DataFrame) -> Closed:
    first = group.iloc[0]
    begins_on, read_on = (date.fromisoformat(first[column]) for column in ("begins_on", "read_on"))
    window = read_on - begins_on
    people = group[group["arm"] != TWO_ARMS].set_index("customer_id")
    people = people[["arm", "stratum", "pair", "propensity", "assigned_on", "outcome"]].astype({"propensity": "float64"})
    starts = pd.to_datetime(people["assigned_on"])
    mine = orders[orders["customer_id"].isin(people.index) & (orders["net_amount"] > 0)]
    mine = mine.assign(day=mine["ordered_at"].dt.normalize(), start=starts.reindex(mine["customer_id"]).to_numpy())
    during = mine[(mine["day"] >= mine["start"]) & (mine["day"] < pd.Timestamp(read_on))]
    past = mine[mine["day"] < mine["start"]]
    before = past[past["day"] >= past["start"] - window]
    last = past.groupby("customer_id")["day"].max().reindex(people.index)
    people = people.assign(
        spend=_sum(during, people.index), orders=_count(during, people.index), spend_before=_sum(before, people.index),
        orders_before=_count(before, people.index), days_since_last=(starts - last).dt.days.fillna(0).astype("float64"),
    )  # fmt: skip
    return Closed(
        first["round"], first["slug"], begins_on, read_on, people.assign(back=people["orders"] > 0),
        two_arms=int((group["arm"] == TWO_ARMS).sum()), overlapping=_overlapping(group, rows),
        pre_days=_history(orders, begins_on, window.days),
    )  # fmt: skip


def _overlapping(group: pd.DataFrame, rows: pd.DataFrame) -> int:
    """How many of a round have an arm in another one while their own window runs."""
    others = rows[rows["round"] != group["round"].iloc[0]]
    both = group.merge(others, on="customer_id", suffixes=("", "_other"))
    together = (both["assigned_on"] < both["read_on_other"]) & (both["assigned_on_other"] < both["read_on"])
    return int(both.loc[together, "customer_id"].nunique())


def _history(orders: pd.DataFrame, begins_on: date, window_days: int) -> int:
    """How many of the days before a round the shop's orders reach back, at most as many as it runs."""
    if orders.empty:
        return 0
    return min(max((begins_on - orders["ordered_at"].min().date()).days, 0), window_days)


def _sum(orders: pd.DataFrame, index: pd.Index) -> np.ndarray:
    return orders.groupby("customer_id")["net_amount"].sum().reindex(index, fill_value=0.0).to_numpy()


def _count(orders: pd.DataFrame, index: pd.Index) -> np.ndarray:
    return orders.groupby("customer_id")["day"].nunique().reindex(index, fill_value=0).to_numpy()
