"""The database in memory that all queries of a process ask."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def cursor(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a place of one's own to ask from, to be closed after use; tables registered there are seen nowhere else.

    Examples
    --------
    >>> with cursor() as db:
    ...     db.execute("select 1 + 1").fetchone()
    (2,)
    """
    db = _database(os.getpid(), threads).cursor()
    db.execute("set enable_progress_bar = false")  # a long query would draw it on standard output
    return db


@cache
def _database(process: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """One empty database for each number of threads: opening one takes longer than asking it. A fork opens its own."""
    import duckdb

    return duckdb.connect(config={"threads": threads} if threads else {})
