"""Every table but the orders: rows typed, people found, double rows and what cannot be read set apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loyalty_lab import tables
from loyalty_lab.intake import fields
from loyalty_lab.intake.convert import SQL_TYPES
from loyalty_lab.intake.people import NAMED_BY, SEQ, meet
from loyalty_lab.intake.reading import quoted

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.intake.identities import People

OTHERS = ("referred_by", "referrer_id", "referred_id")


def make_other(db: duckdb.DuckDBPyConnection, table: str, columns: set[str], files: int, people: People) -> None:
    """Make `other_made` (with `gone`, the reason why a row is left out, and `person`) and `fate` of the typed rows in `part`.

    Parameters
    ----------
    db : duckdb.DuckDBPyConnection
    table : str
        One of `tables.SCHEMAS`, not orders.
    columns : set of str
        Which were mapped.
    files : int
        With more than one, a row that stood in an earlier file is left out.
    people : People
    """
    kinds = fields.kinds(table)
    have = [quoted(name) if name in columns else f"cast(null as {SQL_TYPES[kind]}) as {quoted(name)}" for name, kind in kinds.items()]
    db.execute(f"create or replace temp table other_read as select {SEQ}, file, row, unreadable, {', '.join(have)} from part")
    if table == "order_lines" and "line" not in columns:
        count = f"row_number() over (partition by order_id order by {SEQ})"
        db.execute(f"create or replace temp table other_read as select * replace ({count} as line) from other_read")
    for name, value in _supplied(table, columns).items():
        db.execute(f"update other_read set {quoted(name)} = {value} where {quoted(name)} is null")
    db.execute(f"create or replace temp table other_made as select *, {_reason(db, table, columns, files)} as gone from other_read")
    if "customer_id" in kinds and set(NAMED_BY) & columns:
        meet(db, "other_made", people)
    for name in OTHERS:
        if name in columns:
            _meet_other(db, name, people)
    db.execute("create or replace temp table fate as select file, row, gone from other_made")


def _supplied(table: str, columns: set[str]) -> dict[str, str]:
    """What is put in where an export has no such column, or left the cell empty."""
    supplied = {
        name: "'row ' || file || '.' || row"
        for name in tables.SCHEMAS[table].key
        if name.endswith("_id") and name not in ("order_id", "customer_id", "unit_id")
    }
    if table == "order_lines":
        supplied |= {"quantity": "1", "net_amount": "coalesce(line_net, line_amount, cast(round(quantity * unit_price) as bigint))"}
    if table == "tickets":
        supplied["first_reply_at"] = f"opened_at + coalesce(to_seconds(first_reply_minutes * 60), {_duration('first_reply_duration')})"
        supplied["resolved_at"] = f"opened_at + {_duration('solved_duration')}"
    return {name: value for name, value in supplied.items() if name not in columns or name in ("first_reply_at", "resolved_at")}


def _duration(column: str) -> str:
    """A length of time written as hours:minutes:seconds; what is below nothing was no reply."""
    pattern = r"^(\d{1,4}):(\d\d):(\d\d)$"
    parts = [f"cast(nullif(regexp_extract({column}, '{pattern}', {at}), '') as bigint)" for at in (1, 2, 3)]
    return f"to_seconds({parts[0]} * 3600 + {parts[1]} * 60 + {parts[2]})"


def _reason(db: duckdb.DuckDBPyConnection, table: str, columns: set[str], files: int) -> str:
    key = [name for name in tables.SCHEMAS[table].key if name in columns] or sorted(columns)
    overlap = "false"
    if files > 1:
        listed = ", ".join(quoted(name) for name in key)
        nth = f"row_number() over (partition by file, {listed} order by row)"
        db.execute(f"create or replace temp table other_read as select *, {nth} as nth from other_read")
        overlap = f"min(file) over (partition by {listed}, nth) < file"
    return f"case when {overlap} then 'page overlap' when unreadable then 'unreadable' else '' end"


def _meet_other(db: duckdb.DuckDBPyConnection, name: str, people: People) -> None:
    """Find the person of a column that names another customer, by number, e-mail or phone."""
    db.execute(f"""
        create or replace temp table named_there as
        select min({SEQ}) as {SEQ}, {name} as said, case when contains({name}, '@') then null else {name} end as other_id,
               case when contains({name}, '@') then {name} end as other_email,
               cast(null as varchar) as other_phone, cast(null as varchar) as other_name, cast(null as varchar) as other_alias
        from other_made where {name} is not null group by {name}
    """)
    meet(db, "named_there", people, ("other_id", "other_email", "other_phone", "other_name", "other_alias"))
    db.execute(f"""
        create or replace temp table other_made as
        select o.*, n.person as {name}_person from other_made as o left join named_there as n on n.said = o.{name}
    """)
