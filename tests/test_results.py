"""Result files are checked, plain and the same each time."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from loyalty_lab import results
from loyalty_lab.errors import NotebookError
from loyalty_lab.results import Fact, Message, Result, Table


def result(**more) -> Result:
    return Result(notebook="answer-fast", kind="tactic", cutoff=date(2026, 10, 31), **more)


def test_a_result_comes_back_as_it_was_saved(tmp_path):
    fact = Fact(value=np.float64(0.5), unit="share", n=4, interval=(0.1, 0.9, 0.95), window=(date(2026, 1, 1), date(2026, 2, 1)))
    kept = result(facts={"promises_kept": fact}, messages=[Message(key="answer-fast.headline.slow", args={"n": np.int64(3)})])

    assert results.load(results.save(kept, tmp_path)) == kept


def test_what_is_missing_or_infinite_becomes_null_and_never_nan(tmp_path):
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", None]})
    path = results.save(result(tables={"t": Table.of(frame)}, facts={"f": Fact(value=float("inf"), unit="ratio")}), tmp_path)

    stored = json.loads(path.read_text())
    assert stored["tables"]["t"]["rows"] == [[1.5, "x"], [None, None]]
    assert stored["facts"]["f"]["value"] is None
    assert "NaN" not in path.read_text()


def test_the_same_result_gives_the_same_bytes(tmp_path):
    one = results.save(result(facts={"b": Fact(value=1, unit="count"), "a": Fact(value=2, unit="count")}), tmp_path / "one")
    two = results.save(result(facts={"a": Fact(value=2, unit="count"), "b": Fact(value=1, unit="count")}), tmp_path / "two")

    assert one.read_bytes() == two.read_bytes()


def test_an_unknown_unit_or_field_is_refused():
    with pytest.raises(ValidationError):
        Fact(value=1, unit="pounds")
    with pytest.raises(ValidationError):
        result(sentence="Regulars stay.")


def test_a_damaged_file_is_an_error_that_names_the_field(tmp_path):
    path = results.save(result(), tmp_path)
    path.write_text(path.read_text().replace('"status": "ready"', '"status": "redy"'))

    with pytest.raises(NotebookError, match=r"answer-fast\.json, status.*redy"):
        results.load(path)


def test_a_failed_write_leaves_the_earlier_file_and_no_remains(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    results.write_atomically(path, b"good")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        results.write_atomically(path, b"half")
    assert path.read_bytes() == b"good"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_a_message_is_found_by_its_role():
    kept = result(messages=[Message(key="answer-fast.headline.slow"), Message(key="answer-fast.stand")])

    assert kept.message("headline").key == "answer-fast.headline.slow"
    assert kept.message("stand").key == "answer-fast.stand"
    assert kept.message("head") is None
