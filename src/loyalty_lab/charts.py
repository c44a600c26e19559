"""The house figures: real size in millimetres, black ink first, labels on the data, no legend, no title inside."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from loyalty_lab import share
from loyalty_lab.errors import RenderError, near_match
from loyalty_lab.fonts import LATIN_FONT, OTHER_FONT, font_folder
from loyalty_lab.language import Texts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MM = 1 / 25.4
INK, GREY, RULE, PALE, BAR = "#1f1f1f", "#595959", "#8c8c8c", "#d9d9d9", "#bdbdbd"
SMALL, TEXT = 7.8, 8.4
CONTRAST, LABEL_CHARACTERS = 5.5, 30


def contrast(colour: str) -> float:
    """Return the contrast of a colour with white paper, 1 to 21.

    References
    ----------
    Web Content Accessibility Guidelines 2.2, definition of contrast ratio.

    Examples
    --------
    >>> round(contrast("#000000")), round(contrast("#ffffff"))
    (21, 1)
    """
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def safe_accent(colour: str) -> str:
    """Darken a brand colour until it reads on white, and so prints as a dark grey on any printer.

    Examples
    --------
    >>> safe_accent("#0b5351"), contrast(safe_accent("#ffd400")) >= CONTRAST
    ('#0b5351', True)
    """
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    while contrast(shade := "#" + "".join(f"{part:02x}" for part in parts)) < CONTRAST:
        parts = [int(part * 0.93) for part in parts]
    return shade


def draw(chart: str, data: dict[str, Any], language: str | Texts = "en", width_mm: float = 126, accent: str = "#0b5351") -> Figure:
    """Draw one figure of a result file.

    Parameters
    ----------
    chart : str
        A name in `CHARTS`.
    data : dict
        What that chart draws: plain numbers, and labels as messages of `playbook/text/`.
    language : {"en", "tr", "bn", "hy"} or Texts
    width_mm : float
        Width on paper; the height follows.
    accent : str
        The shop's colour; darkened if it does not read on white.

    Returns
    -------
    matplotlib.figure.Figure
        Bound to no window and to no global state.

    Raises
    ------
    RenderError
        If there is no chart of this name.
    """
    if chart not in CHARTS:
        raise RenderError("figure", f"there is no chart {chart!r}.{near_match(chart, CHARTS)}", f"use one of: {', '.join(CHARTS)}")
    texts = language if isinstance(language, Texts) else Texts(language, data.get("currency", Texts.currency))
    with _style():
        return CHARTS[chart](_Pen(texts, width_mm, safe_accent(accent)), data)


def svg(figure: Figure) -> str:
    """Return the figure as SVG with its text as paths; the same figure gives the same text."""
    out = io.StringIO()
    with _style():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def png(figure: Figure, dpi: int = 144) -> bytes:
    """Return the figure as PNG on white, for a notebook."""
    out = io.BytesIO()
    with _style():
        figure.savefig(out, format="png", dpi=dpi, facecolor="white", transparent=False, metadata={"Software": None})
    return out.getvalue()


def _style() -> Any:
    from matplotlib import rc_context

    return rc_context(_params())


@cache
def _params() -> Any:
    """The style of the house, and the fonts it names."""
    from matplotlib import font_manager, rc_params_from_file

    for name in (LATIN_FONT, OTHER_FONT):
        font_manager.fontManager.addfont(str(font_folder() / name))
    return rc_params_from_file(share.folder("playbook") / "charts.mplstyle", use_default_template=True)


class _Pen:
    """What every chart draws with: paper, words and the accent."""

    def __init__(self, texts: Texts, width: float, accent: str):
        self.texts, self.width, self.accent = texts, width, accent

    def axes(self, height: float, left: float = 0, right: float = 0, top: float = 0, bottom: float = 0) -> Axes:
        """One drawing area of the full width, inset by margins; all in millimetres."""
        inside = [left / self.width, bottom / height, 1 - (left + right) / self.width, 1 - (top + bottom) / height]
        return _sheet(self.width, height).add_axes(inside)

    def say(self, label: Any, **args: Any) -> str:
        return self.texts.say(label, **args)

    def shares(self, ticks: Sequence[float]) -> list[str]:
        """The shares along an axis, all as whole percents or all but nought with a decimal."""
        whole = all(abs(100 * tick - round(100 * tick)) < 1e-6 for tick in ticks)
        return [self.texts.share(round(tick, 6)) if whole or not tick else self.texts.share1(tick) for tick in ticks]

    def wrapped(self, label: Any) -> str:
        """A label on at most three lines of a readable length."""
        lines = [""]
        for word in self.say(label).split(" "):
            lines += [word] if lines[-1] and len(lines[-1]) + len(word) >= LABEL_CHARACTERS and len(lines) < 3 else []
            lines[-1] = lines[-1] if lines[-1] == word and len(lines) > 1 else f"{lines[-1]} {word}".strip()
        return "\n".join(lines)

    def beyond(self, axes: Axes, mm: float) -> float:
        """The place so many millimetres to the right of the drawing area, as a fraction of its width."""
        return 1 + mm / (axes.get_position().width * self.width)

    def mm(self, words: Sequence[str], size: float = TEXT) -> float:
        """The width of the widest of some words on paper."""
        sheet = _sheet(self.width, 10)
        renderer, drawn = sheet.canvas.get_renderer(), [sheet.text(0, 0, word, fontsize=size) for word in words]
        return max((text.get_window_extent(renderer).width for text in drawn), default=0) / sheet.dpi / MM


def _sheet(width_mm: float, height_mm: float) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    FigureCanvasAgg(figure := Figure(figsize=(width_mm * MM, height_mm * MM)))
    return figure


def _sparkline(pen: _Pen, data: dict) -> Figure:
    """Trend of one metric: the first value named, today's interval as a grey band, today as a dot."""
    values = [value for value in data["values"] if value is not None]
    first = pen.texts.value(values[0], data["unit"])
    axes = pen.axes(pen.width * 0.27, left=pen.mm([first]) + 1.6, right=1.4, top=1, bottom=1)
    band = data.get("band") or (values[-1], values[-1])
    axes.axhspan(*band, color=PALE, lw=0)
    axes.plot(range(len(values)), values, color=INK, lw=1.1)
    axes.plot(len(values) - 1, values[-1], "o", ms=4, color=pen.accent, clip_on=False)
    axes.annotate(first, (0, values[0]), xytext=(-3, 0), textcoords="offset points", ha="right", va="center")
    low, high = min(*values, *band), max(*values, *band)
    margin = 0.08 * (high - low or abs(high) or 1)
    axes.set_ylim(low - margin, high + margin)
    axes.axis("off")
    return axes.figure


