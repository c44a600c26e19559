"""Follow-up letters: who has been away longer than their own rhythm, and what came of the letters so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, customers, records, worth
from loyalty_lab.periods import Window, within, year_to
from loyalty_lab.proportions import share, wilson
from loyalty_lab.results import Claim, Fact, Figure, Findings, spoken
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "follow-up-letters"
TEMPLATES = "ABCDEF"
OTHER_LETTERS = ("thanks", "preview")
AWAY = 1.5
LONG_GONE = 0.98
TIME_TO_REPLY = 14
ANSWERS = ("reply", "visit", "order")
SPOKEN = ("coverage", "days_since_contact", "same_twice", "reply_rate", "opt_outs")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many customers are overdue against their own rhythm and, where contacts are kept, what letters did.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        Shares carry Wilson intervals. A letter counts as answered by a reply, a visit or an order;
        letters of the last 14 days are left out, they had no time to be answered.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> days = pd.to_datetime(["2026-01-01", "2026-01-11", "2026-01-21"])
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": days, "net_amount": 5.0})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> diagnose(shop, date(2026, 3, 1)).facts["overdue"].value
    1
    """
    away = _away(shop, cutoff)
    facts = {
        "customers": Fact(value=len(away), unit="count"),
        "overdue": Fact(value=int(away["overdue"].sum()), unit="count", n=len(away)),
        "overdue_share": share(int(away["overdue"].sum()), len(away), None),
    }
    sent = customers.letters_sent(shop)
    templates = pd.DataFrame(columns=["template", "sent", "answered", "share", "low", "high"])
    if not sent.empty:
        facts |= _contact_facts(shop, away, sent, year_to(cutoff))
        templates = _by_template(sent, cutoff)
    args = dict.fromkeys(SPOKEN) | spoken(facts)
    variant = "none" if away.empty else "contacts" if not sent.empty else "orders"
    figures = (_bars(templates, args | _best(templates)),) if len(templates) else ()
    claims = (Claim.of(SLUG, "hundreds"),)
    return Findings.of(
        SLUG, facts, "none" if away.empty else "late", variant, args, tables={"templates": templates}, figures=figures, claims=claims
    )


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out what share of the letters must keep a customer for the round to pay."""
    return worth.of_campaign(SLUG, shop, _candidates(shop, cutoff, forecast))


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whom to write to: consent not refused, away too long, not contacted lately; most at stake first.

    Those whom the forecast holds for gone (churn probability of 0.98 or more) come last.
    """
    people = _candidates(shop, cutoff, forecast)
    used = _used_templates(shop)
    own = sorted({each for sent in used.values() for each in sent})
    letters = own + [letter for letter in TEMPLATES if letter not in own][: max(0, len(TEMPLATES) - len(own))]
    arguments = [
        {"days": int(person.days), "rhythm": max(1, round(person.rhythm)), "template": next_template(used.get(person.Index, []), letters)}
        for person in people.itertuples()
    ]
    return candidates.listed(SLUG, people.assign(arguments=arguments), candidates.preferred(shop, people))


def next_template(used: list[str], letters: Sequence[str] = TEMPLATES) -> str:
    """Return the letter to send next: after as many as were sent already, skipping those used; else the least recent.

    Examples
    --------
    >>> next_template([]), next_template(["A"]), next_template(["A", "C"]), next_template(list("BACDEF"))
    ('A', 'B', 'D', 'B')
    """
    start = len(used) % len(letters)
    turned = [*letters[start:], *letters[:start]]
    fresh = [letter for letter in turned if letter not in used]
    return fresh[0] if fresh else min(letters, key=lambda letter: len(used) - used[::-1].index(letter))


@records.once
def _away(shop: Shop, cutoff: date) -> pd.DataFrame:
    """One row per customer: days away, rhythm (the shop's where there is none of their own), overdue or not."""
    away = customers.away(shop.orders, cutoff)
    return away.assign(overdue=away["days"] > AWAY * away["rhythm"])


def _candidates(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    away = _away(shop, cutoff)
    people = candidates.willing(shop, cutoff, away[away["overdue"] & away.index.isin(forecast.index)])
    gone = forecast["churn_probability"].reindex(people.index) >= LONG_GONE
    return candidates.ranked(people.assign(gone=gone), forecast, first=["gone"])


def _contact_facts(shop: Shop, away: pd.DataFrame, sent: pd.DataFrame, window: Window) -> dict[str, Fact]:
    end = pd.Timestamp(window[1]) + pd.Timedelta(days=1)
    sent = sent[sent["customer_id"].isin(away.index)]
    reached = sent.loc[within(sent["sent_at"], window), "customer_id"].nunique()
    facts = {"coverage": share(int(reached), len(away), window)}
    if len(sent):
        ago = (end - sent.groupby("customer_id")["sent_at"].max()).dt.days
        facts["days_since_contact"] = Fact(value=float(ago.median()), unit="days", n=len(ago))
    if "template_id" in sent.columns:
        facts["same_twice"] = _same_twice(sent)
    if "outcome" in sent.columns:
        told = _answerable(sent, window[1])
        facts["reply_rate"] = share(int(told["outcome"].isin(ANSWERS).sum()), len(told), None)
        left = int(shop.contacts["outcome"].eq("opt_out").sum())
        facts["opt_outs"] = share(min(left, len(sent)), len(sent), None)
    return facts


def _same_twice(sent: pd.DataFrame) -> Fact:
    """Share of the letters after a customer's first that used the template of the one before."""
    letters = sent[sent["template_id"].notna()]
    before = letters.groupby("customer_id")["template_id"].shift(1)
    later = before.notna()
    return share(int((letters["template_id"][later] == before[later]).sum()), int(later.sum()), None)


def _answerable(sent: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    return sent[sent["sent_at"] < pd.Timestamp(cutoff) - pd.Timedelta(days=TIME_TO_REPLY)]


def _by_template(sent: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    columns = ["template", "sent", "answered", "share", "low", "high"]
    if not {"template_id", "outcome"} <= set(sent.columns):
        return pd.DataFrame(columns=columns)
    letters = _answerable(sent, cutoff).dropna(subset=["template_id"])
    rows = []
    for template, group in letters.groupby("template_id", sort=True):
        answered = int(group["outcome"].isin(ANSWERS).sum())
        rows.append((str(template), len(group), answered, answered / len(group), *wilson(answered, len(group))))
    return pd.DataFrame(rows, columns=columns)


def _bars(templates: pd.DataFrame, args: dict) -> Figure:
    labels = [{"key": f"{SLUG}.template", "args": {"template": template}} for template in templates["template"]]
    figure = templates.rename(columns={"sent": "n"})
    return Figure.bars(SLUG, "replies", figure, labels, args, reference=args.get("reply_rate"))


def _best(templates: pd.DataFrame) -> dict:
    if templates.empty:
        return {}
    best, worst = float(templates["share"].max()), float(templates["share"].min())
    return {"templates": len(templates), "letters": int(templates["sent"].sum()), "best": best, "worst": worst}


def _used_templates(shop: Shop) -> dict[str, list[str]]:
    """What each customer was sent, in order; what thanked or invited them has letters of its own."""
    sent = customers.letters_sent(shop)
    if "template_id" not in sent.columns:
        return {}
    letters = sent.dropna(subset=["template_id"])
    if "purpose" in letters.columns:
        letters = letters[~letters["purpose"].isin(OTHER_LETTERS)]
    return {customer: [str(each) for each in group] for customer, group in letters.groupby("customer_id")["template_id"]}
