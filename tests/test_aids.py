"""Forms and cards: every aid prints in four languages on both papers, nothing runs over, and each practice has its own."""

from __future__ import annotations

import json
import re

import pytest
import sample_results as sample
import typst

from loyalty_lab import aids, document, playbook, share, sizes, tactics
from loyalty_lab.errors import UsageError
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.pages import Book

SHEETS = share.folder("playbook") / "aids"
LONG = "Grandmother Margaret’s Household and Garden Goods at Old Mill"
HOSTILE = '#import "x" $x$ <b> =cmd() \u202e漢'
PAGES = {
    "service-standards": 2, "name-drill": 2, "profile-card": 1, "questionnaire": 1, "ideal-customer-sheet": 1, "journey-map": 1,
    "first-90-days": 1, "staying-in-touch": 1, "letters": 5, "store-card": 2, "invitation": 1, "support-cards": 2, "phone-log": 1,
    "satisfaction-slip": 1, "referral-cards": 1, "delivery-slip": 1, "review-cards": 1, "testimonial-consent": 1, "returns-slip": 2,
    "holdout-card": 1,
}  # fmt: skip
PIECES = {"name-drill": 10, "store-card": 10, "support-cards": 20, "satisfaction-slip": 3, "referral-cards": 10, "review-cards": 10}


def made(language="en", only=(), batch="", **settings) -> dict:
    return aids.document(sample.shop(**settings), language, aids.chosen(only), batch)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


def fits(document: dict, paper: str = "a4") -> dict[str, list[float]]:
    """How much smaller each piece of a fixed size is set, to fit, and whether lines that share a page have room; 0 where nothing fits."""
    inputs = {"data": json.dumps(sizes.keyed(document), ensure_ascii=False, sort_keys=True), "paper": paper}
    folder = share.folder("playbook")
    found = json.loads(
        typst.query(str(folder / aids.TEMPLATE), "<snug>", field="value", root=str(folder), font_paths=playbook._fonts(), sys_inputs=inputs)
    )
    return {kind: [each["f"] for each in found if each["kind"] == kind] for kind in ("snug", "shared")}


def test_every_aid_has_a_sheet_and_every_sheet_is_an_aid():
    shared = {"parts", "appendix", "aids", "merged"}

    assert {path.stem for path in SHEETS.glob("*.typ")} - shared == {aid.slug for aid in aids.AIDS} == set(PAGES)


@pytest.mark.parametrize("tactic", tactics.CATALOGUE, ids=lambda tactic: tactic.slug)
def test_every_practice_has_an_aid_and_every_campaign_the_card_for_the_till(tactic):
    found = [aid.slug for aid in aids.for_practices([tactic.slug])]

    assert found
    assert ("holdout-card" in found) == (tactic.kind == "campaign")


@pytest.mark.parametrize("paper", playbook.PAPERS)
@pytest.mark.parametrize("language", LOCALES)
def test_all_aids_print_in_every_language_on_both_papers_each_on_its_pages(language, paper):
    printed = playbook.pdf(made(language), paper, aids.TEMPLATE)

    assert pages(printed) == 1 + sum(PAGES.values())
    assert b"pdfuaid" in printed


@pytest.mark.parametrize("language", LOCALES)
def test_nothing_runs_over_its_card_or_slip_even_with_a_long_name(language):
    reach = {
        "phone": "+44 20 7946 0011, +44 20 7946 0012",
        "hours": "Monday to Friday 9 to 18, Saturday 9 to 13",
        "address": "12 Mill Lane",
    }
    full = made(language, name=LONG, brand=reach | {"review_url": "https://reviews.example/grandmother-margaret/write-a-review"})

    found = fits(full, "letter")
    assert min(found["snug"]) >= 0.8
    assert set(found["shared"]) == {1.0}


def test_what_is_too_long_for_its_card_is_set_smaller_and_said_so():
    crowded = made(only=["support-cards"])
    crowded["aids"]["sheets"]["support-cards"]["contact"] = "Ring us before you set out. " * 25

    assert min(fits(crowded)["snug"]) < 0.8


def test_lines_that_need_more_than_their_page_are_found_out():
    crowded = made(only=["store-card"])
    crowded["aids"]["sheets"]["store-card"]["terms"] *= 4

    assert fits(crowded)["shared"] == [0.0]


