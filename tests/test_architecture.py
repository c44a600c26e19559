"""The layout is the architecture: imports flow one way, every module stands in ARCHITECTURE.md, nothing grows without bound."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "loyalty_lab"
ORDER = [
    ["errors", "share", "database"],
    ["tables", "fonts", "language", "logo"],
    ["charts", "results"],
    ["shop", "dictionary", "proportions", "estimates", "periods", "ratios", "keys", "kept", "workers", "kernels"],
    ["intake"],
    ["customers", "cohorts", "metrics", "progress", "records", "visits"],
    ["features", "btyd", "learners", "snapshots", "backtest", "forecast", "spark", "explain"],
    ["segments", "lock", "ledger", "assignment", "verification", "effects", "trial", "rates", "returned", "rounds"],
    ["outcomes", "causes", "exposure", "redraws", "panels", "rollout"],
    ["demo"],
    ["candidates", "worth", "waits", "experiences", "suggestions", "thresholds"],
    ["tactics", "gains", "claims"],
    ["questions", "study", "run", "lessons"],
    ["desk", "lists"],
    ["drawer", "faces", "sizes", "playbook"],
    ["pages", "outlook", "standing", "teaching", "missing", "spreads", "letters", "mailing", "aids", "document"],
    ["inputs", "report", "bookkeeping", "lab", "clients", "clusters", "overview", "cli"],
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
MODULES = sorted(path for path in SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    part = path.relative_to(SOURCE).parts[0]
    return part.removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "loyalty_lab":
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("loyalty_lab.")}
    return names & set(RANK)


@pytest.mark.parametrize(
    "path", [p for p in MODULES if p.name != "__init__.py" or p.parent != SOURCE], ids=lambda p: str(p.relative_to(SOURCE))
)
def test_a_module_imports_only_from_its_own_row_or_above(path):
    mine = room(path)

    assert mine in RANK, f"{mine} has no place in the order of the house"
    assert {name for name in imported(path) if RANK[name] > RANK[mine]} == set()


@pytest.mark.parametrize("row", ORDER, ids=lambda row: "-".join(row))
def test_modules_of_one_row_do_not_import_each_other_in_a_circle(row):
    edges = {name: set() for name in row}
    for path in MODULES:
        if room(path) in edges:
            edges[room(path)] |= imported(path) & set(row) - {room(path)}

    while free := [name for name, needs in edges.items() if not needs]:
        edges = {name: needs - set(free) for name, needs in edges.items() if name not in free}
    assert edges == {}


def test_the_map_has_one_row_for_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([\w/.]+\.py)` \|", text, re.MULTILINE))

    one_each = {path.relative_to(SOURCE).as_posix() for path in MODULES if path.parent.name != "tactics" or path.stem == "__init__"}
    assert rows == one_each - {"__init__.py"}


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_module_stays_small_enough_to_read(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
    assert path.stem not in {"utils", "helpers", "common", "misc"}


def test_the_package_and_the_help_load_nothing_heavy():
    code = (
        "import sys, loyalty_lab, loyalty_lab.cli as c\n"
        "try: c.app(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pandas', 'numpy', 'sklearn', 'matplotlib', 'papermill', 'scipy', 'duckdb'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
