"""Simulated shops that write letters by lot: customers who differ, arms drawn by the product, orders whose truth is known.

About a third buy in the 60 days after the letter; what customers spend in them has a coefficient of variation near 2.7 and a
skewness near 7, and a correlation near 0.45 with what they spent in the 60 days before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pandas as pd

from loyalty_lab import assignment, effects, questions, rounds, trial
from loyalty_lab.ledger import COLUMNS
from loyalty_lab.shop import Shop, ShopSettings

SLUGS = ("follow-up-letters", "name-week-gifts", "win-back")
OPENED, BEGINS = date(2026, 3, 31), date(2026, 4, 1)
WINDOW, HISTORY = 60, 360
READ_ON = BEGINS + timedelta(days=WINDOW)
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")
BASE_RATE, RATE_SHAPE = 0.32, 0.6
LEVEL, BETWEEN, WITHIN = 3.0, 0.7, 0.5
MEAN_ORDER = float(np.exp(LEVEL + (BETWEEN**2 + WITHIN**2) / 2))


@dataclass(frozen=True)
class Letter:
    """What a letter does: the chance that it brings one more order, and how large that is beside an ordinary one."""

    chance: float = 0.0
    times: float = 1.0

    def back(self, base_rate: float = BASE_RATE) -> float:
        """By how much it raises the share who come back."""
        return self.chance * (1 - base_rate)

    def spend(self) -> float:
        """By how much it raises what a customer spends on average."""
        return self.chance * self.times * MEAN_ORDER

    def spend_per_order(self, base_rate: float = BASE_RATE) -> float:
        """By how much it raises spend for each day with an order."""
        pace = mean_orders(base_rate)
        idle = (1 + pace / (RATE_SHAPE * WINDOW)) ** -RATE_SHAPE
        days = WINDOW * (1 - idle)
        return (pace * MEAN_ORDER + self.spend()) / (days + self.chance * idle) - pace * MEAN_ORDER / days


NOTHING = Letter()


def mean_orders(base_rate: float) -> float:
    """Mean orders in a window of customers with gamma rates of whom this share buys."""
    return RATE_SHAPE * ((1 - base_rate) ** (-1 / RATE_SHAPE) - 1)


@dataclass(frozen=True)
class Lettered:
    """One shop after its rounds: the ledger, whose rows are the customers `listed`, and the customer, day and amount of every order.

    Day 0 begins the window.
    """

    ledger: pd.DataFrame
    listed: np.ndarray
    people: int
    who: np.ndarray
    day: np.ndarray
    amount: np.ndarray

    def orders(self) -> pd.DataFrame:
        """The orders as the product reads them."""
        at = (pd.Timestamp(BEGINS) + pd.to_timedelta(self.day, unit="D")).astype("datetime64[us]")
        names, number = names_of(self.people), [str(each) for each in range(len(self.who))]
        return pd.DataFrame({"order_id": number, "customer_id": names[self.who], "ordered_at": at, "net_amount": self.amount})

    def rows(self, tactics: int = len(SLUGS)) -> pd.DataFrame:
        """The rounds of the first so many tactics as notebooks see them; nobody was joined of two, and no list came back."""
        seen = {each.name: each for each in assignment.rounds(self.ledger) if each.slug in SLUGS[:tactics]}
        mine = self.ledger[self.ledger["round"].isin(seen)].assign(outcome="")
        days = {name: mine["round"].map({key: getattr(each, name).isoformat() for key, each in seen.items()})
                for name in ("opened_on", "begins_on", "read_on")}  # fmt: skip
        rows = mine.assign(**days, customer_id=mine["unit"])
        return rows.reindex(columns=list(rounds.COLUMNS), fill_value="").astype("str").reset_index(drop=True)

    def run(self, tactics: int = len(SLUGS)) -> SimpleNamespace:
        """What the question about the last round may look at, on the planned day."""
        shop = Shop(SETTINGS, {"orders": self.orders()})
        return SimpleNamespace(shop=shop, cutoff=READ_ON, report_date=READ_ON, horizon_days=WINDOW, rounds=self.rows(tactics))

    def table(self, until: int = WINDOW) -> pd.DataFrame:
        """The people of a round as `rounds.closed` gives them, had the window ended on that day."""
        during, before = (self.day >= 0) & (self.day < until), (self.day < 0) & (self.day >= -WINDOW)
        last = np.full(self.people, -HISTORY)
        np.maximum.at(last, self.who[self.day < 0], self.day[self.day < 0])
        found = {"spend": self._spend(during), "orders": self._days(during), "spend_before": self._spend(before),
                 "orders_before": self._days(before), "days_since_last": 0.0 - last}  # fmt: skip
        table = self.ledger[["arm", "stratum", "pair", "propensity"]].astype({"propensity": "float64"})
        table = table.assign(**{name: values[self.listed] for name, values in found.items()})
        return table.assign(back=table["orders"] > 0).set_axis(self.ledger["unit"], axis="index")

    def _spend(self, when: np.ndarray) -> np.ndarray:
        return np.bincount(self.who[when], self.amount[when], self.people)

    def _days(self, when: np.ndarray) -> np.ndarray:
        pairs = np.unique(self.who[when] * (WINDOW + HISTORY) + self.day[when] + HISTORY)
        return np.bincount(pairs // (WINDOW + HISTORY), minlength=self.people)


def lettered(
    people: int, seed: list[int], letter: Letter = NOTHING, tactics: int = 1, share: float | None = None, base_rate: float = BASE_RATE
) -> Lettered:
    """A shop with a list of so many people for each tactic, split as the product splits it or by a share of one's own."""
    draw, everybody = np.random.default_rng(seed), people * tactics
    who, day, amount, usual = history(draw, everybody, base_rate)
    ledger = pd.concat([_drawn(slug, at * people, people, who, day, amount, share, seed) for at, slug in enumerate(SLUGS[:tactics])],
                       ignore_index=True)  # fmt: skip
    listed = np.array([int(unit[1:]) for unit in ledger["unit"].tolist()])
    treated = listed[(ledger["arm"] == trial.TREATED).to_numpy()]
    reached = treated[draw.random(len(treated)) < letter.chance]
    more = letter.times * np.exp(usual[reached] + draw.normal(0, WITHIN, len(reached)))
    days = draw.integers(0, WINDOW, len(reached))
    return Lettered(ledger, listed, everybody, np.concatenate([who, reached]), np.concatenate([day, days]), np.concatenate([amount, more]))


