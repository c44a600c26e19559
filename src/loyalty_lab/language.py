"""Every visible sentence, number, date and amount of money, in the reader's language and digits."""

from __future__ import annotations

import re
import string
import tomllib
import unicodedata
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from loyalty_lab import share
from loyalty_lab.errors import RenderError
from loyalty_lab.fonts import glyphs

if TYPE_CHECKING:
    from babel import Locale

# A language is a folder of texts. English comes first: it stands in where another lacks a text.
LOCALES = ("en", *sorted({path.parent.name for path in (share.folder("playbook") / "text").glob("*/language.toml")} - {"en"}))
OURS = "0123456789"
PLURALS = ("zero", "one", "two", "few", "many", "other")
NOTHING = "–"
# In these currencies nobody pays a hundredth part, whatever the standard allows.
WHOLE_CURRENCIES = {"AMD", "CLP", "HUF", "IDR", "IQD", "IRR", "ISK", "JPY", "KRW", "PYG", "RSD", "TWD", "UGX", "VND"}
JOINERS = {"\u200c", "\u200d"}  # Bengali letters join by them
ZERO_WIDTH_SPACE = "\u200b"
UNBROKEN = re.compile(r"([^\W_]{18}|\S{28})(?=\S)")  # a word, or a code with its joints, that would not fit a narrow column


