"""data/README.md says what the code checks: every column, every field, nothing by hand."""

from __future__ import annotations

from pathlib import Path

from loyalty_lab import results, tables
from loyalty_lab.dictionary import data_readme, result_schema

ROOT = Path(__file__).parent.parent


def test_the_page_in_the_clone_is_the_one_the_code_writes():
    assert (ROOT / "data" / "README.md").read_text(encoding="utf-8") == data_readme()


def test_every_column_of_every_table_has_a_row():
    page = data_readme()
    for schema in tables.SCHEMAS.values():
        section = page.partition(f"### {schema.name}\n")[2].partition("### ")[0]
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(schema.names)


def test_every_field_of_a_result_has_a_row():
    records = [results.Result, results.Fact, results.Value, results.Measure, results.Figure, results.Claim, results.Table, results.Message]
    for record in records:
        section = result_schema().partition(f"### {record.__name__}\n")[2].partition("### ")[0]
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(record.model_fields)
        assert " ".join(record.__doc__.split()) in section
