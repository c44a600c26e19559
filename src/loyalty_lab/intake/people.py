"""Rows and the people they name: who each row means is decided once for each way of naming, and joined back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty_lab.intake.identities import Mention

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.intake.identities import People

SEQ = "seq"
NAMED_BY = Mention._fields
KEY = " || chr(31) || ".join(f"coalesce({{0}}{name}, '')" for name in NAMED_BY)


def meet(db: duckdb.DuckDBPyConnection, relation: str, people: People, columns: tuple[str, ...] = NAMED_BY) -> None:
    """Add to a table the column `person`: the merged id of whom each row names, in the order of `SEQ`; missing for nobody.

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
    relation : str
        A table with `SEQ` and the columns of `Mention`.
    people : People
        Whom one has met so far; it learns.
    columns : tuple of str
        The columns that play the parts of a mention, where they are called otherwise.
    """
    import pandas as pd

    listed = ", ".join(columns)
    named = f"select {listed}, min({SEQ}) as first from {relation} where coalesce({listed}) is not null group by {listed} order by first"
    mentions = [row[:-1] for row in db.execute(named).fetchall()]
    persons = [people.meet(Mention(*row)) for row in mentions]
    frame = pd.DataFrame(mentions, columns=list(NAMED_BY), dtype="object").assign(person=pd.Series(persons, dtype="object"))
    db.register("mentions_frame", frame)
    casts = ", ".join(f"cast({name} as varchar) as {name}" for name in NAMED_BY)
    typed = f"select {casts}, cast(person as varchar) as person from mentions_frame"
    db.execute(f"create or replace temp table mentions as select *, {KEY.format('')} as key from ({typed})")
    db.unregister("mentions_frame")
    key = " || chr(31) || ".join(f"coalesce(r.{name}, '')" for name in columns)
    db.execute(
        f"create or replace temp table {relation} as select r.*, m.person from {relation} as r left join mentions as m on m.key = {key}"
    )
