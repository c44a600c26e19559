"""What a comparison says: a difference, its 95% interval and its p-value; nothing where it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

from loyalty_lab.proportions import LEVEL, Z


@dataclass(frozen=True)
class Estimate:
    """A difference between treated and control with its 95% interval and p-value; None where it cannot be told."""

    value: float | None
    low: float | None
    high: float | None
    p: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.low is not None and (self.low > 0 or self.high < 0)

    @property
    def standard_error(self) -> float:
        """Half the interval in normal standard errors; 0.0 where there is none."""
        return 0.0 if self.low is None else (self.high - self.low) / (2 * Z)


NOTHING = Estimate(None, None, None, None)


def estimate(value: float, spread: float, freedom: int | None = None) -> Estimate:
    """Return an estimate from its standard error: normal, or Student's t where degrees of freedom are given.

    Examples
    --------
    >>> found = estimate(0.10, 0.05)
    >>> round(found.low, 3), round(found.high, 3), round(found.p, 3), found.clear
    (0.002, 0.198, 0.046, True)
    """
    from scipy.special import ndtr, stdtr, stdtrit

    value, spread = float(value), float(spread)
    if spread == 0:
        return Estimate(value, value, value, 1.0 if value == 0 else 0.0)
    wide = Z if freedom is None else float(stdtrit(freedom, (1 + LEVEL) / 2))
    tail = ndtr(-abs(value / spread)) if freedom is None else stdtr(freedom, -abs(value / spread))
    return Estimate(value, value - wide * spread, value + wide * spread, float(2 * tail))
