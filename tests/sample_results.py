"""Results as notebooks leave them, made up, so that pages can be tested without running a notebook."""

from __future__ import annotations

from datetime import date

from loyalty_lab.results import Claim, Fact, Figure, Measure, Message, Result, Table, Value, plain
from loyalty_lab.shop import ShopSettings

CUTOFF = date(2026, 10, 31)
YEAR = (date(2025, 11, 1), CUTOFF)
RUN = {
    "version": "0.1.0",
    "cutoff": "2026-10-31",
    "report_date": "2026-11-01",
    "horizon_days": 91,
    "inputs": [{"name": "exports/orders.csv", "sha256": "9f1c27ab40e6" + "0" * 48 + "d3b8", "rows": 10412}],
}
INTAKE = {
    "shop": "Corner Grocer",
    "cutoff": "2026-10-31",
    "currency": "GBP",
    "tables": {
        "orders": {"rows_in": 10412, "rows_out": 9640, "dropped": {"cancelled": 138, "test": 47, "refunded in full": 587},
                   "first_day": "2024-11-02", "last_day": "2026-10-31"},
        "customers": {"rows_in": 1309, "rows_out": 1284, "dropped": {"unreadable": 25}, "first_day": None, "last_day": None},
        "tickets": {"rows_in": 812, "rows_out": 812, "dropped": {}, "first_day": "2025-02-01", "last_day": "2026-10-30"},
    },
    "orders": {"orders": 9640, "customers": 1284, "gross": "149212.40", "discounts": "4210.15", "refunds": "3310.00", "dropped": "4804.25",
               "net": "136888.00", "anonymous_net": "8120.50"},
    "tactics": {"vital-few": "ready", "follow-up-letters": "ready", "answer-fast": "needs data: tickets.first_reply_at"},
    "warnings": [],
}  # fmt: skip
ACTIONS = [
    {"slug": slug, "kind": kind, "list": f"{slug}.xlsx", "count": count, "held_out": held_out, "expected_gain": None, "extra": extra}
    for slug, kind, count, held_out, extra in (
        ("vital-few", "watch", 223, 0, {}),
        ("follow-up-letters", "campaign", 48, 48, {}),
        ("answer-fast", "duty", 14, 0, {"overdue": 14}),
    )
]


def shop(**settings) -> ShopSettings:
    given = {
        "name": "Corner Grocer",
        "currency": "GBP",
        "timezone": "Europe/London",
        "owners": {"default": "owner", "answer-fast": "counter"},
    }
    return ShopSettings(**{**given, **settings})


def figure(slug: str, name: str, chart: str, data: dict, args: dict | None = None) -> Figure:
    title, alt = (Message(key=f"{slug}.figure.{name}{end}", args=args or {}) for end in ("", "-alt"))
    return Figure(id=name, chart=chart, data=data, title=title, alt=alt)


def fact(value, unit, n=None, interval=None) -> Fact:
    return Fact(value=value, unit=unit, n=n, interval=interval, window=YEAR)


def args_of(facts: dict[str, Fact], **more) -> dict:
    args = {name: each.value for name, each in facts.items()}
    for name, each in facts.items():
        args |= dict(zip((f"{name}_low", f"{name}_high"), each.interval or (None, None), strict=False))
    return args | more


def start_here() -> Result:
    args = {"horizon_days": 91, "share": 0.78, "first": "2024-11-02", "last": "2026-10-31", "customers": 1284, "orders": 9640}
    days = [7 * week for week in range(27)]
    data = {"days": days, "lines": [{"label": {"key": "start-here.line", "args": {}}, "shares": [1 - 2.2 ** (-day / 45) for day in days]}]}
    return Result(
        notebook="start-here", kind="start", cutoff=CUTOFF, facts={"orders": fact(9640, "count")},
        figures=[figure("start-here", "repurchase", "curve", data | {"reference_days": [91]}, args)],
        messages=[Message(key="start-here.headline", args=args), Message(key="start-here.horizon", args=args)],
    )  # fmt: skip


