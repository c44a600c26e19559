"""A round is read from the ledger and the orders that came after, under pseudonyms, once its day has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import assignment, questions, rounds
from loyalty_lab.errors import InputError
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.study import Run

SALT, SLUG = "ab" * 32, "follow-up-letters"
OPENED, BEGINS = date(2026, 3, 31), date(2026, 4, 1)
CYCLE = assignment.Round(SLUG, OPENED, BEGINS, 60)
SETTINGS = ShopSettings(name="Corner Grocer", currency="GBP", timezone="Europe/London")


@dataclass
class Played:
    """A shop that wrote letters by lot: who came back by its own chance, the treated by that and `effect`."""

    n: int
    effect: float
    seed: int = 0
    base: float = 0.3
    orders: pd.DataFrame = field(init=False)
    ledger: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng(self.seed)
        units = [f"C{at:05d}" for at in range(self.n)]
        before = pd.DataFrame({"customer_id": units, "spend": draw.gamma(1.0, 40.0, self.n) + 1})
        people = pd.DataFrame({"unit": units, "stratum": "all", "spend": before["spend"]})
        self.ledger = assignment.open_round(SALT, CYCLE, people)
        arm = self.ledger.set_index("unit")["arm"].reindex(units)
        back = draw.random(self.n) < self.base + self.effect * (arm == "treated").to_numpy()
        first = pd.DataFrame({"customer_id": units, "ordered_at": pd.Timestamp("2026-02-15"), "net_amount": before["spend"]})
        later = pd.DataFrame(
            {
                "customer_id": np.array(units)[back],
                "ordered_at": pd.Timestamp(BEGINS) + pd.to_timedelta(draw.integers(0, 60, back.sum()), "D"),
                "net_amount": draw.gamma(2.0, 15.0, back.sum()) + 1,
            }
        )
        orders = pd.concat([first, later], ignore_index=True)
        self.orders = orders.assign(
            order_id=[str(at) for at in range(len(orders))], ordered_at=orders["ordered_at"].astype("datetime64[us]")
        )

    def rows(self, folder, cutoff: date = CYCLE.read_on) -> pd.DataFrame:
        if not (folder / "rounds").exists():
            assignment.append(folder / "rounds" / "assignments.csv", self.ledger)
        units = self.ledger["unit"].sort_values()
        people = pd.DataFrame(
            {"merged_id": units.to_numpy(), "merged_into": None}, index=pd.Index(units, name="customer_id"), dtype="object"
        )
        return rounds.for_notebooks(folder, people, SALT, cutoff)

    def findings(self, folder, cutoff: date = CYCLE.read_on):
        run = Run(Shop(SETTINGS, {"orders": self.orders}).until(cutoff), cutoff, cutoff + timedelta(days=1), 60)
        run.__dict__["rounds"] = self.rows(folder, cutoff)
        return questions.last_round(run)


def test_notebooks_see_pseudonyms_and_no_unit(tmp_path):
    rows = Played(40, 0.0).rows(tmp_path)

    assert tuple(rows.columns) == rounds.COLUMNS
    assert set(rows["read_on"]) == {CYCLE.read_on.isoformat()}
    assert rows["arm"].value_counts().to_dict() == {"treated": 20, "control": 20}


def test_a_round_opened_by_this_very_run_is_not_looked_at(tmp_path):
    assert Played(10, 0.0).rows(tmp_path, OPENED).empty


def test_a_person_joined_of_two_with_two_arms_is_left_out_and_counted(tmp_path):
    played = Played(40, 0.0)
    played.rows(tmp_path)
    first, second = (played.ledger.loc[played.ledger["arm"] == arm, "unit"].iloc[0] for arm in ("treated", "control"))
    units = sorted(played.ledger["unit"])
    into = [first if unit == second else None for unit in units]
    people = pd.DataFrame({"merged_id": units, "merged_into": into}, index=pd.Index(units, name="customer_id"), dtype="object")

    rows = rounds.for_notebooks(tmp_path, people, SALT, CYCLE.read_on)
    closed = rounds.closed(rows, played.orders, CYCLE.read_on)[0]

    assert closed.two_arms == 1
    assert len(closed.people) == 38
    assert first not in closed.people.index


def test_an_unknown_person_in_the_ledger_is_an_error_that_names_the_remedy(tmp_path):
    played = Played(10, 0.0)
    played.rows(tmp_path)
    nobody = pd.DataFrame({"merged_id": ["X"], "merged_into": [None]}, index=pd.Index(["X"], name="customer_id"), dtype="object")

    with pytest.raises(InputError, match="does not know"):
        rounds.for_notebooks(tmp_path, nobody, SALT, CYCLE.read_on)


def test_what_people_did_is_counted_inside_the_window_only(tmp_path):
    played = Played(4, 0.0, base=0.0)
    who = played.ledger["unit"].tolist()
    days = [BEGINS - timedelta(days=1), BEGINS, CYCLE.read_on - timedelta(days=1), CYCLE.read_on]
    more = pd.DataFrame({"customer_id": who, "ordered_at": pd.to_datetime(days), "net_amount": 7.0, "order_id": list("abcd")})
    orders = pd.concat([played.orders, more.astype({"ordered_at": "datetime64[us]"})], ignore_index=True)

    people = rounds.closed(played.rows(tmp_path), orders, CYCLE.read_on)[0].people

    assert people["back"].reindex(who).tolist() == [False, True, True, False]
    assert people["spend"].reindex(who).tolist() == [0, 7, 7, 0]
    assert people["orders_before"].reindex(who).tolist() == [2, 1, 1, 1]


def test_nothing_is_read_before_the_planned_day(tmp_path):
    found = Played(400, 0.5).findings(tmp_path, CYCLE.read_on - timedelta(days=1))

    assert [message.key for message in found.messages] == [
        "last-round.headline.too_early",
        "last-round.stand.too_early",
        "last-round.running",
    ]
    assert found.tables["rounds"].empty
    assert not found.rounds


@pytest.mark.parametrize(("effect", "verdict"), [(0.25, "works"), (-0.25, "harms"), (0.0, "not_shown")])
def test_a_letter_is_told_to_work_to_harm_or_not_shown(tmp_path, effect, verdict):
    found = Played(400, effect, seed=3).findings(tmp_path)

    assert found.messages[0].key == f"last-round.headline.{verdict}"
    measure = found.rounds[0]
    assert measure.interval[0] <= effect <= measure.interval[1]
    assert measure.effect == pytest.approx(effect, abs=0.12)
    assert measure.checks["verdict"] == verdict


def test_shops_whose_letters_do_nothing_are_seldom_told_that_they_work(tmp_path):
    said = []
    for seed in range(60):
        (tmp_path / str(seed)).mkdir()
        said.append(Played(60, 0.0, seed=seed).findings(tmp_path / str(seed)).messages[0].key)

    assert said.count("last-round.headline.works") <= 4  # 2.5% of 60 and two standard errors


def test_controls_who_were_contacted_spoil_a_round(tmp_path):
    played = Played(100, 0.3)
    rows = played.rows(tmp_path)
    spoilt = rows.assign(outcome=np.where(rows["arm"] == "control", "order", ""))
    run = Run(Shop(SETTINGS, {"orders": played.orders}), CYCLE.read_on, CYCLE.read_on, 60)
    run.__dict__["rounds"] = spoilt

    found = questions.last_round(run)

    assert found.messages[0].key == "last-round.headline.spoilt"
    assert any(message.key == "last-round.check.contaminated" for message in found.messages)
