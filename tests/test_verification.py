"""A ledger is believed only where its arms are those that the shop's secret gives."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import ledger
from loyalty_lab.assignment import Round, draw, join_late, open_round, void
from loyalty_lab.errors import InputError
from loyalty_lab.ledger import COLUMNS
from loyalty_lab.verification import read_verified, verify

SALT = "ab" * 32
LETTERS = Round("follow-up-letters", date(2026, 1, 31), date(2026, 2, 1), 60)
INVITED = Round("referral", date(2026, 1, 31), date(2026, 2, 1), 91)
LARGE = Round("greet-by-name", date(2026, 2, 10), date(2026, 2, 12), 30)


def people(n: int, mark: str = "C") -> pd.DataFrame:
    return pd.DataFrame({"unit": [f"{mark}{at:05d}" for at in range(n)], "stratum": "once", "spend": np.arange(n) * 1.5})


def written(large: int = 0) -> pd.DataFrame:
    """Two rounds opened by one run, late joiners of one, a round made void and drawn again, and at will a large one."""
    parts = [open_round(SALT, LETTERS, people(21)), open_round(SALT, INVITED, people(8, "D"))]
    parts += [join_late(SALT, LETTERS, pd.Series(["L1", "L2", "L3"]), date(2026, 2, 20))]
    parts += [void(pd.concat(parts), "referral"), open_round(SALT, INVITED, people(10, "D"))]
    parts += [open_round(SALT, LARGE, people(large, "G"))] if large else []
    return pd.concat(parts, ignore_index=True)


def changed(at: int, **cells: str) -> pd.DataFrame:
    rows = written()
    for name, cell in cells.items():
        rows.loc[at, name] = cell
    return rows


def test_what_this_shop_wrote_is_believed():
    verify(written(), SALT)
    verify(written(2_500), SALT)
    verify(written(5_050), SALT)
    verify(written().head(0), SALT)


def test_another_secret_gives_other_arms():
    with pytest.raises(InputError, match="which the shop's secret does not give"):
        verify(written(), "cd" * 32)


def test_a_round_drawn_with_a_share_of_its_own_is_checked_against_that():
    lots = {unit: draw(SALT, LARGE.slug, LARGE.opened_on, unit) for unit in people(300)["unit"]}
    arms = ["treated" if lot < 0.9 else "control" for lot in lots.values()]
    rows = open_round(SALT, LARGE, people(300)).set_index("unit").reindex(lots).reset_index()[list(COLUMNS)]
    rows = rows.assign(arm=arms, propensity="0.9000", pair="")

    verify(rows, SALT)
    with pytest.raises(InputError, match="row 2: says that 'C00000' is"):
        verify(rows.assign(propensity="0.0001"), SALT)


@pytest.mark.parametrize(
    ("at", "cells", "words"),
    [
        (3, {"arm": "Treated"}, "row 5: holds 'Treated' as its arm"),
        (3, {"unit": ""}, "row 5: holds '' as its unit"),
        (3, {"stratum": ""}, "row 5: holds '' as its stratum"),
        (3, {"pair": "02"}, "row 5: holds '02' as its pair"),
        (3, {"pair": "9"}, "row 5: stands in pair '9' instead of '2': a pair is not whole"),
        (3, {"propensity": "0.5001"}, "row 5: holds '0.5001' as its propensity"),
        (3, {"propensity": "1.5000"}, "row 5: holds '1.5000' as its propensity"),
        (3, {"assigned_on": "2026-02-30"}, "row 5: holds '2026-02-30' as its assigned_on"),
        (3, {"assigned_on": "2026-02-02"}, "row 5: holds '2026-02-02' as its assigned_on"),
        (3, {"assigned_on": "20260201"}, "row 5: holds '20260201' as its assigned_on"),
        (3, {"event": "assigmed"}, "row 5: holds 'assigmed' as its event"),
        (3, {"slug": "follow-up-lettera"}, "row 5: holds the slug 'follow-up-lettera' beside the round"),
        (3, {"round": "follow-up-letters@2026-01-31+060d"}, "row 5: holds 'follow-up-letters@2026-01-31.060d' as its round"),
        (3, {"round": "follow-up-letters@2026-13-31+60d"}, "row 5: holds 'follow-up-letters@2026-13-31.60d' as its round"),
        (3, {"round": "follow-up-letters@2026-01-30+60d"}, "stands apart|not whole|the round|secret"),
        (3, {"unit": "C00019"}, "gives 'C000.*' a second arm"),
        (29, {"stratum": "once"}, "row 31: belongs to the opening of .* and stands apart"),
        (29, {"pair": "1"}, "row 31: holds '1' as its pair"),
        (29, {"propensity": "0.6000"}, "row 31: holds '0.6000' as its propensity"),
        (29, {"assigned_on": "2026-01-31"}, "row 31: holds '2026-01-31' as its assigned_on"),
        (29, {"assigned_on": "2026-04-02"}, "row 31: holds '2026-04-02' as its assigned_on"),
        (32, {"unit": "D00001"}, "row 34: holds 'D00001' as its unit"),
        (32, {"assigned_on": "2026-02-02"}, "row 34: holds '2026-02-02' as its assigned_on; the round began on 2026-02-01"),
        (32, {"round": "referral@2026-03-31+91d"}, "a second arm in the round"),
        (0, {"stratum": "late"}, "row 2: holds somebody who joined .* before it was opened"),
    ],
)
def test_a_changed_cell_is_refused_with_its_row(at, cells, words):
    with pytest.raises(InputError, match=words) as said:
        verify(changed(at, **cells), SALT)
    assert said.value.remedy == "restore the file from a copy; it is only ever appended to"


@pytest.mark.parametrize("at", range(21 + 8 + 3))
def test_an_arm_that_was_turned_round_is_found_wherever_it_stands(at):
    rows = written()
    with pytest.raises(InputError, match=f"row {at + 2}: says that|row {at + 1}: says that|row {at + 3}: says that"):
        verify(changed(at, arm="control" if rows["arm"][at] == "treated" else "treated"), SALT)


def test_a_pair_that_lost_a_row_is_not_whole():
    for at in range(20):
        with pytest.raises(InputError, match=r"is not whole|second arm"):
            verify(written().drop(index=at), SALT)


def test_a_tactic_has_one_round_at_a_time():
    second = open_round(SALT, Round(LETTERS.slug, date(2026, 3, 1), date(2026, 3, 2), 60), people(6))
    earlier = open_round(SALT, Round(LETTERS.slug, date(2025, 3, 1), date(2025, 3, 2), 60), people(6))

    with pytest.raises(InputError, match=r"opens the round .* while .* goes on"):
        verify(pd.concat([written(), second]), SALT)
    verify(pd.concat([written(), earlier]), SALT)
    verify(pd.concat([written(), void(written(), LETTERS.slug), second]), SALT)


def test_nothing_is_void_that_had_not_been_opened():
    row = void(written(), LETTERS.slug)

    with pytest.raises(InputError, match=r"row 2: makes the round .* void, which had not been opened"):
        verify(row, SALT)


def told_wrong(path, sound: pd.DataFrame) -> set[tuple[str, str]]:
    """The column and stratum of each cell that is believed and wrong; none where the ledger is refused."""
    try:
        rows = ledger.read_ledger(path)
        verify(rows, SALT)
    except InputError:
        return set()
    places = zip(*np.where(rows != sound), strict=True)
    return {(COLUMNS[column], sound["stratum"][row]) for row, column in places}


def test_a_flipped_byte_is_refused_or_one_of_the_few_that_arms_cannot_tell(tmp_path):
    path, draws, sound = tmp_path / ledger.LEDGER, np.random.default_rng(5), written()
    ledger.append(path, sound)
    whole, missed = path.read_bytes(), []

    for at in draws.integers(0, len(whole), 600):
        path.write_bytes(whole[:at] + bytes([draws.integers(0, 256)]) + whole[at + 1 :])
        missed += told_wrong(path, sound)

    untold = {("stratum", "once"), ("unit", "once"), ("unit", "late"), ("assigned_on", "late")}
    assert set(missed) <= untold  # another word, another customer with the same arm, another day inside the window
    assert len(missed) < 0.10 * 600


def test_no_flipped_byte_escapes_where_the_ledger_is_sealed(tmp_path):
    (tmp_path / "private").mkdir()
    path, draws = tmp_path / ledger.LEDGER, np.random.default_rng(6)
    ledger.append(path, written())
    ledger.seal(tmp_path)
    whole = path.read_bytes()
    assert read_verified(tmp_path, SALT).equals(written())

    for at in draws.integers(0, len(whole), 200):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << draws.integers(0, 8))]) + whole[at + 1 :])
        with pytest.raises(InputError):
            read_verified(tmp_path, SALT)


def test_whole_rows_that_are_missing_or_stand_elsewhere_are_missed_by_the_seal(tmp_path):
    (tmp_path / "private").mkdir()
    path = tmp_path / ledger.LEDGER
    ledger.append(path, written())
    ledger.seal(tmp_path)
    lines = path.read_text().splitlines(keepends=True)

    for kept in (lines[:-1], lines[:23] + lines[24:], [*lines[:2], lines[3], lines[2], *lines[4:]]):
        path.write_text("".join(kept))
        with pytest.raises(InputError):
            read_verified(tmp_path, SALT)


def test_a_ledger_of_a_hundred_thousand_is_checked_in_seconds():
    from time import process_time

    rows = open_round(SALT, LARGE, people(100_000))
    began = process_time()
    verify(rows, SALT)

    assert process_time() - began < 5
    assert rows["propensity"].eq("0.9000").all()
