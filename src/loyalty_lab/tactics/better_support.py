"""Better support: what is settled at the first contact, who is handed on or left to a bot, and who was passed around lately."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import difference, share
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "better-support"
TWICE = 2
LATELY_DAYS = 60
MOST_CAUSES = 6
DAY = pd.Timedelta(days=1)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how much is settled at the first contact, how often people are handed on or left to a bot, and what they ask about.

    Settled at the first contact is a question that was neither handed on nor opened again nor had to be explained twice; those
    not settled yet count neither way.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with tickets.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Shares of channels and staff are drawn towards that of the shop as far as their numbers do not speak for themselves.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> tickets = pd.DataFrame({"ticket_id": ["1", "2"], "customer_id": ["a", "a"], "opened_at": pd.to_datetime(["2026-03-01"] * 2),
    ...                         "resolved_at": pd.to_datetime(["2026-03-03"] * 2), "transfers": [0, 2]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "tickets": tickets})
    >>> diagnose(shop, date(2026, 3, 31)).facts["first_contact"].value
    0.5
    """
    year, around = _of_the_year(shop, cutoff), _passed_around(shop, cutoff)
    settled, followed = year[year["settled"]], rough_against_smooth(shop, cutoff)
    tables = {
        name: proportions.by_group(settled[column], settled["first"]) for name, column in (("channels", "channel"), ("staff", "agent_id"))
    }
    tables["causes"] = _causes(year)
    facts = _handling_facts(year, cutoff) | _bot_facts(year, cutoff) | followed.facts
    facts |= {
        "per_hundred": _per_hundred(shop, year, cutoff),
        "around": Fact(value=len(around), unit="count", window=last_days(cutoff, LATELY_DAYS)),
        "waiting": Fact(value=int(around["open"].sum()), unit="count", n=len(around)),
    }
    return Findings.of(
        SLUG, facts, "none" if year.empty else "waiting" if len(around) else "clear",
        "none" if year.empty else "bot" if facts["bot_share"].value else "people",
        also=(*followed.said(SLUG), *records.doubts(shop, "tickets")), tables=tables,
        figures=_figures(tables, spoken(facts)), claims=(Claim.of(SLUG, "live", facts["bot_reopened_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: rough questions a year x difference in return, at most x mean value of keeping one of those customers.

    The first row counts the hand-overs that were saved if every question stayed with who took it: time of the staff, not money.
    """
    year = _of_the_year(shop, cutoff)
    rough, rows = year.loc[year["rough"], "customer_id"], [("handovers", int(year["transfers"].sum()), "count")]
    return worth.of_experience(SLUG, shop, rough_against_smooth(shop, cutoff), rough, forecast, rows=rows)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List who was handed on twice or more, or had a question opened again, in the last 60 days; the unsettled first."""
    people = _passed_around(shop, cutoff)
    people = candidates.ranked(people.assign(settled=~people["open"]), forecast, first=["settled"], by="save_value")
    told = [{"n": int(row.transfers), "days": int(row.days)} for row in people.itertuples()]
    return candidates.listed(SLUG, people.assign(arguments=told), "phone", at_stake="save_value")


@records.once
def rough_against_smooth(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare questions handed on twice or opened again with the others, by whether the customer came back in 90 days.

    A question that waited long is also handed on more, so the wait for the first reply is adjusted for besides the topic: what was
    slow is no fault of the hand-over.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> rough_against_smooth(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    tickets = _tickets(shop)
    tickets = tickets.assign(at=tickets["opened_at"], wait=(tickets["first_reply_at"] - tickets["opened_at"]) / DAY)
    return experiences.follow(shop, cutoff, tickets, "rough", better=False, also=["category", "wait"])


@records.once
def _tickets(shop: Shop) -> pd.DataFrame:
    """Questions of known customers: whether `settled`, at the `first` contact, `rough` (handed on twice, opened again), by bot `alone`."""
    tickets = records.of(shop, "tickets")
    tickets = tickets[tickets["customer_id"].notna() & tickets["opened_at"].notna()].reset_index(drop=True)
    settled = (tickets["resolved_at"] if tickets["resolved_at"].notna().any() else tickets["first_reply_at"]).notna()
    handed, again, twice = tickets["transfers"].fillna(0), _yes(tickets["reopened"]), _yes(tickets["repeat_explained"])
    alone = tickets["channel"].eq("bot") & tickets["agent_id"].isna() & settled & tickets["agent_id"].notna().any()
    return tickets.assign(
        settled=settled, transfers=handed, reopened=again, explained=twice, alone=alone,
        first=settled & handed.eq(0) & ~again & ~twice, rough=handed.ge(TWICE).astype(bool) | again,
    )  # fmt: skip


def _yes(flags: pd.Series) -> pd.Series:
    return flags.fillna(False).astype(bool)


def _of_the_year(shop: Shop, cutoff: date) -> pd.DataFrame:
    tickets = _tickets(shop)
    return tickets[within(tickets["opened_at"], year_to(cutoff))]


def _passed_around(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Who was handed on twice or more, or had a question opened again, in the last 60 days: one row a customer, by `customer_id`.

    A question counts that was asked or settled in these days, or is still not settled. With `open`, the `transfers` of all of them
    together, the `reason`, and the `days` since the question that is still open was asked, else the one that was opened again.
    """
    tickets, window = _tickets(shop), last_days(cutoff, LATELY_DAYS)
    now = tickets[within(tickets["opened_at"], window) | within(tickets["resolved_at"], window) | ~tickets["settled"]]
    now = now.assign(open=~now["settled"]).sort_values(["open", "reopened", "opened_at", "ticket_id"], ascending=[False, False, True, True])
    mine = now.groupby("customer_id")
    people = mine[["transfers", "open", "reopened"]].sum().astype("int64").join(mine["opened_at"].first())
    people = people[(people["transfers"] >= TWICE) | (people["reopened"] > 0)]
    days = (pd.Timestamp(cutoff) - people["opened_at"].dt.normalize()).dt.days.clip(lower=1)
    twice, is_open = people["transfers"] >= TWICE, people["open"] > 0
    reason = twice.map({True: "handed", False: "reopened"}).astype("str").mask(is_open & twice, "open").mask(is_open & ~twice, "open_again")
    return people.assign(open=is_open, days=days, reason=reason)


def _handling_facts(year: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    """Shares of the year's questions; how a question ended is known only of those settled."""
    window, settled = year_to(cutoff), year[year["settled"]]
    return {
        "tickets": Fact(value=len(year), unit="count", window=window),
        "first_contact": share(int(settled["first"].sum()), len(settled), window),
        "handed_on": share(int(year["transfers"].gt(0).sum()), len(year), window),
        "handed_twice": share(int(year["transfers"].ge(TWICE).sum()), len(year), window),
        "reopened": share(int(settled["reopened"].sum()), len(settled), window),
        "explained_again": share(int(year["explained"].sum()), len(year), window),
    }


def _bot_facts(year: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    """How many questions went to a bot, how many of those ended with it alone, and whether these are opened again more often."""
    window, settled = year_to(cutoff), year[year["settled"]]
    bot, told = year[year["channel"].eq("bot")], year["channel"].notna()
    ends = [settled.loc[settled["alone"] == kind, "reopened"] for kind in (True, False)]
    return {
        "bot_share": share(len(bot), int(told.sum()), window),
        "bot_alone": share(int(bot["alone"].sum()), len(bot), window),
        "bot_reopened_gap": difference(*((int(again.sum()), len(again)) for again in ends)),
    }


def _per_hundred(shop: Shop, year: pd.DataFrame, cutoff: date) -> Fact:
    orders = int(within(shop.orders["ordered_at"], year_to(cutoff)).sum())
    return Fact(value=100 * len(year) / orders if orders else None, unit="score", n=orders, window=year_to(cutoff))


def _causes(year: pd.DataFrame) -> pd.DataFrame:
    """What the questions were about: the share of each cause in all that name one, most frequent first."""
    named = year[year["category"].notna()]
    causes = named.groupby("category").size().rename("n").rename_axis("group").reset_index()
    return causes.assign(share=causes["n"] / max(len(named), 1)).sort_values(["n", "group"], ascending=[False, True], ignore_index=True)


def _figures(tables: dict[str, pd.DataFrame], args: dict) -> tuple[Figure, ...]:
    """What is settled at the first contact by channel, and the most frequent causes."""
    channels, causes = tables["channels"], tables["causes"].head(MOST_CAUSES)
    by_channel = [{"key": f"{SLUG}.channel.{name}", "args": {}} for name in channels["group"]]
    by_cause = [{"key": f"{SLUG}.cause", "args": {"cause": name}} for name in causes["group"]]
    made = [("channels", channels, by_channel, args["first_contact"]), ("causes", causes, by_cause, None)]
    return tuple(Figure.bars(SLUG, name, table, labels, args, reference=line) for name, table, labels, line in made if len(table))