def scorecard() -> Result:
    facts = {
        "customer_retention_rate": fact(0.811, "share", 902, (0.784, 0.835, 0.95)),
        "churn_rate": fact(0.189, "share", 902, (0.165, 0.216, 0.95)),
        "repeat_customer_rate": fact(0.667, "share", 1113, (0.638, 0.694, 0.95)),
        "purchase_frequency": fact(8.66, "ratio", 1113, (8.3, 9.0, 0.95)),
        "net_promoter_score": fact(29.0, "score", 214, (19.0, 39.0, 0.95)),
        "expected_revenue_next_year": fact(112.4, "money", 1113, (98.2, 127.1, 0.95)),
        "second_purchase_rate": fact(0.38, "share", 312, (0.33, 0.44, 0.95)),
        "top_share": fact(0.61, "share", 1113, (0.57, 0.65, 0.95)),
    }
    rows = []
    for name, each in facts.items():
        rows += [
            [name, f"202{4 + at // 4}-{3 * (at % 4) + 1:02d}-01", each.value * (0.95 + 0.01 * at) if at > 1 else None] for at in range(7)
        ]
        rows.append([name, "2026-10-31", each.value])
    args = args_of(facts, before=0.807, horizon_days=91, cutoff="2026-10-31")
    points = [at / 20 for at in range(21)]
    cohorts = {
        "starts": [f"{2024 + at // 4}-{3 * (at % 4) + 1:02d}-01" for at in range(7)], "sizes": [190, 142, 118, 131, 126, 109, 121],
        "shares": [[round(0.43 - 0.02 * column - 0.01 * row, 2) if column < 7 - row else None for column in range(7)] for row in range(7)],
        "period": "quarter",
    }  # fmt: skip
    lorenz = {"customers": points, "sales": [1 - (1 - at) ** 4 for at in points], "point": [0.2, 0.61]}
    return Result(
        notebook="scorecard", kind="scorecard", cutoff=CUTOFF, facts=facts,
        tables={"trend": Table(columns=["metric", "end", "value"], rows=rows), **shorter_periods(facts)},
        claims=[Claim(key=f"claims.said.{name}", source=f"claims.source.{name}", shop_value=found) for name, _, found, _ in SAYINGS],
        figures=[figure("scorecard", "lorenz", "lorenz", lorenz, args), figure("scorecard", "cohorts", "cohorts", cohorts, args)],
        messages=[
            *(Message(key=f"scorecard.{key}", args=args) for key in ("headline.steady", "working.steady", "attention.second")),
            Message(key="scorecard.season.down", args={"metric": "metrics.purchase_frequency.short", "period": "scorecard.period.month"}),
            Message(key="scorecard.rhythm.month", args={"gap": 40}),
            Message(key="scorecard.since.changed_mended", args={"then": "2026-07-31", "n": 1, "of": 5, "mended": 2}),
            *(Message(key=f"claims.here.{name}.{variant}", args=told) for name, variant, _, told in SAYINGS),
        ],
    )  # fmt: skip


# What people say: its name, which of its texts the shop answers with, the number of the claim, and what the text speaks of.
SAYINGS = [
    ("pareto", "both", fact(0.61, "share", 1113, (0.57, 0.65, 0.95)),
     {"value": 0.61, "low": 0.57, "high": 0.65, "n": 1113, "all": 0.74, "all_low": 0.71, "all_high": 0.77, "all_n": 1284}),
    ("cheaper", "none", None, {}),
    ("times", "both", fact(9.5, "ratio", 731, (7.7, 11.8, 0.95)),
     {"value": 9.5, "low": 7.7, "high": 11.8, "n": 731, "won": 15.0, "kept": 1.58}),
    ("more", "trap", fact(0.01, "share", 180, (-0.12, 0.17, 0.95)),
     {"value": 0.01, "low": -0.12, "high": 0.17, "n": 402, "stayed": 180, "first": 54.5, "later": 80.2, "own": 79.5, "naive": 0.47,
      "naive_low": 0.22, "naive_high": 0.74, "everyone": -0.3, "everyone_low": -0.4, "everyone_high": -0.2}),
    ("recommend", "few", None, {"n": 12}),
    ("friends", "bought", fact(0.59, "share", 131, (0.5, 0.67, 0.95)), {"value": 0.59, "low": 0.5, "high": 0.67, "n": 131, "days": 90}),
    ("essential", "none", None, {}),
    ("hundreds", "not_shown", fact(0.1, "money", 380, (-1.8, 2.0, 0.95)), {"value": 0.1, "low": -1.8, "high": 2.0, "n": 380, "rounds": 1}),
]  # fmt: skip


