"""Bad exports get a clear answer, never a traceback, and are left as they were; broken ones by the hundred."""

from __future__ import annotations

import contextlib
import gzip
import os
import random
from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_folders import ORDERS, make, report, source

from loyalty_lab import intake
from loyalty_lab.errors import LoyaltyLabError
from loyalty_lab.intake import assembly, convert, fields, reading
from loyalty_lab.intake.formats import profile, profiles
from loyalty_lab.intake.proposal import propose

ROW = "1,a,2026-01-05,3.00\n"
NAMED = "order_id,customer_id,name,ordered_at,net_amount\n"


def refused(folder, content: bytes, name: str = "orders.csv") -> str:
    """What is said of an export that is refused; it must be as it was, and nothing must be left of the attempt."""
    shop = make(folder, {name: content}, source(name))
    with pytest.raises(LoyaltyLabError) as said:
        intake.read(shop)
    assert (shop / "exports" / name).read_bytes() == content
    assert not (shop / "cache").exists()
    assert not (shop / "private" / "identities.parquet").exists()
    return str(said.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (ORDERS.encode(), "header and no rows"),
        (b"\x00\x01\x02\x03" * 500, "bytes that are no text"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 600, "old Excel"),
        (b"\x1f\x8b", "damaged zip"),
        (b"PK\x03\x04nonsense", "not a workbook"),
        ((ORDERS + '1,"a,2026-01-05,3.00\n2,b,2026-01-06,4.00\n').encode(), "never closed"),
        ((ORDERS + "1,a,2026-01-05,3.00,extra\n").encode(), "has 5 cells"),
        ((b"order_id,customer_id,customer_id,ordered_at,net_amount\n1,a,b,1900-01-01,3.00\n"), "'1900-01-01'"),
        ((ORDERS + "1,a,2099-12-31,3.00\n").encode(), "'2099-12-31'"),
        ((ORDERS + "1,a,2026-01-05,-3.00\n").encode(), "refund without an order"),
    ],
    ids=[
        "empty",
        "header only",
        "binary",
        "old excel",
        "cut-off zip",
        "broken workbook",
        "open quote",
        "too many cells",
        "1900",
        "2099",
        "only refunds",
    ],
)
def test_a_bad_export_is_refused_and_left_as_it_was(tmp_path, content, words):
    assert words in refused(tmp_path / "shop", content)


def test_a_folder_in_place_of_a_file_and_a_path_outside_the_shop_are_refused(tmp_path):
    shop = make(tmp_path / "shop", {"orders.csv": ORDERS + ROW}, source("more"))
    (shop / "exports" / "more").mkdir()
    with pytest.raises(LoyaltyLabError, match="a folder"):
        intake.read(shop)
    (tmp_path / "secret.csv").write_text(ORDERS + ROW)
    (shop / "shop.toml").write_text((shop / "shop.toml").read_text().replace("exports/more", "../secret.csv"))
    with pytest.raises(LoyaltyLabError, match="outside the shop's folder"):
        intake.read(shop)


@pytest.mark.parametrize(
    "content",
    [
        (ORDERS + ROW).replace("\n", "\r\n").encode(),
        (ORDERS + ROW).replace("\n", "\r").encode(),
        (ORDERS.replace("\n", "\r\n") + ROW + "2,b,2026-01-06,4.00\r\n").encode(),
        (ORDERS + "\n" + ROW + "\n\n").encode(),
        ("\ufeff" + ORDERS + ROW).encode(),
        (ORDERS + ROW).encode("utf-16"),
        (ORDERS + ROW).replace(",", "\t").encode(),
        (ORDERS + ROW).replace(",", "|").encode(),
        (ORDERS + "1,a,2026-01-05\n" + ROW.replace("1,a", "2,a")).replace("2026-01-05\n", "2026-01-05,2\n").encode(),
        gzip.compress((ORDERS + ROW).encode()),
        (ORDERS + ROW.replace("a", "a\x00")).encode(),
        (ORDERS + ROW.rstrip()).encode(),
        (ORDERS + '1,"a\rb",2026-01-05,3.00\n').encode(),
    ],
    ids=[
        "crlf",
        "cr",
        "mixed",
        "blank lines",
        "mark",
        "utf-16",
        "tab",
        "bar",
        "short row",
        "zipped without .gz",
        "nul",
        "no last line end",
        "carriage return inside",
    ],
)
def test_a_strange_but_readable_export_is_read(tmp_path, content):
    taken = intake.read(make(tmp_path / "shop", {"orders.csv": content}, source("orders.csv")))

    assert taken.report.bridge.orders >= 1
    assert taken.shop().orders["net_amount"].iloc[0] in (2.0, 3.0)


