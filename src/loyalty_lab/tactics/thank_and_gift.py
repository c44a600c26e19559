"""Thank-yous and small gifts: who was thanked so far and how soon, and which purchases of this week deserve a thank-you."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, periods, proportions, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import unusually_large, visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "thank-and-gift"
FRESH_DAYS = 7
LANDMARK_DAYS = 14
IN_TIME = pd.Timedelta(days=30)
MILESTONES = (5, 10, 25, 50, 100, 200, 500)
REASONS = ("first", "milestone", "large")
TEMPLATES = {"first": "T1", "milestone": "T2", "large": "T3"}


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many purchases worth a thank-you were followed by one within 30 days, how soon, and who came back after it.

    Worth a thank-you are a first purchase, a fifth, tenth, twenty-fifth ... one, and one among the largest twentieth of the shop's year.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Shares carry Wilson intervals; occasions of the last 30 days are left out, their thank-you may still come.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> diagnose(shop, date(2026, 3, 31)).facts["occasions"].value
    1
    """
    year, thanks = _occasions(shop, cutoff, year_to(cutoff)), _thanks(shop)
    facts = {"occasions": Fact(value=len(year), unit="count", window=year_to(cutoff)), "now": _now(shop, cutoff)}
    if thanks.empty:
        return Findings.of(SLUG, facts, "orders" if len(year) else "none", claims=(Claim.of(SLUG, "hundreds"),))
    over = _thanked(year[year["day"] + IN_TIME <= pd.Timestamp(cutoff)], thanks)
    by_reason = proportions.by_group(over["reason"], over["thanked"])
    followed = thanked_against_not(shop, cutoff)
    facts |= {
        "thanked": proportions.share(int(over["thanked"].sum()), len(over), year_to(cutoff)),
        "days_to_thanks": _soon(over),
        **followed.facts,
    }
    return Findings.of(
        SLUG, facts, "contacts" if len(year) else "none", also=followed.said(SLUG), tables={"thanked": by_reason},
        figures=_bars(by_reason, spoken(facts)), claims=(Claim.of(SLUG, "hundreds", facts["return_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the thank-yous must keep a customer to pay for the letter and the gift."""
    return worth.of_campaign(SLUG, shop, _people(shop, cutoff, forecast), cost=("letter", "gift"), assumptions=("surprise",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whom to thank: a first, milestone or large purchase in the last seven days; most worth keeping first."""
    people = _people(shop, cutoff, forecast)
    visit, spend = people["visit"], people["spend"]
    told = [
        {"visit": int(n), "spend": float(paid), "template": TEMPLATES[why]}
        for n, paid, why in zip(visit, spend, people["reason"], strict=True)
    ]
    return candidates.listed(SLUG, people.assign(arguments=told), candidates.preferred(shop, people), at_stake="save_value")


def thanked_against_not(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare newcomers who were thanked within two weeks with those who were not, by whether they came within 90 days from then.

    Only those count who had not come back by then: who comes on the third day cannot have been won by a letter of the tenth,
    and would be missing among the thanked (a landmark against immortal time).

    References
    ----------
    Anderson, Cain, Gelber (1983), Analysis of survival by tumor response, Journal of Clinical Oncology 1.
    """
    days = visits(shop, cutoff)
    first = _thanked(days[(days["visit"] == 1) & ~(days["until_next"] <= LANDMARK_DAYS)], _thanks(shop))
    first = first.assign(at=first["day"] + pd.Timedelta(days=LANDMARK_DAYS), soon=first["after"] <= LANDMARK_DAYS)
    return experiences.follow(shop, cutoff, first, "soon", better=True, also=["channel", "branch_id", "spend"])


@records.once
def _occasions(shop: Shop, cutoff: date, window: periods.Window) -> pd.DataFrame:
    """Visits of a window that deserve a thank-you, with the `reason`: the first one of `REASONS` that holds."""
    days = visits(shop, cutoff)
    reason = pd.Series(pd.NA, days.index, dtype="str").mask(unusually_large(days, cutoff), "large")
    reason = reason.mask(days["visit"].isin(MILESTONES), "milestone").mask(days["visit"] == 1, "first")
    return days.assign(reason=reason)[reason.notna() & within(days["day"], window)]


def _thanks(shop: Shop) -> pd.DataFrame:
    contacts = records.of(shop, "contacts")
    return contacts[contacts["direction"].ne("in") & contacts["purpose"].eq("thanks")]


def _thanked(occasions: pd.DataFrame, thanks: pd.DataFrame) -> pd.DataFrame:
    """Occasions with whether a thank-you followed within 30 days (`thanked`), and after how many days (`after`)."""
    sent = thanks.dropna(subset=["customer_id"]).sort_values("sent_at")[["customer_id", "sent_at"]]
    found = pd.merge_asof(occasions.sort_values("day"), sent, left_on="day", right_on="sent_at", by="customer_id",
                          direction="forward", tolerance=IN_TIME)  # fmt: skip
    return found.assign(thanked=found["sent_at"].notna(), after=(found["sent_at"].dt.normalize() - found["day"]).dt.days)


def _soon(over: pd.DataFrame) -> Fact:
    after = over["after"].dropna()
    return Fact(value=float(after.median()) if len(after) else None, unit="days", n=len(after))


def _now(shop: Shop, cutoff: date) -> Fact:
    people = _occasions(shop, cutoff, last_days(cutoff, FRESH_DAYS))
    return Fact(value=people["customer_id"].nunique(), unit="count", window=last_days(cutoff, FRESH_DAYS))


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """Who may be thanked, each for the weightiest reason of the week."""
    occasions = _occasions(shop, cutoff, last_days(cutoff, FRESH_DAYS))
    weight = occasions["reason"].map({reason: at for at, reason in enumerate(REASONS)})
    occasions = occasions.assign(weight=weight).sort_values(["weight", "day"]).drop_duplicates("customer_id").set_index("customer_id")
    return candidates.ranked(candidates.willing(shop, cutoff, occasions), forecast, by="save_value")


def _bars(by_reason: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    labels = [{"key": f"{SLUG}.occasion.{reason}", "args": {}} for reason in by_reason["group"]]
    return (Figure.bars(SLUG, "thanked", by_reason, labels, args, reference=args["thanked"]),) if len(by_reason) else ()
