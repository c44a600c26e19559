"""How good the forecasts are: every origin of three real shops, ours beside each single method, with paired intervals.

Splits, populations and metrics: a transaction is a customer's day; everybody with a first purchase up to the cutoff
counts; churn is no transaction in (cutoff, cutoff + H]; ECE has ten equally large groups; nGini is the Gini of spend ordered
by forecast over that ordered by spend. Online Retail: a customer given, no cancellation, quantity and price above zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score
from threadpoolctl import threadpool_limits

from loyalty_lab.features import design
from loyalty_lab.forecast import CustomerForecaster
from loyalty_lab.snapshots import History, learning_horizon, repeat_purchases

ORIGINS = {
    "cdnow": [(91, "1997-09-30"), (91, "1997-12-31"), (91, "1998-03-31"), (182, "1997-09-30"), (182, "1997-11-15"), (182, "1997-12-30"),
              (273, "1997-09-30")],
    "retail_II": [(91, "2010-12-10"), (91, "2011-03-11"), (91, "2011-06-10"), (91, "2011-09-09"), (182, "2010-12-10"), (182, "2011-03-11"),
                  (182, "2011-06-10")],
    "retail_I": [(91, "2011-06-10"), (91, "2011-07-25"), (91, "2011-09-09")],
}  # fmt: skip
TREES = {"max_iter": 300, "learning_rate": 0.04, "max_leaf_nodes": 15, "min_samples_leaf": 40, "l2_regularization": 1.0,
         "early_stopping": True, "validation_fraction": 0.15, "random_state": 0}  # fmt: skip
METRICS = ("auc", "log_loss", "spearman", "ngini")
RESAMPLES = 200
FEW, DRAWS = 200, 4


def shops(data: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """The three logs as orders; a purchase of nothing (CDNOW has a few) counts as one."""
    cdnow = pd.read_csv(data / "cdnow/CDNOW_master.txt", sep=r"\s+", skiprows=1, header=None, usecols=[0, 1, 3])
    cdnow.columns = ["customer_id", "ordered_at", "net_amount"]
    yield "cdnow", cdnow.assign(ordered_at=pd.to_datetime(cdnow["ordered_at"].astype(str)), net_amount=cdnow["net_amount"].clip(lower=1e-4))
    retail = pd.read_csv(data / "online_retail_II/online_retail_II.csv.gz", dtype={"Invoice": "str", "Customer ID": "str"})
    kept = retail["Customer ID"].notna() & ~retail["Invoice"].str.startswith("C") & (retail["Quantity"] > 0) & (retail["Price"] > 0)
    retail = retail[kept]
    orders = pd.DataFrame({"customer_id": retail["Customer ID"], "ordered_at": pd.to_datetime(retail["InvoiceDate"])})
    orders["net_amount"] = retail["Quantity"] * retail["Price"]
    yield "retail_II", orders
    yield "retail_I", orders[orders["ordered_at"] >= "2010-12-01"]


def outcome(orders: pd.DataFrame, customers: pd.Index, cutoff: date, horizon_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Who bought nothing, and what everybody spent, in (cutoff, cutoff + H]."""
    day = orders["ordered_at"].dt.normalize()
    later = orders[(day > pd.Timestamp(cutoff)) & (day <= pd.Timestamp(cutoff + timedelta(days=horizon_days)))]
    spend = later.groupby("customer_id")["net_amount"].sum().reindex(customers, fill_value=0.0).to_numpy()
    return ~customers.isin(later["customer_id"]), spend


def forecasts(orders: pd.DataFrame, cutoff: date, horizon_days: int) -> tuple[pd.Index, dict[str, tuple], CustomerForecaster]:
    """Churn and spend of every customer by ours and by each single method, all from rows up to the cutoff."""
    customers, found, ours, history, now = _ours_and_models(orders, cutoff, horizon_days)
    found["boosted hurdle"] = _boosted_hurdle(history, now, now.horizon_days, horizon_days)
    silence = now.features["days_since_last"].to_numpy()
    rate = now.features["spend_total"].to_numpy() / np.maximum(now.features["T"].to_numpy(), 7) * horizon_days
    found["naive"] = (silence / (silence.max() + 1), rate)
    return customers, found, ours


