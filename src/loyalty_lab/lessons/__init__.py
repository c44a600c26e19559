"""What the training notebooks work through: lessons for trainers and learners, about no shop."""

from __future__ import annotations

from typing import Any


def picture(chart: str, data: dict[str, Any], alt: str) -> Any:
    """Draw a house figure as Jupyter displays it.

    Parameters
    ----------
    chart : str
        A name in `charts.CHARTS`.
    data : dict
        What that chart draws; labels may be plain words, see `label`.
    alt : str
        What is to be seen, for those who cannot see it.

    Raises
    ------
    RenderError
        If there is no chart of this name.
    """
    from loyalty_lab import charts, study

    return study.image(charts.png(charts.draw(chart, data)), alt)


def label(words: str) -> dict[str, Any]:
    """Return words of a lesson as a label of a chart.

    Examples
    --------
    >>> from loyalty_lab.language import Texts
    >>> Texts("en").say(label("No E-Mail"))
    'No E-Mail'
    """
    return {"key": "chart.label", "args": {"label": words}}
