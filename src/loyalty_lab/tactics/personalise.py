"""Personal service: whether a customer's own purchases tell what comes next, who had to explain again, and what to suggest to whom."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, suggestions, worth
from loyalty_lab.estimates import estimate
from loyalty_lab.periods import within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import visits
from loyalty_lab.waits import waiting_curve
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "personalise"
DAY = pd.Timedelta(days=1)
ONBOARDING_DAYS = 30
SECOND_VISIT_DAYS = 90


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how often a suggestion from own purchases fits the next one, who had to explain again, and how newcomers were met.

    Suggestions are made from what was bought until 90 days before the cutoff, and held against the first basket after that: the
    customer's second kind of goods, or what goes with their last one, against the shop's favourite; neither may be the kind that the
    customer buys most anyway.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with order lines.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `hit_gap` is a difference within customers. Newcomers are compared from their thirtieth day on, if they had not come again by
        then (a landmark against immortal time).

    References
    ----------
    Anderson, Cain, Gelber (1983), Analysis of survival by tumor response, Journal of Clinical Oncology 1.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2025-10-01", "2025-11-01", "2025-12-01", "2026-02-01"])
    >>> orders = pd.DataFrame({"order_id": list("1234"), "customer_id": "a", "ordered_at": days, "net_amount": 5.0})
    >>> lines = pd.DataFrame({"order_id": list("112234"), "line": 1, "category": ["bread", "tea", "bread", "tea", "bread", "tea"]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "order_lines": lines})
    >>> diagnose(shop, date(2026, 3, 31)).facts["suggested_hit"].value
    1.0
    """
    bought, newcomers = suggestions.bought(shop), _newcomers(shop, cutoff)
    tested, followed = suggestions.tried(bought, cutoff), met_against_not(shop, cutoff)
    may = Fact(value=len(_may_receive(shop, cutoff)), unit="count", window=year_to(cutoff))
    facts = _hits(tested) | _service(shop, cutoff) | {"may": may} | followed.facts
    gap = facts["hit_gap"].interval
    variant = "none" if gap is None else "better" if gap[0] > 0 else "worse" if gap[1] < 0 else "same"
    return Findings.of(
        SLUG, facts, variant, args=_words(facts), also=(*followed.said(SLUG), *records.doubts(shop, "tickets")),
        tables={"hits": _bars(tested), "second_visit": (curves := _curves(newcomers))},
        figures=_figures(_bars(tested), curves, newcomers, spoken(facts)), claims=(Claim.of(SLUG, "valued", facts["hit_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the letters must keep a customer; a better suggestion alone is worth little."""
    return worth.of_campaign(SLUG, shop, _people(shop, cutoff, forecast), assumptions=("small",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List what to suggest to whom, and because of what: customers of the year who agreed to notes, with enough purchases to tell from."""
    people = _people(shop, cutoff, forecast)
    told = [
        {"category": row.category, "times": int(row.times), "visits": int(row.visits)} if row.reason == "own"
        else {"category": row.category, "last": row.last}
        for row in people.itertuples()
    ]  # fmt: skip
    return candidates.listed(SLUG, people.assign(arguments=told), candidates.preferred(shop, people), at_stake="save_value")


def met_against_not(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare newcomers who heard from the shop in their first 30 days with those who did not, by whether they came in the next 90.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> met_against_not(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    return experiences.follow(shop, cutoff, _newcomers(shop, cutoff), "met", better=True, also=["channel", "branch_id", "spend"])


def _hits(tested: pd.DataFrame) -> dict[str, Fact]:
    n, apart = len(tested), tested["hit"].astype(float) - tested["favourite_hit"].astype(float)
    found = estimate(apart.mean(), apart.std() / n**0.5) if n >= proportions.FEWEST else None
    gap = (
        Fact(value=found.value, unit="share", n=n, interval=(found.low, found.high, proportions.LEVEL))
        if found
        else Fact(value=None, unit="share")
    )
    return {
        "suggested_hit": proportions.share(int(tested["hit"].sum()), n),
        "popular_hit": proportions.share(int(tested["favourite_hit"].sum()), n),
        "hit_gap": gap,
    }


def _service(shop: Shop, cutoff: date) -> dict[str, Fact]:
    """Who had to explain again, of all and of those handed on; and whether the shop writes by the way and in the language wished for."""
    tickets, contacts, people = records.of(shop, "tickets"), records.of(shop, "contacts"), records.register(shop)
    asked = tickets[within(tickets["opened_at"], year_to(cutoff)) & tickets["repeat_explained"].notna()]
    again, handed = asked["repeat_explained"].astype(bool), asked["transfers"].fillna(0).gt(0)
    wish = people["preferred_channel"]
    sent = contacts[within(contacts["sent_at"], year_to(cutoff)) & contacts["direction"].ne("in") & contacts["channel"].notna()]
    wished = sent["customer_id"].map(wish)
    by_wish, language = sent["channel"].eq(wished)[wished.notna()], people["preferred_language"].dropna()
    return {
        "explained_again": proportions.share(int(again.sum()), len(again), year_to(cutoff)),
        "explained_handed": proportions.share(int(again[handed].sum()), int(handed.sum()), year_to(cutoff)),
        "by_wish": proportions.share(int(by_wish.sum()), len(by_wish), year_to(cutoff)),
        "other_language": proportions.share(int(language.ne(shop.settings.languages[0]).sum()), len(language)),
    }


def _words(facts: dict[str, Fact]) -> dict[str, str]:
    """The sentences about what the shop may not write down at all."""
    told = {"again": facts["explained_again"], "wish": facts["by_wish"]}
    return {f"{part}_said": f"{SLUG}.{part}.{'unknown' if fact.value is None else 'known'}" for part, fact in told.items()}


@records.once
def _newcomers(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Newcomers who had not come again by their thirtieth day: from then on `at`, whether the shop had `met` them, `wait` and `came`."""
    days = visits(shop, cutoff)
    first = days[days["visit"].eq(1) & ~(days["until_next"] <= ONBOARDING_DAYS)].sort_values("day")
    contacts = records.of(shop, "contacts")
    sent = contacts[contacts["direction"].ne("in") & contacts["purpose"].ne("support") & contacts["customer_id"].notna()]
    sent = sent.sort_values("sent_at")[["customer_id", "sent_at"]]
    first = pd.merge_asof(
        first, sent, left_on="day", right_on="sent_at", by="customer_id", direction="forward", tolerance=ONBOARDING_DAYS * DAY
    )
    first = first.assign(at=first["day"] + ONBOARDING_DAYS * DAY, met=first["sent_at"].notna(), came=first["until_next"].notna())
    first = first[first["at"] <= pd.Timestamp(cutoff)]
    wait = first["until_next"].fillna((pd.Timestamp(cutoff) - first["day"]).dt.days) - ONBOARDING_DAYS
    late = wait > SECOND_VISIT_DAYS
    return first.assign(wait=wait.clip(upper=SECOND_VISIT_DAYS).astype("float64"), came=first["came"] & ~late)


@records.once
def _may_receive(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Customers of the year who agreed to notes, may be contacted, and have bought enough to suggest something."""
    bought = suggestions.bought(shop)
    lately = bought.loc[within(bought["day"], year_to(cutoff)), "customer_id"]
    register = records.of(shop, "customers")
    agreed = register.loc[register["consent_profile"].fillna(False).astype(bool), "customer_id"]
    made = suggestions.suggested(bought)
    return candidates.willing(shop, cutoff, made[made.index.isin(lately) & made.index.isin(agreed)])


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    return candidates.ranked(_may_receive(shop, cutoff), forecast, by="save_value")


def _bars(tested: pd.DataFrame) -> pd.DataFrame:
    """How often each way of suggesting fitted, as rows of a chart."""
    counts = {"own": int(tested["hit"].sum()), "favourite": int(tested["favourite_hit"].sum())}
    rows = [(name, len(tested), count / max(len(tested), 1), *proportions.wilson(count, len(tested))) for name, count in counts.items()]
    return pd.DataFrame(rows if len(tested) else [], columns=["group", "n", "share", "low", "high"])


def _curves(newcomers: pd.DataFrame) -> pd.DataFrame:
    """Share that had come again by each day since the thirtieth (Kaplan-Meier), of those the shop had met and of the others."""
    grid = pd.DataFrame({"days": [float(day) for day in range(SECOND_VISIT_DAYS + 1)]})
    for name, rows in (("met", newcomers[newcomers["met"]]), ("others", newcomers[~newcomers["met"]])):
        curve = waiting_curve(rows["wait"], rows["came"])[["days", "share"]].astype("float64")
        grid[name] = pd.merge_asof(grid[["days"]], curve, on="days")["share"].fillna(0.0)
    return grid


def _figures(hits: pd.DataFrame, curves: pd.DataFrame, newcomers: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    made = ()
    if len(hits):
        made = (Figure.bars(SLUG, "hits", hits, [{"key": f"{SLUG}.way.{way}", "args": {}} for way in hits["group"]], args),)
    if newcomers["met"].nunique() < 2:
        return made
    lines = [{"label": {"key": f"{SLUG}.line.{name}", "args": {}}, "shares": curves[name].tolist()} for name in ("met", "others")]
    return (*made, Figure.of(SLUG, "second_visit", "curve", {"days": curves["days"].tolist(), "lines": lines}, args))