def _lorenz(pen: _Pen, data: dict) -> Figure:
    """Share of sales by share of customers, best first; one point named."""
    across, up = data["point"]
    axes = pen.axes(62, left=12, right=34, top=3, bottom=11)
    axes.plot([0, 1], [0, 1], color=RULE, lw=0.7, ls=(0, (1, 2)))
    axes.plot(data["customers"], data["sales"], color=INK, lw=1.7)
    axes.plot([across, across, 0], [0, up, up], color=pen.accent, lw=0.8)
    axes.plot(across, up, "o", ms=5, color=pen.accent, clip_on=False)
    point = pen.say("chart.lorenz.point", customers=across, sales=up)
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.annotate(point, (across, up), xytext=(7, -6), textcoords="offset points", va="top", fontsize=10, bbox=white)
    axes.text(1.03, 1, pen.say("chart.lorenz.here"), va="top")
    axes.text(0.72, 0.6, pen.say("chart.lorenz.equal"), va="top", color=GREY, fontsize=SMALL)
    axes.set(xlim=(0, 1), ylim=(0, 1.005), xlabel=pen.say("chart.lorenz.x"))
    axes.xaxis.set_label_coords(0, -0.13)
    axes.xaxis.label.set_ha("left")
    axes.set_xticks(ticks := sorted({0, across, 0.5, 1}), [pen.texts.share(tick) for tick in ticks])
    axes.set_yticks(ticks := [0, up, 1] if up < 0.9 else [0, up], [pen.texts.share(tick) for tick in ticks])
    return axes.figure


