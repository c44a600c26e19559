"""Where the notebooks, templates and texts lie: inside an installed wheel or at the root of a clone."""

from __future__ import annotations

from pathlib import Path

from loyalty_lab.errors import UsageError

PACKAGE = Path(__file__).parent
CLONE = PACKAGE.parent.parent


def folder(name: str) -> Path:
    """Return the folder of shared files called `name`.

    Parameters
    ----------
    name : {"notebooks", "playbook"}
        A wheel carries it as ``loyalty_lab/share/<name>``; a clone (and so an editable
        install) has it at its root.

    Returns
    -------
    pathlib.Path
        An existing folder.

    Raises
    ------
    UsageError
        If neither place has the folder.

    Examples
    --------
    >>> (folder("notebooks") / "00-start-here.ipynb").exists()
    True
    """
    for place in (PACKAGE / "share" / name, CLONE / name):
        if place.is_dir():
            return place
    raise UsageError(f"loyalty_lab/share/{name}", "the folder is missing", "install loyalty_lab again from its wheel or a whole clone")
