"""What each customer is likely to do in the horizon, and what that is worth; as sure as the shop's history allows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import database, metrics
from loyalty_lab.customers import HORIZONS, PER_UNIT, purchase_days, ten_thousandths
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.features import customer_features

if TYPE_CHECKING:
    from loyalty_lab.backtest import Backtest
    from loyalty_lab.results import Fact
    from loyalty_lab.shop import Shop, ShopSettings
    from loyalty_lab.snapshots import History, Snapshot

COLUMNS = ("churn_probability", "expected_orders", "expected_spend", "churn_low", "churn_high", "model")
YEAR = 365.25
FEWEST_TO_RATE = 5
EARLIER = 10
PRIOR_ORDERS = 2.0


class CustomerForecaster:
    """Forecast churn, orders and spend of every customer, by the way of forecasting that did best before.

    Candidates for churn, simplest first: shares by time of silence (``recency rule``), ``BG/NBD``, ``MBG/NBD``,
    ``Pareto/NBD``, and corrections of the three models' mean odds learnt from earlier snapshots: ``logistic``,
    and the mean of it and small boosted trees (``stacked``). Candidates for spend: ``spend rate``, ``orders and
    baskets``, ``hurdle``. They are scored at up to four earlier cutoffs of the same shop, each learning only from
    outcomes known by then; the simplest within one standard error of the smallest loss is used. Where the history
    does not allow that, everybody gets the shop's shrunken rate, and `model` says so (``shrunken rate``, ``too early``).

    Parameters
    ----------
    horizon_days : int
        How far to look ahead.
    random_state : int, default 0
        Seed of the only draws: whose earlier days to look at, and whom to fit on, in a very large shop.

    Attributes
    ----------
    backtest_ : loyalty_lab.backtest.Backtest
        How every candidate did, which was chosen and why; `total` is the shop's expected spend with its 90% interval.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2026-01-01"], "net_amount": [12.0]})
    >>> CustomerForecaster(91).fit(orders, date(2026, 3, 1)).predict()["model"].tolist()
    ['too early']
    """

    def __init__(self, horizon_days: int, random_state: int = 0):
        self.horizon_days = horizon_days
        self.random_state = random_state

    def fit(self, orders: pd.DataFrame, cutoff: date) -> CustomerForecaster:
        """Backtest the candidates and fit the chosen one on what was known at the cutoff.

        Parameters
        ----------
        orders : pandas.DataFrame
            At least `customer_id`, `ordered_at`, `net_amount`; rows after the cutoff are not looked at.
        cutoff : datetime.date
            Last day that may be seen.

        Raises
        ------
        InputError
            If an amount is missing or infinite, or the horizon is longer than the history and a shorter one would do.
        """
        from loyalty_lab.snapshots import History

        cutoff = pd.Timestamp(cutoff).date()
        return self.fit_history(History(purchase_days(orders, cutoff), cutoff, self.random_state))

    def fit_history(self, history: History) -> CustomerForecaster:
        """The same from a shop's history, which may lie elsewhere; its last day is the cutoff."""
        from threadpoolctl import threadpool_limits

        # One thread: sums come out the same on every machine, and small matrices are faster so.
        with threadpool_limits(1):
            self._fit(history)
        return self

    def _fit(self, history: History) -> None:
        from loyalty_lab import backtest, snapshots

        cutoff = history.last
        self._check_horizon(history)
        report = backtest.run(history, self.horizon_days)
        learnt = snapshots.learning_horizon(history.first, cutoff, self.horizon_days)
        now = history.now(learnt)
        self._index = pd.Index(history.names[now.features.index.astype("int64")], name="customer_id")
        candidates = backtest.Candidates(now, history.training(cutoff, learnt), self.horizon_days)
        if report is None:
            self._churn, self._low, self._high, report = _shrunken(history, now, self.horizon_days)
        else:
            self._churn = candidates.churn(report.chosen)
            self._low, self._high = backtest.interval(report, self._churn)
        self._spend = candidates.value(report.chosen_value or "orders and baskets", self._churn)
        self._orders = candidates.orders(self._churn)
        low, high = candidates.total_interval(self._spend)
        self.backtest_ = replace(report, total={"expected": float(self._spend.sum()), "low": low, "high": high})

    def _check_horizon(self, history: History) -> None:
        """Refuse a horizon that is longer than the history where a shorter one can be tested."""
        from loyalty_lab import backtest, snapshots

        days = (history.last - history.first).days + 1
        shorter = [each for each in HORIZONS if each <= days]
        if self.horizon_days <= days or not shorter:
            return
        before = (snapshots.earlier_cutoffs(history.first, history.last, each, 1) for each in shorter)
        if any(day and backtest.usable(history.at(day[0], each)) for each, day in zip(shorter, before, strict=True)):
            what = f"{self.horizon_days} is longer than the history of {days} days"
            raise InputError("horizon_days", what, f"the longest usable one is {shorter[-1]}")

    def predict(self) -> pd.DataFrame:
        """Return one row for every customer known at the cutoff.

        Returns
        -------
        pandas.DataFrame
            Index `customer_id`, sorted; no missing value. `churn_probability`: P(no purchase in the
            horizon). `expected_orders` (purchase days) and `expected_spend` (currency) in the horizon.
            `churn_low`, `churn_high`: 90% interval of the share of customers with this score who stay
            away. `model`: what was used.
        """
        values = (self._churn, self._orders, self._spend, self._low, self._high)
        table = pd.DataFrame(dict(zip(COLUMNS, values, strict=False)), index=self._index)
        table["model"] = pd.Series(self.backtest_.chosen, index=self._index, dtype="str")
        table.attrs["horizon_days"] = self.horizon_days
        return table


