"""What the last rounds caused: treated against those kept aside, read on the planned day and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from loyalty_lab.proportions import share
from loyalty_lab.results import Fact, Figure, Findings, Measure, Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from loyalty_lab.estimates import Estimate
    from loyalty_lab.outcomes import Reading, Together
    from loyalty_lab.questions.asked import Run

FEWEST = 20  # a side: of fewer, no share of a hundred is printed
GRAVEST = ("harms", "works", "not_shown", "spoilt")
LEAST_CHANCE = 0.001
TABLES = {
    "rounds": "slug round read_on treated control back_treated back_control effect low high p mde verdict",
    "spend": "slug spend spend_low spend_high spend_p explained capped capped_low capped_high cap per_order per_order_low per_order_high",
    "profit": "slug margin cost spent_on_contacts profit profit_low profit_high",
    "checks": "slug as_drawn sample_ratio_p most_unlike apart before before_low before_high before_p reached_controls controls told "
    "two_arms overlapping pre_days",
    "together": "slug rounds people treated window_days effect low high p mde verdict cost profit profit_low profit_high",
}


def last_round(run: Run) -> Findings:
    """Find what the latest round of each tactic caused whose reading date has come; the others stay closed until theirs.

    Examples
    --------
    >>> from datetime import date
    >>> from types import SimpleNamespace
    >>> import pandas as pd
    >>> from loyalty_lab import rounds
    >>> shop = SimpleNamespace(orders=pd.DataFrame())
    >>> run = SimpleNamespace(shop=shop, cutoff=date(2026, 10, 31), rounds=pd.DataFrame(columns=list(rounds.COLUMNS)))
    >>> [message.key for message in last_round(run).messages]
    ['last-round.headline.too_early', 'last-round.stand.too_early']
    """
    from loyalty_lab import outcomes, rounds
    from loyalty_lab.forecast import margin_rate

    closed = rounds.closed(run.rounds, run.shop.orders, run.cutoff)
    if not closed:
        return _nothing_yet(run)
    readings = outcomes.read(closed, margin_rate(run.shop), [_contact_cost(run, each.people) for each in closed])
    latest = {each.cycle.slug: each for each in readings}
    several = outcomes.together(readings)
    rows = [_row(latest[slug]) for slug in sorted(latest)]
    pooled = [_pooled_row(each) for each in several]
    messages = [_headline(rows, pooled), Message(key="last-round.stand", args={"n": len(readings)})]
    messages += [message for row in rows for message in _told(row)]
    messages += [Message(key=f"last-round.several.{row['verdict']}", args=_args(row)) for row in pooled if row["rounds"] > 1]
    return Findings(
        facts=_facts(rows), tables=_tables(rows, pooled), figures=_figures(rows),
        messages=(*messages, *_running(run)), rounds=tuple(_measure(latest[row["slug"]], row) for row in rows),
    )  # fmt: skip


def _nothing_yet(run: Run) -> Findings:
    early = (Message(key=f"last-round.{role}.too_early") for role in ("headline", "stand"))
    return Findings(tables=_tables([], []), messages=(*early, *_running(run)))


def _running(run: Run) -> list[Message]:
    """Rounds that go on: their result is not looked at before its day."""
    open_ones = run.rounds[run.rounds["read_on"] > run.cutoff.isoformat()].drop_duplicates("round")
    return [
        Message(key="last-round.running", args={"name": f"{row.slug}.name", "read_on": row.read_on})
        for row in open_ones.sort_values("slug").itertuples()
    ]


def _contact_cost(run: Run, people: pd.DataFrame) -> float | None:
    """What one contact of a round cost on average: by the channel each prefers, else as a letter; None where a price is missing."""
    cost, customers = run.shop.settings.cost, run.shop.customers
    treated = people.index[people["arm"] == "treated"]
    if customers is None or "preferred_channel" not in customers.columns or not len(treated):
        return cost.get("letter")
    channel = customers.drop_duplicates("customer_id").set_index("customer_id")["preferred_channel"].astype("object").reindex(treated)
    prices = [cost.get(str(each), cost.get("letter")) for each in channel]
    return None if None in prices else sum(prices) / len(prices)


def _row(reading: Reading) -> dict[str, Any]:
    """One round in numbers, with its verdict and its checks."""
    from loyalty_lab import trial

    people, n = reading.cycle.people, reading.treated
    back = {f"back_{arm}": int(people.loc[people["arm"] == arm, "back"].sum()) for arm in ("treated", "control")}
    row = {
        "slug": reading.cycle.slug, "round": reading.cycle.round, "read_on": reading.cycle.read_on,
        "treated": n, "control": reading.control, **back, "p": reading.p, "mde": reading.mde, "verdict": reading.verdict,
        "spend_p": reading.spend_p, "explained": reading.explained, "cap": reading.cap,
        "cost": reading.cost, "spent_on_contacts": None if reading.cost is None else n * reading.cost,
        "margin": None if reading.spend.value is None else reading.margin * n * reading.spend.value,
    }  # fmt: skip
    row |= _ends("effect", reading.back) | {"low": reading.back.low, "high": reading.back.high}
    for name in ("spend", "capped", "per_order", "profit", "on_reached"):
        row |= _ends(name, getattr(reading, name))
    return row | reading.checks | {"as_drawn": reading.checks["sample_ratio_p"] >= trial.SRM_ALARM}


def _pooled_row(found: Together) -> dict[str, Any]:
    row = {name: getattr(found, name) for name in ("slug", "rounds", "people", "treated", "window_days", "p", "mde", "verdict", "cost")}
    return row | _ends("profit", found.profit) | {"effect": found.back.value, "low": found.back.low, "high": found.back.high}


def _ends(name: str, found: Estimate) -> dict[str, float | None]:
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def _headline(rows: list[dict[str, Any]], pooled: list[dict[str, Any]]) -> Message:
    """The gravest finding first; where several rounds were counted together, what they say together."""
    first = min(pooled, key=lambda row: (GRAVEST.index(row["verdict"]), row["slug"]))
    if first["rounds"] > 1:
        return Message(key=f"last-round.headline.several_{first['verdict']}", args=_args(first))
    row = next(row for row in rows if row["slug"] == first["slug"])
    small = "_small" if row["verdict"] == "not_shown" and min(row["treated"], row["control"]) < FEWEST else ""
    return Message(key=f"last-round.headline.{row['verdict']}{small}", args=_args(row))


def _args(row: dict[str, Any]) -> dict[str, Any]:
    """What a sentence about a round, or about several, speaks of."""
    rates = {f"rate_{arm}": row[f"back_{arm}"] / row[arm] if row[arm] else None for arm in ("treated", "control") if f"back_{arm}" in row}
    told = {name: value for name, value in row.items() if name not in ("slug", "verdict", "round", "p", "spoilt", "most_unlike", "read_on")}
    if told.get("spend_p") is not None:
        told["spend_p"] = max(told["spend_p"], LEAST_CHANCE)
    return told | rates | {"name": f"{row['slug']}.name"}


def _told(row: dict[str, Any]) -> Iterable[Message]:
    """The sentences about one round: what was found, what it brought, and what its checks say."""
    args = _args(row)
    small = "_small" if row["verdict"] == "not_shown" and None in (row["mde"], row["effect"]) else ""
    yield Message(key=f"last-round.read.{row['verdict']}{small}", args=args)
    if row["spend"] is not None:
        yield Message(key=f"last-round.spent.{'whole' if row['cap'] is None else 'capped'}", args=args)
    if row["profit"] is not None and row["verdict"] != "spoilt":
        yield Message(key=f"last-round.paid.{_paid(row)}", args=args)
        if row["cost"] is None:
            yield Message(key="last-round.paid.no_cost", args=args)
    for kind in _alarms(row):
        yield Message(key=f"last-round.check.{kind}", args=args | {"apart": abs(row["apart"])})
    yield Message(key=f"last-round.reached.{_reached(row)}", args=args)


def _paid(row: dict[str, Any]) -> str:
    """Whether the round paid. Money is counted as a gain only where more people came back: that was to be read first."""
    if row["profit_high"] < 0:
        return "loses"
    if row["profit_low"] <= 0:
        return "not_shown"
    return "pays" if row["verdict"] == "works" else "not_counted"


def _alarms(row: dict[str, Any]) -> list[str]:
    from loyalty_lab import trial

    alarms = {
        "sample_ratio": not row["as_drawn"],
        "contaminated": row["reached_controls"] > 0,
        "unlike": abs(row["apart"]) > trial.SMD_ALARM,
        "before": row["before_p"] is not None and row["before_p"] < 0.01,
        "absent": row["pre_days"] == 0,
        "partly": 0 < row["pre_days"] < row["window_days"],
        "two_arms": row["two_arms"] > 0,
        "overlapping": row["overlapping"] > 0,
    }
    return [kind for kind, rings in alarms.items() if rings]


def _reached(row: dict[str, Any]) -> str:
    if row["on_reached"] is not None:
        return "some"
    return "untold" if not row["told"] else "all" if row["told"] == 1 else "part"


def _measure(reading: Reading, row: dict[str, Any]) -> Measure:
    checks = reading.checks | {"slug": row["slug"], "round": row["round"], "verdict": row["verdict"]}
    return Measure(design="holdout", outcome="repeat", window_days=reading.cycle.window_days, read_on=reading.cycle.read_on,
                   mde=row["mde"], effect=row["effect"], interval=_interval(row), p=row["p"], checks=checks)  # fmt: skip


def _facts(rows: list[dict[str, Any]]) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for row in rows:
        slug, n = row["slug"], row["treated"] + row["control"]
        for arm in ("treated", "control"):
            facts[f"{slug}_back_{arm}"] = share(row[f"back_{arm}"], row[arm])
        facts[f"{slug}_effect"] = Fact(value=row["effect"], unit="share", n=n, interval=_interval(row))
        profit = {"low": row["profit_low"], "high": row["profit_high"]}
        facts[f"{slug}_profit"] = Fact(value=row["profit"], unit="money", n=n, interval=_interval(profit))
    return facts


def _interval(row: dict[str, Any]) -> tuple[float, float, float] | None:
    from loyalty_lab.proportions import LEVEL

    return None if row["low"] is None else (row["low"], row["high"], LEVEL)


def _tables(rows: list[dict[str, Any]], pooled: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    import pandas as pd

    return {
        name: pd.DataFrame(pooled if name == "together" else rows, columns=columns.split()).astype({"slug": "str"})
        for name, columns in TABLES.items()
    }


def _figures(rows: list[dict[str, Any]]) -> tuple[Figure, ...]:
    """Bars of who came back, treated beside kept aside, with their intervals."""
    labels, values, lows, highs, ns = [], [], [], [], []
    for row in rows:
        for arm in ("treated", "control"):
            fact = share(row[f"back_{arm}"], row[arm])
            if fact.value is None:
                continue
            labels.append({"key": f"last-round.arm.{arm}", "args": {"name": f"{row['slug']}.name"}})
            values.append(fact.value)
            lows.append(fact.interval[0])
            highs.append(fact.interval[1])
            ns.append(row[arm])
    data = {"labels": labels, "values": values, "lows": lows, "highs": highs, "ns": ns, "unit": "share"}
    return (Figure.of("last-round", "arms", "bars", data, {}),) if values else ()
