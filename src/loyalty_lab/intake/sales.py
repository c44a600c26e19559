"""From typed rows of order exports to orders: what counts as a sale, what leaves and why, what was paid back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from loyalty_lab import tables
from loyalty_lab.intake import fields, refunds, words
from loyalty_lab.intake.convert import SQL_TYPES
from loyalty_lab.intake.formats import Codes, Profile
from loyalty_lab.intake.people import SEQ, meet
from loyalty_lab.intake.reading import quoted

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.intake.identities import People
    from loyalty_lab.intake.report import Report

STATES = ("cancelled", "unpaid", "test", "refunded in full")
UNMATCHED = "refund without an order"
KEPT_WITH_ORDER = ("channel", "branch_id", "staff_id", "category", "status")
LINE_KEY = ("order_id", "product_id", "product", "quantity", "unit_price", "line_amount", "line_net", "event")


@dataclass(frozen=True)
class Sales:
    """One stream of order exports in the database: where its typed rows lie, and how they are meant.

    `part` is a relation with `SEQ`, `file`, the row number and the typed columns; `columns` those that were mapped.
    """

    db: duckdb.DuckDBPyConnection
    part: str
    columns: frozenset[str]
    form: Profile
    currency: str
    files: int
    keep_unpaid: bool = False

    @property
    def by_line(self) -> bool:
        return self.form.grain == "line"


def make_orders(sales: Sales, people: People, report: Report) -> None:
    """Make the tables `orders_made`, `lines_made` and `fate` of one stream; `gone` is the reason why a row leaves, empty: kept.

    Money is in integer ten-thousandths. An order's goods are what its export tells of them: goods after discounts; net and
    refunds; total less tax and delivery; gross less discounts; or the sum of its lines.
    """
    _records(sales)
    _orders(sales)
    meet(sales.db, "orders_made", people)
    meet(sales.db, "back", people)
    _note_statuses(sales, report)
    _book(sales)
    _finish(sales)
    _fates(sales)
    _lines(sales)
    _sum_up(sales, report)


def _records(sales: Sales) -> None:
    """Every row with all columns, its place, and the reason why it is no sale of goods (if there is one)."""
    kinds = fields.kinds("orders")
    have = [quoted(name) if name in sales.columns else f"cast(null as {SQL_TYPES[kind]}) as {quoted(name)}" for name, kind in kinds.items()]
    numbered = "case when file = 1 then 'row ' || row else 'row ' || file || '.' || row end"
    told = f"coalesce({', '.join(fields.AMOUNTS)})"
    amount = "coalesce(line_amount, cast(round(quantity * unit_price) as bigint), line_net)" if sales.by_line else told
    listed = ", ".join(have).replace('cast(null as varchar) as "order_id"', f'{numbered} as "order_id"')
    currency = "max(upper(currency)) over (partition by order_id)" if "currency" in sales.columns else "cast(null as varchar)"
    sales.db.execute(f"create or replace temp view rows_all as select {SEQ}, file, row, unreadable, {listed} from {sales.part}")
    sales.db.execute(f"""
        create or replace temp view records as
        select *, {amount} as amount, {_overlap(sales)} as overlap, {_is_back(sales, amount)} as back,
               {currency} as order_currency
        from rows_read
    """)
    empty = "order_id is null" + ("" if sales.by_line else " or ordered_at is null")
    sales.db.execute(f"""
        create or replace temp table judged as
        select * exclude (overlap, order_currency, unreadable), case
            when overlap then 'page overlap'
            when unreadable or {empty} then 'unreadable'
            when order_currency <> '{sales.currency}' then 'foreign currency'
            when {_coded(sales.form.not_goods)} then 'not goods'
            when {_coded([sales.form.test] if sales.form.test else [])} then 'test'
            else '' end as gone
        from records
    """)
    sales.db.execute("create or replace temp table back as select * from judged where back and gone = ''")


def _overlap(sales: Sales) -> str:
    """Whether a record stood in an earlier file already; identical records inside one file are different ones.

    A refund may name the order of a sale: the two are never one record.
    """
    sales.db.execute("create or replace temp view rows_read as select * from rows_all")
    if sales.files < 2:
        return "false"
    whole = [name for name in (*fields.IDENTITY, "customer_id", "ordered_at", *fields.AMOUNTS) if name in sales.columns]
    key = LINE_KEY if sales.by_line else ("order_id", "event") if "order_id" in sales.columns else whole
    listed = ", ".join([*map(quoted, key), *([] if sales.by_line else [f"coalesce({', '.join(fields.AMOUNTS)}) < 0"])])
    sales.db.execute(f"""
        create or replace temp view rows_read as
        select *, row_number() over (partition by file, {listed} order by row) as nth from rows_all
    """)
    return f"min(file) over (partition by {listed}, nth) < file"


def _is_back(sales: Sales, amount: str) -> str:
    """Whether a row takes goods back."""
    rule, said = sales.form.refunds, [f"coalesce({amount}, 0) < 0"]
    if rule.order_id_starts_with:
        said.append(f"starts_with(order_id, {_text(rule.order_id_starts_with)})")
    if rule.words:
        said.append(f"lower(event) in ({', '.join(_text(word.lower()) for word in rule.words)})")
    return f"coalesce({' or '.join(said)}, false)"


def _coded(codes: list[Codes]) -> str:
    said = []
    for each in codes:
        column = quoted(each.column)
        if each.codes:
            said.append(f"{column} in ({', '.join(map(_text, each.codes))})")
        said += [f"starts_with({column}, {_text(start)})" for start in each.starts_with]
        said += [f"contains(lower({column}), {_text(word.lower())})" for word in each.contains]
    return f"coalesce({' or '.join(said)}, false)" if said else "false"


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _orders(sales: Sales) -> None:
    """One row an order: who, when, and its goods before refunds."""
    names = [*fields.IDENTITY, "customer_id", "ordered_at", "cancelled_at", *KEPT_WITH_ORDER]
    kinds, first = fields.kinds("orders"), f"arg_min({{0}}, {SEQ}) as {{0}}"
    rules = dict.fromkeys(names, first) | dict.fromkeys(fields.MONEY, first if sales.by_line else "sum({0}) as {0}")
    absent = {name: f"cast(null as {SQL_TYPES[kinds[name]]}) as {{0}}" for name in rules if name not in sales.columns}
    told = ", ".join(rule.format(quoted(name)) for name, rule in (rules | absent).items())
    sales.db.execute(f"""
        create or replace temp table orders_read as
        select order_id, min({SEQ}) as {SEQ}, {told},
               sum(greatest(amount, 0)) filter (where gone = '') as lines_gross,
               sum(line_net) filter (where gone = '') as lines_net,
               sum(amount) filter (where gone = 'not goods') as lines_other
        from judged where gone in ('', 'not goods') and not back
        group by order_id having count(*) filter (where gone = '') > 0
    """)
    goods, gross = _goods_by_line(bool(sales.form.header)) if sales.by_line else _goods_by_order()
    sales.db.execute(f"""
        create or replace temp table goods as select *, {goods} as goods from orders_read
    """)
    share = _in_cents("cast(refund_total as double) * goods / nullif(coalesce(paid_amount, total_amount, goods), 0)")
    sales.db.execute(f"""
        create or replace temp table orders_made as
        select * exclude (gross_amount, discount_amount, refund_amount, net_amount, goods, lines_gross, lines_net, lines_other),
               coalesce(goods, 0) as goods, coalesce({gross}, 0) as gross,
               greatest(0, least(coalesce(goods, 0), coalesce(refund_amount, {share}, 0))) as refund
        from goods
    """)


def _goods_by_line(known: bool) -> tuple[str, str]:
    """What a known format tells of the order as a whole counts before its lines, which may stand there as they were after a refund."""
    other, discount = "coalesce(lines_other, 0)", "coalesce(discount_amount, 0)"
    whole = f"gross_amount - {other}" if known else "cast(null as bigint)"
    told = f"coalesce(goods_amount - {other}, lines_net, {whole} - {discount}, lines_gross - {discount})"
    return told, f"coalesce({whole}, lines_gross)"


def _in_cents(amount: str) -> str:
    """SQL for an amount in ten-thousandths, a share of another one, rounded to the cent."""
    return f"cast(round(({amount}) / 100) * 100 as bigint)"


def _goods_by_order() -> tuple[str, str]:
    told = "goods_amount, net_amount + coalesce(refund_amount, 0), total_amount - coalesce(tax_amount, 0) - coalesce(shipping_amount, 0)"
    lines = "(select sum(net) from lines_told where lines_told.order_id = orders_read.order_id)"
    return (
        f"coalesce({told}, gross_amount - coalesce(discount_amount, 0), {lines})",
        "coalesce(gross_amount, goods + coalesce(discount_amount, 0))",
    )


def _note_statuses(sales: Sales, report: Report) -> None:
    """Look up what the shop's words for the state of an order mean; say which are unknown (their orders count)."""
    import pandas as pd

    found = [word for (word,) in sales.db.execute("select distinct status from orders_made where status is not null order by 1").fetchall()]
    meant = [words.statuses().get(words.fold(word)) for word in found]
    unknown = [word for word, reason in zip(found, meant, strict=True) if reason is None]
    if unknown:
        report.warn("unknown_status", n=len(unknown), example=", ".join(unknown[:3])[:60])
    states = [reason if reason in STATES and not (sales.keep_unpaid and reason == "unpaid") else "" for reason in meant]
    frame = pd.DataFrame({"status": pd.Series(found, dtype="object"), "state": pd.Series(states, dtype="object")})
    sales.db.register("states_frame", frame)
    sales.db.execute(
        "create or replace temp table states as select cast(status as varchar) as status, cast(state as varchar) as state from states_frame"
    )
    sales.db.unregister("states_frame")


