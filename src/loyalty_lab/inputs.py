"""What the notebooks of a run may read: settings, forecast, the rounds so far, and the scorecard of the report before."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty_lab import keys, results
from loyalty_lab.errors import NotebookError
from loyalty_lab.kept import Cache, Work, digest
from loyalty_lab.run import EARLIER_FILE, FORECAST_PARTS, ROUNDS_FILE, SETTINGS_FILE
from loyalty_lab.shop import IDENTITIES, LEDGER, RETURNED, SALT

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.intake import Intake

FILES = (SETTINGS_FILE, ROUNDS_FILE, EARLIER_FILE, *FORECAST_PARTS)


@dataclass(frozen=True)
class Written:
    """What was laid before the notebooks.

    `earlier` is the file of the report before this one as an input of the run, if there is one; `key` is of everything but the
    shop's tables.
    """

    horizon_days: int
    earlier: list[dict[str, Any]]
    key: str


def write(
    shop_folder: Path, taken: Intake, cutoff: date, report_date: date, folder: Path, beside: Path, cache: Cache, spark: str | None = None
) -> Written:  # fmt: skip
    """Write `FILES` into the folder in which notebooks are to run.

    Parameters
    ----------
    shop_folder : pathlib.Path
    taken : Intake
        The shop as it was read.
    cutoff, report_date : datetime.date
    folder : pathlib.Path
    beside : pathlib.Path
        Where earlier reports are looked for first.
    cache : Cache
        Where a forecast that was made of the same shop at the same cutoff is found, or kept.
    spark : str, optional
        Address of the Spark cluster that makes the forecast, with the same numbers; this process makes it if not given.

    Returns
    -------
    Written
    """
    settings = told(taken)
    horizon_days = _write_forecast(taken, settings, cutoff, folder, cache, spark)
    when = {"cutoff": cutoff.isoformat(), "report_date": report_date.isoformat(), "horizon_days": horizon_days}
    places = {name: os.path.relpath(path, folder) for name, path in sorted(taken.paths.items())}
    results.write_json(folder / SETTINGS_FILE, {"settings": settings, **when, "tables": places})
    _write_rounds(shop_folder, cutoff, folder, cache)
    earlier = _write_earlier(shop_folder, beside, cutoff, folder)
    key = keys.of(settings, when, {name: digest(folder / name) for name in FILES if name != SETTINGS_FILE})
    return Written(horizon_days, earlier, key)


def forecast_at_hand(taken: Intake, cutoff: date, cache: Cache) -> bool:
    """Return whether the forecast was made before: if not, no notebook was."""
    work, key = _forecast_work(told(taken), cutoff, cache)
    return work.done(key, taken.hashes) is not None


def _forecast_work(settings: dict[str, Any], cutoff: date, cache: Cache) -> tuple[Work, str]:
    return cache.work("forecast"), keys.of("forecast", settings, cutoff.isoformat(), keys.of_notebooks_code())


def told(taken: Intake) -> dict[str, Any]:
    """Return what notebooks may know of shop.toml: neither people nor files, and of the languages the first, which is the shop's own."""
    settings = taken.settings.model_dump(mode="json", exclude={"identity": True, "sources": True, "brand": {"logo"}})
    return settings | {"languages": settings["languages"][:1]}


def _write_forecast(taken: Intake, settings: dict[str, Any], cutoff: date, folder: Path, cache: Cache, spark: str | None) -> int:
    """Write the forecast and its backtest. Returns the horizon in days."""
    work, key = _forecast_work(settings, cutoff, cache)
    if noted := work.bring(key, folder, taken.hashes):
        return noted["horizon_days"]
    from loyalty_lab import forecast

    horizon_days, scores, backtest, asked = _forecast(taken, cutoff) if spark is None else _forecast_on_spark(taken, cutoff, spark)
    forecast.write(scores, folder / FORECAST_PARTS[0])
    results.write_json(folder / FORECAST_PARTS[1], results.plain(backtest))
    work.keep(key, folder, FORECAST_PARTS, {name: taken.hashes.get(name) for name in asked}, horizon_days=horizon_days)
    return horizon_days


