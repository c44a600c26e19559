"""The ledger's file is only ever appended to, whole or not at all, and a byte that changed is seen."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from loyalty_lab import ledger, results
from loyalty_lab.assignment import Round, open_round
from loyalty_lab.errors import InputError
from loyalty_lab.ledger import COLUMNS, append, read_ledger

SALT, OPENED = "ab" * 32, date(2026, 10, 31)
EMPTY = pd.DataFrame(columns=list(COLUMNS), dtype="str")


def rows(n: int = 4, slug: str = "follow-up-letters") -> pd.DataFrame:
    people = pd.DataFrame({"unit": [f"C{at}" for at in range(n)], "stratum": "once", "spend": range(n)})
    return open_round(SALT, Round(slug, OPENED, OPENED + timedelta(days=1), 60), people)


@pytest.fixture
def shop(tmp_path) -> Path:
    """A shop's folder with a ledger of four rows, sealed."""
    (tmp_path / "private").mkdir()
    append(tmp_path / ledger.LEDGER, rows())
    ledger.seal(tmp_path)
    return tmp_path


def test_an_absent_ledger_is_empty_and_a_new_one_begins_with_its_columns(tmp_path):
    path = tmp_path / "rounds" / "assignments.csv"
    assert read_ledger(path).empty
    append(path, EMPTY)
    assert not path.exists()

    append(path, rows())

    assert path.read_text().splitlines()[0].split(",") == list(COLUMNS)
    assert read_ledger(path).equals(rows())


def test_what_was_written_stays_the_beginning_of_what_is_written(shop):
    path = shop / ledger.LEDGER
    before = path.read_bytes()

    append(path, rows(6, "referral"))

    assert path.read_bytes().startswith(before)
    assert len(read_ledger(path)) == 10
    assert [left.name for left in path.parent.iterdir()] == [path.name]


def test_numbers_of_customers_read_back_whatever_stands_in_them(tmp_path):
    path, odd = tmp_path / "assignments.csv", ["a,b", 'said "no"', " spaced ", "NA", "007", "Ünal\nAyşe", "'x", "বাংলা"]
    append(path, rows(len(odd)).assign(unit=odd))

    assert read_ledger(path)["unit"].tolist() == odd


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-9], "row 5: holds|row 5: is the last one and cut off"),
        (lambda content: content[:-1], "row 5: is the last one and cut off"),
        (lambda content: content.replace(b"once", b"on,e", 1), "row 2: holds"),
        (lambda content: content.replace(b"slug", b"slag", 1), "row 1: holds"),
        (lambda content: content.replace(b"once", b"on\xffe", 1), "is no text"),
        (lambda content: content.replace(b"once", b'"nce', 1), "is no text|row 2: holds"),
        (lambda content: content + b"\n", "row 6: holds"),
        (lambda content: content.replace(b"once", b"onc\0", 1), "row 2: holds a character that is none"),
        (lambda content: b"", "row 1: is the last one and cut off"),
    ],
)
def test_a_damaged_ledger_is_refused_with_its_row(shop, damage, words):
    path = shop / ledger.LEDGER
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(InputError, match=words):
        read_ledger(path)
    with pytest.raises(InputError, match=words):
        append(path, rows(2, "referral"))


def test_a_ledger_that_has_grown_since_it_was_read_is_not_written_to(shop):
    path = shop / ledger.LEDGER
    seen = read_ledger(path)
    append(path, rows(2, "referral"), seen=seen)
    before = path.read_bytes()

    with pytest.raises(InputError, match="has changed since it was read"):
        append(path, rows(2, "greet-by-name"), seen=seen)
    assert path.read_bytes() == before


def test_a_ledger_that_does_not_hold_what_was_written_stops_everything(shop, monkeypatch):
    monkeypatch.setattr(ledger, "write_atomically", lambda path, content: path.write_bytes(content[:-1]))

    with pytest.raises(InputError, match="no list was made"):
        append(shop / ledger.LEDGER, rows(6, "referral"))


def test_a_ledger_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "rounds").write_text("a file where the folder should be")

    with pytest.raises(InputError, match=r"rounds/assignments\.csv: cannot be (read|written)"):
        append(tmp_path / ledger.LEDGER, rows())


def test_the_new_ledger_is_on_disk_before_it_takes_the_place_of_the_old(shop, monkeypatch):
    said = []
    monkeypatch.setattr(results.os, "fsync", lambda handle: said.append("folder" if os.path.isdir(f"/proc/self/fd/{handle}") else "file"))
    replace = os.replace
    monkeypatch.setattr(results.os, "replace", lambda old, new: (said.append("renamed"), replace(old, new)))

    append(shop / ledger.LEDGER, rows(6, "referral"))

    assert said[:2] == ["file", "renamed"]
    assert len(said) == 3


def test_every_byte_of_a_sealed_ledger_counts(shop):
    path = shop / ledger.LEDGER
    whole = path.read_bytes()

    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(InputError, match="are not those that were written"):
            ledger.check_seal(shop)
    path.write_bytes(whole[: whole.index(b"\n", 200) + 1])
    with pytest.raises(InputError, match="are not those that were written"):
        ledger.check_seal(shop)


def test_rows_beyond_the_seal_are_those_of_a_run_that_was_killed_before_it(shop):
    append(shop / ledger.LEDGER, rows(6, "referral"))

    ledger.check_seal(shop)


def test_a_ledger_that_is_gone_is_missed(shop):
    (shop / ledger.LEDGER).unlink()

    with pytest.raises(InputError, match="is gone; it held") as said:
        ledger.check_seal(shop)
    assert "--rebuild" in said.value.remedy


def test_a_shop_without_a_seal_is_not_refused_and_a_damaged_seal_is(shop):
    (shop / ledger.SEAL).write_text("{")
    with pytest.raises(InputError, match=r"private/ledger\.json: is damaged"):
        ledger.check_seal(shop)
    (shop / ledger.SEAL).unlink()

    ledger.check_seal(shop)


def test_the_seal_is_for_its_owner_alone(shop):
    assert oct((shop / ledger.SEAL).stat().st_mode)[-3:] == "600"
