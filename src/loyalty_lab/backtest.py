"""How well each way of forecasting did at earlier cutoffs of the same shop, and which of them to trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, logit, stdtrit
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline

from loyalty_lab.btyd import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel
from loyalty_lab.features import customer_features, design
from loyalty_lab.results import plain

CANDIDATES = ("recency rule", "BG/NBD", "MBG/NBD", "logistic")
MODELS = {"BG/NBD": BetaGeoModel, "MBG/NBD": ModifiedBetaGeoModel}
STEPS = 3
ORIGINS = 4
TRAINING = 4
FEWEST_CUSTOMERS = 30
FEWEST_RARE = 5
MOST_ROWS = 100_000
LEVEL = 0.90
LEVEL_SPREAD = 0.3
SEASON_WEIGHT = 0.7
SEASON_HISTORY = 180
YEAR = 365
CLIP = 1e-6


@dataclass(frozen=True)
class Snapshot:
    """The shop as it stood at a cutoff, and (where a whole horizon followed) what came after."""

    cutoff: date
    horizon_days: int
    features: pd.DataFrame
    bank: dict[str, BetaGeoModel]
    stayed_away: np.ndarray | None = None
    spend: np.ndarray | None = None
    season_error: float = 0.0

    def no_purchase(self, name: str) -> np.ndarray:
        """P(no purchase in the horizon) of one model of the bank."""
        chance = self.bank[name].probability_no_purchase(self.features, self.horizon_days)
        return np.clip(chance.to_numpy(), CLIP, 1 - CLIP)

    def posterior(self) -> np.ndarray:
        """Mean log odds of staying away over the bank."""
        return np.mean([logit(self.no_purchase(name)) for name in self.bank], axis=0)

    def expected_orders(self, name: str, stay_away: np.ndarray) -> np.ndarray:
        """Expected purchase days: a model's own, else the bank's given that the customer buys at all."""
        names = [name] if name in self.bank else list(self.bank)
        orders = np.mean([self.bank[each].expected_purchases(self.features, self.horizon_days) for each in names], axis=0)
        if name in self.bank:
            return orders
        buys = 1 - expit(self.posterior())
        return (1 - stay_away) * np.maximum(orders / np.maximum(buys, 1e-9), 1.0)

    def matrix(self) -> pd.DataFrame:
        """The features of the logistic model."""
        return design(self.features, self.horizon_days).assign(posterior=self.posterior())

    def levelled(self, stay_away: np.ndarray) -> np.ndarray:
        """Move all log odds by one amount, so that their mean is the bank's with the error of last year's season made good.

        What a learner knows of the level comes from windows of another season; the bank's has none.
        """
        odds, wanted = logit(stay_away), expit(self.posterior() + SEASON_WEIGHT * self.season_error).mean()
        return expit(odds + brentq(lambda shift: expit(odds + shift).mean() - wanted, -40, 40))


def snapshot(days: pd.DataFrame, cutoff: date, horizon_days: int, last: date, season: bool = False) -> Snapshot:
    """Look at the shop as it stood at `cutoff`.

    Parameters
    ----------
    days : pandas.DataFrame
        Purchase days up to `last`: `customer_id`, `day`, `spend`.
    cutoff, last : datetime.date
        What comes after `cutoff` is the outcome, and is kept only if the whole horizon lies before `last`.
    season : bool
        Whether to look up by how much the models of the bank were wrong in the same season a year earlier.

    Returns
    -------
    Snapshot
    """
    seen = days.rename(columns={"day": "ordered_at", "spend": "net_amount"})
    features = customer_features(seen, cutoff)
    bank = {name: model(prior_weight=1.0).fit(features) for name, model in MODELS.items()}
    end, error = cutoff + timedelta(days=horizon_days), _season_error(days, cutoff, horizon_days) if season else 0.0
    if end > last:
        return Snapshot(cutoff, horizon_days, features, bank, season_error=error)
    after = days[(days["day"] > pd.Timestamp(cutoff)) & (days["day"] <= pd.Timestamp(end))]
    spend = after.groupby("customer_id")["spend"].sum().reindex(features.index, fill_value=0.0).to_numpy()
    return Snapshot(cutoff, horizon_days, features, bank, stayed_away=spend <= 0, spend=spend, season_error=error)


def _season_error(days: pd.DataFrame, cutoff: date, horizon_days: int) -> float:
    """By how much more, in log odds, customers stayed away than the bank said a year before; 0.0 where it cannot be told."""
    year_ago = cutoff - timedelta(days=YEAR)
    first = days["day"].min().date() if len(days) else cutoff
    if horizon_days > YEAR or (year_ago - first).days < max(SEASON_HISTORY, horizon_days):
        return 0.0
    before = snapshot(days, year_ago, horizon_days, cutoff)
    chance = expit(before.posterior())
    precision = (chance * (1 - chance)).sum()
    return _level_error(chance, before.stayed_away) * LEVEL_SPREAD**2 / (LEVEL_SPREAD**2 + 1 / max(precision, 1e-9))


def baskets(features: pd.DataFrame) -> np.ndarray:
    """Expected value of a purchase day: Gamma-Gamma on all purchase days, the first among them."""
    visits = features["frequency"] + 1
    known = pd.DataFrame({"frequency": visits, "monetary_value": features["spend_total"] / visits})
    return GammaGammaModel(prior_weight=1.0).fit(known).expected_average_value(known).to_numpy()


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
    """Clip each column to its central 99%, centre and scale it; the column `posterior` is carried ten times as large.

    A ridge penalty after it therefore leaves the posterior almost free and shrinks the corrections.
    """

    def fit(self, X: pd.DataFrame, y=None) -> Standardiser:
        """Learn limits, means and spreads."""
        values = X.to_numpy(dtype="float64")
        self.low_, self.high_ = np.quantile(values, [0.005, 0.995], axis=0)
        clipped = np.clip(values, self.low_, self.high_)
        spread = clipped.std(axis=0)
        self.mean_ = clipped.mean(axis=0)
        self.factor_ = np.where(X.columns == "posterior", 10.0, 1.0) / np.where(spread > 1e-9, spread, 1.0)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Apply them."""
        return (np.clip(X.to_numpy(dtype="float64"), self.low_, self.high_) - self.mean_) * self.factor_


