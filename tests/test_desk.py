"""Who may be contacted about what: consent, contact gap, other rounds, capacity, and a rerun that changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import assignment, desk, rounds
from loyalty_lab.desk import Desk, decide
from loyalty_lab.ledger import COLUMNS
from loyalty_lab.shop import Shop, ShopSettings
from loyalty_lab.verification import verify

SALT, DAY = "ab" * 32, date(2026, 3, 31)
SLUGS = LETTERS, INVITED, GREETED = "follow-up-letters", "referral", "greet-by-name"
NOTHING = pd.DataFrame(columns=["round", "unit", "outcome"], dtype="str")


def people(*numbers: int) -> list[str]:
    """Customers by number; `people(1, 5)` are those from c01 to c05."""
    first, last = numbers
    return [f"c{at:02d}" for at in range(first, last + 1)]


def asked(units: list[str], channel: str = "letter") -> pd.DataFrame:
    """Candidates in this order."""
    frame = pd.DataFrame({"pseudonym": units, "rank": range(1, len(units) + 1), "channel": channel})
    return frame.astype({"pseudonym": "str", "channel": "str"})


@dataclass
class Counter:
    """A shop that acts: its ledger grows from run to run."""

    capacity: dict[str, int] = field(default_factory=dict)
    gap: int = 21
    n: int = 99
    contacts: pd.DataFrame | None = None
    consent: dict[str, bool] = field(default_factory=dict)
    ledger: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(COLUMNS), dtype="str"))
    merged: dict[str, str] = field(default_factory=dict)

    def desk(self, cutoff: date, told: pd.DataFrame, report_date: date | None = None, window_days: int = 60) -> Desk:
        units = [f"c{at:02d}" for at in range(1, self.n + 1)]
        settings = ShopSettings(name="X", currency="GBP", timezone="Europe/London", capacity=self.capacity, contact_gap_days=self.gap)
        orders = pd.DataFrame({"customer_id": units, "ordered_at": pd.Timestamp("2026-01-15"), "net_amount": np.arange(len(units)) + 5.0})
        tables = {"orders": orders.assign(order_id=units, ordered_at=orders["ordered_at"].astype("datetime64[us]"))}
        tables["customers"] = pd.DataFrame(
            {"customer_id": list(self.consent), "consent_contact": list(self.consent.values())}, dtype="object"
        )
        tables |= {} if self.contacts is None else {"contacts": self.contacts}
        into = [self.merged.get(unit) for unit in units]
        identities = pd.DataFrame({"merged_id": units, "merged_into": into}, index=pd.Index(units, name="customer_id"), dtype="object")
        return Desk(
            Shop(settings, tables), identities, SALT, self.ledger, told, cutoff, report_date or cutoff + timedelta(days=1), window_days
        )

    def run(self, cutoff: date, frames: dict[str, pd.DataFrame], told: pd.DataFrame = NOTHING, **dates):
        """One run; returns who stands on each list, and the new rows."""
        at = self.desk(cutoff, told, **dates)
        chosen, new = decide(at, {slug: at.with_unit(frame) for slug, frame in frames.items()})
        new = pd.concat([self.ledger.head(0), *new], ignore_index=True)
        self.ledger = pd.concat([self.ledger, new], ignore_index=True)
        verify(self.ledger, SALT)
        return {slug: set(each.people["unit"]) for slug, each in chosen.items()}, new

    def arms(self, slug: str) -> dict[str, str]:
        mine = self.ledger[self.ledger["slug"] == slug]
        return dict(zip(mine["unit"], mine["arm"], strict=True))

    def treated(self, slug: str) -> set[str]:
        return {unit for unit, arm in self.arms(slug).items() if arm == "treated"}


def told_of(shop: Counter, units, outcome: str = "none") -> pd.DataFrame:
    mine = shop.ledger[shop.ledger["unit"].isin(units)]
    return pd.DataFrame({"round": mine["round"], "unit": mine["unit"], "outcome": outcome}, dtype="str").reset_index(drop=True)


def test_who_refused_was_contacted_lately_or_said_no_is_neither_written_to_nor_drawn():
    sent = [("c02", "2026-03-25", "out", "none"), ("c03", "2026-03-25", "in", "none"), ("c04", "2025-12-01", "out", "opt_out"),
            ("c05", "2026-03-10", "out", "reply"), ("c06", "2026-03-11", "out", "none")]  # fmt: skip
    contacts = pd.DataFrame(sent, columns=["customer_id", "sent_at", "direction", "outcome"])
    contacts["sent_at"] = pd.to_datetime(contacts["sent_at"]).astype("datetime64[us]")
    shop = Counter(contacts=contacts, consent={"c01": False, "c07": True})
    said_no = pd.DataFrame([("", "c08", "opt_out"), ("", "c09", "reply")], columns=NOTHING.columns, dtype="str")

    shop.run(DAY, {LETTERS: asked(people(1, 10))}, said_no)

    assert set(shop.arms(LETTERS)) == {"c03", "c05", "c07", "c09", "c10"}


def test_the_places_of_a_week_are_those_of_all_campaigns_together_by_channel():
    shop = Counter(capacity={"letter": 5, "phone": 2})
    mixed = pd.concat([asked(people(41, 50)), asked(people(51, 60), "phone"), asked(people(61, 63), "mail")])
    mixed["rank"] = range(1, len(mixed) + 1)

    lists, _ = shop.run(DAY, {LETTERS: asked(people(1, 6)), INVITED: asked(people(11, 30)), GREETED: mixed})

    assert len(lists[LETTERS]) == 3  # six people, half of them
    assert len(lists[INVITED]) == 2  # two places were left
    assert set(shop.arms(INVITED)) == set(people(11, 14))
    assert not lists[GREETED] & set(people(41, 50))
    assert set(shop.arms(GREETED)) == {*people(51, 54), *people(61, 63)}
    assert len(lists[GREETED] & set(people(51, 60))) <= 2


def test_no_more_stand_on_a_list_than_a_week_has_places_for_and_the_others_wait():
    shop = Counter(capacity={"letter": 3, "phone": 3})
    mixed = asked(people(1, 12))
    mixed["channel"] = ["letter", "phone"] * 6  # pairs of one of each: the lot may treat more than three letters

    lists, _ = shop.run(DAY, {LETTERS: mixed})
    by_channel = mixed[mixed["pseudonym"].isin(lists[LETTERS])]["channel"].value_counts()

    assert by_channel.max() <= 3
    waiting = shop.treated(LETTERS) - lists[LETTERS]
    later, new = shop.run(DAY + timedelta(days=8), {LETTERS: mixed}, told_of(shop, lists[LETTERS]))
    assert later[LETTERS] >= waiting
    assert set(new["arm"]) <= {"treated", "control"}


def test_the_next_night_goes_on_with_the_same_arms_and_only_newcomers_join():
    shop = Counter()
    first, _ = shop.run(DAY, {LETTERS: asked(people(1, 20))})
    arms = shop.arms(LETTERS)

    second, new = shop.run(DAY + timedelta(days=1), {LETTERS: asked(people(4, 26))})

    assert len(assignment.rounds(shop.ledger)) == 1
    assert set(new["unit"]) == set(people(21, 26))
    assert set(new["stratum"]) == {"late"}
    assert set(new["assigned_on"]) == {"2026-04-02"}
    assert {unit: shop.arms(LETTERS)[unit] for unit in arms} == arms
    assert second[LETTERS] & set(arms) == first[LETTERS] - set(people(1, 3))


def test_nightly_runs_do_not_spend_the_places_of_a_week_every_night():
    shop, everybody = Counter(capacity={"letter": 5}), people(1, 60)
    first, _ = shop.run(DAY, {LETTERS: asked(everybody)})
    assert len(first[LETTERS]) == 5

    for night in range(1, 7):  # the five are written to and leave the candidates
        lists, new = shop.run(DAY + timedelta(days=night), {LETTERS: asked([each for each in everybody if each not in first[LETTERS]])})
        assert lists[LETTERS] == set()
        assert new.empty
    lists, new = shop.run(DAY + timedelta(days=7), {LETTERS: asked([each for each in everybody if each not in first[LETTERS]])})

    assert len(new) == 10
    assert len(lists[LETTERS]) <= 5


def test_who_waits_on_a_list_holds_a_place():
    shop, everybody = Counter(capacity={"letter": 5}), people(1, 60)
    first, _ = shop.run(DAY, {LETTERS: asked(everybody)})

    later, new = shop.run(DAY + timedelta(days=20), {LETTERS: asked(everybody)})
    assert later[LETTERS] == first[LETTERS]
    assert new.empty

    done, new = shop.run(DAY + timedelta(days=20), {LETTERS: asked(everybody)}, told_of(shop, first[LETTERS]))
    assert not done[LETTERS] & first[LETTERS]
    assert len(new) == 10


def test_the_contact_gap_holds_across_campaigns_and_after_a_round_is_over():
    shop = Counter(gap=21)
    lists, _ = shop.run(DAY, {LETTERS: asked(people(1, 10))}, window_days=10)
    assert len(lists[LETTERS]) == 5

    running, _ = shop.run(DAY + timedelta(days=5), {INVITED: asked(people(1, 12))}, window_days=10)
    assert set(shop.arms(INVITED)) == {"c11", "c12"}
    over, _ = shop.run(DAY + timedelta(days=21), {GREETED: asked(people(1, 10))}, window_days=10)
    assert set(shop.arms(GREETED)) == set(people(1, 10)) - lists[LETTERS]  # controls were not contacted
    shop.run(DAY + timedelta(days=22), {GREETED: asked(people(1, 10))}, window_days=10)
    assert set(shop.arms(GREETED)) == set(people(1, 10))
    assert running[INVITED] <= {"c11", "c12"}
    assert over[GREETED] <= set(people(1, 10)) - lists[LETTERS]


def test_a_rerun_adds_nobody_and_one_with_corrected_exports_keeps_every_arm():
    shop = Counter(capacity={"letter": 8})
    asked_for = {LETTERS: asked(people(1, 12)), INVITED: asked(people(8, 40))}
    first, _ = shop.run(DAY, asked_for)
    written = shop.ledger

    again, new = shop.run(DAY, asked_for)
    assert new.empty
    assert again == first

    corrected = {INVITED: asked(people(1, 42)), LETTERS: asked(people(3, 14))}  # another order, and other people
    shop.run(DAY, corrected)
    assert shop.ledger.head(len(written)).equals(written)
    assert set(shop.ledger["stratum"][len(written) :]) <= {"late"}
    assert shop.ledger["unit"].is_unique


def test_corrected_exports_give_no_more_places_than_the_week_has():
    shop = Counter(capacity={"letter": 5})
    first, _ = shop.run(DAY, {LETTERS: asked(people(1, 30))})

    other_order, new = shop.run(DAY, {LETTERS: asked([*people(11, 30), *people(1, 10)])})
    assert new.empty
    assert other_order == first

    _, new = shop.run(DAY, {LETTERS: asked([*people(11, 30), *people(1, 6)])})  # four have dropped out
    assert set(new["unit"]) == set(people(11, 14))


def test_a_rerun_of_an_earlier_cutoff_changes_nothing_either():
    shop, asked_for = Counter(), {LETTERS: asked(people(1, 12)), INVITED: asked(people(8, 40))}
    first, _ = shop.run(DAY, asked_for)
    shop.run(DAY + timedelta(days=9), {LETTERS: asked(people(5, 60)), INVITED: asked(people(50, 70))})

    again, new = shop.run(DAY, asked_for)

    assert new.empty
    assert again == first


def test_a_report_of_a_day_gone_by_draws_nobody_whose_round_came_later():
    shop = Counter()
    shop.run(DAY, {LETTERS: asked(people(1, 12))})

    lists, new = shop.run(DAY - timedelta(days=20), {LETTERS: asked(people(1, 14))})

    assert set(new["unit"]) == {"c13", "c14"}
    assert lists[LETTERS] <= {"c13", "c14"}


def test_whoever_was_joined_into_another_keeps_the_arm_and_with_two_arms_is_left_alone():
    shop = Counter()
    shop.run(DAY, {LETTERS: asked(people(1, 20))})
    treated, control = sorted(shop.treated(LETTERS)), sorted(set(shop.arms(LETTERS)) - shop.treated(LETTERS))
    shop.merged = {treated[0]: "c50", control[0]: "c51", treated[1]: control[1]}

    lists, new = shop.run(DAY + timedelta(days=1), {LETTERS: asked(["c50", "c51", control[1], treated[2]])})

    assert new.empty
    assert lists[LETTERS] == {"c50", treated[2]}


def test_who_said_no_has_said_it_under_every_number():
    shop = Counter(merged={"c01": "c02"})
    said_no = pd.DataFrame([("", "c01", "opt_out")], columns=NOTHING.columns, dtype="str")

    shop.run(DAY, {LETTERS: asked(people(2, 5))}, said_no)

    assert set(shop.arms(LETTERS)) == set(people(3, 5))


def test_nobody_is_eligible_and_no_round_opens():
    shop = Counter()
    at = shop.desk(DAY, NOTHING)

    chosen, new = decide(at, {LETTERS: at.with_unit(asked([]))})

    assert new == []
    assert (len(chosen[LETTERS].people), chosen[LETTERS].eligible, chosen[LETTERS].cycle) == (0, 0, None)


@pytest.mark.parametrize(
    ("limit", "drawn", "share"), [(40, 80, "0.5000"), (2_600, 4_999, "0.5000"), (5_400, 6_000, "0.9000"), (9_999, 7_000, "0.9000")]
)
def test_a_large_round_is_as_large_as_the_week_has_room_for(limit, drawn, share):
    shop = Counter(capacity={"letter": limit}, n=7_000)

    lists, new = shop.run(DAY, {LETTERS: asked([f"c{at:02d}" for at in range(1, 7_001)])})

    assert len(new) == drawn
    assert set(new["propensity"]) == {share}
    assert len(lists[LETTERS]) <= limit
    assert shop.run(DAY, {LETTERS: asked([f"c{at:02d}" for at in range(1, 7_001)])})[1].empty


def test_a_season_of_nights_with_three_campaigns_holds_every_rule(monkeypatch):
    monkeypatch.setattr(
        desk, "_described", lambda _, people: pd.DataFrame({"unit": people["unit"].to_numpy(), "stratum": "all", "spend": 1.0})
    )
    draw, shop, limit, sent = np.random.default_rng(11), Counter(capacity={"letter": 10}, gap=14), 10, []
    orders = {slug: [f"c{at:02d}" for at in draw.permutation(np.arange(1, 100))] for slug in SLUGS}
    for night in range(32):
        cutoff = DAY + timedelta(days=night)
        wanted = {slug: asked(orders[slug][: 6 + night]) for slug in SLUGS}
        told = told_of(shop, [unit for _, unit in sent])
        lists, _ = shop.run(cutoff, wanted, told, window_days=20)
        again, new = shop.run(cutoff, wanted, told, window_days=20)
        assert new.empty
        assert again == lists
        sent += [(cutoff, unit) for units in lists.values() for unit in units]

    days = pd.DataFrame(sent, columns=["day", "unit"]).assign(day=lambda rows: pd.to_datetime(rows["day"]))
    assert days.groupby("unit")["day"].diff().dropna().min() > pd.Timedelta(days=13)
    assert days.set_index("day").resample("D").size().rolling(7).sum().max() <= limit
    everybody = pd.DataFrame({"merged_id": sorted(set(shop.ledger["unit"])), "merged_into": None}, dtype="object")
    everybody.index = pd.Index(everybody["merged_id"], name="customer_id")
    seen = rounds.seen(shop.ledger, NOTHING, everybody, DAY + timedelta(days=200))
    closed = rounds.closed(seen, shop.desk(DAY, NOTHING).shop.orders, DAY + timedelta(days=200))
    assert len(closed) >= 4
    assert [each.overlapping for each in closed] == [0] * len(closed)
