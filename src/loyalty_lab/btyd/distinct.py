"""Distinct rows with counts: what a likelihood needs of many customers, and no more."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

SMALL = 100_000
ROOMY = 4


@dataclass(frozen=True)
class Distinct:
    """Distinct rows: the different values of each column, where in them each row stands, and how often each row occurs.

    A special function of one column is then evaluated once for each of its values, not once a row.
    `code` numbers the given rows, equal ones alike; None where every row stands for itself.

    Examples
    --------
    >>> rows = Distinct.of([np.array([2.0, 0.0, 2.0]), np.array([7.5, 1.0, 7.5])])
    >>> rows.column(0).tolist(), rows.counts.tolist(), rows.row.tolist()
    ([0.0, 2.0], [1.0, 2.0], [1, 0, 1])
    """

    levels: list[np.ndarray]
    at: list[np.ndarray]
    counts: np.ndarray
    code: np.ndarray | None
    _known: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, columns: list[np.ndarray], counts: np.ndarray | None = None) -> Distinct:
        """Find them, in the order of the columns; a given row may stand for several."""
        coded = [_levels(column) for column in columns]
        return cls.merged([values for values, _ in coded], [at for _, at in coded], counts)

    @classmethod
    def each(cls, columns: list[np.ndarray], counts: np.ndarray | None = None) -> Distinct:
        """Take every given row for itself: cheaper where little is asked of each, or hardly two are the same."""
        rows = np.arange(len(columns[0]))
        coded = [_whole_levels(column) or (column, rows) for column in columns]
        return cls([values for values, _ in coded], [at for _, at in coded], np.ones(len(rows)) if counts is None else counts, None)

    @classmethod
    def merged(cls, levels: list[np.ndarray], at: list[np.ndarray], counts: np.ndarray | None = None) -> Distinct:
        """Merge rows that stand at the same values."""
        code = np.zeros(len(at[0]), dtype="int64")
        for place, values in zip(at, levels, strict=True):
            code = code * max(len(values), 1) + place
        ordered = np.sort(code)
        starts = np.flatnonzero(np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]]))
        rest, found = ordered[starts], []
        for values in reversed(levels[1:]):
            rest, place = np.divmod(rest, max(len(values), 1))
            found.append(place)
        summed = np.diff(starts, append=len(code)) if counts is None else np.add.reduceat(counts[np.argsort(code, kind="stable")], starts)
        return cls(levels, [rest, *reversed(found)], summed.astype("float64"), code)

    @cached_property
    def row(self) -> np.ndarray:
        """Which distinct row each given row is."""
        if self.code is None:
            return np.arange(len(self.counts))
        cells = int(np.prod([float(len(values)) for values in self.levels]))
        if cells <= ROOMY * len(self.code):
            return _ranks(self.code, cells)[1]
        return pd.factorize(self.code, sort=True)[0]

    def scaled(self, units: list[float]) -> Distinct:
        """The same rows with each column in another unit."""
        return Distinct([values / unit for values, unit in zip(self.levels, units, strict=True)], self.at, self.counts, self.code)

    def thinned(self, every: int) -> Distinct:
        """Every so manieth distinct row: enough to find where to start."""
        return Distinct(self.levels, [at[::every] for at in self.at], self.counts[::every], None)

    def column(self, place: int) -> np.ndarray:
        """One column of the distinct rows."""
        return self.levels[place][self.at[place]]

    def count_of(self, place: int) -> np.ndarray:
        """How many rows have each value of one column."""
        return self.once(("count", place), lambda: np.bincount(self.at[place], self.counts, minlength=len(self.levels[place])))

    def once(self, name: Hashable, work: Callable[[], Any]) -> Any:
        """Work out what hangs on the rows alone when it is first asked for, and keep it."""
        if name not in self._known:
            self._known[name] = work()
        return self._known[name]

    def by(self, *places: int, work: Callable[..., np.ndarray]) -> np.ndarray:
        """Work out a function of some columns once for each of their combinations, and hand it to the distinct rows."""
        some = Distinct.merged([self.levels[place] for place in places], [self.at[place] for place in places])
        return work(some)[some.row]


def _levels(column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sorted values of a column, and where in them each row stands."""
    if found := _whole_levels(column):
        return found
    at, values = pd.factorize(column, sort=True)
    return values, at


def _whole_levels(column: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The same where all are small whole numbers, such as days; else None."""
    if not len(column) or column.min() < 0 or column.max() >= SMALL:
        return None
    whole = column.astype("int64")
    if (whole != column).any():
        return None
    values, at = _ranks(whole, int(whole.max()) + 1)
    return values.astype("float64"), at


def _ranks(numbers: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of whole numbers below `end`, and where each stands among them: by ticking off, without sorting."""
    seen = np.zeros(end, dtype=bool)
    seen[numbers] = True
    return np.flatnonzero(seen), (np.cumsum(seen) - 1)[numbers]
