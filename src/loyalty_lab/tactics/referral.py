"""Referrals: how many customers invite, how many friends come and stay, what each costs, and whom to ask at a happy moment."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import candidates, experiences, proportions, records, worth
from loyalty_lab.periods import last_days, within, year_to
from loyalty_lab.results import Claim, Fact, Figure, Findings, Value, spoken
from loyalty_lab.visits import visits
from loyalty_lab.worth import Worth

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

SLUG = "referral"
TIME_TO_COME = pd.Timedelta(days=90)
ASKED_DAYS = 180
PROMOTER, DETRACTOR, DELIGHTED = 9, 6, 5
REGULAR_VISITS, FAITHFUL_VISITS = 3, 5
MOODS = ("promoter", "between", "detractor", "silent")


def diagnose(shop: Shop, cutoff: date) -> Findings:
    """Find how many invitations bring a friend, who sends them, what a friend costs, and whether friends come again.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff, with referrals.
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    Findings
        `came` counts invitations that have had 90 days. That friends of good customers come again more often is an association:
        people resemble their friends.

    References
    ----------
    Schmitt, Skiera, Van den Bulte (2011), Referral programs and customer value, Journal of Marketing 75.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1"], "customer_id": ["a"], "ordered_at": pd.to_datetime(["2025-09-01"]), "net_amount": [5.0]})
    >>> sent = pd.DataFrame({"referral_id": ["1", "2"], "referrer_id": "a", "invited_at": pd.Timestamp("2025-10-01")})
    >>> sent["referred_id"] = ["b", None]
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders, "referrals": sent})
    >>> diagnose(shop, date(2026, 3, 31)).facts["came"].value
    0.5
    """
    sent, days = _invitations(shop, cutoff), visits(shop, cutoff)
    year, over = sent[within(sent["invited_at"], year_to(cutoff))], sent[sent["invited_at"] + TIME_TO_COME <= pd.Timestamp(cutoff)]
    followed, by_mood = friends_against_others(shop, cutoff), proportions.by_group(over["mood"], over["came"])
    facts = _facts(shop, cutoff, days, year, over) | followed.facts
    variant = "none" if sent.empty else "sent"
    return Findings.of(
        SLUG, facts, variant, also=(*followed.said(SLUG), *records.doubts(shop, "referrals")), tables={"moods": by_mood},
        figures=_bars(by_mood, spoken(facts)), claims=(Claim.of(SLUG, "four_in_five", facts["came"]),),
    )  # fmt: skip


def value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> Worth:
    """Work out how many of those asked must bring a friend: the cost of asking over what a newcomer is worth less the reward.

    A newcomer is worth what those who first came in the last year left then and are expected to leave. The reward is the mean of those
    paid, or `reward` of ``[cost]`` in shop.toml; asking costs a letter.
    """
    days, cost = visits(shop, cutoff), worth.cost_of(shop, "letter")
    people = _people(shop, cutoff, forecast)
    newcomer, reward = _newcomer_worth(days, cutoff, forecast), _reward(shop)
    gain = None if newcomer is None else newcomer - (reward or 0.0)
    rate = cost / gain if cost is not None and gain and gain > 0 else None
    ceiling = None if gain is None else max(gain, 0.0) * len(people)
    rows = [("practice.worth.candidates", len(people), "count"), ("newcomer", newcomer, "money"), ("reward", reward, "money")]
    rows += [("practice.worth.cost", cost, "money"), ("break_even", rate, "share"), ("at_stake", ceiling, "money")]
    reasons = ["ceiling", "newcomer", "anyway", f"practice.assumption.{'cost' if cost is not None else 'no_cost'}"]
    return worth.worth(SLUG, Value(high=ceiling, break_even_rate=rate, grade="D", assumptions=reasons), rows)


def act(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    """List whom to ask for a friend: promoters, the delighted among regulars, then the faithful who never said how they like it.

    Nobody who invited somebody in the last 180 days, and nobody who said that they would not recommend the shop.
    """
    people = _people(shop, cutoff, forecast)
    told = [{"nps": None if pd.isna(nps) else int(nps), "visits": int(n)} for nps, n in zip(people["nps"], people["visits"], strict=True)]
    return candidates.listed(SLUG, people.assign(arguments=told), candidates.preferred(shop, people), at_stake="save_value")


def friends_against_others(shop: Shop, cutoff: date) -> experiences.Followed:
    """Compare first visits of customers whom a friend has sent with other first visits, by whether a second followed within 90 days."""
    first = visits(shop, cutoff)[lambda days: days["visit"] == 1]
    first = first.assign(at=first["day"], friend=first["customer_id"].isin(records.sent_by_friends(shop)))
    return experiences.follow(shop, cutoff, first, "friend", better=True, also=["channel", "branch_id", "spend"])


def _invitations(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Invitations with whether a friend came, and what the sender had last said of the shop (`mood`)."""
    sent = records.of(shop, "referrals")
    mood = _moods(shop).reindex(sent["referrer_id"]).fillna("silent")
    return sent.assign(came=sent["referred_id"].notna(), mood=mood.to_numpy())


