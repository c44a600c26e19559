"""The same SQL on Spark, for a shop that outgrows one machine: only rows per customer, and fewer, come to the driver."""

from __future__ import annotations

import os
import re
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import forecast, snapshots
from loyalty_lab.customers import PURCHASE_COLUMNS, QUERIES, curve_of, fitting_horizon
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.features import HORIZON_DAYS, completed
from loyalty_lab.metrics import reaches
from loyalty_lab.periods import DAY, window
from loyalty_lab.proportions import share

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from loyalty_lab.btyd import GammaGammaModel
    from loyalty_lab.btyd.likelihood import PurchaseModel
    from loyalty_lab.shop import ShopSettings

WHERE = "--engine spark"
LARGEST = 1e13
NAMED_AT_MOST = 3
SECONDS_TO_REACH = 5
EVERYWHERE = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
}
ON_ONE_MACHINE = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.sql.adaptive.enabled": "false"}
_numbers = count()


def session(master: str | None = None) -> SparkSession:
    """Start Spark, or return the session that runs already.

    Parameters
    ----------
    master : str, optional
        Address of the cluster, such as ``spark://host:7077`` or ``yarn``; all cores of this machine if not given.

    Raises
    ------
    UsageError
        If pyspark, sqlglot or Java are missing, or the master cannot be reached.
    """
    master = master or "local[*]"
    _check_installed()
    _check_reachable(master)
    from pyspark.sql import SparkSession

    if running := SparkSession.getActiveSession():
        return running
    builder = SparkSession.builder.appName("loyalty_lab")
    settings = EVERYWHERE | (ON_ONE_MACHINE | _partitions(master) if master.startswith("local") else {})
    for name, value in settings.items():
        builder = builder.config(name, value)
    with _silenced() as said:
        try:
            return builder.master(master).getOrCreate()
        except Exception as error:  # Java's errors are of many kinds
            what = f"Spark did not start on {master!r}: {_reason(str(error), said())}"
            raise UsageError(WHERE, what, "check the address, and that `java -version` says 17 or later") from None


def _check_installed() -> None:
    if missing := [name for name in ("pyspark", "pyarrow", "sqlglot") if not find_spec(name)]:
        raise UsageError(WHERE, f"needs {missing[0]}, which is not installed", "pip install 'loyalty_lab[spark]'")
    home = os.environ.get("JAVA_HOME")
    if not shutil.which("java", path=f"{home}/bin" if home else None):
        raise UsageError(WHERE, f"needs Java, and there is none in {home or 'PATH'}", "install Java 17 or later, or set JAVA_HOME")


def _check_reachable(master: str) -> None:
    """Ask for the masters before Spark does, which would try for a minute; of several, one is enough."""
    missed = ""
    for host, port in re.findall(r"([\w.-]+):(\d+)", master) if master.startswith("spark://") else ():
        try:
            return socket.create_connection((host, int(port)), SECONDS_TO_REACH).close()
        except OSError as error:
            missed = f"{host}:{port} cannot be reached: {error.strerror or error}"
    if missed:
        raise UsageError(WHERE, missed, "start the master, or correct the address")


def _partitions(master: str) -> dict[str, str]:
    cores = re.search(r"\[(\d+)", master)
    return {"spark.sql.shuffle.partitions": cores.group(1) if cores else str(os.cpu_count() or 1)}


@contextmanager
def _silenced() -> Iterator[Callable[[], str]]:
    """Send what Java says to a file while it starts, for as long as it runs; gives a function that reads it."""
    with tempfile.TemporaryFile() as said:
        before = os.dup(2)
        os.dup2(said.fileno(), 2)

        def read() -> str:
            said.seek(0)
            return said.read().decode(errors="replace")

        try:
            yield read
        finally:
            os.dup2(before, 2)
            os.close(before)


def _reason(error: str, said: str) -> str:
    """The line that says why: what Java's exception tells, or the first that Java said where it never came to one."""
    lines = [line.partition("Exception: ")[2] for line in error.splitlines() if "Exception: " in line]
    lines += [line for line in said.splitlines() if line.strip() and not re.search("WARN|INFO|^Using |spark-class", line)]
    return [*lines, error][0].strip()[:200]