def _book(sales: Sales) -> None:
    """Book what was taken back: on the order it names, else by customer and product, else on the customer's latest order."""
    told, charged = "coalesce(b.goods_amount, b.net_amount, b.gross_amount)", "coalesce(o.paid_amount, o.total_amount, o.goods)"
    share = _in_cents(f"-cast(b.total_amount as double) * o.goods / nullif({charged}, 0)")
    paid_back = "-coalesce(b.line_net, b.amount)" if sales.by_line else f"coalesce(-{told}, {share})"
    sales.db.execute(f"""
        create or replace temp table bookings as
        with named as (
            select b.{SEQ} as refund, o.order_id, o.goods - o.refund as left_of_it, greatest({paid_back}, 0) as wanted
            from back as b join orders_made as o using (order_id)
        ), running as (
            select *, coalesce(sum(wanted) over earlier, 0) as before
            from named window earlier as (partition by order_id order by refund rows between unbounded preceding and 1 preceding)
        )
        select refund, order_id, cast(null as bigint) as line, cast(greatest(0, least(wanted, left_of_it - before)) as bigint) as amount
        from running
    """)
    refunds.book_the_rest(sales.db, "product_id" in sales.columns and sales.by_line)


def _finish(sales: Sales) -> None:
    """Refunds taken off, and the reason for which an order leaves."""
    sales.db.execute("""
        create or replace temp table orders_made as
        with booked as (select order_id, sum(amount) as amount from bookings group by order_id),
             paid_back as (
                select o.*, s.state, o.refund + coalesce(b.amount, 0) as refund_amount,
                       o.goods - o.refund - coalesce(b.amount, 0) as net_amount
                from orders_made as o left join booked as b using (order_id) left join states as s using (status)
             )
        select * exclude (state, goods, gross, refund), gross as gross_amount, gross - goods as discount_amount, case
            when cancelled_at is not null then 'cancelled'
            when coalesce(state, '') <> '' then state
            when ordered_at is null then 'unreadable'
            when gross <= 0 then 'zero'
            when net_amount <= 0 and refund_amount > 0 then 'refunded in full'
            when net_amount <= 0 then 'zero'
            else '' end as gone
        from paid_back
    """)