def _cohorts(pen: _Pen, data: dict) -> Figure:
    """Who of each group of new customers bought in the periods that followed; number and darkness agree."""
    from matplotlib.patches import Rectangle

    period, shares = data["period"], data["shares"]
    names = [getattr(pen.texts, period)(start) for start in data["starts"]]
    rows, columns = len(shares), max(len(line) for line in shares)
    first = pen.say(f"chart.cohorts.{period}")
    axes = pen.axes(11.5 + 6.2 * rows, left=pen.mm([*names, first]) + 3, right=0.5, top=11, bottom=0.5)
    seen = [share for line in shares for share in line if share is not None] or [0]
    for row, line in enumerate(shares):
        axes.text(0.8, row + 0.52, pen.texts.count(data["sizes"][row]), ha="right", va="center", color=GREY)
        for column, kept in enumerate(line):
            if kept is None:
                continue
            shade = 0.90 - 0.70 * (kept - min(seen)) / ((max(seen) - min(seen)) or 1)
            axes.add_patch(Rectangle((column + 1.02, row + 0.05), 0.96, 0.90, facecolor=str(round(shade, 3)), lw=0))
            ink = "white" if shade < 0.5 else INK
            axes.text(column + 1.5, row + 0.52, pen.texts.per100(kept), ha="center", va="center", color=ink)
    for column in range(columns):
        axes.text(column + 1.5, -0.12, pen.texts.count(column + 1), ha="center", va="bottom")
    axes.text(-0.08, -0.12, first, ha="right", va="bottom", fontsize=SMALL, color=GREY)
    axes.text(0.8, -0.12, pen.say("chart.cohorts.n"), ha="right", va="bottom", fontsize=SMALL, color=GREY)
    axes.text(1.06, -0.98, pen.say(f"chart.cohorts.after_{period}"), va="bottom", fontsize=SMALL, color=GREY)
    axes.set(xlim=(0, columns + 1), ylim=(rows, 0), xticks=[])
    axes.set_yticks([row + 0.5 for row in range(rows)], names)
    axes.spines[:].set_visible(False)
    return axes.figure


def _bars(pen: _Pen, data: dict) -> Figure:
    """Horizontal bars with interval whiskers; the title speaks of the first, the dashed line is the reference."""
    texts, count = pen.texts, len(data["values"])
    names = [pen.wrapped(label) for label in data["labels"]]
    ns, values = data.get("ns") or [None] * count, [value or 0 for value in data["values"]]
    lows, highs = (data.get(end) or [None] * count for end in ("lows", "highs"))
    said = [
        f"{texts.value(value, data['unit'])}" + (f"  {pen.say('chart.n', n=n)}" if n is not None else "")
        for value, n in zip(data["values"], ns, strict=True)
    ]
    pitch = 9.5 if any("\n" in name for name in names) else 7.6
    reference = data.get("reference")
    axes = pen.axes(pitch * count + 2 + 4.5 * (reference is not None), left=pen.mm(names) + 2.5, right=pen.mm(said) + 4,
                    top=4.5 * (reference is not None), bottom=1)  # fmt: skip
    axes.barh(range(count), values, height=0.58, color=[pen.accent if row == 0 else BAR for row in range(count)], lw=0)
    for row, (low, high) in enumerate(zip(lows, highs, strict=True)):
        _whisker(axes, row, low, high, inside=values[row] if row == 0 else None)
    widest = max([*values, *(high for high in highs if high is not None), reference or 0]) or 1
    for row, words in enumerate(said):
        axes.text(pen.beyond(axes, pen.mm(said) + 4), row, words, ha="right", va="center", transform=axes.get_yaxis_transform())
    if reference is not None:
        axes.axvline(reference, color=INK, lw=0.8, ls=(0, (3, 2)))
        words = pen.say("chart.bars.reference", value=texts.value(reference, data["unit"]))
        axes.text(reference, -0.55, words, ha="left" if reference < widest / 2 else "right", va="bottom", fontsize=SMALL, color=GREY)
    axes.set(xlim=(0, widest * 1.02), ylim=(count - 0.5, -0.5), xticks=[])
    axes.set_yticks(range(count), names)
    axes.spines["bottom"].set_visible(False)
    axes.plot([0, 0], [-0.5, count - 0.5], color=INK, lw=0.8, clip_on=False)
    return axes.figure


