"""One shop's report from start to end: exports, tables, forecast, notebooks, lists, pages."""

from __future__ import annotations

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

from loyalty_lab import __version__, inputs, intake, lock, results, run, tactics
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.intake import saying
from loyalty_lab.language import Texts

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.lists import Post
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
    warm: bool = False


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
        If the shop cannot be read, its data are stale, the output folder cannot be written, or another run works on the shop.
    RenderError
        If the pages cannot be made.
    """
    with lock.alone(shop_folder):
        return _make(Path(shop_folder), order, step)


def _make(shop_folder: Path, order: Order, step: Step) -> Report:
    from loyalty_lab import letters

    chosen = run.pages(order.only)
    step("reading the exports")
    taken = intake.read(shop_folder)
    shop = taken.shop()
    cutoff, report_date = _dates(shop, order)
    shop = shop.until(cutoff)
    with _staged(_place(shop_folder, order, cutoff)) as stage:
        step("forecasting")
        beside = _place(shop_folder, order, cutoff).parent
        horizon_days, earlier = inputs.write(shop_folder, taken, shop, cutoff, report_date, stage, beside)
        done = partial(_told, step)
        outcomes = run.run_pages(chosen, stage, cutoff, order.timeout, done, order.edition, order.warm)
        step("drawing arms and writing lists")
        actions = write_lists(shop_folder, shop, cutoff, report_date, horizon_days, stage, partial(letters.write, paper=order.paper))
        about = _about(taken, order, cutoff, report_date, horizon_days)
        about["inputs"] = [*about["inputs"], *earlier]
        for language in order.languages or tuple(shop.settings.languages):
            step(f"printing the playbook ({language})")
            _print_pages(taken, shop, actions, about, language, order.paper, stage)
        _write_log(about | {"returned": _returned(shop_folder)}, outcomes, taken, stage)
        for leftover in inputs.FILES:
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
    lock.sweep(target.parent, f"{target.name}.*")
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


def _returned(shop_folder: Path) -> list[str]:
    """Which returned lists this run has seen, by their SHA-256; a file's name may be a person's."""
    from loyalty_lab import returned

    return [digest for _, digest in returned.digests(shop_folder / returned.FOLDER)]


def write_lists(
    shop_folder: Path, shop: Shop, cutoff: date, report_date: date, horizon_days: int, stage: Path, post: Post | None = None
) -> list[dict[str, Any]]:
    """Draw arms and write lists, and what is posted, from the results of the notebooks in `stage`; what `lists.make_lists` returns."""
    from loyalty_lab import gains, lists

    slugs = [tactic.slug for tactic in tactics.CATALOGUE]
    found = {slug: results.load(path) for slug in (*slugs, gains.ROUNDS) if (path := stage / "results" / f"{slug}.json").exists()}
    candidates = {slug: _candidates(stage, slug) for slug, result in found.items() if slug in slugs and result.status == "ready"}
    when = {"cutoff": cutoff, "report_date": report_date, "horizon_days": horizon_days}
    actions = lists.make_lists(shop_folder, shop, candidates, found, **when, out=stage / "lists", post=post)
    results.write_json(stage / "results" / "actions.json", results.plain(actions))
    return actions


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
    if about["edition"] == "trainer":
        results.write_atomically(stage / f"slides-{language}.pdf", playbook.pdf(pages, paper, "slides.typ"))


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
    results.write_json(stage / "run.json", {**about, "notebooks": notebooks, "outputs": outputs, "warnings": warnings})
