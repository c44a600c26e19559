"""What was read, how soon customers buy again, and how the shop stands by its six metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from loyalty_lab import results
from loyalty_lab.results import Fact, Figure, Findings, Message, spoken

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.questions.asked import Run

ATTENTION = "follow-up-letters"
MOST_TOLD = 5


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
    """Find the six metrics, how they move, who the sales come from, when customers leave, and what people say beside it."""
    from loyalty_lab import claims, metrics, progress

    orders, cutoff = run.shop.orders, run.cutoff
    facts = metrics.scorecard(run.shop, cutoff)
    facts["second_purchase_rate"] = metrics.second_purchase_rate(orders, cutoff, run.horizon_days)
    facts["top_share"] = metrics.top_share(orders, cutoff)
    trend, by_period = progress.trend(run.shop, cutoff), progress.by_period(run.shop, cutoff)
    since = progress.since(run.shop, cutoff, run.earlier)
    targets = run.shop.settings.targets.model_dump(exclude_none=True)
    before = _a_year_ago(trend, "customer_retention_rate")
    args = spoken(facts) | {"before": before, "horizon_days": run.horizon_days, "cutoff": cutoff}
    verdict = _verdict(facts["customer_retention_rate"], before)
    said = claims.beside(run.shop, cutoff, _letters(run))
    return Findings(
        facts=facts,
        tables={"trend": trend, "periods": by_period, "since": since, "targets": progress.against_targets(facts, targets)},
        figures=tuple(_pictures(run, facts["top_share"], args)),
        messages=(
            Message(key=f"scorecard.headline.{verdict}", args=args),
            Message(key=f"scorecard.working.{verdict}", args=args),
            Message(key=f"scorecard.attention.{_attention(facts, verdict)}", args=args),
            *_moved(run, by_period, since),
            *(each.message for each in said),
        ),
        claims=tuple(each.claim for each in said),
    )


def _letters(run: Run) -> dict[str, Any] | None:
    """What rounds of attention letters have measured, all of them together; None where none was read or its lot did not hold."""
    from loyalty_lab.questions.last_round import last_round

    rows = last_round(run).tables["together"].to_dict("records")
    return next((row for row in rows if row["slug"] == ATTENTION and row["verdict"] != "spoilt"), None)


def _moved(run: Run, by_period: pd.DataFrame, since: pd.DataFrame) -> Iterable[Message]:
    """What the shorter periods can tell, where they differ from the year before, and what has changed since the last report."""
    from loyalty_lab import progress

    gap = progress.usual_gap(run.shop.orders, run.cutoff)
    if gap is not None:
        yield Message(key=f"scorecard.rhythm.{progress.too_short(gap) or 'all'}", args={"gap": gap})
    shorter = by_period[by_period["period"] != "year"]
    moved = shorter[shorter["verdict"].isin([progress.UP, progress.DOWN]) & (shorter["metric"] != "churn_rate")]
    for row in moved.head(MOST_TOLD).itertuples():  # the page's table marks them all
        args = {"metric": f"metrics.{row.metric}.short", "period": f"scorecard.period.{row.period}"}
        yield Message(key=f"scorecard.season.{row.verdict}", args=args)
    if moved.empty:
        compared = (shorter["verdict"] == progress.SAME).any()
        yield Message(key=f"scorecard.season.{'same' if compared else 'unknown'}")
    yield _since_then(run, since)


def _since_then(run: Run, since: pd.DataFrame) -> Message:
    """Whether anything has changed since the last report by more than chance, and whether the data were mended."""
    if run.earlier is None or since.empty:
        return Message(
            key=f"scorecard.since.{'none' if run.earlier is None else 'nothing'}", args={"then": (run.earlier or {}).get("cutoff")}
        )
    counted = since[since["metric"] != "churn_rate"]
    changed = int(counted["verdict"].isin(["up", "down"]).sum())
    mended = int((counted["correction"].abs() > 1e-9 * counted["then"].abs()).sum())
    args = {"then": run.earlier["cutoff"], "n": changed, "mended": mended, "of": len(counted)}
    return Message(key=f"scorecard.since.{'changed' if changed else 'same'}{'_mended' if mended else ''}", args=args)


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
    from loyalty_lab import cohorts, metrics

    curve = metrics.lorenz(run.shop.orders, run.cutoff)
    if len(curve) and top.value is not None:
        data = {"customers": curve["customers"].tolist(), "sales": curve["sales"].tolist(), "point": [0.2, top.value]}
        yield Figure.of("scorecard", "lorenz", "lorenz", data, args)
    table = cohorts.cohort_retention(run.shop.orders, run.cutoff)
    recent = table[table["start"].isin(sorted(table["start"].unique())[-8:])]
    if recent["quarter"].max() > 0:
        wide = recent[recent["quarter"] > 0].pivot(index="start", columns="quarter", values="share")
        sizes = recent.groupby("start")["size"].first().reindex(wide.index)
        starts = [start.date().isoformat() for start in wide.index]
        data = {"starts": starts, "sizes": sizes.tolist(), "shares": results.plain(wide.to_numpy().tolist()), "period": "quarter"}
        yield Figure.of("scorecard", "cohorts", "cohorts", data, args)
