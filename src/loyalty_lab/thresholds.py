"""Lines in spending: where tiers begin, who stands just below one, whether people filled up to it, and what jumps at it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import log
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import records
from loyalty_lab.estimates import NOTHING, Estimate, estimate
from loyalty_lab.periods import within, year_to
from loyalty_lab.proportions import Z

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop

NEAR = 0.15
FITS = 0.8
STEP, BELOW, ABOVE = 0.04, 4, 2
FIRST, LAST, DEGREE = -13, 25, 3
FEWEST, ALPHA = 5.0, 0.05
ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0)
USUAL = (0.20, 0.95)
CENT = 0.01
BAND, FEWEST_BESIDE = 0.3, 30


@dataclass(frozen=True)
class Density:
    """How many amounts lie just above and just below a line, and how many a smooth curve through all others expects there.

    `p` is the chance of so many above if nobody filled up; `filled_ends` the 95% interval of `filled`.
    """

    at: float
    above: int
    above_expected: float
    below: int
    below_expected: float
    filled_ends: tuple[float, float]
    p: float

    @property
    def bunched(self) -> bool:
        """Whether there are clearly too many just above, and they are missing just below."""
        return self.p < ALPHA and self.below < self.below_expected

    @property
    def filled(self) -> float:
        """The share of those who would have stayed just below that filled up to the line."""
        return max(0.0, self.above - self.above_expected) / self.below_expected


def baskets(shop: Shop) -> pd.DataFrame:
    """Return the orders with their `basket`, before discounts and refunds; none whose discount is below zero or above it.

    Examples
    --------
    >>> from loyalty_lab.shop import Shop, ShopSettings
    >>> orders = pd.DataFrame({"order_id": ["1", "2"], "net_amount": 9.0, "gross_amount": [10.0, 10.0], "discount_amount": [1.0, 11.0]})
    >>> shop = Shop(ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London"), {"orders": orders})
    >>> baskets(shop)[["order_id", "basket"]].values.tolist()
    [['1', 10.0]]
    """
    orders = records.of(shop, "orders")
    off = orders["discount_amount"].fillna(0.0)
    orders = orders.assign(basket=orders["gross_amount"].fillna(orders["net_amount"] + off + orders["refund_amount"].fillna(0.0)))
    return orders[(off >= 0) & (off <= orders["basket"].clip(lower=0.0) + CENT / 2)]


def filled_baskets(orders: pd.DataFrame) -> Density | None:
    """Return the round amount to which customers fill their `baskets`, those ordered from afar or else those of the counter, if any."""
    counter = orders["channel"].eq("counter")
    found = [filled_up_to(orders.loc[where, "basket"]) for where in (~counter, counter)]
    return next((each for each in found if each), None)


def year_spend(days: pd.DataFrame, cutoff: date) -> pd.Series:
    """Return what each customer spent in the year to the cutoff, of their `visits.visits`; who bought nothing is not there.

    Examples
    --------
    >>> days = pd.DataFrame({"customer_id": ["a", "a", "b"], "spend": 5.0,
    ...                      "day": pd.to_datetime(["2026-03-01", "2026-03-09", "2024-01-01"])})
    >>> year_spend(days, date(2026, 3, 31)).to_dict()
    {'a': 10.0}
    """
    return days[within(days["day"], year_to(cutoff))].groupby("customer_id")["spend"].sum()


def tier_lines(tier: pd.Series, spend: pd.Series) -> pd.Series:
    """Return from which yearly spend each tier begins, lowest first.

    A line is the amount that best parts those of a tier and above from those below it. Where it parts them badly (Youden's index
    below 0.8), the tier was not given for spending and has no line.

    Parameters
    ----------
    tier : pandas.Series
        Tier by customer, missing where there is none.
    spend : pandas.Series
        Spend of the year by customer.

    References
    ----------
    Youden (1950), Index for rating diagnostic tests, Cancer 3.

    Examples
    --------
    >>> spend = pd.Series([10.0, 20.0, 40.0, 50.0, 90.0], index=list("abcde"))
    >>> tier_lines(pd.Series({"c": "silver", "d": "silver", "e": "gold"}), spend).to_dict()
    {'silver': 40.0, 'gold': 90.0}
    """
    of = tier.reindex(spend.index)
    order = spend.groupby(of).median().sort_values(kind="stable").index
    rank = of.map({name: place for place, name in enumerate(order)})
    lines = {name: _parting(spend.to_numpy(), (rank >= place).to_numpy()) for place, name in enumerate(order)}
    return pd.Series(lines, dtype="float64").dropna()


def _parting(spend: np.ndarray, inside: np.ndarray) -> float | None:
    """The amount from which on most are inside, if it parts well."""
    if inside.all():
        return None
    order = np.argsort(-spend, kind="stable")
    hit, miss = np.cumsum(inside[order]) / inside.sum(), np.cumsum(~inside[order]) / (~inside).sum()
    best = int(np.argmax(hit - miss))
    return float(spend[order][best]) if (hit - miss)[best] >= FITS else None


def just_below(spend: pd.Series, lines: Iterable[float], held: pd.Series | None = None, share: float = NEAR) -> pd.DataFrame:
    """Return who stands at most so far below the next line, and is not above it already.

    Parameters
    ----------
    spend : pandas.Series
        By customer.
    lines : iterable of float
    held : pandas.Series, optional
        By customer, the line of the tier they hold, whatever they spent lately; missing where they hold none.
    share : float
        How far is near, as a share of the line.

    Returns
    -------
    pandas.DataFrame
        Index of `spend`: `spend`, the `line`, and what is `missing` to it.

    Examples
    --------
    >>> just_below(pd.Series({"a": 90.0, "b": 84.0, "c": 100.0, "d": 250.0}), [100.0, 260.0]).values.tolist()
    [[90.0, 100.0, 10.0], [250.0, 260.0, 10.0]]
    """
    ahead = np.sort(np.array([*lines, np.inf], dtype="float64"))
    line = ahead[np.minimum(np.searchsorted(ahead, spend.to_numpy(), side="right"), len(ahead) - 1)]
    people = pd.DataFrame({"spend": spend, "line": line}).assign(missing=line - spend.to_numpy())
    above = False if held is None else held.reindex(spend.index).to_numpy() >= line
    return people[np.isfinite(line) & (people["missing"] <= share * people["line"]) & ~np.asarray(above, dtype="bool")]


def density(amounts: pd.Series | np.ndarray, at: float) -> Density | None:
    """Compare how many amounts lie just around a line with a smooth curve through those further away.

    Amounts from half the line to twice the line are counted in steps of 4% of it. A cubic in the logarithm of the amount is fitted to
    the counts (Poisson) without the four steps below and the two above the line; what it says of these is expected if nobody
    filled up. Counts that scatter more than chance, as prices make them do, count for less by as much.

    Parameters
    ----------
    amounts : array-like of float
        Of orders, or of customers' years.
    at : float
        The line, above zero.

    Returns
    -------
    Density or None
        None where fewer than five are expected on either side.

    References
    ----------
    Kleven, Waseem (2013), Using notches to uncover optimization frictions, The Quarterly Journal of Economics 128.
    McCrary (2008), Manipulation of the running variable in the regression discontinuity design, Journal of Econometrics 142.

    Examples
    --------
    >>> smooth = np.exp(np.linspace(1.0, 5.0, 4000))
    >>> density(smooth, 25.0).bunched, density(np.where((smooth > 21.5) & (smooth < 25), 25.2, smooth), 25.0).bunched
    (False, True)
    """
    from scipy.special import pdtrc

    steps = np.arange(FIRST, LAST)
    edges = at * (1 + STEP * np.arange(FIRST, LAST + 1))
    # Half a millionth of a step, so that 25.00 lies above the line of 25 whatever the rounding.
    counts = np.histogram(np.asarray(amounts, dtype="float64") + 5e-7 * at * STEP, edges)[0].astype("float64")
    x = np.log1p(STEP * (steps + 0.5))
    powers = np.vander(x / np.abs(x).max(), DEGREE + 1)
    above, below = (steps >= 0) & (steps < ABOVE), (steps < 0) & (steps >= -BELOW)
    fitted = _poisson(powers, counts, ~(above | below))
    if fitted is None:
        return None
    expected, covariance, scatter = fitted
    one, other = float(expected[above].sum()), float(expected[below].sum())
    if min(one, other) < FEWEST:
        return None
    ways = expected[above] @ powers[above], expected[below] @ powers[below]
    found, spread = int(counts[above].sum()), float(np.sqrt(scatter * ways[0] @ covariance @ ways[0]))
    # Of a mean that is itself uncertain: as if it lay one standard error higher.
    p = float(pdtrc(max(found - 1, 0) / scatter, (one + spread) / scatter))
    ends = _filled_ends(found, one, other, ways, scatter * covariance)
    return Density(float(at), found, one, int(counts[below].sum()), other, ends, p)


def _filled_ends(found: int, one: float, other: float, ways: tuple[np.ndarray, np.ndarray], covariance: np.ndarray) -> tuple[float, float]:
    """The interval of the share that filled up: chance in what was counted above, in how many came near, and in the curve."""
    middle = (found - one) / other
    way = ways[0] + middle * ways[1]
    half = Z * float(np.sqrt(found + middle**2 * other + way @ covariance @ way)) / other
    return max(0.0, middle - half), min(1.0, max(0.0, middle + half))


def _poisson(powers: np.ndarray, counts: np.ndarray, used: np.ndarray) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Expected counts of all steps by a Poisson regression on some, its covariance, and how much more than chance these scatter."""
    x, y = powers[used], counts[used]
    if (y > 0).sum() <= 2 * (DEGREE + 1):
        return None
    mean = y + 0.5
    for _ in range(30):
        weights = x.T * mean
        mean = np.exp(np.clip(x @ np.linalg.solve(weights @ x, weights @ (np.log(mean) + (y - mean) / mean)), -20, 20))
    covariance = np.linalg.inv((x.T * mean) @ x)
    slope = covariance @ (x.T * mean) @ np.log(mean)
    scatter = max(1.0, float(((y - mean) ** 2 / mean).sum() / (len(y) - x.shape[1])))
    return np.exp(powers @ slope), covariance, scatter


def filled_up_to(amounts: pd.Series) -> Density | None:
    """Return the round amount to which customers fill up most clearly; None if there is none.

    Every round amount between the smallest fifth and the largest twentieth is tested; the smallest p-value counts times their number.

    Examples
    --------
    >>> smooth = np.exp(np.linspace(1.0, 5.0, 4000))
    >>> filled_up_to(pd.Series(smooth)) is None, filled_up_to(pd.Series(np.where((smooth > 34) & (smooth < 40), 40.5, smooth))).at
    (True, 40.0)
    """
    amounts = amounts[amounts > 0]
    tested = [each for each in (density(amounts, at) for at in _round_amounts(amounts)) if each is not None]
    clear = [each for each in tested if each.p * len(tested) < ALPHA and each.bunched]
    return min(clear, key=lambda each: (each.p, each.at), default=None)


def _round_amounts(amounts: pd.Series) -> list[float]:
    if amounts.empty:
        return []
    low, high = amounts.quantile(list(USUAL))
    sizes = range(int(np.floor(log(low, 10))), int(np.ceil(log(high, 10))) + 1)
    return [number * 10.0**size for size in sizes for number in ROUND if low <= number * 10.0**size <= high]


def jump(amounts: pd.Series, outcome: pd.Series, at: float) -> Estimate:
    """Return by how much an outcome jumps at a line (regression discontinuity): just above it less just below.

    Straight lines are fitted on both sides to those within 30% of the line, the nearer the heavier (triangular weights). It tells what
    crossing the line changes only if nobody can buy up to it: look at `density` first.

    Parameters
    ----------
    amounts : pandas.Series
        What the line was drawn in.
    outcome : pandas.Series
        What came after, numbers or truth values; same index.
    at : float
        The line, above zero.

    Returns
    -------
    estimates.Estimate
        Standard errors hold whatever the scatter (HC1). Nothing where fewer than thirty stand on either side.

    References
    ----------
    Hahn, Todd, van der Klaauw (2001), Identification and estimation of treatment effects with a regression-discontinuity design,
    Econometrica 69.

    Examples
    --------
    >>> amounts = pd.Series(np.linspace(70.0, 130.0, 601))
    >>> round(jump(amounts, 0.01 * amounts + 2.0 * (amounts >= 100), 100.0).value, 6)
    2.0
    """
    x = amounts.to_numpy(dtype="float64") / at - 1
    near = np.abs(x) < BAND
    x, y, above = x[near], outcome.to_numpy(dtype="float64")[near], x[near] >= 0
    if min(above.sum(), (~above).sum()) < FEWEST_BESIDE:
        return NOTHING
    lines = np.column_stack([above, np.ones_like(x), x, x * above])
    heavy = lines.T * (1 - np.abs(x) / BAND)
    inverse = np.linalg.inv(heavy @ lines)
    slope = inverse @ heavy @ y
    scores = inverse @ heavy * (y - lines @ slope)
    return estimate(slope[0], float(np.sqrt((scores[0] ** 2).sum() * len(y) / (len(y) - lines.shape[1]))))


def round_amount(amount: float) -> float:
    """Return the round amount nearest to one, as a rule for customers would name it.

    Examples
    --------
    >>> round_amount(437.2), round_amount(88.0)
    (400.0, 80.0)
    """
    size = 10.0 ** np.floor(log(amount, 10))
    return float(min((number * size for number in (*ROUND, 10.0)), key=lambda each: (abs(log(each / amount)), each)))
