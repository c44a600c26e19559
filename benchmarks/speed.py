"""How fast: the customer summary beside its peers, imports and small commands, whole reports, cached reruns, many shops.

    python benchmarks/speed.py [--only summary,imports,report,shops,cached] [--sizes 1000000,10000000] [--large] [--work FOLDER]

Everything timed runs in a process of its own, `--rounds` times in turn with what it is compared to; the least counts. FOLDER keeps the
simulated data and shops between runs. Writes `build/benchmarks/speed.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from models import THREADS, table, versions
from summaries import WAYS, simulate

from loyalty_lab import share

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "benchmarks"
TOOL = Path(sys.executable).parent / "loyalty-lab"
LARGE = 100_000_000
BASKETS = (4, 1)
OURS, OURS_FRAME, SCAN = "ours, Parquet", "ours, frame", "scan"
PEERS = {"lifetimes": 5.0, "pymc-marketing": 10.0}
EXACT = 1e-9
HEAVY = ("numpy", "pandas", "scipy", "sklearn", "statsmodels", "matplotlib", "duckdb", "papermill", "pydantic", "babel")
IMPORT = "import loyalty_lab"
HELP = "import sys; sys.argv = ['loyalty-lab', '--help']; from loyalty_lab.cli import main; main()"
LOADED = """
import atexit, json, pathlib, sys, time
def note(path=sys.argv.pop(), began=time.perf_counter()):
    pathlib.Path(path).write_text(json.dumps({"inside": time.perf_counter() - began, "loaded": sorted(set(sys.modules) & set(%r))}))
atexit.register(note)
"""
PLAIN = """
import sys
from pathlib import Path
import papermill
for path in map(Path, sys.argv[1:]):
    papermill.execute_notebook(str(path), str(path.with_suffix(".out.ipynb")), cwd=str(path.parent), progress_bar=False)
"""


class Failed(Exception):
    """A process that did not end well, in one line."""


def ran(*words: object, log: Path, **environment: str) -> dict[str, float]:
    """Run a command: wall seconds, and CPU seconds of it and of those it has waited for.

    Raises
    ------
    Failed
        With the last line of its standard error.
    """
    began = perf_counter()
    with log.open("w") as file:
        child = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=file, env=os.environ | environment)
        _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise Failed((log.read_text().strip().splitlines() or [f"ended with {status}"])[-1][:120])
    return {"seconds": perf_counter() - began, "cpu": usage.ru_utime + usage.ru_stime}


def least(rounds: list[dict[str, float]]) -> dict[str, float]:
    """The least of each number over several rounds."""
    return {name: min(each[name] for each in rounds) for name in rounds[0]}


# The customer summary beside a scan of the same columns, pandas, lifetimes and pymc-marketing; all may use every core.


def summary(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Every way on every simulated shop."""
    shops = [(lines, basket, tuple(WAYS)) for lines in given.sizes[:1] for basket in BASKETS]
    shops += [(lines, BASKETS[0], (SCAN, OURS, OURS_FRAME, "pandas")) for lines in given.sizes[1:]]
    shops += [(LARGE, BASKETS[0], (SCAN, OURS))] if given.large else []
    return [_summaries(given, *shop) for shop in shops]


def _summaries(given: argparse.Namespace, lines: int, basket: int, ways: tuple[str, ...]) -> dict[str, Any]:
    path = given.work / f"orders-{lines}-{basket}.parquet"
    if not path.exists():
        simulate(path.with_suffix(".tmp"), lines, basket)
        path.with_suffix(".tmp").rename(path)
    rounds = 1 if lines == LARGE else given.rounds
    found: dict[str, list] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            found[way].append(_one(given, way, lines, path))
    return {"lines": lines, "basket": basket, "ways": _agreeing({way: _best(each) for way, each in found.items()})}


def _one(given: argparse.Namespace, way: str, lines: int, path: Path) -> dict[str, Any]:
    answer, log, threads = given.work / "answer.json", given.work / "log.txt", dict.fromkeys(THREADS, str(os.cpu_count()))
    try:
        ran(sys.executable, HERE / "summaries.py", way, lines, path, answer, log=log, **threads)
    except Failed as failure:
        return {"why": "not installed" if "ModuleNotFoundError" in str(failure) else str(failure)}
    return json.loads(answer.read_text())


