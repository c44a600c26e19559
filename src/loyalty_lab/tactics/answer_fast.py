"""Answer fast: how long people wait for a first reply, whether promises are kept, and who is owed an answer now."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, records, waits, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "answer-fast"
FAST = 1.0
APOLOGY_DAYS = 30
DAY = pd.Timedelta(days=1)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how long a first reply takes, how many promises are kept, and who came back after a fast or a slow reply.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with tickets.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Waits are Kaplan-Meier estimates over the tickets of the year to the cutoff; a ticket without
        a reply is censored at the end of the cutoff day.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> tickets = pd.DataFrame({"ticket_id": ["1"], "customer_id": ["a"], "opened_at": pd.to_datetime(["2026-03-01"]),
    ...                         "first_reply_at": pd.to_datetime(["2026-03-03"])})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "tickets": tickets})
    >>> diagnose(shop, date(2026, 3, 31)).facts["median_wait"].value
    2.0
    """
    tickets = _of_the_year(shop, cutoff)
    curve, followed = waits.waiting_curve(tickets["wait"], tickets["replied"]), slow_against_fast(shop, cutoff)
    facts = _wait_facts(shop, tickets, curve, cutoff) | _open_facts(_tickets(shop, cutoff)) | followed.facts
    return Findings.of(
        SLUG, facts, "none" if tickets.empty else "waiting" if facts["open"].value else "clear",
        also=(*followed.said(SLUG), *records.doubts(shop, "tickets")), tables={"waiting": curve},
        figures=waits.figure(SLUG, "waiting", curve, spoken(facts), [1]), claims=(Claim.of(SLUG, "essential", facts["return_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: slow tickets a year x difference in return x mean value of keeping one of those customers.

    Hard questions take longer and annoy more, so this is a ceiling and no amount.
    """
    tickets = _of_the_year(shop, cutoff)
    slow = tickets.loc[tickets["wait"] > FAST, "customer_id"]
    return worth.of_experience(SLUG, shop, slow_against_fast(shop, cutoff), slow, forecast)


@records.once
def slow_against_fast(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare questions whose first reply took longer than a day with the others, by whether the customer came back in 90 days.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> slow_against_fast(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    tickets = _tickets(shop, cutoff)
    tickets = tickets.assign(at=tickets["opened_at"], slow=tickets["wait"] > FAST)
    return experiences.follow(shop, cutoff, tickets, "slow", better=False, also=["category"])


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List everybody who is owed an answer, then those answered slowly in the last 30 days; one row per customer.

    Within each group those with most at stake come first. A customer the forecast does not know has nothing at stake but is
    owed the answer all the same.
    """
    tickets = _tickets(shop, cutoff)
    tickets = tickets[_is_owed(tickets) | _is_apology(tickets, cutoff)]
    tickets = tickets.assign(later=~_is_owed(tickets)).sort_values(["later", "wait", "ticket_id"], ascending=[True, False, True])
    people = candidates.ranked(tickets.drop_duplicates("customer_id").set_index("customer_id"), forecast, first=["later"], by="save_value")
    reasons = [_reason(ticket) for ticket in people.itertuples()]
    people = people.assign(reason=[reason for reason, _ in reasons], arguments=[told for _, told in reasons])
    return candidates.listed(SLUG, people, "phone", at_stake="save_value")


@records.once
def _tickets(shop: Shop, cutoff: date) -> pd.DataFrame:
    """All tickets with known customers: `wait` so far in days, `replied`, `open`, `overdue`."""
    end = pd.Timestamp(cutoff) + DAY
    tickets = records.of(shop, "tickets")
    tickets = tickets[tickets["customer_id"].notna() & tickets["opened_at"].notna()]
    # A question that was settled without a noted reply was answered when it was settled.
    tickets = tickets.assign(first_reply_at=tickets["first_reply_at"].fillna(tickets["resolved_at"]))
    replied = tickets["first_reply_at"].notna()
    wait = ((tickets["first_reply_at"].fillna(end) - tickets["opened_at"]) / DAY).clip(lower=0.0)
    settled = tickets["resolved_at"].notna() if tickets["resolved_at"].notna().any() else replied
    is_open = ~settled & ~(replied & tickets["promised_by"].isna())
    overdue = is_open & (tickets["promised_by"] < end)
    late = ((end - tickets["promised_by"]) / DAY).where(overdue)
    return tickets.assign(replied=replied, wait=wait, open=is_open, overdue=overdue, late=late)


def _of_the_year(shop: Shop, cutoff: date) -> pd.DataFrame:
    tickets = _tickets(shop, cutoff)
    return tickets[within(tickets["opened_at"], year_to(cutoff))]


def _is_owed(tickets: pd.DataFrame) -> pd.Series:
    return tickets["overdue"] | (tickets["open"] & ~tickets["replied"])


def _is_apology(tickets: pd.DataFrame, cutoff: date) -> pd.Series:
    return tickets["replied"] & (tickets["wait"] > FAST) & within(tickets["first_reply_at"], last_days(cutoff, APOLOGY_DAYS))


def _reason(ticket) -> tuple[str, dict]:
    waited = {"days": max(1, int(ticket.wait))}
    if ticket.overdue:
        return "overdue", waited | {"late": max(1, int(ticket.late))}
    return ("apology" if ticket.later else "unanswered"), waited


def _wait_facts(shop: Shop, tickets: pd.DataFrame, curve: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    window = year_to(cutoff)
    return {
        "tickets": Fact(value=len(tickets), unit="count", window=window),
        "median_wait": Fact(value=waits.reached(curve, 0.5), unit="days", n=len(tickets), window=window),
        "p90_wait": Fact(value=waits.reached(curve, 0.9), unit="days", n=len(tickets), window=window),
        "promises_kept": waits.promises_kept(shop, cutoff),
    }


def _open_facts(tickets: pd.DataFrame) -> dict[str, Fact]:
    unanswered = tickets["open"] & ~tickets["replied"]
    return {
        "open": Fact(value=int(tickets["open"].sum()), unit="count", n=len(tickets)),
        "unanswered": Fact(value=int(unanswered.sum()), unit="count", n=len(tickets)),
        "overdue": Fact(value=int(tickets["overdue"].sum()), unit="count", n=len(tickets)),
    }
