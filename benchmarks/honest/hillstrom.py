"""A real experiment whose numbers are known: the e-mails of the MineThatData challenge (Hillstrom 2008), 64,000 customers, three arms."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pandas as pd

from honest import Goal, Size, table
from loyalty_lab import proportions, trial

SHA256 = "0e5893329d8b93cefecc571777672028290ab69865718020c78c7284f291aece"
NONE, WOMENS, MENS = "No E-Mail", "Womens E-Mail", "Mens E-Mail"
# As known: what was counted in each arm; rates and mean spend; differences with their 95% interval and p-value.
COUNTS = {NONE: (21_306, 2_262, 122, "13908.33"), WOMENS: (21_387, 3_238, 189, "23038.11"), MENS: (21_307, 3_894, 267, "30311.69")}
MEANS = {
    NONE: ("0.106167", "0.005726", "0.652789"),
    WOMENS: ("0.151400", "0.008837", "1.077202"),
    MENS: ("0.182757", "0.012531", "1.422617"),
}
APART = {
    (MENS, NONE, "visit"): ("0.076590", "0.069953", "0.083226", ""),
    (MENS, NONE, "conversion"): ("0.006805", "0.005000", "0.008610", "1.5e-13"),
    (MENS, NONE, "spend"): ("0.769827", "0.485140", "1.054515", "1.2e-7"),
    (WOMENS, NONE, "visit"): ("0.045233", "0.038893", "0.051573", ""),
    (WOMENS, NONE, "conversion"): ("0.003111", "0.001499", "0.004724", "1.56e-4"),
    (WOMENS, NONE, "spend"): ("0.424412", "0.168957", "0.679868", "0.0011"),
    (MENS, WOMENS, "spend"): ("0.345", "0.033", "0.658", "0.030"),
}
SAMPLE_RATIO = "0.904"
OUTCOMES = ("visit", "conversion", "spend")
MEAN, END, P = 1e-6, 1e-4, 0.01


def measured(size: Size, data: Path | None) -> dict[str, Any]:
    """Every number known of the experiment beside ours; nothing where its file is not at hand."""
    path = data / "hillstrom.csv" if data else None
    if path is None or not path.exists():
        return {"skipped": "hillstrom.csv is not at hand; give --data FOLDER"}
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if seen != SHA256:
        return {"skipped": f"hillstrom.csv has the sha256 {seen}, not {SHA256}"}
    emails = pd.read_csv(path)
    return {"rows": [*_arms(emails), *_differences(emails), _sample_ratio(emails)]}


def _arms(emails: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for arm, (n, *counts) in COUNTS.items():
        mine = emails[emails["segment"] == arm]
        sums = [float(mine[name].sum()) for name in OUTCOMES]
        means = [proportions.share(int(count), len(mine)).value for count in sums[:2]] + [float(mine["spend"].mean())]
        rows.append(_line(f"{arm}: customers", str(n), len(mine), 0))
        for at, name in enumerate(OUTCOMES):
            rows.append(_line(f"{arm}: {name}, sum", str(counts[at]), sums[at], 0.005))
            rows.append(_line(f"{arm}: {name}, mean", MEANS[arm][at], means[at], MEAN))
    return rows


def _differences(emails: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for (one, other, outcome), (value, low, high, p) in APART.items():
        found, what = trial.difference(as_round(emails, one, other), outcome), f"{one} - {other}: {outcome}"
        rows.append(_line(what, value, found.value, MEAN))
        rows += [_line(f"{what}, low", low, found.low, END), _line(f"{what}, high", high, found.high, END)]
        rows += [_line(f"{what}, p", p, found.p, P * float(p))] if p else []
    return rows


def as_round(emails: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Two arms as a round that was split by lot, half and half."""
    both = emails[emails["segment"].isin([one, other])]
    arm = both["segment"].map({one: trial.TREATED, other: trial.CONTROL})
    return both.assign(arm=arm, stratum="all", pair="", propensity=0.5)


def _sample_ratio(emails: pd.DataFrame) -> dict[str, Any]:
    """Three arms at once; `trial.sample_ratio_p` knows two."""
    from scipy.stats import chisquare

    p = float(chisquare(emails["segment"].value_counts()).pvalue)
    return _line("three arms as many as meant, p", SAMPLE_RATIO, p, P * float(SAMPLE_RATIO))


def _line(what: str, known: str, ours: float, tolerance: float) -> dict[str, Any]:
    """Known and ours; what is known with fewer digits than the tolerance may differ by half of its last."""
    # The least bit more, for numbers that lie on the bound itself.
    allowed = max(tolerance, _half_a_digit(known)) * (1 + 1e-9)
    return {"what": what, "known": known, "ours": ours, "same": abs(ours - float(known)) <= allowed}


def _half_a_digit(known: str) -> float:
    digits, _, power = known.partition("e")
    return 0.5 * 10.0 ** (int(power or 0) - len(digits.partition(".")[2])) if "." in digits else 0.0


def text(found: dict[str, Any]) -> list[str]:
    """How many are alike, and the differences line by line."""
    if "skipped" in found:
        return [f"Not run: {found['skipped']}."]
    met, shown = sum(each["same"] for each in found["rows"]), [each for each in found["rows"] if " - " in each["what"] or not each["same"]]
    rows = [[each["what"], each["known"], f"{each['ours']:.6g}", "yes" if each["same"] else "**no**"] for each in shown]
    return [
        f"{met} of {len(found['rows'])} known numbers are met: counts and sums to the last digit, means and differences to 0.000001, ends "
        "of intervals to 0.0001, p-values to 1%; where fewer digits are known, to half of the last. The differences:", "",
        *table("what|known|ours|same", rows),
    ]  # fmt: skip


def goals(found: dict[str, Any]) -> list[Goal]:
    """All alike."""
    rows = found.get("rows", [])
    alike = sum(each["same"] for each in rows)
    return [("known numbers of the Hillstrom experiment", f"{alike} of {len(rows)}", alike == len(rows))] if rows else []
