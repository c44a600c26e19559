"""Whether a ledger is what this shop wrote: every arm follows from its secret, and so can be drawn again and compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from loyalty_lab import ledger
from loyalty_lab.assignment import LATE, LATE_SHARE, NAME, Round, lots
from loyalty_lab.effects import treated_share
from loyalty_lab.errors import InputError

ROUNDING = 5e-5  # a propensity stands in the ledger with four decimals
PAIRED = "0.5000"
LATEST_DAY = "3000"


def read_verified(shop_folder: Path, salt: str) -> pd.DataFrame:
    """Read a shop's ledger and believe it only where rows and seal hold.

    Raises
    ------
    InputError
        As of `ledger.read_ledger`, `verify` and `ledger.check_seal`.
    """
    written = ledger.read_ledger(shop_folder / ledger.LEDGER)
    verify(written, salt)
    ledger.check_seal(shop_folder)
    return written


def verify(written: pd.DataFrame, salt: str) -> None:
    """Draw every arm of a ledger again and compare, and look at the form of all its cells.

    Rows written at the opening of a round stand together, on one day and with one propensity; matched pairs are numbered in
    order, one of each two treated, the one with the smaller lot; late joiners come later, half and half, inside the window; a
    row that makes a round void comes after it; no round of a tactic opens while another one of it goes on.

    What this cannot tell: another word for a stratum; another customer whose lot happens to give the same arm; another date
    of a late joiner inside the window; another date, window or propensity in a round of one person; whole rows missing at the
    end of a part without pairs. The seal (`ledger.check_seal`) tells them all.

    Parameters
    ----------
    written : pandas.DataFrame
        As of `ledger.read_ledger`.
    salt : str
        The shop's secret, in hex.

    Raises
    ------
    InputError
        With the number of a row that is wrong, the header being row 1.

    Examples
    --------
    >>> from loyalty_lab.assignment import open_round
    >>> people = pd.DataFrame({"unit": ["a", "b"], "stratum": "all", "spend": 1.0})
    >>> drawn = open_round("00", Round("follow-up-letters", date(2026, 10, 31), date(2026, 11, 1), 60), people)
    >>> verify(drawn, "00")
    >>> verify(drawn.assign(arm=drawn["arm"].tolist()[::-1]), "00")
    Traceback (most recent call last):
    loyalty_lab.errors.InputError: rounds/assignments.csv, row 2: says that 'a' is treated, which the shop's secret does not give
      To mend it: restore the file from a copy; it is only ever appended to
    """
    written = written.reset_index(drop=True)
    _check_cells(written)
    turns = sorted(_turns(written), key=lambda turn: turn.first)
    for at, turn in enumerate(turns):
        _check_place(turn, turns[:at])
        _check_opening(turn, salt)
        _check_late(turn, salt)


def _refuse(at: int, what: str) -> None:
    raise InputError(f"{ledger.LEDGER.as_posix()}, row {at + 2}", what, ledger.REMEDY)


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text and text < LATEST_DAY
    except ValueError:
        return False


def _is_name(text: str) -> bool:
    known = NAME.fullmatch(text)
    return bool(known) and _is_day(known[2]) and known[3] == str(int(known[3])) and 0 < int(known[3]) < 10_000


FORMS: dict[str, Callable[[str], bool]] = {
    "unit": bool,
    "arm": ("treated", "control").__contains__,
    "stratum": bool,
    "pair": re.compile("([1-9][0-9]*)?").fullmatch,
    "propensity": re.compile(r"0\.(?!0000)[0-9]{4}").fullmatch,
}


def _check_cells(written: pd.DataFrame) -> None:
    """The form of every cell, each distinct one looked at once."""
    _check_column(written, "event", ("assigned", "void").__contains__)
    _check_column(written, "round", _is_name)
    _check_column(written, "assigned_on", _is_day)
    other = written.index[written["slug"] != written["round"].str.replace("@.*", "", regex=True)]
    if other.size:
        _refuse(other[0], f"holds the slug {written['slug'][other[0]][:40]!r} beside the round {written['round'][other[0]]!r}")
    void = written["event"] == "void"
    for name, form in FORMS.items():
        _check_column(written[~void], name, form)
        _check_column(written[void], name, lambda text: text == "")


def _check_column(rows: pd.DataFrame, name: str, form: Callable[[str], object]) -> None:
    cells = rows[name].tolist()
    for value in dict.fromkeys(cells):
        if not form(value):
            _refuse(rows.index[cells.index(value)], f"holds {value[:40]!r} as its {name}")


@dataclass(frozen=True)
class Turn:
    """The rows of one round, from its opening to its end or to where it was made void."""

    cycle: Round
    opening: pd.DataFrame
    late: pd.DataFrame
    void_at: float

    @property
    def first(self) -> int:
        return self.opening.index[0]


def _turns(written: pd.DataFrame) -> Iterator[Turn]:
    void = written["event"] == "void"
    before = void.groupby(written["round"]).cumsum() - void
    for (name, _), rows in written.groupby([written["round"], before], sort=False):
        ended, rows = rows[rows["event"] == "void"], rows[rows["event"] == "assigned"]
        if rows.empty:
            _refuse(ended.index[0], f"makes the round {name!r} void, which had not been opened")
        is_late, known = rows["stratum"] == LATE, NAME.fullmatch(name)
        if is_late.iloc[0]:
            _refuse(rows.index[0], f"holds somebody who joined the round {name!r} before it was opened")
        cycle = Round(known[1], date.fromisoformat(known[2]), date.fromisoformat(rows["assigned_on"].iloc[0]), int(known[3]))
        _check_once(rows, name)
        if len(ended) and ended["assigned_on"].iloc[0] != cycle.begins_on.isoformat():
            _refuse(ended.index[0], f"holds {ended['assigned_on'].iloc[0]!r} as its assigned_on; the round began on {cycle.begins_on}")
        yield Turn(cycle, rows[~is_late], rows[is_late], ended.index[0] if len(ended) else float("inf"))


def _check_once(rows: pd.DataFrame, name: str) -> None:
    twice = rows.index[rows["unit"].duplicated()]
    if twice.size:
        _refuse(twice[0], f"gives {rows['unit'][twice[0]][:40]!r} a second arm in the round {name!r}")


def _check_place(turn: Turn, earlier: list[Turn]) -> None:
    """A tactic has one round at a time, and the cutoff of a round comes before its first day."""
    cycle = turn.cycle
    if cycle.begins_on < cycle.opened_on:
        _refuse(turn.first, f"lets the round {cycle.name!r} begin on {cycle.begins_on}")
    for other in earlier:
        goes_on = other.cycle.slug == cycle.slug and other.cycle.opened_on <= cycle.opened_on < other.cycle.read_on
        if goes_on and other.void_at > turn.first:
            _refuse(turn.first, f"opens the round {cycle.name!r} while {other.cycle.name!r} goes on")


def _check_opening(turn: Turn, salt: str) -> None:
    rows, share = turn.opening, turn.opening["propensity"].iloc[0]
    for at, number in enumerate(rows.index):
        if number != turn.first + at:
            _refuse(number, f"belongs to the opening of {turn.cycle.name!r} and stands apart from it")
    for name in ("assigned_on", "propensity"):
        _check_column(rows, name, rows[name].iloc[0].__eq__)
    paired = rows["pair"].ne("").any()
    pairs = [str(at // 2 + 1) if paired and at < len(rows) // 2 * 2 else "" for at in range(len(rows))]
    for at, (pair, expected) in enumerate(zip(rows["pair"], pairs, strict=True)):
        if pair != expected:
            _refuse(turn.first + at, f"stands in pair {pair!r} instead of {expected!r}: a pair is not whole")
    if paired and share != PAIRED:
        _refuse(turn.first, f"holds {share!r} as the propensity of a pair")
    exact = treated_share(len(rows))
    chance, doubt = (exact, 0.0) if f"{exact:.4f}" == share else (float(share), ROUNDING)
    drawn = lots(salt, turn.cycle.slug, turn.cycle.opened_on, rows["unit"])
    beside = [drawn[at + 1 - 2 * (at % 2)] if pair else chance for at, pair in enumerate(pairs)]
    _check_arms(rows, drawn, beside, [0.0 if pair else doubt for pair in pairs])


def _check_late(turn: Turn, salt: str) -> None:
    rows, cycle = turn.late, turn.cycle
    _check_column(rows, "pair", "".__eq__)
    _check_column(rows, "propensity", f"{LATE_SHARE:.4f}".__eq__)
    _check_column(rows, "assigned_on", lambda day: cycle.begins_on <= date.fromisoformat(day) < cycle.read_on)
    _check_arms(rows, lots(salt, cycle.slug, cycle.opened_on, rows["unit"]), [LATE_SHARE] * len(rows), [0.0] * len(rows))


def _check_arms(rows: pd.DataFrame, drawn: list[float], below: list[float], doubt: list[float]) -> None:
    """Treated is whose lot lies below the share, or below the other one's of the pair."""
    for number, unit, arm, lot, edge, near in zip(rows.index, rows["unit"], rows["arm"], drawn, below, doubt, strict=True):
        if (arm == "treated") != (lot < edge) and abs(lot - edge) >= near:
            _refuse(number, f"says that {unit[:40]!r} is {arm}, which the shop's secret does not give")
