"""The shop as it stood on earlier days: who its customers were, what the models said of them, and what came after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.special import logit

from loyalty_lab.btyd import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from loyalty_lab.btyd.likelihood import PurchaseModel
from loyalty_lab.customers import query
from loyalty_lab.features import customer_features, design
from loyalty_lab.learners import ODDS

MODELS = {"BG/NBD": BetaGeoModel, "MBG/NBD": ModifiedBetaGeoModel, "Pareto/NBD": ParetoNBDModel}
STEPS = 3
TRAINING = 4
MOST_CUSTOMERS = 25_000
MOST_TO_FIT = 50_000
FEWEST_TO_LEARN = 20
SEASON_HISTORY = 180
SHORTEST = 7
NEAR_SEASON = 10
YEAR = 365
CLIP = 1e-4
EVERY_WEIGHT = 1 / 3  # up to a half, spend is ranked better than with none


@dataclass(frozen=True)
class Snapshot:
    """The customers known at a cutoff, the models fitted on them, and (where a whole horizon followed) what came after.

    `horizon_days` is how far ahead it teaches to look; `season` says that what followed was the season
    that follows the forecast's own cutoff, a year or two earlier.
    """

    cutoff: date
    horizon_days: int
    features: pd.DataFrame
    bank: dict[str, PurchaseModel]
    value: GammaGammaModel
    season: bool = False
    stayed_away: np.ndarray | None = None
    spend: np.ndarray | None = None
    _asked: dict = field(default_factory=dict)

    def _once(self, name: str, horizon_days: int, work: Callable[[], np.ndarray]) -> np.ndarray:
        """Work something out for a horizon when it is first asked for, and keep it."""
        if (name, horizon_days) not in self._asked:
            self._asked[name, horizon_days] = work()
        return self._asked[name, horizon_days]

    def _of_models(self, name: str, horizon_days: int) -> np.ndarray:
        """One answer of every model of the bank, customers by models."""

        def ask() -> np.ndarray:
            return np.column_stack([getattr(model, name)(self.features, horizon_days).to_numpy() for model in self.bank.values()])

        return self._once(name, horizon_days, ask)

    def no_purchase(self, name: str, horizon_days: int) -> np.ndarray:
        """P(no purchase in the horizon) of one model."""
        return self._of_models("probability_no_purchase", horizon_days)[:, list(self.bank).index(name)]

    def odds(self, horizon_days: int) -> np.ndarray:
        """Log odds of staying away, customers by models."""
        never = self._of_models("probability_no_purchase", horizon_days)
        return self._once("odds", horizon_days, lambda: logit(np.clip(never, CLIP, 1 - CLIP)))

    def posterior(self, horizon_days: int) -> np.ndarray:
        """Mean log odds of staying away over the bank."""
        return self._once("posterior", horizon_days, lambda: self.odds(horizon_days).mean(axis=1))

    def orders(self, horizon_days: int) -> np.ndarray:
        """Expected purchase days, mean over the bank."""
        return self._once("orders", horizon_days, lambda: self._of_models("expected_purchases", horizon_days).mean(axis=1))

    @cached_property
    def basket(self) -> np.ndarray:
        """Expected value of a purchase day by Gamma-Gamma, learnt from repeat purchases and asked twice: with each customer's repeat
        purchases, and with all, for of most customers the first is all that is known. The geometric mean, 2 to 1."""
        repeat, every = (self.value.expected_average_value(of(self.features)) for of in (repeat_purchases, all_purchases))
        return (repeat ** (1 - EVERY_WEIGHT) * every**EVERY_WEIGHT).to_numpy()

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """What the learners see: the features' columns, and what the models say."""
        odds, h = self.odds(self.horizon_days), self.horizon_days
        return design(self.features, h).assign(
            **{ODDS: odds.mean(axis=1), "pareto_apart": odds[:, 2] - odds[:, 0], "mbg_apart": odds[:, 1] - odds[:, 0]},
            log_orders=np.log(self.orders(h) + 1e-3),
        )


def repeat_purchases(features: pd.DataFrame) -> pd.DataFrame:
    """Frequency and mean value as Gamma-Gamma learns them; all purchases where nobody came back."""
    visits = features["frequency"]
    if not visits.any():
        return all_purchases(features)
    later = (features["spend_total"] - features["first_spend"]) / visits.clip(lower=1)
    return pd.DataFrame({"frequency": visits, "monetary_value": later.where(visits > 0, 0.0).clip(lower=0.0)})


def all_purchases(features: pd.DataFrame) -> pd.DataFrame:
    days = features["frequency"] + 1
    return pd.DataFrame({"frequency": days, "monetary_value": (features["spend_total"] / days).clip(lower=0.0)})


