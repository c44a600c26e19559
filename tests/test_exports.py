"""The simulated shop as raw exports: every format is recognised and read to what the shop's tables say, to the penny."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pandas as pd
import pytest
from shop_folders import report, warnings

from loyalty_lab import cli, demo, intake
from loyalty_lab.demo import exports, formats
from loyalty_lab.demo.dirt import ODD_NAMES
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.intake.formats import profiles
from loyalty_lab.intake.proposal import propose

CENT = Decimal("0.01")
# What a format tells of the money and of the customers, where it is not everything: see `expected`.
MONEY = {"stripe-payments": "paid", "etsy-orders": "goods", "etsy-items": "goods", "olist-orders": "goods"} | dict.fromkeys(
    ("online-retail", "online-retail-ii"), "before discounts"
)
PEOPLE = {"woocommerce-analytics": ["name"], "sheet-tr": ["email", "phone"], "sheet-bn": ["phone"]}
NO_GUESTS = {"etsy-orders", "etsy-items", "olist-orders", "cdnow-master"}


@pytest.fixture(scope="module")
def made() -> demo.Demo:
    """A small shop in which, whatever its chance, orders of every state stand."""
    shop = demo.make(customers=35)
    orders, lines = shop.tables["orders"].copy(), shop.tables["order_lines"]
    plain = orders.index[orders["status"].eq("paid") & orders["refund_amount"].eq(0) & orders["discount_amount"].eq(0)]
    plain = [at for at in plain if isinstance(orders.at[at, "customer_id"], str)][5::12][:9]
    orders.loc[plain[:3], "status"] = "cancelled"
    orders.loc[plain[3:6], "status"] = "unpaid"
    orders.loc[plain[6:], "refund_amount"] = orders.loc[plain[6:], "gross_amount"]
    orders.loc[plain[6:], "net_amount"] = 0.0
    lines = lines[~lines["order_id"].isin(orders.loc[plain, "order_id"])]
    return replace(shop, tables=shop.tables | {"orders": orders, "order_lines": lines})


def taken(folder) -> intake.Intake:
    """What `new` and `check` make of the raw exports in a folder, when the shop has said yes to what was only guessed."""
    propose(folder / "shop", sorted(folder.glob("*.csv")))
    settings = folder / "shop" / "shop.toml"
    settings.write_text(settings.read_text(encoding="utf-8").replace('"?', '"'), encoding="utf-8")
    return intake.read(folder / "shop")


def money(amount: float) -> Decimal:
    return Decimal(str(amount)).quantize(CENT)


def expected(made: demo.Demo, name: str) -> pd.DataFrame:
    """The orders that are sales, what each is worth as far as the format tells, and by what it knows the customer."""
    orders, rows = made.tables["orders"], []
    known = made.tables["customers"].set_index("customer_id")
    odd = known.index[[place - 1 for place in ODD_NAMES]]  # whose name is written otherwise than a namesake's
    known = known.assign(name=[f"odd {who}" if who in odd else name for who, name in known["name"].items()])
    for order in orders[orders["status"].eq("paid")].itertuples():
        gross, discount, refund, shipping = map(
            money, (order.gross_amount, order.discount_amount, order.refund_amount, order.shipping_amount)
        )
        goods = gross - discount
        if refund >= goods > 0:
            continue
        paid = goods + shipping
        refunded = (refund * paid / goods).quantize(CENT, ROUND_HALF_UP)
        worth = {"goods": goods, "paid": paid - refunded, "before discounts": gross - refund}.get(MONEY.get(name), goods - refund)
        who = order.customer_id if isinstance(order.customer_id, str) else None
        if who and name in PEOPLE:
            told = [known.at[who, column] for column in PEOPLE[name]]
            who = next((each if name == "woocommerce-analytics" else who for each in told if isinstance(each, str)), None)
        rows.append({"order_id": order.order_id, "day": order.ordered_at.date(), "worth": worth, "who": who, "true": order.customer_id})
    frame = pd.DataFrame(rows)
    return frame[frame["who"].notna()] if name in NO_GUESTS else frame


def number(order_id: str) -> str:
    """The shop's own number of an order, whatever stands before it, in any digits."""
    return str(int(re.search(r"\d{5}$", order_id)[0]))


def data_rows(path, form: formats.Format) -> int:
    text = path.read_bytes().decode(form.encoding)
    return sum(any(cell.strip() for cell in row) for row in csv.reader(io.StringIO(text), delimiter=form.delimiter)) - 1


