"""Starting notebooks: parameters checked, kernels through papermill, outputs normalised, finished work kept."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from loyalty_lab import keys, questions, results, share, tactics
from loyalty_lab.errors import NotebookError, UsageError, near_match

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from loyalty_lab.kept import Cache, Work

# What the driver lays before the notebooks, and where each of them says which tables it has asked for.
SETTINGS_FILE = "settings.json"
FORECAST_PARTS = ("forecast.parquet", "backtest.json")
ROUNDS_FILE = "rounds.csv"
EARLIER_FILE = "earlier.json"
ASKED = ".asked"
KERNEL = "python3"
EDITIONS = {"client": (), "participant": ("exercise",), "trainer": ("exercise", "solution")}
TAUGHT = ("exercise", "solution")
# One OpenMP thread a kernel: with shared cores more of them make scikit-learn many times slower.
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
# A part of jsonschema, if it is installed, that builds a grammar of web addresses for a second when it is imported.
GRAMMAR = "rfc3987_syntax"
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class Page:
    """One notebook of the playbook: its slug and its path below `notebooks/`, without the ending."""

    slug: str
    notebook: str


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended. `seconds` is for the log only; `kept` says that it was done before and not run again."""

    page: Page
    status: str
    seconds: float = 0.0
    kept: bool = False


@dataclass(frozen=True)
class Manner:
    """How notebooks are run: which cells, how long one may take, in which kernels, and how many at a time."""

    edition: str = "client"
    timeout: int = 600
    warm: bool = False
    jobs: int = 1


@dataclass(frozen=True)
class Ground:
    """What notebooks stand on: the folder they run in, with its settings file, and what is known of work done before.

    `key` is of all that they may read but the shop's tables; `tables` are these, with their hashes.
    """

    folder: Path
    cutoff: date
    cache: Cache | None = None
    key: str = ""
    tables: Mapping[str, str] = field(default_factory=dict)


def pages(only: Iterable[str] = ()) -> list[Page]:
    """Return the notebooks in the playbook's order; `only` leaves out the tactics not named.

    Those in ``training/`` are about no shop: no playbook has them.

    Raises
    ------
    UsageError
        If `only` names no tactic; the nearest slug is offered.

    Examples
    --------
    >>> [page.notebook for page in pages(only=["09-answer-fast"])][-1]
    'tactics/09-answer-fast'
    """
    wanted = {tactics.find(name).slug for name in only}
    chosen = [tactic for tactic in tactics.CATALOGUE if not wanted or tactic.slug in wanted]
    asked = [Page(slug, question.notebook) for slug, question in questions.ANSWERS.items()]
    return asked + [Page(tactic.slug, tactic.notebook) for tactic in chosen]