def _best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    if why := next((each["why"] for each in rounds if "why" in each), None):
        return {"why": why}
    best = {kind: _least_pair([each[kind] for each in rounds if each[kind]]) for kind in ("first", "again")}
    return rounds[0] | best | {"peak_mb": max(each["peak_mb"] for each in rounds)}


def _least_pair(pairs: list[list[float]]) -> list[float] | None:
    return [min(each) for each in zip(*pairs, strict=True)] if pairs else None


def _agreeing(ways: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Note for each how far its sums lie from ours; the two of ours must be equal to the bit."""
    ours = ways[OURS].get("sums")
    for took in ways.values():
        if took.get("sums") and ours:
            took["apart"] = max(abs(one / other - 1) for one, other in zip(took["sums"], ours, strict=True))
    return ways


def summary_text(found: list[dict[str, Any]]) -> list[str]:
    """What each way took, and what that comes to beside the goals."""
    lines, goals = [], []
    for shop in found:
        about = [f"{shop['lines']:,}", f"{shop['basket']}" if shop["basket"] == 1 else f"1 to {shop['basket']}"]
        lines += [[*about, way, *_cells(took)] for way, took in shop["ways"].items()]
        goals += [[*about, *each] for each in _goals(shop)]
    head = "lines|lines an order|by|first call, wall s|CPU s|later calls, wall s|CPU s|peak MB|answer apart from ours"
    return [
        "## Summary",
        "",
        *table(head, lines),
        "",
        *table("lines|lines an order|what|goal|first, CPU|first, wall|later, CPU|later, wall", goals),
    ]


def _cells(took: dict[str, Any]) -> list[str]:
    if "why" in took:
        return [took["why"], "", "", "", "", ""]
    calls = [f"{each:.3f}" for pair in (took["first"], took["again"] or ()) for each in pair]
    apart = f"{took['apart']:.0e}" if took.get("apart") else "0" if took.get("sums") else ""
    return [*calls, *[""] * (4 - len(calls)), f"{took['peak_mb']:,.0f}", apart]


def _goals(shop: dict[str, Any]) -> list[list[str]]:
    """Ratios beside what they should be: ours over a scan, and what others take over ours from the same frame."""
    large, ways = shop["lines"] > 1_000_000, shop["ways"]
    rows = [["ours / scan", f"at most {9 if large else 2.5}" if shop["lines"] < LARGE else "", *_ratios(ways[OURS], ways[SCAN])]]
    if "pandas" in ways:
        rows.append(["pandas / ours", "at least 2" if large else "", *_ratios(ways["pandas"], ways[OURS_FRAME])])
    rows += [
        [f"{peer} / ours", f"at least {goal:g}", *_ratios(ways[peer], ways[OURS_FRAME])] for peer, goal in PEERS.items() if peer in ways
    ]
    if shop["lines"] == LARGE:
        rows.append(["peak of ours", "within 10 GB", f"{ways[OURS]['peak_mb'] / 1024:.1f} GB", "", "", ""])
    return rows


def _ratios(over: dict[str, Any], under: dict[str, Any]) -> list[str]:
    """First and later calls, CPU and wall; what was called once only is held against the first call there too."""
    if "why" in over or "why" in under:
        return [""] * 4
    pairs = ((over["first"], under["first"]), (over["again"] or over["first"], under["again"] or under["first"]))
    return [f"{one[kind] / other[kind]:.1f}" for one, other in pairs for kind in (1, 0)]


# Imports and small commands, each in a process of its own.


def imports(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The package, its help, and `check` on the demo shop, read anew each time."""
    shop, note, log = _demo(given, "demo", 7), given.work / "loaded.json", given.work / "log.txt"
    check = f"import sys; sys.argv = ['loyalty-lab', 'check', {str(shop)!r}]; from loyalty_lab.cli import main; main()"
    found = []
    for what, code, goal, light in (
        (IMPORT, IMPORT, 0.2, True),
        ("loyalty-lab --help", HELP, 0.4, True),
        ("loyalty-lab check", check, 2.0, False),
    ):
        rounds = []
        for _ in range(2 * given.rounds):
            shutil.rmtree(shop / "cache", ignore_errors=True)
            took = ran(sys.executable, "-c", LOADED % (HEAVY,) + code, note, log=log)
            noted = json.loads(note.read_text())
            rounds.append(took | {"inside": noted["inside"]})
        assert not light or not noted["loaded"], f"{what} loads {noted['loaded']}"
        found.append({"what": what, "goal": goal, "loaded": noted["loaded"], **least(rounds)})
    return found


def imports_text(found: list[dict[str, Any]]) -> list[str]:
    """Seconds of the whole process, and without what the interpreter takes to start."""
    rows = [
        [
            each["what"],
            f"{each['seconds']:.3f}",
            f"{each['cpu']:.3f}",
            f"{each['inside']:.3f}",
            each["goal"],
            ", ".join(each["loaded"]) or "none",
        ]
        for each in found
    ]
    return ["## Imports", "", *table("what|wall s|CPU s|of it after the interpreter has started|goal|heavy libraries loaded", rows)]


# Whole reports, as a user has them made.


def _demo(given: argparse.Namespace, name: str, seed: int) -> Path:
    shop = given.work / name
    if not (shop / "shop.toml").exists():
        ran(TOOL, "demo", shop, "--seed", seed, log=given.work / "log.txt")
    return shop


def _playbook(given: argparse.Namespace, *words: object, **environment: str) -> dict[str, float]:
    """`loyalty-lab playbook` with these words; what comes out of it goes below the work folder."""
    return ran(TOOL, "playbook", *words, "--out", given.work / "reports", log=given.work / "log.txt", **environment)


STAGES = ("reading", "forecasting", "running", "drawing", "printing")


def report(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The demo playbook: its notebooks by plain papermill one after the other, against whole reports with warm kernels."""
    shop, log = _demo(given, "demo", 7), given.work / "log.txt"
    made = given.work / "reports" / shop.name
    found: dict[str, list] = {}
    for _ in range(given.rounds):
        for jobs in (1, 2):
            took = _playbook(given, shop, "--language", given.languages[0], "--warm", "--fresh", "--jobs", jobs, "--log-json")
            found.setdefault(f"loyalty-lab playbook --warm --jobs {jobs}", []).append(took | _stages(log, took["seconds"]))
        shutil.rmtree(shop / "lab", ignore_errors=True)
        ran(TOOL, "lab", shop, "--prepare", "--edition", "client", log=log)
        copies = [shop / "lab" / "group-1" / path.name for path in sorted(made.rglob("*.ipynb"))]
        took = ran(sys.executable, "-c", PLAIN, *copies, log=log)
        found.setdefault(f"papermill, {len(copies)} notebooks", []).append(took | {"running": took["seconds"]})
    return [{"what": what, **least(rounds)} for what, rounds in found.items()]


def _stages(log: Path, seconds: float) -> dict[str, float]:
    """Seconds of each stage, from the log's lines: a stage lasts until the next one begins."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    began = {line["step"].split()[0]: line["seconds"] for line in lines if line["step"].split()[0] in STAGES}
    ends = [*list(began.values())[1:], seconds]
    return {stage: end - start for (stage, start), end in zip(began.items(), ends, strict=True)}


def report_text(found: list[dict[str, Any]]) -> list[str]:
    """Seconds by stage, and how many times as long plain papermill takes for the notebooks."""
    plain = next(each for each in found if each["what"].startswith("papermill"))
    rows = [
        [each["what"], *(f"{each[stage]:.1f}" if stage in each else "" for stage in (*STAGES, "seconds"))]
        + [f"{plain['running'] / each[kind]:.1f}" for kind in ("running", "seconds")]
        for each in found
    ]
    head = "what|reading, wall s|forecast|notebooks|lists|pages of one language|in all|papermill / its notebooks|papermill / all of it"
    return ["## Report", "", *table(head, rows)]


def shops(given: argparse.Namespace) -> list[dict[str, Any]]:
    """Many small shops, all anew, with one and two workers."""
    folders = [_demo(given, f"shop-{seed}", seed) for seed in range(given.shops)]
    return [
        {"what": f"--jobs {jobs}", "shops": len(folders), **_playbook(given, *folders, "--warm", "--fresh", "--jobs", jobs)}
        for jobs in (1, 2)
    ]


def cached(given: argparse.Namespace) -> list[dict[str, Any]]:
    """The same shops with nothing changed; then, for each language, the pages of one shop after one of its sentences was changed."""
    folders, clone = [_demo(given, f"shop-{seed}", seed) for seed in range(given.shops)], _clone(given)
    made_by = {"PYTHONPATH": str(clone / "src")}
    _playbook(given, *folders, "--warm", "--jobs", 2, **made_by)
    again = least([_playbook(given, *folders, **made_by) for _ in range(given.rounds)])
    found = [{"what": "nothing changed", "shops": len(folders), **again}]
    for language in given.languages:
        words = (folders[0], "--language", language)
        _playbook(given, *words, **made_by)
        took = []
        for _ in range(given.rounds):
            path = clone / "playbook" / "text" / language / "answer-fast.toml"
            path.write_text(path.read_text(encoding="utf-8").replace('\nwhy = "', '\nwhy = "– ', 1), encoding="utf-8")
            took.append(_playbook(given, *words, **made_by))
        found.append({"what": f"a sentence in {language} changed", "shops": 1, **least(took)})
    return found


def _clone(given: argparse.Namespace) -> Path:
    """A copy of the package with its notebooks and texts: in it a text may be changed, and nobody else changes anything."""
    clone = given.work / "clone"
    shutil.rmtree(clone, ignore_errors=True)
    shutil.copytree(Path(share.__file__).parent, clone / "src" / "loyalty_lab")
    for name in ("notebooks", "playbook"):
        shutil.copytree(share.folder(name), clone / name)
    return clone


def shops_text(found: list[dict[str, Any]], title: str = "Shops") -> list[str]:
    """Seconds, in all and for each shop."""
    rows = [[each["what"], each["shops"], f"{each['seconds']:.1f}", f"{each['seconds'] / each['shops']:.2f}"] for each in found]
    return [f"## {title}", "", *table("what|shops|wall s|wall s a shop", rows)]


def cached_text(found: list[dict[str, Any]]) -> list[str]:
    """As of `shops_text`."""
    return shops_text(found, "Cached")


SECTIONS: dict[str, tuple[Callable, Callable]] = {
    "summary": (summary, summary_text), "imports": (imports, imports_text), "report": (report, report_text),
    "shops": (shops, shops_text), "cached": (cached, cached_text),
}  # fmt: skip


def parsed() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between")
    parser.add_argument("--sizes", default="1000000,10000000", help="order lines; the peers get the first of them only")
    parser.add_argument("--large", action="store_true", help="also 100 million lines, which takes 3 GB of disk and some minutes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    parser.add_argument("--shops", type=int, default=50, help="small simulated shops")
    parser.add_argument("--languages", default="en,tr,bn,hy", help="whose texts are changed in turn")
    parser.add_argument("--work", type=Path, default=OUT / "work", help="where simulated data and shops are kept")
    parser.add_argument("--json", type=Path, default=OUT / "speed.json", help="where to write; the Markdown goes beside it")
    given = parser.parse_args()
    given.sizes, given.languages = [int(size) for size in given.sizes.split(",")], given.languages.split(",")
    return given


def main() -> None:
    """Measure what was asked for, and write both reports."""
    given = parsed()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    for folder in (given.work, given.json.parent):
        folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Any] = {"versions": versions(), "cores": os.cpu_count()}
    text = ["# Speed", "", ", ".join(f"{name} {number}" for name, number in found["versions"].items()) + f"; {os.cpu_count()} cores"]
    for name in given.only.split(","):
        measure, say = SECTIONS[name]
        found[name] = measure(given)
        given.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        text += ["", *say(found[name])]
    given.json.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")
    print("\n".join(text))


if __name__ == "__main__":
    main()