def _fates(sales: Sales) -> None:
    """The reason of every row: its own, its order's, or of a refund that of the orders it reduces."""
    sales.db.execute(f"""
        create or replace temp table fate as
        with reduced as (
            select refund, min(o.gone) as gone from bookings as b join orders_made as o using (order_id) where b.amount > 0 group by refund
        )
        select j.file, j.row, case
            when j.gone <> '' then j.gone
            when j.back then coalesce(r.gone, '{UNMATCHED}')
            else coalesce(o.gone, 'zero') end as gone
        from judged as j left join orders_made as o using (order_id) left join reduced as r on r.refund = j.{SEQ}
    """)


def _lines(sales: Sales) -> None:
    """The products of kept orders, their amounts after discounts and refunds, so that they add up to the order's net."""
    told = "true" if sales.by_line and sales.columns & {"product_id", "product", "category"} else "false"
    sales.db.execute(f"""
        create or replace temp table lines_made as
        with sold as (
            select l.order_id, l.{SEQ}, l.product_id, l.product, l.category, coalesce(l.quantity, 1) as quantity, l.unit_price,
                   o.net_amount as net, greatest(coalesce(l.line_net, l.amount) - coalesce(b.amount, 0), 0) as amount
            from judged as l join orders_made as o using (order_id)
            left join (select line, sum(amount) as amount from bookings group by line) as b on b.line = l.{SEQ}
            where {told} and l.gone = '' and not l.back and o.gone = ''
        ), added as (
            select *, row_number() over mine as line, sum(amount) over mine as so_far, sum(amount) over (partition by order_id) as together
            from sold window mine as (partition by order_id order by {SEQ} rows unbounded preceding)
        )
        select order_id, line, product_id, product, category, quantity, unit_price,
               cast(round(so_far * share) - round((so_far - amount) * share) as bigint) as net_amount
        from (select *, cast(net as double) / together as share from added where together > 0)
    """)