@dataclass
class History:
    """A shop's purchase days up to a cutoff, and the snapshots taken of it.

    Parameters
    ----------
    days : pandas.DataFrame
        `customer_id`, `day`, `spend`, as of `customers.purchase_days`.
    last : datetime.date
        The cutoff: the last day that may be seen.
    random_state : int
        Draws the 25,000 customers whose earlier days are looked at in a larger shop.
    """

    days: pd.DataFrame
    last: date
    random_state: int = 0
    _taken: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        code, self.names = pd.factorize(self.days["customer_id"], sort=True)
        self._all = pd.DataFrame(
            {"customer_id": code, "ordered_at": self.days["day"].to_numpy(), "net_amount": self.days["spend"].to_numpy()}
        )
        self.first = self._all["ordered_at"].min().date() if len(self._all) else self.last
        self._few = self._all
        if len(self.names) > MOST_CUSTOMERS:
            chosen = np.random.default_rng(self.random_state).choice(len(self.names), MOST_CUSTOMERS, replace=False)
            self._few = self._all[np.isin(code, chosen)]

    def now(self, horizon_days: int) -> Snapshot:
        """Every customer at the cutoff itself."""
        return self._snapshot(self._all, self.last, horizon_days, False)

    def at(self, cutoff: date, horizon_days: int, season: bool = False) -> Snapshot:
        """An earlier day, with what came after."""
        key = (cutoff, horizon_days, season)
        if key not in self._taken:
            self._taken[key] = self._snapshot(self._few, cutoff, horizon_days, season)
        return self._taken[key]

    def _snapshot(self, days: pd.DataFrame, cutoff: date, horizon_days: int, season: bool) -> Snapshot:
        features = self._features(days, cutoff, horizon_days)
        fitted_on = features
        if len(features) > MOST_TO_FIT:
            rows = np.random.default_rng(self.random_state).choice(len(features), MOST_TO_FIT, replace=False)
            fitted_on = features.iloc[np.sort(rows)]
        bank = {name: model(prior_weight=1.0).fit(fitted_on) for name, model in MODELS.items()}
        value = GammaGammaModel(prior_weight=1.0).fit(repeat_purchases(fitted_on))
        end = cutoff + timedelta(days=horizon_days)
        if end > self.last:
            return Snapshot(cutoff, horizon_days, features, bank, value, season)
        spend = self._spend(days, cutoff, end).reindex(features.index, fill_value=0.0).to_numpy()
        return Snapshot(cutoff, horizon_days, features, bank, value, season, stayed_away=spend <= 0, spend=spend)

    def _features(self, days: pd.DataFrame, cutoff: date, horizon_days: int) -> pd.DataFrame:
        return customer_features(days, cutoff, horizon_days=horizon_days)

    def _spend(self, days: pd.DataFrame, cutoff: date, end: date) -> pd.Series:
        """What each customer spent after a cutoff until `end`, rounded once at most."""
        return query("spend_after", days, end, after=cutoff)["spend"]

    def training(self, cutoff: date, horizon_days: int) -> list[Snapshot]:
        """The snapshots whose outcomes were known at a cutoff, latest first: back by thirds of a horizon, and the season a year ago."""
        season = [cutoff - timedelta(days=YEAR * back) for back in (1, 2)]
        season = [day for day in season if horizon_days <= YEAR and (day - self.first).days >= max(SEASON_HISTORY, horizon_days)]
        near = [day for day in earlier_cutoffs(self.first, cutoff, horizon_days, TRAINING) if not _near(day, season)]
        taken = [self.at(day, horizon_days, day in season) for day in sorted(near + season, reverse=True)]
        return [each for each in taken if len(each.features) >= FEWEST_TO_LEARN]


def _near(day: date, others: list[date]) -> bool:
    return any(abs((day - other).days) <= NEAR_SEASON for other in others)


def learning_horizon(first: date, cutoff: date, horizon_days: int, times: int = 2) -> int:
    """Return how far ahead a history teaches to look: the horizon where it fits in so many times, else that part of the history.

    Examples
    --------
    >>> learning_horizon(date(2025, 1, 1), date(2026, 1, 1), 91), learning_horizon(date(2025, 1, 1), date(2025, 10, 1), 273)
    (91, 136)
    """
    history = (cutoff - first).days
    return horizon_days if history >= times * horizon_days else min(horizon_days, max(SHORTEST, history // times))


def earlier_cutoffs(first: date, last: date, horizon_days: int, most: int) -> list[date]:
    """Return earlier days with a whole horizon until `last`, latest first: a horizon before it, and from there back by thirds of it.

    Examples
    --------
    >>> [str(day) for day in earlier_cutoffs(date(2026, 1, 1), date(2026, 6, 30), 60, 9)]
    ['2026-05-01', '2026-04-11', '2026-03-22', '2026-03-02', '2026-02-10']
    """
    step, enough = max(SHORTEST, -(-horizon_days // STEPS)), min(horizon_days, max(28, horizon_days // 2))
    days = [last - timedelta(days=horizon_days + step * back) for back in range(most)]
    return [day for day in days if (day - first).days >= enough]
