"""Work done side by side in processes of their own: one that is killed loses what it was doing, and no more."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

DIES_WITH_PARENT = 1
KILLED = ("TerminatedWorkerError", "BrokenProcessPool", "KilledWorker")


class Lost(Exception):
    """A piece of work whose process was killed each time it was tried."""


def side_by_side(work: Callable[..., Any], asked: Mapping[Any, tuple], jobs: int, backend: str = "loky") -> Iterator[tuple[Any, Any]]:
    """Call a function with each tuple of arguments, `jobs` at a time.

    Parameters
    ----------
    work : callable
        Of a module, so that a process can find it.
    asked : mapping
        The arguments of each call, by any name.
    jobs : int
        With one, everything is done here, one after the other.
    backend : str
        One of joblib's.

    Yields
    ------
    tuple
        Name and answer of each call, as they come; `Lost` where the process was killed although the call was tried alone.

    Examples
    --------
    >>> sorted(side_by_side(abs, {"a": (-1,), "b": (2,)}, jobs=1))
    [('a', 1), ('b', 2)]
    """
    if jobs < 2 and backend == "loky":
        yield from ((name, work(*arguments)) for name, arguments in asked.items())
        return
    left, suspects = dict(asked), []
    while left:
        begun: list[Any] = []
        try:
            for name, answer in _parallel(work, dict(left), jobs, backend, begun):
                del left[name]
                yield name, answer
        except Exception as error:
            if type(error).__name__ not in KILLED:
                raise
            suspects += [name for name in begun if name in left]
            left = {name: arguments for name, arguments in left.items() if name not in suspects}
    for name in suspects:
        yield name, _alone(work, asked[name], backend)


def _parallel(work: Callable[..., Any], asked: Mapping[Any, tuple], jobs: int, backend: str, begun: list[Any]) -> Iterator[tuple[Any, Any]]:
    import joblib

    def calls() -> Iterator[Any]:
        for name, arguments in asked.items():
            begun.append(name)
            yield joblib.delayed(_call)(os.getpid() if backend == "loky" else None, name, work, arguments)

    # A worker that has grown is replaced once it has answered: nothing that a night's log should warn of.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    at_once = max(jobs, 2)
    with joblib.parallel_config(backend, n_jobs=at_once):  # by this, and not by Parallel itself, joblib finds Dask
        run = joblib.Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch=at_once)
    yield from run(calls())


def _alone(work: Callable[..., Any], arguments: tuple, backend: str) -> Any:
    """Try it without neighbours: whoever dies now has only itself to blame."""
    try:
        return next(_parallel(work, {0: arguments}, 1, backend, []))[1]
    except Exception as error:
        if type(error).__name__ not in KILLED:
            raise
        return Lost()


def _call(parent: int | None, name: Any, work: Callable[..., Any], arguments: tuple) -> tuple[Any, Any]:
    if parent is not None and sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(DIES_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # it died before we said so
    return name, work(*arguments)