def _sum_up(sales: Sales, report: Report) -> None:
    """Add this stream's money to the bridge; what stands without a customer is counted apart."""
    kept = "gone = ''"
    sums = sales.db.execute(f"""
        select coalesce(sum(gross_amount), 0),
               coalesce(sum(discount_amount) filter (where {kept}), 0),
               coalesce(sum(refund_amount) filter (where {kept}), 0),
               coalesce(sum(gross_amount) filter (where not ({kept})), 0),
               coalesce(sum(net_amount) filter (where {kept}), 0),
               count(*) filter (where {kept})
        from orders_made where person is not null
    """).fetchone()
    left = sales.db.execute(f"select gone, sum(gross_amount) from orders_made where not ({kept}) and person is not null group by gone")
    for reason, gross in left.fetchall():
        report.tables["orders"].money[reason] = report.tables["orders"].money.get(reason, 0) + int(gross)
    anonymous, nobody = sales.db.execute(
        f"select coalesce(sum(net_amount), 0), count(*) from orders_made where person is null and {kept}"
    ).fetchone()
    tests = sales.db.execute("""
        select coalesce(sum(greatest(amount, 0)), 0) from judged
        where gone = 'test' and not back and coalesce(customer_id, email, phone, name) is not null
    """).fetchone()[0]
    number, money = sales.db.execute(f"""
        with taken as (select refund, sum(amount) as amount from bookings group by refund)
        select count(*) filter (where left_over > 0), coalesce(sum(greatest(left_over, 0)), 0)
        from (select -{_back_amount(sales)} - coalesce(t.amount, 0) as left_over from back as b left join taken as t on t.refund = b.{SEQ})
    """).fetchone()
    names = ("gross", "discounts", "refunds", "dropped", "net", "orders")
    report.bridge.add(**dict(zip(names, map(int, sums), strict=True)), anonymous_net=int(anonymous), anonymous_orders=int(nobody))
    report.bridge.add(gross=int(tests), dropped=int(tests), unmatched_refunds=int(number), unmatched_money=int(money))


def _back_amount(sales: Sales) -> str:
    return "coalesce(b.line_net, b.amount)" if sales.by_line else "coalesce(b.goods_amount, b.net_amount, b.gross_amount, b.total_amount)"


assert set(KEPT_WITH_ORDER) <= set(tables.SCHEMAS["orders"].names)
