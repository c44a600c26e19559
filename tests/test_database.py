"""The database in memory: how many threads it takes, and that nobody sees another's tables."""

from __future__ import annotations

import duckdb
import pandas as pd
import pytest

from loyalty_lab import database


def threads_of(cursor) -> int:
    return cursor.execute("select current_setting('threads')").fetchone()[0]


def test_it_takes_as_many_threads_as_it_is_told(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    with database.cursor(3) as db:
        assert threads_of(db) == 3


@pytest.mark.parametrize("open_one", [database.cursor, database.opened])
def test_where_kernels_share_the_cores_it_takes_one_thread(monkeypatch, open_one):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    with open_one() as db:
        assert threads_of(db) == 1


@pytest.mark.parametrize("told", [None, "", "0", "many"])
def test_else_it_takes_what_the_machine_has(monkeypatch, told):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if told is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", told)

    with database.cursor() as db, duckdb.connect() as left_to_itself:
        assert threads_of(db) == threads_of(left_to_itself)


def test_a_table_of_one_place_is_not_seen_from_another():
    with database.cursor(1) as one, database.cursor(1) as other:
        one.register("orders", pd.DataFrame({"customer_id": ["a"]}))
        with pytest.raises(duckdb.Error, match="orders"):
            other.execute("select * from orders")
