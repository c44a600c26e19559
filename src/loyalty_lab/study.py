"""The reading side of a run: what a notebook opens, and the one question it studies."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loyalty_lab import candidates, questions, results, tactics, worth
from loyalty_lab.errors import UsageError
from loyalty_lab.language import Texts
from loyalty_lab.run import ASKED, EARLIER_FILE, FORECAST_PARTS, ROUNDS_FILE
from loyalty_lab.shop import Shelf, Shop, ShopSettings

if TYPE_CHECKING:
    import pandas as pd

    from loyalty_lab.demo import Demo


@dataclass(frozen=True)
class Run:
    """One run over one shop, as its notebooks see it: nothing later than the cutoff, nobody's name.

    `folder` is where results are written; None (the demo) writes nothing. `shelf` holds the shop's tables and remembers which
    were asked for.
    """

    shop: Shop
    cutoff: date
    report_date: date
    horizon_days: int
    folder: Path | None = None
    shelf: Shelf | None = None

    @cached_property
    def forecast(self) -> pd.DataFrame:
        """One row per customer known at the cutoff: what is likely in the horizon, and what it is worth."""
        return self._forecast_and_backtest[0]

    @cached_property
    def backtest(self) -> dict:
        """How the forecast did at earlier cutoffs of this shop."""
        return self._forecast_and_backtest[1]

    @cached_property
    def rounds(self) -> pd.DataFrame:
        """Who had which arm in the rounds opened before the cutoff."""
        import pandas as pd

        if self.folder is None:
            return _demo().rounds(self.cutoff)
        return pd.read_csv(self.folder / ROUNDS_FILE, dtype="str", keep_default_na=False)

    @cached_property
    def earlier(self) -> dict[str, Any] | None:
        """Cutoff and metrics (name to value) of the last report before this one; None where there is none."""
        if self.folder is None:
            return None
        return json.loads((self.folder / EARLIER_FILE).read_text(encoding="utf-8"))

    @cached_property
    def _forecast_and_backtest(self) -> tuple[pd.DataFrame, dict]:
        from loyalty_lab import forecast

        if self.folder is None:
            return forecast.for_shop(self.shop, self.cutoff, self.horizon_days)
        scores, history = (self.folder / part for part in FORECAST_PARTS)
        return forecast.read(scores), json.loads(history.read_text(encoding="utf-8"))

    def study(self, slug: str) -> Study:
        """Take up one question or tactic by its slug."""
        return Study(self, slug)


@dataclass(frozen=True)
class Study:
    """One question asked of one run: a step for each section of its notebook, then the result that is kept.

    Each step that shows something returns what Jupyter displays, in English. Where the shop
    lacks the table the question needs, every step says so instead of failing.
    """

    run: Run
    slug: str

    @cached_property
    def texts(self) -> Texts:
        return Texts("en", currency=self.run.shop.settings.currency)

    @cached_property
    def tactic(self) -> tactics.Tactic | None:
        return None if self.slug in questions.ANSWERS else tactics.find(self.slug)

    @cached_property
    def lacking(self) -> str | None:
        return self.run.shop.lacks(self.tactic.needs) if self.tactic else None

    @cached_property
    def findings(self) -> results.Findings:
        if self.lacking:
            return results.Findings()
        if self.tactic is None:
            return questions.ANSWERS[self.slug].find(self.run)
        return self._module.diagnose(self.run.shop, self.run.cutoff)

    @cached_property
    def worth(self) -> worth.Worth | None:
        if self.tactic is None or self.lacking:
            return None
        return self._module.value(self.run.shop, self.run.cutoff, self.run.forecast)

    @cached_property
    def candidates(self) -> pd.DataFrame:
        if self.tactic is None or self.lacking:
            return candidates.nobody()
        return self._module.act(self.run.shop, self.run.cutoff, self.run.forecast)

    @cached_property
    def measure(self) -> results.Measure | None:
        if self.tactic is None or self.lacking:
            return None
        from loyalty_lab import effects

        return effects.plan_for(
            self.tactic.kind, self.candidates, self.run.forecast, self.worth, self.run.report_date, self.run.horizon_days
        )

    @property
    def _module(self) -> Any:
        return import_module(f"loyalty_lab.tactics.{self.tactic.module}")

    @property
    def status(self) -> results.Status:
        if self.lacking:
            return "needs data"
        early = any(message.key.endswith(".too_early") for message in self.findings.messages)
        return "too early" if early else "ready"

    @property
    def reason(self) -> results.Message | None:
        return results.Message(key="common.needs_data", args={"need": self.lacking}) if self.lacking else None

    def facts(self) -> Any:
        """Show each number with its interval and how many it rests on."""
        import pandas as pd

        if self.lacking:
            return self._lack()
        rows = {self._label(name): self._fact_row(fact) for name, fact in self.findings.facts.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "interval", "n"])

    def table(self, name: str, rows: int = 10) -> Any:
        """Show the first rows of one table behind the facts."""
        return self._lack() or _rounded(self.findings.tables[name].head(rows))

    def draw(self, name: str) -> Any:
        """Draw one figure as it will be printed, with its finding as the title."""
        from loyalty_lab import charts

        if self.lacking:
            return self._lack()
        figure = next((figure for figure in self.findings.figures if figure.id == name), None)
        if figure is None:
            return markdown("*There is nothing to draw yet: the shop's exports hold too little for this picture.*")
        drawn = charts.draw(figure.chart, figure.data, language="en", accent=self.run.shop.settings.brand.accent)
        return image(charts.png(drawn), self.texts.say(figure.alt))

    def say(self, role: str) -> Any:
        """Say in words what was found under `role`: headline, stand, ..."""
        message = next((m for m in self.findings.messages if m.key.split(".")[1] == role), None)
        return self._lack() or markdown(self.texts.say(message) if message else "–")

    def lines(self, role: str) -> Any:
        """Say everything that was found under `role`, one line each: driver, unsure, resemble, ..."""
        said = [self.texts.say(message) for message in self.findings.messages if message.key.split(".")[1] == role]
        return self._lack() or markdown("\n".join(f"- {line}" for line in said) or "–")

    def value(self) -> Any:
        """Show the sum behind what the tactic is worth, its grade, and the break-even."""
        import pandas as pd

        if self.lacking:
            return self._lack()
        rows = self.worth.rows.itertuples()
        rows = {self.texts.say(worth.own(self.texts, self.slug, row.key)): self._display(row.value, row.unit) for row in rows}
        value = self.worth.value
        rows["evidence grade"] = value.grade or "–"
        rows["break-even"] = self.texts.one_in(value.break_even_rate)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["value"])

    def act(self, rows: int = 8) -> Any:
        """Show the head of the list: pseudonym, reason in words, what is at stake."""
        import pandas as pd

        if self.lacking:
            return self._lack()
        head = self.candidates.head(rows)
        reasons = [self.texts.say(row.reason, **row.arguments) for row in head.itertuples()]
        stake = [self.texts.money(value) for value in head["value_at_stake"]]
        amount = self.texts.say(worth.own(self.texts, self.slug, "lists.column.at_stake")).lower()
        shown = {"who": head["pseudonym"].to_numpy(), "why": reasons, amount: stake, "by": head["channel"].to_numpy()}
        return pd.DataFrame(shown, index=pd.Index(head["rank"], name="rank"))

    def plan(self) -> Any:
        """Show how and when it will be known whether the tactic worked."""
        import pandas as pd

        from loyalty_lab import effects

        if self.lacking:
            return self._lack()
        measure = self.measure
        rows = {
            "design": self.texts.say(f"measure.design.{measure.design}"),
            "outcome": self.texts.say(f"measure.outcome.{measure.outcome}"),
            "window": self.texts.days(measure.window_days),
            "read on": self.texts.date(measure.read_on),
        }
        rows |= {self.texts.say(key): self.texts.value(value, unit) for key, value, unit in effects.power_rows(measure)}
        if found := [self.texts.say(each) for each in (effects.verdict(measure), effects.caution(measure)) if each]:
            rows["can this shop prove it?"] = " ".join(found)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["plan"])

    def teach(self) -> Any:
        """Show the scene for two: what each knows, sentences to try, and what to ask afterwards."""
        scene = self.texts.part(f"{self.slug}.teach")
        lines = [f"**A.** {scene['role_a']}", f"**B.** {scene['role_b']}", "\n".join(f"- {line}" for line in scene["lines"])]
        watch = f"*{self.texts.part('common.labels.teach_watch')}* " + " ".join(scene["watch"])
        return markdown("\n\n".join([*lines, watch]))

    def exercises(self) -> Any:
        """Show the exercises, which the shop's own numbers answer."""
        return self._lack() or markdown("\n".join(f"{at}. {each['ask']}" for at, each in enumerate(self._exercises, start=1)))

    def solutions(self) -> Any:
        """Show the solutions, with the shop's own numbers."""
        solved = [self.texts.fill(each["solution"], f"{self.slug}.exercise", **self._args) for each in self._exercises]
        return self._lack() or markdown("\n".join(f"{at}. {words}" for at, words in enumerate(solved, start=1)))

    @property
    def _exercises(self) -> list[dict[str, str]]:
        return [] if self.lacking else self.texts.part(f"{self.slug}.exercise")

    @property
    def _args(self) -> dict[str, Any]:
        """What the sentences of a practice speak of."""
        return self.findings.messages[0].args

    def result(self) -> results.Result:
        """Put together everything that was found."""
        found = self.findings
        frames = {name: results.Table.of(frame) for name, frame in found.tables.items()}
        if self.worth is not None:
            frames["worth"] = results.Table.of(self.worth.rows)
        return results.Result(
            notebook=self.slug,
            kind="tactic" if self.tactic else questions.ANSWERS[self.slug].kind,
            status=self.status,
            reason=self.reason,
            cutoff=self.run.cutoff,
            facts=found.facts,
            tables=frames,
            value=self.worth.value if self.worth else None,
            measure=self.measure,
            claims=list(found.claims),
            figures=list(found.figures),
            messages=list(found.messages),
            rounds=list(found.rounds),
        )

    def save(self) -> Any:
        """Keep the result (and the list) where the run wants them, and recap in words."""
        result = self.result()
        if self.run.folder is not None:
            results.save(result, self.run.folder / "results")
            if self.run.shelf is not None:
                results.write_json(self.run.folder / ASKED / f"{self.slug}.json", sorted(self.run.shelf.asked))
            if self.tactic is not None and not self.lacking:
                _save_candidates(self.candidates, self.run.folder / "results" / f"{self.slug}.candidates.csv")
        return self._lack() or markdown("\n".join(f"- {self.texts.say(message)}" for message in result.messages))

    def _lack(self) -> Any:
        return (
            markdown(f"**Needs data:** `{self.lacking}`. The page in the playbook says how to start collecting it.")
            if self.lacking
            else None
        )

    def _label(self, fact: str) -> str:
        for key in (f"{self.slug}.fact.{fact}", f"metrics.{fact}.name"):
            if self.texts.has(key):
                return self.texts.say(key)
        return fact.replace("_", " ")

    def _fact_row(self, fact: results.Fact) -> list[str]:
        low_high = fact.interval[:2] if fact.interval else (None, None)
        level = f" ({fact.interval[2]:.0%})" if fact.interval else ""
        interval = "–" if None in low_high else " to ".join(self._display(end, fact.unit) for end in low_high) + level
        return [self._display(fact.value, fact.unit), interval, "–" if fact.n is None else self.texts.count(fact.n)]

    def _display(self, value: Any, unit: str) -> str:
        return "–" if value is None or value != value else getattr(self.texts, unit)(value)


