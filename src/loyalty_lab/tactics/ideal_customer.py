"""The ideal customer: how the best began, what each source of newcomers brings, and whether last year's profile told this year's best."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import candidates, periods, proportions, ratios, records, segments, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, Value, spoken
from loyalty_lab.segments import best_fifth
from loyalty_lab.visits import main_category, visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "ideal-customer"
HALF_YEAR = 182
NEW_DAYS, A_MONTH = 60, 31
ENOUGH = 20
QUARTERS = 4
SHIFT = 0.1
# Never where somebody lives: a profile must not become a reason to serve a part of town less well.
TRAITS = ("category", "channel", "branch_id")
SOURCES = ("friend", "counter", "web", "phone", "other", "unknown")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how the best of a year ago began, and whether those who began alike since then have become the best in their turn.

    Best are the fifth with most margin on later visits in the half year (182 days) after the first one; the first basket is left
    out, or the profile would foretell what it is made of. The profile is written on newcomers whose half year was over a year ago,
    and tried on those who have come since then.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `hit` is the share of the best among the fifth that resembles the profile most, `base` among all, `lift` one over the
        other. `drifted` counts quarters whose newcomers are made up otherwise than the best by more than chance. Tables: `traits`
        (best against rest, p-values of `segments.ideal_customer`), `sources`, `quarters`, and `regions`, which is shown only.

    References
    ----------
    Katz et al. (1978), Obtaining confidence intervals for the risk ratio, Biometrics 34. Yurdakul, Naranjo (2020), Statistical
    properties of the population stability index, Journal of Risk Model Validation 14.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> diagnose(shop, date(2026, 3, 31)).messages[0].key
    'ideal-customer.headline.early'
    """
    people = newcomers(shop, cutoff)
    pool, since = _profiled(people, cutoff), _tried(people, cutoff)
    alike, made = _alike(pool, _likeness(pool, people)), {"traits": _traits(shop, pool, cutoff), "quarters": _drift(people, pool, cutoff)}
    sources, lately = _by_source(people, cutoff), alike[within(people["first"], last_days(cutoff, NEW_DAYS))]
    facts = {
        "newcomers": Fact(value=int(within(people["first"], year_to(cutoff)).sum()), unit="count", window=year_to(cutoff)),
        "margin_new": _mean(_ripe(people, cutoff)["margin"]),
        "new_customer": Fact(value=shop.settings.cost.get("new_customer"), unit="money"),
        "written_on": Fact(value=len(pool), unit="count"),
        "traits": Fact(value=int(made["traits"]["shown"].sum()), unit="count", n=len(made["traits"])),
        **_check(alike[since.index], best_fifth(since["later"])),
        "drifted": Fact(value=int(made["quarters"]["apart"].sum()), unit="count", n=len(made["quarters"])),
        "alike": Fact(value=int(lately.sum()), unit="count", n=len(lately)),
    }
    proved = "told" if _proves(facts) else "untold"
    early = "same" if len(pool) and made["traits"].empty else "early"
    variant = "none" if people.empty else early if facts["lift"].value is None else proved
    drift = f"{SLUG}.drift.{'known' if len(made['quarters']) else 'none'}"
    args = {"compared": len(made["traits"]), "quarters": len(made["quarters"]), "lately": len(lately), "drift_said": drift}
    return Findings.of(
        SLUG, facts, variant, args=args, tables=made | {"sources": sources, "regions": _regions(shop, pool)},
        figures=_figures(sources, made["quarters"], spoken(facts)),
        claims=(Claim.of(SLUG, "changes", facts["drifted"] if len(made["quarters"]) else None),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what it would bring if one newcomer in ten more began as the best did: newcomers x a tenth x difference in margin.

    A ceiling (grade D): whoever is won in another way need not become like those who came that way by themselves.
    """
    people = newcomers(shop, cutoff)
    pool, since = _profiled(people, cutoff), _tried(people, cutoff)
    parts = _likeness(pool, people)
    alike, n = _alike(pool, parts), int(within(people["first"], year_to(cutoff)).sum())
    means = since["margin"].groupby(alike[since.index]).mean()
    apart = float(means[True] - means[False]) if len(means) == 2 else None
    ceiling = None if apart is None else n * SHIFT * max(apart, 0.0)
    rows = [("newcomers", n, "count"), ("shift", SHIFT, "share"), ("apart", apart, "money"), ("ceiling", ceiling, "money")]
    missing = "alike" if len(pool) and not parts.round(6).any(axis=None) else "too_few"
    reasons = (missing,) if ceiling is None else ("mix", "half_year", "wish")
    return worth.worth(SLUG, Value(high=ceiling, grade="D", assumptions=list(reasons)), rows)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List the newcomers of the last 60 days who began most like the best, to know by sight; nobody who has forbidden notes.

    Best first by likeness, which knows nothing of where people live; then by what keeping them is worth.
    """
    people = newcomers(shop, cutoff)
    pool = _profiled(people, cutoff)
    parts = _likeness(pool, people)
    chosen = _alike(pool, parts) & within(people["first"], last_days(cutoff, NEW_DAYS))
    lately = people.assign(reason=_strongest(parts), unlike=-parts.sum(axis=1).round(6))[chosen].dropna(subset=["reason"])
    lately = candidates.ranked(candidates.without_refused_notes(shop, lately), forecast, first=["unlike"], by="save_value")
    days = (pd.Timestamp(cutoff) - lately["first"]).dt.days
    told = [{"days": int(n), "level": row[row["reason"]]} for n, (_, row) in zip(days, lately.iterrows(), strict=True)]
    return candidates.listed(SLUG, lately.assign(arguments=told), "counter", at_stake="save_value")


@records.once
def newcomers(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Return every customer with how they began and what they left in the half year from then.

    Whom the register knew more than a month before their first purchase on record is no newcomer.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`: `first` day, `category` (on which most was spent that day), `channel`, `branch_id`, `source` (a friend,
        or the channel), `margin` of the first 182 days, and `later`, the same without the first day.
    """
    days = visits(shop, cutoff)
    first = days[days["visit"].eq(1)].set_index("customer_id").rename(columns={"day": "first"})
    within_half = (days["day"] - days["customer_id"].map(first["first"])).dt.days < HALF_YEAR
    margin = days[within_half].groupby("customer_id")["margin"].sum().reindex(first.index)
    category = main_category(shop, first["first"])
    source = first["channel"].mask(first.index.isin(records.sent_by_friends(shop)), "friend").fillna("unknown")
    made = first[["first", "channel", "branch_id"]].assign(category=category, source=source, margin=margin)
    return made.assign(later=margin - first["margin"])[~first.index.isin(_known_before(shop, first["first"]))]


def stability(new: pd.DataFrame, best: pd.DataFrame, pool: pd.DataFrame) -> tuple[float, float]:
    """Return the population stability index of newcomers against the best, summed over the traits, and how large chance makes it.

    Chance exceeds the second number in one of twenty shops, all quarters together. Levels of fewer than ten in the pool count as one.

    Examples
    --------
    >>> began = pd.DataFrame({"category": "tea", "channel": ["web", "counter"] * 20, "branch_id": "B1"})
    >>> found = [stability(new, began, began) for new in (began, began.assign(channel="web"))]
    >>> [index > chance for index, chance in found]
    [False, True]
    """
    from scipy.special import chdtri

    index, freedom = 0.0, 0
    for name in TRAITS:
        common = pool[name].value_counts()
        levels = [*common.index[common >= ENOUGH / 2], None]
        shares = [_shares(frame[name], levels) for frame in (new, best)]
        index, freedom = index + float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum()), freedom + len(levels) - 1
    return index, float(chdtri(freedom, 0.05 / QUARTERS)) * (1 / len(new) + 1 / len(best))


def _known_before(shop: Shop, first: pd.Series) -> pd.Index:
    """Old customers whose earlier purchases are not on record."""
    joined = records.register(shop)["joined_at"]
    since = (first - joined.reindex(first.index)).dt.days
    return since.index[since > A_MONTH]


def _ripe(people: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Newcomers of one year, the last one of which the half year is over."""
    return people[within(people["first"], year_to(cutoff - timedelta(days=HALF_YEAR)))]


def _profiled(people: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Whom the profile is written on: those whose half year was over a year ago; nobody where they are too few to tell."""
    pool = _ripe(people, periods.year_before(cutoff))
    pool = pool.assign(best=best_fifth(pool["later"]))
    return pool if len(pool) >= ENOUGH and pool["best"].any() else pool.iloc[:0]


def _tried(people: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Whom the profile is tried on: those who came after it was written, as far as their half year is over."""
    ripe = _ripe(people, cutoff)
    return ripe[ripe["first"] > pd.Timestamp(periods.year_before(cutoff))]


def _likeness(pool: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """By how much each trait raises the chance of becoming one of the best, on the log scale; shares of small groups are drawn in."""
    found = {}
    for name in TRAITS:
        groups = proportions.by_group(pool[name], pool["best"]) if len(pool) else pd.DataFrame({"group": [], "share": []})
        share = groups.set_index("group")["share"]
        found[name] = np.log(people[name].map(share / pool["best"].mean()).astype("float64")).fillna(0.0)
    return pd.DataFrame(found, index=people.index)


def _strongest(parts: pd.DataFrame) -> pd.Series:
    """The trait that speaks most for somebody, where one does."""
    return parts.idxmax(axis=1).where(parts.max(axis=1) > 0) if len(parts) else pd.Series(index=parts.index, dtype="str")


def _alike(pool: pd.DataFrame, parts: pd.DataFrame) -> pd.Series:
    """Who resembles the best as much as the upper fifth of those the profile was written on."""
    likeness = parts.sum(axis=1).round(6)
    own = likeness[pool.index]
    return likeness >= own[best_fifth(own)].min()  # of nobody: no number, which nobody reaches


def _check(alike: pd.Series, best: pd.Series) -> dict[str, Fact]:
    """How often those who resemble the profile became the best, beside how often all did."""
    both, enough = alike & best, len(best) >= ENOUGH and alike.any()
    hit, base = (proportions.share(*counts) for counts in ((int(both.sum()), int(alike.sum())), (int(best.sum()), len(best))))
    sums = [each.to_numpy(dtype="float64") for each in (both, best | True, alike, best)]
    lift = ratios.of_sums(sums[:2], sums[2:]) if enough else Fact(value=None, unit="ratio", n=len(best))
    if enough and best.any() and lift.value is None:
        lift = Fact(value=0.0, unit="ratio", n=len(best))
    return {"hit": hit, "base": base, "lift": lift}


def _proves(facts: dict[str, Fact]) -> bool:
    """Whether the range of those who resemble the profile lies above the share of all, as the page shows it; a little on the safe side."""
    return facts["hit"].interval is not None and facts["hit"].interval[0] > facts["base"].value


def _mean(amounts: pd.Series) -> Fact:
    return ratios.of_sums([amounts.to_numpy(dtype="float64")], [np.ones(len(amounts))], unit="money", n=len(amounts))


def _traits(shop: Shop, pool: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """How the best began against how the rest did: `lift` with its interval, p-values after Holm."""
    columns = ["attribute", "level", "customers", "share_best", "share_rest", "lift", "low", "high", "p", "shown"]
    if pool.empty:
        return pd.DataFrame(columns=columns).astype({"shown": bool})
    # What they have left by then stands where elsewhere an expected value does.
    known = pool.rename(columns={"later": "customer_lifetime_value"})
    found = segments.ideal_customer(shop, periods.year_before(cutoff), known)
    found = found[found["attribute"].isin(TRAITS)].reset_index(drop=True)
    n, rest = found["n"], (found["customers"] / found["share_all"]).round() - found["n"]
    a, b = found["best"].clip(lower=0.5), (found["customers"] - found["best"]).clip(lower=0.5)
    lift, half = (a / n) / (b / rest), proportions.Z * np.sqrt(1 / a - 1 / n + 1 / b - 1 / rest)
    ends = {"share_rest": b / rest, "lift": lift, "low": lift * np.exp(-half), "high": lift * np.exp(half)}
    return found.assign(**ends)[columns]


def _by_source(people: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Mean margin of the first half year by source, with its interval; sources of few newcomers go together."""
    ripe = _ripe(people, cutoff)
    source = ripe["source"].where(ripe["source"].map(ripe["source"].value_counts()) >= ENOUGH, "other")
    found = {name: _mean(margin) for name, margin in ripe["margin"].groupby(source)}
    rows = [(name, fact.n, fact.value, *(fact.interval or (None, None))[:2]) for name, fact in found.items() if fact.value is not None]
    table = pd.DataFrame(rows, columns=["source", "n", "share", "low", "high"])
    return table.sort_values(["share", "source"], ascending=[False, True], ignore_index=True)


def _regions(shop: Shop, pool: pd.DataFrame) -> pd.DataFrame:
    """Share of the best by part of town: shown, so that it is seen; no list knows of it."""
    register = records.register(shop)
    region = register["region"].reindex(pool.index)
    return proportions.by_group(region, pool["best"] if len(pool) else pd.Series(dtype=bool))


def _drift(people: pd.DataFrame, pool: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """The population stability index of each of the last whole quarters against the best, and how large chance makes it."""
    best, last = pool[pool["best"]] if len(pool) else pool, pd.Period(periods.latest(cutoff, periods.QUARTER), "Q")
    rows = []
    for quarter in (last - back for back in reversed(range(QUARTERS))):
        new = people[people["first"].dt.to_period("Q") == quarter]
        if len(new) >= ENOUGH and len(best):
            rows.append((quarter.start_time.date(), len(new), *stability(new, best, pool)))
    table = pd.DataFrame(rows, columns=["quarter", "n", "index", "chance"]).dropna()
    return table.assign(apart=table["index"] > table["chance"])


def _shares(values: pd.Series, levels: list) -> np.ndarray:
    """Shares of the levels and of all others; half a customer more in each, so that none is empty."""
    counts = np.array([(values == level).sum() for level in levels[:-1]] + [(~values.isin(levels[:-1])).sum()]) + 0.5
    return counts / counts.sum()


def _figures(sources: pd.DataFrame, quarters: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    """What a newcomer of each source leaves, and how far each quarter's newcomers are from the profile."""
    made = []
    if len(sources) > 1:
        labels = [{"key": f"{SLUG}.source.{name if name in SOURCES else 'named'}", "args": {"name": name}} for name in sources["source"]]
        made.append(Figure.bars(SLUG, "sources", sources, labels, args, unit="money", reference=args["margin_new"]))
    if len(quarters):
        labels = [{"key": f"{SLUG}.quarter", "args": {"start": start}} for start in quarters["quarter"]]
        against = quarters.assign(share=quarters["index"] / quarters["chance"])
        made.append(Figure.bars(SLUG, "drift", against, labels, args, unit="ratio"))
    return tuple(made)
