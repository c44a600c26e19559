"""`new`: exports are recognised or their columns guessed, and a guess must be confirmed."""

from __future__ import annotations

import tomllib

import pytest

from loyalty_lab import intake
from loyalty_lab.errors import InputError
from loyalty_lab.intake import proposal
from loyalty_lab.intake.proposal import propose, understand


def export(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "table", "profile"),
    [
        ("Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n", "orders", "online-retail-ii"),
        (" customer_id  date number_of_cds  dollar_value\n", "orders", "cdnow-master"),
        (" 00004 0001 19970101  2   29.33\n", "orders", "cdnow-sample"),
        ("order_id,customer_id,ordered_at,net_amount,channel\n", "orders", "mapped"),
        ("ticket_id,customer_id,opened_at\n", "tickets", "mapped"),
    ],
)
def test_an_export_is_recognised_by_its_header(tmp_path, text, table, profile):
    (understood,) = understand(export(tmp_path, "export.csv", text))

    assert (understood.table, understood.profile, understood.unsure) == (table, profile, [])


def test_a_new_shop_can_be_checked_at_once(tmp_path):
    orders = export(tmp_path, "orders.csv", "order_id,customer_id,ordered_at,net_amount\n1,a,2026-01-05,3.00\n")
    tickets = export(tmp_path, "tickets.csv", "ticket_id,customer_id,opened_at\n1,a,2026-01-06\n")
    said = propose(tmp_path / "my-shop", [orders, tickets]).lines
    settings = tomllib.loads((tmp_path / "my-shop" / "shop.toml").read_text(encoding="utf-8"))

    assert said[0].startswith("orders.csv: orders")
    assert [source["table"] for source in settings["sources"]] == ["orders", "tickets"]
    assert settings["name"] == "My Shop"
    assert (tmp_path / "my-shop" / "exports" / "orders.csv").read_bytes() == orders.read_bytes()
    assert oct((tmp_path / "my-shop" / "private" / "salt").stat().st_mode)[-3:] == "600"
    assert intake.read(tmp_path / "my-shop").report.bridge.orders == 1


def test_guessed_columns_are_refused_until_they_are_confirmed(tmp_path):
    odd = export(tmp_path, "odd.csv", "Order Number,Client,Order Date,Total\n1,a,2026-01-05,3.00\n")
    said = propose(tmp_path / "shop", [odd]).lines
    assert "unsure of" in said[0]
    with pytest.raises(InputError, match="only guessed"):
        intake.read(tmp_path / "shop")
    path = tmp_path / "shop" / "shop.toml"
    path.write_text(path.read_text(encoding="utf-8").replace('"?', '"'), encoding="utf-8")

    assert intake.read(tmp_path / "shop").report.bridge.net == 30_000


@pytest.mark.parametrize(
    ("exports", "words"),
    [
        ({"a.csv": ""}, "is empty"),
        ({"a.csv": "colour,size\nred,3\n"}, "is not recognised"),
        ({"a.csv": "ticket_id,customer_id,opened_at\n1,a,2026-01-06\n"}, "no export of orders"),
    ],
)
def test_what_makes_no_shop_leaves_nothing_behind(tmp_path, exports, words):
    paths = [export(tmp_path, name, text) for name, text in exports.items()]
    with pytest.raises(InputError, match=words):
        propose(tmp_path / "shop", paths)
    assert not (tmp_path / "shop").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    orders = export(tmp_path, "orders.csv", "order_id,customer_id,ordered_at,net_amount\n")
    with pytest.raises(InputError, match="there is something already"):
        propose(tmp_path, [orders])


def test_beside_known_orders_a_file_of_no_known_kind_is_left_out_and_named(tmp_path):
    orders = export(tmp_path, "orders.csv", "order_id,customer_id,ordered_at,net_amount\n1,a,2026-01-05,3.00\n")
    payments = export(tmp_path, "payments.csv", "order_id,payment_type,payment_value\n1,card,3.00\n")
    sellers = export(tmp_path, "sellers.csv", "seller,city\n1,Leeds\n")
    said = propose(tmp_path / "shop", [sellers, orders, payments]).lines

    assert [line.split(":")[0] for line in said if "left out" in line] == ["sellers.csv", "payments.csv"]
    assert [path.name for path in (tmp_path / "shop" / "exports").iterdir()] == ["orders.csv"]
    assert intake.read(tmp_path / "shop").report.bridge.orders == 1


def test_whatever_a_header_holds_shop_toml_says_it():
    every = "".join(map(chr, range(0x100))) + "İ€\u2028"

    assert tomllib.loads(f"header = {proposal._quoted([every])}") == {"header": [every]}
