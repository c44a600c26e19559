"""What all pages are built with, and the pages of scorecard, pictures, data and method."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from loyalty_lab import charts, logo
from loyalty_lab.drawer import Drawer
from loyalty_lab.language import NOTHING, Texts, clean
from loyalty_lab.results import Fact, Figure, Message, Result
from loyalty_lab.shop import ShopSettings

FULL_MM, MAIN_MM, SPARK_MM = 168, 126, 40
SIX = (
    "customer_retention_rate",
    "churn_rate",
    "repeat_customer_rate",
    "purchase_frequency",
    "net_promoter_score",
    "expected_revenue_next_year",
)
BRIDGE = ("gross", "discounts", "refunds", "dropped", "net")


@dataclass(frozen=True)
class Book:
    """One playbook in one language: the results it is made of, and how it says things.

    `run` holds `cutoff`, `report_date`, `horizon_days`, `inputs`, `version`; `intake` is what
    ``check --json`` prints; `actions` is what `results/actions.json` holds.
    """

    results: dict[str, Result]
    actions: list[dict[str, Any]]
    shop: ShopSettings
    intake: dict[str, Any]
    run: dict[str, Any]
    language: str
    drawer: Drawer = field(default_factory=Drawer)

    @cached_property
    def texts(self) -> Texts:
        return Texts(self.language, self.shop.currency)

    def say(self, key: str, **args: Any) -> str:
        """Say one of the texts all pages share."""
        return self.texts.say(f"common.{key}", **args)

    def part(self, key: str) -> Any:
        """Return one of the texts all pages share as it is."""
        return self.texts.part(f"common.{key}")

    def message(self, result: Result | None, role: str, otherwise: str = "") -> str:
        """Say what a result says in a role, or something else where it says nothing."""
        found = result.message(role) if result else None
        return self.texts.say(found) if found and self.texts.has(found.key) else otherwise

    def value(self, fact: Fact | None) -> str:
        """The value of a fact, or a dash."""
        return NOTHING if fact is None else self.texts.value(fact.value, fact.unit)

    def interval(self, fact: Fact | None) -> str:
        """The range of a fact, or nothing."""
        if fact is None or fact.interval is None or None in fact.interval[:2]:
            return ""
        unit = "share1" if fact.unit == "share" else fact.unit
        return self.range(*fact.interval[:2], unit)

    def range(self, low: float, high: float, unit: str) -> str:
        """Two ends of a range; of money, either both with cents or both without."""
        alike = {"like": max(abs(low), abs(high))} if unit == "money" else {}
        low_words, high_words = (getattr(self.texts, unit)(end, **alike) for end in (low, high))
        return self.say("to", low=low_words, high=high_words)

    def with_interval(self, fact: Fact | None) -> str:
        """The value of a fact with its range in brackets."""
        ends = self.interval(fact)
        return f"{self.value(fact)} ({ends})" if ends else self.value(fact)

    def label(self, slug: str, fact: str) -> str:
        """The name of a fact in words."""
        for key in (f"{slug}.fact.{fact}", f"metrics.{fact}.name"):
            if self.texts.has(key):
                return self.texts.say(key)
        return clean(fact.replace("_", " "))

    def draw(self, chart: str, data: dict[str, Any], width_mm: float) -> str:
        """One chart as SVG, in this language and the shop's colour."""
        return self.drawer.chart(chart, data, self.language, width_mm, self.shop.brand.accent)

    def figure(self, figure: Figure | None, width_mm: float = MAIN_MM, note: str = "") -> dict[str, str] | None:
        """One figure with its title and the words for those who cannot see it."""
        if figure is None or not figure.data:
            return None
        title, alt = (self.texts.say(words) if self.texts.has(words.key) else clean(figure.id) for words in (figure.title, figure.alt))
        return {"svg": self.draw(figure.chart, figure.data, width_mm), "title": title, "alt": alt, "note": note, "width": f"{width_mm}"}

    def figure_of(self, result: Result | None, name: str, width_mm: float = MAIN_MM, note: str = "") -> dict[str, str] | None:
        found = next((figure for figure in result.figures if figure.id == name), None) if result else None
        return self.figure(found, width_mm, note)

    def name(self, slug: str) -> str:
        """The name of a practice."""
        return self.texts.say(f"{slug}.name") if self.texts.has(f"{slug}.name") else clean(slug)

    def owner(self, slug: str) -> str:
        """The role that does it, in the reader's language if it is one of the usual ones."""
        role = self.shop.owners.get(slug) or self.shop.owners.get("default") or "owner"
        key = f"common.owner.{role}"
        return self.texts.say(key) if self.texts.has(key) else clean(role, 35)

    def lines(self, key: str) -> list[Any]:
        """A list of texts, empty where there is none."""
        return list(self.texts.part(key)) if self.texts.has(key) else []

    def optional(self, key: str, **args: Any) -> str:
        """A text that may be missing."""
        return self.texts.fill(self.texts.part(key), key, **args) if self.texts.has(key) else ""

    def step(self, slug: str, step: dict[str, str]) -> dict[str, str]:
        """One step to be taken, with who takes it."""
        return {"do": step["do"], "detail": step.get("detail", ""), "who": self.owner(slug)}

    def ready(self, slug: str) -> Result | None:
        """The result of a notebook that could say something."""
        result = self.results.get(slug)
        return result if result and result.status in ("ready", "too early") else None


