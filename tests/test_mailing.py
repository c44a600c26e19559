"""Letters of a list: filled in each customer's language, names as data, nobody but those on the list."""

from __future__ import annotations

import csv
import io
import re
import stat
from datetime import date
from types import SimpleNamespace

import pandas as pd
from acting_shops import CUTOFF, EVERYBODY, HANDED_OVER, ids, result, rows, shop_of

from loyalty_lab import letters, lists, mailing, playbook
from loyalty_lab.language import Texts
from loyalty_lab.shop import Shop, ShopSettings

SLUG = "follow-up-letters"
NAMES = {
    "en": '#import "/etc/passwd"', "tr": "=cmd|' /C calc'!A0", "bn": "রহিমা চৌধুরী", "hy": "Անի Սարգսյան", "": "A" * 60,
    "fr": "\u202eesrever", "zh": "李明", "-": None,
}  # fmt: skip


def desk(contacts=None, **settings):
    """What a list is written from: eight customers, each with another language and a name that may be anything."""
    known = pd.DataFrame(
        {
            "merged_id": [f"C{at}" for at in range(len(NAMES))],
            "name": list(NAMES.values()),
            "address": "12 Mill Lane",
            "email": "a@x.example",
        },
        index=[f"p{at}" for at in range(len(NAMES))],
    )
    customers = pd.DataFrame({"customer_id": known.index, "preferred_language": [language or None for language in NAMES]})
    given = {"name": "Corner Grocer", "currency": "GBP", "timezone": "Europe/London", "languages": ["hy", "en"]} | settings
    shop = Shop(ShopSettings(**given), {"customers": customers} | ({"contacts": contacts} if contacts is not None else {}))
    return SimpleNamespace(shop=shop, identities=known, report_date=date(2026, 11, 1))


def on_list(channel="letter", template="A") -> pd.DataFrame:
    people = [{"pseudonym": f"p{at}", "rank": at + 1, "channel": channel, "arguments": {"template": template}} for at in range(len(NAMES))]
    return pd.DataFrame(people)


def told(folder, slug=SLUG) -> list[dict[str, str]]:
    text = (folder / "letters" / f"{slug}.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_each_letter_speaks_its_customers_language_else_the_shops_first():
    found = mailing.merged(desk(), SLUG, on_list())

    assert [letter["language"] for letter in found] == ["en", "tr", "bn", "hy", "hy", "hy", "hy", "hy"]
    for letter in found:
        assert Texts(letter["language"]).part("letters.stop") == letter["told"]["stop"]
        assert "Corner Grocer" in "".join(letter["told"]["body"])


def test_a_name_is_data_and_one_that_cannot_be_printed_is_left_to_a_hand():
    found = mailing.merged(desk(), SLUG, on_list())
    greetings = [letter["shown"]["paragraphs"]["body"][0].replace("\u200b", "") for letter in found]

    assert greetings[0] == 'Dear #import "/etc/passwd",'
    assert greetings[1] == "Sayın =cmd|' /C calc'!A0,"
    assert greetings[4] == f"Հարգելի՛ {'A' * 60},"
    assert greetings[5] == "Հարգելի՛ esrever,"
    assert greetings[6] == greetings[7] == Texts("hy").part("letters.greeting_plain")
    assert found[6]["told"]["body"][0] == "Հարգելի՛ 李明,"


def test_a_slot_inside_a_name_is_not_filled():
    lettered = desk()
    lettered.identities.loc["p0", "name"] = "{shop} {0} {name!r}"

    assert mailing.merged(lettered, SLUG, on_list())[0]["told"]["body"][0] == "Dear {shop} {0} {name!r},"


def test_the_letters_print_a_page_each_and_the_same_bytes_again(tmp_path):
    for out in ("one", "two"):
        (tmp_path / out).mkdir()
        mailing.write(desk(brand={"address": "12 Mill Lane", "phone": "020 7946 0011"}), SLUG, on_list(), tmp_path / out)
    printed = (tmp_path / "one" / "letters" / f"{SLUG}.pdf").read_bytes()

    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == len(NAMES)
    assert printed == (tmp_path / "two" / "letters" / f"{SLUG}.pdf").read_bytes()
    for path in (tmp_path / "one" / "letters").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_longest_letter_stays_one_page_on_letter_paper_with_a_long_name():
    long = desk(name="Grandmother Margaret’s Household and Garden Goods at Old Mill", languages=["bn"])
    found = [
        letter
        for slug in letters.SETS
        for name in letters.templates(Texts("en"), slug)
        for letter in mailing.merged(long, slug, on_list(template=name))
    ]
    printed = playbook.pdf(mailing.document(long, found), "letter", mailing.TEMPLATE)

    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 9 * len(NAMES)


def test_the_mail_merge_holds_what_stands_in_the_letter_and_no_formula(tmp_path):
    mailing.write(desk(), SLUG, on_list(template="spring"), tmp_path)
    found = told(tmp_path)

    assert list(found[0]) == list(mailing.COLUMNS)
    assert [row["template"] for row in found] == ["spring"] * len(NAMES), "the shop notes the letter under its own name"
    assert found[1]["name"] == "'=cmd|' /C calc'!A0"
    assert found[0]["paragraphs"].startswith('Dear #import "/etc/passwd",\n\n')
    assert found[0]["paragraphs"].endswith(Texts("en").part("letters.stop"))


def test_who_is_reached_by_e_mail_gets_a_row_and_no_page_and_who_is_rung_up_neither(tmp_path):
    mailing.write(desk(), SLUG, on_list(channel="mail"), tmp_path)
    mailing.write(desk(), "thank-and-gift", on_list(channel="phone", template="T1"), tmp_path)

    assert {path.name for path in (tmp_path / "letters").iterdir()} == {f"{SLUG}.csv"}


def test_a_practice_without_letters_writes_none(tmp_path):
    mailing.write(desk(), "answer-fast", on_list(), tmp_path)

    assert not (tmp_path / "letters").exists()


def test_the_letters_of_earlier_rounds_decide_what_stands_in():
    before = pd.DataFrame(
        {"customer_id": "p0", "sent_at": pd.to_datetime(["2026-01-01", "2026-02-01"]), "template_id": ["autumn", "winter"]}
    )
    lettered = desk(contacts=before)

    found = {name: mailing.merged(lettered, SLUG, on_list(template=name))[0]["letter"] for name in ("autumn", "winter", "A")}
    assert found == {"autumn": "E", "winter": "F", "A": "A"}


def test_only_those_on_the_list_are_written_to_never_those_kept_aside(tmp_path):
    taken = shop_of(tmp_path / "shop")
    known = ids(taken)
    people = [
        {"pseudonym": known[number], "rank": rank, "reason": f"{SLUG}.reason.once", "value_at_stake": 9.5, "channel": "letter",
         "arguments": {"days": 40, "rhythm": 20, "template": "B"}}
        for rank, number in enumerate(EVERYBODY, start=1)
    ]  # fmt: skip
    lists.make_lists(
        taken.folder, taken.shop().until(CUTOFF), {SLUG: pd.DataFrame(people)}, {SLUG: result(SLUG)},
        cutoff=CUTOFF, report_date=HANDED_OVER, horizon_days=60, out=taken.folder / "lists", post=mailing.write,
    )  # fmt: skip
    treated = [row["Customer"] for row in rows(taken)]

    assert [row["number"] for row in told(taken.folder / "lists")] == treated
    assert 0 < len(treated) < len(EVERYBODY) - 1
