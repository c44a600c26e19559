"""What was read, what was dropped and why, and the money reconciled from gross to net."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from loyalty_lab.results import Message
from loyalty_lab.shop import ShopSettings

REASONS = (
    "cancelled", "unpaid", "test", "zero", "refunded in full", "page overlap", "foreign currency", "not goods", "unreadable",
    "refund without an order",
)  # fmt: skip
UNIT = 10_000
SERIOUS = {"unread_cells", "out_of_range", "mostly_anonymous", "short_history", "unknown_status", "repaired_ids"}


class TableReport(BaseModel):
    """One table: records in its exports, records kept, and each dropped record under one reason."""

    rows_in: int = 0
    rows_out: int = 0
    dropped: dict[str, int] = {}
    first_day: date | None = None
    last_day: date | None = None
    columns: list[str] = []
    money: dict[str, int] = {}

    def drop(self, reason: str, number: int) -> None:
        """Count dropped records under a reason."""
        if number:
            self.dropped[reason] = self.dropped.get(reason, 0) + number


class Bridge(BaseModel):
    """Money of identified customers, in ten-thousandths of the currency; gross - discounts - refunds - dropped = net."""

    gross: int = 0
    discounts: int = 0
    refunds: int = 0
    dropped: int = 0
    net: int = 0
    anonymous_net: int = 0
    anonymous_orders: int = 0
    orders: int = 0
    customers: int = 0
    unmatched_refunds: int = 0
    unmatched_money: int = 0

    def add(self, **more: int) -> None:
        """Add to some of the sums."""
        for name, amount in more.items():
            setattr(self, name, getattr(self, name) + amount)


class InputFile(BaseModel):
    """One export that was read."""

    name: str
    sha256: str
    rows: int


class Report(BaseModel):
    """Everything intake has to say."""

    tables: dict[str, TableReport] = {}
    bridge: Bridge = Bridge()
    files: list[InputFile] = []
    warnings: list[Message] = []

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [file.model_dump() for file in self.files]

    @property
    def serious(self) -> list[Message]:
        """The warnings that somebody should look into; the others only say how a file was read."""
        return [message for message in self.warnings if message.key.rpartition(".")[2] in SERIOUS]

    def warn(self, name: str, **args: Any) -> None:
        """Note something the shop should look at; the sentence is `intake.warning.<name>`."""
        self.warnings.append(Message(key=f"intake.warning.{name}", args=args))

    def as_json(self, settings: ShopSettings, cutoff: str | None, tactics: dict[str, str], warnings: list[str]) -> dict[str, Any]:
        """Return the object that ``check --json`` prints; money is a string with the currency's decimals."""
        sums = {
            name: money(getattr(self.bridge, name), settings.currency)
            for name in ("gross", "discounts", "refunds", "dropped", "net", "anonymous_net")
        }
        tables = {
            name: _ordered(table.model_dump(mode="json", exclude={"columns", "money"}))
            for name, table in sorted(self.tables.items())
            if table.rows_in
        }
        counts = {"orders": self.bridge.orders, "customers": self.bridge.customers}
        return {
            "shop": settings.name, "cutoff": cutoff, "currency": settings.currency, "tables": tables,
            "orders": counts | sums, "tactics": tactics, "warnings": warnings,
        }  # fmt: skip


def _ordered(table: dict[str, Any]) -> dict[str, Any]:
    dropped = table["dropped"]
    return table | {"dropped": {reason: dropped[reason] for reason in REASONS if reason in dropped}}


def money(amount: int, currency: str) -> str:
    """Write ten-thousandths of a currency with the decimals it has.

    Examples
    --------
    >>> money(123450, "GBP"), money(123450000, "JPY")
    ('12.35', '12345')
    """
    from babel.numbers import get_currency_precision

    places = Decimal(1).scaleb(-get_currency_precision(currency))
    return str((Decimal(amount) / UNIT).quantize(places, rounding="ROUND_HALF_UP"))