def face(shop: ShopSettings, language: str) -> dict[str, Any]:
    """What every printed document begins with: language, digits, and the shop's name, colour and logo."""
    texts = Texts(language)
    return {
        "lang": language,
        "region": texts.locale.territory,
        "digits": list(texts.part("language.digits")),
        "counter": texts.part("language.counter"),
        "style": {name: str(value) for name, value in texts.part("language.print").items()},
        "brand": {"shop": clean(shop.name), "accent": charts.safe_accent(shop.brand.accent), "logo": logo.drawn(shop.brand.logo)},
    }


def scorecard(book: Book) -> dict[str, Any]:
    """The page of six metrics."""
    result = book.ready("scorecard")
    return {
        "kicker": book.say("scorecard.kicker", cutoff=book.run["cutoff"]),
        "title": book.say("scorecard.title" if result else "scorecard.failed"),
        "section": book.say("section.scorecard"),
        "metrics": [_metric(book, result, name) for name in SIX] if result else [],
        "footnote": book.say("scorecard.footnote"),
    }


def _metric(book: Book, result: Result, name: str) -> dict[str, Any]:
    fact, seen = result.facts.get(name), trend(result, name)
    known = fact is not None and fact.value is not None
    before = seen[-5] if known and len(seen) >= 5 else None
    plain = book.texts.say(f"metrics.{name}.plain", value=fact.value) if known else book.say("scorecard.none")
    return {
        "name": book.texts.say(f"metrics.{name}.name"),
        "value": book.value(fact) if known else NOTHING,
        "interval": book.interval(fact) if known else "",
        "interval_label": book.say("scorecard.interval"),
        "change": "" if not known else book.say("scorecard.before_none") if before is None else _before(book, before, fact.unit),
        "plain": plain,
        "spark": sparkline(book, result, name),
        "passport": _passport(book, name, fact) + _target(book, result, name),
    }


def _before(book: Book, before: float, unit: str) -> str:
    return book.say("scorecard.before", value=book.texts.value(before, unit))


def _passport(book: Book, name: str, fact: Fact | None) -> list[list[str]]:
    rows = [[book.say("scorecard.formula"), book.texts.say(f"metrics.{name}.formula")]]
    if fact is not None and fact.window is not None:
        rows.append(
            [book.say("scorecard.window"), book.say("to", low=book.texts.date(fact.window[0]), high=book.texts.date(fact.window[1]))]
        )
    if fact is not None and fact.n:
        rows.append([book.say("scorecard.base"), book.texts.say(f"metrics.{name}.base", n=fact.n)])
    return rows


def _target(book: Book, result: Result, name: str) -> list[list[str]]:
    """Whether the shop's target for a metric is reached, where it has one."""
    table = result.tables.get("targets")
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows) if table else ()
    unit = result.facts[name].unit if name in result.facts else "count"
    return [
        [
            book.texts.say("scorecard.target.label"),
            book.texts.say(f"scorecard.target.{_reached(row)}", target=book.texts.value(row["target"], unit)),
        ]
        for row in rows
        if row["metric"] == name
    ]


def _reached(row: dict[str, Any]) -> str:
    return "no_value" if row["value"] is None else row["verdict"]


def trend(result: Result, name: str) -> list[float | None]:
    """The values of one metric, oldest first."""
    table = result.tables.get("trend")
    return [row[table.columns.index("value")] for row in table.rows if row[table.columns.index("metric")] == name] if table else []


def sparkline(book: Book, result: Result, name: str) -> dict[str, str] | None:
    """The small trend of one metric; None where there are not two values to join."""
    fact, values = result.facts.get(name), [value for value in trend(result, name) if value is not None]
    if fact is None or len(values) < 2:
        return None
    band = list(fact.interval[:2]) if fact.interval and None not in fact.interval[:2] else None
    data = {"values": values, "band": band, "unit": fact.unit, "currency": book.shop.currency}
    first, last = (book.texts.value(value, fact.unit) for value in (values[0], values[-1]))
    alt = book.say("scorecard.spark_alt", name=book.texts.say(f"metrics.{name}.name"), first=first, last=last)
    return {"svg": book.draw("sparkline", data, SPARK_MM), "alt": alt}


