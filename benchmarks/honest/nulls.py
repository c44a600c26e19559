"""What shops are told of letters that do nothing: one read alone, three read at once, and by the usual practice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from honest import Goal, Size, ours, part, split, table
from honest.letters import SLUGS, decided, few_resamples, history, lettered, printed
from honest.readings import Reading
from loyalty_lab import assignment

GOAL = 0.05
LISTS, SHARES = (60, 300, 2_000), (None, 0.9)
SMALL, RATES = (4, 6, 10, 20, 60, 120, 500), (0.05, 0.1, 0.2, 0.32, 0.5)
PLAIN = ((1_000, 1_000), (54, 6), (270, 30), (1_800, 200), (4_500, 500), (9_000, 1_000))


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """What shops are told of letters that do nothing: one read alone, three at once, and by the usual practice."""
    with few_resamples():
        alone = [_alone(people, share, size.alone) for share in SHARES for people in LISTS]
        together = [_together(people, size.together) for people in LISTS]
    exact = [_exact(people // 2, people // 2, True) for people in SMALL]
    exact += [_exact(*arms, False) for arms in PLAIN if sum(arms) <= size.largest]
    usual = [usual_practice(1_000, share, size.usual) for share in (0.5, 0.9, 0.95)]
    return {"alone": alone, "together": together, "exact": exact, "usual": usual, "resampling": _by_resamples(size.alone)}


def _alone(people: int, share: float | None, shops: int) -> dict[str, Any]:
    said = [printed(lettered(people, [1, people, at], share=share).run())[SLUGS[0]] for at in range(shops)]
    unlike = sum(verdict not in ("spoilt", decided(found)) for verdict, found in said)
    return {"people": people, "share": share or 0.5, "shops": shops, "unlike": unlike, **Counter(verdict for verdict, _ in said)}


def _together(people: int, shops: int) -> dict[str, Any]:
    """Three letters read at once: whether any is said to work, by the printed verdict and had each been read alone."""
    said = [list(printed(lettered(people, [1, people, at], tactics=3).run()).values()) for at in range(shops)]
    unlike = sum(verdict not in ("spoilt", decided(found)) for shop in said for verdict, found in shop)
    any_works = sum(any(verdict == "works" for verdict, _ in shop) for shop in said)
    any_harms = sum(any(verdict == "harms" for verdict, _ in shop) for shop in said)
    uncorrected = sum(any(found.clear and found.value > 0 for _, found in shop) for shop in said)
    return {"people": people, "shops": shops, "works": any_works, "harms": any_harms, "uncorrected": uncorrected, "unlike": unlike}


def _exact(treated: int, control: int, pairs: bool) -> dict[str, Any]:
    reading = Reading(treated, control, pairs)
    return {"treated": treated, "control": control, "pairs": pairs, "works": {str(rate): reading.power(rate, rate) for rate in RATES}}


def usual_practice(people: int, share: float, runs: int) -> dict[str, Any]:
    """Welch's test on spend where this share of a shop's customers got a letter that does nothing."""
    from scipy import stats

    draw, treated, found = np.random.default_rng([2, people, int(share * 100)]), round(people * share), Counter()
    for _ in range(max(1, runs // 250)):
        who, day, amount, _ = history(draw, people * 250)
        spend = np.bincount(who[day >= 0], amount[day >= 0], people * 250).reshape(250, people)
        test = stats.ttest_ind(spend[:, :treated], spend[:, treated:], axis=1, equal_var=False)
        found["works"] += int(((test.pvalue < GOAL) & (test.statistic > 0)).sum())
        found["harms"] += int(((test.pvalue < GOAL) & (test.statistic < 0)).sum())
        found["runs"] += 250
    return {"treated": treated, "control": people - treated, **found}


def _by_resamples(shops: int) -> dict[str, int]:
    """Whether a verdict changes with the number of resamples; it must not."""
    runs = [lettered(60, [1, 60, at]).run() for at in range(min(5, shops))]
    many = [printed(run)[SLUGS[0]][0] for run in runs]
    with few_resamples():
        few = [printed(run)[SLUGS[0]][0] for run in runs]
    return {"shops": len(runs), "changed": sum(one != other for one, other in zip(many, few, strict=True))}


def text(found: dict[str, Any]) -> list[str]:
    """Shares told "works" and "harms"."""
    alone = [[f"{each['people']:,}", split(each["share"]), f"{each['shops']:,}", part(each.get("works", 0), each["shops"]),
              part(each.get("harms", 0), each["shops"]), f"{each.get('not_shown', 0):,}", each.get("spoilt", 0)]
             for each in found["alone"]]  # fmt: skip
    together = [[f"{each['people']:,}", f"{each['shops']:,}",
                 *(part(each[said], each["shops"]) for said in ("works", "harms", "uncorrected"))]
                for each in found["together"]]  # fmt: skip
    usual = [[f"{each['treated']}/{each['control']}", f"{each['runs']:,}", *(part(each[said], each["runs"]) for said in ("works", "harms"))]
             for each in found["usual"]]  # fmt: skip
    exact = [[f"{each['treated']:,}/{each['control']:,}", "pairs" if each["pairs"] else "plain",
              *(f"{chance:.1%}" for chance in each["works"].values())] for each in found["exact"]]  # fmt: skip
    return [
        "Shops told, on the planned day, of a letter that does nothing (with Wilson's 95% interval):", "",
        *table("people on the list|split|shops|works|harms|not shown|spoilt", alone), "",
        "Three such letters read at once; some letter of the shop is told:", "",
        *table("people on each list|shops|works, after Holm|harms, after Holm|works, had each been read alone", together), "",
        "The usual practice, Welch's test on spend of 1,000 customers:", "", *table("arms|shops|works|harms", usual), "",
        'Chance of "works" exactly, where all come back with one chance, by that chance:', "",
        *table("|".join(["arms", "lot", *(f"{rate:.0%}" for rate in RATES)]), exact), "",
        f"Verdicts unlike what their own interval and p-value say: {sum(each['unlike'] for each in found['alone'] + found['together'])}. "
        f"Verdicts that change with the number of resamples: {found['resampling']['changed']} of {found['resampling']['shops']}.",
    ]  # fmt: skip


def goals(found: dict[str, Any]) -> list[Goal]:
    """At most one in twenty is told that it works."""
    goals = [_at_most(f"{each['people']:,} people, {split(each['share'])}{_foreign(each)}", each.get("works", 0), each["shops"])
             for each in found["alone"]]  # fmt: skip
    goals += [_at_most(f"three lists of {each['people']:,}, any", each["works"], each["shops"]) for each in found["together"]]
    exact = [
        (chance, each["treated"] + each["control"], rate)
        for each in found["exact"]
        if _made(each)
        for rate, chance in each["works"].items()
    ]
    for least in (0, 6):
        chance, people, rate = max(each for each in exact if each[1] >= least)
        who = f"as the product splits, exact, at worst{f', from {least} people on' if least else ''}"
        goals.append((f'"works" in at most 5%: {who}', f"{chance:.1%} ({people:,} people, base rate {float(rate):.0%})", chance <= GOAL))
    return goals


def _foreign(cell: dict[str, Any]) -> str:
    mine = ours(cell["people"], cell["share"], cell["share"] == 0.5 and cell["people"] < assignment.PAIRS_BELOW)
    return "" if mine else ", which the product never makes"


def _made(cell: dict[str, Any]) -> bool:
    people = cell["treated"] + cell["control"]
    return ours(people, cell["treated"] / people, cell["pairs"])


def _at_most(who: str, count: int, n: int) -> Goal:
    return f'"works" in at most 5%: {who}', part(count, n), count / n <= GOAL
