"""The database in memory that all queries of a process ask."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb


def cursor(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a place of one's own to ask from, to be closed after use; tables registered there are seen nowhere else.

    Parameters
    ----------
    threads : int, optional
        As many as `OMP_NUM_THREADS` says, which is one where kernels and shops share the cores, and else as many as the machine has.

    Examples
    --------
    >>> with cursor() as db:
    ...     db.execute("select 1 + 1").fetchone()
    (2,)
    """
    db = _database(os.getpid(), threads or _allowed()).cursor()
    db.execute("set enable_progress_bar = false")  # a long query would draw it on standard output
    return db


@cache
def _database(process: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """One empty database for each number of threads: opening one takes longer than asking it. A fork opens its own."""
    return opened(threads)


def opened(threads: int | None = None, **settings: Any) -> duckdb.DuckDBPyConnection:
    """Open an empty database in memory that nothing else uses; threads as for `cursor`, more settings as DuckDB names them.

    Examples
    --------
    >>> with opened(memory_limit="1GB") as db:
    ...     db.execute("show tables").fetchall()
    []
    """
    import duckdb

    if threads := threads or _allowed():
        settings["threads"] = threads
    return duckdb.connect(config=settings)


def _allowed() -> int | None:
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else None
