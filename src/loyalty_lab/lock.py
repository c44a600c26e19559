"""One run at a time on a shop's folder, and nothing half-written left behind by one that was killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from loyalty_lab.errors import InputError

LOCK = ".lock"
FAR = 1 << 20  # the byte that is locked where only bytes can be: not where the number of the run stands


@contextmanager
def alone(shop_folder: Path) -> Iterator[None]:
    """Keep every other run away from a shop's folder for as long as this one works on it.

    The lock is the system's own and ends with its holder, also where that is killed. What a killed run left half-done in
    ``rounds/``, ``reports/`` and ``cache/`` is swept.

    Raises
    ------
    InputError
        If another run holds the shop; the number of its process is named.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as shop, alone(shop):
    ...     with alone(shop):  # doctest: +IGNORE_EXCEPTION_DETAIL
    ...         pass
    Traceback (most recent call last):
    InputError: ...: is being worked on by another run
    """
    folder = Path(shop_folder)
    if not folder.is_dir():  # whoever reads it next says so
        yield
        return
    held = _hold(folder / LOCK)
    try:
        for part in ("rounds", "reports"):
            sweep(folder / part)
        for left in (folder / "cache").rglob(".*.tmp"):
            if _is_dead(left):  # `check` works there without the lock
                _remove(left)
        yield
    finally:
        with suppress(OSError):  # an open file cannot be removed everywhere
            (folder / LOCK).unlink()
        held.close()


def sweep(folder: Path, name: str = "*") -> None:
    """Remove what a killed run has left in a folder under temporary names; what it had put aside and not replaced comes back."""
    for aside in folder.glob(f".{name}.old"):
        place = folder / aside.name[1:].rsplit(".", 2)[0]
        _remove(aside) if place.exists() else aside.replace(place)
    for left in folder.glob(f".{name}.tmp"):
        _remove(left)


def _is_dead(left: Path) -> bool:
    """Whether the process whose number stands in a temporary name has ended; not to be told on Windows."""
    number = left.name.split(".")[-2]
    try:
        os.kill(int(number), 0) if os.name == "posix" else None
    except (ProcessLookupError, ValueError):
        return True
    except PermissionError:
        pass
    return False


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _hold(path: Path) -> IO[str]:
    """The lock's file, held. One that its last holder has removed meanwhile locks nobody out: it is opened anew."""
    while True:
        try:
            file = path.open("a+", encoding="ascii")
        except OSError as error:
            raise InputError(str(path.parent), f"cannot be written: {error.strerror}", "make the shop's folder writable") from None
        try:
            _lock(file)
        except OSError as error:
            raise _refusal(path, file, error) from None
        if _stands(file, path):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            return file
        file.close()


def _refusal(path: Path, file: IO[str], error: OSError) -> InputError:
    with file:
        if not isinstance(error, (BlockingIOError, PermissionError)):
            return InputError(
                str(path.parent), f"cannot be locked: {error.strerror}", "keep the shop's folder on a disk that can lock files"
            )
        file.seek(0)
        holder = file.read(20).strip() or "unknown"
    what = f"is being worked on by another run (process {holder})"
    return InputError(str(path.parent), what, "wait until that is done, then run the command again")


def _lock(file: IO[str]) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _stands(file: IO[str], path: Path) -> bool:
    """Whether the file held is the one that lies there now."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
