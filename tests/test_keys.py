"""A key changes with what the work depends on, and with nothing else."""

from __future__ import annotations

import ast
import json
import shutil

import pytest

from loyalty_lab import keys, share

CACHED = (keys.of_folder, keys.of_notebooks_code, keys.of_everything, keys.of_notebook, keys.installed, keys._file)


def forget() -> None:
    for each in CACHED:
        each.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package, notebooks and playbook, to change."""
    for name in ("notebooks", "playbook"):
        shutil.copytree(share.folder(name), tmp_path / name)
    package = shutil.copytree(share.PACKAGE, tmp_path / "src" / "loyalty_lab", ignore=shutil.ignore_patterns("__pycache__", "share"))
    monkeypatch.setattr(share, "PACKAGE", package)
    monkeypatch.setattr(share, "CLONE", tmp_path)
    forget()
    yield package
    forget()


def notebook_keys() -> dict[str | None, str]:
    forget()
    return {module: keys.of_notebooks_code(module) for module in (None, "answer_fast", "vital_few")}


def changed(path, before: dict) -> set:
    """Whose key is another one after a line was added to a file."""
    path.write_text(path.read_text(encoding="utf-8") + "\n# changed\n", encoding="utf-8")
    after = notebook_keys()
    return {module for module in before if before[module] != after[module]}


def test_a_practice_of_its_own_changes_no_other_notebook(package):
    assert changed(package / "tactics" / "answer_fast.py", notebook_keys()) == {"answer_fast"}


@pytest.mark.parametrize("name", ["metrics.py", "sql/features.sql", "btyd/pareto.py", "tactics/__init__.py", "questions/groups.py"])
def test_what_notebooks_share_changes_them_all(package, name):
    assert changed(package / name, notebook_keys()) == {None, "answer_fast", "vital_few"}


@pytest.mark.parametrize("name", ["pages.py", "cli.py", "intake/sales.py"])
def test_what_no_notebook_reaches_changes_none(package, name):
    whole = keys.of_everything()

    assert changed(package / name, notebook_keys()) == set()
    assert keys.of_everything() != whole


def test_a_text_changes_the_pages_of_its_language_alone(package, tmp_path):
    before, whole = (notebook_keys(), keys.of_everything()), {name: keys.of_texts(name) for name in ("en", "tr")}

    assert changed(tmp_path / "playbook" / "text" / "tr" / "answer-fast.toml", before[0]) == set()
    assert keys.of_everything() == before[1]
    assert keys.of_texts("tr") != whole["tr"]
    assert keys.of_texts("en") == whole["en"]


def test_a_template_changes_neither_notebook_nor_text(package, tmp_path):
    before = (keys.of_templates(), keys.of_texts("en"))

    assert changed(tmp_path / "playbook" / "aids" / "parts.typ", notebook_keys()) == set()
    assert keys.of_templates() != before[0]
    assert keys.of_texts("en") == before[1]


def test_a_notebook_is_its_sources_and_tags_and_not_its_outputs(tmp_path):
    source = share.folder("notebooks") / "02-churn.ipynb"
    content = json.loads(source.read_text(encoding="utf-8"))

    def key() -> str:
        (tmp_path / "a.ipynb").write_text(json.dumps(content), encoding="utf-8")
        forget()
        return keys.of_notebook(tmp_path / "a.ipynb")

    before = key()
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], 99
    assert key() == before
    content["cells"][-1]["source"] = ["1 + 1"]
    assert key() != before


def imports(path) -> set[str]:
    """The parts of the package that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "loyalty_lab":
            names = node.module.split(".")[1:2]
            found |= set(names) or {alias.name for alias in node.names}
    return found


def test_no_notebook_reaches_what_is_left_out_of_its_key():
    reached, left = {"demo"}, {"study", "questions", "tactics"}  # a shop's notebooks are never opened on the demo shop
    while left:
        part = left.pop()
        reached.add(part)
        place = share.PACKAGE / part
        files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")] if place.with_suffix(".py").exists() else []
        left |= set().union(*(imports(path) for path in files)) - reached

    assert {"metrics", "forecast", "charts", "results"} <= reached
    assert reached & keys.BEYOND_NOTEBOOKS == {"demo", "keys", "kept"}, "run.py looks for kept work; a notebook does not"
