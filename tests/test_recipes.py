"""The recipes for unattended use are valid, ask for nothing the command line does not know, and pass on what it says."""

from __future__ import annotations

import configparser
import datetime
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest
import yaml
from typer.main import get_command

from loyalty_lab import demo
from loyalty_lab.cli import app

RECIPES = Path(__file__).parent.parent / "recipes"
WORKFLOW = yaml.safe_load((RECIPES / "github-actions.yml").read_text(encoding="utf-8"))
STEPS = WORKFLOW["jobs"]["reports"]["steps"]
NOISE = '{"on": "a", "step": "forecasting"}\n'
posix = pytest.mark.skipif(os.name == "nt", reason="cron and bash are not for Windows")


def understood(words: list[str]) -> dict:
    """What the command line makes of these words; an option it does not know is an error."""
    name, *rest = words
    return get_command(app).commands[name].make_context(name, rest).params


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str
    read.read_string((RECIPES / name).read_text(encoding="utf-8"))
    return read


@pytest.fixture
def night(tmp_path):
    """Return a function that runs nightly.sh where `clients/` lies, as cron would; `tool` stands in for loyalty-lab."""
    (tmp_path / "clients" / "tea house").mkdir(parents=True)
    (tmp_path / "clients" / "corner-grocer").mkdir()
    (tmp_path / "clients" / "notes.txt").touch()

    def run(*options: str, tool: str | None = None) -> subprocess.CompletedProcess:
        if tool is not None:
            (tmp_path / "bin").mkdir()
            (tmp_path / "bin" / "loyalty-lab").write_text(f"#!/bin/sh\n{tool}\n", encoding="utf-8")
            (tmp_path / "bin" / "loyalty-lab").chmod(0o755)
        bare = {"PATH": f"{tmp_path / 'bin' if tool else Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(tmp_path)}
        command = ["bash", str(RECIPES / "nightly.sh"), *options]
        return subprocess.run(command, cwd=tmp_path, env=bare, capture_output=True, text=True, timeout=300)

    return run


@pytest.fixture(params=["prefect_flow", "airflow_dag"])
def recipe(request, monkeypatch) -> ModuleType:
    """A recipe in Python, loaded with stand-ins for what it imports of Prefect or Airflow."""
    failures = {"AirflowException": type("Again", (Exception,), {}), "AirflowFailException": type("Never", (Exception,), {})}
    for name in ("prefect", "prefect.task_runners", "airflow", "airflow.sdk"):
        monkeypatch.setitem(sys.modules, name, MagicMock())
    monkeypatch.setitem(sys.modules, "airflow.sdk.exceptions", MagicMock(**failures))
    found = importlib.util.spec_from_file_location(request.param, RECIPES / f"{request.param}.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def ends(monkeypatch, recipe: ModuleType, code: int, said: str) -> list[str]:
    """Let the command end like this wherever the recipe calls it; the words it is called with gather in the list."""
    asked = []

    def run(words, **how):
        asked[:] = words
        return subprocess.CompletedProcess(words, code, said)

    monkeypatch.setattr(recipe.subprocess, "run", run)
    return asked


def retried(recipe: ModuleType, error: Exception) -> bool:
    """Whether a task that ended with this error is tried again."""
    if recipe.__name__ == "airflow_dag":
        return type(error).__name__ == "Again"
    return recipe.worth_a_retry(None, None, MagicMock(result=lambda raise_on_failure: error))


def test_every_recipe_is_described():
    described = (RECIPES / "README.md").read_text(encoding="utf-8")

    assert [path.name for path in RECIPES.iterdir() if path.is_file() and f"`{path.name}`" not in described] == ["README.md"]


def test_a_recipe_asks_for_what_the_command_line_knows(recipe, monkeypatch):
    asked = ends(monkeypatch, recipe, 0, "clients/a: done")

    recipe.playbook(["clients/a", "clients/b"], "2026-10-31")

    taken = understood(asked[1:])
    assert asked[0] == "loyalty-lab"
    assert (taken["shops"], taken["as_of"], taken["warm"]) == ([Path("clients/a"), Path("clients/b")], "2026-10-31", True)


def test_a_recipe_fails_with_the_reason_and_the_remedy(recipe, monkeypatch):
    ends(monkeypatch, recipe, 3, f"{NOISE}orders.csv: is empty\n  To mend it: export it again\n")

    with pytest.raises(Exception, match=r"exit code 3\norders.csv: is empty\n  To mend it: export it again$"):
        recipe.playbook(["clients/a"], "2026-10-31")


@pytest.mark.parametrize(("code", "again"), [(1, True), (2, False), (3, False), (4, True), (5, True), (-9, True)])
def test_only_what_may_end_better_is_retried(recipe, monkeypatch, code, again):
    ends(monkeypatch, recipe, code, NOISE)

    with pytest.raises(Exception, match="exit code") as caught:
        recipe.playbook(["clients/a"], "2026-10-31")

    assert retried(recipe, caught.value) is again


def test_the_workflow_asks_for_what_the_command_line_knows():
    made = next(step for step in STEPS if step.get("id") == "make")

    tool, *words = shlex.split(made["run"])

    assert tool == "loyalty-lab"
    assert understood(words)["jobs"] == 2


def test_the_workflow_keeps_what_was_made_when_a_shop_fails():
    after = STEPS[[step.get("id") for step in STEPS].index("make") + 1 :]

    assert [step["if"] for step in after] == ["${{ !cancelled() && steps.make.outcome != 'skipped' }}"] * 3


def test_the_workflow_gives_back_the_cache_it_saves():
    restored, saved = (next(step["with"] for step in STEPS if f"cache/{what}" in step.get("uses", "")) for what in ("restore", "save"))

    assert (restored["path"], restored["key"]) == (saved["path"], saved["key"])
    assert saved["key"].startswith(restored["restore-keys"])


def test_the_service_runs_the_nightly_script_once():
    service = unit("loyalty-lab.service")["Service"]

    assert (service["Type"], service["ExecStart"].split()[-1]) == ("oneshot", "nightly.sh")


def test_the_timer_starts_every_evening_what_is_called_like_it():
    timer = unit("loyalty-lab.timer")

    assert "Unit" not in timer["Timer"]
    assert (RECIPES / "loyalty-lab.service").exists()
    assert (timer["Timer"]["OnCalendar"], timer["Install"]["WantedBy"]) == ("*-*-* 23:30", "timers.target")


@posix
def test_a_night_asks_for_every_folder_up_to_today(night):
    days = {datetime.date.today().isoformat()}

    done = night("--only", "answer-fast", tool="""for word; do echo "$word"; done; exit 4""")

    taken = understood(done.stdout.splitlines())
    assert taken["shops"] == [Path("clients/corner-grocer"), Path("clients/tea house")]
    assert taken["as_of"] in days | {datetime.date.today().isoformat()}
    assert (taken["jobs"], taken["only"], taken["log_json"]) == (2, ["answer-fast"], True)


@posix
def test_a_good_night_is_silent_and_logged(night, tmp_path):
    done = night(tool="echo 2 shops; echo step >&2")

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (log,) = (tmp_path / "logs").iterdir()
    assert log.read_text(encoding="utf-8") == "2 shops\nstep\n"
    assert log.stat().st_mode & 0o077 == 0


@posix
@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_bad_night_prints_its_log_and_hands_on_the_code(night, code):
    done = night(tool=f"echo why >&2; exit {code}")

    assert (done.returncode, done.stdout) == (code, "why\n")


@posix
def test_old_logs_go(night, tmp_path):
    (tmp_path / "logs").mkdir()
    for name, days in (("old", 100), ("young", 80)):
        log = tmp_path / "logs" / f"{name}.log"
        log.touch()
        then = log.stat().st_mtime - days * 86_400
        os.utime(log, (then, then))

    night(tool="exit 0")

    assert {path.name for path in (tmp_path / "logs").iterdir()} & {"old.log", "young.log"} == {"young.log"}


@posix
def test_a_real_night_makes_a_report_which_stays_when_the_exports_grow_old(night, tmp_path):
    """What costs in this file: one shop of twenty customers, one practice, then the same shop with stale exports."""
    (tmp_path / "clients" / "tea house").rmdir()
    shop = tmp_path / "clients" / "corner-grocer"
    demo.write(demo.make(customers=20), shop)
    asked = ("--only", "answer-fast", "--language", "en")

    done = night(*asked, "--as-of", "2026-10-31")
    stale = night(*asked, "--as-of", "2026-12-31")

    assert (done.returncode, done.stdout, stale.returncode) == (0, "", 3)
    assert "61 days after the last order (2026-10-31)" in stale.stdout
    assert json.loads((shop / "reports" / "2026-10-31" / "run.json").read_text(encoding="utf-8"))["only"] == ["answer-fast"]
    assert [path.name for path in (shop / "reports").iterdir()] == ["2026-10-31"]
