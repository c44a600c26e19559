"""One shop's report from start to end: exports, tables, forecast, notebooks, lists, pages."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty_lab import __version__, intake, results, run, tactics
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.intake import saying
from loyalty_lab.language import Texts
from loyalty_lab.study import FORECAST_PARTS, ROUNDS_FILE

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.shop import Shop

Step = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What was asked for: the dates, languages, pages, paper and edition of one report."""

    as_of: date | None = None
    report_date: date | None = None
    languages: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    out: Path | None = None
    paper: str = "a4"
    edition: str = "client"
    timeout: int = 600


@dataclass(frozen=True)
class Report:
    """Where the report lies, and which of its notebooks failed."""

    folder: Path
    failed: tuple[str, ...]


def make(shop_folder: Path, order: Order, step: Step = lambda line: None) -> Report:
    """Make the whole report of one shop.

    Everything is made in a temporary folder beside its place and renamed at the end, so that
    an earlier report stays until a whole new one is there.

    Parameters
    ----------
    shop_folder : pathlib.Path
        Folder with ``shop.toml`` and exports.
    order : Order
        What is asked for.
    step : callable
        Called with a line when a step begins.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If the shop cannot be read, its data are stale, or the output folder cannot be written.
    RenderError
        If the pages cannot be made.
    """
    shop_folder = Path(shop_folder)
    chosen = run.pages(order.only)
    step("reading the exports")
    taken = intake.read(shop_folder)
    shop = taken.shop()
    cutoff, report_date = _dates(shop, order)
    shop = shop.until(cutoff)
    with _staged(_place(shop_folder, order, cutoff)) as stage:
        step("forecasting")
        horizon_days = _write_inputs(taken, shop, cutoff, report_date, stage)
        _write_rounds(shop_folder, cutoff, stage)
        done = partial(_told, step)
        outcomes = run.run_pages(chosen, stage, cutoff, order.timeout, done, order.edition)
        step("drawing arms and writing lists")
        actions = _write_lists(shop_folder, taken, shop, cutoff, report_date, horizon_days, stage)
        about = _about(taken, order, cutoff, report_date, horizon_days)
        for language in order.languages or tuple(shop.settings.languages):
            step(f"printing the playbook ({language})")
            _print_pages(taken, shop, actions, about, language, order.paper, stage)
        _write_log(about, outcomes, taken, stage)
        for leftover in (run.SETTINGS_FILE, ROUNDS_FILE, *FORECAST_PARTS):
            (stage / leftover).unlink()
    return Report(_place(shop_folder, order, cutoff), tuple(o.page.slug for o in outcomes if o.status == "failed"))


def _told(step: Step, outcome: run.Outcome) -> None:
    step(f"{outcome.page.notebook}: {outcome.status}")


def _dates(shop: Shop, order: Order) -> tuple[date, date]:
    last, first = shop.last_day, shop.orders["ordered_at"].min().date()
    cutoff = order.as_of or last
    if cutoff < first:
        raise UsageError("--as-of", f"{cutoff} lies before the first order ({first})", "give a later date")
    age = (cutoff - last).days
    if age > shop.settings.freshness_days:
        raise InputError(
            "--as-of", f"{cutoff} is {age} days after the last order ({last}); freshness_days is {shop.settings.freshness_days}",
            "bring newer exports, or raise freshness_days in shop.toml",
        )  # fmt: skip
    report_date = order.report_date or cutoff + timedelta(days=1)
    if report_date < cutoff:
        raise UsageError("--report-date", f"{report_date} lies before the cutoff ({cutoff})", "give the day the report is handed over")
    return cutoff, report_date


def _place(shop_folder: Path, order: Order, cutoff: date) -> Path:
    below = order.out / shop_folder.resolve().name if order.out else shop_folder / "reports"
    return below / cutoff.isoformat()


