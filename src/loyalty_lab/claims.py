"""What people say: the figures that articles quote, each beside what this shop shows. None of them enters a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import metrics, periods, records
from loyalty_lab.customers import letters_sent, purchase_days
from loyalty_lab.proportions import LEVEL, share
from loyalty_lab.ratios import of_sums
from loyalty_lab.results import Claim, Fact, Message
from loyalty_lab.tactics import answer_fast

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

NAMES = ("pareto", "cheaper", "times", "more", "recommend", "friends", "essential", "hundreds")
ESSENTIAL = f"{answer_fast.SLUG}.claim.essential"
FEWEST = 30
HALF_YEAR = pd.Timedelta(days=182)
# A first purchase so soon after the records begin may be anybody's hundredth.
SETTLED = pd.Timedelta(days=91)
FRIEND_DAYS = 90


@dataclass(frozen=True)
class Saying:
    """One figure that people quote; `variant` says what this shop has to say beside it, `fact` the number it says it with."""

    name: str
    variant: str = "none"
    fact: Fact | None = None
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def claim(self) -> Claim:
        return Claim(key=f"claims.said.{self.name}", source=f"claims.source.{self.name}", shop_value=self.fact)

    @property
    def message(self) -> Message:
        """What the shop shows, in words."""
        low, high, _ = (self.fact.interval if self.fact else None) or (None, None, None)
        told = {"value": self.fact.value, "low": low, "high": high, "n": self.fact.n} if self.fact else {}
        return Message(key=f"claims.here.{self.name}.{self.variant}", args=told | self.args)


def beside(shop: Shop, cutoff: date, letters: dict[str, Any] | None = None) -> list[Saying]:
    """Return what the articles say, each with what this shop shows beside it.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
    letters : dict, optional
        What rounds of attention letters have measured: `rounds`, `people`, `treated`, `verdict`, `profit`, `profit_low`, `profit_high`.

    Returns
    -------
    list of Saying
        One for each of `NAMES`, in that order.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"customer_id": list("abcde"), "ordered_at": pd.to_datetime("2025-03-01"), "net_amount": [80.0, 5, 5, 5, 5]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> [(each.name, each.variant) for each in beside(shop, date(2025, 12, 31))][:3]
    [('pareto', 'few'), ('cheaper', 'none'), ('times', 'none')]
    """
    return [
        _pareto(shop, cutoff),
        Saying("cheaper"),
        _times(shop, cutoff),
        _more(shop.orders, cutoff),
        _recommend(shop),
        _friends(shop, cutoff),
        _essential(shop, cutoff),
        _hundreds(letters),
    ]


def _pareto(shop: Shop, cutoff: date) -> Saying:
    """The best fifth's share of the year's sales: of those who bought in it, and of everybody who ever bought."""
    buyers, everyone = (metrics.top_share(shop.orders, cutoff, everyone=whole) for whole in (False, True))
    if buyers.value is None:
        return Saying("pareto")
    if buyers.n < FEWEST:
        return Saying("pareto", "few", None, {"n": buyers.n})
    ends = dict(zip(("all_low", "all_high"), everyone.interval, strict=False))
    return Saying("pareto", "both", buyers, {"all": everyone.value, "all_n": everyone.n, **ends})


def _times(shop: Shop, cutoff: date) -> Saying:
    """What winning a customer costs by the shop's own figure, over what was spent on contacts for each customer kept."""
    won = shop.settings.cost.get("new_customer")
    if won is None:
        return Saying("times")
    year = metrics.span(shop.orders, cutoff)
    spent = _spent_on_contacts(shop, year.window)
    if spent is None or year.start is None or not year.kept:
        return Saying("times", "won", None, {"won": won})
    who = year.start.index
    kept = who.isin(year.end.index).astype("float64")
    found = of_sums([np.full(len(who), won), kept], [np.ones(len(who)), spent.reindex(who).fillna(0.0).to_numpy()], n=int(kept.sum()))
    if found.value is None:
        return Saying("times", "won", None, {"won": won})
    return Saying("times", "both", found, {"won": won, "kept": won / found.value})


def _spent_on_contacts(shop: Shop, within: periods.Window) -> pd.Series | None:
    """Money spent on each customer's contacts in a window: as written down, else by the channel's cost; None where nothing is known."""
    sent = letters_sent(shop)
    sent = sent[periods.within(sent["sent_at"], within)]
    known = pd.Series(np.nan, sent.index, "float64")
    if "cost" in sent.columns:
        known = sent["cost"].astype("float64")
    if "channel" in sent.columns:
        known = known.fillna(sent["channel"].astype("object").map(shop.settings.cost).astype("float64"))
    return None if sent.empty or known.isna().any() else known.groupby(sent["customer_id"]).sum()


