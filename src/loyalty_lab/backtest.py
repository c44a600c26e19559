"""How well each way of forecasting did at earlier cutoffs of the same shop, and which of them to trust."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import betaincinv, expit, logit, stdtrit
from sklearn.metrics import roc_auc_score

from loyalty_lab.learners import RIDGE, RIDGE_LEVEL, BuyerSpend, OffsetLogistic, RecencyRule, boosted_trees
from loyalty_lab.results import plain
from loyalty_lab.snapshots import MODELS, STEPS, YEAR, History, Snapshot, earlier_cutoffs, learning_horizon

LEARNED = ("logistic", "stacked")
CANDIDATES = ("recency rule", *MODELS, *LEARNED)
VALUES = ("spend rate", "orders and baskets", "hurdle")
ORIGINS, ORIGINS_IF_MANY, MANY = 4, 2, 10_000
FEWEST_CUSTOMERS = 30
FEWEST_RARE = 5
FEWEST_BUYERS = 50
HALF_WEIGHT = 100.0
LEVEL = 0.90
LEVEL_SPREAD, REVENUE_SPREAD, DRIFT = 0.3, 0.25, 0.17
SEASON_WEIGHT, RECENT_WEIGHT = 0.7, 0.5
CLIP = 1e-6


def usable(each: Snapshot) -> bool:
    """Whether a snapshot has enough customers of both kinds to learn from or to judge by."""
    away = int(each.stayed_away.sum())
    return len(each.stayed_away) >= FEWEST_CUSTOMERS and min(away, len(each.stayed_away) - away) >= FEWEST_RARE


class Candidates:
    """Every way of forecasting, for the customers of one snapshot, from what was known on its day.

    Parameters
    ----------
    at : Snapshot
        Whom to score; its `horizon_days` is that of the training.
    training : list of Snapshot
        Snapshots whose outcomes were known at `at.cutoff`.
    horizon_days : int
        How far to look ahead. Where it is longer than the training's, what was learnt is carried over as a
        correction of the models' odds.
    """

    def __init__(self, at: Snapshot, training: list[Snapshot], horizon_days: int):
        self.at, self.horizon_days = at, horizon_days
        self.training = [each for each in training if usable(each)]
        self._chances: dict[str, np.ndarray] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The ways of forecasting churn that this history allows, simplest first."""
        return CANDIDATES if self.training else tuple(MODELS)

    @property
    def values(self) -> tuple[str, ...]:
        """The ways of forecasting spend that this history allows, simplest first."""
        buyers = sum((~each.stayed_away).sum() for each in self.training)
        return VALUES if buyers >= FEWEST_BUYERS else VALUES[:-1]

    def churn(self, name: str) -> np.ndarray:
        """P(no purchase in the horizon) of every customer by one way of forecasting."""
        if name in MODELS:
            return np.clip(self.at.no_purchase(name, self.horizon_days), CLIP, 1 - CLIP)
        return np.clip(expit(self._levelled(self._odds(name))), CLIP, 1 - CLIP)

    def _odds(self, name: str) -> np.ndarray:
        """Log odds of staying away by a learner, at the level that its training had."""
        # To a whole group the rule gives one number, which a way over the bank and back would split by rounding.
        if name == "recency rule" and self.horizon_days == self.at.horizon_days:
            return logit(self._chance(name))
        odds, correction = self.at.posterior(self.horizon_days), self._correction(name)
        if name == "recency rule":
            return odds + correction
        rare = np.mean([min(each.stayed_away.sum(), (~each.stayed_away).sum()) for each in self.training])
        return odds + rare / (rare + HALF_WEIGHT) * correction

    def _correction(self, name: str) -> np.ndarray:
        """By how much a learner moves the bank's log odds at the training's horizon."""
        if name == "stacked":
            return (self._correction("logistic") + self._correction("trees")) / 2
        return logit(self._chance(name)) - self.at.posterior(self.at.horizon_days)

    def _chance(self, name: str) -> np.ndarray:
        """P(no purchase in the training's horizon) by a learner."""
        if name not in self._chances:
            simple = name == "recency rule"
            X = pd.concat([each.features if simple else each.matrix for each in self.training], ignore_index=True)
            y = np.concatenate([each.stayed_away for each in self.training]).astype(int)
            learner = self._learner(name, len(y)).fit(X, y)
            chance = learner.predict_proba(self.at.features if simple else self.at.matrix)[:, 1]
            self._chances[name] = np.clip(chance, CLIP, 1 - CLIP)
        return self._chances[name]

    def _learner(self, name: str, rows: int):
        if name == "recency rule":
            return RecencyRule()
        stacked = len(self.training)
        return OffsetLogistic(RIDGE * stacked, RIDGE_LEVEL * stacked) if name == "logistic" else boosted_trees(rows)

    def _levelled(self, odds: np.ndarray) -> np.ndarray:
        """Move all log odds by one amount: what learners know of the shop's level comes from another season, the bank's has none.

        Once a whole year is known the bank has averaged over all seasons, and its level counts; where it was
        seen in the same season before, most of the error it had then is made good. In the first year
        neither knows better: the level lies half-way.
        """
        posterior, season = self.at.posterior(self.horizon_days), [each for each in self.training if each.season]
        errors = [shrunken_level_error(each.posterior(each.horizon_days), each.stayed_away) for each in season]
        wanted = expit(posterior + (SEASON_WEIGHT * np.mean(errors) if season else 0.0)).mean()
        whole_year = bool(self.at.features["T"].max() >= YEAR)
        return odds + (1.0 if whole_year else 1 - RECENT_WEIGHT) * _shift(odds, wanted)

    def orders(self, churn: np.ndarray) -> np.ndarray:
        """Expected purchase days: those of a buyer by the bank, times the chance of buying at all."""
        buys = 1 - expit(self.at.posterior(self.horizon_days))
        return (1 - churn) * np.maximum(self.at.orders(self.horizon_days) / np.maximum(buys, CLIP), 1.0)

    def value(self, name: str, churn: np.ndarray) -> np.ndarray:
        """Expected spend of every customer by one way of forecasting."""
        anchor = self.at.orders(self.horizon_days) * self.at.basket
        if name == "spend rate":
            return self.at.features["spend_total"].to_numpy() / np.maximum(self.at.features["T"].to_numpy(), 7) * self.horizon_days
        season = [shrunken_revenue_error(each) for each in self.training if each.season]
        total = anchor.sum() * np.exp(SEASON_WEIGHT * np.mean(season) if season else 0.0)
        spend = anchor if name == "orders and baskets" else self._hurdle(churn, anchor)
        return spend * total / max(spend.sum(), 1e-9)

    def _hurdle(self, churn: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """Geometric mean of three: the chance of buying times a buyer's spend by ridge and by trees, and orders times baskets."""
        y = np.concatenate([each.spend for each in self.training])
        X = pd.concat([each.matrix for each in self.training], ignore_index=True)
        spend = BuyerSpend(len(self.training)).fit(X[y > 0], y[y > 0])
        near, far = (
            self.at.orders(days) / np.maximum(1 - expit(self.at.posterior(days)), CLIP)
            for days in (self.at.horizon_days, self.horizon_days)
        )
        parts = [(1 - churn) * part * far / np.maximum(near, 1e-9) for part in spend.both(self.at.matrix)]
        return np.exp(np.mean([np.log(np.maximum(part, CLIP)) for part in (*parts, anchor)], axis=0))

    def total_interval(self, spend: np.ndarray, level: float = LEVEL) -> tuple[float, float]:
        """Return the interval of the shop's total spend.

        Student's t on the log total: the squared errors of the totals of earlier windows, drawn to 0.17 squared
        as if by two, and the variance of a sum over customers. Windows that overlap count as what they cover.
        """
        errors, sampling, windows = [revenue_error(each) for each in self.training], 0.0, 0.0
        if errors:
            latest = self.training[0]
            span = (latest.cutoff - min(each.cutoff for each in self.training)).days
            windows, sampling = 1 + span / latest.horizon_days, _sampling_variance(latest)
        drift = (2 * DRIFT**2 + windows * (np.mean(np.square(errors)) if errors else 0.0)) / (2 + windows)
        width = stdtrit(2 + windows, (1 + level) / 2) * np.sqrt(drift + sampling)
        return float(spend.sum() * np.exp(-width)), float(spend.sum() * np.exp(width))


def _shift(odds: np.ndarray, wanted: float) -> float:
    """The amount to add to all log odds so that their mean probability is as wanted."""
    if not len(odds):
        return 0.0
    wanted = min(max(wanted, CLIP), 1 - CLIP)
    return brentq(lambda shift: expit(odds + shift).mean() - wanted, -40, 40)


def shrunken_level_error(odds: np.ndarray, away: np.ndarray) -> float:
    """By how much more, in log odds, a shop's customers stayed away than was said; drawn to nothing where few could tell."""
    chance = expit(odds)
    error = _shift(odds, (away.sum() + 0.5) / (len(away) + 1))
    return error * LEVEL_SPREAD**2 / (LEVEL_SPREAD**2 + 1 / max((chance * (1 - chance)).sum(), 1e-9))


def revenue_error(each: Snapshot) -> float:
    """Log of what a shop's customers spent over what orders and baskets had said."""
    said = (each.orders(each.horizon_days) * each.basket).sum()
    return float(np.log(each.spend.sum() / said)) if said > 0 and each.spend.sum() > 0 else 0.0


def shrunken_revenue_error(each: Snapshot) -> float:
    """The same, drawn to nothing where few could tell."""
    return revenue_error(each) * REVENUE_SPREAD**2 / (REVENUE_SPREAD**2 + _sampling_variance(each))


def _sampling_variance(each: Snapshot) -> float:
    """Variance of the log of a sum over customers, from how far each was from what was said, the total being right."""
    said, total = each.orders(each.horizon_days) * each.basket, each.spend.sum()
    if total <= 0:
        return 1.0
    return float(((each.spend - said * total / max(said.sum(), 1e-9)) ** 2).sum() / total**2)


@dataclass(frozen=True)
class Backtest:
    """What the rolling backtest found; `to_dict` gives it as plain JSON values.

    `candidates` holds, by name and cutoff, log loss and AUC of the forecasts of churn, `values` the deviance and
    rank correlation of those of spend, all of them `tested_days` ahead; `calibration` ten groups by score with
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
    tested_days: int = 0
    chosen_value: str = ""
    values: dict[str, dict[str, Any]] = field(default_factory=dict)
    total: dict[str, float] = field(default_factory=dict)
    edges: np.ndarray = field(default_factory=lambda: np.array([]))

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the edges as plain values."""
        return plain({name: value for name, value in vars(self).items() if name != "edges"})


@dataclass(frozen=True)
class _Origin:
    """What every way of forecasting said at one earlier cutoff, and what came after."""

    at: Snapshot
    churn: dict[str, np.ndarray]
    spend: dict[str, np.ndarray]


def run(history: History, horizon_days: int) -> Backtest | None:
    """Score every candidate at earlier cutoffs, each learning only from what was known there, and choose one.

    Where the horizon fits less than three times into the history (to learn, to be tested, and to have been
    a customer before), shorter windows are looked at.

    Returns
    -------
    Backtest or None
        None where no earlier cutoff has enough customers, or the horizon is longer than the history. A candidate that
        needs training is judged only where outcomes were known by then; if that is nowhere, the models of the bank compete alone.
    """
    if (history.last - history.first).days + 1 < horizon_days:
        return None
    tested = learning_horizon(history.first, history.last, horizon_days, times=3)
    origins = []
    most = ORIGINS_IF_MANY if len(history.names) > MANY else ORIGINS
    for cutoff in earlier_cutoffs(history.first, history.last, tested, most):
        at = history.at(cutoff, tested)
        if usable(at):
            origins.append((at, history.training(cutoff, learning_horizon(history.first, cutoff, tested))))
    trained = [(at, training) for at, training in origins if any(usable(each) for each in training)]
    scored = [_score(history, at, training, tested) for at, training in trained or origins]
    return _report(scored, horizon_days, tested) if scored else None


def _score(history: History, at: Snapshot, training: list[Snapshot], horizon_days: int) -> _Origin:
    learnt = training[0].horizon_days if training else horizon_days
    candidates = Candidates(at if learnt == horizon_days else history.at(at.cutoff, learnt), training, horizon_days)
    churn = {name: candidates.churn(name) for name in candidates.names}
    best = churn["stacked" if "stacked" in churn else next(iter(churn))]
    return _Origin(at, churn, {name: candidates.value(name, best) for name in candidates.values})


def _report(scored: list[_Origin], horizon_days: int, tested: int) -> Backtest:
    names, values = (tuple(getattr(scored[0], kind)) for kind in ("churn", "spend"))
    values = tuple(name for name in values if all(name in origin.spend for origin in scored))
    customers = [origin.at.features.index for origin in scored]
    losses = {name: [_log_loss(origin.at.stayed_away, origin.churn[name]) for origin in scored] for name in names}
    deviances = {name: [_deviance(origin.at.spend, origin.spend[name]) for origin in scored] for name in values}
    chosen, reason = _choose(losses, customers)
    chosen_value = _choose(deviances, customers)[0]
    edges, calibration = _calibration([(origin.churn[chosen], origin.at.stayed_away) for origin in scored])
    auc = {name: [float(roc_auc_score(origin.at.stayed_away, origin.churn[name])) for origin in scored] for name in names}
    rank = {name: [_rank_correlation(origin.at.spend, origin.spend[name]) for origin in scored] for name in values}
    return Backtest(
        horizon_days, chosen, reason, [origin.at.cutoff for origin in scored], [len(index) for index in customers],
        [float(origin.at.stayed_away.mean()) for origin in scored], _table("log_loss", losses, "auc", auc), calibration,
        _deciles(scored[0], chosen_value), tested, chosen_value, _table("deviance", deviances, "rank", rank), edges=edges,
    )  # fmt: skip


def _table(loss: str, losses: dict[str, list[np.ndarray]], score: str, scores: dict[str, list[float]]) -> dict[str, dict[str, Any]]:
    """Loss and score of every candidate, by cutoff and on average."""
    means = {name: [float(each.mean()) for each in by_cutoff] for name, by_cutoff in losses.items()}
    return {
        name: {
            loss: means[name],
            score: scores[name],
            f"mean_{loss}": float(np.mean(means[name])),
            f"mean_{score}": float(np.mean(scores[name])),
        }
        for name in losses
    }


def _log_loss(away: np.ndarray, score: np.ndarray) -> np.ndarray:
    return -np.log(np.where(away, score, 1 - score))


def _deviance(spend: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Tweedie deviance of power 1.5, that of a random number of gamma amounts: smallest at the mean, whole where nothing was spent."""
    root = np.sqrt(np.maximum(said, CLIP))
    return 4 * (root - np.sqrt(spend)) ** 2 / root


def _rank_correlation(spend: np.ndarray, said: np.ndarray) -> float:
    """Spearman's."""
    ranks = pd.DataFrame({"spend": spend, "said": said}).rank()
    both = ranks["spend"].std() * ranks["said"].std()
    return float(ranks["spend"].cov(ranks["said"]) / both) if both > 0 else 0.0


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
            variant = "only" if tuple(pooled) == tuple(MODELS) else "best" if name == best else "simpler"
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


def interval(report: Backtest, churn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `churn_low` and `churn_high`: the interval of the group of the backtest a score falls in.

    Where shorter windows were tested, groups are found by rank and the interval is carried over as distances in log odds.
    """
    table = {name: np.array(report.calibration[name]) for name in ("predicted", "lows", "highs", "ns")}
    if report.tested_days == report.horizon_days:
        group = np.searchsorted(report.edges, churn)
        low, high = table["lows"][group], table["highs"][group]
    else:
        cuts = np.quantile(churn, np.cumsum(table["ns"])[:-1] / table["ns"].sum())
        group = np.searchsorted(cuts, churn)
        said, odds = (logit(np.clip(each, CLIP, 1 - CLIP)) for each in (table["predicted"][group], churn))
        low, high = (expit(odds + logit(np.clip(table[name][group], CLIP, 1 - CLIP)) - said) for name in ("lows", "highs"))
    return np.minimum(low, churn), np.maximum(high, churn)


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


def _deciles(origin: _Origin, chosen: str) -> dict[str, list]:
    """Customers of the latest earlier cutoff in ten groups by expected spend: mean predicted and mean seen."""
    predicted, spend = origin.spend[chosen], origin.at.spend
    groups = np.array_split(np.argsort(-predicted, kind="stable"), min(10, len(predicted)))
    return {
        "predicted": [float(predicted[group].mean()) for group in groups],
        "actual": [float(spend[group].mean()) for group in groups],
        "ns": [len(group) for group in groups],
    }
