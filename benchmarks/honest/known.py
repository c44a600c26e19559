"""Letters whose effect is known: how often intervals hold it, and whether anything is off on average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from honest import Goal, Size, part, split, table
from honest.letters import Letter, lettered
from loyalty_lab import assignment, rates, rounds, trial

LETTER = Letter(chance=0.12, times=1.3)
SIZES = (300, 1_000, 3_000, 6_000)
READERS: dict[str, tuple[Callable[[pd.DataFrame], trial.Estimate], float]] = {
    "repeat rate": (lambda people: rates.difference(people, "back"), LETTER.back()),
    "spend": (lambda people: trial.difference(people, "spend"), LETTER.spend()),
    "spend, adjusted": (lambda people: trial.adjusted_difference(people, "spend", rounds.BEFORE)[0], LETTER.spend()),
    "spend per order": (lambda people: trial.ratio_difference(people, "spend", "orders"), LETTER.spend_per_order()),
}


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """Coverage and bias of what a round is read by, where the truth is known in closed form."""
    rows = [row for people in SIZES if people <= size.largest for row in _coverage(people, size.runs)]
    return {"runs": size.runs, "letter": asdict(LETTER), "rows": rows}


def _coverage(people: int, runs: int) -> list[dict[str, Any]]:
    found: dict[str, list[trial.Estimate]] = {name: [] for name in READERS}
    explained = []
    for at in range(runs):
        round_ = lettered(people, [3, people, at], LETTER).table()
        for name, (read, _) in READERS.items():
            found[name].append(read(round_))
        if at % 20 == 0:
            explained.append(trial.adjusted_difference(round_, "spend", rounds.BEFORE)[1])
    about = {"people": people, "share": assignment.treated_share(people), "explained": float(np.mean(explained))}
    return [about | {"what": name} | _judged(found[name], truth) for name, (_, truth) in READERS.items()]


def _judged(found: list[trial.Estimate], truth: float) -> dict[str, float]:
    values = np.array([each.value for each in found])
    lows, highs = (np.array([getattr(each, end) for each in found]) for end in ("low", "high"))
    error = values.std(ddof=1) / np.sqrt(len(values))
    return {"truth": truth, "bias": float(values.mean() - truth), "error": float(error), "wide": float((highs - lows).mean() / 2),
            "held": int(((lows <= truth) & (truth <= highs)).sum()), "above": int((truth > highs).sum()),
            "below": int((truth < lows).sum()), "runs": len(found)}  # fmt: skip


def text(found: dict[str, Any]) -> list[str]:
    """Coverage and bias by size and reader."""
    numbers = ("truth", "bias", "error", "wide")
    rows = [[f"{each['people']:,}", split(each["share"]), each["what"], *(f"{each[name]:.4f}" for name in numbers),
             part(each["held"], each["runs"]), each["above"], each["below"]] for each in found["rows"]]  # fmt: skip
    gained = ", ".join(f"{each['explained']:.0%}" for each in found["rows"] if each["what"] == "spend")
    letter = found["letter"]
    return [
        f"The letter brings {letter['chance']:.0%} of those who get it one more order, {letter['times']} times an ordinary one. "
        f"{found['runs']:,} rounds of each size; a 95% interval should hold the truth in 95%.", "",
        *table("people|split|what|truth|bias|its Monte-Carlo error|half the interval|held the truth|truth above|truth below", rows), "",
        f"Share of the variance of spend that was known before: {gained}.",
    ]  # fmt: skip


def goals(found: dict[str, Any]) -> list[Goal]:
    """Intervals hold as often as they say at every size, and nothing is off on average."""
    low, high = (0.93, 0.97) if found["runs"] >= 1_000 else (0.90, 0.98)
    goals = []
    for name in READERS:
        held = [each["held"] / each["runs"] for each in found["rows"] if each["what"] == name]
        met = low <= min(held) and max(held) <= high
        goals.append((f"interval holds in {low:.0%} to {high:.0%}: {name}", f"{min(held):.2%} to {max(held):.2%}", met))
    off = max(abs(each["bias"]) / each["error"] for each in found["rows"])
    return [*goals, ("bias below 3 Monte-Carlo errors everywhere", f"at most {off:.1f}", off < 3)]
