"""Fourteen traps: how far the naive answer and ours lie from what is true, in standard errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from honest import Size, table
from loyalty_lab import demo
from loyalty_lab.demo.truth import of_trap
from loyalty_lab.lessons import traps

WARNING = re.compile(r"a hidden cause .* would explain it all away")
FAR = 3


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """Read every trap both ways, on as many shops as the size asks for."""
    return {"traps": [_one(trap, 7 + shop) for trap in traps.TRAPS for shop in range(1 + size.shops // 100)]}


def _one(trap: str, seed: int) -> dict[str, Any]:
    reading, true = traps.read(trap, seed=seed), of_trap(demo.make(preset=trap, seed=seed).truth, trap)
    off = {name: (found.value - true) / found.standard_error for name, found in (("naive", reading.naive), ("honest", reading.honest))}
    warned = reading.grade in ("C", "D") and bool(WARNING.search(reading.said or ""))
    return {"trap": trap, "seed": seed, "truth": true, "naive": reading.naive.value, "honest": reading.honest.value,
            "naive_off": off["naive"], "honest_off": off["honest"], "grade": reading.grade, "warned": warned}  # fmt: skip


def text(found: dict[str, Any]) -> list[str]:
    """One line a trap: of its first shop the three numbers, of all of them the least and the most standard errors off."""
    rows = []
    for trap in traps.TRAPS:
        mine = [each for each in found["traps"] if each["trap"] == trap]
        first = mine[0]
        naive, honest = ([abs(each[f"{way}_off"]) for each in mine] for way in ("naive", "honest"))
        numbers = [f"{first[name]:.3f}" for name in ("truth", "naive", "honest")]
        rows.append([trap, *numbers, f"{min(naive):.1f}", f"{max(honest):.1f}", first["grade"], "yes" if first["warned"] else "-"])
    return table("trap|truth|naive|ours|naive off by (SE, least)|ours off by (SE, most)|grade|warned in print", rows)


def goals(found: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """The naive answer is clearly wrong in each, ours within three standard errors or warned of in print."""
    naive = [abs(each["naive_off"]) > FAR for each in found["traps"]]
    honest = [abs(each["honest_off"]) < FAR or each["warned"] for each in found["traps"]]
    yield "traps: naive more than 3 SE off", f"{sum(naive)} of {len(naive)}", all(naive)
    yield "traps: ours within 3 SE, or warned of in print", f"{sum(honest)} of {len(honest)}", all(honest)
