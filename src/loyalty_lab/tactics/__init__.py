"""The practices: one registry line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from loyalty_lab.errors import UsageError, near_match
from loyalty_lab.tables import SCHEMAS


@dataclass(frozen=True)
class Tactic:
    """One practice: its number in the catalogue, slug, kind of list, the tables or columns it needs, and those it does better with."""

    number: int
    slug: str
    kind: Literal["campaign", "duty", "watch"]
    needs: tuple[str, ...]
    uses: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        return self.slug.replace("-", "_")

    @property
    def notebook(self) -> str:
        return f"tactics/{self.number:02d}-{self.slug}"

    def form(self, table: str) -> list[str]:
        """Return the columns of a table that are worth collecting for this practice, in the order of the table.

        Examples
        --------
        >>> find("answer-fast").form("tickets")
        ['ticket_id', 'customer_id', 'opened_at', 'first_reply_at', 'resolved_at', 'promised_by', 'category']
        """
        schema = SCHEMAS[table]
        wanted = {need.partition(".")[2] for need in (*self.needs, *self.uses) if need.partition(".")[0] == table}
        return [name for name in schema.names if name in schema.required or name in wanted]


CATALOGUE = (
    Tactic(1, "vital-few", "watch", ("orders",), ("orders.margin_amount",)),
    Tactic(
        2,
        "exceed-expectations",
        "duty",
        ("orders", "surveys.csat"),
        ("surveys.care", "surveys.answered_at", "orders.branch_id", "orders.staff_id", "tickets.promised_by"),
    ),
    Tactic(
        3,
        "acknowledge-by-name",
        "campaign",
        ("orders", "customers.greeted_by_name"),
        ("orders.branch_id", "orders.staff_id", "customers.consent_profile", "rollout.unit_id"),
    ),
    Tactic(4, "thank-and-gift", "campaign", ("orders",), ("contacts.purpose",)),
    Tactic(5, "loyalty-card", "campaign", ("orders", "customers.card_joined_at"), ("orders.discount_amount", "customers.vip_tier")),
    Tactic(6, "vip-access", "campaign", ("orders",), ("customers.vip_tier", "contacts.purpose", "orders.margin_amount")),
    Tactic(7, "follow-up-letters", "campaign", ("orders",), ("contacts.template_id", "contacts.outcome")),
    Tactic(
        8,
        "contact-cards",
        "campaign",
        ("orders", "contacts.card_code"),
        ("contacts.direction", "contacts.purpose", "tickets.opened_at"),
    ),
    Tactic(
        9, "answer-fast", "duty", ("orders", "tickets.first_reply_at"), ("tickets.promised_by", "tickets.resolved_at", "tickets.category")
    ),
    Tactic(
        10,
        "know-by-questionnaire",
        "campaign",
        ("orders", "customers.consent_profile"),
        ("customers.region", "customers.preferred_channel", "customers.preferred_language", "surveys.answered_at"),
    ),
    Tactic(
        11,
        "ask-every-time",
        "duty",
        ("orders", "surveys.csat"),
        ("surveys.answered_at", "surveys.nps", "surveys.care", "surveys.order_id"),
    ),
    Tactic(
        12,
        "ideal-customer",
        "watch",
        ("orders",),
        ("customers.region", "orders.channel", "order_lines.category", "orders.branch_id"),
    ),
    Tactic(
        13,
        "personalise",
        "campaign",
        ("orders", "order_lines.category"),
        (
            "customers.consent_profile",
            "customers.preferred_channel",
            "customers.preferred_language",
            "tickets.repeat_explained",
            "tickets.transfers",
            "contacts.channel",
        ),
    ),
    Tactic(
        14,
        "referral",
        "campaign",
        ("orders", "referrals.referrer_id"),
        ("referrals.referred_id", "referrals.first_order_at", "referrals.reward_cost", "surveys.nps"),
    ),
    Tactic(
        15,
        "fast-delivery",
        "duty",
        ("orders", "deliveries.delivered_at", "deliveries.promised_at"),
        ("deliveries.dispatched_at", "deliveries.method", "deliveries.fee", "customers.region"),
    ),
    Tactic(
        16,
        "reviews",
        "duty",
        ("orders", "reviews.rating"),
        ("reviews.replied_at", "reviews.asked", "reviews.incentivised", "reviews.order_id"),
    ),
    Tactic(
        17,
        "easy-returns",
        "duty",
        ("orders", "returns.decision"),
        ("returns.decided_at", "returns.refunded_at", "returns.reason", "returns.amount"),
    ),
    Tactic(
        18,
        "better-support",
        "duty",
        ("orders", "tickets.transfers"),
        ("tickets.resolved_at", "tickets.reopened", "tickets.channel", "tickets.agent_id", "tickets.repeat_explained", "tickets.category"),
    ),
)


def find(name: str) -> Tactic:
    """Return the tactic called by its slug, with or without its number.

    Raises
    ------
    UsageError
        If there is none; the nearest slug is offered.

    Examples
    --------
    >>> find("09-answer-fast").module
    'answer_fast'
    """
    slug = name.split("-", 1)[1] if name[:2].isdigit() else name
    for tactic in CATALOGUE:
        if tactic.slug == slug:
            return tactic
    raise UsageError("--only", f"there is no tactic {name!r}.{near_match(slug, [t.slug for t in CATALOGUE])}", "see: loyalty-lab tactics")
