"""A real e-mail experiment with 64,000 customers: what the e-mails caused, and whom they are worth sending to."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from loyalty_lab import effects, lessons, study
from loyalty_lab.errors import InputError
from loyalty_lab.estimates import Estimate
from loyalty_lab.lessons import uplift
from loyalty_lab.proportions import LEVEL, wilson
from loyalty_lab.trial import SRM_ALARM

NONE, WOMENS, MENS = ARMS = ("No E-Mail", "Womens E-Mail", "Mens E-Mail")
OUTCOMES = {"visits": "visits, of 100", "conversions": "purchases, of 100", "spend": "spend, $ a customer"}
KNOWN_BEFORE = ["recency", "history", "mens", "womens", "newbie", "zip_code", "channel"]
BOUGHT, DID_NOT = "bought women's goods", "did not"
RESAMPLES = 2_000


@cache
def facts() -> dict[str, Any]:
    """Return the content of hillstrom.toml: source, totals, what was measured on the file, and sentences.

    Examples
    --------
    >>> sum(cell["customers"] for cell in facts()["totals"])
    64000
    """
    return tomllib.loads(Path(__file__).with_name("hillstrom.toml").read_text(encoding="utf-8"))


def totals_of(people: pd.DataFrame) -> pd.DataFrame:
    """Sum up the file as far as the lesson needs it, to the cent.

    Parameters
    ----------
    people : pandas.DataFrame
        One row a customer: `segment`, `womens`, `visit`, `conversion`, `spend` in dollars.

    Returns
    -------
    pandas.DataFrame
        Index `arm`, `womens` (0, 1); columns `customers`, `visits`, `conversions`, `spend`, `spend_squared`.

    Examples
    --------
    >>> people = pd.DataFrame({"segment": NONE, "womens": 1, "visit": [1, 0], "conversion": 0, "spend": [0.1, 0.2]})
    >>> totals_of(people).loc[(NONE, 1)].tolist()
    [2.0, 1.0, 0.0, 0.3, 0.05]
    """
    cents = (people["spend"] * 100).round().astype("int64")
    rows = people.assign(customers=1, spend=cents, spend_squared=cents**2, arm=people["segment"])
    rows = rows.rename(columns={"visit": "visits", "conversion": "conversions"})
    sums = rows.groupby(["arm", "womens"])[["customers", "visits", "conversions", "spend", "spend_squared"]].sum()
    return sums.assign(spend=sums["spend"] / 100, spend_squared=sums["spend_squared"] / 10_000)


def read(path: str | Path) -> pd.DataFrame:
    """Read the file of the experiment, if it is that file to the byte.

    Raises
    ------
    InputError
        If there is no such file, or its sha256 is not the one in hillstrom.toml.
    """
    place = Path(path)
    if not place.is_file():
        raise InputError(str(path), "there is no such file", facts()["say"]["remedy"])
    content = place.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != facts()["sha256"]:
        what = f"holds {len(content):,} bytes with the sha256 {found}, and not {facts()['bytes']:,} with {facts()['sha256']}"
        raise InputError(str(path), what, facts()["say"]["remedy"])
    return pd.read_csv(place)


def difference(treated: pd.Series, control: pd.Series, outcome: str) -> Estimate:
    """Return the mean of an outcome among the treated less that among the controls, from sums alone.

    Welch's interval: means and variances follow from the number of customers, the sum and the sum of squares
    (of a yes or no they are the same).

    Parameters
    ----------
    treated, control : pandas.Series
        `customers`, the outcome and, for spend, `spend_squared`; as in a row of `totals_of`.
    outcome : {"visits", "conversions", "spend"}

    Returns
    -------
    estimates.Estimate
        A share (0.05 is five of a hundred) or dollars a customer.

    References
    ----------
    Welch (1947), The generalization of Student's problem when several different population variances are
    involved, Biometrika 34.

    Examples
    --------
    >>> treated, control = (pd.Series({"customers": 1000, "visits": visits}) for visits in (150, 100))
    >>> found = difference(treated, control, "visits")
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.05, 0.021, 0.079)
    """
    from scipy.special import stdtr, stdtrit

    (mean, noise, n), (other, other_noise, m) = (_mean(sums, outcome) for sums in (treated, control))
    value, spread = mean - other, sqrt(noise + other_noise)
    if spread == 0:
        return Estimate(value, value, value, 1.0 if value == 0 else 0.0)
    freedom = (noise + other_noise) ** 2 / (noise**2 / (n - 1) + other_noise**2 / (m - 1))
    wide = float(stdtrit(freedom, (1 + LEVEL) / 2))
    return Estimate(value, value - wide * spread, value + wide * spread, float(2 * stdtr(freedom, -abs(value / spread))))


def _mean(sums: pd.Series, outcome: str) -> tuple[float, float, float]:
    """A mean, its squared standard error, and how many it rests on."""
    n, total = float(sums["customers"]), float(sums[outcome])
    squares = float(sums["spend_squared"]) if outcome == "spend" else total
    return total / n, (squares - total**2 / n) / (n - 1) / n, n


def sample_of(people: pd.DataFrame) -> uplift.Sample:
    """Return the customers of the women's e-mail and of none, with what was known of them before and whether they visited."""
    rows = people[people["segment"].isin([NONE, WOMENS])]
    X = pd.get_dummies(rows[KNOWN_BEFORE], dtype="float64").to_numpy()
    treated, visited, column = rows["segment"] == WOMENS, rows["visit"], rows["womens"]
    return uplift.Sample(X, *(each.to_numpy("int64") for each in (treated, visited, column)))


