"""The command line. Every command is one sentence, one example, and a call into the package."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from loyalty_lab import __version__
from loyalty_lab.errors import LoyaltyLabError, UsageError, of_storage

PAPERS, BACKENDS, ENGINES = ("a4", "letter"), ("loky", "dask"), ("duckdb", "spark")
TRAPS = (
    "vip_greeting, remote_late, peak_slow, immortal_card, rtm_top, answered_only, winback_targeting, referral_homophily, "
    "review_selection, simpson_branch, carry_over, non_compliance, contaminated_control, srm_bug"
)
RAW_FORMATS = (
    "shopify-orders, woocommerce-order-export, woocommerce-webtoffee, woocommerce-analytics, square-transactions, square-items, "
    "loyverse-receipts, loyverse-items, stripe-payments, bigcommerce, magento-grid, etsy-orders, etsy-items, online-retail-ii, "
    "online-retail, olist-orders, cdnow-master, sheet-tr, sheet-bn"
)

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="From a shop's exports to a printed retention playbook.\n\nFirst `new` (or `demo`), then `check`, then `playbook`.",
)
ShopFolder = Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder, with shop.toml and exports/.")]


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _day(text: str | None, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(option, f"{text!r} is not a date", "write it as 2026-11-01") from None


def _parts(given: list[str] | None) -> tuple[str, ...]:
    """What an option names, each once: with commas between, or in options of their own."""
    return tuple(dict.fromkeys(part.strip() for text in given or () for part in text.split(",") if part.strip()))


def _choices(given: list[str] | None, option: str, known: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_choice(part, option, known) for part in _parts(given))


def _choice(given: str, option: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise UsageError(option, f"{given!r} is not one of {', '.join(known)}", f"write it as {option} {known[0]}")
    return given


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    customers: Annotated[int | None, typer.Option(min=1, help="How many customers; the preset says if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed makes another shop.")] = 7,
    preset: Annotated[str, typer.Option(help=f"tiny, small, standard or null; or a shop with one trap in it: {TRAPS}.")] = "tiny",
    as_: Annotated[
        str | None,
        typer.Option("--as", metavar="FORMAT", help=f"Write raw exports with the dirt such files have, as one of: {RAW_FORMATS}."),
    ] = None,
) -> None:
    """Make a simulated shop to try everything on: as a shop's folder, or as the raw exports of another program.

    Example: loyalty-lab demo build/demo
    """
    from loyalty_lab import demo as simulated
    from loyalty_lab.demo import exports

    made = simulated.make(customers=customers, seed=seed, preset=preset)
    if as_:
        exports.write(made, folder, as_)
    else:
        simulated.write(made, folder)
    typer.echo(f"{folder}: a {preset} shop of {len(made.tables['customers']):,} customers and {len(made.tables['orders']):,} orders.")
    typer.echo(f"Next: loyalty-lab new my-shop {folder}/*.csv" if as_ else f"Next: loyalty-lab check {folder}")


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The shop's folder to make.")],
    exports: Annotated[list[Path], typer.Argument(metavar="EXPORT...", help="What the shop's software wrote: CSV, CSV.gz or XLSX.")],
) -> None:
    """Recognise exports, write shop.toml, say what was understood.

    Example: loyalty-lab new my-shop orders.csv
    """
    from loyalty_lab.intake.proposal import propose

    for line in propose(folder, exports).lines:
        typer.echo(line)
    typer.echo(f"Next: read {folder / 'shop.toml'}, then: loyalty-lab check {folder}")


@app.command()
def check(
    shop: ShopFolder,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Read and check the exports: what was read, what was dropped and why, which tactics it unlocks.

    Example: loyalty-lab check my-shop
    """
    from loyalty_lab import intake, report
    from loyalty_lab.intake import saying
    from loyalty_lab.language import Texts

    with _progress(str(shop), None) as step:
        step("reading the exports")
        taken = intake.read(shop)
    language = "en" if as_json else taken.settings.languages[0]
    understood = report.report_json(taken, taken.last_day.isoformat(), language)
    if as_json:
        typer.echo(json.dumps(understood, ensure_ascii=False, indent=1))
        return
    for line in saying.lines(taken.report, understood, Texts(language, taken.settings.currency)):
        typer.echo(line)


