"""The hidden life of the customers: who they are, when they buy, what happens to them, when they leave.

After each purchase a customer is lost with a chance whose log-odds depend on traits and on what
happened at that purchase; otherwise the next purchase follows the customer's own rate on the
shop's seasonal clock. So the chance of a purchase within H days of one on day t is exactly
``(1 - p) * (1 - exp(-rate * (clock[t + H] - clock[t])))``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from loyalty_lab.demo.parameters import DAYS, FIRST_DAY, MONTHS, WEEK, Parameters

BRANCHES = np.array(["B1", "B2"])
EXPERIENCES = ("late", "slow", "refused", "letter")


def logistic(odds: np.ndarray) -> np.ndarray:
    """Return the probability that belongs to log-odds.

    Examples
    --------
    >>> float(logistic(np.array(0.0)))
    0.5
    """
    return 1.0 / (1.0 + np.exp(-odds))


def calendar(days: int = DAYS + 400) -> pd.DatetimeIndex:
    """Return the days from the shop's first on, also some after its last."""
    return pd.date_range(FIRST_DAY, periods=days, freq="D")


def clock() -> np.ndarray:
    """Return years of ordinary trade that have passed by the end of each day: a year with its season is one.

    Returns
    -------
    numpy.ndarray
        Shape (days,), rising; days count from the shop's first.

    Examples
    --------
    >>> passed = clock()
    >>> round(float(passed[364]), 2), bool((np.diff(passed) > 0).all())
    (1.0, True)
    """
    days = calendar()
    weight = np.array(WEEK)[days.day_of_week] * np.array([MONTHS.get(month, 1.0) for month in days.month])
    return np.cumsum(weight / weight[:365].sum())


@dataclass
class Life:
    """Hidden traits, one entry or row a customer, and purchases, one row each, with what happened at them."""

    parameters: Parameters
    traits: pd.DataFrame
    purchases: pd.DataFrame


def draw_traits(truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Draw who the customers are; sorted by the day of their first purchase."""
    n = truth.customers
    rate = rng.gamma(truth.rate_shape, truth.rate_mean / truth.rate_shape, n)
    start = np.where(rng.random(n) < 0.45, rng.integers(0, 100, n), rng.integers(0, DAYS - 10, n))
    warm = rng.normal(size=n)
    spread = truth.basket_spread_between
    basket = truth.basket_median * np.exp(spread * rng.normal(size=n) + 0.10 * np.log(rate / truth.rate_mean))
    return pd.DataFrame(
        {
            "start": np.sort(start),
            "rate": rate,
            "warm": warm,
            "remote": rng.random(n) < 0.22,
            "greeted": rng.random(n) < logistic(-1.0 + warm),
            "branch": (rng.random(n) < 0.45).astype(int),
            "consent": rng.random(n) < truth.consent_share,
            "basket": basket,
        }
    )


def live(truth: Parameters, rng: np.random.Generator) -> Life:
    """Let every customer live from the first purchase to the last, all of them together, purchase by purchase."""
    traits = draw_traits(truth, rng)
    passed, kinds = clock(), _kinds_of_day(truth)
    day, visits, consent = traits["start"].to_numpy().copy(), np.zeros(len(traits), int), traits["consent"].to_numpy().copy()
    alive, who, rounds = np.zeros(len(traits), bool), np.arange(len(traits)), []
    while len(who):
        now = _experience(truth, traits.iloc[who], day[who], consent[who], kinds, rng)
        odds = drop_odds(truth, traits.iloc[who], visits[who], now)
        lost = rng.random(len(who)) < logistic(odds)
        rounds.append(pd.DataFrame({"customer": who, "visit": visits[who], "day": day[who], **now, "odds": odds, "lost": lost}))
        wait = rng.exponential(size=len(who)) / traits["rate"].to_numpy()[who]
        after = np.searchsorted(passed, passed[day[who]] + wait)
        consent[who] &= ~now["opt_out"]
        alive[who] = ~lost
        visits[who] += 1
        day[who] = np.maximum(after, day[who] + 1)
        who = who[~lost & (day[who] < DAYS)]
    traits = traits.assign(alive=alive, consent=consent, visits=visits)
    purchases = pd.concat(rounds, ignore_index=True)
    return Life(truth, traits, purchases.sort_values(["customer", "visit"], ignore_index=True))


def drop_odds(truth: Parameters, traits: pd.DataFrame, visits: np.ndarray, now: dict[str, np.ndarray]) -> np.ndarray:
    """Return the log-odds of never coming back after a purchase, one for each row of `traits`."""
    odds = truth.odds_drop + truth.odds_drop_per_visit * np.minimum(visits, truth.regular_after)
    for name in ("warm", "remote", "greeted"):
        odds = odds + truth.effects[name] * traits[name].to_numpy(float)
    for name in EXPERIENCES:
        odds = odds + truth.effects[name] * np.asarray(now[name], float)
    return odds


def _kinds_of_day(truth: Parameters) -> dict[str, np.ndarray]:
    days = calendar()
    return {
        "peak": (days.month == 12),
        "backlog": np.asarray(days >= pd.Timestamp(truth.backlog_from)),
        "rolled_out": np.asarray(days >= pd.Timestamp(truth.rollout_from)),
    }


def _experience(
    truth: Parameters, traits: pd.DataFrame, day: np.ndarray, consent: np.ndarray, kinds: dict[str, np.ndarray], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    chance = rng.random((9, len(day)))
    remote, peak = traits["remote"].to_numpy(), kinds["peak"][day]
    delivered = chance[0] < np.where(remote, 0.75, 0.22)
    late = delivered & (chance[1] < logistic(truth.odds_late + truth.odds_late_remote * remote + truth.odds_late_peak * peak))
    ticket = chance[2] < logistic(truth.odds_ticket + truth.odds_ticket_late * late)
    rolled_out = kinds["rolled_out"][day] & (BRANCHES[traits["branch"]] == truth.rollout_branch)
    odds_slow = truth.odds_slow + truth.odds_slow_peak * peak + truth.odds_slow_backlog * kinds["backlog"][day]
    slow = ticket & (chance[3] < logistic(odds_slow + truth.odds_slow_after_rollout * rolled_out))
    returned = chance[4] < truth.return_share
    letter_day = day + 7 + (chance[5] * 14).astype(int)
    letter = consent & (chance[6] < truth.letter_share) & (letter_day < DAYS)
    return {
        "delivered": delivered,
        "late": late,
        "ticket": ticket,
        "slow": slow,
        "returned": returned,
        "refused": returned & (chance[7] < truth.refused_share),
        "letter": letter,
        "letter_day": letter_day,
        "opt_out": letter & (chance[8] < truth.opt_out_share),
    }