def _whisker(axes: Axes, row: float, low: float | None, high: float | None, inside: float | None = None) -> None:
    """An interval; the part of it that lies inside a dark bar is drawn white."""
    if low is None or high is None:
        return
    pieces = [(low, high, INK)] if inside is None else [(low, inside, "white"), (inside, high, INK)]
    for start, end, colour in pieces:
        axes.hlines(row, start, end, color=colour, lw=0.9)
    for end, colour in ((low, pieces[0][2]), (high, INK)):
        axes.vlines(end, row - 0.12, row + 0.12, color=colour, lw=0.9)


def _calibration(pen: _Pen, data: dict) -> Figure:
    """Groups by forecast: what was said (across) against what happened (up); on the line is honest."""
    side = min(pen.width, 84)
    axes = pen.axes(side - 12, left=12, right=pen.width - side + 4, top=6, bottom=12)
    low, high = _window([*data["predicted"], *data["observed"], *data["lows"], *data["highs"]])
    axes.plot([low, high], [low, high], color=RULE, lw=0.7)
    axes.vlines(data["predicted"], data["lows"], data["highs"], color=INK, lw=1.0)
    axes.plot(data["predicted"], data["observed"], "o", ms=4.6, mfc=pen.accent, mec="white", mew=0.6, clip_on=False)
    corner = {"fontsize": SMALL, "color": GREY, "transform": axes.transAxes}
    axes.text(0.04, 0.94, pen.say("chart.calibration.above"), va="top", **corner)
    axes.text(0.98, 0.05, pen.say("chart.calibration.below"), ha="right", **corner)
    ticks = [low + quarter * (high - low) / 4 for quarter in range(5)]
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.set_xticks(ticks, pen.shares(ticks))
    axes.set_yticks(ticks, pen.shares(ticks))
    axes.spines["left"].set_visible(True)
    axes.set_xlabel(pen.say("chart.calibration.x"), loc="left")
    axes.set_title(pen.say("chart.calibration.y"), loc="left", fontsize=8, color=GREY, pad=4)
    return axes.figure


def _window(shares: list[float]) -> tuple[float, float]:
    """The part of the way from nought to all that holds some shares, seen from its nearer end; its quarters are whole percents."""
    windows = [window for width in (0.04, 0.08, 0.2, 0.4, 1.0) for window in ((1 - width, 1.0), (0.0, width))]
    return next((low, high) for low, high in windows if low <= min(shares) and max(shares) <= high)


def _bridge(pen: _Pen, data: dict) -> Figure:
    """From gross to net as a falling staircase: solid is a total, hatched is taken away."""
    names, values = [pen.wrapped(label) for label in data["labels"]], data["values"]
    said = [pen.texts.amount(value or 0) for value in values]  # never "-0"
    left, right = pen.mm(names) + 2.5, pen.mm(said) + 4
    axes = pen.axes(7.2 * len(names) + 2, left=left, right=right, top=1, bottom=1)
    last, level, floor = len(values) - 1, values[0], 0.86 * min(values[0], values[-1])
    for row, value in enumerate(values):
        if row in (0, last):
            axes.barh(row, value - floor, left=floor, height=0.62, color=pen.accent if row else INK, edgecolor=INK, lw=0.6)
            _cut(axes, row, floor, values[0])
        else:
            axes.barh(row, -value, left=level + value, height=0.62, color="white", edgecolor=INK, hatch="/////", lw=0.6)
            level += value
        if row < last:
            axes.plot([level, level], [row + 0.31, row + 0.69], color=RULE, lw=0.6)
        axes.text(pen.beyond(axes, right), row, said[row], ha="right", va="center", transform=axes.get_yaxis_transform())
    axes.set(xlim=(floor, max(values[0], floor + 1)), ylim=(last + 0.5, -0.5), xticks=[])
    axes.set_yticks(range(len(names)), names)
    axes.spines["bottom"].set_visible(False)
    return axes.figure


def _cut(axes: Axes, row: int, floor: float, top: float) -> None:
    """Two strokes through the foot of a bar: the scale does not begin at nought."""
    for place in (0.02, 0.032):
        axes.plot([floor + place * (top - floor)] * 2, [row - 0.36, row + 0.36], color="white", lw=1.4)


