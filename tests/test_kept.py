"""Work is done while its key, the tables it has read and every byte it has left are what they were; and not before it is whole."""

from __future__ import annotations

import json

import pytest

from loyalty_lab import kept
from loyalty_lab.kept import Cache, Work

TABLES = {"orders": "a1", "surveys": "b2"}


@pytest.fixture
def work(tmp_path) -> Work:
    """Work whose two files were made elsewhere and kept, having read the orders and looked in vain for tickets."""
    made = tmp_path / "made"
    (made / "results").mkdir(parents=True)
    (made / "page.html").write_text("page")
    (made / "results" / "churn.json").write_text("{}")
    found = Cache(tmp_path / "cache").work("notebooks", "churn")
    found.keep("key", made, ["page.html", "results/churn.json"], read={"orders": "a1", "tickets": None}, status="ready")
    return found


def test_work_is_brought_back_with_what_was_noted_and_the_same_bytes(work, tmp_path):
    assert work.bring("key", tmp_path / "again", TABLES) == {"status": "ready"}
    assert (tmp_path / "again" / "results" / "churn.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("key", "tables"),
    [("other", TABLES), ("key", TABLES | {"orders": "a2"}), ("key", TABLES | {"tickets": "c3"}), ("key", {})],
    ids=["another key", "a table it read has changed", "a table it missed is there", "a table it read is gone"],
)
def test_what_it_depends_on_has_changed(work, key, tables):
    assert work.done(key, tables) is None


def test_a_table_it_never_asked_for_may_change(work):
    assert work.done("key", TABLES | {"surveys": "b3"}) == {"status": "ready"}


def test_a_file_that_was_changed_or_lost_is_made_again(work):
    (work.place / "page.html").write_text("pagE")
    assert work.done("key", TABLES) is None
    (work.place / "page.html").unlink()
    assert work.done("key", TABLES) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": "key"}'])
def test_a_damaged_record_is_none(work, content):
    (work.place / kept.RECORD).write_text(content)

    assert work.done("key", TABLES) is None


def test_fresh_takes_nothing_for_done(work, tmp_path):
    assert Cache(tmp_path / "cache", fresh=True).work("notebooks", "churn").done("key", TABLES) is None


def test_the_record_is_written_last(work, tmp_path, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    (tmp_path / "made" / "page.html").write_text("a new page")
    monkeypatch.setattr(kept, "write_json", stopped)
    with pytest.raises(KeyboardInterrupt):
        work.keep("new", tmp_path / "made", ["page.html"])

    assert (work.place / "page.html").read_text() == "a new page"
    assert work.done("new", TABLES) is None
    assert work.done("key", TABLES) is None, "the old work is not there any more"


def test_files_that_lie_in_a_report_are_looked_for_there_and_never_copied_to_the_cache(tmp_path):
    report = tmp_path / "reports" / "2026-10-31"
    report.mkdir(parents=True)
    (report / "names.csv").write_text("Ann")
    work = Cache(tmp_path / "cache").work("lists", files=report)
    work.keep("key", report, ["names.csv"])

    assert work.done("key") == {}
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [kept.RECORD]
    assert "Ann" not in json.dumps(json.loads((work.place / kept.RECORD).read_text()))
    (report / "names.csv").write_text("Eve")
    assert work.done("key") is None


def test_a_file_for_its_owner_alone_stays_so(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "a.csv").write_text("a")
    (tmp_path / "made" / "a.csv").chmod(0o600)
    work = Work(tmp_path / "cache")
    work.keep("key", tmp_path / "made", ["a.csv"])
    work.bring("key", tmp_path / "again")

    assert (tmp_path / "again" / "a.csv").stat().st_mode & 0o777 == 0o600
