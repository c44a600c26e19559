"""What a question may look at."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.shop import Shop


class Run(Protocol):
    """The shop at the cutoff, and its forecast once it is asked for."""

    shop: Shop
    cutoff: date
    horizon_days: int
    forecast: pd.DataFrame
    backtest: dict[str, Any]
    rounds: pd.DataFrame
    earlier: dict[str, Any] | None
