"""Copies of the notebooks for a class: set to a shop, one folder for each group, and never written over once changed."""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from loyalty_lab import inputs, intake, lock, results, run, share
from loyalty_lab.errors import InputError
from loyalty_lab.kept import Cache
from loyalty_lab.shop import CACHE, REPORTS

FOLDER, WRITTEN = "lab", ".written.json"
PARAMETER = 'run_file: str = "demo"'


def prepare(shop_folder: Path, groups: int = 1, edition: str = "participant") -> list[Path]:
    """Give each group a folder of notebooks that read this shop.

    A copy that somebody has changed stays as it is; the others are brought up to date. What the notebooks read (pseudonyms,
    nothing after the last day) lies beside them.

    Parameters
    ----------
    shop_folder : pathlib.Path
        With ``shop.toml`` and exports.
    groups : int
        How many folders, ``lab/group-1`` and so on.
    edition : {"client", "participant", "trainer"}
        Which of exercises and solutions the copies hold.

    Returns
    -------
    list of pathlib.Path
        The groups' folders.

    Raises
    ------
    InputError
        If the shop cannot be read or its folder not be written.
    """
    shop_folder = Path(shop_folder)
    with lock.alone(shop_folder):
        folders = [shop_folder / FOLDER / f"group-{number}" for number in range(1, groups + 1)]
        taken = intake.read(shop_folder)
        cutoff = taken.last_day
        for folder in folders:
            _make(folder)
        inputs.write(shop_folder, taken, cutoff, cutoff + timedelta(days=1), folders[0], shop_folder / REPORTS, Cache(shop_folder / CACHE))
        for folder in folders:
            for name in inputs.FILES:  # the same for all: they lie equally deep
                results.write_atomically(folder / name, (folders[0] / name).read_bytes())
            _copy_notebooks(folder, edition)
    return folders


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(str(folder), f"cannot be written: {error.strerror}", "free it, or make room") from None


def _copy_notebooks(folder: Path, edition: str) -> None:
    record = folder / WRITTEN
    written = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    for source in sorted(share.folder("notebooks").rglob("*.ipynb")):
        target = folder / source.name
        if target.exists() and _digest(target.read_bytes()) != written.get(source.name):
            continue  # somebody's work
        content = _set_to_shop(source, edition)
        results.write_atomically(target, content)
        written[source.name] = _digest(content)
    results.write_atomically(record, json.dumps(written, indent=1, sort_keys=True).encode())


def _set_to_shop(source: Path, edition: str) -> bytes:
    """A notebook without outputs that reads the settings file beside it."""
    notebook = run.for_edition(source, edition)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            if source.parent.name != "training":
                cell.source = cell.source.replace(PARAMETER, f'run_file: str = "{run.SETTINGS_FILE}"')
    return run.normalised(run.library("nbformat").writes(notebook)).encode()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def command(folder: Path) -> list[str]:
    """Return the command that opens JupyterLab in a folder.

    Raises
    ------
    InputError
        If JupyterLab is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise InputError("JupyterLab", "is not installed", "pip install 'loyalty_lab[lab]'")
    return [sys.executable, "-m", "jupyterlab", str(folder)]
