"""Every error a user can mend: where it is, what it is (with the value), and what to do."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from pathlib import Path

# What a full disk, a full quota and a file system that is only read say; and what a file does that is not ours to read or to write.
NO_ROOM = ("cannot be written", "make room there, or let it be written")
NOT_OURS = ("cannot be opened", "let it be read and written by whoever runs this")
STORAGE = {
    errno.ENOSPC: NO_ROOM, errno.EDQUOT: NO_ROOM, errno.EROFS: NO_ROOM, errno.EACCES: NOT_OURS, errno.EPERM: NOT_OURS,
}  # fmt: skip


class LoyaltyLabError(ValueError):
    """An error whose cause the user can remove.

    Parameters
    ----------
    where : str
        The file, table, row, option or notebook that is wrong, as the user knows it.
    what : str
        What is wrong with it, with the offending value.
    remedy : str
        What to do about it, as an instruction.

    Examples
    --------
    >>> print(InputError("exports/orders.csv, row 7", "the date '31/02/2026' does not exist", "correct the row"))
    exports/orders.csv, row 7: the date '31/02/2026' does not exist
      To mend it: correct the row
    """

    exit_code = 3

    def __init__(self, where: str, what: str, remedy: str):
        self.where, self.what, self.remedy = where, what, remedy
        super().__init__(f"{where}: {what}\n  To mend it: {remedy}")

    def __reduce__(self):
        return type(self), (self.where, self.what, self.remedy)


class UsageError(LoyaltyLabError):
    """The command or a parameter was called wrongly."""

    exit_code = 2


class InputError(LoyaltyLabError):
    """A shop's folder, settings or exports cannot be used as they are."""


class NotebookError(LoyaltyLabError):
    """A notebook did not run to its end."""

    exit_code = 4


class RenderError(LoyaltyLabError):
    """The pages could not be made from the results."""

    exit_code = 5


def of_storage(error: OSError, place: str) -> InputError | None:
    """Say what the system refused while something was read or written; None where the error is of another kind.

    Examples
    --------
    >>> print(of_storage(OSError(errno.ENOSPC, "No space left on device"), "my-shop"))
    my-shop: cannot be written: No space left on device
      To mend it: make room there, or let it be written, and run again
    """
    if error.errno not in STORAGE:
        return None
    file = Path(error.filename or place)
    where = file.parent if file.suffix == ".tmp" else file  # nobody knows the temporary name
    what, remedy = STORAGE[error.errno]
    return InputError(str(where), f"{what}: {error.strerror}", f"{remedy}, and run again")


def near_match(word: str, known: Iterable[str]) -> str:
    """Offer the known word nearest to a mistyped one, as half a sentence.

    Examples
    --------
    >>> near_match("curency", ["currency", "timezone"])
    " Did you mean 'currency'?"
    >>> near_match("zzz", ["currency"])
    ''
    """
    found = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {found[0]!r}?" if found else ""
