"""Every export format: recognised, and read to sums worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from shop_folders import report, warnings

from loyalty_lab import intake
from loyalty_lab.errors import InputError
from loyalty_lab.intake.formats import profiles
from loyalty_lab.intake.proposal import propose, understand

SHOPIFY = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    "Billing Name",
    "Billing Street",
    "Billing Address1",
    "Billing Address2",
    "Billing Company",
    "Billing City",
    "Billing Zip",
    "Billing Province",
    "Billing Country",
    "Billing Phone",
    "Shipping Name",
    "Shipping Street",
    "Shipping Address1",
    "Shipping Address2",
    "Shipping Company",
    "Shipping City",
    "Shipping Zip",
    "Shipping Province",
    "Shipping Country",
    "Shipping Phone",
    "Notes",
    "Note Attributes",
    "Cancelled at",
    "Payment Method",
    "Payment Reference",
    "Refunded Amount",
    "Vendor",
    "Outstanding Balance",
    "Employee",
    "Location",
    "Device ID",
    "Id",
    "Tags",
    "Risk Level",
    "Source",
    "Lineitem discount",
    "Tax 1 Name",
    "Tax 1 Value",
    "Tax 2 Name",
    "Tax 2 Value",
    "Tax 3 Name",
    "Tax 3 Value",
    "Tax 4 Name",
    "Tax 4 Value",
    "Tax 5 Name",
    "Tax 5 Value",
    "Phone",
    "Receipt Number",
    "Duties",
    "Billing Province Name",
    "Shipping Province Name",
    "Payment ID",
    "Payment Terms Name",
    "Next Payment Due At",
    "Payment References",
]


def csv(header: list[str], *rows: dict[str, object]) -> str:
    """A CSV with this header; a row says only the cells it fills."""
    assert all(set(row) <= set(header) for row in rows)
    cells = [[str(row.get(name, "")) for name in header] for row in rows]
    return "\n".join(",".join(f'"{cell}"' if "," in cell or "\n" in cell else cell for cell in line) for line in [header, *cells]) + "\n"


def shop(folder: Path, **files: str | bytes) -> Path:
    """A shop made by `new` from these exports; `__` in a name stands for a point."""
    folder.mkdir(exist_ok=True)
    paths = []
    for name, content in files.items():
        paths.append(folder / name.replace("__", "."))
        paths[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    propose(folder / "shop", paths)
    return folder / "shop"


def taken(folder: Path, **files: str | bytes) -> intake.Intake:
    return intake.read(shop(folder, **files))


def settled(found: intake.Intake, **expected: object) -> dict:
    """Check the bridge, the counts, and the sums that are expected."""
    told = report(found)
    money = {name: Decimal(told["orders"][name]) for name in ("gross", "discounts", "refunds", "dropped", "net")}
    assert money["gross"] - money["discounts"] - money["refunds"] - money["dropped"] == money["net"]
    for table in told["tables"].values():
        assert table["rows_in"] - table["rows_out"] == sum(table["dropped"].values())
    assert {name: told["orders"][name] for name in expected} == expected
    return told


def shopify(*rows: dict[str, object], header: list[str] = SHOPIFY) -> str:
    return csv(header, *({name: cell for name, cell in row.items() if name in header} for row in rows))


def line(name: str, quantity: int, price: str, what: str = "Tea", **order: object) -> dict[str, object]:
    return {"Name": name, "Lineitem quantity": quantity, "Lineitem price": price, "Lineitem name": what, "Lineitem sku": what.upper()} | {
        key.replace("_", " "): value for key, value in order.items()
    }


def order(name: str, email: str, subtotal: str, total: str, created: str, **more: object) -> dict[str, object]:
    told = {"Email": email, "Subtotal": subtotal, "Total": total, "Created_at": created, "Currency": "EUR", "Financial_Status": "paid"}
    return told | {"Shipping": "5.00", "Taxes": "0.00", "Discount_Amount": "0.00", "Refunded_Amount": "0.00"} | more


ORDERS = [
    # 20.00 + 10.00 less a tenth; the second row holds only its product
    line("#1001", 2, "10.00", **order("#1001", "a@x.example", "27.00", "32.00", "2025-10-25 23:30:00 +0200", Discount_Amount="3.00")),
    line("#1001", 1, "10.00", "Cup"),
    # a third of 24.00 + 6.00 delivery is refunded: goods carry 8.00 of the 10.00
    line(
        "#1002",
        2,
        "12.00",
        **order(
            "#1002",
            "A@X.example",
            "24.00",
            "30.00",
            "2025-10-26 23:30:00 +0100",
            Shipping="6.00",
            Refunded_Amount="10.00",
            Financial_Status="partially_refunded",
        ),
    ),
    line(
        "#1003",
        1,
        "9.00",
        **order("#1003", "b@x.example", "9.00", "14.00", "2025-11-02 10:00:00 +0100", Cancelled_at="2025-11-03 10:00:00 +0100"),
    ),
    line("#1004", 1, "8.00", **order("#1004", "b@x.example", "8.00", "13.00", "2025-11-04 10:00:00 +0100", Financial_Status="pending")),
    line(
        "#1005",
        1,
        "7.00",
        **order("#1005", "", "7.00", "12.00", "2025-11-05 10:00:00 +0100", Phone="'+49 170 1234567", Billing_Zip="'75008"),
    ),
    line("#1006", 1, "50.00", "Gift Card", **order("#1006", "b@x.example", "50.00", "50.00", "2025-11-06 10:00:00 +0100", Shipping="0.00")),
    line("#1007", 1, "6.00", **order("#1007", "", "6.00", "6.00", "2025-11-06 11:00:00 +0100", Shipping="0.00")),
]


@pytest.mark.parametrize("left_out", [0, 29, 45], ids=["79 columns", "50 columns", "34 columns"])
def test_shopify_orders_whole_and_trimmed(tmp_path, left_out):
    used = {name for row in ORDERS for name in row}
    spare = [name for name in SHOPIFY if name not in used]
    header = [name for name in SHOPIFY if name not in spare[:left_out]]
    found = taken(tmp_path, orders_export__csv=shopify(*ORDERS, header=header))
    told = settled(
        found, orders=3, customers=2, gross="78.00", discounts="3.00", refunds="8.00", dropped="17.00", net="50.00", anonymous_net="6.00"
    )
    days = found.shop().orders.set_index("order_id")["ordered_at"].dt.strftime("%m-%d %H:%M").to_dict()

    assert told["tables"]["orders"]["dropped"] == {"cancelled": 1, "unpaid": 1, "not goods": 1}
    assert days["#1001"] == "10-25 23:30"
    assert days["#1002"] == "10-26 23:30", "summer time has ended"
    assert found.shop().order_lines.groupby("order_id")["net_amount"].sum().to_dict() == {
        "#1001": 27.0,
        "#1002": 16.0,
        "#1005": 7.0,
        "#1007": 6.0,
    }


def test_shopify_pages_that_overlap_count_once(tmp_path):
    folder = shop(tmp_path, orders_1__csv=shopify(*ORDERS[:4]), orders_2__csv=shopify(*ORDERS[2:]))
    told = settled(intake.read(folder), orders=3, gross="78.00", net="50.00")

    assert told["tables"]["orders"]["dropped"]["page overlap"] == 2


def test_shopify_customers_join_their_orders_by_e_mail_and_keep_their_consent(tmp_path):
    header = ["Customer ID", "First Name", "Last Name", "Email", "Accepts Email Marketing", "Phone", "Total Spent", "Total Orders"]
    people = csv(header, {"Customer ID": "'7210448301122", "First Name": "Ada", "Last Name": "Byron", "Email": "a@x.example",
                          "Accepts Email Marketing": "no", "Total Orders": 2})  # fmt: skip
    found = taken(tmp_path, orders__csv=shopify(*ORDERS), customers__csv=people).shop()

    assert len(found.customers) == 1
    assert found.customers["customer_id"].iloc[0] in set(found.orders.set_index("order_id")["customer_id"][["#1001", "#1002"]])
    assert not found.customers["consent_contact"].iloc[0]


def test_woocommerce_order_export_with_the_order_on_its_first_row_or_on_every_row(tmp_path):
    header = [
        "Order Number",
        "Order Status",
        "Order Date",
        "First Name (Billing)",
        "Last Name (Billing)",
        "Email (Billing)",
        "Phone (Billing)",
        "Cart Discount Amount",
        "Order Shipping Amount",
        "Order Refund Amount",
        "Order Total Amount",
        "Order Total Tax Amount",
        "SKU",
        "Item Name",
        "Quantity (- Refund)",
        "Item Cost",
    ]
    first = {"Order Number": 31, "Order Status": "Completed", "Order Date": "2026-01-05 10:00", "Email (Billing)": "a@x.example",
             "Cart Discount Amount": "2.00", "Order Shipping Amount": "3.00", "Order Total Amount": "21.00", "Order Refund Amount": "7.00"}  # fmt: skip
    goods = [
        {"Item Name": "Tea", "Quantity (- Refund)": 2, "Item Cost": "5.00"},
        {"Item Name": "Cup", "Quantity (- Refund)": 1, "Item Cost": "10.00"},
    ]
    hold = {"Order Number": 32, "Order Status": "On hold", "Order Date": "2026-01-06 10:00", "Email (Billing)": "b@x.example"} | goods[0]
    for name, rows in (("first", [first | goods[0], {"Order Number": 31} | goods[1]]), ("every", [first | each for each in goods])):
        # 20.00 less 2.00; of the 7.00 refunded of 21.00 the goods carry 18/21
        settled(
            taken(tmp_path / name, woo__csv=csv(header, *rows, hold)),
            orders=1,
            gross="30.00",
            discounts="2.00",
            refunds="6.00",
            dropped="10.00",
            net="12.00",
        )


def test_woocommerce_webtoffee_knows_its_guests_by_e_mail(tmp_path):
    header = [
        "order_id",
        "order_number",
        "order_date",
        "status",
        "shipping_total",
        "tax_total",
        "discount_total",
        "order_total",
        "order_subtotal",
        "order_currency",
        "customer_id",
        "billing_email",
        "billing_phone",
    ]
    rows = [{"order_number": n, "order_date": f"2026-01-0{n} 10:00:00", "status": "completed", "order_subtotal": "20.00", "discount_total": "2.00",
             "order_total": "23.00", "shipping_total": "5.00", "order_currency": "USD", "customer_id": who, "billing_email": mail}
            for n, who, mail in ((1, "0", "a@x.example"), (2, "0", "b@x.example"), (3, "17", "a@x.example"))]  # fmt: skip
    settled(taken(tmp_path, woo__csv=csv(header, *rows)), orders=3, customers=2, gross="60.00", discounts="6.00", net="54.00")


@pytest.mark.parametrize(
    "header",
    ["Date,Order #,N. Revenue (formatted),Status,Customer,Customer type,Product(s),Items sold,Coupon(s),Net Sales,Attribution",
     "Date,Commande n°,N. Revenue (formatted),État,Client,Type de client,Produit(s),Articles vendus,Coupon(s),Ventes nettes,Attribution"],
)  # fmt: skip
def test_woocommerce_analytics_warns_that_a_name_is_no_identity(tmp_path, header):
    names = header.split(",")
    rows = [dict(zip(names, ("2026-01-05 10:00:00", 41, "€12,50", "completed", "Ada B", "new", "2× Tea", 2, "", "12.50", "Direct"), strict=True)),
            dict(zip(names, ("2026-01-06 10:00:00", 42, "€7,50", "completed", "ada b", "returning", "1× Cup", 1, "", "7.50", "Direct"), strict=True))]  # fmt: skip
    found = taken(tmp_path, woo__csv=csv(names, *rows))

    settled(found, orders=2, customers=1, net="20.00")
    assert any("display name only" in warning for warning in warnings(found))


SQUARE = [
    "Date",
    "Time",
    "Time Zone",
    "Gross Sales",
    "Discounts",
    "Service Charges",
    "Net Sales",
    "Gift Card Sales",
    "Tax",
    "Tip",
    "Partial Refunds",
    "Total Collected",
    "Source",
    "Card",
    "Transaction ID",
    "Payment ID",
    "Description",
    "Event Type",
    "Location",
    "Customer ID",
    "Customer Name",
    "Customer Reference ID",
]


def test_square_transactions_join_date_and_time_and_book_refund_rows(tmp_path):
    rows = [
        {"Date": "10/28/25", "Time": "08:15:00", "Gross Sales": "$12.00", "Discounts": "-$2.00", "Net Sales": "$10.00", "Tax": "$0.80",
         "Transaction ID": "T1", "Event Type": "Payment", "Customer ID": "S1", "Customer Name": "Ada"},
        {"Date": "10/29/25", "Time": "09:15:00", "Gross Sales": "-$4.00", "Net Sales": "-$4.00", "Transaction ID": "T1", "Event Type": "Refund", "Customer ID": "S1"},
        {"Date": "10/30/25", "Time": "10:15:00", "Gross Sales": '$1,030.00', "Net Sales": "$1,030.00", "Transaction ID": "T2", "Event Type": "Payment"},
    ]  # fmt: skip
    found = taken(tmp_path, square__csv=csv(SQUARE, *rows))

    settled(found, orders=1, customers=1, gross="12.00", discounts="2.00", refunds="4.00", net="6.00", anonymous_net="1030.00")
    assert str(found.shop().orders["ordered_at"].min()) == "2025-10-28 08:15:00"


ITEMS = [
    "Date",
    "Time",
    "Time Zone",
    "Category",
    "Item",
    "Qty",
    "Price Point Name",
    "SKU",
    "Modifiers Applied",
    "Gross Sales",
    "Discounts",
    "Net Sales",
    "Tax",
    "Transaction ID",
    "Payment ID",
    "Device Name",
    "Notes",
    "Details",
    "Event Type",
    "Location",
    "Dining Option",
    "Customer ID",
    "Customer Name",
    "Customer Reference ID",
]


def item(day: int, what: str, quantity: int, gross: str, net: str, transaction: str, kind: str = "Payment") -> dict[str, object]:
    return {"Date": f"2025-10-{day}", "Time": "10:00:00", "Item": what, "SKU": what[0], "Qty": quantity, "Gross Sales": gross, "Net Sales": net,
            "Transaction ID": transaction, "Event Type": kind, "Customer ID": "S1"}  # fmt: skip


def test_square_items_and_an_even_exchange_is_no_second_visit(tmp_path):
    rows = [item(20, "Tea", 2, "$12.00", "$10.00", "T1"), item(20, "Cup", 1, "$8.00", "$8.00", "T1"),
            item(25, "Cup", -1, "-$8.00", "-$8.00", "T2", "Refund"), item(25, "Mug", 1, "$8.00", "$8.00", "T2")]  # fmt: skip
    found = taken(tmp_path, items__csv=csv(ITEMS, *rows))

    settled(found, orders=1, gross="28.00", discounts="2.00", refunds="0.00", dropped="8.00", net="18.00")
    assert report(found)["tables"]["orders"]["dropped"] == {"refunded in full": 2}


def test_square_items_beside_their_transactions_are_lines_and_no_sales_of_their_own(tmp_path):
    whole = {"Date": "10/20/25", "Time": "10:00:00", "Gross Sales": "$20.00", "Discounts": "-$2.00", "Net Sales": "$18.00", "Transaction ID": "T1",
             "Event Type": "Payment", "Customer ID": "S1"}  # fmt: skip
    rows = [item(20, "Tea", 2, "$12.00", "$10.00", "T1"), item(20, "Cup", 1, "$8.00", "$8.00", "T1")]
    found = taken(tmp_path, transactions__csv=csv(SQUARE, whole), items__csv=csv(ITEMS, *rows))

    settled(found, orders=1, gross="20.00", discounts="2.00", net="18.00")
    assert found.shop().order_lines["net_amount"].tolist() == [10.0, 8.0]


LOYVERSE = [
    "Date",
    "Receipt number",
    "Receipt type",
    "Gross sales",
    "Discounts",
    "Net sales",
    "Taxes",
    "Total collected",
    "Cost of goods",
    "Gross profit",
    "Payment type",
    "Description",
    "Dining option",
    "POS",
    "Store",
    "Cashier name",
    "Customer name",
    "Customer contacts",
    "Status",
]


def test_loyverse_receipts_with_a_byte_mark_and_a_refund_that_names_no_receipt(tmp_path):
    rows = [
        {"Date": "31/12/2025 10:00", "Receipt number": "1-1", "Receipt type": "Sale", "Gross sales": "10.00", "Discounts": "1.00", "Net sales": "9.00",
         "Customer name": "Ada", "Customer contacts": "01711-123456"},
        {"Date": "02/01/2026 10:00", "Receipt number": "1-2", "Receipt type": "Sale", "Gross sales": "5.00", "Net sales": "5.00", "Customer contacts": "+880 1711123456"},
        {"Date": "03/01/2026 10:00", "Receipt number": "1-3", "Receipt type": "Refund", "Gross sales": "-7.00", "Net sales": "-7.00", "Customer contacts": "01711123456"},
    ]  # fmt: skip
    found = taken(tmp_path, receipts__csv=("\ufeff" + csv(LOYVERSE, *rows)).encode())

    settled(found, orders=2, customers=1, gross="15.00", discounts="1.00", refunds="7.00", net="7.00")
    assert found.shop().orders.set_index("order_id")["net_amount"].to_dict() == {"1-1": 2.0, "1-2": 5.0}


def test_loyverse_items_book_a_refund_on_the_same_product(tmp_path):
    header = [
        "Date",
        "Receipt number",
        "Receipt type",
        "Category",
        "SKU",
        "Item",
        "Variant",
        "Modifiers applied",
        "Quantity",
        "Gross sales",
        "Discounts",
        "Net sales",
        "Cost of goods",
        "Gross profit",
        "Taxes",
        "POS",
        "Store",
        "Cashier name",
        "Customer name",
        "Customer contacts",
        "Comment",
        "Status",
    ]
    rows = [{"Date": f"2026-01-0{day} 10:00", "Receipt number": number, "Receipt type": kind, "SKU": sku, "Item": sku, "Quantity": n, "Gross sales": money,
             "Net sales": money, "Customer contacts": "ada@x.example"}
            for day, number, kind, sku, n, money in ((1, "1", "Sale", "tea", 2, "10.00"), (2, "2", "Sale", "cup", 1, "8.00"), (3, "3", "Refund", "tea", -1, "-5.00"))]  # fmt: skip
    found = taken(tmp_path, items__csv=csv(header, *rows))

    settled(found, orders=2, refunds="5.00", net="13.00")
    assert found.shop().orders.set_index("order_id")["net_amount"].to_dict() == {"1": 5.0, "2": 8.0}


def test_stripe_payments_in_utc_with_failed_ones_and_a_partial_refund(tmp_path):
    header = [
        "id",
        "Created date (UTC)",
        "Amount",
        "Amount Refunded",
        "Currency",
        "Captured",
        "Fee",
        "Status",
        "Customer ID",
        "Description",
        "Customer Email",
    ]
    rows = [{"id": n, "Created date (UTC)": day, "Amount": money, "Amount Refunded": back, "Currency": "gbp", "Status": state, "Customer Email": "a@x.example"}
            for n, day, money, back, state in (("p1", "2025-07-05 23:30:00", "1,000.00", "250.00", "Paid"), ("p2", "2025-07-06 10:00:00", "20.00", "0.00", "Failed"),
                                               ("p3", "2025-07-07 10:00:00", "30.00", "30.00", "Refunded"))]  # fmt: skip
    found = taken(tmp_path, stripe__csv=csv(header, *rows))

    told = settled(found, orders=1, gross="1050.00", refunds="250.00", dropped="50.00", net="750.00")
    assert told["tables"]["orders"]["dropped"] == {"cancelled": 1, "refunded in full": 1}
    assert str(found.last_day) == "2025-07-06", "half past eleven in UTC is the next day in London"
    assert any("hold tax and delivery" in warning for warning in warnings(found))


def test_bigcommerce_takes_delivery_off_and_shares_refunds(tmp_path):
    header = [
        "Order ID",
        "Customer ID",
        "Customer Name",
        "Customer Email",
        "Customer Phone",
        "Order Date",
        "Order Status",
        "Shipping Cost (ex tax)",
        "Order Total (inc tax)",
        "Order Total (ex tax)",
        "Order Currency Code",
        "Refund Amount",
    ]
    rows = [{"Order ID": n, "Customer ID": who, "Customer Email": mail, "Order Date": "18/05/2025", "Order Status": state, "Shipping Cost (ex tax)": "10.00",
             "Order Total (ex tax)": "110.00", "Order Total (inc tax)": "132.00", "Order Currency Code": "EUR", "Refund Amount": back}
            for n, who, mail, state, back in ((1, "0", "a@x.example", "Completed", "13.20"), (2, "0", "b@x.example", "Awaiting Payment", "0"), (3, "9", "a@x.example", "Shipped", ""))]  # fmt: skip
    settled(
        taken(tmp_path, big__csv=csv(header, *rows)), orders=2, customers=1, gross="300.00", refunds="10.00", dropped="100.00", net="190.00"
    )


def test_magento_grid_with_line_breaks_inside_cells(tmp_path):
    header = [
        "ID",
        "Purchase Point",
        "Purchase Date",
        "Bill-to Name",
        "Grand Total (Base)",
        "Status",
        "Customer Email",
        "Subtotal",
        "Shipping and Handling",
        "Total Refunded",
    ]
    row = {"ID": "000000012", "Purchase Point": "Main Website\n Main Store", "Purchase Date": "Sep 4, 2025 1:05:07 AM", "Grand Total (Base)": "$1,060.00",
           "Status": "complete", "Customer Email": "a@x.example", "Shipping and Handling": "$60.00"}  # fmt: skip
    found = taken(tmp_path, grid__csv=csv(header, row))

    settled(found, orders=1, net="1000.00")
    assert found.shop().orders["order_id"].tolist() == ["000000012"]


ETSY = [
    "Sale Date",
    "Order ID",
    "Buyer User ID",
    "Full Name",
    "Number of Items",
    "Order Value",
    "Coupon Code",
    "Discount Amount",
    "Shipping",
    "Sales Tax",
    "Order Total",
    "Status",
    "Currency",
    "Buyer",
]
ETSY_ITEMS = [
    "Sale Date",
    "Item Name",
    "Buyer",
    "Quantity",
    "Price",
    "Coupon Code",
    "Discount Amount",
    "Order Shipping",
    "Item Total",
    "Currency",
    "Transaction ID",
    "Listing ID",
    "Order ID",
]


def test_etsy_orders_with_a_decimal_comma(tmp_path):
    rows = [{"Sale Date": "01/31/25", "Order ID": 1, "Buyer User ID": "ada", "Full Name": "Ada", "Order Value": "12,00", "Discount Amount": "2,00",
             "Order Total": "14,50", "Currency": "EUR"}]  # fmt: skip
    settled(taken(tmp_path, etsy__csv=csv(ETSY, *rows)), orders=1, gross="12.00", discounts="2.00", net="10.00")


def test_etsy_items(tmp_path):
    rows = [{"Sale Date": "01/31/25", "Order ID": 1, "Buyer": "ada", "Item Name": what, "Quantity": n, "Price": price, "Item Total": total, "Currency": "EUR"}
            for what, n, price, total in (("Cup", 2, "6.00", "11.00"), ("Bowl", 1, "9.00", "9.00"))]  # fmt: skip
    settled(taken(tmp_path, items__csv=csv(ETSY_ITEMS, *rows)), orders=1, gross="21.00", discounts="1.00", net="20.00")


def test_amazon_is_refused_because_it_names_no_buyer(tmp_path):
    path = tmp_path / "all-orders.txt"
    path.write_text(
        "amazon-order-id\tmerchant-order-id\tpurchase-date\torder-status\tsku\titem-price\n1\t1\t2025-01-01\tShipped\tA\t3.00\n"
    )
    with pytest.raises(InputError, match="names no buyer"):
        propose(tmp_path / "shop", [path])
    assert not (tmp_path / "shop").exists()


def test_olist_finds_the_person_behind_the_orders_and_the_amounts_in_the_items(tmp_path):
    orders = "order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date\n"
    orders += "o1,c1,delivered,2017-07-09 21:57:05,,2017-07-11 14:58:04,2017-07-26 10:57:55,2017-08-01 00:00:00\n"
    orders += "o2,c2,delivered,2017-09-09 21:57:05,,2017-09-11 14:58:04,2017-10-26 10:57:55,2017-10-01 00:00:00\n"
    orders += "o3,c3,canceled,2017-09-10 21:57:05,,,,2017-10-01 00:00:00\n"
    items = "order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value\n"
    items += "o1,1,p1,s1,2017-07-13 22:10:13,39.99,31.67\no1,2,p2,s1,2017-07-13 22:10:13,10.01,1.00\no2,1,p1,s1,2017-07-13 22:10:13,20.00,5.00\no3,1,p1,s1,,7.00,1.00\n"
    people = (
        "customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state\nc1,u1,1,x,SP\nc2,u1,1,x,SP\nc3,u3,1,x,SP\n"
    )
    reviews = "review_id,order_id,review_score,review_comment_title,review_comment_message,review_creation_date,review_answer_timestamp\nr1,o1,4,,,2017-07-27 00:00:00,2017-07-28 01:00:00\n"
    found = taken(tmp_path, orders__csv=orders, items__csv=items, customers__csv=people, reviews__csv=reviews)

    told = settled(found, orders=2, customers=1, gross="77.00", dropped="7.00", net="70.00")
    assert set(told["tables"]) == {"orders", "order_lines", "customers", "reviews", "deliveries"}
    assert told["tables"]["deliveries"]["rows_out"] == 3
    assert found.shop().orders["customer_id"].nunique() == 1


@pytest.mark.parametrize(
    ("name", "text", "currency", "language", "net"),
    [
        ("turkish", "Sipariş No;Sipariş Tarihi;Müşteri Adı;Telefon;Tutar;Durum\n1;22.11.2025;Işıl Çağ;0532 111 22 33;₺1.699,50;Ödendi\n"
                    "2;05.12.2025;IŞIL ÇAĞ;+90 532 1112233;₺300,50;Ödendi\n3;06.12.2025;Ali;0533 111 22 33;₺50,00;İptal\n", "TRY", "tr", "2000.00"),
        ("bengali", "তারিখ,মেমো নং,নাম,মোবাইল,মোট\n২২/১১/২০২৫,১,রহিম,০১৭১১১২৩৪৫৬,\"৳১,২৩,৪৫৬.৫০\"\n০৫/১২/২০২৫,২,রহিম,০১৭১১-১২৩৪৫৬,৳৪৩.৫০\n", "BDT", "bn", "123500.00"),
        ("armenian", "Ամսաթիվ;Պատվերի համար;Անուն;Հեռախոս;Գումար\n22.11.2025;1;Անի;091 123456;12 500,00 ֏\n05.12.2025;2;Անի;091123456;2 500,00 ֏\n", "AMD", "hy", "15000.00"),
        ("russian", "Дата заказа;Номер заказа;Клиент;Телефон;Сумма;Статус\n22.11.2025;1;Анна;091123456;12 500,00 ֏;оплачен\n05.12.2025;2;Анна;091 12-34-56;500,00 ֏;отменён\n", "AMD", "hy", "12500.00"),
    ],
)  # fmt: skip
def test_sheets_kept_by_hand_are_proposed_confirmed_and_read(tmp_path, name, text, currency, language, net):
    folder = shop(tmp_path, sheet__csv=text)
    settings = (folder / "shop.toml").read_text(encoding="utf-8")
    assert f'currency = "{currency}"' in settings
    assert f'languages = ["{language}"]' in settings
    if '"?' in settings:
        with pytest.raises(InputError, match="only guessed"):
            intake.read(folder)
    (folder / "shop.toml").write_text(settings.replace('"?', '"'), encoding="utf-8")
    told = settled(intake.read(folder), customers=1)

    assert Decimal(told["orders"]["net"]) == Decimal(net)


def test_a_turkish_sheet_in_its_old_encoding_and_a_russian_one(tmp_path):
    turkish = (
        "Sipariş No;Sipariş Tarihi;Telefon;Toplam Tutar\n1;22.11.2025;0532 111 22 33;1.699,50\n2;23.11.2025;0533 111 22 33;öğle ışığı\n"
    )
    folder = shop(tmp_path / "tr", sheet__csv=turkish.encode("cp1254"))
    settings = (folder / "shop.toml").read_text(encoding="utf-8")
    (folder / "shop.toml").write_text(settings.replace('"?', '"'), encoding="utf-8")
    with pytest.raises(InputError, match="öğle ışığı"):
        intake.read(folder)
    assert understand_names(tmp_path, "Дата заказа;Номер заказа;Телефон;Сумма\n".encode("cp1251")) >= {"Дата заказа", "Сумма"}


def understand_names(tmp_path, content: bytes) -> set[str]:
    path = tmp_path / "sheet.csv"
    path.write_bytes(content + "22.11.2025;1;091123456;5,00\n".encode("cp1251"))
    return {str(theirs).removeprefix("?") for theirs in understand(path)[0].columns.values()}


# ---- other tables


ORDER = "order_id,email,ordered_at,net_amount\n1,a@x.example,2026-01-05,3.00\n"


def test_zendesk_and_freshdesk_tickets(tmp_path):
    zendesk = "Id,Requester,Requester email,Status,Created at,Solved at,First reply time in minutes\n7,Ada,A@x.example,closed,2026-01-06 10:00,2026-01-07 10:00,90\n"
    freshdesk = "Ticket ID,Subject,Status,Created time,Due by Time,Resolved time,Initial response time,First response time (in hrs),Resolution time (in hrs),Email\n"
    freshdesk += "8,Where,Closed,2026-01-06 10:00:00,2026-01-08 10:00:00,,,01:30:00,26:00:00,a@x.example\n"
    for name, text in (("zendesk", zendesk), ("freshdesk", freshdesk)):
        found = taken(tmp_path / name, orders__csv=ORDER, tickets__csv=text).shop()
        assert str(found.tickets["first_reply_at"].iloc[0]) == "2026-01-06 11:30:00"
        assert found.tickets["resolved_at"].notna().all()
        assert found.tickets["customer_id"].iloc[0] == found.orders["customer_id"].iloc[0]


@pytest.mark.parametrize(
    "text",
    [
        "Respondent ID,Collector ID,Start Date,End Date,IP Address,Email Address,First Name,How likely are you to recommend us?,\"Why,\nif you like\"\n"
        ",,,,,,,Response,Open-Ended Response\n1,1,2026-01-05 10:00,2026-01-05 10:02,,a@x.example,Ada,9,good\n",
        "#,How likely is it that you recommend us?,What is your email?,Start Date (UTC),Submit Date (UTC),Network ID\n"
        "q1,9,a@x.example,2026-01-05 10:00:00,2026-01-05 10:02:00,n\n",
        "Zaman damgası,Bizi bir arkadaşınıza tavsiye eder misiniz?,E-posta adresi\n2026-01-05 10:00,9,a@x.example\n",
    ],
    ids=["surveymonkey", "typeform", "google forms"],
)  # fmt: skip
def test_surveys_find_the_question_of_the_score(tmp_path, text):
    found = taken(tmp_path, orders__csv=ORDER, survey__csv=text).shop()

    assert found.surveys["nps"].tolist() == [9]
    assert found.surveys["customer_id"].tolist() == found.orders["customer_id"].tolist()


def test_judgeme_reviews_and_smile_points(tmp_path):
    reviews = "title,body,rating,review_date,source,curated,reviewer_name,reviewer_email,product_id,product_handle,reply,reply_date\n"
    reviews += "t,b,5,2026-01-09 10:12:00 UTC,web,ok,Ada,a@x.example,1,tea,thanks,2026-01-10 10:12:00 UTC\n"
    found = taken(tmp_path, orders__csv=ORDER, reviews__csv=reviews, points__csv="email,points\nA@x.example,120\n").shop()

    assert found.reviews["rating"].tolist() == [5]
    assert found.reviews["customer_id"].tolist() == found.customers["customer_id"].tolist() == found.orders["customer_id"].tolist()


def test_every_profile_is_read_by_a_test_of_this_folder():
    told = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    words = {name: name.split("-")[0] for name in profiles()}

    assert {name for name, word in words.items() if word not in told.lower()} == set()
