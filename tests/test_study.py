"""What a notebook opens: the demo shop in memory, or a run's own files; nothing later than the cutoff, and no failing on missing tables."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest

from loyalty_lab import forecast, intake, results
from loyalty_lab.errors import UsageError
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import Run, demo_run, open_run

SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")


@pytest.fixture(scope="module")
def demo() -> Run:
    return demo_run()


def test_the_demo_in_memory_is_the_demo_on_disk(demo, tmp_path):
    from loyalty_lab.demo import make, write

    write(make(), tmp_path / "demo")
    read = intake.read(tmp_path / "demo").shop().until(demo.cutoff)

    assert set(read.tables) == set(demo.shop.tables)
    for name, frame in demo.shop.tables.items():
        pd.testing.assert_frame_equal(read.tables[name], frame, obj=name)


def test_a_run_file_opens_the_tables_it_names(tmp_path, demo):
    import duckdb

    orders = demo.shop.orders
    with duckdb.connect() as db:
        db.register("orders", orders)
        db.table("orders").write_parquet(str(tmp_path / "orders.parquet"))
    scores, backtest = forecast.for_shop(demo.shop, demo.cutoff, 60)
    forecast.write(scores, tmp_path / "forecast.parquet")
    (tmp_path / "backtest.json").write_text(json.dumps(backtest))
    given = {
        "settings": SETTINGS.model_dump(mode="json"), "tables": {"orders": "orders.parquet"},
        "cutoff": "2026-06-30", "report_date": "2026-07-01", "horizon_days": 60,
    }  # fmt: skip
    (tmp_path / "settings.json").write_text(json.dumps(given))
    run = open_run(str(tmp_path / "settings.json"))

    assert run.cutoff == date(2026, 6, 30)
    assert run.shop.orders["ordered_at"].max() < pd.Timestamp("2026-07-01")
    pd.testing.assert_frame_equal(run.forecast, scores, check_names=False)


def test_a_run_file_that_is_not_there_is_a_usage_error():
    with pytest.raises(UsageError, match=r"nowhere\.json: there is no such settings file"):
        open_run("nowhere.json")


def test_without_the_table_every_step_says_what_is_missing_and_the_result_says_needs_data(demo, tmp_path):
    bare = Run(Shop(SETTINGS, {"orders": demo.shop.orders}), demo.cutoff, demo.report_date, 60, tmp_path)
    study = bare.study("answer-fast")

    for shown in (study.facts(), study.draw("waiting"), study.say("stand"), study.value(), study.act(), study.plan(), study.save()):
        assert "tickets" in shown.data
    result = results.load(tmp_path / "results" / "answer-fast.json")
    assert result.status == "needs data"
    assert result.reason.args == {"need": "tickets.first_reply_at"}


def test_saving_writes_the_result_and_the_pseudonymous_list(demo, tmp_path):
    run = Run(demo.shop, demo.cutoff, demo.report_date, demo.horizon_days, tmp_path)
    run.__dict__["_forecast_and_backtest"] = (demo.forecast, demo.backtest)
    run.study("vital-few").save()

    assert results.load(tmp_path / "results" / "vital-few.json").value.grade
    listed = pd.read_csv(tmp_path / "results" / "vital-few.candidates.csv")
    assert listed.columns[0] == "pseudonym"
    assert set(listed["pseudonym"]) <= set(demo.forecast.index)


def test_the_demo_run_writes_nothing(demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo.study("scorecard").save()

    assert list(tmp_path.iterdir()) == []