@dataclass(frozen=True)
class Texts:
    """The texts of one language, and how that language writes numbers.

    Texts lie in ``playbook/text/<language>/<file>.toml``, ``language.toml`` says how it writes; a key is ``<file>.<path>.<in>.<it>``.
    Placeholders name an argument and how to write it: ``{kept:per100} of 100 customers``.
    What is missing (None, NaN) prints as a dash. A key that a language lacks is said in English.

    Parameters
    ----------
    language : str
        One of `LOCALES`.
    currency : str
        Three letters; the currency of every amount of money.

    Examples
    --------
    >>> english, turkish = Texts("en"), Texts("tr", currency="TRY")
    >>> english.money(1234.5), english.money(12.5), english.share1(0.812), english.money(-40)
    ('£1,234', '£12.50', '81.2%', '−£40.00')
    >>> turkish.share1(0.812), Texts("bn", "BDT").count(1234567), Texts("hy", "AMD").money(1844)
    ('%81,2', '১২,৩৪,৫৬৭', '1\xa0844\xa0֏')
    """

    language: str
    currency: str = "GBP"

    def __post_init__(self):
        if self.language not in LOCALES:
            raise RenderError("--language", f"{self.language!r} has no texts", f"use one of: {', '.join(LOCALES)}")

    @cached_property
    def locale(self) -> Locale:
        from babel import Locale

        return Locale.parse(self.part("language.locale"))

    def has(self, key: str) -> bool:
        """Return whether there is a text (or a part with texts) under the key."""
        return self._find(key) is not None

    def part(self, key: str) -> Any:
        """Return what lies under the key as it is: a string, a list or a table.

        Raises
        ------
        RenderError
            If there is nothing.
        """
        found = self._find(key)
        if found is None:
            raise RenderError(f"playbook/text/{self.language}", f"there is no text {key!r}", "add it to the text file")
        return found

    def say(self, key: Any, /, **args: Any) -> str:
        """Say a sentence.

        Parameters
        ----------
        key : str, Message or dict
            A key, or a message that brings its own arguments.
        **args
            What the sentence speaks of. ``n`` chooses the plural form where there are several.

        Returns
        -------
        str

        Raises
        ------
        RenderError
            If the key is unknown, or the sentence speaks of something that was not given.
        """
        if not isinstance(key, str):
            message = key if isinstance(key, dict) else {"key": key.key, "args": key.args}
            key, args = message["key"], {**message.get("args", {}), **args}
        return self.fill(self.part(key), key, **args)

    def fill(self, template: str | dict, where: str = "text", /, **args: Any) -> str:
        """Put arguments into a template (or the plural form of it that fits ``n``)."""
        if isinstance(template, dict):
            template = template.get(self.plural(args.get("n"))) or template["other"]
        try:
            return _Filler(self, args).vformat(template, (), args)
        except KeyError as missing:
            raise RenderError(f"text {where!r}", f"speaks of {missing}, which is not among {sorted(args)}", "correct the text") from None

    def plural(self, n: Any) -> str:
        """Return the plural category of a number: ``one``, ``other``, ..."""
        return "other" if _missing(n) else self.locale.plural_form(n)

    def form(self, n: Any, forms: list[str]) -> str:
        """Choose the word that goes with a number, from as many as the language has plural forms, in the order of CLDR.

        Examples
        --------
        >>> [Texts("en").form(n, ["customer", "customers"]) for n in (1, 2)]
        ['customer', 'customers']
        """
        kinds = [kind for kind in PLURALS if kind in {*self.locale.plural_form.tags, "other"}]
        return dict(zip(kinds, forms, strict=True))[self.plural(n)]

    def count(self, value: Any) -> str:
        """Write a whole number."""
        return self._number(value, 0)

    def share(self, value: Any) -> str:
        """Write a share as whole percent; below one percent with one decimal."""
        return self._percent(value, _small(value))

    def share1(self, value: Any) -> str:
        """Write a share as percent with one decimal."""
        return self._percent(value, 1)

    def per100(self, value: Any) -> str:
        """Write a share as how many in a hundred."""
        return NOTHING if _missing(value) else self._number(100 * float(value), _small(value))

    def points(self, value: Any) -> str:
        """Write a difference of two shares in percentage points."""
        return self._unit("points", value, None if _missing(value) else round(100 * float(value), 1), 1)

    def tenths(self, value: Any) -> str:
        """Write a difference of two shares in percentage points, without the word."""
        return NOTHING if _missing(value) else self._number(100 * float(value), 1)

    def days(self, value: Any) -> str:
        """Write a length of time; a broken one below two days in hours."""
        if not _missing(value) and 0 < value < 2 and value % 1:
            return self._unit("hours", value, round(24 * value), 0)
        return self._unit("days", value, value, 0)

    def every(self, value: Any) -> str:
        """Write how often something comes again: every day, every so many days."""
        return self._unit("every", value, value, 0)

    def money(self, value: Any, like: float | None = None) -> str:
        """Write an amount: whole units from 100 up, with cents below; whole units only where cents are not used.

        `like` is another amount beside it whose size decides instead.
        """
        if _missing(value):
            return NOTHING
        from babel.numbers import format_currency

        whole = self.currency in WHOLE_CURRENCIES or abs(float(value if like is None else like)) >= 100
        amount = Decimal(str(value)).quantize(Decimal(1) if whole else Decimal("0.01"))
        pattern = self.locale.currency_formats["standard"].pattern
        pattern = pattern.replace("0.00", "0") if whole else pattern
        written = format_currency(amount, self.currency, format=pattern, currency_digits=False, locale=self.locale)
        return self._finish(written if set(written) <= glyphs() else written.replace(self._symbol, self.currency))

    def amount(self, value: Any) -> str:
        """Write an amount to the last cent, as sums that must add up are written."""
        if _missing(value):
            return NOTHING
        from babel.numbers import format_currency

        written = format_currency(Decimal(str(value)), self.currency, locale=self.locale)
        return self._finish(written if set(written) <= glyphs() else written.replace(self._symbol, self.currency))

    @property
    def _symbol(self) -> str:
        from babel.numbers import get_currency_symbol

        return get_currency_symbol(self.currency, locale=self.locale)

    def score(self, value: Any) -> str:
        """Write a score: whole from ten up, with one decimal below, with two below one."""
        size = 10 if _missing(value) else abs(float(value))
        return self._number(value, 0 if size >= 10 or not size else 1 if size >= 1 else 2)

    def ratio(self, value: Any) -> str:
        """Write a ratio with at most three significant digits; what is little more than one is not written as one."""
        if _missing(value):
            return NOTHING
        size = abs(float(value))
        return self._number(value, 3 if size < 1 else 2 if 1 < size < 1.1 else 1 if size < 100 else 0)

    def one_in(self, value: Any) -> str:
        """Write a rate as "1 in 31"; rounded down, so that it never promises less effort than it takes."""
        return NOTHING if _missing(value) or float(value) <= 0 else self.say("common.one_in", x=int(1 / float(value) + 1e-9))

    def date(self, value: Any) -> str:
        """Write a day with its year."""
        from babel.dates import format_date

        return NOTHING if _missing(value) else self.digits(format_date(_day(value), "medium", locale=self.locale))

    def day(self, value: Any) -> str:
        """Write a day of the month."""
        return self._skeleton(value, "MMMd")

    def month(self, value: Any) -> str:
        """Write a month with its year."""
        return self._skeleton(value, "yMMM")

    def quarter(self, value: Any) -> str:
        """Write a quarter with its year."""
        if _missing(value):
            return NOTHING
        day = _day(value)
        return self.say("common.quarter", q=(day.month + 2) // 3, year=self.digits(str(day.year)))

    def value(self, value: Any, unit: str) -> str:
        """Write a value by the name of its unit in the result files."""
        return getattr(self, unit)(value)

    def _skeleton(self, value: Any, skeleton: str) -> str:
        from babel.dates import format_skeleton

        return NOTHING if _missing(value) else self.digits(format_skeleton(skeleton, _day(value), locale=self.locale))

    def _unit(self, unit: str, value: Any, shown: Any, decimals: int) -> str:
        if _missing(value):
            return NOTHING
        return self.fill(self.part(f"common.unit.{unit}"), unit, n=shown, x=self._number(shown, decimals))

    def _number(self, value: Any, decimals: int) -> str:
        if _missing(value):
            return NOTHING
        from babel.numbers import format_decimal

        pattern = _with_decimals(self.locale.decimal_formats[None].pattern.split(";")[0].replace(".###", ""), decimals)
        return self._finish(format_decimal(_rounded(value, decimals), format=pattern, locale=self.locale))

    def _percent(self, value: Any, decimals: int) -> str:
        if _missing(value):
            return NOTHING
        from babel.numbers import format_percent

        pattern = _with_decimals(self.locale.percent_formats[None].pattern, decimals)
        return self._finish(format_percent(_rounded(100 * float(value), decimals) / 100, format=pattern, locale=self.locale))

    def _finish(self, written: str) -> str:
        return self.digits(written.replace("-", "−"))

    def digits(self, written: str) -> str:
        """Write the digits of a string as the reader does."""
        return written.translate(str.maketrans(OURS, self.part("language.digits")))

    def _find(self, key: str) -> Any:
        for language in dict.fromkeys((self.language, "en")):
            found: Any = catalogue(language)
            for step in key.split("."):
                found = found.get(step) if isinstance(found, dict) else None
            if found is not None:
                return found
        return None


class _Filler(string.Formatter):
    """Writes each argument by the method of `Texts` that its format names."""

    def __init__(self, texts: Texts, args: dict[str, Any]):
        self.texts, self.args = texts, args

    def format_field(self, value: Any, spec: str) -> str:
        if spec == "text":
            others = {name: arg for name, arg in self.args.items() if arg is not value}
            return NOTHING if value is None else self.texts.say(value, **others)
        if "|" in spec:
            return self.texts.form(value, spec.split("|"))
        if spec:
            return getattr(self.texts, spec)(value)
        if _missing(value):
            return NOTHING
        return clean(value) if isinstance(value, str) else self.texts.count(value)


def _missing(value: Any) -> bool:
    return value is None or value != value


def _small(value: Any) -> int:
    return int(not _missing(value) and 0 < min(abs(float(value)), 1 - abs(float(value))) < 0.01)  # neither none nor all


def _day(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])


