"""Contact cards: who calls with one, for what, what follows, and who holds none and may soon need it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, proportions, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import unusually_large, visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "contact-cards"
SOON_DAYS = 30
ASKED_DAYS = 60
REGULAR = 3
SUPPORT = "support"
MOST_BARS = 8
REASONS = ("question", "large", "regular")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many calls quote a card, for what, and how many first purchases such a call came before.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with contacts that quote card codes.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `first_quoting` is the share of the year's first visits within 30 days after a call of the same person that quoted a card. Many
        of them would have come without it: redemption is no effect.

    References
    ----------
    Neslin, Shoemaker (1983), A model for evaluating the profitability of coupon promotions, Marketing Science 2.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> called = pd.DataFrame({"contact_id": ["1"], "customer_id": "a", "sent_at": pd.to_datetime(["2026-02-20"]), "card_code": "CARD-1"})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "contacts": called})
    >>> diagnose(shop, date(2026, 3, 31)).facts["first_quoting"].value
    1.0
    """
    calls, days = _calls(shop), visits(shop, cutoff)
    year, people = calls[within(calls["sent_at"], year_to(cutoff))], days.loc[within(days["day"], year_to(cutoff)), "customer_id"].unique()
    batches, first = _batches(year), _first_visits(days, calls, cutoff)
    holders = int(pd.Series(people, dtype="str").isin(set(calls["customer_id"])).sum())
    facts = {
        "calls": Fact(value=len(year), unit="count", window=year_to(cutoff)),
        "holders": proportions.share(holders, len(people), year_to(cutoff)),
        "support": proportions.share(int(year["purpose"].eq(SUPPORT).sum()), int(year["purpose"].notna().sum()), year_to(cutoff)),
        "first_visits": Fact(value=len(first), unit="count", window=year_to(cutoff)),
        "first_quoting": proportions.share(int(first["quoted"].sum()), len(first), year_to(cutoff)),
        "to_give": Fact(value=len(_without_card(shop, cutoff)), unit="count"),
    }
    return Findings.of(
        SLUG, facts, "none" if year.empty else "calls", also=records.doubts(shop, "tickets"), tables={"batches": batches},
        figures=_bars(batches, spoken(facts)), claims=(Claim.of(SLUG, "sooner", facts["first_quoting"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the cards must keep somebody for the printing and sending to pay.

    A card costs `card` of ``[cost]`` in shop.toml, or a letter where that is not given.
    """
    item = "card" if "card" in shop.settings.cost else "letter"
    return worth.of_campaign(SLUG, shop, _people(shop, cutoff, forecast), cost=(item,), assumptions=("redemption",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List who never quoted a card: those who asked something lately, then large purchases of the last 30 days, then regulars."""
    people = _people(shop, cutoff, forecast)
    told = [{"visits": int(n), "spend": float(paid)} for n, paid in zip(people["visit"], people["spend"], strict=True)]
    return candidates.listed(SLUG, people.assign(arguments=told), candidates.preferred(shop, people), at_stake="save_value")


def _calls(shop: Shop) -> pd.DataFrame:
    """What came in quoting a card; a shop that notes no direction notes a code only for what came in."""
    contacts = records.of(shop, "contacts")
    return contacts[contacts["card_code"].notna() & contacts["direction"].ne("out").fillna(True) & contacts["customer_id"].notna()]


def _batches(year: pd.DataFrame) -> pd.DataFrame:
    """Calls by card code, most first; a batch is where and when cards were laid out."""
    cells = year.groupby("card_code").size().rename("share").reset_index().rename(columns={"card_code": "batch"})
    return cells.sort_values(["share", "batch"], ascending=[False, True], ignore_index=True).astype({"share": "float64"})


def _first_visits(days: pd.DataFrame, calls: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """First visits of the year, with whether a call that quoted a card came in the 30 days before (`quoted`)."""
    first = days[(days["visit"] == 1) & within(days["day"], year_to(cutoff))].sort_values("day")
    heard = calls.assign(called=calls["sent_at"].dt.normalize())[["customer_id", "called"]].sort_values("called")
    found = pd.merge_asof(first, heard, left_on="day", right_on="called", by="customer_id", tolerance=pd.Timedelta(days=SOON_DAYS))
    return found.assign(quoted=found["called"].notna())


@records.once
def _without_card(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Customers who never quoted a card and may need one, each for the weightiest reason: `reason`, `visit` so far, `spend` on a day."""
    days = visits(shop, cutoff)
    lately = unusually_large(days, cutoff) & within(days["day"], last_days(cutoff, SOON_DAYS))
    large = days[lately].groupby("customer_id")["spend"].max()
    tickets = records.of(shop, "tickets")
    asked = set(tickets.loc[within(tickets["opened_at"], last_days(cutoff, ASKED_DAYS)), "customer_id"].dropna())
    people = days.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    reason = pd.Series(pd.NA, people.index, dtype="str").mask(people["visit"] >= REGULAR, "regular")
    reason = reason.mask(people.index.isin(large.index), "large").mask(people.index.isin(asked), "question")
    people = people.assign(reason=reason, spend=large.reindex(people.index).fillna(people["spend"]))
    return people[reason.notna() & ~people.index.isin(set(_calls(shop)["customer_id"]))]


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    people = candidates.willing(shop, cutoff, _without_card(shop, cutoff))
    order = people["reason"].map({reason: at for at, reason in enumerate(REASONS)})
    return candidates.ranked(people.assign(order=order), forecast, first=["order"], by="save_value")


def _bars(batches: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    shown = batches.head(MOST_BARS)
    labels = [{"key": f"{SLUG}.batch", "args": {"batch": batch}} for batch in shown["batch"]]
    return (Figure.bars(SLUG, "batches", shown, labels, args, unit="count"),) if len(shown) else ()
