"""The notebooks that are not tactics: what they find agrees with the shop, and they know when it is too early."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pandas as pd
import pytest

from loyalty_lab import metrics, progress, questions
from loyalty_lab.backtest import CANDIDATES
from loyalty_lab.questions import forecasts, overview
from loyalty_lab.results import Fact
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import Run, demo_run

SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")


@pytest.fixture(scope="module")
def demo() -> Run:
    return demo_run()


@pytest.fixture(scope="module")
def newborn() -> Run:
    orders = pd.DataFrame(
        {
            "order_id": ["1", "2"],
            "customer_id": ["a", "b"],
            "ordered_at": pd.to_datetime(["2026-01-05", "2026-01-09"]),
            "net_amount": [3.0, 4.0],
        }
    )
    return Run(Shop(SETTINGS, {"orders": orders}), date(2026, 1, 31), date(2026, 2, 1), 30)


def test_the_start_counts_what_the_shop_holds(demo):
    facts = questions.start_here(demo).facts

    assert facts["orders"].value == len(demo.shop.orders)
    assert facts["customers"].value == demo.shop.orders["customer_id"].dropna().nunique()
    assert facts["anonymous_share"].value == pytest.approx(demo.shop.orders["customer_id"].isna().mean())


@pytest.fixture(scope="module")
def card(demo):
    return questions.scorecard(demo)


def test_kept_and_lost_add_up_to_one(card):
    assert card.facts["customer_retention_rate"].value + card.facts["churn_rate"].value == pytest.approx(1)


def test_the_lorenz_figure_marks_the_share_that_the_fact_states(card):
    figure = next(figure for figure in card.figures if figure.id == "lorenz")

    assert figure.data["point"] == [0.2, card.facts["top_share"].value]


def test_the_year_of_the_table_of_periods_is_the_scorecards(card):
    year = card.tables["periods"].query("period == 'year'").set_index("metric")["value"]

    assert {name: pytest.approx(card.facts[name].value) for name in year.index} == year.to_dict()


def test_the_claims_are_those_of_the_articles_and_the_trap_of_the_survivors_is_told(card):
    said = [message.key for message in card.messages if message.key.startswith("claims.here.")]

    assert [claim.key.split(".")[-1] for claim in card.claims] == [key.split(".")[2] for key in said]
    assert "claims.here.more.trap" in said
    assert "claims.here.hundreds.not_shown" in said


@pytest.mark.parametrize(("mended", "variant"), [(0.0, "same"), (0.02, "same_mended")])
def test_the_last_report_is_told_with_what_was_mended_since(demo, mended, variant):
    then = date(2026, 9, 30)
    told = {name: fact.value + mended * (name == "repeat_customer_rate") for name, fact in metrics.scorecard(demo.shop, then).items()}
    run = SimpleNamespace(shop=demo.shop, cutoff=demo.cutoff, earlier={"cutoff": then.isoformat(), "facts": told})

    said = overview._since_then(run, progress.since(run.shop, run.cutoff, run.earlier))

    assert (said.key, said.args["mended"]) == (f"scorecard.since.{variant}", int(mended > 0))
    assert said.args["of"] == 5


def test_expected_leavers_are_the_sum_of_the_probabilities(demo):
    facts = questions.churn(demo).facts

    assert facts["expected_leavers"].value == pytest.approx(demo.forecast["churn_probability"].sum(), abs=0.06)
    assert facts["expected_leavers"].interval[0] <= facts["expected_leavers"].value <= facts["expected_leavers"].interval[1]


def test_the_chosen_forecast_stands_beside_the_simple_rule(demo):
    found = questions.churn(demo)
    tried = found.tables["candidates"].set_index("model")

    assert found.facts["naive_log_loss"].value == tried.loc["recency rule", "log_loss"]
    assert found.facts["log_loss"].value == tried.loc[tried["chosen"], "log_loss"].item()


def test_ways_of_forecasting_are_told_simplest_first(demo):
    stored = demo.backtest | {"candidates": dict(sorted(demo.backtest["candidates"].items()))}

    told = forecasts._candidates(stored["candidates"], stored["chosen"], ("log_loss", "auc"))["model"].tolist()

    assert told == [name for name in CANDIDATES if name in stored["candidates"]]
    assert told[0] == "recency rule"


def test_the_best_tenth_holds_the_share_it_is_said_to(demo):
    worth = demo.forecast["customer_lifetime_value"].sort_values(ascending=False)

    assert questions.lifetime_value(demo).facts["top_decile_share"].value == pytest.approx(worth.iloc[:40].sum() / worth.sum())


def test_the_sentence_of_a_hundred_speaks_of_a_tenth_of_the_customers(demo):
    said = next(message for message in questions.churn(demo).messages if message.key == "churn.like")

    assert said.args["n"] == 40
    assert said.args["low"] <= said.args["share"] <= said.args["high"]


def test_the_drivers_told_are_the_weightiest(demo):
    found = questions.churn(demo)
    told = [message.key.split(".")[-1] for message in found.messages if message.key.startswith("churn.driver.")]

    weighty = found.tables["drivers"]["fact"].tolist()
    assert told
    assert [fact for fact in weighty if fact in told] == told


def test_the_number_of_earlier_dates_chooses_the_plural_form(demo):
    stand = next(message for message in questions.churn(demo).messages if message.key.startswith("churn.stand."))

    assert stand.args["n"] == stand.args["cutoffs"] == len(demo.backtest["cutoffs"])


def test_the_total_is_said_with_its_range(demo):
    spend = questions.lifetime_value(demo).facts["expected_spend"]

    assert spend.interval[0] < spend.value < spend.interval[1]
    assert spend.value == pytest.approx(demo.forecast["expected_spend"].sum())


def test_stages_cover_every_customer_and_moves_count_everybody_once(demo):
    found = questions.segments(demo)
    stages = {name: found.facts[name].value for name in ("new", "active", "slipping", "lost", "regained")}
    moved = found.tables["moved"].set_index("before")

    assert sum(stages.values()) == len(demo.forecast)
    assert moved.loc["total", "total"] == len(demo.forecast)
    assert moved.loc["total", list(stages)].to_dict() == stages
    assert found.tables["grid"]["customers"].sum() == len(demo.forecast)


def test_those_who_fell_back_are_counted_among_those_once_in_touch(demo):
    found = questions.segments(demo)
    moved = found.tables["moved"].set_index("before")
    started = moved.loc[["new", "active", "regained"]].sum()

    assert found.facts["fell_back"].n == started["total"]
    assert found.facts["fell_back"].value == pytest.approx((started["slipping"] + started["lost"]) / started["total"])


@pytest.mark.parametrize("slug", ["scorecard", "churn", "lifetime-value"])
def test_a_newborn_shop_is_told_that_it_is_too_early(newborn, slug):
    assert newborn.study(slug).status == "too early"


@pytest.mark.parametrize(
    ("value", "interval", "before", "verdict"),
    [
        (0.5, (0.4, 0.6, 0.95), 0.7, "worse"),
        (0.5, (0.4, 0.6, 0.95), 0.3, "better"),
        (0.5, (0.4, 0.6, 0.95), 0.55, "steady"),
        (0.5, (0.4, 0.6, 0.95), None, "first_year"),
        (None, None, 0.5, "too_early"),
    ],
)
def test_a_change_is_only_called_one_when_it_leaves_the_interval(value, interval, before, verdict):
    fact = Fact(value=value, unit="share", interval=interval)

    assert overview._verdict(fact, before) == verdict
