"""How long reading exports takes, and how much memory: `loyalty-lab check` beside pandas on the same file.

    python benchmarks/intake.py [--lines 5000000] [--retail online_retail_II.csv.gz]

The peer reads every column as text with `pandas.read_csv` and converts date, quantity and price. Both run as
processes of their own, one after the other; ratios are ours over theirs. Writes `build/benchmarks/intake.json` and `.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

OUT = Path(__file__).parent.parent / "build" / "benchmarks"
HEADER = (
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Fulfilled at,Accepts Marketing,Currency,Subtotal,Shipping,"
    "Taxes,Total,Discount Code,Discount Amount,Shipping Method,Created at,Lineitem quantity,Lineitem name,Lineitem price,"
    "Lineitem compare at price,Lineitem sku,Lineitem requires shipping,Lineitem taxable,Lineitem fulfillment status,"
    "Billing Name,Billing Street,Billing Address1,Billing Address2,Billing Company,Billing City,Billing Zip,"
    "Billing Province,Billing Country,Billing Phone,Shipping Name,Shipping Street,Shipping Address1,Shipping Address2,"
    "Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,Notes,Note Attributes,"
    "Cancelled at,Payment Method,Payment Reference,Refunded Amount,Vendor,Outstanding Balance,Employee,Location,Device ID,"
    "Id,Tags,Risk Level,Source,Lineitem discount,Tax 1 Name,Tax 1 Value,Tax 2 Name,Tax 2 Value,Tax 3 Name,Tax 3 Value,"
    "Tax 4 Name,Tax 4 Value,Tax 5 Name,Tax 5 Value,Phone,Receipt Number,Duties,Billing Province Name,"
    "Shipping Province Name,Payment ID,Payment Terms Name,Next Payment Due At,Payment References"
)
PEER = """
import sys, pandas as pd
path, date, quantity, price = sys.argv[1:]
frame = pd.read_csv(path, dtype=str, keep_default_na=False)
pd.to_datetime(frame[date], utc=True), pd.to_numeric(frame[quantity]), pd.to_numeric(frame[price])
"""
COLUMNS = {"shopify": ("Created at", "Lineitem quantity", "Lineitem price"), "online retail II": ("InvoiceDate", "Quantity", "Price")}


def shopify(path: Path, lines: int) -> None:
    """Write an export of about so many lines: orders of one to five products, some discounted, some refunded."""
    names, rng, written, number = HEADER.split(","), random.Random(1), 0, 1000
    at = {name: place for place, name in enumerate(names)}
    apart = timedelta(seconds=3 * 365 * 86400 / (lines / 2.7))
    with path.open("w", newline="", encoding="utf-8") as file:
        write = csv.writer(file).writerow
        write(names)
        when = datetime(2023, 1, 1)
        while written < lines:
            number, when = number + 1, when + apart
            items = [(rng.randint(1, 4), rng.randint(100, 9000), rng.randint(1, 3000)) for _ in range(rng.choice((1, 1, 2, 3, 4, 5)))]
            for place, (quantity, pence, product) in enumerate(items):
                row = [""] * len(names)
                told = {"Name": f"#{number}", "Lineitem name": f"Thing number {product}", "Lineitem sku": f"SKU-{product}"}
                told |= {
                    "Lineitem quantity": quantity,
                    "Lineitem price": f"{pence / 100:.2f}",
                    "Lineitem discount": "0.00",
                    "Vendor": "Shop",
                }
                told |= _order(rng, when, sum(n * each for n, each, _ in items), lines) if place == 0 else {}
                for name, cell in told.items():
                    row[at[name]] = cell
                write(row)
                written += 1


def _order(rng: random.Random, when: datetime, pence: int, lines: int) -> dict[str, object]:
    who, discount = rng.randint(1, lines // 12 + 1), pence // 10 if rng.random() < 0.15 else 0
    state = rng.choice(("paid",) * 18 + ("refunded", "partially_refunded"))
    total = pence - discount + 500
    refunded = {"refunded": total, "partially_refunded": 500}.get(state, 0)
    return {
        "Email": f"c{who}@mail.example", "Financial Status": state, "Currency": "EUR", "Shipping": "5.00", "Taxes": "0.00",
        "Subtotal": f"{(pence - discount) / 100:.2f}", "Total": f"{total / 100:.2f}", "Discount Amount": f"{discount / 100:.2f}",
        "Refunded Amount": f"{refunded / 100:.2f}",
        "Created at": f"{when:%Y-%m-%d %H:%M:%S} {'+0200' if 4 <= when.month <= 10 else '+0100'}",
        "Billing Name": f"Name {who}", "Billing Address1": f"{who} Mill Lane", "Billing City": "Lyon", "Billing Zip": "'75008",
        "Billing Phone": f"'+33 6 {who:08d}", "Source": "web",
    }  # fmt: skip


def measured(*words: object) -> dict[str, float]:
    """Run a command; its wall seconds and the peak memory of its process in MB."""
    began = perf_counter()
    child = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{words} ended with {status}")
    return {"seconds": round(perf_counter() - began, 2), "peak_mb": round(usage.ru_maxrss / 1024)}


def compared(name: str, export: Path, place: Path) -> dict[str, object]:
    """Measure both on one export."""
    tool = Path(sys.executable).parent / "loyalty-lab"
    measured(tool, "new", place / name, export)
    ours, theirs = measured(tool, "check", place / name), measured(sys.executable, "-c", PEER, export, *COLUMNS[name])
    ratios = {f"{what}_ratio": round(ours[what] / theirs[what], 2) for what in ours}
    return {"export": name, "mb": round(export.stat().st_size / 1e6), "check": ours, "pandas": theirs, **ratios}


def main() -> None:
    """Measure and write both reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=5_000_000)
    parser.add_argument("--retail", type=Path)
    given = parser.parse_args()
    place, found = Path(tempfile.mkdtemp()), []
    try:
        if given.retail:
            found.append(compared("online retail II", given.retail, place))
        shopify(place / "orders_export.csv", given.lines)
        found.append(compared("shopify", place / "orders_export.csv", place))
    finally:
        shutil.rmtree(place)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "intake.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    head = "| export | MB | check s | pandas s | ratio | check MB | pandas MB | ratio |\n|---|---|---|---|---|---|---|---|\n"
    rows = [
        f"| {each['export']} | {each['mb']} | {each['check']['seconds']} | {each['pandas']['seconds']} | {each['seconds_ratio']} "
        f"| {each['check']['peak_mb']} | {each['pandas']['peak_mb']} | {each['peak_mb_ratio']} |"
        for each in found
    ]
    (OUT / "intake.md").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
    print(head + "\n".join(rows))


if __name__ == "__main__":
    main()