def _shrunken(history: History, now: Snapshot, horizon_days: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, Backtest]:
    """One rate for those who bought within the last horizon and one for the others, drawn to the shop's and that to a half."""
    from loyalty_lab.backtest import Backtest, widened
    from loyalty_lab.snapshots import earlier_cutoffs

    quiet = (now.features["days_since_last"] >= horizon_days).to_numpy()
    earlier = (history.at(day, horizon_days) for day in earlier_cutoffs(history.first, history.last, horizon_days, EARLIER))
    known = next((each for each in earlier if len(each.features) >= FEWEST_TO_RATE), None)
    if known is None:
        n = len(quiet)
        report = Backtest(horizon_days, "too early", {"key": "forecast.chosen.too_early", "args": {"customers": n}})
        return np.full(n, 0.5), np.full(n, 0.05), np.full(n, 0.95), report
    was_quiet = (known.features["days_since_last"] >= horizon_days).to_numpy()
    shop = (known.stayed_away.sum() + 1) / (len(was_quiet) + 2)
    n = np.array([(was_quiet == group).sum() for group in (False, True)]) + 5.0
    lost = np.array([known.stayed_away[was_quiet == group].sum() for group in (False, True)]) + 5.0 * shop
    low, high = widened(lost, n, 1, [])
    group = quiet.astype(int)
    reason = {"key": "forecast.chosen.shrunken_rate", "args": {"customers": len(was_quiet)}}
    report = Backtest(horizon_days, "shrunken rate", reason, [known.cutoff], [len(was_quiet)], [float(known.stayed_away.mean())])
    return (lost / n)[group], low[group], high[group], report


def forecast_customers(orders: pd.DataFrame, cutoff: date, horizon_days: int) -> pd.DataFrame:
    """Fit and predict in one call; see `CustomerForecaster`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2026-01-01"], "net_amount": [12.0]})
    >>> forecast_customers(orders, date(2026, 3, 1), 91)["churn_probability"].tolist()
    [0.5]
    """
    return CustomerForecaster(horizon_days).fit(orders, cutoff).predict()


