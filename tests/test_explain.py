"""What a forecast looks at is told in facts, the weightiest first, and the right way round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from loyalty_lab.explain import FACTS, drivers
from loyalty_lab.features import customer_features
from loyalty_lab.forecast import forecast_customers


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    from loyalty_lab import demo

    shop = demo.make().shop()
    return customer_features(shop.orders, shop.last_day)


def test_a_forecast_made_of_one_fact_is_explained_by_it(features):
    silence = features["days_since_last"]
    table = drivers(features, 1 / (1 + np.exp(-(silence - silence.median()) / 60)))

    first = table.iloc[0]
    assert first["fact"] == "days_since_last"
    assert first["importance"] > 0.9
    assert first["chance_high"] > first["chance_low"] + 0.2
    assert (first["low"], first["high"]) == (silence.quantile(0.1), silence.quantile(0.9))
    assert table["importance"].sum() == pytest.approx(1)
    assert set(table["fact"]) == set(FACTS)


def test_buying_often_lowers_the_chance_of_staying_away(features):
    often = features["frequency"]
    table = drivers(features, 1 / (1 + np.exp(often / 5 - 1))).set_index("fact")

    assert table.index[0] == "frequency"
    assert table.loc["frequency", "chance_high"] < table.loc["frequency", "chance_low"]


def test_the_demo_shops_forecast_hangs_on_silence_above_all():
    from loyalty_lab import demo

    shop = demo.make().shop()
    scores = forecast_customers(shop.orders, shop.last_day, 91)
    table = drivers(customer_features(shop.orders, shop.last_day), scores["churn_probability"]).set_index("fact")

    assert table.loc["days_since_last", "chance_high"] > table.loc["days_since_last", "chance_low"]
    assert table.index[0] in ("days_since_last", "own_gap", "frequency", "orders_whole")


def test_the_same_for_all_or_too_few_have_no_drivers(features):
    assert drivers(features, pd.Series(0.4, index=features.index)).empty
    assert drivers(features.head(20), pd.Series(np.linspace(0.1, 0.9, 20), index=features.index[:20])).empty


def test_the_answer_does_not_depend_on_the_order_of_customers_up_to_chance(features):
    chance = 1 / (1 + np.exp(-(features["days_since_last"] - 90) / 40))
    mixed = features.sample(frac=1, random_state=0)

    one, other = drivers(features, chance), drivers(mixed, chance.reindex(mixed.index))
    assert one["fact"].tolist()[:1] == other["fact"].tolist()[:1]
    assert one["chance_high"].to_numpy() == pytest.approx(other["chance_high"].to_numpy(), abs=0.05)