def shorter_periods(facts: dict[str, Fact]) -> dict[str, Table]:
    """The tables of periods, of the last report and of targets: six metrics everywhere, so that the page is as full as it gets."""
    six = list(facts)[:6]
    ends = {"year": CUTOFF, "quarter": date(2026, 9, 30), "month": CUTOFF, "week": date(2026, 10, 25)}
    periods = [
        [name, period, "2026-01-01", end.isoformat(), 17 if period == "week" else 148, *_in_period(facts[name].value, period)]
        for period, end in ends.items() for name in six
    ]  # fmt: skip
    since = [[name, facts[name].unit, v, 0.98 * v, 1.05 * v, 0.07 * v, 0.02 * v, 0.12 * v, -0.02 * v, "up"]
             for name in six for v in [facts[name].value]]  # fmt: skip
    targets = [["customer_retention_rate", 0.8, 0.811, "unknown"], ["churn_rate", 0.15, 0.189, "not_reached"]]
    return {
        "periods": Table(columns=["metric", "period", "first", "last", "n", "value", "low", "high", "before", "verdict"], rows=periods),
        "since": Table(columns=["metric", "unit", "then", "again", "now", "change", "low", "high", "correction", "verdict"], rows=since),
        "targets": Table(columns=["metric", "target", "value", "verdict"], rows=targets),
    }


def _in_period(value: float, period: str) -> list:
    return [None, None, None, None, "few"] if period == "week" else [value, 0.9 * value, 1.1 * value, 0.95 * value, "same"]


def churn() -> Result:
    facts = {
        "customers": fact(1284, "count"),
        "expected_leavers": fact(402.3, "count", 1284, (371.0, 433.0, 0.9)),
        "base_rate": fact(0.31, "share", 4200),
        "log_loss": fact(0.512, "score", 4200),
        "naive_log_loss": fact(0.547, "score", 4200),
        "auc": fact(0.81, "score", 4200),
    }
    args = args_of(
        facts, horizon_days=91, model="logistic", cutoffs=4, reason="forecast.chosen.best", cutoff="2026-10-31", until="2027-01-30"
    )
    rows = [
        ["recency rule", 0.547, 0.77, False],
        ["BG/NBD", 0.52, 0.80, False],
        ["MBG/NBD", 0.521, 0.80, False],
        ["logistic", 0.512, 0.81, True],
    ]
    at = [0.05 + 0.1 * group for group in range(10)]
    data = {"predicted": at, "observed": [0.98 * x + 0.01 for x in at], "lows": [max(0, x - 0.06) for x in at],
            "highs": [min(1, x + 0.07) for x in at], "ns": [128] * 10}  # fmt: skip
    return Result(
        notebook="churn", kind="forecast", cutoff=CUTOFF, facts=facts,
        tables={"candidates": Table(columns=["model", "log_loss", "auc", "chosen"], rows=rows)},
        figures=[figure("churn", "calibration", "calibration", data, args)],
        messages=[
            *(Message(key=f"churn.{role}.model", args=args) for role in ("headline", "stand")),
            Message(key="churn.like", args=args | {"share": 0.62, "low": 0.55, "high": 0.7, "n": 128}),
            Message(key="churn.driver.days_since_last", args={"low": 6.0, "high": 240.0, "chance_low": 0.12, "chance_high": 0.8}),
        ],
    )  # fmt: skip


def lifetime_value() -> Result:
    facts = {
        "expected_spend": fact(31840.0, "money", 1284, (24000.0, 42000.0, 0.9)),
        "customer_lifetime_value": fact(74.2, "money", 1284),
        "top_decile_share": fact(0.44, "share", 1284),
    }
    args = args_of(facts, horizon_days=91, years=3, customers=1284)
    labels = [{"key": "lifetime-value.group", "args": {"group": group}} for group in range(1, 11)]
    predicted = [4.0, 6.1, 8.4, 11.0, 14.2, 19.0, 25.5, 36.0, 58.0, 121.0]
    data = {"labels": labels, "predicted": predicted, "actual": [1.05 * x + 1 for x in predicted], "unit": "money", "currency": "GBP"}
    return Result(
        notebook="lifetime-value", kind="forecast", cutoff=CUTOFF, facts=facts,
        tables={"candidates": Table(columns=["model", "deviance", "rank", "chosen"],
                                    rows=[["spend rate", 9.5, 0.5, False], ["hurdle", 6.1, 0.64, True]])},
        figures=[figure("lifetime-value", "deciles", "pairs", data, args)],
        messages=[
            Message(key=f"lifetime-value.{role}", args=args) for role in ("headline.model", "stand.model", "unsure.total", "unsure.one")
        ],
    )  # fmt: skip


