"""Who is who: the shop's secret, people known again by number, e-mail or phone, and the pseudonyms that follow."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import io
import os
import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from loyalty_lab.errors import InputError
from loyalty_lab.intake.cells import ascii_digits
from loyalty_lab.intake.words import TURKISH

MERGES = "merges.csv"
MERGE_COLUMNS = ("kind", "value", "merged_id", "first_seen_as")
FEWEST_DIGITS = 7


def pseudonym(salt_hex: str, merged_id: str) -> str:
    """Return the name under which analyses know a customer.

    The first 12 characters of base32(HMAC-SHA256(salt, merged id)), in lower case.

    Examples
    --------
    >>> pseudonym("00ff", "C0001") == pseudonym("00ff", "C0001") != pseudonym("00fe", "C0001")
    True
    """
    digest = hmac.new(bytes.fromhex(salt_hex), merged_id.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode().lower()[:12]


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
    what = f"holds {len(text)} characters that are not 32 bytes in hex"
    raise InputError("private/salt", what, "restore it from a copy; arms and pseudonyms hang on it")


def make_private(private: Path) -> None:
    """Make the private folder, for its owner only.

    Raises
    ------
    InputError
        If the shop's folder cannot be written.
    """
    try:
        private.mkdir(parents=True, exist_ok=True)
        private.chmod(0o700)
    except OSError as error:
        raise InputError(str(private), f"cannot be made: {error.strerror}", "make the shop's folder writable") from None


def same_email(text: str) -> str | None:
    """Make two spellings of one e-mail address equal; None if it is none.

    Examples
    --------
    >>> same_email(" AYŞE@X.example "), same_email("İrem@x.example"), same_email("nobody")
    ('ayşe@x.example', 'irem@x.example', None)
    """
    plain = unicodedata.normalize("NFKC", text).translate(TURKISH).casefold().strip().removeprefix("mailto:")
    return plain if re.fullmatch(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+", plain) else None


def same_phone(text: str) -> str | None:
    """Make two spellings of one phone number equal: its last ten digits, without a leading zero; None if it has too few.

    Examples
    --------
    >>> same_phone("'+90 (532) 111 22 33"), same_phone("0532 111 2233"), same_phone("০১৭১১-১২৩৪৫৬"), same_phone("123")
    ('5321112233', '5321112233', '1711123456', None)
    """
    digits = re.sub(r"\D", "", ascii_digits(text)).lstrip("0")
    return digits[-10:] if len(digits) >= FEWEST_DIGITS else None


class Mention(NamedTuple):
    """How one row names somebody: the shop's number, e-mail and phone as they stand, a name, and other numbers of theirs."""

    customer_id: str | None
    email: str | None
    phone: str | None
    name: str | None
    also_known_as: str | None = None


