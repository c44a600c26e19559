"""What a purchase history says at a cutoff, in numbers a model can use; nothing later is looked at."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from loyalty_lab.customers import query

WHOLE = ("frequency", "recency", "T", "days_since_last", "gap_longest", "gap_last", "orders_30", "orders_90", "orders_365")
MONEY = ("spend_30", "spend_90", "spend_365", "spend_total", "first_spend", "last_spend")
GAPS = ("gap_mean", "gap_median", "gap_std")
PRIOR_GAPS = 2.0


def customer_features(orders: pd.DataFrame, cutoff: date, threads: int | None = None) -> pd.DataFrame:
    """Return one row of features per customer who has bought by the cutoff.

    Parameters
    ----------
    orders : pandas.DataFrame
        At least `customer_id`, `ordered_at`, `net_amount`. Rows after the cutoff change nothing.
    cutoff : datetime.date
        Last day that may be seen.
    threads : int, optional
        Threads of the database; the answer does not depend on it.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`, sorted; no missing values. int64: `frequency`, `recency`, `T`,
        `days_since_last`, `gap_longest`, `gap_last` (days; 0 with one purchase), `orders_30`,
        `orders_90`, `orders_365` (purchase days in that many days up to the cutoff). float64:
        `spend_30`, `spend_90`, `spend_365`, `spend_total`, `first_spend`, `last_spend` (currency);
        `gap_mean`, `gap_median`, `gap_std` (days; 0.0 where there are too few gaps); `own_gap` (mean
        gap, shrunk towards the shop's as if two gaps of that length had been seen) and `gap_ratio`
        (`days_since_last` over `own_gap`: above 2, the customer is late by the own rhythm).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": ["2026-01-01", "2026-01-11", "2026-02-10"], "net_amount": 5.0})
    >>> customer_features(orders, date(2026, 2, 20))[["gap_mean", "gap_ratio"]].values.tolist()
    [[20.0, 0.5]]
    """
    rows = query("features", orders, cutoff, threads)
    gaps, total, squares = (rows[name].to_numpy(dtype="float64") for name in ("gaps", "gap_sum", "gap_squares"))
    mean = total / np.maximum(gaps, 1)
    spread = np.sqrt(np.maximum(squares - gaps * mean**2, 0) / np.maximum(gaps - 1, 1))
    rows = rows.assign(gap_mean=mean, gap_std=np.where(gaps > 1, spread, 0.0), gap_median=rows["gap_median"].astype("float64").fillna(0.0))
    typical = total.sum() / gaps.sum() if gaps.any() else max(float(rows["T"].mean()), 1.0) if len(rows) else 1.0
    own = np.maximum((total + PRIOR_GAPS * typical) / (gaps + PRIOR_GAPS), 1.0)
    rows = rows.assign(own_gap=own, gap_ratio=rows["days_since_last"] / own)
    whole = rows[list(WHOLE)].astype("int64")
    return pd.concat([whole, rows[[*MONEY, *GAPS, "own_gap", "gap_ratio"]].astype("float64")], axis=1)


def design(features: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Turn features into the columns of a model: logarithms and ratios, free of currency and calendar.

    Parameters
    ----------
    features : pandas.DataFrame
        As made by `customer_features`.
    horizon_days : int
        How far the model looks ahead; days are counted in horizons.

    Returns
    -------
    pandas.DataFrame
        Same index; float64, finite.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": ["2026-01-01", "2026-01-11", "2026-02-10"], "net_amount": 5.0})
    >>> bool(np.isfinite(design(customer_features(orders, date(2026, 2, 20)), 30)).all().all())
    True
    """
    visits = features["frequency"] + 1
    basket = features["spend_total"] / visits
    typical = float(basket.median()) if len(basket) else 1.0
    return pd.DataFrame(
        {
            "frequency": np.log1p(features["frequency"]),
            "silence": np.log1p(features["days_since_last"] / horizon_days),
            "age": np.log1p(features["T"] / horizon_days),
            "once": (features["frequency"] == 0).astype("float64"),
            "late": np.log1p(features["gap_ratio"]),
            "late_longest": np.log((1 + features["days_since_last"]) / (1 + features["gap_longest"])).where(features["frequency"] > 0, 0.0),
            "regular": np.log1p(features["gap_std"] / features["own_gap"]),
            "last_gap": np.log((1 + features["gap_last"]) / (1 + features["gap_mean"])),
            "orders_90": np.log1p(features["orders_90"]),
            "orders_365": np.log1p(features["orders_365"]),
            "basket": np.log(basket / typical),
            "last_basket": np.log(features["last_spend"] / basket),
        },
        index=features.index,
    )
