"""What each customer's purchases say at a cutoff: the customer summary, own rhythm, and how soon customers come back."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from loyalty_lab import database
from loyalty_lab.errors import InputError

if TYPE_CHECKING:
    import duckdb

    from loyalty_lab.shop import Shop

QUERIES = Path(__file__).parent / "sql"
PURCHASE_COLUMNS = ("customer_id", "ordered_at", "net_amount")
HORIZONS = (30, 60, 91, 126, 182, 364)
RETURNED_SHARE = 0.75
FEWEST_AT_RISK = 10
FEWEST_VISITS = 3
PER_UNIT = 10_000


def query(name: str, orders: pd.DataFrame | Path, cutoff: date, threads: int | None = None, **more: int) -> pd.DataFrame:
    """Run one of the package's SQL files on orders.

    Parameters
    ----------
    name : str
        File name below `sql/`, without its ending.
    orders : pandas.DataFrame or pathlib.Path
        At least `customer_id`, `ordered_at` (shop's time zone) and `net_amount`, one row per order or order line: a frame,
        or a Parquet file as intake writes them, which may be larger than memory. Rows without a customer are left out.
    cutoff : datetime.date
        Last day that may be seen.
    threads : int, optional
        Threads of the database, see `database.cursor`. All types are exact until the end, so the answer does not depend on it.
    **more : int
        Further parameters of the file.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`, sorted.

    Raises
    ------
    InputError
        If a column is missing, or an order of a customer has no day or an amount that is missing or infinite.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2026-03-01"], "net_amount": [9.5]})
    >>> query("purchase_days", orders, date(2026, 3, 31))["spend"].tolist()
    [9.5]
    """
    text = (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    with database.cursor(threads) as db:
        db.register("orders", _stored(orders, db) if isinstance(orders, Path) else _framed(orders))
        answer = db.execute(text, {"cutoff": pd.Timestamp(cutoff).date(), **more}).df()
    if "customer_id" not in answer:
        return answer
    if answer["customer_id"].dtype == object:  # nobody is named, so that there is nothing to tell the type by
        answer = answer.astype({"customer_id": "str"})
    return answer.set_index("customer_id")


def _framed(orders: pd.DataFrame) -> pd.DataFrame:
    """The columns of a frame that count, checked. Whether names are missing is only looked at where something is wrong."""
    _check_columns("orders", list(orders.columns))
    known = orders[list(PURCHASE_COLUMNS)]
    if _wrong(known).any():
        known = known[known["customer_id"].notna()]
        _refuse(known.loc[_wrong(known), "customer_id"])
    if known.empty:
        known = known.astype({"customer_id": "str", "ordered_at": "datetime64[us]", "net_amount": "float64"})
    return known


def _stored(path: Path, db: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    """A Parquet file, checked: what its foot says of its columns answers, so that hardly a row is read."""
    import duckdb

    try:
        orders = db.read_parquet(str(path))
    except duckdb.Error as error:
        raise InputError(path.name, f"cannot be read as Parquet: {str(error)[:80]}", "give a file that intake has written") from None
    _check_columns(path.name, orders.columns)
    holes = orders.filter("customer_id is not null and (ordered_at is null or net_amount is null)")
    _refuse(holes.select("customer_id").df()["customer_id"])
    return orders


def _check_columns(where: str, columns: list[str]) -> None:
    missing = [column for column in PURCHASE_COLUMNS if column not in columns]
    if missing:
        raise InputError(where, f"lacks the column {missing[0]!r}; it has {columns}", "rename or add the column")


def _wrong(orders: pd.DataFrame) -> pd.Series:
    amounts = pd.to_numeric(orders["net_amount"], errors="coerce").astype("float64")
    return ~np.isfinite(amounts) | orders["ordered_at"].isna()


def _refuse(customers: pd.Series) -> None:
    """Refuse the orders whose customers these are, if there are any."""
    if len(customers):
        named = ", ".join(repr(each) for each in customers.unique()[:3])
        what = f"{len(customers)} orders have no day, or an amount that is no finite number; customers {named}"
        raise InputError("orders", what, "correct them, or leave these orders out")


def customer_summary(orders: pd.DataFrame | Path, cutoff: date, threads: int | None = None) -> pd.DataFrame:
    """Summarise each customer's purchases up to a cutoff.

    A purchase day is a day on which a customer's orders net above zero; several orders on one
    day are one purchase.

    Parameters
    ----------
    orders : pandas.DataFrame or pathlib.Path
        Any frame with `customer_id`, `ordered_at` and `net_amount`; or a Parquet file, see `query`.
    cutoff : datetime.date
        Last day that may be seen.
    threads : int, optional
        See `query`.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id` (sorted, customers with at least one purchase day). `frequency` (repeat
        purchase days), `recency` (last minus first purchase day), `T` (cutoff minus first purchase
        day): int64, days. `monetary_value`: mean net value of the repeat days, float64, 0.0 where
        frequency is 0.

    References
    ----------
    Fader, Hardie, Lee (2005), "Counting your customers" the easy way, Marketing Science 24(2).

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2026-01-01", "2026-01-11", "2026-02-01"],
    ...                        "net_amount": [5.0, 8.0, 3.0]})
    >>> customer_summary(orders, date(2026, 3, 2)).loc["a"].tolist()
    [1.0, 10.0, 60.0, 8.0]
    """
    summary = query("customer_summary", orders, cutoff, threads)
    return summary.astype({"frequency": "int64", "recency": "int64", "T": "int64", "monetary_value": "float64"})


def purchase_days(orders: pd.DataFrame | Path, cutoff: date, threads: int | None = None) -> pd.DataFrame:
    """Return one row per customer and purchase day: columns `customer_id`, `day`, `spend`, in that order sorted.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a"], "ordered_at": ["2026-01-01", "2026-01-01"], "net_amount": [5.0, -1.0]})
    >>> purchase_days(orders, date(2026, 3, 2))["spend"].tolist()
    [4.0]
    """
    return query("purchase_days", orders, cutoff, threads).reset_index().astype({"day": "datetime64[us]"})


def days_since_last(orders: pd.DataFrame, cutoff: date) -> pd.Series:
    """Return the days from each customer's last purchase day to the cutoff (RFM's recency), int64.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a"], "ordered_at": ["2026-01-01"], "net_amount": [5.0]})
    >>> int(days_since_last(orders, date(2026, 1, 8))["a"])
    7
    """
    summary = customer_summary(orders, cutoff)
    return (summary["T"] - summary["recency"]).rename("days_since_last")


def own_rhythm(orders: pd.DataFrame, cutoff: date) -> pd.Series:
    """Return the median gap in days between a customer's purchase days; missing below two of them.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "a"], "ordered_at": ["2026-01-01", "2026-01-08", "2026-02-20"], "net_amount": 5.0})
    >>> float(own_rhythm(orders, date(2026, 3, 1))["a"])
    25.0
    """
    return query("features", orders, cutoff, horizon_days=HORIZONS[0])["gap_median"].astype("float64").rename("own_rhythm")


def away(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return how long each customer has been away, beside the rhythm that is held against.

    A rhythm of one's own takes three purchase days: two on following days do not make anybody come daily.

    Returns
    -------
    pandas.DataFrame
        Index `customer_id`: `days` since the last purchase day; `rhythm`, in days, the own one, else that of the middle customer who
        came back (missing where nobody has); `reason`, which of the two: "away" (the own), or "twice", "once" (so often seen so far).

    Examples
    --------
    >>> days = ["2026-01-01", "2026-01-11", "2026-01-21", "2026-02-01", "2026-02-02"]
    >>> orders = pd.DataFrame({"customer_id": list("aaabb"), "ordered_at": days, "net_amount": 5.0})
    >>> away(orders, date(2026, 3, 1))[["days", "rhythm", "reason"]].values.tolist()
    [[39, 10.0, 'away'], [27, 5.5, 'twice']]
    """
    summary, rhythm = customer_summary(orders, cutoff), own_rhythm(orders, cutoff)
    visits, days = summary["frequency"] + 1, summary["T"] - summary["recency"]
    known = visits >= FEWEST_VISITS
    reason = visits.map({1: "once", 2: "twice"}).mask(known, "away")
    return pd.DataFrame({"days": days, "rhythm": rhythm.where(known, rhythm.median()), "reason": reason})


