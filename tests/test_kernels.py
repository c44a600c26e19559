"""Warm kernels print what ordinary ones print, live no longer than who asked for them, and are done without where they cannot be had."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import nbformat
import pytest

from loyalty_lab import kernels, keys, run
from loyalty_lab.errors import NotebookError
from loyalty_lab.kernels import bounded, nursery

pytestmark = pytest.mark.skipif(not kernels.can_fork(), reason="kernels are forked on Linux only")
SHOWN = """import pandas as pd
from loyalty_lab import charts, study
frame = pd.DataFrame({f"column {at}": range(3) for at in range(30)})
frame"""
DRAWN = """data = {"labels": ["a"], "values": [0.5], "unit": "share"}
data["labels"] = [{"key": "chart.label", "args": {"label": "a"}}]
study.image(charts.png(charts.draw("bars", data)), "a bar")"""


def notebook(path: Path, *sources: str) -> Path:
    cells = [nbformat.v4.new_code_cell('run_file: str = "demo"  # settings', id="p", metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source, id=f"c{at}") for at, source in enumerate(sources)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def test_tables_and_pictures_are_the_same_to_the_byte(tmp_path):
    source = notebook(tmp_path / "a.ipynb", SHOWN, DRAWN)
    for warm in (False, True):
        run.run_notebook(source, tmp_path / str(warm) / "a.ipynb", {}, tmp_path, run.Manner(warm=warm))

    made = (tmp_path / "True" / "a.ipynb").read_bytes()
    assert made == (tmp_path / "False" / "a.ipynb").read_bytes()
    assert b"image/png" in made
    assert b"column 29" in made


def test_what_one_notebook_changes_the_next_does_not_see(tmp_path):
    changed = notebook(tmp_path / "a.ipynb", "import pandas as pd, os\npd.set_option('display.max_rows', 1)\nos.environ['SEEN'] = 'yes'")
    looks = notebook(tmp_path / "b.ipynb", "import pandas as pd, os\n(pd.get_option('display.max_rows'), os.environ.get('SEEN'))")
    for source in (changed, looks):
        run.run_notebook(source, tmp_path / "out" / source.name, {}, tmp_path, run.Manner(warm=True))

    assert "(60, None)" in (tmp_path / "out" / "b.ipynb").read_text()


@pytest.mark.parametrize("source", ["1 / 0", "import os\nos._exit(0)"])
def test_a_warm_kernel_that_fails_or_dies_is_told_apart_from_one_that_is_done(tmp_path, source):
    with pytest.raises(NotebookError):
        run.run_notebook(notebook(tmp_path / "a.ipynb", source), tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(warm=True))
    assert not (tmp_path / "out" / "a.ipynb").exists()


@pytest.mark.parametrize("warm", [False, True])
def test_running_a_notebook_writes_no_history_of_its_cells(tmp_path, monkeypatch, warm):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    source = notebook(tmp_path / "a.ipynb", "1 + 1")
    run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(warm=warm))

    assert not list((tmp_path / "ipython").rglob("history.sqlite*"))


def test_a_kernel_that_dies_before_it_is_ready_is_told_and_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(bounded, "QUIET", ["--help"])
    with pytest.raises(NotebookError, match="stopped with DeadKernelError"):
        run.run_notebook(notebook(tmp_path / "a.ipynb", "1 + 1"), tmp_path / "out" / "a.ipynb", {}, tmp_path)


def test_the_nursery_has_imported_every_module_of_ours_that_a_notebook_can_reach():
    reached = set(nursery.ours())

    assert {"loyalty_lab.study", "loyalty_lab.tactics", "loyalty_lab.tactics.reviews", "loyalty_lab.btyd.pareto"} <= reached
    assert not {name for name in reached if name.split(".")[1] in keys.BEYOND_NOTEBOOKS}


def test_a_nursery_that_was_killed_is_replaced(tmp_path):
    source = notebook(tmp_path / "a.ipynb", "1 + 1")
    before = kernels.Nursery.here()
    os.kill(before.process.pid, signal.SIGKILL)
    run.run_notebook(source, tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(warm=True))

    assert kernels.Nursery.here().process.pid != before.process.pid


def test_where_no_kernel_can_be_forked_an_ordinary_one_runs(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("no fork today")

    monkeypatch.setattr(kernels.Nursery, "fork", refuse)
    run.run_notebook(notebook(tmp_path / "a.ipynb", "1 + 1"), tmp_path / "out" / "a.ipynb", {}, tmp_path, run.Manner(warm=True))

    assert (tmp_path / "out" / "a.ipynb").exists()


def test_a_kernel_does_not_outlive_the_process_it_was_forked_from(tmp_path):
    nursery, file = kernels.Nursery(), tmp_path / "connection.json"
    kernel = nursery.fork(["-f", str(file), *bounded.QUIET], str(tmp_path), dict(os.environ))
    while not file.exists() and kernel.poll() is None:
        time.sleep(0.05)
    assert kernel.poll() is None, "it waits for work"

    nursery.close()

    assert kernel.wait(timeout=20) == 0
