"""The vital few: who the margin rests on, how faithful they are, and which of them have gone quiet."""

from __future__ import annotations

from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import metrics, proportions
from loyalty_lab.customers import days_since_last, own_rhythm, purchase_days
from loyalty_lab.metrics import year_before
from loyalty_lab.results import Claim, Fact, Figure, Findings, Message, Value, spoken
from loyalty_lab.tactics import Worth, candidates, worth

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
    window = (year_before(cutoff) + timedelta(days=1), cutoff)
    facts = {
        "customers": Fact(value=len(margin), unit="count", window=window),
        "top": Fact(value=len(best(margin)), unit="count", n=len(margin), window=window),
        "top_share": share,
        "persistence": _persistence(shop, margin, cutoff),
        "quiet": Fact(value=len(_quiet(shop, cutoff)), unit="count", n=len(best(margin))),
        **_groups(shop, cutoff, window),
    }
    args = spoken(facts)
    variant = "none" if share.value is None else "shares" if facts["persistence"].value is None else "faithful"
    headline = "none" if share.value is None else "quiet" if facts["quiet"].value else "here"
    pareto = Claim(key=f"{SLUG}.claim.pareto", source=f"{SLUG}.claim.pareto-source", shop_value=None if share.value is None else share)
    return Findings(
        facts=facts,
        tables={"groups": _group_table(facts)},
        figures=_lorenz(margin, cutoff, args),
        messages=(Message(key=f"{SLUG}.headline.{headline}", args=args), Message(key=f"{SLUG}.stand.{variant}", args=args)),
        claims=(pareto,),
    )


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the margin at stake among those who went quiet: value of keeping one x probability of losing them, summed.

    A ceiling and nothing else (grade D): a watch list sends nothing.
    """
    people = _candidates(shop, cutoff, forecast)
    mean = float(people["save_value"].mean()) if len(people) else None
    ceiling = float(people["stake"].sum())
    rows = [("quiet", len(people), "count"), ("save_value", mean, "money"), ("at_stake", ceiling, "money")]
    return worth(SLUG, Value(high=ceiling, grade="D", assumptions=[f"{SLUG}.assumption.{name}" for name in ("ceiling", "luck")]), rows)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List those of the best fifth who have been away more than twice as long as usual for them; most at stake first."""
    people = _candidates(shop, cutoff, forecast)
    return candidates(
        {
            "pseudonym": str(person.Index),
            "reason": f"{SLUG}.reason.gone",
            "arguments": {"days": int(person.days), "rhythm": max(1, round(person.rhythm))},
            "value_at_stake": float(person.stake),
            "channel": "phone",
        }
        for person in people.itertuples()
    )


def margin_of_year(shop: Shop, cutoff: date) -> pd.Series:
    """Return each customer's margin in the year to the cutoff, largest first; those below zero stay in the list."""
    orders = shop.orders
    begin, end = pd.Timestamp(year_before(cutoff)) + pd.Timedelta(days=1), pd.Timestamp(cutoff) + pd.Timedelta(days=1)
    inside = orders["customer_id"].notna() & (orders["ordered_at"] >= begin) & (orders["ordered_at"] < end)
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
    window = (year_before(before) + timedelta(days=1), before)
    first = shop.orders["ordered_at"].min()
    if pd.isna(first) or first.date() > window[0] + metrics.SLACK:
        return Fact(value=None, unit="share", n=0, window=window)
    earlier = best(margin_of_year(shop, before))
    stayed, n = int(earlier.isin(best(margin)).sum()), len(earlier)
    return proportions.share(stayed, n, window)


def _groups(shop: Shop, cutoff: date, window: tuple[date, date]) -> dict[str, Fact]:
    """Customers of the year by the days on which they bought in it: one, two or three, more."""
    days = purchase_days(shop.orders, cutoff)
    times = days[days["day"] >= pd.Timestamp(window[0])].groupby("customer_id").size()
    counts = {"once": times < NEARLY[0], "nearly": times.between(*NEARLY), "regulars": times > NEARLY[1]}
    return {name: Fact(value=int(chosen.sum()), unit="count", n=len(times), window=window) for name, chosen in counts.items()}


def _group_table(facts: dict[str, Fact]) -> pd.DataFrame:
    rows = [(name, facts[name].value, facts[name].value / max(facts[name].n, 1)) for name in ("once", "nearly", "regulars")]
    return pd.DataFrame(rows, columns=["group", "customers", "share"])


def _quiet(shop: Shop, cutoff: date) -> pd.DataFrame:
    """The best fifth who have been away more than twice their own rhythm (the shop's median where they have none)."""
    names = best(margin_of_year(shop, cutoff))
    rhythm = own_rhythm(shop.orders, cutoff)
    usual = rhythm.median() if rhythm.notna().any() else float("nan")
    people = pd.DataFrame({"days": days_since_last(shop.orders, cutoff), "rhythm": rhythm.fillna(usual)})
    people = people[people.index.isin(names)]
    return people[people["days"] > QUIET * people["rhythm"]]


def _candidates(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    people = _quiet(shop, cutoff).join(forecast[["churn_probability", "save_value"]], how="inner")
    people = people.fillna({"churn_probability": 0.0, "save_value": 0.0})
    people = people.assign(stake=people["save_value"] * people["churn_probability"], code=people.index.astype(str))
    return people.sort_values(["stake", "code"], ascending=[False, True])


def _lorenz(margin: pd.Series, cutoff: date, args: dict) -> tuple[Figure, ...]:
    curve = metrics.lorenz(_as_orders(margin, cutoff), cutoff)
    if curve.empty or args["top_share"] is None:
        return ()
    data = {"customers": curve["customers"].tolist(), "sales": curve["sales"].tolist(), "point": [TOP, args["top_share"]]}
    return (Figure.of(SLUG, "lorenz", "lorenz", data, args),)
