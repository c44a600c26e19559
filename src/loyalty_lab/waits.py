"""How long something takes where some still wait: the share that is over by each day, and the share that was kept of what was promised."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from loyalty_lab import records
from loyalty_lab.periods import DAY, within, year_to
from loyalty_lab.proportions import share
from loyalty_lab.results import Fact, Figure

if TYPE_CHECKING:
    from loyalty_lab.shop import Shop


def waiting_curve(wait: pd.Series, replied: pd.Series) -> pd.DataFrame:
    """Estimate the share of waits that are over by each length (Kaplan-Meier).

    Parameters
    ----------
    wait : pandas.Series
        Days to the end, or so far.
    replied : pandas.Series
        False where the wait goes on.

    Returns
    -------
    pandas.DataFrame
        One row per length at which a wait ended: `days`, `at_risk`, `replied`, `share`.

    References
    ----------
    Kaplan, Meier (1958), Nonparametric estimation from incomplete observations, JASA 53.

    Examples
    --------
    >>> waiting_curve(pd.Series([1.0, 2.0, 3.0]), pd.Series([True, False, True]))["share"].round(3).tolist()
    [0.333, 1.0]
    """
    days, answered = np.unique(wait[replied].to_numpy(), return_counts=True)
    at_risk = len(wait) - np.searchsorted(np.sort(wait.to_numpy()), days)
    share = 1 - np.cumprod(1 - answered / np.maximum(at_risk, 1))
    return pd.DataFrame({"days": days, "at_risk": at_risk, "replied": answered, "share": share})


def reached(curve: pd.DataFrame, share: float) -> float | None:
    """Return the days by which so large a share was over; None where the curve ends below it.

    Examples
    --------
    >>> reached(waiting_curve(pd.Series([1.0, 2.0, 3.0]), pd.Series([True, True, False])), 0.5)
    2.0
    """
    days = curve.loc[curve["share"] >= share - 1e-12, "days"]
    return round(float(days.iloc[0]), 2) if len(days) else None


def figure(
    slug: str, name: str, curve: pd.DataFrame, args: dict[str, Any], marked: list[float], whole_days: bool = False
) -> tuple[Figure, ...]:
    """Return the curve as a figure whose line is called by the text ``<slug>.line``; none where no wait has ended.

    Parameters
    ----------
    slug, name : str
    curve : pandas.DataFrame
        As of `waiting_curve`.
    args : dict
        What title and description may speak of.
    marked : list of float
        Days to be marked.
    whole_days : bool
        Days are counted, not measured: the curve begins on the evening before, so that what is over on the same day is seen.
    """
    if curve.empty:
        return ()
    days, shares = [-1.0 if whole_days else 0.0, *curve["days"]], [0.0, *curve["share"]]
    line = {"label": {"key": f"{slug}.line", "args": {}}, "shares": [*shares, shares[-1]]}
    data = {"days": [*days, max(1.0, days[-1])], "lines": [line], "reference_days": marked}
    return (Figure.of(slug, name, "curve", data, args),)


def promises_kept(shop: Shop, cutoff: date) -> Fact:
    """Return the share of the year's promises of an answer that were kept; one that is not due yet counts neither way."""
    tickets = records.of(shop, "tickets")
    done = tickets["resolved_at"] if tickets["resolved_at"].notna().any() else tickets["first_reply_at"]
    promised = tickets["promised_by"].where(tickets["customer_id"].notna() & within(tickets["opened_at"], year_to(cutoff)))
    due = promised.notna() & (done.notna() | (promised < pd.Timestamp(cutoff) + DAY))
    return share(int((done <= promised)[due].sum()), int(due.sum()), year_to(cutoff))