def _ours_and_models(orders: pd.DataFrame, cutoff: date, horizon_days: int) -> tuple:
    """The customers, what is forecast of them by ours and by the single models, and the history and snapshot it is made from."""
    seen = orders[orders["ordered_at"] < pd.Timestamp(cutoff + timedelta(days=1))]
    ours = CustomerForecaster(horizon_days).fit(seen, cutoff)
    table = ours.predict()
    history = History(_days(seen), cutoff)
    now = history.now(learning_horizon(history.first, cutoff, horizon_days))
    basket = now.value.expected_average_value(repeat_purchases(now.features)).to_numpy()  # as Gamma-Gamma is published
    found = {"loyalty_lab": (table["churn_probability"].to_numpy(), table["expected_spend"].to_numpy())}
    for name, model in now.bank.items():
        found[name] = (now.no_purchase(name, horizon_days), model.expected_purchases(now.features, horizon_days).to_numpy() * basket)
    return table.index, found, ours, history, now


def small_shop_rows(orders: pd.DataFrame, horizon_days: int, day: str, draws: int = DRAWS) -> list[dict]:
    """Metrics of ours and the single models on shops of `FEW` customers, drawn from those of a real one who are known at the cutoff."""
    cutoff, rows = date.fromisoformat(day), []
    known = np.sort(orders.loc[orders["ordered_at"] < pd.Timestamp(cutoff + timedelta(days=1)), "customer_id"].unique())
    for draw in range(draws):
        some = np.random.default_rng([draw, horizon_days, cutoff.toordinal()]).choice(known, FEW, replace=False)
        shop = orders[orders["customer_id"].isin(some)]
        customers, found, ours, *_ = _ours_and_models(shop, cutoff, horizon_days)
        away, spend = outcome(shop, customers, cutoff, horizon_days)
        methods = {name: measured(away, spend, *scores) for name, scores in found.items()}
        rows.append({"horizon_days": horizon_days, "cutoff": day, "draw": draw, "chosen": ours.backtest_.chosen, "methods": methods})
    return rows


def _days(orders: pd.DataFrame) -> pd.DataFrame:
    days = orders.assign(day=orders["ordered_at"].dt.normalize()).groupby(["customer_id", "day"], as_index=False)["net_amount"].sum()
    return days.rename(columns={"net_amount": "spend"})


