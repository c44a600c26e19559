"""How exact, fast, sturdy and accurate the models and forecasts are, beside lifetimes and pymc-marketing in the same run.

    python benchmarks/models.py [--data FOLDER] [--only exact,speed,shops,accuracy,few] [--customers 1000000] [--pymc]

FOLDER holds `cdnow` and `online_retail_II`. Writes `build/benchmarks/models.json` and `.md`. Ratios are theirs over ours; a
peer that cannot be had or breaks is reported as such. All run on one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from time import perf_counter, process_time
from typing import Any

import numpy as np
import pandas as pd
from accuracy import FEW, METRICS, ORIGINS, paired, shop_table, small_shop_rows
from accuracy import shops as real_shops
from joblib import Parallel, delayed
from simulated import HORIZON_DAYS, drifting_shop, large_shop, small_shop
from threadpoolctl import threadpool_limits

from loyalty_lab.btyd import BetaGeoModel, GammaGammaModel, ModifiedBetaGeoModel, ParetoNBDModel
from loyalty_lab.btyd.likelihood import WEEK, Distinct
from loyalty_lab.customers import customer_summary
from loyalty_lab.errors import InputError
from loyalty_lab.forecast import CustomerForecaster, forecast_customers
from loyalty_lab.proportions import wilson

OUT = Path(__file__).parent.parent / "build" / "benchmarks"
PURCHASES, VALUES = ("frequency", "recency", "T"), ("frequency", "monetary_value")
KINDS = {
    "BG/NBD": (BetaGeoModel, "BetaGeoFitter", PURCHASES), "MBG/NBD": (ModifiedBetaGeoModel, "ModifiedBetaGeoFitter", PURCHASES),
    "Pareto/NBD": (ParetoNBDModel, "ParetoNBDFitter", PURCHASES), "Gamma-Gamma": (GammaGammaModel, "GammaGammaFitter", VALUES),
}  # fmt: skip
MAPS = {"BG/NBD": "BetaGeoModel", "Gamma-Gamma": "GammaGammaModel"}
THEIR_NAMES = {"gamma": "v"}
SMALLEST_VALUE = 0.01
SHORT, REPEATS = 0.5, 3
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
FORECAST = """
import json, re, resource, sys
from datetime import date
from pathlib import Path
from time import perf_counter, process_time
import pandas as pd
from loyalty_lab.forecast import CustomerForecaster

def peak():
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text()).group(1)) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

orders, before = pd.read_pickle(sys.argv[1]), peak()
wall, cpu = perf_counter(), process_time()
forecaster = CustomerForecaster(91).fit(orders, date.fromisoformat(sys.argv[2]))
forecaster.predict()
found = {"seconds": perf_counter() - wall, "cpu": process_time() - cpu, "peak_mb": peak(), "orders_mb": before}
Path(sys.argv[3]).write_text(json.dumps(found | {"chosen": forecaster.backtest_.chosen}))
"""


def attempted(work: Callable) -> Any:
    """What a peer answers, or why it does not, in one line."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return work()
    except ImportError:
        return "not installed"
    except Exception as error:  # whatever a peer raises is a result
        return f"failed: {type(error).__name__}: {error}".splitlines()[0][:120]


def timed(work: Callable) -> dict[str, Any]:
    """Wall and CPU seconds, and the answer; the least of three where it is quick. In place of seconds, why there are none."""
    best: dict[str, Any] = {}
    for _ in range(REPEATS):
        wall, cpu = perf_counter(), process_time()
        answer = attempted(work)
        took = {"seconds": perf_counter() - wall, "cpu": process_time() - cpu, "answer": answer}
        if isinstance(answer, str):
            return {"answer": None, "why": answer}
        best = took if not best else min(best, took, key=lambda each: each["seconds"])
        if best["seconds"] > SHORT:
            break
    return best


# Exact: the same likelihood, evaluated at everybody's parameters.


def exact(given: argparse.Namespace) -> list[dict]:
    """Parameters and log-likelihood, time in weeks, on three summaries; ours and the peers'."""
    rows = []
    for data, summary in _summaries(given.data):
        for name, (_, _, columns) in KINDS.items():
            weeks = in_weeks(summary, columns)
            fits = {
                "loyalty_lab": timed(lambda n=name, s=summary: _ours(n, s)),
                "lifetimes": timed(lambda n=name, w=weeks: _lifetimes(n, w)),
            }
            if given.pymc and name in MAPS:
                fits["pymc-marketing MAP"] = timed(lambda n=name, w=weeks: _pymc(n, w))
            rows.append({"data": data, "model": name, "customers": len(weeks), "fits": _compared(name, weeks, fits)})
    return rows


