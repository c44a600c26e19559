"""Numbers, dates, money and sentences in four languages; shop text made printable."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from string import Formatter

import pytest
from sample_results import plausible_args

from loyalty_lab import share
from loyalty_lab.errors import RenderError
from loyalty_lab.fonts import glyphs
from loyalty_lab.language import LOCALES, NOTHING, Texts, catalogue, clean

ROOT = Path(__file__).parent.parent
LANGUAGES = [language for language in LOCALES if (share.folder("playbook") / "text" / language / "common.toml").exists()]
PRINT_GERMAN = """
import json
import sample_results as sample
from loyalty_lab import document, playbook
from loyalty_lab.language import LOCALES, Texts
results = {slug: sample.everything()[slug] for slug in ("follow-up-letters",)}
made = document.build(results, [], sample.shop(languages=["de"]), sample.INTAKE, sample.RUN, "de")
pages = playbook.pdf(made)
print(json.dumps([pages[:4].decode(), LOCALES, Texts("de", "EUR").amount(1234.56), made["tactics"][0]["section"], made["region"]]))
"""


def leaves(part, path=""):
    """Every text below a part of the catalogue, with its path."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from leaves(inner, f"{path}.{name}".lstrip("."))
    elif isinstance(part, list):
        for at, inner in enumerate(part):
            yield from leaves(inner, f"{path}[{at}]")
    elif isinstance(part, str):
        yield path, part


@pytest.mark.parametrize(
    ("language", "currency", "written"),
    [
        ("en", "GBP", ["1,234,567", "81.2%", "42", "£1,234", "£99.50", "−£40.00", "31 Oct 2026"]),
        ("tr", "TRY", ["1.234.567", "%81,2", "42", "₺1.234", "₺99,50", "−₺40,00", "31 Eki 2026"]),
        ("bn", "BDT", ["১২,৩৪,৫৬৭", "৮১.২%", "৪২", "১,২৩৪৳", "৯৯.৫০৳", "−৪০.০০৳", "৩১ অক্টো, ২০২৬"]),
        ("hy", "AMD", ["1 234 567", "81,2%", "42", "1 234 ֏", "100 ֏", "−40 ֏", "31 հոկ, 2026 թ."]),
    ],
)
def test_each_language_writes_numbers_its_own_way(language, currency, written):
    texts = Texts(language, currency)
    said = [
        texts.count(1234567),
        texts.share1(0.812),
        texts.per100(0.421),
        texts.money(1234.4),
        texts.money(99.5),
        texts.money(-40),
        texts.date("2026-10-31"),
    ]

    assert [words.replace("\xa0", " ") for words in said] == written


@pytest.mark.parametrize(
    "method", ["count", "share", "share1", "per100", "points", "money", "days", "score", "ratio", "one_in", "date", "day", "amount"]
)
@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_is_missing_prints_as_a_dash(method, missing):
    assert getattr(Texts("en"), method)(missing) == NOTHING


def test_a_currency_without_a_printable_sign_is_written_by_its_letters():
    for currency in ("INR", "CNY", "ILS", "GEL", "XOF", "AED"):
        assert set(Texts("en", currency).money(12)) <= glyphs()


def test_small_and_negative_numbers_keep_their_meaning():
    texts = Texts("en")

    assert texts.share(0.004) == "0.4%"
    assert texts.count(-0.4) == "0"
    assert texts.score(-12.2) == "−12"
    assert texts.one_in(0.032) == "1 in 31"
    assert 1 / 31 >= 0.032, "the printed rate must never ask for less than the break-even"
    assert texts.money(98.2, like=127) == "£98"


def test_a_plural_form_is_chosen_by_n():
    assert (Texts("en").days(1), Texts("en").days(0), Texts("en").days(91)) == ("1 day", "0 days", "91 days")


def test_a_text_that_speaks_of_something_not_given_is_an_error_that_names_both():
    with pytest.raises(RenderError, match=r"kept.*not among \['n'\]"):
        Texts("en").say("common.cover.kept", n=1)
    with pytest.raises(RenderError, match=r"common\.nonsense"):
        Texts("en").say("common.nonsense")
    with pytest.raises(RenderError, match="'xx'"):
        Texts("xx")


def test_shop_text_inside_a_sentence_is_data():
    said = Texts("en").say("common.glance.kicker", shop="{cutoff} <b>", cutoff="2026-10-31")

    assert said == "{cutoff} <b> · data to 31 Oct 2026"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a\u202ecba", "acba"),
        ("a\x00\n b", "a b"),
        ("😀 ok", "? ok"),
        ("李", "?"),
        ("গ্রাহক র‍্যাঙ্ক", "গ্রাহক র‍্যাঙ্ক"),
        ("", NOTHING),
    ],
)
def test_clean_leaves_only_what_can_be_printed(given, shown):
    assert clean(given) == shown


