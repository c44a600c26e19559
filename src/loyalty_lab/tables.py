"""The tables a shop can hold: their columns as data, typing, checks, and the cut at the cutoff."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from loyalty_lab import database
from loyalty_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("id", "text", "moment", "money", "number", "whole", "flag", "choice")


@dataclass(frozen=True)
class Column:
    """One column: its name, kind and meaning.

    `planned` marks a moment that may lie in the future when it is written down (a promise);
    `known_at` names the moment column before which this value cannot be known;
    `personal` values are kept in the shop's private folder and in its lists only.
    """

    name: str
    kind: str
    meaning: str
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    planned: bool = False
    known_at: str | None = None
    personal: bool = False


@dataclass(frozen=True)
class TableSchema:
    """One table: its name, its columns and the moment at which a row comes into being."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    event: str | None = None

    def __getitem__(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    @property
    def personal(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.personal)


def _need(name: str, kind: str, meaning: str, **more) -> Column:
    return Column(name, kind, meaning, required=True, **more)


SCHEMAS: dict[str, TableSchema] = {
    schema.name: schema
    for schema in (
        TableSchema(
            "orders",
            "One row for each order that was paid for. The only table a shop must have.",
            (
                _need("order_id", "id", "the shop's own number of the order"),
                _need("customer_id", "id", "who bought; empty for an anonymous sale"),
                _need("ordered_at", "moment", "when, in the shop's time zone"),
                _need("net_amount", "money", "goods after discounts and refunds, without tax and shipping"),
                Column("gross_amount", "money", "goods before discounts and refunds"),
                Column("discount_amount", "money", "discounts given on the order"),
                Column("refund_amount", "money", "money paid back for the order"),
                Column("tax_amount", "money", "tax charged on top of the goods"),
                Column("shipping_amount", "money", "delivery charged on top of the goods"),
                Column("margin_amount", "money", "what the shop keeps of the order after the cost of the goods"),
                Column("currency", "text", "currency code, where one export holds several"),
                Column("status", "text", "the shop's own word for the state of the order"),
                Column("channel", "text", "where it was bought: counter, web, phone"),
                Column("branch_id", "id", "which branch"),
                Column("staff_id", "id", "who served, as a code"),
                Column("category", "text", "main kind of goods"),
            ),
            key=("order_id",),
            event="ordered_at",
        ),
        TableSchema(
            "order_lines",
            "One row for each product on an order.",
            (
                _need("order_id", "id", "the order the line belongs to"),
                _need("line", "whole", "place of the line on the order, from 1"),
                Column("product_id", "id", "the shop's code of the product"),
                Column("product", "text", "what it is called"),
                Column("category", "text", "kind of goods"),
                _need("quantity", "number", "how many"),
                Column("unit_price", "money", "price of one"),
                _need("net_amount", "money", "quantity times price, after discounts and refunds"),
            ),
            key=("order_id", "line"),
        ),
        TableSchema(
            "customers",
            "One row for each customer known to the shop.",
            (
                _need("customer_id", "id", "the shop's own number of the customer"),
                Column("name", "text", "how the customer is called", personal=True),
                Column("email", "text", "e-mail address", personal=True),
                Column("phone", "text", "telephone number, with its leading zero", personal=True),
                Column("address", "text", "postal address", personal=True),
                Column("joined_at", "moment", "when the customer was first written down"),
                Column("region", "text", "part of town or country"),
                Column("birthday_md", "text", "month and day of birth, MM-DD", personal=True),
                Column("consent_contact", "flag", "may be written to"),
                Column("consent_profile", "flag", "notes about the customer may be kept"),
                Column("preferred_channel", "text", "how the customer wants to be reached: letter, mail, phone"),
                Column("preferred_language", "text", "language code of letters to the customer"),
                Column("vip_tier", "text", "tier of the shop's programme"),
                Column("card_joined_at", "moment", "when the loyalty card was taken"),
                Column("referred_by", "id", "the customer who sent this one"),
                Column("greeted_by_name", "flag", "is greeted by name when served"),
            ),
            key=("customer_id",),
            event="joined_at",
        ),
        TableSchema(
            "contacts",
            "One row for each letter, call or message, out or in.",
            (
                _need("contact_id", "id", "number of the contact"),
                _need("customer_id", "id", "with whom"),
                _need("sent_at", "moment", "when"),
                Column("direction", "choice", "from the shop (out) or to it (in)", choices=("in", "out")),
                Column("channel", "text", "letter, mail, phone, counter"),
                Column("purpose", "text", "thanks, follow-up, offer, preview, info, support"),
                Column("template_id", "id", "which letter template was used"),
                Column("cost", "money", "what the contact cost"),
                Column("outcome", "choice", "what came of it", choices=("none", "reply", "visit", "order", "opt_out")),
                Column("card_code", "id", "code of the contact card that was quoted"),
                Column("notes", "text", "what was said", personal=True),
            ),
            key=("contact_id",),
            event="sent_at",
        ),
        TableSchema(
            "tickets",
            "One row for each question, problem or complaint.",
            (
                _need("ticket_id", "id", "number of the ticket"),
                _need("customer_id", "id", "who asked"),
                Column("order_id", "id", "about which order"),
                _need("opened_at", "moment", "when it was asked"),
                Column("first_reply_at", "moment", "when the shop first replied"),
                Column("resolved_at", "moment", "when it was settled"),
                Column("promised_by", "moment", "until when an answer was promised", planned=True),
                Column("category", "text", "what it was about"),
                Column("transfers", "whole", "how often it was handed on", low=0),
                Column("reopened", "flag", "was opened again after being settled", known_at="resolved_at"),
                Column("repeat_explained", "flag", "the customer had to explain it again"),
                Column("channel", "choice", "how it came in", choices=("phone", "mail", "chat", "bot", "counter")),
                Column("agent_id", "id", "who dealt with it, as a code"),
            ),
            key=("ticket_id",),
            event="opened_at",
        ),
        TableSchema(
            "deliveries",
            "One row for each parcel or drop.",
            (
                _need("order_id", "id", "the order that was delivered"),
                Column("promised_at", "moment", "for when it was promised", planned=True),
                Column("dispatched_at", "moment", "when it left"),
                Column("delivered_at", "moment", "when it arrived"),
                Column("method", "text", "carrier or way of delivery"),
                Column("fee", "money", "what the customer paid for delivery"),
                Column("status", "text", "state of the delivery", known_at="delivered_at"),
            ),
            key=("order_id",),
            event="dispatched_at",
        ),
        TableSchema(
            "returns",
            "One row for each request to take goods back.",
            (
                _need("return_id", "id", "number of the return"),
                _need("order_id", "id", "the order it came from"),
                _need("requested_at", "moment", "when it was asked for"),
                Column("decided_at", "moment", "when it was decided"),
                Column("decision", "choice", "how", choices=("accepted", "refused", "pending"), known_at="decided_at"),
                Column("refunded_at", "moment", "when the money went back"),
                Column("reason", "text", "why, in the shop's words"),
                Column("amount", "money", "money asked for"),
            ),
            key=("return_id",),
            event="requested_at",
        ),
        TableSchema(
            "surveys",
            "One row for each time somebody was asked.",
            (
                _need("survey_id", "id", "number of the slip or form"),
                _need("customer_id", "id", "who was asked"),
                Column("order_id", "id", "about which order"),
                _need("asked_at", "moment", "when"),
                Column("answered_at", "moment", "when the answer came, empty if none"),
                Column("csat", "whole", "satisfaction with the goods, 1 to 5", low=1, high=5, known_at="answered_at"),
                Column("nps", "whole", "would recommend, 0 to 10", low=0, high=10, known_at="answered_at"),
                Column("care", "whole", "satisfaction with the care taken, 1 to 5", low=1, high=5, known_at="answered_at"),
                Column("comment", "text", "in the customer's words", personal=True, known_at="answered_at"),
            ),
            key=("survey_id",),
            event="asked_at",
        ),
        TableSchema(
            "reviews",
            "One row for each public review.",
            (
                _need("review_id", "id", "number of the review"),
                Column("customer_id", "id", "who wrote it"),
                Column("order_id", "id", "about which order"),
                _need("posted_at", "moment", "when"),
                _need("rating", "whole", "1 to 5", low=1, high=5),
                Column("asked", "flag", "the shop had asked for it"),
                Column("incentivised", "flag", "something was given for it"),
                Column("replied_at", "moment", "when the shop replied"),
            ),
            key=("review_id",),
            event="posted_at",
        ),
        TableSchema(
            "referrals",
            "One row for each invitation from a customer to a friend.",
            (
                _need("referral_id", "id", "number of the invitation"),
                _need("referrer_id", "id", "who invited"),
                Column("referred_id", "id", "who came, once known", known_at="first_order_at"),
                _need("invited_at", "moment", "when"),
                Column("first_order_at", "moment", "when the friend first bought"),
                Column("reward_cost", "money", "what the reward cost", known_at="first_order_at"),
            ),
            key=("referral_id",),
            event="invited_at",
        ),
        TableSchema(
            "rollout",
            "One row for each branch or team that began a tactic.",
            (
                _need("unit_id", "id", "branch or team"),
                _need("tactic", "id", "slug of the tactic"),
                _need("started_at", "moment", "when it began there"),
            ),
            key=("unit_id", "tactic"),
            event="started_at",
        ),
    )
}
CUSTOMER_COLUMNS = ("customer_id", "referred_by", "referrer_id", "referred_id")
PANDAS_TYPES = {
    "id": "str", "text": "str", "choice": "str", "moment": "datetime64[us]",
    "money": "float64", "number": "float64", "whole": "Int64", "flag": "boolean",
}  # fmt: skip


def typed(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the schema's column order and pandas types.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : pandas.DataFrame
        Any frame that has at least the required columns. Unknown and personal columns are left out.

    Returns
    -------
    pandas.DataFrame
        Columns in the order of the schema (absent optional ones stay absent), rows sorted by the key.

    Raises
    ------
    InputError
        If a required column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> typed("rollout", pd.DataFrame({"tactic": ["answer-fast"], "unit_id": ["B1"], "started_at": ["2026-01-05"]})).columns.tolist()
    ['unit_id', 'tactic', 'started_at']
    """
    schema = SCHEMAS[name]
    missing = [column for column in schema.required if column not in frame.columns]
    if missing:
        raise InputError(
            name, f"lacks the required column {missing[0]!r}; it has {list(frame.columns)}", "add the column, or map it in shop.toml"
        )
    kept = [column for column in schema.columns if column.name in frame.columns and not column.personal]
    frame = frame[[column.name for column in kept]].astype({column.name: PANDAS_TYPES[column.kind] for column in kept})
    return frame.sort_values(list(schema.key), kind="stable", ignore_index=True)


def read(name: str, path: Path) -> pd.DataFrame:
    """Read a typed table from Parquet."""
    with database.cursor() as db:
        return typed(name, db.execute("select * from read_parquet(?)", [str(path)]).df())


def cut(name: str, frame: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    """Show a table as it stood at the end of the cutoff day.

    Rows that came later go; moments that had not happened yet, and values known only with them, are blank.

    Parameters
    ----------
    name : str
        Name of the table.
    frame : pandas.DataFrame
        A typed table.
    cutoff : datetime.date
        Last day that may be seen, in the shop's time zone.

    Returns
    -------
    pandas.DataFrame
        A new frame.

    Examples
    --------
    >>> import pandas as pd
    >>> from datetime import date
    >>> asked = {"ticket_id": ["1"], "customer_id": ["c"], "opened_at": ["2026-03-01"], "resolved_at": ["2026-03-09"]}
    >>> cut("tickets", typed("tickets", pd.DataFrame(asked)), date(2026, 3, 5))["resolved_at"].isna().all()
    np.True_
    """
    import pandas as pd

    schema, end = SCHEMAS[name], pd.Timestamp(cutoff) + pd.Timedelta(days=1)
    if schema.event in frame.columns:
        began = frame[schema.event]
        frame = frame[began.isna() | (began < end)].reset_index(drop=True)
    for column in schema.columns:
        if column.kind == "moment" and not column.planned and column.name in frame.columns:
            frame = frame.assign(**{column.name: frame[column.name].where(frame[column.name] < end)})
    for column in schema.columns:
        if column.known_at in frame.columns and column.name in frame.columns:
            frame = frame.assign(**{column.name: frame[column.name].where(frame[column.known_at].notna())})
    return frame


def dictionary() -> str:
    """Return the data dictionary of every table as Markdown."""
    parts = []
    for schema in SCHEMAS.values():
        rows = [
            f"| `{column.name}` | {column.kind} | {'yes' if column.required else ''} | {_meaning(column)} |" for column in schema.columns
        ]
        parts.append(
            "\n".join([f"### {schema.name}", "", schema.meaning, "", "| column | kind | required | meaning |", "|---|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def _meaning(column: Column) -> str:
    notes = [column.meaning]
    if column.choices:
        notes.append("one of " + ", ".join(column.choices))
    if column.personal:
        notes.append("personal: kept in `private/` and `lists/` only")
    return "; ".join(notes)