@contextmanager
def _staged(target: Path):
    """Give a temporary folder beside `target` that takes its place when the work is whole."""
    stage = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        stage.mkdir(parents=True)
    except OSError as error:
        raise InputError(
            str(target), f"cannot be written: {error.strerror}", "choose another folder with --out, or free this one"
        ) from None
    try:
        yield stage
        _swap(stage, target)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _swap(stage: Path, target: Path) -> None:
    before = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, before)
    os.replace(stage, target)
    shutil.rmtree(before, ignore_errors=True)


def _write_inputs(taken: intake.Intake, shop: Shop, cutoff: date, report_date: date, stage: Path) -> int:
    """Write what the notebooks read: the forecast and the settings of this run. Returns the horizon."""
    from loyalty_lab import customers, forecast

    horizon_days = customers.propose_horizon(shop.orders, cutoff)
    scores, backtest = forecast.for_shop(shop, cutoff, horizon_days)
    forecast.write(scores, stage / FORECAST_PARTS[0])
    _write_json(stage / FORECAST_PARTS[1], results.plain(backtest))
    settings = {
        "settings": shop.settings.model_dump(mode="json", exclude={"identity", "sources"}),
        "cutoff": cutoff.isoformat(),
        "report_date": report_date.isoformat(),
        "horizon_days": horizon_days,
        "tables": {name: os.path.relpath(path, stage) for name, path in sorted(taken.paths.items())},
    }
    _write_json(stage / run.SETTINGS_FILE, settings)
    return horizon_days


def _write_rounds(shop_folder: Path, cutoff: date, stage: Path) -> None:
    """Write what the notebooks may know of rounds: pseudonyms and arms."""
    from loyalty_lab import lists, rounds

    salt = (shop_folder / lists.SALT).read_text(encoding="ascii").strip()
    rows = rounds.for_notebooks(shop_folder, lists.read_identities(shop_folder / lists.IDENTITIES), salt, cutoff)
    results.write_atomically(stage / ROUNDS_FILE, rows.to_csv(index=False, lineterminator="\n").encode())


def _write_lists(
    shop_folder: Path, taken: intake.Intake, shop: Shop, cutoff: date, report_date: date, horizon_days: int, stage: Path
) -> list[dict[str, Any]]:
    from loyalty_lab import lists

    found = {
        tactic.slug: results.load(path) for tactic in tactics.CATALOGUE if (path := stage / "results" / f"{tactic.slug}.json").exists()
    }
    candidates = {slug: _candidates(stage, slug) for slug, result in found.items() if result.status == "ready"}
    actions = lists.make_lists(
        shop_folder, shop, candidates, found, cutoff=cutoff, report_date=report_date, horizon_days=horizon_days, out=stage / "lists"
    )
    _write_json(stage / "results" / "actions.json", results.plain(actions))
    return actions


def rebuild_ledger(shop_folder: Path, step: Step = lambda line: None) -> int:
    """Write a lost ledger anew: every earlier report's arms, drawn again in the order of the reports.

    The lot hangs on the shop's secret, the tactic, the cutoff and the person alone, so that the same exports, settings and
    candidates give the arms they gave then. The lists made on the way are compared with those of the report.

    Returns
    -------
    int
        How many rows the ledger holds.

    Raises
    ------
    InputError
        If there is a ledger, or no report to rebuild it from, or a list comes out otherwise than it was handed over.
    """
    from loyalty_lab import assignment, lists

    ledger = shop_folder / lists.LEDGER
    if len(assignment.read_ledger(ledger)):
        raise InputError(f"rounds/{ledger.name}", "is there and holds rounds", "move it away first; it is only rebuilt where it was lost")
    made = sorted(path.parent for path in (shop_folder / "reports").glob("*/run.json"))
    if not made:
        raise InputError("reports/", "holds no report to rebuild the ledger from", "put the earlier reports back")
    taken = intake.read(shop_folder)
    for folder in made:
        step(f"drawing the arms of {folder.name} again")
        _draw_again(shop_folder, taken, folder)
    return len(assignment.read_ledger(ledger))


