"""VIP and early access: who stands above the line, who just missed it, and whether standing above it keeps anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, metrics, proportions, ratios, records, thresholds, worth
from loyalty_lab.periods import within, year_to
from loyalty_lab.proportions import LEVEL
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "vip-access"
AGO = timedelta(days=90)
CAME = ("visit", "order")
GROUPS = ("above", "near", "below")
TOP, FEWEST = 0.9, 20
NOTHING = Fact(value=None, unit="share", n=0)


@dataclass(frozen=True)
class Line:
    """The line to the first tier: the yearly spend `at` which it begins, what everybody's `spend` of the year is, who are `vips`.

    Where the shop gives no tier for spending it is not `drawn` yet but proposed: the round amount nearest to where the best tenth
    begins; None where fewer than twenty bought in the year.
    """

    at: float | None
    spend: pd.Series
    vips: pd.Index
    drawn: bool

    @property
    def missed(self) -> pd.DataFrame:
        """Those at most 15% below it who hold no tier: `spend`, `line`, `missing`."""
        below = thresholds.just_below(self.spend, [self.at] if self.at else [])
        return below[~below.index.isin(self.vips)]


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find what VIPs bring, whether they stay more than those just below the line, who just missed it, and who comes to previews.

    Who stood where is told by the spend of the year to 90 days ago, and who stayed away by the days since: today's tiers know already
    who came. Where tiers are given for spending and nobody buys up to the line, the jump at it is a regression discontinuity.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> diagnose(shop, date(2026, 3, 31)).messages[0].key
    'vip-access.headline.none'
    """
    days = visits(shop, cutoff)
    line, asked = the_line(shop, days, cutoff), _previews(shop, cutoff)
    stood = _stood(shop, days, line, cutoff)
    (tested, jump), (stayed, away) = jump_at(line, stood), _away(stood)
    came = proportions.share(int(asked["came"].sum()), len(asked), year_to(cutoff))
    invited = Fact(value=len(asked), unit="count", window=year_to(cutoff))
    facts = _standing(days, line, cutoff) | stayed | {"jump": jump, "invited": invited, "came": came}
    previews = proportions.by_group(asked["tier"], asked["came"])
    compared = "few" if facts["gap"].value is None else "both"
    parts = {"away": compared, "tested": tested, "previewed": "some" if len(asked) else "none"}
    return Findings.of(
        SLUG, facts, "none" if line.at is None else "drawn" if line.drawn else "proposed",
        args={f"{part}_said": f"{SLUG}.{part}.{variant}" for part, variant in parts.items()},
        tables={"away": away, "previews": previews}, figures=_figures(away, previews, spoken(facts)),
        claims=(Claim.of(SLUG, "stay", facts["gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the invitations must keep a customer to pay for them (items `letter` and `preview` of [cost])."""
    days = visits(shop, cutoff)
    line = the_line(shop, days, cutoff)
    facts = _standing(days, line, cutoff)
    rows = [(name, facts[name].value, facts[name].unit) for name in ("vips", "missed")]
    people = _people(shop, line, cutoff, forecast)
    return worth.of_campaign(SLUG, shop, people, cost=("letter", "preview"), rows=rows, assumptions=("sleeping_dogs",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whom to invite: those of whom most is expected, as many as there are VIPs, and those just below the line; most first."""
    people = _people(shop, the_line(shop, visits(shop, cutoff), cutoff), cutoff, forecast)
    people = people.assign(arguments=candidates.amounts(people, "spend", "line", "missing"))
    return candidates.listed(SLUG, people, candidates.preferred(shop, people), at_stake="future")


def the_line(shop: Shop, days: pd.DataFrame, cutoff: date) -> Line:
    """Return the line to the first tier, or where one could be drawn.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {})
    >>> days = pd.DataFrame({"customer_id": range(100), "day": pd.Timestamp("2026-03-01"), "spend": range(1, 101)})
    >>> found = the_line(shop, days, date(2026, 3, 31))
    >>> found.at, len(found.vips), len(found.missed), found.drawn
    (100.0, 1, 15, False)
    """
    spend = thresholds.year_spend(days, cutoff)
    tier = records.register(shop)["vip_tier"].dropna()
    lines = thresholds.tier_lines(tier, spend)
    at = lines.min() if len(lines) else thresholds.round_amount(spend.quantile(TOP)) if len(spend) >= FEWEST else None
    vips = tier.index[tier.isin(lines.index)] if len(lines) else spend.index[spend >= (at or float("inf"))]
    return Line(None if at is None else float(at), spend, vips, bool(len(lines)))


def jump_at(line: Line, stood: pd.DataFrame) -> tuple[str, Fact]:
    """Return by how much the share who stayed away jumps at the line, and what may be said of it.

    "few": too few near it to look whether people buy up to it, or to compare; "bunched": they do, so both sides differ anyway.
    """
    found = thresholds.density(stood["spend"], line.at) if line.drawn and len(stood) else None
    if found is None or found.bunched:
        return "bunched" if found else "few", NOTHING
    jump = thresholds.jump(stood["spend"], stood["away"], line.at)
    if jump.value is None:
        return "few", NOTHING
    n = int((stood["spend"] / line.at - 1).abs().lt(thresholds.BAND).sum())
    fact = Fact(value=jump.value, unit="share", n=n, interval=(jump.low, jump.high, LEVEL))
    return "clear" if jump.clear else "unclear", fact


def _stood(shop: Shop, days: pd.DataFrame, line: Line, cutoff: date) -> pd.DataFrame:
    """Customers of the year to 90 days ago: `spend` of it, the `group` they stood in, and whether they have stayed `away` since."""
    then = cutoff - AGO
    whole = line.at is not None and metrics.reaches(shop.orders, year_to(then))
    spend = thresholds.year_spend(days, then) if whole else line.spend[:0]
    near = thresholds.just_below(spend, [line.at] if line.at else []).index
    group = pd.Series("below", spend.index).mask(spend.index.isin(near), "near").mask(spend >= (line.at or 0.0), "above")
    back = days.loc[days["day"] > pd.Timestamp(then), "customer_id"]
    return pd.DataFrame({"spend": spend, "group": group, "away": ~spend.index.isin(back)})


def _away(stood: pd.DataFrame) -> tuple[dict[str, Fact], pd.DataFrame]:
    """Who stayed away, of those above the line, just below it and further below; a handful never make a percentage."""
    counts = {group: (int(away.sum()), len(away)) for group, away in stood.groupby("group")["away"] if len(away) >= proportions.FEWEST}
    found = {group: proportions.share(*counts[group]) for group in GROUPS if group in counts}
    facts = {name: found.get(group, NOTHING) for name, group in (("away_vip", "above"), ("away_near", "near"))}
    both = {"above", "near"} <= counts.keys()
    facts["gap"] = proportions.difference(counts["near"], counts["above"]) if both else NOTHING
    rows = [(group, fact.n, counts[group][0], fact.value, *fact.interval[:2]) for group, fact in found.items()]
    return facts, pd.DataFrame(rows, columns=["group", "n", "count", "share", "low", "high"])


def _standing(days: pd.DataFrame, line: Line, cutoff: date) -> dict[str, Fact]:
    """How many VIPs there are, what share of the year's margin they bring, where the line lies, and how many just missed it."""
    margin = days[within(days["day"], year_to(cutoff))].groupby("customer_id")["margin"].sum()
    theirs = margin.where(margin.index.isin(line.vips), 0.0)
    brought = ratios.of_sums([theirs.to_numpy()], [margin.to_numpy()], unit="share", n=len(margin))
    ends = brought.interval and (brought.interval[0], min(1.0, brought.interval[1]), LEVEL)
    return {
        "line": Fact(value=line.at, unit="money", window=year_to(cutoff)),
        "vips": Fact(value=len(line.vips), unit="count"),
        "margin_share": brought.model_copy(update={"interval": ends, "window": year_to(cutoff)}),
        "missed": Fact(value=len(line.missed), unit="count"),
    }


def _previews(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Invitations of the year to previews: the `tier` of the invited, and whether they `came`; those still without an answer did not."""
    sent, register = records.of(shop, "contacts"), records.of(shop, "customers").drop_duplicates("customer_id")
    sent = sent[sent["purpose"].eq("preview") & sent["direction"].ne("in") & within(sent["sent_at"], year_to(cutoff))]
    tier = register.set_index("customer_id")["vip_tier"].reindex(sent["customer_id"]).fillna("").to_numpy()
    return sent.assign(tier=tier, came=sent["outcome"].isin(CAME))


def _people(shop: Shop, line: Line, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """Whom to invite, most expected margin first: what keeping them is worth times the chance that they come anyway."""
    missed, known = line.missed, forecast[["churn_probability", "save_value"]].fillna(0.0)
    known = known[known.index.isin(line.spend.index)]
    future = (known["save_value"] * (1 - known["churn_probability"])).rename("future")
    best = future[future > 0].rename_axis("code").reset_index().sort_values(["future", "code"], ascending=[False, True])["code"]
    top = pd.DataFrame({"spend": line.spend[best[: len(line.vips)]]}).assign(reason="top")
    people = pd.concat([missed.assign(reason="missed"), top])
    people = people[~people.index.duplicated()].reindex(columns=["spend", "line", "missing", "reason"])
    people = people.assign(future=future.reindex(people.index).fillna(0.0))
    return candidates.ranked(candidates.willing(shop, cutoff, people), forecast, by="future")


def _figures(away: pd.DataFrame, previews: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    stood = [{"key": f"{SLUG}.group.{group}", "args": {}} for group in away["group"]]
    tiers = [{"key": f"{SLUG}.tier.{'named' if tier else 'none'}", "args": {"name": tier}} for tier in previews["group"]]
    shown = ((name, table, labels) for name, table, labels in (("away", away, stood), ("previews", previews, tiers)) if len(table))
    return tuple(Figure.bars(SLUG, name, table, labels, args) for name, table, labels in shown)
