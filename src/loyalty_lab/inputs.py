"""What the notebooks of a run may read: settings, forecast, the rounds so far, and the scorecard of the report before."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty_lab import results, run
from loyalty_lab.errors import NotebookError
from loyalty_lab.study import EARLIER_FILE, FORECAST_PARTS, ROUNDS_FILE

if TYPE_CHECKING:
    from loyalty_lab.intake import Intake
    from loyalty_lab.shop import Shop

FILES = (run.SETTINGS_FILE, ROUNDS_FILE, EARLIER_FILE, *FORECAST_PARTS)


def write(
    shop_folder: Path, taken: Intake, shop: Shop, cutoff: date, report_date: date, folder: Path, beside: Path
) -> tuple[int, list[dict[str, Any]]]:  # fmt: skip
    """Write `FILES` into the folder in which notebooks are to run.

    Parameters
    ----------
    shop_folder : pathlib.Path
    taken : Intake
        The shop as it was read.
    shop : Shop
        The same, cut at the cutoff.
    cutoff, report_date : datetime.date
    folder : pathlib.Path
    beside : pathlib.Path
        Where earlier reports are looked for first.

    Returns
    -------
    tuple
        The horizon in days, and the file of the report before as an input of the run, if there is one.
    """
    horizon_days = _write_settings(taken, shop, cutoff, report_date, folder)
    _write_rounds(shop_folder, cutoff, folder)
    return horizon_days, _write_earlier(shop_folder, beside, cutoff, folder)


def _write_settings(taken: Intake, shop: Shop, cutoff: date, report_date: date, stage: Path) -> int:
    """Write what the notebooks read: the forecast and the settings of this run. Returns the horizon."""
    from loyalty_lab import customers, forecast

    horizon_days = customers.propose_horizon(shop.orders, cutoff)
    scores, backtest = forecast.for_shop(shop, cutoff, horizon_days)
    forecast.write(scores, stage / FORECAST_PARTS[0])
    results.write_json(stage / FORECAST_PARTS[1], results.plain(backtest))
    settings = {
        "settings": shop.settings.model_dump(mode="json", exclude={"identity", "sources"}),
        "cutoff": cutoff.isoformat(),
        "report_date": report_date.isoformat(),
        "horizon_days": horizon_days,
        "tables": {name: os.path.relpath(path, stage) for name, path in sorted(taken.paths.items())},
    }
    results.write_json(stage / run.SETTINGS_FILE, settings)
    return horizon_days


def _write_rounds(shop_folder: Path, cutoff: date, stage: Path) -> None:
    """Write what the notebooks may know of rounds: pseudonyms and arms."""
    from loyalty_lab import lists, rounds

    people = lists.read_identities(shop_folder / lists.IDENTITIES)
    rows = rounds.for_notebooks(shop_folder, people, lists.read_salt(shop_folder), cutoff)
    results.write_atomically(stage / ROUNDS_FILE, rows.to_csv(index=False, lineterminator="\n").encode())


def _write_earlier(shop_folder: Path, beside: Path, cutoff: date, stage: Path) -> list[dict[str, Any]]:
    """Write what the notebooks may know of the last report before this one. Returns its file as an input of this run, if there is one."""
    content, inputs = None, []
    for day, path in _earlier_scorecards((beside, shop_folder / "reports"), cutoff):
        try:
            facts = results.load(path).facts
        except NotebookError:
            continue  # of another version, or cut off: the one before it counts
        if facts:
            content = {"cutoff": day, "facts": {name: fact.value for name, fact in facts.items()}}
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            inputs = [{"name": f"reports/{day}/results/{path.name}", "sha256": digest, "rows": len(facts)}]
            break
    results.write_json(stage / EARLIER_FILE, content)
    return inputs


def _earlier_scorecards(folders: Iterable[Path], cutoff: date) -> list[tuple[str, Path]]:
    """The scorecards of reports with an earlier cutoff, latest first; of two for the same day that in the first folder."""
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("????-??-??/results/scorecard.json"))):
        found.setdefault(path.parent.parent.name, path)
    return sorted(((day, path) for day, path in found.items() if day < cutoff.isoformat()), reverse=True)
