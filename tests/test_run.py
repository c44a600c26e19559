"""Notebooks run with checked parameters, come out normalised, and a broken one is kept apart."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest

from loyalty_lab import kernels, results, run, share
from loyalty_lab.errors import NotebookError, UsageError


def notebook(path, *sources: str):
    cells = [nbformat.v4.new_code_cell('run_file: str = "demo"  # settings', metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def test_a_run_notebook_holds_the_outputs_and_nothing_that_differs_between_runs(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "run_file * 2")
    for name in ("one", "two"):
        run.run_notebook(source, tmp_path / name / "a.ipynb", {"run_file": "ab"}, tmp_path)

    first = (tmp_path / "one" / "a.ipynb").read_text()
    assert "'abab'" in first
    assert first == (tmp_path / "two" / "a.ipynb").read_text()


@pytest.mark.parametrize(("edition", "kept"), [("client", []), ("participant", ["try"]), ("trainer", ["try", "done"])])
def test_an_edition_leaves_out_exercises_and_solutions(tmp_path, edition, kept):
    source = notebook(tmp_path / "a.ipynb", "1 + 1")
    made = nbformat.read(source, as_version=4)
    for tag, text in (("exercise", "try"), ("solution", "done")):
        made.cells.append(nbformat.v4.new_markdown_cell(text, metadata={"tags": [tag]}))
    nbformat.write(made, source)

    run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(edition))

    stored = nbformat.read(tmp_path / "out" / "a.ipynb", as_version=4)
    assert [cell.source for cell in stored.cells if cell.cell_type == "markdown"] == kept


def test_a_broken_notebook_is_kept_as_failed_and_never_as_done(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "1 / 0")

    with pytest.raises(NotebookError, match="ZeroDivisionError"):
        run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.failed.ipynb"]


def test_a_kernel_that_dies_counts_as_failed(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "import os\nos._exit(0)")

    with pytest.raises(NotebookError):
        run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.failed.ipynb"]


def test_a_cell_that_takes_too_long_counts_as_failed(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "import time\ntime.sleep(60)")

    with pytest.raises(NotebookError):
        run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(timeout=1))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.failed.ipynb"]


def test_a_failed_page_leaves_a_result_that_says_so(tmp_path, monkeypatch):
    (tmp_path / "notebooks" / "tactics").mkdir(parents=True)
    notebook(tmp_path / "notebooks" / "tactics" / "09-answer-fast.ipynb", "1 / 0")
    monkeypatch.setattr(share, "folder", lambda name: tmp_path / name)
    seen = []
    ground = run.Ground(tmp_path / "out", date(2026, 10, 31))
    run.run_pages([run.Page("answer-fast", "tactics/09-answer-fast")], ground, run.Manner(), seen.append)

    assert [outcome.status for outcome in seen] == ["failed"]
    result = results.load(tmp_path / "out" / "results" / "answer-fast.json")
    assert result.status == "failed"
    assert "ZeroDivisionError" in result.reason.args["cause"]


def test_only_the_named_tactics_are_chosen_and_a_misspelt_one_is_refused():
    assert [page.slug for page in run.pages(["answer-fast"])][-1] == "answer-fast"
    assert "vital-few" not in [page.slug for page in run.pages(["answer-fast"])]
    with pytest.raises(UsageError, match="Did you mean 'vital-few'"):
        run.pages(["vital-fw"])


def test_normalising_keeps_every_source_and_output(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "run_file")
    text = source.read_text()

    before = [cell["source"] for cell in json.loads(text)["cells"]]
    assert [cell["source"] for cell in json.loads(run.normalised(text))["cells"]] == before


@pytest.mark.parametrize("source", ["print('x' * 100_000_000)", "while True:\n    print('x' * 100_000)"], ids=["100 MB", "without end"])
def test_a_notebook_that_prints_too_much_is_stopped_and_named(tmp_path, source):
    source = notebook(tmp_path / "a.ipynb", source)

    with pytest.raises(NotebookError, match="PrintedTooMuch"):
        run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(timeout=60, warm=kernels.can_fork()))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.failed.ipynb"]
    assert (tmp_path / "out" / "a.failed.ipynb").stat().st_size < 25_000_000


def test_notebooks_side_by_side_leave_what_they_leave_one_after_the_other(tmp_path, monkeypatch):
    pages = [run.Page(slug, f"tactics/{slug}") for slug in ("answer-fast", "vital-few", "referral")]
    (tmp_path / "notebooks" / "tactics").mkdir(parents=True)
    for page in pages:
        notebook(tmp_path / "notebooks" / f"{page.notebook}.ipynb", f"'{page.slug}'", "import os\nos.getcwd().endswith('out')")
    monkeypatch.setattr(share, "folder", lambda name: tmp_path / name)
    before = Path.cwd()
    for name, jobs in (("one/out", 1), ("two/out", 3)):
        (tmp_path / name).mkdir(parents=True)
        outcomes = run.run_pages(pages, run.Ground(tmp_path / name, date(2026, 10, 31)), run.Manner(warm=kernels.can_fork(), jobs=jobs))
        assert [outcome.page for outcome in outcomes] == pages

    assert Path.cwd() == before
    for page in pages:
        one, two = ((tmp_path / name / "notebooks" / f"{page.notebook}.ipynb").read_text() for name in ("one/out", "two/out"))
        assert one == two
        assert f"'{page.slug}'" in one
        assert "True" in one


def test_papermill_is_imported_without_the_grammar_of_web_addresses_and_nothing_else_is_kept_from_it():
    code = f"""
import sys
from loyalty_lab import run
run.library("papermill")
assert run.GRAMMAR not in sys.modules
import {run.GRAMMAR}
"""
    pytest.importorskip(run.GRAMMAR)
    subprocess.run([sys.executable, "-c", code], check=True)
