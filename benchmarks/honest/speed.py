"""How long one round of a large shop takes, from the lot to the verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import Any

import pandas as pd

from honest import Goal, Size, table
from honest.letters import BEGINS, OPENED, READ_ON, SLUGS, WINDOW, lettered, printed, salt_of
from loyalty_lab import assignment, rounds
from loyalty_lab.ledger import append

PEOPLE = 20_000


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """CPU seconds of each step of one round."""
    shop, seconds = lettered(PEOPLE, [5]), {}
    listed = shop.ledger[["unit", "stratum"]].assign(spend=shop.table()["spend_before"].to_numpy())
    units = pd.Index(shop.ledger["unit"], name="customer_id")
    identities = pd.DataFrame({"merged_id": units.to_numpy(), "merged_into": None}, index=units, dtype="object")
    run = shop.run()

    @contextmanager
    def step(name: str) -> Iterator[None]:
        began = process_time()
        yield
        seconds[name] = process_time() - began

    with tempfile.TemporaryDirectory() as folder:
        ledger = Path(folder) / "rounds" / "assignments.csv"
        with step("arms drawn"):
            drawn = assignment.open_round(salt_of([5]), assignment.Round(SLUGS[0], OPENED, BEGINS, WINDOW), listed)
        with step("ledger appended and read back"):
            append(ledger, drawn)
        with step("ledger and returned lists read for the notebooks"):
            run.rounds = rounds.for_notebooks(Path(folder), identities, salt_of([5]), READ_ON)
    with step("window closed"):
        rounds.closed(run.rounds, run.shop.orders, READ_ON)
    with step("last round found, with its verdict"):
        verdict = printed(run)[SLUGS[0]][0]
    return {"people": PEOPLE, "orders": len(run.shop.orders), "verdict": verdict, "seconds": seconds}


def text(found: dict[str, Any]) -> list[str]:
    """Step by step."""
    rows = [[name, f"{seconds:.2f}"] for name, seconds in found["seconds"].items()]
    intro = f"{found['people']:,} customers with {found['orders']:,} orders; the last step closes the window once more."
    return [intro, "", *table("step|CPU s", rows)]


def goals(found: dict[str, Any]) -> list[Goal]:
    """Ten seconds."""
    total = sum(found["seconds"].values())
    return [(f"a round of {found['people']:,} customers in at most 10 CPU seconds", f"{total:.1f} s", total <= 10)]