def _rounded(value: Any, decimals: int) -> Decimal:
    rounded = Decimal(str(float(value) if not isinstance(value, (int, Decimal)) else value)).quantize(Decimal(1).scaleb(-decimals))
    return abs(rounded) if rounded == 0 else rounded  # never "-0"


def _with_decimals(pattern: str, decimals: int) -> str:
    at = pattern.rindex("0") + 1
    return pattern[:at] + ("." + "0" * decimals if decimals else "") + pattern[at:]


@cache
def catalogue(language: str) -> dict[str, dict]:
    """Read the text files of one language.

    Returns
    -------
    dict
        File stem -> content.

    Raises
    ------
    RenderError
        If a file is not TOML.

    Examples
    --------
    >>> "common" in catalogue("en")
    True
    """
    content = {}
    for path in sorted((share.folder("playbook") / "text" / language).glob("*.toml")):
        try:
            content[path.stem] = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise RenderError(f"playbook/text/{language}/{path.name}", f"is not valid TOML: {error}", "correct that line") from None
    return content


def clean(text: Any, limit: int = 80) -> str:
    """Make text that a shop supplied printable: on paper, on a page and in a chart.

    Control and direction characters go, a character without a glyph becomes ``?``, long words
    may break, and what is longer than `limit` is cut.

    Examples
    --------
    >>> clean("Çağla\\n<b>漢</b>")
    'Çağla <b>?</b>'
    >>> clean("")
    '–'
    >>> len(clean("word " * 40))
    80
    """
    composed = re.sub(r"\s+", " ", unicodedata.normalize("NFC", str(text)))
    kept = "".join(c for c in composed if c in JOINERS or unicodedata.category(c)[0] != "C").strip()
    shown = "".join(c if c in JOINERS or c in glyphs() else "?" for c in kept)
    if len(shown) > limit:
        shown = shown[: limit - 1].rstrip() + "…"
    return UNBROKEN.sub(rf"\1{ZERO_WIDTH_SPACE}", shown) or NOTHING
