"""Whom a treatment is worth giving to: the gain of treating the highest scores first, and small learners that rank.

For lessons only. No list of a shop is ranked by these: `hillstrom` shows why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from loyalty_lab.proportions import LEVEL

LEARNT, SPLITS, RESAMPLES = 0.7, 5, 200
SIZES, DRAWS = (1_000, 4_000, 10_000, 20_000), 40


def gain_curve(
    score: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what is gained by treating the customers with the highest scores first.

    gain = (Y_t - Y_c * N_t / N_c) / N_treated, with Y and N the outcomes and customers so far in each arm. Customers of one
    score come in together: in between the curve is straight, which is the mean over all orders they could come in.

    Parameters
    ----------
    score, treated, outcome : numpy.ndarray
        Shape (n,); `treated` is 0 or 1.
    weight : numpy.ndarray, optional
        How many customers each row stands for; one where it is not given.

    Returns
    -------
    tuple of numpy.ndarray
        The share of customers taken so far, from 0 to 1, and the gain per treated customer.

    Examples
    --------
    >>> share, gain = gain_curve(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), np.array([1, 0, 0, 0]))
    >>> share.tolist(), gain.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, 0.5])
    """
    _, place = np.unique(-score, return_inverse=True)
    return _curve(place, treated, outcome, np.ones(len(score)) if weight is None else weight)


def _curve(place: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    parts = (weight * treated, weight * (1 - treated), weight * treated * outcome, weight * (1 - treated) * outcome)
    n, m, came, came_anyway = (np.concatenate([[0.0], np.bincount(place, part).cumsum()]) for part in parts)
    like = np.divide(n, m, out=np.zeros_like(n), where=m > 0)
    return (n + m) / (n[-1] + m[-1]), (came - came_anyway * like) / n[-1]


def qini(score: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Return the Qini coefficient: the area between the gain curve and the straight line of treating by lot.

    Libraries scale it differently, so that only values of one definition can be compared. This one is
    area(gain(q) - q * gain(1)), per treated customer; by lot it is nought.

    References
    ----------
    Radcliffe (2007), Using control groups to target on predicted lift, Direct Marketing Analytics Journal.

    Examples
    --------
    >>> qini(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), np.array([1, 0, 0, 0]))
    0.125
    """
    return _area(*gain_curve(score, treated, outcome, weight))


def _area(share: np.ndarray, gain: np.ndarray) -> float:
    return float(np.trapezoid(gain - share * gain[-1], share))


def qini_interval(
    score: np.ndarray, treated: np.ndarray, outcome: np.ndarray, weight: np.ndarray | None = None, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of `qini`: customers drawn anew, ranking kept.

    Examples
    --------
    >>> low, high = qini_interval(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0]), np.array([1, 0, 0, 0]), np.full(4, 500.0))
    >>> low < 0.125 < high
    True
    """
    weight = np.ones(len(score)) if weight is None else weight
    _, place = np.unique(-score, return_inverse=True)
    draw, chance = np.random.default_rng(0), weight / weight.sum()
    drawn = (draw.multinomial(round(weight.sum()), chance) for _ in range(resamples))
    found = [_area(*_curve(place, treated, outcome, each)) for each in drawn]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))


def _trees() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(random_state=0)


def _chance(model: Any, X: np.ndarray) -> np.ndarray:
    return model.predict_proba(X)[:, 1]


