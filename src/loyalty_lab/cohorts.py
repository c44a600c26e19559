"""Cohorts: how many of each quarter's new customers still bought in the quarters that followed."""

from __future__ import annotations

from datetime import date

import pandas as pd

from loyalty_lab.customers import purchase_days


def cohort_retention(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Return how many of each quarter's new customers bought in the quarters that followed.

    Quarters are calendar quarters that had ended by the cutoff. The shop's first one holds older
    customers as well, whose first purchase came before its records.

    Returns
    -------
    pandas.DataFrame
        One row per cohort and quarter since: `start` (datetime64, first day of the cohort's quarter),
        `size`, `quarter` (0 = the cohort's own), `active`, `share`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["a", "b", "a"], "ordered_at": ["2025-01-09", "2025-02-01", "2025-05-01"], "net_amount": 5.0})
    >>> cohort_retention(orders, date(2025, 6, 30))["share"].tolist()
    [1.0, 0.5]
    """
    days = purchase_days(orders, cutoff)
    quarter = days["day"].dt.year * 4 + days["day"].dt.quarter - 1
    ended = (pd.Timestamp(cutoff) + pd.Timedelta(days=1)).to_period("Q")
    beyond = ended.year * 4 + ended.quarter - 1
    first = quarter.groupby(days["customer_id"], sort=False).transform("min")
    seen = pd.DataFrame({"customer_id": days["customer_id"], "cohort": first, "quarter": quarter - first})[quarter < beyond]
    active = seen.drop_duplicates().groupby(["cohort", "quarter"]).size()
    cohorts = sorted(seen["cohort"].unique())
    rows = [(cohort, since) for cohort in cohorts for since in range(beyond - cohort)]
    table = pd.DataFrame(rows, columns=["cohort", "quarter"]).astype("int64")
    table["active"] = active.reindex(pd.MultiIndex.from_frame(table), fill_value=0).to_numpy(dtype="int64")
    table["size"] = table.groupby("cohort")["active"].transform("first").astype("int64")
    table["share"] = table["active"] / table["size"]
    starts = [f"{cohort // 4}-{3 * (cohort % 4) + 1:02d}-01" for cohort in table["cohort"]]
    return table.assign(start=pd.to_datetime(starts).astype("datetime64[us]"))[["start", "size", "quarter", "active", "share"]]
