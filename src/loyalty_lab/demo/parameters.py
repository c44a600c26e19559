"""What is true in the simulated shop: rates, effects, seasons and sizes, by preset."""

from __future__ import annotations

import json
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
EFFECTS = MappingProxyType(
    {
        "late": 0.9, "slow": 0.6, "refused": 1.3, "letter": -0.35, "greeted": -0.15, "warm": -0.7, "remote": 0.4,
        "card": 0.0, "referred": 0.0, "far_branch": 0.0, "peak": 0.0, "named": 0.0,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Lot:
    """A round whose receivers were drawn by lot: whom it was for, and what being reached truly does.

    `wins` is the share of those reached who come back in the window though they would not have, `harms` the share of
    those who would have come and now do not, ever. With `odds_reached` the warmer are reached more often; without it all
    are, but for the `letters_bounced` of those who are lost already.
    """

    slug: str = "follow-up-letters"
    among: str = "away"
    opened_on: date = date(2026, 6, 30)
    window_days: int = 60
    wins: float = 0.15
    harms: float = 0.0
    odds_reached: float | None = None
    odds_reached_warm: float = 0.0
    controls_reached: float = 0.0
    letters_bounced: float = 0.0


@dataclass(frozen=True)
class Parameters:
    """The known truth of one simulated shop.

    Rates are per year, `effects` and everything that begins with `odds` are log-odds. `effects` act on the chance of
    never coming back after a purchase; `far_branch` on that of customers of the second half of the branches, `peak` on
    purchases in December, `named` on those in a week in which the lot fell on greeting by name. What bots, previews and contact
    cards do acts on nobody's coming back: `bot_ends_share` is of the tickets a bot could settle in time, `preview_came` has a share
    for gold, silver and those just below the line, `card_first_share` is of first orders.
    """

    customers: int
    effects: dict[str, float] = field(default_factory=lambda: dict(EFFECTS))
    lot: Lot = field(default_factory=Lot)
    branches: int = 2
    staff_spread: float = 0.2
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
    rollout: tuple[tuple[str, date], ...] = (("B1", date(2026, 2, 2)),)
    odds_greeted_warm: float = 1.0
    named_weeks: bool = False
    habit_days: int = 0
    return_share: float = 0.05
    refused_share: float = 0.25
    letter_share: float = 0.22
    odds_letter_remote: float = 0.0
    odds_letter_branch: float = 0.0
    opt_out_share: float = 0.03
    consent_share: float = 0.68
    basket_median: float = 19.0
    basket_spread_between: float = 0.50
    basket_spread_within: float = 0.50
    discount_share: float = 0.12
    discount_rates: tuple[float, ...] = (0.05, 0.10, 0.15)
    margin_rate: float = 0.315
    free_delivery_pence: int = 2_500
    topped_up_share: float = 0.30
    card_share: float = 0.12
    survey_share: float = 0.20
    odds_answer_mood: float = 0.3
    odds_answer_strong: float = 0.5
    till_weeks: bool = False
    odds_review_mood: float = 0.0
    review_asked_share: float = 0.4
    review_answers_asked: float | None = None
    odds_guest_warm: float = 0.5
    anonymous_share: float = 0.03
    bot_share: float = 0.12
    bot_ends_share: float = 0.75
    bot_reopened_share: float = 0.20
    bot_repeat_share: float = 0.50
    preview_days: tuple[date, ...] = (date(2026, 3, 10), date(2026, 6, 9))
    preview_near_share: float = 0.50
    preview_came: tuple[float, float, float] = (0.45, 0.30, 0.20)
    card_counter_share: float = 0.10
    card_large_share: float = 0.30
    card_large_pence: int = 4_000
    card_call_share: float = 0.15
    card_first_share: float = 0.10

    def as_dict(self) -> dict:
        """Return plain values for JSON; days in ISO form."""
        return json.loads(json.dumps(asdict(self), default=date.isoformat))


def _shop(customers: int, lot: dict | None = None, effects: dict | None = None, **others) -> Parameters:
    return Parameters(customers, effects=EFFECTS | (effects or {}), lot=Lot(**(lot or {})), **others)


# Twelve branches begin three at a time; the last three never do.
STEPS = (date(2025, 6, 1), date(2025, 12, 1), date(2026, 4, 1))
CHAIN = tuple((f"B{branch}", STEPS[step]) for step in range(3) for branch in range(3 * step + 1, 3 * step + 4))
NOTHING = dict.fromkeys(EFFECTS, 0.0)
PRESETS = MappingProxyType(
    {
        "tiny": _shop(400),
        "small": _shop(2_000),
        "standard": _shop(20_000, branches=12, rollout=CHAIN),
        "null": _shop(2_000, effects=NOTHING, lot={"wins": 0.0}, staff_spread=0.0),
    }
)
# Each is a shop in which one way of reading the numbers goes wrong; what is true stands in its parameters.
TRAPS = MappingProxyType(
    {
        "vip_greeting": _shop(4_000, effects={"warm": -1.2}, odds_greeted_warm=1.6),
        "remote_late": _shop(6_000, effects={"remote": 1.4, "late": 0.5}, odds_late_remote=2.2),
        "peak_slow": _shop(20_000, effects={"peak": 1.6, "slow": 0.3}, odds_slow_peak=2.6),
        "immortal_card": _shop(6_000),
        "rtm_top": _shop(12_000, lot={"slug": "vip-access", "among": "top", "wins": 0.0, "window_days": 120}),
        "answered_only": _shop(6_000, odds_answer_mood=1.4, till_weeks=True),
        "winback_targeting": _shop(12_000, effects={"remote": 1.4}, odds_letter_remote=2.6),
        "referral_homophily": _shop(4_000, effects={"warm": -1.2}, odds_guest_warm=2.0),
        "review_selection": _shop(6_000, odds_review_mood=1.0, review_asked_share=0.03, review_answers_asked=0.9),
        "simpson_branch": _shop(12_000, effects={"far_branch": 1.4}, odds_letter_branch=2.6),
        "carry_over": _shop(16_000, effects={"named": -2.0}, branches=12, named_weeks=True, habit_days=6),
        "non_compliance": _shop(12_000, effects={"warm": -1.2}, lot={"odds_reached": 0.3, "odds_reached_warm": 2.0}),
        "contaminated_control": _shop(12_000, lot={"wins": 0.30, "controls_reached": 0.5}),
        "srm_bug": _shop(10_000, lot={"wins": 0.0, "letters_bounced": 0.6}),
    }
)
ALL = MappingProxyType({**PRESETS, **TRAPS})


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
    if preset not in ALL:
        raise UsageError("--preset", f"there is no preset {preset!r}.{near_match(preset, ALL)}", f"choose one of: {', '.join(ALL)}")
    if customers is None:
        return ALL[preset]
    if customers < 1:
        raise UsageError("--customers", f"a shop of {customers} customers cannot be made", "give a whole number from 1")
    return replace(ALL[preset], customers=customers)