@pytest.mark.parametrize("slug", PIECES)
def test_a_sheet_holds_ten_cards_or_three_slips(slug):
    assert len(fits(made(only=[slug]))["snug"]) == PIECES[slug]


def test_the_same_settings_give_the_same_bytes():
    one, two = (playbook.pdf(made("bn", ["loyalty-card", "letters"]), template=aids.TEMPLATE) for _ in range(2))

    assert one == two


def test_a_hostile_name_stays_text():
    hostile = made(only=["support-cards", "letters"], name=HOSTILE)

    assert hostile["brand"]["shop"] == '#import "x" $x$ <b> =cmd() ?'
    assert pages(playbook.pdf(hostile, template=aids.TEMPLATE)) == 1 + 2 + 5


def test_a_name_brings_an_aid_or_those_of_a_tactic_and_a_mistyped_one_the_nearest():
    assert [aid.slug for aid in aids.chosen(["17-easy-returns", "letters"])] == ["letters", "returns-slip"]
    assert aids.chosen([]) == aids.AIDS
    with pytest.raises(UsageError, match="Did you mean 'questionnaire'"):
        aids.chosen(["questionaire"])


def test_the_cards_of_two_printings_carry_two_codes():
    codes = {made(only=["support-cards"], batch=batch)["aids"]["sheets"]["support-cards"]["code"] for batch in ("till 1", "till 2", "")}

    assert len(codes) == 3
    assert all(re.fullmatch("[A-Z2-7]{4}", code) for code in codes)


def test_the_review_card_has_the_code_of_the_address_or_room_for_one():
    url = "https://reviews.example/corner-grocer"
    with_code, without = (made(only=["review-cards"], brand=brand)["aids"]["sheets"]["review-cards"] for brand in ({"review_url": url}, {}))

    assert with_code["qr"]["svg"].startswith("<svg")
    assert with_code["address"].replace("\u200b", "") == url
    assert without["qr"] is None


@pytest.mark.parametrize("address", ["javascript:alert(1)", "reviews.example", "https://a b", "https://x.example/" + "a" * 200])
def test_an_address_for_reviews_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="review_url"):
        sample.shop(brand={"review_url": address})


@pytest.mark.parametrize("language", LOCALES)
def test_every_language_leaves_the_same_places_open(language):
    def gaps(part):
        if isinstance(part, dict):
            return {name: gaps(inner) for name, inner in part.items()}
        return [gaps(inner) for inner in part] if isinstance(part, list) else part.count("___")

    for aid in aids.AIDS:
        assert gaps(Texts(language).part(f"aid-{aid.slug}")) == gaps(Texts("en").part(f"aid-{aid.slug}")), aid.slug


@pytest.mark.parametrize(("slug", "list_of"), [("service-standards", "standards"), ("name-drill", "moments"), ("staying-in-touch", "ways")])
def test_the_lists_the_guides_leave_out_are_whole_and_called_ours(slug, list_of):
    for language in LOCALES:
        sheet = Texts(language).part(f"aid-{slug}")
        assert len(sheet[list_of]) == 10
        assert sheet["ours"]


def test_a_playbook_holds_the_aids_of_its_practices():
    found = document.forms(Book(sample.everything(), sample.ACTIONS, sample.shop(), sample.INTAKE, sample.RUN, "en"))

    assert found["order"] == [aid.slug for aid in aids.for_practices(["vital-few", "follow-up-letters", "answer-fast"])]
    assert found["command"] == "loyalty-lab aids SHOP"


def test_the_command_prints_a_blank_form_without_reading_an_export(tmp_path, command):
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "shop.toml").write_text('name = "Köşe"\ncurrency = "TRY"\ntimezone = "Europe/Istanbul"\nlanguages = ["tr"]\n', encoding="utf-8")
    done = command("aids", shop, "--only", "ask-every-time", "--paper", "letter")

    assert done.returncode == 0, done.stderr
    assert [path.name for path in (shop / "reports" / "aids").iterdir()] == ["aids-tr.pdf"]


@pytest.mark.parametrize("languages", [["--language", "en,hy"], ["--language", "en", "--language", "hy"]])
def test_the_demo_needs_no_folder_and_languages_are_listed_or_repeated(tmp_path, command, languages):
    done = command("aids", "demo", "--only", "holdout-card", *languages, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aids-en.pdf", "aids-hy.pdf"]
