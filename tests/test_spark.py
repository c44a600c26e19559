"""Spark says the same as DuckDB, to the bit, from the same SQL text; and no row of a single order comes to the driver."""

from __future__ import annotations

import gc
import shutil
from datetime import date
from itertools import combinations_with_replacement
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pyspark", reason="needs loyalty_lab[spark]")
pytest.importorskip("sqlglot", reason="needs loyalty_lab[spark]")
if not shutil.which("java"):
    pytest.skip("needs Java 17 or later", allow_module_level=True)

import duckdb

from loyalty_lab import btyd, customers, forecast, snapshots, spark
from loyalty_lab import features as here
from loyalty_lab.errors import InputError, UsageError
from loyalty_lab.shop import Shop, ShopSettings

CUTOFF = date(2026, 3, 31)
MORE = {
    "features": {"horizon_days": 91},
    "spend_after": {"after": date(2025, 11, 30)},
    "yearly_retention": {"start": date(2024, 3, 31), "middle": date(2025, 3, 31)},
}
EDGES = ("2024-03-31 23:59", "2024-04-01 00:00", "2025-03-31 23:59", "2025-04-01 00:00", "2026-03-31 23:59", "2026-04-01 00:00")
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London", margin=0.25)


def orders_of(people: int = 400, seed: int = 1) -> pd.DataFrame:
    """Two years and a half of orders: days of several orders, refunds that undo a day, anonymous sales, margins known of some only."""
    draw = np.random.default_rng(seed)
    n = people * 12
    who = draw.choice(people, n, p=(weights := draw.gamma(0.6, 1, people)) / weights.sum())
    leaves = draw.uniform(0, 1000, people)[who]
    day = np.minimum(draw.integers(0, 912, n), np.maximum(leaves, 20).astype(int))
    moments = pd.Timestamp("2023-11-01") + pd.to_timedelta(day * 24 + draw.integers(8, 20, n), unit="h")
    amounts = np.where(draw.random(n) < 0.05, -20.1, draw.gamma(2, 15, n) + 0.01).round(2)
    names = pd.Series([f"{'çay' if i % 7 == 0 else 'C'}{i:04d}" for i in who], dtype="str").mask(draw.random(n) < 0.03)
    margins = pd.Series((amounts * draw.uniform(0.1, 0.5, n)).round(4)).mask(draw.random(n) < 0.4)
    ids = [f"o{i // 2 if i % 9 == 0 else i}" for i in range(n)]
    bought = pd.DataFrame({"order_id": ids, "customer_id": names, "ordered_at": moments, "net_amount": amounts, "margin_amount": margins})
    return pd.concat([bought, at_the_edges()], ignore_index=True).astype({"ordered_at": "datetime64[us]"})


def at_the_edges() -> pd.DataFrame:
    """Customers who bought on two of the days on which a year before the cutoff begins or ends."""
    rows = [(f"E{i}", day) for i, pair in enumerate(combinations_with_replacement(EDGES, 2)) for day in pair]
    frame = pd.DataFrame(rows, columns=["customer_id", "ordered_at"]).astype({"ordered_at": "datetime64[us]"})
    return frame.assign(order_id=[f"e{i}" for i in range(len(frame))], net_amount=12.5)


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    return orders_of()


@pytest.fixture(scope="module")
def stored(orders, tmp_path_factory) -> Path:
    """The orders as intake keeps them."""
    path = tmp_path_factory.mktemp("tables") / "orders.parquet"
    money = ", ".join(f"cast({name} as decimal(18, 4)) as {name}" for name in ("net_amount", "margin_amount"))
    with duckdb.connect() as db:
        db.register("orders", orders)
        db.execute(f"copy (select order_id, customer_id, ordered_at, {money} from orders) to '{path}' (format parquet)")
    return path


