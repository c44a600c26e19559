"""What a purchase history says at a cutoff, in numbers a model can use; nothing later is looked at."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from loyalty_lab.customers import query

HORIZON_DAYS = 91
COUNTS = (
    "frequency", "recency", "T", "days_since_last", "gap_longest", "gap_last",
    "orders_half", "orders_whole", "orders_double", "orders_365", "orders_last_year",
)  # fmt: skip
MONEY = ("spend_whole", "spend_total", "first_spend", "last_spend")
LOGS = ("log_gap_sum", "log_gap_squares", "log_spend_sum", "log_spend_squares")
GAPS = ("gap_mean", "gap_median", "gap_std")
PRIOR_GAPS, PRIOR_SPREADS = 2.0, 3.0
FEWEST_SPREADS, USUAL_SPREAD = 10, 0.5


def customer_features(orders: pd.DataFrame, cutoff: date, threads: int | None = None, horizon_days: int = HORIZON_DAYS) -> pd.DataFrame:
    """Return one row of features per customer who has bought by the cutoff.

    Parameters
    ----------
    orders : pandas.DataFrame
        At least `customer_id`, `ordered_at`, `net_amount`. Rows after the cutoff change nothing.
    cutoff : datetime.date
        Last day that may be seen.
    threads : int, optional
        Threads of the database; the answer does not depend on it.
    horizon_days : int, default 91
        In what the recent windows are counted.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`, sorted; no missing values. int64: `frequency`, `recency`, `T`,
        `days_since_last`, `gap_longest`, `gap_last` (days; 0 with one purchase); purchase days in the
        last half, whole and two horizons, in the last 365 days, and in the horizon that followed this day a year ago
        (`orders_half`, `orders_whole`, `orders_double`, `orders_365`, `orders_last_year`). float64:
        `spend_whole` (last horizon), `spend_total`, `first_spend`, `last_spend` (currency); sums and sums of
        squares of log gaps and log spends (`log_gap_sum`, ...); `gap_mean`, `gap_median`, `gap_std` (days; 0.0 where
        there are too few gaps); `own_gap` (mean gap, shrunk towards the shop's as if two gaps of that length had been seen)
        and `gap_ratio` (`days_since_last` over `own_gap`: above 2, the customer is late by the own rhythm).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": ["2026-01-01", "2026-01-11", "2026-02-10"], "net_amount": 5.0})
    >>> customer_features(orders, date(2026, 2, 20))[["gap_mean", "gap_ratio"]].values.tolist()
    [[20.0, 0.5]]
    """
    return completed(query("features", orders, cutoff, threads, horizon_days=horizon_days))


def completed(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the features from the rows of `features.sql`, whichever engine made them: means and spreads of gaps, and types."""
    gaps, total, squares = (rows[name].to_numpy(dtype="float64") for name in ("gaps", "gap_sum", "gap_squares"))
    mean = total / np.maximum(gaps, 1)
    spread = np.sqrt(np.maximum(squares - gaps * mean**2, 0) / np.maximum(gaps - 1, 1))
    rows = rows.assign(gap_mean=mean, gap_std=np.where(gaps > 1, spread, 0.0), gap_median=rows["gap_median"].astype("float64").fillna(0.0))
    typical = total.sum() / gaps.sum() if gaps.any() else max(float(rows["T"].mean()), 1.0) if len(rows) else 1.0
    own = np.maximum((total + PRIOR_GAPS * typical) / (gaps + PRIOR_GAPS), 1.0)
    rows = rows.assign(own_gap=own, gap_ratio=rows["days_since_last"] / own)
    return pd.concat([rows[list(COUNTS)].astype("int64"), rows[[*MONEY, *LOGS, *GAPS, "own_gap", "gap_ratio"]].astype("float64")], axis=1)


def expected_basket(features: pd.DataFrame) -> pd.Series:
    """Return what a purchase day of each customer is expected to be worth: the own mean, shrunk towards the shop's.

    Log spend is taken as normal around an own mean with one variance s2, and the own means as normal
    between customers with variance t2, both by the method of moments; with w = t2 / (t2 + s2 / n) the
    expectation is exp(mu + w (own mean - mu) + (s2 + t2 (1 - w)) / 2).

    Parameters
    ----------
    features : pandas.DataFrame
        As made by `customer_features`.

    Returns
    -------
    pandas.Series
        Currency; the first purchase counts like any other.

    References
    ----------
    Casella (1985), An introduction to empirical Bayes data analysis, The American Statistician 39(2).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": list("ab"), "ordered_at": "2026-01-01", "net_amount": [10.0, 40.0]})
    >>> expected_basket(customer_features(orders, date(2026, 2, 20))).between(10, 60).tolist()
    [True, True]
    """
    n = (features["frequency"] + 1).to_numpy(dtype="float64")
    mean = features["log_spend_sum"].to_numpy() / n
    several = n > 1
    freedom = (n - 1).sum()
    apart = np.maximum(features["log_spend_squares"].to_numpy() - n * mean**2, 0)[several].sum()
    within = max(apart / freedom, 1e-6) if freedom >= FEWEST_SPREADS else USUAL_SPREAD
    total = mean.var() if len(mean) else 0.0
    between = max(total - within * (1 / n).mean() if len(n) else 0.0, 0.05 * total, 1e-9)
    weight, middle = between / (between + within / n), mean.mean() if len(mean) else 0.0
    value = np.exp(middle + weight * (mean - middle) + (within + between * (1 - weight)) / 2)
    return pd.Series(value, index=features.index, name="expected_basket")


def design(features: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Turn features into the columns of a model: logarithms and ratios, free of currency and calendar.

    Parameters
    ----------
    features : pandas.DataFrame
        As made by `customer_features` for the same horizon.
    horizon_days : int
        How far the model looks ahead; days are counted in horizons.

    Returns
    -------
    pandas.DataFrame
        Same index; float64, finite.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": ["2026-01-01", "2026-01-11", "2026-02-10"], "net_amount": 5.0})
    >>> bool(np.isfinite(design(customer_features(orders, date(2026, 2, 20), horizon_days=30), 30)).all().all())
    True
    """
    once = features["frequency"] == 0
    silence = np.log((features["days_since_last"] + 1) / horizon_days)
    basket = features["log_spend_sum"] / (features["frequency"] + 1)
    typical = float(basket.mean()) if len(basket) else 0.0
    first = np.log(features["first_spend"].clip(lower=0.01)) - typical
    columns = {
        "frequency": np.log1p(features["frequency"]),
        "silence": silence,
        "age": np.log((features["T"] + 1) / horizon_days),
        "once": once.astype("float64"),
        "once_silence": silence.where(once, 0.0),
        "orders_half": np.log1p(features["orders_half"]),
        "orders_before": np.log1p(features["orders_whole"] - features["orders_half"]),
        "orders_earlier": np.log1p(features["orders_double"] - features["orders_whole"]),
        "orders_last_year": np.log1p(features["orders_last_year"]),
        "spend_whole": np.log1p(features["spend_whole"] / np.exp(typical)),
        "basket": basket - typical,
        "first_basket": first,
        "last_basket": np.log(features["last_spend"].clip(lower=0.01)) - typical,
        "once_first_basket": first.where(once, 0.0),
        "expected_basket": np.log(expected_basket(features)) - typical,
    }
    return pd.DataFrame(columns | _cadence(features, horizon_days), index=features.index)


def _cadence(features: pd.DataFrame, horizon_days: int) -> dict[str, pd.Series]:
    """The own rhythm in log days, shrunk towards the shop's, and how late a customer is by it."""
    x, once = features["frequency"], features["frequency"] == 0
    log_gap, log_silence = features["log_gap_sum"] / x.clip(lower=1), np.log(features["days_since_last"] + 1)
    usual = float(log_gap[~once].mean()) if (~once).any() else float(np.log(horizon_days))
    own = (features["log_gap_sum"] + PRIOR_GAPS * usual) / (x + PRIOR_GAPS)
    spread = (features["log_gap_squares"] / x.clip(lower=1) - log_gap**2).clip(lower=0.0).where(x > 1, 0.0)
    usual_spread = float(spread[x > 1].mean()) if (x > 1).any() else 1.0
    irregular = np.sqrt((spread * x + PRIOR_SPREADS * usual_spread) / (x + PRIOR_SPREADS)).clip(lower=0.05)
    return {
        "gap": own - np.log(horizon_days),
        "irregular": irregular,
        "late": log_silence - own,
        "late_regular": (log_silence - own) / irregular,
        "late_longest": (log_silence - np.log(features["gap_longest"] + 1)).where(~once, 0.0),
        "last_gap": (np.log1p(features["gap_last"]) - own).where(~once, 0.0),
    }
