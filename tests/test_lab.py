"""Each group gets copies that read the shop; a changed one is never written over, and no copy knows a name."""

from __future__ import annotations

import json

import nbformat
import pytest

from loyalty_lab import demo, lab, run, share
from loyalty_lab.errors import InputError


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shops") / "demo"
    demo.write(demo.make(customers=60), folder)
    return folder


@pytest.fixture(scope="module")
def groups(shop):
    return lab.prepare(shop, groups=2)


def test_each_group_has_every_notebook_set_to_the_shop_and_without_outputs(groups):
    wanted = {path.name for path in share.folder("notebooks").rglob("*.ipynb")}
    for folder in groups:
        assert {path.name for path in folder.glob("*.ipynb")} == wanted
        cells = nbformat.read(folder / "09-answer-fast.ipynb", as_version=4).cells
        assert 'run_file: str = "settings.json"  # settings of this run' in [cell.source for cell in cells]
        assert not any(cell.get("outputs") for cell in cells)


def test_a_copy_runs_where_it_lies(groups, tmp_path):
    run.run_notebook(groups[0] / "09-answer-fast.ipynb", tmp_path / "done.ipynb", {}, groups[0])

    assert (groups[0] / "results" / "answer-fast.json").exists()


def test_exercises_are_there_for_participants_and_solutions_only_for_trainers(shop, groups):
    def tags(folder):
        cells = nbformat.read(folder / "04-thank-and-gift.ipynb", as_version=4).cells
        return {tag for cell in cells for tag in cell.metadata.get("tags", [])}

    assert tags(groups[0]) >= {"exercise"}
    assert "solution" not in tags(groups[0])


def test_a_changed_copy_stays_and_an_old_one_is_brought_up_to_date(shop, groups):
    changed, untouched = (groups[1] / name for name in ("09-answer-fast.ipynb", "01-vital-few.ipynb"))
    changed.write_text("our own work")
    record = json.loads((groups[1] / lab.WRITTEN).read_text())
    untouched.write_bytes(untouched.read_bytes() + b"\n")
    (groups[1] / lab.WRITTEN).write_text(json.dumps(record | {untouched.name: lab._digest(untouched.read_bytes())}))
    lab.prepare(shop, groups=2)

    assert changed.read_text() == "our own work"
    assert nbformat.read(untouched, as_version=4).cells
    assert not untouched.read_bytes().endswith(b"\n\n")


def test_nobody_is_named_in_what_a_group_can_read(shop, groups):
    names = [line.split(",")[1] for line in (shop / "exports" / "customers.csv").read_text(encoding="utf-8").splitlines()[1:]]
    read = "".join(path.read_text(encoding="utf-8") for path in groups[0].rglob("*") if path.suffix in (".json", ".csv", ".ipynb"))

    assert [name for name in names if name and name in read] == []


def test_without_jupyterlab_it_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"JupyterLab: is not installed"):
        lab.command(tmp_path)