def test_rows_are_numbered_as_they_stand_in_the_file(tmp_path):
    text = "order_id,customer_id,ordered_at,net_amount,status\n\n1,a,2026-01-05,3.00,paid\n\n2,b,2026-01-06,4.00,void\n"
    plain = text.replace("\n\n", "\n")
    for name, content, row in (("blank", text, "5"), ("plain", plain, "3")):
        taken = intake.read(make(tmp_path / name, {"orders.csv": content}, source("orders.csv")))
        assert f"orders.csv,{row},cancelled" in (taken.folder / "private" / "quarantine.csv").read_text(encoding="utf-8")


def test_rows_keep_their_numbers_in_a_file_so_large_that_its_parts_are_read_side_by_side(tmp_path):
    filler, rows = "x" * 180, 400_000
    with (tmp_path / "orders.csv").open("w", encoding="utf-8") as file:
        file.write("order_id,customer_id,ordered_at,net_amount,filler\n")
        file.writelines(f"{number},a,2026-01-05,3.00,{filler}\n" for number in range(2, rows + 2))
    form = profile("mapped")
    export = reading.look(tmp_path / "orders.csv")
    with assembly.opened(tmp_path) as db:
        work = convert.Typing(db, "orders.csv", "orders", None, form, None, None, {"order_id": ["order_id"]})
        convert.load(work, reading.stage(export, form, tmp_path / "tidy.csv"))
        apart = db.execute(f"select count(*), count(*) filter (where order_id <> cast({reading.ROW} as varchar)) from raw").fetchone()

    assert apart == (rows, 0)


@pytest.mark.parametrize(
    "name",
    ['=HYPERLINK("http://x.example")', "<script>alert(1)</script>", "#import $x$", "../../etc/passwd", "\u202eevil", "😀 李", "N" * 5000,
     "a\tb", "Robert'); drop table orders;--"],
)  # fmt: skip
def test_hostile_names_are_kept_as_text(tmp_path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    taken = intake.read(make(tmp_path / "shop", {"orders.csv": NAMED + f"1,a,{quoted},2026-01-05,3.00\n"}, source("orders.csv")))
    import duckdb

    with duckdb.connect() as db:
        (kept,) = db.execute("select name from read_parquet(?)", [str(taken.folder / "private" / "identities.parquet")]).fetchone()
    assert kept == name.replace("\t", " ")
    assert report(taken)["orders"]["net"] == "3.00"


def test_hostile_column_names_are_only_names(tmp_path):
    header = 'order_id,customer_id,ordered_at,net_amount,"x"" ); drop table codes; --",\n'
    taken = intake.read(
        make(tmp_path / "shop", {"orders.csv": header + "1,a,2026-01-05,3.00,y,z\n2,b,2026-01-05,0,y,z\n"}, source("orders.csv"))
    )

    assert taken.report.bridge.orders == 1


# ---- fuzzing: exports that are whole, then broken somewhere

SAME_EACH_TIME = "CI" in os.environ  # where a run decides whether work lands, it tries what it tried before
CELL = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(
        ["", "2026-01-05", "03/04/2026", "1.250", "1,250", "-3.00", "(4.00)", "₺1.699,50", "NaN", "null", '"', "'75008", "1e9", "٣", "=1+1"]
    ),
)
WHOLE = st.tuples(st.integers(1, 9), st.sampled_from("abcd"), st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(-500, 9000))


def written(rows, rng: random.Random, breaks: list[tuple[int, str]]) -> bytes:
    cells = [[str(number), who, day.isoformat(), f"{money / 100:.2f}"] for number, who, day, money in rows]
    for at, cell in breaks:
        cells[at % len(cells)][rng.randrange(4)] = cell
    lines = [",".join('"' + cell.replace('"', '""') + '"' if rng.random() < 0.5 else cell for cell in row) for row in cells]
    return (ORDERS + rng.choice(["\n", "\r\n"]).join(lines)).encode()


