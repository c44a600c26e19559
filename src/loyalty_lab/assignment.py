"""Who is treated and who is kept aside: arms by keyed hash, pairs for small shops, and the rounds of a ledger."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from loyalty_lab.effects import treated_share
from loyalty_lab.errors import InputError
from loyalty_lab.ledger import COLUMNS, REMEDY

PAIRS_BELOW = 2_000
LATE, LATE_SHARE = "late", 0.5


@dataclass(frozen=True)
class Round:
    """One cycle of acting on one tactic; it runs from the day of hand-over.

    Its name in the ledger tells the cutoff at which it was opened and how many days it runs, so that a later run that would
    look further or less far ahead does not move its reading date.
    """

    slug: str
    opened_on: date
    begins_on: date
    window_days: int

    @property
    def name(self) -> str:
        return f"{self.slug}@{self.opened_on.isoformat()}+{self.window_days}d"

    @property
    def read_on(self) -> date:
        """The one day on which its result may be read."""
        return self.begins_on + timedelta(days=self.window_days)


NAME = re.compile(r"([a-z0-9-]+)@(\d{4}-\d\d-\d\d)\+(\d+)d", re.ASCII)


def standing(ledger: pd.DataFrame) -> pd.DataFrame:
    """Return the assignments that stand: of each round those written after it was last made void.

    Examples
    --------
    >>> rows = [("a", "assigned"), ("b", "assigned"), ("a", "void"), ("a", "assigned")]
    >>> standing(pd.DataFrame(rows, columns=["round", "event"])).index.tolist()
    [1, 3]
    """
    place = pd.Series(range(len(ledger)), index=ledger.index)
    last_void = place.where(ledger["event"] == "void").groupby(ledger["round"]).transform("max").fillna(-1)
    return ledger[(ledger["event"] == "assigned") & (place > last_void)]


def rounds(ledger: pd.DataFrame) -> list[Round]:
    """Return the rounds of a ledger that are not void, oldest first.

    Raises
    ------
    InputError
        If a name in it is none.
    """
    begun = standing(ledger).groupby("round")["assigned_on"].first()
    return sorted((_named(name, day) for name, day in begun.items()), key=lambda cycle: (cycle.opened_on, cycle.slug))


def void(ledger: pd.DataFrame, slug: str) -> pd.DataFrame:
    """Return the row that makes the latest round of a tactic void: its list was never sent, and the next run draws anew.

    Raises
    ------
    InputError
        If the tactic has no round.
    """
    mine = [cycle for cycle in rounds(ledger) if cycle.slug == slug]
    if not mine:
        raise InputError("rounds/assignments.csv", f"holds no round of {slug!r}", "look what is running with: loyalty-lab round SHOP")
    values = dict.fromkeys(COLUMNS, "") | {
        "round": mine[-1].name,
        "slug": slug,
        "event": "void",
        "assigned_on": mine[-1].begins_on.isoformat(),
    }
    return pd.DataFrame([values], columns=list(COLUMNS), dtype="str")


def _named(name: str, begins_on: str) -> Round:
    known = NAME.fullmatch(name)
    if not known:
        raise InputError("rounds/assignments.csv", f"holds the round {name!r}, which is no name of one", REMEDY)
    return Round(known[1], date.fromisoformat(known[2]), date.fromisoformat(begins_on), int(known[3]))


def draw(salt: str, slug: str, opened_on: date, unit: str) -> float:
    """Return a number in [0, 1) that only the shop's salt can predict.

    The first 8 bytes of sha256(salt|slug|opened_on|unit) as a fraction: the same inputs give the
    same number, and other rounds or tactics independent ones.

    Examples
    --------
    >>> draw("00", "follow-up-letters", date(2026, 10, 31), "C1") == draw("00", "follow-up-letters", date(2026, 10, 31), "C1")
    True
    >>> 0 <= draw("00", "follow-up-letters", date(2026, 10, 31), "C2") < 1
    True
    """
    return lots(salt, slug, opened_on, [unit])[0]


def lots(salt: str, slug: str, opened_on: date, units: Iterable[str]) -> list[float]:
    """Return everybody's number of `draw`."""
    begun, found = hashlib.sha256(f"{salt}|{slug}|{opened_on.isoformat()}|".encode()), []
    for unit in units:
        each = begun.copy()
        each.update(unit.encode())
        found.append(int.from_bytes(each.digest()[:8], "big") / 2**64)
    return found


