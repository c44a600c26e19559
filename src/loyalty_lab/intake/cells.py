"""One cell at a time: text to a number, a moment, a yes or no; and what all cells of a file say about how it writes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from loyalty_lab.errors import InputError
from loyalty_lab.intake import words

UTC = ZoneInfo("UTC")
LARGEST = Decimal(10) ** 13  # money is kept as DECIMAL(18,4)
SPACES = "\u0020\u00a0\u2009\u202f\u2007"
SCIENTIFIC = re.compile(r"[+-]?\d+(\.\d+)?[eE][+-]?\d{1,3}")
AFFIX = r"(?:[^\W\d_]{1,4}\.?)?"
AMOUNT = re.compile(rf"([+-]?){AFFIX}([+-]?)((?:\d|[.,](?=\d))[\d.,']*){AFFIX}(-?)")
DATE = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})")
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)")
DAY_WORD = re.compile(r"(\d{1,2})[-\s.]+([^\W\d_]+)\.?[-\s,]+(\d{4}|\d\d)")
WORD_DAY = re.compile(r"([^\W\d_]+)\.?[-\s]+(\d{1,2}),?\s+(\d{4})")
SERIAL = re.compile(r"[2-7]\d{4}(?:[.,]\d+)?")
TIME = re.compile(
    r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,](\d{1,6})\d*)?)?\s*(?:([ap])\.?m\.?)?\s*(z|utc|gmt|[+-]\d\d(?::?\d\d)?)?", re.IGNORECASE
)


def ascii_digits(text: str) -> str:
    """Write the digits of any script as 0 to 9.

    Examples
    --------
    >>> ascii_digits("১২,৩৪৫.৬৭৳")
    '12,345.67৳'
    """
    if text.isascii():
        return text
    return "".join(str(unicodedata.digit(sign)) if sign.isdecimal() else sign for sign in text)


def is_missing(text: str) -> bool:
    """Say whether a cell that should hold a value of some kind (not a text) holds none."""
    return text.strip().lower() in words.missing()


@dataclass(frozen=True)
class _Amount:
    """An amount without its blanks, currency and brackets: digits with separators, and its sign."""

    body: str
    negative: bool


def _amount(text: str) -> _Amount | None:
    text = ascii_digits(text).strip().replace("\u2212", "-").replace("\u2019", "'")
    bracketed = text.startswith("(") and text.endswith(")")
    if bracketed:
        text = text[1:-1]
    bare = "".join(sign for sign in text if sign not in SPACES and unicodedata.category(sign) != "Sc")
    found = AMOUNT.fullmatch(bare)
    if found is None:
        return None
    before, after_sign, body, behind = found.groups()
    minuses = [sign for sign in (before, after_sign, behind) if sign == "-"] + ["-"] * bracketed
    return _Amount(body, True) if len(minuses) == 1 else _Amount(body, False) if not minuses else None


def _grouped(whole: str, separator: str) -> bool:
    """Say whether thousands (or, in South Asia, hundreds after the first thousand) are set apart correctly."""
    first, *groups = whole.split(separator)
    return bool(first) and len(first) <= 3 and len(groups[-1]) == 3 and all(len(group) in (2, 3) for group in groups)


def number(text: str, decimal: str = ".") -> Decimal | None:
    """Read a number or an amount of money.

    Parameters
    ----------
    text : str
        The cell: digits of any script, thousands set apart by a blank, apostrophe, point or
        comma (also in lakh), a currency sign or up to four letters, a minus before or behind,
        or brackets for a negative amount.
    decimal : {".", ","}
        The decimal sign of the file.

    Returns
    -------
    decimal.Decimal or None
        None if the text is no number, or one that the tables cannot hold.

    Examples
    --------
    >>> [str(number(text)) for text in ("1,23,456.78", "(45.00)", "-$12.00", "৳১২.৫০", "12 500", "twelve")]
    ['123456.78', '-45.00', '-12.00', '12.50', '12500', 'None']
    >>> [str(number(text, ",")) for text in ("₺1.699,50", "12\u00a0500,00 ֏", "1.250")]
    ['1699.50', '12500.00', '1250']
    """
    if SCIENTIFIC.fullmatch(text.strip()):
        return _fitting(Decimal(text.strip()), negative=False)
    amount = _amount(text)
    if amount is None:
        return None
    group = "." if decimal == "," else ","
    whole, _, part = amount.body.partition(decimal)
    for separator in (group, "'"):
        if separator in whole:
            if not _grouped(whole, separator):
                return None
            whole = whole.replace(separator, "")
    if (part and not part.isdecimal()) or (whole and not whole.isdecimal()):
        return None
    return _fitting(Decimal(f"{whole or 0}.{part or 0}" if part else whole), amount.negative)


def _fitting(value: Decimal, negative: bool) -> Decimal | None:
    return (-value if negative else value) if abs(value) < LARGEST else None


def decimal_vote(text: str) -> str | None:
    """Return the decimal sign a number can only have been written with, "?" if it could be either, None if it has neither.

    Examples
    --------
    >>> [decimal_vote(text) for text in ("1.699,50", "12.5", "1.250", "1,234,567", "0.125", "17")]
    [',', '.', '?', '.', '.', None]
    """
    amount = None if SCIENTIFIC.fullmatch(text.strip()) else _amount(text)
    if amount is None:
        return None
    signs = [sign for sign in amount.body if sign in ".,"]
    if not signs:
        return None
    if len(set(signs)) == 2:
        return signs[-1]
    if len(signs) > 1:
        return "," if signs[0] == "." else "."
    before, _, after = amount.body.replace("'", "").partition(signs[0])
    return "?" if len(after) == 3 and 1 <= len(before) <= 3 and before != "0" else signs[0]


@dataclass(frozen=True)
class Evidence:
    """What the values of a file say between two readings: an example for each, and one that could be either."""

    examples: dict[str, str]
    unclear: str | None = None

    @property
    def contradictory(self) -> bool:
        return len(self.examples) > 1

    @property
    def decided(self) -> str | None:
        return next(iter(self.examples)) if len(self.examples) == 1 else None


def _evidence(values: Iterable[str], vote) -> Evidence:
    examples, unclear = {}, None
    for text in values:
        said = vote(text)
        if said == "?":
            unclear = unclear or text
        elif said:
            examples.setdefault(said, text)
    return Evidence(examples, unclear)


def decimal_evidence(values: Iterable[str]) -> Evidence:
    """Weigh all numbers of a file: decimal point or decimal comma."""
    return _evidence(values, decimal_vote)


def date_vote(text: str) -> str | None:
    """Return the order a date can only have been written in, "?" if day and month could be swapped, None if nothing follows.

    Examples
    --------
    >>> [date_vote(text) for text in ("22.11.2026", "11/22/26 8:26", "05.11.2026", "5/5/2026", "2026-11-05")]
    ['dmy', 'mdy', '?', None, None]
    """
    found = DATE.match(ascii_digits(text).strip())
    if found is None or len(found[1]) > 2:
        return None
    first, second = int(found[1]), int(found[3])
    if first > 12 or second > 12:
        return "dmy" if second <= 12 else "mdy" if first <= 12 else None
    return None if first == second else "?"


def date_evidence(values: Iterable[str]) -> Evidence:
    """Weigh all dates of a file: day first or month first."""
    return _evidence(values, date_vote)


def moment(text: str, order: str | None, zone: ZoneInfo, naive: ZoneInfo | None = None) -> datetime | None:
    """Read a date, or a date with a time.

    Parameters
    ----------
    text : str
        The cell: with a four-digit year first, with a month in words, in the order of the file,
        or a spreadsheet's day number.
    order : {"dmy", "mdy", "ymd"} or None
        How the file writes dates of three numbers that do not begin with the year.
    zone : zoneinfo.ZoneInfo
        The shop's zone. A time with an offset is converted to it, any other is in it already.
    naive : zoneinfo.ZoneInfo, optional
        The zone of times without an offset, where the format fixes another.

    Returns
    -------
    datetime.datetime or None
        Without a zone; None if there is no such moment.

    Examples
    --------
    >>> london = ZoneInfo("Europe/London")
    >>> str(moment("03/04/2026 14:05", "dmy", london)), str(moment("Sep 4, 2026 1:05:07 PM", None, london))
    ('2026-04-03 14:05:00', '2026-09-04 13:05:07')
    >>> str(moment("2025-10-07 23:50:26 +0000", None, london)), moment("31/02/2026", "dmy", london)
    ('2025-10-08 00:50:26', None)
    """
    text = ascii_digits(text).strip()
    try:
        found, rest = _date(text, order)
        if found is None:
            return None
        rest = rest.lstrip("Tt, \t\u00a0\u202f")
        return found if not rest else _at_time(found, rest, zone, naive or zone)
    except (ValueError, OverflowError):
        return None


def _date(text: str, order: str | None) -> tuple[datetime | None, str]:
    if found := DATE.match(text):
        first, _, second, third = found.groups()
        return _numbered(first, second, third, order), text[found.end() :]
    if SERIAL.fullmatch(text):
        return _from_serial(text), ""
    if found := COMPACT.match(text):
        return _day(*map(int, found.groups())), text[found.end() :]
    if found := DAY_WORD.match(text):
        return _worded(found[2], found[1], found[3]), text[found.end() :]
    if found := WORD_DAY.match(text):
        return _worded(found[1], found[2], found[3]), text[found.end() :]
    return None, ""


def _numbered(first: str, second: str, third: str, order: str | None) -> datetime | None:
    if len(first) == 4 or order == "ymd":
        return _day(_year(first), int(second), int(third)) if len(third) <= 2 else None
    if len(first) > 2 or len(third) not in (2, 4):
        return None
    day, month = (second, first) if order == "mdy" else (first, second)
    return _day(_year(third), int(month), int(day))


def _worded(word: str, day: str, year: str) -> datetime | None:
    month = words.months().get(words.fold(word))
    return _day(_year(year), month, int(day)) if month else None


def _year(digits: str) -> int:
    year = int(digits)
    return year if len(digits) > 2 else 2000 + year if year < 70 else 1900 + year


def _day(year: int, month: int, day: int) -> datetime | None:
    return datetime(year, month, day) if 1900 <= year <= 2199 else None


def _from_serial(text: str) -> datetime:
    seconds = round(float(text.replace(",", ".")) * 86400)
    return datetime(1899, 12, 30) + timedelta(seconds=seconds)


def _at_time(day: datetime, text: str, zone: ZoneInfo, naive: ZoneInfo) -> datetime | None:
    found = TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, second, part, half, offset = found.groups()
    hour = int(hour)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    exact = day.replace(hour=hour, minute=int(minute), second=int(second or 0), microsecond=int((part or "0").ljust(6, "0")))
    if not offset:
        return exact if naive == zone else exact.replace(tzinfo=naive).astimezone(zone).replace(tzinfo=None)
    digits = "+0000" if offset[0] not in "+-" else offset.replace(":", "").ljust(5, "0")
    return (
        datetime.strptime(exact.isoformat(timespec="microseconds") + digits, "%Y-%m-%dT%H:%M:%S.%f%z").astimezone(zone).replace(tzinfo=None)
    )


def flag(text: str) -> bool | None:
    """Read a yes or a no.

    Examples
    --------
    >>> flag("Yes"), flag("hayır"), flag("perhaps")
    (True, False, None)
    """
    return words.flags().get(words.fold(text))


def whole(text: str, decimal: str = ".") -> int | None:
    """Read a whole number.

    Examples
    --------
    >>> whole("4.0"), whole("4.5"), whole("১২")
    (4, None, 12)
    """
    try:
        value = number(text, decimal)
        return int(value) if value is not None and value == value.to_integral_value() else None
    except InvalidOperation:
        return None


def settled(evidence: Evidence, where: str, answer: str, otherwise: str | None = None) -> str | None:
    """Settle between two readings from all values; `otherwise` is what the rest of the file says.

    Returns
    -------
    str or None
        None if it does not matter.

    Raises
    ------
    InputError
        If the values contradict each other, or each could be meant either way and nothing else says which.
    """
    if evidence.contradictory:
        one, other = list(evidence.examples.values())[:2]
        raise InputError(
            where, f"{one!r} and {other!r} are written in two ways", f"export it again in one way, or add {answer} to its [[sources]]"
        )
    found = evidence.decided or otherwise
    if found is None and evidence.unclear is not None:
        what = f"{evidence.unclear!r} can be read in two ways, like every other here"
        raise InputError(where, what, f"add {answer} to its [[sources]] in shop.toml")
    return found
