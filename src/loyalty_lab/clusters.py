"""A Dask cluster to work on shops with: reached, and every worker found to have this package, before anything is sent there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from loyalty_lab import __version__
from loyalty_lab.errors import UsageError

PATIENCE_SECONDS = 10


@contextmanager
def connected(backend: str, scheduler: str | None) -> Iterator[int | None]:
    """Hold on to the cluster for as long as it works for us.

    Yields
    ------
    int or None
        How many cores its workers have; None where processes of this machine do the work.

    Raises
    ------
    UsageError
        If Dask is not installed, the scheduler does not answer, it has no worker, or a worker lacks this version of the package.

    Examples
    --------
    >>> with connected("loky", None) as cores:
    ...     cores is None
    True
    """
    if (backend == "dask") != (scheduler is not None):
        raise UsageError("--backend", "dask and --scheduler ADDRESS go together", "give both or neither")
    if scheduler is None:
        yield None
        return
    with _client(scheduler) as client:
        _check_workers(client, scheduler)
        yield sum(client.ncores().values())


def _client(scheduler: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise UsageError("--backend dask", "Dask is not installed", "pip install 'loyalty_lab[dask]'") from None
    try:
        return Client(scheduler, timeout=PATIENCE_SECONDS)
    except (OSError, ValueError) as error:
        what = f"{scheduler!r} does not answer: {str(error).splitlines()[0]}"
        raise UsageError("--scheduler", what, "start it (dask scheduler), or correct the address") from None


def _check_workers(client: Any, scheduler: str) -> None:
    """A function of ours is sent there by name: only where this package is can it be found."""
    answers = client.run(version, on_error="return")
    if not answers:
        raise UsageError("--scheduler", f"{scheduler!r} has no worker", f"start some: dask worker {scheduler}")
    for worker, answer in answers.items():
        if answer != __version__:
            found = answer if isinstance(answer, str) else "no loyalty_lab"
            raise UsageError("--scheduler", f"the worker {worker} has {found}, not {__version__}", "install the same version there")


def version() -> str:
    """Return the version of this package, there where it is asked for."""
    return __version__