def _boosted_hurdle(history: History, now, learnt: int, horizon_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Boosted trees of ordinary size on the same features without the models' answers; spend scaled to the horizon."""
    training = history.training(history.last, learnt)
    X = pd.concat([design(each.features, learnt) for each in training], ignore_index=True)
    away, spend = (np.concatenate([getattr(each, name) for each in training]) for name in ("stayed_away", "spend"))
    with threadpool_limits(1, "openmp"):
        at = design(now.features, learnt)
        churn = HistGradientBoostingClassifier(**TREES).fit(X, away).predict_proba(at)[:, 1]
        buyers = HistGradientBoostingRegressor(loss="gamma", **TREES).fit(X[spend > 0], spend[spend > 0])
        return churn, (1 - churn) * buyers.predict(at) * horizon_days / learnt


def ece(away: np.ndarray, churn: np.ndarray) -> float:
    """Expected calibration error over ten equally large groups of the score."""
    groups = np.array_split(np.argsort(churn, kind="stable"), 10)
    return sum(len(group) * abs(churn[group].mean() - away[group].mean()) for group in groups) / len(away)


def gini(spend: np.ndarray, score: np.ndarray) -> float:
    """Gini of spend ordered by falling score."""
    ordered = spend[np.argsort(-score, kind="stable")]
    return (np.cumsum(ordered) / ordered.sum()).mean() - (len(ordered) + 1) / (2 * len(ordered))


def measured(away: np.ndarray, spend: np.ndarray, churn: np.ndarray, value: np.ndarray) -> dict[str, float]:
    """All metrics of one forecast."""
    clipped = np.clip(churn, 1e-6, 1 - 1e-6)
    return {
        "auc": roc_auc_score(away, churn), "log_loss": log_loss(away, clipped, labels=[0, 1]), "brier": brier_score_loss(away, clipped),
        "ece": ece(away, clipped), "spearman": spearmanr(spend, value)[0], "ngini": gini(spend, value) / gini(spend, spend),
        "bias": value.sum() / spend.sum() - 1,
    }  # fmt: skip


def shop_table(orders: pd.DataFrame, origins: list[tuple[int, str]]) -> list[dict]:
    """Every origin of one shop: metrics of every method, and with them what the paired resampling needs."""
    rows = []
    for horizon_days, day in origins:
        cutoff = date.fromisoformat(day)
        customers, found, ours = forecasts(orders, cutoff, horizon_days)
        away, spend = outcome(orders, customers, cutoff, horizon_days)
        report, total = ours.backtest_, ours.backtest_.total
        rows.append({
            "horizon_days": horizon_days, "cutoff": day, "customers": len(customers), "churn": float(away.mean()),
            "chosen": report.chosen, "chosen_value": report.chosen_value,
            "total_held": bool(total["low"] <= spend.sum() <= total["high"]), "total_width": total["high"] / total["low"],
            "methods": {name: measured(away, spend, *scores) for name, scores in found.items()},
            "_": (customers, away, spend, found),
        })  # fmt: skip
    return rows


def paired(rows: list[dict], resamples: int = RESAMPLES) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Mean difference of ours to each method over a shop's origins with its 95% interval; the same customers drawn at every origin."""
    everybody = pd.Index(sorted(set().union(*(row["_"][0] for row in rows))))
    draw, differences = np.random.default_rng(0), {}
    for _ in range(resamples):
        times = np.bincount(draw.integers(0, len(everybody), len(everybody)), minlength=len(everybody))
        for name, metrics in _one_resample(rows, everybody, times).items():
            differences.setdefault(name, []).append(metrics)
    table = {}
    for name, drawn in differences.items():
        means = {m: np.mean([row["methods"]["loyalty_lab"][m] - row["methods"][name][m] for row in rows]) for m in METRICS}
        low, high = (dict(zip(METRICS, np.quantile(drawn, q, axis=0), strict=True)) for q in (0.025, 0.975))
        table[name] = {m: (float(means[m]), float(low[m]), float(high[m])) for m in METRICS}
    return table


def _one_resample(rows: list[dict], everybody: pd.Index, times: np.ndarray) -> dict[str, np.ndarray]:
    sums: dict[str, np.ndarray] = {}
    for row in rows:
        customers, away, spend, found = row["_"]
        at = np.repeat(np.arange(len(customers)), times[everybody.get_indexer(customers)])
        scored = {name: _four(away[at], spend[at], churn[at], value[at]) for name, (churn, value) in found.items()}
        for name in sorted(scored.keys() - {"loyalty_lab"}):
            sums[name] = sums.get(name, 0.0) + (scored["loyalty_lab"] - scored[name]) / len(rows)
    return sums


def _four(away: np.ndarray, spend: np.ndarray, churn: np.ndarray, value: np.ndarray) -> np.ndarray:
    clipped = np.clip(churn, 1e-6, 1 - 1e-6)
    loss = -np.log(np.where(away, clipped, 1 - clipped)).mean()
    return np.array([roc_auc_score(away, churn), loss, spearmanr(spend, value)[0], gini(spend, value) / gini(spend, spend)])