def repurchase_curve(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Estimate how soon after a purchase day the next one comes (Kaplan-Meier, with unfinished gaps censored).

    Parameters
    ----------
    orders : pandas.DataFrame
        As for `customer_summary`.
    cutoff : datetime.date
        Last day that may be seen; each customer's last gap is cut off there.

    Returns
    -------
    pandas.DataFrame
        One row per gap length at which somebody came back: `days`, `at_risk`, `returned` (int64) and
        `share`, the estimated share of purchases followed by another within `days`. Empty if nobody came back.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "a", "b"], "ordered_at": ["2026-01-01", "2026-01-11", "2026-01-01"], "net_amount": 5.0})
    >>> repurchase_curve(orders, date(2026, 1, 31))[["days", "at_risk", "share"]].values.tolist()
    [[10.0, 3.0, 0.33...]]
    """
    days = purchase_days(orders, cutoff).rename(columns={"day": "ordered_at", "spend": "net_amount"})
    return curve_of(query("purchase_gaps", days, cutoff))


def curve_of(gaps: pd.DataFrame) -> pd.DataFrame:
    """Return the repurchase curve from the rows of `purchase_gaps.sql`, whichever engine made them.

    Examples
    --------
    >>> curve_of(pd.DataFrame({"gap": [10, 20, 30], "returned": [1, 1, 0], "ended": [2, 1, 1]}))["share"].tolist()
    [0.25, 0.625]
    """
    gaps = gaps.assign(at_risk=gaps["ended"][::-1].cumsum()[::-1])[gaps["returned"] > 0].reset_index(drop=True)
    curve = gaps.rename(columns={"gap": "days"})[["days", "at_risk", "returned"]].astype("int64")
    return curve.assign(share=1 - np.cumprod(1 - (curve["returned"] / curve["at_risk"]).to_numpy()))


def propose_horizon(orders: pd.DataFrame, cutoff: date) -> int:
    """Propose how far ahead to look, from the shop's own repurchase curve.

    The smallest of 30, 60, 91, 126, 182 and 364 days within which three quarters of those who
    ever come back have come back (share of the curve at its end, read while at least ten gaps are
    at risk), but at most half of the history, so that one earlier cutoff with a full horizon after
    it and as long a history before it exists.

    Returns
    -------
    int
        One of `HORIZONS`; 30 where the history is too short for any, or nobody came back.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": "a", "ordered_at": pd.date_range("2025-01-01", periods=10, freq="40D"), "net_amount": 5.0})
    >>> propose_horizon(orders, date(2026, 1, 31))
    60
    """
    return fitting_horizon(repurchase_curve(orders, cutoff), customer_summary(orders, cutoff)["T"].max())


def fitting_horizon(curve: pd.DataFrame, history_days: float) -> int:
    """Return what `propose_horizon` proposes, from the repurchase curve and the days since the first purchase (missing if there is none).

    Examples
    --------
    >>> fitting_horizon(pd.DataFrame({"days": [40], "at_risk": [9], "returned": [9], "share": [1.0]}), 395)
    60
    """
    reliable = curve[curve["at_risk"] >= FEWEST_AT_RISK]
    curve = curve if reliable.empty else reliable
    fitting = [horizon for horizon in HORIZONS if 2 * horizon <= history_days] or [HORIZONS[0]]
    if curve.empty:
        return fitting[0]
    reached = curve.loc[curve["share"] >= RETURNED_SHARE * curve["share"].iloc[-1], "days"].min()
    return next((horizon for horizon in fitting if horizon >= reached), fitting[-1])


def ten_thousandths(amounts: pd.Series) -> pd.Series:
    """Return money in whole ten-thousandths (int64), in which sums are exact whatever the order; missing amounts are left out.

    Examples
    --------
    >>> float(ten_thousandths(pd.Series([0.1, 0.2, None])).sum() / PER_UNIT)
    0.3
    """
    return (amounts.dropna() * PER_UNIT).round().astype("int64")


def letters_sent(shop: Shop) -> pd.DataFrame:
    """Return the contacts that went out to known customers, oldest first; one without a direction counts as sent."""
    contacts = shop.contacts
    if contacts is None:
        return pd.DataFrame({"customer_id": pd.Series(dtype="str"), "sent_at": pd.Series(dtype="datetime64[us]")})
    if "direction" in contacts.columns:
        contacts = contacts[contacts["direction"].ne("in").fillna(True).astype(bool)]
    return contacts[contacts["customer_id"].notna()].sort_values("sent_at", kind="stable")


def not_to_be_contacted(shop: Shop, cutoff: date) -> set[str]:
    """Return the customers who refused, who asked the shop to stop, or whom it contacted within the contact gap.

    Parameters
    ----------
    shop : Shop
        Cut at the cutoff; its `contact_gap_days` counts back from there.
    cutoff : datetime.date
    """
    customers, contacts, sent = shop.customers, shop.contacts, letters_sent(shop)
    barred = set(sent.loc[sent["sent_at"] > pd.Timestamp(cutoff) - pd.Timedelta(days=shop.settings.contact_gap_days), "customer_id"])
    if customers is not None and "consent_contact" in customers.columns:
        barred |= set(customers.loc[customers["consent_contact"].eq(False).fillna(False).astype(bool), "customer_id"])
    if contacts is not None and "outcome" in contacts.columns:
        barred |= set(contacts.loc[contacts["outcome"].eq("opt_out").fillna(False).astype(bool), "customer_id"])
    return barred
