"""How small each page was set to stay one page: measured once, remembered for the next printing of the same page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from loyalty_lab import kept, keys

# The parts of a document that are pages, or lists of pages; beside them stand those that are never set smaller, and what all pages share.
PAGES = ("reading", "glance", "scorecard", "periods", "claims", "outlook", "tactics", "workshop", "rounds", "aids")
NEVER_SMALLER = ("cover", "pictures", "method")
LABEL = "<one-page>"


def keyed(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document in which each page that may be set smaller has a `key`: the hash of its own words.

    Examples
    --------
    >>> pages = keyed({"glance": {"title": "a"}, "tactics": [{"title": "a"}, {"title": "b"}], "cover": {}, "rounds": None})
    >>> pages["glance"]["key"] == pages["tactics"][0]["key"], pages["tactics"][0]["key"] == pages["tactics"][1]["key"]
    (True, False)
    """
    pages = {name: _keyed(document[name]) for name in PAGES if document.get(name)}
    if sheets := pages.get("aids", {}).get("sheets"):
        shared = pages["aids"]["t"]
        pages["aids"]["sheets"] = {slug: sheet | {"key": _hash(shared, sheet)} for slug, sheet in sheets.items()}
    return document | pages


def _keyed(part: Any) -> Any:
    return [_keyed(page) for page in part] if isinstance(part, list) else part | {"key": _hash(part)}


def _hash(*parts: Any) -> str:
    return keys.of(*parts)[:16]


@dataclass(frozen=True)
class Sizes:
    """The factors of one kind of document, by the keys of its pages; without a folder nothing is remembered.

    Parameters
    ----------
    folder : pathlib.Path or None
        It may be deleted at any time.
    document : dict
        What is to be printed.
    how : tuple
        What else all its pages are laid out by, such as template and paper.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     sizes = Sizes(Path(name), {"lang": "en"}, ("a4",))
    ...     sizes.keep('[{"key": "6b86", "factor": 0.9}, {"key": "", "factor": 1.0}]')
    ...     sizes.known, Sizes(Path(name), {"lang": "en"}, ("letter",)).known
    ({'6b86': 0.9}, {})
    """

    folder: Path | None
    document: dict[str, Any]
    how: tuple[Any, ...]

    @property
    def known(self) -> dict[str, float | None]:
        """The factors found before; None is that of a page that runs on to a second."""
        noted = self._work.done(self._key) if self.folder else None
        return noted["factors"] if noted else {}

    def keep(self, found: str) -> None:
        """Remember the factors of a printed document, and of no other: `found` is what a query for `LABEL` returns, as JSON."""
        factors = {each["key"]: each["factor"] for each in json.loads(found) if each["key"]}
        self._work.keep(self._key, self.folder, (), factors=factors)

    @property
    def _work(self) -> kept.Work:
        return kept.Work(self.folder)

    @cached_property
    def _key(self) -> str:
        shared = {name: part for name, part in self.document.items() if name not in (*PAGES, *NEVER_SMALLER)}
        return keys.of(shared, self.how, keys.of_templates(), keys.installed())
