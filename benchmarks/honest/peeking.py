"""What looking twelve times at a letter that does nothing costs, and an interval that may be looked at always."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from honest import Goal, Size, part, table
from honest.letters import WINDOW, decided, lettered
from loyalty_lab import rates, trial
from loyalty_lab.proportions import wilson

GOAL = 0.05
LOOKS, AT_A_LOOK = 12, 100


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """False alarms of looking early: while people join, while the window runs, and by the interval that may be looked at always."""
    joining, running = Counter(runs=size.peeks), Counter(runs=size.peeks)
    for at in range(size.peeks):
        shop = lettered(LOOKS * AT_A_LOOK, [6, at])
        joining.update(_joining(shop.table(), np.random.default_rng([7, at])))
        days = [WINDOW * (look + 1) // LOOKS for look in range(LOOKS)]
        running.update(_alarms([rates.difference(shop.table(day), "back") for day in days]))
    return {"joining": joining, "running": running}


def _joining(people: pd.DataFrame, draw: np.random.Generator) -> dict[str, float]:
    """Pairs join in an order of their own, fifty between looks."""
    pairs = draw.permutation(people["pair"].unique())
    numbers = [AT_A_LOOK // 2 * (look + 1) for look in range(LOOKS)]
    looks = [rates.difference(people[people["pair"].isin(pairs[:n])], "back") for n in numbers]
    root = {n: (each.high - each.low) / 2 for n, each in zip(numbers, looks, strict=True)}
    spread = {n: wide * np.sqrt(n) / _student(n - 1) for n, wide in root.items()}
    wider = {n: trial.confidence_sequence(n, spread[n], numbers[-1]) for n in numbers}
    always = any(abs(each.value) > wider[n] for n, each in zip(numbers, looks, strict=True))
    return _alarms(looks) | {"sequence": int(always), "width": wider[numbers[-1]] / root[numbers[-1]]}


def _student(freedom: int) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - (1 - trial.LEVEL) / 2, freedom))


def _alarms(looks: list[trial.Estimate]) -> dict[str, float]:
    works = any(decided(each) == "works" for each in looks)
    return {"peeked": int(any(each.clear for each in looks)), "works": int(works), "planned": int(looks[-1].clear),
            "planned_works": int(decided(looks[-1]) == "works")}  # fmt: skip


def text(found: dict[str, Any]) -> list[str]:
    """False alarms by way of looking."""
    rows, n = [], found["joining"]["runs"]
    for who, name in (("joining", "people join between looks"), ("running", "the window runs on between looks")):
        rows.append([f"12 looks, uncorrected; {name}", part(found[who]["peeked"], n), part(found[who]["works"], n)])
        rows.append([f"once, on the planned day; {name}", part(found[who]["planned"], n), part(found[who]["planned_works"], n)])
    rows.append(["12 looks by the confidence sequence; people join between looks", part(found["joining"]["sequence"], n), ""])
    wide = found["joining"]["width"] / n
    return [f"{n:,} rounds of {LOOKS * AT_A_LOOK:,} people in pairs whose letter does nothing.", "",
            *table("looking|false alarms|of them works", rows), "",
            f"On the planned day the confidence sequence is {wide:.2f} times as wide as the planned interval."]  # fmt: skip


def goals(found: dict[str, Any]) -> list[Goal]:
    """The planned reading and the sequence keep their error."""
    n = found["joining"]["runs"]
    planned, sequence = found["joining"]["planned"], found["joining"]["sequence"]
    low, high = wilson(planned, n)
    return [
        ("false alarms of the planned reading: 5% lies in the interval", part(planned, n), low <= GOAL <= high),
        ("false alarms of twelve looks by the confidence sequence at most 5%", part(sequence, n), sequence / n <= GOAL),
    ]