@dataclass(frozen=True)
class Lesson:
    """The experiment, step by step; every step returns what Jupyter displays.

    Parameters
    ----------
    totals : pandas.DataFrame
        As of `totals_of`.
    people : pandas.DataFrame, optional
        As of `read`; only the comparison of rankings needs it.
    """

    totals: pd.DataFrame
    people: pd.DataFrame | None = None

    def sums(self, arms: Sequence[str], womens: int | None = None) -> pd.Series:
        """Add up some arms, or those of their customers who bought women's goods the year before (1) or did not (0)."""
        rows = self.totals.loc[list(arms)]
        return (rows if womens is None else rows.xs(womens, level="womens")).sum()

    def arms(self) -> pd.DataFrame:
        """Show how many customers each group has, and what they did in the two weeks."""
        rows = {arm: _done(self.sums([arm])) for arm in ARMS}
        names = ["customers", "visited", "visited, of 100", "bought", "bought, of 100", "spent, $", "spent, $ a customer"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=names)

    def sample_ratio_p(self) -> float:
        """Return how likely three groups as unequal as these are, if each customer had the same chance of each (chi-square)."""
        from scipy.special import chdtrc

        counts = self.totals["customers"].groupby(level="arm").sum()
        expected = counts.sum() / len(counts)
        return float(chdtrc(len(counts) - 1, ((counts - expected) ** 2 / expected).sum()))

    def lot(self) -> Any:
        """Say whether the groups are as large as the lot should have made them."""
        p = self.sample_ratio_p()
        return study.markdown(facts()["say"]["lot_kept" if p >= SRM_ALARM else "lot_broken"].format(p=p))

    def effects(self, control: Sequence[str] = (NONE,)) -> pd.DataFrame:
        """Show what each e-mail caused, beside the groups that are taken as control, with 95% intervals."""
        return self._differences({arm: self.sums([arm]) for arm in ARMS if arm not in control}, self.sums(control))

    def small_control(self, share: float) -> pd.DataFrame:
        """Show how sure the women's e-mail's effects would be, had only this share of its customers been kept without it."""
        customers = self.sums([WOMENS])["customers"] + self.sums([NONE])["customers"]
        kept = round(share * customers)
        treated, control = (_resized(self.sums([arm]), n) for arm, n in ((WOMENS, customers - kept), (NONE, kept)))
        return self._differences({WOMENS: treated}, control)

    def _differences(self, treated: dict[str, pd.Series], control: pd.Series) -> pd.DataFrame:
        rows = {}
        for arm, sums in treated.items():
            for outcome, name in OUTCOMES.items():
                write = _dollars if outcome == "spend" else _hundreds
                rows[arm, name] = _with_interval(difference(sums, control, outcome), write)
        return pd.DataFrame(list(rows.values()), index=pd.MultiIndex.from_tuples(rows), columns=["difference", "interval"])

    def visits(self) -> Any:
        """Draw who visited, group by group."""
        sums = {arm: self.sums([arm]) for arm in (MENS, WOMENS, NONE)}
        ends = [wilson(int(each["visits"]), int(each["customers"])) for each in sums.values()]
        values = [each["visits"] / each["customers"] for each in sums.values()]
        data = _bars(sums, values, ends, [each["customers"] for each in sums.values()], "share1")
        return lessons.picture("bars", data, facts()["say"]["visits_alt"])

    def column_effects(self, email: str = WOMENS) -> dict[str, tuple[float, Estimate]]:
        """Return customers and effect on visits among those who bought women's goods the year before, those who did not, and all."""
        groups = {BOUGHT: 1, DID_NOT: 0, "all": None}
        pairs = {name: [self.sums([arm], womens) for arm in (email, NONE)] for name, womens in groups.items()}
        return {name: (sum(each["customers"] for each in pair), difference(*pair, "visits")) for name, pair in pairs.items()}

    def by_column(self, email: str = WOMENS) -> pd.DataFrame:
        """Show the e-mail's effect on visits, of 100 customers, split by one column of the year before."""
        found = self.column_effects(email)
        rows = {name: [f"{customers:,.0f}", *_with_interval(effect, _hundreds)] for name, (customers, effect) in found.items()}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["customers", "more visits, of 100", "interval"])

    def column_picture(self, email: str = WOMENS) -> Any:
        """Draw the e-mail's effect on visits among those who bought women's goods the year before, and those who did not."""
        effect = self.column_effects(email)
        groups = {name: effect[name] for name in (BOUGHT, DID_NOT)}
        found = [each for _, each in groups.values()]
        data = _bars(
            groups, [each.value for each in found], [(each.low, each.high) for each in found], [n for n, _ in groups.values()], "points"
        )
        return lessons.picture("bars", data | {"reference": effect["all"][1].value}, facts()["say"]["column_alt"])

    def cells(self, email: str = WOMENS) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the e-mail and none as rows with weights: the one column as score, treated, visited, how many."""
        rows = [
            (womens, int(arm == email), visited, sums["visits"] if visited else sums["customers"] - sums["visits"])
            for arm in (email, NONE) for womens in (1, 0) for visited in (1, 0) for sums in [self.sums([arm], womens)]
        ]  # fmt: skip
        return tuple(np.array(rows, dtype="float64").T)

    def gains(self, email: str = WOMENS) -> pd.DataFrame:
        """Show what is gained by writing first to those who bought women's goods, beside what as many drawn by lot would give."""
        share, gain = uplift.gain_curve(*self.cells(email))
        by_lot = share * gain[-1]
        columns = {"customers, of 100": share, "more visits, of 100": gain, "by lot": by_lot, "ahead": gain - by_lot}
        stops = ["nobody", f"those who {BOUGHT}", "everybody"]
        return pd.DataFrame({name: [_hundreds(each) for each in column] for name, column in columns.items()}, index=stops)

    def qini(self, email: str = WOMENS) -> Any:
        """Say the Qini coefficient of the one column, with its bootstrap interval."""
        low, high = uplift.qini_interval(*self.cells(email), resamples=RESAMPLES)
        return study.markdown(facts()["say"]["qini"].format(email=email, value=uplift.qini(*self.cells(email)), low=low, high=high))

    def rankings(self) -> Any:
        """Show how models rank beside the one column; without the file, say what would stand here."""
        if self.people is None:
            return study.markdown(facts()["say"]["needs_file"])
        found = uplift.rankings(sample_of(self.people))
        rows = {row.Index: [_four(row.qini), _four(row.spread), row.ahead, f"{_four(row.low)} to {_four(row.high)}"]
                for row in found.itertuples()}  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index", columns=["Qini", "spread", "ahead of the column", "interval, first split"])

    def sizes(self) -> pd.DataFrame:
        """Show what two models find when they learn from fewer customers, as it was measured on the file."""
        rows = {row.pop("customers"): row for row in map(dict, facts()["sizes"])}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("learnt from")

    def own_shop(self, customers: int) -> pd.DataFrame:
        """Show how many customers it takes to see what the women's e-mail caused here, and what a shop of this size would see."""
        rows, half = {}, customers // 2
        for outcome in ("visits", "conversions"):
            without, with_it = (sums[outcome] / sums["customers"] for sums in (self.sums([NONE]), self.sums([WOMENS])))
            needed = 2 * effects.people_needed(without, with_it - without)
            seen = effects.detectable_difference(without, half, customers - half)
            shown = ["–" if each is None else _hundreds(each) for each in (without, with_it - without, seen)]
            rows[OUTCOMES[outcome]] = [*shown[:2], f"{needed:,}", shown[2]]
        names = ["without the e-mail", "more with it", "customers needed", f"smallest rise that {customers:,} show"]
        return pd.DataFrame.from_dict(rows, orient="index", columns=names)


