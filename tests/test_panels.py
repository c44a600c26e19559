"""Rows of branches and periods become a full table, and starts become places in it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from loyalty_lab import panels


def test_units_and_periods_are_laid_out_sorted_whatever_the_rows():
    rows = [(unit, period, 10 * unit + period) for unit in (2, 0, 1) for period in (3, 1, 2)]
    panel = pd.DataFrame(rows, columns=["branch", "month", "share"], dtype="float64")

    values, weights, begun = panels.laid_out(panel, {1: 2, 2: 2.5}, "branch", "month", "share")

    assert values.tolist() == [[1, 2, 3], [11, 12, 13], [21, 22, 23]]
    assert weights.tolist() == [1, 1, 1]
    assert begun.tolist() == [panels.NEVER, 1, 2]


def test_weights_are_those_of_the_time_before_anybody_began():
    panel = pd.DataFrame([(u, t, 0.0, [10, 20, 900][t]) for u in "ab" for t in range(3)], columns=["unit", "t", "value", "people"])

    assert panels.laid_out(panel, {"a": 2}, "unit", "t", "value", "people")[1].tolist() == [15, 15]


def test_who_began_with_the_first_period_has_no_time_before_and_leaves():
    panel = pd.DataFrame([(u, t, float(t)) for u in "abcd" for t in range(3)], columns=["unit", "t", "value"])

    values, _, begun = panels.laid_out(panel, {"a": 0, "b": 1, "c": np.nan, "d": 3}, "unit", "t", "value")

    assert len(values) == 3
    assert begun.tolist() == [1, panels.NEVER, panels.NEVER]
