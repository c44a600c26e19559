"""Exceed expectations: who gives full marks, whether promises are kept, and which unhappy customers nobody has made it up to yet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, waits, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import difference, share
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "exceed-expectations"
SCORES = ["csat", "care"]
BEST, CONTENT, UNHAPPY = 5, 4, 2
TIME_TO_ANSWER = timedelta(days=14)
LATELY_DAYS = 30
DAY = pd.Timedelta(days=1)
MOST_BARS = 8
PERSONAL = ("thanks", "follow-up", "support")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find who gives full marks, by branch and staff, whether promises are kept, and who came back after which mark.

    Full marks are a five for everything that was asked, goods and care. Shares of branches and staff are drawn towards that of
    the shop as far as their numbers do not speak for themselves.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with surveys.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Only those who answered gave marks; `return_answered` and `return_silent` tell whether the others behave alike.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> surveys = pd.DataFrame({"survey_id": ["1"], "customer_id": ["a"], "asked_at": pd.to_datetime(["2026-03-01"]),
    ...                         "answered_at": pd.to_datetime(["2026-03-02"]), "csat": [5]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "surveys": surveys})
    >>> diagnose(shop, date(2026, 3, 31)).facts["full_marks"].value
    1.0
    """
    asked = _asked(shop)
    year, by_mark = _answers(asked)[lambda rows: within(rows["at"], year_to(cutoff))], _by_mark(shop, asked, cutoff)
    groups = {name: proportions.by_group(year[name], year["full"]) for name in ("branch_id", "staff_id")}
    followed, unhappy = low_against_content(shop, cutoff), _unrecovered(shop, asked, cutoff)
    facts = _mark_facts(year, asked, cutoff) | _group_facts(groups, year) | _return_facts(shop, asked, cutoff) | followed.facts
    facts |= {"promises_kept": waits.promises_kept(shop, cutoff), "open": Fact(value=len(unhappy), unit="count", n=len(year))}
    promise = "unknown" if facts["promises_kept"].value is None else "known"
    return Findings.of(
        SLUG, facts, "none" if year.empty else "waiting" if len(unhappy) else "clear", args={"promises_said": f"{SLUG}.promises.{promise}"},
        also=(*followed.said(SLUG), *records.doubts(shop, "surveys", "tickets")),
        tables={"branches": groups["branch_id"], "staff": groups["staff_id"], "returns": by_mark},
        figures=_figures(groups["branch_id"], year, by_mark, spoken(facts)),
        claims=(Claim.of(SLUG, "exceeded", facts["exceeded_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: low marks a year x difference in return, at most x mean value of keeping one of those customers.

    Where ``[cost]`` in shop.toml names a `training_day`, the first row tells how many customers it must keep to pay.
    """
    answers = _answers(_asked(shop))
    low = answers.loc[(answers["worst"] < CONTENT) & within(answers["at"], year_to(cutoff)), "customer_id"]
    day, kept = worth.cost_of(shop, "training_day"), forecast["save_value"].reindex(low.unique()).mean()
    rows = [("training_day", day / kept, "count")] if day is not None and kept > 0 else []
    return worth.of_experience(SLUG, shop, low_against_content(shop, cutoff), low, forecast, rows=rows, assumptions=("answered_only",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List who was unhappy and has neither come back nor heard from the shop since; those of the last 30 days first.

    Each is reached the way they want to be: that is what the practice is about.
    """
    people = _unrecovered(shop, _asked(shop), cutoff)
    people = people.assign(earlier=~within(people["at"], last_days(cutoff, LATELY_DAYS)))
    people = candidates.ranked(people.set_index("customer_id"), forecast, first=["earlier"], by="save_value")
    people = people.assign(reason=people["about"], arguments=[_told(row, cutoff) for row in people.itertuples()])
    return candidates.listed(SLUG, people, candidates.preferred(shop, people, otherwise="phone"), at_stake="save_value")


@records.once
def low_against_content(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare answers with a three or less for anything with those of fours and fives, by whether the customer came within 90 days.

    Fewer than 20 on either side are not compared at all: ten unhappy people who all came back would look like a law.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> low_against_content(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    answers = _answers(_asked(shop)).assign(low=lambda answers: answers["worst"] < CONTENT)
    found = experiences.follow(shop, cutoff, answers, "low", better=False, also=["branch_id", "channel"])
    return found if found.comparison else replace(found, facts=found.facts | {"return_gap": Fact(value=None, unit="share")})


@records.once
def _asked(shop: Shop) -> pd.DataFrame:
    """Everybody who was asked, with the branch, staff and channel of the order, and the lowest mark given (`worst`)."""
    asked = records.of(shop, "surveys")
    served = records.of(shop, "orders").drop_duplicates("order_id").set_index("order_id")
    asked = asked.assign(**{name: asked["order_id"].map(served[name]) for name in ("branch_id", "staff_id", "channel")})
    worst = asked[SCORES].astype("float64").min(axis=1)
    at = asked["answered_at"].fillna(asked["asked_at"])
    return asked.assign(worst=worst, full=worst.eq(BEST), answered=worst.notna(), at=at)[asked["customer_id"].notna() & at.notna()]


def _answers(asked: pd.DataFrame) -> pd.DataFrame:
    return asked[asked["answered"]].sort_values(["at", "survey_id"])


def _unrecovered(shop: Shop, asked: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """The last answer of each customer of the year, where it was unhappy and nothing has happened since.

    Something has happened when they came back, when the shop wrote or called for their own sake, or when they were asked again
    and gave better marks. What the answer was `about` is the lower of the two marks.
    """
    last = _answers(asked).drop_duplicates("customer_id", keep="last")
    last = last[(last["worst"] <= UNHAPPY) & within(last["at"], year_to(cutoff))]
    contacts, orders = records.of(shop, "contacts"), records.of(shop, "orders")
    contacts = contacts[contacts["direction"].ne("in") & contacts["purpose"].isin(PERSONAL)]
    since = {"ordered_at": orders[orders["net_amount"] > 0], "sent_at": contacts}
    for moment, rows in since.items():
        latest = rows.groupby("customer_id")[moment].max().reindex(last["customer_id"]).set_axis(last.index)
        last = last[~(latest.dt.normalize() > last["at"].dt.normalize())]
    scores = last[SCORES].astype("float64").fillna(BEST)
    return last.assign(about=(scores["csat"] < scores["care"]).map({True: "goods", False: "care"}))


def _told(row, cutoff: date) -> dict:
    return {"mark": int(row.worst), "days": max(1, (pd.Timestamp(cutoff) - row.at.normalize()).days)}


def _mark_facts(year: pd.DataFrame, asked: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    window = year_to(cutoff)
    over = asked[within(asked["asked_at"], (window[0], cutoff - TIME_TO_ANSWER))]
    marks = {name: year[name].dropna() for name in SCORES}
    return {
        "answers": Fact(value=len(year), unit="count", window=window),
        "response": share(int(over["answered"].sum()), len(over), window),
        "full_marks": share(int(year["full"].sum()), len(year), window),
        "goods_best": share(int((marks["csat"] == BEST).sum()), len(marks["csat"]), window),
        "care_best": share(int((marks["care"] == BEST).sum()), len(marks["care"]), window),
        "low_marks": Fact(value=int((year["worst"] < CONTENT).sum()), unit="count", n=len(year), window=window),
        "unhappy": Fact(value=int((year["worst"] <= UNHAPPY).sum()), unit="count", n=len(year), window=window),
    }


def _group_facts(groups: dict[str, pd.DataFrame], year: pd.DataFrame) -> dict[str, Fact]:
    """How many branches and staff there are, and how many of them differ from the shop by more than chance."""
    mean, table = year["full"].mean(), pd.concat(groups.values())
    apart = (table["low"] > mean) | (table["high"] < mean)
    return {
        "groups": Fact(value=len(table), unit="count", n=len(year)),
        "apart": Fact(value=int(apart.sum()), unit="count", n=len(table)),
    }


def _return_facts(shop: Shop, asked: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    """Who came back within 90 days of being asked: those who answered and those who did not; and full marks against fours."""
    over = _followed(shop, asked.assign(at=asked["asked_at"]), cutoff)
    answered, silent = over.loc[over["answered"], "back"], over.loc[~over["answered"], "back"]
    marked = _followed(shop, _answers(asked), cutoff)
    pairs = [marked.loc[marked["worst"] == mark, "back"] for mark in (BEST, CONTENT)]
    return {
        "return_answered": share(int(answered.sum()), len(answered)),
        "return_silent": share(int(silent.sum()), len(silent)),
        "exceeded_gap": difference(*((int(back.sum()), len(back)) for back in pairs)),
    }


def _followed(shop: Shop, rows: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Rows whose 90 days are over, with whether the customer came `back` in them."""
    over = experiences.over(rows, cutoff)
    return over.assign(back=experiences.came_back(over, shop.orders))


def _by_mark(shop: Shop, asked: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Share of those who came back, by the lowest mark given; best marks first."""
    over = _followed(shop, _answers(asked), cutoff)
    found = proportions.by_group(over["worst"].astype("int64").clip(lower=UNHAPPY), over["back"])
    return found.sort_values("group", ascending=False, ignore_index=True)


def _figures(branches: pd.DataFrame, year: pd.DataFrame, by_mark: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    """Full marks by branch (in a shop of one, what was asked), and who came back by mark."""
    if len(branches) > 1:
        most = branches.nlargest(MOST_BARS, "n", keep="first").sort_index()
        first, labels = most, [{"key": f"{SLUG}.branch", "args": {"branch": name}} for name in most["group"]]
    else:
        long = year[SCORES].melt(var_name="asked", value_name="mark").dropna()
        first = proportions.by_group(long["asked"], long["mark"] == BEST)
        labels = [{"key": f"{SLUG}.asked.{name}", "args": {}} for name in first["group"]]
    marks = [{"key": f"{SLUG}.mark.m{mark}", "args": {}} for mark in by_mark["group"]]
    made = [("marks", first, labels, args["full_marks"] if len(branches) > 1 else None), ("returns", by_mark, marks, None)]
    return tuple(Figure.bars(SLUG, name, table, words, args, reference=line) for name, table, words, line in made if len(table))
