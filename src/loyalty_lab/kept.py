"""Work that is done is kept in a shop's cache: the key it was done for, what it has read, and its files with their hashes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from loyalty_lab.results import write_atomically, write_json

RECORD = "done.json"
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Known(Protocol):
    """What is known by name: the hashes of a shop's tables, the texts of a language."""

    def get(self, name: str) -> Any: ...


@dataclass(frozen=True)
class Work:
    """A piece of work that need not be done again while its key and what it has read are the same.

    Parameters
    ----------
    place : pathlib.Path
        Its own folder in the cache, where the record lies.
    files : pathlib.Path, optional
        Where its files get by themselves, such as a report; if not given, they are copied beside the record.
    fresh : bool
        Take nothing for done.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     work, made = Work(Path(name) / "cache"), Path(name) / "made"
    ...     write_atomically(made / "sum.txt", b"4")
    ...     work.keep("2 + 2", made, ["sum.txt"], n=1)
    ...     work.done("2 + 3"), work.done("2 + 2"), work.bring("2 + 2", Path(name) / "again")
    (None, {'n': 1}, {'n': 1})
    """

    place: Path
    files: Path | None = None
    fresh: bool = False

    def done(self, key: str, known: Known = NOTHING) -> dict[str, Any] | None:
        """Return what was noted when the work was done, or None if it has to be done.

        Parameters
        ----------
        key : str
            Of everything it depends on besides `known`; see `keys`.
        known : Known
            Such as the shop's tables, by their hashes. What the work has asked of it must be what it was, or be missing again.
        """
        record = None if self.fresh else self._record()
        if record is None or record["key"] != key or any(known.get(name) != was for name, was in record["read"].items()):
            return None
        return record["noted"] if all(digest(self._files / name) == was for name, was in record["files"].items()) else None

    def bring(self, key: str, into: Path, known: Known = NOTHING) -> dict[str, Any] | None:
        """As `done`; if it is, its files are copied into a folder."""
        noted = self.done(key, known)
        if noted is not None:
            for name in self._record()["files"]:
                _copy(self._files / name, into / name)
        return noted

    def keep(self, key: str, made: Path, names: Iterable[str], read: Mapping[str, Any] = NOTHING, **noted: Any) -> None:
        """Keep files that were made in a folder. The record is written last: before it is there, nothing is done."""
        names = sorted(names)
        for name in names if self.files is None else ():
            _copy(made / name, self.place / name)
        record = {"key": key, "read": dict(read), "files": {name: digest(made / name) for name in names}, "noted": noted}
        write_json(self.place / RECORD, record)

    @property
    def _files(self) -> Path:
        return self.files or self.place

    def _record(self) -> dict[str, Any] | None:
        try:
            record = json.loads((self.place / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) and {"key", "read", "files", "noted"} <= set(record) else None


@dataclass(frozen=True)
class Cache:
    """The cache of one shop; it may be deleted at any time. `fresh` takes nothing in it for done."""

    folder: Path
    fresh: bool = False

    def work(self, *parts: str, files: Path | None = None) -> Work:
        """Return the piece of work of a name."""
        return Work(self.folder.joinpath(*parts), files, self.fresh)


def digest(path: Path) -> str | None:
    """Return the SHA-256 of a file; None where there is none to read.

    Examples
    --------
    >>> digest(Path("no such file")) is None
    True
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _copy(source: Path, target: Path) -> None:
    write_atomically(target, source.read_bytes())
    shutil.copymode(source, target)
