"""What every practice keeps to, whatever it is about: the smallest shops, sentences in every language, one registry line."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from tactic_shops import CUTOFF, chain, forecast_of, purchases, shop_of, the_demo

from loyalty_lab import candidates, charts, experiences, results
from loyalty_lab.language import LOCALES, Texts
from loyalty_lab.results import Table
from loyalty_lab.shop import Shop
from loyalty_lab.tactics import CATALOGUE, find

ROOT = Path(__file__).parent.parent

each = pytest.mark.parametrize("tactic", CATALOGUE, ids=lambda tactic: tactic.slug)


def module(tactic):
    return import_module(f"loyalty_lab.tactics.{tactic.module}")


def nothing(run):
    """The demo shop's tables without a row, but for one order."""
    empty = {name: frame.iloc[:0] for name, frame in run.shop.tables.items()}
    return Shop(run.shop.settings, empty | {"orders": run.shop.orders.dropna(subset=["customer_id"]).iloc[:1]})


def said(findings):
    figures = [words for figure in findings.figures for words in (figure.title, figure.alt)]
    return [*findings.messages, *figures]


@each
def test_a_practice_is_four_files_of_one_name(tactic):
    wanted = [ROOT / "src/loyalty_lab/tactics" / f"{tactic.module}.py", ROOT / "notebooks" / f"{tactic.notebook}.ipynb",
              ROOT / "tests/tactics" / f"test_{tactic.module}.py",
              *(ROOT / "playbook/text" / language / f"{tactic.slug}.toml" for language in LOCALES)]  # fmt: skip

    assert [path for path in wanted if not path.exists()] == []


@each
def test_the_smallest_shops_get_findings_a_worth_and_a_list(tactic):
    run, made = the_demo(), module(tactic)
    for shop in (nothing(run), shop_of(purchases(a=["2026-01-01"])), shop_of(purchases(a=["2026-01-01"], b=["2025-01-01", "2026-03-01"]))):
        for forecast in (forecast_of(a=(0.5, 10.0), b=(0.1, 20.0)), forecast_of().astype("float64")):
            assert made.diagnose(shop, CUTOFF).message_roles() == ["headline", "stand"]
            assert made.value(shop, CUTOFF, forecast).rows["key"].is_unique
            assert tuple(made.act(shop, CUTOFF, forecast).columns) == candidates.COLUMNS


@each
def test_the_list_of_the_demo_shop_names_each_customer_once_by_rank(tactic):
    run = the_demo()
    listed = module(tactic).act(run.shop, run.cutoff, run.forecast)

    assert listed["rank"].tolist() == list(range(1, len(listed) + 1))
    assert listed["pseudonym"].is_unique
    assert listed["value_at_stake"].ge(0).all()
    assert set(listed["channel"]) <= {"letter", "mail", "phone", "counter"}


@each
@pytest.mark.parametrize("language", LOCALES)
def test_every_sentence_can_be_said_in_every_language(tactic, language):
    run, made, texts = the_demo(), module(tactic), Texts(language)
    for shop in (run.shop, nothing(run)):
        findings = made.diagnose(shop, run.cutoff)
        assert all(texts.say(message) for message in said(findings))
        solutions = [exercise["solution"] for exercise in texts.part(f"{tactic.slug}.exercise")]
        assert all(texts.fill(words, **findings.messages[0].args) for words in solutions)
    listed = made.act(run.shop, run.cutoff, run.forecast).drop_duplicates("reason")
    assert all(texts.say(row.reason, **row.arguments) for row in listed.itertuples())


@each
def test_what_is_found_can_be_kept_and_drawn(tactic):
    run = the_demo()
    findings = module(tactic).diagnose(run.shop, run.cutoff)
    worth = module(tactic).value(run.shop, run.cutoff, run.forecast)

    assert findings.figures, "a page without a picture"
    for figure in findings.figures:
        assert charts.draw(figure.chart, figure.data).axes
    tables = {name: Table.of(frame) for name, frame in findings.tables.items()}
    results.Result(notebook=tactic.slug, kind="tactic", cutoff=run.cutoff, facts=findings.facts, tables=tables, value=worth.value)
    assert worth.value.grade in ("C", "D"), "only a lot of the shop's own makes more of it"


@each
def test_a_form_asks_for_columns_that_are_explained_in_every_language(tactic):
    for table in {need.partition(".")[0] for need in (*tactic.needs, *tactic.uses)}:
        for language in LOCALES:
            assert all(len(Texts(language).part(f"column.{table}.{name}")) == 2 for name in tactic.form(table))


@each
def test_a_chain_is_diagnosed_as_a_corner_shop_is(tactic):
    shop, cutoff, _ = chain()

    assert module(tactic).diagnose(shop, cutoff).messages[0].key.startswith(f"{tactic.slug}.headline.")


def test_a_number_before_the_name_is_understood_and_a_wrong_name_is_answered():
    assert find("09-answer-fast") == find("answer-fast")
    with pytest.raises(Exception, match="Did you mean 'answer-fast'"):
        find("answer-fats")


@each
def test_a_practice_compares_once_however_often_it_asks(tactic, monkeypatch):
    run, made, asked, follow = the_demo(), module(tactic), [], experiences.follow
    monkeypatch.setattr(experiences, "follow", lambda *args, **more: asked.append(args) or follow(*args, **more))
    shop = Shop(run.shop.settings, run.shop.tables)  # of which nothing is known yet
    made.diagnose(shop, run.cutoff)
    made.value(shop, run.cutoff, run.forecast)

    assert len(asked) <= 1
