"""What is true in the simulated shop: rates, effects, seasons and sizes, by preset."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date
from types import MappingProxyType

from loyalty_lab.errors import UsageError, near_match

FIRST_DAY = date(2024, 11, 1)
LAST_DAY = date(2026, 10, 31)
ASKING_FROM = date(2025, 9, 1)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
RETURN_DAYS = 90
SLOW_HOURS = 48
WEEK = (0.90, 0.85, 0.90, 1.00, 1.20, 1.45, 0.70)
MONTHS = MappingProxyType({1: 0.85, 8: 0.90, 12: 1.50})
EFFECTS = MappingProxyType({"late": 0.9, "slow": 0.6, "refused": 1.3, "greeted": -0.15, "letter": -0.35, "warm": -0.7, "remote": 0.4})


@dataclass(frozen=True)
class Parameters:
    """The known truth of one simulated shop.

    Rates are per year, `effects` and everything that begins with `odds` are log-odds.
    `effects` act on the chance of never coming back after a purchase.
    """

    customers: int
    effects: dict[str, float] = field(default_factory=lambda: dict(EFFECTS))
    rate_shape: float = 1.4
    rate_mean: float = 11.0
    odds_drop: float = -1.05
    odds_drop_per_visit: float = -0.45
    regular_after: int = 7
    odds_late: float = -2.1
    odds_late_remote: float = 1.1
    odds_late_peak: float = 0.9
    odds_ticket: float = -2.1
    odds_ticket_late: float = 1.6
    odds_slow: float = -1.1
    odds_slow_peak: float = 1.4
    odds_slow_backlog: float = 2.2
    odds_slow_after_rollout: float = -0.9
    backlog_from: date = date(2026, 9, 14)
    rollout_from: date = date(2026, 2, 2)
    rollout_branch: str = "B1"
    return_share: float = 0.05
    refused_share: float = 0.25
    letter_share: float = 0.22
    opt_out_share: float = 0.03
    consent_share: float = 0.68
    basket_median: float = 19.0
    basket_spread_between: float = 0.50
    basket_spread_within: float = 0.50
    discount_share: float = 0.12
    discount_rates: tuple[float, ...] = (0.05, 0.10, 0.15)
    margin_rate: float = 0.315
    survey_share: float = 0.20
    anonymous_share: float = 0.03

    def as_dict(self) -> dict:
        """Return plain values for JSON; days in ISO form."""
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in asdict(self).items()}


PRESETS = MappingProxyType(
    {
        "tiny": Parameters(customers=400),
        "small": Parameters(customers=2_000),
        "standard": Parameters(customers=20_000),
        "null": Parameters(customers=2_000, effects=dict.fromkeys(EFFECTS, 0.0)),
    }
)


def preset_parameters(preset: str, customers: int | None = None) -> Parameters:
    """Return the parameters of a preset, with another number of customers if one is given.

    Raises
    ------
    UsageError
        If there is no such preset (the nearest is offered), or fewer than one customer is asked for.

    Examples
    --------
    >>> preset_parameters("null").effects["slow"]
    0.0
    >>> preset_parameters("tiny", customers=50).customers
    50
    """
    if preset not in PRESETS:
        raise UsageError("--preset", f"there is no preset {preset!r}.{near_match(preset, PRESETS)}", f"choose one of: {', '.join(PRESETS)}")
    if customers is None:
        return PRESETS[preset]
    if customers < 1:
        raise UsageError("--customers", f"a shop of {customers} customers cannot be made", "give a whole number from 1")
    return replace(PRESETS[preset], customers=customers)