def pictures(book: Book) -> dict[str, Any] | None:
    """The page of two pictures: who the sales come from, and when customers leave."""
    result = book.ready("scorecard")
    found = [(name, book.figure_of(result, name, note=book.say(f"pictures.{name}_note"))) for name in ("lorenz", "cohorts")]
    items = [{"label": book.say(f"pictures.{name}"), "figure": figure} for name, figure in found if figure]
    if not items:
        return None
    return {
        "kicker": book.say("pictures.kicker"),
        "title": book.say("pictures.title"),
        "section": book.say("section.pictures"),
        "items": items,
    }


def method(book: Book) -> dict[str, Any]:
    """The pages of data and method: files read, rows left out, the bridge to net, rhythm, rules, hashes."""
    labels = {name: book.say(f"method.{name}") for name in ("read", "dropped", "bridge", "sign", "rhythm", "rules", "again", "warnings")}
    return {
        **{name: book.say(f"method.{name}") for name in ("title", "kicker", "sign_text", "again_text", "again_right", "dropped_none")},
        "section": book.say("section.method"),
        "labels": labels,
        "read_head": book.part("method.read_head"),
        "read_rows": [_read_row(book, name, table) for name, table in book.intake.get("tables", {}).items()],
        "dropped_head": book.part("method.dropped_head"),
        "dropped_rows": _dropped(book),
        "bridge_figure": _bridge(book),
        "bridge_text": _bridge_text(book),
        "warnings": [warning(book, each) for each in book.intake.get("warnings", [])],
        "sign_who": book.part("method.sign_who"),
        "rhythm_text": book.message(book.ready("start-here"), "horizon"),
        "rhythm_figure": book.figure_of(book.ready("start-here"), "repurchase"),
        "rules_rows": [[rule["term"], rule["text"]] for rule in book.part("method.rule")],
        "again_rows": _again(book),
    }


def _read_row(book: Book, name: str, table: dict[str, Any]) -> list[str]:
    texts = book.texts
    counts = [texts.count(table.get("rows_in")), texts.count(table.get("rows_out"))]
    return [_named(book, "table", name), *counts, texts.date(table.get("first_day")), texts.date(table.get("last_day"))]


def _dropped(book: Book) -> list[list[str]]:
    tables = book.intake.get("tables", {}).items()
    return [
        [_named(book, "table", name), _named(book, "reason", reason), book.texts.count(n)]
        for name, table in tables
        for reason, n in table.get("dropped", {}).items()
        if n
    ]


def _named(book: Book, kind: str, name: str) -> str:
    key = f"common.{kind}.{name.replace(' ', '_')}"
    return book.texts.say(key) if book.texts.has(key) else clean(name)


def _bridge(book: Book) -> dict[str, str] | None:
    orders = book.intake.get("orders") or {}
    if not all(name in orders for name in BRIDGE) or float(orders["gross"]) <= 0 or float(orders["net"]) <= 0:
        return None
    signs = (1, -1, -1, -1, 1)
    data = {
        "labels": [{"key": f"common.bridge.{name}"} for name in BRIDGE],
        "values": [sign * float(orders[name]) for sign, name in zip(signs, BRIDGE, strict=True)],
        "currency": book.shop.currency,
    }
    ends = {"gross": orders["gross"], "net": orders["net"]}
    title, alt = (Message(key=f"common.method.bridge_{part}", args=ends) for part in ("title", "alt"))
    return book.figure(Figure(id="bridge", chart="bridge", data=data, title=title, alt=alt), note=book.say("method.bridge_sub"))


def _bridge_text(book: Book) -> str:
    orders = book.intake.get("orders") or {}
    args = {"orders": orders.get("orders"), "customers": orders.get("customers"), "anonymous": orders.get("anonymous_net")}
    return book.say("method.bridge_text" if float(args["anonymous"] or 0) else "method.bridge_known", **args)


def warning(book: Book, each: Any) -> str:
    """One warning of intake: a message, or a sentence as it came."""
    if isinstance(each, str):
        return clean(each, limit=300)
    message = each if isinstance(each, dict) else {"key": each.key, "args": each.args}
    return book.texts.say(message) if book.texts.has(message["key"]) else clean(message["key"], limit=300)


def _again(book: Book) -> list[list[str]]:
    run, texts = book.run, book.texts
    rows = [
        [book.say("method.version"), str(run.get("version", NOTHING))],
        [book.say("method.cutoff"), texts.date(run["cutoff"])],
        [book.say("method.report_date"), texts.date(run["report_date"])],
        [book.say("method.horizon"), texts.days(run["horizon_days"])],
    ]
    read = dict.fromkeys((each["name"], each["sha256"]) for each in run.get("inputs", []))  # a file may hold two tables
    return rows + [[clean(name, 60), f"sha256 {digest[:12]}…{digest[-4:]}"] for name, digest in read]