def history(draw: np.random.Generator, people: int, base_rate: float = BASE_RATE) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Customer, day and amount of every order that comes without a letter, and each customer's usual order in logarithms.

    Everybody first bought on some day of the year before, and goes on at a gamma-distributed pace of their own.
    """
    pace = draw.gamma(RATE_SHAPE, mean_orders(base_rate) / RATE_SHAPE, people)
    usual, first = LEVEL + draw.normal(0, BETWEEN, people), draw.integers(-HISTORY, 0, people)
    more = draw.poisson(pace * (WINDOW - first) / WINDOW)
    who = np.concatenate([np.arange(people), np.repeat(np.arange(people), more)])
    day = np.concatenate([first, draw.integers(np.repeat(first, more), WINDOW)])
    return who, day, np.exp(usual[who] + draw.normal(0, WITHIN, len(who))), usual


def _drawn(slug: str, start: int, people: int, who, day, amount, share: float | None, seed: list[int]) -> pd.DataFrame:
    """The ledger rows of one tactic; strata and spend from what was bought before the letter, after the first order."""
    mine = (who >= start) & (who < start + people) & (day < 0)
    repeats = np.bincount(who[mine] - start, minlength=people) - 1
    spend = np.bincount(who[mine] - start, amount[mine], people)
    stratum = np.select([repeats >= 3, repeats >= 1], ["regular", "nearly"], "once")
    units = pd.Series(names_of(start + people)[start:], dtype="object")
    listed = pd.DataFrame({"unit": units, "stratum": stratum, "spend": spend})
    cycle, salt = assignment.Round(slug, OPENED, BEGINS, WINDOW), salt_of(seed)
    return assignment.open_round(salt, cycle, listed) if share is None else plain_lot(salt, cycle, listed, share)


def plain_lot(salt: str, cycle: assignment.Round, listed: pd.DataFrame, share: float) -> pd.DataFrame:
    """Ledger rows of a lot without pairs that treats a share the product would not choose for so short a list."""
    lots = [assignment.draw(salt, cycle.slug, cycle.opened_on, unit) for unit in listed["unit"]]
    rows = {"round": cycle.name, "slug": cycle.slug, "unit": listed["unit"], "stratum": listed["stratum"], "pair": "", "event": "assigned",
            "arm": np.where(np.array(lots) < share, trial.TREATED, trial.CONTROL), "propensity": f"{share:.4f}",
            "assigned_on": cycle.begins_on.isoformat()}  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")


def salt_of(seed: list[int]) -> str:
    """A shop's secret."""
    return hashlib.sha256(str(seed).encode()).hexdigest()


def names_of(people: int) -> np.ndarray:
    """What the ledger calls them."""
    return np.array([f"C{at:06d}" for at in range(people)], dtype=object)


def printed(run: SimpleNamespace) -> dict[str, tuple[str, trial.Estimate]]:
    """What the product prints of each tactic's last round: its verdict, with the difference, interval and p-value beside it."""
    return {each.checks["slug"]: (each.checks["verdict"], _estimate(each)) for each in questions.last_round(run).rounds}


def _estimate(measure) -> trial.Estimate:
    low, high = measure.interval[:2] if measure.interval else (None, None)
    return trial.Estimate(measure.effect, low, high, measure.p)


def decided(found: trial.Estimate) -> str:
    """The verdict that an estimate deserves when the checks have passed; the sections compare it with the printed one."""
    if found.value is None or found.p is None or found.p >= effects.ALPHA or not found.clear:
        return "not_shown"
    return "works" if found.value > 0 else "harms"


@contextmanager
def few_resamples() -> Iterator[None]:
    """Let p-values that a page prints beside the verdict rest on few resamples: the verdict does not look at them."""
    many, trial.RESAMPLES = trial.RESAMPLES, 20
    try:
        yield
    finally:
        trial.RESAMPLES = many
