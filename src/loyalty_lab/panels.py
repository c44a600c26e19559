"""Units over time, checked: rows of branches and periods become a full table, and starts become places in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from loyalty_lab.errors import InputError

NEVER = np.iinfo(np.int64).max


def need(table: pd.DataFrame, where: str, names: list[str], numbers: list[str]) -> None:
    """Refuse a table that lacks a column, has gaps in one, or holds in `numbers` what is none.

    Raises
    ------
    InputError
        It names the column, and the row of the first gap.

    Examples
    --------
    >>> need(pd.DataFrame({"unit": ["B1"], "value": [0.4]}), "roll-out", ["unit", "value"], ["value"])
    """
    for name in names:
        if name not in table.columns:
            raise InputError(where, f"lacks the column {name!r}; it has {list(table.columns)}", "add it, or name another")
        if table[name].isna().any():
            raise InputError(where, f"{name!r} is empty in row {table.index[table[name].isna()][0]!r}", "fill it in, or leave the row out")
    for name in numbers:
        if not pd.api.types.is_numeric_dtype(table[name]) or not np.isfinite(table[name].to_numpy(dtype="float64")).all():
            raise InputError(where, f"{name!r} holds what is no number", "give numbers")


def named(unit: Any, period: Any) -> str:
    """Name a unit in a period, as an error does.

    Examples
    --------
    >>> named("B1", np.int64(5))
    "'B1' in '5'"
    """
    return f"{str(unit)!r} in {str(period)!r}"


def laid_out(
    panel: pd.DataFrame, starts: Mapping[Any, Any], unit: str, period: str, value: str, weight: str | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay a roll-out out as arrays; a unit that began with the first period is left out.

    Parameters
    ----------
    panel : pandas.DataFrame
        One row a unit and period, every unit in every period.
    starts : mapping
        Unit -> when it began, on the scale of the periods. It counts from the first period that is not before.
    unit, period, value, weight : str
        Columns.

    Returns
    -------
    tuple of numpy.ndarray
        Values of shape (units, periods), both sorted; weight of each unit (its mean before anybody began, or 1); and the
        place of the period in which it began, `NEVER` where it did not.

    Raises
    ------
    InputError
        As `rollout.staggered` says.

    Examples
    --------
    >>> panel = pd.DataFrame({"unit": ["a", "a", "b", "b"], "period": [1, 2, 1, 2], "value": [3.0, 4.0, 5.0, 6.0]})
    >>> values, _, begun = laid_out(panel, {"a": 2}, "unit", "period", "value")
    >>> values.tolist(), (begun == NEVER).tolist()
    ([[3.0, 4.0], [5.0, 6.0]], [False, True])
    """
    need(panel, "roll-out", [unit, period, value, *([weight] if weight else [])], [value, *([weight] if weight else [])])
    twice = panel.duplicated([unit, period])
    if twice.any():
        raise InputError("roll-out", f"holds {named(*panel.loc[twice, [unit, period]].iloc[0])} twice", "keep one row a unit and period")
    wide = panel.pivot(index=unit, columns=period, values=value).sort_index(axis=1)
    if wide.isna().any(axis=None):
        row, column = np.argwhere(wide.isna().to_numpy())[0]
        raise InputError("roll-out", f"has no value of {named(wide.index[row], wide.columns[column])}", "fill it in, or leave the unit out")
    begun = _places(dict(starts), wide)
    kept = begun > 0
    if not (begun[kept] < NEVER).any():
        raise InputError("roll-out", "nobody began after the first period", "take in periods before the first start and after it")
    weights = np.ones(len(wide))
    if weight:
        early = panel[panel[period].isin(wide.columns[: begun[kept].min()])]
        weights = early.groupby(unit)[weight].mean().reindex(wide.index).to_numpy(dtype="float64")
        if (weights <= 0).any():
            raise InputError("roll-out", f"{str(wide.index[weights <= 0][0])!r} has the weight {weights.min():g}", "leave the unit out")
    return wide.to_numpy(dtype="float64")[kept], weights[kept], begun[kept]


def _places(starts: Mapping[Any, Any], wide: pd.DataFrame) -> np.ndarray:
    unknown = [each for each in starts if each not in wide.index]
    if unknown:
        raise InputError(
            "roll-out", f"says when {str(unknown[0])!r} began, which has no values", "leave it out of the starts, or add its rows"
        )
    begun = np.full(len(wide), NEVER, dtype="int64")
    for place, each in enumerate(wide.index):
        start = starts.get(each)
        if start is None or start != start:
            continue
        try:
            at = int((wide.columns < start).sum())
        except TypeError:
            what = f"{str(each)!r} began in {str(start)!r}, which does not sort among the periods"
            raise InputError("roll-out", what, "write starts as periods are written") from None
        begun[place] = at if at < wide.shape[1] else NEVER
    return begun
