"""Whether the smallest effect that a test is said to show is shown in four rounds of five."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honest import Goal, Size, ours, part, points, split, table
from honest.letters import BASE_RATE, SLUGS, Letter, few_resamples, lettered, printed
from honest.readings import Reading
from loyalty_lab import assignment, effects

POWER, NEAR = effects.POWER, 0.03
RISES = (0.03, 0.05, 0.10)


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """The chance of "works" at the promised effect; exact where all come back with one chance, drawn where customers differ."""
    grid = [_promised(rate, people, share) for rate in size.base_rates for people in size.people for share in (0.5, 0.9)]
    needed = [_needed(rate, rise) for rate in size.base_rates for rise in RISES if 2 * effects.people_needed(rate, rise) <= size.largest]
    with few_resamples():
        differing = [_differing(people, size.shops) for people in size.people if people <= 2_000]
    return {"grid": grid, "needed": needed, "differing": differing}


def _promised(rate: float, people: int, share: float) -> dict[str, Any]:
    treated = round(people * share)
    rise = effects.detectable_difference(rate, treated, people - treated)
    pairs = share == 0.5 and people < assignment.PAIRS_BELOW
    told = Reading(treated, people - treated, pairs).power(rate, rate + rise)
    return {"rate": rate, "people": people, "share": share, "pairs": pairs, "rise": rise, "power": told}


def _needed(rate: float, rise: float) -> dict[str, Any]:
    n = effects.people_needed(rate, rise)
    return {"rate": rate, "rise": rise, "arm": n, "power": Reading(n, n, 2 * n < assignment.PAIRS_BELOW).power(rate, rate + rise)}


def _differing(people: int, shops: int) -> dict[str, Any]:
    rise = effects.detectable_difference(BASE_RATE, people // 2, people - people // 2)
    letter = Letter(chance=rise / (1 - BASE_RATE))
    said = [printed(lettered(people, [4, people, at], letter).run())[SLUGS[0]][0] for at in range(shops)]
    return {"people": people, "rise": rise, "shops": shops, "works": said.count("works"), "harms": said.count("harms")}


def text(found: dict[str, Any]) -> list[str]:
    """Promised effects and the power they have."""
    people = sorted({each["people"] for each in found["grid"]})
    rows = [[f"{rate:.0%}", split(share), *(_cell(found["grid"], rate, share, n) for n in people)]
            for rate, share in sorted({(each["rate"], each["share"]) for each in found["grid"]})]  # fmt: skip
    needed = [[f"{each['rate']:.0%}", points(each["rise"]), f"{each['arm']:,}", f"{each['power']:.1%}"] for each in found["needed"]]
    differing = [[f"{each['people']:,}", points(each["rise"]), each["shops"], part(each["works"], each["shops"])]
                 for each in found["differing"]]  # fmt: skip
    return [
        'Smallest effect that is said to be shown in 80%, and the chance that the reading then says "works", exactly. '
        f"In pairs where 50/50 below {assignment.PAIRS_BELOW:,}; * the product splits so many people so.", "",
        *table("|".join(["base rate", "split", *(f"{n:,} people" for n in people)]), rows), "",
        "With as many people in each of two equal arms as `people_needed` asks for:", "",
        *table("base rate|rise|people in each arm|power", needed), "",
        "By the printed verdict, with customers who differ from each other and a base rate of 32%:", "",
        *table("people|effect|shops|works", differing),
    ]  # fmt: skip


def _cell(grid: list[dict[str, Any]], rate: float, share: float, people: int) -> str:
    cell = next(each for each in grid if (each["rate"], each["share"], each["people"]) == (rate, share, people))
    return f"{points(cell['rise'])}: {cell['power']:.1%}{' *' if _ours(cell) else ''}"


def _ours(cell: dict[str, Any]) -> bool:
    return ours(cell["people"], cell["share"], cell["pairs"])


def goals(found: dict[str, Any]) -> list[Goal]:
    """Within three points of 80%, for the splits that the product makes and for all."""
    goals = []
    for who, rows in (
        ("splits of the product", [each for each in found["grid"] if _ours(each)]),
        ("50/50", [each for each in found["grid"] if each["share"] == 0.5]),
        ("90/10", [each for each in found["grid"] if each["share"] == 0.9]),
        ("as many as `people_needed` asks for", found["needed"]),
    ):
        if rows:
            low, high = (end(each["power"] for each in rows) for end in (min, max))
            goals.append((f"power within 3 points of 80%: {who}", f"{low:.1%} to {high:.1%}", max(POWER - low, high - POWER) <= NEAR))
    return goals