def test_clean_breaks_long_words_and_cuts_long_texts():
    assert "\u200b" in clean("A" * 60)
    assert len(clean("word " * 100).replace("\u200b", "")) == 80


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_printed_by_the_fonts(language):
    unprintable = {path: set(text) - glyphs() - set("\u200c\u200d\n") for path, text in leaves(catalogue(language))}

    assert {path: missing for path, missing in unprintable.items() if missing} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_said(language):
    texts = Texts(language)
    for path, text in leaves(catalogue(language)):
        assert texts.fill(text, path, **{**plausible_args(text), **{"p": 1}}) or not text, path


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_texts_with_the_same_placeholders(language):
    def placeholders(text):
        return sorted({f"{name}:{spec}" for _, name, spec, _ in Formatter().parse(text) if name and "|" not in spec})

    def shape(words):
        return {re.sub(r"\.(one|two|few|many|zero|other)$", "", path): placeholders(text) for path, text in leaves(catalogue(words))}

    mine, english = shape(language), shape("en")
    assert set(mine) == set(english)
    assert {path: found for path, found in mine.items() if found != english[path]} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_that_go_with_a_number_stand_beside_it_in_as_many_forms_as_the_language_has(language):
    kinds = {*Texts(language).locale.plural_form.tags, "other"}
    for path, text in leaves(catalogue(language)):
        slots = [(name, spec) for _, name, spec, _ in Formatter().parse(text) if name]
        formed = [(name, spec) for name, spec in slots if "|" in spec]

        assert {name for name, _ in formed} <= {name for name, spec in slots if spec == "count"}, path
        assert {len(spec.split("|")) for _, spec in formed} <= {len(kinds)}, path


def test_a_number_chooses_its_word():
    texts = Texts("en")
    said = [texts.fill("{n:count} {n:customer was|customers were} here", n=n) for n in (0, 1, 2)]
    assert said == ["0 customers were here", "1 customer was here", "2 customers were here"]


def test_one_day_apart_is_every_day():
    assert [Texts(language).every(1) for language in ("en", "tr", "bn", "hy")] == ["every day", "her gün", "প্রতিদিন", "ամեն օր"]
    assert [Texts(language).every(12) for language in ("en", "tr", "bn", "hy")] == [
        "every 12 days", "12 gün arayla", "১২ দিন পরপর", "12 օրը մեկ",
    ]  # fmt: skip


@pytest.mark.parametrize("variant", ["model", "simple"])
def test_a_forecast_tried_on_one_earlier_date_says_so_in_the_singular(variant):
    tried = [Texts("en").say(f"churn.stand.{variant}", until="2026-12-31", cutoffs=n, n=n) for n in (1, 4)]

    assert ["on 1 earlier date of" in tried[0], "on 4 earlier dates of" in tried[1]] == [True, True]


WRITING = {
    "en": ("written to", "write to", "letter"),
    "tr": ("eye yazıl", "yazılabil", "yazılmamış", "yazmak", "mektup"),
    "bn": ("লেখার", "লেখা যায়", "লেখা হয়নি", "চিঠি"),
    "hy": ("գրել", "նամակ"),
}


@pytest.mark.parametrize("language", WRITING)
def test_what_every_campaign_says_of_its_list_fits_a_list_of_people_to_greet_at_the_counter(language):
    texts = Texts(language)
    said = [texts.part("measure.how.holdout"), *texts.part("common.who").values()]

    assert [(word, sentence) for sentence in said for word in WRITING[language] if word in sentence] == []


def test_a_fifth_language_is_one_folder(tmp_path):
    shutil.copytree(ROOT / "playbook", tmp_path / "playbook")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/loyalty_lab").symlink_to(ROOT / "src/loyalty_lab")
    german = tmp_path / "playbook/text/de"
    shutil.copytree(german.parent / "en", german)
    for name, ours, theirs in (("language", "en_GB", "de_DE"), ("follow-up-letters", "Follow-up letters", "Nachfassbriefe")):
        text = (german / f"{name}.toml").read_text(encoding="utf-8")
        (german / f"{name}.toml").write_text(text.replace(ours, theirs), encoding="utf-8")

    given = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "src"), str(ROOT / "tests")])}
    done = subprocess.run([sys.executable, "-c", PRINT_GERMAN], capture_output=True, text=True, env=given, check=False)

    assert done.stderr == ""
    assert json.loads(done.stdout) == ["%PDF", ["en", "bn", "de", "hy", "tr"], "1.234,56\xa0€", "Nachfassbriefe", "DE"]