def open_lesson(hillstrom_file: str = "") -> Lesson:
    """Open the lesson.

    Parameters
    ----------
    hillstrom_file : str
        Path of hillstrom.csv; empty: the lesson works from the totals in hillstrom.toml.

    Raises
    ------
    InputError
        If the file is missing or is not the file of the experiment.

    Examples
    --------
    >>> open_lesson().column_effects()["all"][1].value.__round__(6)
    0.045233
    """
    totals = pd.DataFrame(facts()["totals"]).set_index(["arm", "womens"])
    return Lesson(totals, read(hillstrom_file) if hillstrom_file else None)


def _three(value: float) -> str:
    """Three significant digits, and the minus sign of the house."""
    return f"{value:#.3g}".rstrip(".").replace("-", "−")


def _hundreds(share: float) -> str:
    return _three(100 * share)


def _four(qini: float) -> str:
    return f"{qini:.4f}".replace("-", "−")


def _dollars(amount: float) -> str:
    return f"{amount:.2f}".replace("-", "−")


def _with_interval(found: Estimate, write: Callable[[float], str]) -> list[str]:
    return [write(found.value), f"{write(found.low)} to {write(found.high)}"]


def _done(sums: pd.Series) -> list[str]:
    """What a group did, as the table of groups shows it."""
    n, visits, conversions, spend = (float(sums[name]) for name in ("customers", *OUTCOMES))
    counts = [f"{each:,.0f}" for each in (n, visits, conversions)]
    return [counts[0], counts[1], _hundreds(visits / n), counts[2], _hundreds(conversions / n), f"{spend:,.2f}", _dollars(spend / n)]


def _resized(sums: pd.Series, customers: float) -> pd.Series:
    """The same group with more or fewer customers who do the same."""
    return sums * (customers / sums["customers"])


def _bars(labels: Any, values: list[float], ends: list[tuple[float, float]], ns: list[float], unit: str) -> dict[str, Any]:
    lows, highs = (list(each) for each in zip(*ends, strict=True))
    return {"labels": [lessons.label(each) for each in labels], "values": values, "lows": lows, "highs": highs,
            "ns": [int(n) for n in ns], "unit": unit}  # fmt: skip