def _answers(shop: Shop) -> pd.DataFrame:
    """What each customer last answered: `nps` and `csat`."""
    told = records.of(shop, "surveys").dropna(subset=["customer_id"]).sort_values(["asked_at", "survey_id"])
    return told.groupby("customer_id")[["nps", "csat"]].last()


def _moods(shop: Shop) -> pd.Series:
    nps = _answers(shop)["nps"].dropna().astype("int64")
    return pd.Series("between", nps.index).mask(nps >= PROMOTER, "promoter").mask(nps <= DETRACTOR, "detractor")


def _facts(shop: Shop, cutoff: date, days: pd.DataFrame, year: pd.DataFrame, over: pd.DataFrame) -> dict[str, Fact]:
    window = year_to(cutoff)
    people = set(days.loc[within(days["day"], window), "customer_id"])
    each = over.groupby("referrer_id")["came"].sum()
    friends, top = int(each.sum()), each[each > 0].nlargest(max(1, round(len(each) / 5)))
    return {
        "invitations": Fact(value=len(year), unit="count", window=window),
        "inviting": proportions.share(len(people & set(year["referrer_id"])), len(people), window),
        "came": proportions.share(int(over["came"].sum()), len(over)),
        "senders": Fact(value=len(each), unit="count"),
        "top_senders": proportions.share(int(top.sum()), friends),
        "reward": Fact(value=_reward(shop), unit="money", n=int(over["reward_cost"].notna().sum())),
        "new_customer": Fact(value=shop.settings.cost.get("new_customer"), unit="money"),
        "to_ask": Fact(value=len(_happy(shop, cutoff)), unit="count"),
    }


def _reward(shop: Shop) -> float | None:
    paid = records.of(shop, "referrals")["reward_cost"].dropna()
    return float(paid.mean()) if len(paid) else shop.settings.cost.get("reward")


def _newcomer_worth(days: pd.DataFrame, cutoff: date, forecast: pd.DataFrame) -> float | None:
    """Margin of a first visit and of the years after it, over the customers whose first visit lies in the last year."""
    first = days[days["visit"] == 1].set_index("customer_id")
    first = first[within(first["day"], year_to(cutoff)) & first.index.isin(forecast.index)]
    if first.empty or "customer_lifetime_value" not in forecast.columns:
        return None
    return float(first["margin"].mean() + forecast["customer_lifetime_value"].reindex(first.index).mean())


@records.once
def _happy(shop: Shop, cutoff: date) -> pd.DataFrame:
    """Who has given a reason to be asked, `reason` by the first that holds, and has not invited anybody lately."""
    people = visits(shop, cutoff).groupby("customer_id").agg(visits=("visit", "max"))
    people = people.join(_answers(shop)) if len(people) else people.assign(nps=pd.NA, csat=pd.NA)
    nps, csat = people["nps"].astype("Float64"), people["csat"].astype("Float64")
    reason = pd.Series(pd.NA, people.index, dtype="str").mask((people["visits"] >= FAITHFUL_VISITS) & nps.isna() & csat.isna(), "faithful")
    reason = reason.mask(((people["visits"] >= REGULAR_VISITS) & (csat >= DELIGHTED)).fillna(False), "delighted")
    reason = reason.mask((nps >= PROMOTER).fillna(False), "promoter").mask((nps <= DETRACTOR).fillna(False), pd.NA)
    sent = records.of(shop, "referrals")
    lately = set(sent.loc[within(sent["invited_at"], last_days(cutoff, ASKED_DAYS)), "referrer_id"])
    return people.assign(reason=reason, nps=nps)[reason.notna() & ~people.index.isin(lately)]


def _people(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.DataFrame:
    people = candidates.willing(shop, cutoff, _happy(shop, cutoff))
    order = people["reason"].map({"promoter": 0, "delighted": 1, "faithful": 2})
    return candidates.ranked(people.assign(order=order), forecast, first=["order"], by="save_value")


def _bars(by_mood: pd.DataFrame, args: dict) -> tuple[Figure, ...]:
    order = {mood: at for at, mood in enumerate(MOODS)}
    by_mood = by_mood.sort_values("group", key=lambda names: names.map(order))
    labels = [{"key": f"{SLUG}.mood.{mood}", "args": {}} for mood in by_mood["group"]]
    return (Figure.bars(SLUG, "came", by_mood, labels, args, reference=args["came"]),) if len(by_mood) else ()
