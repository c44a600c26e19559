"""A round is read from the ledger and the orders that came after, under pseudonyms, once its day has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import assignment, outcomes, questions, rounds
from loyalty_lab.errors import InputError
from loyalty_lab.ledger import append
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
            append(folder / "rounds" / "assignments.csv", self.ledger)
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
    for seed in range(40):
        (tmp_path / str(seed)).mkdir()
        played = Played(60, 0.0, seed=seed)
        closed = rounds.closed(played.rows(tmp_path / str(seed)), played.orders, CYCLE.read_on)
        said.append(outcomes.read(closed, SETTINGS.margin, [None])[0].verdict)

    assert said.count("works") <= 3  # 2.5% of 40 and two standard errors
    assert said.count("not_shown") >= 34


def test_controls_who_were_contacted_spoil_a_round(tmp_path):
    played = Played(100, 0.3)
    rows = played.rows(tmp_path)
    spoilt = rows.assign(outcome=np.where(rows["arm"] == "control", "order", ""))
    run = Run(Shop(SETTINGS, {"orders": played.orders}), CYCLE.read_on, CYCLE.read_on, 60)
    run.__dict__["rounds"] = spoilt

    found = questions.last_round(run)

    assert found.messages[0].key == "last-round.headline.spoilt"
    assert any(message.key == "last-round.check.contaminated" for message in found.messages)


def identities_of(units) -> pd.DataFrame:
    units = sorted(set(units))
    return pd.DataFrame({"merged_id": units, "merged_into": None}, index=pd.Index(units, name="customer_id"), dtype="object")


def seen_in(folder, ledger: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    append(folder / "rounds" / "assignments.csv", ledger)
    return rounds.for_notebooks(folder, identities_of(ledger["unit"]), SALT, cutoff)


def drawn(cycle: assignment.Round, *units: str) -> pd.DataFrame:
    return assignment.open_round(SALT, cycle, pd.DataFrame({"unit": list(units), "stratum": "all", "spend": 1.0}))


def bought(*rows: tuple[str, str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=["customer_id", "ordered_at"])
    days = pd.to_datetime(frame["ordered_at"]).astype("datetime64[us]")
    return frame.assign(ordered_at=days, net_amount=7.0, order_id=[str(at) for at in range(len(rows))])


def test_a_damaged_ledger_is_not_read_for_any_notebook(tmp_path):
    played = Played(10, 0.0)
    played.ledger["arm"] = played.ledger["arm"].tolist()[::-1]

    with pytest.raises(InputError, match=r"rounds/assignments\.csv, row \d+: says that"):
        played.rows(tmp_path)


def test_what_is_told_of_a_round_that_has_not_begun_does_not_count(tmp_path):
    cycle = assignment.Round(SLUG, OPENED, OPENED + timedelta(days=10), 60)
    ledger = drawn(cycle, "a", "b")
    told = pd.DataFrame({"round": cycle.name, "unit": ["a", "b"], "outcome": ["order", "none"]})

    early, begun = (rounds.seen(ledger, told, identities_of("ab"), day) for day in (OPENED + timedelta(days=9), cycle.begins_on))

    assert early["outcome"].tolist() == ["", ""]
    assert begun.set_index("customer_id")["outcome"].to_dict() == {"a": "order", "b": "none"}


def test_a_late_joiner_counts_from_the_day_of_joining_and_is_not_there_before(tmp_path):
    joined = BEGINS + timedelta(days=30)
    ledger = pd.concat([drawn(CYCLE, "a", "b"), assignment.join_late(SALT, CYCLE, pd.Series(["c", "d"]), joined)], ignore_index=True)
    orders = bought(("c", "2026-04-20"), ("d", "2026-05-01"), ("a", "2026-04-20"), ("c", "2026-02-20"))

    rows = seen_in(tmp_path, ledger, CYCLE.read_on)
    people = rounds.closed(rows, orders, CYCLE.read_on)[0].people

    assert people["back"].reindex(list("acd")).tolist() == [True, False, True]
    assert people["orders_before"].reindex(list("acd")).tolist() == [0, 1, 0]
    assert people["days_since_last"].loc["c"] == 11
    nothing = pd.DataFrame(columns=["round", "unit", "outcome"], dtype="str")
    before = rounds.seen(ledger, nothing, identities_of("abcd"), joined - timedelta(days=1))
    assert sorted(before["customer_id"]) == ["a", "b"]


def test_a_shop_younger_than_the_window_before_says_how_far_it_looks_back(tmp_path):
    rows = seen_in(tmp_path, drawn(CYCLE, "a", "b"), CYCLE.read_on)

    def days(*orders: tuple[str, str]) -> tuple[int, list[int]]:
        found = rounds.closed(rows, bought(*orders), CYCLE.read_on)[0]
        return found.pre_days, sorted(found.people["orders_before"])

    assert days(("x", "2025-06-01"), ("a", "2026-03-30")) == (60, [0, 1])
    assert days(("x", "2026-03-22"), ("a", "2026-03-30")) == (10, [0, 1])
    assert days(("a", "2026-04-03")) == (0, [0, 0])
    assert days() == (0, [0, 0])


def test_people_in_two_rounds_at_once_are_counted_in_each(tmp_path):
    beside = assignment.Round("referral", OPENED + timedelta(days=20), BEGINS + timedelta(days=20), 30)
    after = assignment.Round("referral", CYCLE.read_on, CYCLE.read_on, 30)
    ledger = pd.concat([drawn(CYCLE, *"abcd"), drawn(beside, *"cdef"), drawn(after, *"abef")], ignore_index=True)

    rows = seen_in(tmp_path, ledger, after.read_on)
    found = {each.round: each.overlapping for each in rounds.closed(rows, bought(("a", "2026-01-01")), after.read_on)}

    assert found == {CYCLE.name: 2, beside.name: 2, after.name: 0}


@pytest.mark.parametrize("n", [1, 2, 3])
def test_arms_of_one_customer_or_an_empty_one_cannot_be_told_and_break_nothing(tmp_path, n):
    found = Played(n, 0.5, seed=n).findings(tmp_path)

    assert found.messages[0].key == "last-round.headline.not_shown_small"
    assert found.rounds[0].checks["verdict"] == "not_shown"


def test_a_round_of_which_everybody_has_two_arms_cannot_be_told(tmp_path):
    played = Played(8, 0.0)
    rows = played.rows(tmp_path).assign(arm=rounds.TWO_ARMS)

    closed = rounds.closed(rows, played.orders, CYCLE.read_on)[0]
    run = Run(Shop(SETTINGS, {"orders": played.orders}), CYCLE.read_on, CYCLE.read_on, 60)
    run.__dict__["rounds"] = rows

    assert (closed.two_arms, len(closed.people)) == (8, 0)
    assert questions.last_round(run).messages[0].key == "last-round.headline.not_shown_small"


def test_every_night_after_the_reading_day_the_same_is_read(tmp_path):
    played = Played(60, 0.2)
    later = bought((played.ledger["unit"][0], "2026-06-20"))
    orders = pd.concat([played.orders, later], ignore_index=True)

    first, last = (rounds.closed(played.rows(tmp_path, day), orders, day)[0] for day in (CYCLE.read_on, date(2026, 7, 31)))

    pd.testing.assert_frame_equal(first.people, last.people)
