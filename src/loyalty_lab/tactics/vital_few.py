"""The vital few: who the margin rests on, how faithful they are, and which of them have gone quiet."""

from __future__ import annotations

from datetime import date
from math import ceil
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, customers, metrics, proportions, records, worth
from loyalty_lab.periods import Window, within, year_before, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "vital-few"
TOP = 0.2
QUIET = 2.0
NEARLY = (2, 3)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find what share of the year's margin the best fifth of the customers bring, and whether they were the best before.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Last day of the year that is looked at.

    Returns
    -------
    Findings
        `top_share` with a bootstrap interval over customers (fixed seed), `persistence` with a Wilson
        interval: the share of the best fifth of the year before who are in this year's best fifth.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2026-03-01"] * 5)
    >>> orders = pd.DataFrame({"customer_id": list("abcde"), "ordered_at": days, "net_amount": [80.0, 5, 5, 5, 5]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> diagnose(shop, date(2026, 3, 31)).facts["top_share"].value
    0.8
    """
    margin = margin_of_year(shop, cutoff)
    share = metrics.top_share(_as_orders(margin, cutoff), cutoff, TOP).model_copy(update={"formula_key": None})
    window = year_to(cutoff)
    facts = {
        "customers": Fact(value=len(margin), unit="count", window=window),
        "top": Fact(value=len(best(margin)), unit="count", n=len(margin), window=window),
        "top_share": share,
        "persistence": _persistence(shop, margin, cutoff),
        "quiet": Fact(value=len(_quiet(shop, cutoff)), unit="count", n=len(best(margin))),
        **_groups(shop, cutoff, window),
    }
    variant = "none" if share.value is None else "shares" if facts["persistence"].value is None else "faithful"
    headline = "none" if share.value is None else "quiet" if facts["quiet"].value else "here"
    return Findings.of(
        SLUG, facts, headline, variant, tables={"groups": _group_table(facts)}, figures=_lorenz(margin, cutoff, spoken(facts)),
        claims=(Claim.of(SLUG, "pareto", share),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the margin at stake among those who went quiet: value of keeping one x probability of losing them, summed.

    A ceiling and nothing else (grade D): a watch list sends nothing.
    """
    return worth.at_most(SLUG, _candidates(shop, cutoff, forecast), assumptions=("ceiling", "luck"))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List those of the best fifth who have been away more than twice as long as usual for them; most at stake first."""
    people = _candidates(shop, cutoff, forecast)
    arguments = [
        {"days": int(days), "rhythm": max(1, round(rhythm))} for days, rhythm in zip(people["days"], people["rhythm"], strict=True)
    ]
    return candidates.listed(SLUG, people.assign(arguments=arguments), "phone")


@records.once
def margin_of_year(shop: Shop, cutoff: date) -> pd.Series:
    """Return each customer's margin in the year to the cutoff, largest first; those below zero stay in the list."""
    orders = shop.orders
    inside = orders["customer_id"].notna() & within(orders["ordered_at"], year_to(cutoff))
    year = orders[inside].assign(margin=shop.margin_of(orders)[inside])
    margin = year.groupby("customer_id", sort=True)["margin"].sum()
    return margin.sort_values(ascending=False, kind="stable")


def best(margin: pd.Series) -> pd.Index:
    """Return the top fifth of the customers with a margin above zero, rounded up.

    Examples
    --------
    >>> list(best(pd.Series({"a": 9.0, "b": 5.0, "c": 4.0, "d": 3.0, "e": 2.0, "f": 1.0, "g": -1.0})))
    ['a', 'b']
    """
    earning = margin[margin > 0]
    return earning.index[: ceil(TOP * len(earning))]


def _as_orders(margin: pd.Series, cutoff: date) -> pd.DataFrame:
    """One row per customer, so that the formulas for sales speak of margin."""
    return pd.DataFrame({"customer_id": margin.index, "ordered_at": pd.Timestamp(cutoff), "net_amount": margin.to_numpy(dtype="float64")})


def _persistence(shop: Shop, margin: pd.Series, cutoff: date) -> Fact:
    before = year_before(cutoff)
    window = year_to(before)
    if not metrics.reaches(shop.orders, window):
        return Fact(value=None, unit="share", n=0, window=window)
    earlier = best(margin_of_year(shop, before))
    stayed, n = int(earlier.isin(best(margin)).sum()), len(earlier)
    return proportions.share(stayed, n, window)


def _groups(shop: Shop, cutoff: date, window: Window) -> dict[str, Fact]:
    """Customers of the year by the days on which they bought in it: one, two or three, more."""
    days = visits(shop, cutoff)
    times = days[within(days["day"], window)].groupby("customer_id").size()
    counts = {"once": times < NEARLY[0], "nearly": times.between(*NEARLY), "regulars": times > NEARLY[1]}
    return {name: Fact(value=int(chosen.sum()), unit="count", n=len(times), window=window) for name, chosen in counts.items()}


def _group_table(facts: dict[str, Fact]) -> pd.DataFrame:
    rows = [(name, facts[name].value, facts[name].value / max(facts[name].n, 1)) for name in ("once", "nearly", "regulars")]
    return pd.DataFrame(rows, columns=["group", "customers", "share"])


@records.once
def _quiet(shop: Shop, cutoff: date) -> pd.DataFrame:
    """The best fifth who have been away more than twice their own rhythm (the shop's where they have none)."""
    people = customers.away(shop.orders, cutoff)
    people = people[people.index.isin(best(margin_of_year(shop, cutoff)))]
    return people[people["days"] > QUIET * people["rhythm"]]


def _candidates(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    return candidates.ranked(_quiet(shop, cutoff), forecast)


def _lorenz(margin: pd.Series, cutoff: date, args: dict) -> tuple[Figure, ...]:
    curve = metrics.lorenz(_as_orders(margin, cutoff), cutoff)
    if curve.empty or args["top_share"] is None:
        return ()
    data = {"customers": curve["customers"].tolist(), "sales": curve["sales"].tolist(), "point": [TOP, args["top_share"]]}
    return (Figure.of(SLUG, "lorenz", "lorenz", data, args),)