def _curve(pen: _Pen, data: dict) -> Figure:
    """Share who have done something by a day, as steps; each line is named at its end, chosen days are marked."""
    names = [pen.wrapped(line["label"]) for line in data["lines"]]
    axes = pen.axes(56, left=11, right=pen.mm(names) + 5, top=6, bottom=11)
    top = max(max(line["shares"]) for line in data["lines"]) * 1.08 or 1
    axes.set(xlim=(0, max(data["days"])), ylim=(0, min(1.0, top)))
    ends = _apart([line["shares"][-1] for line in data["lines"]], 0.09 * top)
    for at, (line, name) in enumerate(zip(data["lines"], names, strict=True)):
        colour, dashes = (pen.accent, "-") if at == 0 else (INK, [(0, (4, 2)), (0, (1, 1.5)), "-"][(at - 1) % 3])
        axes.step(data["days"], line["shares"], where="post", color=colour, ls=dashes, lw=1.7 if at == 0 else 1.2, clip_on=False)
        axes.text(pen.beyond(axes, 2), ends[at], name, va="center", color=colour, transform=axes.get_yaxis_transform())
    for day in data.get("reference_days") or []:
        axes.axvline(day, color=INK, lw=0.8, ls=(0, (3, 2)))
        axes.text(day, min(1.0, top) * 1.02, pen.texts.days(day), ha="center", va="bottom", fontsize=SMALL, color=GREY)
    axes.set_yticks(ticks := _round_ticks(min(1.0, top)), pen.shares(ticks))
    days = [day for day in axes.get_xticks() if 0 <= day <= max(data["days"])]
    axes.set_xticks(days, [pen.texts.count(day) for day in days])
    axes.set_xlabel(pen.say("chart.curve.x"), loc="left")
    return axes.figure


def _round_ticks(top: float) -> list[float]:
    """Round places from nought up to `top`, at most five."""
    from matplotlib.ticker import MaxNLocator

    return [tick for tick in MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, top) if 0 <= tick <= top]


def _apart(places: list[float], gap: float) -> list[float]:
    """Move label places up until no two of them touch."""
    moved: dict[int, float] = {}
    for at in sorted(range(len(places)), key=lambda at: places[at]):
        moved[at] = max(places[at], max(moved.values(), default=-gap) + gap) if moved else places[at]
    return [moved[at] for at in range(len(places))]


def _pairs(pen: _Pen, data: dict) -> Figure:
    """Groups of customers: what was forecast (open) beside what happened (filled), joined by a line."""
    texts, names = pen.texts, [pen.wrapped(label) for label in data["labels"]]
    said = [texts.value(value, data["unit"]) for value in data["actual"]]
    left, right = pen.mm(names) + 2.5, pen.mm(said) + 4
    axes = pen.axes(5.6 * len(names) + 8, left=left, right=right, top=7, bottom=1)
    pairs = list(zip(data["predicted"], data["actual"], strict=True))
    for row, (said_then, came) in enumerate(pairs):
        axes.axhline(row, color=PALE, lw=0.5, zorder=0)
        axes.plot([said_then, came], [row, row], color=INK, lw=1.0, zorder=1)
        axes.plot(said_then, row, "o", ms=5, mfc="white", mec=INK, mew=1, clip_on=False)
        axes.plot(came, row, "o", ms=5, color=pen.accent, clip_on=False)
        axes.text(pen.beyond(axes, right), row, said[row], ha="right", va="center", transform=axes.get_yaxis_transform())
    head = {"fontsize": SMALL, "color": GREY, "va": "bottom"}
    axes.text(0, -0.75, pen.say("chart.pairs.key"), ha="left", **head)
    axes.text(pen.beyond(axes, right), -0.75, pen.say("chart.pairs.actual"), ha="right", transform=axes.get_yaxis_transform(), **head)
    most = max(max(pair) for pair in pairs) or 1
    axes.set(xlim=(-0.02 * most, 1.04 * most), ylim=(len(names) - 0.5, -0.6), xticks=[])
    axes.set_yticks(range(len(names)), names)
    axes.spines["bottom"].set_visible(False)
    return axes.figure


CHARTS: dict[str, Callable[[_Pen, dict], Figure]] = {
    "sparkline": _sparkline,
    "lorenz": _lorenz,
    "cohorts": _cohorts,
    "bars": _bars,
    "calibration": _calibration,
    "bridge": _bridge,
    "curve": _curve,
    "pairs": _pairs,
}
