"""What learns from earlier snapshots: the simple rule, corrections of the models' odds, and what a buyer spends."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline

ODDS = "posterior"
RIDGE, RIDGE_LEVEL = 100.0, 200.0
TREES = {"max_iter": 100, "learning_rate": 0.05, "max_leaf_nodes": 4, "l2_regularization": 5.0, "early_stopping": False, "random_state": 0}
SPEND_TREES = TREES | {"max_iter": 60, "learning_rate": 0.06, "max_leaf_nodes": 6}
FEWEST_IN_LEAF, SHARE_IN_LEAF = 40, 0.02
CAP = 0.995
NEWTON_STEPS = 30


class RecencyRule(ClassifierMixin, BaseEstimator):
    """The simple rule: of customers silent as long as this one, how many stayed away last time?

    Ten equally large groups by `days_since_last`; each group's share is drawn to the shop's as if by
    five customers. It is the rule every other candidate has to beat.

    Examples
    --------
    >>> X = pd.DataFrame({"days_since_last": [1, 2, 80, 90]})
    >>> rule = RecencyRule(groups=2).fit(X, [0, 0, 1, 1])
    >>> rule.predict_proba(X)[:, 1].round(2).tolist()
    [0.36, 0.36, 0.64, 0.64]
    """

    def __init__(self, groups: int = 10, weight: float = 5.0):
        self.groups = groups
        self.weight = weight

    def fit(self, X: pd.DataFrame, y) -> RecencyRule:
        """Learn the share that stayed away (y = 1) by group of `days_since_last`."""
        silent, away = X["days_since_last"].to_numpy(dtype="float64"), np.asarray(y, dtype="float64")
        self.classes_ = np.array([0, 1])
        self.edges_ = np.unique(np.quantile(silent, np.linspace(0, 1, self.groups + 1)[1:-1]))
        group = np.searchsorted(self.edges_, silent)
        n, lost = (np.bincount(group, weights, minlength=len(self.edges_) + 1) for weights in (None, away))
        base = (away.sum() + 1) / (len(away) + 2)
        self.shares_ = (lost + self.weight * base) / (n + self.weight)
        return self

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the shares of buying (first column) and staying away."""
        away = self.shares_[np.searchsorted(self.edges_, X["days_since_last"].to_numpy(dtype="float64"))]
        return np.column_stack([1 - away, away])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return 1 where staying away is the likelier."""
        return (self.predict_proba(X)[:, 1] > 0.5).astype(int)


class Standardiser(TransformerMixin, BaseEstimator):
    """Clip each column to its central 99%, centre and scale it: a customer unlike all seen before is taken for the most alike.

    Examples
    --------
    >>> Standardiser().fit_transform(pd.DataFrame({"a": [0.0, 2.0], "b": [5.0, 5.0]})).round(2).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    def fit(self, X: pd.DataFrame, y=None) -> Standardiser:
        """Learn limits, means and spreads."""
        values = X.to_numpy(dtype="float64")
        self.low_, self.high_ = np.quantile(values, [0.005, 0.995], axis=0)
        clipped = np.clip(values, self.low_, self.high_)
        spread = clipped.std(axis=0)
        self.mean_, self.spread_ = clipped.mean(axis=0), np.where(spread > 1e-9, spread, 1.0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Apply them."""
        return (np.clip(X.to_numpy(dtype="float64"), self.low_, self.high_) - self.mean_) / self.spread_


class OffsetLogistic(ClassifierMixin, BaseEstimator):
    """Ridge logistic regression that corrects log odds it is given, rather than finding them anew.

    P(y = 1) = expit(X[posterior] + b0 + Z b), Z all columns standardised; the penalties say after how many
    rows a correction is believed, `level` that of b0.

    Parameters
    ----------
    penalty, level : float
        In rows; for stacked snapshots of one customer they are to be multiplied by their number.

    Examples
    --------
    >>> X = pd.DataFrame({"posterior": [-1.0, -1.0, 1.0, 1.0] * 9, "age": [0.0, 1.0] * 18})
    >>> y = [0, 0, 1, 1] * 9
    >>> OffsetLogistic().fit(X, y).predict(X.iloc[:4]).tolist()
    [0, 0, 1, 1]
    """

    def __init__(self, penalty: float = RIDGE, level: float = RIDGE_LEVEL):
        self.penalty = penalty
        self.level = level

    def fit(self, X: pd.DataFrame, y) -> OffsetLogistic:
        """Find the penalised maximum by Newton's method."""
        self.classes_ = np.array([0, 1])
        self.standardiser_ = Standardiser().fit(X)
        Z, offset, y = self._columns(X), X[ODDS].to_numpy(), np.asarray(y, dtype="float64")
        penalties = np.r_[self.level, np.full(Z.shape[1] - 1, self.penalty)]
        self.coef_ = np.zeros(Z.shape[1])
        for _ in range(NEWTON_STEPS):
            chance = expit(offset + Z @ self.coef_)
            weight = np.maximum(chance * (1 - chance), 1e-6)
            slope = Z.T @ (y - chance) - penalties * self.coef_
            step = np.linalg.solve((Z * weight[:, None]).T @ Z + np.diag(penalties + 1e-9), slope)
            self.coef_ += np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-5:
                break
        return self

    def decision_function(self, X: pd.DataFrame) -> np.ndarray:
        """Return the corrected log odds."""
        return X[ODDS].to_numpy() + self._columns(X) @ self.coef_

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        """Return the probabilities of 0 and 1."""
        one = expit(self.decision_function(X))
        return np.column_stack([1 - one, one])

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the likelier class."""
        return (self.decision_function(X) > 0).astype(int)

    def _columns(self, X: pd.DataFrame) -> np.ndarray:
        return np.column_stack([np.ones(len(X)), self.standardiser_.transform(X)])


def boosted_trees(rows: int) -> Pipeline:
    """Return unfitted small boosted trees, their leaves growing with the number of rows to learn from."""
    leaf = max(FEWEST_IN_LEAF, int(SHARE_IN_LEAF * rows))
    return make_pipeline(Standardiser(), HistGradientBoostingClassifier(min_samples_leaf=leaf, **TREES))


class BuyerSpend(RegressorMixin, BaseEstimator):
    """What a customer spends in the horizon who buys at all: a ridge on log spend, and boosted trees with a gamma loss.

    The ridge's exponential is brought to the mean by a factor in four groups by prediction (smearing);
    the trees learn from spends capped at their 99.5% quantile and are scaled back, so that one order does not rule them.

    Parameters
    ----------
    snapshots : int
        How many snapshots are stacked.

    Examples
    --------
    >>> X = pd.DataFrame({"basket": np.log([10.0, 20, 40] * 40)})
    >>> BuyerSpend().fit(X, [10.0, 20, 40] * 40).predict(X.iloc[:3]).round().tolist()
    [10.0, 21.0, 40.0]
    """

    def __init__(self, snapshots: int = 1):
        self.snapshots = snapshots

    def fit(self, X: pd.DataFrame, y) -> BuyerSpend:
        """Learn from buyers only: y > 0, currency."""
        y = np.asarray(y, dtype="float64")
        self.standardiser_ = Standardiser().fit(X)
        Z = self.standardiser_.transform(X)
        self.ridge_ = Ridge(alpha=RIDGE * self.snapshots).fit(Z, np.log(y))
        said = self.ridge_.predict(Z)
        self.sigma_ = float(np.std(np.log(y) - said))
        edges = np.quantile(said, [0, 0.25, 0.5, 0.75, 1])
        groups = [(said >= low) & (said <= high) for low, high in pairwise(edges)]
        self.middles_ = (edges[:-1] + edges[1:]) / 2
        self.smearing_ = np.array([y[group].sum() / np.exp(said[group]).sum() for group in groups])
        capped = np.minimum(y, np.quantile(y, CAP))
        leaf = max(30, int(SHARE_IN_LEAF * len(y)))
        trees = HistGradientBoostingRegressor(loss="gamma", min_samples_leaf=leaf, **SPEND_TREES)
        self.trees_ = trees.fit(Z, np.maximum(capped, 1e-6))
        self.scale_ = y.sum() / capped.sum()
        return self

    def predict_log(self, X: pd.DataFrame) -> np.ndarray:
        """Return the mean of log spend."""
        return self.ridge_.predict(self.standardiser_.transform(X))

    def both(self, X: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Return the expected spend by the ridge and by the trees."""
        Z = self.standardiser_.transform(X)
        said, trees = self.ridge_.predict(Z), self.trees_.predict(Z) * self.scale_
        return np.exp(said) * np.interp(said, self.middles_, self.smearing_), trees

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        """Return the expected spend: the geometric mean of both."""
        ridge, trees = self.both(X)
        return np.sqrt(ridge * trees)
