"""Fast delivery: whether promises are kept, how long it takes, where it comes late, and who is owed a word about it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, periods, records, waits, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.proportions import by_group, share
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "fast-delivery"
LATELY_DAYS = 14
BARS = {1: 5, 2: 3}  # by how many ways of grouping there are
A_WORD = ("support", "info")
DAY = pd.Timedelta(days=1)
MOMENT = pd.Timedelta(microseconds=1)
# What nobody noted as arrived so long after its day is no parcel on the way, but a gap in the book.
FORGOTTEN = pd.Timedelta(days=90)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many deliveries came when promised, how long they took, where they come late, and who came back after a late one.

    A promise without an hour holds to the end of its day.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with deliveries.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Days from order to door are Kaplan-Meier estimates in which what has not arrived is censored at the cutoff; the shares of
        places and carriers are drawn towards that of all as far as their size does not speak for itself.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> parcels = pd.DataFrame({"order_id": ["1"], "promised_at": ["2026-03-02"], "delivered_at": ["2026-03-04"]})
    >>> parcels = parcels.astype({"promised_at": "datetime64[us]", "delivered_at": "datetime64[us]"})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "deliveries": parcels})
    >>> facts = diagnose(shop, date(2026, 3, 31)).facts
    >>> facts["on_time"].value, facts["median_days"].value
    (0.0, 3.0)
    """
    every = _deliveries(shop, cutoff)
    followed = late_against_on_time(shop, cutoff)
    due, curve = _due(every, year_to(cutoff)), _curve(every, year_to(cutoff))
    where = _where(due)
    owed = _owed(shop, every, cutoff)["customer_id"].nunique()
    facts = _facts(every, due, cutoff) | _days(due, curve) | {"owed": Fact(value=owed, unit="count")} | followed.facts
    headline = "none" if due.empty else "owed" if facts["owed"].value else "clear"
    left = f"{SLUG}.left.{'unknown' if facts['left_late'].value is None else 'known'}"
    gaps = f"{SLUG}.gaps.{'some' if facts['unknown'].value else 'none'}"
    return Findings.of(
        SLUG, facts, headline, "none" if due.empty else "promised", {"left": left, "gaps": gaps},
        figures=_figures(where, curve, spoken(facts)),
        also=(*followed.said(SLUG), *records.doubts(shop, "deliveries")), tables={"where": where, "days": curve},
        claims=(Claim.of(SLUG, "loyalty", facts["return_gap"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: late deliveries a year x difference in return x mean value of keeping one of those customers.

    The delivery fees of those that came late stand beside it: so much would be given back. A contact costs a call (`phone`).
    """
    every = _deliveries(shop, cutoff)
    due = _due(every, year_to(cutoff))
    late = due[due["late"] & due["customer_id"].notna()]
    fees = [("fees", float(late["fee"].sum()), "money")] if late["fee"].notna().any() else []
    return worth.of_experience(SLUG, shop, late_against_on_time(shop, cutoff), late["customer_id"], forecast, rows=fees)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List everybody whose delivery is overdue now, then those whose delivery came late in the last 14 days and who have heard nothing.

    Within each group those most worth keeping come first; one row a customer.
    """
    owed = _owed(shop, _deliveries(shop, cutoff), cutoff)
    owed = owed.sort_values(["arrived", "days_late", "order_id"], ascending=[True, False, True]).drop_duplicates("customer_id")
    people = candidates.ranked(owed.set_index("customer_id"), forecast, first=["arrived"], by="save_value")
    paid = people["fee"] > 0
    reason = people["arrived"].map({False: "overdue", True: "late"}) + paid.map({False: "", True: "_paid"})
    told = [{"days": int(days), "fee": float(fee)} for days, fee in zip(people["days_late"], people["fee"].fillna(0.0), strict=True)]
    return candidates.listed(SLUG, people.assign(reason=reason, arguments=told), "phone", at_stake="save_value")


@records.once
def late_against_on_time(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare deliveries that came late with those in time, by whether the customer bought again within 90 days of the day promised.

    Both have had the same days to come by then, and whoever came earlier has that among what is adjusted for.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> late_against_on_time(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    due = _deliveries(shop, cutoff)[lambda every: every["is_due"]]
    return experiences.follow(shop, cutoff, due.assign(at=due["promised_at"]), "late", better=False, also=["region", "method"])


@records.once
def _deliveries(shop: Shop, cutoff: date) -> pd.DataFrame:
    """All deliveries of orders that count: `region`, `arrived`, `days` to the door so far, `late`, `days_late`, `forgotten`, `is_due`."""
    made, end = records.of(shop, "deliveries"), pd.Timestamp(cutoff) + DAY
    made = made[made["ordered_at"].notna()]
    arrived, until = made["delivered_at"].notna(), _until(made["promised_at"])
    there = made["delivered_at"].fillna(end - MOMENT)
    forgotten = ~arrived & (until.fillna(made["ordered_at"]) + FORGOTTEN < end)
    return made.assign(
        region=_regions(shop).reindex(made["customer_id"]).to_numpy(),
        arrived=arrived,
        days=_whole_days(made["ordered_at"], there),
        until=until,
        late=there > until,
        days_late=_whole_days(made["promised_at"], there).clip(lower=1),
        forgotten=forgotten,
        is_due=(until < end) & ~forgotten,
    )


def _until(promised: pd.Series) -> pd.Series:
    """The last moment at which a promise is kept: the hour given, or the end of the day where none is."""
    return promised.mask(promised == promised.dt.normalize(), promised + DAY - MOMENT)


def _whole_days(start: pd.Series, end: pd.Series) -> pd.Series:
    return (end.dt.normalize() - start.dt.normalize()).dt.days


def _regions(shop: Shop) -> pd.Series:
    return records.register(shop)["region"]


def _due(every: pd.DataFrame, window: periods.Window) -> pd.DataFrame:
    return every[every["is_due"] & within(every["promised_at"], window)]


def _curve(every: pd.DataFrame, window: periods.Window) -> pd.DataFrame:
    ordered = every[within(every["ordered_at"], window) & ~every["forgotten"]]
    return waits.waiting_curve(ordered["days"], ordered["arrived"])


def _where(due: pd.DataFrame) -> pd.DataFrame:
    """Share of late deliveries by region and by carrier, most often late first; `by` says which of the two a row is."""
    parts = [by_group(due[by], due["late"]).assign(by=by) for by in ("region", "method") if due[by].nunique() > 1]
    if not parts:
        return by_group(due["region"], due["late"]).iloc[:0].assign(by="")
    worst = pd.concat([part.head(BARS[len(parts)]) for part in parts])
    return worst.sort_values(["share", "n", "group"], ascending=[False, False, True], ignore_index=True)


def _owed(shop: Shop, every: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Late deliveries of known customers that are still not there, or came lately and nobody has said a word about."""
    lately = within(every["delivered_at"], last_days(cutoff, LATELY_DAYS)) & ~_spoken_of(shop, every)
    return every[every["customer_id"].notna() & every["late"] & every["is_due"] & (~every["arrived"] | lately)]


def _spoken_of(shop: Shop, every: pd.DataFrame) -> pd.Series:
    """Whether the customer had a word from the shop, or an answer about this order, after the promise had run out."""
    contacts, tickets = records.of(shop, "contacts"), records.of(shop, "tickets")
    words = contacts[contacts["direction"].ne("in") & contacts["purpose"].isin(A_WORD)].groupby("customer_id")["sent_at"].max()
    answers = tickets.groupby("order_id")["first_reply_at"].max()
    told, answered = words.reindex(every["customer_id"]), answers.reindex(every["order_id"])
    return (every["until"] < told.to_numpy()) | (every["until"] < answered.to_numpy())


def _facts(every: pd.DataFrame, due: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    window, late = year_to(cutoff), due[due["late"]]
    left, kept = late[late["dispatched_at"].notna()], len(due) - len(late)
    unknown = int((every["forgotten"] & within(every["promised_at"], window)).sum())
    return {
        "due": Fact(value=len(due), unit="count", window=window),
        "on_time": share(kept, len(due), window),
        "left_late": share(int((left["dispatched_at"] > left["until"]).sum()), len(left), window),
        "fees": Fact(value=float(late["fee"].sum()) if late["fee"].notna().any() else None, unit="money", n=len(late), window=window),
        "unknown": Fact(value=unknown, unit="count", window=window),
        "at_worst": share(kept, len(due) + unknown, window),
    }


def _days(due: pd.DataFrame, curve: pd.DataFrame) -> dict[str, Fact]:
    promised = _whole_days(due["ordered_at"], due["promised_at"])
    arrived = int(curve["replied"].sum())
    return {
        "promised_days": Fact(value=int(promised.quantile(0.5, "lower")) if len(promised) else None, unit="days", n=len(promised)),
        "median_days": Fact(value=waits.reached(curve, 0.5), unit="days", n=arrived),
        "p90_days": Fact(value=waits.reached(curve, 0.9), unit="days", n=arrived),
    }


def _figures(where: pd.DataFrame, curve: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    """Where deliveries come late, if anywhere; and by which day they are there."""
    figures = []
    if where["count"].sum():
        labels = [{"key": f"{SLUG}.place.{row.by}", "args": {"group": row.group}} for row in where.itertuples()]
        figures.append(Figure.bars(SLUG, "where", where, labels, args, reference=1 - args["on_time"]))
    promised = [args["promised_days"]] if args["promised_days"] else []
    return (*figures, *waits.figure(SLUG, "days", curve, args, promised, whole_days=True))