def _draw_again(shop_folder: Path, taken: intake.Intake, folder: Path) -> None:
    """The arms of one report, and a check of its campaigns' lists against those that were handed over."""
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    cutoff, report_date = (date.fromisoformat(about[name]) for name in ("cutoff", "report_date"))
    place = shop_folder / "rounds" / f".{folder.name}.{os.getpid()}.tmp"
    try:
        shutil.copytree(folder / "results", place / "results")
        actions = _write_lists(shop_folder, taken, taken.shop().until(cutoff), cutoff, report_date, about["horizon_days"], place)
        for action in actions:
            name = f"{action['slug']}.csv"
            if action["kind"] == "campaign" and _numbers(place / "lists" / name) != _numbers(folder / "lists" / name):
                remedy = "bring back the exports, shop.toml and private/ of that report"
                raise InputError(f"reports/{folder.name}/lists/{name}", "names other people than are drawn now", remedy)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _numbers(path: Path) -> list[str]:
    """The customers of a list, by the shop's own numbers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row[0] for row in csv.reader(file)]


def _candidates(stage: Path, slug: str) -> pd.DataFrame:
    import pandas as pd

    path = stage / "results" / f"{slug}.candidates.csv"
    frame = pd.read_csv(path, dtype={"pseudonym": "str", "reason": "str", "channel": "str"})
    return frame.assign(arguments=[json.loads(text) for text in frame["arguments"]])


def _about(taken: intake.Intake, order: Order, cutoff: date, report_date: date, horizon_days: int) -> dict[str, Any]:
    return {
        "version": __version__,
        "cutoff": cutoff.isoformat(),
        "report_date": report_date.isoformat(),
        "horizon_days": horizon_days,
        "paper": order.paper,
        "edition": order.edition,
        "only": list(order.only),
        "inputs": taken.report.inputs,
    }


def _print_pages(
    taken: intake.Intake, shop: Shop, actions: list[dict], about: dict[str, Any], language: str, paper: str, stage: Path
) -> None:
    from loyalty_lab import document, playbook

    found = {path.stem: results.load(path) for path in sorted((stage / "results").glob("*.json")) if path.stem != "actions"}
    pages = document.build(found, actions, shop.settings, report_json(taken, about["cutoff"], language), about, language)
    results.write_atomically(stage / f"playbook-{language}.pdf", playbook.pdf(pages, paper))
    results.write_atomically(stage / f"playbook-{language}.html", playbook.html(pages).encode())


def report_json(taken: intake.Intake, cutoff: str, language: str = "en") -> dict[str, Any]:
    """Return what `check --json` prints: what was read, dropped and why, and which tactics it unlocks."""
    ready = {tactic.slug: taken.lacks(tactic.needs) for tactic in tactics.CATALOGUE}
    unlocked = {slug: f"needs data: {need}" if need else "ready" for slug, need in ready.items()}
    texts = Texts(language, currency=taken.settings.currency)
    return taken.report.as_json(taken.settings, cutoff, unlocked, saying.warnings(taken.report, texts))


def _write_log(about: dict[str, Any], outcomes: list[run.Outcome], taken: intake.Intake, stage: Path) -> None:
    outputs = {
        path.relative_to(stage).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(stage.rglob("*"))
        if (path.is_file() and path.parent != stage) or path.name.startswith("playbook-")
    }
    notebooks = [
        {
            "notebook": outcome.page.notebook,
            "status": outcome.status,
            "seconds": round(outcome.seconds, 2),
            "sha256": outputs.get(f"notebooks/{outcome.page.notebook}.ipynb"),
        }
        for outcome in outcomes
    ]
    warnings = [message.model_dump(mode="json") for message in taken.report.warnings]
    _write_json(stage / "run.json", {**about, "notebooks": notebooks, "outputs": outputs, "warnings": warnings})


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    results.write_atomically(path, (text + "\n").encode())
