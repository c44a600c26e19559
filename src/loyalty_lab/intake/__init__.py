"""A shop's exports to its tables: read as text, understood by profile, checked, made pseudonymous, kept as Parquet."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from loyalty_lab import __version__, tables
from loyalty_lab.errors import InputError
from loyalty_lab.intake import identities
from loyalty_lab.intake.report import UNIT, Report
from loyalty_lab.kept import digest
from loyalty_lab.results import write_atomically
from loyalty_lab.shop import Shelf, Shop, ShopSettings, Source, load_settings

REPORT_FILE = "intake.json"
FEW_IDENTIFIED = 0.5
FEW_DAYS = 365


@dataclass(frozen=True)
class Intake:
    """A shop's exports once they are read: settings, what was found, where the tables lie, and their hashes.

    `key` is the hash of everything that was read: exports, shop.toml, the shop's secret and how they are understood.
    """

    folder: Path
    settings: ShopSettings
    report: Report
    paths: dict[str, Path]
    hashes: dict[str, str]
    key: str

    def shelf(self) -> Shelf:
        """Return the tables; each is read when it is first asked for."""
        return Shelf(self.paths)

    def shop(self, shelf: Shelf | None = None) -> Shop:
        """Return the shop with these tables."""
        return Shop(self.settings, self.shelf() if shelf is None else shelf)

    @property
    def last_day(self) -> date:
        """The last day with an order."""
        return self.report.tables["orders"].last_day

    def lacks(self, needs: tuple[str, ...]) -> str | None:
        """Return the first of ``table`` or ``table.column`` that the shop does not have, else None; loads nothing."""
        for need in needs:
            name, _, column = need.partition(".")
            table = self.report.tables.get(name)
            if name not in self.paths or table is None or not table.columns or (column and column not in table.columns):
                return need
        return None


def read(folder: Path, *, fresh: bool = False) -> Intake:
    """Read a shop's exports, or what was read of the very same exports before.

    Parameters
    ----------
    folder : pathlib.Path
        The shop's folder.
    fresh : bool
        Read the exports even if nothing has changed.

    Returns
    -------
    Intake

    Raises
    ------
    InputError
        If an export is missing, empty, lacks a required column, or holds what cannot be read or
        may be read in two ways. Nothing is written then.
    """
    asked = _ask(Path(folder))
    return (None if fresh else _earlier(asked)) or _read_anew(asked)


def known(folder: Path) -> Intake | None:
    """Return what was read of the very same exports before, or None; raises as `read` does for what is wrong with shop.toml."""
    return _earlier(_ask(Path(folder)))


@dataclass(frozen=True)
class _Asked:
    """What is to be read, and the hash of all of it."""

    folder: Path
    settings: ShopSettings
    files: list[tuple[Source, Path]]
    hashes: dict[Path, str]
    secret: str
    key: str


def _ask(folder: Path) -> _Asked:
    settings = load_settings(folder)
    files = [(source, path) for source in settings.sources for path in _files(folder, source)]
    if not any(source.table == "orders" for source, _ in files):
        raise InputError("shop.toml", "names no export of orders", 'add [[sources]] with file = "exports/..." and table = "orders"')
    secret = identities.salt(folder / "private")
    hashes = {path: _sha256(path) for _, path in files}
    return _Asked(folder, settings, files, hashes, secret, _key(folder, settings, hashes, secret))


def _files(folder: Path, source: Source) -> list[Path]:
    found = sorted(folder.glob(source.file)) if any(sign in source.file for sign in "*?[") else [folder / source.file]
    if not found or not found[0].exists():
        raise InputError(source.file, "there is no such export", "put it there, or correct `file` in shop.toml")
    outside = next((path for path in found if not path.resolve().is_relative_to(folder.resolve())), None)
    if outside:
        raise InputError("shop.toml", f"file = {source.file!r} lies outside the shop's folder", "copy the export into exports/")
    return found


def _key(folder: Path, settings: ShopSettings, hashes: dict[Path, str], secret: str) -> str:
    own = [path for path in sorted(Path(__file__).parent.rglob("*")) if path.suffix in (".py", ".toml")]
    parts = [__version__, secret, (folder / "shop.toml").read_text(encoding="utf-8-sig"), settings.brand.logo or ""]
    parts += [path.read_text(encoding="utf-8") for path in (*own, Path(tables.__file__))]
    parts += [f"{path.name} {sha256}" for path, sha256 in hashes.items()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}", "name a file, not a folder, that may be read") from None


def _earlier(asked: _Asked) -> Intake | None:
    folder = asked.folder
    try:
        stored = json.loads((folder / "cache" / REPORT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    hashes = stored.get("tables")
    if stored.get("key") != asked.key or not isinstance(hashes, dict) or not (folder / "private" / "identities.parquet").is_file():
        return None
    paths = {name: folder / "cache" / "tables" / f"{name}.parquet" for name in hashes}
    whole = all(digest(path) == hashes[name] for name, path in paths.items())
    return Intake(folder, asked.settings, Report.model_validate(stored["report"]), paths, hashes, asked.key) if whole else None


def _read_anew(asked: _Asked) -> Intake:
    from loyalty_lab.intake import assembly

    folder, private = asked.folder, asked.folder / "private"
    people = identities.remembered(private, asked.settings.identity.keep_apart)
    with _place(folder) as place, assembly.opened(place) as db:
        work = assembly.Assembly(db, asked.settings, people, place)
        assembly.assemble(work, asked.files, asked.hashes)
        identities.make_private(private)
        paths = assembly.write_tables(work, folder / "cache" / "tables", asked.secret)
        _warn(work.report, len(people.merged_into))
        assembly.write_identities(work, private / "identities.parquet")
        assembly.write_quarantine(work, private / "quarantine.csv", asked.files)
        _write_privately(private / identities.MERGES, identities.audit(people))
    hashes = {name: digest(path) for name, path in sorted(paths.items())}
    stored = {"key": asked.key, "tables": hashes, "report": work.report.model_dump(mode="json")}
    write_atomically(folder / "cache" / REPORT_FILE, json.dumps(stored, ensure_ascii=False, indent=1, sort_keys=True).encode())
    return Intake(folder, asked.settings, work.report, paths, hashes, asked.key)


@contextmanager
def _place(folder: Path) -> Iterator[Path]:
    """A temporary folder in the shop's cache, for its owner only; what a refused export leaves of it goes."""
    cache, before = folder / "cache", (folder / "cache").exists()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(prefix=".intake.", suffix=f".{os.getpid()}.tmp", dir=cache))
    except OSError as error:
        raise InputError(str(cache), f"cannot be written: {error.strerror}", "make the shop's folder writable") from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if not before and not any(cache.iterdir()):
            cache.rmdir()


def _write_privately(path: Path, content: bytes) -> None:
    write_atomically(path, content)
    path.chmod(0o600)


def _warn(report: Report, joined: int) -> None:
    """Say what must be known before a model is trusted: who is not identified, how short the history is, what fits nowhere."""
    bridge, orders = report.bridge, report.tables["orders"]
    if bridge.unmatched_refunds:
        report.warn("refunds_without_an_order", n=bridge.unmatched_refunds, amount=bridge.unmatched_money / UNIT)
    if bridge.anonymous_orders:
        share = bridge.anonymous_orders / (bridge.anonymous_orders + bridge.orders)
        report.warn("mostly_anonymous" if 1 - share < FEW_IDENTIFIED else "anonymous", share=share)
    if joined:
        report.warn("joined", n=joined)
    days = (orders.last_day - orders.first_day).days + 1
    if days < FEW_DAYS:
        report.warn("short_history", days=days)
