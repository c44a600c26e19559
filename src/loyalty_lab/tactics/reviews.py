"""Reviews: who was asked, how they differ from what everybody says, which have an answer, and whom to ask next."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, worth
from loyalty_lab.periods import within, year_to
from loyalty_lab.proportions import share
from loyalty_lab.results import Claim, Fact, Figure, Findings, Value, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "reviews"
LOW, POOR = 3, 2
REPLY_DAYS, RECENT_DAYS = 14, 60
ASK_FROM, ASK_TO = timedelta(days=14), timedelta(days=7)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find who was asked for a review, how low marks lie beside those of the survey, which have an answer, and who came back after one.

    Reviews that something was given for are told apart: they are in no comparison.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with reviews.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        About the reviews of the year to the cutoff. Where no reply was ever noted, nothing is said of replies.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> told = pd.DataFrame({"review_id": ["1"], "customer_id": ["a"], "posted_at": pd.to_datetime(["2026-03-04"]), "rating": [2]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "reviews": told})
    >>> diagnose(shop, date(2026, 3, 31)).facts["open"].value
    1
    """
    everything, followed = _reviews(shop), answered_against_not(shop, cutoff)
    year, noted = everything[within(everything["posted_at"], year_to(cutoff))], bool(everything["replied"].any())
    by_source = _by_source(year, _survey(shop, cutoff))
    facts = _mark_facts(year, _survey(shop, cutoff), cutoff) | _reply_facts(year, cutoff, noted)
    facts |= {"to_ask": Fact(value=len(to_ask(shop, cutoff)), unit="count"), **followed.facts}
    headline = "none" if year.empty else "unnoted" if not noted else "open" if facts["open"].value else "clear"
    return Findings.of(
        SLUG, facts, headline, {"none": "none", "unnoted": "unnoted"}.get(headline, "noted"), args=_words(facts),
        also=(*followed.said(SLUG), *records.doubts(shop, "reviews")), tables={"sources": by_source},
        figures=_bars(by_source, spoken(facts)), claims=(Claim.of(SLUG, "stay", facts["return_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: reviews a year without a prompt answer x difference in coming back x mean value of keeping one of the authors.

    What reviews bring most, customers who read them, is not in it.
    """
    over = _over(_reviews(shop), cutoff)
    if not over["replied"].any():
        return worth.worth(SLUG, Value(grade="D", assumptions=["readers", "unnoted"]), [(f"{worth.SHARED}.occasions", None, "count")])
    late = over[within(over["posted_at"], year_to(cutoff)) & ~over["prompt"] & over["customer_id"].notna()]
    return worth.of_experience(SLUG, shop, answered_against_not(shop, cutoff), late["customer_id"], forecast, assumptions=("readers",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whose review of three stars or fewer has no answer, of the last twelve months; most worth keeping first."""
    everything = _reviews(shop)
    owed = everything[_is_open(everything) & everything["customer_id"].notna() & within(everything["posted_at"], year_to(cutoff))]
    owed = owed.sort_values(["posted_at", "review_id"], ascending=[False, True]).drop_duplicates("customer_id").set_index("customer_id")
    people = candidates.ranked(owed, forecast, by="save_value")
    days = (pd.Timestamp(cutoff) - people["posted_at"].dt.normalize()).dt.days.clip(lower=1)
    told = [{"rating": int(rating), "days": int(ago)} for rating, ago in zip(people["rating"], days, strict=True)]
    reason = np.select([days > RECENT_DAYS, people["rating"] <= POOR], ["old", "poor"], "middling")
    return candidates.listed(SLUG, people.assign(reason=reason, arguments=told), "phone", at_stake="save_value")


@records.once
def answered_against_not(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare reviews answered within two weeks with the others, by whether the author came within 90 days from then.

    Only authors count who had not come back by then: whoever comes on the third day was not won by an answer of the tenth
    (a landmark against immortal time). Nothing is compared where no reply was ever noted.
    """
    everything = _reviews(shop)
    over = _over(everything, cutoff)
    over = over[over["customer_id"].notna()] if everything["replied"].any() else over.iloc[:0]
    over = over[~experiences.came_back(over.assign(at=over["posted_at"]), shop.orders, REPLY_DAYS)]
    known = {"rating": over["rating"].astype("float64"), "asked": over["asked"].astype("str")}
    occasions = over.assign(at=over["posted_at"].dt.normalize() + pd.Timedelta(days=REPLY_DAYS), **known)
    return experiences.follow(shop, cutoff, occasions, "prompt", better=True, also=[*known])


def to_ask(shop: Shop, cutoff: date) -> pd.Index:
    """Return who bought, or got the parcel, one to two weeks ago, has not reviewed since, and may be written to now.

    Whoever was asked within the contact gap may not. All others, content or not, in the order of their codes: the lot draws from them.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2026-03-20", "2026-03-30"])
    >>> orders = pd.DataFrame({"order_id": ["1", "2"], "customer_id": ["a", "b"], "ordered_at": days, "net_amount": [5.0, 5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> to_ask(shop, date(2026, 3, 31)).tolist()
    ['a']
    """
    orders, parcels = records.of(shop, "orders"), records.of(shop, "deliveries").drop_duplicates("order_id").set_index("order_id")
    orders = orders[orders["customer_id"].notna() & (orders["net_amount"] > 0)]
    brought = parcels["delivered_at"].reindex(orders["order_id"]).set_axis(orders.index)
    had = brought.where(orders["order_id"].isin(parcels.index), orders["ordered_at"])
    due = had[within(had, (cutoff - ASK_FROM, cutoff - ASK_TO))].groupby(orders["customer_id"]).min()
    last = _reviews(shop).groupby("customer_id")["posted_at"].max()
    left = due[~(last.reindex(due.index) >= due.dt.normalize())].to_frame()
    return candidates.willing(shop, cutoff, left).index


@records.once
def _reviews(shop: Shop) -> pd.DataFrame:
    """All reviews: `low`, `replied`, `prompt` (within two weeks), and `source`: given something, asked, unasked, or not known."""
    rows = records.of(shop, "reviews")
    rows = rows[rows["posted_at"].notna() & rows["rating"].notna()].reset_index(drop=True)
    wait = (rows["replied_at"].dt.normalize() - rows["posted_at"].dt.normalize()).dt.days
    given, asked, unasked = (flag.fillna(False).astype(bool) for flag in (rows["incentivised"], rows["asked"], ~rows["asked"]))
    source = np.select([given, asked, unasked], ["given", "asked", "unasked"], "unknown")
    return rows.assign(low=rows["rating"].le(LOW), replied=rows["replied_at"].notna(), wait=wait, prompt=wait <= REPLY_DAYS, source=source)


def _is_open(rows: pd.DataFrame) -> pd.Series:
    return rows["low"] & ~rows["replied"]


def _over(rows: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Reviews whose two weeks for an answer are over."""
    return rows[rows["posted_at"].dt.normalize() + pd.Timedelta(days=REPLY_DAYS) <= pd.Timestamp(cutoff)]


def _survey(shop: Shop, cutoff: date) -> pd.Series:
    """Of each answer to the survey in the year: whether its mark for the goods was three or less."""
    surveys = records.of(shop, "surveys")
    return surveys.loc[surveys["csat"].notna() & within(surveys["asked_at"], year_to(cutoff)), "csat"].le(LOW).astype(bool)


def _by_source(year: pd.DataFrame, survey: pd.Series) -> pd.DataFrame:
    low = pd.concat([year["low"], survey], ignore_index=True)
    return proportions.by_group(pd.Series([*year["source"], *["survey"] * len(survey)], dtype="str"), low)


def _mark_facts(year: pd.DataFrame, survey: pd.Series, cutoff: date) -> dict[str, Fact]:
    window, known, honest = year_to(cutoff), year[year["asked"].notna()], year[year["source"].ne("given")]
    told, given = (int(honest["low"].sum()), len(honest)), year["incentivised"].dropna()
    return {
        "reviews": Fact(value=len(year), unit="count", window=window),
        "low": share(*told, window),
        "low_survey": share(int(survey.sum()), len(survey), window),
        "gap": proportions.difference(told, (int(survey.sum()), len(survey))),
        "asked": share(int(known["asked"].sum()), len(known), window),
        "given": share(int(given.sum()), len(given), window),
    }


def _reply_facts(year: pd.DataFrame, cutoff: date, noted: bool) -> dict[str, Fact]:
    over, wait = _over(year, cutoff), year["wait"].dropna()
    return {
        "replied": share(int(over["prompt"].sum()), len(over) if noted else 0, year_to(cutoff)),
        "days_to_reply": Fact(value=float(wait.median()) if len(wait) else None, unit="days", n=len(wait)),
        "open": Fact(value=int(_is_open(year).sum()), unit="count", window=year_to(cutoff)),
        "known": Fact(value=year.loc[_is_open(year), "customer_id"].nunique(), unit="count", window=year_to(cutoff)),
    }


def _words(facts: dict[str, Fact]) -> dict[str, Any]:
    """The sentences about the survey and about asking, for what the shop writes down."""
    return {
        "selection": f"{SLUG}.selection.{'survey' if facts['low_survey'].n else 'alone'}",
        "wanted": f"{SLUG}.wanted.{'known' if facts['asked'].n else 'unknown'}",
    }


def _bars(by_source: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    labels = [{"key": f"{SLUG}.source.{source}", "args": {}} for source in by_source["group"]]
    return (Figure.bars(SLUG, "sources", by_source, labels, args),) if len(by_source) > 1 else ()  # one bar compares nothing
