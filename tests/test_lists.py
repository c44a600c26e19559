"""Who may be contacted, who is kept aside, and what the shop gets to hold."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import openpyxl
import pytest
from acting_shops import CUTOFF, EVERYBODY, HANDED_OVER, HOSTILE, candidates, make, result, rows, shop_of

from loyalty_lab import assignment, gains, lists, returned, tactics
from loyalty_lab.errors import InputError
from loyalty_lab.language import Texts
from loyalty_lab.ledger import check_seal, read_ledger


def test_half_of_a_campaign_is_kept_aside_and_stands_in_no_list(tmp_path):
    taken = shop_of(tmp_path / "shop")
    (entry,) = make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})
    ledger = read_ledger(taken.folder / lists.LEDGER)
    arms = ledger.set_index("unit")["arm"]

    assert entry == {
        "slug": "follow-up-letters", "kind": "campaign", "list": "follow-up-letters.xlsx", "count": len(rows(taken)),
        "held_out": int((arms == "control").sum()), "expected_gain": None, "eligible": 39, "read_on": date(2026, 5, 31),
    }  # fmt: skip
    assert abs(entry["count"] - entry["held_out"]) <= 1
    assert {row["Customer"] for row in rows(taken)} == set(arms.index[arms == "treated"])


def test_who_refused_was_contacted_lately_or_opted_out_is_neither_written_to_nor_drawn(tmp_path):
    contacts = "1,c02,2026-03-25,out,\n2,c03,2026-03-25,in,\n3,c04,2025-12-01,out,opt_out\n4,c05,2026-03-01,out,reply\n"
    taken = shop_of(tmp_path / "shop", contacts=contacts)
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY[:8])})

    assert set(read_ledger(taken.folder / lists.LEDGER)["unit"]) == {"c01", "c03", "c05", "c06", "c07"}


def test_capacity_takes_the_first_by_rank_and_keeps_as_many_aside(tmp_path):
    taken = shop_of(tmp_path / "shop", head="[capacity]\nletter = 5\n")
    (entry,) = make(taken, {"follow-up-letters": candidates(taken, EVERYBODY[1:])})

    assert (entry["count"], entry["held_out"]) == (5, 5)
    assert set(read_ledger(taken.folder / lists.LEDGER)["unit"]) == set(EVERYBODY[1:11])


def test_a_duty_goes_to_everybody_and_enters_no_ledger(tmp_path):
    taken = shop_of(tmp_path / "shop")
    owed = candidates(taken, EVERYBODY[:6], "answer-fast.reason.unanswered", "phone")
    (entry,) = make(taken, {"answer-fast": owed})

    assert (entry["kind"], entry["count"], entry["held_out"], entry["read_on"]) == ("duty", 6, 0, None)
    assert [row["Customer"] for row in rows(taken, "answer-fast")] == EVERYBODY[:6]
    assert not (taken.folder / lists.LEDGER).exists()


def test_a_rerun_gives_the_same_bytes_and_a_later_one_keeps_the_arms(tmp_path):
    taken = shop_of(tmp_path / "shop")
    found = {"follow-up-letters": candidates(taken, EVERYBODY[:30])}
    make(taken, found)
    ledger = (taken.folder / lists.LEDGER).read_bytes()
    make(taken, found, out="again")
    for ending in ("csv", "xlsx"):
        assert (taken.folder / "again" / f"follow-up-letters.{ending}").read_bytes() == (
            taken.folder / "lists" / f"follow-up-letters.{ending}"
        ).read_bytes()
    assert (taken.folder / lists.LEDGER).read_bytes() == ledger
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)}, cutoff=CUTOFF + timedelta(days=20), out="later")

    assert (taken.folder / lists.LEDGER).read_bytes().startswith(ledger)
    assert {row["Customer"] for row in rows(taken)} <= {row["Customer"] for row in rows(taken, out="later")}


def test_the_ledger_is_written_before_any_list(tmp_path, monkeypatch):
    taken = shop_of(tmp_path / "shop")
    monkeypatch.setattr(
        "loyalty_lab.ledger.append", lambda *_, **__: (_ for _ in ()).throw(InputError("rounds", "cannot be written", "free it"))
    )
    with pytest.raises(InputError):
        make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})
    assert not (taken.folder / "lists").exists()


def test_the_list_names_the_person_the_way_to_reach_them_and_the_reason(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"answer-fast": candidates(taken, ["c07"], "answer-fast.reason.unanswered", "phone")})
    (row,) = rows(taken, "answer-fast")

    assert (row["Customer"], row["Name"], row["Contact"], row["At stake"], row["What happened"]) == ("c07", "Name 7", "07", "9.5", "")
    assert row["Why"] == Texts("en").say("answer-fast.reason.unanswered", days=40)


def test_text_from_the_shop_is_never_a_formula(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"answer-fast": candidates(taken, ["c01"], "answer-fast.reason.unanswered", "phone")})
    sheet = openpyxl.load_workbook(taken.folder / "lists" / "answer-fast.xlsx").active

    assert sheet["B2"].data_type == "s"
    assert sheet["B2"].value == HOSTILE
    assert sheet["B2"].hyperlink is None
    assert rows(taken, "answer-fast")[0]["Name"] == "'" + HOSTILE
    assert sheet["A2"].value == "c01"


def test_the_workbook_offers_the_words_for_what_happened(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"answer-fast": candidates(taken, ["c01", "c02"], "answer-fast.reason.unanswered", "phone")})
    (offered,) = openpyxl.load_workbook(taken.folder / "lists" / "answer-fast.xlsx").active.data_validations.dataValidation

    assert offered.formula1 == '"none,reply,visit,order,opt_out"'
    assert str(offered.sqref) == "J2:J3"


def test_a_customer_goes_to_one_campaign_only_the_one_with_the_smallest_break_even(tmp_path, monkeypatch):
    both = tuple(tactics.Tactic(number, slug, "campaign", ()) for number, slug in ((7, "follow-up-letters"), (9, "answer-fast")))
    monkeypatch.setattr(tactics, "CATALOGUE", both)
    taken = shop_of(tmp_path / "shop")
    found = {"follow-up-letters": candidates(taken, EVERYBODY[:20]), "answer-fast": candidates(taken, EVERYBODY[10:])}
    rates = {"follow-up-letters": result("follow-up-letters", 0.2), "answer-fast": result("answer-fast", 0.01)}
    when = {"cutoff": CUTOFF, "report_date": HANDED_OVER, "horizon_days": 60}
    lists.make_lists(taken.folder, taken.shop(), found, rates, **when, out=tmp_path / "lists")
    units = read_ledger(taken.folder / lists.LEDGER).groupby("slug")["unit"].agg(set)

    assert gains.campaigns(found, rates) == ["answer-fast", "follow-up-letters"]
    assert units["answer-fast"] == set(EVERYBODY[10:])
    assert units["follow-up-letters"] == set(EVERYBODY[1:10])


def test_lists_are_for_their_owner_alone(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})

    assert {oct(path.stat().st_mode)[-3:] for path in (taken.folder / "lists").iterdir()} == {"600"}


def test_who_said_no_on_a_returned_list_is_never_written_to_again(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})
    first = rows(taken)[0]
    back = taken.folder / "rounds" / "returned"
    back.mkdir()
    with (back / "letters.csv").open("w", encoding="utf-8-sig", newline="") as file:
        write = csv.DictWriter(file, list(first))
        write.writeheader()
        write.writerow(first | {"What happened": "opt_out"})

    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)}, out="again")

    assert first["Customer"] in {row["Customer"] for row in rows(taken)}
    assert first["Customer"] not in {row["Customer"] for row in rows(taken, out="again")}


def test_a_damaged_ledger_stops_every_list_and_names_the_row(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)})
    path = taken.folder / lists.LEDGER
    path.write_text(path.read_text().replace(",treated,", ",control,", 1))

    with pytest.raises(InputError, match=r"rounds/assignments\.csv, row \d+: says that"):
        make(taken, {"follow-up-letters": candidates(taken, EVERYBODY)}, out="again")
    assert not (taken.folder / "again").exists()


def test_every_list_can_be_known_again_and_a_no_on_any_of_them_counts(tmp_path):
    taken = shop_of(tmp_path / "shop")
    owed = candidates(taken, ["c05"], "answer-fast.reason.unanswered", "phone")
    make(taken, {"answer-fast": owed})
    (row,) = rows(taken, "answer-fast")
    assert row["List"] == returned.list_code((taken.folder / lists.SALT).read_text().strip(), "answer-fast@2026-03-31")
    back = taken.folder / "rounds" / "returned"
    back.mkdir(parents=True)
    with (back / "answers.csv").open("w", encoding="utf-8-sig", newline="") as file:
        write = csv.DictWriter(file, list(row))
        write.writeheader()
        write.writerow(row | {"What happened": "opt_out"})

    make(taken, {"answer-fast": owed, "follow-up-letters": candidates(taken, EVERYBODY[1:8])}, out="next")

    drawn = set(read_ledger(taken.folder / lists.LEDGER)["unit"])
    assert drawn == set(EVERYBODY[1:8]) - {"c05"}
    assert len(rows(taken, "answer-fast", out="next")) == 1  # an answer is owed all the same


def test_the_next_night_opens_no_second_round(tmp_path):
    taken = shop_of(tmp_path / "shop")
    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY[:20])})
    before = (taken.folder / lists.LEDGER).read_bytes()

    make(taken, {"follow-up-letters": candidates(taken, EVERYBODY[:24])}, cutoff=CUTOFF + timedelta(days=1), out="next")

    written = read_ledger(taken.folder / lists.LEDGER)
    assert (taken.folder / lists.LEDGER).read_bytes().startswith(before)
    assert len(assignment.rounds(written)) == 1
    assert written.tail(4)[["unit", "stratum"]].values.tolist() == [[unit, "late"] for unit in EVERYBODY[20:24]]
    check_seal(taken.folder)
