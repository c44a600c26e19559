"""The hidden life of the customers: who they are, when they buy, what happens to them, when they leave.

After each purchase a customer is lost with a chance whose log-odds depend on traits and on what
happened at that purchase; otherwise the next purchase follows the customer's own rate on the
shop's seasonal clock. So the chance of a purchase within H days of one on day t is exactly
``(1 - p) * (1 - exp(-rate * (clock[t + H] - clock[t])))``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from loyalty_lab.demo.parameters import DAYS, FIRST_DAY, MONTHS, WEEK, Parameters

EXPERIENCES = ("late", "slow", "refused", "letter")
TRAITS = ("warm", "remote", "greeted", "referred")
CONDITIONS = ("card", "far_branch", "peak", "named")
STAFF_OF_A_BRANCH = 3


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
    """Hidden traits, one row a customer; purchases, one row each, with what happened at them; and the shop around them.

    `staff` holds what each member of staff adds to the log-odds of leaving, shape (branches, members); `named` in which weeks the
    lot fell on greeting by name, shape (branches, weeks).
    """

    parameters: Parameters
    traits: pd.DataFrame
    purchases: pd.DataFrame
    staff: np.ndarray
    named: np.ndarray


def branch_names(truth: Parameters) -> np.ndarray:
    """Return the shop's numbers of its branches."""
    return np.array([f"B{number}" for number in range(1, truth.branches + 1)])