def open_run(run_file: str) -> Run:
    """Open a run for reading.

    Parameters
    ----------
    run_file : str
        ``"demo"``: the demo shop, made in memory, nothing is written. Anything else is a JSON
        file of settings, relative to the folder the kernel works in, written by the driver.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If there is no such file.

    Examples
    --------
    >>> run = open_run("demo")
    >>> run.shop.settings.name, run.cutoff
    ('Corner Grocer', datetime.date(2026, 10, 31))
    """
    import pandas as pd

    pd.set_option("display.max_colwidth", None)  # a reason is read to its end
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", module="ipykernel")  # its own, when the kernel is shut down
    if run_file == "demo":
        return demo_run()
    path = Path(run_file)
    if not path.is_file():
        raise UsageError(run_file, "there is no such settings file", "give 'demo', or let `loyalty-lab playbook` start the notebook")
    given = json.loads(path.read_text(encoding="utf-8"))
    shelf = Shelf({name: path.parent / place for name, place in given["tables"].items()})
    shop = Shop(ShopSettings.model_validate(given["settings"]), shelf)
    cutoff = date.fromisoformat(given["cutoff"])
    return Run(shop.until(cutoff), cutoff, date.fromisoformat(given["report_date"]), given["horizon_days"], path.parent, shelf)


