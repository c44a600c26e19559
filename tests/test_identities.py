"""One person, however written; never two in one; and the id that was first seen stays."""

from __future__ import annotations

import csv

import pandas as pd
import pytest
from shop_folders import HEAD, make, warnings

from loyalty_lab import intake
from loyalty_lab.errors import InputError
from loyalty_lab.intake.identities import Mention, People, same_email, same_phone

ORDERS = "order_id,customer_id,email,phone,ordered_at,net_amount\n"


def people_of(taken: intake.Intake) -> list[str]:
    return taken.shop().orders.set_index("order_id")["customer_id"].tolist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0532 111 22 33", "+90 (532) 111-2233"),
        ("০১৭১১-১২৩৪৫৬", "+8801711123456"),
        ("'091123456", "091 12 34 56"),
        ("00374 91 123456", "+37491123456"),
    ],
)
def test_a_phone_number_is_the_same_in_every_form(one, other):
    assert same_phone(one) == same_phone(other) is not None


@pytest.mark.parametrize(
    ("one", "other"), [("IŞIL@X.example", "ışıl@x.example"), ("İrem@X.example", "irem@x.example"), (" a@x.example ", "mailto:A@X.EXAMPLE")]
)
def test_an_e_mail_address_is_the_same_in_every_spelling(one, other):
    assert same_email(one) == same_email(other) is not None


@pytest.mark.parametrize("nobody", ["none", "a@", "@x.example", "a b@x.example", "12345", ""])
def test_what_is_no_address_or_number_joins_nobody(nobody):
    assert same_email(nobody) is None
    assert same_phone(nobody) is None


def test_who_shares_a_number_or_an_address_is_one_person_and_the_audit_says_why(tmp_path):
    rows = "1,C1,a@x.example,,2026-01-05,3.00\n2,,A@X.example,0532 111 22 33,2026-01-06,4.00\n"
    rows += "3,,,+90 532 1112233,2026-01-07,5.00\n4,C2,b@x.example,,2026-01-08,6.00\n"
    taken = intake.read(make(tmp_path / "shop", {"orders.csv": ORDERS + rows}))
    first, second, third, fourth = people_of(taken)
    with (taken.folder / "private" / "merges.csv").open(encoding="utf-8", newline="") as file:
        audit = [tuple(row.values()) for row in csv.DictReader(file)]

    assert first == second == third != fourth
    assert ("id", "C1", "C1", "C1") in audit
    assert ("email", "a@x.example", "C1", "a@x.example") in audit
    assert ("phone", "5321112233", "C1", "0532 111 22 33") in audit


def test_the_id_first_seen_stays_when_an_export_grows_or_is_sorted_otherwise(tmp_path):
    rows = ["1,C1,a@x.example,,2026-01-05,3.00\n", "2,C2,b@x.example,,2026-01-06,4.00\n"]
    folder = make(tmp_path / "shop", {"orders.csv": ORDERS + "".join(rows)})
    before = dict(zip("12", people_of(intake.read(folder)), strict=True))
    (folder / "exports" / "orders.csv").write_text(ORDERS + "3,,c@x.example,,2026-01-07,5.00\n" + "".join(reversed(rows)), encoding="utf-8")
    after = intake.read(folder).shop().orders.set_index("order_id")["customer_id"]

    assert {order: after[order] for order in "12"} == before


def test_two_people_whom_a_later_export_joins_become_the_older_one(tmp_path):
    rows = "1,C1,a@x.example,,2026-01-05,3.00\n2,C2,b@x.example,,2026-01-06,4.00\n"
    folder = make(tmp_path / "shop", {"orders.csv": ORDERS + rows})
    first, _ = people_of(intake.read(folder))
    (folder / "exports" / "orders.csv").write_text(ORDERS + rows + "3,C2,a@x.example,,2026-01-07,5.00\n", encoding="utf-8")
    joined = intake.read(folder)
    who = _identities(folder)

    assert set(people_of(joined)) == {first}
    assert who.loc[who["merged_id"] == "C2", "merged_into"].tolist() == ["C1"]
    assert any("joined: 1" in warning for warning in warnings(joined))


def _identities(folder) -> pd.DataFrame:
    import duckdb

    with duckdb.connect() as db:
        return db.execute("select * from read_parquet(?)", [str(folder / "private" / "identities.parquet")]).df()


def test_a_join_can_be_undone_in_shop_toml(tmp_path):
    rows = "1,,a@x.example,0532 111 22 33,2026-01-05,3.00\n2,,b@x.example,0532 111 22 33,2026-01-06,4.00\n"
    together = intake.read(make(tmp_path / "one", {"orders.csv": ORDERS + rows}))
    head = HEAD + '[identity]\nkeep_apart = [["a@x.example", "B@x.example"]]\n'
    apart = intake.read(make(tmp_path / "two", {"orders.csv": ORDERS + rows}, head=head))

    assert len(set(people_of(together))) == 1
    assert len(set(people_of(apart))) == 2


def test_a_name_alone_is_used_only_where_there_is_nothing_better():
    people = People()

    assert people.meet(Mention(None, None, None, "Ada Byron")) == people.meet(Mention(None, None, None, " ada  BYRON "))
    assert people.meet(Mention("7", None, None, "Ada Byron")) == "7"
    assert people.meet(Mention(None, None, None, None)) is None


def test_a_damaged_audit_list_is_refused(tmp_path):
    folder = make(tmp_path / "shop", {"orders.csv": ORDERS + "1,C1,,,2026-01-05,3.00\n"})
    intake.read(folder)
    (folder / "private" / "merges.csv").write_text("kind,value\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"merges\.csv"):
        intake.read(folder, fresh=True)
