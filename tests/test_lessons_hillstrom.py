"""The lesson on a real e-mail experiment: its totals are those of the file, and what it says follows from them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from loyalty_lab import run, share
from loyalty_lab.errors import InputError, NotebookError
from loyalty_lab.lessons import hillstrom, uplift
from loyalty_lab.lessons.hillstrom import MENS, NONE, WOMENS

LESSON = share.folder("notebooks") / "training" / "hillstrom.ipynb"
MODELS = ("two models, logistic", "one model, trees", "class transformation, logistic")


@pytest.fixture(scope="module")
def lesson() -> hillstrom.Lesson:
    return hillstrom.open_lesson()


@pytest.fixture(scope="module")
def sample(real_data) -> uplift.Sample:
    return hillstrom.sample_of(hillstrom.read(real_data("hillstrom.csv")))


@pytest.mark.parametrize(
    ("email", "outcome", "value", "low", "high"),
    [
        (MENS, "visits", 0.076590, 0.069953, 0.083226),
        (MENS, "conversions", 0.006805, 0.005000, 0.008610),
        (MENS, "spend", 0.769827, 0.485140, 1.054515),
        (WOMENS, "visits", 0.045233, 0.038893, 0.051573),
        (WOMENS, "conversions", 0.003111, 0.001499, 0.004724),
        (WOMENS, "spend", 0.424412, 0.168957, 0.679868),
    ],
)
def test_differences_from_totals_have_the_known_digits(lesson, email, outcome, value, low, high):
    found = hillstrom.difference(lesson.sums([email]), lesson.sums([NONE]), outcome)

    assert found.value == pytest.approx(value, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_p_values_from_totals_are_the_known_ones(lesson):
    def p(email, other, outcome):
        return hillstrom.difference(lesson.sums([email]), lesson.sums([other]), outcome).p

    assert p(MENS, NONE, "conversions") == pytest.approx(1.5e-13, rel=0.01)
    assert p(WOMENS, NONE, "conversions") == pytest.approx(1.56e-4, rel=0.01)
    assert p(WOMENS, NONE, "spend") == pytest.approx(0.0011, rel=0.03)
    assert p(MENS, WOMENS, "spend") == pytest.approx(0.030, rel=0.02)
    assert lesson.sample_ratio_p() == pytest.approx(0.904, abs=5e-4)


def test_a_difference_from_sums_is_welchs_on_the_rows():
    from scipy.stats import ttest_ind

    draw = np.random.default_rng(3)
    rows = [draw.gamma(0.3, 20, n).round(2) for n in (60, 25)]
    sums = [pd.Series({"customers": len(y), "spend": y.sum(), "spend_squared": (y**2).sum()}) for y in rows]
    found, theirs = hillstrom.difference(*sums, "spend"), ttest_ind(*rows, equal_var=False)

    assert found.p == pytest.approx(theirs.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()))


def test_the_lot_is_called_broken_when_a_group_lost_people(lesson):
    lost = lesson.totals.astype("float64")
    lost.loc[NONE, "customers"] = lost.loc[NONE, "customers"].to_numpy() * 0.95

    assert "was kept" in lesson.lot().data
    assert "was not kept" in hillstrom.Lesson(lost).lot().data


def test_the_one_column_separates_whom_the_womens_email_moves(lesson):
    effect = {name: found for name, (_, found) in lesson.column_effects().items()}

    assert effect["bought women's goods"].value == pytest.approx(2171 / 11765 - 1300 / 11668)
    assert effect["did not"].value == pytest.approx(1067 / 9622 - 962 / 9638)
    assert effect["did not"].high < effect["all"].value < effect["bought women's goods"].low


def test_the_columns_qini_is_half_of_what_it_gains_at_its_one_corner(lesson):
    gain, share_written = (2171 - 1300 * 11765 / 11668) / 21387, (11765 + 11668) / 42693
    corner = gain - share_written * (3238 / 21387 - 2262 / 21306)

    assert uplift.qini(*lesson.cells()) == pytest.approx(corner / 2, abs=1e-12)
    assert uplift.qini(*lesson.cells()) == pytest.approx(0.0076966, abs=1e-7)
    assert uplift.qini(*lesson.cells(MENS)) == pytest.approx(0.0017179, abs=1e-7)


def test_qini_is_the_area_that_another_library_draws_whether_scores_are_tied_or_not():
    sklift = pytest.importorskip("sklift.metrics")
    draw = np.random.default_rng(0)
    treated, outcome = draw.integers(0, 2, 500), draw.integers(0, 2, 500)
    for score in (draw.random(500), draw.integers(0, 4, 500).astype(float)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            people, gain = sklift.qini_curve(outcome, score, treated)
        area = np.trapezoid(gain - gain[-1] * people / 500, people / 500) / treated.sum()
        assert uplift.qini(score, treated, outcome) == pytest.approx(area, abs=1e-12)


def test_tied_customers_count_as_the_mean_over_all_orders_they_could_come_in(lesson):
    draw = np.random.default_rng(1)
    score, treated, outcome = draw.integers(0, 2, 4000), draw.integers(0, 2, 4000), draw.integers(0, 2, 4000)
    orders = [uplift.qini(score + 0.5 * draw.random(4000), treated, outcome) for _ in range(300)]

    assert uplift.qini(score, treated, outcome) == pytest.approx(np.mean(orders), abs=4 * np.std(orders) / 300**0.5)


def test_a_row_with_a_weight_is_as_many_customers():
    rows = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 1, 0], [2, 0, 0]])
    weight = np.array([3, 1, 2, 2, 1, 4])

    assert uplift.qini(*rows.T, weight) == pytest.approx(uplift.qini(*np.repeat(rows, weight, axis=0).T))


def test_learners_find_who_is_moved_and_the_ordinary_ranking_finds_who_comes_anyway():
    draw = np.random.default_rng(0)
    moved, eager, treated = (draw.integers(0, 2, 10_000) for _ in range(3))
    chance = 0.1 + 0.6 * eager + 0.2 * moved * treated
    people = uplift.Sample(np.column_stack([moved, eager]).astype(float), treated, (draw.random(10_000) < chance).astype(int), moved)
    found = uplift.rankings(people, splits=2)["qini"]

    assert found["one column"] == pytest.approx(0.025, abs=0.01)
    for way in uplift.WAYS:
        close = found[way] > 0.8 * found["one column"]
        assert close == (not way.startswith("most likely")), way
    assert abs(found["by lot"]) < 0.01


def test_the_other_email_among_the_controls_hides_most_of_the_effect(lesson):
    right, wrong = (lesson.effects(control).loc[(WOMENS, "visits, of 100"), "difference"] for control in ([NONE], [NONE, MENS]))

    assert (right, wrong) == ("4.52", "0.694")


def test_a_control_group_of_one_in_a_hundred_shows_visits_but_no_purchases(lesson):
    shown = lesson.small_control(0.01)["interval"].loc[WOMENS]

    low, high = 0.045233 - 1.96 * (0.1062 * 0.8938 / 427) ** 0.5, 0.045233 + 1.96 * (0.1062 * 0.8938 / 427) ** 0.5
    assert [float(end) for end in shown["visits, of 100"].split(" to ")] == pytest.approx([100 * low, 100 * high], abs=0.05)
    assert shown["purchases, of 100"].startswith("−")
    assert shown["spend, $ a customer"].startswith("−")


def test_a_shop_of_a_thousand_could_not_have_seen_it(lesson):
    visits = lesson.own_shop(1_000).loc["visits, of 100"]

    assert int(visits["customers needed"].replace(",", "")) > 1_000
    assert float(visits["smallest rise that 1,000 show"]) > float(visits["more with it"])


def test_without_the_file_the_comparison_says_what_it_needs(lesson):
    assert "hillstrom.csv" in lesson.rankings().data
    assert "`hillstrom_file`" in lesson.rankings().data


def test_another_file_is_refused_with_what_was_found(tmp_path):
    other = tmp_path / "hillstrom.csv"
    other.write_text("recency,history\n1,2\n")

    with pytest.raises(InputError, match=r"holds 20 bytes with the sha256 [0-9a-f]{64}, and not 3,964,977 with 0e589332"):
        hillstrom.open_lesson(str(other))
    with pytest.raises(InputError, match="there is no such file"):
        hillstrom.open_lesson(str(tmp_path / "none.csv"))


def test_the_stored_totals_are_those_of_the_file(lesson, real_data):
    counted = hillstrom.totals_of(hillstrom.read(real_data("hillstrom.csv")))

    pd.testing.assert_frame_equal(counted.loc[lesson.totals.index], lesson.totals, check_dtype=False, rtol=0, atol=1e-6)


def test_the_columns_qini_from_totals_is_that_of_the_file(lesson, sample):
    assert uplift.qini(sample.column, sample.treated, sample.outcome) == pytest.approx(uplift.qini(*lesson.cells()), abs=1e-12)


def test_models_beat_the_ordinary_ranking_on_the_file_and_none_beats_the_column_clearly(sample):
    ordinary = "most likely to visit, trees"
    found = uplift.rankings(sample, splits=3, ways=("one column", *MODELS, ordinary))

    assert (found.loc[[*MODELS], "qini"] > found.loc[ordinary, "qini"]).all()
    assert (found["qini"] > 0).all()
    assert (found.loc[[*MODELS], "qini"] - found.loc["one column", "qini"] < found.loc[[*MODELS], "spread"]).all()
    assert found.loc[ordinary, "low"] < 0


def test_what_was_measured_on_the_file_can_be_measured_again(lesson, sample):
    stored = lesson.sizes().loc[1_000]
    found = uplift.learning_sizes(sample, "two models, logistic", sizes=[1_000]).loc[1_000]
    trees = uplift.learning_sizes(sample, "two models, trees", sizes=[1_000], draws=5).loc[1_000]

    expected = stored[["column", "logistic", "logistic_spread"]].tolist()
    assert found[["column", "model", "spread"]].tolist() == pytest.approx(expected, abs=2e-4)
    assert found["ahead"] == pytest.approx(stored["logistic_ahead"], abs=1)
    assert trees["ahead"] == stored["trees_ahead"] == 0
    assert trees["model"] == pytest.approx(stored["trees"], abs=3 * stored["trees_spread"] / 5**0.5)


def test_with_the_file_the_comparison_shows_every_way_beside_the_column(lesson, real_data):
    some = hillstrom.read(real_data("hillstrom.csv")).sample(3_000, random_state=0)
    shown = hillstrom.Lesson(lesson.totals, some).rankings()

    assert shown.index.tolist() == ["one column", *uplift.WAYS, "by lot"]
    assert shown.loc["one column", "ahead of the column"] == 0
    assert shown["interval, first split"].str.fullmatch(r"−?0\.\d{4} to −?0\.\d{4}").all()


def test_the_notebook_takes_the_file_from_its_parameter(tmp_path):
    with pytest.raises(NotebookError, match="InputError"):
        run.run_notebook(LESSON, tmp_path / "out.ipynb", {"hillstrom_file": "nowhere.csv"}, tmp_path, run.Manner("participant"))
    assert "nowhere.csv: there is no such file" in (tmp_path / "out.failed.ipynb").read_text(encoding="utf-8")
