"""How honest the reading of a round is, section by section; `benchmarks/honesty.py` runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loyalty_lab import assignment
from loyalty_lab.proportions import wilson

Goal = tuple[str, str, bool]


@dataclass(frozen=True)
class Size:
    """How much of everything is drawn, and how many people the largest lists hold that are drawn often or added up exactly.

    `alone` shops write one letter that does nothing, `together` three; `shops` are those whose letter does something.
    """

    alone: int
    together: int
    shops: int
    runs: int
    peeks: int
    usual: int
    base_rates: tuple[float, ...]
    people: tuple[int, ...]
    largest: int


@dataclass(frozen=True)
class Section:
    """What is measured, how it is said, and the goals it is held against."""

    title: str
    measure: Callable[[Size, Path | None], dict[str, Any]]
    text: Callable[[dict[str, Any]], list[str]]
    goals: Callable[[dict[str, Any]], list[Goal]]


def table(head: str, rows: list[list]) -> list[str]:
    """Lines of a Markdown table."""
    names = head.split("|")
    return [f"| {' | '.join(map(str, row))} |" for row in (names, ["---"] * len(names), *rows)]


def part(count: int, n: int) -> str:
    """A share with Wilson's 95% interval."""
    low, high = wilson(count, n)
    return f"{count / n:.1%} ({low:.1%} to {high:.1%})"


def split(share: float) -> str:
    """As people say it: 90/10."""
    return f"{share * 100:.0f}/{100 - share * 100:.0f}"


def points(share: float) -> str:
    """A difference of shares, in points."""
    return f"{100 * share:.2f} points"


def ours(people: int, share: float, pairs: bool) -> bool:
    """Whether the product would split so many people so."""
    usual = assignment.treated_share(people)
    return abs(usual - share) < 0.01 and pairs == (usual == 0.5 and people < assignment.PAIRS_BELOW)
