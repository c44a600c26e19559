"""Rounds as the notebooks may see them: pseudonyms, arms and outcomes, and what the orders of a window say of each arm."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from loyalty_lab import assignment, returned
from loyalty_lab.customers import customer_summary
from loyalty_lab.errors import InputError

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
    of the result, and counted.

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
    ledger = assignment.read_ledger(shop_folder / "rounds" / "assignments.csv")
    told = returned.read(shop_folder / returned.FOLDER, ledger, salt)
    seen = [cycle for cycle in assignment.rounds(ledger) if cycle.opened_on < cutoff]
    about = pd.DataFrame(
        [(each.name, *(day.isoformat() for day in (each.opened_on, each.begins_on, each.read_on))) for each in seen],
        columns=["round", "opened_on", "begins_on", "read_on"], dtype="str",
    )  # fmt: skip
    rows = assignment.standing(ledger).merge(about, on="round").drop_duplicates(["round", "unit"])
    rows = rows.merge(told, on=["round", "unit"], how="left").fillna({"outcome": ""})
    rows["customer_id"] = _pseudonyms(rows["unit"], identities)
    arms = rows.groupby(["round", "customer_id"])["arm"].transform("nunique")
    rows["arm"] = rows["arm"].where(arms < 2, TWO_ARMS)
    return rows.drop_duplicates(["round", "customer_id"], ignore_index=True)[list(COLUMNS)].astype("str")


def _pseudonyms(units: pd.Series, identities: pd.DataFrame) -> pd.Series:
    """The pseudonym of whom each unit is by now, after all that was joined."""
    into = identities.dropna(subset=["merged_into"]).set_index("merged_id")["merged_into"].to_dict()
    code = pd.Series(identities.index, index=identities["merged_id"])
    final = units
    while final.isin(into).any():
        final = final.map(lambda unit: into.get(unit, unit))
    unknown = final[~final.isin(code.index)]
    if len(unknown):
        what = f"names {unknown.iloc[0]!r}, whom private/identities.parquet does not know"
        raise InputError("rounds/assignments.csv", what, "bring back the exports of that time, or private/ of that shop")
    return final.map(code)


@dataclass(frozen=True)
class Closed:
    """One round that may be read: when it ran, its people with their outcomes, and who was left out."""

    round: str
    slug: str
    begins_on: date
    read_on: date
    people: pd.DataFrame
    two_arms: int

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
        `orders` in the window; `spend_before` (in as many days before), `orders_before`, `days_since_last` at the start, `outcome`.
    """
    due = rows[pd.to_datetime(rows["read_on"]).dt.date <= cutoff] if len(rows) else rows
    return [_closed(name, group, orders) for name, group in sorted(due.groupby("round"), key=lambda item: item[1]["read_on"].iloc[0])]


def _closed(name: str, group: pd.DataFrame, orders: pd.DataFrame) -> Closed:
    begins_on, read_on = (date.fromisoformat(group[column].iloc[0]) for column in ("begins_on", "read_on"))
    people = group[group["arm"] != TWO_ARMS].set_index("customer_id")
    people = people[["arm", "stratum", "pair", "propensity", "assigned_on", "outcome"]].astype({"propensity": "float64"})
    starts = pd.to_datetime(people["assigned_on"])
    mine = orders[orders["customer_id"].isin(people.index) & (orders["net_amount"] > 0)]
    day, start = mine["ordered_at"].dt.normalize(), mine["customer_id"].map(starts)
    during = mine[(day >= start) & (day < pd.Timestamp(read_on))]
    before = mine[(day < start) & (day >= start - pd.Timedelta(days=(read_on - begins_on).days))]
    summary = customer_summary(orders, date.fromisoformat(group["opened_on"].iloc[0])).reindex(people.index)
    people = people.assign(
        spend=_sum(during, people.index), orders=_count(during, people.index), spend_before=_sum(before, people.index),
        orders_before=_count(before, people.index), days_since_last=(summary["T"] - summary["recency"]).fillna(0.0).astype("float64"),
    )  # fmt: skip
    return Closed(
        name, group["slug"].iloc[0], begins_on, read_on, people.assign(back=people["orders"] > 0), int((group["arm"] == TWO_ARMS).sum())
    )


def _sum(orders: pd.DataFrame, index: pd.Index) -> np.ndarray:
    return orders.groupby("customer_id")["net_amount"].sum().reindex(index, fill_value=0.0).to_numpy()


def _count(orders: pd.DataFrame, index: pd.Index) -> np.ndarray:
    days = orders.assign(day=orders["ordered_at"].dt.normalize()).groupby("customer_id")["day"].nunique()
    return days.reindex(index, fill_value=0).to_numpy()