@cache
def _demo() -> Demo:
    from loyalty_lab import demo

    return demo.make()


def demo_run() -> Run:
    """Return the run over the demo shop; its cutoff is the shop's last day."""
    from loyalty_lab import customers

    shop = _demo().shop()
    cutoff = shop.last_day
    shop = shop.until(cutoff)
    return Run(shop, cutoff, cutoff + timedelta(days=1), customers.propose_horizon(shop.orders, cutoff))


def _save_candidates(candidates: pd.DataFrame, path: Path) -> None:
    written = candidates.assign(
        arguments=[json.dumps(results.plain(a), ensure_ascii=False, sort_keys=True) for a in candidates["arguments"]]
    )
    results.write_atomically(path, written.to_csv(index=False, lineterminator="\n").encode())


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Three significant digits: model numbers differ in the last ones from machine to machine."""
    floats = frame.select_dtypes("float").columns
    return frame.assign(**{name: [float(f"{value:.3g}") for value in frame[name]] for name in floats})


def image(png: bytes, alt: str) -> Any:
    """Return a picture as Jupyter displays it."""
    from IPython.display import Image

    return Image(data=png, alt=alt)


def markdown(text: str) -> Any:
    """Return words as Jupyter displays them.

    Examples
    --------
    >>> markdown("Nobody was left out.").data
    'Nobody was left out.'
    """
    from IPython.display import Markdown

    return Markdown(text)
