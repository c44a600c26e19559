"""The reports of many shops: each made on its own, several at a time, so that one that fails holds up no other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loyalty_lab import report, workers
from loyalty_lab.errors import InputError, LoyaltyLabError, of_storage
from loyalty_lab.report import Order, Report

OVERVIEW = "overview.html"


@dataclass(frozen=True)
class Ended:
    """How the report of one shop ended: what is said about it, the exit code it would have alone, and what its pages begin with.

    `state` is one of ``done``, ``kept`` (it was there already), ``attention`` (made, but its exports have gaps), ``failed`` (made,
    but some of its notebooks broke) and ``refused`` (not made).
    """

    shop: Path
    state: str
    said: str
    code: int = 0
    folder: Path | None = None
    front: dict[str, Any] = field(default_factory=dict)


def make(shops: Iterable[Path], order: Order, backend: str = "loky", told: Callable[[Ended], None] = lambda ended: None) -> list[Ended]:
    """Make the reports of several shops.

    What is there already is found before any process is started. A shop whose process is killed is tried again, alone.

    Parameters
    ----------
    shops : iterable of pathlib.Path
    order : Order
        What is asked for; its `manner.jobs` is how many notebooks are worked on at a time, over all shops.
    backend : {"loky", "dask"}
        Processes of this machine, or a cluster that `clusters.connected` has reached.
    told : callable
        Called with each shop as it ends.

    Returns
    -------
    list of Ended
        In the order of `shops`.
    """
    shops, found = list(dict.fromkeys(shops)), {}
    for ended in _all(shops, order, backend):
        found[ended.shop] = ended
        told(ended)
    return [found[shop] for shop in shops]


def _all(shops: list[Path], order: Order, backend: str) -> Iterator[Ended]:
    left = []
    for shop in shops:
        if (made := _at_hand(shop, order)) is None:
            left.append(shop)
        else:
            yield made
    jobs = order.manner.jobs if backend != "loky" else min(order.manner.jobs, len(left))
    each = replace(order, manner=replace(order.manner, jobs=max(1, order.manner.jobs // max(jobs, 1))))
    for shop, ended in workers.side_by_side(one, {shop: (shop, each) for shop in left}, jobs, backend):
        yield _lost(shop) if isinstance(ended, workers.Lost) else ended


def _at_hand(shop: Path, order: Order) -> Ended | None:
    """The report that is there already, or the refusal of a shop that cannot be read."""
    try:
        made = report.at_hand(shop, order)
    except LoyaltyLabError as error:
        return _refused(shop, error)
    return of(shop, made) if made else None


def one(shop: Path, order: Order) -> Ended:
    """Make the report of one shop; whatever goes wrong is the answer, not an exception."""
    try:
        return of(shop, report.make(shop, order))
    except LoyaltyLabError as error:
        return _refused(shop, error)
    except MemoryError:
        return _lost(shop)
    except OSError as error:
        refused = of_storage(error, str(shop))
        return _refused(shop, refused) if refused else _fault(shop, error)
    except Exception as error:  # a fault of ours in one shop is no reason to leave the others without a report
        return _fault(shop, error)
    finally:
        from loyalty_lab import playbook

        playbook.forget()


def _fault(shop: Path, error: Exception) -> Ended:
    said = f"stopped with {type(error).__name__}: {error}"
    return Ended(shop, "refused", str(InputError(str(shop), said, "please report it, with this line")), 4)


def _refused(shop: Path, error: LoyaltyLabError) -> Ended:
    """In a log of many shops every line names its own."""
    said = str(error) if error.where.startswith(str(shop)) else f"{shop}, {error}"
    return Ended(shop, "refused", said, error.exit_code)


def _lost(shop: Path) -> Ended:
    error = InputError(str(shop), "its process was killed, or had no memory left", "give it more memory, or fewer --jobs")
    return Ended(shop, "refused", str(error), 4)


def of(shop: Path, made: Report) -> Ended:
    """Return how a shop ended whose report was made."""
    if made.failed:
        said = f"made, but these notebooks failed: {', '.join(made.failed)}"
        return Ended(shop, "failed", f"{made.folder}: {said}", 4, made.folder, made.front)
    state = "attention" if made.front.get("warnings") else "kept" if made.kept else "done"
    return Ended(shop, state, f"{made.folder}: {'kept' if made.kept else 'done'}", 0, made.folder, made.front)


def exit_code(ended: Iterable[Ended]) -> int:
    """Return the exit code of all: that of each where they agree, 5 where pages could not be printed, else 4.

    Examples
    --------
    >>> shop = Path("a")
    >>> exit_code([Ended(shop, "done", ""), Ended(shop, "refused", "", 3)]), exit_code([Ended(shop, "refused", "", 3)])
    (4, 3)
    """
    codes = {each.code for each in ended}
    return codes.pop() if len(codes) == 1 else 5 if 5 in codes else 4


def summary(ended: list[Ended]) -> str:
    """Return one line: how many shops are done, and which are not.

    Examples
    --------
    >>> summary([Ended(Path("clients/a"), "done", ""), Ended(Path("clients/b"), "refused", "", 3)])
    '2 shops: 1 done, 1 not: b'
    """
    missed = [each.shop.name for each in ended if each.code]
    return f"{len(ended)} shops: {len(ended) - len(missed)} done, {len(missed)} not" + (f": {', '.join(missed)}" if missed else "")


def place_of_overview(shops: Iterable[Path], out: Path | None) -> Path:
    """Return where the page of all shops is to lie: beside their reports if these have a folder of their own, else beside the shops.

    Examples
    --------
    >>> place_of_overview([Path("clients/a"), Path("clients/b")], None).as_posix()
    'clients/overview.html'
    """
    shops = list(shops)
    parents = [os.path.abspath(shop.parent) for shop in shops]
    common = os.path.commonpath(parents)
    return (out or Path(common if any(shop.is_absolute() for shop in shops) else os.path.relpath(common))) / OVERVIEW
