"""Shops that act: candidates, one run's lists, and what the shop gets to hold."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
from shop_folders import HEAD, ORDERS, read

from loyalty_lab import candidates as whom
from loyalty_lab import intake, lists
from loyalty_lab.results import Result, Value

CUTOFF, HANDED_OVER = date(2026, 3, 31), date(2026, 4, 1)
HOSTILE = '=HYPERLINK("http://x.example","pay")'


def shop_of(folder: Path, n: int = 40, head: str = "", contacts: str = "") -> intake.Intake:
    orders = ORDERS + "".join(f"{at},c{at:02d},2026-0{1 + at % 2}-1{at % 9},{5 + at}.00\n" for at in range(n))
    people = "customer_id,name,email,phone,address,consent_contact\n"
    for at in range(n):
        name = '"' + HOSTILE.replace('"', '""') + '"' if at == 1 else f"Name {at}"
        people += f"c{at:02d},{name},c{at}@x.example,0{at},{at} Mill Lane,{'no' if at == 0 else 'yes'}\n"
    exports = {"orders.csv": orders, "customers.csv": people}
    if contacts:
        exports["contacts.csv"] = "contact_id,customer_id,sent_at,direction,outcome\n" + contacts
    return read(folder, exports, head=HEAD + head)


def ids(taken: intake.Intake) -> dict[str, str]:
    """Pseudonym by the shop's own number."""
    people = lists.read_identities(taken.folder / lists.IDENTITIES)
    return dict(zip(people["merged_id"], people.index, strict=True))


def candidates(taken: intake.Intake, numbers: list[str], reason: str = "follow-up-letters.reason.once", channel: str = "letter"):
    known = ids(taken)
    arguments = {"days": 40, "rhythm": 20, "template": "A"}
    people = pd.DataFrame({"reason": reason.rpartition(".")[2], "stake": 9.5}, index=[known[number] for number in numbers])
    people["arguments"] = [arguments] * len(people)
    return whom.listed(reason.partition(".")[0], people, channel)


def result(slug: str, rate: float | None = 0.05) -> Result:
    return Result(notebook=slug, kind="tactic", cutoff=CUTOFF, value=Value(grade="D", high=10.0, break_even_rate=rate))


def make(taken: intake.Intake, found: dict, cutoff: date = CUTOFF, out: str = "lists"):
    shop = taken.shop().until(cutoff)
    return lists.make_lists(
        taken.folder, shop, found, {slug: result(slug) for slug in found},
        cutoff=cutoff, report_date=cutoff + timedelta(days=1), horizon_days=60, out=taken.folder / out,
    )  # fmt: skip


def rows(taken: intake.Intake, slug: str = "follow-up-letters", out: str = "lists") -> list[dict[str, str]]:
    text = (taken.folder / out / f"{slug}.csv").read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


EVERYBODY = [f"c{at:02d}" for at in range(40)]
