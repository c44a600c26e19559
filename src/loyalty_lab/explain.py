"""What a forecast looks at, in plain facts about a customer, whatever model made it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import partial_dependence, permutation_importance
from threadpoolctl import threadpool_limits

from loyalty_lab.features import expected_basket

FACTS = ("days_since_last", "frequency", "T", "own_gap", "orders_whole", "expected_basket")
COLUMNS = ("fact", "importance", "low", "high", "chance_low", "chance_high")
FEWEST, MOST = 50, 5_000
QUANTILES = (0.1, 0.9)
REPEATS = 5
TREES = {"max_iter": 150, "learning_rate": 0.1, "min_samples_leaf": 10, "early_stopping": False, "random_state": 0}
CLIP = 1e-4


def drivers(features: pd.DataFrame, churn_probability: pd.Series, random_state: int = 0) -> pd.DataFrame:
    """Return how much a forecast hangs on each plain fact, and which way.

    Boosted trees learn the forecast's log odds from the facts alone; they are asked, not the forecast itself, so that
    any model can be explained in the same words. It explains the forecast, not why customers leave.

    Parameters
    ----------
    features : pandas.DataFrame
        As made by `features.customer_features`.
    churn_probability : pandas.Series
        The forecast, same index.
    random_state : int
        Seed of the shuffles, and of the 5,000 customers asked in a larger shop.

    Returns
    -------
    pandas.DataFrame
        One row a fact, the weightiest first: `importance` (by how much R2 falls when the fact is shuffled among customers, as a share
        of the sum over facts), `low`, `high` (10% and 90% quantile of the fact), and the mean chance of staying away if every
        customer had the one or the other, all else as it is (`chance_low`, `chance_high`). Empty below 50 customers, or where
        the forecast is the same for all.

    References
    ----------
    Breiman (2001), Random forests, Machine Learning 45(1). Friedman (2001), Greedy function approximation,
    The Annals of Statistics 29(5), section 8.2.

    Examples
    --------
    >>> drivers(pd.DataFrame(), pd.Series(dtype="float64")).empty
    True
    """
    if len(features) < FEWEST or churn_probability.nunique() < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    known = features.assign(expected_basket=expected_basket(features))[list(FACTS)].astype("float64")
    odds = logit(churn_probability.clip(CLIP, 1 - CLIP))
    if len(known) > MOST:
        rows = np.sort(np.random.default_rng(random_state).choice(len(known), MOST, replace=False))
        known, odds = known.iloc[rows], odds.iloc[rows]
    with threadpool_limits(1):
        trees = HistGradientBoostingRegressor(**TREES).fit(known, odds)
        fall = permutation_importance(trees, known, odds, n_repeats=REPEATS, random_state=random_state).importances_mean.clip(min=0)
        ends = [_chances(trees, known, name) for name in FACTS]
    table = pd.DataFrame(ends, columns=list(COLUMNS[2:]))
    table.insert(0, "fact", list(FACTS))
    table.insert(1, "importance", fall / max(fall.sum(), CLIP))
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _chances(trees: HistGradientBoostingRegressor, known: pd.DataFrame, name: str) -> tuple[float, float, float, float]:
    """The ends of a fact and the chance at each."""
    low, high = (float(known[name].quantile(share)) for share in QUANTILES)
    found = partial_dependence(trees, known, [name], custom_values={name: np.array([low, high])}, method="brute", kind="individual")
    return (low, high, *expit(found["individual"][0]).mean(axis=0))
