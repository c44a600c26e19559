"""Three small shops that wrote letters by lot: one whose letter works, one whose letter does nothing, one whose letter drives people away.

`make` writes a whole shop folder (exports, shop.toml, private/, ledger, a returned list), `run` opens it as a notebook would, and
`pages` builds what its playbook prints of the letters. To look at one: python tests/lettered_shops.py works build/works
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import sample_results
import shop_folders

from loyalty_lab import assignment, document, intake, lists, returned, rounds
from loyalty_lab.ledger import append
from loyalty_lab.results import Result
from loyalty_lab.shop import RETURNED
from loyalty_lab.study import Run

SLUG, SALT = "follow-up-letters", "5e" * 32
OPENED, BEGINS = date(2026, 6, 30), date(2026, 7, 1)
DAYS = 60
EFFECTS = {"works": 0.15, "null": 0.0, "harms": -0.15}
HEAD = shop_folders.HEAD + 'languages = ["en", "bn"]\nmargin = 0.30\n\n[capacity]\nletter = 60\n\n[cost]\nletter = 0.40\n'


@dataclass(frozen=True)
class Letters:
    """What happens in one shop: `effect` is added to the chance of 0.3 to come back within the days of a round."""

    effect: float
    people: int = 700
    cycles: int = 1
    seed: int = 5

    @property
    def rounds(self) -> list[assignment.Round]:
        later = [timedelta(days=(DAYS + 1) * at) for at in range(self.cycles)]
        return [assignment.Round(SLUG, OPENED + each, BEGINS + each, DAYS) for each in later]

    @property
    def read_on(self) -> date:
        return self.rounds[-1].read_on


def make(folder: Path, letters: Letters) -> intake.Intake:
    """Write the folder of a shop whose last round has come to its day."""
    draw = np.random.default_rng(letters.seed)
    names = [f"C{at:04d}" for at in range(letters.people)]
    usual = draw.lognormal(3.6, 0.5, letters.people)
    orders = _history(draw, names, usual)
    shop_folders.make(folder, {"orders.csv": shop_folders.ORDERS}, head=HEAD)
    _write(folder, orders)
    (folder / lists.SALT).parent.mkdir(mode=0o700)
    (folder / lists.SALT).write_text(SALT, encoding="ascii")
    for cycle in letters.rounds:
        listed = pd.DataFrame({"unit": names, "stratum": "all", "spend": usual})
        drawn = assignment.open_round(SALT, cycle, listed)
        append(folder / lists.LEDGER, drawn)
        treated = drawn.set_index("unit")["arm"].reindex(names) == "treated"
        back = draw.random(letters.people) < 0.3 + letters.effect * treated.to_numpy()
        orders += _orders(draw, np.array(names)[back], usual[back], cycle.begins_on, cycle.read_on)
        _return_list(folder, cycle, drawn)
    _write(folder, [*orders, ("C0000", letters.read_on, 20.0)])
    return intake.read(folder)


def run(taken: intake.Intake, cutoff: date) -> Run:
    """The shop as a notebook would see it, with a forecast that takes no time: everybody stays away with the same chance."""
    opened = Run(taken.shop().until(cutoff), cutoff, cutoff + timedelta(days=1), DAYS)
    known = lists.read_identities(taken.folder / lists.IDENTITIES)
    everybody = pd.Index(opened.shop.orders["customer_id"].unique(), name="customer_id")
    opened.__dict__["_forecast_and_backtest"] = (pd.DataFrame({"churn_probability": 0.7, "save_value": 30.0}, index=everybody), {})
    opened.__dict__["rounds"] = rounds.for_notebooks(taken.folder, known, SALT, cutoff)
    return opened


def results(opened: Run) -> dict[str, Result]:
    """What the notebooks of the letters and of the last round leave."""
    return {slug: opened.study(slug).result() for slug in (SLUG, "last-round")} | {"scorecard": sample_results.scorecard()}


def pages(opened: Run, found: dict[str, Result], language: str = "en") -> dict:
    """What is printed of them, with a list written for the letters."""
    action = {"slug": SLUG, "kind": "campaign", "list": f"{SLUG}.xlsx", "count": 60, "held_out": 60, "expected_gain": None, "extra": {}}
    about = {"version": "1", "cutoff": opened.cutoff.isoformat(), "report_date": opened.report_date.isoformat(), "horizon_days": DAYS}
    return document.build(found, [action], opened.shop.settings, {}, about, language)


def _history(draw: np.random.Generator, names: list[str], usual: np.ndarray) -> list[tuple[str, date, float]]:
    """Two years in which everybody came a few times, the last time well before the letter."""
    start = OPENED - timedelta(days=730)
    many = draw.poisson(3.0, len(names)) + 2
    who = np.repeat(np.arange(len(names)), many)
    return _orders(draw, np.array(names)[who], usual[who], start, OPENED - timedelta(days=20))


def _orders(draw: np.random.Generator, who: np.ndarray, usual: np.ndarray, first: date, end: date) -> list[tuple[str, date, float]]:
    days = draw.integers(0, (end - first).days, len(who))
    amounts = np.round(usual * draw.lognormal(0.0, 0.4, len(who)), 2)
    return [(name, first + timedelta(days=int(day)), amount) for name, day, amount in zip(who, days, amounts, strict=True)]


def _write(folder: Path, orders: list[tuple[str, date, float]]) -> None:
    rows = "".join(f"{at},{who},{day.isoformat()} 12:00,{amount:.2f}\n" for at, (who, day, amount) in enumerate(orders))
    (folder / "exports" / "orders.csv").write_text(shop_folders.ORDERS + rows, encoding="utf-8")


def _return_list(folder: Path, cycle: assignment.Round, drawn: pd.DataFrame) -> None:
    """The list as the counter filled it in: nine of ten letters went out."""
    path = folder / RETURNED / f"{cycle.opened_on}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    treated = drawn.loc[drawn["arm"] == "treated", "unit"].tolist()
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Customer", "List", "What happened"])
        writer.writerows([unit, returned.list_code(SALT, cycle.name), "none" if at % 10 else ""] for at, unit in enumerate(treated))


if __name__ == "__main__":
    make(Path(sys.argv[2]), Letters(EFFECTS[sys.argv[1]], cycles=int(sys.argv[3]) if len(sys.argv) > 3 else 1))
