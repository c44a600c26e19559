"""Keeping the ledger of a shop: what runs, a round made void whose list was never sent, and a lost ledger written anew."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from loyalty_lab import assignment, intake, ledger, lists, lock, report, results, returned, verification
from loyalty_lab.errors import InputError
from loyalty_lab.shop import RETURNED

if TYPE_CHECKING:
    import pandas as pd


def read(shop_folder: Path) -> pd.DataFrame:
    """Read a shop's ledger, checked; that of a shop without a secret, which has drawn no arm, is empty.

    Raises
    ------
    InputError
        As of `verification.read_verified`.
    """
    salt = shop_folder / lists.SALT
    if not salt.exists() and not (shop_folder / ledger.LEDGER).exists():
        return ledger.read_ledger(shop_folder / ledger.LEDGER)
    return verification.read_verified(shop_folder, intake.identities.salt(salt.parent))


def void_round(shop_folder: Path, slug: str) -> None:
    """Make the latest round of a tactic void: its list was never sent, and the next run draws anew.

    Raises
    ------
    InputError
        If the tactic has no round, a returned list tells of it, or another run works on the shop.
    """
    with lock.alone(shop_folder):
        written = read(shop_folder)
        row = assignment.void(written, slug)
        told = returned.read(shop_folder / RETURNED, written, lists.read_salt(shop_folder), _people(shop_folder))
        if (told["round"] == row["round"].iloc[0]).any():
            what = f"tells of the round {row['round'].iloc[0]!r}, whose list was sent then"
            raise InputError(RETURNED.as_posix(), what, "let the round go on; it is read on its day")
        ledger.append(shop_folder / ledger.LEDGER, row, seen=written)
        ledger.seal(shop_folder)


def _people(shop_folder: Path) -> list[str]:
    return lists.read_identities(shop_folder / lists.IDENTITIES)["merged_id"].tolist()


def rebuild(shop_folder: Path, step: report.Step = lambda line: None) -> int:
    """Write a lost ledger anew, or an older copy to its end: every earlier report's arms, drawn again in the order of the reports.

    The lot hangs on the shop's secret, the tactic, the cutoff and the person alone, so that the same exports, settings,
    candidates and returned lists give the arms they gave then. The lists made on the way are compared with those of the
    report, and the whole with the seal. The ledger appears at the end, or not at all.

    Returns
    -------
    int
        How many rows the ledger holds.

    Raises
    ------
    InputError
        If there is a ledger, or no report to rebuild it from, or a list or the whole comes out otherwise than it was.
    """
    with lock.alone(shop_folder):
        return _rebuild(shop_folder, step)


def _rebuild(shop_folder: Path, step: report.Step) -> int:
    target = shop_folder / ledger.LEDGER
    left = ledger.read_ledger(target)
    if len(left) and not ledger.falls_short(shop_folder):
        raise InputError(ledger.LEDGER.as_posix(), "is there and holds rounds", "move it away first; it is only rebuilt where it was lost")
    verification.verify(left, lists.read_salt(shop_folder))
    made = sorted(path.parent for path in (shop_folder / "reports").glob("*/run.json"))
    if not made:
        raise InputError("reports/", "holds no report to rebuild the ledger from", "put the earlier reports back")
    taken = intake.read(shop_folder)
    with _beside(shop_folder) as place:
        again = place / ledger.LEDGER
        ledger.append(again, left)
        for folder in made:
            step(f"drawing the arms of {folder.name} again")
            _draw_again(shop_folder, taken, folder, place)
        _compare_with_seal(shop_folder, again)
        if again.exists():
            results.write_atomically(target, again.read_bytes())
    ledger.seal(shop_folder)
    return len(read(shop_folder))


@contextmanager
def _beside(shop_folder: Path) -> Iterator[Path]:
    """A folder like the shop's, with its secret and who is who, in which a ledger can grow unseen."""
    place = shop_folder / "rounds" / f".rebuilt.{os.getpid()}.tmp"
    try:
        (place / "private").mkdir(parents=True, mode=0o700)
        for name in (lists.SALT, lists.IDENTITIES):
            shutil.copy2(shop_folder / name, place / name)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _draw_again(shop_folder: Path, taken: intake.Intake, folder: Path, place: Path) -> None:
    """The arms of one report, with the lists that had come back by then; its campaigns' lists are those handed over."""
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    cutoff, report_date = (date.fromisoformat(about[name]) for name in ("cutoff", "report_date"))
    stage = place / folder.name
    shutil.copytree(folder / "results", stage / "results")
    shutil.rmtree(place / RETURNED, ignore_errors=True)
    (place / RETURNED).mkdir(parents=True)
    for path, digest in returned.digests(shop_folder / RETURNED):
        if digest in about.get("returned", []):
            shutil.copy2(path, place / RETURNED)
    shop = taken.shop().until(cutoff)
    for action in report.write_lists(place, shop, cutoff, report_date, about["horizon_days"], stage):
        name = f"{action['slug']}.csv"
        if action["kind"] == "campaign" and _numbers(stage / "lists" / name) != _numbers(folder / "lists" / name):
            remedy = "bring back the exports, shop.toml, private/ and rounds/returned/ of that report"
            raise InputError(f"reports/{folder.name}/lists/{name}", "names other people than are drawn now", remedy)


def _numbers(path: Path) -> list[str]:
    """The customers of a list, by the shop's own numbers."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [row[0] for row in csv.reader(file)]


def _compare_with_seal(shop_folder: Path, again: Path) -> None:
    try:
        ledger.check_seal(shop_folder, again)
    except InputError as error:
        remedy = "bring back every report; where one is lost for good or a round was made void, delete private/ledger.json and try again"
        raise InputError("reports/", f"do not give back the ledger that was lost: it {error.what}", remedy) from None
