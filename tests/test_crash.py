"""A run that is killed at any moment leaves no round or a whole one, no list without its round, and the next run is as if nothing was."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from acting_shops import CUTOFF, EVERYBODY, candidates, make, result, rows, shop_of

from loyalty_lab import assignment, bookkeeping, ledger, lists, lock, report
from loyalty_lab.errors import InputError
from loyalty_lab.verification import read_verified

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed(job: str, folder: Path, kills: int) -> list[Path]:
    """What each run that was killed has left."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "killed.py"), job, str(folder), str(kills)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return sorted(folder.glob("killed-*"))


def held(folder: Path, *parts: str) -> dict[str, bytes]:
    """The files below some parts of a shop's folder that have no temporary name."""
    files = [path for part in parts for path in (folder / part).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if not path.name.endswith(".tmp")}


@needs_fork
def test_lists_that_are_killed_leave_a_whole_ledger_and_run_again_to_the_same_bytes(tmp_path):
    taken = shop_of(tmp_path / "before")
    found = {"follow-up-letters": candidates(taken, EVERYBODY[:30])}
    make(taken, found)
    shutil.rmtree(taken.folder / "lists")
    cutoff = CUTOFF + timedelta(days=1)
    more = {"follow-up-letters": candidates(taken, EVERYBODY)}
    what = (taken.shop().until(cutoff), more, {"follow-up-letters": result("follow-up-letters")})
    when = {"cutoff": cutoff, "report_date": cutoff + timedelta(days=1), "horizon_days": 60}
    (taken.folder / "asked.pickle").write_bytes(pickle.dumps({"what": what, "when": when}))

    left = killed("lists", tmp_path, 20)

    before, whole = ((tmp_path / name / ledger.LEDGER).read_bytes() for name in ("before", "whole"))
    lists_of = held(tmp_path / "whole", "lists")
    assert len(left) >= 30
    assert whole.startswith(before)
    assert len(lists_of) == 2
    ends = set()
    for folder in left:
        content, made = (folder / ledger.LEDGER).read_bytes(), held(folder, "lists")
        assert content in (before, whole), folder.name
        assert content == whole or not made, folder.name
        assert made.items() <= lists_of.items(), folder.name
        ends.add((content == whole, len(made)))
        read_verified(folder, (folder / lists.SALT).read_text().strip())
    assert {(False, 0), (True, 0), (True, 1), (True, 2)} <= ends
    again = sorted(tmp_path.glob("again-*"))
    assert len(again) >= 4
    for folder in again:
        assert held(folder, "rounds", "private", "lists") == held(tmp_path / "whole", "rounds", "private", "lists")
        assert not [path for path in (folder / "rounds").iterdir() if path.name.startswith(".")]


@needs_fork
def test_a_large_round_that_is_killed_while_it_is_written_is_there_as_a_whole_or_not_at_all(tmp_path):
    def drawn(slug: str, n: int) -> pd.DataFrame:
        people = pd.DataFrame({"unit": [f"C{at:06d}" for at in range(n)], "stratum": "all", "spend": 1.0})
        return assignment.open_round("ab" * 32, assignment.Round(slug, date(2026, 1, 31), date(2026, 2, 1), 60), people)

    folder = tmp_path / "before"
    ledger.append(folder / ledger.LEDGER, drawn("referral", 1_000))
    drawn("follow-up-letters", 20_000).to_pickle(folder / "rows.pickle")

    left = killed("append", tmp_path, 12)

    before, whole = ((tmp_path / name / ledger.LEDGER).read_bytes() for name in ("before", "whole"))
    found = [(each / ledger.LEDGER).read_bytes() for each in left]
    assert whole.startswith(before)
    assert {before, whole} == set(found)
    assert {(each / ledger.LEDGER).read_bytes() for each in tmp_path.glob("again-*")} >= {whole}


def test_two_runs_on_one_shop_are_one_too_many(tmp_path):
    taken = shop_of(tmp_path / "shop", n=4)
    with lock.alone(taken.folder):
        for work in (lambda: report.make(taken.folder, report.Order()), lambda: bookkeeping.void_round(taken.folder, "follow-up-letters")):
            with pytest.raises(InputError, match=rf"is being worked on by another run \(process {os.getpid()}\)") as said:
                work()
            assert "wait until that is done" in said.value.remedy
    assert not (taken.folder / lock.LOCK).exists()
    assert not (taken.folder / "reports").exists()


@needs_fork
def test_the_lock_of_a_run_that_was_killed_locks_nobody_out_and_what_it_left_is_swept(tmp_path):
    for part in ("rounds", "reports"):
        (tmp_path / part).mkdir()
    holding = (
        "import sys, time\nfrom loyalty_lab import lock\nwith lock.alone(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    held_by = subprocess.Popen([sys.executable, "-c", holding, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    with held_by, held_by.stdout:
        assert held_by.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"process {held_by.pid}"), lock.alone(tmp_path):
            pass
        held_by.kill()
        held_by.wait()
    (tmp_path / "rounds" / ".assignments.csv.77.tmp").write_text("half")
    (tmp_path / "reports" / ".2026-03-31.77.tmp" / "lists").mkdir(parents=True)
    (tmp_path / "reports" / ".2026-02-28.77.old").mkdir()
    (tmp_path / "reports" / ".2026-01-31.77.old").mkdir()
    (tmp_path / "reports" / "2026-01-31").mkdir()

    with lock.alone(tmp_path):
        assert list((tmp_path / "rounds").iterdir()) == []
        assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == ["2026-01-31", "2026-02-28"]


def test_a_list_that_was_sent_cannot_be_made_void(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})
    back = taken.folder / "rounds" / "returned"
    back.mkdir()
    (back / "letters.csv").write_bytes((taken.folder / "lists" / "follow-up-letters.csv").read_bytes().replace(b",\r\n", b",none\r\n", 1))
    assert rows(taken)

    with pytest.raises(InputError, match="whose list was sent then"):
        bookkeeping.void_round(taken.folder, "follow-up-letters")
    (back / "letters.csv").unlink()
    bookkeeping.void_round(taken.folder, "follow-up-letters")

    assert assignment.rounds(bookkeeping.read(taken.folder)) == []
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)}, out="again")
    assert (taken.folder / "again" / "follow-up-letters.csv").read_bytes() == (
        taken.folder / "lists" / "follow-up-letters.csv"
    ).read_bytes()