def for_shop(shop: Shop, cutoff: date, horizon_days: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a shop's forecast with `customer_lifetime_value` and `save_value`, and its backtest as plain values."""
    forecaster = CustomerForecaster(horizon_days).fit(shop.orders, cutoff)
    scores = forecaster.predict()
    values = {"customer_lifetime_value": customer_lifetime_value(shop, scores), "save_value": save_value(shop, cutoff, scores)}
    return scores.assign(**values), forecaster.backtest_.to_dict()


def write(scores: pd.DataFrame, path: Path) -> None:
    """Write a forecast as Parquet."""
    with database.cursor() as db:
        db.register("scores", scores.reset_index())
        db.table("scores").order("customer_id").write_parquet(str(path))


def read(path: Path) -> pd.DataFrame:
    """Read a forecast written by `write`."""
    with database.cursor() as db:
        scores = db.execute("select * from read_parquet(?) order by customer_id", [str(path)]).df()
    return scores.set_index("customer_id")


def yearly_retention(orders: pd.DataFrame, cutoff: date) -> float:
    """Return the shop's retention rate of a year, drawn to a half as if by two customers: (kept + 1) / (started + 2).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2024-01-09", "2025-03-01"], "net_amount": 5.0})
    >>> yearly_retention(orders, date(2025, 12, 31))
    0.66...
    """
    return drawn_to_half(metrics.customer_retention_rate(orders, cutoff))


def drawn_to_half(rate: Fact) -> float:
    """Return a share as if two more had been counted, one of either kind; a half where nothing is known."""
    return 0.5 if rate.value is None else (rate.value * rate.n + 1) / (rate.n + 2)


def margin_rate(shop: Shop) -> float:
    """Return what the shop keeps of its net sales, between 0 and 1."""
    orders = shop.orders
    known = orders["margin_amount"] if "margin_amount" in orders.columns else pd.Series(np.nan, orders.index)
    sums = (orders["net_amount"], known, orders["net_amount"][known.isna()])
    return margin_of_sums(*(float(ten_thousandths(each).sum() / PER_UNIT) for each in sums), shop.settings.margin)


def margin_of_sums(sales: float, known: float, rest: float, usual: float) -> float:
    """Return what is kept of `sales`: the `known` margins of some orders, and of the `rest` of the sales the usual rate.

    Examples
    --------
    >>> margin_of_sums(100.0, 10.0, 50.0, 0.4)
    0.3
    """
    return float(np.clip((known + usual * rest) / sales, 0, 1)) if sales > 0 else usual


@dataclass(frozen=True)
class Standing:
    """What the value of a customer takes from the shop: its settings, margin rate, and retention rate of a year."""

    settings: ShopSettings
    margin: float
    retention: float

    @classmethod
    def of(cls, shop: Shop, cutoff: date) -> Standing:
        """That of a shop, its retention up to a day."""
        return cls(shop.settings, margin_rate(shop), yearly_retention(shop.orders, cutoff))

    def lifetime_value(self, spend: pd.Series, horizon_days: int) -> pd.Series:
        """See `customer_lifetime_value`; `spend` is what is expected in one horizon."""
        step, years = horizon_days / YEAR, self.settings.clv_years
        starts = step * np.arange(int(np.ceil(years / step - 1e-9)))
        weight = np.minimum(step, years - starts) / step
        discount = 1 + self.settings.discount_rate
        factor = float((weight * self.retention**starts * discount ** -(starts + step / 2)).sum())
        return (self.margin * factor * spend).rename("customer_lifetime_value")

    def save_value(self, forecast: pd.DataFrame, features: pd.DataFrame) -> pd.Series:
        """See the function of this name; `features` are those of all customers at the cutoff."""
        average = float(features["orders_365"].sum() / max((features["orders_365"] > 0).sum(), 1)) or 1.0
        features = features.reindex(forecast.index)
        own = (features["frequency"] + PRIOR_ORDERS) / (features["recency"] / YEAR + PRIOR_ORDERS / average)
        basket = forecast["expected_spend"] / forecast["expected_orders"].where(forecast["expected_orders"] > 0)
        typical = features["spend_total"] / (features["frequency"] + 1)
        q = self.retention / (1 + self.settings.discount_rate)
        years = sum(q**year for year in range(1, self.settings.clv_years + 1))
        value = self.margin * basket.fillna(typical) * own * years
        return value.fillna(0.0).clip(lower=0.0).rename("save_value")


def customer_lifetime_value(shop: Shop, forecast: pd.DataFrame, horizon_days: int | None = None) -> pd.Series:
    """Return the margin expected of each customer over the shop's `clv_years`, discounted to the cutoff.

    The forecast's spend s of one horizon of H days is carried on, falling by the shop's yearly
    retention r and discounted at d a year, from the middle of each horizon:

        CLV = M * s * sum over k of w_k * r^(k h) * (1 + d)^(-(k + 1/2) h),    h = H / 365.25 years,

    M the margin rate, w_k = 1 but for the last horizon, of which only the part before `clv_years` counts.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff.
    forecast : pandas.DataFrame
        As made by `CustomerForecaster.predict`.
    horizon_days : int, optional
        Its horizon, where the frame does not carry it in its `attrs`.

    Returns
    -------
    pandas.Series
        Shop's currency, never negative or missing.

    Raises
    ------
    UsageError
        If the horizon is not known.
    """
    horizon_days = horizon_days or forecast.attrs.get("horizon_days")
    if not horizon_days:
        raise UsageError("forecast", "does not carry its horizon", "give horizon_days")
    if forecast.empty:
        return forecast["expected_spend"].rename("customer_lifetime_value")
    return Standing.of(shop, shop.last_day).lifetime_value(forecast["expected_spend"], horizon_days)


def save_value(shop: Shop, cutoff: date, forecast: pd.DataFrame) -> pd.Series:
    """Return what it is worth to keep each customer who would otherwise be lost.

    A customer kept now buys f times a year at A with margin M in each later year with
    probability r^t (r the shop's yearly retention), discounted at d. Over all years that is

        S = M * A * f * (q + q^2 + ...) = M * A * f * r / (1 + d - r),    q = r / (1 + d);

    here it ends after `clv_years`. A is the customer's expected basket; f the own purchase days a
    year between first and last purchase, drawn to the shop's yearly average as if by two purchases.

    Returns
    -------
    pandas.Series
        Shop's currency, in the order of `forecast`, never negative or missing.
    """
    return Standing.of(shop, cutoff).save_value(forecast, customer_features(shop.orders, cutoff))