def _forecast(taken: Intake, cutoff: date) -> tuple[int, pd.DataFrame, dict[str, Any], set[str]]:
    """The horizon, the forecast, its backtest, and which tables were asked for."""
    from loyalty_lab import customers, forecast

    shelf = taken.shelf()
    shop = taken.shop(shelf).until(cutoff)
    horizon_days = customers.propose_horizon(shop.orders, cutoff)
    return horizon_days, *forecast.for_shop(shop, cutoff, horizon_days), shelf.asked


def _forecast_on_spark(taken: Intake, cutoff: date, master: str) -> tuple[int, pd.DataFrame, dict[str, Any], set[str]]:
    from loyalty_lab import spark

    orders = spark.orders(spark.session(master), taken.paths["orders"])
    horizon_days = spark.propose_horizon(orders, cutoff)
    return horizon_days, *spark.for_shop(taken.settings, orders, cutoff, horizon_days), {"orders"}


def _write_rounds(shop_folder: Path, cutoff: date, folder: Path, cache: Cache) -> None:
    """Write what the notebooks may know of rounds: pseudonyms and arms."""
    work, key = cache.work("rounds"), keys.of("rounds", seen_of_rounds(shop_folder, cutoff), cutoff, keys.of_notebooks_code())
    if work.bring(key, folder) is not None:
        return
    from loyalty_lab import lists, rounds

    people = lists.read_identities(shop_folder / IDENTITIES)
    rows = rounds.for_notebooks(shop_folder, people, lists.read_salt(shop_folder), cutoff)
    results.write_atomically(folder / ROUNDS_FILE, rows.to_csv(index=False, lineterminator="\n").encode())
    work.keep(key, folder, [ROUNDS_FILE])


def seen_of_rounds(shop_folder: Path, cutoff: date | None = None) -> list[Any]:
    """Return the hashes of what is known of people and rounds: who is who, the ledger, and the lists that came back.

    With a cutoff, only the ledger's rows of rounds that were opened before it: the run itself adds to the others.
    """
    ledger = shop_folder / LEDGER
    written = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    rows = [row for row in written if cutoff is None or row.partition(",")[0].rpartition("@")[2][:10] < cutoff.isoformat()]
    came_back = sorted(path for path in (shop_folder / RETURNED).glob("*") if path.is_file())
    people = [digest(shop_folder / name) for name in (IDENTITIES, SALT)]
    return [people, keys.of(rows), [digest(path) for path in came_back]]


def _write_earlier(shop_folder: Path, beside: Path, cutoff: date, folder: Path) -> list[dict[str, Any]]:
    """Write what the notebooks may know of the last report before this one. Returns its file as an input of this run, if there is one."""
    content, inputs = None, []
    for day, path in earlier_scorecards((beside, shop_folder / "reports"), cutoff):
        try:
            facts = results.load(path).facts
        except NotebookError:
            continue  # of another version, or cut off: the one before it counts
        if facts:
            content = {"cutoff": day, "facts": {name: fact.value for name, fact in facts.items()}}
            inputs = [{"name": f"reports/{day}/results/{path.name}", "sha256": digest(path), "rows": len(facts)}]
            break
    results.write_json(folder / EARLIER_FILE, content)
    return inputs


def earlier_scorecards(folders: Iterable[Path], cutoff: date) -> list[tuple[str, Path]]:
    """Return the scorecards of reports with an earlier cutoff, latest first; of two for the same day that in the first folder."""
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("????-??-??/results/scorecard.json"))):
        found.setdefault(path.parent.parent.name, path)
    return sorted(((day, path) for day, path in found.items() if day < cutoff.isoformat()), reverse=True)