@dataclass(frozen=True)
class Orders:
    """A shop's orders on Spark, and the package's queries asked of them.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        As `customers.query` wants a frame of pandas: `customer_id`, `ordered_at` (shop's time zone), `net_amount`; `order_id`
        and `margin_amount` where they are known.
    """

    frame: DataFrame
    _days: dict[date, Orders] = field(default_factory=dict, repr=False)

    def ask(self, name: str, cutoff: date, **more: date | int) -> pd.DataFrame:
        """Return the answer to one of the package's SQL files.

        Parameters
        ----------
        name : str
            File name below `sql/`, without its ending.
        cutoff : datetime.date
            Last day that may be seen.
        **more : datetime.date or int
            Further parameters of the file.
        """
        return self._asked(name, cutoff, **more).toArrow().to_pandas()

    def _asked(self, name: str, cutoff: date, **more: date | int) -> DataFrame:
        """The same, left on Spark."""
        view = f"loyalty_lab_{next(_numbers)}"
        self.frame.createTempView(view)
        try:
            return self.frame.sparkSession.sql(translated(name, view, cutoff=cutoff, **more))
        finally:
            self.frame.sparkSession.catalog.dropTempView(view)

    def days(self, cutoff: date) -> Orders:
        """The purchase days until a cutoff, kept on the cluster: as orders of one row each they answer every query of customers alike."""
        if cutoff not in self._days:
            days = self._asked("purchase_days", cutoff).withColumnsRenamed({"day": "ordered_at", "spend": "net_amount"})
            self._days[cutoff] = Orders(days.repartition("customer_id").persist())
        return self._days[cutoff]

    def counted(self, cutoff: date, columns: tuple[str, ...]) -> pd.DataFrame:
        """Return the distinct rows of the customer summary in some of its columns, sorted, and how many `customers` each stands for."""
        from pyspark.sql import functions as f

        summary = self.days(cutoff)._asked("customer_summary", cutoff)
        counted = summary.groupBy(*columns).agg(f.count("*").alias("customers"))
        return counted.toArrow().to_pandas().sort_values(list(columns), ignore_index=True)

    def of(self, customers: pd.Index) -> Orders:
        """The orders of some customers, kept on the cluster."""
        import pyarrow

        some = self.frame.sparkSession.createDataFrame(pyarrow.table({"customer_id": pyarrow.array(customers)}))
        return Orders(self.frame.join(some, "customer_id", "left_semi").repartition("customer_id").persist())

    def free(self) -> None:
        """Let the cluster forget what was kept."""
        for kept in (self, *self._days.values()):
            kept.frame.unpersist()
        self._days.clear()


@cache
def _parsed(name: str):
    import sqlglot

    return sqlglot.parse_one((QUERIES / f"{name}.sql").read_text(encoding="utf-8"), read="duckdb")


def translated(name: str, table: str, **given: date | int) -> str:
    """Return one of the package's SQL files as Spark writes SQL, asked of a table.

    Parameters
    ----------
    name : str
        File name below `sql/`, without its ending.
    table : str
        What stands for `orders`.
    **given : datetime.date or int
        The parameters of the file.
    """
    from sqlglot import exp

    def put(node):
        if isinstance(node, exp.Placeholder | exp.Parameter):
            value = given[node.name]
            return exp.Literal.number(value) if isinstance(value, int) else exp.Literal.string(value.isoformat())
        return exp.to_table(table) if isinstance(node, exp.Table) and node.name == "orders" else node

    return _parsed(name).transform(put).sql(dialect="spark")


def orders(spark: SparkSession, source: Path | str) -> Orders:
    """Read a shop's orders: intake's typed Parquet, or a table of Spark's catalogue.

    Parameters
    ----------
    spark : pyspark.sql.SparkSession
    source : pathlib.Path or str
        A Parquet file, a folder of them or an address of one ending in ``.parquet``; else the name of a table.

    Raises
    ------
    InputError
        If it cannot be read, a column is missing, or an order of a customer has no day or an amount that is missing or infinite.
    """
    from pyspark.errors import PySparkException

    try:
        stored = isinstance(source, Path) or str(source).endswith(".parquet") or Path(source).is_dir()
        frame = spark.read.parquet(str(source)) if stored else spark.table(source)
    except PySparkException as error:
        raise InputError(str(source), f"cannot be read by Spark: {str(error).splitlines()[0]}", "give a table or Parquet") from None
    return checked(frame, str(source))


def checked(frame: DataFrame, source: str = "orders") -> Orders:
    """Take orders that are on Spark already, after the same checks as `orders` makes.

    Parameters
    ----------
    frame : pyspark.sql.DataFrame
        See `Orders`.
    source : str
        What errors are to call it.
    """
    from pyspark.sql import functions as f

    missing = [column for column in PURCHASE_COLUMNS if column not in frame.columns]
    if missing:
        raise InputError(source, f"lacks the column {missing[0]!r}; it has {frame.columns}", "rename or add the column")
    amount = f.col("net_amount").cast("double")
    wrong = frame.where("customer_id is not null").where(
        f.col("ordered_at").isNull() | amount.isNull() | f.isnan(amount) | (f.abs(amount) >= LARGEST)
    )
    if n := wrong.count():
        named = ", ".join(repr(row[0]) for row in wrong.select("customer_id").distinct().limit(NAMED_AT_MOST).collect())
        what = f"{n} orders have no day, or an amount that is no finite number; customers {named}"
        raise InputError(source, what, "correct them, or leave these orders out")
    absent = {"order_id": f.monotonically_increasing_id(), "margin_amount": f.lit(None).cast("decimal(18,4)")}
    frame = frame.withColumns({name: column for name, column in absent.items() if name not in frame.columns})
    return Orders(frame.select(*PURCHASE_COLUMNS, *absent))


