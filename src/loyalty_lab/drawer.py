"""The drawer: a chart drawn before, or a font cut before, is taken out again while nothing it was made of has changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from loyalty_lab import charts, kept, keys, language, share
from loyalty_lab.results import write_atomically

CONTENT = "content"


@dataclass(frozen=True)
class Drawer:
    """A folder of what was made before; without a folder everything is made anew, and the same.

    Parameters
    ----------
    folder : pathlib.Path, optional
        It may be deleted at any time. What is spoilt in it is made anew.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     drawer = Drawer(Path(name))
    ...     drawer.once("a", lambda: "drawn"), drawer.once("a", lambda: "drawn again")
    ('drawn', 'drawn')
    >>> Drawer().once("a", lambda: "drawn anew")
    'drawn anew'
    """

    folder: Path | None = None
    _taken: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def once(self, key: str, make: Callable[[], str], texts: Listening | None = None) -> str:
        """Return what lies under a key, or make it and put it there.

        Parameters
        ----------
        key : str
            Of everything it is made of but the texts; see `keys`.
        make : callable
            Makes it.
        texts : Listening, optional
            The texts it asks while it is made: what they said must be what they say now.
        """
        if self.folder is None:
            return make()
        self._taken.add(key)
        work = kept.Work(self.folder / key, files=self.folder / key)
        if work.done(key, texts or kept.NOTHING) is None:
            write_atomically(work.place / CONTENT, make().encode())
            work.keep(key, work.place, [CONTENT], read=texts.heard if texts else kept.NOTHING)
        return (work.place / CONTENT).read_bytes().decode()

    def chart(self, chart: str, data: dict[str, Any], language: str, width_mm: float, accent: str) -> str:
        """Return a chart as SVG; the parameters are those of `charts.draw`."""
        texts = Listening(language, data.get("currency", Listening.currency))
        key = keys.of("chart", chart, data, language, width_mm, accent, _pens())
        return self.once(key, lambda: charts.svg(charts.draw(chart, data, texts, width_mm, accent)), texts)

    def tidy(self) -> None:
        """Throw out what has not been asked for since the drawer was opened."""
        for place in self.folder.glob("*") if self.folder else ():
            if place.name not in self._taken:
                shutil.rmtree(place, ignore_errors=True)


class Listening(language.Texts):
    """Texts that remember which of them were asked for."""

    @cached_property
    def heard(self) -> dict[str, Any]:
        """What was asked for, and what the texts hold there: None where they hold nothing."""
        return {}

    def has(self, key: str) -> bool:
        self.heard[key] = self.get(key)
        return self.heard[key] is not None

    def part(self, key: str) -> Any:
        self.heard[key] = super().part(key)
        return self.heard[key]

    def get(self, key: str) -> Any:
        """What lies under a key, or None."""
        return super().part(key) if super().has(key) else None


@cache
def _pens() -> str:
    """What every chart is drawn with: the code, the style, and what is installed, the fonts among it."""
    files = [charts.__file__, language.__file__, share.folder("playbook") / "charts.mplstyle"]
    return keys.of([kept.digest(Path(file)) for file in files], keys.installed())
