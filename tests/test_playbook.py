"""Pages: PDF without a warning, HTML that stands alone; the same document gives the same bytes."""

from __future__ import annotations

import base64
import io
import json
import re
from html.parser import HTMLParser

import pytest
import sample_results as sample
from fontTools.ttLib import TTFont

from loyalty_lab import document, playbook, share
from loyalty_lab.errors import RenderError
from loyalty_lab.fonts import glyphs
from loyalty_lab.language import LOCALES

LANGUAGES = [language for language in LOCALES if (share.folder("playbook") / "text" / language / "common.toml").exists()]
CURRENCIES = {"en": "GBP", "tr": "TRY", "bn": "BDT", "hy": "AMD"}
HOSTILE = "<script>alert(1)</script> #panic() $x$ *b* @ref `raw` {{7*7}} /* */ &amp; \u202e漢😀" + "A" * 90


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Where what these tests draw and cut is kept."""
    return tmp_path_factory.mktemp("cache")


def made(language="en", answer_fast_ready=False, cache=None, **settings) -> dict:
    shop = sample.shop(currency=CURRENCIES[language], **settings)
    return document.build(sample.everything(answer_fast_ready), sample.ACTIONS, shop, sample.INTAKE, sample.RUN, language, cache)


def headings(pdf: bytes) -> int:
    return pdf.count(b"/H1")


@pytest.mark.parametrize("paper", playbook.PAPERS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_prints_on_both_papers_without_a_warning(language, paper):
    pdf = playbook.pdf(made(language), paper)

    assert pdf.startswith(b"%PDF")
    assert b"pdfuaid" in pdf
    assert len(playbook.png(made(language), paper, ppi=12)) in (31, 32)  # the long words of the rounds may take a second page


def test_the_same_document_gives_the_same_bytes():
    first = playbook.pdf(made())
    playbook.forget()  # else Typst would only hand out again what it has kept
    assert playbook.pdf(made()) == first


def test_a_cache_full_or_half_full_changes_no_byte(tmp_path):
    document, page, pdf = made("en"), playbook.html(made("en")), playbook.pdf(made("en"))
    assert made("en", cache=tmp_path) == document
    assert playbook.html(document, cache=tmp_path) == page
    assert playbook.pdf(document, cache=tmp_path) == pdf

    kept = sorted(tmp_path.rglob("*.json"))
    for place in kept[::2]:
        place.unlink()
    for _ in range(2):
        assert made("en", cache=tmp_path) == document
        assert playbook.html(document, cache=tmp_path) == page
        assert playbook.pdf(document, cache=tmp_path) == pdf
        playbook.forget()
    assert sorted(tmp_path.rglob("*.json")) == kept
    assert {place.parent.parent.name for place in kept} == {"fonts", "en", "sizes"}


def test_pages_whose_words_have_changed_are_measured_anew_and_no_others(tmp_path):
    document, longer = made("tr"), made("tr")
    longer["tactics"][0]["why"] += " uzun" * 400
    playbook.pdf(document, cache=tmp_path)
    before = remembered(tmp_path)
    printed = playbook.pdf(longer, cache=tmp_path)
    after = remembered(tmp_path)

    assert len(after.keys() - before.keys()) == len(before.keys() - after.keys()) == 2, "both pages of the practice that has changed"
    assert min(after[key] or 0 for key in after.keys() - before.keys()) < min(before[key] for key in before.keys() - after.keys())
    playbook.forget()
    assert printed == playbook.pdf(longer)


def test_what_is_remembered_of_one_look_says_nothing_of_another(tmp_path):
    plain, coloured = made(), made(brand={"accent": "#7a1f3d"})
    playbook.pdf(plain, cache=tmp_path)
    spoilt = dict.fromkeys(remembered(tmp_path), 0.5)
    remember(tmp_path, spoilt)

    assert playbook.pdf(coloured, cache=tmp_path) == playbook.pdf(coloured)
    remember(tmp_path, spoilt)
    assert playbook.pdf(coloured, "letter", cache=tmp_path) == playbook.pdf(coloured, "letter")


def remembered(cache) -> dict[str, float | None]:
    """How small pages were set, by their keys."""
    (record,) = (cache / "sizes").rglob("done.json")
    return json.loads(record.read_text())["noted"]["factors"]


def remember(cache, factors: dict[str, float | None]) -> None:
    (record,) = (cache / "sizes").rglob("done.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"noted": {"factors": factors}}))


def test_a_fast_shop_gets_a_spread_in_place_of_the_form():
    assert len(playbook.png(made(answer_fast_ready=True), ppi=12)) == 31


def test_hostile_text_prints_as_text(cache):
    hostile = made(name=HOSTILE, owners={"default": HOSTILE})

    assert playbook.pdf(hostile).startswith(b"%PDF")
    page = playbook.html(hostile, cache=cache)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "{{7*7}}" in page


def test_a_letter_without_a_glyph_is_refused_not_printed_as_a_box():
    broken = made()
    broken["glance"]["title"] = "漢"
    with pytest.raises(RenderError, match="no font has the letter '漢'"):
        playbook.pdf(broken)


def test_a_picture_without_words_is_refused():
    broken = made()
    broken["pictures"]["items"][0]["figure"]["alt"] = None
    with pytest.raises(RenderError):
        playbook.pdf(broken)


def test_an_unknown_paper_is_refused():
    with pytest.raises(RenderError, match="'a5'"):
        playbook.pdf(made(), "a5")


def test_a_playbook_with_nothing_but_a_failure_still_prints(cache):
    only = {"vital-few": sample.failed()}
    bare = document.build(only, [], sample.shop(), {"tables": {}, "orders": {}, "warnings": []}, {**sample.RUN, "inputs": []}, "en")

    assert playbook.pdf(bare).startswith(b"%PDF")
    assert "could not be made" in playbook.html(bare, cache=cache)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_letter_of_a_document_has_a_glyph(language):
    assert playbook._letters(made(language, name=HOSTILE)) - glyphs() - set("\u200b\u200c\u200d\n") == set()


class Page(HTMLParser):
    """What a screen reader looks for."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_stands_alone_and_speaks_its_language(language, cache):
    text = playbook.html(made(language, cache=cache), cache=cache)
    page = Page(text)

    assert page.all("html") == [{"lang": language}]
    assert not page.all("script")
    assert not page.all("link")
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    addresses = re.findall(r"(?:src|href)=\"?([^\" >]+)|url\(([^)]+)\)", text)
    assert {re.match(r"data:|#", one or two)[0] for one, two in addresses} == {"data:", "#"}


