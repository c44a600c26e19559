"""Easy returns: how many are refused, how long the money takes, why goods come back, and whose case deserves a second look."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, records, waits, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import share, wilson
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "easy-returns"
SOON_DAYS = 7
LATELY_DAYS = 30
BARS = 6
MOST_RETURNS = 0.8
RETURNERS = 100  # of fewer, one in a hundred is no whole person
DAY = pd.Timedelta(days=1)
# What was neither refused nor paid so long after it was asked for is an exchange or a gap in the book.
FORGOTTEN = pd.Timedelta(days=90)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many returns are refused, how long the money takes, why goods come back, who returns most, and who bought again.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with returns.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Days from the request to the money are Kaplan-Meier estimates in which what is not paid yet is censored at the cutoff. A
        refusal that was paid back after all counts as accepted.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> returned = orders[["order_id"]].assign(return_id="1", requested_at=pd.Timestamp("2026-03-02"), decision="refused")
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "returns": returned})
    >>> diagnose(shop, date(2026, 3, 31)).facts["refused"].value
    1.0
    """
    every, window = _returns(shop, cutoff), year_to(cutoff)
    year, followed = every[within(every["requested_at"], window)], refused_against_accepted(shop, cutoff)
    why, curve = _why(year), _curve(year)
    facts = _facts(shop, year, cutoff) | _money(every, curve) | _reasons(why) | _who(year) | followed.facts
    variant = "none" if year.empty else "owed" if facts["owed"].value else "clear"
    return Findings.of(
        SLUG, facts, variant, "none" if year.empty else "returns", _parts(facts, why),
        figures=_figures(why, curve, spoken(facts)), tables={"why": why, "days": curve},
        also=(*followed.said(SLUG), *records.doubts(shop, "returns")), claims=(Claim.of(SLUG, "never", facts["return_worse"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: refusals a year x difference in return x mean value of keeping one of them, less the refunds.

    A contact costs a call (`phone`).
    """
    every = _returns(shop, cutoff)
    refused = every[every["refused"] & within(every["requested_at"], year_to(cutoff)) & every["customer_id"].notna()]
    followed = refused_against_accepted(shop, cutoff)
    found = worth.of_experience(SLUG, shop, followed, refused["customer_id"], forecast, assumptions=("goods",))
    return _less(found, float(refused["amount"].sum()))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List who waits for money or a decision for more than a week, then whose refusal or slow refund of 30 days deserves a second look.

    What is owed is owed to everybody. A second look is taken where keeping the customer is worth more than the refund; where no
    amount was noted, where it is worth anything. One row a customer.
    """
    every = _returns(shop, cutoff)
    settled = every["refused"] | (every["paid"] & (every["wait"] > SOON_DAYS))
    lately = settled & within(every["settled_at"], last_days(cutoff, LATELY_DAYS))
    known = forecast["save_value"].reindex(every["customer_id"]).fillna(0.0).to_numpy()
    people = every[every["customer_id"].notna() & (every["owed"] | (lately & (known > every["amount"].fillna(0.0))))]
    people = people.assign(later=~people["owed"]).sort_values(["later", "wait", "return_id"], ascending=[True, False, True])
    people = candidates.ranked(people.drop_duplicates("customer_id").set_index("customer_id"), forecast, first=["later"], by="save_value")
    reasons = [_reason(row) for row in people.itertuples()]
    told = [{"days": max(1, int(row.wait)), "amount": row.amount} for row in people.itertuples()]
    return candidates.listed(SLUG, people.assign(reason=reasons, arguments=told), "phone", at_stake="save_value")


@records.once
def refused_against_accepted(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare refused returns with accepted ones, by whether the customer bought again within 90 days of the decision.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> refused_against_accepted(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    every = _returns(shop, cutoff)
    decided = every[every["refused"] | every["accepted"]]
    return experiences.follow(
        shop, cutoff, decided.assign(at=decided["decided_on"]), "refused", better=False, also=["reason", "amount"]
    )  # fmt: skip


@records.once
def _returns(shop: Shop, cutoff: date) -> pd.DataFrame:
    """All returns: `refused`, `accepted`, `paid`, days of `wait` so far, `settled_at`; `open`, `forgotten`, `owed` money or a decision."""
    made, end = records.of(shop, "returns"), pd.Timestamp(cutoff) + DAY
    paid = made["refunded_at"].notna()
    refused = made["decision"].eq("refused") & ~paid
    accepted = paid | made["decision"].eq("accepted")
    decided_on = made["decided_at"].fillna(made["refunded_at"]).fillna(made["requested_at"])
    wait = (made["refunded_at"].fillna(pd.Timestamp(cutoff)).dt.normalize() - made["requested_at"].dt.normalize()).dt.days
    open_ = ~paid & ~refused & (~accepted | paid.any())  # a shop that notes no payment has paid, for all we know
    forgotten = open_ & (made["requested_at"] + FORGOTTEN < end)
    owed = open_ & ~forgotten & (wait > SOON_DAYS)
    settled_at = made["refunded_at"].fillna(decided_on)
    return made.assign(
        paid=paid, refused=refused, accepted=accepted, decided_on=decided_on, settled_at=settled_at, wait=wait, open=open_,
        forgotten=forgotten, owed=owed,
    )  # fmt: skip


def _curve(year: pd.DataFrame) -> pd.DataFrame:
    waited = year[(year["paid"] | year["open"]) & ~year["forgotten"]]
    return waits.waiting_curve(waited["wait"], waited["paid"])


def _why(year: pd.DataFrame) -> pd.DataFrame:
    """Reasons in the shop's words, most frequent first: `n`, `share` with its range, and the share `so_far`."""
    told = year["reason"].dropna().str.strip()
    told = told[told.ne("")]
    cells = (
        told.groupby(told.str.casefold().rename("word")).agg(n="size", reason="min").sort_values(["n", "reason"], ascending=[False, True])
    )
    ends = [wilson(int(n), len(told)) for n in cells["n"]]
    parts = {"share": cells["n"] / len(told), "low": [low for low, _ in ends], "high": [high for _, high in ends]}
    found = cells.assign(**parts, so_far=cells["n"].cumsum() / len(told)).reset_index(drop=True)
    return found[["reason", "n", "share", "low", "high", "so_far"]]


def _facts(shop: Shop, year: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    window, orders = year_to(cutoff), records.of(shop, "orders")
    orders = orders[within(orders["ordered_at"], window)]
    refused = year[year["refused"]]
    return {
        "returns": Fact(value=len(year), unit="count", window=window),
        "returned": share(int(orders["order_id"].isin(year["order_id"]).sum()), len(orders), window),
        "refused": share(len(refused), len(refused) + int(year["accepted"].sum()), window),
        "refused_amount": Fact(value=float(refused["amount"].sum()), unit="money", n=len(refused), window=window),
        "unnoted": Fact(value=int(year["forgotten"].sum()), unit="count", window=window),
    }


def _money(every: pd.DataFrame, curve: pd.DataFrame) -> dict[str, Fact]:
    """How long the money takes, and how many customers wait for money or a decision for more than a week."""
    paid = int(curve["replied"].sum())
    return {
        "median_days": Fact(value=waits.reached(curve, 0.5), unit="days", n=paid),
        "p90_days": Fact(value=waits.reached(curve, 0.9), unit="days", n=paid),
        "owed": Fact(value=every.loc[every["owed"], "customer_id"].nunique(), unit="count"),
    }


def _reasons(why: pd.DataFrame) -> dict[str, Fact]:
    told = int(why["n"].sum())
    main = int((why["so_far"] < MOST_RETURNS - 1e-12).sum()) + 1 if told else None
    return {
        "top_reason": share(int(why["n"].iloc[0]) if told else 0, told),
        "main_reasons": Fact(value=main, unit="count", n=len(why)),
    }


def _who(year: pd.DataFrame) -> dict[str, Fact]:
    """How often the customer with most returns did so; of many returners, the share of returns by the top one in a hundred."""
    each = year["customer_id"].value_counts()
    top = each.nlargest(-(-len(each) // RETURNERS))
    many = len(each) >= RETURNERS
    return {
        "most": Fact(value=int(each.max()) if len(each) else None, unit="count", n=len(each)),
        "concentration": Fact(value=float(top.sum() / each.sum()) if many else None, unit="share", n=len(each)),
    }


def _parts(facts: dict[str, Fact], why: pd.DataFrame) -> dict[str, str | None]:
    """Sentences of the stand that depend on what the shop writes down, and the most frequent reason in its words."""
    chosen = {
        "money": "known" if facts["median_days"].value is not None else "unknown",
        "cause": "known" if len(why) else "unknown",
        "often": "nobody" if facts["most"].value is None else "few" if facts["concentration"].value is None else "many",
    }
    return {name: f"{SLUG}.{name}.{variant}" for name, variant in chosen.items()} | {"top": why["reason"].iloc[0] if len(why) else None}


def _figures(why: pd.DataFrame, curve: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    """Why goods come back, and by which day the money is back."""
    figures = []
    if len(why):
        labels = [{"key": "chart.label", "args": {"label": reason}} for reason in why["reason"].head(BARS)]
        figures.append(Figure.bars(SLUG, "why", why.head(BARS), labels, args | {"kinds": len(why), "top": why["reason"].iloc[0]}))
    return (*figures, *waits.figure(SLUG, "days", curve, args, [SOON_DAYS], whole_days=True))


def _less(found: Worth, refunds: float) -> Worth:
    """The worth less the refunds that saying yes would have cost."""
    high = None if found.value.high is None else max(found.value.high - refunds, 0.0)
    more = pd.DataFrame({"key": [f"{SLUG}.worth.refunds", f"{SLUG}.worth.net"], "value": [refunds, high], "unit": "money"})
    rows = pd.concat([found.rows, more.astype({"value": "float64"})], ignore_index=True)
    return Worth(found.value.model_copy(update={"high": high}), rows)


def _reason(row) -> str:
    if row.owed:
        return "unpaid" if row.accepted else "undecided"
    return "refused" if row.refused else "slow"
