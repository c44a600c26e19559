"""What the notebooks that are not tactics find out: the start, the scorecard, churn, lifetime value, segments and the last round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loyalty_lab.questions.forecasts import churn, lifetime_value
from loyalty_lab.questions.groups import segments
from loyalty_lab.questions.last_round import last_round
from loyalty_lab.questions.overview import scorecard, start_here
from loyalty_lab.results import Findings, Kind


@dataclass(frozen=True)
class Question:
    """One question: the kind of its result, its notebook, and how its findings are made from a run."""

    kind: Kind
    notebook: str
    find: Callable[..., Findings]


ANSWERS = {
    "start-here": Question("start", "00-start-here", start_here),
    "scorecard": Question("scorecard", "01-scorecard", scorecard),
    "churn": Question("forecast", "02-churn", churn),
    "lifetime-value": Question("forecast", "03-lifetime-value", lifetime_value),
    "segments": Question("segments", "04-segments", segments),
    "last-round": Question("rounds", "90-last-round", last_round),
}
