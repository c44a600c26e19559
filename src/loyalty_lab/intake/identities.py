"""Who is who: the shop's secret, the pseudonyms that follow from it, and the one file that joins them to names."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

import pandas as pd

from loyalty_lab.errors import InputError

COLUMNS = ("customer_id", "merged_id", "name", "email", "phone", "address", "merged_into")


def pseudonym(salt_hex: str, merged_id: str) -> str:
    """Return the name under which analyses know a customer.

    The first 12 characters of base32(HMAC-SHA256(salt, merged id)), in lower case.

    Examples
    --------
    >>> pseudonym("00ff", "C0001") == pseudonym("00ff", "C0001") != pseudonym("00fe", "C0001")
    True
    """
    digest = hmac.new(bytes.fromhex(salt_hex), merged_id.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest).decode().lower()[:12]


def salt(private: Path) -> str:
    """Return the shop's secret in hex; make it where there is none yet.

    Raises
    ------
    InputError
        If ``private/salt`` holds something else: arms and pseudonyms hang on it.
    """
    path = private / "salt"
    if not path.exists():
        make_private(private)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    text = path.read_text(encoding="ascii", errors="replace").strip()
    try:
        if len(bytes.fromhex(text)) == 32:
            return text
    except ValueError:
        pass
    raise InputError(
        "private/salt",
        f"holds {len(text)} characters that are not 32 bytes in hex",
        "restore it from a copy; arms and pseudonyms hang on it",
    )


def make_private(private: Path) -> None:
    """Make the private folder, for its owner only."""
    private.mkdir(parents=True, exist_ok=True)
    private.chmod(0o700)


def known_people(frames: dict[str, pd.DataFrame], salt_hex: str) -> pd.DataFrame:
    """Return one row for every customer that any table names, with what the customers table says of them.

    Parameters
    ----------
    frames : dict of str to pandas.DataFrame
        Tables with raw identifiers.
    salt_hex : str

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, all text, sorted by pseudonym.
    """
    named = frames.get("customers", pd.DataFrame(columns=["customer_id"])).drop_duplicates("customer_id").set_index("customer_id")
    mentioned = [frame[column] for frame in frames.values() for column in ("customer_id", "referrer_id", "referred_id") if column in frame]
    ids = sorted(set(pd.concat(mentioned).dropna()))
    people = pd.DataFrame({"customer_id": [pseudonym(salt_hex, each) for each in ids], "merged_id": ids}, dtype="str")
    for name in COLUMNS[2:]:
        people[name] = pd.Series(named[name].reindex(ids).to_numpy() if name in named.columns else None, index=people.index, dtype="str")
    return people.sort_values("customer_id", ignore_index=True)
