"""What the notebooks that are not tactics find out: the start, the scorecard, churn and lifetime value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from loyalty_lab import results
from loyalty_lab.results import Fact, Figure, Findings, Message, spoken

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.shop import Shop


class Run(Protocol):
    """What a question may look at: the shop at the cutoff, and its forecast once it is asked for."""

    shop: Shop
    cutoff: date
    horizon_days: int
    forecast: pd.DataFrame
    backtest: dict[str, Any]


@dataclass(frozen=True)
class Question:
    """One question: the kind of its result, its notebook, and how its findings are made from a run."""

    kind: results.Kind
    notebook: str
    find: Callable[[Run], Findings]


def start_here(run: Run) -> Findings:
    """Find what was read, and how soon customers of this shop buy again."""
    from loyalty_lab import customers

    orders = run.shop.orders
    first, last = orders["ordered_at"].min().date(), orders["ordered_at"].max().date()
    curve = customers.repurchase_curve(orders, run.cutoff)
    facts = {
        "orders": Fact(value=len(orders), unit="count", window=(first, last)),
        "customers": Fact(value=int(orders["customer_id"].nunique()), unit="count", window=(first, last)),
        "days": Fact(value=(last - first).days + 1, unit="days", window=(first, last)),
        "anonymous_share": Fact(value=float(orders["customer_id"].isna().mean()), unit="share", n=len(orders), window=(first, last)),
        "horizon_days": Fact(value=run.horizon_days, unit="days"),
    }
    data = {
        "days": curve["days"].tolist(),
        "lines": [{"label": {"key": "start-here.line", "args": {}}, "shares": curve["share"].tolist()}],
        "reference_days": [run.horizon_days],
    }
    args = {"horizon_days": run.horizon_days, "share": _share_by(curve, run.horizon_days), "first": first, "last": last}
    args |= {"customers": facts["customers"].value, "orders": len(orders)}
    return Findings(
        facts=facts,
        figures=(Figure.of("start-here", "repurchase", "curve", data, args),) if len(curve) > 1 else (),
        messages=(Message(key="start-here.headline", args=args), Message(key="start-here.horizon", args=args)),
    )


def _share_by(curve, days: int) -> float | None:
    before = curve[curve["days"] <= days]
    return float(before["share"].iloc[-1]) if len(before) else None


def scorecard(run: Run) -> Findings:
    """Find the six metrics, who the sales come from, and when customers leave."""
    from loyalty_lab import metrics

    orders, cutoff = run.shop.orders, run.cutoff
    facts = metrics.scorecard(run.shop, cutoff)
    facts["second_purchase_rate"] = metrics.second_purchase_rate(orders, cutoff, run.horizon_days)
    facts["top_share"] = metrics.top_share(orders, cutoff)
    trend = metrics.trend(run.shop, cutoff)
    before = _a_year_ago(trend, "customer_retention_rate")
    args = spoken(facts) | {"before": before, "horizon_days": run.horizon_days, "cutoff": cutoff}
    verdict = _verdict(facts["customer_retention_rate"], before)
    return Findings(
        facts=facts,
        tables={"trend": trend},
        figures=tuple(_pictures(run, facts["top_share"], args)),
        messages=(
            Message(key=f"scorecard.headline.{verdict}", args=args),
            Message(key=f"scorecard.working.{verdict}", args=args),
            Message(key=f"scorecard.attention.{_attention(facts, verdict)}", args=args),
        ),
    )


def _a_year_ago(trend: pd.DataFrame, metric: str) -> float | None:
    values = trend.loc[trend["metric"] == metric, "value"].tolist()
    return results.plain(values[-5]) if len(values) >= 5 else None


def _verdict(retention: Fact, before: float | None) -> str:
    if retention.value is None:
        return "too_early"
    if before is None or retention.interval is None:
        return "first_year"
    low, high, _ = retention.interval
    return "worse" if before > high else "better" if before < low else "steady"


def _attention(facts: dict[str, Fact], verdict: str) -> str:
    if verdict == "worse":
        return "leaving"
    return "too_early" if facts["second_purchase_rate"].value is None else "second"


def _pictures(run: Run, top: Fact, args: dict):
    from loyalty_lab import metrics

    curve = metrics.lorenz(run.shop.orders, run.cutoff)
    if len(curve) and top.value is not None:
        data = {"customers": curve["customers"].tolist(), "sales": curve["sales"].tolist(), "point": [0.2, top.value]}
        yield Figure.of("scorecard", "lorenz", "lorenz", data, args)
    cohorts = metrics.cohort_retention(run.shop.orders, run.cutoff)
    recent = cohorts[cohorts["start"].isin(sorted(cohorts["start"].unique())[-8:])]
    if recent["quarter"].max() > 0:
        wide = recent[recent["quarter"] > 0].pivot(index="start", columns="quarter", values="share")
        sizes = recent.groupby("start")["size"].first().reindex(wide.index)
        starts = [start.date().isoformat() for start in wide.index]
        data = {"starts": starts, "sizes": sizes.tolist(), "shares": results.plain(wide.to_numpy().tolist()), "period": "quarter"}
        yield Figure.of("scorecard", "cohorts", "cohorts", data, args)


def churn(run: Run) -> Findings:
    """Find who is likely to stay away, how the forecast was chosen, and whether it was honest before."""
    import pandas as pd

    backtest, forecast = run.backtest, run.forecast
    facts = _churn_facts(backtest, forecast)
    args = spoken(facts) | {"horizon_days": run.horizon_days, "model": backtest["chosen"], "cutoffs": len(backtest["cutoffs"])}
    args |= {"reason": backtest["reason"]["key"], "cutoff": run.cutoff, "until": run.cutoff + timedelta(days=run.horizon_days)}
    variant = _variant(backtest)
    candidates = [
        {"model": name, "log_loss": tried["mean_log_loss"], "auc": tried["mean_auc"], "chosen": name == backtest["chosen"]}
        for name, tried in backtest["candidates"].items()
    ]
    calibration = backtest["calibration"]
    return Findings(
        facts=facts,
        tables={
            "candidates": pd.DataFrame(candidates, columns=["model", "log_loss", "auc", "chosen"]),
            "calibration": pd.DataFrame(calibration),
        },
        figures=(Figure.of("churn", "calibration", "calibration", calibration, args),) if calibration else (),
        messages=tuple(Message(key=f"churn.{role}.{variant}", args=args) for role in ("headline", "stand")),
    )


def _variant(backtest: dict) -> str:
    return {"too early": "too_early", "shrunken rate": "shrunken", "recency rule": "simple"}.get(backtest["chosen"], "model")


def _churn_facts(backtest: dict, forecast: pd.DataFrame) -> dict[str, Fact]:
    tested = sum(backtest["customers"])
    leavers, low, high = (round(float(forecast[name].sum()), 1) for name in ("churn_probability", "churn_low", "churn_high"))
    facts = {
        "customers": Fact(value=len(forecast), unit="count"),
        "expected_leavers": Fact(value=leavers, unit="count", n=len(forecast), interval=(low, high, 0.9)),
    }
    rates, chosen = backtest["base_rate"], backtest["candidates"].get(backtest["chosen"])
    facts["base_rate"] = Fact(value=sum(rates) / len(rates) if rates else None, unit="share", n=tested)
    if chosen:
        simple = backtest["candidates"].get("recency rule", {})
        facts["log_loss"] = Fact(value=chosen["mean_log_loss"], unit="ratio", n=tested)
        facts["naive_log_loss"] = Fact(value=simple.get("mean_log_loss"), unit="ratio", n=tested)
        facts["auc"] = Fact(value=chosen["mean_auc"], unit="ratio", n=tested)
    return facts


def lifetime_value(run: Run) -> Findings:
    """Find what customers are expected to spend and are worth, and whether such a forecast held before."""
    import pandas as pd

    forecast, deciles, currency = run.forecast, run.backtest["deciles"], run.shop.settings.currency
    facts = _value_facts(forecast)
    args = spoken(facts) | {"horizon_days": run.horizon_days, "years": run.shop.settings.clv_years, "customers": len(forecast)}
    groups = pd.DataFrame({"group": range(1, len(deciles.get("ns", [])) + 1), **deciles})
    labels = [{"key": "lifetime-value.group", "args": {"group": int(group)}} for group in groups["group"]]
    data = {"labels": labels, "predicted": deciles.get("predicted"), "actual": deciles.get("actual"), "unit": "money", "currency": currency}
    variant = _variant(run.backtest)
    return Findings(
        facts=facts,
        tables={"deciles": groups},
        figures=(Figure.of("lifetime-value", "deciles", "pairs", data, args),) if len(groups) else (),
        messages=tuple(
            Message(key=f"lifetime-value.{role}.{'model' if len(groups) else variant}", args=args) for role in ("headline", "stand")
        ),
    )


def _value_facts(forecast: pd.DataFrame) -> dict[str, Fact]:
    worth, n = forecast["customer_lifetime_value"].sort_values(ascending=False), len(forecast)
    top = math.ceil(0.1 * n)
    return {
        "expected_spend": Fact(value=float(forecast["expected_spend"].sum()), unit="money", n=n),
        "customer_lifetime_value": Fact(value=float(worth.mean()), unit="money", n=n),
        "total_lifetime_value": Fact(value=float(worth.sum()), unit="money", n=n),
        "save_value": Fact(value=float(forecast["save_value"].mean()), unit="money", n=n),
        "top_decile_share": Fact(value=float(worth.iloc[:top].sum() / worth.sum()) if worth.sum() > 0 else None, unit="share", n=n),
    }


ANSWERS = {
    "start-here": Question("start", "00-start-here", start_here),
    "scorecard": Question("scorecard", "01-scorecard", scorecard),
    "churn": Question("forecast", "02-churn", churn),
    "lifetime-value": Question("forecast", "03-lifetime-value", lifetime_value),
}
