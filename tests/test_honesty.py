"""The benchmark of honesty asks what it says it asks: its shops are as described, and its sums are those of drawing."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from loyalty_lab import rates, rounds, trial
from loyalty_lab.ledger import append

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))

import honesty
from honest import Size, hillstrom, known, letters, nulls, peeking, power, speed, traps
from honest.readings import Reading

TINY = Size(alone=1, together=1, shops=1, runs=3, peeks=1, usual=250, base_rates=(0.3,), people=(60,), largest=100)
LETTER = letters.Letter(chance=0.2, times=1.5)


@pytest.fixture(scope="module")
def big_round() -> pd.DataFrame:
    return letters.lettered(60_000, [1], LETTER, share=0.5).table()


def test_customers_spend_as_described(big_round):
    untouched = big_round[big_round["arm"] == trial.CONTROL]
    spend = untouched["spend"]

    assert untouched["back"].mean() == pytest.approx(0.32, abs=0.01)
    assert spend.std() / spend.mean() == pytest.approx(2.7, abs=0.2)
    assert 5.5 < stats.skew(spend) < 9.5
    assert spend.corr(untouched["spend_before"]) == pytest.approx(0.45, abs=0.06)


@pytest.mark.parametrize(
    ("read", "truth"),
    [
        (lambda people: rates.difference(people, "back"), LETTER.back()),
        (lambda people: trial.difference(people, "spend"), LETTER.spend()),
        (lambda people: trial.ratio_difference(people, "spend", "orders"), LETTER.spend_per_order()),
    ],
    ids=["back", "spend", "spend per order"],
)
def test_a_letter_does_what_its_closed_form_says(big_round, read, truth):
    found = read(big_round)

    assert abs(found.value - truth) < 3 * found.standard_error
    assert truth > 5 * found.standard_error


def test_another_base_rate_is_met():
    people = letters.lettered(40_000, [2], share=0.5, base_rate=0.1).table()

    assert people["back"].mean() == pytest.approx(0.1, abs=0.006)


@pytest.mark.parametrize(("people", "share"), [(61, None), (2_001, None), (120, 0.9)])
def test_the_table_of_a_round_is_what_closing_it_gives(people, share):
    shop = letters.lettered(people, [3, people], LETTER, share=share)
    run = shop.run()

    closed = rounds.closed(run.rounds, run.shop.orders, run.cutoff)[0].people
    table = shop.table().reindex(closed.index)

    for name in table:
        expected, seen = table[name].to_numpy(), closed[name].to_numpy()
        assert (
            np.allclose(seen.astype(float), expected.astype(float)) if name not in ("arm", "stratum", "pair") else (seen == expected).all()
        )


def test_rows_are_those_that_notebooks_get(tmp_path):
    shop = letters.lettered(60, [4])
    append(tmp_path / "rounds" / "assignments.csv", shop.ledger)
    units = pd.Index(shop.ledger["unit"], name="customer_id")
    people = pd.DataFrame({"merged_id": units.to_numpy(), "merged_into": None}, index=units, dtype="object")

    real = rounds.for_notebooks(tmp_path, people, letters.salt_of([4]), letters.READ_ON)

    pd.testing.assert_frame_equal(shop.rows(), real, check_dtype=False)


def test_small_lists_come_in_pairs_and_a_share_of_ones_own_does_not():
    pairs, plain = letters.lettered(60, [5]).ledger, letters.lettered(2_000, [5], share=0.9).ledger

    assert pairs["pair"].value_counts().eq(2).all()
    assert (plain["pair"] == "").all()
    assert (plain["arm"] == trial.TREATED).mean() == pytest.approx(0.9, abs=0.03)
    assert set(plain["stratum"]) == {"once", "nearly", "regular"}


@pytest.mark.parametrize("chance", [0.0, 0.9])
def test_what_is_printed_is_what_the_reading_deserves(chance):
    shop = letters.lettered(200, [6], letters.Letter(chance))

    (verdict, found), *_ = letters.printed(shop.run()).values()

    assert verdict == letters.decided(found) == ("works" if chance else "not_shown")
    assert found.value == pytest.approx(rates.difference(shop.table(), "back").value)


def test_few_resamples_are_given_back():
    many = trial.RESAMPLES
    with letters.few_resamples():
        assert many > trial.RESAMPLES
    assert many == trial.RESAMPLES


@pytest.mark.parametrize("reading", [Reading(7, 9), Reading(12, 12, pairs=True)], ids=["plain", "pairs"])
def test_success_begins_where_asking_every_number_finds_it(reading):
    for second in range(8):
        most = second if reading.pairs else reading.treated
        works = [letters.decided(reading.estimate(first, second)) == "works" for first in range(most + 1)]
        assert reading.least(second) == (works.index(True) if any(works) else most + 1)
        assert works == sorted(works)


@pytest.mark.parametrize("pairs", [True, False])
def test_two_numbers_say_all_that_a_round_says(pairs):
    draw, n, reading = np.random.default_rng(1), 25, Reading(25, 25, pairs)
    treated, control = draw.random(n) < 0.5, draw.random(n) < 0.4
    people = pd.DataFrame({"arm": [trial.TREATED] * n + [trial.CONTROL] * n, "stratum": "all", "back": np.concatenate([treated, control])})
    numbers = ((treated & ~control).sum(), (treated != control).sum()) if pairs else (treated.sum(), control.sum())

    found = rates.difference(people.assign(pair=[str(at % n) for at in range(2 * n)] if pairs else ""), "back")

    assert reading.estimate(*map(int, numbers)) == found


@pytest.mark.parametrize("pairs", [True, False])
def test_power_added_up_is_power_drawn(pairs):
    draw, n, reading = np.random.default_rng(0), 30, Reading(30, 30, pairs)
    treated, control = draw.random((4_000, n)) < 0.6, draw.random((4_000, n)) < 0.3
    first = (treated & ~control).sum(axis=1) if pairs else treated.sum(axis=1)
    second = (treated != control).sum(axis=1) if pairs else control.sum(axis=1)

    drawn = np.mean([a >= reading.least(b) for a, b in zip(first, second, strict=True)])

    assert reading.power(0.3, 0.6) == pytest.approx(drawn, abs=3 * 0.5 / 4_000**0.5)


def test_the_usual_practice_errs_in_favour_of_the_letter():
    found = nulls.usual_practice(1_000, 0.95, 1_000)

    assert found["runs"] == 1_000
    assert found["works"] > 70 > 5 * found["harms"]


def test_a_goal_is_missed_where_it_is_missed():
    alone = {"people": 60, "share": 0.5, "shops": 400}
    exact = {"treated": 30, "control": 30, "pairs": True, "works": {"0.1": 0.04, "0.5": 0.06}}
    found = {"alone": [alone | {"works": 20}, alone | {"works": 21}], "together": [], "exact": [exact]}

    assert [met for _, _, met in nulls.goals(found)] == [True, False, False, False]


def test_coverage_and_bias_are_counted():
    found = [trial.Estimate(1.0, 0.5, 1.5, 0.01), trial.Estimate(2.0, 1.5, 2.5, 0.01), trial.Estimate(0.0, -0.5, 0.5, 1.0)]

    judged = known._judged(found, 1.0)

    assert (judged["held"], judged["above"], judged["below"]) == (1, 1, 1)
    assert (judged["bias"], judged["wide"]) == (0.0, 0.5)
    assert judged["error"] == pytest.approx(1 / 3**0.5)


def test_known_digits_are_met_or_named():
    assert hillstrom._line("x", "1.5e-13", 1.47e-13, 0)["same"]
    assert not hillstrom._line("x", "1.5e-13", 1.44e-13, 0)["same"]
    assert not hillstrom._line("x", "0.076590", 0.076592, hillstrom.MEAN)["same"]
    assert hillstrom._line("x", "21306", 21306, 0)["same"]
    assert not hillstrom._line("x", "21306", 21307, 0)["same"]


def test_the_experiment_is_left_out_politely(tmp_path):
    assert "not at hand" in hillstrom.measured(TINY, None)["skipped"]
    (tmp_path / "hillstrom.csv").write_text("other", encoding="utf-8")
    assert "sha256" in hillstrom.text(hillstrom.measured(TINY, tmp_path))[0]


def test_the_experiment_gives_its_known_numbers(real_data):
    found = hillstrom.measured(TINY, real_data("hillstrom.csv").parent)

    assert [each["what"] for each in found["rows"] if not each["same"]] == []
    assert len(found["rows"]) == 48


def test_every_section_is_measured_said_and_held_against_its_goals(monkeypatch):
    monkeypatch.setattr(nulls, "LISTS", (60,))
    monkeypatch.setattr(nulls, "SMALL", (10,))
    monkeypatch.setattr(nulls, "RATES", (0.3,))
    monkeypatch.setattr(nulls, "PLAIN", ((20, 20),))
    monkeypatch.setattr(known, "SIZES", (60,))
    monkeypatch.setattr(power, "RISES", (0.3,))
    monkeypatch.setattr(peeking, "AT_A_LOOK", 20)
    monkeypatch.setattr(speed, "PEOPLE", 100)
    monkeypatch.setattr(traps.traps, "TRAPS", {"rtm_top": traps.traps.TRAPS["rtm_top"]})

    found = json.loads(json.dumps(honesty.honesty(list(honesty.SECTIONS), TINY, None), default=float))
    lines = honesty.markdown(found)

    assert lines[0] == "| goal | measured | met |"
    for section in honesty.SECTIONS.values():
        assert f"### {section.title}" in lines
    assert "nan" not in "\n".join(lines)
