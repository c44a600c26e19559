"""Runs that are killed (started by test_crash.py): one process loads everything once, and each run is a fork of it.

    python killed.py JOB FOLDER KILLS

makes `FOLDER/whole` by an undisturbed run of JOB on a copy of `FOLDER/before`, then kills runs on copies of their own: `FOLDER/
killed-...`, first at each sync and rename, then in the middle of writing a file, then KILLS more at random moments; and runs
again, undisturbed, on a copy of every state that was left: `FOLDER/again-...`.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb  # noqa: F401  loaded before the first fork, and not used before it
import pandas as pd

from loyalty_lab import ledger, lists, lock


def make_lists(folder: Path) -> None:
    """The lists of a shop, as a report makes them."""
    asked = pickle.loads((folder / "asked.pickle").read_bytes())
    with lock.alone(folder):
        lists.make_lists(folder, *asked["what"], **asked["when"], out=folder / "lists")


def append(folder: Path) -> None:
    """A large round."""
    with lock.alone(folder):
        ledger.append(folder / ledger.LEDGER, pd.read_pickle(folder / "rows.pickle"))


JOBS: dict[str, Callable[[Path], None]] = {"lists": make_lists, "append": append}


def forked(work: Callable[[], object], after: float | None = None) -> None:
    """Do something in a process of its own; kill it after so many seconds."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    code = os.waitpid(child, 0)[1]
    assert code & 127 in (0, signal.SIGKILL, signal.SIGXFSZ), f"the run ended with {code}"
    assert code >> 8 == 0, f"the run ended with {code}"


def killed_at(call: int, work: Callable[[], object]) -> None:
    """Do something and die right before the given sync or rename, or right after the last one."""
    left = [call]

    def watched(real):
        def instead(*args):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args)

        return instead

    os.fsync, os.replace = watched(os.fsync), watched(os.replace)
    work()
    (Path(work.args[0]) / "done").touch()


def torn_at(size: int, work: Callable[[], object]) -> None:
    """Do something and die where a file would grow beyond so many bytes, with that many written."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    work()


def copy(folder: Path, name: str) -> Path:
    return Path(shutil.copytree(folder / "before", folder / name))


def state(folder: Path) -> str:
    """What a run has left, whatever its temporary names."""
    parts = [(path.relative_to(folder).as_posix(), path.read_bytes()) for path in sorted(folder.rglob("*")) if path.is_file()]
    return hashlib.sha256(repr([part for part in parts if not part[0].endswith((".tmp", ".lock", "done"))]).encode()).hexdigest()[:12]


def main(job: str, folder: Path, kills: int) -> None:
    from functools import partial

    began, draw = time.monotonic(), random.Random(3)
    forked(partial(JOBS[job], copy(folder, "whole")))
    took, left = time.monotonic() - began, []
    for call in range(99):
        left.append(copy(folder, f"killed-at-{call:02d}"))
        forked(partial(killed_at, call, partial(JOBS[job], left[-1])))
        if (left[-1] / "done").exists():
            break
    size = (folder / "whole" / ledger.LEDGER).stat().st_size
    for at in (100, size // 3, size // 2, size - 1):
        left.append(copy(folder, f"killed-torn-{at}"))
        forked(partial(torn_at, at, partial(JOBS[job], left[-1])))
    for number in range(kills):
        left.append(copy(folder, f"killed-by-chance-{number:02d}"))
        forked(partial(JOBS[job], left[-1]), draw.uniform(0, took))
    for name, some in {state(each): each for each in left}.items():
        forked(partial(JOBS[job], Path(shutil.copytree(some, folder / f"again-{name}"))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
