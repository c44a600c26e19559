"""One shop's report from start to end: exports, tables, forecast, notebooks, lists, pages. What was made before is not made again."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty_lab import __version__, inputs, intake, keys, lock, results, run, tactics, workers
from loyalty_lab.drawer import Listening
from loyalty_lab.errors import InputError, RenderError, UsageError
from loyalty_lab.intake import saying
from loyalty_lab.kept import Cache, Work, digest
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.shop import CACHE, REPORTS, RETURNED

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.lists import Post
    from loyalty_lab.shop import Shop

Step = Callable[[str], None]
ACTIONS = "results/actions.json"


@dataclass(frozen=True)
class Order:
    """What was asked for: the dates, languages, pages and paper of one report, how its notebooks are run, whether all is made anew, and
    the address of a Spark cluster for the forecast."""

    as_of: date | None = None
    report_date: date | None = None
    languages: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    out: Path | None = None
    paper: str = "a4"
    manner: run.Manner = field(default_factory=run.Manner)
    fresh: bool = False
    spark: str | None = None


@dataclass(frozen=True)
class Report:
    """Where the report lies, which of its notebooks failed, whether the whole was there already, and what its pages begin with."""

    folder: Path
    failed: tuple[str, ...] = ()
    kept: bool = False
    front: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """One report in the making."""

    shop_folder: Path
    order: Order
    taken: intake.Intake
    cutoff: date
    report_date: date
    step: Step = lambda line: None

    @property
    def cache(self) -> Cache:
        return Cache(self.shop_folder / CACHE, self.order.fresh)

    @property
    def languages(self) -> tuple[str, ...]:
        return self.order.languages or tuple(self.taken.settings.languages)

    @property
    def place(self) -> Path:
        """Where the report is to lie."""
        below = self.order.out / self.shop_folder.resolve().name if self.order.out else self.shop_folder / REPORTS
        return below / self.cutoff.isoformat()

    @property
    def whole(self) -> Work:
        """The report as one piece of work; its files are those at its place."""
        return self.cache.work("reports", self.cutoff.isoformat(), files=self.place)

    def key(self) -> str:
        """Everything the report depends on, as it is now: the lists add to the ledger."""
        asked = replace(self.order, out=None, fresh=False, spark=None, manner=replace(self.order.manner, timeout=0, warm=False, jobs=1))
        known = inputs.seen_of_rounds(self.shop_folder)
        earlier = inputs.earlier_scorecards((self.place.parent, self.shop_folder / REPORTS), self.cutoff)
        texts = [keys.of_texts(language) for language in LOCALES]
        about = [asked, self.languages, self.cutoff, self.report_date, [digest(path) for _, path in earlier]]
        return keys.of(self.taken.key, keys.of_printing(*texts), known, about)


def make(shop_folder: Path, order: Order, step: Step = lambda line: None) -> Report:
    """Make the whole report of one shop.

    Everything is made in a temporary folder beside its place and renamed at the end, so that
    an earlier report stays until a whole new one is there. What was made before of the same inputs is taken from the shop's
    cache: the whole report, or the forecast, single notebooks, the lists and single languages.

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
        If the shop cannot be read, its data are stale, the output folder cannot be written or is full, or another run works on
        the shop. An earlier report stays as it was.
    RenderError
        If the pages cannot be made.
    """
    shop_folder = Path(shop_folder)
    run.pages(order.only)  # a misspelt name is told before anything is read
    with lock.alone(shop_folder):
        step("reading the exports")
        taken = intake.read(shop_folder, fresh=order.fresh)
        job = _Job(shop_folder, order, taken, *_dates(taken, order), step)
        return _whole(job) or _make(job)


def at_hand(shop_folder: Path, order: Order) -> Report | None:
    """Return the report if the whole of it is there already, made of the very same inputs; nothing heavy is loaded to find out.

    Raises
    ------
    InputError
        If shop.toml or an export cannot be read, or the data are stale.
    """
    run.pages(order.only)
    taken = None if order.fresh else intake.known(Path(shop_folder))
    return _whole(_Job(Path(shop_folder), order, taken, *_dates(taken, order))) if taken else None


def _whole(job: _Job) -> Report | None:
    front = job.whole.done(job.key())
    return None if front is None else Report(job.place, kept=True, front=front)


def _make(job: _Job) -> Report:
    with _staged(job.place) as stage:
        outcomes, front = _fill(job, stage)
        failed = tuple(outcome.page.slug for outcome in outcomes if outcome.status == "failed")
        if not failed:
            job.whole.keep(job.key(), stage, _files(stage), **front)
    return Report(job.place, failed, front=front)


def _fill(job: _Job, stage: Path) -> tuple[list[run.Outcome], dict[str, Any]]:
    """Make everything in a folder that is to become the report; returns how the notebooks ended, and what its pages begin with."""
    job.step("forecasting")
    if job.order.manner.warm and not inputs.forecast_at_hand(job.taken, job.cutoff, job.cache):
        run.warm_up()
    written = inputs.write(job.shop_folder, job.taken, job.cutoff, job.report_date, stage, job.place.parent, job.cache, job.order.spark)
    ground, chosen = run.Ground(stage, job.cutoff, job.cache, written.key, job.taken.hashes), run.pages(job.order.only)
    job.step(f"running {len(chosen)} notebooks")
    outcomes = run.run_pages(chosen, ground, job.order.manner, partial(_told, job.step))
    job.step("drawing arms and writing lists")
    actions, came_back = _lists(job, written.horizon_days, stage)
    about = _about(job, written)
    front = _print_all(job, actions, about, stage)
    _write_log(about | {"returned": came_back}, outcomes, job.taken, stage)
    for leftover in inputs.FILES:
        (stage / leftover).unlink()
    return outcomes, front


def _told(step: Step, outcome: run.Outcome) -> None:
    step(f"{outcome.page.notebook}: {outcome.status}" + (" (kept)" if outcome.kept else ""))


def _dates(taken: intake.Intake, order: Order) -> tuple[date, date]:
    orders = taken.report.tables["orders"]
    last, first = orders.last_day, orders.first_day
    cutoff = order.as_of or last
    if cutoff < first:
        raise UsageError("--as-of", f"{cutoff} lies before the first order ({first})", "give a later date")
    age = (cutoff - last).days
    if age > taken.settings.freshness_days:
        raise InputError(
            "--as-of", f"{cutoff} is {age} days after the last order ({last}); freshness_days is {taken.settings.freshness_days}",
            "bring newer exports, or raise freshness_days in shop.toml",
        )  # fmt: skip
    report_date = order.report_date or cutoff + timedelta(days=1)
    if report_date < cutoff:
        raise UsageError("--report-date", f"{report_date} lies before the cutoff ({cutoff})", "give the day the report is handed over")
    return cutoff, report_date


@contextmanager
def _staged(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target` that takes its place when the work is whole."""
    stage = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    lock.sweep(target.parent, f"{target.name}.*")
    try:
        stage.mkdir(parents=True)
        yield stage
        _swap(stage, target)
    except OSError as error:
        raise InputError(
            str(target), f"cannot be written: {error.strerror}", "make room or choose another folder with --out, and run again"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _swap(stage: Path, target: Path) -> None:
    before = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, before)
    os.replace(stage, target)
    shutil.rmtree(before, ignore_errors=True)


