"""How often the product's reading of a round says what, added up over everything that a round can show instead of drawn.

Where all customers come back with one chance, a round is known by two numbers: how many came back of the treated and of the
controls; or, of pairs, in how many the treated alone came back and in how many the two differ. For each value of the second the
reading is asked from which first on it says "works"; the chances of all that lies beyond are added up.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from honest.letters import decided
from loyalty_lab import rates, trial

NEGLIGIBLE = 1e-6


class Reading:
    """The reading of one split: so many treated and controls in one stratum, or in pairs."""

    def __init__(self, treated: int, control: int, pairs: bool = False) -> None:
        self.treated, self.control, self.pairs = treated, control, pairs
        self._known: dict[int, int] = {}

    @cached_property
    def _people(self) -> pd.DataFrame:
        arms = [trial.TREATED] * self.treated + [trial.CONTROL] * self.control
        pair = [str(at) for at in (*range(self.treated), *range(self.control))] if self.pairs else ""
        return pd.DataFrame({"arm": arms, "stratum": "all", "pair": pair})

    def estimate(self, first: int, second: int) -> trial.Estimate:
        """What `rates.difference` says of these two numbers."""
        there = np.zeros(self.treated + self.control, dtype=bool)
        there[:first] = True
        # Of pairs: the treated alone in the first pairs, the control alone in the ones that follow.
        start = self.treated + (first if self.pairs else 0)
        there[start : start + (second - first if self.pairs else second)] = True
        return rates.difference(self._people.assign(back=there), "back")

    def least(self, second: int) -> int:
        """From which first number on it says that the letter works; one above the largest where it never does."""
        if second not in self._known:
            most = second if self.pairs else self.treated
            low, high = self._bracket(second, min(max(self._guess(second), 0), most), most)
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if self._works(middle, second) else (middle, high)
            self._known[second] = high
        return self._known[second]

    def _guess(self, second: int) -> int:
        """As much above the last as that was above the one before."""
        last, before = (self._known.get(second - back, 0) for back in (1, 2))
        return 2 * last - before if last and before else last or second

    def _bracket(self, second: int, at: int, most: int) -> tuple[int, int]:
        """A number that it does not call a success and one that it does, in steps that double."""
        step, works = 1, self._works(at, second)
        while True:
            beyond = at - step if works else at + step
            if beyond < 0 or beyond > most:
                return (-1, at) if works else (at, most + 1)
            if self._works(beyond, second) != works:
                return (beyond, at) if works else (at, beyond)
            at, step = beyond, 2 * step

    def _works(self, first: int, second: int) -> bool:
        return decided(self.estimate(first, second)) == "works"

    def power(self, base_rate: float, raised: float) -> float:
        """The chance of being told that it works, where controls come back at the one rate and treated at the other."""
        only, other = raised * (1 - base_rate), base_rate * (1 - raised)
        apart = stats.binom(self.treated, only + other) if self.pairs else stats.binom(self.control, base_rate)
        found = range(int(apart.ppf(NEGLIGIBLE)), int(apart.isf(NEGLIGIBLE)) + 1)
        return float(sum(apart.pmf(second) * self._beyond(second, self.least(second), only / (only + other), raised) for second in found))

    def _beyond(self, second: int, least: int, share: float, raised: float) -> float:
        return float(stats.binom.sf(least - 1, second, share) if self.pairs else stats.binom.sf(least - 1, self.treated, raised))