@pytest.mark.parametrize("name", formats.formats())
def test_a_format_is_recognised_and_read_to_the_sums_of_the_shop(made, tmp_path, name):
    dirt = exports.write(made, tmp_path, name)
    found = taken(tmp_path)
    told, true = report(found), expected(made, name)
    known, rows = true[true["who"].notna()], told["tables"]["orders"]

    profile = name if name in profiles() else "mapped"
    assert {source.profile for source in found.settings.sources if source.table == "orders"} == {profile}
    assert (told["orders"]["orders"], told["orders"]["customers"]) == (len(known), known["who"].nunique())
    assert Decimal(told["orders"]["net"]) == sum(known["worth"])
    assert Decimal(told["orders"]["anonymous_net"]) == sum(true[true["who"].isna()]["worth"], Decimal("0.00"))
    assert (rows["first_day"], rows["last_day"]) == (str(true["day"].min()), str(true["day"].max()))
    assert rows["dropped"] == dirt["dropped"]
    assert rows["rows_in"] - rows["rows_out"] == sum(rows["dropped"].values())
    form = formats.formats()[name]
    lead = [path for path in tmp_path.glob("*.csv") if path.name.startswith(form.file)]
    assert rows["rows_in"] == sum(data_rows(path, form) for path in lead) == sum(dirt["rows"][path.name] for path in lead)

    got = found.shop().orders
    if name != "cdnow-master":
        by_order = got.assign(order_id=got["order_id"].map(number)).set_index("order_id")["net_amount"].map(money).to_dict()
        assert by_order == true.set_index("order_id")["worth"].to_dict()
        pairs = got.assign(order_id=got["order_id"].map(number)).merge(known, on="order_id")
        assert len(pairs[["customer_id", "who"]].drop_duplicates()) == known["who"].nunique(), "one person each, and the right one"


def test_what_is_no_sale_is_what_the_shop_has_and_what_was_added(made, tmp_path):
    status = Counter(made.tables["orders"]["status"])
    dirt = exports.write(made, tmp_path, "woocommerce-webtoffee")

    assert dirt["dropped"] == {
        "cancelled": status["cancelled"] + 2,
        "unpaid": status["unpaid"] + 3,
        "refunded in full": int((made.tables["orders"]["net_amount"].eq(0) & made.tables["orders"]["status"].eq("paid")).sum()),
        "zero": 3,
        "foreign currency": 2,
        "page overlap": dirt["dirt"]["row of an earlier page"],
    }
    assert dirt["dirt"]["guest with an e-mail"] > 5
    assert dirt["dirt"]["e-mail or phone alone"] > 5


def test_customers_stand_in_several_spellings_in_the_raw_file(made, tmp_path):
    exports.write(made, tmp_path, "shopify-orders")
    rows = [row for path in tmp_path.glob("*.csv") for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())]
    spelt = {row["Email"] for row in rows}

    assert len({each.strip().lower().replace("i̇", "i") for each in spelt}) < len(spelt)
    assert any("İ" in each for each in spelt)
    assert any(row["Billing Phone"].startswith("+44 ") for row in rows)
    assert any(row["Billing Name"].startswith("=cmd") for row in rows)
    assert any('"' in row["Billing Name"] for row in rows)
    assert any(row["Name"].endswith(" ") for row in rows)


def test_a_turkish_and_a_bengali_sheet_look_as_kept_by_hand(made, tmp_path):
    exports.write(made, tmp_path / "tr", "sheet-tr")
    exports.write(made, tmp_path / "bn", "sheet-bn")
    turkish = (tmp_path / "tr" / "siparisler.csv").read_bytes().decode("cp1254").splitlines()
    bengali = (tmp_path / "bn" / "bikri.csv").read_bytes()

    assert "" in turkish
    assert turkish[-1].startswith("TOPLAM;;;;;")
    assert any(re.search(r";\d+,\d\d TL;", line) for line in turkish)
    assert bengali.startswith(b"\xff\xfe")
    assert not re.search(r"[0-9]", bengali.decode("utf-16").partition("\n")[2].replace("C:0", ""))


@pytest.mark.parametrize("name", ["square-items", "sheet-tr"])
def test_the_same_shop_gives_the_same_bytes(made, tmp_path, name):
    for folder in ("one", "two"):
        exports.write(made, tmp_path / folder, name)

    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"truth.json", "dirt.json"} < set(files)
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes() for file in files)


def test_square_items_beside_their_transactions_add_no_sale(made, tmp_path):
    exports.write(made, tmp_path / "whole", "square-transactions")
    exports.write(made, tmp_path / "items", "square-items")
    paths = [*sorted((tmp_path / "whole").glob("*.csv")), *sorted((tmp_path / "items").glob("*.csv"))]
    propose(tmp_path / "shop", paths)
    found = intake.read(tmp_path / "shop")

    known = expected(made, "square-transactions").dropna(subset="who")
    assert report(found)["orders"]["net"] == str(sum(known["worth"]))
    assert "order_lines" in found.paths


def test_a_folder_that_is_not_empty_and_a_format_that_is_none_are_refused(made, tmp_path):
    with pytest.raises(UsageError, match="shopify-orders"):
        exports.write(made, tmp_path, "shopify-order")
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="something already"):
        exports.write(made, tmp_path, "shopify-orders")