def _more(orders: pd.DataFrame, cutoff: date) -> Saying:
    """Money in the second half-year against the first: by who still bought, by the same people, and with those who left as nothing."""
    early, late = _half_years(orders, cutoff)
    stayed = (late > 0).to_numpy()
    if stayed.sum() < FEWEST:
        return Saying("more", "few", None, {"n": int(stayed.sum())})
    one, first, later = np.ones(len(early)), early.to_numpy(), late.to_numpy()
    naive = of_sums([later, one], [stayed.astype("float64"), first], n=len(early))
    within = of_sums([later], [first * stayed], n=int(stayed.sum()))
    everyone = of_sums([later], [first], n=len(early))
    args = {"first": first.mean(), "later": later[stayed].mean(), "own": first[stayed].mean(), "stayed": int(stayed.sum())}
    for name, fact in (("naive", naive), ("within", within), ("everyone", everyone)):
        low, high, _ = fact.interval
        args |= {name: fact.value - 1, f"{name}_low": low - 1, f"{name}_high": high - 1}
    variant = "trap" if naive.value > 1 and args["within_low"] <= 0 else "less" if within.value < naive.value else "both"
    shown = Fact(value=args["within"], unit="share", n=within.n, interval=(args["within_low"], args["within_high"], within.interval[2]))
    return Saying("more", variant, shown, args | {"n": len(early)})


def _half_years(orders: pd.DataFrame, cutoff: date) -> tuple[pd.Series, pd.Series]:
    """Of each newcomer with a whole year behind: money in the first half-year from the first purchase on, and in the second."""
    days = purchase_days(orders, cutoff)
    first = days.groupby("customer_id")["day"].transform("min")
    whole = (first >= days["day"].min() + SETTLED) & (first + 2 * HALF_YEAR <= pd.Timestamp(cutoff) + periods.DAY)
    days = days[whole].assign(half=(days["day"] - first) // HALF_YEAR)
    spend = days.pivot_table(index="customer_id", columns="half", values="spend", aggfunc="sum").reindex(columns=[0, 1]).fillna(0.0)
    return spend[0], spend[1]


def _recommend(shop: Shop) -> Saying:
    """Of those whose last answer was 9 or 10, the share who have invited a friend; and of the others."""
    answers, invited = (
        records.of(shop, "surveys").dropna(subset=["nps", "customer_id"]),
        records.of(shop, "referrals")["referrer_id"].dropna(),
    )
    if answers.empty or invited.empty:
        return Saying("recommend")
    last = answers.sort_values(["answered_at", "survey_id"], kind="stable").drop_duplicates("customer_id", keep="last")
    did, happy = last["customer_id"].isin(invited), last["nps"] >= 9
    promoters, others = (share(int(did[group].sum()), int(group.sum())) for group in (happy, ~happy))
    if promoters.n < FEWEST:
        return Saying("recommend", "few", None, {"n": promoters.n})
    return Saying("recommend", "both", promoters, {"others": others.value, "others_n": others.n})


def _friends(shop: Shop, cutoff: date) -> Saying:
    """Of the invitations that have had 90 days, the share whose friend bought within them."""
    invited = records.of(shop, "referrals")
    old = invited[invited["invited_at"].dt.normalize() <= pd.Timestamp(cutoff - timedelta(days=FRIEND_DAYS))]
    came = (old["first_order_at"] - old["invited_at"]) <= pd.Timedelta(days=FRIEND_DAYS)
    if old.empty:
        return Saying("friends")
    if old["first_order_at"].notna().all():
        return Saying("friends", "successes", None, {"n": len(old)})
    if len(old) < FEWEST:
        return Saying("friends", "few", None, {"n": len(old)})
    return Saying("friends", "bought", share(int(came.sum()), len(old)), {"days": FRIEND_DAYS})


def _essential(shop: Shop, cutoff: date) -> Saying:
    """How many more came back after a first reply within a day than after a later one, as the practice itself finds it."""
    if shop.lacks(("tickets.first_reply_at",)):
        return Saying("essential")
    found: Iterable[Claim] = answer_fast.diagnose(shop, cutoff).claims
    seen = next((each.shop_value for each in found if each.key == ESSENTIAL), None)
    return Saying("essential") if seen is None or seen.value is None else Saying("essential", "seen", seen)


def _hundreds(letters: dict[str, Any] | None) -> Saying:
    """What a letter left of margin for each person written to, where rounds have measured it."""
    if letters is None or pd.isna(letters["profit"]) or not letters["treated"]:
        return Saying("hundreds")
    value, low, high = (letters[name] / letters["treated"] for name in ("profit", "profit_low", "profit_high"))
    fact = Fact(value=value, unit="money", n=letters["people"], interval=(low, high, LEVEL))
    variant = "loses" if high < 0 else "shown" if low > 0 and letters["verdict"] == "works" else "not_shown"
    return Saying("hundreds", variant, fact, {"rounds": letters["rounds"]})
