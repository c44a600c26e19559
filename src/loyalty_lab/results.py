"""What a notebook leaves behind: one checked JSON file of facts, tables, figures and claims, and no sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from loyalty_lab.errors import NotebookError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
Unit = Literal["share", "money", "days", "count", "score", "ratio"]
Grade = Literal["A", "B", "C", "D", "E"]
Kind = Literal["scorecard", "forecast", "segments", "tactic", "rounds", "start"]
Status = Literal["ready", "needs data", "too early", "failed"]
# What a closed round came to.
WORKS, HARMS, NOT_SHOWN, SPOILT = "works", "harms", "not_shown", "spoilt"


def plain(value: Any) -> Any:
    """Turn numpy and pandas scalars into plain JSON values; what is missing or not finite becomes null.

    Examples
    --------
    >>> import numpy as np
    >>> plain({"a": np.float64("nan"), "b": [np.int64(3), date(2026, 11, 1)]})
    {'a': None, 'b': [3, '2026-11-01']}
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist") and not isinstance(value, (str, bytes)):
        return plain(value.tolist())
    if hasattr(value, "isoformat"):
        return None if value != value else value.isoformat()[:10]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value if isinstance(value, (str, int, bool, type(None))) else None


Scalar = Annotated[float | int | str | None, BeforeValidator(plain)]
Interval = tuple[float | None, float | None, float]
Args = Annotated[dict[str, Any], BeforeValidator(plain)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Message(_Record):
    """A sentence by its key in `playbook/text/` and the plain values it speaks of."""

    key: str
    args: Args = {}


class Fact(_Record):
    """One number with what is needed to trust it."""

    value: Scalar
    unit: Unit
    n: int | None = None
    interval: Interval | None = None
    formula_key: str | None = None
    window: tuple[date, date] | None = None


class Table(_Record):
    """A small table: column names and rows of plain values."""

    columns: list[str]
    rows: list[Annotated[list[Any], BeforeValidator(plain)]]

    @classmethod
    def of(cls, frame) -> Table:
        """Make a table of a frame, leaving its index out."""
        return cls(columns=[str(name) for name in frame.columns], rows=frame.astype(object).where(frame.notna(), None).values.tolist())


class Figure(_Record):
    """A chart by the name of its function in `charts` and the plain data it draws."""

    id: str
    chart: str
    data: Args
    alt: Message
    title: Message

    @classmethod
    def of(cls, slug: str, name: str, chart: str, data: dict[str, Any], args: dict[str, Any]) -> Figure:
        """Make a figure whose words are the texts ``<slug>.figure.<name>`` and ``<name>-alt``."""
        title, alt = (Message(key=f"{slug}.figure.{name}{end}", args=args) for end in ("", "-alt"))
        return cls(id=name, chart=chart, data=data, title=title, alt=alt)

    @classmethod
    def bars(
        cls, slug: str, name: str, table: pd.DataFrame, labels: list[dict[str, Any]], args: dict[str, Any], unit: Unit = "share",
        reference: float | None = None,
    ) -> Figure:  # fmt: skip
        """Make a figure of bars from a table with `share` and, where there are, `low`, `high` and `n`; a label is ``{key, args}``."""
        columns = {"lows": "low", "highs": "high", "ns": "n"}
        whiskers = {end: table[column].tolist() for end, column in columns.items() if column in table.columns}
        data = {"labels": labels, "values": table["share"].tolist(), **whiskers, "unit": unit, "reference": reference}
        return cls.of(slug, name, "bars", data, args)


class Claim(_Record):
    """What people say, its source, and what this shop shows beside it."""

    key: str
    source: str
    shop_value: Fact | None = None
    interval: Interval | None = None

    @classmethod
    def of(cls, slug: str, name: str, shop_value: Fact | None = None) -> Claim:
        """Make a claim whose words are the texts ``<slug>.claim.<name>``, ``<name>-source`` and, beside a shop's value, ``<name>-here``."""
        key = f"{slug}.claim.{name}"
        return cls(key=key, source=f"{key}-source", shop_value=shop_value if shop_value and shop_value.value is not None else None)


class Value(_Record):
    """What a tactic is worth, in the shop's currency, and how sure that is: a year, or where rounds were read, one round."""

    amount: Scalar = None
    low: Scalar = None
    high: Scalar = None
    break_even_rate: Scalar = None
    grade: Grade | None = None
    assumptions: list[str] = []


class Measure(_Record):
    """How it will be known, or was found, whether a tactic worked."""

    design: str
    outcome: str
    window_days: int
    mde: Scalar = None
    read_on: date | None = None
    effect: Scalar = None
    interval: Interval | None = None
    p: Scalar = None
    checks: Args = {}


class Result(_Record):
    """Everything one notebook found. See `data/README.md` for the meaning of each field."""

    schema_version: Literal[1] = SCHEMA_VERSION
    notebook: str
    kind: Kind
    status: Status = "ready"
    reason: Message | None = None
    cutoff: date
    facts: dict[str, Fact] = {}
    tables: dict[str, Table] = {}
    value: Value | None = None
    measure: Measure | None = None
    rounds: list[Measure] = []
    claims: list[Claim] = []
    figures: list[Figure] = []
    messages: list[Message] = Field(default=[])

    def message(self, role: str) -> Message | None:
        """Return the message whose key is ``<notebook>.<role>`` or begins with it and a dot."""
        stem = f"{self.notebook}.{role}"
        return next((m for m in self.messages if m.key == stem or m.key.startswith(stem + ".")), None)


@dataclass(frozen=True)
class Findings:
    """What an analysis found, before it becomes a result file: facts, the frames behind them, figures, messages, claims, rounds."""

    facts: dict[str, Fact] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    messages: tuple[Message, ...] = ()
    claims: tuple[Claim, ...] = ()
    rounds: tuple[Measure, ...] = ()

    @classmethod
    def of(
        cls, slug: str, facts: dict[str, Fact], headline: str, stand: str | None = None, args: dict[str, Any] | None = None,
        also: Iterable[Message] = (), **more: Any,
    ) -> Findings:  # fmt: skip
        """Make findings whose words are the texts ``<slug>.headline.<headline>`` and ``<slug>.stand.<stand>`` (the same variant if not
        given).

        Both speak of every fact by its name, its interval as ``<name>_low`` and ``<name>_high``, and of `args`; `also` are further
        messages.
        """
        known = spoken(facts) | (args or {})
        said = (("headline", headline), ("stand", stand or headline))
        messages = (*(Message(key=f"{slug}.{role}.{variant}", args=known) for role, variant in said), *also)
        return cls(facts=facts, messages=messages, **more)

    def message_roles(self) -> list[str]:
        """Return what its own first two sentences are for: headline and stand."""
        return [message.key.split(".")[1] for message in self.messages[:2]]


def spoken(facts: dict[str, Fact]) -> dict[str, Any]:
    """Return values and interval ends by name, for sentences to speak of.

    Examples
    --------
    >>> spoken({"kept": Fact(value=0.5, unit="share", interval=(0.4, 0.6, 0.95))})
    {'kept': 0.5, 'kept_low': 0.4, 'kept_high': 0.6}
    """
    args: dict[str, Any] = {}
    for name, fact in facts.items():
        low, high, _ = fact.interval or (None, None, None)
        args |= {name: fact.value, f"{name}_low": low, f"{name}_high": high}
    return args


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file whole or not at all: under a temporary name beside it, synced, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write plain values as JSON, whole or not at all; the same content gives the same bytes."""
    write_atomically(path, (json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())


def save(result: Result, folder: Path) -> Path:
    """Write ``<folder>/<notebook>.json``; the same result gives the same bytes."""
    path = Path(folder) / f"{result.notebook}.json"
    write_json(path, result.model_dump(mode="json"))
    return path


def load(path: Path) -> Result:
    """Read a result file and check it against the schema.

    Raises
    ------
    NotebookError
        If the file is not a whole result of this version.
    """
    try:
        return Result.model_validate_json(Path(path).read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "file"
        raise NotebookError(
            f"{Path(path).name}, {field}", f"{first['msg']} (found {str(first.get('input'))[:40]!r})", "run the notebook again"
        ) from None
