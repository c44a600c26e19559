"""One way to the customer summary, timed in a process of its own; `speed.py` starts one for each.

    python benchmarks/summaries.py WAY LINES orders.parquet answer.json

Loading libraries and reading the frame that the peers get are not timed. `first` is the first call of the process, which opens the
database; `again` the least of up to ten calls that follow it, until four CPU seconds are spent.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from loyalty_lab import database
from loyalty_lab.customers import PURCHASE_COLUMNS, customer_summary

FIRST_DAY, CUTOFF, DAYS = date(2023, 1, 1), date(2025, 12, 31), 1096
LINES_A_CUSTOMER = 20
ENOUGH, REPEATS = 4.0, 10
ORDERS = """
copy (
  with lines as (select i, i % $cycle as place, i // $cycle as round from range($lines) as r(i)),
  placed as (select i, $basket * round + cast(floor((sqrt(8 * place + 1) - 1) / 2) as bigint) as nth from lines)
  select cast(nth as varchar) as order_id,
         substr(md5(cast(cast(floor($customers * pow(hash(nth) / 18446744073709551616.0, 2)) as bigint) as varchar)), 1, 12) as customer_id,
         cast($first as timestamp) + to_seconds(cast(floor(nth * ($days * 86400.0 / $orders)) as bigint)) as ordered_at,
         cast((hash(i + 7000000000) % 9901 + 100) / 100.0 as decimal(18, 4)) as net_amount
  from placed
) to '{path}' (format parquet)
"""


def simulate(path: Path, lines: int, basket: int) -> None:
    """Write order lines as intake stores orders: 1 to `basket` lines of one moment an order, skewed customers, three years in time order.

    A customer's share falls with the root of the rank; on average it is 20 lines.
    """
    cycle = basket * (basket + 1) // 2
    told = {"lines": lines, "basket": basket, "cycle": cycle, "orders": lines * basket / cycle, "days": DAYS, "first": FIRST_DAY}
    with duckdb.connect(config={"temp_directory": str(path.parent / "spill"), "memory_limit": "4GB"}) as db:
        db.execute(ORDERS.format(path=path), told | {"customers": lines // LINES_A_CUSTOMER})


def frame_of(path: Path, lines: int) -> pd.DataFrame:
    """The columns that count, typed as `tables.read` types them."""
    with duckdb.connect() as db:
        return db.read_parquet(str(path)).select(*PURCHASE_COLUMNS).df().astype({"customer_id": "str", "net_amount": "float64"})


def scan(path: Path) -> None:
    """No summary: greatest customer and moment, and the sum of the money; in the database of ours."""
    with database.cursor() as db:
        db.execute("select max(customer_id), max(ordered_at), sum(net_amount) from read_parquet(?)", [str(path)]).fetchall()


def ours(orders: Path | pd.DataFrame) -> pd.DataFrame:
    return customer_summary(orders, CUTOFF)


def pandas(frame: pd.DataFrame) -> pd.DataFrame:
    """Group-bys of pandas, written for speed: names coded once, customer and day packed into one integer, sorted once."""
    end = pd.Timestamp(CUTOFF)
    seen = frame[frame["ordered_at"] < end + pd.Timedelta(days=1)]
    codes, names = pd.factorize(seen["customer_id"], sort=True)
    age = (end - seen["ordered_at"].dt.floor("D")).dt.days.to_numpy()
    spend = seen["net_amount"].groupby((codes.astype("int64") << 32) - age).sum()
    spend = spend[spend > 0]
    packed = spend.index.to_numpy()
    who = (packed + (1 << 31)) >> 32
    days = pd.DataFrame({"who": who, "age": (who << 32) - packed, "spend": spend.to_numpy()}).groupby("who", sort=False)
    found = days.agg(n=("age", "size"), first=("age", "first"), last=("age", "last"), total=("spend", "sum"), once=("spend", "first"))
    repeats = found["n"] - 1
    mean = ((found["total"] - found["once"]) / repeats.replace(0, 1)).where(repeats > 0, 0.0)
    columns = {"frequency": repeats, "recency": found["first"] - found["last"], "T": found["first"], "monetary_value": mean}
    return pd.DataFrame(columns).set_axis(pd.Index(names[found.index], name="customer_id"))


def lifetimes(frame: pd.DataFrame) -> pd.DataFrame:
    from lifetimes.utils import summary_data_from_transaction_data

    return summary_data_from_transaction_data(frame, "customer_id", "ordered_at", "net_amount", observation_period_end=pd.Timestamp(CUTOFF))


def pymc_marketing(frame: pd.DataFrame) -> pd.DataFrame:
    from pymc_marketing.clv import rfm_summary

    return rfm_summary(frame, "customer_id", "ordered_at", "net_amount", observation_period_end=pd.Timestamp(CUTOFF))


# By name: from what, how, and what must have been loaded before.
WAYS: dict[str, tuple[Callable[[Path, int], Any], Callable, str]] = {
    "scan": (lambda path, lines: path, scan, "duckdb"),
    "ours, Parquet": (lambda path, lines: path, ours, "duckdb"),
    "ours, frame": (frame_of, ours, "duckdb"),
    "pandas": (frame_of, pandas, "pandas"),
    "lifetimes": (frame_of, lifetimes, "lifetimes.utils"),
    "pymc-marketing": (frame_of, pymc_marketing, "pymc_marketing.clv"),
}


def timed(work: Callable, given: Any) -> dict[str, Any]:
    """Seconds of the first call and the least of those after it, and what the answer adds up to, so that answers can be compared."""
    took, answer = [], None
    while not took or (len(took) <= REPEATS and sum(cpu for _, cpu in took) < ENOUGH):
        wall, cpu = perf_counter(), process_time()
        answer = work(given)
        took.append((perf_counter() - wall, process_time() - cpu))
    found = {"first": took[0], "again": [min(each[kind] for each in took[1:]) for kind in (0, 1)] if took[1:] else None}
    names = ["frequency", "recency", "T", "monetary_value"]
    sums = None if answer is None else [len(answer), *(float(np.sum(answer[name].to_numpy("float64"))) for name in names)]
    return found | {"peak_mb": peak_mb(), "sums": sums}


def peak_mb() -> float:
    """Of this process alone, from where the system tells it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM:")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(way: str, lines: str, path: str, answer: str) -> None:
    given, work, library = WAYS[way]
    __import__(library)
    Path(answer).write_text(json.dumps(timed(work, given(Path(path), int(lines)))), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