def logistic(snapshots: int) -> Pipeline:
    """Return the unfitted logistic pipeline; its ridge penalty grows with the number of stacked snapshots of one customer."""
    return make_pipeline(Standardiser(), LogisticRegression(C=1 / (100 * snapshots), max_iter=500))


def churn_probability(name: str, training: list[Snapshot], at: Snapshot, random_state: int = 0) -> np.ndarray:
    """Return one candidate's P(no purchase in the horizon) for the customers of a snapshot.

    Parameters
    ----------
    name : str
        One of `CANDIDATES`.
    training : list of Snapshot
        Snapshots whose outcomes were known at `at.cutoff`; the models of the bank need none.
    at : Snapshot
        Whom to score.
    random_state : int
        Draws the rows to learn from where there are more than 100,000.
    """
    if name in MODELS:
        return at.no_purchase(name)
    y = np.concatenate([each.stayed_away for each in training]).astype(int)
    simple = name == "recency rule"
    X = pd.concat([each.features if simple else each.matrix() for each in training], ignore_index=True)
    if len(y) > MOST_ROWS:
        rows = np.sort(np.random.default_rng(random_state).choice(len(y), MOST_ROWS, replace=False))
        X, y = X.iloc[rows], y[rows]
    model = (RecencyRule() if simple else logistic(len(training))).fit(X, y)
    if simple:
        return np.clip(model.predict_proba(at.features)[:, 1], CLIP, 1 - CLIP)
    return np.clip(at.levelled(np.clip(model.predict_proba(at.matrix())[:, 1], CLIP, 1 - CLIP)), CLIP, 1 - CLIP)


