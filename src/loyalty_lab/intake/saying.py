"""What `check` says in words: what was read, what was left out and why, the money, what to look at, and what would unlock more."""

from __future__ import annotations

from typing import Any

from loyalty_lab.intake.report import UNIT, Report
from loyalty_lab.language import Texts


def lines(report: Report, understood: dict[str, Any], texts: Texts) -> list[str]:
    """Say in plain lines what `check` found.

    Parameters
    ----------
    report : Report
    understood : dict
        The object of ``check --json``.
    texts : Texts
        In the language of the shop.
    """
    head = texts.say("intake.check.head", shop=understood["shop"], cutoff=understood["cutoff"], currency=understood["currency"])
    said = [head]
    for name, table in understood["tables"].items():
        said += _table(name, table, report.tables[name].money, texts)
    money = {name: str(amount) for name, amount in understood["orders"].items()}
    counts = {name: understood["orders"][name] for name in ("orders", "customers")}
    said += [texts.digits(line) for line in texts.say("intake.check.money", **(money | counts)).splitlines()]
    said += [f"{texts.say('intake.check.look')} {warning}" for warning in understood["warnings"]]
    return said + [_tactic(slug, state, texts) for slug, state in understood["tactics"].items()]


def _table(name: str, table: dict[str, Any], money: dict[str, int], texts: Texts) -> list[str]:
    named = texts.say(f"common.table.{name}")
    kind = "table_days" if table["first_day"] else "table"
    said = ["  " + texts.say(f"intake.check.{kind}", **(table | {"table": named}))]
    for reason, number in table["dropped"].items():
        line = texts.say("intake.check.dropped", number=number, reason=texts.say(f"common.reason.{reason.replace(' ', '_')}"))
        said.append(f"    {line}" + (f" ({texts.amount(money[reason] / UNIT)})" if money.get(reason) else ""))
    return said


def _tactic(slug: str, state: str, texts: Texts) -> str:
    need = state.removeprefix("needs data: ")
    if need == state:
        return texts.say("intake.check.ready", slug=slug)
    table, _, column = need.partition(".")
    return texts.say("intake.check.needs_column" if column else "intake.check.needs_table", slug=slug, table=table, column=column)


def warnings(report: Report, texts: Texts) -> list[str]:
    """Return the warnings in words."""
    return [texts.say(message) for message in report.warnings]
