"""The committed notebooks keep the skeleton, hold no logic, and have really run."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from loyalty_lab import run
from loyalty_lab.errors import UsageError

ROOT = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(ROOT.rglob("*.ipynb"))
TACTICS = [path for path in NOTEBOOKS if path.parent.name == "tactics"]
LESSONS = [path for path in NOTEBOOKS if path.parent.name == "training"]
PARAMETER = re.compile(r"\w+: (str|int|float|bool) = [^#]+  # \S.*")
SECTIONS = ["Diagnose", "Value", "Act", "Teach", "Measure", "In short"]

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str | None = None) -> list[dict]:
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if kind in (None, cell["cell_type"])]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def untaught(path: Path) -> list[dict]:
    """The cells that every edition keeps."""
    return [cell for cell in cells(path) if not set(run.TAUGHT) & set(cell["metadata"].get("tags", []))]


def test_every_page_of_the_playbook_has_its_notebook():
    in_playbook = {path.relative_to(ROOT).as_posix() for path in NOTEBOOKS if path not in LESSONS}

    assert {f"{page.notebook}.ipynb" for page in run.pages()} == in_playbook


def names(some: list[dict], use: type) -> set[str]:
    code = "\n".join(text(cell) for cell in some if cell["cell_type"] == "code")
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name) and isinstance(node.ctx, use)}


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_has_its_module_exercises_and_solutions(path):
    tags = {tag for cell in cells(path) for tag in cell["metadata"].get("tags", [])}

    assert (ROOT.parent / "src" / "loyalty_lab" / "lessons" / f"{path.stem}.py").exists()
    assert set(run.TAUGHT) <= tags


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_on_where_an_edition_leaves_out_its_solutions(path):
    kept = untaught(path)
    left_out = [cell for cell in cells(path) if cell not in kept]

    assert not names(kept, ast.Load) & names(left_out, ast.Store)


@by_name
def test_every_code_cell_has_run_without_an_error(path):
    for cell in cells(path, "code"):
        assert cell["execution_count"], text(cell)
        assert not [output for output in cell["outputs"] if output["output_type"] in ("error", "stream")], text(cell)


@by_name
def test_a_notebook_is_short_and_holds_no_logic(path):
    assert len(untaught(path)) <= 24
    for cell in cells(path, "code"):
        lines = text(cell).splitlines()
        nodes = list(ast.walk(ast.parse(text(cell))))
        assert len(lines) <= 12
        assert len(lines) >= 2 or "parameters" in cell["metadata"].get("tags", [])
        assert not any(isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.Lambda)) for node in nodes), text(
            cell
        )


@by_name
def test_a_notebook_has_one_title_and_starts_with_the_run(path):
    titles = [line for cell in cells(path, "markdown") for line in text(cell).splitlines() if line.startswith("# ")]
    parameters, opening = cells(path, "code")[:2]

    assert len(titles) == 1
    assert text(parameters).splitlines()[0] == 'run_file: str = "demo"  # settings of this run'
    assert all(PARAMETER.fullmatch(line) for line in text(parameters).splitlines())
    assert path in LESSONS or len(text(parameters).splitlines()) == 1
    assert parameters["metadata"]["tags"] == ["parameters"]
    assert "run = open_run(run_file)" in text(opening)
    assert path in LESSONS or "study.save()" in text(cells(path, "code")[-1])


@pytest.mark.parametrize("path", TACTICS, ids=lambda path: path.stem)
def test_a_tactic_has_its_sections_in_order(path):
    headings = [line[3:] for cell in cells(path, "markdown") for line in text(cell).splitlines() if line.startswith("## ")]

    assert headings == SECTIONS


@by_name
def test_a_notebook_is_stored_normalised_and_small(path):
    stored = path.read_text(encoding="utf-8")

    assert run.normalised(stored) == stored
    assert len(stored.encode()) <= 300_000


def test_a_mistyped_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(UsageError, match=r"no parameter 'run_fle'\. Did you mean 'run_file'"):
        run.check_parameters(NOTEBOOKS[0], {"run_fle": "x"})


def test_a_parameter_of_another_type_is_refused_with_its_value():
    with pytest.raises(UsageError, match="run_file = 3 is not of type str"):
        run.check_parameters(NOTEBOOKS[0], {"run_file": 3})