def open_round(salt: str, cycle: Round, people: pd.DataFrame) -> pd.DataFrame:
    """Draw the arms of a new round.

    Parameters
    ----------
    salt : str
        The shop's secret, in hex.
    cycle : Round
        The round that opens.
    people : pandas.DataFrame
        Columns `unit` (merged id), `stratum` and `spend` (before the cutoff). Below 2,000 people and
        with an even split, neighbours by stratum and spend make pairs, and the lot decides which of
        the two is treated; the variance of the difference falls by about a sixth.

    Returns
    -------
    pandas.DataFrame
        One ledger row a person.

    Examples
    --------
    >>> people = pd.DataFrame({"unit": ["a", "b", "c"], "stratum": "all", "spend": [3.0, 2.0, 1.0]})
    >>> drawn = open_round("00", Round("follow-up-letters", date(2026, 10, 31), date(2026, 11, 1), 60), people)
    >>> sorted(drawn["arm"][:2])
    ['control', 'treated']
    """
    share = treated_share(len(people))
    ordered = people.sort_values(["stratum", "spend", "unit"], ascending=[True, False, True], kind="stable")
    drawn = lots(salt, cycle.slug, cycle.opened_on, ordered["unit"])
    arms = ["treated" if lot < share else "control" for lot in drawn]
    pairs = [""] * len(arms)
    if share == 0.5 and len(arms) < PAIRS_BELOW:
        for first in range(0, len(arms) - 1, 2):
            arms[first : first + 2] = ["treated", "control"] if drawn[first] < drawn[first + 1] else ["control", "treated"]
            pairs[first] = pairs[first + 1] = str(first // 2 + 1)
    return _rows(cycle, ordered["unit"], arms, ordered["stratum"], pairs, share, cycle.begins_on)


def join_late(salt: str, cycle: Round, units: pd.Series, today: date) -> pd.DataFrame:
    """Draw arms for people who became eligible while a round goes on: plain hash, in the stratum `late`.

    Their window begins today, not before the round's own. Who would have no day left in it waits for the next round.
    """
    today = max(today, cycle.begins_on)
    units = units if today < cycle.read_on else units[:0]
    arms = ["treated" if lot < LATE_SHARE else "control" for lot in lots(salt, cycle.slug, cycle.opened_on, units)]
    return _rows(cycle, units, arms, [LATE] * len(arms), [""] * len(arms), LATE_SHARE, today)


def _rows(cycle: Round, units, arms, strata, pairs, share: float, day: date) -> pd.DataFrame:
    rows = {"round": cycle.name, "slug": cycle.slug, "unit": list(units), "arm": arms, "stratum": list(strata), "pair": pairs}
    rows |= {"propensity": f"{share:.4f}", "assigned_on": day.isoformat(), "event": "assigned"}
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")


def running(ledger: pd.DataFrame, slug: str, cutoff: date) -> Round | None:
    """Return the round of a tactic that goes on at a cutoff: opened by then, not void, its reading date not reached."""
    going_on = [cycle for cycle in rounds(ledger) if cycle.slug == slug and cycle.opened_on <= cutoff < cycle.read_on]
    return max(going_on, key=lambda cycle: cycle.opened_on, default=None)


def current(ledger: pd.DataFrame, slug: str, cutoff: date, report_date: date, window_days: int) -> Round:
    """Return the round of a tactic that goes on at a cutoff, or the one that would open.

    A round goes on while the cutoff lies before its reading date. A run sees only rounds opened by its cutoff, so that a rerun
    of an earlier one changes nothing.

    Parameters
    ----------
    ledger : pandas.DataFrame
        As of `read_ledger`.
    slug : str
    cutoff, report_date : datetime.date
        A new round is opened on the first and begins on the second.
    window_days : int
        How long a new round runs.
    """
    return running(ledger, slug, cutoff) or Round(slug, cutoff, report_date, window_days)


def arms_for(salt: str, cycle: Round, known: pd.DataFrame, people: pd.DataFrame, today: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give everybody an arm in a round: whoever has one keeps it, and newcomers to a round that goes on are drawn late.

    Parameters
    ----------
    salt : str
    cycle : Round
        As of `current`.
    known : pandas.DataFrame
        The standing ledger rows of this round; none where it opens.
    people : pandas.DataFrame
        As for `open_round`.
    today : datetime.date
        From when on newcomers count.

    Returns
    -------
    tuple of pandas.DataFrame, pandas.DataFrame
        The ledger rows of `people`, and those of them that are new.
    """
    if known.empty:
        new = open_round(salt, cycle, people)
        return new, new
    known = known.drop_duplicates("unit")
    new = join_late(salt, cycle, people.loc[~people["unit"].isin(known["unit"]), "unit"], today)
    return pd.concat([known.loc[known["unit"].isin(people["unit"]), list(COLUMNS)], new], ignore_index=True), new
