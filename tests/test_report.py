"""A report is made of what was made before: only what depends on a change is made again, and the whole only once."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from datetime import date

import pytest

from loyalty_lab import demo, intake, kernels, keys, language, report, run
from loyalty_lab.errors import InputError, NotebookError
from loyalty_lab.report import Order

ORDER = Order(only=("answer-fast", "vital-few"), languages=("en",), manner=run.Manner(warm=kernels.can_fork()))
ASKED = {"start-here", "scorecard", "churn", "lifetime-value", "segments", "last-round"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small shop with its report."""
    folder = tmp_path_factory.mktemp("shops") / "small"
    demo.write(demo.make(customers=40), folder)
    assert not report.make(folder, ORDER).kept
    return folder


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """A copy of it, whose pages are not printed anew but for show: what they cost is not what is asked here."""

    def pretend(taken, actions, about, language, stage, cache):
        (stage / f"playbook-{language}.pdf").write_bytes(b"printed anew")
        return [f"playbook-{language}.pdf"], {}

    monkeypatch.setattr(report, "print_pages", pretend)
    return shutil.copytree(made, tmp_path / "small")


@pytest.fixture
def ran(monkeypatch):
    """The notebooks that were run."""
    names, real = [], run.run_notebook

    def noted(source, *more):
        names.append(source.stem)
        real(source, *more)

    monkeypatch.setattr(run, "run_notebook", noted)
    return names


def bytes_of(folder) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def place(shop):
    return shop / "reports" / "2026-10-31"


def printed_anew(shop) -> bool:
    return (place(shop) / "playbook-en.pdf").read_bytes() == b"printed anew"


def test_the_same_again_makes_nothing_and_touches_nothing(shop, ran):
    before = bytes_of(shop)
    assert report.at_hand(shop, ORDER).kept
    assert report.make(shop, ORDER).kept

    assert ran == []
    assert bytes_of(shop) == before


def test_how_it_is_run_is_no_reason_to_make_it_again(shop):
    other = replace(ORDER, manner=run.Manner(timeout=9, warm=not ORDER.manner.warm, jobs=2))

    assert report.at_hand(shop, other)
    assert not report.at_hand(shop, replace(ORDER, paper="letter"))
    assert not report.at_hand(shop, replace(ORDER, fresh=True))


def test_a_changed_text_prints_pages_and_runs_no_notebook(shop, ran, monkeypatch):
    monkeypatch.setattr(keys, "of_texts", lambda language, *files: f"changed {language} {files}")
    assert not report.make(shop, ORDER).kept

    assert ran == []
    assert printed_anew(shop)


@pytest.mark.parametrize(("part", "again"), [("name", True), ("care", False)])
def test_lists_are_written_anew_for_a_text_they_say_and_for_no_other(shop, monkeypatch, part, again):
    written = []
    real = report.write_lists
    monkeypatch.setattr(report, "write_lists", lambda *args: written.append(args) or real(*args))
    files, said = keys.of_texts, copy.deepcopy(language.catalogue("en"))
    said["answer-fast"][part] = "New"
    monkeypatch.setattr(language, "catalogue", lambda name, real=language.catalogue: said if name == "en" else real(name))
    monkeypatch.setattr(keys, "of_texts", lambda name, *some: files(name, *some) if some else f"changed {name}")
    report.make(shop, ORDER)

    assert bool(written) == again


def test_a_changed_practice_runs_that_notebook_alone(shop, ran, monkeypatch):
    real = keys.of_notebooks_code
    monkeypatch.setattr(keys, "of_notebooks_code", lambda module=None: real(module) + ("new" if module == "answer_fast" else ""))
    monkeypatch.setattr(keys, "of_everything", lambda: "new")
    report.make(shop, ORDER)

    assert ran == ["09-answer-fast"]


def test_a_changed_export_runs_what_has_read_it(shop, ran):
    path = shop / "exports" / "tickets.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    report.make(shop, ORDER)

    assert ran == ["01-scorecard", "09-answer-fast"], "of the notebooks asked for, these two read tickets"


def test_changed_orders_run_everything(shop, monkeypatch):
    ran = []

    def only_noted(source, *_):
        ran.append(source.stem)
        raise NotebookError(source.name, "was not run", "run it")

    monkeypatch.setattr(run, "run_notebook", only_noted)
    path = shop / "exports" / "orders.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:5], *lines[6:]]), encoding="utf-8")
    report.make(shop, ORDER)

    assert len(ran) == len(ASKED) + 2


def test_a_notebook_that_was_lost_from_the_cache_is_run_again_to_the_same_bytes(shop, ran):
    before = bytes_of(place(shop) / "notebooks")
    shutil.rmtree(shop / "cache" / "notebooks" / "client" / "churn")
    (place(shop) / "run.json").unlink()
    report.make(shop, ORDER)

    assert ran == ["02-churn"]
    assert bytes_of(place(shop) / "notebooks") == before


@pytest.mark.parametrize("name", ["lists/answer-fast.csv", "playbook-en.html", "results/churn.json", "run.json"])
def test_a_report_that_somebody_has_changed_is_made_good(shop, name):
    before = (place(shop) / name).read_bytes()
    (place(shop) / name).write_bytes(before + b"changed")
    report.make(shop, ORDER)

    assert name == "run.json" or (place(shop) / name).read_bytes() == before
    assert not (place(shop) / name).read_bytes().endswith(b"changed")


def test_names_never_lie_in_the_cache(made):
    people = (made / "exports" / "customers.csv").read_text(encoding="utf-8").splitlines()[1:]
    names = [line.split(",")[1] for line in people]
    assert any(name in (place(made) / "lists" / "answer-fast.csv").read_text(encoding="utf-8-sig") for name in names)

    for path in (made / "cache").rglob("*"):
        if path.is_file() and path.suffix != ".pdf":
            content = path.read_bytes()
            assert not [name for name in names if name.encode() in content], path.name


def test_a_notebook_that_fails_is_run_again_next_time(shop, monkeypatch):
    shutil.rmtree(shop / "cache" / "notebooks" / "client" / "churn")
    real = run.run_notebook

    def broken(source, *more):
        raise NotebookError(source.name, "stopped with OSError", "look into it")

    monkeypatch.setattr(run, "run_notebook", broken)
    assert report.make(shop, replace(ORDER, paper="letter")).failed == ("churn",)
    monkeypatch.setattr(run, "run_notebook", real)
    again = report.make(shop, replace(ORDER, paper="letter"))

    assert again.failed == ()
    assert not again.kept


def test_a_full_disk_leaves_the_earlier_report_as_it_was(shop, monkeypatch):
    before = bytes_of(place(shop))

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "print_pages", full)
    monkeypatch.setattr(keys, "of_templates", lambda: "changed")
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        report.make(shop, ORDER)

    assert bytes_of(place(shop)) == before
    assert [path.name for path in (shop / "reports").iterdir()] == ["2026-10-31"]


def test_the_dates_are_those_of_the_exports(made):
    taken = intake.read(made)
    orders = taken.shop().orders["ordered_at"]

    assert report._dates(taken, Order()) == (orders.max().date(), date(2026, 11, 1))
    assert taken.report.tables["orders"].first_day == orders.min().date()