def _lists(job: _Job, horizon_days: int, stage: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The lists, as they lie in the report that was there or made anew; and the hashes of the returned lists that were read.

    A list holds names: it lies in reports alone, never in the cache.
    """
    settings = job.taken.settings
    work, texts = job.cache.work("lists", job.cutoff.isoformat(), files=job.place), Listening(settings.languages[0], settings.currency)
    if noted := work.bring(_lists_key(job, stage), stage, texts):
        return json.loads((stage / ACTIONS).read_text(encoding="utf-8")), noted["came_back"]
    from loyalty_lab import mailing, returned

    shop = job.taken.shop().until(job.cutoff)
    post = partial(mailing.write, paper=job.order.paper)
    actions = write_lists(job.shop_folder, shop, job.cutoff, job.report_date, horizon_days, stage, texts, post)
    came_back = [found for _, found in returned.digests(job.shop_folder / RETURNED)]
    made = [name for name in _files(stage) if name.startswith("lists/")]
    work.keep(_lists_key(job, stage), stage, [*made, ACTIONS], read=texts.heard, came_back=came_back)
    return actions, came_back


def _lists_key(job: _Job, stage: Path) -> str:
    """What the lists depend on beside the texts they say, as it is now: drawing them adds to the ledger. Letters are written in every
    language, and returned lists are understood in every language."""
    texts = [keys.of_texts(language, "lists.toml", "letters.toml", "language.toml", "aids.toml") for language in LOCALES]
    when = [job.cutoff, job.report_date, job.order.paper]
    return keys.of(keys.of_printing(*texts), when, job.taken.key, inputs.seen_of_rounds(job.shop_folder), _found(stage))


def _files(folder: Path) -> list[str]:
    """The files below a folder, by their names there."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _found(stage: Path) -> dict[str, str | None]:
    """What the notebooks have left, by name."""
    return {path.name: digest(path) for path in sorted((stage / "results").iterdir()) if path.name != Path(ACTIONS).name}


def write_lists(
    shop_folder: Path, shop: Shop, cutoff: date, report_date: date, horizon_days: int, stage: Path,
    texts: Texts | None = None, post: Post | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Draw arms and write lists, and what is posted, from the results of the notebooks in `stage`; what `lists.make_lists` returns."""
    from loyalty_lab import gains, lists

    slugs = [tactic.slug for tactic in tactics.CATALOGUE]
    found = {slug: results.load(path) for slug in (*slugs, gains.ROUNDS) if (path := stage / "results" / f"{slug}.json").exists()}
    candidates = {slug: _candidates(stage, slug) for slug, result in found.items() if slug in slugs and result.status == "ready"}
    when = {"cutoff": cutoff, "report_date": report_date, "horizon_days": horizon_days}
    actions = lists.make_lists(shop_folder, shop, candidates, found, **when, out=stage / "lists", texts=texts, post=post)
    results.write_json(stage / ACTIONS, results.plain(actions))
    return actions


def _candidates(stage: Path, slug: str) -> pd.DataFrame:
    import pandas as pd

    path = stage / "results" / f"{slug}.candidates.csv"
    frame = pd.read_csv(path, dtype={"pseudonym": "str", "reason": "str", "channel": "str"})
    return frame.assign(arguments=[json.loads(text) for text in frame["arguments"]])


def _about(job: _Job, written: inputs.Written) -> dict[str, Any]:
    return {
        "version": __version__,
        "cutoff": job.cutoff.isoformat(),
        "report_date": job.report_date.isoformat(),
        "horizon_days": written.horizon_days,
        "paper": job.order.paper,
        "edition": job.order.manner.edition,
        "only": list(job.order.only),
        "inputs": [*job.taken.report.inputs, *written.earlier],
    }


def _print_all(job: _Job, actions: list[dict], about: dict[str, Any], stage: Path) -> dict[str, Any]:
    """Print the languages whose pages are not there yet, several at a time. Returns what the pages of the first begin with."""
    works = {language: job.cache.work("pages", f"{language}-{about['paper']}-{about['edition']}") for language in job.languages}
    keyed = {language: _pages_key(job, language, about, actions, stage) for language in works}
    fronts = {language: work.bring(keyed[language], stage) for language, work in works.items()}
    drawn = None if job.order.fresh else job.cache.folder
    left = {language: (job.taken, actions, about, language, stage, drawn) for language, front in fronts.items() if front is None}
    if left:
        job.step(f"printing the playbook ({', '.join(left)})")
    for language, printed in workers.side_by_side(print_pages, left, min(job.order.manner.jobs, len(left))):
        if isinstance(printed, workers.Lost):
            raise RenderError(f"playbook-{language}", "the process that printed it was killed", "give it more memory, or fewer --jobs")
        made, fronts[language] = printed
        works[language].keep(keyed[language], stage, made, **fronts[language])
    return fronts[job.languages[0]]


def _pages_key(job: _Job, language: str, about: dict[str, Any], actions: list[dict], stage: Path) -> str:
    """What a language is missing is said in English."""
    code = keys.of_printing(keys.of_texts(language), keys.of_texts("en"))
    return keys.of(code, job.taken.key, about, actions, _found(stage))


def print_pages(
    taken: intake.Intake, actions: list[dict], about: dict[str, Any], language: str, stage: Path, cache: Path | None = None
) -> tuple[list[str], dict[str, Any]]:
    """Print one language of a report from the results in its folder. Returns the files' names, and what the pages begin with.

    Charts and fonts that were made before are taken from the cache, if there is one.
    """
    from loyalty_lab import document, playbook

    playbook.forget()
    found = {path.stem: results.load(path) for path in sorted((stage / "results").glob("*.json")) if path.stem != "actions"}
    read = report_json(taken, about["cutoff"], language)
    pages = document.build(found, actions, taken.settings, read, about, language, cache)
    with ThreadPoolExecutor(1) as beside:  # Typst lets go of Python while it works
        web = beside.submit(playbook.html, pages, cache=cache)
        made = {f"playbook-{language}.pdf": playbook.pdf(pages, about["paper"], cache=cache)}
    made[f"playbook-{language}.html"] = web.result().encode()
    if about["edition"] == "trainer":
        made[f"slides-{language}.pdf"] = playbook.pdf(pages, about["paper"], "slides.typ", cache)
    for name, content in made.items():
        results.write_atomically(stage / name, content)
    texts = Texts(language, currency=taken.settings.currency)
    return list(made), document.front(pages, [texts.say(each) for each in taken.report.serious], f"playbook-{language}.html")


def report_json(taken: intake.Intake, cutoff: str, language: str = "en") -> dict[str, Any]:
    """Return what `check --json` prints: what was read, dropped and why, and which tactics it unlocks."""
    ready = {tactic.slug: taken.lacks(tactic.needs) for tactic in tactics.CATALOGUE}
    unlocked = {slug: f"needs data: {need}" if need else "ready" for slug, need in ready.items()}
    texts = Texts(language, currency=taken.settings.currency)
    return taken.report.as_json(taken.settings, cutoff, unlocked, saying.warnings(taken.report, texts))


def _write_log(about: dict[str, Any], outcomes: list[run.Outcome], taken: intake.Intake, stage: Path) -> None:
    outputs = {name: digest(stage / name) for name in _files(stage) if name not in inputs.FILES}
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