def segments() -> Result:
    names = ("active", "slipping", "lost", "regained", "new")
    facts = {name: fact(n, "count", 1284) for name, n in zip(names, (700, 180, 300, 40, 64), strict=True)}
    facts |= {"fell_back": fact(0.21, "share", 760, (0.18, 0.24, 0.95)), "consumers": fact(0.44, "share", 1284)}
    args = args_of(facts, horizon_days=91, cutoff="2026-10-31", before="2026-08-01")
    data = {
        "labels": [{"key": f"segments.stage.{name}"} for name in names],
        "values": [facts[name].value for name in names],
        "unit": "count",
    }
    grid = [[value, risk, 10, 1200.5, 300.0, 9.0] for value in ("high", "middle", "low") for risk in ("low", "middle", "high")]
    return Result(
        notebook="segments", kind="segments", cutoff=CUTOFF, facts=facts,
        tables={
            "grid": Table(columns=["value_group", "risk_group", "customers", "value", "value_at_risk", "orders_at_risk"], rows=grid),
            "moved": Table(columns=["before", "new", "active", "total"], rows=[["new", 0, 8, 8], ["total", 5, 122, 127]]),
            "rfm": Table(columns=["segment", "customers", "spend", "share_of_spend"], rows=[["champions", 103, 36200.0, 0.72]]),
        },
        figures=[figure("segments", "stages", "bars", data, args)],
        messages=[
            *(Message(key=f"segments.{role}", args=args) for role in ("headline", "stand", "moved")),
            Message(key="segments.resemble.channel", args={"level": "<b>market</b>", "share_best": 0.4, "share_all": 0.2, "n": 256}),
        ],
    )  # fmt: skip


def last_round() -> Result:
    args = {"name": "follow-up-letters.name", "treated": 190, "control": 190, "back_treated": 74, "back_control": 59}
    args |= {"rate_treated": 0.39, "rate_control": 0.31, "effect": 0.08, "low": -0.02, "high": 0.18, "mde": 0.14}
    args |= {"profit": 210.0, "profit_low": -40.0, "profit_high": 460.0}
    tables = {
        "rounds": {"treated": 190, "control": 190, "back_treated": 74, "back_control": 59, "effect": 0.08, "low": -0.02, "high": 0.18,
                   "mde": 0.14, "verdict": "not_shown"},
        "spend": {"spend": 4.1, "spend_low": -1.0, "spend_high": 9.2, "capped": 3.2, "capped_low": -1.1, "capped_high": 7.5,
                  "per_order": 0.4, "per_order_low": -0.8, "per_order_high": 1.6},
        "profit": {"margin": 234.0, "spent_on_contacts": 24.0, "profit": 210.0, "profit_low": -40.0, "profit_high": 460.0},
        "checks": {"as_drawn": True, "apart": 0.3, "before": 0.01, "reached_controls": 0, "controls": 190, "told": 0.8},
        "together": {"rounds": 1, "people": 380, "treated": 190, "window_days": 60, "effect": 0.08, "low": -0.02, "high": 0.18, "p": 0.11,
                     "mde": 0.14, "verdict": "not_shown", "cost": 0.126, "profit": 210.0, "profit_low": -40.0, "profit_high": 460.0},
    }  # fmt: skip
    bars = {"labels": [{"key": f"last-round.arm.{arm}", "args": args} for arm in ("treated", "control")], "values": [0.39, 0.31],
            "lows": [0.32, 0.25], "highs": [0.46, 0.38], "ns": [190, 190], "unit": "share"}  # fmt: skip
    return Result(
        notebook="last-round", kind="rounds", cutoff=CUTOFF,
        tables={name: Table(columns=["slug", *row], rows=[["follow-up-letters", *row.values()]]) for name, row in tables.items()},
        figures=[figure("last-round", "arms", "bars", bars, {})],
        messages=[
            Message(key="last-round.headline.not_shown", args=args), Message(key="last-round.stand", args={"n": 1}),
            Message(key="last-round.read.not_shown", args=args), Message(key="last-round.paid.not_shown", args=args),
            Message(key="last-round.check.unlike", args=args | {"apart": 0.3}),
            Message(key="last-round.running", args={"name": "vital-few.name", "read_on": "2027-01-30"}),
        ],
        rounds=[Measure(design="holdout", outcome="repeat", window_days=60, effect=0.08, interval=(-0.02, 0.18, 0.95), p=0.11)],
    )  # fmt: skip


def worth(*rows) -> dict[str, Table]:
    return {"worth": Table(columns=["key", "value", "unit"], rows=[list(row) for row in rows])}


def needs_data(slug: str = "answer-fast", need: str = "tickets.first_reply_at") -> Result:
    return Result(
        notebook=slug, kind="tactic", status="needs data", cutoff=CUTOFF, reason=Message(key="common.needs_data", args={"need": need})
    )


