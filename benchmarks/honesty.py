"""How honest the reading of a round is: what shops are told where a letter does nothing, how often intervals hold, what power is worth.

    python benchmarks/honesty.py [--size quick|full] [--data FOLDER] [--only null,effects,power,hillstrom,speed,peeking,traps]

Arms are drawn, rounds closed and verdicts given by the product itself. FOLDER holds hillstrom.csv. Writes
`build/benchmarks/honesty.json` and `.md`; every seed is fixed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from time import process_time
from typing import Any

from honest import Section, Size, hillstrom, known, nulls, peeking, power, speed, table, traps
from honest.letters import lettered, printed
from threadpoolctl import threadpool_limits

OUT = Path(__file__).parent.parent / "build" / "benchmarks"
SIZES = {
    "quick": Size(alone=8, together=8, shops=8, runs=200, peeks=30, usual=500, base_rates=(0.3,), people=(500, 2_000), largest=1_000),
    "full": Size(
        alone=2_000,
        together=1_000,
        shops=400,
        runs=2_000,
        peeks=600,
        usual=4_000,
        base_rates=(0.1, 0.2, 0.3, 0.4),
        people=(500, 1_000, 2_000, 5_000, 10_000),
        largest=10_000,
    ),
}
# One line here is all that a further section needs.
SECTIONS = {
    "null": Section("Letters that do nothing", nulls.measured, nulls.text, nulls.goals),
    "effects": Section("Letters whose effect is known", known.measured, known.text, known.goals),
    "power": Section("Power", power.measured, power.text, power.goals),
    "hillstrom": Section("A real experiment", hillstrom.measured, hillstrom.text, hillstrom.goals),
    "speed": Section("Speed of a round", speed.measured, speed.text, speed.goals),
    "peeking": Section("Looking early", peeking.measured, peeking.text, peeking.goals),
    "traps": Section("Traps", traps.measured, traps.text, traps.goals),
}


def honesty(names: list[str], size: Size, data: Path | None) -> dict[str, Any]:
    """Measure sections; what each found, and its CPU seconds."""
    found = {}
    for name in names:
        began = process_time()
        found[name] = SECTIONS[name].measure(size, data)
        found[name]["cpu_seconds"] = round(process_time() - began, 1)
    return found


def markdown(found: dict[str, Any]) -> list[str]:
    """Every goal first, then section by section."""
    goals = [[*goal[:2], "yes" if goal[2] else "**no**"] for name, each in found.items() for goal in SECTIONS[name].goals(each)]
    lines = table("goal|measured|met", goals)
    for name, each in found.items():
        lines += ["", f"### {SECTIONS[name].title}", "", *SECTIONS[name].text(each), "", f"({each['cpu_seconds']:,.0f} CPU seconds)"]
    return lines


def versions() -> dict[str, str]:
    """Of Python and what matters here."""
    names = ("loyalty_lab", "numpy", "pandas", "scipy", "statsmodels", "duckdb")
    return {"python": python_version()} | {name: version(name) for name in names}


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = os.environ.get("LOYALTY_LAB_DATA")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--data", type=Path, default=Path(data) if data else None, help="folder with hillstrom.csv; else LOYALTY_LAB_DATA")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--json", type=Path, default=OUT / "honesty.json", help="where to write; the Markdown goes beside it")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, and write both reports."""
    given = parsed()
    printed(lettered(60, [0]).run())
    gc.collect()
    # A correction for several tests asks for a collection each time; what is loaded by now need not be searched.
    gc.freeze()
    with threadpool_limits(1):
        found = honesty(given.only.split(","), SIZES[given.size], given.data)
    about = {"versions": versions(), "size": given.size}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(about | found, indent=1, default=float) + "\n", encoding="utf-8")
    said = [", ".join(f"{name} {number}" for name, number in about["versions"].items()) + f"; size {given.size}", "", *markdown(found)]
    given.json.with_suffix(".md").write_text("\n".join(["# Honesty", "", *said]) + "\n", encoding="utf-8")
    print("\n".join(said))


if __name__ == "__main__":
    main()