def _summaries(data: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    sample = pd.read_csv(data / "cdnow/CDNOW_sample.txt", sep=r"\s+", header=None, usecols=[1, 2, 4])
    sample.columns = ["customer_id", "ordered_at", "net_amount"]
    # The published fits count the few visits of value zero as purchases.
    sample = sample.assign(ordered_at=pd.to_datetime(sample["ordered_at"].astype(str)), net_amount=sample["net_amount"].clip(lower=1e-4))
    yield "CDNOW sample", customer_summary(sample, date(1997, 9, 30))
    orders = dict(real_shops(data))
    yield "CDNOW full", customer_summary(orders["cdnow"], date(1997, 9, 30))
    yield "Online Retail II", customer_summary(orders["retail_II"], date(2011, 6, 10))


def in_weeks(summary: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    """Columns of a summary, time in weeks; for Gamma-Gamma only those who came back and spent something."""
    if columns == PURCHASES:
        return summary[list(columns)] / [1.0, WEEK, WEEK]
    return summary.loc[(summary["frequency"] > 0) & (summary["monetary_value"] >= SMALLEST_VALUE), list(columns)]


def _ours(name: str, summary: pd.DataFrame) -> dict[str, float]:
    kind, _, columns = KINDS[name]
    params = kind().fit(summary if columns == PURCHASES else in_weeks(summary, columns)).params_
    return {key: float(value) / (WEEK if key in ("alpha", "beta") else 1.0) for key, value in params.items()}


def _lifetimes(name: str, weeks: pd.DataFrame) -> dict[str, float]:
    import lifetimes

    kind, fitter, columns = KINDS[name]
    # Its Pareto/NBD draws where to start from numpy's global generator.
    np.random.seed(0)
    params = getattr(lifetimes, fitter)().fit(*(weeks[column] for column in columns)).params_
    return {key: float(params[THEIR_NAMES.get(key, key)]) for key in kind._names}


def _pymc(name: str, weeks: pd.DataFrame) -> dict[str, float]:
    """Greatest posterior under the priors it comes with."""
    from pymc_marketing import clv

    model = getattr(clv, MAPS[name])()
    model.fit(weeks.rename_axis("customer_id").reset_index(), method="map", progressbar=False)
    return {key: float(model.fit_result[THEIR_NAMES.get(key, key)].mean()) for key in KINDS[name][0]._names}


def likelihood_at(name: str, weeks: pd.DataFrame, params: dict[str, float]) -> float:
    """Our log-likelihood at anybody's parameters."""
    kind, _, columns = KINDS[name]
    model = kind()
    model._data = Distinct.of([weeks[column].to_numpy(dtype="float64") for column in columns])
    return float(model._log_likelihood(np.log([params[key] for key in kind._names]))[0])


def _compared(name: str, weeks: pd.DataFrame, fits: dict[str, dict]) -> dict[str, dict]:
    found, ours = {}, fits["loyalty_lab"]["answer"]
    for who, fit in fits.items():
        params = fit.pop("answer")
        if params:
            likelihood = likelihood_at(name, weeks, params)
            apart = max(abs(params[key] / ours[key] - 1) for key in params)
            fit |= {"params": params, "log_likelihood": likelihood, "params_apart": apart}
            best = likelihood_at(name, weeks, ours)
            fit["likelihood_apart"] = (likelihood - best) / abs(best)
        found[who] = fit
    return found


def exact_text(rows: list[dict]) -> list[str]:
    """One line a fit; apart are the largest relative difference of a parameter, and that of the log-likelihood: below 0, ours is higher."""
    lines = []
    for row in rows:
        for who, fit in row["fits"].items():
            front = [row["data"], row["model"], who]
            if "why" in fit:
                lines.append([*front, fit["why"], "", "", "", ""])
                continue
            params = " ".join(f"{value:.5g}" for value in fit["params"].values())
            apart = ["", ""] if who == "loyalty_lab" else [f"{fit['params_apart']:.1e}", f"{fit['likelihood_apart']:+.1e}"]
            lines.append([*front, params, f"{fit['log_likelihood']:.3f}", f"{fit['seconds']:.3f}", *apart])
    return ["## Exact", "", *table("data|model|by|parameters (weeks)|log-likelihood|s|parameters apart|likelihood apart", lines)]


# Speed: one large shop, step by step, and the whole forecast in a process of its own.


def speed(given: argparse.Namespace) -> dict[str, Any]:
    """Every step from orders to predictions, ours and the peers', in the same run."""
    shop = large_shop(given.customers, given.seed)
    # What is only loaded once is loaded before the clock runs.
    _summary_steps(shop.orders.head(1000), shop.cutoff, given)
    steps = _summary_steps(shop.orders, shop.cutoff, given)
    summary = steps["summary"]["loyalty_lab"]["answer"]
    steps |= _fit_steps(summary, given)
    for step in steps.values():
        for took in step.values():
            took.pop("answer", None)
    found = {"customers": given.customers, "orders": len(shop.orders), "repeaters": int((summary["frequency"] > 0).sum()), "steps": steps}
    found["forecast"] = {f"{given.customers:,} simulated": alone(shop.orders, shop.cutoff)}
    if (given.data / "cdnow").exists():
        cdnow = next(orders for name, orders in real_shops(given.data) if name == "cdnow")
        found["forecast"]["CDNOW full"] = alone(cdnow, date(1997, 9, 30))
    return found


def _summary_steps(orders: pd.DataFrame, cutoff: date, given: argparse.Namespace) -> dict[str, dict]:
    steps = {"loyalty_lab": timed(lambda: customer_summary(orders, cutoff)), "lifetimes": timed(lambda: _their_summary(orders, cutoff))}
    if given.pymc:
        steps["pymc-marketing"] = timed(lambda: _pymc_summary(orders, cutoff))
    return {"summary": steps}


def _their_summary(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    from lifetimes.utils import summary_data_from_transaction_data

    return summary_data_from_transaction_data(
        orders, "customer_id", "ordered_at", "net_amount", observation_period_end=pd.Timestamp(cutoff)
    )


def _pymc_summary(orders: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    from pymc_marketing.clv import rfm_summary

    return rfm_summary(orders, "customer_id", "ordered_at", "net_amount", observation_period_end=pd.Timestamp(cutoff))


def _fit_steps(summary: pd.DataFrame, given: argparse.Namespace) -> dict[str, dict]:
    """Fits on the same summary, and predictions from each one's own fit."""
    weeks, values = in_weeks(summary, PURCHASES), in_weeks(summary, VALUES)
    ours = [timed(lambda: BetaGeoModel().fit(summary)), timed(lambda: GammaGammaModel().fit(values))]
    theirs = [timed(lambda: _fitter("BetaGeoFitter", weeks)), timed(lambda: _fitter("GammaGammaFitter", values))]
    steps = {f"{name} fit": {"loyalty_lab": a, "lifetimes": b} for name, a, b in zip(MAPS, ours, theirs, strict=True)}
    if given.pymc:
        steps["BG/NBD fit"]["pymc-marketing MAP"] = timed(lambda: _pymc("BG/NBD", weeks))
    bought, worth = ([each["answer"] for each in pair] for pair in zip(ours, theirs, strict=True))
    return steps | _prediction_steps(*bought, *worth, weeks, summary)


def _fitter(name: str, frame: pd.DataFrame) -> Any:
    import lifetimes

    return getattr(lifetimes, name)().fit(*(frame[column] for column in frame.columns))


def _prediction_steps(ours: BetaGeoModel, theirs: Any, value: GammaGammaModel, profit: Any, weeks: pd.DataFrame, summary: pd.DataFrame):
    """Purchases in 91 days, the chance of being alive, and the value of a purchase, of every customer."""
    columns, spent = [weeks[column] for column in PURCHASES], [summary[column] for column in VALUES]
    asked = {
        "expected purchases": (
            lambda: ours.expected_purchases(summary, HORIZON_DAYS),
            lambda: theirs.conditional_expected_number_of_purchases_up_to_time(HORIZON_DAYS / WEEK, *columns),
        ),
        "chance alive": (lambda: ours.probability_alive(summary), lambda: theirs.conditional_probability_alive(*columns)),
        "value of a purchase": (lambda: value.expected_average_value(summary), lambda: profit.conditional_expected_average_profit(*spent)),
    }
    fitted = theirs is not None and profit is not None
    their = {name: timed(other) if fitted else {"why": "no fit"} for name, (_, other) in asked.items()}
    return {name: {"loyalty_lab": timed(one), "lifetimes": their[name]} for name, (one, _) in asked.items()}


def alone(orders: pd.DataFrame, cutoff: date) -> dict[str, Any]:
    """The whole forecast of 91 days in a process of its own: wall and CPU seconds, and peak memory with that of the orders alone."""
    with tempfile.TemporaryDirectory() as place:
        path, answer = Path(place) / "orders.pkl", Path(place) / "answer.json"
        orders.to_pickle(path)
        # The answer is a file, since the database may draw a progress bar on standard output.
        words = [sys.executable, "-c", FORECAST, str(path), str(cutoff), str(answer)]
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            return {"why": f"failed: {done.stderr.strip().splitlines()[-1][:120]}"}
        return json.loads(answer.read_text())


def speed_text(found: dict[str, Any]) -> list[str]:
    """Steps with ratios, then the whole forecast."""
    lines = []
    for name, step in found["steps"].items():
        ours = step["loyalty_lab"]
        for who, took in step.items():
            if "why" in took or "why" in ours:
                lines.append([name, who, took.get("why", ""), "", "", ""])
                continue
            ratios = [f"{took[key] / max(ours[key], 1e-9):.1f}" if who != "loyalty_lab" else "" for key in ("seconds", "cpu")]
            lines.append([name, who, f"{took['seconds']:.3f}", f"{took['cpu']:.3f}", *ratios])
    head = f"{found['customers']:,} simulated customers, {found['orders']:,} orders, {found['repeaters']:,} customers who came back."
    text = ["## Speed", "", head, "", *table("step|by|wall s|CPU s|wall, theirs / ours|CPU, theirs / ours", lines), ""]
    whole = [
        [name, took["chosen"], *(f"{took[key]:,.1f}" for key in ("seconds", "cpu", "peak_mb", "orders_mb"))]
        if "why" not in took
        else [name, took["why"], "", "", "", ""]
        for name, took in found["forecast"].items()
    ]
    return text + table("whole forecast, 91 days|chosen|wall s|CPU s|peak MB|MB with the orders only", whole)


# Shops: small ones of every kind, and those whose pace drifts.


def shops(given: argparse.Namespace) -> dict[str, Any]:
    """What comes of forecasting many simulated shops."""
    work = Parallel(n_jobs=2, batch_size=8)
    small = work(delayed(_forecast_small)(seed) for seed in range(given.shops))
    drifting = work(delayed(_forecast_drifting)(10_000 + seed) for seed in range(given.drift_shops))
    return {"small": small, "drifting": drifting}


def _forecast_small(seed: int) -> dict[str, Any]:
    shop = small_shop(seed)
    found = {"seed": seed, "kind": shop.kind, "customers": int(shop.orders["customer_id"].nunique()), "missing": 0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            table = forecast_customers(shop.orders, shop.cutoff, HORIZON_DAYS)
    except InputError as refusal:
        return found | {"ended": "refused", "said": str(refusal)[:200]}
    except Exception as error:  # what is counted here
        return found | {"ended": "exception", "said": f"{type(error).__name__}: {error}"[:200]}
    missing = int(table.isna().sum().sum() + np.isinf(table.select_dtypes("number")).sum().sum())
    return found | {"ended": "forecast", "model": str(table["model"].iloc[0]), "missing": missing}


def _forecast_drifting(seed: int) -> dict[str, Any]:
    shop = drifting_shop(seed)
    forecaster = CustomerForecaster(HORIZON_DAYS).fit(shop.orders, shop.cutoff)
    at, end = pd.Timestamp(shop.cutoff), pd.Timestamp(shop.cutoff + timedelta(days=HORIZON_DAYS))
    later = shop.orders[(shop.orders["ordered_at"] > at) & (shop.orders["ordered_at"] <= end)]
    # Everybody joins before the cutoff; only a forecast of those seen by then is judged.
    spend = float(later.loc[later["customer_id"].isin(forecaster.predict().index), "net_amount"].sum())
    total = forecaster.backtest_.total
    return {"seed": seed, "customers": len(forecaster.predict()), "chosen": forecaster.backtest_.chosen, "spend": spend, **total}


def shops_text(found: dict[str, Any]) -> list[str]:
    """How forecasts of small shops ended, by kind; and how often the interval of the total held."""
    lines = []
    for kind in sorted({each["kind"] for each in found["small"]}):
        rows = [each for each in found["small"] if each["kind"] == kind]
        ended, models = Counter(each["ended"] for each in rows), Counter(each["model"] for each in rows if "model" in each)
        chosen = ", ".join(f"{name} {n}" for name, n in models.most_common())
        missing = sum(each["missing"] for each in rows)
        lines.append([kind, len(rows), ended["exception"], ended["refused"], missing, chosen])
    text = ["## Shops", "", *table("simulated shops|number|exceptions|refused|missing numbers|chosen", lines), ""]
    text += sorted({f"- {each['kind']}: {each['said']}" for each in found["small"] if each["ended"] == "exception"})
    return text + _drift_text(found["drifting"])


def _drift_text(rows: list[dict]) -> list[str]:
    if not rows:
        return ["Shops with drift and season: not run."]
    held = sum(each["low"] <= each["spend"] <= each["high"] for each in rows)
    low, high = wilson(held, len(rows))
    above = sum(each["spend"] > each["high"] for each in rows)
    wide = np.median([each["high"] / max(each["low"], 1e-9) for each in rows])
    bias = np.median([each["expected"] / max(each["spend"], 1e-9) for each in rows])
    return [
        f"Shops with drift and season: the real total lay in the 90% interval in {held} of {len(rows)} = {held / len(rows):.1%} "
        f"(Wilson 95%: {low:.1%} to {high:.1%}); above it in {above}, below in {len(rows) - held - above}. "
        f"Median of high / low {wide:.2f}, of expected / real {bias:.2f}."
    ]


# Accuracy: every origin of the real shops.


def accuracy(given: argparse.Namespace) -> dict[str, Any]:
    """Metrics of every method at every origin, and paired intervals."""
    found = {}
    for name, orders in real_shops(given.data):
        origins = ORIGINS[name][: given.origins]
        rows = [rows[0] for rows in Parallel(n_jobs=2)(delayed(shop_table)(orders, [origin]) for origin in origins)]
        found[name] = {"paired": paired(rows), "origins": [{key: value for key, value in row.items() if key != "_"} for row in rows]}
    return found


def few(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Metrics on shops of 200 customers drawn from the real ones, at every origin."""
    asked = [(name, orders, *origin) for name, orders in real_shops(given.data) for origin in ORIGINS[name][: given.origins]]
    found = Parallel(n_jobs=2)(delayed(small_shop_rows)(*each) for _, *each in asked)
    return [{"shop": name, **row} for (name, *_), rows in zip(asked, found, strict=True) for row in rows]


def few_text(rows: list[dict[str, Any]]) -> list[str]:
    """Means over all draws, and the mean difference to each model with the 95% interval of draws resampled by origin."""
    apart = [[by, *(_apart(rows, by, metric) for metric in METRICS)] for by in rows[0]["methods"] if by != "loyalty_lab"]
    chosen = ", ".join(f"{name} {n}" for name, n in Counter(row["chosen"] for row in rows).most_common())
    head = f"{len(rows)} shops of {FEW} customers; chosen: {chosen}."
    return ["## Few", "", head, "", *_means(rows), "", *table("|".join(["loyalty_lab minus", *METRICS]), apart)]


def _means(rows: list[dict[str, Any]]) -> list[str]:
    """A table of every method's mean metrics."""
    methods = rows[0]["methods"]
    metrics = list(methods["loyalty_lab"])
    means = [[by, *(f"{np.mean([row['methods'][by][metric] for row in rows]):.4f}" for metric in metrics)] for by in methods]
    return table("|".join(["by", *metrics]), means)


def _apart(rows: list[dict[str, Any]], by: str, metric: str) -> str:
    """Draws of one origin stand or fall together: origins are resampled, not draws."""
    origins = pd.Series([f"{row['shop']} {row['horizon_days']} {row['cutoff']}" for row in rows])
    differences = pd.Series([row["methods"]["loyalty_lab"][metric] - row["methods"][by][metric] for row in rows])
    by_origin = differences.groupby(origins).mean().to_numpy()
    drawn = np.random.default_rng(0).choice(by_origin, (2_000, len(by_origin))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{by_origin.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def accuracy_text(found: dict[str, Any]) -> list[str]:
    """Means per shop, every origin of ours, paired differences, and the hits of the total's interval."""
    text = ["## Accuracy"]
    for name, shop in found.items():
        rows, methods = shop["origins"], shop["origins"][0]["methods"]
        metrics = list(methods["loyalty_lab"])
        text += ["", f"### {name}: means over {len(rows)} origins", "", *_means(rows), ""]
        differences = {by: [shop["paired"][by][metric] for metric in METRICS] for by in methods if by in shop["paired"]}
        apart = [[by, *(f"{m:+.4f} [{low:+.4f}, {high:+.4f}]" for m, low, high in each)] for by, each in differences.items()]
        text += [*table("|".join(["loyalty_lab minus", *METRICS]), apart), ""]
        text += table(
            "|".join(["H", "cutoff", "customers", "churn", "chosen", "spend by", *metrics, "total held"]), [_origin(row) for row in rows]
        )
    held = [row["total_held"] for shop in found.values() for row in shop["origins"]]
    return [*text, "", f"The real total lay in the 90% interval at {sum(held)} of {len(held)} origins."]


def _origin(row: dict[str, Any]) -> list[Any]:
    ours = [f"{value:.4f}" for value in row["methods"]["loyalty_lab"].values()]
    front = [row["horizon_days"], row["cutoff"], row["customers"], f"{row['churn']:.3f}", row["chosen"], row["chosen_value"]]
    return [*front, *ours, "yes" if row["total_held"] else "no"]


def table(head: str, rows: list[list]) -> list[str]:
    """Lines of a Markdown table."""
    names = head.split("|")
    return [f"| {' | '.join(map(str, row))} |" for row in (names, ["---"] * len(names), *rows)]


SECTIONS = {
    "exact": (exact, exact_text), "speed": (speed, speed_text), "shops": (shops, shops_text), "accuracy": (accuracy, accuracy_text),
    "few": (few, few_text),
}  # fmt: skip
ON_REAL_DATA = ("exact", "accuracy", "few")


def versions() -> dict[str, str]:
    """Of Python and what matters here."""
    found = {"python": python_version()}
    for name in ("loyalty_lab", "numpy", "pandas", "scipy", "scikit-learn", "duckdb", "lifetimes", "pymc-marketing", "pymc"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = Path(os.environ.get("LOYALTY_LAB_DATA", "."))
    parser.add_argument("--data", type=Path, default=data, help="folder with cdnow and online_retail_II; else LOYALTY_LAB_DATA")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--customers", type=int, default=1_000_000, help="of the simulated shop whose steps are timed")
    parser.add_argument("--seed", type=int, default=7, help="of that shop")
    parser.add_argument("--shops", type=int, default=1000, help="small simulated shops")
    parser.add_argument("--drift-shops", type=int, default=400, help="simulated shops with drift and season")
    parser.add_argument("--origins", type=int, help="only the first so many of each real shop")
    parser.add_argument("--pymc", action="store_true", help="pymc-marketing too, which takes minutes")
    parser.add_argument("--json", type=Path, default=OUT / "models.json", help="where to write; the Markdown goes beside it")
    return parser.parse_args()


def main() -> None:
    """Measure what was asked for, and write both reports."""
    given = parsed()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    found: dict[str, Any] = {"versions": versions(), "cores": os.cpu_count()}
    text = ["# Models", "", ", ".join(f"{name} {number}" for name, number in found["versions"].items()) + f"; {os.cpu_count()} cores"]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):
        for name in given.only.split(","):
            measure, say = SECTIONS[name]
            if name in ON_REAL_DATA and not (given.data / "cdnow").exists():
                text += ["", f"## {name.capitalize()}", "", f"Not run: {given.data} holds no cdnow; give --data."]
                continue
            found[name] = measure(given)
            given.json.write_text(json.dumps(found, indent=1, default=float) + "\n", encoding="utf-8")
            text += ["", *say(found[name])]
    given.json.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
