"""Ask every time: who answers, how content they are week by week, and which low marks nobody has got back to."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import candidates, experiences, metrics, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import FEWEST, LEVEL, by_group, share, wilson
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "ask-every-time"
BEST, PROMOTER = 5, 9
LOW = {"goods": ("csat", 2), "care": ("care", 2), "recommend": ("nps", 6)}
PATIENCE_DAYS, PROMPT_DAYS, OPEN_DAYS = 7, 2, 60
ADVERTISING = ("thanks", "offer", "preview")
PERIODS = {"week": "W-SUN", "month": "M", "quarter": "Q"}
ENOUGH, SHOWN = 15, 5


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many answer, how content they are, which weeks lie outside what chance explains, and who came back after a low mark.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with surveys.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        About those asked in the year to the cutoff. Where only answers are kept, and not who was asked, nothing is said of the silent.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> surveys = pd.DataFrame({"survey_id": ["1"], "customer_id": ["a"], "asked_at": pd.to_datetime(["2026-03-01"]), "csat": [2]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "surveys": surveys})
    >>> diagnose(shop, date(2026, 3, 31)).facts["open"].value
    1
    """
    everyone = _asked(shop)
    year, followed = everyone[within(everyone["asked_at"], year_to(cutoff))], low_against_others(shop, cutoff)
    marks = year[year["csat"].notna()]
    kind, chart = by_period(marks["asked_at"], marks["best"])
    silence = bool(len(everyone)) and not everyone["answered"].all()
    facts = _mark_facts(shop, marks, chart, cutoff) | _answer_facts(shop, year, cutoff, silence)
    facts |= _care_facts(shop, everyone, cutoff) | followed.facts
    headline = "none" if not year["answered"].any() else "open" if facts["open"].value else "clear"
    stand = "none" if headline == "none" else "answers" if silence else "unasked"
    return Findings.of(
        SLUG, facts, headline, stand, args=_words(kind, chart) | _told(shop, facts),
        also=(*followed.said(SLUG), *records.doubts(shop, "surveys")), tables={"periods": chart},
        figures=_bars(kind, chart, spoken(facts)), claims=(Claim.of(SLUG, "recommend", facts["happy_promote"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: low marks a year x how much less often they came back x mean value of keeping one of those customers."""
    everyone = _asked(shop)
    concerned = everyone.loc[everyone["low"] & within(everyone["asked_at"], year_to(cutoff)), "customer_id"]
    return worth.of_experience(SLUG, shop, low_against_others(shop, cutoff), concerned, forecast, assumptions=("answered_only",))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whom to get back to: a low mark in the last 60 days and no word from the shop since; most worth keeping first."""
    owed = _open(shop, cutoff, _asked(shop)).sort_values(["day", "survey_id"], ascending=[False, True])
    people = candidates.ranked(owed.drop_duplicates("customer_id").set_index("customer_id"), forecast, by="save_value")
    reasons = [_reason(answer, cutoff) for answer in people.itertuples()]
    people = people.assign(reason=[reason for reason, _ in reasons], arguments=[told for _, told in reasons])
    return candidates.listed(SLUG, people, "phone", at_stake="save_value")


@records.once
def low_against_others(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare answers with a low mark to the others, by whether the customer came back within 90 days; the silent are in neither."""
    answers = _asked(shop).query("answered")
    served = _of_order(shop, "orders", answers["order_id"])[["channel", "branch_id"]]
    return experiences.follow(shop, cutoff, answers.assign(at=answers["day"], **served), "low", better=False, also=[*served])


def weighted(asked: pd.DataFrame) -> Fact:
    """Return the share of best marks had everybody answered as those did who were like them (weighting by the inverse chance of an answer).

    `asked` has one row for each time somebody was asked: `alike`, `answered`, `csat`, `best`. The chance is that of the class `alike`,
    drawn towards that of all where the class is small; what sets the silent apart within a class, such as being less content, is
    not mended by it. The interval is Wilson's with Kish's effective number of answers.

    References
    ----------
    Oh, Scheuren (1983), Weighting adjustment for unit nonresponse, in: Incomplete Data in Sample Surveys 2.

    Examples
    --------
    >>> asked = pd.DataFrame({"alike": ["a"] * 400 + ["b"] * 400, "answered": ([True] * 3 + [False]) * 100 + ([True] + [False] * 3) * 100})
    >>> asked = asked.assign(csat=np.where(asked["alike"] == "a", 5.0, 3.0), best=asked["alike"] == "a")
    >>> asked.loc[asked["answered"], "best"].mean(), round(weighted(asked).value, 2)
    (np.float64(0.75), 0.5)
    """
    chance = asked["alike"].map(by_group(asked["alike"], asked["answered"]).set_index("group")["share"])
    marked = asked["answered"] & asked["csat"].notna()
    if not marked.any():
        return Fact(value=None, unit="share", n=0)
    weight = 1 / chance[marked].to_numpy()
    value, n = float(np.average(asked.loc[marked, "best"], weights=weight)), float(weight.sum() ** 2 / (weight**2).sum())
    return Fact(value=value, unit="share", n=int(marked.sum()), interval=(*wilson(value * n, n), LEVEL))


def by_period(at: pd.Series, best: pd.Series) -> tuple[str, pd.DataFrame]:
    """Return the share of best marks by week, month or quarter, newest first, and which of them lie `outside` what chance explains.

    Of the three the shortest is taken in which the middle one holds 15 answers; one with fewer than five is left out. A period
    lies outside where its exact interval leaves out the share of all; the intervals are so wide that in a steady shop one of
    all of them does so in no more than 5 of 100 years.

    References
    ----------
    Shewhart (1931), Economic control of quality of manufactured product. Clopper, Pearson (1934), The use of confidence or
    fiducial limits, Biometrika 26. Šidák (1967), Rectangular confidence regions, JASA 62.

    Examples
    --------
    >>> days = pd.Series(pd.date_range("2026-01-01", "2026-12-31"))
    >>> kind, chart = by_period(days, (days.dt.day % 2 == 0) & (days.dt.month != 3))
    >>> kind, chart.loc[chart["outside"], "start"].dt.month.tolist()
    ('month', [3])
    """
    from scipy.special import betaincinv

    cells = {kind: best.groupby(at.dt.to_period(code)).agg(n="size", count="sum") for kind, code in PERIODS.items()}
    kind = next((kind for kind, cell in cells.items() if cell["n"].median() >= ENOUGH), "quarter")
    chart = cells[kind][cells[kind]["n"] >= FEWEST].sort_index(ascending=False)
    n, count, tail = chart["n"], chart["count"].astype("int64"), (1 - LEVEL ** (1 / max(len(chart), 1))) / 2
    low = np.where(count > 0, betaincinv(count.clip(lower=1), n - count + 1, tail), 0.0)
    high = np.where(count < n, betaincinv(count + 1, (n - count).clip(lower=1), 1 - tail), 1.0)
    chart = chart.assign(count=count, share=count / n, low=low, high=high, outside=(low > best.mean()) | (high < best.mean()))
    return kind, chart.reset_index(drop=True).assign(start=chart.index.to_timestamp().to_numpy())


@records.once
def _asked(shop: Shop) -> pd.DataFrame:
    """Everybody who was asked: `answered` (and the `day`), `best` (mark for the goods), `low` (mark for anything)."""
    asked = records.of(shop, "surveys")
    asked = asked[asked["customer_id"].notna() & asked["asked_at"].notna()].reset_index(drop=True)
    # Whoever gave a mark has answered, even where nobody wrote down when.
    marked = asked[["csat", "care", "nps"]].notna().any(axis=1)
    answered_at = asked["answered_at"].fillna(asked["asked_at"].where(marked))
    low = [asked[name].le(most).fillna(False).astype(bool) for name, most in LOW.values()]
    best = asked["csat"].eq(BEST).fillna(False).astype(bool)
    return asked.assign(answered=answered_at.notna(), day=answered_at.dt.normalize(), best=best, low=np.logical_or.reduce(low))


def _of_order(shop: Shop, table: str, order_id: pd.Series) -> pd.DataFrame:
    """What a table says of the order of each row."""
    rows = records.of(shop, table).drop_duplicates("order_id").set_index("order_id")
    return rows.reindex(order_id).set_axis(order_id.index)


def _alike(shop: Shop, asked: pd.DataFrame) -> pd.Series:
    """Who is like whom: how often they had come before, and whether a parcel came late, in time, or there was none."""
    before = experiences.with_past(asked.assign(at=asked["asked_at"]), shop.orders)["visits_before"]
    often = pd.cut(before, [-1, 0, 3, np.inf], labels=["new", "some", "many"]).astype("str")
    parcel = _of_order(shop, "deliveries", asked["order_id"])
    late = parcel["delivered_at"].dt.normalize() > parcel["promised_at"].dt.normalize()
    return often + pd.Series(np.select([late, parcel["ordered_at"].notna()], [" late", " parcel"], ""), asked.index, "str")


def _answer_facts(shop: Shop, year: pd.DataFrame, cutoff: date, silence: bool) -> dict[str, Fact]:
    """Who was asked and who answered; those of the last week may still answer."""
    window, orders = year_to(cutoff), records.of(shop, "orders")
    bought = orders[orders["customer_id"].notna() & within(orders["ordered_at"], window) & (orders["net_amount"] > 0)]
    due = year[within(year["asked_at"], (window[0], last_days(cutoff, PATIENCE_DAYS + 1)[0]))] if silence else year.iloc[:0]
    ends = {"least": due["best"].sum(), "most": (due["best"] | due["csat"].isna()).sum()}
    return {
        "asked": Fact(value=len(year), unit="count", window=window),
        "asked_share": share(int(bought["order_id"].isin(year["order_id"]).sum()), len(bought) * year["order_id"].notna().any(), window),
        "response": share(int(due["answered"].sum()), len(due), window),
        "weighted": weighted(due.assign(alike=_alike(shop, due))),
        **{name: Fact(value=int(n) / len(due) if len(due) else None, unit="share", n=len(due)) for name, n in ends.items()},
    }


def _mark_facts(shop: Shop, marks: pd.DataFrame, chart: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    happy = marks[marks["best"] & marks["nps"].notna()]
    return {
        "top_box": share(int(marks["best"].sum()), len(marks), year_to(cutoff)),
        "net_promoter_score": metrics.net_promoter_score(records.of(shop, "surveys"), cutoff),
        "happy_promote": share(int(happy["nps"].ge(PROMOTER).sum()), len(happy), year_to(cutoff)),
        "periods": Fact(value=len(chart), unit="count"),
        "outside": Fact(value=int(chart["outside"].sum()), unit="count", n=len(chart)),
    }


def _care_facts(shop: Shop, asked: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    """How many gave a low mark, and whether the shop got back to them."""
    low = _heard(shop, asked[asked["low"] & within(asked["asked_at"], year_to(cutoff))])
    over = low[low["day"] + pd.Timedelta(days=PROMPT_DAYS) <= pd.Timestamp(cutoff)]
    return {
        "low": Fact(value=len(low), unit="count", window=year_to(cutoff)),
        "prompt": share(int((over["after"] <= PROMPT_DAYS).sum()), 0 if shop.contacts is None else len(over), year_to(cutoff)),
        "open": Fact(value=_open(shop, cutoff, asked)["customer_id"].nunique(), unit="count", window=last_days(cutoff, OPEN_DAYS)),
    }


def _heard(shop: Shop, answers: pd.DataFrame) -> pd.DataFrame:
    """Answers with how many days `after` them the customer first heard from the shop; advertising and thank-yous are no answer."""
    contacts = records.of(shop, "contacts")
    sent = contacts[contacts["customer_id"].notna() & contacts["direction"].ne("in") & ~contacts["purpose"].isin(ADVERTISING)]
    found = pd.merge_asof(answers.sort_values("day"), sent.sort_values("sent_at")[["customer_id", "sent_at"]], left_on="day",
                          right_on="sent_at", by="customer_id", direction="forward")  # fmt: skip
    return found.assign(after=(found["sent_at"].dt.normalize() - found["day"]).dt.days)


def _open(shop: Shop, cutoff: date, asked: pd.DataFrame) -> pd.DataFrame:
    low = _heard(shop, asked[asked["low"] & within(asked["day"], last_days(cutoff, OPEN_DAYS))])
    return low[low["after"].isna()]


def _reason(answer: Any, cutoff: date) -> tuple[str, dict]:
    """The first of goods, care and recommending that was marked low."""
    marks = {reason: getattr(answer, name) for reason, (name, _) in LOW.items()}
    reason = next(reason for reason, mark in marks.items() if pd.notna(mark) and mark <= LOW[reason][1])
    return reason, {"mark": int(marks[reason]), "days": max(1, (pd.Timestamp(cutoff) - answer.day).days)}


def _words(kind: str, chart: pd.DataFrame) -> dict[str, Any]:
    """The sentence about the weeks, and the periods it speaks of."""
    outside = chart.loc[chart["outside"], "start"]
    trend = "few" if len(chart) < 2 else "moved" if len(outside) else "steady"
    return {
        "trend": f"{SLUG}.trend.{trend}",
        "span": {"key": f"{SLUG}.span.{kind}", "args": {"n": len(chart)}},
        "when": _label(kind, outside.iloc[0]) if len(outside) else None,
    }


def _told(shop: Shop, facts: dict[str, Fact]) -> dict[str, str]:
    """The sentences about what the shop may not ask or write down."""
    heard = "known" if facts["prompt"].n else "unknown" if shop.contacts is None and facts["low"].value else "nobody"
    recommend = "unknown" if facts["net_promoter_score"].value is None else "known"
    return {"heard_said": f"{SLUG}.heard.{heard}", "recommend_said": f"{SLUG}.recommend.{recommend}"}


def _label(kind: str, start: pd.Timestamp) -> dict[str, Any]:
    return {"key": f"{SLUG}.period.{kind}", "args": {"start": start}}


def _bars(kind: str, chart: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    """The newest periods with their intervals, against the share of all."""
    shown = chart.head(SHOWN)
    labels = [_label(kind, start) for start in shown["start"]]
    return (Figure.bars(SLUG, "periods", shown, labels, args, reference=args["top_box"]),) if len(shown) else ()
