"""Small shops made by hand, the demo shop, and a chain with enough customers to compare: what the tests of the practices ask."""

from __future__ import annotations

from datetime import date
from functools import cache

import pandas as pd

from loyalty_lab import demo, tables
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import Run, demo_run

CUTOFF = date(2026, 3, 31)
SETTINGS = {"name": "Corner Grocer", "currency": "GBP", "timezone": "Europe/London"}


def frame(name: str, *rows: dict) -> pd.DataFrame:
    """A typed table of the rows given; a key that is not given counts up."""
    key, made = tables.SCHEMAS[name].key[0], pd.DataFrame(list(rows))
    if key not in made.columns:
        made[key] = [str(number) for number in range(len(made))]
    return tables.typed(name, made)


def purchases(**days) -> pd.DataFrame:
    """Orders by customer: a list of days, or of (day, amount)."""
    told = [(who, *(day if isinstance(day, tuple) else (day, 10.0))) for who, each in days.items() for day in each]
    return frame("orders", *({"customer_id": who, "ordered_at": day, "net_amount": amount} for who, day, amount in told))


def shop_of(orders: pd.DataFrame, cost: dict | None = None, **more) -> Shop:
    """A shop of these orders and tables."""
    return Shop(ShopSettings(**SETTINGS, cost=cost or {}), {"orders": orders, **more})


def forecast_of(**customers) -> pd.DataFrame:
    """By customer: chance to stay away, and what keeping them is worth."""
    return pd.DataFrame.from_dict(customers, orient="index", columns=["churn_probability", "save_value"]).rename_axis("customer_id")


@cache
def the_demo() -> Run:
    """The demo shop as its notebooks see it."""
    return demo_run()


@cache
def chain(preset: str = "standard", customers: int = 4000) -> tuple[Shop, date, dict]:
    """A simulated chain, its last day, and what is true in it."""
    made = demo.make(customers=customers, preset=preset)
    shop = made.shop()
    return shop.until(shop.last_day), shop.last_day, made.truth
