"""What rounds have measured counts: the worth of a practice once it was read, and the order in which page one names what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from loyalty_lab.proportions import LEVEL
from loyalty_lab.results import HARMS, SPOILT, WORKS, Measure, Result, Table, Value

ROUNDS = "last-round"
LOSES = "loses"


def joined(found: Mapping[str, Result]) -> dict[str, Result]:
    """Return the results of a run in which each practice is worth what its rounds have shown, where any could be read.

    Parameters
    ----------
    found : mapping of str to Result
        By slug; `last-round` among them tells what was read.

    Returns
    -------
    dict of str to Result
        A practice with a round that passed its checks has a value of grade A: of money only where more people came back
        (that was to be read first), else without an amount. Its plan carries the effect found, its interval and the verdict.
        All other results as they were.

    Examples
    --------
    >>> joined({})
    {}
    """
    read = found.get(ROUNDS)
    table = read.tables.get("together") if read is not None and read.status == "ready" else None
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows] if table else []
    measured = {row["slug"]: row for row in rows if row["verdict"] != SPOILT and row["effect"] is not None}
    return {slug: _measured(result, measured[slug]) if slug in measured else result for slug, result in found.items()}


def harms(result: Result | None) -> bool:
    """Whether rounds have shown that a practice drives people away."""
    return result is not None and result.measure is not None and result.measure.checks.get("verdict") == HARMS


def stopped(result: Result | None) -> str:
    """Return why a practice is nothing to be done until it was changed: it `harms`, or it `loses` money; "" where neither was shown.

    Examples
    --------
    >>> from datetime import date
    >>> stopped(Result(notebook="x", kind="tactic", cutoff=date(2026, 1, 31), value=Value(grade="A", amount=-9.0, low=-15.0, high=-3.0)))
    'loses'
    """
    value = result.value if result else None
    if harms(result):
        return HARMS
    return LOSES if value is not None and value.grade in ("A", "B") and value.high is not None and value.high < 0 else ""


def place(result: Result | None, kind: str, overdue: int = 0) -> tuple[int, float, float]:
    """Return where page one puts a practice; smaller comes first.

    Measured gains by their lower bound, then campaigns by the smallest break-even rate (ties by the money at stake), then
    duties by how many are overdue, then lists to know, then data to collect; last what cannot pay.

    Parameters
    ----------
    result : Result or None
        As of `joined`.
    kind : {"campaign", "duty", "watch", "data"}
    overdue : int
        Of a duty: how many wait.

    Examples
    --------
    >>> from datetime import date
    >>> def worth(**value):
    ...     return Result(notebook="x", kind="tactic", cutoff=date(2026, 1, 31), value=Value(**value))
    >>> measured, cheap = worth(grade="A", amount=90.0, low=40.0, high=140.0), worth(grade="D", break_even_rate=0.01)
    >>> place(measured, "campaign") < place(cheap, "campaign") < place(None, "duty", 5) < place(None, "duty", 3) < place(None, "data")
    True
    """
    value = result.value if result else None
    if value and value.grade in ("A", "B") and value.low is not None and value.low > 0:
        return 0, -value.low, 0.0
    if kind == "campaign":
        rate = value.break_even_rate if value and value.break_even_rate is not None else float("inf")
        if 1 < rate < float("inf"):
            return 5, rate, 0.0  # it cannot pay, whatever it does
        return 1, rate, -(value.high or value.amount or 0.0) if value else 0.0
    return {"duty": (2, -float(overdue), 0.0), "watch": (3, 0.0, 0.0)}.get(kind, (4, 0.0, 0.0))


def campaigns(slugs: Iterable[str], found: Mapping[str, Result]) -> list[str]:
    """Return the campaigns among `slugs` that are something to do, in page one's order: none that did harm or lost money.

    Parameters
    ----------
    slugs : iterable of str
        Campaigns only.
    found : mapping of str to Result
        As notebooks left them, `last-round` among them.
    """
    known = joined(found)
    going = [slug for slug in slugs if not stopped(known.get(slug))]
    return sorted(going, key=lambda slug: (*place(known.get(slug), "campaign"), slug))


def _measured(result: Result, row: dict[str, Any]) -> Result:
    """One practice with what its rounds have shown."""
    if result.kind != "tactic" or result.status != "ready":
        return result
    worth = _value(result.value, row)
    summed = row["verdict"] == HARMS or worth.amount is not None
    tables = result.tables | ({"worth": _sum(row, worth)} if summed else {})
    return result.model_copy(update={"value": worth, "measure": _known(result.measure, row), "tables": tables})


def _value(before: Value | None, row: dict[str, Any]) -> Value:
    rate, assumptions = (before.break_even_rate, before.assumptions) if before else (None, [])
    if row["verdict"] == HARMS:
        return Value(break_even_rate=rate, grade="A")
    if row["profit"] is None or not (row["verdict"] == WORKS or row["profit_high"] < 0):
        return Value(break_even_rate=rate, grade="A", assumptions=assumptions)
    assumptions = [f"measure.assumption.{'several' if row['rounds'] > 1 else 'one'}"]
    assumptions += ["measure.assumption.no_cost"] if row["cost"] is None else []
    low, high = row["profit_low"], row["profit_high"]
    amount = row["profit"] if low > 0 or high < 0 else None
    return Value(amount=amount, low=low, high=high, break_even_rate=rate, grade="A", assumptions=assumptions)


def _sum(row: dict[str, Any], worth: Value) -> Table:
    """The sum behind a measured worth; of a practice that did harm, the harm."""
    lines = [["rounds", row["rounds"], "count"], ["people", row["people"], "count"], ["effect", row["effect"], "points"]]
    if row["verdict"] != HARMS:
        spent = None if row["cost"] is None else row["cost"] * row["treated"]
        margin = worth.amount + (spent or 0.0)
        lines += [
            ["treated", row["treated"], "count"],
            ["margin", margin, "money"],
            ["cost", spent, "money"],
            ["left", worth.amount, "money"],
        ]
    return Table(columns=["key", "value", "unit"], rows=[[f"measure.worth.{name}", value, unit] for name, value, unit in lines])


def _known(plan: Measure | None, row: dict[str, Any]) -> Measure | None:
    """The plan of the next round with what the earlier ones have shown beside it."""
    if plan is None:
        return None
    interval = None if row["low"] is None else (row["low"], row["high"], LEVEL)
    shown = {"verdict": row["verdict"], "rounds": row["rounds"], "people": row["people"], "treated_last": row["treated"],
             "days": row["window_days"], "cost": row["cost"], "could_show": row["mde"]}  # fmt: skip
    return plan.model_copy(update={"effect": row["effect"], "interval": interval, "p": row["p"], "checks": plan.checks | shown})
