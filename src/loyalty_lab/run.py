"""Starting notebooks: parameters checked, one kernel after another through papermill, outputs normalised."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from loyalty_lab import questions, results, share, tactics
from loyalty_lab.errors import NotebookError, UsageError, near_match

if TYPE_CHECKING:
    from nbformat import NotebookNode

SETTINGS_FILE = "settings.json"
KERNEL = "python3"
EDITIONS = {"client": (), "participant": ("exercise",), "trainer": ("exercise", "solution")}
TAUGHT = ("exercise", "solution")
QUIET = ["--IPKernelApp.log_level=CRITICAL"]
# One OpenMP thread a kernel: with shared cores more of them make scikit-learn many times slower.
KERNEL_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "MPLBACKEND": "agg",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class Page:
    """One notebook of the playbook: its slug and its path below `notebooks/`, without the ending."""

    slug: str
    notebook: str


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended. `seconds` is for the log only."""

    page: Page
    status: str
    seconds: float


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
    import papermill

    declared = papermill.inspect_notebook(str(notebook))
    for name, value in given.items():
        if name not in declared:
            raise UsageError(notebook.name, f"has no parameter {name!r}.{near_match(name, declared)}", f"use one of: {', '.join(declared)}")
        kind = TYPES[declared[name]["inferred_type_name"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UsageError(
                notebook.name, f"{name} = {value!r} is not of type {kind.__name__}", f"give a value such as {declared[name]['default']}"
            )
    return {name: TYPES[declared[name]["inferred_type_name"]](value) for name, value in given.items()}


def for_edition(source: Path, edition: str) -> NotebookNode:
    """Read a notebook without the cells that an edition leaves out: exercises for clients, solutions for participants.

    Examples
    --------
    >>> cells = for_edition(share.folder("notebooks") / "02-churn.ipynb", "participant").cells
    >>> [tag for cell in cells for tag in cell.metadata.get("tags", []) if tag in TAUGHT]
    ['exercise']
    """
    import nbformat

    notebook = nbformat.read(source, as_version=4)
    left_out = set(TAUGHT) - set(EDITIONS[edition])
    notebook.cells = [cell for cell in notebook.cells if not left_out & set(cell.metadata.get("tags", []))]
    return notebook


def run_notebook(
    source: Path, target: Path, parameters: dict[str, Any], folder: Path, timeout: int, edition: str = "client", warm: bool = False
) -> None:  # fmt: skip
    """Execute one notebook in `folder` and keep it, normalised, at `target`.

    A notebook that breaks is kept beside it as ``.failed.ipynb``. What `edition` leaves out is neither run nor kept. `warm` forks the
    kernel from a process that has imported everything (see `kernels`): the same bytes, sooner.

    Raises
    ------
    NotebookError
        If a cell raised, the kernel died, or a cell took longer than `timeout` seconds.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.tmp.ipynb")
    failed = target.with_suffix(".failed.ipynb")
    try:
        with _environment(KERNEL_ENVIRONMENT), _kernel(warm) as kernel:
            papermill.execute_notebook(
                for_edition(source, edition), str(temporary), parameters=check_parameters(source, parameters), cwd=str(folder),
                kernel_name=kernel, extra_arguments=QUIET, progress_bar=False, log_output=False, execution_timeout=timeout,
                request_save_on_cell_execute=False,
            )  # fmt: skip
    except (papermill.PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
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
def _kernel(warm: bool):
    """Give the name of the kernel to start."""
    if not warm:
        yield KERNEL
        return
    from loyalty_lab import kernels

    with kernels.findable() as name:
        yield name


def run_pages(
    chosen: list[Page], folder: Path, cutoff: date, timeout: int, done: Callable[[Outcome], None], edition: str = "client",
    warm: bool = False,
) -> list[Outcome]:  # fmt: skip
    """Run the notebooks of a playbook one after another in `folder`, where its settings file lies.

    A notebook that breaks leaves a result with the status ``failed``, so that its page can say so.
    """
    outcomes = []
    for page in chosen:
        began = perf_counter()
        source = share.folder("notebooks") / f"{page.notebook}.ipynb"
        status = _run_page(page, source, folder, cutoff, timeout, edition, warm)
        outcomes.append(Outcome(page, status, perf_counter() - began))
        done(outcomes[-1])
    return outcomes


def _run_page(page: Page, source: Path, folder: Path, cutoff: date, timeout: int, edition: str, warm: bool) -> str:
    try:
        target = folder / "notebooks" / f"{page.notebook}.ipynb"
        run_notebook(source, target, {"run_file": SETTINGS_FILE}, folder, timeout, edition, warm)
        return results.load(folder / "results" / f"{page.slug}.json").status
    except (NotebookError, FileNotFoundError) as error:
        cause = error.what if isinstance(error, NotebookError) else "left no result"
        kind = "tactic" if page.notebook.startswith("tactics/") else questions.ANSWERS[page.slug].kind
        reason = results.Message(key="common.failed", args={"cause": cause})
        results.save(results.Result(notebook=page.slug, kind=kind, status="failed", reason=reason, cutoff=cutoff), folder / "results")
        return "failed"


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
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    with _environment(KERNEL_ENVIRONMENT):
        where = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=600, kernel_name=KERNEL, extra_arguments=QUIET, resources=where).execute()
    results.write_atomically(path, normalised(nbformat.writes(notebook)).encode())


if __name__ == "__main__":
    import sys

    store_outputs(sys.argv[1:])
