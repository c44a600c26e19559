"""Baskets: from what a customer spends to order lines, discounts, refunds and margins, in whole pence."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyalty_lab.demo.life import STAFF_OF_A_BRANCH, Life, branch_names, calendar
from loyalty_lab.demo.parameters import DAYS, Parameters
from loyalty_lab.demo.words import goods, words

SMALLEST, SLOTS = 100, 3


def sales(life: Life, rng: np.random.Generator) -> pd.DataFrame:
    """Return every sale in order of time: the customers' purchases, anonymous ones, and those that came to nothing.

    Returns
    -------
    pandas.DataFrame
        `order_id`, `customer` (-1 if anonymous), `at`, `amount` in pence before discounts, `status`, channel,
        branch and what happened. One anonymous sale stands on the last day, so that the shop's last day is fixed.
    """
    truth, bought = life.parameters, life.purchases
    extra = _anonymous(truth, len(bought), rng), _came_to_nothing(bought, rng)
    rows = pd.concat([bought.assign(status="paid"), *extra], ignore_index=True)
    known = rows["customer"].to_numpy() >= 0
    traits = life.traits.iloc[rows["customer"].clip(lower=0)].reset_index(drop=True)
    basket = np.where(known, traits["basket"], 0.6 * truth.basket_median)
    spread = truth.basket_spread_within
    amount = np.rint(100 * basket * np.exp(spread * rng.normal(size=len(rows)) - spread**2 / 2))
    for name in ("delivered", "late", "ticket", "slow", "returned", "refused", "letter", "opt_out"):
        rows[name] = rows[name].eq(True)
    rows["branch"] = np.where(known, traits["branch"], rng.integers(0, truth.branches, len(rows)))
    rows["staff"] = rows["staff"].where(known & rows["staff"].notna(), rng.integers(0, STAFF_OF_A_BRANCH, len(rows))).astype(int)
    rows["channel"] = np.where(~rows["delivered"], "counter", np.where(rng.random(len(rows)) < 0.7, "web", "phone"))
    rows["at"] = _moments(rows, rng)
    rows["amount"] = np.maximum(_topped_up(amount, rows["delivered"], truth, rng), SMALLEST).astype(int)
    rows = rows.sort_values(["at", "customer"], kind="stable", ignore_index=True)
    return rows.assign(order_id=[str(number) for number in range(10_001, 10_001 + len(rows))])


def _topped_up(amount: np.ndarray, delivered: pd.Series, truth: Parameters, rng: np.random.Generator) -> np.ndarray:
    """Baskets just below the amount from which delivery is free, of which some are filled up to it."""
    free = truth.free_delivery_pence
    near = delivered.to_numpy() & (amount >= 0.85 * free) & (amount < free) & (rng.random(len(amount)) < truth.topped_up_share)
    return np.where(near, free + rng.integers(0, 100, len(amount)), amount)


def _anonymous(truth: Parameters, bought: int, rng: np.random.Generator) -> pd.DataFrame:
    day = rng.integers(0, DAYS, max(1, round(truth.anonymous_share * bought)))
    day[0] = DAYS - 1
    return pd.DataFrame({"customer": -1, "day": day, "status": "paid"})


def _came_to_nothing(bought: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    chosen = bought.loc[rng.random(len(bought)) < 0.012, ["customer", "day", "delivered"]]
    status = rng.choice(["cancelled", "unpaid", "refunded"], len(chosen), p=[0.5, 0.35, 0.15])
    return chosen.assign(status=status)


def _moments(rows: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    opens, closes = np.where(rows["channel"] == "web", 7, 8), np.where(rows["channel"] == "web", 23, 20)
    minutes = (60 * (opens + (closes - opens) * rng.random(len(rows)))).astype("int64")
    return calendar().to_numpy("datetime64[D]")[rows["day"]] + minutes.astype("timedelta64[m]")


def lines(sold: pd.DataFrame, truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    """Fill the baskets of paid sales: packed goods at their price, and the rest weighed, so that each adds up.

    Returns
    -------
    pandas.DataFrame
        One row a line, by order: `sale` (position in `sold`), `line`, product columns, and `amount`,
        `discount`, `refund` in pence.
    """
    paid = np.flatnonzero(sold["status"] == "paid")
    amount, (product, kind, price) = sold["amount"].to_numpy()[paid], goods()
    popular = 1.0 / (1.0 + rng.permutation(len(price)))
    code, weighed_code = _codes("P{:02d}", len(price)), _codes("W{}", len(words()["weighed"]))
    left, parts = amount.copy(), []
    for _ in range(SLOTS):
        chosen = rng.choice(len(price), len(paid), p=popular / popular.sum())
        quantity = rng.choice([1, 1, 1, 2, 3], len(paid))
        taken = (quantity * price[chosen] <= left - 0.15 * amount) & (rng.random(len(paid)) < 0.5)
        left = left - np.where(taken, quantity * price[chosen], 0)
        at = np.flatnonzero(taken)
        which = chosen[at]
        parts.append(_part(paid[at], code[which], product[which], kind[which], quantity[at], price[which]))
    weighed = rng.integers(0, len(words()["weighed"]), len(paid))
    named = np.array(words()["weighed"], object)[weighed], np.array(words()["weighed_kinds"], object)[weighed]
    parts.append(_part(paid, weighed_code[weighed], *named, np.ones(len(paid), int), left))
    rows = pd.concat(parts, ignore_index=True).sort_values("sale", kind="stable", ignore_index=True)
    rows["line"] = rows.groupby("sale").cumcount() + 1
    return _reduced(rows, sold, truth, rng)


def _codes(form: str, n: int) -> np.ndarray:
    return np.array([form.format(number) for number in range(1, n + 1)], object)


def _part(sale: np.ndarray, code: np.ndarray, *described: np.ndarray) -> pd.DataFrame:
    product, kind, quantity, price = described
    columns = {"sale": sale, "product_id": code, "product": product, "category": kind, "quantity": quantity, "unit_price": price}
    return pd.DataFrame(columns).assign(amount=quantity * price)


def _reduced(rows: pd.DataFrame, sold: pd.DataFrame, truth: Parameters, rng: np.random.Generator) -> pd.DataFrame:
    rate = np.where(rng.random(len(sold)) < truth.discount_share, rng.choice(truth.discount_rates, len(sold)), 0.0)
    discount = np.rint(rows["amount"] * rate[rows["sale"]]).astype(int)
    last = ~rows["sale"].duplicated(keep="last")
    alone = last & rows["line"].eq(1)
    first = rows["line"].eq(1)
    asked = np.where(alone, (rows["amount"] - discount) // 2, rows["amount"] - discount) * first
    booked = sold["refunded_at"].notna().to_numpy()[rows["sale"]]
    return rows.assign(discount=discount, asked=asked, refund=asked * booked)


def orders(sold: pd.DataFrame, filled: pd.DataFrame, truth: Parameters, customer_ids: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table of orders in the shop's own numbers, money in pounds."""
    sums = filled.groupby("sale")[["discount", "refund"]].sum().reindex(np.arange(len(sold)), fill_value=0)
    gross, discount = sold["amount"].to_numpy(), sums["discount"].to_numpy()
    refund = np.where(sold["status"] == "refunded", gross - discount, sums["refund"])
    rate = np.clip(rng.normal(truth.margin_rate, 0.03, len(sold)), 0.1, 0.5)
    margin = np.rint((gross - refund) * rate - discount).astype(int)
    margin[sold["status"] == "refunded"] = 0
    staff = STAFF_OF_A_BRANCH * sold["branch"] + sold["staff"] + 1
    return pd.DataFrame(
        {
            "order_id": sold["order_id"],
            "customer_id": np.where(sold["customer"] >= 0, customer_ids[sold["customer"].clip(lower=0)], None),
            "ordered_at": sold["at"],
            "net_amount": (gross - discount - refund) / 100,
            "gross_amount": gross / 100,
            "discount_amount": discount / 100,
            "refund_amount": refund / 100,
            "shipping_amount": sold["fee"] / 100,
            "margin_amount": margin / 100,
            "status": sold["status"].replace("refunded", "paid"),
            "channel": sold["channel"],
            "branch_id": branch_names(truth)[sold["branch"]],
            "staff_id": [f"S{number}" for number in staff],
        }
    )


def order_lines(sold: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
    """Return the table of order lines, money in pounds; they add up to the orders to the penny."""
    return pd.DataFrame(
        {
            "order_id": sold["order_id"].to_numpy()[filled["sale"]],
            "line": filled["line"],
            "product_id": filled["product_id"],
            "product": filled["product"],
            "category": filled["category"],
            "quantity": filled["quantity"],
            "unit_price": filled["unit_price"] / 100,
            "net_amount": (filled["amount"] - filled["discount"] - filled["refund"]) / 100,
        }
    )