def test_the_page_can_be_used_by_keyboard_and_screen_reader(cache):
    page = Page(playbook.html(made(cache=cache), cache=cache))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]

    assert page.all("a")[0] == {"class": "skip", "href": "#content"}
    for landmark in ("main", "nav", "header", "footer"):
        assert page.all(landmark), landmark
    assert len(page.all("h1")) == 1
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for attrs in page.all("a")} <= set(ids)
    assert {attrs["aria-labelledby"] for attrs in page.all("article")} <= set(ids)
    assert all(attrs.get("alt") for attrs in page.all("img"))
    assert all(attrs.get("scope") in ("col", "row") for attrs in page.all("th"))


def test_the_page_names_the_forms_and_cards_and_the_command_that_prints_them(cache):
    page = playbook.html(made(cache=cache), cache=cache)

    for name in ("Questionnaire", "Letters, with a key", "Log for the telephone", "loyalty-lab aids SHOP"):
        assert (f">{name}<" in page) == (name != "Questionnaire"), name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_carries_the_fonts_of_its_scripts_only(language, cache):
    faces = re.findall(r"font-family:'([^']+)';font-weight:(\d+)", playbook.html(made(language, cache=cache), cache=cache))

    assert {("Source Sans 3", weight) for weight in ("300", "400", "600")} <= set(faces)
    assert (("Kurinto Sans", "400") in faces) == (language in ("bn", "hy"))


def test_a_vowel_sign_of_two_parts_keeps_its_parts_in_the_font_of_the_page(cache):
    made = document.build(sample.everything(), sample.ACTIONS, sample.shop(), sample.INTAKE, sample.RUN, "bn", cache)
    faces = re.findall(r"'Kurinto Sans';font-weight:\d+;src:url\(data:font/woff2;base64,([^)]+)\)", playbook.html(made, cache=cache))

    for face in faces:
        letters = set(TTFont(io.BytesIO(base64.b64decode(face))).getBestCmap())
        assert 0x09CC not in letters or {0x09C7, 0x09D7} <= letters
    assert faces


def factors(sizes: list[int]) -> list[list]:
    """Of pages with so many words: the factor each was set at, and the largest of all that fit, tried one after the other."""
    import typst

    all_tried = "one-page-factors.find(f => measure(block(width: area.width / f, words)).height <= area.height / f)"
    page = "#page({{ let words = [#lorem({size}) #v(1fr) End.]\n one-page(words)\n place(layout(area => [#metadata({tried})<all>])) }})\n"
    source = '#import "/theme.typ": *\n#show: setup\n' + "".join(page.format(size=size, tried=all_tried) for size in sizes)
    inputs = {"data": json.dumps(made(), ensure_ascii=False), "paper": "a4"}
    with_house = {"root": str(share.folder("playbook")), "font_paths": playbook._fonts(), "sys_inputs": inputs}
    chosen, tried = (json.loads(typst.query(source.encode(), mark, "value", **with_house)) for mark in ("<one-page>", "<all>"))
    return [[page["factor"] for page in chosen], tried]


def test_a_page_is_set_at_the_largest_size_that_keeps_it_one_page():
    chosen, largest = factors([10, 850, 1500, 960, 1100, 1300])

    assert chosen == largest
    assert {1.0, None} < set(chosen)
    assert len(set(chosen)) == 6
