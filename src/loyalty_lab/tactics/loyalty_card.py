"""Loyalty card and discounts: who holds a card, who gets the discounts, and to which amounts customers fill up."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import candidates, ratios, records, thresholds, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import LEVEL, share, wilson
from loyalty_lab.results import Claim, Fact, Figure, Findings, Message, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "loyalty-card"
DAYS = 90
USUAL, LARGE, MUCH = 1.5, 0.9, 0.8
MANY_VISITS, FEWEST_BASKETS = 10, 3
CAME = ("usual", "late", "first")
COMPARED = ("member_back", "other_back", "took_back", "not_back")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find who holds a card, who got the discounts of the year, and what a card goes with once time is counted right.

    Holders against others is the immortal-time trap: whoever comes often has more chances to take a card. Beside it stands the same
    share from the visit on at which a card was taken, against visits of the same number at which none was held or taken.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with `card_joined_at` of its customers.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings

    References
    ----------
    Suissa (2008), Immortal time bias in pharmacoepidemiology, American Journal of Epidemiology 167.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> people = pd.DataFrame({"customer_id": ["a"], "card_joined_at": pd.to_datetime(["2026-03-01"])})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "customers": people})
    >>> diagnose(shop, date(2026, 3, 31)).facts["enrolled"].value
    1.0
    """
    orders, days = thresholds.baskets(shop), _days(shop, cutoff)
    filled, by_coming = thresholds.filled_baskets(orders), by_how_they_came(orders, days, cutoff)
    facts = _cards(days, cutoff) | _trap(days) | _discounts(by_coming, cutoff) | _prices(shop, _year(orders, cutoff)) | _line(filled)
    card = _either(shop, cutoff)["reason"].eq("card")
    facts |= {name: Fact(value=int(group.sum()), unit="count") for name, group in (("near", ~card), ("without", card))}
    bought = bool(facts["enrolled"].n)
    headline = "none" if not bought else "cards" if by_coming.empty else "discounts"
    return Findings.of(
        SLUG, facts, headline, "none" if not bought else "filled" if filled else "smooth", also=_left_out(shop, orders),
        tables={"discounts": by_coming}, figures=_figures(facts, by_coming), claims=(Claim.of(SLUG, "pays", facts["same_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out how much more often customers must come to pay for discounts they would not have needed, and what one contact must do.

    The first is the discounts given to customers who came as usual over the margin that the year left; the second is the cost of
    a contact (items `letter` and `card` of [cost]) over the value of keeping somebody.
    """
    orders, days = thresholds.baskets(shop), _days(shop, cutoff)
    given = by_how_they_came(orders, days, cutoff).set_index("group")["money"]
    subsidy, margin = given.get("usual"), float(shop.margin_of(_year(orders, cutoff)).sum())
    more = subsidy / margin if subsidy is not None and margin > 0 else None
    rows = [("subsidy", subsidy, "money"), ("margin", margin, "money"), ("frequency", more, "share")]
    people = _people(shop, cutoff, forecast)
    return worth.of_campaign(SLUG, shop, people, cost=("letter", "card"), rows=rows, assumptions=("frequency",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List who stands just below a line, and who buys much without a card; most at stake first, only those who may be written to."""
    people = _people(shop, cutoff, forecast)
    people = people.assign(arguments=candidates.amounts(people, "spend", "line", "missing"))
    return candidates.listed(SLUG, people, candidates.preferred(shop, people))


def by_how_they_came(orders: pd.DataFrame, days: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return the year's discounts by how their customers came: as usual, late, or for the first time.

    As usual: no later after the visit before than one and a half times the customer's own mean gap until then (the shop's median gap
    at the second visit). They were coming anyway, as far as can be seen. An interval is over customers.

    Returns
    -------
    pandas.DataFrame
        Largest share first: `group`, `n` visits with a discount, `money`, `share` of all discounts, `low`, `high`.
    """
    cut = _year(orders, cutoff).assign(day=orders["ordered_at"].dt.normalize()).groupby(["customer_id", "day"])["discount_amount"].sum()
    visited = days[["customer_id", "day", "came"]].merge(cut[cut > 0].rename("discount").reset_index(), on=["customer_id", "day"])
    rows = []
    for group in CAME:
        which = visited["came"] == group
        part = _part(visited, which, "discount", visited, "discount")
        if which.any():
            rows.append((group, part.n, visited.loc[which, "discount"].sum(), part.value, *part.interval[:2]))
    found = pd.DataFrame(rows, columns=["group", "n", "money", "share", "low", "high"])
    return found.sort_values("share", ascending=False, kind="stable", ignore_index=True)


def _left_out(shop: Shop, orders: pd.DataFrame) -> tuple[Message, ...]:
    return records.left_out("orders", len(records.of(shop, "orders")) - len(orders))


def _year(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    return orders[orders["customer_id"].notna() & within(orders["ordered_at"], year_to(cutoff))]


@records.once
def _days(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Visits: how the customer `came`, the day a `card` was taken if ever, whether 90 days are `over`, whether they were `back` by then."""
    days = visits(shop, cutoff)
    card = records.register(shop)["card_joined_at"]
    age = (days["day"] - days.groupby("customer_id")["day"].transform("min")).dt.days
    own = ((age - days["since_last"]) / (days["visit"] - 2).where(days["visit"] > 2)).fillna(days["since_last"].median())
    return days.assign(
        came=np.select([days["visit"] == 1, days["since_last"] <= USUAL * own], ["first", "usual"], "late"),
        card=pd.Series(card.reindex(days["customer_id"]).to_numpy(), days.index).dt.normalize(),
        over=days["day"] + pd.Timedelta(days=DAYS) <= pd.Timestamp(cutoff),
        back=days["until_next"] <= DAYS,
        many=days["visit"].clip(upper=MANY_VISITS),
    )


def _cards(days: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    people = days.groupby("customer_id").agg(n=("day", "size"), last=("day", "max"), card=("card", "first"))
    holds, windows = people["card"].notna(), (year_to(cutoff), last_days(cutoff, DAYS))
    year, lately = (within(people["last"], window) for window in windows)
    times = {"member_days": people.loc[holds, "n"], "other_days": people.loc[~holds, "n"]}
    return {
        "enrolled": share(int((holds & year).sum()), int(year.sum()), windows[0]),
        "active": share(int((holds & lately).sum()), int(holds.sum()), windows[1]),
        **{name: Fact(value=float(n.mean()) if len(n) else None, unit="score", n=len(n)) for name, n in times.items()},
    }


def _trap(days: pd.DataFrame) -> dict[str, Fact]:
    """Who was back within 90 days: holders and others as they are today, and both from one and the same visit on."""
    over = days[days["over"]]
    holds, free = over["card"].notna(), over[~(over["card"] < over["day"])]
    takes = free["card"] == free["day"]
    took, others = free[takes & free["many"].isin(free.loc[~takes, "many"])], free[~takes]
    counted = zip(COMPARED, (over[holds], over[~holds], took), strict=False)
    facts = {name: share(int(rows["back"].sum()), len(rows)) for name, rows in counted} | {"not_back": _as_often(others, took)}
    return facts | {"same_gap": ratios.change(facts["not_back"], facts["took_back"])}


def _as_often(others: pd.DataFrame, took: pd.DataFrame) -> Fact:
    """The share of others that were back, each number of visits counting as often as among those who took a card."""
    cells = others.groupby("many")["back"].agg(["mean", "size"])
    weight = took["many"].value_counts(normalize=True).reindex(cells.index).fillna(0.0)
    if took.empty:
        return Fact(value=None, unit="share", n=0)
    mean, worth_rows = float((weight * cells["mean"]).sum()), 1 / float((weight**2 / cells["size"]).sum())
    return Fact(value=mean, unit="share", n=len(others), interval=(*wilson(mean * worth_rows, worth_rows), LEVEL))


def _part(rows: pd.DataFrame, which: pd.Series, above: str, base: pd.DataFrame, below: str) -> Fact:
    """A sum over some rows as a share of a sum over `base`, with an interval over customers."""
    whole = base.groupby("customer_id")[below].sum()
    part = rows[which].groupby("customer_id")[above].sum().reindex(whole.index).fillna(0.0)
    fact = ratios.of_sums([part.to_numpy()], [whole.to_numpy()], unit="share", n=int(which.sum()))
    return fact.model_copy(update={"interval": fact.interval and (fact.interval[0], min(1.0, fact.interval[1]), LEVEL)})


def _discounts(by_coming: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    n, usual = int(by_coming["n"].sum()), by_coming[by_coming["group"] == "usual"]
    told = {"value": 0.0 if n else None} if usual.empty else {
        "value": usual["share"].iloc[0], "interval": (usual["low"].iloc[0], usual["high"].iloc[0], LEVEL)
    }  # fmt: skip
    return {
        "discounts": Fact(value=by_coming["money"].sum() if n else None, unit="money", n=n, window=year_to(cutoff)),
        "usual_share": Fact(unit="share", n=n, window=year_to(cutoff), **told),
    }


def _prices(shop: Shop, year: pd.DataFrame) -> dict[str, Fact]:
    """What the largest tenth of the purchases, by money or units, got off and the others; what was left with a discount and without."""
    units = year["order_id"].map(records.of(shop, "order_lines").groupby("order_id")["quantity"].sum()).astype("float64")
    large = (year["basket"] > year["basket"].quantile(LARGE)) | (units > units.quantile(LARGE))
    cut, off, margin = year["discount_amount"] > 0, year["discount_amount"].notna().any(), year["margin_amount"].notna().all()
    asked = {
        "large_cut": (large, "discount_amount", "basket", off),
        "other_cut": (~large, "discount_amount", "basket", off),
        "margin_with": (cut, "margin_amount", "net_amount", off and margin),
        "margin_without": (~cut, "margin_amount", "net_amount", off and margin),
    }
    nothing = Fact(value=None, unit="share", n=0)
    return {name: _part(year, rows, a, year[rows], b) if known and rows.any() else nothing for name, (rows, a, b, known) in asked.items()}


def _line(filled: thresholds.Density | None) -> dict[str, Fact]:
    ends = (*filled.filled_ends, LEVEL) if filled else None
    share_filled = Fact(value=filled and filled.filled, unit="share", n=filled and filled.above + filled.below, interval=ends)
    return {"threshold": Fact(value=filled and filled.at, unit="money"), "filled": share_filled}


def _near(shop: Shop, orders: pd.DataFrame, days: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Who stands at most 15% below a line: of a tier by the year's spend; where there is none, of the amount people fill up to."""
    register, spend = records.of(shop, "customers").drop_duplicates("customer_id"), thresholds.year_spend(days, cutoff)
    tier = register.set_index("customer_id")["vip_tier"]
    lines = thresholds.tier_lines(tier, spend)
    if len(lines):
        return thresholds.just_below(spend, lines, tier.map(lines)).assign(reason="near")
    filled, baskets = thresholds.filled_baskets(orders), _year(orders, cutoff).groupby("customer_id")["basket"].agg(["mean", "size"])
    usual = baskets.loc[baskets["size"] >= FEWEST_BASKETS, "mean"]
    return thresholds.just_below(usual, [filled.at] if filled else []).assign(reason="basket")


def _without(days: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Who is among the fifth that spent most in the year and has no card."""
    spend = thresholds.year_spend(days, cutoff)
    much = spend[(spend >= spend.quantile(MUCH)) & ~spend.index.isin(days.loc[days["card"].notna(), "customer_id"])]
    return pd.DataFrame({"spend": much, "line": np.nan, "missing": np.nan}).assign(reason="card")


@records.once
def _either(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Who stands just below a line, then who spends much without a card; some are both."""
    days = _days(shop, cutoff)
    return pd.concat([_near(shop, thresholds.baskets(shop), days, cutoff), _without(days, cutoff)])


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    people = _either(shop, cutoff)
    return candidates.ranked(candidates.willing(shop, cutoff, people[~people.index.duplicated()]), forecast)


def _figures(facts: dict[str, Fact], by_coming: pd.DataFrame) -> tuple[Figure, ...]:
    compared = [(name, facts[name].value, *facts[name].interval[:2], facts[name].n) for name in COMPARED if facts[name].interval]
    tables = {"trap": pd.DataFrame(compared, columns=["group", "share", "low", "high", "n"]), "discounts": by_coming}
    labels = {name: [{"key": f"{SLUG}.group.{group}", "args": {}} for group in table["group"]] for name, table in tables.items()}
    return tuple(Figure.bars(SLUG, name, table, labels[name], spoken(facts)) for name, table in tables.items() if len(table))
