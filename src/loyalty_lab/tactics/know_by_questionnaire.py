"""Questionnaire and profile: of whom the shop knows enough, who answers when asked, and which regulars to ask."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, proportions, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "know-by-questionnaire"
# What a shop may know without asking more than a short form does; names and birthdays are never looked at here.
FIELDS = ("region", "preferred_channel", "preferred_language")
REGULAR = 3
ASKED_DAYS = 364
BANDS = ("best", "middle", "rest")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how much is known of whom, by what they bring, and whether those who answer are like those who do not.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with a register of customers.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        A profile counts as known if it may be kept and every one of `FIELDS` that the shop writes down at all is filled in. `answer_gap`
        is the share of regulars among those who answered less that among those asked who did not (Newcombe).

    References
    ----------
    Groves (2006), Nonresponse rates and nonresponse bias in household surveys, Public Opinion Quarterly 70.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> register = pd.DataFrame({"customer_id": ["a"], "consent_profile": [True], "region": ["Old Town"]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "customers": register})
    >>> diagnose(shop, date(2026, 3, 31)).facts["known"].value
    1.0
    """
    people, asked = _people(shop, cutoff), _asked(shop, cutoff)
    bands = proportions.by_group(people["band"], people["known"])
    regulars = people[people["visits"] >= REGULAR]
    facts = {
        "customers": Fact(value=len(people), unit="count", window=year_to(cutoff)),
        "known": proportions.share(int(people["known"].sum()), len(people)),
        "regulars_known": proportions.share(int(regulars["known"].sum()), len(regulars)),
        "allowed": proportions.share(int(people["allowed"].sum()), len(people)),
        **{field: proportions.share(int(people[field].notna().sum()), len(people)) for field in FIELDS},
        "answered": proportions.share(int(asked["answered"].sum()), len(asked), year_to(cutoff)),
        "answer_gap": _answer_gap(asked, people),
        "to_ask": Fact(value=len(_to_ask(shop, cutoff, people)), unit="count", n=len(regulars)),
    }
    return Findings.of(
        SLUG, facts, "none" if people.empty else "known", "none" if people.empty else "asked" if len(asked) else "unasked",
        also=records.doubts(shop, "surveys"), tables={"bands": bands}, figures=_bars(bands, spoken(facts)),
        claims=(Claim.of(SLUG, "better"),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what asking must bring: its cost over the value of keeping one; knowing alone earns nothing.

    What is known pays only where something is done with it: a letter in the right language, an offer from the right shelf.
    """
    return worth.of_campaign(SLUG, shop, _listed(shop, cutoff, forecast), assumptions=("use",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List the regulars who have not forbidden notes and were asked nothing within a year; most worth keeping first."""
    people = _listed(shop, cutoff, forecast)
    gaps = people["missing"].fillna("old")
    told = [{"visits": int(n), "missing": f"{SLUG}.missing.{field}"} for n, field in zip(people["visits"], gaps, strict=True)]
    people = people.assign(reason=gaps.map({"all": "empty", "old": "old"}).fillna("gap"), arguments=told)
    return candidates.listed(SLUG, people, candidates.preferred(shop, people, "counter"), at_stake="save_value")


@records.once
def _people(shop: Shop, cutoff: date) -> pd.DataFrame:
    """One row for each customer of the year: `visits` in all, `band` by margin of the year, what is known, and what is `missing`."""
    days = visits(shop, cutoff)
    year = days[within(days["day"], year_to(cutoff))].groupby("customer_id")["margin"].sum()
    people = pd.DataFrame({"margin": year, "visits": days.groupby("customer_id")["visit"].max().reindex(year.index)})
    rank = people["margin"].rank(ascending=False, method="first", pct=True)
    band = pd.Series("rest", people.index, dtype="str").mask(rank <= 0.5, "middle").mask(rank <= 0.2, "best")
    register = records.register(shop).reindex(people.index)
    people = people.assign(
        band=band, allowed=register["consent_profile"].fillna(False).astype(bool), refused=register["consent_profile"].eq(False)
    )
    people = people.assign(**{field: register[field] for field in FIELDS})
    kept = [field for field in FIELDS if people[field].notna().any()]
    missing = people[kept].isna()
    which = missing.idxmax(axis=1).where(missing.any(axis=1)) if kept else pd.Series("all", people.index, dtype="str")
    which = which.mask(missing.all(axis=1), "all") if kept else which
    return people.assign(missing=which, known=people["allowed"] & which.isna(), refused=people["refused"].fillna(False).astype(bool))


def _asked(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Who was asked anything in the year, and whether an answer came at least once."""
    told = records.of(shop, "surveys")
    told = told[told["customer_id"].notna() & within(told["asked_at"], year_to(cutoff))]
    return told.assign(answered=told["answered_at"].notna()).groupby("customer_id")[["answered"]].any()


def _answer_gap(asked: pd.DataFrame, people: pd.DataFrame) -> Fact:
    regular = (people["visits"] >= REGULAR).reindex(asked.index).fillna(False).astype(bool)
    counts = [(int(regular[group].sum()), int(group.sum())) for group in (asked["answered"].astype(bool), ~asked["answered"].astype(bool))]
    return proportions.difference(*counts)


def _to_ask(shop: Shop, cutoff: date, people: pd.DataFrame) -> pd.DataFrame:
    """Regulars who have not forbidden notes and were asked nothing within a year: of the gaps, or of everything anew."""
    told = records.of(shop, "surveys")
    lately = set(told.loc[within(told["asked_at"], last_days(cutoff, ASKED_DAYS)), "customer_id"].dropna())
    return people[(people["visits"] >= REGULAR) & ~people["refused"] & ~people.index.isin(lately)]


def _listed(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    people = _to_ask(shop, cutoff, _people(shop, cutoff))
    return candidates.ranked(candidates.willing(shop, cutoff, people), forecast, by="save_value")


def _bars(bands: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    order = {band: at for at, band in enumerate(BANDS)}
    bands = bands.sort_values("group", key=lambda names: names.map(order))
    labels = [{"key": f"{SLUG}.band.{band}", "args": {}} for band in bands["group"]]
    return (Figure.bars(SLUG, "known", bands, labels, args, reference=args["known"]),) if len(bands) else ()