def draw_traits(truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Draw who the customers are; sorted by the day of their first purchase."""
    n = truth.customers
    rate = rng.gamma(truth.rate_shape, truth.rate_mean / truth.rate_shape, n)
    start = np.where(rng.random(n) < 0.45, rng.integers(0, 100, n), rng.integers(0, DAYS - 10, n))
    warm = rng.normal(size=n)
    spread = truth.basket_spread_between
    basket = truth.basket_median * np.exp(spread * rng.normal(size=n) + 0.10 * np.log(rate / truth.rate_mean))
    size = np.linspace(1.1, 0.9, truth.branches).cumsum()
    return pd.DataFrame(
        {
            "start": np.sort(start),
            "rate": rate,
            "warm": warm,
            "remote": rng.random(n) < 0.22,
            "greeted": rng.random(n) < logistic(-1.0 + truth.odds_greeted_warm * warm),
            "branch": np.searchsorted(size / size[-1], rng.random(n)),
            "willing": rng.random(n) < truth.consent_share,
            "basket": basket,
            "referred": rng.random(n) < logistic(-1.25 + truth.odds_guest_warm * warm),
            "card_from": rng.geometric(truth.card_share, n) - 1,
        }
    )


def staff_effects(truth: Parameters, rng: np.random.Generator) -> np.ndarray:
    """Return what each member of staff adds to the log-odds of leaving; shape (branches, members)."""
    return truth.staff_spread * rng.normal(size=(truth.branches, STAFF_OF_A_BRANCH))


def live(truth: Parameters, rng: np.random.Generator) -> Life:
    """Let every customer live from the first purchase to the last, all of them together, purchase by purchase."""
    traits, staff = draw_traits(truth, rng), staff_effects(truth, rng)
    named = rng.random((truth.branches, DAYS // 7 + 60)) < 0.5 * truth.named_weeks
    life = Life(truth, traits, pd.DataFrame(), staff, named)
    start = traits["start"].to_numpy()
    return settled(life, walk(life, np.arange(len(traits)), start, np.zeros(len(traits), int), traits["willing"].to_numpy(), rng))


def walk(life: Life, who: np.ndarray, day: np.ndarray, visits: np.ndarray, consent: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return all purchases of some customers from one on.

    Parameters
    ----------
    life : Life
        Its traits, staff and weeks are used.
    who : numpy.ndarray
        Shape (n,): the customers.
    day, visits, consent : numpy.ndarray
        Of each: the day of the next purchase, how many were before it, and whether letters are welcome.
    rng : numpy.random.Generator

    Returns
    -------
    pandas.DataFrame
        One row a purchase: `customer`, `visit`, `day`, what happened, `odds` of leaving, and whether the customer then left (`lost`).
    """
    passed, kinds, rounds = clock(), _kinds_of_day(life), []
    day, visits, consent, rate = day.copy(), visits.copy(), consent.copy(), life.traits["rate"].to_numpy()
    while len(who):
        traits = life.traits.iloc[who]
        now = _experience(life, traits, day, visits, consent, kinds, rng)
        odds = drop_odds(life.parameters, traits, visits, now) + life.staff[traits["branch"], now["staff"]]
        lost = rng.random(len(who)) < logistic(odds)
        rounds.append(pd.DataFrame({"customer": who, "visit": visits, "day": day, **now, "odds": odds, "lost": lost}))
        after = np.searchsorted(passed, passed[day] + rng.exponential(size=len(who)) / rate[who])
        day, visits, consent = np.maximum(after, day + 1), visits + 1, consent & ~now["opt_out"]
        goes_on = ~lost & (day < DAYS)
        who, day, visits, consent = who[goes_on], day[goes_on], visits[goes_on], consent[goes_on]
    return pd.concat(rounds, ignore_index=True)


def settled(life: Life, purchases: pd.DataFrame) -> Life:
    """Return a life with these purchases, and with what they leave in the traits: who is still there and who may be written to."""
    purchases = purchases.sort_values(["customer", "visit"], ignore_index=True)
    by_customer = purchases.groupby("customer")
    consent = life.traits["willing"].to_numpy() & ~by_customer["opt_out"].any().to_numpy()
    alive, visits = ~by_customer["lost"].last().to_numpy(), by_customer.size().to_numpy()
    return replace(life, traits=life.traits.assign(alive=alive, consent=consent, visits=visits), purchases=purchases)


def drop_odds(truth: Parameters, traits: pd.DataFrame, visits: np.ndarray, now: dict[str, np.ndarray]) -> np.ndarray:
    """Return the log-odds of never coming back after a purchase but for who served, one for each row of `traits`."""
    odds = truth.odds_drop + truth.odds_drop_per_visit * np.minimum(visits, truth.regular_after)
    for name in TRAITS:
        odds = odds + truth.effects[name] * traits[name].to_numpy(float)
    for name in (*EXPERIENCES, *CONDITIONS):
        odds = odds + truth.effects[name] * np.asarray(now[name], float)
    return odds


def letter_chance(truth: Parameters, traits: pd.DataFrame) -> np.ndarray:
    """Return how likely a letter follows a purchase of each customer, if letters are welcome."""
    base = np.log(truth.letter_share / (1 - truth.letter_share))
    far = second_half(truth, traits["branch"].to_numpy())
    return logistic(base + truth.odds_letter_remote * traits["remote"].to_numpy() + truth.odds_letter_branch * far)


def second_half(truth: Parameters, branch: np.ndarray) -> np.ndarray:
    """Return which customers belong to the second half of the branches."""
    return np.asarray(branch) >= truth.branches / 2


def _kinds_of_day(life: Life) -> dict[str, np.ndarray]:
    """What a day is like for all, shape (days,), and in each branch, shape (branches, days)."""
    truth, days = life.parameters, calendar()
    begun = {branch: pd.Timestamp(day) for branch, day in truth.rollout}
    week, place = np.divmod(np.arange(len(days)), 7)
    on = life.named[:, week]
    habit = np.roll(on, 7, axis=1) & (place < truth.habit_days) & (week > 0)
    return {
        "peak": (days.month == 12),
        "backlog": np.asarray(days >= pd.Timestamp(truth.backlog_from)),
        "rolled_out": np.array([days >= begun.get(name, pd.Timestamp.max) for name in branch_names(truth)]),
        "named": on | habit,
    }


def _experience(
    life: Life, traits: pd.DataFrame, day: np.ndarray, visits: np.ndarray, consent: np.ndarray, kinds: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:  # fmt: skip
    truth, chance, branch = life.parameters, rng.random((9, len(day))), traits["branch"].to_numpy()
    remote, peak = traits["remote"].to_numpy(), kinds["peak"][day]
    delivered = chance[0] < np.where(remote, 0.75, 0.22)
    late = delivered & (chance[1] < logistic(truth.odds_late + truth.odds_late_remote * remote + truth.odds_late_peak * peak))
    ticket = chance[2] < logistic(truth.odds_ticket + truth.odds_ticket_late * late)
    odds_slow = truth.odds_slow + truth.odds_slow_peak * peak + truth.odds_slow_backlog * kinds["backlog"][day]
    slow = ticket & (chance[3] < logistic(odds_slow + truth.odds_slow_after_rollout * kinds["rolled_out"][branch, day]))
    returned = chance[4] < truth.return_share
    letter_day = day + 7 + (chance[5] * 14).astype(int)
    letter = consent & (chance[6] < letter_chance(truth, traits)) & (letter_day < DAYS)
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
        "first": visits == 0,
        "card": visits >= traits["card_from"].to_numpy(),
        "far_branch": second_half(truth, branch),
        "peak": peak,
        "named": kinds["named"][branch, day],
        "staff": rng.integers(0, STAFF_OF_A_BRANCH, len(day)),
    }
