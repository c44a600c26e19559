"""Whom a list may name: what the forecast says of them, in which order, by which channel, and for what reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import records
from loyalty_lab.customers import not_to_be_contacted

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

COLUMNS = ("pseudonym", "rank", "reason", "arguments", "value_at_stake", "channel")


def nobody() -> pd.DataFrame:
    """Return an empty list of candidates."""
    return pd.DataFrame(columns=list(COLUMNS))


def ranked(people: pd.DataFrame, forecast: pd.DataFrame, first: Sequence[str] = (), by: str = "stake") -> pd.DataFrame:
    """Put people in the order in which they are to be dealt with.

    Parameters
    ----------
    people : pandas.DataFrame
        One row a person, index `customer_id`.
    forecast : pandas.DataFrame
        Index `customer_id`, with `churn_probability` and `save_value`.
    first : sequence of str
        Columns of `people` that go before the money; small values and False come first.
    by : {"stake", "save_value"}
        What the order is by: the value of keeping somebody times the chance of losing them, or that value alone, where the
        chance is not what makes the difference.

    Returns
    -------
    pandas.DataFrame
        The people with `churn_probability`, `save_value` and `stake` (0 for those the forecast does not know); most money first, ties
        by code.

    Examples
    --------
    >>> people = pd.DataFrame({"late": [True, False]}, index=["a", "b"])
    >>> forecast = pd.DataFrame({"churn_probability": [0.5, 0.1], "save_value": [40.0, 60.0]}, index=["a", "b"])
    >>> ranked(people, forecast)["stake"].to_dict(), list(ranked(people, forecast, first=["late"]).index)
    ({'a': 20.0, 'b': 6.0}, ['b', 'a'])
    """
    known = forecast[["churn_probability", "save_value"]].reindex(people.index).fillna(0.0)
    people = people.assign(**known, stake=known["save_value"] * known["churn_probability"])
    people = people.assign(_code=people.index.astype(str)).sort_values([*first, by, "_code"], ascending=[True] * len(first) + [False, True])
    return people.drop(columns="_code").rename_axis("customer_id")


def willing(shop: Shop, cutoff: date, people: pd.DataFrame) -> pd.DataFrame:
    """Return those who have not refused, have not asked the shop to stop, and were not contacted within the contact gap."""
    return people[~people.index.isin(not_to_be_contacted(shop, cutoff))]


def without_refused_notes(shop: Shop, people: pd.DataFrame) -> pd.DataFrame:
    """Return those who have not forbidden the shop to keep notes about them; index `customer_id`."""
    refused = records.register(shop)["consent_profile"].eq(False)
    return people[~people.index.isin(refused.index[refused.fillna(False)])]


def preferred(shop: Shop, people: pd.DataFrame, otherwise: str = "letter") -> pd.Series:
    """Return how each person wants to be reached, where the register tells."""
    register = records.register(shop)
    return register["preferred_channel"].reindex(people.index).fillna(otherwise)


def amounts(people: pd.DataFrame, *names: str) -> list[dict[str, float]]:
    """Return of each person the amounts that are known: what their reason speaks of.

    Examples
    --------
    >>> amounts(pd.DataFrame({"spend": [20.0, 9.0], "missing": [1.5, None]}), "spend", "missing")
    [{'spend': 20.0, 'missing': 1.5}, {'spend': 9.0}]
    """
    rows = people[list(names)].astype("float64").to_dict("records")
    return [{name: amount for name, amount in row.items() if pd.notna(amount)} for row in rows]


def listed(slug: str, people: pd.DataFrame, channel: str | pd.Series, at_stake: str = "stake") -> pd.DataFrame:
    """Number people in the order given, each with the reason for being there.

    Parameters
    ----------
    slug : str
    people : pandas.DataFrame
        Index `customer_id`, as of `ranked`; `reason` is the name of a text below ``<slug>.reason``, `arguments` a dict of what it
        speaks of (without the column: nothing).
    channel : str or pandas.Series
        The same for all, or by customer.
    at_stake : str
        Column with the money.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`.

    Examples
    --------
    >>> people = pd.DataFrame({"reason": ["away"], "arguments": [{"days": 9}], "stake": [20.0]}, index=["a"])
    >>> listed("follow-up-letters", people, "letter").to_dict("records")[0]["reason"]
    'follow-up-letters.reason.away'
    """
    if people.empty:
        return nobody()
    by = channel if isinstance(channel, str) else channel.reindex(people.index).to_numpy()
    arguments = people["arguments"].tolist() if "arguments" in people.columns else [{} for _ in range(len(people))]
    rows = {
        "pseudonym": people.index.astype("str"),
        "rank": range(1, len(people) + 1),
        "reason": [f"{slug}.reason.{reason}" for reason in people["reason"]],
        "arguments": arguments,
        "value_at_stake": people[at_stake].to_numpy(dtype="float64"),
        "channel": by,
    }
    return pd.DataFrame(rows, columns=list(COLUMNS))