@settings(deadline=None, max_examples=120, derandomize=SAME_EACH_TIME, suppress_health_check=list(HealthCheck))
@given(
    st.lists(WHOLE, min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 99), CELL), max_size=3),
    st.binary(max_size=3),
    st.randoms(use_true_random=False),
)
def test_whatever_is_in_an_export_it_is_read_or_refused_and_the_money_adds_up(tmp_path_factory, rows, breaks, noise, rng):
    content = written(rows, rng, breaks)
    if noise:
        at = rng.randrange(len(content))
        content = content[:at] + noise + content[at:]
    shop = make(tmp_path_factory.mktemp("fuzz") / "shop", {"orders.csv": content}, source("orders.csv"))
    told = None
    with contextlib.suppress(LoyaltyLabError):  # any other error fails the test
        told = report(intake.read(shop))
    assert (told is not None) == (shop / "cache" / "intake.json").exists()
    if told is None:
        return
    money = {name: round(100 * float(told["orders"][name])) for name in ("gross", "discounts", "refunds", "dropped", "net")}
    assert abs(money["gross"] - money["discounts"] - money["refunds"] - money["dropped"] - money["net"]) <= 2  # each is rounded to a cent
    table = told["tables"]["orders"]
    assert table["rows_in"] - table["rows_out"] == sum(table["dropped"].values())


@settings(deadline=None, max_examples=60, derandomize=SAME_EACH_TIME, suppress_health_check=list(HealthCheck))
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_whatever_a_file_is_new_reads_or_refuses_it(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "export.csv").write_bytes(content)
    made = False
    with contextlib.suppress(LoyaltyLabError):  # any other error fails the test
        made = bool(propose(folder / "shop", [folder / "export.csv"]).lines)
    assert made == (folder / "shop").exists()


WHOLE_CELLS = {
    "moment": ["2025-03-04", "2025-03-04 10:11:12", "2025-04-17 09:00:00"],
    "money": ["12.00", "-3.50", "7.00", "8.25"],
    "number": ["1", "2", "5"],
    "whole": ["1", "5", "3"],
    "id": ["1001", "1002", "1003"],
    "text": ["Tea", "Ayşe Yılmaz", "a@x.example", "b@x.example", "POSTAGE"],
    "choice": ["paid", "refunded", "cancelled", "complete"],
    "flag": ["yes", "no"],
}
BROKEN = CELL | st.sampled_from(["2025-03-04 10:11:12 +0200", "17/04/2025", "04.17.2025 9:05", "1.234,50", "$1,234.50", "perhaps", "'007"])
KNOWN = {name: form for name, form in profiles().items() if form.header and not form.refuse}


def cells_of(form) -> dict[str, list[str]]:
    """The columns of a format as its exports spell them, each with cells that are what it holds."""
    ours, cells = fields.kinds(form.table), {name: WHOLE_CELLS["moment" if "time" in name else "text"] for name in form.header}
    for mine, theirs in form.columns.items():
        parts = [theirs] if isinstance(theirs, str) else theirs
        cells |= dict.fromkeys(parts, ["EUR"] if mine == "currency" else WHOLE_CELLS[ours[mine]])
        if ours[mine] == "moment" and len(parts) == 2:
            cells |= {parts[0]: ["2025-03-04", "2025-04-17"], parts[1]: ["10:11:12", "9:05"]}
    return cells | ({"How likely are you to recommend us?": ["10", "7", "3"]} if form.table == "surveys" else {})


@pytest.mark.parametrize("name", KNOWN)
@settings(deadline=None, max_examples=4 if SAME_EACH_TIME else 12, derandomize=SAME_EACH_TIME, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_whatever_an_export_of_a_known_format_holds_it_is_read_or_refused(name, tmp_path_factory, data):
    form, folder = KNOWN[name], tmp_path_factory.mktemp("fuzz")
    columns = cells_of(form)
    cells = [st.sampled_from(whole) for whole in columns.values()]
    cells = cells if form.header_row else [st.from_regex(shape, fullmatch=True) for shape in form.looks_like]
    rows = data.draw(st.lists(st.tuples(*cells), min_size=1, max_size=6))
    for row, at, broken in data.draw(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), BROKEN), max_size=2)):
        cells = list(rows[row % len(rows)])
        cells[at % len(cells)] = broken
        rows[row % len(rows)] = tuple(cells)
    lines = [*([list(columns)] * (1 + form.more_header_rows) if form.header_row else []), *rows]
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in line) + "\n" for line in lines)
    (folder / "export.csv").write_text(text, encoding="utf-8", newline="")
    (folder / "orders.csv").write_text(ORDERS + "1,a@x.example,2025-03-01,5.00\n", encoding="utf-8")
    told = None
    with contextlib.suppress(LoyaltyLabError):  # any other error fails the test
        propose(folder / "shop", [folder / "export.csv"] if form.table == "orders" else [folder / "orders.csv", folder / "export.csv"])
        told = report(intake.read(folder / "shop"))
    for table in told["tables"].values() if told else []:
        assert table["rows_in"] - table["rows_out"] == sum(table["dropped"].values())