def customer_summary(orders: Orders, cutoff: date) -> pd.DataFrame:
    """Summarise each customer's purchases up to a cutoff; see `customers.customer_summary`, which says the same to the bit."""
    summary = orders.ask("customer_summary", cutoff).set_index("customer_id")
    return summary.astype({"frequency": "int64", "recency": "int64", "T": "int64", "monetary_value": "float64"})


def features(orders: Orders, cutoff: date, horizon_days: int = HORIZON_DAYS) -> pd.DataFrame:
    """Return one row of features per customer; see `features.customer_features`, which says the same to the bit."""
    return completed(orders.ask("features", cutoff, horizon_days=horizon_days).set_index("customer_id"))


def fit(model: PurchaseModel | GammaGammaModel, orders: Orders, cutoff: date) -> PurchaseModel | GammaGammaModel:
    """Fit a model on all customers of a shop, however many: what comes to the driver are distinct rows and how often each occurs.

    Parameters
    ----------
    model : PurchaseModel or GammaGammaModel
        One of `loyalty_lab.btyd`.
    orders : Orders
    cutoff : datetime.date
        Last day that may be seen.

    Returns
    -------
    PurchaseModel or GammaGammaModel
        The same model, fitted: a purchase model to the bit as on the whole summary, Gamma-Gamma but for the order of its sums.
    """
    rows = orders.counted(cutoff, model.columns)
    return model.fit(rows, sample_weight=rows["customers"])


def propose_horizon(orders: Orders, cutoff: date) -> int:
    """Propose how far ahead to look; see `customers.propose_horizon`, which says the same."""
    curve = curve_of(orders.days(cutoff).ask("purchase_gaps", cutoff))
    return fitting_horizon(curve, customer_summary(orders.days(cutoff), cutoff)["T"].max())


class ClusterHistory(snapshots.History):
    """A shop's purchase days on Spark, and the snapshots taken of them: of each, one row per customer comes to the driver.

    Parameters
    ----------
    days : Orders
        As of `Orders.days`.
    last : datetime.date
        The cutoff.
    random_state : int
        Draws the same customers as `snapshots.History` does.
    """

    def __post_init__(self) -> None:
        self.known = features(self.days, self.last)
        self.names, self.first = self.known.index, self.last - timedelta(days=int(self.known["T"].max()) if len(self.known) else 0)
        self._all = self._few = self.days
        if len(self.names) > snapshots.MOST_CUSTOMERS:
            chosen = np.random.default_rng(self.random_state).choice(len(self.names), snapshots.MOST_CUSTOMERS, replace=False)
            self._few = self.days.of(self.names[np.sort(chosen)])

    def free(self) -> None:
        """Let the cluster forget the customers that were drawn."""
        self._few.free()

    def _features(self, days: Orders, cutoff: date, horizon_days: int) -> pd.DataFrame:
        known = days is self._all and (cutoff, horizon_days) == (self.last, HORIZON_DAYS)
        return self._coded(self.known if known else features(days, cutoff, horizon_days))

    def _spend(self, days: Orders, cutoff: date, end: date) -> pd.Series:
        return self._coded(days.ask("spend_after", end, after=cutoff).set_index("customer_id"))["spend"]

    def _coded(self, frame: pd.DataFrame) -> pd.DataFrame:
        return frame.set_axis(pd.Index(self.names.get_indexer(frame.index), name="customer_id"))


def for_shop(settings: ShopSettings, orders: Orders, cutoff: date, horizon_days: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return a shop's forecast with both values, and its backtest as plain values; see `forecast.for_shop`, which says the same to the bit.

    Parameters
    ----------
    settings : ShopSettings
    orders : Orders
        As of `orders`; what lies after the cutoff is not looked at.
    cutoff : datetime.date
    horizon_days : int
    """
    history = ClusterHistory(orders.days(cutoff), cutoff)
    try:
        forecaster = forecast.CustomerForecaster(horizon_days).fit_history(history)
        scores, totals = forecaster.predict(), orders.ask("totals", cutoff).iloc[0]
        last, now = (_standing(settings, orders, totals, day) for day in (totals["last_day"], cutoff))
    finally:
        history.free()
        orders.free()
    values = {
        "customer_lifetime_value": last.lifetime_value(scores["expected_spend"], horizon_days),
        "save_value": now.save_value(scores, history.known),
    }
    return scores.assign(**values), forecaster.backtest_.to_dict()


def _standing(settings: ShopSettings, orders: Orders, totals: pd.Series, day: date) -> forecast.Standing:
    """As of `forecast.Standing.of`, from the shop's totals and its retention up to a day."""
    margin = forecast.margin_of_sums(*(float(totals[name]) for name in ("sales", "known", "rest")), settings.margin)
    before = window(window(day)[0] - DAY)
    rate = share(0, 0)
    if reaches(pd.DataFrame({"ordered_at": [totals["first_day"]]}), before):
        counts = orders.ask("yearly_retention", day, start=before[0] - DAY, middle=before[1]).iloc[0]
        rate = share(int(counts["kept"]), int(counts["started"]))
    return forecast.Standing(settings, margin, forecast.drawn_to_half(rate))