def two_models(make: Callable, X: np.ndarray, treated: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Learn each arm on its own, and rank by the difference of the two forecasts (T-learner).

    References
    ----------
    Kuenzel, Sekhon, Bickel, Yu (2019), Metalearners for estimating heterogeneous treatment effects, PNAS 116.
    """
    with_it, without = (make().fit(X[treated == arm], y[treated == arm]) for arm in (1, 0))
    return _chance(with_it, Z) - _chance(without, Z)


def one_model(make: Callable, X: np.ndarray, treated: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Learn both arms at once with the arm as one more column, and forecast everybody with and without (S-learner)."""
    model = make().fit(np.column_stack([X, treated]), y)
    with_it, without = (_chance(model, np.column_stack([Z, np.full(len(Z), arm)])) for arm in (1, 0))
    return with_it - without


def class_transformation(make: Callable, X: np.ndarray, treated: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Learn who came with the e-mail or stayed away without it; right where both arms are equally large, as here.

    References
    ----------
    Jaskowski, Jaroszewicz (2012), Uplift modeling for clinical trial data, ICML workshop on clinical data analysis.
    """
    return 2 * _chance(make().fit(X, (treated == y).astype(int)), Z) - 1


def most_likely(make: Callable, X: np.ndarray, treated: np.ndarray, y: np.ndarray, Z: np.ndarray) -> np.ndarray:
    """Rank by who is most likely to come, whatever the cause: the ordinary ranking."""
    return _chance(make().fit(X, y), Z)


WAYS: dict[str, tuple[Callable, Callable]] = {
    "two models, logistic": (two_models, _logistic),
    "two models, trees": (two_models, _trees),
    "one model, trees": (one_model, _trees),
    "class transformation, logistic": (class_transformation, _logistic),
    "class transformation, trees": (class_transformation, _trees),
    "most likely to visit, trees": (most_likely, _trees),
}
COLUMN, BY_LOT = "one column", "by lot"


@dataclass(frozen=True)
class Sample:
    """Customers of an experiment with two arms.

    Parameters
    ----------
    X : numpy.ndarray
        Shape (n, k): what was known of each customer before.
    treated, outcome, column : numpy.ndarray
        Shape (n,), 0 or 1; `column` is the one column that ranks without a model.
    """

    X: np.ndarray
    treated: np.ndarray
    outcome: np.ndarray
    column: np.ndarray

    def splits(self, count: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Seed, customers to learn from and customers to judge by, drawn by lot."""
        for seed in range(count):
            order = np.random.default_rng(seed).permutation(len(self.outcome))
            yield seed, *np.split(order, [int(LEARNT * len(order))])

    def score(self, way: str, learn: np.ndarray, judge: np.ndarray, seed: int) -> np.ndarray:
        """The scores that one way of ranking gives to the customers to judge by."""
        if way == COLUMN:
            return self.column[judge]
        if way == BY_LOT:
            return np.random.default_rng([seed, 1]).random(len(judge))
        from threadpoolctl import threadpool_limits

        learner, make = WAYS[way]
        make()  # loads scikit-learn: only threads that are there can be limited
        with threadpool_limits(1):
            return learner(make, self.X[learn], self.treated[learn], self.outcome[learn], self.X[judge])


def rankings(sample: Sample, splits: int = SPLITS, ways: Sequence[str] = (COLUMN, *WAYS, BY_LOT)) -> pd.DataFrame:
    """Compare ways of ranking customers, on customers they did not learn from.

    Parameters
    ----------
    sample : Sample
    splits : int
        How often the customers are split by lot, 70 of 100 to learn from and 30 to judge by.
    ways : sequence of str
        Names in `WAYS`, `COLUMN` or `BY_LOT`; the first is what the others are compared with.

    Returns
    -------
    pandas.DataFrame
        Index the ways; `qini` (mean over the splits), `spread` (standard deviation between them), `ahead` (in how many splits it
        did better than the first way), `low` and `high` (95% bootstrap interval in the first split).
    """
    found, first = {way: [] for way in ways}, {}
    for seed, learn, judge in sample.splits(splits):
        for way in ways:
            judged = (sample.score(way, learn, judge, seed), sample.treated[judge], sample.outcome[judge])
            found[way].append(qini(*judged))
            first[way] = first.get(way) or qini_interval(*judged)
    rows = [(*_summary(found[way], found[ways[0]]), *first[way]) for way in ways]
    return pd.DataFrame(rows, index=list(ways), columns=["qini", "spread", "ahead", "low", "high"])


def _summary(found: list[float], beside: list[float]) -> tuple[float, float, int]:
    ahead = sum(mine > its for mine, its in zip(found, beside, strict=True))
    return float(np.mean(found)), float(np.std(found, ddof=1)), ahead


def learning_sizes(sample: Sample, way: str, sizes: Sequence[int] = SIZES, draws: int = DRAWS) -> pd.DataFrame:
    """Measure how much a model finds when it learns from fewer customers, always judged by the same ones.

    Returns
    -------
    pandas.DataFrame
        Index `customers`; mean Qini of the one `column` and of the `model`, `spread` of the model's between the draws, and
        `ahead`, in how many draws it did better than the column.
    """
    rows = []
    for size in sizes:
        model, column = [], []
        for seed, learn, judge in sample.splits(draws):
            scores = (sample.score(way, learn[:size], judge, seed), sample.column[judge])
            for found, score in zip((model, column), scores, strict=True):
                found.append(qini(score, sample.treated[judge], sample.outcome[judge]))
        rows.append((size, float(np.mean(column)), *_summary(model, column)))
    return pd.DataFrame(rows, columns=["customers", "column", "model", "spread", "ahead"]).set_index("customers")
