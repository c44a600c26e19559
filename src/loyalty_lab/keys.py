"""What a piece of work depends on, as one hash: while it is equal, the work need not be done again."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from loyalty_lab import share
from loyalty_lab.kept import digest

# What no notebook can reach: a change in it runs none again. A test follows the imports.
BEYOND_NOTEBOOKS = {"aids", "bookkeeping", "cli", "clients", "clusters", "demo", "desk", "document", "drawer", "faces", "intake", "kept"}
BEYOND_NOTEBOOKS |= {"keys", "lab", "lessons", "letters", "lists", "mailing", "missing", "outlook", "overview", "pages", "playbook"}
BEYOND_NOTEBOOKS |= {"report", "sizes", "spark", "spreads", "standing", "teaching", "workers"}
TACTICS = "tactics"


def of(*parts: Any) -> str:
    """Return the hash of plain values.

    Examples
    --------
    >>> of("a", 1) == of("a", 1), of({"b": 1, "a": 2}) == of({"a": 2, "b": 1}), of("a", 1) == of("a", "1")
    (True, True, False)
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@cache
def of_folder(folder: Path, pattern: str = "**/*") -> str:
    """Return the hash of the files below a folder, by their names there."""
    files = sorted(path for path in folder.glob(pattern) if path.is_file() and "__pycache__" not in path.parts)
    return of([[path.relative_to(folder).as_posix(), digest(path)] for path in files])


@cache
def of_notebooks_code(tactic: str | None = None) -> str:
    """Return the hash of what a notebook can reach of the package: the shared modules, and of the tactics the one named (its module)."""
    own = [f"{name}.py" for name in ("__init__", tactic) if name]
    return of(_package({*BEYOND_NOTEBOOKS, TACTICS}), {name: _file(share.PACKAGE / TACTICS / name) for name in own}, installed())


@cache
def of_everything() -> str:
    """Return the hash of the whole package with its notebooks, and of what is installed. Texts and templates are not in it."""
    return of(_package(set()), of_folder(share.folder("notebooks")), installed())


def _package(without: set[str]) -> dict[str, str | None]:
    """The hash of each module or folder of the package; a wheel's notebooks, texts and templates are not among them."""
    parts = sorted(path for path in share.PACKAGE.iterdir() if path.stem not in {*without, "share", "__pycache__"})
    return {path.name: of_folder(path) if path.is_dir() else _file(path) for path in parts}


@cache
def of_notebook(source: Path) -> str:
    """Return the hash of a notebook without its outputs."""
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    return of([[cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])] for cell in cells])


def of_texts(language: str, *files: str) -> str:
    """Return the hash of a language's texts: of all, or of some files."""
    folder = share.folder("playbook") / "text" / language
    return of([[name, _file(folder / name)] for name in files]) if files else of_folder(folder)


def of_printing(*texts: str) -> str:
    """Return the hash of all that makes pages, lists and letters of results, with the texts they say."""
    return of(of_everything(), of_templates(), texts)


def of_templates() -> str:
    """Return the hash of what lays pages out: everything below ``playbook/`` that is no text of one language."""
    folder = share.folder("playbook")
    return of(of_folder(folder, "*.*"), of_folder(folder / "aids"))


@cache
def installed() -> str:
    """Return the hash of this Python and of the names and versions of everything installed beside it."""
    found = {path.name for place in sys.path if place for path in Path(place).glob("*.dist-info")}
    return of(platform.python_version(), platform.machine(), sorted(found))


_file = cache(digest)
