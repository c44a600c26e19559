"""The house figures: every chart draws in every language, the same each time, at its real size."""

from __future__ import annotations

import re

import pytest
import sample_results as sample

from loyalty_lab import charts
from loyalty_lab.errors import RenderError

FIGURES = {figure.chart: figure for result in sample.everything().values() for figure in result.figures}
DATA = {name: figure.data for name, figure in FIGURES.items()} | {
    "sparkline": {"values": [0.7, None, 0.74, 0.72], "band": [0.7, 0.75], "unit": "share"},
    "bridge": {
        "labels": [{"key": f"common.bridge.{n}"} for n in ("gross", "discounts", "net")],
        "values": [100.0, -8.5, 91.5],
        "currency": "BDT",
    },
}


def size(svg: str) -> tuple[float, float]:
    width, height = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', svg).groups()
    return float(width) / 72 * 25.4, float(height) / 72 * 25.4


def test_there_is_a_sample_of_every_chart():
    assert set(DATA) == set(charts.CHARTS)


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
@pytest.mark.parametrize("chart", charts.CHARTS)
def test_a_chart_is_the_same_text_each_time_and_as_wide_as_asked(chart, language):
    first, again = (charts.svg(charts.draw(chart, DATA[chart], language, width_mm=120)) for _ in range(2))

    assert first == again
    assert size(first)[0] == pytest.approx(120, abs=0.1)
    assert "<text" not in first, "text must be drawn as paths"


@pytest.mark.parametrize("chart", charts.CHARTS)
def test_nothing_is_drawn_beyond_the_paper(chart):
    figure = charts.draw(chart, DATA[chart], "en", width_mm=126)
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()

    assert box.x0 > -0.01
    assert box.x1 < width + 0.01
    assert box.y0 > -0.01
    assert box.y1 < height + 0.01


def test_a_bar_is_as_long_as_its_value():
    axes = charts.draw("bars", DATA["bars"]).axes[0]
    assert [bar.get_width() for bar in axes.patches] == DATA["bars"]["values"]


def test_the_bridge_comes_down_to_the_net():
    axes = charts.draw("bridge", DATA["bridge"]).axes[0]
    gross, taken, net = axes.patches
    assert gross.get_x() + gross.get_width() == 100
    assert (taken.get_x(), taken.get_x() + taken.get_width()) == (91.5, 100)
    assert net.get_x() + net.get_width() == 91.5


def test_what_was_not_taken_away_has_no_minus():
    axes = charts.draw("bridge", DATA["bridge"] | {"values": [100.0, -0.0, 100.0]}).axes[0]
    assert [text.get_text() for text in axes.texts] == ["BDT100.00", "BDT0.00", "BDT100.00"]


def test_an_axis_of_small_shares_has_round_places_and_says_exactly_which():
    line = {"label": {"key": "common.title"}, "shares": [0.0, 0.017]}
    axes = charts.draw("curve", {"days": [0, 400], "lines": [line]}).axes[0]
    assert list(axes.get_yticks()) == pytest.approx([0, 0.005, 0.01, 0.015])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0%", "0.5%", "1.0%", "1.5%"]


@pytest.mark.parametrize(
    ("shares", "window"), [([0.97, 0.99], (0.92, 1)), ([0.02, 0.11], (0, 0.2)), ([0.3, 0.97], (0, 1)), ([0.55, 0.62], (0, 1))]
)
def test_forecasts_close_to_one_end_are_drawn_large(shares, window):
    groups = {"predicted": shares, "observed": shares, "lows": [share - 0.02 for share in shares], "highs": shares}
    axes = charts.draw("calibration", groups).axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == (pytest.approx(window), pytest.approx(window))


def test_a_pale_brand_colour_is_darkened_and_a_dark_one_kept():
    assert charts.contrast(charts.safe_accent("#ffd400")) >= charts.CONTRAST
    assert charts.safe_accent("#0b5351") == "#0b5351"
    assert charts.safe_accent("#ffd400") in charts.svg(charts.draw("lorenz", DATA["lorenz"], accent="#ffd400"))


def test_a_label_with_dollar_signs_and_markup_is_only_a_label():
    label = {"key": "common.glance.data_what", "args": {"name": r"$\frac{ x$ & <b>"}}
    svg = charts.svg(charts.draw("bars", {"labels": [label], "values": [3.0], "unit": "count"}))
    assert svg.startswith("<?xml")


def test_charts_with_a_single_or_no_interval_still_draw():
    bare = {"labels": [{"key": "common.title"}], "values": [0.0], "unit": "share", "reference": None}
    assert charts.png(charts.draw("bars", bare)).startswith(b"\x89PNG")
    assert charts.svg(charts.draw("sparkline", {"values": [3, 3], "band": None, "unit": "count"}))


def test_an_unknown_chart_is_refused_with_the_nearest_name():
    with pytest.raises(RenderError, match="Did you mean 'lorenz'"):
        charts.draw("lorentz", {})


def test_drawing_leaves_the_global_style_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    charts.svg(charts.draw("lorenz", DATA["lorenz"]))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize("language", ["en", "tr", "bn", "hy"])
def test_the_names_of_point_and_line_do_not_touch(language):
    data = {"customers": [0, 0.2, 1], "sales": [0, 0.6, 1], "point": [0.2, 0.6]}
    axes = charts.draw("lorenz", data, language).axes[0]
    drawn = axes.figure.canvas.get_renderer()
    point, _, line = (text.get_window_extent(drawn) for text in axes.texts)

    assert not point.overlaps(line)
