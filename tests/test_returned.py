"""Lists that come back filled in are believed only where they are this shop's own and say what can be said."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from loyalty_lab import assignment, returned
from loyalty_lab.errors import InputError
from loyalty_lab.language import catalogue

SALT = "ab" * 32
CYCLE = assignment.Round("follow-up-letters", date(2026, 3, 31), date(2026, 4, 1), 60)


@pytest.fixture
def ledger() -> pd.DataFrame:
    people = pd.DataFrame({"unit": [f"C{at}" for at in range(10)], "stratum": "all", "spend": range(10)})
    return assignment.open_round(SALT, CYCLE, people)


def heads(language: str = "en") -> list[str]:
    names = catalogue(language)["lists"]["column"]
    return [names[name] for name in ("number", "name", "list", "outcome")]


def write(folder: Path, rows: list[list[str]], name: str = "letters.csv", language: str = "en") -> Path:
    folder.mkdir(exist_ok=True)
    with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([heads(language), *rows])
    return folder


def row(unit: str, outcome: str, code: str | None = None) -> list[str]:
    return [unit, "Somebody", returned.list_code(SALT, CYCLE.name) if code is None else code, outcome]


def test_an_absent_folder_holds_nothing(tmp_path, ledger):
    assert returned.read(tmp_path / "returned", ledger, SALT).empty


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_outcomes_are_read_in_whichever_language_the_list_was_written(tmp_path, ledger, language):
    folder = write(tmp_path / "returned", [row("C1", "order"), row("C2", ""), row("'C3", "Opt_Out")], language=language)

    found = returned.read(folder, ledger, SALT)

    assert found[["round", "unit", "outcome"]].values.tolist() == [[CYCLE.name, "C1", "order"], [CYCLE.name, "C3", "opt_out"]]


def test_a_workbook_says_the_same_as_csv(tmp_path, ledger):
    folder = tmp_path / "returned"
    folder.mkdir()
    book = openpyxl.Workbook()
    for cells in (heads(), row("C1", "visit")):
        book.active.append(cells)
    book.save(folder / "letters.xlsx")

    assert returned.read(folder, ledger, SALT)["outcome"].tolist() == ["visit"]


def test_of_a_person_told_of_twice_the_last_file_counts(tmp_path, ledger):
    write(tmp_path / "returned", [row("C1", "none")], "2026-04.csv")
    folder = write(tmp_path / "returned", [row("C1", "order")], "2026-05.csv")

    assert returned.read(folder, ledger, SALT)["outcome"].tolist() == ["order"]


def test_of_a_list_without_a_round_only_who_said_no_is_kept(tmp_path, ledger):
    code = returned.list_code(SALT, "answer-fast@2026-03-31")
    folder = write(tmp_path / "returned", [row("X", "reply", code), row("Y", "opt_out", code), row("Z", "", code)])

    assert returned.read(folder, ledger, SALT, ["X", "Y", "Z"]).values.tolist() == [["", "Y", "opt_out"]]
    with pytest.raises(InputError, match="names the customer 'Y', who is unknown"):
        returned.read(folder, ledger, SALT, ["X", "Z"])


def test_who_said_no_once_has_said_it_whatever_a_later_list_tells(tmp_path, ledger):
    write(tmp_path / "returned", [row("C1", "opt_out"), row("C2", "reply")], "2026-04.csv")
    folder = write(tmp_path / "returned", [row("C1", "none"), row("C2", "order")], "2026-05.csv")

    assert returned.read(folder, ledger, SALT)[["unit", "outcome"]].values.tolist() == [["C1", "opt_out"], ["C2", "order"]]


def test_a_list_of_a_void_round_is_refused_as_such(tmp_path, ledger):
    folder = write(tmp_path / "returned", [row("C1", "order")])
    void = pd.concat([ledger, assignment.void(ledger, CYCLE.slug)], ignore_index=True)

    with pytest.raises(InputError, match="which is void or not in the ledger"):
        returned.read(folder, void, SALT)


def test_csv_as_other_spreadsheets_save_it_is_read(tmp_path, ledger):
    folder = write(tmp_path / "returned", [row("C1", "order")])
    path = folder / "letters.csv"
    path.write_bytes(path.read_bytes().decode("utf-8-sig").replace(",", ";").encode())

    assert returned.read(folder, ledger, SALT)["outcome"].tolist() == ["order"]


def test_an_apostrophe_that_kept_a_number_from_being_a_formula_is_taken_off(tmp_path):
    people = pd.DataFrame({"unit": ["-7", "'8"], "stratum": "all", "spend": 1.0})
    folder = write(tmp_path / "returned", [row("'-7", "order"), row("'8", "visit")])

    found = returned.read(folder, assignment.open_round(SALT, CYCLE, people), SALT)

    assert dict(zip(found["unit"], found["outcome"], strict=True)) == {"-7": "order", "'8": "visit"}


def test_what_lies_beside_a_list_that_is_open_is_passed_over_and_no_table_is_lost_in_silence(tmp_path, ledger):
    folder = write(tmp_path / "returned", [row("C1", "order")])
    for name in ("~$letters.xlsx", "._letters.csv", "photo.jpg", "read me.txt"):
        (folder / name).write_bytes(b"\x05")
    (folder / "older.csv").mkdir()
    assert len(returned.read(folder, ledger, SALT)) == 1
    assert [path.name for path, _ in returned.digests(folder)] == ["letters.csv"]
    (folder / "letters.ods").write_bytes(b"PK")

    with pytest.raises(InputError, match=r"letters\.ods: is a table of the kind '\.ods'"):
        returned.read(folder, ledger, SALT)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (row("C1", "order", code=returned.list_code("cd" * 32, CYCLE.name)), "this shop never wrote"),
        (row("C1", "order", code=returned.list_code(SALT, "follow-up-letters@2025-01-01+60d")), "void or not in the ledger"),
        (row("C1", "order", code=CYCLE.name), "this shop never wrote"),
        (row("C1", "order", code=""), "tells an outcome and not of which list"),
        (row("C99", "order"), "names the customer 'C99', who had no arm"),
        (row("C1", "bought a lot"), "tells the outcome 'bought a lot'"),
    ],
)
def test_what_does_not_belong_is_refused_with_its_row(tmp_path, ledger, cells, words):
    folder = write(tmp_path / "returned", [row("C2", "none"), cells])

    with pytest.raises(InputError, match=words) as said:
        returned.read(folder, ledger, SALT)
    assert "letters.csv, row 3" in str(said.value)


def test_a_file_that_is_no_list_is_refused(tmp_path, ledger):
    folder = tmp_path / "returned"
    folder.mkdir()
    (folder / "prices.csv").write_text("a,b\n1,2\n", encoding="utf-8")

    with pytest.raises(InputError, match="not those of a list of ours"):
        returned.read(folder, ledger, SALT)
    (folder / "prices.csv").unlink()
    (folder / "broken.xlsx").write_bytes(b"PK\x03\x04broken")
    with pytest.raises(InputError, match="is no workbook"):
        returned.read(folder, ledger, SALT)
