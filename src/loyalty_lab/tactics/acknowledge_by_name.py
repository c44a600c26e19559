"""Greeting by name: which visits of regulars are served by name, what drawn weeks say of it, and whose name to learn next."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, proportions, records, rollout, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, Value, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "acknowledge-by-name"
REGULAR = 3
RETURN_DAYS = 90
LATELY_DAYS = 91
# A habit outlives its week: of a week that differs from the one before it, only the last day tells.
WASHOUT_DAYS = 6
MOST_BARS = 4
MOSTLY = 0.6
HOURS = {"morning": 11, "noon": 14, "afternoon": 17, "evening": 24}
NOBODY_TO_GREET = "web"
WEEK = r"^(?P<branch>.*?)\s*(?P<first>\d{4}-\d{2}-\d{2})$"


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find what share of regulars' visits is served by name, at which branch and hour, and what weeks drawn by lot say of it.

    A visit of a regular is the third of a customer or a later one, where there is somebody to greet them. The register tells who is
    greeted, not since when, so those who are come back more often for reasons of their own: that is told as a warning, and enters no
    value.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with a register of customers.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `by_name` is a share of visits; its interval counts customers. Branches and hours count each regular who comes there once.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2026-01-01", "2026-02-01", "2026-03-01"])
    >>> orders = pd.DataFrame({"order_id": ["1", "2", "3"], "customer_id": "a", "ordered_at": days, "net_amount": 5.0})
    >>> register = pd.DataFrame({"customer_id": ["a"], "greeted_by_name": [True]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "customers": register})
    >>> diagnose(shop, date(2026, 3, 31)).facts["by_name"].value
    1.0
    """
    served = _served(shop, cutoff)
    year = served[served["visit"].ge(REGULAR) & within(served["day"], year_to(cutoff))]
    groups, weeks = {name: _named_by(year, name) for name in ("branch_id", "hours")}, _by_weeks(served, _weeks(shop), cutoff)
    branches, people = groups["branch_id"], year.drop_duplicates("customer_id")
    facts = {
        "regulars": Fact(value=len(people), unit="count", window=year_to(cutoff)),
        "by_name": _share_of_visits(year, cutoff),
        "unnamed": Fact(value=int(_unnamed(people).sum()), unit="count", n=len(people), window=year_to(cutoff)),
        "apart": _apart(branches, people["greeted"].mean()),
        **_returns(served, cutoff),
        **({"weeks_effect": _weeks_fact(weeks)} if weeks else {}),
    }
    known = facts["by_name"].value is not None
    return Findings.of(
        SLUG, facts, "named" if known else "unknown" if len(year) else "none",
        "seen" if known and facts["return_gap"].value is not None else None,
        also=(rollout.said(weeks, f"{SLUG}.weeks"),) if weeks else (), tables={"branches": branches, "hours": groups["hours"]},
        figures=_figures(groups, spoken(facts)), claims=(Claim.of(SLUG, "special", facts["return_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what naming is worth: measured where weeks were drawn for it (grade B), else only what share of it must keep somebody.

    Where weeks were drawn: visits a year without it x measured change in coming back x mean value of keeping one, less the cost of
    the minutes (`counter` in shop.toml). That those who are greeted return more often is never used.
    """
    served, weeks = _served(shop, cutoff), _weeks(shop)
    found = _by_weeks(served, weeks, cutoff)
    if found is None or found.grade != "B":
        return worth.of_campaign(SLUG, shop, _people(shop, cutoff, forecast, served), cost=("counter",), assumptions=("minutes", "liked"))
    without = served[within(served["day"], year_to(cutoff)) & ~_is_on(served, weeks)]
    return _measured(shop, found, without["customer_id"], forecast)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List the regulars of the last three months whose name nobody uses and who have not forbidden notes; most worth keeping first."""
    people = _people(shop, cutoff, forecast, _served(shop, cutoff))
    several = people["branch_id"].nunique() > 1
    told = [
        {"visits": int(n), "when": f"{SLUG}.when.{when}"} | ({"branch": branch} if several else {})
        for n, when, branch in zip(people["visit"], people["when"], people["branch_id"], strict=True)
    ]
    at_branch = people["branch_id"].notna() & several
    people = people.assign(reason=at_branch.map({True: "branch", False: "regular"}), arguments=told)
    return candidates.listed(SLUG, people, "counter", at_stake="save_value")


@records.once
def _served(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Visits at which there was somebody to greet: `greeted` (missing where nobody wrote it down) and `hours`, the part of the day."""
    days, register = visits(shop, cutoff), records.register(shop)
    days = days[days["channel"].ne(NOBODY_TO_GREET)]
    at = days["order_id"].map(records.of(shop, "orders").drop_duplicates("order_id").set_index("order_id")["ordered_at"])
    hours = pd.cut(at.dt.hour, [-1, *(end - 1 for end in HOURS.values())], labels=list(HOURS)).astype("object")
    if (at.dt.normalize() == at).all():
        hours[:] = pd.NA  # a till that writes down the day alone
    return days.assign(greeted=days["customer_id"].map(register["greeted_by_name"]).astype("boolean"), hours=hours.astype("str"))


def _unnamed(people: pd.DataFrame) -> pd.Series:
    """Who is not greeted by name, as far as anybody wrote down."""
    return ~people["greeted"].fillna(False).astype(bool)


def _named_by(year: pd.DataFrame, group: str) -> pd.DataFrame:
    """Of the regulars who come to a branch, or at a part of the day, the share that is greeted by name."""
    once = year[year["greeted"].notna()].drop_duplicates(["customer_id", group])
    return proportions.by_group(once[group], once["greeted"])


def _share_of_visits(year: pd.DataFrame, cutoff: date) -> Fact:
    """Share of the visits served by name; as all visits of a customer are alike in this, it is as sure as so many customers make it."""
    sizes = year[year["greeted"].notna()].groupby("customer_id")["greeted"].agg(["sum", "size"]).astype("float64")
    if sizes.empty:
        return proportions.share(0, 0, year_to(cutoff))
    total, named = float(sizes["size"].sum()), float(sizes["sum"].sum())
    enough = total**2 / float((sizes["size"] ** 2).sum())
    low, high = proportions.wilson(enough * named / total, enough)
    return Fact(value=named / total, unit="share", n=int(total), interval=(low, high, proportions.LEVEL), window=year_to(cutoff))


def _returns(served: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    """Who came again within 90 days of the visit that made them a regular: those who are greeted by name today, and the others."""
    third = served[served["visit"].eq(REGULAR) & served["greeted"].notna()]
    third = third[third["day"] + pd.Timedelta(days=RETURN_DAYS) <= pd.Timestamp(cutoff)]
    back, named = third["until_next"].le(RETURN_DAYS), third["greeted"].astype(bool)
    counts = [(int(back[group].sum()), int(group.sum())) for group in (named, ~named)]
    facts = {name: proportions.share(*count) for name, count in zip(("return_better", "return_worse"), counts, strict=True)}
    return facts | {"return_gap": proportions.difference(*counts)}


def _apart(branches: pd.DataFrame, mean: float) -> Fact:
    """How many branches lie above or below the shop by more than chance."""
    apart = int(((branches["low"] > mean) | (branches["high"] < mean)).sum()) if len(branches) > 1 else 0
    return Fact(value=apart, unit="count", n=len(branches))


def _weeks(shop: Shop) -> pd.DataFrame:
    """Weeks drawn for greeting by name: `branch`, and the `first` day; from units such as ``B1 2026-03-02``."""
    begun = records.of(shop, "rollout")
    units = begun.loc[begun["tactic"].eq(SLUG), "unit_id"].astype("str").str.extract(WEEK)
    return units.assign(first=pd.to_datetime(units["first"], errors="coerce")).dropna(subset=["first"])


def _week_of(days: pd.Series, weeks: pd.DataFrame) -> pd.Series:
    return (days - weeks["first"].min()).dt.days // 7


def _is_on(served: pd.DataFrame, weeks: pd.DataFrame) -> pd.Series:
    drawn = set(zip(weeks["branch"], _week_of(weeks["first"], weeks), strict=True))
    units = zip(served["branch_id"].fillna(""), _week_of(served["day"], weeks), strict=True)
    return pd.Series([unit in drawn for unit in units], served.index, dtype=bool)


def _by_weeks(served: pd.DataFrame, weeks: pd.DataFrame, cutoff: date) -> rollout.Switchback | None:
    """What weeks drawn by lot say: coming back within 90 days, in the branches and between the weeks that took part."""
    if weeks.empty:
        return None
    week, last = _week_of(served["day"], weeks), _week_of(weeks["first"], weeks).max()
    over = served["day"] + pd.Timedelta(days=RETURN_DAYS) <= pd.Timestamp(cutoff)
    branch = served["branch_id"].fillna("")
    rows = served.assign(week=week, branch_id=branch, on=_is_on(served, weeks).astype("int64"),
                         back=served["until_next"].le(RETURN_DAYS).astype("float64"))  # fmt: skip
    rows = rows[over & week.between(0, last) & branch.isin(weeks["branch"])]
    return rollout.switchback(rows, "branch_id", "week", "on", "back", "day", WASHOUT_DAYS)


def _weeks_fact(found: rollout.Switchback) -> Fact:
    effect, interval = found.effect, None
    if effect.low is not None:
        interval = (effect.low, effect.high, proportions.LEVEL)
    return Fact(value=effect.value, unit="share", n=found.weeks_on + found.weeks_off, interval=interval)


def _measured(shop: Shop, found: rollout.Switchback, customers: pd.Series, forecast: pd.DataFrame) -> Worth:
    kept, each, n = forecast["save_value"].reindex(customers.unique()).mean(), worth.cost_of(shop, "counter"), len(customers)
    mean = 0.0 if pd.isna(kept) else float(kept)
    amounts = [n * (part * mean - (each or 0.0)) for part in (found.effect.value, found.effect.low, found.effect.high)]
    rate = each / mean if each is not None and mean else None
    total = Value(**dict(zip(("amount", "low", "high"), amounts, strict=True)), break_even_rate=rate, grade="B",
                  assumptions=["weeks", "practice.assumption.save_value"])  # fmt: skip
    rows = [("visits", n, "count"), ("effect", found.effect.value, "share"), ("practice.worth.save_value", mean, "money"),
            ("practice.worth.cost", each, "money"), ("measured", amounts[0], "money")]  # fmt: skip
    return worth.worth(SLUG, total, rows)


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame, served: pd.DataFrame) -> pd.DataFrame:
    """Whose name to learn: the `branch_id` they mostly came to in the year, and `when`, if they mostly came at one time."""
    year = served[within(served["day"], year_to(cutoff))]
    last = year.drop_duplicates("customer_id", keep="last").set_index("customer_id")
    last = last[last["visit"].ge(REGULAR) & _unnamed(last) & within(last["day"], last_days(cutoff, LATELY_DAYS))]
    counts = year.groupby("customer_id").size().reindex(last.index)
    when, times = _usual(year, "hours", last.index)
    when = when.where(times / counts >= MOSTLY).fillna("any")
    last = last.assign(when=when, branch_id=_usual(year, "branch_id", last.index)[0])
    people = candidates.willing(shop, cutoff, candidates.without_refused_notes(shop, last))
    return candidates.ranked(people, forecast, by="save_value")


def _usual(year: pd.DataFrame, name: str, customers: pd.Index) -> tuple[pd.Series, pd.Series]:
    """What a customer's visits mostly were, and how many of them were so; ties by name."""
    counts = year.groupby(["customer_id", name]).size().rename("n").reset_index()
    most = counts.sort_values(["customer_id", "n", name], ascending=[True, False, True]).drop_duplicates("customer_id")
    most = most.set_index("customer_id").reindex(customers)
    return most[name], most["n"]


def _figures(groups: dict[str, pd.DataFrame], args: dict) -> tuple[Figure, ...]:
    """Branches, where there are several, and parts of the day."""
    branches, hours = groups["branch_id"], groups["hours"]
    most = branches.nlargest(MOST_BARS, "n", keep="first").sort_index() if len(branches) > 1 else branches[:0]
    hours = hours.sort_values("group", key=lambda names: names.map(list(HOURS).index))
    labels = {
        "branches": [{"key": f"{SLUG}.branch", "args": {"branch": name}} for name in most["group"]],
        "hours": [{"key": f"{SLUG}.hour.{name}", "args": {}} for name in hours["group"]],
    }
    made = {"branches": most, "hours": hours}
    return tuple(Figure.bars(SLUG, name, table, labels[name], args) for name, table in made.items() if len(table))