def test_the_command_writes_raw_exports_and_says_what_comes_next(command, tmp_path):
    done = command("demo", tmp_path / "raw", "--customers", 5, "--as", "bigcommerce")

    assert done.returncode == 0, done.stderr
    assert f"Next: loyalty-lab new my-shop {tmp_path / 'raw'}/*.csv" in done.stdout
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"orders-1.csv", "orders-2.csv", "truth.json", "dirt.json"}


def test_the_help_names_every_format():
    assert cli.RAW_FORMATS.split(", ") == list(formats.formats())


# ---- what these exports have found in intake


def read(tmp_path, *files: str) -> intake.Intake:
    for place, text in enumerate(files, start=1):
        (tmp_path / f"export-{place}.csv").write_text(text, encoding="utf-8")
    return taken(tmp_path)


SQUARE = "Date,Time,Gross Sales,Net Sales,Total Collected,Transaction ID,Event Type,Customer ID\n"


def test_a_refund_in_the_next_page_is_not_taken_for_its_sale_again(tmp_path):
    sale = "01/20/26,10:00:00,$12.00,$12.00,$12.00,T1,Payment,S1\n"
    back = "01/29/26,10:00:00,-$4.00,-$4.00,-$4.00,T1,Refund,S1\n"
    told = report(read(tmp_path, SQUARE + sale, SQUARE + back + back))

    assert (told["orders"]["refunds"], told["orders"]["net"]) == ("8.00", "4.00")
    assert told["tables"]["orders"]["dropped"] == {}


BIG = (
    "Order ID,Customer ID,Customer Email,Order Date,Order Status,Shipping Cost (ex tax),Order Total (inc tax),Order Total (ex tax),"
    "Refund Amount\n"
)


def test_the_share_of_a_refund_is_rounded_to_the_cent_and_guests_and_tax_raise_no_alarm(tmp_path):
    found = read(tmp_path, BIG + "1,0,a@x.example,18/05/2026,Completed,10.00,132.00,110.00,10.00\n")

    assert found.shop().orders["net_amount"].tolist() == [92.42], "100.00 less 10.00 x 100/132"
    assert not [each for each in warnings(found) if "Customer ID" in each or "hold the tax" in each]


WOO = (
    "Order Number,Order Status,Order Date,Email (Billing),Cart Discount Amount,Order Subtotal Amount,Order Shipping Amount,"
    "Order Refund Amount,Order Total Amount,Order Total Tax Amount,Item Name,Quantity (- Refund),Item Cost\n"
)


def test_woocommerce_quantities_after_refunds_and_prices_after_discounts_are_not_taken_off_twice(tmp_path):
    order = "7,Completed,2026-01-05 10:00,a@x.example,2.00,20.00,0.00,9.00,18.00,0.00,"
    told = report(read(tmp_path, WOO + order + "Tea,0,4.50\n" + order + "Cup,1,9.00\n"))["orders"]

    assert {key: told[key] for key in ("gross", "discounts", "refunds", "net")} == {
        "gross": "20.00",
        "discounts": "2.00",
        "refunds": "9.00",
        "net": "9.00",
    }


def test_refunds_that_webtoffee_packs_into_one_cell_are_added_up(tmp_path):
    header = "order_number,order_date,status,order_total,order_subtotal,billing_email,customer_id,refund_items\n"
    packed = "amount:3.00|reason:late, by 2 days|date:2026-01-06 10:00:00;amount:1.50|reason:|date:2026-01-07 10:00:00"
    rows = (
        f'1,2026-01-05 10:00:00,completed,20.00,20.00,a@x.example,1,"{packed}"\n2,2026-01-06 10:00:00,completed,5.00,5.00,a@x.example,1,\n'
    )
    told = report(read(tmp_path, header + rows))["orders"]

    assert (told["refunds"], told["net"]) == ("4.50", "20.50")


def test_a_name_and_an_address_that_another_program_wrote_in_small_letters_are_the_same(tmp_path):
    header = "order_id,email,name,ordered_at,net_amount\n"
    rows = "1,,İpek Öz,2026-01-05,5.00\n2,,{},2026-01-06,5.00\n3,İREM@x.example,,2026-01-07,5.00\n4,{},,2026-01-08,5.00\n"
    told = report(read(tmp_path, header + rows.format("İpek Öz".lower(), "İREM@x.example".lower())))["orders"]

    assert told["customers"] == 2


SHEET = "Sipariş No;Tarih;Telefon;Tutar\n1;22.11.2025;0532 111 22 33;10,50\n2;{day};0532 111 22 34;5,00\n{last}\n"


def test_a_row_of_totals_is_set_apart_and_another_row_without_a_day_is_still_refused(tmp_path):
    told = report(read(tmp_path, SHEET.format(day="23.11.2025", last="Genel Toplam;;;15,50")))
    assert (told["orders"]["net"], told["tables"]["orders"]["dropped"]) == ("15.50", {"unreadable": 1})

    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="row 3"):
        read(tmp_path / "other", SHEET.format(day="", last="TOPLAM;;;15,50"))
