"""What customers went through, and whether they came back: a late parcel, a slow answer, a thank-you, a refused refund."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from loyalty_lab import exposure
from loyalty_lab.causes import FEWEST
from loyalty_lab.proportions import difference, share
from loyalty_lab.results import Fact, Message

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

RETURN_DAYS = 90
DAY = pd.Timedelta(days=1)
PAST = ("visits_before", "spend_before", "days_since_last", "month")


@dataclass(frozen=True)
class Followed:
    """How many more came back after the better of two experiences than after the worse.

    `facts` are `return_better`, `return_worse` and `return_gap` (better less worse, as seen); `comparison` adjusts for what was known
    before, None where fewer than 20 occasions stand on either side.
    """

    facts: dict[str, Fact]
    comparison: exposure.Comparison | None
    sign: int

    @property
    def grade(self) -> str:
        return self.comparison.grade if self.comparison else "D"

    @property
    def difference(self) -> float | None:
        """Better less worse: adjusted where the comparison reaches grade C, else as seen."""
        return self.sign * self.comparison.adjusted.value if self.grade == "C" else self.facts["return_gap"].value

    @property
    def most(self) -> float | None:
        """The upper end of that difference's range: what it could be at most, and never less than nothing."""
        if self.grade == "C":
            return max(0.0, -self.comparison.adjusted.low if self.sign < 0 else self.comparison.adjusted.high)
        interval = self.facts["return_gap"].interval
        return max(0.0, interval[1]) if interval else None

    def said(self, slug: str) -> tuple[Message, ...]:
        """Return the sentence about it, if there is anything to compare; the text ``<slug>.experience`` names what was gone through."""
        return (exposure.said(self.comparison, f"{slug}.experience"),) if self.comparison else ()


def follow(
    shop: Shop, cutoff: date, occasions: pd.DataFrame, had: str, better: bool, also: Sequence[str] = (), days: int = RETURN_DAYS
) -> Followed:  # fmt: skip
    """Compare occasions with an experience to those without it, by whether the customer bought again soon after.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    cutoff : datetime.date
        Occasions whose days are not over by then are left out.
    occasions : pandas.DataFrame
        One row an occasion: `customer_id`, `at` (moment), the column named by `had` (truth values), and covariates.
    had : str
        Column that tells who had the experience.
    better : bool
        Whether having it is the better thing (a thank-you) or the worse (a late parcel).
    also : sequence of str
        Columns known before the experience to adjust for, besides the number of visits before, money spent, days since the last
        visit, and the month.
    days : int
        How soon is soon.

    Returns
    -------
    Followed

    Examples
    --------
    >>> from loyalty_lab import demo
    >>> shop = demo.make(customers=60).shop()
    >>> first = shop.orders.dropna(subset=["customer_id"]).rename(columns={"ordered_at": "at"})
    >>> found = follow(shop, date(2026, 10, 31), first.assign(web=first["channel"].eq("web")), "web", better=True)
    >>> sorted(found.facts), found.grade
    (['return_better', 'return_gap', 'return_worse'], 'D')
    """
    rows = over(occasions[occasions["customer_id"].notna()], cutoff, days)
    rows = rows.assign(back=came_back(rows, shop.orders, days), _had=rows[had].astype(bool))
    good, bad = (rows.loc[rows["_had"] == kind, "back"] for kind in (better, not better))
    counts = [(int(group.sum()), len(group)) for group in (good, bad)]
    facts = {name: share(*count) for name, count in zip(("return_better", "return_worse"), counts, strict=True)}
    facts["return_gap"] = difference(*counts)
    compared = None
    if min(n for _, n in counts) >= FEWEST:  # six of six prove nothing
        known = [name for name in also if rows[name].notna().any()]
        compared = exposure.compare(with_past(rows, shop.orders), "_had", "back", [*PAST, *known])
    return Followed(facts, compared, 1 if better else -1)


def over(occasions: pd.DataFrame, cutoff: date, days: int = RETURN_DAYS) -> pd.DataFrame:
    """Return the occasions of which so many days have passed by the end of the cutoff: it is known what followed. Index from 0."""
    return occasions[occasions["at"] + pd.Timedelta(days=days) <= pd.Timestamp(cutoff) + DAY].reset_index(drop=True)


def came_back(occasions: pd.DataFrame, orders: pd.DataFrame, days: int = RETURN_DAYS) -> pd.Series:
    """Return whether the customer of each occasion bought on a later day, at most so many days after it.

    Examples
    --------
    >>> occasions = pd.DataFrame({"customer_id": ["a", "b"], "at": pd.to_datetime(["2026-01-01", "2026-01-01"])})
    >>> when = pd.to_datetime(["2026-01-01 17:00", "2026-02-01"], format="ISO8601")
    >>> orders = pd.DataFrame({"customer_id": ["a", "b"], "ordered_at": when, "net_amount": 5.0})
    >>> came_back(occasions, orders).tolist()
    [False, True]
    """
    bought = orders[orders["customer_id"].notna() & (orders["net_amount"] > 0)]
    bought = bought.assign(next=bought["ordered_at"].dt.normalize())[["customer_id", "next"]].sort_values("next")
    asked = occasions.assign(on=occasions["at"].dt.normalize())[["customer_id", "on"]].reset_index(names="row").sort_values("on")
    found = pd.merge_asof(asked, bought, left_on="on", right_on="next", by="customer_id", direction="forward", allow_exact_matches=False)
    soon = (found["next"] - found["on"]) <= pd.Timedelta(days=days)
    return pd.Series(soon.to_numpy(), index=found["row"]).reindex(occasions.index).fillna(False).astype(bool).rename("back")


def with_past(occasions: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Return the occasions with what their customers had bought before that day, and the month; columns `PAST`."""
    bought = orders[orders["customer_id"].notna() & (orders["net_amount"] > 0)]
    days = bought.assign(day=bought["ordered_at"].dt.normalize()).groupby(["customer_id", "day"], as_index=False)["net_amount"].sum()
    mine = days.groupby("customer_id")
    days = days.assign(visits_before=mine.cumcount() + 1, spend_before=mine["net_amount"].cumsum()).sort_values("day")
    asked = occasions.drop(columns=[name for name in PAST if name in occasions.columns])
    asked = asked.assign(on=asked["at"].dt.normalize(), month=asked["at"].dt.strftime("%m")).reset_index(names="row").sort_values("on")
    found = pd.merge_asof(asked, days[["customer_id", "day", "visits_before", "spend_before"]].rename(columns={"day": "last"}),
                          left_on="on", right_on="last", by="customer_id", allow_exact_matches=False)  # fmt: skip
    found = found.assign(days_since_last=(found["on"] - found["last"]).dt.days)
    return found.fillna({"visits_before": 0, "spend_before": 0.0}).drop(columns=["on", "last"]).set_index("row").sort_index()
