"""What a run leaves that is killed: drivers, workers and kernels, at moments drawn by lot, and what the next run makes of it.

    python benchmarks/kills.py [--kills 50] [--seed 1] [--work FOLDER]

Two small shops with an earlier report each are run with `--jobs 2 --warm`; in each round one process of the kind whose turn it is gets a
SIGKILL, and the same command is run again. Linux only. Writes `build/benchmarks/kills.json` and `.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from models import table, versions

HERE = Path(__file__).parent
OUT = HERE.parent / "build" / "benchmarks"
TOOL = Path(sys.executable).parent / "loyalty-lab"
KINDS = ("driver", "worker", "kernel")
NAMES = ("corner", "market")
EARLIER, CUTOFF = "2026-09-30", "2026-10-31"
WORDS = ("--language", "en", "--only", "vital-few", "--jobs", "2", "--warm")
TEMPORARY = (".tmp", ".old", ".lock")


def run(folder: Path) -> subprocess.Popen:
    """Start the command over both shops."""
    shops = [str(folder / name) for name in NAMES]
    return subprocess.Popen([str(TOOL), "playbook", *shops, *WORDS], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def make(folder: Path) -> float:
    """Two shops with their report of the month before, and how long the run to be killed takes undisturbed."""
    for seed, name in enumerate(NAMES):
        subprocess.run([str(TOOL), "demo", str(folder / name), "--customers", "40", "--seed", str(seed)], check=True, capture_output=True)
        words = [str(TOOL), "playbook", str(folder / name), *WORDS, "--as-of", EARLIER]
        subprocess.run(words, check=True, capture_output=True)
    whole = shutil.copytree(folder, folder.with_name("whole"))
    began = time.monotonic()
    assert run(whole).wait() == 0
    return time.monotonic() - began


def children(pid: int) -> list[int]:
    """All processes that come from one."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *children(child)]
    return found


def kind_of(pid: int) -> str | None:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
    if "popen_loky" in words:
        return "worker"
    return "kernel" if "kernels.nursery" in words else None


def victim(driver: int, kind: str, draw: random.Random) -> int | None:
    """A process of that kind, if one lives."""
    try:
        found = [driver] if kind == "driver" else [pid for pid in children(driver) if kind_of(pid) == kind]
    except OSError:
        return None
    return draw.choice(found) if found else None


def strike(driver: subprocess.Popen, kind: str, after: float, draw: random.Random) -> str:
    """Kill one process of a kind at a moment, or as soon after it as there is one; says what was struck and what the run then said."""
    time.sleep(after)
    while driver.poll() is None:
        if (pid := victim(driver.pid, kind, draw)) is not None:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.02)
    else:
        return "ended before"
    driver.communicate()
    return "killed" if kind == "driver" else f"exit {driver.returncode}"


def files(folder: Path) -> dict[str, bytes]:
    """Whatever has no temporary name; of run.json all but its seconds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") and part.endswith(TEMPORARY) for part in name.parts):
            found[name.as_posix()] = without_seconds(path) if path.name == "run.json" else path.read_bytes()
    return found


def without_seconds(path: Path) -> bytes:
    told = json.loads(path.read_text(encoding="utf-8"))
    for notebook in told["notebooks"]:
        notebook.pop("seconds")
    return json.dumps(told, sort_keys=True).encode()


def reports(folder: Path, cutoff: str) -> dict[str, bytes]:
    return {name: content for name, content in files(folder).items() if name.partition("/")[2].startswith(f"reports/{cutoff}/")}


def faults(left: Path, before: Path, whole: Path) -> list[str]:
    """What is wrong with what a killed run has left."""
    found = []
    if reports(left, EARLIER) != reports(before, EARLIER):
        found.append("the earlier report has changed")
    for name in NAMES:
        place = left / name / "reports" / CUTOFF
        if place.exists() and not (place / "run.json").exists():
            found.append("half a report stands at its place")
        outputs = json.loads((place / "run.json").read_text())["outputs"] if (place / "run.json").exists() else {}
        changed = [each for each, was in outputs.items() if hashlib.sha256((place / each).read_bytes()).hexdigest() != was]
        found += [f"{each} is not what run.json says" for each in changed]
    for record in left.glob("*/cache/notebooks/*/*/done.json"):
        told = json.loads(record.read_text(encoding="utf-8"))
        wrong = [each for each, was in told["files"].items() if hashlib.sha256((record.parent / each).read_bytes()).hexdigest() != was]
        same = whole / record.relative_to(left)
        if not wrong and told["key"] == json.loads(same.read_text())["key"] and told != json.loads(same.read_text()):
            found.append(f"{record.parent.name} is falsely done")
    return found


def key_of(record: Path) -> str:
    return json.loads(record.read_text(encoding="utf-8"))["key"]


def one(folder: Path, number: int, took: float, draw: random.Random) -> dict[str, Any]:
    """One kill, and the run after it."""
    before, whole, left = folder / "before", folder / "whole", folder / "left"
    shutil.rmtree(left, ignore_errors=True)
    shutil.copytree(before, left)
    kind, after = KINDS[number % len(KINDS)], draw.uniform(0, took)
    said = strike(run(left), kind, after, draw)
    time.sleep(0.3)  # what dies with the driver is dead
    found = faults(left, before, whole)
    kept = sum(key_of(whole / path.relative_to(left)) == key_of(path) for path in left.glob("*/cache/notebooks/*/*/done.json"))
    done = run(left)
    _, told = done.communicate()
    if done.returncode:
        found.append(f"the run after it ended with {done.returncode}: {told.splitlines()[-1]}")
    made, wanted = reports(left, CUTOFF), reports(whole, CUTOFF)
    if different := sorted(name for name in {*made, *wanted} if made.get(name) != wanted.get(name)):
        found.append(f"the report is another one: {different[:3]}")
    if reports(left, EARLIER) != reports(before, EARLIER):
        found.append("the earlier report has changed at last")
    swept = [path.name for path in left.rglob(".*.tmp")]
    found += [f"left behind: {name}" for name in swept]
    return {"kind": kind, "after": round(after, 2), "said": said, "notebooks kept": kept, "faults": found}


def text(found: list[dict[str, Any]], took: float) -> str:
    rows = []
    for kind in KINDS:
        some = [each for each in found if each["kind"] == kind]
        said = ", ".join(f"{n} {what}" for what, n in sorted(Counter(each["said"] for each in some).items()))
        kept = sorted(each["notebooks kept"] for each in some)
        rows.append([kind, len(some), said, f"{kept[0]} to {kept[-1]}" if kept else "", sum(bool(each["faults"]) for each in some)])
    heads = "killed|times|what the run said|notebooks that were kept|with a fault"
    lines = [f"Undisturbed {took:.1f} s; {len(found)} kills at moments drawn within that time.", "", *table(heads, rows)]
    lines += [f"- {each['kind']} after {each['after']} s: {fault}" for each in found for fault in each["faults"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=HERE.parent / "build" / "kills")
    given = parser.parse_args()
    shutil.rmtree(given.work, ignore_errors=True)
    took, draw = make(given.work / "before"), random.Random(given.seed)
    found = []
    for number in range(given.kills):
        found.append(one(given.work, number, took, draw))
        print(number + 1, found[-1], flush=True)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "kills.json").write_text(json.dumps({"versions": versions(), "undisturbed": took, "kills": found}, indent=1))
    (OUT / "kills.md").write_text(text(found, took))
    print(text(found, took))


if __name__ == "__main__":
    main()