@app.command()
def playbook(
    shops: Annotated[list[Path], typer.Argument(metavar="SHOP...", help="One or several shops' folders.")],
    as_of: Annotated[str | None, typer.Option(metavar="DATE", help="Last day of data used. Default: the last day with an order.")] = None,
    report_date: Annotated[str | None, typer.Option(metavar="DATE", help="Day it is handed over. Default: the day after.")] = None,
    language: Annotated[list[str] | None, typer.Option(metavar="en,tr", help="Languages; default: those of shop.toml.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="SLUG,...", help="Only these tactics.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write to DIR/<shop>/<cutoff>/ instead of SHOP/reports/<cutoff>/.")
    ] = None,
    paper: Annotated[str, typer.Option(help="a4 or letter.")] = "a4",
    edition: Annotated[
        str, typer.Option(help="Notebooks with exercises (participant) and solutions (trainer), or without (client).")
    ] = "client",
    timeout: Annotated[int, typer.Option(min=1, metavar="S", help="Seconds one notebook cell may take.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="How many notebooks or shops are worked on at a time.")] = 1,
    warm: Annotated[bool, typer.Option("--warm", help="Fork the kernels from one process: the same bytes, sooner. Linux only.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Make everything anew, whatever was made of the same exports before.")] = False,
    backend: Annotated[str, typer.Option(help="loky: processes of this machine. dask: a cluster that works on the same folders.")] = "loky",
    scheduler: Annotated[str | None, typer.Option(metavar="ADDRESS", help="The cluster's scheduler, as tcp://host:8786.")] = None,
    engine: Annotated[str, typer.Option(help="What makes the forecasts, with the same numbers: duckdb (here) or spark.")] = "duckdb",
    master: Annotated[str, typer.Option(metavar="ADDRESS", help="The Spark cluster, as spark://host:7077.")] = "local[*]",
    log_json: Annotated[bool, typer.Option("--log-json", help="Write each step as one line of JSON on standard error.")] = False,
) -> None:
    """Run the notebooks of each shop, draw its control groups, write its lists and print its playbook.

    What was made before of the same exports is kept. Several shops also get one page that shows them all, overview.html.

    Example: loyalty-lab playbook my-shop --language en,bn
    """
    from loyalty_lab import clients, clusters
    from loyalty_lab.language import LOCALES
    from loyalty_lab.report import Order
    from loyalty_lab.run import EDITIONS, Manner

    order = Order(
        as_of=_day(as_of, "--as-of"),
        report_date=_day(report_date, "--report-date"),
        languages=_choices(language, "--language", tuple(LOCALES)),
        only=_parts(only),
        out=out,
        paper=_choice(paper, "--paper", PAPERS),
        manner=Manner(_choice(edition, "--edition", tuple(EDITIONS)), timeout, warm and _can_fork(), jobs),
        fresh=fresh,
        spark=master if _choice(engine, "--engine", ENGINES) == "spark" else None,
    )
    shops = [shop for shop in shops if shop.name != clients.OVERVIEW]
    if len(shops) == 1 and not scheduler:
        raise typer.Exit(_one_shop(shops[0], order, log_json))
    with clusters.connected(_choice(backend, "--backend", BACKENDS), scheduler) as cores:
        manner = replace(order.manner, jobs=cores or order.manner.jobs)
        raise typer.Exit(_many_shops(shops, replace(order, manner=manner), backend, log_json))


def _can_fork() -> bool:
    from loyalty_lab.kernels import can_fork

    if not can_fork():
        _say("--warm: kernels cannot be forked here; they are started as usual")
    return can_fork()


def _one_shop(shop: Path, order, log_json: bool) -> int:
    from loyalty_lab import clients, report, run

    steps = len(run.pages(order.only)) + 5
    with _progress(str(shop), steps, log_json) as step:
        ended = clients.of(shop, report.make(shop, order, step))
    typer.echo(ended.said)
    return ended.code


def _many_shops(shops: list[Path], order, backend: str, log_json: bool) -> int:
    from loyalty_lab import clients, overview

    with _progress(f"{len(shops)} shops", len(shops), log_json) as step:

        def told(ended: clients.Ended) -> None:
            step(f"{ended.shop.name}: {ended.state}")
            typer.echo(ended.said, err=ended.state == "refused")

        ended = clients.make(shops, order, backend, told)
    page = clients.place_of_overview(shops, order.out)
    spoken = [*order.languages, *(each.front["language"] for each in ended if each.front), "en"]
    overview.write(ended, page, spoken[0])
    typer.echo(f"{clients.summary(ended)}. All on one page: {page}")
    return clients.exit_code(ended)


@contextmanager
def _progress(what: str, steps: int | None, log_json: bool = False) -> Iterator[Callable[[str], None]]:
    """One bar on a terminal; else a line for each step, as text or as JSON with the seconds since the start."""
    if log_json:
        began = perf_counter()
        yield lambda line: _say(json.dumps({"on": what, "step": line, "seconds": round(perf_counter() - began, 2)}, ensure_ascii=False))
        return
    if not sys.stderr.isatty():
        yield lambda line: _say(f"{what}: {line}")
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda line: progress.update(task, advance=1, description=f"{what}: {line}")


@app.command()
def aids(
    shop: Annotated[Path, typer.Argument(metavar="SHOP", help="The shop's folder; or the word demo, to look at them.")],
    only: Annotated[list[str] | None, typer.Option(metavar="SLUG,...", help="Only these aids, or those of these tactics.")] = None,
    language: Annotated[list[str] | None, typer.Option(metavar="en,tr", help="Languages; default: those of shop.toml.")] = None,
    paper: Annotated[str, typer.Option(help="a4 or letter.")] = "a4",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write into; default: SHOP/reports/aids.")] = None,
    batch: Annotated[
        str, typer.Option(metavar="WORD", help="A month or a till: gives the cards of this printing a code of their own.")
    ] = "",
) -> None:
    """Print the forms, cards and letters alone, one PDF a language; no exports are read.

    Example: loyalty-lab aids my-shop --only contact-cards,questionnaire --language en,hy
    """
    from loyalty_lab import aids as printed
    from loyalty_lab.language import LOCALES

    some = printed.chosen(_parts(only))
    languages, paper = _choices(language, "--language", tuple(LOCALES)), _choice(paper, "--paper", PAPERS)
    settings, folder = _settings_for_aids(shop)
    for path in printed.write(settings, languages or settings.languages, some, out or folder, paper, batch):
        typer.echo(f"{path}: {len(some)} aids")


def _settings_for_aids(shop: Path):
    """The settings of a shop and where its aids go; the word demo stands for the simulated shop, if there is no such folder."""
    import tomllib

    from loyalty_lab import aids as printed
    from loyalty_lab.demo import SETTINGS
    from loyalty_lab.shop import ShopSettings, load_settings

    if str(shop) == "demo" and not shop.exists():
        return ShopSettings.model_validate(tomllib.loads(SETTINGS)), Path()
    return load_settings(shop), shop / printed.FOLDER


@app.command(name="round")
def round_(
    shop: Annotated[Path, typer.Argument(help="The shop's folder.")],
    void: Annotated[str | None, typer.Option(metavar="SLUG", help="Undo the latest round of a tactic whose list was never sent.")] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Write a lost ledger anew from the earlier reports.")] = False,
) -> None:
    """Say which rounds run and when they are read; undo one, or rebuild a lost ledger.

    Example: loyalty-lab round my-shop --void follow-up-letters
    """
    from loyalty_lab import assignment, bookkeeping
    from loyalty_lab.ledger import LEDGER
    from loyalty_lab.shop import load_settings
    from loyalty_lab.tactics import find

    if void and rebuild:
        raise UsageError("--void", "and --rebuild were given together", "give one of them")
    load_settings(shop)
    if rebuild:
        typer.echo(f"{LEDGER.as_posix()}: {bookkeeping.rebuild(shop, lambda line: _say(f'{shop}: {line}'))} rows written anew")
    elif void:
        bookkeeping.void_round(shop, find(void).slug)
    written = bookkeeping.read(shop)
    stands = assignment.standing(written)
    for cycle in assignment.rounds(written):
        arms = stands.loc[stands["round"] == cycle.name, "arm"].value_counts()
        typer.echo(
            f"{cycle.slug}: opened {cycle.opened_on}, begins {cycle.begins_on}, read on {cycle.read_on}; "
            f"{arms.get('treated', 0)} treated, {arms.get('control', 0)} kept aside"
        )
    if stands.empty:
        typer.echo("no round has been opened")


@app.command()
def lab(
    shop: ShopFolder,
    groups: Annotated[int, typer.Option(min=1, max=50, help="How many groups; each gets a folder of its own.")] = 1,
    edition: Annotated[str, typer.Option(help="participant: with exercises; trainer: solutions too; client: neither.")] = "participant",
    prepare: Annotated[bool, typer.Option("--prepare", help="Only make the copies; open nothing.")] = False,
) -> None:
    """Open JupyterLab on copies of the notebooks that read this shop. A changed copy is never written over.

    Example: loyalty-lab lab my-shop --groups 4
    """
    import subprocess

    from loyalty_lab import lab as laboratory
    from loyalty_lab.run import EDITIONS

    opened = None if prepare else laboratory.command(shop / laboratory.FOLDER)
    folders = laboratory.prepare(shop, groups, _choice(edition, "--edition", tuple(EDITIONS)))
    for folder in folders:
        typer.echo(folder)
    if opened:
        raise typer.Exit(subprocess.run(opened).returncode)


@app.command()
def tactics() -> None:
    """List the tactics: number, slug, kind of list, what they need.

    Example: loyalty-lab tactics
    """
    from loyalty_lab.language import Texts
    from loyalty_lab.tactics import CATALOGUE

    texts = Texts("en")
    for tactic in CATALOGUE:
        typer.echo(
            f"{tactic.number:02d}-{tactic.slug:<21} {tactic.kind:<9} {texts.say(f'{tactic.slug}.name')}  (needs {', '.join(tactic.needs)})"
        )


def main() -> None:
    """Run the command line; a user's mistake gives one line and a remedy, never a traceback."""
    try:
        app()
    except LoyaltyLabError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        if (refused := of_storage(error, "the disk")) is None:
            raise
        _say(str(refused))
        sys.exit(refused.exit_code)
