"""The practices: one registry line each, and what every tactic module hands to its notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from loyalty_lab.errors import UsageError, near_match
from loyalty_lab.results import Value

if TYPE_CHECKING:
    import pandas as pd

CANDIDATE_COLUMNS = ("pseudonym", "rank", "reason", "arguments", "value_at_stake", "channel")


@dataclass(frozen=True)
class Tactic:
    """One practice: its number in the catalogue, slug, kind of list, and the tables or columns it cannot do without."""

    number: int
    slug: str
    kind: Literal["campaign", "duty", "watch"]
    needs: tuple[str, ...]

    @property
    def module(self) -> str:
        return self.slug.replace("-", "_")

    @property
    def notebook(self) -> str:
        return f"tactics/{self.number:02d}-{self.slug}"


CATALOGUE = (
    Tactic(1, "vital-few", "watch", ("orders",)),
    Tactic(7, "follow-up-letters", "campaign", ("orders",)),
    Tactic(9, "answer-fast", "duty", ("orders", "tickets.first_reply_at")),
)


@dataclass(frozen=True)
class Worth:
    """What the tactic is worth: the value with its grade, and the rows of the sum a reader can follow.

    `rows` has the columns `key` (text key of the label), `value` and `unit`; the last row is the total.
    """

    value: Value
    rows: pd.DataFrame


def worth(slug: str, value: Value, rows: Iterable[tuple[str, float | None, str]]) -> Worth:
    """Put a value and the rows of its sum together; a row is (key below ``<slug>.worth``, value, unit)."""
    import pandas as pd

    keyed = [(f"{slug}.worth.{name}", number, unit) for name, number, unit in rows]
    return Worth(value, pd.DataFrame(keyed, columns=["key", "value", "unit"]).astype({"value": "float64"}))


def candidates(people: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Number people in the order given; each brings every one of `CANDIDATE_COLUMNS` but the rank."""
    import pandas as pd

    rows = [{"rank": rank, **person} for rank, person in enumerate(people, start=1)]
    return pd.DataFrame(rows, columns=list(CANDIDATE_COLUMNS))


def no_candidates() -> pd.DataFrame:
    """Return an empty list of candidates."""
    return candidates(())


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
