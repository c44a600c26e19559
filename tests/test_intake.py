"""From exports to tables: every record counted once, money to the cent, nothing guessed, nobody named."""

from __future__ import annotations

import csv
import gzip
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop_folders import HEAD, ORDERS, RETAIL, make, read, report, source, warnings

from loyalty_lab import intake
from loyalty_lab.errors import InputError
from loyalty_lab.intake import sales
from loyalty_lab.intake.formats import profile
from loyalty_lab.intake.identities import People
from loyalty_lab.intake.report import Report, TableReport

RETAIL_SOURCE = source("retail.csv", profile="online-retail-ii")
ONE = ORDERS + "1,a,2026-01-05,3.00\n"


def quarantine(taken: intake.Intake) -> list[dict[str, str]]:
    with (taken.folder / "private" / "quarantine.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sums(told: dict) -> dict[str, Decimal]:
    return {name: Decimal(told["orders"][name]) for name in ("gross", "discounts", "refunds", "dropped", "net", "anonymous_net")}


def holds(told: dict) -> None:
    money = sums(told)
    assert money["gross"] - money["discounts"] - money["refunds"] - money["dropped"] == money["net"]
    for table in told["tables"].values():
        assert table["rows_in"] - table["rows_out"] == sum(table["dropped"].values())


# ---- a file with one row an order


def test_orders_are_read_with_their_discounts_and_refunds(tmp_path):
    text = "order_id,customer_id,ordered_at,net_amount,discount_amount,refund_amount,status\n"
    text += "1,a,2026-01-05,8.00,1.50,0.50,paid\n2,b,2026-01-06,5.00,0,0,İPTAL\n3,b,2026-01-07,4.00,,,test\n"
    text += "4,c,2026-01-08,2.00,,,Pending\n5,c,2026-01-09,0.00,,,paid\n6,d,2026-01-09,7.00,,,refunded\n7,,2026-01-10,9.99,,,paid\n"
    taken = read(tmp_path / "shop", {"orders.csv": text})
    told = report(taken)

    holds(told)
    dropped = {"cancelled": 1, "unpaid": 1, "test": 1, "zero": 1, "refunded in full": 1}
    assert told["tables"]["orders"]["dropped"] == dropped
    assert {name: str(value) for name, value in sums(told).items()} == {
        "gross": "28.00", "discounts": "1.50", "refunds": "0.50", "dropped": "18.00", "net": "8.00", "anonymous_net": "9.99",
    }  # fmt: skip
    assert (told["orders"]["orders"], told["orders"]["customers"]) == (1, 1)
    assert told["tables"]["orders"]["rows_out"] == 2


def test_who_complains_of_a_cancelled_order_is_known_by_it(tmp_path):
    orders = "order_id,customer_id,ordered_at,net_amount,status\n1,a,2026-01-05,8.00,paid\n2,b,2026-01-06,5.00,cancelled\n"
    reviews = "review_id,order_id,rating,posted_at\n1,1,5,2026-01-09\n2,2,1,2026-01-10\n3,9,1,2026-01-11\n"
    shop = read(tmp_path / "shop", {"orders.csv": orders, "reviews.csv": reviews}).shop()

    known = shop.reviews.set_index("review_id")["customer_id"].notna()
    assert known.to_dict() == {"1": True, "2": True, "3": False}
    assert len(shop.orders) == 1
    assert shop.reviews["customer_id"].nunique() == 2


def test_cash_on_delivery_counts_where_the_shop_says_so(tmp_path):
    text = "order_id,customer_id,ordered_at,net_amount,status\n1,a,2026-01-05,8.00,pending\n"

    assert report(read(tmp_path / "shop", {"orders.csv": text}, source("orders.csv", keep_unpaid="true")))["orders"]["net"] == "8.00"


def test_a_refund_row_that_names_its_order_reduces_it_and_another_stands_apart(tmp_path):
    taken = read(tmp_path / "shop", {"orders.csv": ONE + "1,a,2026-01-06,-1.25\n9,a,2026-01-06,-2.00\n"})
    told = report(taken)

    holds(told)
    assert (told["orders"]["refunds"], told["orders"]["net"]) == ("1.25", "1.75")
    assert told["tables"]["orders"]["dropped"] == {"refund without an order": 1}
    assert any("£2.00" in warning for warning in told["warnings"])


def test_another_currency_never_mixes(tmp_path):
    text = "order_id,customer_id,ordered_at,net_amount,currency\n1,a,2026-01-05,8.00,gbp\n2,a,2026-01-05,800.00,JPY\n"
    told = report(read(tmp_path / "shop", {"orders.csv": text}))

    assert told["orders"]["net"] == "8.00"
    assert told["tables"]["orders"]["dropped"] == {"foreign currency": 1}


def test_records_in_two_files_count_once_and_identical_lines_in_one_file_are_kept(tmp_path):
    line = "1,a,2026-01-05,3.00\n"
    two = {"page1.csv": ORDERS + line + line, "page2.csv": ORDERS + line + "2,a,2026-01-06,4.00\n"}
    told = report(read(tmp_path / "shop", two, source("page*.csv")))

    holds(told)
    assert told["tables"]["orders"] | {"first_day": None, "last_day": None} == {
        "rows_in": 4, "rows_out": 3, "dropped": {"page overlap": 1}, "first_day": None, "last_day": None,
    }  # fmt: skip
    assert told["orders"]["net"] == "10.00"


def test_what_is_left_out_lies_in_quarantine_with_file_row_and_reason(tmp_path):
    text = "order_id,customer_id,ordered_at,net_amount,status\n1,a,2026-01-05,8.00,paid\n2,b,2026-01-06,5.00,void\n"
    taken = read(tmp_path / "shop", {"orders.csv": text})

    assert quarantine(taken) == [
        {"table": "orders", "file": "orders.csv", "row": "3", "reason": "cancelled", "cells": "2 | b | 2026-01-06 | 5.00 | void"}
    ]
    assert oct((taken.folder / "private" / "quarantine.csv").stat().st_mode)[-3:] == "600"
    assert oct((taken.folder / "private").stat().st_mode)[-3:] == "700"


def test_gzip_and_xlsx_say_the_same_as_csv(tmp_path):
    import openpyxl

    text = ORDERS + "1,0049,2026-01-05 10:30,3.00\n2,b,2026-01-06,4.50\n"
    book = openpyxl.Workbook()
    for row in csv.reader(text.splitlines()):
        book.active.append(row)
    book.save(tmp_path / "orders.xlsx")
    plain = read(tmp_path / "csv", {"orders.csv": text}).shop()
    zipped = read(tmp_path / "gz", {"orders.csv.gz": gzip.compress(text.encode())}).shop()
    sheet = read(tmp_path / "xlsx", {"orders.xlsx": (tmp_path / "orders.xlsx").read_bytes()}).shop()

    for other in (zipped, sheet):
        columns = ["order_id", "ordered_at", "net_amount"]  # the secret of each folder differs, so do the pseudonyms
        pd.testing.assert_frame_equal(other.orders[columns], plain.orders[columns])


def test_a_mapping_reads_columns_of_any_name_in_the_shop_s_own_way_of_writing(tmp_path):
    text = "Sipariş No;Müşteri;Tarih;Tutar\n1;0532;25.01.2026;1.699,50 TL\n2;0533;05.02.2026;12,00\n"
    columns = '[sources.columns]\norder_id = "Sipariş No"\ncustomer_id = "Müşteri"\nordered_at = "Tarih"\nnet_amount = "Tutar"\n'
    taken = read(tmp_path / "shop", {"satis.csv": text.encode("cp1254")}, source("satis.csv", encoding='"cp1254"') + columns)
    orders = taken.shop().orders

    assert orders["net_amount"].tolist() == [1699.5, 12.0]
    assert orders["ordered_at"].dt.date.astype(str).tolist() == ["2026-01-25", "2026-02-05"]


@pytest.mark.parametrize(
    ("orders", "extra", "words"),
    [
        (ORDERS + "1,a,03/04/2026,3.00\n", {}, ("'03/04/2026' can be read in two ways", "date_order")),
        (ORDERS + "1,a,25/04/2026,3.00\n2,a,04/25/2026,3.00\n", {}, ("written in two ways",)),
        (ORDERS + "1,a,2026-01-05,1.250\n", {}, ("'1.250' can be read in two ways", "decimal")),
        (ORDERS + "1,a,2026-02-31,3.00\n", {}, ("row 2", "'2026-02-31'")),
        (ORDERS + "1,a,2026-01-05,\n", {}, ("row 2", "nothing")),
        (ORDERS + "1,a,2026-01-05,lots\n", {}, ("row 2", "'lots'")),
        (ORDERS + "1,,2026-01-05,3.00\n", {}, ("name no customer",)),
        ("a,b\n1,2\n", {}, ("required column 'customer_id'",)),
        (ORDERS + "1,a,2026-01-05,0\n", {}, ("no order that counts",)),
        (b"\xfe\xffnonsense", {}, ("orders.csv",)),
        (ONE, {"encoding": '"utf-9"'}, ("utf-9",)),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_value(tmp_path, orders, extra, words):
    folder = make(tmp_path / "shop", {"orders.csv": orders}, source("orders.csv", **extra))
    with pytest.raises(InputError) as refused:
        intake.read(folder)
    for word in words:
        assert word in str(refused.value)
    assert not (folder / "cache").exists()


def test_an_unknown_profile_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(InputError, match=r"no profile 'maped'\. Did you mean 'mapped'\?"):
        read(tmp_path / "shop", {"orders.csv": ONE}, source("orders.csv", profile="maped"))


def test_the_question_is_answered_in_shop_toml(tmp_path):
    asked = {"orders.csv": ORDERS + "1,a,03/04/2026,1.250\n"}
    as_day_first = read(tmp_path / "a", asked, source("orders.csv", date_order='"dmy"', decimal='"."')).shop().orders.iloc[0]
    as_month_first = read(tmp_path / "b", asked, source("orders.csv", date_order='"mdy"', decimal='","')).shop().orders.iloc[0]

    assert (str(as_day_first["ordered_at"].date()), as_day_first["net_amount"]) == ("2026-04-03", 1.25)
    assert (str(as_month_first["ordered_at"].date()), as_month_first["net_amount"]) == ("2026-03-04", 1250.0)


def test_a_day_is_a_day_of_the_shop_s_own_zone(tmp_path):
    orders = (
        read(tmp_path / "shop", {"orders.csv": ORDERS + "1,a,2026-07-05T23:30:00Z,3.00\n2,a,2026-01-05T23:30:00Z,3.00\n"}).shop().orders
    )

    assert orders["ordered_at"].dt.date.astype(str).tolist() == ["2026-07-06", "2026-01-05"]


# ---- other tables


def test_cells_outside_their_range_are_left_empty_and_said(tmp_path):
    surveys = "survey_id,customer_id,asked_at,answered_at,csat,nps\n1,a,2026-01-06,2026-01-07,9,10\n2,a,2026-01-06,2026-01-07,5,\n"
    taken = read(tmp_path / "shop", {"orders.csv": ONE, "surveys.csv": surveys})

    assert taken.shop().surveys["csat"].fillna(0).tolist() == [0, 5]
    assert any("surveys.csv" in warning and "csat" in warning for warning in warnings(taken))


def test_names_and_contacts_lie_in_private_alone(tmp_path):
    customers = "customer_id,name,email,phone\na,Ayşe Yılmaz,ayse@x.example,0532 111\n"
    taken = read(tmp_path / "shop", {"orders.csv": ONE, "customers.csv": customers})
    everything = b"".join(path.read_bytes() for path in (taken.folder / "cache").rglob("*") if path.is_file())

    for secret in ("Ayşe", "ayse@x.example", "0532 111"):
        assert secret.encode() not in everything
    assert taken.shop().orders["customer_id"].str.fullmatch(r"[a-z2-7]{12}").all()


# ---- what was read once


def test_the_same_exports_are_read_once_and_changed_ones_again(tmp_path, monkeypatch):
    folder = make(tmp_path / "shop", {"orders.csv": ONE})
    first = intake.read(folder)
    monkeypatch.setattr(intake, "_read_anew", lambda *_: pytest.fail("the exports have not changed"))
    assert intake.read(folder).report == first.report
    monkeypatch.undo()
    (folder / "exports" / "orders.csv").write_text(ONE + "2,b,2026-01-06,4.00\n", encoding="utf-8")
    assert intake.read(folder).report.bridge.orders == 2


def test_threads_change_nothing(demo_shop, tmp_path, monkeypatch):
    import shutil

    from loyalty_lab.intake import assembly

    found, opened = [], assembly.opened
    for threads in (1, 4):
        folder = tmp_path / str(threads) / "demo"
        for name in ("exports", "private"):
            shutil.copytree(demo_shop / name, folder / name)
        shutil.copy(demo_shop / "shop.toml", folder)
        for name in ("identities.parquet", "merges.csv", "quarantine.csv"):
            (folder / "private" / name).unlink(missing_ok=True)

        def with_threads(place, threads=threads):
            db = opened(place)
            db.execute(f"set threads = {threads}")
            return db

        monkeypatch.setattr(assembly, "opened", with_threads)
        found.append(intake.read(folder))
    one, four = found

    assert one.report == four.report
    for name, frame in one.shop().tables.items():
        pd.testing.assert_frame_equal(frame, four.shop().tables[name], obj=name)
    for name in ("merges.csv", "quarantine.csv"):
        assert (one.folder / "private" / name).read_bytes() == (four.folder / "private" / name).read_bytes()


# ---- Online Retail II: refunds that name no order

LINES = [
    # invoice, code, quantity, day, price, customer
    ("1", "P1", 10, "2011-01-05", "2.00", "100.0"),  # 20.00
    ("1", "P2", 3, "2011-01-05", "1.50", "100.0"),  # 4.50
    ("2", "P1", 4, "2011-02-05", "2.50", "100.0"),  # 10.00, the latest of P1 but at another price
    ("3", "P3", 2, "2011-02-06", "5.00", "101.0"),  # 10.00, taken back whole: the order leaves
    ("4", "POST", 1, "2011-02-06", "18.00", "100.0"),  # postage
    ("5", "P1", 1, "2011-02-07", "2.00", ""),  # without a customer: 2.00
    ("C6", "P1", -6, "2011-03-01", "2.00", "100.0"),  # same price first: 12.00 of invoice 1
    ("C7", "P1", -6, "2011-03-02", "2.50", "100.0"),  # 4 of invoice 2 (10.00), then 2 of invoice 1 (5.00)
    ("C8", "P3", -2, "2011-03-03", "5.00", "101.0"),  # all of invoice 3
    ("C9", "P9", -1, "2011-03-03", "7.00", "100.0"),  # never bought
    ("C10", "P2", -5, "2011-03-04", "1.50", "100.0"),  # 3 of 5 were bought: 4.50 booked, 3.00 left
    ("C11", "P1", -1, "2011-03-04", "2.00", ""),  # without a customer
    ("12", "P2", 2, "2011-03-05", "0.00", "100.0"),  # nothing paid
    ("13", "TEST001", 5, "2011-03-05", "4.50", "100.0"),  # 22.50
]


def retail(lines=LINES) -> str:
    rows = [f"{invoice},{code},a thing,{n},{day} 10:00:00,{price},{who},United Kingdom\n" for invoice, code, n, day, price, who in lines]
    return RETAIL + "".join(rows)


def test_refunds_without_an_order_are_booked_by_customer_product_price_and_day(tmp_path):
    taken = read(tmp_path / "shop", {"retail.csv": retail()}, RETAIL_SOURCE)
    told, orders = report(taken), taken.shop().orders.set_index("order_id")

    holds(told)
    assert told["tables"]["orders"]["dropped"] == {
        "test": 1, "zero": 1, "refunded in full": 3, "not goods": 1, "refund without an order": 2,
    }  # fmt: skip
    # Invoice 1: 24.50 less 12.00 (C6) less 5.00 (C7) less 4.50 (C10); invoice 2 is taken back whole by C7.
    assert orders["net_amount"].to_dict() == {"1": 3.0, "5": 2.0}
    assert {name: str(value) for name, value in sums(told).items()} == {
        "gross": "67.00", "discounts": "0.00", "refunds": "21.50", "dropped": "42.50", "net": "3.00", "anonymous_net": "2.00",
    }  # fmt: skip
    assert taken.report.bridge.unmatched_refunds == 3
    assert taken.report.bridge.unmatched_money == 10_000 * (7 + 3 + 2)


def test_the_first_online_retail_is_read_alike_under_its_own_headers(tmp_path):
    header = RETAIL.replace("Invoice,", "InvoiceNo,").replace("Price", "UnitPrice").replace("Customer ID", "CustomerID")
    text = retail().replace(RETAIL, header)
    taken = read(tmp_path / "shop", {"retail.csv": text}, source("retail.csv", profile="online-retail"))

    assert taken.report.bridge == read(tmp_path / "two", {"retail.csv": retail()}, RETAIL_SOURCE).report.bridge


def test_lines_keep_what_is_left_after_refunds(tmp_path):
    taken = read(tmp_path / "shop", {"retail.csv": retail()}, RETAIL_SOURCE)
    lines = taken.shop().order_lines

    assert lines.groupby("order_id")["net_amount"].sum().to_dict() == taken.shop().orders.set_index("order_id")["net_amount"].to_dict()
    assert "order_lines" not in report(taken)["tables"]


def orders_of(rows: pd.DataFrame):
    """Kept orders and the bridge of typed lines, without files around them."""
    import duckdb

    with duckdb.connect() as db:
        lines = rows.assign(seq=range(len(rows)), row=range(len(rows)), file=1, unreadable=False)
        db.register("lines", lines)
        texts = ", ".join(f"cast({name} as varchar) as {name}" for name in ("order_id", "product_id", "customer_id"))
        db.execute(f"create table part as select * replace ({texts}) from lines")
        told = Report()
        columns = frozenset({"order_id", "product_id", "customer_id", "ordered_at", "quantity", "unit_price"})
        db.execute("create temp table lines_told as select '' as order_id, 0 as net where false")
        told.tables["orders"] = TableReport()
        sales.make_orders(sales.Sales(db, "part", columns, profile("online-retail-ii"), "GBP", 1), People(), told)
        return db.execute("select * from orders_made where gone = ''").df(), told.bridge


WHO = {"1": "a", "2": "a", "3": "b", "4": None, "C5": "a", "C6": "b", "C7": None}
LINE = st.tuples(
    st.sampled_from(sorted(WHO)),
    st.sampled_from(["P1", "P2", "POST"]),
    st.integers(-6, 9),
    st.integers(1, 28),
    st.sampled_from([0, 10_000, 25_000]),
)


@settings(deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(LINE, min_size=1, max_size=20))
def test_whatever_the_lines_are_the_money_is_reconciled(lines):
    rows = pd.DataFrame(lines, columns=["order_id", "product_id", "quantity", "day", "unit_price"])
    rows["ordered_at"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rows.pop("day"), unit="D")
    rows["amount"] = rows["quantity"] * rows["unit_price"]  # what the lines are worth
    rows["customer_id"] = rows["order_id"].map(WHO)
    made, bridge = orders_of(rows.drop(columns="amount"))
    known = made[made["person"].notna()]
    sold = rows[(rows["product_id"] != "POST") & ~rows["order_id"].str.startswith("C") & rows["customer_id"].notna()]

    assert bridge.gross == sold["amount"].clip(lower=0).sum()
    assert bridge.gross - bridge.discounts - bridge.refunds - bridge.dropped == bridge.net == known["net_amount"].sum()
    assert bridge.orders == len(known)
    assert (made["net_amount"] > 0).all()


# ---- real exports


def test_online_retail_ii_is_reconciled_to_the_cent(real_data, tmp_path):
    from loyalty_lab.intake.proposal import propose

    path = real_data("online_retail_II/online_retail_II.csv.gz")
    propose(tmp_path / "shop", [path])
    told = report(intake.read(tmp_path / "shop"))
    raw = pd.read_csv(path, dtype={"StockCode": "str", "Invoice": "str"})
    codes = profile("online-retail-ii").not_goods[0]
    goods = raw[~raw["StockCode"].isin(codes.codes) & ~raw["StockCode"].str.startswith("gift_0001") & raw["Customer ID"].notna()]
    sold = goods[~goods["Invoice"].str.startswith("C") & (goods["Quantity"] > 0)]

    holds(told)
    assert told["tables"]["orders"]["rows_in"] == len(raw) == 1_044_847
    assert sums(told)["gross"] == Decimal(str(round((sold["Quantity"] * sold["Price"]).sum(), 2)))
    assert told["orders"]["customers"] <= sold["Customer ID"].nunique()


def test_both_files_of_cdnow_are_recognised(real_data, tmp_path):
    from loyalty_lab.intake.proposal import understand

    assert understand(real_data("cdnow/CDNOW_master.txt"))[0].profile == "cdnow-master"
    assert understand(real_data("cdnow/CDNOW_sample.txt"))[0].profile == "cdnow-sample"


def test_cdnow_is_read_with_and_without_a_header(tmp_path):
    whole = " customer_id  date number_of_cds  dollar_value\n 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n"
    tenth = " 00004 0001 19970101  2   29.33\n 00004 0001 19970118  2   29.73\n"
    dollars = HEAD.replace("GBP", "USD")
    one = report(read(tmp_path / "a", {"m.txt": whole}, source("m.txt", profile="cdnow-master"), dollars))["orders"]
    other = report(read(tmp_path / "b", {"s.txt": tenth}, source("s.txt", profile="cdnow-sample"), dollars))["orders"]

    assert (one["orders"], one["customers"], one["net"]) == (2, 2, "88.77")
    assert (other["orders"], other["customers"], other["net"]) == (2, 1, "59.06")
