"""Simulated purchases: a BG/NBD shop of any size, small shops of every kind, and shops whose pace drifts and has seasons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

FIRST_DAY = date(2022, 1, 1)
HORIZON_DAYS = 91
YEAR = 365.25
KINDS = {"ordinary": 0.8, "all one-time": 0.1, "all same-day": 0.1}


@dataclass(frozen=True)
class Simulated:
    """Orders of one shop, and the last day that a forecast may see; what follows it is what came true."""

    kind: str
    orders: pd.DataFrame
    cutoff: date


def large_shop(customers: int, seed: int) -> Simulated:
    """BG/NBD customers who join during 52 weeks and are watched for 104, day by day."""
    draw, last = np.random.default_rng(seed), 728
    joined = draw.integers(0, 364, customers)
    rates, leaving = draw.gamma(0.55, 1 / (8.0 * 7), customers), draw.beta(0.8, 2.4, customers)
    who, days = purchases(draw, joined, rates, leaving, np.arange(last + 1.0))
    shuffled = draw.permutation(len(who))
    return Simulated("large", _orders(draw, who[shuffled], days[shuffled], customers), _day(last))


def small_shop(seed: int) -> Simulated:
    """A shop of 5 to 1,000 customers: of every pace and length of history, or one where nobody came back, or all came on one day."""
    draw = np.random.default_rng(seed)
    customers, kind = _customers(draw, 5, 1000), str(draw.choice(list(KINDS), p=list(KINDS.values())))
    history = int(draw.integers(60, 1100))
    joined = np.zeros(customers, dtype="int64") if kind == "all same-day" else draw.integers(0, history, customers)
    who, days = np.arange(customers), joined
    if kind == "ordinary":
        who, days = purchases(draw, joined, *_habits(draw, customers), np.arange(float(history)))
    elif kind == "all same-day":
        who = np.concatenate([who, who[draw.random(customers) < 0.3]])
        days = np.zeros(len(who), dtype="int64")
    return Simulated(kind, _orders(draw, who, days, customers), _day(history - 1))


def drifting_shop(seed: int) -> Simulated:
    """A shop of 100 to 1,000 customers whose pace and prices drift from year to year, with a season; 91 days follow the cutoff."""
    draw = np.random.default_rng(seed)
    customers, history = _customers(draw, 100, 1000), int(draw.integers(300, 1100))
    years = np.arange(history + HORIZON_DAYS) / YEAR
    season = 1 + draw.uniform(0, 0.5) * np.sin(2 * np.pi * (years + draw.random()))
    pace = np.exp(draw.normal(0, 0.25) * years) * season
    joined = (history * draw.beta(1, np.exp(draw.normal(0, 0.3)), customers)).astype("int64")
    who, days = purchases(draw, joined, *_habits(draw, customers), np.cumsum(pace / pace.mean()))
    return Simulated("drifting", _orders(draw, who, days, customers, np.exp(draw.normal(0, 0.1) * years)), _day(history - 1))


def purchases(
    draw: np.random.Generator, joined: np.ndarray, rates: np.ndarray, leaving: np.ndarray, clock: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Customer and day of every purchase: the first on the day of joining, and after each later one a chance of leaving.

    `clock[day]` says how much time for buying has passed by the end of a day; rates are per unit of it.
    """
    here, now = np.arange(len(joined)), clock[joined]
    who, days = [here], [joined]
    while len(here):
        now[here] += draw.exponential(1 / rates[here])
        here = here[now[here] <= clock[-1]]
        who.append(here)
        days.append(np.searchsorted(clock, now[here]))
        here = here[draw.random(len(here)) >= leaving[here]]
    return np.concatenate(who), np.concatenate(days)


def _customers(draw: np.random.Generator, fewest: int, most: int) -> int:
    return round(np.exp(draw.uniform(np.log(fewest), np.log(most))))


def _habits(draw: np.random.Generator, customers: int) -> tuple[np.ndarray, np.ndarray]:
    """Rates a day and chances of leaving of a shop's customers; the shop's own mean and spread are drawn first."""
    shape, gap = draw.uniform(0.4, 2.0), np.exp(draw.uniform(np.log(15), np.log(150)))
    # A rate of zero would be a gap without end.
    rates = np.maximum(draw.gamma(shape, 1 / (shape * gap), customers), 1e-9)
    return rates, draw.beta(draw.uniform(0.3, 1.5), draw.uniform(1.5, 6.0), customers)


def _orders(draw: np.random.Generator, who: np.ndarray, days: np.ndarray, customers: int, prices: np.ndarray | None = None) -> pd.DataFrame:
    """Amounts are log-normal around a customer's own, log-normal level."""
    level = draw.normal(3.3, 0.4, customers)
    amounts = np.exp(level[who] + draw.normal(0, 0.45, len(who))) * (1.0 if prices is None else prices[days])
    at = pd.Timestamp(FIRST_DAY) + pd.to_timedelta(days, unit="D")
    return pd.DataFrame({"customer_id": who.astype("int32"), "ordered_at": at, "net_amount": amounts.round(2)})


def _day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)
