"""pyproject.toml, environment.yml and the locks speak of the same packages."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = PROJECT["dependencies"] + EXTRAS["lab"] + EXTRAS["test"]
BESIDE = {f"requirements-{extra}.lock": PROJECT["dependencies"] + EXTRAS[extra] for extra in ("bench", "dask", "spark")}
LOCKS = {"requirements.lock": WANTED} | BESIDE


def pins(lock: str) -> dict[str, set[str]]:
    """Every version that a lock pins, by name; a package may have several, for several Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE):
        found.setdefault(name.lower().replace("_", "-"), set()).add(version)
    return found


def name_of(requirement: str) -> str:
    return re.match(r"[\w-]+", requirement).group().lower().replace("_", "-")


def test_the_conda_environment_lists_what_the_project_asks_for():
    listed = re.findall(r"^      - (.+)$", (ROOT / "environment.yml").read_text(encoding="utf-8"), re.MULTILINE)

    assert [line for line in listed if not line.startswith("--")] == WANTED


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_everything_the_project_asks_for_with_hashes(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert {name_of(requirement) for requirement in LOCKS[lock]} <= pins(lock).keys()
    assert len(re.findall(r"^[\w.-]+==", text, re.MULTILINE)) == len(re.findall(r"==.*\\\n    --hash", text))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_only_versions_the_project_allows(lock):
    for requirement in map(Requirement, LOCKS[lock]):
        assert all(map(requirement.specifier.contains, pins(lock)[name_of(requirement.name)])), requirement


@pytest.mark.parametrize("lock", BESIDE)
def test_extras_run_on_the_versions_of_the_main_lock(lock):
    main, beside = pins("requirements.lock"), pins(lock)

    assert {name for name in main.keys() & beside.keys() if main[name] != beside[name]} == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock):
    text = (ROOT / lock).read_text(encoding="utf-8")

    assert "://" not in text
    assert "--index" not in text


def test_the_supported_pythons_agree():
    versions = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", line)]

    assert versions == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == ">=3.11,<3.14"