def earlier_cutoffs(first: date, last: date, horizon_days: int) -> list[date]:
    """Return the cutoffs of the backtest, latest first: a horizon before `last`, and from there back by thirds of it.

    Examples
    --------
    >>> [str(day) for day in earlier_cutoffs(date(2026, 1, 1), date(2026, 6, 30), 60)]
    ['2026-05-01', '2026-04-11', '2026-03-22', '2026-03-02', '2026-02-10']
    """
    step, enough = -(-horizon_days // STEPS), min(horizon_days, max(28, horizon_days // 2))
    days = [last - timedelta(days=horizon_days + step * back) for back in range(ORIGINS + STEPS + TRAINING - 1)]
    return [day for day in days if (day - first).days >= enough]


def usable(each: Snapshot) -> bool:
    """Whether a snapshot has enough customers of both kinds to learn from or to judge by."""
    away = int(each.stayed_away.sum())
    return len(each.stayed_away) >= FEWEST_CUSTOMERS and min(away, len(each.stayed_away) - away) >= FEWEST_RARE


@dataclass(frozen=True)
class Backtest:
    """What the rolling backtest found; `to_dict` gives it as plain JSON values.

    `candidates` holds, by name and cutoff, log loss and AUC; `calibration` ten groups by score with
    the share predicted and the share that stayed away (its 90% interval widened by the error of the
    shop's level); `deciles` the spend predicted and seen at the latest cutoff.
    """

    horizon_days: int
    chosen: str
    reason: dict[str, Any]
    cutoffs: list[date] = field(default_factory=list)
    customers: list[int] = field(default_factory=list)
    base_rate: list[float] = field(default_factory=list)
    candidates: dict[str, dict[str, Any]] = field(default_factory=dict)
    calibration: dict[str, list] = field(default_factory=dict)
    deciles: dict[str, list] = field(default_factory=dict)
    edges: np.ndarray = field(default_factory=lambda: np.array([]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the edges as plain values."""
        return plain({name: value for name, value in vars(self).items() if name != "edges"})


def run(earlier: list[Snapshot], horizon_days: int, random_state: int = 0) -> Backtest | None:
    """Score every candidate at earlier cutoffs and choose one.

    Parameters
    ----------
    earlier : list of Snapshot
        As of `earlier_cutoffs`, latest first, all with outcomes.

    Returns
    -------
    Backtest or None
        None where no earlier cutoff has enough customers. A candidate that needs training is judged
        only where outcomes were known by then; if that is nowhere, the models of the bank compete alone.
    """
    origins = {k: [each for each in earlier[k + STEPS : k + STEPS + TRAINING] if usable(each)] for k in range(min(ORIGINS, len(earlier)))}
    origins = {k: training for k, training in origins.items() if usable(earlier[k])}
    trained = {k: training for k, training in origins.items() if training}
    names = CANDIDATES if trained else tuple(MODELS)
    scored = [
        (earlier[k], {name: churn_probability(name, training, earlier[k], random_state) for name in names})
        for k, training in (trained or origins).items()
    ]
    return _report(scored, names, horizon_days) if scored else None


def _report(scored: list[tuple[Snapshot, dict[str, np.ndarray]]], names: tuple[str, ...], horizon_days: int) -> Backtest:
    losses = {name: [_log_loss(at.stayed_away, scores[name]) for at, scores in scored] for name in names}
    table = {}
    for name in names:
        each = [float(loss.mean()) for loss in losses[name]]
        auc = [float(roc_auc_score(at.stayed_away, scores[name])) for at, scores in scored]
        table[name] = {"log_loss": each, "auc": auc, "mean_log_loss": float(np.mean(each)), "mean_auc": float(np.mean(auc))}
    chosen, reason = _choose(losses, [at.features.index for at, _ in scored])
    outcomes = [(scores[chosen], at.stayed_away) for at, scores in scored]
    edges, calibration = _calibration(outcomes)
    return Backtest(
        horizon_days, chosen, reason, [at.cutoff for at, _ in scored], [len(at.features) for at, _ in scored],
        [float(at.stayed_away.mean()) for at, _ in scored], table, calibration, _deciles(*scored[0], chosen), edges,
    )  # fmt: skip


def _log_loss(away: np.ndarray, score: np.ndarray) -> np.ndarray:
    return -np.log(np.where(away, score, 1 - score))


def _choose(losses: dict[str, list[np.ndarray]], customers: list[pd.Index]) -> tuple[str, dict[str, Any]]:
    """The simplest candidate within one standard error of the best; the error counts customers, not rows."""
    pooled = {name: np.concatenate(each) for name, each in losses.items()}
    best = min(pooled, key=lambda name: pooled[name].mean())
    who = pd.Index(np.concatenate([index.to_numpy() for index in customers]))
    for name, loss in pooled.items():
        behind = loss - pooled[best]
        gap = behind.mean()
        error = float(np.sqrt((pd.Series(behind - gap).groupby(who).sum() ** 2).sum()) / len(behind))
        if gap <= error or name == best:
            variant = "only" if len(pooled) < len(CANDIDATES) else "best" if name == best else "simpler"
            return name, {"key": f"forecast.chosen.{variant}", "args": {"chosen": name, "best": best, "gap": float(gap), "error": error}}
    raise AssertionError("the best candidate ties with itself")


def _calibration(outcomes: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, dict[str, list]]:
    score, away = (np.concatenate(part) for part in zip(*outcomes, strict=True))
    groups = max(1, min(10, len(score) // 30))
    edges = np.unique(np.quantile(score, np.linspace(0, 1, groups + 1)[1:-1]))
    edges = edges[edges < score.max()]
    group = np.searchsorted(edges, score)
    n, lost, predicted = (np.bincount(group, weights, minlength=len(edges) + 1) for weights in (None, away, score))
    low, high = widened(lost, n, len(outcomes), [_level_error(*pair) for pair in outcomes])
    table = {"predicted": predicted / n, "observed": lost / n, "lows": low, "highs": high, "ns": n}
    return edges, {name: values.tolist() for name, values in table.items()}


def _level_error(score: np.ndarray, away: np.ndarray) -> float:
    """By how much the whole shop stayed away more than predicted, in log odds."""
    return float(logit((away.sum() + 0.5) / (len(away) + 1)) - logit(score.mean()))


def widened(lost: np.ndarray, n: np.ndarray, windows: int, level_errors: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return the 90% interval of the share of a group that will stay away, with the error of the shop's level on top.

    Windows that overlap by two thirds are not as many observations as they have rows, and the next
    group as large varies as much again, so counts are scaled down. The variance of the level error is
    drawn to 0.3 squared as if by two earlier windows; its quantile is Student's. An end at which a whole
    group may well be alike is 0 or 1.
    """
    independent = 1 + (windows - 1) / STEPS
    scale = independent / windows / 2
    kept, gone = (n - lost) * scale + 0.5, lost * scale + 0.5
    seen = independent * float(np.mean(np.square(level_errors))) if level_errors else 0.0
    freedom = 2 + (independent if level_errors else 0)
    shift = stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt((2 * LEVEL_SPREAD**2 + seen) / freedom)
    middle, tail = logit(gone / (gone + kept)), (1 - LEVEL) / 2
    ends = [logit(np.clip(betaincinv(gone, kept, at), 1e-9, 1 - 1e-9)) for at in (tail, 1 - tail)]
    low, high = (expit(middle + np.sign(end - middle) * np.hypot(end - middle, shift)) for end in ends)
    alike = [share ** (n / windows) > tail for share in (1 - low, high)]
    return np.where(alike[0], 0.0, np.minimum(low, lost / n)), np.where(alike[1], 1.0, np.maximum(high, lost / n))


def _deciles(at: Snapshot, scores: dict[str, np.ndarray], chosen: str) -> dict[str, list]:
    """Customers of the latest earlier cutoff in ten groups by expected spend: mean predicted and mean seen."""
    predicted = at.expected_orders(chosen, scores[chosen]) * baskets(at.features)
    groups = np.array_split(np.argsort(-predicted, kind="stable"), min(10, len(predicted)))
    return {
        "predicted": [float(predicted[group].mean()) for group in groups],
        "actual": [float(at.spend[group].mean()) for group in groups],
        "ns": [len(group) for group in groups],
    }
