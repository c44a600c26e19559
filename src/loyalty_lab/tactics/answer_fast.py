"""Answer fast: how long people wait for a first reply, whether promises are kept, and who is owed an answer now."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import exposure
from loyalty_lab.metrics import year_before
from loyalty_lab.proportions import difference, share
from loyalty_lab.results import Claim, Fact, Figure, Findings, Message, Value, spoken
from loyalty_lab.tactics import Worth, candidates, no_candidates, worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "answer-fast"
FAST = 1.0
RETURN_DAYS = 90
APOLOGY_DAYS = 30
DAY = pd.Timedelta(days=1)


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how long a first reply takes, how many promises are kept, and who came back after a fast or a slow reply.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with tickets.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Waits are Kaplan-Meier estimates over the tickets of the year to the cutoff; a ticket without
        a reply is censored at the end of the cutoff day.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": pd.to_datetime(["2026-03-01"]), "net_amount": [5.0]})
    >>> tickets = pd.DataFrame({"ticket_id": ["1"], "customer_id": ["a"], "opened_at": pd.to_datetime(["2026-03-01"]),
    ...                         "first_reply_at": pd.to_datetime(["2026-03-03"])})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "tickets": tickets})
    >>> diagnose(shop, date(2026, 3, 31)).facts["median_wait"].value
    2.0
    """
    tickets = _of_the_year(shop, cutoff)
    curve = waiting_curve(tickets["wait"], tickets["replied"])
    facts = _wait_facts(tickets, curve, cutoff) | _open_facts(_tickets(shop, cutoff)) | _return_facts(shop, cutoff)
    compared = slow_against_fast(shop, cutoff)
    args = spoken(facts)
    variant = "none" if tickets.empty else "waiting" if facts["open"].value else "clear"
    seen = facts["difference"] if facts["difference"].value is not None else None
    claim = Claim(key=f"{SLUG}.claim.essential", source=f"{SLUG}.claim.essential-source", shop_value=seen)
    return Findings(
        facts=facts,
        tables={"waiting": curve},
        figures=(_figure(curve, args),) if len(curve) else (),
        messages=(
            *(Message(key=f"{SLUG}.{role}.{variant}", args=args) for role in ("headline", "stand")),
            *([exposure.said(compared, f"{SLUG}.waited")] if compared else []),
        ),
        claims=(claim,),
    )


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out the ceiling: slow tickets a year x difference in return x mean value of keeping one of those customers.

    Hard questions take longer and annoy more. Where enough is known to adjust for what came before the question, the adjusted
    difference counts (grade C), otherwise the one that is seen (grade D); either way it is a ceiling, and no amount.
    """
    tickets, facts = _of_the_year(shop, cutoff), _return_facts(shop, cutoff)
    compared = slow_against_fast(shop, cutoff)
    adjusted = compared is not None and compared.grade == "C"
    slow = tickets[tickets["wait"] > FAST]
    values = forecast["save_value"].reindex(slow["customer_id"].unique()).dropna()
    mean = float(values.mean()) if len(values) else None
    difference = -compared.adjusted.value if adjusted else facts["difference"].value
    ceiling = len(slow) * max(difference, 0.0) * (mean or 0.0) if difference is not None else None
    cost = shop.settings.cost.get("phone")
    rate = cost / mean if cost is not None and mean else None
    rows = [("slow", len(slow), "count"), ("difference", difference, "share"), ("save_value", mean, "money"), ("cost", cost, "money")]
    names = ("adjusted" if adjusted else "seen_together", "ceiling") if ceiling is not None else ("too_few",)
    assumptions = [f"{SLUG}.assumption.{name}" for name in names]
    total = Value(high=ceiling, break_even_rate=rate, grade="C" if adjusted else "D", assumptions=assumptions)
    return worth(SLUG, total, [*rows, ("ceiling", ceiling, "money")])


def slow_against_fast(shop: Shop, cutoff: date) -> exposure.Comparison | None:
    """Compare questions whose first reply took longer than a day with the others, by whether the customer came back in 90 days.

    Adjusted for what was known when the question came: earlier purchase days, money spent, days since the last purchase, what
    it was about, and the month. None where nobody waited or everybody did.

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> slow_against_fast(demo.make(customers=60).shop(), date(2026, 10, 31)).grade
    'D'
    """
    old = _old_enough(_tickets(shop, cutoff), cutoff)
    old = old.assign(slow=old["wait"] > FAST, month=old["opened_at"].dt.strftime("%m"))
    if old["slow"].nunique() < 2:
        return None
    old = _with_past(old, shop.orders)
    old["back"] = _came_back(old, shop.orders)
    known = ["orders_before", "spend_before", "days_since_last", "month", *(["category"] if "category" in old.columns else [])]
    return exposure.compare(old, "slow", "back", known)


def _with_past(tickets: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Tickets with what their customers had bought before: purchase days, money, and days since the last of them."""
    bought = orders[orders["customer_id"].notna() & (orders["net_amount"] > 0)]
    days = bought.assign(day=bought["ordered_at"].dt.normalize()).groupby(["customer_id", "day"], as_index=False)["net_amount"].sum()
    mine = days.groupby("customer_id")
    days = days.assign(orders_before=mine.cumcount() + 1, spend_before=mine["net_amount"].cumsum()).sort_values("day")
    asked = tickets.assign(asked_on=tickets["opened_at"].dt.normalize()).reset_index(names="row").sort_values("asked_on")
    found = pd.merge_asof(asked, days.drop(columns="net_amount"), left_on="asked_on", right_on="day", by="customer_id",
                          allow_exact_matches=False)  # fmt: skip
    found = found.assign(days_since_last=(found["asked_on"] - found["day"]).dt.days)
    return found.fillna({"orders_before": 0, "spend_before": 0.0}).set_index("row").sort_index()


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List everybody who is owed an answer, then those answered slowly in the last 30 days; one row per customer.

    Within each group those with most at stake come first, ties by the longest wait. A customer the
    forecast does not know has nothing at stake but is owed the answer all the same.
    """
    tickets = _tickets(shop, cutoff)
    if tickets.empty:
        return no_candidates()
    tickets = tickets[_is_owed(tickets) | _is_apology(tickets, cutoff)].copy()
    tickets["later"] = ~_is_owed(tickets)
    stake = forecast["save_value"].reindex(tickets["customer_id"]).fillna(0.0)
    tickets["stake"] = stake.to_numpy()
    tickets = tickets.sort_values(["later", "stake", "wait", "ticket_id"], ascending=[True, False, False, True])
    tickets = tickets.drop_duplicates("customer_id")
    return candidates(
        {"pseudonym": str(ticket.customer_id), **_reason(ticket), "value_at_stake": float(ticket.stake), "channel": "phone"}
        for ticket in tickets.itertuples()
    )


def waiting_curve(wait: pd.Series, replied: pd.Series) -> pd.DataFrame:
    """Estimate the share of tickets with a first reply by each length of wait (Kaplan-Meier).

    Parameters
    ----------
    wait : pandas.Series
        Days from opening to the reply, or so far.
    replied : pandas.Series
        False where the wait goes on.

    Returns
    -------
    pandas.DataFrame
        One row per length at which somebody got a reply: `days`, `at_risk`, `replied`, `share`.

    Examples
    --------
    >>> waiting_curve(pd.Series([1.0, 2.0, 3.0]), pd.Series([True, False, True]))["share"].round(3).tolist()
    [0.333, 1.0]
    """
    days, answered = np.unique(wait[replied].to_numpy(), return_counts=True)
    at_risk = len(wait) - np.searchsorted(np.sort(wait.to_numpy()), days)
    share = 1 - np.cumprod(1 - answered / np.maximum(at_risk, 1))
    return pd.DataFrame({"days": days, "at_risk": at_risk, "replied": answered, "share": share})


def _tickets(shop: Shop, cutoff: date) -> pd.DataFrame:
    """All tickets with known customers: `wait` so far in days, `replied`, `open`, `overdue`."""
    tickets, end = shop.tickets, pd.Timestamp(cutoff) + DAY
    if tickets is None:
        tickets = pd.DataFrame({name: pd.Series(dtype="str") for name in ("ticket_id", "customer_id", "opened_at")})
    tickets = tickets[tickets["customer_id"].notna() & tickets["opened_at"].notna()].copy()
    for name in ("opened_at", "first_reply_at", "resolved_at", "promised_by"):
        never = pd.Series(pd.NaT, tickets.index, dtype="datetime64[us]")
        tickets[name] = pd.to_datetime(tickets[name]) if name in tickets.columns else never
    # A question that was settled without a noted reply was answered when it was settled.
    tickets["first_reply_at"] = tickets["first_reply_at"].fillna(tickets["resolved_at"])
    tickets["replied"] = tickets["first_reply_at"].notna()
    tickets["wait"] = ((tickets["first_reply_at"].fillna(end) - tickets["opened_at"]) / DAY).clip(lower=0.0)
    settled = tickets["resolved_at"].notna() if tickets["resolved_at"].notna().any() else tickets["replied"]
    tickets["open"] = ~settled & ~(tickets["replied"] & tickets["promised_by"].isna())
    tickets["overdue"] = tickets["open"] & (tickets["promised_by"] < end)
    tickets["late"] = ((end - tickets["promised_by"]) / DAY).where(tickets["overdue"])
    return tickets


def _of_the_year(shop: Shop, cutoff: date) -> pd.DataFrame:
    tickets = _tickets(shop, cutoff)
    return tickets[tickets["opened_at"] >= pd.Timestamp(year_before(cutoff)) + DAY]


def _is_owed(tickets: pd.DataFrame) -> pd.Series:
    return tickets["overdue"] | (tickets["open"] & ~tickets["replied"])


def _is_apology(tickets: pd.DataFrame, cutoff: date) -> pd.Series:
    since = pd.Timestamp(cutoff) + DAY - pd.Timedelta(days=APOLOGY_DAYS)
    return tickets["replied"] & (tickets["wait"] > FAST) & (tickets["first_reply_at"] >= since)


def _reason(ticket) -> dict:
    waited = max(1, int(ticket.wait))
    if ticket.overdue:
        return {"reason": f"{SLUG}.reason.overdue", "arguments": {"days": waited, "late": max(1, int(ticket.late))}}
    variant = "apology" if ticket.later else "unanswered"
    return {"reason": f"{SLUG}.reason.{variant}", "arguments": {"days": waited}}


def _wait_facts(tickets: pd.DataFrame, curve: pd.DataFrame, cutoff: date) -> dict[str, Fact]:
    window = (year_before(cutoff) + timedelta(days=1), cutoff)
    promised = tickets[tickets["promised_by"].notna()]
    done = promised["resolved_at"].fillna(promised["first_reply_at"].where(~promised["open"]))
    due = promised[done.notna() | promised["overdue"]]
    kept = int((done.reindex(due.index) <= due["promised_by"]).sum())
    return {
        "tickets": Fact(value=len(tickets), unit="count", window=window),
        "median_wait": Fact(value=_reached(curve, 0.5), unit="days", n=len(tickets), window=window),
        "p90_wait": Fact(value=_reached(curve, 0.9), unit="days", n=len(tickets), window=window),
        "promises_kept": share(kept, len(due), window),
    }


def _reached(curve: pd.DataFrame, share: float) -> float | None:
    """Days by which so large a share had a reply; None where the curve ends below it."""
    days = curve.loc[curve["share"] >= share - 1e-12, "days"]
    return round(float(days.iloc[0]), 2) if len(days) else None


def _open_facts(tickets: pd.DataFrame) -> dict[str, Fact]:
    unanswered = tickets["open"] & ~tickets["replied"]
    return {
        "open": Fact(value=int(tickets["open"].sum()), unit="count", n=len(tickets)),
        "unanswered": Fact(value=int(unanswered.sum()), unit="count", n=len(tickets)),
        "overdue": Fact(value=int(tickets["overdue"].sum()), unit="count", n=len(tickets)),
    }


def _return_facts(shop: Shop, cutoff: date) -> dict[str, Fact]:
    """Return within 90 days after a fast and a slow reply, of tickets that have 90 days behind them; fast minus slow."""
    old = _old_enough(_tickets(shop, cutoff), cutoff)
    back = _came_back(old, shop.orders)
    slow = old["wait"] > FAST
    counts = [(int(back[group].sum()), int(group.sum())) for group in (~slow, slow)]
    facts = {name: share(*count, None) for name, count in zip(("return_fast", "return_slow"), counts, strict=True)}
    return facts | {"difference": difference(*counts)}


def _old_enough(tickets: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    return tickets[tickets["opened_at"] + pd.Timedelta(days=RETURN_DAYS) <= pd.Timestamp(cutoff) + DAY]


def _came_back(tickets: pd.DataFrame, orders: pd.DataFrame) -> pd.Series:
    """Whether the customer bought within 90 days after asking (an order of the same moment does not count)."""
    bought = orders.loc[orders["customer_id"].notna() & (orders["net_amount"] > 0), ["customer_id", "ordered_at"]]
    pairs = tickets.reset_index(names="row")[["row", "customer_id", "opened_at"]].merge(bought, on="customer_id")
    later = pairs["ordered_at"] - pairs["opened_at"]
    rows = pairs.loc[(later > pd.Timedelta(0)) & (later <= pd.Timedelta(days=RETURN_DAYS)), "row"]
    return pd.Series(tickets.index.isin(rows), index=tickets.index)


def _figure(curve: pd.DataFrame, args: dict) -> Figure:
    line = {"label": {"key": f"{SLUG}.line", "args": {}}, "shares": [0.0, *curve["share"].tolist()]}
    data = {"days": [0.0, *curve["days"].tolist()], "lines": [line], "reference_days": [1]}
    if curve["days"].max() <= 0:
        data["days"][-1] = 1.0
    return Figure.of(SLUG, "waiting", "curve", data, args)