def failed(slug: str = "vital-few", cause: str = "stopped with ValueError") -> Result:
    return Result(notebook=slug, kind="tactic", status="failed", cutoff=CUTOFF, reason=Message(key="common.failed", args={"cause": cause}))


PLAUSIBLE = {
    "share": 0.42, "share1": 0.418, "per100": 0.42, "points": 0.13, "count": 48, "days": 91, "every": 30, "money": 640.0,
    "amount": "640.00", "score": 7.4, "ratio": 2.3, "one_in": 0.032,
    **dict.fromkeys(("date", "day", "month", "quarter"), "2026-10-31"), "text": None, "": "sample",
}  # fmt: skip


def plausible_args(template) -> dict:
    """An argument of the right kind for every placeholder of a text."""
    from string import Formatter

    templates = template.values() if isinstance(template, dict) else [template]
    slots = [(name, spec) for one in templates for _, name, spec, _ in Formatter().parse(one) if name and "|" not in spec]
    return {name: PLAUSIBLE[spec] for name, spec in slots} | {"n": 2}


def first_message(slug: str, role: str) -> Message:
    """The first variant of what a practice may say in a role, with plausible arguments."""
    from loyalty_lab.language import Texts

    variants = Texts("en").part(f"{slug}.{role}")
    variant = next(iter(variants))
    return Message(key=f"{slug}.{role}.{variant}", args=plausible_args(variants[variant]))


def practice(slug: str, value: Value | None, measure: Measure | None, claims: list[Claim] = (), currency: str = "GBP") -> Result:
    """A practice as its notebook leaves it, whatever its texts are."""
    groups = {
        "labels": [{"key": f"common.grade.{grade}.name", "args": {}} for grade in "ABC"],
        "values": [0.63, 0.47, 0.29], "lows": [0.48, 0.37, 0.23], "highs": [0.76, 0.57, 0.36], "ns": [38, 92, 182],
        "unit": "share", "reference": 0.38,
    }  # fmt: skip
    title = Message(key="scorecard.figure.lorenz", args={"top_share": 0.61})
    rows = [("common.grade.A.name", 382, "count"), ("common.grade.B.name", 0.102, "share"), ("common.grade.C.name", 46.0, "money")]
    return Result(
        notebook=slug, kind="tactic", cutoff=CUTOFF, value=value, measure=measure, claims=list(claims),
        facts={"standing": fact(0.38, "share", 312, (0.33, 0.44, 0.95))}, tables=worth(*rows),
        figures=[Figure(id="groups", chart="bars", data=groups | {"currency": currency}, title=title, alt=title)],
        messages=[first_message(slug, role) for role in ("headline", "stand")],
    )  # fmt: skip


def everything(answer_fast_ready: bool = False) -> dict[str, Result]:
    """The results of a whole run."""
    lots = Measure(
        design="holdout",
        outcome="repeat",
        window_days=91,
        mde=0.28,
        read_on=date(2027, 2, 1),
        checks={"provable": False, "rounds_to_pool": 9, "base_rate": 0.3, "break_even_rate": 0.032},
    )
    owed = Measure(design="duty", outcome="list", window_days=91)
    shown = fact(0.61, "share", 1113, (0.57, 0.65, 0.95))
    pareto = Claim(key="vital-few.claim.pareto", source="vital-few.claim.pareto-source", shop_value=shown)
    hundreds = Claim(key="follow-up-letters.claim.hundreds", source="a trade article")
    found = [start_here(), scorecard(), churn(), lifetime_value(), segments(), last_round()]
    found.append(practice("vital-few", Value(grade="D", high=2400.0), None, [pareto]))
    found.append(practice("follow-up-letters", Value(grade="D", high=640.0, break_even_rate=0.032, assumptions=["x"]), lots, [hundreds]))
    found.append(practice("answer-fast", Value(grade="D", high=410.0), owed, [pareto]) if answer_fast_ready else needs_data())
    return {result.notebook: result for result in found}


def nothing_unsaid(study) -> bool:
    """Whether every sentence that a practice has to say of a shop can be said, and speaks of nothing that is missing."""
    from loyalty_lab.language import Texts

    texts, found = Texts("en"), study.findings
    said = [texts.say(m) for m in found.messages] + [texts.say(part) for f in found.figures for part in (f.title, f.alt)]
    said += [texts.say(row.reason, **row.arguments) for row in study.candidates.itertuples()]
    said += [texts.say(key) for key in [*study.worth.rows["key"], *study.worth.value.assumptions]]
    plainly = study.candidates["arguments"].map(lambda args: plain(args) == args).all()
    return bool(all(said) and not any("–" in each for each in said) and plainly)
