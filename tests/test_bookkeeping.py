"""A ledger that was lost is written anew from the reports, to the byte or not at all."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from acting_shops import CUTOFF, EVERYBODY, candidates, result, shop_of

from loyalty_lab import bookkeeping, intake, ledger, report, results, returned
from loyalty_lab.errors import InputError
from loyalty_lab.shop import RETURNED

SLUG = "follow-up-letters"


def reported(taken: intake.Intake, cutoff: date, numbers: list[str]) -> Path:
    """A report as a run leaves it, as far as rounds go: results, candidates, lists, and what was read."""
    place = taken.folder / "reports" / cutoff.isoformat()
    results.save(result(SLUG), place / "results")
    frame = candidates(taken, numbers)
    frame = frame.assign(arguments=[json.dumps(each) for each in frame["arguments"]])
    frame.to_csv(place / "results" / f"{SLUG}.candidates.csv", index=False)
    when = {"cutoff": cutoff, "report_date": cutoff + timedelta(days=1), "horizon_days": 30}
    report.write_lists(taken.folder, taken.shop().until(cutoff), *when.values(), place)
    seen = [digest for _, digest in returned.digests(taken.folder / RETURNED)]
    (place / "run.json").write_text(json.dumps({name: str(day) for name, day in when.items()} | {"horizon_days": 30, "returned": seen}))
    return place


def send_back(shop: Path, place: Path, said: str) -> str:
    """The first of a list said something; returns who."""
    with (place / "lists" / f"{SLUG}.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    (shop / RETURNED).mkdir(exist_ok=True)
    with (shop / RETURNED / f"{place.name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
        write = csv.DictWriter(file, list(rows[0]))
        write.writeheader()
        write.writerow(rows[0] | {"What happened": said})
    return rows[0]["Customer"]


@pytest.fixture
def taken(tmp_path) -> intake.Intake:
    """A shop that has made three reports: a round, late joiners of it, and the next round, somebody having said no meanwhile."""
    taken = shop_of(tmp_path / "shop")
    first = reported(taken, CUTOFF, EVERYBODY[:20])
    reported(taken, CUTOFF + timedelta(days=8), EVERYBODY[:26])
    no = send_back(taken.folder, first, "opt_out")
    last = reported(taken, CUTOFF + timedelta(days=31), EVERYBODY)
    assert no not in ledger.read_ledger(taken.folder / ledger.LEDGER).tail(30)["unit"].tolist()
    send_back(taken.folder, last, "order")
    return taken


def test_a_lost_ledger_comes_back_to_the_byte(taken):
    path = taken.folder / ledger.LEDGER
    whole = path.read_bytes()
    with pytest.raises(InputError, match="is there and holds rounds"):
        bookkeeping.rebuild(taken.folder)
    path.unlink()
    with pytest.raises(InputError, match="is gone"):
        bookkeeping.read(taken.folder)

    said = []
    n = bookkeeping.rebuild(taken.folder, said.append)

    assert path.read_bytes() == whole
    assert n == len(ledger.read_ledger(path))
    assert said == [f"drawing the arms of {day} again" for day in ("2026-03-31", "2026-04-08", "2026-05-01")]
    assert sorted(left.name for left in path.parent.iterdir()) == ["assignments.csv", "returned"]


def test_an_older_copy_is_written_to_its_end(taken):
    path = taken.folder / ledger.LEDGER
    whole = path.read_bytes()
    older = b"".join(whole.splitlines(keepends=True)[:20])  # the opening of the first round: nineteen people had consented
    path.write_bytes(older)

    bookkeeping.rebuild(taken.folder)

    assert path.read_bytes() == whole


def test_where_reports_are_missing_or_exports_have_changed_no_ledger_appears(taken):
    path = taken.folder / ledger.LEDGER
    path.unlink()
    shutil.move(taken.folder / "reports" / "2026-04-08", taken.folder / "aside")
    with pytest.raises(InputError, match="do not give back the ledger that was lost") as said:
        bookkeeping.rebuild(taken.folder)
    assert "delete private/ledger.json" in said.value.remedy
    shutil.move(taken.folder / "aside", taken.folder / "reports" / "2026-04-08")
    people = (taken.folder / "exports" / "customers.csv").read_text()
    (taken.folder / "exports" / "customers.csv").write_text(people.replace("5 Mill Lane,yes", "5 Mill Lane,no"))

    with pytest.raises(InputError, match=r"lists/follow-up-letters\.csv: names other people than are drawn now"):
        bookkeeping.rebuild(taken.folder)

    assert not path.exists()
    assert [left.name for left in path.parent.iterdir()] == ["returned"]


def test_without_reports_there_is_nothing_to_rebuild_from(tmp_path):
    taken = shop_of(tmp_path / "shop", n=4)

    assert bookkeeping.read(taken.folder).empty
    with pytest.raises(InputError, match="holds no report"):
        bookkeeping.rebuild(taken.folder)