@pytest.fixture(scope="module")
def session():
    """Spark on two cores of this machine."""
    with pytest.MonkeyPatch.context() as patch:
        # For a minute's work, code that is compiled well takes longer to compile than it saves.
        patch.setenv("JAVA_TOOL_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        running = spark.session("local[2]")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def source(session, stored) -> spark.Orders:
    return spark.orders(session, stored)


def test_without_pyspark_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(spark, "find_spec", lambda name: None)

    with pytest.raises(UsageError, match=r"pip install 'loyalty_lab\[spark\]'"):
        spark.session()


def test_without_java_java_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(UsageError, match="install Java 17"):
        spark.session()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pyspark forgets a pipe to it
def test_a_java_that_does_not_start_is_quoted(monkeypatch, tmp_path):
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'WARNING: slow' >&2\necho 'this java is too old' >&2\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    with pytest.raises(UsageError, match="this java is too old"):
        spark.session("local[1]")
    gc.collect()


def test_a_master_that_cannot_be_reached_is_named_at_once():
    with pytest.raises(UsageError, match=r"127\.0\.0\.1:1 cannot be reached"):
        spark.session("spark://127.0.0.1:1")


@pytest.mark.parametrize("name", sorted(path.stem for path in customers.QUERIES.glob("*.sql")))
def test_every_query_of_the_package_gives_the_same_bits_on_both_engines(name, source, stored):
    given = MORE.get(name, {})

    there = source.ask(name, CUTOFF, **given)

    with duckdb.connect() as db:
        db.execute(f"create view orders as from '{stored}'")
        answer = db.execute((customers.QUERIES / f"{name}.sql").read_text(encoding="utf-8"), {"cutoff": CUTOFF, **given}).df()
    dates = {column: "datetime64[us]" for column in answer if "day" in column.split("_") and answer[column].dtype.kind == "M"}
    pd.testing.assert_frame_equal(there.astype(dates), answer.astype(dates), check_exact=True, check_dtype=False)
    assert len(there)


def test_summary_features_and_horizon_are_those_of_one_machine(source, orders):
    for cutoff in (CUTOFF, date(2024, 6, 30)):
        summary, table = spark.customer_summary(source, cutoff), spark.features(source, cutoff, 60)

        pd.testing.assert_frame_equal(summary, customers.customer_summary(orders, cutoff), check_exact=True)
        pd.testing.assert_frame_equal(table, here.customer_features(orders, cutoff, horizon_days=60), check_exact=True)
        assert spark.propose_horizon(source, cutoff) == customers.propose_horizon(orders, cutoff)


@pytest.mark.parametrize("model", [btyd.BetaGeoModel, btyd.ModifiedBetaGeoModel, btyd.ParetoNBDModel, btyd.GammaGammaModel])
def test_models_are_fitted_on_distinct_rows_with_their_counts(source, orders, model):
    summary = customers.customer_summary(orders, CUTOFF)
    rows, fitted, expected = source.counted(CUTOFF, model.columns), spark.fit(model(), source, CUTOFF), model().fit(summary)

    assert rows["customers"].sum() == len(summary) > len(rows)
    assert fitted.converged_
    np.testing.assert_allclose(fitted.params_, expected.params_, rtol=1e-6 if model is btyd.GammaGammaModel else 0)
    np.testing.assert_allclose(fitted.log_likelihood_, expected.log_likelihood_, rtol=1e-12)


def test_scores_and_backtest_are_those_of_one_machine_and_only_customers_come_to_the_driver(source, orders, monkeypatch):
    monkeypatch.setattr(snapshots, "MOST_CUSTOMERS", 150)
    monkeypatch.setattr(snapshots, "MOST_TO_FIT", 200)
    asked, came = spark.Orders.ask, []
    monkeypatch.setattr(spark.Orders, "ask", lambda *words, **more: came.append(answer := asked(*words, **more)) or answer)

    scores, report = spark.for_shop(SETTINGS, source, CUTOFF, 182)

    seen = orders[orders["ordered_at"] < "2026-04-01"]
    expected, its_report = forecast.for_shop(Shop(SETTINGS, {"orders": seen}), CUTOFF, 182)
    pd.testing.assert_frame_equal(scores, expected, check_exact=True)
    assert report == its_report
    assert len(came) > 10
    assert max(map(len, came)) == len(scores)
    assert all(set(answer.columns) & {"day", "order_id"} == set() for answer in came)


def test_a_shop_that_knows_nobody_scores_nobody(session):
    anonymous = session.sql("select cast(null as string) as customer_id, timestamp_ntz'2026-03-01 09:00' as ordered_at, 9.5 as net_amount")
    source = spark.checked(anonymous)

    scores, report = spark.for_shop(SETTINGS, source, CUTOFF, 30)

    assert scores.empty
    assert report["chosen"] == "too early"


def test_a_table_of_the_catalogue_is_read_like_the_file(session, stored, source):
    session.read.parquet(str(stored)).drop("order_id", "margin_amount").createOrReplaceTempView("till")

    summary = spark.customer_summary(spark.orders(session, "till"), CUTOFF)

    pd.testing.assert_frame_equal(summary, spark.customer_summary(source, CUTOFF), check_exact=True)


def test_what_is_wrong_with_a_source_is_said_as_for_a_frame(session, stored):
    table = session.read.parquet(str(stored))
    table.drop("net_amount").createOrReplaceTempView("no_amounts")
    table.selectExpr("'zoe' as customer_id", "ordered_at", "cast('NaN' as double) as net_amount").limit(2).createOrReplaceTempView("holes")

    with pytest.raises(InputError, match="lacks the column 'net_amount'"):
        spark.orders(session, "no_amounts")
    with pytest.raises(InputError, match="2 orders have no day, or an amount that is no finite number; customers 'zoe'"):
        spark.orders(session, "holes")
    with pytest.raises(InputError, match="no_such_table: cannot be read"):
        spark.orders(session, "no_such_table")
    with pytest.raises(InputError, match="cannot be read"):
        spark.orders(session, stored.with_name("other.parquet"))


def test_nothing_stays_behind_on_the_cluster(session, source):
    days = source.days(CUTOFF)
    few = days.of(pd.Index(["C0001", "C0002"]))
    assert days.frame.storageLevel.useMemory
    assert few.frame.storageLevel.useMemory

    few.free()
    source.free()

    assert not days.frame.storageLevel.useMemory
    assert not few.frame.storageLevel.useMemory
    assert not [table for table in session.catalog.listTables() if table.name.startswith("loyalty_lab_")]