def check_parameters(notebook: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Check parameters against those the notebook declares, and cast them to plain types.

    Parameters
    ----------
    notebook : pathlib.Path
        A notebook with a cell tagged ``parameters`` of typed literals.
    given : dict
        Parameter names and values.

    Returns
    -------
    dict
        The same parameters as plain values of the declared types.

    Raises
    ------
    UsageError
        If a name is unknown (the nearest one is offered) or a value has another type.
        papermill itself only warns, and runs on with the default.
    """
    declared = library("papermill").inspect_notebook(str(notebook))
    for name, value in given.items():
        if name not in declared:
            raise UsageError(notebook.name, f"has no parameter {name!r}.{near_match(name, declared)}", f"use one of: {', '.join(declared)}")
        kind = TYPES[declared[name]["inferred_type_name"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(
                notebook.name, f"{name} = {value!r} is not of type {kind.__name__}", f"give a value such as {declared[name]['default']}"
            )
    return {name: TYPES[declared[name]["inferred_type_name"]](value) for name, value in given.items()}


def library(name: str) -> Any:
    """Import what reads or runs notebooks, late and without `GRAMMAR`: no notebook is checked for a web address.

    Examples
    --------
    >>> library("nbformat").current_nbformat
    4
    """
    if name in sys.modules:
        return sys.modules[name]
    sys.modules.setdefault(GRAMMAR, None)  # type: ignore[arg-type]  # not to be found
    try:
        return import_module(name)
    finally:
        if sys.modules[GRAMMAR] is None:
            del sys.modules[GRAMMAR]


def for_edition(source: Path, edition: str) -> NotebookNode:
    """Read a notebook without the cells that an edition leaves out: exercises for clients, solutions for participants.

    Examples
    --------
    >>> cells = for_edition(share.folder("notebooks") / "02-churn.ipynb", "participant").cells
    >>> [tag for cell in cells for tag in cell.metadata.get("tags", []) if tag in TAUGHT]
    ['exercise']
    """
    notebook = library("nbformat").read(source, as_version=4)
    left_out = set(TAUGHT) - set(EDITIONS[edition])
    notebook.cells = [cell for cell in notebook.cells if not left_out & set(cell.metadata.get("tags", []))]
    return notebook


def run_notebook(source: Path, target: Path, parameters: dict[str, Any], folder: Path, manner: Manner = Manner()) -> None:
    """Execute one notebook in `folder` and keep it, normalised, at `target`.

    A notebook that breaks is kept beside it as ``.failed.ipynb``. What the edition leaves out is neither run nor kept. A warm kernel
    is forked from a process that has imported everything (see `kernels`): the same bytes, sooner.

    Raises
    ------
    NotebookError
        If a cell raised, the kernel died, or a cell took longer than the timeout or printed more than `MOST_PRINTED`.
    """
    papermill = library("papermill")
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    from loyalty_lab.kernels import bounded

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp.ipynb")
    failed = target.with_suffix(".failed.ipynb")
    try:
        with kernel_settings(manner.warm) as kernel:
            papermill.execute_notebook(
                for_edition(source, manner.edition), str(temporary), parameters=check_parameters(source, parameters),
                engine_name=bounded.NAME, kernel_name=kernel, folder=str(folder), timeout=manner.timeout,
                unfinished=str(temporary), progress_bar=False, request_save_on_cell_execute=False,
            )  # fmt: skip
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError, bounded.PrintedTooMuch) as error:
        if temporary.exists():
            os.replace(temporary, failed)
        cause = getattr(error, "ename", None) or type(error).__name__
        raise NotebookError(target.name, f"stopped with {cause}", f"look into {failed.name}") from error
    else:
        results.write_atomically(target, normalised(temporary.read_text(encoding="utf-8")).encode())
    finally:
        temporary.unlink(missing_ok=True)


def normalised(text: str) -> str:
    """Take out of an executed notebook what differs from run to run: times, random ids, the Python version.

    Examples
    --------
    >>> normalised('{"cells": [], "metadata": {"papermill": {"duration": 3.1}}, "nbformat": 4, "nbformat_minor": 5}')
    '{\\n "cells": [],\\n "metadata": {},\\n "nbformat": 4,\\n "nbformat_minor": 5\\n}\\n'
    """
    notebook = json.loads(text)
    notebook["metadata"].pop("papermill", None)
    notebook["metadata"].get("language_info", {}).pop("version", None)
    for cell in notebook["cells"]:
        for name in ("execution", "papermill"):
            cell["metadata"].pop(name, None)
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["id"] = "injected-parameters"
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


@contextmanager
def kernel_settings(warm: bool) -> Iterator[str]:
    """Set the environment that kernels get, and give the name of the kernel to start. Within another of the same kind nothing changes."""
    with _environment(KERNEL_ENVIRONMENT):
        if not warm:
            yield KERNEL
            return
        from loyalty_lab import kernels

        with kernels.findable() as name:
            yield name


def warm_up() -> None:
    """Start what warm kernels are forked from: it imports while other work goes on."""
    from loyalty_lab import kernels

    with _environment(KERNEL_ENVIRONMENT):
        if kernels.can_fork():
            kernels.Nursery.here()


def run_pages(chosen: list[Page], ground: Ground, manner: Manner, done: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """Run the notebooks of a playbook that were not run before on the same ground, `manner.jobs` at a time.

    A notebook that breaks leaves a result with the status ``failed``, so that its page can say so.
    """
    known = {page: outcome for page in chosen if (outcome := _kept(page, ground, manner))}
    for outcome in known.values():
        done(outcome)
    left = [page for page in chosen if page not in known]
    for outcome in _run(left, ground, manner):
        done(outcome)
        known[outcome.page] = outcome
    shutil.rmtree(ground.folder / ASKED, ignore_errors=True)
    return [known[page] for page in chosen]


def _run(chosen: list[Page], ground: Ground, manner: Manner) -> Iterator[Outcome]:
    """Threads are enough: what works is the kernels."""
    if len(chosen) < 2 or manner.jobs < 2:
        yield from (_run_page(page, ground, manner) for page in chosen)
        return
    import joblib

    library("papermill")  # before there are threads to import it in
    with kernel_settings(manner.warm):
        work = (joblib.delayed(_run_in_thread)(page, ground, manner) for page in chosen)
        yield from joblib.Parallel(manner.jobs, backend="threading", return_as="generator_unordered", batch_size=1)(work)


def _run_in_thread(page: Page, ground: Ground, manner: Manner) -> Outcome:
    """Jupyter opens an event loop for each thread, and leaves it open."""
    from jupyter_core.utils import ensure_event_loop

    try:
        return _run_page(page, ground, manner)
    finally:
        ensure_event_loop().close()


def _run_page(page: Page, ground: Ground, manner: Manner) -> Outcome:
    began = perf_counter()
    try:
        target = ground.folder / "notebooks" / f"{page.notebook}.ipynb"
        run_notebook(_source(page), target, {"run_file": SETTINGS_FILE}, ground.folder, manner)
        status = results.load(ground.folder / "results" / f"{page.slug}.json").status
        _keep(page, ground, manner, status)
    except (NotebookError, FileNotFoundError) as error:
        status = "failed"
        cause = error.what if isinstance(error, NotebookError) else "left no result"
        results.save(_failed(page, cause, ground.cutoff), ground.folder / "results")
    return Outcome(page, status, perf_counter() - began)


def _failed(page: Page, cause: str, cutoff: date) -> results.Result:
    kind = "tactic" if page.notebook.startswith("tactics/") else questions.ANSWERS[page.slug].kind
    reason = results.Message(key="common.failed", args={"cause": cause})
    return results.Result(notebook=page.slug, kind=kind, status="failed", reason=reason, cutoff=cutoff)


def _source(page: Page) -> Path:
    return share.folder("notebooks") / f"{page.notebook}.ipynb"


def _kept(page: Page, ground: Ground, manner: Manner) -> Outcome | None:
    if ground.cache is None:
        return None
    noted = _work(page, ground, manner).bring(_key(page, ground), ground.folder, ground.tables)
    return Outcome(page, noted["status"], kept=True) if noted else None


def _keep(page: Page, ground: Ground, manner: Manner, status: str) -> None:
    if ground.cache is None:
        return
    made = [f"notebooks/{page.notebook}.ipynb", f"results/{page.slug}.json", f"results/{page.slug}.candidates.csv"]
    asked = json.loads((ground.folder / ASKED / f"{page.slug}.json").read_text(encoding="utf-8"))
    _work(page, ground, manner).keep(
        _key(page, ground), ground.folder, [name for name in made if (ground.folder / name).exists()],
        read={name: ground.tables.get(name) for name in asked}, status=status,
    )  # fmt: skip


def _work(page: Page, ground: Ground, manner: Manner) -> Work:
    return ground.cache.work("notebooks", manner.edition, page.slug)


def _key(page: Page, ground: Ground) -> str:
    module = tactics.find(page.slug).module if page.notebook.startswith("tactics/") else None
    return keys.of(page.notebook, keys.of_notebook(_source(page)), keys.of_notebooks_code(module), ground.key)


@contextmanager
def _environment(values: dict[str, str]):
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def store_outputs(names: Iterable[str] = ()) -> None:
    """Execute the clone's own notebooks on the demo shop, and the lessons, and store their outputs in place."""
    folder = share.folder("notebooks")
    for path in sorted(folder.rglob("*.ipynb")):
        if not names or path.stem in names:
            print(f"notebooks/{path.relative_to(folder)}", flush=True)
            _store(path)


def _store(path: Path) -> None:
    nbformat = library("nbformat")
    from nbclient import NotebookClient

    from loyalty_lab.kernels import bounded

    notebook = nbformat.read(path, as_version=4)
    with _environment(KERNEL_ENVIRONMENT):
        where = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=600, kernel_name=KERNEL, extra_arguments=bounded.QUIET, resources=where).execute()
    results.write_atomically(path, normalised(nbformat.writes(notebook)).encode())


if __name__ == "__main__":
    store_outputs(sys.argv[1:])
