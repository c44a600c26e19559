"""Who is likely to stay away, what customers are worth, and whether such forecasts were right before."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loyalty_lab.results import Fact, Figure, Findings, Message, spoken

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.questions.asked import Run

TYPICAL = 0.6
DRIVERS_TOLD = 3
GROUPS = 10


def churn(run: Run) -> Findings:
    """Find who is likely to stay away, how the forecast was chosen, what it looks at, and whether it was honest before."""
    import pandas as pd

    backtest, forecast = run.backtest, run.forecast
    facts, calibration = _churn_facts(backtest, forecast), backtest["calibration"]
    args = spoken(facts) | {"horizon_days": run.horizon_days, "model": backtest["chosen"], "cutoffs": len(backtest["cutoffs"])}
    args["n"] = args["cutoffs"]  # chooses the plural form
    args |= {"reason": backtest["reason"]["key"], "cutoff": run.cutoff, "until": run.cutoff + timedelta(days=run.horizon_days)}
    args |= {"tested_days": backtest["tested_days"]}
    variant, looked_at = _variant(backtest), _drivers(run)
    messages = [Message(key=f"churn.{role}.{variant}", args=args) for role in ("headline", "stand")]
    if calibration:
        messages += [_like(forecast, args), *_spoken_drivers(looked_at, run)]
        messages += [Message(key="churn.shorter", args=args)] if backtest["tested_days"] < run.horizon_days else []
    return Findings(
        facts=facts,
        tables={
            "candidates": _candidates(backtest["candidates"], backtest["chosen"], ("log_loss", "auc")),
            "calibration": pd.DataFrame(calibration),
            "drivers": looked_at,
        },
        figures=(Figure.of("churn", "calibration", "calibration", calibration, args),) if calibration else (),
        messages=tuple(messages),
    )


def _variant(backtest: dict) -> str:
    return {"too early": "too_early", "shrunken rate": "shrunken", "recency rule": "simple"}.get(backtest["chosen"], "model")


def _candidates(tried: dict[str, dict], chosen: str, scores: tuple[str, str]) -> pd.DataFrame:
    """One row a way of forecasting, simplest first: its mean scores at the earlier dates, and whether it is used."""
    import pandas as pd

    from loyalty_lab.backtest import CANDIDATES, VALUES

    known = [(name, tried[name]) for name in (*CANDIDATES, *VALUES) if name in tried]
    rows = [{"model": name, **{score: found[f"mean_{score}"] for score in scores}, "chosen": name == chosen} for name, found in known]
    return pd.DataFrame(rows, columns=["model", *scores, "chosen"])


def _drivers(run: Run) -> pd.DataFrame:
    from loyalty_lab.explain import drivers
    from loyalty_lab.features import customer_features

    features = customer_features(run.shop.orders, run.cutoff, horizon_days=run.horizon_days)
    return drivers(features, run.forecast["churn_probability"])


def _spoken_drivers(table: pd.DataFrame, run: Run) -> list[Message]:
    """The weightiest facts in words: how many of 100 stay away at either end."""
    told = table[table["chance_low"].round(2) != table["chance_high"].round(2)].head(DRIVERS_TOLD)
    return [
        Message(key=f"churn.driver.{row.fact}", args={name: getattr(row, name) for name in ("low", "high", "chance_low", "chance_high")}
                | {"horizon_days": run.horizon_days})
        for row in told.itertuples()
    ]  # fmt: skip


def _like(forecast: pd.DataFrame, args: dict[str, Any]) -> Message:
    """A sentence that can be checked: of 100 customers with such a forecast, so many will not come back.

    Of ten equally large groups by forecast the one nearest to 60% speaks, where the forecast says most.
    """
    import numpy as np

    ordered = forecast.sort_values("churn_probability", kind="stable")
    groups = [ordered.iloc[part] for part in np.array_split(np.arange(len(ordered)), min(GROUPS, len(ordered)))]
    group = min(groups, key=lambda each: abs(each["churn_probability"].mean() - TYPICAL))
    share, low, high = (float(group[name].mean()) for name in ("churn_probability", "churn_low", "churn_high"))
    return Message(key="churn.like", args=args | {"share": share, "low": low, "high": high, "n": len(group)})


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
    """Find what customers are expected to spend and are worth, how sure that is, and whether such a forecast held before."""
    import pandas as pd

    forecast, backtest, currency = run.forecast, run.backtest, run.shop.settings.currency
    facts, deciles = _value_facts(forecast, backtest["total"]), backtest["deciles"]
    args = spoken(facts) | {"horizon_days": run.horizon_days, "years": run.shop.settings.clv_years, "customers": len(forecast)}
    args |= {"margin": run.shop.settings.margin, "discount_rate": run.shop.settings.discount_rate}
    groups = pd.DataFrame({"group": range(1, len(deciles.get("ns", [])) + 1), **deciles})
    labels = [{"key": "lifetime-value.group", "args": {"group": int(group)}} for group in groups["group"]]
    data = {"labels": labels, "predicted": deciles.get("predicted"), "actual": deciles.get("actual"), "unit": "money", "currency": currency}
    variant = "model" if len(groups) else _variant(backtest)
    messages = [Message(key=f"lifetime-value.{role}.{variant}", args=args) for role in ("headline", "stand")]
    messages += [Message(key=f"lifetime-value.unsure.{role}", args=args) for role in (("total", "one") if len(groups) else ())]
    return Findings(
        facts=facts,
        tables={"deciles": groups, "candidates": _candidates(backtest["values"], backtest["chosen_value"], ("deviance", "rank"))},
        figures=(Figure.of("lifetime-value", "deciles", "pairs", data, args),) if len(groups) else (),
        messages=tuple(messages),
    )


def _value_facts(forecast: pd.DataFrame, total: dict[str, float]) -> dict[str, Fact]:
    worth, n = forecast["customer_lifetime_value"].sort_values(ascending=False), len(forecast)
    top = math.ceil(0.1 * n)
    around = (total["low"], total["high"], 0.9) if total else None
    return {
        "expected_spend": Fact(value=float(forecast["expected_spend"].sum()), unit="money", n=n, interval=around),
        "customer_lifetime_value": Fact(value=float(worth.mean()), unit="money", n=n),
        "total_lifetime_value": Fact(value=float(worth.sum()), unit="money", n=n),
        "save_value": Fact(value=float(forecast["save_value"].mean()), unit="money", n=n),
        "top_decile_share": Fact(value=float(worth.iloc[:top].sum() / worth.sum()) if worth.sum() > 0 else None, unit="share", n=n),
    }