@dataclass
class People:
    """Everybody met so far, in the order in which they were met; who shares a number, an e-mail or a phone is one person.

    The merged id is the source's own id first seen; later mentions never change it. Where a later export joins two
    people, the younger is merged into the older.

    Examples
    --------
    >>> people = People()
    >>> people.meet(Mention("7", None, None, "Ayşe")), people.meet(Mention(None, "a@x.example", None, None))
    ('7', 'a@x.example')
    >>> people.meet(Mention("7", "A@x.example", None, None))
    '7'
    >>> people.merged_into
    {'a@x.example': '7'}
    """

    keep_apart: list[tuple[str, str]] = field(default_factory=list)
    known: dict[tuple[str, str], str] = field(default_factory=dict)
    merged_into: dict[str, str] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)
    new: list[tuple[str, str, str, str]] = field(default_factory=list)

    def meet(self, who: Mention) -> str | None:
        """Return the merged id of whom a row names, remembering by what they can be known again; None for nobody."""
        keys = _keys(who)
        if not keys:
            return None
        found = [self.final(self.known[key]) for key in keys if key in self.known]
        found = [person for person in dict.fromkeys(found) if not any(self._apart(key, person) for key in keys)]
        oldest = min(found, key=self.order.__getitem__) if found else self._newcomer(who, keys)
        for person in found:
            if person != oldest and not self._are_apart(person, oldest):
                self.merged_into[person] = oldest
        for key in keys:
            self._learn(key, oldest, _seen_as(who, key))
        return oldest

    def final(self, person: str) -> str:
        """Return the person somebody was merged into, or the same."""
        while person in self.merged_into:
            person = self.merged_into[person]
        return person

    def _newcomer(self, who: Mention, keys: list[tuple[str, str]]) -> str:
        names = [name for name in (who.customer_id, who.also_known_as, *(value for _, value in keys)) if name]
        name = next((name for name in names if name not in self.order), names[0] + "'")
        self.order.setdefault(name, len(self.order))
        return name

    def _learn(self, key: tuple[str, str], person: str, seen_as: str) -> None:
        if key not in self.known:
            self.known[key] = person
            self.new.append((*key, person, seen_as))

    def _apart(self, key: tuple[str, str], person: str) -> bool:
        return any(key[1] in pair and self._of_other(pair, key[1], person) for pair in self._pairs())

    def _of_other(self, pair: tuple[str, str], mine: str, person: str) -> bool:
        other = pair[1] if pair[0] == mine else pair[0]
        return any(self.final(known) == person for key, known in self.known.items() if key[1] == other)

    def _are_apart(self, one: str, other: str) -> bool:
        if not self.keep_apart:
            return False
        of = {person: {value for (_, value), known in self.known.items() if self.final(known) == person} for person in (one, other)}
        return any({a, b} & of[one] and {a, b} & of[other] for a, b in self._pairs())

    def _pairs(self) -> list[tuple[str, str]]:
        return [tuple(same_email(each) or same_phone(each) or each for each in pair) for pair in self.keep_apart]


def _keys(who: Mention) -> list[tuple[str, str]]:
    """By what somebody can be known again; by a name alone only where a row has nothing better."""
    email, phone = (same_email(who.email) if who.email else None), (same_phone(who.phone) if who.phone else None)
    keys = [("id", who.customer_id), ("id", who.also_known_as), ("email", email), ("phone", phone)]
    kept = [(kind, value) for kind, value in keys if value]
    if kept or not (who.name or who.email or who.phone):
        return kept
    return [("name", " ".join(unicodedata.normalize("NFKC", who.name or who.email or who.phone).translate(TURKISH).casefold().split()))]


def _seen_as(who: Mention, key: tuple[str, str]) -> str:
    spelt = {"email": who.email, "phone": who.phone, "name": who.name}
    return spelt.get(key[0]) or key[1]


def remembered(private: Path, keep_apart: Iterable[tuple[str, str]]) -> People:
    """Return the people an earlier run met, from ``private/merges.csv``.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    people, path = People(list(keep_apart)), private / MERGES
    if not path.exists():
        return people
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if not rows or tuple(rows[0]) != MERGE_COLUMNS or any(len(row) != len(MERGE_COLUMNS) for row in rows):
        raise InputError(f"private/{MERGES}", "is damaged", "restore it from a copy, or delete it: then people are put together anew")
    for kind, value, merged_id, seen_as in rows[1:]:
        if kind == "merged into":
            people.merged_into[merged_id] = value
        else:
            people.order.setdefault(merged_id, len(people.order))
            people.known[kind, value] = merged_id
            people.new.append((kind, value, merged_id, seen_as))
    return people


def audit(people: People) -> bytes:
    """Return the audit list: by what each person is known again, as first seen, and who was merged into whom."""
    buffer = io.StringIO()
    write = csv.writer(buffer, lineterminator="\n").writerow
    write(MERGE_COLUMNS)
    for row in people.new:
        write(row)
    for person, into in people.merged_into.items():
        write(("merged into", into, person, ""))
    return buffer.getvalue().encode()
