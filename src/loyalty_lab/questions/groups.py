"""Which groups the customers fall into, who moved since one horizon ago, and whom the best resemble."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loyalty_lab.proportions import share
from loyalty_lab.results import Fact, Figure, Findings, Message, spoken

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.questions.asked import Run

RESEMBLE_TOLD = 5
PICTURED = ("active", "slipping", "lost", "regained", "new")
NAMED_BY_THE_SHOP = ("channel", "branch_id", "category")


def segments(run: Run) -> Findings:
    """Find how many customers stand where, and what is at stake there."""
    from loyalty_lab import segments

    orders, cutoff = run.shop.orders, run.cutoff
    stages = segments.lifecycle(orders, cutoff, run.horizon_days)
    before = segments.lifecycle(orders, cutoff - timedelta(days=run.horizon_days), run.horizon_days)
    moved, ideal = segments.migration(before, stages), segments.ideal_customer(run.shop, cutoff, run.forecast)
    scores, consumers = segments.rfm(orders, cutoff), segments.consumers(orders, cutoff)
    facts = _facts(stages, consumers, moved)
    args = spoken(facts) | {"horizon_days": run.horizon_days, "cutoff": cutoff, "before": cutoff - timedelta(days=run.horizon_days)}
    return Findings(
        facts=facts,
        tables={
            "stages": _stages(stages, scores, run.forecast),
            "moved": _without_nobody(moved).rename_axis(index="before", columns=None).reset_index(),
            "grid": segments.value_risk_grid(run.forecast).astype({"value_group": "str", "risk_group": "str"}),
            "rfm": _rfm(scores),
            "ideal": ideal,
        },
        figures=_figures(stages, args),
        messages=(*(Message(key=f"segments.{role}", args=args) for role in ("headline", "stand", "moved")), *_resemble(ideal)),
    )


def _facts(stages: pd.Series, consumers: pd.Series, moved: pd.DataFrame) -> dict[str, Fact]:
    """How many stand where now; of those who were active or new a horizon ago, how many slipped or were lost."""
    n = len(stages)
    facts = {name: Fact(value=int((stages == name).sum()), unit="count", n=n) for name in stages.cat.categories}
    started = moved.loc[["new", "active", "regained"]].sum()
    fell, of = int(started[["slipping", "lost"]].sum()), int(started["total"])
    return facts | {"fell_back": share(fell, of), "consumers": share(int(consumers.sum()), n)}


def _without_nobody(moved: pd.DataFrame) -> pd.DataFrame:
    """Leave out the column of customers that corrected data took away, where there are none."""
    from loyalty_lab.segments import GONE

    return moved if moved[GONE].any() else moved.drop(columns=GONE)


def _stages(stages: pd.Series, scores: pd.DataFrame, forecast: pd.DataFrame) -> pd.DataFrame:
    """By stage: customers, what they spent, what is expected of them, and how many are likely to stay away."""
    frame = scores[["spend"]].join(forecast[["expected_spend", "churn_probability"]]).assign(stage=stages, customers=1)
    table = frame.groupby("stage", observed=False).agg(
        customers=("customers", "sum"),
        spend=("spend", "sum"),
        expected_spend=("expected_spend", "sum"),
        churn=("churn_probability", "mean"),
    )
    return table.reset_index().astype({"stage": "str"})


def _rfm(scores: pd.DataFrame) -> pd.DataFrame:
    table = scores.groupby("segment", observed=False).agg(customers=("spend", "size"), spend=("spend", "sum"))
    total = table["spend"].sum()
    return table.assign(share_of_spend=table["spend"] / total if total else 0.0).reset_index().astype({"segment": "str"})


def _figures(stages: pd.Series, args: dict[str, Any]) -> tuple[Figure, ...]:
    counts = stages.value_counts().reindex(PICTURED)
    if not counts.sum():
        return ()
    labels = [{"key": f"segments.stage.{name}", "args": {}} for name in counts.index]
    return (Figure.of("segments", "stages", "bars", {"labels": labels, "values": counts.tolist(), "unit": "count"}, args),)


def _resemble(ideal: pd.DataFrame) -> list[Message]:
    """What is more common among the best, as far as chance does not explain it; or that nothing is."""
    shown = ideal[ideal["shown"] & (ideal["lift"] > 1) & (ideal["level"] != "other")]
    told = [
        Message(key=f"segments.resemble.{_trait(row.attribute, row.level)}",
                args={"level": row.level, "share_best": row.share_best, "share_all": row.share_all, "n": row.n})
        for row in shown.sort_values("lift", ascending=False, kind="stable").head(RESEMBLE_TOLD).itertuples()
    ]  # fmt: skip
    return told or [Message(key="segments.resemble.none", args={"levels": len(ideal)})]


def _trait(attribute: str, level: str) -> str:
    """Text key of a trait: levels the shop has named stand in the sentence, ours have a sentence each."""
    return attribute if attribute in NAMED_BY_THE_SHOP else f"{attribute}-{level.replace(' ', '-')}"
