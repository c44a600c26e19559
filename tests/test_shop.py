"""shop.toml is checked key by key, and a shop at its cutoff holds nothing later."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from loyalty_lab import tables
from loyalty_lab.errors import InputError
from loyalty_lab.shop import Shop, ShopSettings, load_settings

GOOD = 'name = "Corner Grocer"\ncurrency = "GBP"\ntimezone = "Europe/London"\n'
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")


def load(tmp_path, text: str) -> ShopSettings:
    (tmp_path / "shop.toml").write_text(text, encoding="utf-8")
    return load_settings(tmp_path)


def test_three_keys_are_enough_and_the_rest_has_its_documented_default(tmp_path):
    settings = load(tmp_path, GOOD)

    assert (settings.margin, settings.discount_rate, settings.clv_years) == (0.30, 0.10, 3)
    assert (settings.contact_gap_days, settings.freshness_days, settings.languages) == (21, 14, ["en"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "margn = 0.3\n", ("'margn' is unknown", "Did you mean 'margin'?")),
        (GOOD + '[brand]\nacent = "#000000"\n', ("'brand.acent'", "Did you mean 'accent'?")),
        (GOOD + '[[sources]]\nfile = "x"\nprofil = "mapped"\n', ("profil", "Did you mean 'profile'?")),
        (GOOD + '[[sources]]\nfile = "x"\ntable = "order"\n', ("'order'",)),
        (GOOD + "margin = 30\n", ("margin = 30",)),
        (
            GOOD + "[targets]\ncustomer_retention = 0.6\n",
            ("'targets.customer_retention' is unknown", "Did you mean 'customer_retention_rate'?"),
        ),
        (GOOD + "[targets]\ncustomer_retention_rate = 60\n", ("targets.customer_retention_rate = 60",)),
        (GOOD + "[targets]\nnet_promoter_score = nan\n", ("targets.net_promoter_score = nan",)),
        (GOOD + "[targets]\npurchase_frequency = 0.5\n", ("targets.purchase_frequency = 0.5",)),
        (GOOD + 'languages = ["de"]\n', ("'de'",)),
        (GOOD.replace("Europe/London", "Europe/Londno"), ("'Europe/Londno' is not a time zone",)),
        (GOOD.replace("GBP", "pounds"), ("'pounds'",)),
        (GOOD.replace('name = "Corner Grocer"\n', ""), ("'name' is missing",)),
        ("name = \n", ("not valid TOML", "line 1")),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(tmp_path, text, words):
    with pytest.raises(InputError) as refused:
        load(tmp_path, text)
    for word in ("shop.toml", *words):
        assert word in str(refused.value)


def test_a_folder_without_settings_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="loyalty-lab new"):
        load_settings(tmp_path)


def frame(name: str, **columns) -> pd.DataFrame:
    return tables.typed(name, pd.DataFrame(columns))


def test_at_its_cutoff_a_shop_knows_nothing_later():
    orders = frame(
        "orders", order_id=["1", "2"], customer_id=["a", "a"], ordered_at=["2026-03-01 23:59", "2026-03-02"], net_amount=[1.0, 2.0]
    )
    lines = frame("order_lines", order_id=["1", "2"], line=[1, 1], quantity=[1, 1], net_amount=[1.0, 2.0])
    surveys = frame("surveys", survey_id=["1"], customer_id=["a"], asked_at=["2026-03-01"], answered_at=["2026-03-05"], nps=[9], csat=[5])
    returns = frame(
        "returns", return_id=["1"], order_id=["1"], requested_at=["2026-03-01"], decided_at=["2026-03-04"], decision=["refused"]
    )
    promised = frame("tickets", ticket_id=["1"], customer_id=["a"], opened_at=["2026-03-01"], promised_by=["2026-03-09"])
    seen = Shop(SETTINGS, {"orders": orders, "order_lines": lines, "surveys": surveys, "returns": returns, "tickets": promised}).until(
        date(2026, 3, 1)
    )

    assert seen.orders["order_id"].tolist() == seen.order_lines["order_id"].tolist() == ["1"]
    assert seen.last_day == date(2026, 3, 1)
    assert seen.surveys[["answered_at", "nps", "csat"]].isna().all(axis=None)
    assert seen.returns[["decided_at", "decision"]].isna().all(axis=None)
    assert seen.tickets["promised_by"].notna().all(), "a promise may lie ahead"


@pytest.mark.parametrize(
    ("needs", "lacking"),
    [
        (("orders",), None),
        (("orders", "tickets"), "tickets"),
        (("orders.margin_amount",), "orders.margin_amount"),
        (("orders.channel",), "orders.channel"),
    ],
)
def test_what_a_shop_lacks_is_named(needs, lacking):
    orders = frame("orders", order_id=["1"], customer_id=["a"], ordered_at=["2026-03-01"], net_amount=[1.0], channel=[None])

    assert Shop(SETTINGS, {"orders": orders}).lacks(needs) == lacking


def test_margin_is_the_order_s_own_where_it_is_known():
    orders = frame(
        "orders",
        order_id=["1", "2"],
        customer_id=["a", "b"],
        ordered_at=["2026-03-01"] * 2,
        net_amount=[10.0, 10.0],
        margin_amount=[7.0, None],
    )

    assert Shop(SETTINGS, {"orders": orders}).margin_of(orders).tolist() == [7.0, 3.0]
