"""What the last rounds caused: treated against those kept aside, read on the planned day and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loyalty_lab.proportions import share
from loyalty_lab.results import Fact, Figure, Findings, Measure, Message

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.questions.asked import Run
    from loyalty_lab.rounds import Closed
    from loyalty_lab.trial import Estimate

ALPHA = 0.05
COLUMNS = (
    "slug", "round", "treated", "control", "back_treated", "back_control", "effect", "low", "high", "p", "verdict",
    "margin", "margin_low", "margin_high",
)  # fmt: skip


def last_round(run: Run) -> Findings:
    """Find what the latest round of each tactic caused whose reading date has come; the others stay closed until theirs."""
    from loyalty_lab import rounds, trial

    closed = rounds.closed(run.rounds, run.shop.orders, run.cutoff)
    latest = {each.slug: each for each in closed}
    if not latest:
        return _nothing_yet(run)
    read = {slug: trial.difference(each.people, "back") for slug, each in latest.items()}
    adjusted = dict(zip(read, trial.holm([each.p for each in read.values()]), strict=True))
    checks = {slug: _checks(each) for slug, each in latest.items()}
    rows = [_row(latest[slug], read[slug], adjusted[slug], checks[slug], run) for slug in sorted(latest)]
    measures = [_measure(latest[row["slug"]], checks[row["slug"]], row) for row in rows]
    first = max(rows, key=lambda row: (row["verdict"] in ("works", "harms"), row["slug"]))
    messages = [
        Message(key=f"last-round.headline.{first['verdict']}", args=_said(first)),
        Message(key="last-round.stand", args={"n": len(rows)}),
    ]
    messages += [Message(key=f"last-round.read.{row['verdict']}", args=_said(row)) for row in rows]
    messages += [Message(key=f"last-round.check.{kind}", args=args) for row, measure in zip(rows, measures, strict=True)
                 for kind, args in _alarms(row, measure)]  # fmt: skip
    return Findings(
        facts=_facts(rows), tables={"rounds": _table(rows), "earlier": _earlier(closed)}, figures=_figures(rows),
        messages=(*messages, *_running(run)), rounds=tuple(measures),
    )  # fmt: skip


def _nothing_yet(run: Run) -> Findings:
    return Findings(
        tables={"rounds": _table([]), "earlier": _earlier([])},
        messages=(Message(key="last-round.headline.too_early"), Message(key="last-round.stand.too_early"), *_running(run)),
    )


def _running(run: Run) -> list[Message]:
    """Rounds that go on: their result is not looked at before its day."""
    open_ones = run.rounds[run.rounds["read_on"] > run.cutoff.isoformat()].drop_duplicates("round")
    return [
        Message(key="last-round.running", args={"name": f"{row.slug}.name", "read_on": row.read_on})
        for row in open_ones.sort_values("slug").itertuples()
    ]


def _row(cycle: Closed, found: Estimate, p: float | None, checks: dict[str, Any], run: Run) -> dict[str, Any]:
    """One round in numbers, with its verdict."""
    from loyalty_lab import rounds, trial

    arms = {arm: cycle.people.loc[cycle.people["arm"] == arm] for arm in (trial.TREATED, trial.CONTROL)}
    spend, _ = trial.adjusted_difference(cycle.people, "spend", rounds.BEFORE)
    margin, treated = run.shop.settings.margin, len(arms[trial.TREATED])
    gain = [None if end is None else margin * treated * end for end in (spend.value, spend.low, spend.high)]
    return {
        "slug": cycle.slug, "round": cycle.round, "treated": treated, "control": len(arms[trial.CONTROL]),
        "back_treated": int(arms[trial.TREATED]["back"].sum()), "back_control": int(arms[trial.CONTROL]["back"].sum()),
        "effect": found.value, "low": found.low, "high": found.high, "p": p, "verdict": _verdict(checks, found, p),
        "margin": gain[0], "margin_low": gain[1], "margin_high": gain[2],
    }  # fmt: skip


def _verdict(checks: dict[str, Any], found: Estimate, p: float | None) -> str:
    """Whether the lot held, and if so whether the difference leaves chance behind; most honest rounds say: not shown."""
    if checks["spoilt"]:
        return "spoilt"
    if found.value is None or p is None or p >= ALPHA or not found.clear:
        return "not_shown"
    return "works" if found.value > 0 else "harms"


def _checks(cycle: Closed) -> dict[str, Any]:
    """Whether arms are as many as written down, were alike before, and whether controls were left alone."""
    from loyalty_lab import rounds, trial

    controls = cycle.people[cycle.people["arm"] == trial.CONTROL]
    reached = int((controls["outcome"] != "").sum())
    name, apart = trial.imbalance(cycle.people, rounds.BEFORE)
    before = trial.difference(cycle.people.assign(back_before=cycle.people["orders_before"] > 0), "back_before")
    lot = trial.sample_ratio_p(cycle.people)
    told = cycle.people.loc[cycle.people["arm"] == trial.TREATED, "outcome"] != ""
    return {
        "sample_ratio_p": lot, "most_unlike": name, "apart": apart, "reached_controls": reached, "controls": len(controls),
        "before": before.value, "before_low": before.low, "before_high": before.high, "two_arms": cycle.two_arms,
        "told": float(told.mean()),
        "spoilt": bool(lot < trial.SRM_ALARM or (len(controls) and reached > trial.CONTAMINATION_ALARM * len(controls))),
    }  # fmt: skip


def _measure(cycle: Closed, checks: dict[str, Any], row: dict[str, Any]) -> Measure:
    checks = checks | {"slug": row["slug"], "round": row["round"], "verdict": row["verdict"]}
    return Measure(design="holdout", outcome="repeat", window_days=cycle.window_days, read_on=cycle.read_on, effect=row["effect"],
                   interval=_interval(row), p=row["p"], checks=checks)  # fmt: skip


def _said(row: dict[str, Any]) -> dict[str, Any]:
    """What a sentence about a round speaks of."""
    rates = {f"rate_{arm}": row[f"back_{arm}"] / row[arm] if row[arm] else None for arm in ("treated", "control")}
    return {name: value for name, value in row.items() if name not in ("verdict", "round", "p")} | rates | {"name": f"{row['slug']}.name"}


def _alarms(row: dict[str, Any], measure: Measure) -> list[tuple[str, dict[str, Any]]]:
    from loyalty_lab import trial

    checks, found = measure.checks, []
    args = {"name": f"{row['slug']}.name"}
    if checks["sample_ratio_p"] < trial.SRM_ALARM:
        found.append(("sample_ratio", args | {"treated": row["treated"], "control": row["control"]}))
    if checks["reached_controls"]:
        found.append(("contaminated", args | {"reached": checks["reached_controls"], "controls": checks["controls"]}))
    if abs(checks["apart"]) > trial.SMD_ALARM:
        found.append(("unlike", args | {"apart": abs(checks["apart"])}))
    if checks["two_arms"]:
        found.append(("two_arms", args | {"two_arms": checks["two_arms"]}))
    return found


def _facts(rows: list[dict[str, Any]]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for row in rows:
        for arm in ("treated", "control"):
            facts[f"{row['slug']}_back_{arm}"] = share(row[f"back_{arm}"], row[arm])
        facts[f"{row['slug']}_effect"] = Fact(value=row["effect"], unit="share", n=row["treated"] + row["control"], interval=_interval(row))
    return facts


def _interval(row: dict[str, Any]) -> tuple[float, float, float] | None:
    from loyalty_lab.trial import LEVEL

    return None if row["low"] is None else (row["low"], row["high"], LEVEL)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(COLUMNS))


def _earlier(closed: list[Closed]) -> pd.DataFrame:
    """All rounds of each tactic together: what they say pooled, where there are several."""
    import pandas as pd

    from loyalty_lab import trial

    found = []
    for slug in sorted({each.slug for each in closed}):
        estimates = [trial.difference(each.people, "back") for each in closed if each.slug == slug]
        together = trial.pooled(estimates, [each.standard_error for each in estimates])
        found.append((slug, len(estimates), together.value, together.low, together.high))
    return pd.DataFrame(found, columns=["slug", "rounds", "effect", "low", "high"])


def _figures(rows: list[dict[str, Any]]) -> tuple[Figure, ...]:
    """Bars of who came back, treated beside kept aside, with their intervals."""
    labels, values, lows, highs, ns = [], [], [], [], []
    for row in rows:
        for arm in ("treated", "control"):
            fact = share(row[f"back_{arm}"], row[arm])
            if fact.value is None:
                continue
            labels.append({"key": f"last-round.arm.{arm}", "args": {"name": f"{row['slug']}.name"}})
            values.append(fact.value)
            lows.append(fact.interval[0])
            highs.append(fact.interval[1])
            ns.append(row[arm])
    data = {"labels": labels, "values": values, "lows": lows, "highs": highs, "ns": ns, "unit": "share"}
    return (Figure.of("last-round", "arms", "bars", data, {}),) if values else ()
