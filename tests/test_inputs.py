"""What a report knows of the ones before it: the last with an earlier cutoff, and no other."""

from __future__ import annotations

import json
from datetime import date

import sample_results as sample

from loyalty_lab import inputs, results
from loyalty_lab.study import EARLIER_FILE, Run

CUTOFF = date(2026, 10, 31)


def told(shop, stage, beside=None) -> dict | None:
    inputs._write_earlier(shop, beside or shop / "reports", CUTOFF, stage)
    return json.loads((stage / EARLIER_FILE).read_text(encoding="utf-8"))


def printed(shop, day: str, kept: float) -> None:
    """A scorecard as a report of that day has left it."""
    card = sample.scorecard()
    facts = {"customer_retention_rate": card.facts["customer_retention_rate"].model_copy(update={"value": kept})}
    results.save(card.model_copy(update={"facts": facts}), shop / "reports" / day / "results")


def test_the_last_report_with_an_earlier_cutoff_counts(tmp_path):
    for day, kept in (("2025-10-31", 0.5), ("2026-07-31", 0.6), ("2026-10-31", 0.7), ("2026-11-30", 0.8)):
        printed(tmp_path, day, kept)

    assert told(tmp_path, tmp_path) == {"cutoff": "2026-07-31", "facts": {"customer_retention_rate": 0.6}}
    assert Run(None, CUTOFF, CUTOFF, 30, tmp_path).earlier["cutoff"] == "2026-07-31"


def test_what_cannot_be_read_or_says_nothing_is_passed_over(tmp_path):
    printed(tmp_path, "2026-06-30", 0.55)
    results.save(sample.failed("scorecard"), tmp_path / "reports" / "2026-07-31" / "results")
    printed(tmp_path, "2026-08-31", 0.6)
    (tmp_path / "reports" / "2026-08-31" / "results" / "scorecard.json").write_text("{", encoding="utf-8")

    assert told(tmp_path, tmp_path)["cutoff"] == "2026-06-30"


def test_a_first_report_knows_of_none(tmp_path):
    assert told(tmp_path, tmp_path) is None
    assert Run(None, CUTOFF, CUTOFF, 30, tmp_path).earlier is None


def test_the_earlier_report_is_named_among_the_inputs_with_its_hash(tmp_path):
    printed(tmp_path, "2026-07-31", 0.6)

    (named,) = inputs._write_earlier(tmp_path, tmp_path / "elsewhere", CUTOFF, tmp_path)

    assert named["name"] == "reports/2026-07-31/results/scorecard.json"
    assert len(named["sha256"]) == 64
